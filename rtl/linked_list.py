"""Linked lists: queues that share the slots of a memory."""

from amaranth import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory

from models.config import SwitchConfig
from rtl.free_list import FreeList
from rtl.packet import length_shape
from rtl.ring import StorageSignature
from rtl.sweep import Sweep
from rtl.tally import Tally

__all__ = ["LinkedList"]


class LinkedList(wiring.Component):
    """Keep each queue as a linked list over slots that all queues share.

    Latency: a flit pushed in a cycle can be popped two later. Throughput: 1 push and 1 pop per
    cycle, also if all pops are of one queue. Room is promised for a whole packet with its first
    flit: from the reserve of its queue, then from what all share, up to a limit.

    Parameters
    ----------
    config : SwitchConfig
        The configuration.

    Members are those of ``StorageSignature``.
    """

    def __init__(self, config: SwitchConfig):
        self.config = config
        super().__init__(StorageSignature(config))

    def elaborate(self, platform):
        m = Module()
        config, push, pop = self.config, self.push, self.pop
        slot_shape = range(config.ingress_flits)

        m.submodules.sweep = sweep = Sweep(config.queues)

        # What was offered last is judged again in every cycle until there is something else.
        asked_queue, asked_length = Signal.like(self.offer.queue), Signal.like(self.offer.length)
        queue = Mux(self.offer.valid, self.offer.queue, asked_queue)
        length = Mux(self.offer.valid, self.offer.length, asked_length)
        m.d.sync += [asked_queue.eq(queue), asked_length.eq(length)]

        # A flit gets its slot in the cycle after its push; room is promised at once.
        stores, stored_queue = Signal(), Signal.like(push.queue)
        m.d.sync += [stores.eq(push.valid), stored_queue.eq(push.queue)]

        # Levels: flits that each queue holds, and that it uses (holds or was promised).
        popping, promise = Signal(), Signal(length_shape(config))
        same_queue = push.queue == pop.queue
        level = range(config.limit + 1)
        held_push, held_pop = Signal(level), Signal(level)
        used_push, used_pop, used_offer = Signal(level), Signal(level), Signal(level)
        m.d.comb += [
            promise.eq(Mux(push.valid & push.first, push.length, 0)),
            popping.eq(pop.valid & sweep.done & (held_pop != 0)),
            self.lost.eq(pop.valid & ~popping),
        ]
        tallies = {"queues": config.queues, "limit": config.limit}
        m.submodules.promised = promised = Tally(**tallies, reads=3)
        m.submodules.pushed = pushed = Tally(**tallies, reads=2)
        m.submodules.popped = popped = Tally(**tallies, reads=4)
        for tally, reads, adds, amount in (
            (promised, (push.queue, pop.queue, queue), push.valid & push.first, push.length),
            (pushed, (stored_queue, pop.queue), stores, 1),
            (popped, (pop.queue, push.queue, queue, stored_queue), popping, 1),
        ):
            m.d.comb += [port.eq(read) for port, read in zip(tally.queue, reads, strict=True)]
            m.d.comb += [
                tally.sweep.eq(sweep.entry),
                tally.swept.eq(sweep.done),
                tally.target.eq(reads[0]),
                tally.write.eq(adds),
                tally.value.eq(tally.count[0] + amount),
            ]
        m.d.comb += [
            held_push.eq(pushed.count[0] - popped.count[3]),
            held_pop.eq(pushed.count[1] - popped.count[0]),
            used_push.eq(promised.count[0] - popped.count[1]),
            used_pop.eq(promised.count[1] - popped.count[0]),
            used_offer.eq(promised.count[2] - popped.count[2]),
        ]

        # Admission.
        def above_reserve(used):
            return Mux(used > config.reserve, used - config.reserve, 0)

        shared = Signal(range(config.shared_flits + 1))  # flits used of those that queues share
        promised_extra = above_reserve(used_push + promise) - above_reserve(used_push)
        before = used_offer + Mux(push.queue == queue, promise, 0)
        offered = before + length
        extra = above_reserve(offered) - above_reserve(before) + promised_extra
        used_before_pop = used_pop + Mux(same_queue, promise, 0)
        popped_extra = popping & (used_before_pop > config.reserve)
        m.d.sync += shared.eq(shared + promised_extra - popped_extra)
        ready = Signal()
        m.d.sync += [
            ready.eq(sweep.done),
            self.admit.eq(
                ready
                & (
                    (offered <= config.reserve)
                    | ((offered <= config.limit) & (shared + extra <= config.shared_flits))
                )
            ),
        ]
        with m.If(self.offer.valid):
            m.d.sync += self.used_high.eq(ready & (used_offer > config.mark_flits))

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
            free_list.take.eq(stores),
            free_list.give.valid.eq(popping),
            free_list.give.slot.eq(head),
            read_link.addr.eq(head),
            read_link.en.eq(popping),
            write_link.addr.eq(read_tail.data),
            write_link.data.eq(free_list.slot),
            write_link.en.eq(stores & (held_push != 0)),
            read_head.addr.eq(pop.queue),
            start_head.addr.eq(stored_queue),
            start_head.data.eq(free_list.slot),
            start_head.en.eq(stores & (held_push == 0)),
            move_head.addr.eq(linked_queue),
            move_head.data.eq(read_link.data),
            move_head.en.eq(linked),
            read_tail.addr.eq(stored_queue),
            write_tail.addr.eq(stored_queue),
            write_tail.data.eq(free_list.slot),
            write_tail.en.eq(stores),
        ]
        m.d.sync += [
            linked.eq(popping & ((held_pop > 1) | (stores & (stored_queue == pop.queue)))),
            linked_queue.eq(pop.queue),
        ]
        m.d.comb += [self.write_slot.eq(free_list.slot), self.read_slot.eq(head)]
        return m
