// A switch of two ports in a design of its own: at each port a sender and a checker, each sends to
// the other. See docs/integrate.md.

// Packets of two flits: the header, and a word with their number.
module sender #(parameter [15:0] SOURCE = 0, DESTINATION = 0, parameter LIMIT = 0) (
  input clk, input rst,
  output [63:0] tdata, output [7:0] tkeep, output tvalid, input tready, output tlast,
  input released_valid
);
  localparam [15:0] LENGTH = 16;  // bytes, header included
  localparam [3:0] TRAFFIC_CLASS = 0, OPERATION = 0;  // unicast
  localparam [7:0] PARTITION = 0;

  reg second = 0;  // flit that is shown
  reg [31:0] count = 0;
  reg [7:0] outstanding = 0;  // flits that the switch has not released yet
  wire begins = tvalid && tready && !second;

  // Once high it stays high until tready: what is released only makes more room.
  assign tvalid = second || outstanding + 2 <= LIMIT;
  assign tlast = second;
  assign tkeep = 8'hff;
  assign tdata = second ? {SOURCE, 16'h0, count}
    : {PARTITION, OPERATION, TRAFFIC_CLASS, LENGTH, SOURCE, DESTINATION};

  always @(posedge clk) begin
    outstanding <= outstanding + (begins ? 8'd2 : 8'd0)
      - (released_valid ? 8'd1 : 8'd0);
    if (tvalid && tready) second <= !second;
    if (tvalid && tready && second) count <= count + 1;
    if (rst) begin
      second <= 0;
      count <= 0;
      outstanding <= 0;
    end
  end
endmodule

// Takes a flit in three cycles of four, and knows what must come.
module checker_of #(parameter [15:0] SOURCE = 0, DESTINATION = 0) (
  input clk, input rst,
  input [63:0] tdata, input [7:0] tkeep, input tvalid, output tready, input tlast,
  input [1:0] tuser,
  output reg [31:0] checked, output reg wrong
);
  reg second = 0;
  reg [1:0] pause = 0;
  wire good = tkeep == 8'hff && !tuser[0] && tlast == second
    && (second ? tdata == {SOURCE, 16'h0, checked} : tdata[31:0] == {SOURCE, DESTINATION});

  assign tready = pause != 0;

  always @(posedge clk) begin
    pause <= pause + 1;
    if (tvalid && tready) begin
      second <= !second;
      if (!good) wrong <= 1;
      if (second) checked <= checked + 1;
    end
    if (rst) begin
      second <= 0;
      checked <= 0;
      wrong <= 0;
    end
  end
endmodule

module two_senders(
  input clk, input rst,
  output [31:0] checked_0, output [31:0] checked_1, output wrong
);
  localparam LIMIT = 16;  // flits: the share of a queue of TINY

  wire [63:0] s0_tdata, s1_tdata, m0_tdata, m1_tdata;
  wire [7:0] s0_tkeep, s1_tkeep, m0_tkeep, m1_tkeep;
  wire s0_tvalid, s1_tvalid, m0_tvalid, m1_tvalid;
  wire s0_tready, s1_tready, m0_tready, m1_tready;
  wire s0_tlast, s1_tlast, m0_tlast, m1_tlast;
  wire [1:0] m0_tuser, m1_tuser;
  wire s0_released_valid, s1_released_valid;
  wire wrong_0, wrong_1;

  sender #(.SOURCE(0), .DESTINATION(1), .LIMIT(LIMIT)) sender_0(
    .clk(clk), .rst(rst), .tdata(s0_tdata), .tkeep(s0_tkeep), .tvalid(s0_tvalid),
    .tready(s0_tready), .tlast(s0_tlast),
    .released_valid(s0_released_valid));
  sender #(.SOURCE(1), .DESTINATION(0), .LIMIT(LIMIT)) sender_1(
    .clk(clk), .rst(rst), .tdata(s1_tdata), .tkeep(s1_tkeep), .tvalid(s1_tvalid),
    .tready(s1_tready), .tlast(s1_tlast),
    .released_valid(s1_released_valid));

  lingyun_switch switch(
    .clk(clk), .rst(rst),
    // Control: all ports on, tables as they are after a reset.
    .enable(2'b11), .drain(2'b00), .port_reset(2'b00), .inject(2'b00),
    .program_valid(1'b0), .program_partition(1'b0), .program_address(16'h0), .program_mask(2'b00),
    // Packets in.
    .s0_axis_tdata(s0_tdata), .s0_axis_tkeep(s0_tkeep), .s0_axis_tvalid(s0_tvalid),
    .s0_axis_tready(s0_tready), .s0_axis_tlast(s0_tlast), .s0_axis_tuser(2'b00),
    .s1_axis_tdata(s1_tdata), .s1_axis_tkeep(s1_tkeep), .s1_axis_tvalid(s1_tvalid),
    .s1_axis_tready(s1_tready), .s1_axis_tlast(s1_tlast), .s1_axis_tuser(2'b00),
    // Credit: each sender uses one queue, so it need not look at output and class.
    .s0_released_valid(s0_released_valid), .s1_released_valid(s1_released_valid),
    // Packets out.
    .m0_axis_tdata(m0_tdata), .m0_axis_tkeep(m0_tkeep), .m0_axis_tvalid(m0_tvalid),
    .m0_axis_tready(m0_tready), .m0_axis_tlast(m0_tlast), .m0_axis_tuser(m0_tuser),
    .m1_axis_tdata(m1_tdata), .m1_axis_tkeep(m1_tkeep), .m1_axis_tvalid(m1_tvalid),
    .m1_axis_tready(m1_tready), .m1_axis_tlast(m1_tlast), .m1_axis_tuser(m1_tuser));

  checker_of #(.SOURCE(1), .DESTINATION(0)) checker_0(
    .clk(clk), .rst(rst), .tdata(m0_tdata), .tkeep(m0_tkeep), .tvalid(m0_tvalid),
    .tready(m0_tready), .tlast(m0_tlast), .tuser(m0_tuser), .checked(checked_0), .wrong(wrong_0));
  checker_of #(.SOURCE(0), .DESTINATION(1)) checker_1(
    .clk(clk), .rst(rst), .tdata(m1_tdata), .tkeep(m1_tkeep), .tvalid(m1_tvalid),
    .tready(m1_tready), .tlast(m1_tlast), .tuser(m1_tuser), .checked(checked_1), .wrong(wrong_1));

  assign wrong = wrong_0 || wrong_1;
endmodule
