"""Framer: flits of packets become frames on the line."""

from amaranth import Cat, Const, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from models.link.config import LinkConfig
from models.link.wire import (
    CHECK_BITS,
    CHECK_POLYNOMIAL,
    FCS_POLYNOMIAL,
    FILLER,
    FRAME_SFD,
    IDLE,
    IN_FRAME_BYTES,
    LLR_SFD,
    ORDERED_SET,
    START,
    TERMINATE,
    Control,
)
from rtl.link.crc import after_zeros, header_check, remainder
from rtl.link.frame import ControlLayout, FrameLayout, WordsLayout
from rtl.link.shifter import shift_up

__all__ = ["Framer"]

WORD_BITS = 72  # 64 of data, then 8 of control
IDLES = int.from_bytes([*8 * [IDLE], 0xFF], "little")
FILL_CHECK = after_zeros(0xFF, 48, CHECK_POLYNOMIAL, CHECK_BITS)  # Control.FILL is zero, too
FILLS = int.from_bytes([ORDERED_SET, Control.FILL, *5 * [0], FILL_CHECK, 1], "little")


class Framer(wiring.Component):
    """Make frames of packets, and lay control words between and into them.

    A flit that is taken becomes words in the window, a shift register of words whose first
    ``words_per_cycle`` are ``o``. A frame begins right behind the last word of the one before.
    Behind the words of the window there is padding: fill words within a frame, idles else.

    Latency: 1 cycle from a flit or a control word taken to its first word on ``o``, if the window
    is empty. Throughput: all of the line, if ``i`` has flits at hand and
    ``words_per_cycle <= flit_bytes / 16 + 1``: frames of ``frame_words`` words without gaps, at
    every size of packet that takes ``words_per_cycle`` words or more; at most 1 flit per cycle.
    Backpressure: ``i.ready`` is combinational in ``i``, and so is ``control.ready``. A flit is
    taken when its words and one more fit behind those that are in the window.
    Source: docs/link.md.

    Parameters
    ----------
    config : LinkConfig
        Uses ``flit_bytes`` and ``words_per_cycle``.

    Members
    -------
    i : In(stream.Signature(FrameLayout))
        Flits, whole frames one after another.
    control : In(stream.Signature(ControlLayout))
        Control words. One is taken between two frames, or behind 256 bytes of a frame, at least
        ``words_per_cycle`` words after the last: in the cycle in which the flit behind it is taken,
        or if none waits. So they do not starve the frames.
    o : Out(stream.Signature(WordsLayout))
        Words to the PCS, always valid. ``ready``: the PCS takes them in this cycle. While it is
        low, words that arrive take the place of padding.
    """

    def __init__(self, config: LinkConfig):
        self.config = config
        super().__init__(
            {
                "i": In(stream.Signature(FrameLayout(config))),
                "control": In(stream.Signature(ControlLayout())),
                "o": Out(stream.Signature(WordsLayout(config))),
            }
        )

    @property
    def quiet_flits(self) -> int:
        """Flits at the beginning of a frame that no control word may come between."""
        return -(-(IN_FRAME_BYTES - 8) // self.config.flit_bytes)

    @property
    def depth(self) -> int:
        """Words of the window: while a flit waits, it holds those of two cycles or more."""
        return 2 * self.config.words_per_cycle + self.config.words + 2

    def elaborate(self, platform):
        m = Module()
        config, depth = self.config, self.depth
        words, per_cycle = config.words, config.words_per_cycle

        i, within = self.i.payload, Signal()
        goes, first = Signal(), Signal()  # the flit is taken; it is the first of its frame
        m.d.comb += first.eq(~within)

        # The CRC of the flit, and of all before it in its frame. Bytes that do not count are
        # shifted out, and zeros in where they do not matter; what a flit of less than 4 bytes does
        # not reach of the register is added.
        crc = Signal(32, reset_less=True)  # behind a last flit what goes on the line
        before, summed = Signal(32), Signal(32)
        size = i.count + 1
        aligned = shift_up(m, i.data ^ before, ~i.count, unit=8, width=len(i.data), name="aligned")
        beyond = Mux(size < 4, before >> Cat(Const(0, 3), size[:2]), 0)
        m.d.comb += [
            before.eq(Mux(first, (1 << 32) - 1, crc)),
            summed.eq(remainder(aligned, FCS_POLYNOMIAL, 32) ^ beyond),
        ]
        with m.If(goes):
            m.d.sync += crc.eq(summed ^ (i.last & ~i.poison).replicate(32))

        # Its words, with what goes before and behind it; for its CRC there is room.
        flits = Signal(range(self.quiet_flits + 1))
        held = Signal(range(depth + 1))
        distance = Signal(range(per_cycle + 1), init=per_cycle)  # behind a control word
        body, body_words = self.body(m, i)
        frame_words, added = Signal(range(words + 3)), Signal(range(words + 4))
        fits = held + frame_words < depth
        sends = self.control.valid & self.control.ready
        m.d.comb += [
            frame_words.eq(body_words + first),
            goes.eq(self.i.valid & fits),
            self.i.ready.eq(~self.i.valid | fits),
            self.control.ready.eq(
                (~within | (flits == self.quiet_flits))
                & (distance == per_cycle)
                & Mux(self.i.valid, fits, held < depth)
            ),
            added.eq(Mux(goes, frame_words, 0) + sends),
        ]
        with m.If(goes):
            m.d.sync += [
                within.eq(~i.last),
                flits.eq(Mux(first, 1, flits + (flits != self.quiet_flits))),
            ]
        adding = Signal(WORD_BITS * (words + 3))
        framed = Mux(first, Cat(self.preamble(i), body), body)
        control = Cat(Const(ORDERED_SET, 8), self.control.payload, Const(1, 8))
        m.d.comb += adding.eq(Mux(sends, Cat(control, framed), framed))

        # The CRC of the cycle before goes into the window as it is, from its word on.
        room = [Signal(WORD_BITS, name=f"room_{k}", init=IDLES) for k in range(depth)]
        window = [Signal(WORD_BITS, name=f"window_{k}") for k in range(depth)]
        check_at, check_place = Signal(depth), Signal(3)  # its word, one-hot, and its first byte
        check = Signal(128)
        m.d.comb += check.eq(crc << Cat(Const(0, 3), check_place))
        for k in range(depth):
            low, high = check_at[k], check_at[k - 1] if k else Const(0, 1)
            spill = Mux(low, check[:64], 0) | Mux(high, check[64:], 0)
            m.d.comb += window[k].eq(room[k] | spill)

        # The window moves on, and what is added goes behind what stays.
        padding, stays = Signal(range(per_cycle + 1)), Signal.like(held)
        m.d.comb += [
            padding.eq(Mux(held < per_cycle, per_cycle - held, 0)),
            stays.eq(Mux(self.o.ready, held + padding - per_cycle, held)),
        ]
        m.d.sync += held.eq(stays + added)
        moved = Mux(sends, 0, distance + Mux(self.o.ready, padding, 0)) + added
        m.d.sync += distance.eq(Mux(moved < per_cycle, moved, per_cycle))
        pad = Mux(Mux(goes, ~i.last, within), FILLS, IDLES)
        placed = shift_up(m, adding, stays, unit=WORD_BITS, width=WORD_BITS * depth, name="placed")
        for k in range(depth):
            moves = window[k + per_cycle] if k + per_cycle < depth else window[k]
            with m.If(k < stays):
                m.d.sync += room[k].eq(Mux(self.o.ready, moves, window[k]))
            with m.Elif(k < stays + added):
                m.d.sync += room[k].eq(placed.word_select(k, WORD_BITS))
            with m.Else():
                m.d.sync += room[k].eq(pad)
        place = stays + sends + first + size[3:]
        m.d.sync += [
            check_at.eq(Mux(goes & i.last, 1 << place, 0)),
            check_place.eq(size[:3]),
        ]
        m.d.comb += [
            self.o.valid.eq(1),
            self.o.payload.data.eq(Cat(word[:64] for word in window[:per_cycle])),
            self.o.payload.control.eq(Cat(word[64:] for word in window[:per_cycle])),
        ]
        return m

    def preamble(self, flit):
        """The first word of the frame of ``flit``, the first one."""
        numbers = [flit.sequence[12:], flit.sequence[4:12], Const(0, 4), flit.sequence[:4]]
        fields = Cat(Const(START, 8), flit.channel, Const(0, 2), numbers)
        sfd = Mux(flit.llr, LLR_SFD, FRAME_SFD)
        preamble = Cat(fields, Const(0, 8), Const(FILLER, 8), sfd)
        check = header_check(preamble, flit.data[:64])
        return Cat(fields, check, Const(FILLER, 8), sfd, Const(1, 8))

    def body(self, m, flit):
        """The words of ``flit``, and how many.

        Behind a last one come four bytes of zeros, for its CRC, and the end of its frame.
        """
        words = self.config.words
        size = Signal(range(self.config.flit_bytes + 1))
        whole, rest = size[3:], size[:3]  # words and bytes
        end = Cat(
            Const(0, 32), Const(TERMINATE, 8), Const(int.from_bytes(11 * [IDLE], "little"), 88)
        )
        ends = Signal(128)  # two words, behind the last bytes
        marks, mask = Signal(16), Signal(64)
        m.d.comb += [
            size.eq(flit.count + 1),
            mask.eq(Cat((rest > n).replicate(8) for n in range(8))),
            ends.eq(end << Cat(Const(0, 3), rest)),
            marks.eq(Const(0xFFF0, 16) << rest),
        ]
        body = []
        for k in range(words + 1):
            word = Signal(WORD_BITS, name=f"word_{k}")
            data = flit.data.word_select(k, 64) if k < words else Const(0, 64)
            with m.If(k < whole):
                m.d.comb += word.eq(data)
            with m.Elif(k == whole):
                m.d.comb += word.eq(Cat((data & mask) | ends[:64], marks[:8]))
            with m.Else():
                m.d.comb += word.eq(Cat(ends[64:], marks[8:]))
            body.append(word)
        return Cat(body), Mux(flit.last, whole + 1 + rest[2], words)
