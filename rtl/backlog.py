"""Backlog of an ingress: the packets that wait to be matched."""

from amaranth import Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from models.config import SwitchConfig
from rtl.free_list import FreeList
from rtl.packet import length_shape
from rtl.vector import Vector

__all__ = ["AnnounceSignature", "Backlog", "ClaimSignature"]


class AnnounceSignature(wiring.Signature):
    """A packet that may be claimed from the next cycle on.

    Members
    -------
    valid : Out(1)
        There is one.
    queue : Out(range(queues))
        Its queue.
    length : Out(length_shape)
        Its flits, 1 or more.
    partial : Out(1)
        Some of them have still to come.
    """

    def __init__(self, config: SwitchConfig):
        super().__init__(
            {
                "valid": Out(1),
                "queue": Out(range(config.queues)),
                "length": Out(length_shape(config)),
                "partial": Out(1),
            }
        )


class ClaimSignature(wiring.Signature):
    """Take the packet at the head of ``queue``."""

    def __init__(self, config: SwitchConfig):
        super().__init__({"valid": Out(1), "queue": Out(range(config.queues))})


class Backlog(wiring.Component):
    """Keep the lengths of the waiting packets of each queue, in order, and show the heads.

    Latency: 1 cycle from ``announce`` to showing. Throughput: 1 packet in and ``iterations``
    packets out per cycle, of which one at most has several flits. All outputs come from registers.
    Source: run-length coding. A *run* is some packets of one flit (*singles*) and the *long* packet
    behind them. A queue is its head run, a linked list of runs in a memory that all queues share,
    and a tail of singles that no long has ended yet. A run has two flits or more: the memory needs
    half as many slots as the buffer, and one for the open end of each list. After a long was
    claimed the queue shows nothing for one cycle, in which the next run is read.

    Parameters
    ----------
    config : SwitchConfig
        Uses ``queues``, ``iterations``, ``ingress_flits``, ``limit`` and ``max_packet_flits``.

    Members
    -------
    announce : In(AnnounceSignature)
        A packet joins the end of its queue.
    complete : In(1)
        The packet that was announced as partial has come in.
    claim : In(ClaimSignature).array(iterations)
        Packets to take, only what is shown: as many singles of a queue as it shows, or one long.
    singles : Out(queues).array(iterations)
        Bit ``q`` of ``singles[n]``: queue ``q`` has more than ``n`` singles in a row at its head.
    longs : Out(queues)
        Bit ``q``: a long is at the head of queue ``q``.
    partial : Out(queues)
        Bit ``q``: that long has not all come in.
    length : Out(Vector(length_shape, queues))
        Flits of the packet at the head, 0 if the queue shows nothing.
    """

    def __init__(self, config: SwitchConfig):
        self.config = config
        super().__init__(
            {
                "announce": In(AnnounceSignature(config)),
                "complete": In(1),
                "claim": In(ClaimSignature(config)).array(config.iterations),
                "singles": Out(config.queues).array(config.iterations),
                "longs": Out(config.queues),
                "partial": Out(config.queues),
                "length": Out(Vector(length_shape(config), config.queues)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        config, announce = self.config, self.announce
        queues, slots = config.queues, config.queues + config.ingress_flits // 2
        count_shape, slot_shape = range(config.limit + 1), range(slots)

        def memory(name, shape):
            m.submodules[name] = memory = Memory(shape=shape, depth=queues, init=[])
            return memory

        def read(memory, queue):
            port = memory.read_port(domain="comb")
            m.d.comb += port.addr.eq(queue)
            return port.data

        def write(memory, queue, value, enable):
            port = memory.write_port()
            m.d.comb += [port.addr.eq(queue), port.data.eq(value), port.en.eq(enable)]

        def of(vector, queue):
            return vector.bit_select(queue, 1)

        # Per queue: head run, tail, first and last slot of its list. A list ends in an empty slot,
        # which takes the next run; at reset that is the slot with the number of the queue. A memory
        # is not reset: bits in registers tell which of its words mean something.
        head_singles = memory("head_singles", count_shape)  # if singles[0]
        head_long = memory("head_long", length_shape(config))  # if head_closed
        tail_singles = memory("tail_singles", count_shape)  # if tail_used
        first_slot = memory("first_slot", slot_shape)  # if first_moved
        last_slot = memory("last_slot", slot_shape)  # if last_moved
        head_closed, tail_used = Signal(queues), Signal(queues)
        first_moved, last_moved = Signal(queues), Signal(queues)

        run_layout = data.StructLayout(
            {"singles": count_shape, "length": length_shape(config), "next": slot_shape}
        )
        m.submodules.runs = runs = Memory(shape=run_layout, depth=slots, init=[])
        write_run = runs.write_port()
        read_run = runs.read_port(transparent_for=(write_run,))
        m.submodules.free_list = free_list = FreeList(slots, first=queues)

        def tail_of(queue):
            return Mux(of(tail_used, queue), read(tail_singles, queue), 0)

        def first_of(queue):
            return Mux(of(first_moved, queue), read(first_slot, queue), queue)

        def last_of(queue):
            return Mux(of(last_moved, queue), read(last_slot, queue), queue)

        # A claim of a long: its queue refills in the next cycle.
        refill = Signal(data.StructLayout({"valid": 1, "queue": range(queues), "slot": slot_shape}))
        left, left_queue = Signal(), Signal(range(queues))  # a long is claimed, of this queue
        for claim in self.claim:
            with m.If(claim.valid & of(self.longs, claim.queue)):
                m.d.comb += [left.eq(1), left_queue.eq(claim.queue)]
        m.d.comb += [read_run.addr.eq(first_of(left_queue)), read_run.en.eq(left)]
        m.d.sync += [
            refill.valid.eq(left),
            refill.queue.eq(left_queue),
            refill.slot.eq(read_run.addr),
        ]
        listed = refill.slot != last_of(refill.queue)
        refill_tail = tail_of(refill.queue)
        with m.If(refill.valid):
            with m.If(listed):
                m.d.sync += of(first_moved, refill.queue).eq(1)
            with m.Else():
                m.d.sync += of(tail_used, refill.queue).eq(0)
        from_list = refill.valid & listed
        write(first_slot, refill.queue, read_run.data.next, from_list)
        m.d.comb += [free_list.give.valid.eq(from_list), free_list.give.slot.eq(refill.slot)]

        # An announced packet joins the head run, unless that ends in a long.
        refills = refill.valid & (refill.queue == announce.queue)
        closed, single = Signal(), Signal()
        joins, follows = Signal(), Signal()
        m.d.comb += [
            closed.eq(Mux(refills, listed, of(head_closed, announce.queue))),
            single.eq(announce.length == 1),
            joins.eq(announce.valid & ~closed),
            follows.eq(announce.valid & closed),
        ]
        with m.If(refill.valid):
            m.d.sync += of(head_closed, refill.queue).eq(listed)
        with m.If(joins & ~single):
            m.d.sync += of(head_closed, announce.queue).eq(1)

        # Else it joins the tail, and a long makes the tail a run of the list.
        tail, last = tail_of(announce.queue), last_of(announce.queue)
        pushes = follows & ~single
        write(tail_singles, announce.queue, tail + 1, follows & single)
        write(last_slot, announce.queue, free_list.slot, pushes)
        m.d.comb += [
            free_list.take.eq(pushes),
            write_run.addr.eq(last),
            write_run.data.singles.eq(tail),
            write_run.data.length.eq(announce.length),
            write_run.data.next.eq(free_list.slot),
            write_run.en.eq(pushes),
        ]
        with m.If(follows):
            m.d.sync += of(tail_used, announce.queue).eq(single)
        with m.If(pushes):
            m.d.sync += of(last_moved, announce.queue).eq(1)

        # The one packet that is still arriving: in which queue, and whether it is in the head run.
        arriving_layout = data.StructLayout(
            {"valid": 1, "queue": range(queues), "in_head": 1, "slot": slot_shape}
        )
        arriving, arriving_next = Signal(arriving_layout), Signal(arriving_layout)
        m.d.comb += arriving_next.eq(arriving)
        m.d.sync += arriving.eq(arriving_next)
        with m.If(from_list & (refill.slot == arriving.slot)):
            m.d.comb += arriving_next.in_head.eq(1)
        with m.If(self.complete):
            m.d.comb += arriving_next.valid.eq(0)
            m.d.sync += self.partial.eq(0)
        with m.If(announce.valid):
            m.d.comb += [
                arriving_next.valid.eq(announce.partial),
                arriving_next.queue.eq(announce.queue),
                arriving_next.in_head.eq(~closed),
                arriving_next.slot.eq(last),
            ]

        # The head changes of queues that are claimed, that a packet joins, or that refill. Where
        # these are the same queue, each of them finds and writes the same.
        def joined(queue):
            return joins & (announce.queue == queue)

        def show(changes, queue, count, closed, length):
            long = (count == 0) & closed
            arrives = arriving_next.valid & arriving_next.in_head & (arriving_next.queue == queue)
            write(head_singles, queue, count, changes)
            with m.If(changes):
                m.d.sync += [of(shown, queue).eq(count > n) for n, shown in enumerate(self.singles)]
                m.d.sync += [
                    of(self.longs, queue).eq(long),
                    of(self.partial, queue).eq(long & arrives),
                    self.length[queue].eq(Mux(count != 0, 1, Mux(long, length, 0))),
                ]

        def remaining(queue):
            claims = sum(claim.valid & (claim.queue == queue) for claim in self.claim)
            return Mux(of(self.singles[0], queue), read(head_singles, queue) - claims, 0)

        for claim in self.claim:
            join = joined(claim.queue)
            count, ends, length = Signal(count_shape), Signal(), Signal(length_shape(config))
            m.d.comb += [
                count.eq(remaining(claim.queue) + (join & single)),
                ends.eq(
                    (of(head_closed, claim.queue) & ~of(self.longs, claim.queue)) | join & ~single
                ),
                length.eq(Mux(join, announce.length, read(head_long, claim.queue))),
            ]
            show(claim.valid, claim.queue, count, ends, length)
        count = Signal(count_shape)
        m.d.comb += count.eq(Mux(refills, refill_tail, remaining(announce.queue)) + single)
        show(joins, announce.queue, count, ~single, announce.length)
        count, length = Signal(count_shape), Signal(length_shape(config))
        join = joined(refill.queue)
        m.d.comb += [
            count.eq(Mux(listed, read_run.data.singles, refill_tail) + (join & single)),
            length.eq(Mux(listed, read_run.data.length, announce.length)),
        ]
        show(refill.valid, refill.queue, count, listed | join & ~single, length)
        write(head_long, announce.queue, announce.length, joins & ~single)
        write(head_long, refill.queue, read_run.data.length, from_list)
        return m
