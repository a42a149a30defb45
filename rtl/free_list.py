"""Free list: which slots of a memory are not in use."""

from amaranth import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

__all__ = ["FreeList", "GiveSignature"]


class GiveSignature(wiring.Signature):
    """Return one slot."""

    def __init__(self, slots: int):
        super().__init__({"valid": Out(1), "slot": Out(range(slots))})


class FreeList(wiring.Component):
    """Hand out the slots of a memory and take them back.

    Latency: a slot that is given back can be taken in the next cycle. Throughput: 1 slot out and 1
    in per cycle. No cycle is spent on initialisation: slots that were never used are counted, only
    those given back are stored, in a first-in first-out ring.

    Parameters
    ----------
    slots : int
        Slots of the memory.
    first : int
        Slots below are not free at reset, but may be given back later.

    Members
    -------
    take : In(1)
        ``slot`` is used from now on. Only while a slot is free.
    slot : Out(range(slots))
        The next free slot, meaningful while there is one.
    give : In(GiveSignature(slots))
        A slot is no longer used.

    Attributes
    ----------
    unused : Signal(range(slots + 1))
        State: slots from here on were never taken. Proofs read it.
    level : Signal(range(slots + 1))
        State: slots in the ring. Proofs read it.
    """

    def __init__(self, slots: int, *, first: int = 0):
        self.slots = slots
        self.unused = Signal(range(slots + 1), init=first)
        self.level = Signal(range(slots + 1))
        super().__init__(
            {"take": In(1), "slot": Out(range(slots)), "give": In(GiveSignature(slots))}
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.ring = ring = Memory(shape=range(self.slots), depth=self.slots, init=[])
        write = ring.write_port()
        read = ring.read_port(transparent_for=(write,))

        def after(position):
            return Mux(position == self.slots - 1, 0, position + 1)

        head, tail = Signal(range(self.slots)), Signal(range(self.slots))
        virgin = Signal()  # never used slots go first
        from_ring = Signal()
        m.d.comb += [
            virgin.eq(self.unused != self.slots),
            from_ring.eq(self.take & ~virgin),
            self.slot.eq(Mux(virgin, self.unused, read.data)),
            read.addr.eq(Mux(from_ring, after(head), head)),  # read one cycle ahead
            write.addr.eq(tail),
            write.data.eq(self.give.slot),
            write.en.eq(self.give.valid),
        ]
        m.d.sync += [head.eq(read.addr), self.level.eq(self.level + self.give.valid - from_ring)]
        with m.If(self.take & virgin):
            m.d.sync += self.unused.eq(self.unused + 1)
        with m.If(self.give.valid):
            m.d.sync += tail.eq(after(tail))
        return m
