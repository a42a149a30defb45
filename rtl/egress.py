"""Egress: the queues of one output port, and the packet on its line."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from models.config import SwitchConfig
from rtl.class_arbiter import ClassArbiter
from rtl.crossbar import ArrivalSignature
from rtl.packet import AxisLayout, length_shape

__all__ = ["Egress", "EgressCountersSignature", "ReserveSignature"]


class ReserveSignature(wiring.Signature):
    """Room that one stage of the scheduler reserves for a packet.

    Members
    -------
    valid : Out(1)
        A packet was claimed.
    traffic_class : Out(range(classes))
        Its class.
    length : Out(length_shape)
        Its flits.
    """

    def __init__(self, config: SwitchConfig):
        super().__init__(
            {
                "valid": Out(1),
                "traffic_class": Out(range(config.classes)),
                "length": Out(length_shape(config)),
            }
        )


class EgressCountersSignature(wiring.Signature):
    """Packets sent, sent with an error, flushed by reset, ended for wrong parity; modulo 2**32."""

    def __init__(self):
        names = ("delivered", "errored", "discarded", "parity")
        super().__init__({name: Out(32) for name in names})


class Egress(wiring.Component):
    """Queue the flits of each class and send them packet by packet.

    Latency: 1 cycle from ``i`` to ``o`` if nothing waits, 2 from the queue. Throughput: 1 flit
    per cycle in and out, packets of one flit and changes of class included.
    Backpressure: none on ``i``: all that arrives was reserved. ``o.valid`` is combinational in
    ``reset`` and else, like ``o.payload``, from registers.
    Source: docs/microarchitecture.md, egress.

    Parameters
    ----------
    config : SwitchConfig
        Uses ``classes``, ``egress_flits``, ``iterations``, the packet and flit sizes and the
        class policy.

    Members
    -------
    i : In(ArrivalSignature)
        Flits from the crossbar, one packet at a time. Its parity is checked; a flit where it is
        wrong ends its packet with an error. What follows the end of a packet, up to the next
        ``first``, is discarded.
    reserve : In(ReserveSignature).array(iterations)
        Room for whole packets, at least 1 cycle before their first flit.
    reset : In(1)
        Flush: while high, flits leave the queues but are not sent; at its fall the packet then
        under way is flushed to its end.
    room : Out(range(egress_depth + 1)).array(classes)
        Flits that may still be reserved.
    o : Out(stream.Signature(AxisLayout))
        Flits to the line. Only ``reset`` takes ``valid`` back.
    occupancy : Out(range(egress_flits + 1))
        Flits reserved that have not left the queues.
    idle : Out(1)
        Nothing is stored, expected or on its way out.
    counters : Out({delivered, errored, discarded, parity: 32 bits each})
        Packets sent, sent with an error, flushed, and ended for wrong parity; modulo ``2**32``.

    Attributes
    ----------
    stored : list of Signal(range(egress_depth + 1))
        State: flits in the queue of each class. Proofs read it.
    in_packet : Signal(1)
        State: a packet has begun to leave its queue and its last flit has not. Proofs read it.
    sending : Signal(1)
        State: a packet has begun on ``o`` and its last flit is not yet taken. Proofs read it.
    """

    def __init__(self, config: SwitchConfig):
        self.config = config
        depth = range(config.egress_depth + 1)
        self.stored = [Signal(depth, name=f"stored_{c}") for c in range(config.classes)]
        self.in_packet = Signal()
        self.sending = Signal()
        super().__init__(
            {
                "i": In(ArrivalSignature(config)),
                "reserve": In(ReserveSignature(config)).array(config.iterations),
                "reset": In(1),
                "room": Out(depth, init=config.egress_depth).array(config.classes),
                "o": Out(stream.Signature(AxisLayout(config))),
                "occupancy": Out(range(config.egress_flits + 1)),
                "idle": Out(1),
                "counters": Out(EgressCountersSignature()),
            }
        )

    def elaborate(self, platform):
        m = Module()
        config = self.config
        fields = {"data": 8 * config.flit_bytes, "count": range(config.flit_bytes)}
        layout = data.StructLayout(fields | {"last": 1, "error": 1, "mark": 1})

        m.submodules.memory = memory = Memory(shape=layout, depth=config.egress_flits, init=[])
        write = memory.write_port()
        read = memory.read_port(transparent_for=(write,))
        # Whether a flit is the last must be known as it is read, not a cycle later.
        m.submodules.lasts = lasts = Memory(shape=1, depth=config.egress_flits, init=[])
        write_last = lasts.write_port()
        read_last = lasts.read_port(domain="comb")
        m.submodules.arbiter = arbiter = ClassArbiter(config, picks=1)

        # Arrival.
        flit, arriving = self.i.flit, Signal(layout)
        wrong = Signal()
        words = Cat(flit.data.word_select(n, 64).xor() for n in range(config.words))
        side = Cat(flit.count, flit.last, flit.error, flit.mark).xor()
        m.d.comb += [
            wrong.eq((words ^ side) != flit.parity),
            arriving.data.eq(flit.data),
            arriving.count.eq(flit.count | wrong.replicate(len(flit.count))),
            arriving.last.eq(flit.last | wrong),
            arriving.error.eq(flit.error | wrong),
            arriving.mark.eq(flit.mark),
        ]
        ended = Signal(init=1)
        store = self.i.valid & (self.i.first | ~ended)
        stores, discards = Signal(config.classes), Signal(config.classes)  # one-hot or zero
        m.d.comb += [
            stores.eq(store << self.i.traffic_class),
            discards.eq((self.i.valid & ~store) << self.i.traffic_class),
        ]
        with m.If(store):
            m.d.sync += ended.eq(arriving.last)

        # Line.
        full, fetched, flushing = Signal(), Signal(), Signal()
        sending = Signal()  # value of self.sending after this cycle
        discarding = self.reset | flushing
        taken = full & (self.o.ready | discarding)
        o_free, fetch_free = ~full | taken, Signal()
        m.d.comb += [
            self.o.valid.eq(full & ~discarding),
            sending.eq(Mux(taken, ~self.o.payload.last, self.sending)),
            fetch_free.eq(~fetched | o_free),
        ]
        m.d.sync += [self.sending.eq(sending), flushing.eq(discarding & sending)]

        # Issue.
        held = Signal(config.classes)
        owner, chosen = Signal(config.classes), Signal(config.classes)  # one-hot
        issues = Signal(config.classes)  # one-hot or zero
        from_memory = (chosen & held).any()
        bypass = Signal()
        last = Mux(from_memory, read_last.data, arriving.last)
        m.d.comb += [
            held.eq(Cat(stored.any() for stored in self.stored)),
            arbiter.request[0].eq(held | stores),
            arbiter.advance.eq(fetch_free & ~self.in_packet & (held | stores).any()),
            chosen.eq(Mux(self.in_packet, owner, arbiter.grant[0])),
            issues.eq(chosen & (held | stores) & fetch_free.replicate(config.classes)),
            bypass.eq(issues.any() & ~from_memory & ~fetched & o_free),
        ]
        with m.If(issues.any()):
            m.d.sync += [owner.eq(chosen), self.in_packet.eq(~last)]
        with m.If(fetch_free):
            m.d.sync += fetched.eq(issues.any() & ~bypass)

        # Queues: each a ring in its part of the memory. A flit that passes by leaves a slot unused.
        m.d.comb += [
            write.en.eq(store),
            write.data.eq(arriving),
            write_last.addr.eq(write.addr),
            write_last.en.eq(store),
            write_last.data.eq(arriving.last),
            read.en.eq(fetch_free),
            read_last.addr.eq(read.addr),
        ]
        for c in range(config.classes):
            first = c * config.egress_depth
            bottom, top = first, first + config.egress_depth - 1
            head = Signal(range(config.egress_flits), init=bottom, name=f"head_{c}")
            tail = Signal.like(head, name=f"tail_{c}")
            with m.If(stores[c]):
                m.d.comb += write.addr.eq(tail)
                m.d.sync += tail.eq(Mux(tail == top, bottom, tail + 1))
            with m.If(chosen[c]):
                m.d.comb += read.addr.eq(head)
            with m.If(issues[c]):
                m.d.sync += head.eq(Mux(head == top, bottom, head + 1))
            reserved = sum(
                Mux(reserve.valid & (reserve.traffic_class == c), reserve.length, 0)
                for reserve in self.reserve
            )
            m.d.sync += [
                self.stored[c].eq(self.stored[c] + stores[c] - issues[c]),
                self.room[c].eq(self.room[c] + issues[c] + discards[c] - reserved),
            ]
            m.d.comb += arbiter.charge[c].eq(issues[c])
        m.d.comb += [
            self.occupancy.eq(config.egress_flits - sum(self.room)),
            self.idle.eq((self.occupancy == 0) & ~fetched & ~full),
        ]

        # Port register.
        leaving = data.View(layout, Mux(fetched, read.data.as_value(), arriving.as_value()))
        with m.If(o_free):
            m.d.sync += full.eq(fetched | bypass)
            with m.If(fetched | bypass):
                m.d.sync += [
                    self.o.payload.data.eq(leaving.data),
                    self.o.payload.keep.eq(Mux(leaving.last, (2 << leaving.count) - 1, ~0)),
                    self.o.payload.last.eq(leaving.last),
                    self.o.payload.user.eq(Cat(leaving.error, leaving.mark)),
                ]

        # Counters.
        with m.If(store & wrong):
            m.d.sync += self.counters.parity.eq(self.counters.parity + 1)
        with m.If(taken & self.o.payload.last):
            with m.If(discarding):
                m.d.sync += self.counters.discarded.eq(self.counters.discarded + 1)
            with m.Elif(self.o.payload.user[0]):
                m.d.sync += self.counters.errored.eq(self.counters.errored + 1)
            with m.Else():
                m.d.sync += self.counters.delivered.eq(self.counters.delivered + 1)

        return m
