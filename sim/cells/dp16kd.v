// The block RAM of ECP5, 18 kbit, for simulation: yosys has only its ports.
//
// Source: what yosys maps memories to (its ecp5/brams_map.v) and what nextpnr makes of that. It was
// not held against the vendor's guide (Lattice FPGA-TN-02204) or silicon: the order of the halves of
// 36 bits and the chip selects are as those tools take them.
// 1,024 words of 18 bits, each two bytes of 9. A port is 1, 2, 4, 9 or 18 bits wide; its address
// begins at ADx0, ADx1, ADx2, ADx3 or ADx4. What is narrower than a byte reaches the low 8 bits of
// it. Of 18 bits, ADx0 and ADx1 enable the bytes of a write.
// DATA_WIDTH_A 36 is the pseudo-dual-port mode: A writes {DIB, DIA} at ADA[13:5], its bytes enabled
// by ADA[3:0]; B only reads, 36 bits as {DOB, DOA}, or fewer on DOB.
// A port does nothing unless CEx is high and CSx2..0 are CSDECODE_x. What is read appears after the
// edge (NOREG) or one edge with OCEx later (OUTREG). A write leaves it as it is (NORMAL), makes it
// the new word (WRITETHROUGH) or the old one (READBEFOREWRITE). RSTx clears it, whatever CEx says,
// and holds off a write; with RESETMODE "ASYNC" it waits for no edge.
//
// What one port reads of what the other writes at the same edge is undefined. Here it is wrong: the
// inverse of what was there, so that a design that relies on it does not pass. Both clocks are
// taken for one.
module DP16KD(
  input DIA17, DIA16, DIA15, DIA14, DIA13, DIA12, DIA11, DIA10, DIA9, DIA8, DIA7, DIA6, DIA5,
    DIA4, DIA3, DIA2, DIA1, DIA0,
  input ADA13, ADA12, ADA11, ADA10, ADA9, ADA8, ADA7, ADA6, ADA5, ADA4, ADA3, ADA2, ADA1, ADA0,
  input CLKA, CEA, WEA, RSTA, OCEA, CSA2, CSA1, CSA0,
  output DOA17, DOA16, DOA15, DOA14, DOA13, DOA12, DOA11, DOA10, DOA9, DOA8, DOA7, DOA6, DOA5,
    DOA4, DOA3, DOA2, DOA1, DOA0,
  input DIB17, DIB16, DIB15, DIB14, DIB13, DIB12, DIB11, DIB10, DIB9, DIB8, DIB7, DIB6, DIB5,
    DIB4, DIB3, DIB2, DIB1, DIB0,
  input ADB13, ADB12, ADB11, ADB10, ADB9, ADB8, ADB7, ADB6, ADB5, ADB4, ADB3, ADB2, ADB1, ADB0,
  input CLKB, CEB, WEB, RSTB, OCEB, CSB2, CSB1, CSB0,
  output DOB17, DOB16, DOB15, DOB14, DOB13, DOB12, DOB11, DOB10, DOB9, DOB8, DOB7, DOB6, DOB5,
    DOB4, DOB3, DOB2, DOB1, DOB0
);
  parameter DATA_WIDTH_A = 18, DATA_WIDTH_B = 18;
  parameter REGMODE_A = "NOREG", REGMODE_B = "NOREG";
  parameter RESETMODE = "SYNC", ASYNC_RESET_RELEASE = "SYNC";
  parameter CSDECODE_A = "0b000", CSDECODE_B = "0b000";
  parameter WRITEMODE_A = "NORMAL", WRITEMODE_B = "NORMAL";
  parameter CLKAMUX = "CLKA", CEAMUX = "CEA", WEAMUX = "WEA", RSTAMUX = "RSTA", OCEAMUX = "OCEA";
  parameter CLKBMUX = "CLKB", CEBMUX = "CEB", WEBMUX = "WEB", RSTBMUX = "RSTB", OCEBMUX = "OCEB";
  parameter GSR = "ENABLED", INIT_DATA = "STATIC";
  parameter WID = 0;
  parameter [319:0] INITVAL_00 = 0, INITVAL_01 = 0, INITVAL_02 = 0, INITVAL_03 = 0;
  parameter [319:0] INITVAL_04 = 0, INITVAL_05 = 0, INITVAL_06 = 0, INITVAL_07 = 0;
  parameter [319:0] INITVAL_08 = 0, INITVAL_09 = 0, INITVAL_0A = 0, INITVAL_0B = 0;
  parameter [319:0] INITVAL_0C = 0, INITVAL_0D = 0, INITVAL_0E = 0, INITVAL_0F = 0;
  parameter [319:0] INITVAL_10 = 0, INITVAL_11 = 0, INITVAL_12 = 0, INITVAL_13 = 0;
  parameter [319:0] INITVAL_14 = 0, INITVAL_15 = 0, INITVAL_16 = 0, INITVAL_17 = 0;
  parameter [319:0] INITVAL_18 = 0, INITVAL_19 = 0, INITVAL_1A = 0, INITVAL_1B = 0;
  parameter [319:0] INITVAL_1C = 0, INITVAL_1D = 0, INITVAL_1E = 0, INITVAL_1F = 0;
  parameter [319:0] INITVAL_20 = 0, INITVAL_21 = 0, INITVAL_22 = 0, INITVAL_23 = 0;
  parameter [319:0] INITVAL_24 = 0, INITVAL_25 = 0, INITVAL_26 = 0, INITVAL_27 = 0;
  parameter [319:0] INITVAL_28 = 0, INITVAL_29 = 0, INITVAL_2A = 0, INITVAL_2B = 0;
  parameter [319:0] INITVAL_2C = 0, INITVAL_2D = 0, INITVAL_2E = 0, INITVAL_2F = 0;
  parameter [319:0] INITVAL_30 = 0, INITVAL_31 = 0, INITVAL_32 = 0, INITVAL_33 = 0;
  parameter [319:0] INITVAL_34 = 0, INITVAL_35 = 0, INITVAL_36 = 0, INITVAL_37 = 0;
  parameter [319:0] INITVAL_38 = 0, INITVAL_39 = 0, INITVAL_3A = 0, INITVAL_3B = 0;
  parameter [319:0] INITVAL_3C = 0, INITVAL_3D = 0, INITVAL_3E = 0, INITVAL_3F = 0;

  localparam [20479:0] INIT = {
    INITVAL_3F, INITVAL_3E, INITVAL_3D, INITVAL_3C, INITVAL_3B, INITVAL_3A, INITVAL_39, INITVAL_38,
    INITVAL_37, INITVAL_36, INITVAL_35, INITVAL_34, INITVAL_33, INITVAL_32, INITVAL_31, INITVAL_30,
    INITVAL_2F, INITVAL_2E, INITVAL_2D, INITVAL_2C, INITVAL_2B, INITVAL_2A, INITVAL_29, INITVAL_28,
    INITVAL_27, INITVAL_26, INITVAL_25, INITVAL_24, INITVAL_23, INITVAL_22, INITVAL_21, INITVAL_20,
    INITVAL_1F, INITVAL_1E, INITVAL_1D, INITVAL_1C, INITVAL_1B, INITVAL_1A, INITVAL_19, INITVAL_18,
    INITVAL_17, INITVAL_16, INITVAL_15, INITVAL_14, INITVAL_13, INITVAL_12, INITVAL_11, INITVAL_10,
    INITVAL_0F, INITVAL_0E, INITVAL_0D, INITVAL_0C, INITVAL_0B, INITVAL_0A, INITVAL_09, INITVAL_08,
    INITVAL_07, INITVAL_06, INITVAL_05, INITVAL_04, INITVAL_03, INITVAL_02, INITVAL_01, INITVAL_00
  };
  localparam WIDE = DATA_WIDTH_A == 36;

  reg [17:0] memory [0:1023];
  integer n;
  initial for (n = 0; n < 1024; n = n + 1) memory[n] = INIT[20*n +: 18];

  // Lowest bit of a word that a port of so many bits reaches.
  function [4:0] place(input integer width, input [13:0] address);
    case (width)
      1: place = 5'd9 * address[3] + {2'b0, address[2:0]};
      2: place = 5'd9 * address[3] + {2'b0, address[2:1], 1'b0};
      4: place = 5'd9 * address[3] + {2'b0, address[2], 2'b0};
      9: place = 5'd9 * address[3];
      default: place = 0;
    endcase
  endfunction

  // The bits that it reaches there.
  function [17:0] reach(input integer width, input [13:0] address);
    reach = (width >= 18 ? 18'h3ffff : (18'h1 << width) - 18'h1) << place(width, address);
  endfunction

  function [17:0] bytes(input [1:0] enable);
    bytes = {{9{enable[1]}}, {9{enable[0]}}};
  endfunction

  function [2:0] selection(input [39:0] text);  // of "0b101"
    selection = {text[16], text[8], text[0]};
  endfunction

  wire [17:0] dia = {DIA17, DIA16, DIA15, DIA14, DIA13, DIA12, DIA11, DIA10, DIA9, DIA8, DIA7,
    DIA6, DIA5, DIA4, DIA3, DIA2, DIA1, DIA0};
  wire [13:0] ada = {ADA13, ADA12, ADA11, ADA10, ADA9, ADA8, ADA7, ADA6, ADA5, ADA4, ADA3, ADA2,
    ADA1, ADA0};
  wire clka = CLKAMUX == "INV" ? !CLKA : CLKA;
  wire cea = CEAMUX == "INV" ? !CEA : CEA;
  wire wea = WEAMUX == "INV" ? !WEA : WEA;
  wire rsta = RSTAMUX == "INV" ? !RSTA : RSTA;
  wire ocea = OCEAMUX == "INV" ? !OCEA : OCEA;
  wire ona = cea && {CSA2, CSA1, CSA0} == selection(CSDECODE_A);

  wire [17:0] dib = {DIB17, DIB16, DIB15, DIB14, DIB13, DIB12, DIB11, DIB10, DIB9, DIB8, DIB7,
    DIB6, DIB5, DIB4, DIB3, DIB2, DIB1, DIB0};
  wire [13:0] adb = {ADB13, ADB12, ADB11, ADB10, ADB9, ADB8, ADB7, ADB6, ADB5, ADB4, ADB3, ADB2,
    ADB1, ADB0};
  wire clkb = CLKBMUX == "INV" ? !CLKB : CLKB;
  wire ceb = CEBMUX == "INV" ? !CEB : CEB;
  wire web = WEBMUX == "INV" ? !WEB : WEB;
  wire rstb = RSTBMUX == "INV" ? !RSTB : RSTB;
  wire oceb = OCEBMUX == "INV" ? !OCEB : OCEB;
  wire onb = ceb && {CSB2, CSB1, CSB0} == selection(CSDECODE_B);

  // Bits that a port writes, of the odd and the even word of a pair.
  wire writea = ona && wea && !rsta;
  wire writeb = onb && web && !rstb && !WIDE;
  wire [17:0] narrowa = reach(DATA_WIDTH_A, ada) & (DATA_WIDTH_A < 18 ? ~18'h0 : bytes(ada[1:0]));
  wire [17:0] narrowb = reach(DATA_WIDTH_B, adb) & (DATA_WIDTH_B < 18 ? ~18'h0 : bytes(adb[1:0]));
  wire [35:0] maska = !writea ? 36'h0 : WIDE ? {bytes(ada[3:2]), bytes(ada[1:0])}
    : ada[4] ? {narrowa, 18'h0} : {18'h0, narrowa};
  wire [35:0] maskb = !writeb ? 36'h0 : adb[4] ? {narrowb, 18'h0} : {18'h0, narrowb};
  wire [35:0] dataa = WIDE ? {dib, dia} : {2{dia << place(DATA_WIDTH_A, ada)}};
  wire [35:0] datab = {2{dib << place(DATA_WIDTH_B, adb)}};

  genvar k;
  generate
    for (k = 0; k < 18; k = k + 1) begin
      always @(posedge clka) begin
        if (maska[k]) memory[{ada[13:5], 1'b0}][k] <= dataa[k];
        if (maska[k + 18]) memory[{ada[13:5], 1'b1}][k] <= dataa[k + 18];
      end
      always @(posedge clkb) begin
        if (maskb[k]) memory[{adb[13:5], 1'b0}][k] <= datab[k];
        if (maskb[k + 18]) memory[{adb[13:5], 1'b1}][k] <= datab[k + 18];
      end
    end
  endgenerate

  // What port A reads: the pair, what of it is spoilt, and what the port's own write makes of it.
  wire [35:0] olda = {memory[{ada[13:5], 1'b1}], memory[{ada[13:5], 1'b0}]};
  wire [35:0] sounda = olda ^ (ada[13:5] == adb[13:5] ? maskb : 36'h0);
  wire [35:0] mixeda = WRITEMODE_A == "WRITETHROUGH" && !WIDE
    ? (sounda & ~maska) | (dataa & maska) : sounda;
  wire [17:0] worda = ada[4] ? mixeda[35:18] : mixeda[17:0];
  reg [35:0] latcha = 0, registera = 0;
  wire cleara = RESETMODE == "ASYNC" && rsta;
  always @(posedge clka or posedge cleara) begin
    if (rsta || cleara) latcha <= 0;
    else if (ona && !(writea && WRITEMODE_A == "NORMAL"))
      latcha <= DATA_WIDTH_A == 36 ? mixeda
        : {18'h0, (worda & reach(DATA_WIDTH_A, ada)) >> place(DATA_WIDTH_A, ada)};
    if (rsta || cleara) registera <= 0;
    else if (ocea) registera <= latcha;
  end
  wire [35:0] outa = REGMODE_A == "OUTREG" ? registera : latcha;

  // What port B reads: the pair, what of it is spoilt, and what the port's own write makes of it.
  wire [35:0] oldb = {memory[{adb[13:5], 1'b1}], memory[{adb[13:5], 1'b0}]};
  wire [35:0] soundb = oldb ^ (ada[13:5] == adb[13:5] ? maska : 36'h0);
  wire [35:0] mixedb = WRITEMODE_B == "WRITETHROUGH" && !WIDE
    ? (soundb & ~maskb) | (datab & maskb) : soundb;
  wire [17:0] wordb = adb[4] ? mixedb[35:18] : mixedb[17:0];
  reg [35:0] latchb = 0, registerb = 0;
  wire clearb = RESETMODE == "ASYNC" && rstb;
  always @(posedge clkb or posedge clearb) begin
    if (rstb || clearb) latchb <= 0;
    else if (onb && !(writeb && WRITEMODE_B == "NORMAL"))
      latchb <= DATA_WIDTH_B == 36 ? mixedb
        : {18'h0, (wordb & reach(DATA_WIDTH_B, adb)) >> place(DATA_WIDTH_B, adb)};
    if (rstb || clearb) registerb <= 0;
    else if (oceb) registerb <= latchb;
  end
  wire [35:0] outb = REGMODE_B == "OUTREG" ? registerb : latchb;

  assign {DOA17, DOA16, DOA15, DOA14, DOA13, DOA12, DOA11, DOA10, DOA9, DOA8, DOA7, DOA6, DOA5,
    DOA4, DOA3, DOA2, DOA1, DOA0} = WIDE && DATA_WIDTH_B == 36 ? outb[17:0] : WIDE ? 18'h0 :
    outa[17:0];
  assign {DOB17, DOB16, DOB15, DOB14, DOB13, DOB12, DOB11, DOB10, DOB9, DOB8, DOB7, DOB6, DOB5,
    DOB4, DOB3, DOB2, DOB1, DOB0} = WIDE && DATA_WIDTH_B == 36 ? outb[35:18] : outb[17:0];
endmodule
