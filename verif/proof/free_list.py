"""What rtl.free_list must satisfy, given users that return only what they took."""

from amaranth import Module, Signal
from amaranth.hdl import Assert, Assume
from amaranth.lib import wiring

from rtl.free_list import FreeList

__all__ = ["FreeListProof"]


class FreeListProof(wiring.Component):
    """No slot is handed out while it is in use, and none is lost.

    Members are those of :class:`FreeList`; its inputs are free variables, the reset too.
    """

    def __init__(self, slots: int, *, first: int = 0):
        self.slots, self.first = slots, first
        self.dut = FreeList(slots, first=first)
        super().__init__(self.dut.signature)

    def elaborate(self, platform):
        m = Module()
        m.submodules.dut = dut = self.dut
        in_use = Signal(self.slots, init=(1 << self.first) - 1)
        m.d.comb += [
            dut.take.eq(self.take),
            dut.give.valid.eq(self.give.valid),
            dut.give.slot.eq(self.give.slot),
            self.slot.eq(dut.slot),
            Assume(~self.take | ~in_use.all()),
            Assume(~self.give.valid | (self.give.slot < self.slots)),
            Assume(~self.give.valid | in_use.bit_select(self.give.slot, 1)),
        ]
        with m.If(self.give.valid):
            m.d.sync += in_use.bit_select(self.give.slot, 1).eq(0)
        with m.If(self.take):
            m.d.sync += in_use.bit_select(dut.slot, 1).eq(1)
            m.d.comb += Assert(~in_use.bit_select(dut.slot, 1))

        free = sum(~in_use[n] for n in range(self.slots))
        m.d.comb += Assert(free == dut.level + self.slots - dut.unused)
        return m
