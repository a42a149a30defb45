"""Counters of a link: how often each of its events has happened."""

from amaranth import Array, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from models.link.config import LinkConfig
from models.link.wire import COUNT_BITS, COUNTED
from rtl.link.link import LinkEventsSignature

__all__ = ["LinkCounters"]


class LinkCounters(wiring.Component):
    """Count all events of a link, and tell the count of one of them.

    Counts are in a memory, which one event reaches in a cycle, by turns. What happens to the others
    meanwhile is added up in a few bits of their own; who reads gets the sum.

    Latency: 1 cycle from ``address`` to ``count``. Throughput: every event, and one reading, in
    every cycle.

    Parameters
    ----------
    config : LinkConfig
        Of the link.

    Members
    -------
    events : In(LinkEventsSignature)
        As the link tells them.
    address : In(range(len(COUNTED)))
        Place of an event in ``models.link.wire.COUNTED``.
    count : Out(COUNT_BITS)
        How often it had happened, since reset, before the cycle in which ``address`` was given,
        modulo ``2**COUNT_BITS``; 0 if there is no such event.
    """

    def __init__(self, config: LinkConfig):
        self.config = config
        super().__init__(
            {
                "events": In(LinkEventsSignature(config)),
                "address": In(range(len(COUNTED))),
                "count": Out(COUNT_BITS),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.memory = memory = Memory(shape=COUNT_BITS, depth=len(COUNTED), init=[])
        write, own, read = (
            memory.write_port(),
            memory.read_port(domain="comb"),
            memory.read_port(domain="comb"),
        )
        turn, first_round = Signal(range(len(COUNTED))), Signal(init=1)
        recent = []  # of each event, since its last turn
        for n, name in enumerate(COUNTED):
            event = getattr(self.events, name)
            most = len(COUNTED) * ((1 << len(event)) - 1)
            recent.append(Signal(range(most + 1), name=f"recent_{name}"))
            m.d.sync += recent[n].eq(Mux(turn == n, 0, recent[n]) + event)
        last = turn == len(COUNTED) - 1
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
        with m.If(self.address < len(COUNTED)):
            m.d.sync += self.count.eq(Mux(known, read.data, 0) + Array(recent)[self.address])
        return m
