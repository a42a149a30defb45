"""What rtl.buffer must satisfy for every admitted packet and every pop."""

from amaranth import Array, Cat, Module, Mux, Signal
from amaranth.hdl import Assert, Assume
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from models.config import SwitchConfig
from rtl.buffer import Buffer, PopSignature, RoomSignature
from rtl.packet import length_shape

__all__ = ["BufferProof"]


class BufferProof(wiring.Component):
    """A queue gives its flits in order and intact, at once, and nothing else.

    Members
    -------
    valid, queue, length, bit
        A flit is pushed: queue and length of the packet (read with its first flit), and one bit of
        data that stands for all.
    pop, offer
        As in :class:`Buffer`.
    watched_queue, watched_number
        The flit whose way is proven, counted from reset: any one, but constant.
    """

    def __init__(self, config: SwitchConfig):
        self.config = config
        super().__init__(
            {
                "valid": In(1),
                "queue": In(range(config.queues)),
                "length": In(length_shape(config)),
                "bit": In(1),
                "pop": In(PopSignature(config)),
                "offer": In(RoomSignature(config)),
                "watched_queue": In(range(config.queues)),
                "watched_number": In(4),
            }
        )

    def elaborate(self, platform):
        m = Module()
        config, pop = self.config, self.pop
        m.submodules.dut = dut = Buffer(config)

        # Packets: the flits of one follow each other, its first only if it is admitted: the last to
        # be offered, and nothing has begun since. As it begins the next is offered.
        left, queue = Signal(length_shape(config)), Signal(range(config.queues))
        first = left == 0
        offered_queue, offered_length = Signal.like(queue), Signal.like(left)
        offered = Signal()
        with m.If(self.offer.valid):
            m.d.sync += [
                offered.eq(1),
                offered_queue.eq(self.offer.queue),
                offered_length.eq(self.offer.length),
            ]
        m.d.comb += [
            dut.offer.valid.eq(self.offer.valid),
            dut.offer.queue.eq(self.offer.queue),
            dut.offer.length.eq(self.offer.length),
            dut.push.valid.eq(self.valid),
            dut.push.first.eq(first),
            dut.push.queue.eq(Mux(first, self.queue, queue)),
            dut.push.length.eq(self.length),
            dut.push.flit.data.eq(self.bit),
            dut.pop.valid.eq(pop.valid),
            dut.pop.queue.eq(pop.queue),
            Assume(self.queue < config.queues),
            Assume(pop.queue < config.queues),
            Assume((self.length != 0) & (self.length <= config.max_packet_flits)),
            Assume(
                ~(self.valid & first)
                | (
                    (dut.admit & offered & self.offer.valid)
                    & (self.queue == offered_queue)
                    & (self.length == offered_length)
                )
            ),
        ]
        with m.If(self.valid):
            m.d.sync += [left.eq(Mux(first, self.length, left) - 1), queue.eq(dut.push.queue)]

        # Of the queues that are empty only that of the last flit stored is popped.
        holds = Array(
            Signal(range(config.limit + 1), name=f"holds_{q}") for q in range(config.queues)
        )
        stores, stored = Signal(), Signal()
        stored_queue, last_queue = Signal.like(queue), Signal.like(queue)
        m.d.sync += [stores.eq(self.valid), stored_queue.eq(dut.push.queue)]
        with m.If(stores):
            m.d.sync += [stored.eq(1), last_queue.eq(stored_queue)]
        for q, held in enumerate(holds):
            joins = stores & (stored_queue == q)
            leaves = pop.valid & (pop.queue == q) & (held != 0)
            m.d.sync += held.eq(held + joins - leaves)
        m.d.comb += Assume(
            ~pop.valid | (holds[pop.queue] != 0) | (stored & (pop.queue == last_queue))
        )

        # What is watched stays the same.
        started, watched = Signal(), Signal(len(self.watched_queue) + len(self.watched_number))
        m.d.sync += started.eq(1)
        now = (self.watched_queue << len(self.watched_number)) | self.watched_number
        m.d.sync += watched.eq(now)
        m.d.comb += Assume(~started | (now == watched))

        pushes, pops = Signal(8), Signal(8)  # flits of the watched queue so far
        there = Signal(8)  # that can be popped
        bit, dues, due_bits = Signal(), Signal(2), Signal(2)
        pushing = self.valid & (dut.push.queue == self.watched_queue)
        popping = pop.valid & (pop.queue == self.watched_queue) & (pops != there)
        m.d.sync += [
            pushes.eq(pushes + pushing),
            there.eq(pushes),
            pops.eq(pops + popping),
            dues.eq(Cat(popping & (pops == self.watched_number), dues[0])),
            due_bits.eq(Cat(bit, due_bits[0])),
        ]
        with m.If(pushing & (pushes == self.watched_number)):
            m.d.sync += bit.eq(self.bit)

        was_watched, was_popping = Signal(2), Signal(2)
        watching = pop.valid & (pop.queue == self.watched_queue)
        m.d.sync += [
            was_watched.eq(Cat(watching, was_watched[0])),
            was_popping.eq(Cat(popping, was_popping[0])),
        ]
        m.d.comb += [
            Assert(~dues[1] | (dut.o.flit.data == due_bits[1])),
            Assert(~was_watched[1] | (dut.o.valid == was_popping[1])),
            Assert(~watching | (dut.lost == ~popping)),
            Assert(dut.released.valid == dut.o.valid),
            Assert(dut.occupancy <= config.ingress_flits),
            Assert(pushes - pops <= config.limit),
        ]
        return m
