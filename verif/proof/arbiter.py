"""What rtl.arbiter must satisfy for every input, at any time."""

from amaranth import Module, Signal
from amaranth.hdl import Assert, Assume
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from rtl.arbiter import Arbiter

__all__ = ["ArbiterProof"]


class ArbiterProof(wiring.Component):
    """Safety and bounded fairness of :class:`Arbiter`; the inputs are free variables.

    Parameters
    ----------
    ports : int
        Number of requesters, 2 or more.

    Members
    -------
    request, advance
        As in :class:`Arbiter`.
    watched : In(range(ports))
        The requester whose waiting time is proven; any one, but constant.
    """

    def __init__(self, ports: int):
        self.ports = ports
        super().__init__({"request": In(ports), "advance": In(1), "watched": In(range(ports))})

    def elaborate(self, platform):
        m = Module()
        m.submodules.dut = dut = Arbiter(self.ports)
        m.d.comb += [dut.request.eq(self.request), dut.advance.eq(self.advance)]

        # Safety.
        m.d.comb += [
            Assert((dut.grant & (dut.grant - 1)) == 0),  # at most one grant
            Assert((dut.grant & ~dut.request) == 0),  # only to a requester
            Assert(dut.grant.any() == dut.request.any()),  # never idle under load
        ]

        # The watched requester stays the same.
        started, previous = Signal(), Signal.like(self.watched)
        m.d.sync += [started.eq(1), previous.eq(self.watched)]
        m.d.comb += Assume(self.watched < self.ports)
        m.d.comb += Assume(~started | (self.watched == previous))

        # Fairness: while it keeps requesting, it loses at most `ports - 1` times.
        losses = Signal(range(self.ports + 1))
        wants = dut.request.bit_select(self.watched, 1)
        wins = dut.grant.bit_select(self.watched, 1)
        with m.If(~wants | (wins & dut.advance)):
            m.d.sync += losses.eq(0)
        with m.Elif(dut.advance):
            m.d.sync += losses.eq(losses + 1)
        m.d.comb += Assert(losses < self.ports)

        # Invariant that makes fairness inductive: each loss shortens the queue ahead.
        ahead = Signal(range(2 * self.ports))
        with m.If(dut.above.bit_select(self.watched, 1)):
            m.d.comb += ahead.eq(sum(dut.above[n] & (n < self.watched) for n in range(self.ports)))
        with m.Else():
            m.d.comb += ahead.eq(sum(dut.above) + self.watched)
        m.d.comb += [
            Assert(~dut.above[0]),
            Assert(((dut.above << 1)[: self.ports] & ~dut.above) == 0),  # thermometer code
            Assert(losses + ahead < self.ports),
        ]
        return m
