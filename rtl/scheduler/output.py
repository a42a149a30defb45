"""The bookings of one output, and the classes that it picks."""

from amaranth import Array, Cat, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from models.config import SwitchConfig
from rtl.class_arbiter import ClassArbiter
from rtl.packet import length_shape
from rtl.scheduler.selection import encode
from rtl.vector import Vector

__all__ = ["Output"]


class Output(wiring.Component):
    """Pick a class in every stage, and book the slots of one output.

    Slots and stages as in :class:`rtl.scheduler.input.Input`. What an input gives back or goes on
    with, it says in ``keeps`` and ``extended``: the output follows.

    Latency: 1 cycle from a grant in the oldest stage to ``select``; 0 cycles from ``visible`` to
    ``request``, from ``grant`` to ``reserve``, from ``keeps`` to ``free``.

    Members
    -------
    visible : In(ports).array(iterations, classes)
        Inputs with a packet of the class that shows in the stage.
    head : In(Vector(length_shape, ports)).array(classes)
        Per input: flits of the packet at the head of the queue of the class.
    room : In(range(egress_depth + 1)).array(classes)
        Flits that the egress can take.
    keeps, extended : In(ports).array(iterations)
        Per input: :attr:`Input.keeps`, :attr:`Input.extended`.
    claiming : In(ports).array(iterations)
        Inputs that claim.
    free : Out(iterations)
        Slots that are free.
    request : Out(ports).array(iterations)
        Inputs with a packet of the class that is picked.
    traffic_class : Out(range(classes)).array(iterations)
        That class.
    length : Out(Vector(length_shape, ports)).array(iterations)
        Per input: flits of that packet.
    limit : Out(range(egress_depth + 1)).array(iterations)
        Flits of the longest packet that fits. Each older stage may claim one flit of the same queue
        in the same cycle.
    grant : In(ports).array(iterations)
        The input that the stage has matched this output to, one-hot, or zero.
    granted_length : In(length_shape).array(iterations)
        Flits of its packet.
    long_grant : Out(iterations)
        The matched packet has several flits.
    reserve : Out({valid, traffic_class, length}).array(iterations)
        The match is a claim; the egress reserves so many flits.
    select : Out({valid, input, traffic_class, first})
        In this cycle the output listens to the input; ``first`` if it is the first flit of a
        packet. Registered.

    Attributes
    ----------
    booked : list of Signal({valid, input, traffic_class, first})
        What earlier cycles have booked, per slot; in slot 0, which enters, the connection that may
        go on.
    """

    def __init__(self, config: SwitchConfig):
        self.config = config
        ports, classes, stages = config.ports, config.classes, config.iterations
        room = range(config.egress_depth + 1)
        lengths = Vector(length_shape(config), ports)
        self.select_layout = data.StructLayout(
            {"valid": 1, "input": range(ports), "traffic_class": range(classes), "first": 1}
        )
        reserve = data.StructLayout(
            {"valid": 1, "traffic_class": range(classes), "length": length_shape(config)}
        )
        self.booked = [Signal(self.select_layout, name=f"booked_{k}") for k in range(stages)]
        super().__init__(
            {
                "visible": In(ports).array(stages, classes),
                "head": In(lengths).array(classes),
                "room": In(room).array(classes),
                "keeps": In(ports).array(stages),
                "extended": In(ports).array(stages),
                "claiming": In(ports).array(stages),
                "free": Out(stages),
                "request": Out(ports).array(stages),
                "traffic_class": Out(range(classes)).array(stages),
                "length": Out(lengths).array(stages),
                "limit": Out(room).array(stages),
                "grant": In(ports).array(stages),
                "granted_length": In(length_shape(config)).array(stages),
                "long_grant": Out(stages),
                "reserve": Out(reserve).array(stages),
                "select": Out(self.select_layout),
            }
        )

    def elaborate(self, platform):
        m = Module()
        classes, stages = range(self.config.classes), range(self.config.iterations)
        last = self.config.iterations - 1

        m.submodules.arbiter = arbiter = ClassArbiter(self.config, picks=self.config.iterations)
        rooms, heads = Array(self.room), Array(self.head)
        for k in stages:
            chosen = self.traffic_class[k]
            m.d.comb += [
                arbiter.request[k].eq(
                    Cat(self.visible[k][c].any() & (self.room[c] > last - k) for c in classes)
                ),
                arbiter.advance[k].eq(self.reserve[k].valid),
                chosen.eq(encode(arbiter.grant[k])),
                self.length[k].eq(heads[chosen]),
                self.limit[k].eq(rooms[chosen] - (last - k)),
            ]
            with m.If(arbiter.grant[k].any()):
                m.d.comb += self.request[k].eq(Array(self.visible[k])[chosen])
        for c in classes:
            m.d.comb += arbiter.charge[c].eq(
                sum(
                    Mux(reserve.valid & (reserve.traffic_class == c), reserve.length, 0)
                    for reserve in self.reserve
                )
            )

        booked = self.booked
        taken = [Signal(name=f"taken_{k}") for k in stages]
        for k in stages:
            m.d.comb += [
                taken[k].eq(booked[k].valid & self.keeps[k].bit_select(booked[k].input, 1)),
                self.free[k].eq(~taken[k]),
            ]

        connection = Signal(self.select_layout)  # claimed in this cycle, by a long packet
        long_claim = [Signal(name=f"long_claim_{k}") for k in stages]
        claims = [Signal(self.select_layout, name=f"claim_{k}") for k in stages]
        for k in stages:
            m.d.comb += [
                claims[k].valid.eq((self.grant[k] & self.claiming[k]).any()),
                claims[k].input.eq(encode(self.grant[k])),
                claims[k].traffic_class.eq(self.traffic_class[k]),
                claims[k].first.eq(1),
                self.long_grant[k].eq(self.grant[k].any() & (self.granted_length[k] > 1)),
                long_claim[k].eq(claims[k].valid & self.long_grant[k]),
                self.reserve[k].valid.eq(claims[k].valid),
                self.reserve[k].traffic_class.eq(self.traffic_class[k]),
                self.reserve[k].length.eq(self.granted_length[k]),
            ]
            with m.If(long_claim[k]):  # at most one
                m.d.comb += connection.eq(claims[k])

        for k, following in zip(stages, (*booked[1:], self.select), strict=True):
            extended = self.extended[k].bit_select(connection.input, 1)
            with m.If(claims[k].valid):
                m.d.sync += following.eq(claims[k])
            with m.Elif(Cat(long_claim[k + 1 :]).any() & extended):
                m.d.sync += [following.eq(connection), following.first.eq(0)]
            with m.Else():
                m.d.sync += [following.eq(booked[k]), following.valid.eq(taken[k])]
        with m.If(connection.valid):
            m.d.sync += [booked[0].eq(connection), booked[0].first.eq(0)]
        with m.Else():
            m.d.sync += booked[0].valid.eq(taken[0])
        return m
