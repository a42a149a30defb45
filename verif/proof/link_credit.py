"""What both ends of credits must satisfy together, whatever a cable loses."""

from itertools import pairwise

from amaranth import C, Cat, Module, Mux, Signal
from amaranth.hdl import Assert, Assume
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In

from models.link.config import LinkConfig
from models.link.wire import credits_of
from rtl.link.credit_receiver import CreditReceiver
from rtl.link.credit_sender import CreditSender

__all__ = ["LinkCreditProof"]

LENGTH_BITS = 6


class LinkCreditProof(wiring.Component):
    """Credits of a channel are conserved, and never more than the limit are in use.

    A sender and a receiver, with ``places`` frames on their way and as many updates back. Frames
    are packets and CC_Updates. Each end of the way moves when it likes, everything may be lost, and
    updates, CC_Updates and releases come at any time. The switch takes flits of the first packet
    before it has arrived; then it arrives, or that was a broken copy, of any length, and it comes
    again or is lost. Or the switch refuses it. Assumed: only flits that the switch has leave, one
    copy has left before the next one ends, and a CC_Update is not older than half of the numbers
    that the counters have. What the switch has is never more than the limit and one largest packet.

    Counters are small: what is shown does not depend on their width, but that a limit is told by
    an update.

    Parameters
    ----------
    config : LinkConfig
        With one channel.
    counter_bits, credit_bits : int
        Of both ends.
    places : int
        Frames, and updates, that are under way at once.

    Members
    -------
    limit, port_limit : In(credit_bits)
        Constant.
    length, valid, last : In
        What is on ``i`` of the sender; a head that waits stays.
    push, pop, lose : In(1)
        The sender's end of the way moves, the other end does, what comes out of it is lost.
    report, report_first : In(1)
        A CC_Update is due; it goes before a packet.
    due, refresh, push_update, pop_update, lose_update : In(1)
        The same for CF_Updates.
    release : In(1)
        A flit leaves.
    enter : In(1)
        A flit of the first packet that is under way comes.
    stores : In(1)
        The switch stores the packet that arrives.
    copy, copy_length : In
        What has come was the rest of a copy of this length.
    """

    def __init__(
        self, config: LinkConfig, *, counter_bits: int = 6, credit_bits: int = 4, places: int = 2
    ):
        self.config, self.places = config, places
        self.sender = CreditSender(config, counter_bits, credit_bits)
        self.receiver = CreditReceiver(config, counter_bits, credit_bits)
        self.counter_bits, self.credit_bits = counter_bits, credit_bits
        bits = "valid last push pop lose report report_first due refresh push_update pop_update"
        bits += " lose_update release enter stores copy"
        super().__init__(
            dict.fromkeys(bits.split(), In(1))
            | {"limit": In(credit_bits), "port_limit": In(credit_bits)}
            | {"length": In(LENGTH_BITS), "copy_length": In(LENGTH_BITS)}
        )

    def credits(self, length):
        """Credits of a packet, by counting."""
        config = self.config
        most = credits_of(config.max_packet_bytes, config.credit_bytes)
        return sum(length + 16 > n * config.credit_bytes for n in range(most))

    def flits(self, length):
        """Flits of a packet, by counting."""
        return sum(length > n * self.config.flit_bytes for n in range(self.config.max_packet_flits))

    def elaborate(self, platform):
        m = Module()
        m.submodules.sender, m.submodules.receiver = sender, receiver = self.sender, self.receiver
        most = (1 << 24) - 1
        m.d.comb += [
            sender.i.valid.eq(self.valid),
            sender.i.payload.data.eq(self.length << 32),
            sender.i.payload.last.eq(self.last),
            sender.lossless.eq(1),
            sender.limit.valid.eq(1),
            sender.limit.limit.eq(self.limit),
            sender.port_limit.eq(self.port_limit),
            sender.report_cycles.eq(self.report),
            receiver.limit.valid.eq(1),
            receiver.limit.limit.eq(self.limit),
            receiver.update_cycles.eq(Mux(self.due, 0, most)),
            receiver.refresh_cycles.eq(self.refresh),
        ]
        started, limits = Signal(), Cat(self.limit, self.port_limit)
        before, was_limits = Signal.like(self.length), Signal.like(limits)
        held = Signal()
        m.d.sync += [
            started.eq(1),
            was_limits.eq(limits),
            before.eq(self.length),
            held.eq(self.valid & ~sender.i.ready),
        ]
        m.d.comb += [
            Assume(~started | (limits == was_limits)),
            Assume(~held | (self.valid & (self.length == before))),
        ]

        on_way, lost = self.way(m)
        self.buffer(m, on_way[0])
        updates = self.way_back(m)
        self.assertions(m, on_way, lost, updates)
        with m.If(started):
            m.d.comb += [
                Assert(sender.limits[0] == self.limit),
                Assert(receiver.limits[0] == self.limit),
            ]
        fits = sender.used[0] + self.credits(before) <= self.limit
        port_fits = sender.port_used + self.credits(before) <= self.port_limit
        m.d.comb += Assert(~sender.fits | (held & sender.starting & fits & port_fits))

        # Where a CC_Update stands, nothing that it knows of is behind it.
        consumed = sender.consumed_credits[0]

        def age(report):
            return (consumed - report)[: self.counter_bits]

        def legal(valid, report, behind):
            m.d.comb += [
                Assume(~valid | ~age(report)[-1]),
                Assert(~valid | (age(report) >= behind)),
            ]

        behind = 0
        legal(sender.consumed.valid, sender.consumed.payload.consumed, 0)
        for frame in reversed(on_way):
            legal(frame.valid & frame.report, frame.consumed, behind)
            behind = behind + self.on_way(frame)
        legal(receiver.heard, receiver.told_consumed, behind)
        return m

    def on_way(self, frame):
        """Credits of a packet that is under way."""
        return Mux(frame.valid & ~frame.report, self.credits(frame.length), 0)

    def way(self, m):
        """Frames from the sender to the receiver, the first in place 0, and credits lost there."""
        sender, receiver = self.sender, self.receiver
        layout = data.StructLayout(
            {"valid": 1, "report": 1, "length": LENGTH_BITS, "consumed": self.counter_bits}
        )
        frames = [Signal(layout, name=f"frame_{n}") for n in range(self.places)]
        entering, leaving = Signal(layout), Signal(layout)
        room = ~frames[-1].valid & self.push
        m.d.comb += [
            sender.consumed.ready.eq(room & self.report_first),
            sender.o.ready.eq((room & ~self.report_first) | ~sender.starting),
            entering.report.eq(sender.consumed.valid & sender.consumed.ready),
            entering.valid.eq(
                entering.report | (sender.o.valid & sender.o.ready & sender.starting)
            ),
            entering.length.eq(self.length),
            entering.consumed.eq(sender.consumed.payload.consumed),
        ]
        # What leaves makes the others move; what enters goes behind the last.
        pops = self.pop & frames[0].valid
        after = [Mux(pops, b, a) for a, b in zip(frames, [*frames[1:], 0], strict=True)]
        views = [
            data.View(layout, Signal(layout.size, name=f"after_{n}")) for n in range(len(after))
        ]
        taken = 1
        for frame, view, value in zip(frames, views, after, strict=True):
            m.d.comb += view.as_value().eq(value)
            m.d.sync += frame.eq(Mux(view.valid, view, Mux(taken, entering, 0)))
            taken = taken & view.valid
        m.d.comb += leaving.eq(frames[0])
        arrives = pops & ~self.lose
        m.d.comb += [
            receiver.arrival.valid.eq(arrives & ~leaving.report),
            receiver.arrival.length.eq(leaving.length),
            receiver.arrival.stores.eq(self.stores),
            receiver.told.valid.eq(arrives & leaving.report),
            receiver.told.consumed.eq(leaving.consumed),
        ]
        for first, second in pairwise(frames):
            m.d.comb += Assert(first.valid | ~second.valid)

        lost = Signal(self.credit_bits)
        m.d.sync += lost.eq(lost + Mux(pops & self.lose, self.on_way(leaving), 0) - receiver.healed)
        m.d.comb += Assert(receiver.healed <= lost)
        return frames, lost

    def buffer(self, m, frame):
        """What the switch has: only that leaves, and it is what the receiver counts.

        ``early`` flits are those of the packet under way, ``frame``, whose last flit has yet to
        come; ``present`` all that the switch has.
        """
        receiver, per_credit = self.receiver, self.receiver.flits_per_credit
        most, stored = self.config.max_packet_flits, receiver.stored[0]
        early = Signal(range(most + 1))
        present = Signal(len(stored) + 2)
        waiting = Mux(frame.valid & ~frame.report, self.flits(frame.length), 0)
        pops, ends = self.pop & frame.valid, Signal()
        rest = Signal.like(present)  # flits that come with the last one
        last = Mux(self.copy, self.flits(self.copy_length), waiting)
        m.d.comb += [
            receiver.released.valid.eq(self.release),
            receiver.copy.valid.eq(self.copy),
            receiver.copy.length.eq(self.copy_length),
            ends.eq(self.copy | receiver.arrival.valid),
            rest.eq(Mux(self.copy | (receiver.arrival.valid & self.stores), last - early, 0)),
            Assume(~self.copy | (~receiver.copying & ~receiver.arrival.valid)),
            Assume(~self.enter | (~pops & ~self.copy & (early < waiting))),
            Assume(~self.copy | (early <= self.flits(self.copy_length))),
            Assume(~(receiver.arrival.valid & ~self.stores) | (early == 0)),
            Assume(~(pops & self.lose) | self.copy | (early == 0)),
            Assume(~self.release | (present > 0)),
        ]
        m.d.sync += [
            early.eq(Mux(ends, 0, early + self.enter)),
            present.eq(present + self.enter + rest - self.release),
        ]
        total = stored + Mux(receiver.came, receiver.flits_in, 0) - receiver.left
        total += Mux(receiver.copied, receiver.flits_copied, 0)
        m.d.comb += [
            Assert(early <= waiting),
            Assert(present == total + receiver.remaining + early),
            # What has left and is not counted is early, but for what is about to be counted.
            Assert((receiver.remaining == 0) | (stored >= receiver.ahead)),
            Assert((receiver.remaining == 0) | (receiver.copy_channel == 1)),
            Assert((receiver.remaining == 0) | ~receiver.copied),
            Assert(~(receiver.came & receiver.copied)),
            Assert(stored >= -most),
            Assert(receiver.remaining <= most),
            Assert(present <= self.limit * per_credit + most),
            Assert(~receiver.came | (receiver.flits_in <= receiver.credits * per_credit)),
            Assert(~receiver.underrun),
            Assert(~receiver.overrun),
            Assert(~receiver.excess),
        ]

    def way_back(self, m):
        """Updates from the receiver to the sender, the first in place 0."""
        sender, receiver = self.sender, self.receiver
        layout = data.StructLayout({"valid": 1, "freed": self.credit_bits})
        updates = [Signal(layout, name=f"update_{n}") for n in range(self.places)]
        pops = self.pop_update & updates[0].valid
        entering = Signal(layout)
        m.d.comb += [
            receiver.update.ready.eq(self.push_update & ~updates[-1].valid),
            entering.valid.eq(receiver.update.valid & receiver.update.ready),
            entering.freed.eq(receiver.update.payload.entry[0].freed),
            sender.update.valid.eq(pops & ~self.lose_update),
            *(freed.eq(updates[0].freed) for freed in sender.update.freed),
            Assert(~sender.excess.any()),
            # One channel is told of twice.
            Assert(receiver.freed[1] == receiver.freed[0]),
            *(
                Assert((entry.freed == entering.freed) & ~entry.channel.any())
                for entry in receiver.update.payload.entry
            ),
        ]
        taken = 1
        for n, update in enumerate(updates):
            after = Signal(layout, name=f"update_after_{n}")
            following = updates[n + 1] if n + 1 < self.places else 0
            m.d.comb += after.eq(Mux(pops, following, update))
            m.d.sync += update.eq(Mux(after.valid, after, Mux(taken, entering, 0)))
            taken = taken & after.valid
        for first, second in pairwise(updates):
            m.d.comb += Assert(first.valid | ~second.valid)
        return updates

    def assertions(self, m, on_way, lost, updates):
        """Every credit in use is somewhere, and updates tell of no more than is free."""
        sender, receiver, bits = self.sender, self.receiver, self.credit_bits
        used = sender.used[0]
        counted = receiver.stored[0]
        stored = Mux(counted < 0, 0, counted) + (receiver.flits_per_credit - 1)
        occupied = stored >> (receiver.flits_per_credit - 1).bit_length()
        known = (sender.consumed_credits[0] - used)[:bits]
        untold = Signal(bits)
        away = lost + Mux(receiver.came, receiver.credits, 0)
        for frame in on_way:
            away = away + self.on_way(frame)
        m.d.comb += [
            untold.eq(receiver.consumed_credits[0] - occupied - known),
            Assert(receiver.looking == 1),  # at the only pair
            Assert(used <= self.limit),
            Assert(sender.port_used == used + sender.returned),
            Assert(sender.port_used <= self.port_limit),
            Assert(used == untold + occupied + away),
            Assert(
                sender.consumed_credits[0]
                == (receiver.consumed_credits[0] + away)[: self.counter_bits]
            ),
        ]
        # An update that was made later tells of as much or more.
        most = untold
        chain = [
            (C(1, 1), receiver.freed[0]),
            (receiver.update.valid, receiver.update.payload.entry[0].freed),
            *((update.valid, update.freed) for update in reversed(updates)),
        ]
        for valid, freed in chain:
            more = (freed - known)[:bits]
            m.d.comb += Assert(~valid | (more <= most))
            most = Mux(valid, more, most)
