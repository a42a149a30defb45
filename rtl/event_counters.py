"""Counters of events: how often each has happened."""

from collections.abc import Sequence

from amaranth import Array, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from models.link.wire import COUNT_BITS

__all__ = ["EventCounters"]


class EventCounters(wiring.Component):
    """Count events, and tell the count of one of them.

    Counts are in a memory, which one event reaches in a cycle, by turns. What happens to the others
    meanwhile is added up in a few bits of their own; who reads gets the sum.

    Latency: 1 cycle from ``address`` to ``count``. Throughput: every event, and one reading, in
    every cycle.

    Parameters
    ----------
    most : sequence of int
        How often each event may happen in a cycle.

    Members
    -------
    events : In(ArrayLayout(range(max(most) + 1), len(most)))
        How often each happens in this cycle.
    address : In(range(len(most)))
        Place of an event.
    count : Out(COUNT_BITS)
        How often it had happened, since reset, before the cycle in which ``address`` was given,
        modulo ``2**COUNT_BITS``; 0 if there is no such event.
    """

    def __init__(self, most: Sequence[int]):
        self.most = tuple(most)
        super().__init__(
            {
                "events": In(data.ArrayLayout(range(max(most) + 1), len(most))),
                "address": In(range(len(most))),
                "count": Out(COUNT_BITS),
            }
        )

    def elaborate(self, platform):
        m = Module()
        depth = len(self.most)
        m.submodules.memory = memory = Memory(shape=COUNT_BITS, depth=depth, init=[])
        write, own, read = (
            memory.write_port(),
            memory.read_port(domain="comb"),
            memory.read_port(domain="comb"),
        )
        turn, first_round = Signal(range(depth)), Signal(init=1)
        recent = []  # of each event, since its last turn
        for n, most in enumerate(self.most):
            recent.append(Signal(range(depth * most + 1), name=f"recent_{n}"))
            event = self.events[n][: most.bit_length()]
            m.d.sync += recent[n].eq(Mux(turn == n, 0, recent[n]) + event)
        last = turn == depth - 1
        m.d.sync += [turn.eq(Mux(last, 0, turn + 1)), first_round.eq(first_round & ~last)]

        # What the memory holds after a reset means nothing.
        known = Signal()
        m.d.comb += [
            own.addr.eq(turn),
            write.addr.eq(turn),
            write.en.eq(1),
            write.data.eq(Mux(first_round, 0, own.data) + Array(recent)[turn]),
            read.addr.eq(self.address),
            known.eq(~first_round | (self.address < turn)),
        ]
        m.d.sync += self.count.eq(0)
        with m.If(self.address < depth):
            m.d.sync += self.count.eq(Mux(known, read.data, 0) + Array(recent)[self.address])
        return m
