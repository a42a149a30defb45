"""Credit receiver: what has come and what has left, told to the sender."""

from amaranth import C, Cat, Module, Mux, Signal, signed
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from models.link.config import LinkConfig
from models.link.wire import (
    CREDIT_BITS,
    CREDIT_COUNTER_BITS,
    CREDIT_TIMER_BITS,
    MAX_CHANNELS,
    credits_of,
)
from rtl.comparison import exceeds
from rtl.link.credit_sender import CreditLimitSignature, credits_for, every, of_channel
from rtl.link.frame import UpdateLayout
from rtl.selection import encode

__all__ = [
    "ArrivalSignature",
    "ConsumedSignature",
    "CreditReceiver",
    "PacketSignature",
    "VacatedSignature",
]

CHANNEL = range(MAX_CHANNELS)


class PacketSignature(wiring.Signature):
    """A packet of a channel, and its length in bytes."""

    def __init__(self):
        super().__init__({"valid": Out(1), "channel": Out(CHANNEL), "length": Out(16)})


class ArrivalSignature(wiring.Signature):
    """A packet of a channel, its length in bytes, and whether the switch stores it."""

    def __init__(self):
        super().__init__(
            {"valid": Out(1), "channel": Out(CHANNEL), "length": Out(16), "stores": Out(1)}
        )


class VacatedSignature(wiring.Signature):
    """A flit of a channel has left the buffer."""

    def __init__(self):
        super().__init__({"valid": Out(1), "channel": Out(CHANNEL)})


class ConsumedSignature(wiring.Signature):
    """What a CC_Update says of one channel: its credits consumed since reset, cyclic."""

    def __init__(self, counter_bits: int = CREDIT_COUNTER_BITS):
        super().__init__({"valid": Out(1), "channel": Out(CHANNEL), "consumed": Out(counter_bits)})


class CreditReceiver(wiring.Component):
    """Count the credits of packets that come and the flits that they store; tell what is free.

    A packet takes ``ceil((length + 16) / credit_bytes)`` credits and stores
    ``ceil(length / flit_bytes)`` flits, at most those of a largest packet. It counts with its last
    flit. Flits leave one by one, in cut-through before that: what a channel has stored is negative
    then, down to a largest packet. Freed is all that has come but a credit for each ``credit_bytes
    / flit_bytes`` flits that are stored, or part of them, none if that is negative: so what is not
    stored of a packet (its frame, and what is rounded up) is free at once, what is stored is never
    free, and once all has left all is. Freed never goes back.

    In cut-through a packet may prove broken when the switch has it already. Such a copy has room
    there and no credits, which are those of its replay. So its flits free nothing as they leave:
    those that left before its last one came are no longer missing from what is stored, and as many
    as are yet to leave do so behind all that was stored by then. Flits may leave in another order,
    as all that counts is how many. There is one copy at a time in all channels; a channel stores
    its limit and one largest packet at most, and all channels together no more beyond theirs.

    A CF_Update has two channels, 2n and 2n + 1, or twice the last one if there are not so many. It
    is sent at once when one of them has freed more than a quarter of its limit since the last one,
    else ``update_cycles`` behind the last one if it has anything new, the pairs in turn; and, new
    or not, the next pair after ``refresh_cycles``. "At once" takes up to ``pairs + 3`` cycles from
    the event, as one pair is looked at in a cycle; the turn of a pair may take another ``pairs``.

    Latency: 1 cycle from an event to ``healed``, ``excess``, ``underrun`` and the rise of
    ``copying``, 2 to the counters, to ``overrun`` and to the fall of ``copying``, 3 to ``drained``;
    4 cycles from ``released`` to ``update.valid`` with one pair.
    Throughput: one event of each kind per cycle. In one cycle ``arrival`` and ``released`` count as
    one sum, and a copy behind them.
    Backpressure: ``update`` leaves registers; while it waits, nothing else is taken up.
    Source: credit-based flow control of Ultra Ethernet 1.0, as SAI renders it; counting what is
    stored is our decision, as the switch releases flits and not packets.

    Parameters
    ----------
    config : LinkConfig
        Uses ``channels``, ``credit_bytes`` (``flit_bytes`` or more), ``flit_bytes`` and
        ``max_packet_bytes``.
    counter_bits, credit_bits : int
        Bits of the counters, and of limits and updates; proofs take fewer.

    Members
    -------
    arrival : In(ArrivalSignature())
        A packet has been received: its last flit has come, good or poisoned. It is stored but for
        those that the switch has refused, of which no flit is.
    copy : In(PacketSignature())
        The last flit of a broken copy has come, which the switch has taken; ``length`` of what it
        was given. Not while ``copying``, nor with an arrival: that counts as ``overrun``, and has
        no other effect.
    released : In(VacatedSignature())
        A flit of a packet or copy has left.
    told : In(ConsumedSignature())
        A CC_Update, behind the arrival of every packet that it was sent behind, not in the same
        cycle. Credits that the sender has consumed and that never came, up to the limit, have come
        and are free. What tells of fewer credits than have come is old, and means nothing.
    limit : In(CreditLimitSignature())
        Set a limit, zero at first.
    update_cycles : In(24)
        Cycles between CF_Updates; 0 and 1 alike put none between them.
    refresh_cycles : In(24)
        Cycles between those that may say nothing new; 0 for none.
    reset : In(1)
        The link is down: all is zero but the limits and the flits that are stored, a copy's too.
        What has come is not counted, its flits are. To be kept up until ``drained``: else what is
        stored looks like credits of which the sender knows nothing (it counts as ``excess`` there).
    update : Out(stream.Signature(UpdateLayout()))
        CF_Updates.
    healed : Out(credit_bits)
        Credits that a CC_Update has brought back.
    excess : Out(1)
        Event: a CC_Update tells of more than the limit, or names no channel; it was ignored.
    copying : Out(1)
        Flits of a copy have yet to leave, or a copy has come in the cycle before.
    overrun : Out(1)
        Event: with an arrival, more was stored than the limit allows; an arrival or copy names no
        channel; or a copy came when it must not.
    underrun : Out(1)
        Event: more flits left a channel than it had and a packet under way can have, or than came
        of its copy, or it does not exist. They are not counted.
    drained : Out(1)
        Nothing is stored, and no flit of a packet has left that has yet to end. Low from the cycle
        behind an arrival or copy on.

    Attributes
    ----------
    consumed_credits, stored, limits, reported : list of Signal
        State: of each channel. Proofs read them.
    came, copied, left, heard : Signal(channels)
        State: channel of an arrival, copy, release or CC_Update of the last cycle, one-hot or zero.
    credits, flits_in, flits_copied, told_consumed : Signal
        State: what those were of or told. Proofs read them.
    copy_channel, ahead, remaining : Signal
        State: channel of the copy, one-hot; flits that leave before its own; those of its own that
        have yet to leave. Proofs read them.
    looking : Signal(pairs)
        State: the pair that is looked at, one-hot. Proofs read it.
    freed : list of Signal
        State: what the pair had free that was looked at last. Proofs read it.
    """

    def __init__(
        self,
        config: LinkConfig,
        counter_bits: int = CREDIT_COUNTER_BITS,
        credit_bits: int = CREDIT_BITS,
    ):
        if config.credit_bytes < config.flit_bytes:
            raise ValueError(
                f"credit_bytes must be flit_bytes or more: {config.flit_bytes}, "
                f"not {config.credit_bytes}"
            )
        self.config, self.counter_bits, self.credit_bits = config, counter_bits, credit_bits
        channels = range(config.channels)
        self.flits_per_credit = config.credit_bytes // config.flit_bytes
        stored_bits = credit_bits + (self.flits_per_credit - 1).bit_length()
        self.consumed_credits = [
            Signal(counter_bits, name=f"consumed_credits_{c}") for c in channels
        ]
        self.stored = [Signal(signed(stored_bits + 1), name=f"stored_{c}") for c in channels]
        self.limits = [Signal(credit_bits, name=f"limit_{c}") for c in channels]
        self.reported = [Signal(credit_bits, name=f"reported_{c}") for c in channels]
        self.came, self.copied, self.left, self.heard, self.copy_channel = (
            Signal(config.channels, name=name)
            for name in ("came", "copied", "left", "heard", "copy_channel")
        )
        self.credits = Signal(range(credits_of(config.max_packet_bytes, config.credit_bytes) + 1))
        self.flits_in = Signal(range(config.max_packet_flits + 1))
        self.flits_copied, self.remaining = Signal.like(self.flits_in), Signal.like(self.flits_in)
        self.ahead = Signal(stored_bits)
        self.told_consumed = Signal(counter_bits)
        self.looking = Signal((config.channels + 1) // 2, init=1)
        self.freed = [Signal(credit_bits, name=f"freed_{lane}") for lane in range(2)]
        super().__init__(
            {
                "arrival": In(ArrivalSignature()),
                "copy": In(PacketSignature()),
                "released": In(VacatedSignature()),
                "told": In(ConsumedSignature(counter_bits)),
                "limit": In(CreditLimitSignature(credit_bits)),
                "update_cycles": In(CREDIT_TIMER_BITS),
                "refresh_cycles": In(CREDIT_TIMER_BITS),
                "reset": In(1),
                "update": Out(stream.Signature(UpdateLayout(credit_bits))),
                "healed": Out(credit_bits),
                "excess": Out(1),
                "copying": Out(1),
                "overrun": Out(1),
                "underrun": Out(1),
                "drained": Out(1, init=1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        config, channels = self.config, range(self.config.channels)
        consumed, stored, limits = self.consumed_credits, self.stored, self.limits

        # First cycle: what an event is about.
        def named(event, chosen, valid=None):
            valid = event.valid if valid is None else valid
            stray = Signal(name=f"{chosen.name}_stray")
            matches = Cat(event.channel == c for c in channels)
            m.d.sync += [
                chosen.eq(Mux(valid, matches, 0)),
                stray.eq(valid & ~matches.any()),
            ]
            return stray

        def flits_for(length):
            flits = (length + (config.flit_bytes - 1)) >> (config.flit_bytes - 1).bit_length()
            return Mux(exceeds(flits, config.max_packet_flits), config.max_packet_flits, flits)

        came, copied, left, heard = self.came, self.copied, self.left, self.heard
        credits, flits_in, flits_copied = self.credits, self.flits_in, self.flits_copied
        takes_copy, refused = Signal(), Signal()
        m.d.comb += takes_copy.eq(self.copy.valid & ~self.copying & ~self.arrival.valid)
        came_stray, left_stray = named(self.arrival, came), named(self.released, left)
        heard_stray, copied_stray = named(self.told, heard), named(self.copy, copied, takes_copy)
        m.d.sync += [
            credits.eq(Mux(self.reset, 0, credits_for(config, self.arrival.length))),
            flits_in.eq(Mux(self.arrival.stores, flits_for(self.arrival.length), 0)),
            flits_copied.eq(flits_for(self.copy.length)),
            refused.eq(self.copy.valid & ~takes_copy),
            self.told_consumed.eq(self.told.consumed),
        ]

        # Second cycle: credits that have come, those that were lost included.
        ahead, fits, heals = Signal(self.counter_bits), Signal(), Signal()
        is_ahead = ahead.any() & ~ahead[-1]
        m.d.comb += [
            ahead.eq(self.told_consumed - of_channel(consumed, heard)),
            fits.eq(ahead <= of_channel(limits, heard)),
            heals.eq(heard.any() & is_ahead & fits),
            self.healed.eq(Mux(heals, ahead, 0)),
            self.excess.eq((heard.any() & is_ahead & ~fits) | heard_stray),
        ]
        for c in channels:
            before = Mux(heals & heard[c], self.told_consumed, consumed[c])
            m.d.sync += consumed[c].eq(before + Mux(came[c], credits, 0))
            with m.If(self.limit.valid & (self.limit.channel == c)):
                m.d.sync += limits[c].eq(self.limit.limit)
        with m.If(self.reset):
            m.d.sync += [Cat(heard, heard_stray).eq(0), *(count.eq(0) for count in consumed)]

        # And flits that are stored. What leaves is of the copy once all before it has left.
        width, most = len(stored[0]) - 1, config.max_packet_flits
        ahead, remaining, leaves_copy = self.ahead, self.remaining, Signal()
        m.d.comb += leaves_copy.eq(remaining.any() & ~ahead.any())
        under, over = Signal(len(channels)), Signal(len(channels))
        for c in channels:
            change = Signal(signed(len(flits_in) + 1), name=f"change_{c}")
            total = Signal(signed(width + 2), name=f"total_{c}")
            leaves = left[c] & ~(leaves_copy & self.copy_channel[c])
            m.d.comb += [
                change.eq(Mux(came[c], flits_in, 0) - leaves),
                total.eq(stored[c] + change),
                under[c].eq(total == -most - 1),  # lower it cannot get
                over[c].eq(~total[-1] & total[width]),
            ]
            kept = Mux(under[c], -most, total)
            with m.If(over[c]):
                m.d.sync += stored[c].eq((1 << width) - 1)
            with m.Elif(copied[c] & total[-1]):
                m.d.sync += stored[c].eq(0)
            with m.Else():
                m.d.sync += stored[c].eq(kept)
        counted, overflow = Signal.like(came), Signal()
        shift = width - self.credit_bits
        m.d.sync += [
            counted.eq(came),
            overflow.eq(over.any() | came_stray | copied_stray | refused),
        ]
        beyond = of_channel(stored, counted) > (of_channel(limits, counted) << shift)
        unsent = self.copies(m, leaves_copy)
        m.d.comb += [
            self.copying.eq(copied.any() | remaining.any()),
            self.underrun.eq(under.any() | unsent | left_stray),
            self.overrun.eq((counted.any() & beyond) | overflow),
        ]
        arrives = self.arrival.valid | self.copy.valid
        m.d.sync += self.drained.eq(~(Cat(stored).any() | came.any() | self.copying | arrives))

        self.updates(m)
        return m

    def copies(self, m, leaves_copy):
        """Count what leaves before a copy, and what leaves of it; whether more had than there was.

        A copy comes without an arrival, and no other is under way: but for a release, what its
        channel stores is in the register.
        """
        copied, ahead, remaining = self.copied, self.ahead, self.remaining
        before = Signal(signed(len(ahead) + 2))
        rest, unsent = Signal(signed(len(remaining) + 2)), Signal()
        m.d.comb += [
            before.eq(of_channel(self.stored, copied) - (copied & self.left).any()),
            rest.eq(self.flits_copied + before[: len(rest)].as_signed()),
            unsent.eq(copied.any() & before[-1] & rest[-1]),
        ]
        with m.If(copied.any()):
            m.d.sync += [
                self.copy_channel.eq(copied),
                ahead.eq(Mux(before[-1], 0, before)),
                remaining.eq(Mux(before[-1], Mux(rest[-1], 0, rest), self.flits_copied)),
            ]
        with m.Elif((self.copy_channel & self.left).any()):
            m.d.sync += [ahead.eq(ahead - ahead.any()), remaining.eq(remaining - leaves_copy)]
        return unsent

    def updates(self, m):
        """Look at one pair of channels after the other, and tell of those that have news."""
        channels, bits = self.config.channels, self.credit_bits
        pairs = range((channels + 1) // 2)

        def of_pair(values, lane: int, pair):
            return of_channel([values[min(2 * n + lane, channels - 1)] for n in pairs], pair)

        # First cycle: what is free.
        looking, pair = self.looking, Signal(len(pairs))
        m.d.sync += [looking.eq(looking.rotate_left(1)), pair.eq(Mux(self.reset, 0, looking))]
        freed = self.freed
        for lane in range(2):
            flits = of_pair(self.stored, lane, looking)
            flits = Mux(flits[-1], 0, flits[:-1])
            occupied = (flits + (self.flits_per_credit - 1)) >> (len(flits) - bits)
            m.d.sync += freed[lane].eq(of_pair(self.consumed_credits, lane, looking) - occupied)

        # Second cycle: whether it is told.
        news, urgent = Signal(2), Signal(2)
        for lane in range(2):
            untold = Signal(bits, name=f"untold_{lane}")
            m.d.comb += [
                untold.eq(freed[lane] - of_pair(self.reported, lane, pair)),
                news[lane].eq(untold.any()),
                urgent[lane].eq(untold > of_pair(self.limits, lane, pair)[2:]),
            ]
        turn, refreshed = (Signal(len(pairs), init=1, name=n) for n in ("turn", "refreshed"))
        since, refresh = Signal(CREDIT_TIMER_BITS), Signal()
        spaced, ready, on_turn, renews, sends = (
            Signal(name=name) for name in ("spaced", "ready", "on_turn", "renews", "sends")
        )
        m.d.comb += [
            ready.eq(pair.any() & ~self.reset & (~self.update.valid | self.update.ready)),
            spaced.eq(since + 1 >= self.update_cycles),
            on_turn.eq(ready & spaced & (turn & pair).any()),
            renews.eq(ready & refresh & (refreshed & pair).any()),
            sends.eq((ready & urgent.any()) | (on_turn & news.any()) | renews),
        ]
        m.d.sync += since.eq(Mux(sends, 0, since + ~since.all()))
        with m.If(on_turn):
            m.d.sync += turn.eq(turn.rotate_left(1))
        with m.If(every(m, self.refresh_cycles, "refresh")):
            m.d.sync += refresh.eq(1)
        with m.Elif(renews):
            m.d.sync += refresh.eq(0)
        with m.If(renews):
            m.d.sync += refreshed.eq(refreshed.rotate_left(1))

        with m.If(ready):
            m.d.sync += self.update.valid.eq(sends)
        with m.If(sends):
            for lane, entry in enumerate(self.update.payload.entry):
                odd = C(lane, 1) if channels % 2 == 0 else lane & ~pair[-1]
                m.d.sync += [entry.freed.eq(freed[lane]), entry.channel.eq(Cat(odd, encode(pair)))]
        for c, reported in enumerate(self.reported):
            with m.If(sends & pair[c // 2]):
                m.d.sync += reported.eq(freed[c % 2])
        with m.If(self.reset):
            m.d.sync += [self.update.valid.eq(0), *(count.eq(0) for count in self.reported)]
