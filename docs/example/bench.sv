// Runs two_senders for a while; ends with status 0 if all that came was right, and enough of it.
module bench;
  reg clk = 0, rst = 1;
  wire [31:0] checked_0, checked_1;
  wire wrong;

  two_senders dut(clk, rst, checked_0, checked_1, wrong);

  always #1 clk = !clk;

  initial begin
    repeat (4) @(negedge clk);
    rst = 0;
    repeat (4000) @(negedge clk);
    $display("%0d and %0d packets, %s", checked_0, checked_1, wrong ? "some wrong" : "all right");
    if (wrong || checked_0 < 1000 || checked_1 < 1000) $fatal(1, "the example fails");
    $finish;
  end
endmodule
