"""Receiver of link-level retry: which frames are delivered, and what is said of them."""

from enum import IntEnum

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from models.link.config import LinkConfig, ReceiverState
from models.link.wire import SEQUENCE_BITS
from rtl.link.frame import (
    DeliveredLayout,
    InitLayout,
    InitSignature,
    ReceivedSignature,
    SequenceLayout,
)

__all__ = ["Kind", "RetryReceiver"]


class Kind(IntEnum):
    """What a frame is to the receiver, as its first flit comes."""

    UNNUMBERED = 0
    UNTRUSTED = 1  # the header check is wrong: whatever it was is lost
    EXPECTED = 2
    AHEAD = 3  # one before it was lost; or there was no INIT yet
    BEHIND = 4  # has been received before


EVENTS = (
    "rx_ok",
    "rx_poisoned",
    "rx_bad",
    "rx_expected_seq_good",
    "rx_expected_seq_poisoned",
    "rx_expected_seq_bad",
    "rx_missing_seq",
    "rx_duplicate_seq",
    "rx_replay",
    "rx_init",
    "rx_overrun",
    "tx_ack",
    "tx_nack",
    "tx_init_echo",
)


class RetryReceiver(wiring.Component):
    """Deliver the frames of a link once each and in order; ask for those that were lost.

    A frame passes if its header check is right and its number is the expected one, or it has none.
    It is judged as its last flit comes: it is wrong if ``bad``, if the header check is wrong, or if
    a flit of it found no room. An expected frame that is not wrong is received, poisoned or not.
    If an expected one is wrong, one is ahead of it, or the header check is wrong, a NACK goes out,
    one only, and then no ACK until the expected frame has come; if that is wrong again, so is it
    with a new NACK. A duplicate is answered with an ACK in NACK_SENT, too: it tells that the NACK
    was lost, and perhaps nothing is missing. An INIT sets the expected number from the next cycle
    on; a frame in the midst of which it comes passes as if it had none.

    Latency: 1 cycle from ``i`` to ``o``; 1 from a last flit to ``nack`` or the ACK of a duplicate;
    ``ack_cycles`` to ``ack`` from the first frame received after an ACK: in these the line brings
    ``ack_bytes``. 1 from ``init`` to ``init_echo``. Throughput: 1 flit per cycle.
    Backpressure: none on ``i``. Two flits wait for ``o``; if one finds no room, that before it
    becomes the last of its packet, with an error, and the frame is wrong; the first flit of a frame
    goes without a trace. An expected frame is then asked for again.
    Source: Ultra Ethernet 1.0, link-level retry, as docs/link.md renders it.

    Parameters
    ----------
    config : LinkConfig
        Uses the flit size and ``ack_cycles``.
    sequence_bits : int
        Bits of a number that count; a proof does with few.

    Members
    -------
    i : In(ReceivedSignature)
        Flits of frames, each first followed by its last.
    o : Out(stream.Signature(DeliveredLayout))
        Packets. ``user`` is 1 with the last flit of one that is poisoned or wrong, else 0. A wrong
        copy (``broken``) has been given away by then, and what is delivered comes later.
    enable : In(1)
        Retry is wanted; else the state is OFF, where no numbered frame passes.
    init : In(InitSignature)
        An INIT has come; counts with ``enable`` only.
    init_echo : Out(stream.Signature(InitLayout))
        The answer to the last INIT.
    ack, nack : Out(stream.Signature(SequenceLayout))
        The last number received. While they wait, the number of ``ack`` may advance, and both may
        be withdrawn: a NACK takes the place of an ACK, what was asked for has come, an INIT. The
        same goes for ``init_echo``, which a later INIT changes.
    state : Out(ReceiverState)
        State.
    rx_ok, rx_poisoned, rx_bad : Out(1)
        A frame of any kind has ended: good, poisoned, or wrong. All events are pulses in the cycle
        after what they tell of.
    rx_expected_seq_good, rx_expected_seq_poisoned, rx_expected_seq_bad : Out(1)
        It had the expected number.
    rx_missing_seq : Out(1)
        Its number lies ahead, or it has one though the state is OFF.
    rx_duplicate_seq : Out(1)
        Its number lies behind.
    rx_replay : Out(1)
        The frame has come that was asked for.
    rx_init : Out(1)
        An INIT has come that counts.
    rx_overrun : Out(1)
        A flit found no room.
    tx_ack, tx_nack, tx_init_echo : Out(1)
        The word was taken.

    Attributes
    ----------
    expected : Signal(20)
        State: the next number. Proofs read it.
    under_way : Signal(Kind)
        State: what the frame is whose first flit came last. Proofs read it.
    waits : Signal(1)
        State: ``waiting`` is the flit behind that on ``o``. Proofs read it.
    """

    def __init__(self, config: LinkConfig, *, sequence_bits: int = SEQUENCE_BITS):
        self.config = config
        self.expected = Signal(sequence_bits)
        self.under_way = Signal(Kind)
        self.waiting, self.waits = Signal(DeliveredLayout(config), reset_less=True), Signal()
        super().__init__(
            {
                "i": In(ReceivedSignature(config)),
                "o": Out(stream.Signature(DeliveredLayout(config))),
                "enable": In(1),
                "init": In(InitSignature()),
                "init_echo": Out(stream.Signature(InitLayout())),
                "ack": Out(stream.Signature(SequenceLayout())),
                "nack": Out(stream.Signature(SequenceLayout())),
                "state": Out(ReceiverState),
                **dict.fromkeys(EVENTS, Out(1)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        flit, valid, state = self.i.payload, self.i.valid, self.state
        starts, stops = Signal(), Signal()  # the number that is expected comes from an INIT; OFF
        m.d.comb += [
            starts.eq(self.enable & self.init.valid),
            stops.eq(~self.enable & (state != ReceiverState.OFF)),
        ]

        # What the frame is: told by its first flit.
        kind, passes = Signal(Kind), Signal()
        under_way, passing, failed = self.under_way, Signal(), Signal()
        distance = Signal.like(self.expected)
        m.d.comb += distance.eq(flit.sequence - self.expected)
        with m.If(~flit.first):
            m.d.comb += [kind.eq(under_way), passes.eq(passing)]
        with m.Elif(~flit.check):
            m.d.comb += kind.eq(Kind.UNTRUSTED)
        with m.Elif(~flit.llr):
            m.d.comb += [kind.eq(Kind.UNNUMBERED), passes.eq(1)]
        with m.Elif(state == ReceiverState.OFF):
            m.d.comb += kind.eq(Kind.AHEAD)
        with m.Elif(distance == 0):
            m.d.comb += [kind.eq(Kind.EXPECTED), passes.eq(1)]
        with m.Else():
            m.d.comb += kind.eq(Mux(distance[-1], Kind.BEHIND, Kind.AHEAD))

        overrun = self.store(m, passes)
        fails, wrong, ends = Signal(), Signal(), Signal()
        m.d.comb += [
            fails.eq(overrun | (failed & ~flit.first)),
            wrong.eq(flit.bad | ~flit.check | fails),
            ends.eq(valid & flit.last),
        ]
        with m.If(valid):
            m.d.sync += [
                under_way.eq(kind),
                passing.eq(passes & ~overrun & ~flit.last),
                failed.eq(fails),
            ]
        with m.If(starts | stops):  # what is under way counts no more
            m.d.sync += under_way.eq(Kind.UNNUMBERED)

        # Judgement.
        expected, received = Signal(), Signal()
        lost, duplicate = Signal(), Signal()
        m.d.comb += [
            expected.eq(ends & (kind == Kind.EXPECTED)),
            received.eq(expected & ~wrong),
            lost.eq(ends & ((kind == Kind.AHEAD) | (kind == Kind.UNTRUSTED))),
            duplicate.eq(ends & (kind == Kind.BEHIND)),
        ]
        asks = Signal()  # a NACK becomes due
        m.d.comb += asks.eq(
            (expected & wrong & (state != ReceiverState.SEND_NACK))
            | (lost & (state == ReceiverState.SEND_ACKS))
        )
        good = Signal.like(self.expected)
        with m.If(received):
            m.d.sync += [good.eq(self.expected), self.expected.eq(self.expected + 1)]
        with m.If(stops):
            m.d.sync += state.eq(ReceiverState.OFF)
        with m.Elif(starts):
            m.d.sync += [
                state.eq(ReceiverState.SEND_ACKS),
                good.eq(self.init.sequence - 1),
                self.expected.eq(self.init.sequence),
            ]
        with m.Elif(received):
            m.d.sync += state.eq(ReceiverState.SEND_ACKS)
        with m.Elif(asks):
            m.d.sync += state.eq(ReceiverState.SEND_NACK)
        with m.Elif(self.nack.valid & self.nack.ready):
            m.d.sync += state.eq(ReceiverState.NACK_SENT)

        self.answer(m, received, duplicate, asks, starts, stops)
        m.d.comb += [
            self.nack.valid.eq(state == ReceiverState.SEND_NACK),
            self.nack.payload.sequence.eq(good),
            self.ack.payload.sequence.eq(good),
        ]

        poisoned = flit.poison & ~wrong
        m.d.sync += [
            self.rx_ok.eq(ends & ~wrong & ~flit.poison),
            self.rx_poisoned.eq(ends & poisoned),
            self.rx_bad.eq(ends & wrong),
            self.rx_expected_seq_good.eq(received & ~flit.poison),
            self.rx_expected_seq_poisoned.eq(received & flit.poison),
            self.rx_expected_seq_bad.eq(expected & wrong),
            self.rx_missing_seq.eq(ends & (kind == Kind.AHEAD)),
            self.rx_duplicate_seq.eq(duplicate),
            self.rx_replay.eq(received & (state != ReceiverState.SEND_ACKS)),
            self.rx_init.eq(starts),
            self.rx_overrun.eq(overrun),
            self.tx_ack.eq(self.ack.valid & self.ack.ready),
            self.tx_nack.eq(self.nack.valid & self.nack.ready),
            self.tx_init_echo.eq(self.init_echo.valid & self.init_echo.ready),
        ]
        return m

    def store(self, m, passes):
        """Two flits wait for ``o``; whether one that passes finds no room."""
        flit, o = self.i.payload, self.o
        waiting, waits = self.waiting, self.waits
        entry, put, overrun = Signal.like(o.payload), Signal(), Signal()
        full = waits & ~o.ready
        m.d.comb += [
            put.eq(self.i.valid & passes & ~full),
            overrun.eq(self.i.valid & passes & full),
            entry.data.eq(flit.data),
            entry.keep.eq(Cat(flit.count >= n for n in range(self.config.flit_bytes))),
            entry.last.eq(flit.last),
            entry.user.eq(flit.last & (flit.bad | flit.poison)),
            entry.channel.eq(flit.channel),
            entry.broken.eq(flit.last & flit.bad),
        ]
        with m.If(~o.valid | o.ready):
            m.d.sync += [
                o.valid.eq(waits | put),
                o.payload.eq(Mux(waits, waiting, entry)),
                waits.eq(waits & put),
            ]
        with m.Elif(put):
            m.d.sync += waits.eq(1)
        with m.If(put):
            m.d.sync += waiting.eq(entry)
        with m.If(overrun & ~flit.first):  # what waits is the flit before
            m.d.sync += [waiting.last.eq(1), waiting.user.eq(1), waiting.broken.eq(1)]
        return overrun

    def answer(self, m, received, duplicate, asks, starts, stops):
        """When an ACK is due, and the echo."""
        cycles = self.config.ack_cycles
        age = Signal(range(cycles + 1))  # of the oldest frame that waits for its ACK
        repeat = Signal()  # there was a duplicate
        m.d.comb += self.ack.valid.eq(repeat | (age == cycles))
        with m.If(self.ack.valid & self.ack.ready):
            m.d.sync += [repeat.eq(0), age.eq(received)]
        with m.Elif((age != cycles) & (received | (age != 0))):
            m.d.sync += age.eq(age + 1)
        with m.If(duplicate & (self.state != ReceiverState.SEND_NACK)):
            m.d.sync += repeat.eq(1)
        with m.If(asks | starts | stops):
            m.d.sync += [repeat.eq(0), age.eq(0)]

        echo = self.init_echo
        with m.If(echo.ready):
            m.d.sync += echo.valid.eq(0)
        with m.If(stops):
            m.d.sync += echo.valid.eq(0)
        with m.If(starts):
            m.d.sync += [
                echo.valid.eq(1),
                echo.payload.sequence.eq(self.init.sequence),
                echo.payload.value.eq(self.init.value),
            ]
