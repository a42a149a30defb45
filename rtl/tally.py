"""Counters of queues in distributed memory."""

from amaranth import Module, Mux
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

__all__ = ["Tally"]


class Tally(wiring.Component):
    """A count of each queue, modulo a power of two.

    The difference of two tallies is the level of each queue, and each has one write port only.
    Latency: 0 cycles from ``queue`` to ``count`` (combinational), 1 cycle from ``value``.
    Counts mean nothing after reset, until a sweep has written them.

    Parameters
    ----------
    queues : int
        Number of counts.
    limit : int
        Largest difference that must be told apart.
    reads : int
        Counts that are read in a cycle.

    Members
    -------
    queue : In(range(queues)).array(reads)
        Counts to read.
    target : In(range(queues))
        Count to write.
    count : Out(range(limit + 1)).array(reads)
        What they are before the write of this cycle.
    write : In(1)
        It gets a new value.
    value : In(range(limit + 1))
        That.
    swept : In(1)
        While low, the count of ``sweep`` is cleared, and no other is written.
    sweep : In(range(queues))
        Count that is swept.
    """

    def __init__(self, queues: int, *, limit: int, reads: int):
        self.queues = queues
        super().__init__(
            {
                "queue": In(range(queues)).array(reads),
                "count": Out(range(limit + 1)).array(reads),
                "target": In(range(queues)),
                "write": In(1),
                "value": In(range(limit + 1)),
                "swept": In(1),
                "sweep": In(range(queues)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        shape = self.value.shape()
        m.submodules.memory = memory = Memory(shape=shape, depth=self.queues, init=[])
        for queue, count in zip(self.queue, self.count, strict=True):
            read = memory.read_port(domain="comb")
            m.d.comb += [read.addr.eq(queue), count.eq(read.data)]
        write = memory.write_port()
        m.d.comb += [
            write.addr.eq(Mux(self.swept, self.target, self.sweep)),
            write.data.eq(Mux(self.swept, self.value, 0)),
            write.en.eq(self.write | ~self.swept),
        ]
        return m
