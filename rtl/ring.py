"""Rings: queues that own their parts of a memory."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from models.config import SwitchConfig
from rtl.packet import FlitLayout, length_shape

__all__ = ["PopSignature", "PushSignature", "Ring", "RoomSignature", "StorageSignature"]


class PushSignature(wiring.Signature):
    """One flit on its way into the buffer.

    Members
    -------
    valid : Out(1)
        There is a flit.
    first : Out(1)
        It is the first of its packet; room for all of it is taken.
    queue : Out(range(queues))
        Queue of the packet.
    length : Out(length_shape)
        Flits of the packet.
    flit : Out(FlitLayout)
        The flit.
    """

    def __init__(self, config: SwitchConfig):
        super().__init__(
            {
                "valid": Out(1),
                "first": Out(1),
                "queue": Out(range(config.queues)),
                "length": Out(length_shape(config)),
                "flit": Out(FlitLayout(config)),
            }
        )


class RoomSignature(wiring.Signature):
    """A packet of ``length`` flits for ``queue``, about which the buffer is asked."""

    def __init__(self, config: SwitchConfig):
        super().__init__({"queue": Out(range(config.queues)), "length": Out(length_shape(config))})


class PopSignature(wiring.Signature):
    """Read the flit at the head of ``queue``."""

    def __init__(self, config: SwitchConfig):
        super().__init__({"valid": Out(1), "queue": Out(range(config.queues))})


class StorageSignature(wiring.Signature):
    """Which slot of a memory each flit goes to, and what room there is.

    Members
    -------
    push : In(PushSignature)
        A flit to store.
    pop : In(PopSignature)
        Read the head of a queue; nothing happens if it holds no flit.
    offer : In(RoomSignature)
        The packet that ``admit`` and ``used_high`` are about in the next cycle.
    admit : Out(1)
        There is room for the packet that was offered in the last cycle. A register.
    used_high : Out(1)
        Its queue uses ``mark_flits`` or more. A register.
    lost : Out(1)
        The queue that is popped holds no flit. Combinational.
    write_slot, read_slot : Out(range(slots))
        Where the flit that is pushed goes, and where that which is popped is. Combinational.
    """

    def __init__(self, config: SwitchConfig):
        super().__init__(
            {
                "push": In(PushSignature(config)),
                "pop": In(PopSignature(config)),
                "offer": In(RoomSignature(config)),
                "admit": Out(1),
                "used_high": Out(1),
                "lost": Out(1),
                "write_slot": Out(range(storage_slots(config))),
                "read_slot": Out(range(storage_slots(config))),
            }
        )


def ring_slots(config: SwitchConfig) -> int:
    """Slots of the part of one queue: its limit, rounded up to a power of two."""
    return 1 << (config.limit - 1).bit_length()


def storage_slots(config: SwitchConfig) -> int:
    """Slots of the memory."""
    if config.limit == config.reserve:
        return config.queues * ring_slots(config)
    return config.ingress_flits


class Ring(wiring.Component):
    """Keep each queue as a ring in its own part of the memory; nothing is shared.

    Latency: a flit pushed in a cycle can be popped in the next one. Throughput: 1 push and 1 pop
    per cycle, also if all pops are of one queue. Room is promised for a whole packet with its first
    flit.
    Two counts for each queue are all there is: flits promised, and flits popped (from ``limit`` on,
    so that the difference is what is free). Once a packet is in, the promised are those that are
    in, and where the next goes; while it comes, that is in a register, as packets come one at a
    time. The counts are in distributed RAM, which is swept after reset: for ``queues`` cycles no
    packet is admitted.

    Parameters
    ----------
    config : SwitchConfig
        The configuration; ``limit`` is ``reserve``.

    Members are those of ``StorageSignature``.
    """

    def __init__(self, config: SwitchConfig):
        if config.limit != config.reserve:
            raise ValueError(f"limit_flits must be {config.reserve}, not {config.limit}")
        self.config = config
        super().__init__(StorageSignature(config))

    def elaborate(self, platform):
        m = Module()
        config, push, pop, offer = self.config, self.push, self.pop, self.offer
        slots = ring_slots(config)
        count = range(2 * slots)

        # Sweep.
        sweep, swept = Signal(range(config.queues)), Signal()
        with m.If(~swept):
            m.d.sync += [sweep.eq(sweep + 1), swept.eq(sweep == config.queues - 1)]

        # Counts. The memory of each has one write port and as many for reading as it needs.
        m.submodules.promised = promised = Memory(shape=count, depth=config.queues, init=[])
        m.submodules.popped = popped = Memory(shape=count, depth=config.queues, init=[])
        promise, gives = promised.write_port(), popped.write_port()

        def read(memory, queue):
            port = memory.read_port(domain="comb")
            m.d.comb += port.addr.eq(queue)
            return port.data

        # Push.
        queue, tail, place = Signal.like(push.queue), Signal(count), Signal(count)
        begins = push.valid & push.first
        m.d.comb += [
            place.eq(Mux(push.first, read(promised, push.queue), tail)),
            promise.en.eq(begins | ~swept),
            promise.addr.eq(Mux(swept, push.queue, sweep)),
            promise.data.eq(Mux(swept, place + push.length, 0)),
            self.write_slot.eq(Cat(place[:-1], push.queue)),
        ]
        with m.If(push.valid):
            m.d.sync += [queue.eq(push.queue), tail.eq(place + 1)]

        # Pop.
        head = read(popped, pop.queue)
        start = (head - config.limit)[: len(head)]
        comes, whole = start == tail, start == read(promised, pop.queue)
        empty = ~swept | Mux(pop.queue == queue, comes, whole)
        m.d.comb += [
            self.lost.eq(pop.valid & empty),
            gives.en.eq((pop.valid & ~empty) | ~swept),
            gives.addr.eq(Mux(swept, pop.queue, sweep)),
            gives.data.eq(Mux(swept, head + 1, config.limit)),
            self.read_slot.eq(Cat(start[:-1], pop.queue)),
        ]

        # Room: what is free in the queue that is offered, also if the packet that begins is of it.
        free, low = Signal(count), config.limit - config.mark_flits
        m.d.comb += free.eq(read(popped, offer.queue) - read(promised, offer.queue))
        behind = push.valid & push.first & (push.queue == offer.queue)
        fits, fits_behind = free >= offer.length, free >= offer.length + push.length
        high, high_behind = low >= free, low + push.length >= free
        m.d.sync += [
            self.admit.eq(swept & Mux(behind, fits_behind, fits)),
            self.used_high.eq(swept & Mux(behind, high_behind, high)),
        ]
        return m
