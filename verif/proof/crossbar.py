"""What rtl.crossbar must satisfy for every input, at any time."""

from itertools import pairwise

from amaranth import Array, Module, Signal
from amaranth.hdl import Assert, Assume
from amaranth.lib import wiring

from models.config import SwitchConfig
from rtl.crossbar import Crossbar, SelectSignature

__all__ = ["CrossbarProof"]


class CrossbarProof(wiring.Component):
    """Each output shows the flit of the input that it selected, or none; nothing else moves it.

    And ``moving`` tells of all that is on its way.

    Members are those of :class:`Crossbar`; its inputs are free variables, but an input that does
    not exist is never selected.
    """

    def __init__(self, config: SwitchConfig):
        self.config = config
        self.dut = Crossbar(config)
        super().__init__(self.dut.signature)

    def elaborate(self, platform):
        m = Module()
        m.submodules.dut = dut = self.dut
        for name in ("select", "i", "o"):
            for outer, inner in zip(getattr(self, name), getattr(dut, name), strict=True):
                wiring.connect(m, wiring.flipped(outer), inner)

        # History: the inputs of the last cycle, and what each output selected up to two before it.
        history = [[SelectSignature(self.config).create() for _ in range(3)] for _ in self.select]
        valids = Array(Signal(name=f"valid_{n}") for n in range(self.config.ports))
        flits = Array(Signal.like(i.flit.as_value(), name=f"flit_{n}") for n, i in enumerate(dut.i))
        for n, i in enumerate(dut.i):
            m.d.sync += [valids[n].eq(i.valid), flits[n].eq(i.flit)]

        for n, (select, o) in enumerate(zip(dut.select, dut.o, strict=True)):
            m.d.comb += Assume(select.input < self.config.ports)
            for sooner, later in pairwise([select, *history[n]]):
                for name in select.signature.members:
                    m.d.sync += getattr(later, name).eq(getattr(sooner, name))
            earlier = history[n][-1]
            shown = (o.traffic_class, o.flit.as_value())
            moved = earlier.valid & valids[earlier.input]
            wanted = (earlier.traffic_class, flits[earlier.input])
            m.d.comb += Assert(o.valid == moved)
            m.d.comb += Assert(dut.moving[n] == (history[n][0].valid | history[n][1].valid | moved))
            for value, want in zip(shown, wanted, strict=True):
                kept = Signal.like(value)
                m.d.sync += kept.eq(value)
                with m.If(moved):
                    m.d.comb += Assert(value == want)
                with m.Elif(~earlier.valid):
                    m.d.comb += Assert(value == kept)
        return m
