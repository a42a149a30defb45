"""Shared packet buffer of an ingress."""

from amaranth import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from models.config import SwitchConfig
from rtl.free_list import FreeList
from rtl.packet import FlitLayout, length_shape

__all__ = [
    "Buffer",
    "PopSignature",
    "PushSignature",
    "ReleasedSignature",
    "RoomSignature",
    "Tally",
]


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


class ReleasedSignature(wiring.Signature):
    """Room for ``flits`` of ``queue`` that is free again."""

    def __init__(self, config: SwitchConfig):
        super().__init__(
            {
                "valid": Out(1),
                "queue": Out(range(config.queues)),
                "flits": Out(length_shape(config)),
            }
        )


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
            m.d.sync += written.bit_select(self.queue[0], 1).eq(1)
        return m


class Buffer(wiring.Component):
    """Hold the flits of all queues of an ingress in one memory.

    Latency: a flit pushed in a cycle can be popped in the next one, and is on ``o`` a cycle after
    its pop. Throughput: 1 push and 1 pop per cycle, also if all pops are of one queue.
    Each queue is a linked list over the slots of the memory. Room is promised for a whole packet
    with its first flit: from the reserve of its queue, then from what all share, up to a limit.

    Parameters
    ----------
    config : SwitchConfig
        The configuration.

    Members
    -------
    push : In(PushSignature)
        A flit to store. The flits of a packet follow each other, ``length`` in all; the first one
        only if ``admit`` says so of its packet.
    offer : In(RoomSignature)
        The packet that ``admit`` and ``used_high`` are about.
    admit : Out(1)
        There is room for it. Combinational: asked and answered in the cycle of the push.
    used_high : Out(1)
        Its queue uses ``mark_flits`` or more. Combinational.
    pop : In(PopSignature)
        Read the head of a queue; nothing happens if it holds no flit.
    inject : In(1)
        Fault for tests: bit 0 of the data pushed in this cycle is stored inverted.
    o : Out({valid, flit})
        The flit that was popped in the last cycle; meaningful while ``valid``.
    released : Out(ReleasedSignature)
        Room that this pop gave back, in the same cycle as ``o``.
    stored : Out(range(limit + 1))
        Flits that the queue of the last push holds (registered).
    occupancy : Out(range(ingress_flits + 1))
        Flits stored or promised (registered).
    """

    def __init__(self, config: SwitchConfig):
        self.config = config
        super().__init__(
            {
                "push": In(PushSignature(config)),
                "offer": In(RoomSignature(config)),
                "admit": Out(1),
                "used_high": Out(1),
                "pop": In(PopSignature(config)),
                "inject": In(1),
                "o": Out(wiring.Signature({"valid": Out(1), "flit": Out(FlitLayout(config))})),
                "released": Out(ReleasedSignature(config)),
                "stored": Out(range(config.limit + 1)),
                "occupancy": Out(range(config.ingress_flits + 1)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        config, push, pop, offer = self.config, self.push, self.pop, self.offer
        slot_shape = range(config.ingress_flits)

        # Levels: flits that each queue holds, and that it uses (holds or was promised).
        tallies = {"queues": config.queues, "limit": config.limit}
        longest = config.max_packet_flits
        m.submodules.promised = promised = Tally(**tallies, largest=longest, reads=3)
        m.submodules.pushed = pushed = Tally(**tallies, largest=1, reads=2)
        m.submodules.popped = popped = Tally(**tallies, largest=1, reads=3)
        popping, promise = Signal(), Signal(length_shape(config))
        same_queue = push.queue == pop.queue
        level = self.stored.shape()
        held_push, held_pop = Signal(level), Signal(level)
        used_push, used_pop, used_offer = Signal(level), Signal(level), Signal(level)
        m.d.comb += [
            promise.eq(Mux(push.valid & push.first, push.length, 0)),
            popping.eq(pop.valid & (held_pop != 0)),
            promised.add.eq(promise),
            pushed.add.eq(push.valid),
            popped.add.eq(popping),
        ]
        for tally, queues in {
            promised: (push.queue, pop.queue, offer.queue),
            pushed: (push.queue, pop.queue),
            popped: (pop.queue, push.queue, offer.queue),
        }.items():
            m.d.comb += [port.eq(queue) for port, queue in zip(tally.queue, queues, strict=True)]
        m.d.comb += [
            held_push.eq(pushed.count[0] - popped.count[1]),
            held_pop.eq(pushed.count[1] - popped.count[0]),
            used_push.eq(promised.count[0] - popped.count[1]),
            used_pop.eq(promised.count[1] - popped.count[0]),
            used_offer.eq(promised.count[2] - popped.count[2]),
        ]

        # Admission.
        def above_reserve(used):
            return Mux(used > config.reserve, used - config.reserve, 0)

        shared = Signal(range(config.shared_flits + 1))  # flits used of those that queues share
        offered = used_offer + offer.length
        extra = above_reserve(offered) - above_reserve(used_offer)
        m.d.comb += [
            self.admit.eq(
                (offered <= config.reserve)
                | ((offered <= config.limit) & (shared + extra <= config.shared_flits))
            ),
            self.used_high.eq(used_offer >= config.mark_flits),
        ]
        promised_extra = above_reserve(used_push + promise) - above_reserve(used_push)
        used_before_pop = used_pop + Mux(same_queue, promise, 0)
        popped_extra = popping & (used_before_pop > config.reserve)
        m.d.sync += [
            shared.eq(shared + promised_extra - popped_extra),
            self.occupancy.eq(self.occupancy + promise - popping),
        ]

        # Slots. The link of a slot is read as the slot is popped; the next pop uses it at once.
        m.submodules.free_list = free_list = FreeList(config.ingress_flits)
        m.submodules.links = links = Memory(shape=slot_shape, depth=config.ingress_flits, init=[])
        m.submodules.heads = heads = Memory(shape=slot_shape, depth=config.queues, init=[])
        m.submodules.tails = tails = Memory(shape=slot_shape, depth=config.queues, init=[])
        write_link = links.write_port()
        read_link = links.read_port(transparent_for=(write_link,))
        start_head, move_head = heads.write_port(), heads.write_port()
        read_head = heads.read_port(domain="comb")
        write_tail, read_tail = tails.write_port(), tails.read_port(domain="comb")
        head = Signal(slot_shape)
        linked, linked_queue = Signal(), Signal.like(pop.queue)  # read_link is the head of a queue
        m.d.comb += [
            head.eq(Mux(linked & (linked_queue == pop.queue), read_link.data, read_head.data)),
            free_list.take.eq(push.valid),
            free_list.give.valid.eq(popping),
            free_list.give.slot.eq(head),
            read_link.addr.eq(head),
            read_link.en.eq(popping),
            write_link.addr.eq(read_tail.data),
            write_link.data.eq(free_list.slot),
            write_link.en.eq(push.valid & (held_push != 0)),
            read_head.addr.eq(pop.queue),
            start_head.addr.eq(push.queue),
            start_head.data.eq(free_list.slot),
            start_head.en.eq(push.valid & (held_push == 0)),
            move_head.addr.eq(linked_queue),
            move_head.data.eq(read_link.data),
            move_head.en.eq(linked),
            read_tail.addr.eq(push.queue),
            write_tail.addr.eq(push.queue),
            write_tail.data.eq(free_list.slot),
            write_tail.en.eq(push.valid),
        ]
        m.d.sync += [
            linked.eq(popping & ((held_pop > 1) | (push.valid & same_queue))),
            linked_queue.eq(pop.queue),
        ]

        # Flits.
        m.submodules.flits = flits = Memory(
            shape=FlitLayout(config), depth=config.ingress_flits, init=[]
        )
        write, read = flits.write_port(), flits.read_port()
        m.d.comb += [
            write.addr.eq(free_list.slot),
            write.data.eq(push.flit),
            write.en.eq(push.valid),
            read.addr.eq(head),
            read.en.eq(popping),
            self.o.flit.eq(read.data),
            self.released.valid.eq(self.o.valid),
            self.released.flits.eq(1),
        ]
        with m.If(self.inject):
            m.d.comb += write.data.data[0].eq(~push.flit.data[0])
        m.d.sync += self.o.valid.eq(popping)
        with m.If(popping):
            m.d.sync += self.released.queue.eq(pop.queue)

        last_queue = Signal.like(push.queue)
        with m.If(push.valid):
            m.d.sync += [
                last_queue.eq(push.queue),
                self.stored.eq(held_push + 1 - (popping & same_queue)),
            ]
        with m.Elif(popping & (pop.queue == last_queue)):
            m.d.sync += self.stored.eq(self.stored - 1)
        return m
