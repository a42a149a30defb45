"""Rings: queues that own their parts of a memory."""

from amaranth import C, Cat, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from models.config import SwitchConfig
from rtl.comparison import exceeds
from rtl.packet import FlitLayout, length_shape
from rtl.sweep import Sweep
from rtl.tally import Tally

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
    """With ``valid``, a packet of ``length`` flits for ``queue`` is the next that may begin.

    It stays so until the next one is offered, which happens as it begins, or instead of it.
    """

    def __init__(self, config: SwitchConfig):
        super().__init__(
            {
                "valid": Out(1),
                "queue": Out(range(config.queues)),
                "length": Out(length_shape(config)),
            }
        )


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
        Read the head of a queue that holds a flit, or of that which the last flit was stored in:
        nothing happens if that holds none.
    offer : In(RoomSignature)
        The packet that ``admit`` and ``used_high`` are about from the next cycle on.
    admit : Out(1)
        There is room for the packet that was offered last. A register.
    used_high : Out(1)
        Its queue used more than ``mark_flits`` when it was offered. A register.
    lost : Out(1)
        The queue that is popped holds no flit. Combinational.
    write_slot : Out(range(slots))
        Where the flit that was pushed in the last cycle goes. Combinational from registers.
    read_slot : Out(range(slots))
        Where that which is popped is. Combinational.
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

    Latency: a flit pushed in a cycle can be popped two later. Throughput: 1 push and 1 pop per
    cycle, also if all pops are of one queue. Room is promised for a whole packet with its first
    flit.
    Two counts for each queue are all there is: flits promised, and flits popped. Once a packet is
    in, the promised are those that are in, and where the next goes; while it comes, that is in a
    register, as packets come one at a time.

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

        # What was offered last: the packet that begins, if one does.
        asked_queue, asked_length = Signal.like(offer.queue), Signal.like(offer.length)
        with m.If(offer.valid):
            m.d.sync += [
                asked_queue.eq(offer.queue),
                asked_length.eq(offer.length),
            ]

        # Counts.
        m.submodules.sweep = sweep = Sweep(config.queues)
        queue = Signal.like(push.queue)  # of the last flit that was pushed
        counts = {"queues": config.queues, "limit": 2 * slots - 1}
        m.submodules.promised = promised = Tally(**counts, reads=2)
        m.submodules.popped = popped = Tally(**counts, reads=3)
        queues = {promised: (asked_queue, pop.queue), popped: (pop.queue, asked_queue, queue)}
        for tally, reads in queues.items():
            m.d.comb += [tally.sweep.eq(sweep.entry), tally.swept.eq(sweep.done)]
            m.d.comb += [port.eq(read) for port, read in zip(tally.queue, reads, strict=True)]

        # A promise is counted a cycle late, from a register: the way from a count through a sum and
        # back into the memory is long. Until then it is there for who asks about the same queue.
        begins = push.valid & push.first
        began, begun_queue, promise = Signal(), Signal.like(push.queue), Signal(count)
        begun_asked = Signal()  # the packet that was offered last is of the queue that began
        asked_promised = Mux(begun_asked, promise, promised.count[0])
        m.d.sync += [
            began.eq(begins),
            begun_queue.eq(asked_queue),
            begun_asked.eq(begins & (~offer.valid | (offer.queue == asked_queue))),
            promise.eq(asked_promised + asked_length),
        ]
        m.d.comb += [
            promised.target.eq(begun_queue),
            promised.write.eq(began),
            promised.value.eq(promise),
        ]

        # Push.
        tail, place, newest = Signal(count), Signal(count), Signal(range(slots))
        m.d.comb += place.eq(Mux(push.first, asked_promised, tail))
        with m.If(push.valid):
            m.d.sync += [queue.eq(push.queue), tail.eq(place + 1), newest.eq(place)]
        m.d.sync += self.write_slot.eq(Cat(place[:-1], push.queue))

        # Pop. A flit is written in the cycle after its push, and may be read from the next one on.
        # Queues other than that of the last flit are popped only if they hold one. Whether that one
        # does is told in advance. It holds less than would fill its slots, before the newest flit.
        stored_queue = Signal.like(queue)
        spent, drained = Signal(init=1), Signal(init=1)  # of what was pushed, stored: nothing left
        head, front, pops = popped.count[0], popped.count[2], Signal()
        same, empty = pop.queue == asked_queue, (pop.queue == stored_queue) & drained
        m.d.comb += pops.eq(pop.valid & ~empty)
        nothing_left = Mux(pops & (pop.queue == queue), front[:-1] == newest, spent)
        m.d.sync += [
            stored_queue.eq(queue),
            drained.eq(nothing_left),
            spent.eq(nothing_left & ~push.valid),
        ]
        m.d.comb += [
            self.lost.eq(pop.valid & empty),
            popped.target.eq(pop.queue),
            popped.write.eq(pops),
            # One more, in two levels of gates: a chain of carries takes longer.
            popped.value.eq(Cat(bit ^ head[:n].all() for n, bit in enumerate(head))),
            self.read_slot.eq(Cat(head[:-1], pop.queue)),
        ]

        # In the last cycle: what was in use of the queue that had been offered, so what is left
        # behind the packet and with that cycle's pop; and in use of the queue that was popped.
        used, also_popped = Signal(count), Signal()
        bound, used_popped = Signal(count), Signal(count)  # one more than may be in use beside it
        m.d.sync += [
            used.eq(asked_promised - popped.count[1]),
            also_popped.eq(pops & same),
            bound.eq(config.limit + 1 - asked_length),
            # Without what was popped: a borrow. To invert what is subtracted takes no gates.
            used_popped.eq((Cat(C(0, 1), promised.count[1]) - Cat(C(1, 1), head))[1:]),
        ]
        left = Signal(signed(len(used) + 1))  # the pop is that there was no borrow
        m.d.comb += left.eq((Cat(also_popped, bound) - Cat(C(1, 1), used))[1:])

        # What is known of each queue, two cycles after what changed it. A packet that began in the
        # cycle before a pop was not counted there yet: of its queue `left` tells what the pop left.
        free = config.limit - config.mark_flits
        gave, popped_queue = Signal(), Signal.like(pop.queue)
        uncounted, high_popped = Signal(), Signal()
        m.d.sync += [
            gave.eq(pops),
            popped_queue.eq(pop.queue),
            uncounted.eq(began & (begun_queue == pop.queue)),
            high_popped.eq(~exceeds(left[:-1], free - 2) if free > 1 else 0),
        ]
        popped_high = Mux(uncounted, high_popped, exceeds(used_popped, config.mark_flits))
        high = Signal(config.queues)
        for q in range(config.queues):
            with m.If(gave & (popped_queue == q)):
                m.d.sync += high[q].eq(popped_high)
            with m.If(began & (begun_queue == q)):
                m.d.sync += high[q].eq(~exceeds(left[:-1], free - 1))

        # Room. A short packet needs a queue that is not high; for what waits it is worked out.
        stayed, ready = Signal(), Signal()
        m.d.sync += [ready.eq(sweep.done), stayed.eq(~offer.valid)]
        finds_high = high.bit_select(offer.queue, 1)
        with m.If(offer.valid):
            m.d.sync += [
                self.admit.eq(ready & ~finds_high & ~exceeds(offer.length, config.short_flits)),
                self.used_high.eq(finds_high),
            ]
        with m.Else():
            m.d.sync += self.admit.eq(ready & stayed & (left >= 0))
        return m
