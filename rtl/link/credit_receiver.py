"""Credit receiver: what has come and what has left, told to the sender."""

from amaranth import C, Cat, Module, Mux, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from models.link.config import LinkConfig
from models.link.wire import (
    CREDIT_BITS,
    CREDIT_COUNTER_BITS,
    CREDIT_TIMER_BITS,
    MAX_CHANNELS,
    UPDATE_FIELDS,
    Control,
    credits_of,
)
from rtl.comparison import exceeds
from rtl.link.credit_sender import CreditLimitSignature, credits_for, every, of_channel
from rtl.selection import encode

__all__ = [
    "ConsumedSignature",
    "CreditReceiver",
    "PacketSignature",
    "UpdateLayout",
    "VacatedSignature",
]

CHANNEL = range(MAX_CHANNELS)


class UpdateLayout(data.StructLayout):
    """D1 .. D7 of a CF_Update: its type, and twice ``models.link.wire.UPDATE_FIELDS``."""

    def __init__(self, credit_bits: int = CREDIT_BITS):
        entry = data.StructLayout(UPDATE_FIELDS | {"freed": credit_bits})
        super().__init__({"type": 8, "entry": data.ArrayLayout(entry, 2)})


class PacketSignature(wiring.Signature):
    """A packet of a channel, and the length that its header tells."""

    def __init__(self):
        super().__init__({"valid": Out(1), "channel": Out(CHANNEL), "length": Out(16)})


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
    ``ceil(length / flit_bytes)`` flits, at most those of a largest packet. Flits leave one by one.
    Freed is all that has come but a credit for each ``credit_bytes / flit_bytes`` flits that are
    stored, or part of them: so what is not stored of a packet (its frame, and what is rounded up)
    is free at once, what is stored is never free, and once all has left all is.

    A CF_Update has two channels, 2n and 2n + 1. It is sent at once when one of them has freed more
    than a quarter of its limit since the last one, else ``update_cycles`` behind the last one if it
    has anything new, the pairs in turn; and, new or not, the next pair after ``refresh_cycles``.
    "At once" takes up to ``pairs + 3`` cycles from the event, as one pair is looked at in a cycle;
    the turn of a pair may take another ``pairs``.

    Latency: 1 cycle from an event to ``healed``, ``excess`` and ``underrun``, 2 to the counters and
    to ``overrun``, 3 to ``drained``; 4 cycles from ``released`` to ``update.valid`` with one pair.
    Throughput: one event of each kind per cycle.
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
    arrival : In(PacketSignature())
        The head of a packet has come. Not for those whose header may be wrong, nor for a second
        time.
    dropped : In(PacketSignature())
        It was dropped in the cycle of its arrival or later: its flits are not stored.
    released : In(VacatedSignature())
        One of its flits has left.
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
        The link is down: all is zero but the limits and the flits that are stored. What has come is
        not counted, its flits are. To be kept up until ``drained``: else what is stored looks like
        credits of which the sender knows nothing (it counts as ``excess`` there).
    update : Out(stream.Signature(UpdateLayout()))
        CF_Updates.
    healed : Out(credit_bits)
        Credits that a CC_Update has brought back.
    excess : Out(1)
        Event: a CC_Update tells of more than the limit, or names no channel; it was ignored.
    overrun : Out(1)
        Event: with an arrival, more was stored than the limit allows, or it names no channel.
    underrun : Out(1)
        Event: more flits left a channel than it had, or it does not exist; it has none then.
    drained : Out(1)
        Nothing is stored.

    Attributes
    ----------
    consumed_credits, stored, limits, reported : list of Signal
        State: of each channel. Proofs read them.
    came, went, left, heard : Signal(channels)
        State: channel of an arrival, drop, release or CC_Update of the last cycle, one-hot or zero.
    credits, flits_in, flits_out, told_consumed : Signal
        State: what those were of or told. Proofs read them.
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
        self.stored = [Signal(stored_bits, name=f"stored_{c}") for c in channels]
        self.limits = [Signal(credit_bits, name=f"limit_{c}") for c in channels]
        self.reported = [Signal(credit_bits, name=f"reported_{c}") for c in channels]
        self.came, self.went, self.left, self.heard = (
            Signal(config.channels, name=name) for name in ("came", "went", "left", "heard")
        )
        self.credits = Signal(range(credits_of(config.max_packet_bytes, config.credit_bytes) + 1))
        self.flits_in = Signal(range(config.max_packet_flits + 1))
        self.flits_out = Signal.like(self.flits_in)
        self.told_consumed = Signal(counter_bits)
        self.looking = Signal((config.channels + 1) // 2, init=1)
        self.freed = [Signal(credit_bits, name=f"freed_{lane}") for lane in range(2)]
        super().__init__(
            {
                "arrival": In(PacketSignature()),
                "dropped": In(PacketSignature()),
                "released": In(VacatedSignature()),
                "told": In(ConsumedSignature(counter_bits)),
                "limit": In(CreditLimitSignature(credit_bits)),
                "update_cycles": In(CREDIT_TIMER_BITS),
                "refresh_cycles": In(CREDIT_TIMER_BITS),
                "reset": In(1),
                "update": Out(stream.Signature(UpdateLayout(credit_bits))),
                "healed": Out(credit_bits),
                "excess": Out(1),
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
        def named(event, chosen):
            stray = Signal(name=f"{chosen.name}_stray")
            matches = Cat(event.channel == c for c in channels)
            m.d.sync += [
                chosen.eq(Mux(event.valid, matches, 0)),
                stray.eq(event.valid & ~matches.any()),
            ]
            return stray

        def flits_for(length):
            flits = (length + (config.flit_bytes - 1)) >> (config.flit_bytes - 1).bit_length()
            return Mux(exceeds(flits, config.max_packet_flits), config.max_packet_flits, flits)

        came, went, left, heard = self.came, self.went, self.left, self.heard
        credits, flits_in, flits_out = self.credits, self.flits_in, self.flits_out
        came_stray, went_stray = named(self.arrival, came), named(self.dropped, went)
        left_stray, heard_stray = named(self.released, left), named(self.told, heard)
        m.d.sync += [
            credits.eq(Mux(self.reset, 0, credits_for(config, self.arrival.length))),
            flits_in.eq(flits_for(self.arrival.length)),
            flits_out.eq(flits_for(self.dropped.length)),
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

        # And flits that are stored.
        width = len(stored[0])
        under, over = Signal(len(channels)), Signal(len(channels))
        for c in channels:
            change = Signal(signed(len(flits_in) + 2), name=f"change_{c}")
            total = Signal(signed(width + 2), name=f"total_{c}")
            m.d.comb += [
                change.eq(Mux(came[c], flits_in, 0) - Mux(went[c], flits_out, 0) - left[c]),
                total.eq(stored[c] + change),
                under[c].eq(total < 0),
                over[c].eq(~under[c] & total[width]),
            ]
            m.d.sync += stored[c].eq(Mux(under[c], 0, total[:width] | over[c].replicate(width)))
        counted, overflow = Signal.like(came), Signal()
        shift = width - self.credit_bits
        m.d.sync += [counted.eq(came), overflow.eq(over.any() | came_stray)]
        beyond = of_channel(stored, counted) > (of_channel(limits, counted) << shift)
        m.d.comb += [
            self.underrun.eq(under.any() | went_stray | left_stray),
            self.overrun.eq((counted.any() & beyond) | overflow),
        ]
        m.d.sync += self.drained.eq(~(Cat(stored).any() | came.any()))

        self.updates(m)
        return m

    def updates(self, m):
        """Look at one pair of channels after the other, and tell of those that have news."""
        channels, bits = self.config.channels, self.credit_bits
        pairs = range((channels + 1) // 2)

        def of_pair(values, lane: int, pair):
            mine = values[lane::2]
            return of_channel(mine, pair[: len(mine)]) if mine else C(0, len(values[0]))

        # First cycle: what is free.
        looking, pair = self.looking, Signal(len(pairs))
        m.d.sync += [looking.eq(looking.rotate_left(1)), pair.eq(Mux(self.reset, 0, looking))]
        freed = self.freed
        for lane in range(2):
            flits = of_pair(self.stored, lane, looking)
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
            m.d.sync += self.update.payload.type.eq(Control.CF_UPDATE)
            for lane, entry in enumerate(self.update.payload.entry):
                m.d.sync += [
                    entry.freed.eq(freed[lane]),
                    entry.channel.eq(Cat(C(lane, 1), encode(pair))),
                    entry.valid.eq(1 if channels % 2 == 0 or lane == 0 else ~pair[-1]),
                ]
        for c, reported in enumerate(self.reported):
            with m.If(sends & pair[c // 2]):
                m.d.sync += reported.eq(freed[c % 2])
        with m.If(self.reset):
            m.d.sync += [self.update.valid.eq(0), *(count.eq(0) for count in self.reported)]
