"""Counters of queues in distributed memory."""

from amaranth import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

__all__ = ["Tally"]


class Tally(wiring.Component):
    """Count events of each queue, modulo a power of two.

    The difference of two tallies is the level of each queue, and each has one write port only.
    Latency: 0 cycles from ``queue`` to ``count`` (combinational). All counts are zero after reset,
    without a cycle spent on clearing: a count is used only once it has been written.

    Parameters
    ----------
    queues : int
        Number of counters.
    limit : int
        Largest difference that must be told apart.
    largest : int
        Largest amount that is added at once.
    reads : int
        Counters that are read in a cycle.

    Members
    -------
    add : In(range(largest + 1))
        Added to the counter of ``queue[0]``.
    queue : In(range(queues)).array(reads)
        Counters to read.
    count : Out(range(limit + 1)).array(reads)
        Their values before the addition of this cycle.
    """

    def __init__(self, queues: int, *, limit: int, largest: int, reads: int):
        self.queues = queues
        super().__init__(
            {
                "add": In(range(largest + 1)),
                "queue": In(range(queues)).array(reads),
                "count": Out(range(limit + 1)).array(reads),
            }
        )

    def elaborate(self, platform):
        m = Module()
        shape = self.count[0].shape()
        m.submodules.memory = memory = Memory(shape=shape, depth=self.queues, init=[])
        write = memory.write_port()
        written = Signal(self.queues)

        for queue, count in zip(self.queue, self.count, strict=True):
            read = memory.read_port(domain="comb")
            m.d.comb += [
                read.addr.eq(queue),
                count.eq(Mux(written.bit_select(queue, 1), read.data, 0)),
            ]
        m.d.comb += [
            write.addr.eq(self.queue[0]),
            write.data.eq(self.count[0] + self.add),
            write.en.eq(self.add != 0),
        ]
        with m.If(write.en):
            m.d.sync += written.eq(written | (1 << self.queue[0]))
        return m
