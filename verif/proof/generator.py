"""What rtl.generator must satisfy, whatever its port does."""

from amaranth import Module, Mux, Signal
from amaranth.hdl import Assert
from amaranth.lib import wiring

from rtl.generator import Generator

__all__ = ["GeneratorProof"]


class GeneratorProof(wiring.Component):
    """The law of streams and the shape of packets; the inputs are free variables.

    Members are those of :class:`Generator`; ``config`` has a line rate of 1 flit per cycle.
    """

    def __init__(self, config, *, port: int):
        self.dut = Generator(config, port=port)
        super().__init__(self.dut.signature)

    def elaborate(self, platform):
        m = Module()
        m.submodules.dut = dut = self.dut
        shown = dut.o.payload
        m.d.comb += [
            dut.enable.eq(self.enable),
            dut.clear.eq(self.clear),
            dut.flow.eq(self.flow),
            dut.o.ready.eq(self.o.ready),
            self.o.valid.eq(dut.o.valid),
            self.o.payload.eq(shown),
            self.sent.eq(dut.sent),
        ]

        # A flit that was not taken stays as it was.
        waiting, before = Signal(), Signal.like(shown)
        m.d.sync += [waiting.eq(dut.o.valid & ~dut.o.ready), before.eq(shown)]
        m.d.comb += Assert(~waiting | (dut.o.valid & (shown.as_value() == before.as_value())))

        # Bytes that count have no gap, and a flit is full before the last.
        full = shown.keep.all()
        m.d.comb += [
            Assert(~dut.o.valid | shown.keep[0]),
            Assert(~dut.o.valid | ((shown.keep[1:] & ~shown.keep[:-1]) == 0)),
            Assert(~dut.o.valid | shown.last | full),
            Assert(shown.user == 0),
        ]

        # A packet has no gap, if the line is as fast as the fabric.
        within, awake = Signal(), Signal()
        m.d.sync += awake.eq(1)
        with m.If(dut.o.valid & dut.o.ready):
            m.d.sync += within.eq(~shown.last)
        m.d.comb += [
            Assert(~within | dut.o.valid),
            # Why the induction holds: what comes next is known from what is shown.
            Assert(~awake | dut.turn),
            Assert(dut.starting == Mux(dut.o.valid, shown.last, ~within)),
        ]
        return m
