// A multiplexer of eight inputs in ECP5, as yosys' muxcover leaves it: two slices.
//
// Four look-up tables of two data inputs each, the multiplexers of their slices behind pairs of them
// (PFUMX), and the one between slices (L6MUX21). Only the tables cost anything; abc9 would need
// five or six of them.
(* techmap_celltype = "$_MUX8_" *)
module ecp5_multiplexer(input A, B, C, D, E, F, G, H, S, T, U, output Y);
  wire ab, cd, ef, gh, low, high;
  LUT4 #(.INIT(16'hCACA)) lut_ab(.A(A), .B(B), .C(S), .D(1'b0), .Z(ab));
  LUT4 #(.INIT(16'hCACA)) lut_cd(.A(C), .B(D), .C(S), .D(1'b0), .Z(cd));
  LUT4 #(.INIT(16'hCACA)) lut_ef(.A(E), .B(F), .C(S), .D(1'b0), .Z(ef));
  LUT4 #(.INIT(16'hCACA)) lut_gh(.A(G), .B(H), .C(S), .D(1'b0), .Z(gh));
  PFUMX pair_low(.BLUT(ab), .ALUT(cd), .C0(T), .Z(low));
  PFUMX pair_high(.BLUT(ef), .ALUT(gh), .C0(T), .Z(high));
  L6MUX21 pair(.D0(low), .D1(high), .SD(U), .Z(Y));
endmodule
