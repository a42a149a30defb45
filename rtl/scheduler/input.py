"""The bookings of one input, and what it asks for."""

from itertools import pairwise

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from models.config import SwitchConfig
from rtl.packet import length_shape
from rtl.scheduler.selection import encode
from rtl.vector import Vector

__all__ = ["Input"]


class Input(wiring.Component):
    """Show the queues of one input to the stages, and book the slots that it claims.

    Slot ``k`` is the one that stage ``k`` works on; stages count from 0 here, the youngest. A slot
    moves on by one stage in every cycle and becomes the match behind the last.

    Latency: 1 cycle from a claim in the oldest stage to ``match``; 0 cycles from ``singles`` and
    ``long`` to ``request``, from ``accept`` to ``claim``, from ``complete`` to ``keeps``.

    Members
    -------
    singles : In(queues).array(iterations)
        Bit ``q`` of element ``j``: queue ``q`` shows more than ``j`` packets of one flit.
    longs, partial : In(queues)
        The head of the queue is a packet of several flits; it is still arriving.
    length : In(Vector(length_shape, queues))
        Flits of the packet at the head; 1 if singles show.
    complete : In({valid, flits})
        The last flit of the packet that was arriving is in; its queue holds so many flits, those
        to be popped in this cycle included.
    free : In(ports).array(iterations)
        Outputs that are free in the slot.
    request : Out(ports).array(iterations, classes)
        Outputs whose queue of the class shows in the stage.
    head : Out(Vector(length_shape, ports)).array(classes)
        Per output: flits of the packet at the head of the queue of the class.
    accept : In(ports).array(iterations)
        The output that the stage has matched this input to, one-hot, or zero.
    traffic_class : In(Vector(range(classes), ports)).array(iterations)
        Per output: class of that packet.
    long_grant : In(ports).array(iterations)
        Outputs that have granted a packet of several flits.
    cancel : In(ports).array(iterations)
        Outputs that a long packet claimed in an older stage needs.
    claim : Out({valid, queue}).array(iterations)
        The queue loses its head packet; room is to be reserved for it.
    keeps : Out(iterations)
        Bookings of earlier cycles stand; low in slots that a complete packet gives back. Bit 0: the
        connection at hand goes on into the slot that enters.
    extended : Out(iterations)
        The long packet claimed in this cycle, in an older stage, goes on into the slot.
    match : Out({valid, queue})
        In this cycle the input pops a flit of the queue. Registered.

    Attributes
    ----------
    booked : list of Signal({valid, queue})
        What earlier cycles have booked, per slot; in slot 0, which enters, the connection at hand.
    opened : Signal(1)
        The end of the connection is not known.
    remaining : Signal(length_shape)
        Slots that the connection takes of those that enter, if its end is known.
    """

    def __init__(self, config: SwitchConfig):
        self.config = config
        ports, queues, stages = config.ports, config.queues, config.iterations
        self.queue_layout = data.StructLayout({"valid": 1, "queue": range(queues)})
        self.booked = [Signal(self.queue_layout, name=f"booked_{k}") for k in range(stages)]
        self.opened = Signal()
        self.remaining = Signal(length_shape(config))
        super().__init__(
            {
                "singles": In(queues).array(stages),
                "longs": In(queues),
                "partial": In(queues),
                "length": In(Vector(length_shape(config), queues)),
                "complete": In(data.StructLayout({"valid": 1, "flits": range(config.limit + 1)})),
                "free": In(ports).array(stages),
                "request": Out(ports).array(stages, config.classes),
                "head": Out(Vector(length_shape(config), ports)).array(config.classes),
                "accept": In(ports).array(stages),
                "traffic_class": In(Vector(range(config.classes), ports)).array(stages),
                "long_grant": In(ports).array(stages),
                "cancel": In(ports).array(stages),
                "claim": Out(self.queue_layout).array(stages),
                "keeps": Out(stages),
                "extended": Out(stages),
                "match": Out(self.queue_layout),
            }
        )

    def elaborate(self, platform):
        m = Module()
        stages = range(self.config.iterations)

        booked, opened, remaining = self.booked, self.opened, self.remaining
        queue = Signal(range(self.config.queues))  # of the connection
        idle = [Signal(name=f"idle_{k}") for k in stages]  # kept so: nobody may overtake
        m.d.comb += [booked[0].valid.eq(self.keeps[0]), booked[0].queue.eq(queue)]

        # The end of a connection: all flits of its queue that are in have their slots, the oldest
        # first, those of packets ahead and then its own. What lies behind is given back.
        closing = Signal()
        m.d.comb += closing.eq(self.complete.valid & opened)
        serving = [slot.valid & (slot.queue == queue) for slot in (*booked[1:], self.match)]
        for k in stages[1:]:
            needed = sum(serving[k:]) < self.complete.flits
            m.d.comb += self.keeps[k].eq(~closing | ~serving[k - 1] | needed)
        served = sum(serving)
        with m.If(closing):
            m.d.comb += self.keeps[0].eq(served < self.complete.flits)
            m.d.sync += opened.eq(0)
            with m.If(self.keeps[0]):
                m.d.sync += remaining.eq(self.complete.flits - served - 1)
        with m.Else():
            m.d.comb += self.keeps[0].eq(opened | remaining.any())
            m.d.sync += remaining.eq(remaining - remaining.any())

        taken = [Signal(name=f"taken_{k}") for k in stages]
        free = [Signal(self.config.queues, name=f"free_{k}") for k in stages]
        for k in stages:
            outputs = Cat(output.replicate(self.config.classes) for output in self.free[k])
            m.d.comb += [
                taken[k].eq(booked[k].valid & self.keeps[k]),
                free[k].eq(Mux(taken[k] | idle[k], 0, outputs)),
            ]

        # A long packet shows in the earliest slot from which on all are free. Singles show in the
        # earliest free slots: each of these takes one off what later ones see.
        runs = [Signal(self.config.queues, name=f"run_{k}") for k in (*stages, len(stages))]
        for k in stages:
            m.d.comb += runs[k].eq(free[k] & (runs[k - 1] if k else self.longs))
        left = list(self.singles)
        for k in reversed(stages):
            shows = Signal(self.config.queues, name=f"shows_{k}")
            m.d.comb += shows.eq((left[0] & free[k]) | (runs[k] & ~runs[k + 1]))
            for c, request in enumerate(self.request[k]):
                m.d.comb += request.eq(shows[c :: self.config.classes])
            left = [(more & ~free[k]) | (fewer & free[k]) for more, fewer in pairwise(left)]

        for c, head in enumerate(self.head):
            queues = range(c, self.config.queues, self.config.classes)
            m.d.comb += head.eq(Cat(self.length[queue] for queue in queues))

        # A match becomes a claim unless a long packet in an older stage needs input or output,
        # whether or not that is cancelled itself.
        long_match = [(self.accept[k] & self.long_grant[k]).any() for k in stages]
        long_claim = [Signal(name=f"long_claim_{k}") for k in stages]
        long_queue = Signal(range(self.config.queues))
        # No claim is older than the last stage. Assigned as a whole: where a signal is assigned in
        # parts, one that is never assigned has no driver in the Verilog.
        extended = [Signal(name=f"extended_{k}") for k in stages[:-1]]
        m.d.comb += self.extended.eq(Cat(extended))
        for k in stages:
            output = encode(self.accept[k])
            length = self.length[self.claim[k].queue]
            cancelled = (self.accept[k] & self.cancel[k]).any() | Cat(long_match[k + 1 :]).any()
            m.d.comb += [
                self.claim[k].valid.eq(self.accept[k].any() & ~cancelled),
                self.claim[k].queue.eq(Cat(self.traffic_class[k][output], output)),
                long_claim[k].eq(self.claim[k].valid & long_match[k]),
            ]
            partial = self.partial.bit_select(self.claim[k].queue, 1)
            with m.If(long_claim[k]):  # at most one
                m.d.comb += long_queue.eq(self.claim[k].queue)
                m.d.comb += [extended[j].eq(partial | (length > k - j)) for j in range(k)]
                m.d.sync += [
                    queue.eq(self.claim[k].queue),
                    opened.eq(partial),
                    remaining.eq(Mux(partial | (length <= k + 1), 0, length - (k + 1))),
                ]

        for k, following in zip(stages, (*booked[1:], self.match), strict=True):
            m.d.sync += following.valid.eq(taken[k] | self.claim[k].valid | self.extended[k])
            with m.If(self.claim[k].valid):
                m.d.sync += following.queue.eq(self.claim[k].queue)
            with m.Elif(self.extended[k]):
                m.d.sync += following.queue.eq(long_queue)
            with m.Else():
                m.d.sync += following.queue.eq(booked[k].queue)
        for k in stages[1:]:
            m.d.sync += idle[k].eq(idle[k - 1] | Cat(long_claim[: k - 1]).any())
        return m
