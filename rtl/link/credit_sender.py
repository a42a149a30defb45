"""Credit sender: packets that go only where the other end has room."""

from functools import reduce
from operator import or_

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from models.link.config import LinkConfig
from models.link.wire import (
    CREDIT_BITS,
    CREDIT_COUNTER_BITS,
    CREDIT_TIMER_BITS,
    FRAME_OVERHEAD_BYTES,
    MAX_CHANNELS,
    credits_of,
)
from rtl.comparison import exceeds
from rtl.link.frame import UpdateSignature
from rtl.packet import AxisLayout, HeaderLayout

__all__ = [
    "ConsumedLayout",
    "CreditLimitSignature",
    "CreditSender",
    "credits_for",
    "every",
    "of_channel",
]

CHANNEL = range(MAX_CHANNELS)


class CreditLimitSignature(wiring.Signature):
    """Set the limit of a channel: credits that it may have in use."""

    def __init__(self, credit_bits: int = CREDIT_BITS):
        super().__init__({"valid": Out(1), "channel": Out(CHANNEL), "limit": Out(credit_bits)})


class ConsumedLayout(data.StructLayout):
    """What a CC_Update says of one channel: its credits consumed since reset, cyclic."""

    def __init__(self, counter_bits: int = CREDIT_COUNTER_BITS):
        super().__init__({"channel": CHANNEL, "consumed": counter_bits})


def credits_for(config: LinkConfig, length):
    """Credits of a packet of ``length`` bytes; those of a largest one if it says more."""
    largest = credits_of(config.max_packet_bytes, config.credit_bytes)
    shift = (config.credit_bytes - 1).bit_length()
    credits = (length + (FRAME_OVERHEAD_BYTES + config.credit_bytes - 1)) >> shift
    return Mux(exceeds(credits, largest), largest, credits)[: largest.bit_length()]


def of_channel(values, chosen):
    """The one of ``values`` whose bit of ``chosen``, one-hot or zero, is set; else zero."""
    return reduce(or_, (Mux(bit, value, 0) for bit, value in zip(chosen, values, strict=True)))


def every(m: Module, cycles, name: str) -> Signal:
    """High in one of so many ``cycles``, never with 0; a change counts at once."""
    elapsed = Signal(CREDIT_TIMER_BITS, name=f"{name}_elapsed")
    due = Signal(name=f"{name}_due")
    m.d.comb += due.eq((elapsed + 1 >= cycles) & cycles.any())
    m.d.sync += elapsed.eq(Mux(due | ~cycles.any(), 0, elapsed + 1))
    return due


class CreditSender(wiring.Component):
    """Hold the head of a packet until its channel and the port have credits for all of it.

    A packet takes ``ceil((length + 16) / credit_bytes)`` credits, ``length`` being that of its
    header, at most ``max_packet_bytes``. Its head passes if the credits in use (consumed here less
    freed by the other end) and its own are within the limit of the channel, and the same for the
    port. All behind the head passes. Channels that are best effort, or that do not exist, are
    neither gated nor counted.

    Latency: 0 cycles from ``i`` to ``o`` (combinational, as nothing is stored) where there is
    room for a largest packet. Else the head is weighed, and passes in the cycle after the one in
    which its credits are there. From ``update``: 1 cycle for the channel, 2 for the port; so the
    port may count credits for one cycle longer. Throughput: 1 flit per cycle.
    Backpressure: ``i.ready`` is combinational in ``o.ready``, ``channel`` and the state. A head
    that was offered on ``o`` stays offered, whatever is programmed.

    Limits have 15 bits, as many as a CF_Update: so what is in use is told by them without doubt,
    and a value that would make it negative is known for wrong.
    Source: credit-based flow control of Ultra Ethernet 1.0, as SAI renders it.

    Parameters
    ----------
    config : LinkConfig
        Uses ``channels``, ``credit_bytes``, ``max_packet_bytes`` and ``flit_bytes``.
    counter_bits, credit_bits : int
        Bits of the counters, and of limits and updates; proofs take fewer.

    Members
    -------
    i : In(stream.Signature(AxisLayout))
        Packets.
    channel : In(5)
        Channel of the packet whose head is on ``i``; counts with the head.
    o : Out(stream.Signature(AxisLayout))
        The same packets.
    o_channel : Out(5)
        Channel of the packet on ``o``, with each of its flits.
    lossless : In(channels)
        Channels that are gated.
    permit : Out(channels)
        A packet of any size may pass, even one that is chosen now and will be offered behind
        ``PERMITTED_FLITS`` others. Who chooses only such packets is never held up, and no channel
        waits for another. Always set for best effort. Sums of registers, compared.
    waiting : In(channels)
        Upstream has a packet of the channel and does not offer it, for want of ``permit``; for the
        watchdog only.
    update : In(UpdateSignature())
        A CF_Update, of two channels. If both are the same one, only the second entry counts.
    limit : In(CreditLimitSignature())
        Set a limit, zero at first. It counts from the next cycle on, when it is lowered from the
        second one on; what is in use beyond it comes back first.
    port_limit : In(20)
        Credits that all channels together may have in use; a lower one counts one cycle later.
    report_cycles : In(24)
        Cycles between two reports on ``consumed``; 0 for none.
    watchdog_cycles : In(24)
        Cycles after which a packet that waits is reported; 0 for never.
    reset : In(1)
        All is zero but the limits, and no channel that is gated may begin a packet. A head that has
        been offered before stays so; if it passes in this cycle it does not count, nor does an
        update.
    consumed : Out(stream.Signature(ConsumedLayout()))
        For a CC_Update: credits consumed, of one channel after the other; it follows them while it
        waits: 2 cycles after the head that consumed them. To be sent behind all packets that had
        passed by then, and before others, and before half of all numbers are consumed: 64 MB, if a
        credit is 128 bytes. A report that is due while one is under way is left out.
    excess : Out(2)
        Event, of either entry of an update that counts: it was ignored, as it frees what was never
        used or names no channel. Combinational in ``update``.
    stalls : Out(channels)
        Event: a packet of the channel has waited for credits from one tick of the watchdog to the
        next, ``watchdog_cycles`` later; again at each tick.
    stalled : Out(channels)
        There was such an event since the last reset.

    Attributes
    ----------
    consumed_credits, used, limits : list of Signal
        State: of each channel. Proofs read them.
    port_used : Signal
        State: credits in use of all channels. Proofs read it.
    returned : Signal
        State: credits that came back in the last cycle. Proofs read it.
    starting, fits : Signal
        State: the next flit is a head; the head that waits may pass. Proofs read them.
    """

    def __init__(
        self,
        config: LinkConfig,
        counter_bits: int = CREDIT_COUNTER_BITS,
        credit_bits: int = CREDIT_BITS,
    ):
        largest = credits_of(config.max_packet_bytes, config.credit_bytes)
        if largest >= 1 << credit_bits:
            raise ValueError(
                f"credit_bytes must be larger than {config.credit_bytes}: a packet of "
                f"{config.max_packet_bytes} bytes takes {largest} credits, "
                f"a channel has {(1 << credit_bits) - 1}"
            )
        self.config, self.counter_bits, self.credit_bits = config, counter_bits, credit_bits
        channels, axis = config.channels, AxisLayout(config)
        self.consumed_credits = [
            Signal(counter_bits, name=f"consumed_credits_{c}") for c in range(channels)
        ]
        self.used = [Signal(credit_bits, name=f"used_{c}") for c in range(channels)]
        self.limits = [Signal(credit_bits, name=f"limit_{c}") for c in range(channels)]
        self.port_used = Signal(counter_bits)
        self.returned = Signal(range(2 << credit_bits))
        self.starting, self.fits = Signal(init=1), Signal()
        super().__init__(
            {
                "i": In(stream.Signature(axis)),
                "channel": In(CHANNEL),
                "lossless": In(channels),
                "waiting": In(channels),
                "update": In(UpdateSignature(credit_bits)),
                "limit": In(CreditLimitSignature(credit_bits)),
                "port_limit": In(counter_bits),
                "report_cycles": In(CREDIT_TIMER_BITS),
                "watchdog_cycles": In(CREDIT_TIMER_BITS),
                "reset": In(1),
                "o": Out(stream.Signature(axis)),
                "o_channel": Out(CHANNEL),
                "permit": Out(channels),
                "consumed": Out(stream.Signature(ConsumedLayout(counter_bits))),
                "excess": Out(2),
                "stalls": Out(channels),
                "stalled": Out(channels),
            }
        )

    def elaborate(self, platform):
        m = Module()
        channels = range(self.config.channels)
        used, consumed, limits = self.used, self.consumed_credits, self.limits

        # The head on `i`.
        starting, current = self.starting, Signal.like(self.channel)
        mine, header = Signal(len(channels)), Signal(HeaderLayout())
        m.d.comb += [
            mine.eq(Cat(self.channel == c for c in channels)),
            header.eq(self.i.payload.data[:64]),
        ]
        weighed = credits_for(self.config, header.length)
        credits = Signal(len(weighed))
        m.d.comb += credits.eq(weighed)

        # Whether it passes. `passes` is what a largest packet needs; for others, and where that is
        # too much, the sums are late in the cycle and the verdict waits for the next.
        largest = credits_of(self.config.max_packet_bytes, self.config.credit_bytes)
        passes = self.room(m, largest, "largest")
        permitted = self.room(m, self.config.permit_credits, "permitted")
        closed = Mux(self.reset, self.lossless, 0)
        m.d.comb += self.permit.eq(permitted & ~closed)
        fits_now, goes = Signal(), Signal()
        transfer, takes = Signal(), Signal()
        channel_room = of_channel(limits, mine) >= of_channel(used, mine) + credits
        m.d.comb += [
            fits_now.eq(channel_room & (self.port_used + credits <= self.port_limit)),
            goes.eq(~starting | ~(mine & (closed | ~passes)).any() | self.fits),
            self.i.ready.eq(self.o.ready & goes),
            self.o.valid.eq(self.i.valid & goes),
            self.o.payload.eq(self.i.payload),
            self.o_channel.eq(Mux(starting, self.channel, current)),
            transfer.eq(self.i.valid & self.i.ready),
            takes.eq(transfer & starting & (mine & self.lossless).any()),
        ]
        m.d.sync += self.fits.eq(
            self.i.valid & starting & ~transfer & (goes | (fits_now & ~self.reset))
        )
        with m.If(transfer):
            m.d.sync += [starting.eq(self.i.payload.last), current.eq(self.o_channel)]

        # What comes back. In use is what was consumed less what was freed: as many bits as an
        # update has tell it, and it can only become less.
        counts, right, rest, returns = Signal(2), Signal(2), [], []
        update = self.update
        valid = update.valid & ~self.reset
        m.d.comb += counts.eq(Cat(valid & (update.channel[0] != update.channel[1]), valid))
        for n, (channel, freed) in enumerate(zip(update.channel, update.freed, strict=True)):
            named = Signal(len(channels), name=f"named_{n}")
            left, before = (Signal.like(used[0], name=f"{name}_{n}") for name in ("left", "before"))
            m.d.comb += [
                named.eq(Cat(channel == c for c in channels)),
                left.eq(of_channel(consumed, named) - freed),
                before.eq(of_channel(used, named)),
                right[n].eq(counts[n] & named.any() & (left <= before)),
            ]
            rest.append((named, left))
            returns.append(before - left)
        m.d.comb += self.excess.eq(counts & ~right)
        returned = self.returned
        m.d.sync += [
            returned.eq(Mux(right[0], returns[0], 0) + Mux(right[1], returns[1], 0)),
            self.port_used.eq(self.port_used + Mux(takes, credits, 0) - returned),
        ]
        for c in channels:
            remains = used[c]
            for n, (named, left) in enumerate(rest):
                remains = Mux(right[n] & named[c], left, remains)
            more = Mux(takes & mine[c], credits, 0)
            m.d.sync += [used[c].eq(remains + more), consumed[c].eq(consumed[c] + more)]
            with m.If(self.limit.valid & (self.limit.channel == c)):
                m.d.sync += limits[c].eq(self.limit.limit)

        self.watchdog(m, mine, goes, takes)
        self.report(m)
        with m.If(self.reset):
            m.d.sync += [count.eq(0) for count in [*used, *consumed, self.port_used, returned]]
            m.d.sync += self.consumed.valid.eq(0)
        return m

    def room(self, m, credits, name):
        """Channels that have so many ``credits``, or need none."""
        port = Signal(name=f"port_{name}")
        m.d.comb += port.eq(self.port_used + credits <= self.port_limit)
        return Cat(
            ~lossless | (port & (used + credits <= limit))
            for lossless, used, limit in zip(self.lossless, self.used, self.limits, strict=True)
        )

    def watchdog(self, m, mine, goes, takes):
        """Tell of packets that wait from one tick to the next."""
        tick = every(m, self.watchdog_cycles, "watchdog")
        starved, waited, late = (
            Signal(self.config.channels, name=name) for name in ("starved", "waited", "late")
        )
        held = self.i.valid & ~goes  # a head, as all else goes
        m.d.comb += [
            starved.eq(
                (self.lossless & self.waiting & ~self.permit & ~Mux(takes, mine, 0))
                | Mux(held, mine, 0)
            ),
            late.eq(starved & waited & tick.replicate(len(waited))),
        ]
        m.d.sync += [
            waited.eq(starved & (waited | tick.replicate(len(waited)))),
            self.stalls.eq(late),
            self.stalled.eq(self.stalled | late),
        ]
        with m.If(self.reset):
            m.d.sync += Cat(waited, self.stalls, self.stalled).eq(0)

    def report(self, m):
        """Put all channels on ``consumed``, one after the other, as often as is asked for."""
        due = every(m, self.report_cycles, "report")
        o, channels = self.consumed, range(self.config.channels)
        following = Signal.like(self.channel)
        load = Signal()
        m.d.comb += [
            following.eq(Mux(o.valid, o.payload.channel + 1, 0)),
            load.eq(Mux(o.valid, o.ready, due)),
        ]
        with m.If(load):
            m.d.sync += [
                o.valid.eq(~o.valid | (o.payload.channel != channels[-1])),
                o.payload.channel.eq(following),
            ]
        shown = Signal.like(following)
        m.d.comb += shown.eq(Mux(load, following, o.payload.channel))
        chosen = [shown == c for c in channels]
        m.d.sync += o.payload.consumed.eq(of_channel(self.consumed_credits, chosen))
