"""Sender of link-level retry: numbers packets, keeps them until acknowledged, and repeats them."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from models.link.config import DownPolicy, LinkConfig, SenderState
from models.link.wire import FRAME_CHANNEL_BITS, SEQUENCE_BITS
from rtl.link.frame import AckSignature, FrameLayout, InitLayout, InitSignature
from rtl.packet import AxisLayout

__all__ = ["RetrySender"]


EVENTS = (
    "tx_init",
    "tx_ok",
    "tx_poisoned",
    "tx_discard",
    "tx_replay",
    "rx_init_echo",
    "rx_ack",
    "rx_nack",
    "rx_ack_nack_seq_error",
    "flushed",
)


class RetrySender(wiring.Component):
    """Send packets as numbered frames, keep them until acknowledged, repeat them if asked to.

    Go-back-N. A packet begins in ADVANCE if there is room for a largest one and a free number of
    the window. An ACK frees the frames up to its number; a NACK does, and what is left is repeated
    (REPLAY), as it is after ``replay_timer_cycles`` without progress in ADVANCE. Progress is that
    frames are freed. A frame under way is never cut nor interleaved: what follows from a word or a
    timer, follows when it has ended; a NACK may ask for that very frame. Frames that are
    acknowledged in the midst of a replay are skipped from the next frame on.

    All that is kept is given up (``flushed``, then FLUSH) after ``replay_count_max`` replays in a
    row without progress; after ``data_age_cycles`` without progress while something was kept; if
    the PCS was down for ``pcs_lost_cycles``; without ``enable``; and with ``reconfigure``, which
    first lets everything be acknowledged. From FLUSH it goes to INIT, unless ``reconfigure`` holds
    it there. INIT is sent, and sent again after ``replay_timer_cycles``, until an INIT_ECHO has
    the sequence number and the value of it; the value is another each time. Numbers go on.

    Latency: 1 cycle from ``i`` to ``o``; 2 from ``ack`` and ``nack`` to what follows from them;
    1 from ``init_echo`` to ADVANCE. Throughput: 1 flit per cycle, in REPLAY too; at most 2 cycles
    are lost where a replay begins, or skips frames, and 2 where it ends.
    Backpressure: ``i.ready`` is combinational in ``o.ready``, ``enable``, ``policy`` and
    ``reconfigure``. If ``i`` pauses in the midst of a packet, ``o`` does.
    Source: Ultra Ethernet 1.0, link-level retry, as docs/link.md renders it.

    Parameters
    ----------
    config : LinkConfig
        Uses the flit size, ``max_packet_flits``, ``replay``, ``window`` and the timers.
    sequence_bits : int
        Bits of a number that count; a proof does with few.

    Members
    -------
    i : In(stream.Signature(AxisLayout))
        Packets of at most ``max_packet_flits``; ``user[0]`` with ``last`` is one that is broken.
    channel : In(6)
        Virtual channel of the packet whose first flit ``i`` offers.
    enable : In(1)
        Retry is wanted; else the state becomes OFF, where packets go without numbers.
    pcs_up : In(1)
        The PCS has a link.
    policy : In(DownPolicy)
        What becomes of packets that begin in INIT or FLUSH.
    reconfigure : In(1)
        Begin no packet; be in FLUSH when all is acknowledged, and stay there while it is high. From
        then to ADVANCE packets wait, whatever ``policy`` says: no packet that was taken is lost.
    ack, nack : In(AckSignature)
        An ACK or NACK has come; of both in one cycle, the ACK is only counted.
    init_echo : In(InitSignature)
        An INIT_ECHO has come.
    o : Out(stream.Signature(FrameLayout))
        Frames. ``sequence`` means nothing without ``llr``.
    init : Out(stream.Signature(InitLayout))
        INIT to send; withdrawn if the echo comes, or without ``enable``.
    state : Out(SenderState)
        State.
    idle : Out(1)
        Nothing is kept, and nothing of a packet is under way in here.
    tx_init : Out(1)
        An INIT was taken. All events are pulses in the cycle after what they tell of.
    tx_ok, tx_poisoned : Out(1)
        The last flit of a packet was taken to be sent, unbroken or broken.
    tx_discard : Out(1)
        The last flit of a packet was taken and discarded.
    tx_replay : Out(1)
        A replay begins.
    rx_init_echo, rx_ack, rx_nack : Out(1)
        A word has come, right or wrong.
    rx_ack_nack_seq_error : Out(1)
        It was an ACK or NACK, in ADVANCE or REPLAY, of a frame that is not kept nor the last that
        was freed; it had no effect. One cycle later than the others.
    flushed : Out(1)
        What was kept is given up.
    lost : Out(range(window + 1))
        With ``flushed``: frames that were given up and may be lost; else 0.

    Attributes
    ----------
    oldest, next : Signal(20)
        State: numbers of the oldest frame that is kept, and of the next that begins. Proofs read
        them and other state.
    """

    def __init__(self, config: LinkConfig, *, sequence_bits: int = SEQUENCE_BITS):
        self.config = config
        # A place in the replay memory; the lap tells a full one from an empty one.
        self.place = data.StructLayout({"address": range(config.replay), "lap": 1})
        self.head, self.tail = Signal(self.place), Signal(self.place)
        first = config.first_sequence
        self.oldest = Signal(sequence_bits, init=first)
        self.next = Signal(sequence_bits, init=first)
        self.in_frame, self.plain, self.discarded = Signal(), Signal(), Signal()
        # Frames of a replay to be read yet; the number of the first of them.
        self.left, self.number = Signal(range(config.window + 1)), Signal(sequence_bits)
        # Where the next flit of it is read from; the memory shows the one before.
        self.reading, self.fetched = Signal(self.place), Signal()
        # A word from the partner, to be carried out.
        self.came, self.word = Signal(), Signal(sequence_bits)

        frame = FrameLayout(config)
        kept = {name: frame[name].shape for name in ("data", "count", "last", "poison", "channel")}
        self.memory = Memory(shape=data.StructLayout(kept), depth=config.replay, init=[])
        self.write, self.read = self.memory.write_port(), self.memory.read_port()
        # Where the frame behind each frame begins.
        self.table = table = Memory(shape=self.place, depth=config.window, init=[])
        self.ends = ends = table.write_port()
        self.end = table.read_port(transparent_for=[ends])
        super().__init__(
            {
                "i": In(stream.Signature(AxisLayout(config))),
                "channel": In(FRAME_CHANNEL_BITS),
                "enable": In(1),
                "pcs_up": In(1),
                "policy": In(DownPolicy),
                "reconfigure": In(1),
                "ack": In(AckSignature()),
                "nack": In(AckSignature()),
                "init_echo": In(InitSignature()),
                "o": Out(stream.Signature(FrameLayout(config))),
                "init": Out(stream.Signature(InitLayout())),
                "state": Out(SenderState),
                "idle": Out(1),
                **dict.fromkeys(EVENTS, Out(1)),
                "lost": Out(range(config.window + 1)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        config, i, o, state = self.config, self.i, self.o, self.state
        head, tail, oldest, in_frame = self.head, self.tail, self.oldest, self.in_frame
        advance, replay = Signal(), Signal()
        kept = Signal(range(config.window + 1))  # frames, complete ones
        empty, full = Signal(), Signal()
        m.d.comb += [
            advance.eq(state == SenderState.ADVANCE),
            replay.eq(state == SenderState.REPLAY),
            kept.eq((self.next - oldest)[: len(kept)]),
            empty.eq(kept == 0),
            full.eq(kept[-1]),
            self.idle.eq(empty & ~in_frame & ~replay & ~o.valid),
        ]

        # Decisions, made between frames.
        nacked, replays = Signal(), Signal(range(config.replay_count_max + 1))
        progress = Signal()
        expired, given_up = self.timers(m, progress, empty)
        repeats, flushes, between = Signal(), Signal(), Signal()
        gives_up, starts = Signal(), Signal()
        m.d.comb += [
            repeats.eq((nacked | (advance & expired)) & ~empty),
            flushes.eq(
                ~self.enable
                | given_up
                | (self.reconfigure & empty)
                | (repeats & (replays == config.replay_count_max))
            ),
            between.eq((advance | replay) & ~in_frame),
            gives_up.eq(between & flushes),
            starts.eq(between & ~flushes & repeats),
        ]

        # New packets.
        room = Signal(init=1)  # for a largest packet
        held, rests = Signal(), Signal()
        begins_numbered, begins_plain, begins_discarded = Signal(), Signal(), Signal()
        plain, discarded = self.plain, self.discarded  # the packet under way
        channel = Signal.like(self.channel)
        is_plain, is_discarded = Signal(), Signal()
        free, take, send, numbered = Signal(), Signal(), Signal(), Signal()
        waits = (state == SenderState.INIT) | (state == SenderState.FLUSH)
        m.d.sync += held.eq(self.reconfigure | (held & waits))
        m.d.comb += [
            rests.eq(waits & ~self.reconfigure & ~held),
            begins_numbered.eq(
                advance & room & ~full & ~self.reconfigure & ~repeats & ~flushes & ~in_frame
            ),
            begins_plain.eq(
                (state == SenderState.OFF) | (rests & (self.policy == DownPolicy.BEST_EFFORT))
            ),
            begins_discarded.eq(rests & (self.policy == DownPolicy.DISCARD)),
            is_plain.eq(Mux(in_frame, plain, begins_plain)),
            is_discarded.eq(Mux(in_frame, discarded, begins_discarded)),
            free.eq(~o.valid | o.ready),
            i.ready.eq(
                ~replay & (is_discarded | (free & (in_frame | begins_plain | begins_numbered)))
            ),
            take.eq(i.valid & i.ready),
            send.eq(take & ~is_discarded),
            numbered.eq(send & ~is_plain),
        ]
        with m.If(take):
            m.d.sync += [
                in_frame.eq(~i.payload.last),
                plain.eq(is_plain),
                discarded.eq(is_discarded),
            ]
            with m.If(~in_frame):
                m.d.sync += channel.eq(self.channel)

        # What they become; numbered ones are kept.
        flit, again = Signal(FrameLayout(config)), Signal(FrameLayout(config))
        keep = i.payload.keep
        tops = [keep[n] & ~keep[n + 1] for n in range(len(keep) - 1)] + [keep[-1]]
        m.d.comb += [
            flit.data.eq(i.payload.data),
            *(
                flit.count[bit].eq(Cat(top for n, top in enumerate(tops) if n >> bit & 1).any())
                for bit in range(len(flit.count))
            ),
            flit.last.eq(i.payload.last),
            flit.poison.eq(i.payload.last & i.payload.user[0]),
            flit.llr.eq(~is_plain),
            flit.sequence.eq(self.next),
            flit.channel.eq(Mux(in_frame, channel, self.channel)),
        ]
        m.submodules.memory = self.memory
        write, read = self.write, self.read
        fields = [name for name, _ in write.data.shape()]
        after = Signal(self.place)
        m.d.comb += [
            write.en.eq(numbered),
            write.addr.eq(head.address),
            *(write.data[name].eq(flit[name]) for name in fields),
            *(again[name].eq(read.data[name]) for name in fields),
            after.eq(self.following(head)),
        ]
        used = Signal(range(config.replay + 1))
        spare = config.replay - config.max_packet_flits
        m.d.comb += used.eq(
            head.address + Mux(head.lap ^ tail.lap, config.replay, 0) - tail.address
        )
        m.d.sync += room.eq(Mux(numbered, used < spare, used <= spare))
        with m.If(numbered):
            m.d.sync += head.eq(after)
            with m.If(i.payload.last):
                m.d.sync += self.next.eq(self.next + 1)

        # Repeat.
        left, number, reading, fetched = self.left, self.number, self.reading, self.fetched
        load, behind = Signal(), Signal()
        m.d.comb += [
            behind.eq(~in_frame & (left > kept)),  # an ACK has overtaken it
            load.eq(
                replay & fetched & free & (in_frame | ((left != 0) & ~behind & ~repeats & ~flushes))
            ),
            again.llr.eq(1),
            again.sequence.eq(number),
            read.addr.eq(reading.address),
            read.en.eq(replay & (~fetched | load)),
        ]
        with m.If(read.en):
            m.d.sync += [fetched.eq(1), reading.eq(self.following(reading))]
        with m.If(load):
            m.d.sync += in_frame.eq(~again.last)
            with m.If(again.last):
                m.d.sync += [number.eq(number + 1), left.eq(left - 1)]
        with m.If(starts | (replay & behind)):
            m.d.sync += [
                reading.eq(tail),
                number.eq(oldest),
                left.eq(kept),
                fetched.eq(0),
            ]

        with m.If(free):
            m.d.sync += [o.valid.eq(send | load), o.payload.eq(Mux(replay, again, flit))]

        # States.
        asked, value = Signal(), Signal(16)
        right = (self.init_echo.sequence == self.next) & (self.init_echo.value == value)
        m.d.comb += [
            self.init.valid.eq((state == SenderState.INIT) & ~asked),
            self.init.payload.sequence.eq(self.next),
            self.init.payload.value.eq(value),
        ]
        with m.Switch(state):
            with m.Case(SenderState.OFF, SenderState.FLUSH):
                with m.If(~self.enable):
                    m.d.sync += state.eq(SenderState.OFF)
                with m.Elif((state == SenderState.OFF) | ~self.reconfigure):
                    m.d.sync += [
                        state.eq(SenderState.INIT),
                        value.eq(value + 1),
                        asked.eq(0),
                    ]
            with m.Case(SenderState.INIT):
                with m.If(~self.enable):
                    m.d.sync += state.eq(SenderState.OFF)
                with m.Elif(self.init_echo.valid & right):
                    m.d.sync += state.eq(SenderState.ADVANCE)
                with m.Elif(self.init.valid):
                    m.d.sync += asked.eq(self.init.ready)
                with m.Elif(expired):
                    m.d.sync += asked.eq(0)
            with m.Default():
                with m.If(gives_up):
                    m.d.sync += state.eq(SenderState.FLUSH)
                with m.Elif(starts):
                    m.d.sync += state.eq(SenderState.REPLAY)
                with m.Elif(between & ((left == 0) | empty)):
                    m.d.sync += state.eq(SenderState.ADVANCE)

        # Words from the partner: looked up in one cycle, carried out in the next.
        bits = len(kept) - 1
        m.submodules.table = self.table
        ends, end = self.ends, self.end
        came, is_nack, word = self.came, Signal(), self.word
        said, distance = Signal.like(word), Signal.like(word)
        known, latest, applies, missed = Signal(), Signal(), Signal(), Signal()
        numbering = Signal()  # a frame is under way that is kept as it goes out
        m.d.comb += [
            ends.en.eq(numbered & flit.last),
            ends.addr.eq(self.next[:bits]),
            ends.data.eq(after),
            said.eq(Mux(self.nack.valid, self.nack.sequence, self.ack.sequence)),
            end.addr.eq(said[:bits]),
            distance.eq(word - oldest),
            known.eq(distance < kept),
            latest.eq(distance.all()),
            applies.eq(came & (advance | replay) & ~gives_up),
            progress.eq(applies & known),
            numbering.eq(advance & in_frame & ~plain & ~discarded),
            missed.eq(
                (known & (numbering | (distance[: len(kept)] + 1 != kept)))
                | (latest & (numbering | ~empty))
            ),
        ]
        m.d.sync += [
            came.eq(self.ack.valid | self.nack.valid),
            is_nack.eq(self.nack.valid),
            word.eq(said),
            self.rx_ack_nack_seq_error.eq(applies & ~known & ~latest),
        ]
        with m.If(starts | (empty & ~numbering)):
            m.d.sync += nacked.eq(0)
        with m.If(applies & is_nack & missed):
            m.d.sync += nacked.eq(1)
        with m.If(starts):
            m.d.sync += replays.eq(replays + 1)
        with m.If(progress):
            m.d.sync += [oldest.eq(word + 1), tail.eq(end.data), replays.eq(0)]
        with m.If(gives_up):
            m.d.sync += [oldest.eq(self.next), tail.eq(head), replays.eq(0)]

        m.d.sync += [
            self.tx_init.eq(self.init.valid & self.init.ready),
            self.tx_ok.eq(send & flit.last & ~flit.poison),
            self.tx_poisoned.eq(send & flit.poison),
            self.tx_discard.eq(take & is_discarded & flit.last),
            self.tx_replay.eq(starts),
            self.rx_init_echo.eq(self.init_echo.valid),
            self.rx_ack.eq(self.ack.valid),
            self.rx_nack.eq(self.nack.valid),
            self.flushed.eq(gives_up),
            self.lost.eq(Mux(gives_up, kept, 0)),
        ]
        return m

    def following(self, place):
        """The place behind ``place``."""
        after = Signal(self.place)
        wraps = place.address == self.config.replay - 1
        return Mux(
            wraps,
            (~place.lap) << len(after.address),
            place.as_value() + 1,
        )

    def timers(self, m, progress, empty):
        """Whether the replay timer, or that of INIT, has expired; and one of those of FLUSH."""
        config, state = self.config, self.state
        advance, replay = state == SenderState.ADVANCE, state == SenderState.REPLAY
        waits = ~empty & ~progress
        timer = Signal(range(config.replay_timer_cycles + 1))
        age = Signal(range(config.data_age_cycles + 1))
        down = Signal(range(config.pcs_lost_cycles + 1))
        for count, runs, cycles in (
            (timer, (advance & waits) | (state == SenderState.INIT), config.replay_timer_cycles),
            (age, (advance | replay) & waits, config.data_age_cycles),
            (down, ~self.pcs_up, config.pcs_lost_cycles),
        ):
            with m.If(~runs):
                m.d.sync += count.eq(0)
            with m.Elif(count != cycles):
                m.d.sync += count.eq(count + 1)
        with m.If(self.init.valid):
            m.d.sync += timer.eq(0)
        expired = timer == config.replay_timer_cycles
        return expired, (age == config.data_age_cycles) | (down == config.pcs_lost_cycles)
