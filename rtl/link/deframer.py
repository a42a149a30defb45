"""Deframer: what is on the line becomes flits of packets and control words."""

from amaranth import Array, Cat, Const, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from models.link.config import LinkConfig
from models.link.wire import (
    FCS_POLYNOMIAL,
    FILLER,
    FRAME_SFD,
    IDLE,
    LLR_SFD,
    ORDERED_SET,
    PREAMBLE_FIELDS,
    START,
    TERMINATE,
    Control,
)
from models.packet import HEADER_BYTES
from rtl.link.crc import after_zeros, header_check, remainder
from rtl.link.frame import ControlSignature, ReceivedSignature, WordsSignature
from rtl.link.shifter import shift_down, shift_up

__all__ = ["Deframer"]

# Kinds of words. END has the place of the terminate character in its lowest bits.
EMPTY, BEGIN, DATA, WRONG, END = 0, 1, 2, 3, 8
KIND_BITS = 4
WORD_BITS = 64 + KIND_BITS


class Deframer(wiring.Component):
    """Take frames and control words apart.

    Words that belong to frames go into the window, a shift register, those between them do not. In
    each cycle at most one flit leaves it, as soon as the word behind its last bytes tells whether
    its frame ends with it. Then its CRC is looked at.

    Latency: 3 cycles from the words with the last that a flit needs to ``o``: the one in which its
    frame ends, or the one behind it; 1 cycle to ``control``. What lies outside of frames and is not
    idle takes a cycle more. Throughput: 1 flit per cycle; that keeps up with any frames of
    ``min_packet_bytes`` or more that take ``words_per_cycle`` words, if
    ``words_per_cycle <= flit_bytes / 16 + 1``.
    Backpressure: none. Words that do not fit into the window are lost, and a frame of which some
    were lost ends as bad; so does one that is under way while ``up`` is low. Else it would go on
    with the rest of a later one, and if both have the same header, the CRC would be right.
    Errors: first and last alternate, whatever comes in. A frame ends as bad if its CRC is wrong and
    not the complement, its header check is wrong, its size is not that of a packet, or any word
    comes in it that is neither of a frame nor an ordered set, an idle too; the rest is dropped. A
    poisoned frame may be shorter than a packet, down to the header: who cut it short has said so.
    Source: docs/link.md.

    Parameters
    ----------
    config : LinkConfig
        Uses ``flit_bytes``, ``words_per_cycle`` and the packet sizes.

    Members
    -------
    i : In({valid, words})
        Words from the PCS.
    up : In(1)
        The PCS is up; else no word counts. High if not connected.
    o : Out({valid, payload: ReceivedLayout})
        Flits. Behind the bytes that count come those of the CRC, as far as they are in the flit,
        then zeros. ``count`` is full with a last flit whose frame was cut. ``check`` is low too if
        a frame is cut or of wrong size in its first flit.
    control : Out({valid, payload: ControlLayout})
        A control word, of any type but FILL; of several in a cycle the last.
    malformed : Out(1)
        In the cycle before came two control words, or a word that is none.
    overrun : Out(1)
        In the cycle before words were lost.
    """

    def __init__(self, config: LinkConfig):
        self.config = config
        super().__init__(
            {
                "i": In(WordsSignature(config)),
                "up": In(1, init=1),
                "o": Out(ReceivedSignature(config)),
                "control": Out(ControlSignature()),
                "malformed": Out(1),
                "overrun": Out(1),
            }
        )

    @property
    def depth(self) -> int:
        """Words of the window: one less than a first flit waits for, and those of a cycle."""
        return self.config.words + 1 + self.config.words_per_cycle

    def elaborate(self, platform):
        m = Module()
        config, depth = self.config, self.depth
        window = [Signal(WORD_BITS, name=f"window_{k}") for k in range(depth)]  # empty: zero
        held, stays = Signal(range(depth + 1)), Signal(range(depth + 1))
        taken = Signal(range(config.words + 3))

        # First step: what belongs to frames goes behind what stays in the window.
        lost, fits = Signal(), Signal()  # a word is missing behind the window's last
        arriving, arrivals, missing = self.arriving(m, lost)
        m.d.comb += [
            stays.eq(held - taken),
            fits.eq(stays + arrivals <= depth),
        ]
        m.d.sync += [
            held.eq(Mux(fits, stays + arrivals, stays)),
            lost.eq(~fits | ~self.up | missing),
            self.overrun.eq(~fits),
        ]
        width = WORD_BITS * depth
        moved = shift_down(m, Cat(window), taken, unit=WORD_BITS, width=width, name="moved")
        kept = Mux(fits, arriving, 0)
        placed = shift_up(m, kept, stays, unit=WORD_BITS, width=width, name="placed")
        m.d.sync += Cat(window).eq(moved | placed)

        # Second and third step.
        flit = self.flit(m, window, taken)
        self.verdict(m, flit)
        return m

    def arriving(self, m, lost):
        """The words that come in and belong to frames, without gaps, and how many.

        Behind words that are ``lost``, or an idle, no frame can go on: what is not the beginning of
        one is wrong. Also returns whether that goes for the next word to come.
        """
        config, words = self.config, self.i.words
        count = config.words_per_cycle
        kinds, keeps, wrong, valid = [], [], Signal(count), self.i.valid & self.up
        controls = Signal(count)
        last_control = Signal(56)
        for k in range(count):
            word, marks = words.data.word_select(k, 64), words.control.word_select(k, 8)
            kind, other = Signal(KIND_BITS, name=f"kind_{k}"), Signal(name=f"other_{k}")
            first = word[:8]
            ordered = (marks == 1) & (first == ORDERED_SET)
            idle = marks.all() & (word == int.from_bytes(8 * [IDLE], "little"))
            m.d.comb += [kind.eq(WRONG), other.eq(ordered | idle)]
            with m.If(marks == 0):
                m.d.comb += kind.eq(DATA)
            with m.Elif((marks == 1) & (first == START)):
                m.d.comb += kind.eq(BEGIN)
            for place in range(8):
                behind = 0xFF << place & 0xFF
                with m.If((marks == behind) & (word.word_select(place, 8) == TERMINATE)):
                    m.d.comb += kind.eq(END + place)
            m.d.comb += controls[k].eq(ordered & (word[8:16] != Control.FILL) & valid)
            with m.If(controls[k]):
                m.d.comb += last_control.eq(word[8:])
            keeps.append(~other & valid)
            missing = Signal(name=f"missing_{k}")
            m.d.comb += missing.eq(Mux(keeps[k], 0, lost | (idle & valid)))
            m.d.comb += wrong[k].eq(keeps[k] & (kind == WRONG))
            kinds.append(Mux(lost & (kind != BEGIN), WRONG, kind))
            lost = missing

        m.d.sync += [
            self.control.valid.eq(controls.any()),
            self.control.payload.eq(last_control),
            self.malformed.eq((controls & (controls - 1)).any() | wrong.any()),
        ]
        arriving = [0] * count
        before = Const(0, 1)
        for k in range(count):
            word = Cat(words.data.word_select(k, 64), kinds[k])
            for place in range(k + 1):
                arriving[place] |= Mux(keeps[k] & (before == place), word, 0)
            after = Signal(range(k + 2), name=f"arrivals_{k}")
            m.d.comb += after.eq(before + keeps[k])
            before = after
        return Cat(word[:WORD_BITS] for word in arriving), before, lost

    def flit(self, m, window, taken):
        """The flit at the head of the window, in a register; it takes so many words."""
        config, words = self.config, self.config.words
        size = config.flit_bytes
        flit = Signal(
            data.StructLayout(
                {
                    "data": 8 * size,
                    "spill": 32,  # the bytes behind, as far as they are of the CRC
                    "count": range(size),
                    "first": 1,
                    "last": 1,
                    "broken": 1,
                    "short": 1,  # for a packet that is whole
                    "valid": 1,
                    "preamble": data.StructLayout(PREAMBLE_FIELDS),
                }
            )
        )
        within, opens = Signal(), Signal()
        kinds = [word[64:] for word in window]
        m.d.comb += opens.eq(~within & (kinds[0] == BEGIN))
        body = [Signal(WORD_BITS, name=f"body_{k}") for k in range(words + 1)]
        for k in range(words + 1):
            m.d.comb += body[k].eq(Mux(opens, window[k + 1], window[k]))

        # Where it ends: at the first word that is not data, if that is not behind it.
        other = Cat(word[64:] != DATA for word in body)
        at = Signal(words + 1)  # one-hot
        kind, index = Signal(KIND_BITS), Signal(range(words + 1))
        m.d.comb += at.eq(other & -other)
        for k in range(words + 1):
            with m.If(at[k]):
                m.d.comb += [kind.eq(body[k][64:]), index.eq(k)]
        place, is_end = kind[:3], kind[3]
        whole, ends, cut, emits = Signal(), Signal(), Signal(), Signal()
        m.d.comb += [
            whole.eq(~other.any() | (at[words] & is_end & (place > 4))),
            ends.eq(is_end & ~whole),
            cut.eq((kind == BEGIN) | (kind == WRONG)),
            emits.eq((within | opens) & (whole | ends | cut)),
        ]
        count = Signal(range(size))
        tiny = (index == 0) & (place < 5)  # not even a byte and the CRC
        m.d.comb += count.eq(Mux(ends & ~tiny, (index << 3) + place - 5, size - 1))

        # Its size.
        flits = Signal(range(config.max_packet_flits))  # before this one
        before = Mux(opens, 0, flits)
        full_flits, rest = divmod(config.min_packet_bytes - 1, size)
        short = (before < full_flits) | ((before == full_flits) & (count < rest))
        stub = tiny | ((before == 0) & (count < HEADER_BYTES - 1))
        at_most = before == config.max_packet_flits - 1
        long = Mux(whole, at_most, at_most & (count > (config.max_packet_bytes - 1) % size))
        last = ends | cut | (whole & at_most)
        with m.If(emits):
            m.d.sync += [within.eq(~last), flits.eq(before + 1)]

        # Its words, and what is before it if no frame begins.
        junk = Cat((kind != BEGIN) & (kind != EMPTY) for kind in kinds[: words + 2])
        skips = Signal.like(taken)
        m.d.comb += skips.eq(len(junk))
        for k in reversed(range(len(junk))):
            with m.If(~junk[k]):
                m.d.comb += skips.eq(k)
        with m.If(emits):
            m.d.comb += taken.eq(opens + Mux(whole, words, index + (kind != BEGIN)))
        with m.Elif(~within & ~opens):
            m.d.comb += taken.eq(skips)

        mask = Cat((place > n).replicate(8) for n in range(8))
        masked = []
        for k in range(words + 1):
            counts = Mux(at[k] & is_end, mask, (~other[: k + 1].any()).replicate(64))
            masked.append(body[k][:64] & counts)
        m.d.sync += flit.valid.eq(emits)
        with m.If(emits):
            m.d.sync += [
                flit.data.eq(Cat(masked[:words])),
                flit.spill.eq(masked[words]),
                flit.count.eq(count),
                flit.first.eq(opens),
                flit.last.eq(last),
                flit.broken.eq(cut | long | (ends & stub)),
                flit.short.eq(ends & short),
            ]
            with m.If(opens):
                m.d.sync += flit.preamble.eq(window[0])
        return flit

    def verdict(self, m, flit):
        """The flit with the verdict on its frame goes to ``o``."""
        size, ones = self.config.flit_bytes, (1 << 32) - 1
        crc, before, summed = Signal(32), Signal(32), Signal(32)
        m.d.comb += [
            before.eq(Mux(flit.first, ones, crc)),
            summed.eq(remainder(flit.data ^ before, FCS_POLYNOMIAL, 32)),
        ]
        # The CRC that was sent takes its own register to all ones, its complement to zero; then
        # come the zeros behind it in the flit. What is not in the flit is added by itself.
        rest = summed ^ flit.spill
        right = Array(
            Const(after_zeros(ones, 8 * (size - 1 - n), FCS_POLYNOMIAL, 32), 32)
            for n in range(size)
        )
        # What a switch has cut short is poisoned, and may be shorter than any packet.
        good, complement = (rest == right[flit.count]) & ~flit.short, rest == 0
        stands = ~flit.short | complement

        preamble, o = flit.preamble, self.o.payload
        sound = (
            (header_check(preamble.as_value(), flit.data[:64]) == preamble.check)
            & (preamble.filler == FILLER)
            & ((preamble.sfd == FRAME_SFD) | (preamble.sfd == LLR_SFD))
            & ~flit.broken
            & stands
        )
        check, bad = Signal(), Signal()
        m.d.comb += [
            check.eq(Mux(flit.first, sound, o.check)),
            bad.eq(flit.broken | ~check | ~(good | complement)),
        ]
        m.d.sync += self.o.valid.eq(flit.valid)
        with m.If(flit.valid):
            m.d.sync += [
                crc.eq(summed),
                o.data.eq(flit.data),
                o.count.eq(flit.count),
                o.first.eq(flit.first),
                o.last.eq(flit.last),
                o.bad.eq(flit.last & bad),
                o.poison.eq(flit.last & complement & ~bad),
                o.check.eq(check),
                o.llr.eq(preamble.sfd == LLR_SFD),
                o.sequence.eq(
                    Cat(preamble.sequence_low, preamble.sequence_middle, preamble.sequence_high)
                ),
                o.channel.eq(preamble.channel),
            ]
