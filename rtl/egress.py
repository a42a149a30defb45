"""Egress: the queues of one output port, and the packet on its line."""

from amaranth import Array, C, Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from models.config import FRONT_FLITS, SwitchConfig
from rtl.class_arbiter import ClassArbiter
from rtl.comparison import exceeds
from rtl.crossbar import ArrivalSignature
from rtl.packet import AxisLayout
from rtl.selection import stepped

__all__ = ["Egress"]


def ring_depth(config: SwitchConfig) -> int:
    """Slots of the ring that holds the queue of a class: the next power of two."""
    return 1 << (config.egress_depth - 1).bit_length()


class Ends(wiring.Component):
    """Tell of each class whether the flit at the head of its queue is the last of a packet.

    The queue may change behind a last flit, so this must be known as the flit is read, and not
    when it comes out of the memory. The ends of the first four flits of each queue are in
    flip-flops, those of all flits in a block RAM. As a flit leaves, the end of the fourth behind it
    is fetched (if it has been stored before), and is there in time: four cycles later.

    Parameters
    ----------
    config : SwitchConfig
        Uses ``classes`` and the depth of the queues.

    Members
    -------
    puts, gets : In(classes)
        One-hot or zero: a flit joins the queue, or leaves it, in this cycle. What joins an empty
        queue may be replaced by what joins next.
    tail, head : In(range(slots))
        Where it is stored, or read.
    last : In(1)
        Whether the flit that joins is the last of its packet.
    near, far : In(classes)
        The queue holds less than four flits, more than four flits.
    lasts : Out(classes)
        Whether the flit at the head is.
    """

    AHEAD = 4

    def __init__(self, config: SwitchConfig):
        self.config = config
        self.slots = config.classes * ring_depth(config)
        super().__init__(
            {
                "puts": In(config.classes),
                "gets": In(config.classes),
                "tail": In(range(self.slots)),
                "head": In(range(self.slots)),
                "last": In(1),
                "near": In(config.classes),
                "far": In(config.classes),
                "lasts": Out(config.classes),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.memory = memory = Memory(
            shape=1, depth=self.slots, init=[], attrs={"no_rw_check": 1, "ram_style": "block"}
        )
        write, read = memory.write_port(), memory.read_port(domain="comb")
        m.d.comb += [
            write.addr.eq(self.tail),
            write.data.eq(self.last),
            write.en.eq(self.puts.any()),
        ]

        # Fetch in three steps: address, memory, output register.
        places = range(self.AHEAD)
        ring_width = len(self.head) - (self.config.classes - 1).bit_length()
        left = Signal.like(self.head)  # what has left in the last cycle
        fetches = [Signal(self.config.classes, name=f"fetches_{n}") for n in range(3)]  # one-hot
        place = [Signal(places, name=f"place_{n}") for n in range(2)]
        # Of the memory, behind it: without a reset both are registers of the block RAM.
        output, fetched = Signal(reset_less=True), Signal(reset_less=True)
        put_place, put_last = Signal(places), Signal()  # of the last cycle
        m.d.sync += [
            put_place.eq(self.tail[:2]),
            put_last.eq(self.last),
            left.eq(self.head),
            fetches[0].eq(self.gets & self.far),
            fetches[1].eq(fetches[0]),
            fetches[2].eq(fetches[1]),
            place[0].eq(left),
            place[1].eq(place[0]),
            output.eq(read.data),
            fetched.eq(output),
        ]
        behind = (left[2:ring_width] + 1)[: ring_width - 2]
        m.d.comb += read.addr.eq(Cat(left[:2], behind, left[ring_width:]))

        # The queue's n-th flit has its end in place n modulo 4.
        for c in range(self.config.classes):
            front, heads = Signal(self.AHEAD, name=f"front_{c}"), Signal(places, name=f"heads_{c}")
            fourth = Signal(name=f"fourth_{c}")  # it came as another left, and can be told later
            m.d.sync += fourth.eq(self.puts[c] & self.gets[c] & ~self.near[c] & ~self.far[c])
            for n in places:
                with m.If(fetches[2][c] & (place[1] == n)):
                    m.d.sync += front[n].eq(fetched)
                with m.Elif(fourth & (put_place == n)):
                    m.d.sync += front[n].eq(put_last)
                with m.Elif(self.puts[c] & self.near[c] & (self.tail[:2] == n)):
                    m.d.sync += front[n].eq(self.last)
            m.d.comb += self.lasts[c].eq(front.bit_select(heads, 1))
            m.d.sync += heads.eq(heads + self.gets[c])
        return m


class Egress(wiring.Component):
    """Queue the flits of each class and send them packet by packet.

    Latency: 2 cycles from ``i`` to ``o`` if nothing waits, of which one is for the check; 6 by way
    of the queue. A class that waits for its ``permit`` sends all others by way of their queues.
    Throughput: 1 flit per cycle in and out, packets of one flit and changes of class included, and
    also while other classes wait for theirs.
    Backpressure: none on ``i``: who sends looks at ``accepts`` in time.
    Source: docs/microarchitecture.md, egress.

    Parameters
    ----------
    config : SwitchConfig
        Uses ``classes``, ``egress_flits``, ``limit``, ``iterations``, the flit size and the class
        policy.

    Members
    -------
    i : In(ArrivalSignature)
        Flits from the crossbar, one packet at a time. Its parity is checked; a flit where it is
        wrong ends its packet with an error. What follows the end of a packet, up to the next
        ``first``, is discarded.
    permit : In(classes)
        Bit ``c`` lets packets of class ``c`` begin to leave, in the cycle after; a packet under way
        goes on to its end. What has begun when it falls is up to ``FRONT_FLITS + 1`` flits that
        ``o`` has yet to hand over, and the rest of the last packet of them. All if not connected.
    flush : In(classes)
        Bit ``c`` lets packets of class ``c`` begin without a permit, in the cycle after, but to be
        discarded: whole, whatever becomes of ``flush``, and in their turn. None passes by.
    reset : In(1)
        Flush all: in the cycles after those in which it is high, flits leave the queues but are not
        sent; at its fall the packet then under way is flushed to its end. All classes are permitted
        meanwhile.
    accepts : Out(classes)
        Bit ``c`` is high while the queue of class ``c`` has room for a connection that is granted
        in this cycle, and for all that may be on its way before it. Registers.
    waiting : Out(classes)
        Bit ``c`` is high while the queue of class ``c`` holds a flit, be it of a packet under way.
        Registers.
    o : Out(stream.Signature(AxisLayout))
        Flits to the line. Only ``reset`` takes ``valid`` back.
    occupancy : Out(range(egress_flits + 1))
        Flits in the queues, in the cycle before.
    idle : Out(1)
        Nothing is stored, in the check stage or on its way out.
    delivered, errored, discarded : Out(1)
        A packet's last flit is taken from ``o``, taken with an error, or discarded in it, in this
        cycle.
    parity : Out(1)
        A flit is stored whose parity was wrong in the cycle before.

    Attributes
    ----------
    stored : list of Signal(range(egress_depth + 1))
        Flits in the queue of each class. Proofs read it.
    level : list of Signal(Ends.AHEAD + 1)
        State: bit ``n`` tells that the queue of the class holds more than ``n`` flits. Proofs read
        it.
    begins : Signal(classes)
        One-hot or zero: a packet begins to leave in this cycle. Proofs read it.
    owner : Signal(classes)
        State: class of the packet under way, one-hot or zero. Proofs read it.
    checked : Signal(1)
        State: a flit is in the check stage, of class ``checked_class``. Proofs read it.
    """

    def __init__(self, config: SwitchConfig):
        self.config = config
        depth = range(config.egress_depth + 1)
        self.stored = [Signal(depth, name=f"stored_{c}") for c in range(config.classes)]
        self.level = [Signal(Ends.AHEAD + 1, name=f"level_{c}") for c in range(config.classes)]
        self.begins = Signal(config.classes)
        self.owner = Signal(config.classes)
        self.checked = Signal()
        self.checked_class = Signal(range(config.classes))
        super().__init__(
            {
                "i": In(ArrivalSignature(config)),
                "permit": In(config.classes, init=-1 % (1 << config.classes)),
                "flush": In(config.classes),
                "reset": In(1),
                "accepts": Out(config.classes, init=-1 % (1 << config.classes)),
                "waiting": Out(config.classes),
                "o": Out(stream.Signature(AxisLayout(config))),
                "occupancy": Out(range(config.egress_flits + 1)),
                "idle": Out(1),
                "delivered": Out(1),
                "errored": Out(1),
                "discarded": Out(1),
                "parity": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        config = self.config
        classes, ring = range(config.classes), ring_depth(config)
        fields = {"data": 8 * config.flit_bytes, "count": range(config.flit_bytes)}
        layout = data.StructLayout(fields | {"last": 1, "error": 1, "mark": 1})
        m.submodules.memory = memory = Memory(
            shape=layout, depth=config.classes * ring, init=[], attrs={"no_rw_check": 1}
        )
        write, read = memory.write_port(), memory.read_port(domain="comb")

        # Check: parity in the cycle of arrival, judgement in the next.
        flit, first, wrong = self.i.flit, Signal(), Signal()
        unchecked = Signal(layout, reset_less=True)
        words = Cat(flit.data.word_select(n, 64).xor() for n in range(config.words))
        side = Cat(flit.count, flit.first, flit.last, flit.error, flit.mark).xor()
        m.d.sync += [
            self.checked.eq(self.i.valid),
            self.checked_class.eq(self.i.traffic_class),
            first.eq(flit.first),
            unchecked.eq(Cat(flit.data, flit.count, flit.last, flit.error, flit.mark)),
            wrong.eq((words ^ side) != flit.parity),
        ]
        arriving, ended = Signal(layout), Signal(init=1)
        store = Signal()
        m.d.comb += [
            arriving.data.eq(unchecked.data),
            arriving.count.eq(unchecked.count | wrong.replicate(len(flit.count))),
            arriving.last.eq(unchecked.last | wrong),
            arriving.error.eq(unchecked.error | wrong),
            arriving.mark.eq(unchecked.mark),
            store.eq(self.checked & (first | ~ended)),
            self.parity.eq(store & wrong),
        ]
        with m.If(store):
            m.d.sync += ended.eq(arriving.last)

        # Way out: issued, memory and fetch, which move on in every cycle, front, and o. No more go
        # on their way than the front has room for. What is counted between two registers with
        # little time is a thermometer: bit ``n`` tells that there are more than ``n`` flits.
        full, fetched, reading, issued = Signal(), Signal(), Signal(), Signal()
        behind = Signal()  # reading or fetched
        sending, discarding = Signal(), Signal()
        sends, passes = Signal(), Signal()  # ``sending`` after this cycle; a flit skips the queue
        doomed = Signal()  # what is in ``o`` is to be discarded
        taken = full & (self.o.ready | discarding | doomed)
        o_free, leaves = Signal(), Signal()
        promised = Signal(FRONT_FLITS)  # flits between the queues and o
        room = ~promised[-1]
        m.d.comb += [
            self.o.valid.eq(full & ~discarding & ~doomed),
            sends.eq(Mux(taken, ~self.o.payload.last, sending)),
            o_free.eq(~full | self.o.ready | discarding | doomed),
        ]
        m.d.sync += [sending.eq(sends), discarding.eq(self.reset | (discarding & sends))]

        # Queues: each a ring in its part of the memory.
        held = Cat(level[0] for level in self.level)
        # What may begin: ``held`` with its permit, and the flit in the check stage. Registers: the
        # choice of a class has no time to spare.
        permitted = self.permit | self.reset.replicate(config.classes)
        requests, may_pass = Signal(config.classes), Signal()
        in_packet = Signal()
        passing = permitted & ~self.flush
        m.d.sync += may_pass.eq(passing.bit_select(self.i.traffic_class, 1))
        owner, chosen = self.owner, Signal(config.classes)  # one-hot or zero
        gets, puts, stores = (Signal(config.classes, name=n) for n in ("gets", "puts", "stores"))
        issues, goes = Signal(), Signal()  # a flit leaves a queue; it does, or passes by
        waits = held.any()  # whatever waits keeps all from passing: who is chosen takes longer
        m.d.comb += [
            stores.eq(Cat(store & (self.checked_class == c) for c in classes)),
            gets.eq(chosen & held & room.replicate(config.classes)),
            passes.eq(store & ~waits & ~issued & ~behind & room & (in_packet | may_pass)),
            puts.eq(stores & ~passes.replicate(config.classes)),
            issues.eq(Mux(in_packet, (owner & held).any(), requests.any()) & room),
            goes.eq(issues | passes),
        ]
        heads = Array(Signal(range(ring), name=f"head_{c}") for c in classes)
        tails = Array(Signal(range(ring), name=f"tail_{c}") for c in classes)
        joined, left = Signal(config.classes), Signal(config.classes)  # in the last cycle
        m.d.sync += [joined.eq(puts), left.eq(gets)]
        for c in classes:
            stored, before = self.stored[c], Signal.like(self.stored[c], name=f"before_{c}")
            level = self.level[c]
            holds = puts[c] | (held[c] & ~(gets[c] & ~level[1]))
            # Whether a flit leaves is known late in a cycle: it is counted in the next, but for the
            # lowest counts.
            more, fewer = joined[c] & ~left[c], left[c] & ~joined[c]
            m.d.comb += stored.eq(before + Cat(more | fewer, fewer).as_signed())
            # Whether more than ``n`` are stored, without the sum.
            above = [
                Mux(
                    more,
                    exceeds(before, n - 1),
                    Mux(fewer, exceeds(before, n + 1), exceeds(before, n)),
                )
                for n in (len(level), config.accept_flits)
            ]
            with m.If(puts[c] != gets[c]):
                m.d.sync += level.eq(stepped(level, puts[c], above[0]))
            m.d.sync += [
                before.eq(stored),
                requests[c].eq(holds & (permitted[c] | self.flush[c])),
                self.accepts[c].eq(~above[1]),
            ]
        if config.classes == 1:
            m.d.comb += self.occupancy.eq(before)
        else:
            with m.If(joined.any() != left.any()):
                m.d.sync += self.occupancy.eq(self.occupancy + Mux(left.any(), -1, 1))
        head, tail, reads = Signal(range(ring)), Signal(range(ring)), Signal(range(config.classes))
        m.d.comb += [
            tail.eq(tails[self.checked_class]),
            head.eq(heads[reads]),
            write.addr.eq(Cat(tail, self.checked_class)),
            write.data.eq(arriving),
            write.en.eq(store),  # the slot of a flit that passes by stays free
        ]
        # The memory is large and far away: it sees a register.
        m.d.sync += [issued.eq(issues), read.addr.eq(Cat(head, reads))]
        for c in classes:
            with m.If(puts[c]):
                m.d.sync += tails[c].eq(tail + 1)
            with m.If(gets[c]):
                m.d.sync += heads[c].eq(heads[c] + 1)
        m.submodules.arbiter = arbiter = ClassArbiter(config, picks=2)
        m.submodules.ends = ends = Ends(config)
        last = Mux(passes, arriving.last, (ends.lasts & chosen).any())
        m.d.comb += [
            arbiter.request[0].eq(requests),
            arbiter.request[1].eq(stores),  # counts only if it passes by: then it may
            arbiter.charge.eq(gets | (stores & ~puts)),
            arbiter.refill.eq(
                ~in_packet & ((issues & arbiter.spent[0]) | (passes & arbiter.spent[1]))
            ),
            chosen.eq(Mux(in_packet, owner, arbiter.grant[0])),
            self.begins.eq(Mux(in_packet, 0, gets | (stores & ~puts))),
            ends.puts.eq(stores),  # one that passes by leaves its queue empty, its end unread
            ends.gets.eq(gets),
            ends.tail.eq(write.addr),
            ends.head.eq(Cat(head, reads)),
            ends.last.eq(arriving.last),
            ends.near.eq(Cat(~level[Ends.AHEAD - 1] for level in self.level)),
            ends.far.eq(Cat(level[Ends.AHEAD] for level in self.level)),
        ]
        for c in classes:
            with m.If(chosen[c]):
                m.d.comb += reads.eq(c)
        with m.If(goes):
            m.d.sync += [owner.eq(Mux(passes, stores, chosen)), in_packet.eq(~last)]

        # A packet that begins in a flush is discarded. Its class is known a cycle later, and what
        # passes by comes later yet, or is of a packet that was not flushed.
        begun = Signal()  # in the last cycle
        flushed = [Signal(config.classes, name=f"flushed_{n}") for n in range(2)]
        dooms, was_doomed = Signal(), Signal()  # what went in the last cycle
        m.d.comb += dooms.eq(Mux(begun, (owner & flushed[1]).any(), was_doomed))
        m.d.sync += [
            begun.eq(goes & ~in_packet),
            flushed[0].eq(self.flush),
            flushed[1].eq(flushed[0]),
            was_doomed.eq(dooms),
        ]

        # The register at the memory's output is that of the block RAM, which nothing is written to
        # while it reads it: what is held was stored in an earlier cycle.
        output, fetch = Signal(layout, reset_less=True), Signal(layout, reset_less=True)
        m.d.sync += [
            reading.eq(issued),
            output.eq(read.data),
            behind.eq(issued | reading),
            fetched.eq(reading),
            fetch.eq(output),
        ]
        doomed_in_reading, doomed_in_fetch = Signal(), Signal()
        m.d.sync += [doomed_in_reading.eq(dooms), doomed_in_fetch.eq(doomed_in_reading)]

        # Front and port register.
        queued = data.StructLayout({"flit": layout, "doomed": 1})
        m.submodules.front = front = Memory(shape=queued, depth=FRONT_FLITS, init=[])
        enter, first_of_front = front.write_port(), front.read_port(domain="comb")
        enters, fronted = fetched | passes, Signal(FRONT_FLITS)
        entering, leaving = Signal(queued), Signal(queued)
        m.d.comb += [
            entering.flit.eq(Mux(fetched, fetch.as_value(), arriving.as_value())),
            entering.doomed.eq(Mux(fetched, doomed_in_fetch, in_packet & dooms)),
            leaving.eq(Mux(fronted[0], first_of_front.data.as_value(), entering.as_value())),
            leaves.eq(o_free & (fronted[0] | enters)),
            enter.data.eq(entering),
            enter.en.eq(enters & (~o_free | fronted[0])),
        ]
        m.d.sync += [
            enter.addr.eq(enter.addr + enter.en),
            first_of_front.addr.eq(first_of_front.addr + (o_free & fronted[0])),
        ]
        with m.If(Mux(o_free, fronted[0] & ~enters, enters)):
            m.d.sync += fronted.eq(stepped(fronted, ~o_free))
        with m.If(goes != leaves):
            m.d.sync += promised.eq(stepped(promised, goes))
        shown = leaving.flit
        reached = [exceeds(shown.count, n) for n in range(config.flit_bytes - 1)]
        with m.If(o_free):
            m.d.sync += [
                full.eq(fronted[0] | enters),
                doomed.eq(leaving.doomed),
                self.o.payload.data.eq(shown.data),
                self.o.payload.keep.eq(Cat(C(1, 1), *(~shown.last | n for n in reached))),
                self.o.payload.last.eq(shown.last),
                self.o.payload.user.eq(Cat(shown.error, shown.mark)),
            ]

        # Events.
        m.d.comb += self.waiting.eq(held)
        ends, errs = taken & self.o.payload.last, self.o.payload.user[0]
        discards = discarding | doomed
        m.d.comb += [
            self.idle.eq(
                ~(self.checked | held.any() | issued | reading | fetched | fronted[0] | full)
            ),
            self.discarded.eq(ends & discards),
            self.errored.eq(ends & ~discards & errs),
            self.delivered.eq(ends & ~discards & ~errs),
        ]
        return m
