"""Pseudo-random test patterns: a generator for one end of a lane, a checker for the other."""

from amaranth import Array, Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from models.serdes.config import PRBS_LOST_ERRORS, LaneConfig, Prbs
from rtl.serdes.lane import BitsSignature

__all__ = ["PrbsChecker", "PrbsGenerator"]

ORDER = max(max(prbs.taps) for prbs in Prbs)  # bits before a word that it may depend on


def sources(prbs: Prbs, width: int) -> list[int]:
    """For each of the ``width`` bits behind ``ORDER`` bits, a mask: the sum of which it is."""
    near, far = prbs.taps
    masks = [1 << n for n in range(ORDER)]
    for _ in range(width):
        masks.append(masks[-near] ^ masks[-far])
    return masks[ORDER:]


def chosen(pattern, values: list):
    """The value of a pattern; a pattern beyond the last stands for that."""
    beyond = (1 << len(pattern)) - len(values)
    return Array(values + values[-1:] * beyond)[pattern]


def continued(past, pattern, width: int):
    """The next ``width`` bits of a pattern; the highest of ``past`` is the last one so far."""
    masks = [sources(prbs, width) for prbs in Prbs]
    return chosen(pattern, [Cat((past & mask).xor() for mask in some) for some in masks])


def ones(bits):
    """How many bits are set."""
    if len(bits) == 1:
        return bits
    half = len(bits) // 2
    return ones(bits[:half]) + ones(bits[half:])


class PrbsGenerator(wiring.Component):
    """Send a test pattern.

    The pattern begins behind as many ones as it has stages, after reset and when it changes; so it
    is never without a one.

    Latency: 1 cycle. Throughput: ``width`` bits per cycle.
    Source: ITU-T O.150, section 5; IEEE 802.3-2018, 49.2.8 and figure 49-9 (PRBS31, which begins in
    the same place). Where they want it inverted says :attr:`models.serdes.config.Prbs.inverted`;
    other testers call either of the two normal, so it is an input.

    Parameters
    ----------
    config : LaneConfig
        Uses ``width``.

    Members
    -------
    pattern : In(Prbs)
        Which one; a value beyond the last stands for that.
    invert : In(1)
        All bits are inverted.
    inject : In(1)
        Bit 0 is wrong: an error of the line, to see it counted at the other end.
    enable : In(1)
        A word is wanted. While it is low the state stays.
    o : Out(BitsSignature(width))
        The word, with the inputs of the cycle before.
    """

    def __init__(self, config: LaneConfig):
        self.config = config
        super().__init__(
            {
                "pattern": In(Prbs),
                "invert": In(1),
                "inject": In(1),
                "enable": In(1),
                "o": Out(BitsSignature(config.width)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        width, running = self.config.width, Signal(Prbs)
        register, past, word = Signal(ORDER, init=-1), Signal(ORDER), Signal(width)
        m.d.comb += [
            past.eq(Mux(self.pattern == running, register, -1)),
            word.eq(continued(past, self.pattern, width)),
        ]

        m.d.sync += self.o.valid.eq(self.enable)
        with m.If(self.enable):
            m.d.sync += [
                running.eq(self.pattern),
                register.eq(Cat(past, word)[-ORDER:]),
                self.o.payload.eq(word ^ self.invert.replicate(width) ^ self.inject),
            ]
        return m


class PrbsChecker(wiring.Component):
    """Count the wrong bits of a test pattern.

    Without a lock it expects what follows from the bits that came, and has one when 64 bits in a
    row, rounded up to words, are as expected. Where the bits before a word that decide on it are
    all zero, which no pattern has, the word is not as expected: so a dead line gives no lock, even
    if it is inverted. With a lock the checker goes on by itself, whatever comes: each wrong bit
    counts once, where a check against the bits before would count three. The lock is lost with
    256 wrong bits in a window of 1024, rounded up to words (windows follow each other from the lock
    on), or when ``pattern`` changes. Those that were counted till then stay counted.

    Latency: from a word to ``error_count``, 3 cycles; to ``locked``, 2 cycles if it rises and 3 if
    it falls. Throughput: ``width`` bits per cycle. Backpressure: none.
    Source: decision. IEEE 802.3-2018, 49.2.12, checks PRBS31 against the bits before.

    Parameters
    ----------
    config : LaneConfig
        Uses ``width`` and ``error_bits``.

    Members
    -------
    pattern, invert
        As in :class:`PrbsGenerator`.
    i : In(BitsSignature(width))
        What came; its words need not begin where those of the generator do.
    clear : In(1)
        ``error_count`` begins at 0, with what is counted in this cycle.
    locked : Out(1)
        The checker is in step with the pattern. While it is low nothing is counted.
    error_count : Out(error_bits)
        Wrong bits; it stays at the most that it can be.
    """

    def __init__(self, config: LaneConfig):
        self.config = config
        super().__init__(
            {
                "pattern": In(Prbs),
                "invert": In(1),
                "i": In(BitsSignature(config.width)),
                "clear": In(1),
                "locked": Out(1),
                "error_count": Out(config.error_bits),
            }
        )

    def elaborate(self, platform):
        m = Module()
        config, width, running = self.config, self.config.width, Signal(Prbs)
        m.d.sync += running.eq(self.pattern)

        # Compare. What a word is checked against must not depend on a wrong bit, so with the word
        # that completes the lock `wins` is high as the next one comes.
        past, wins = Signal(ORDER), Signal()
        came, expected = Signal(width), Signal(width)
        compared, wrong, blank = Signal(), Signal(width), Signal()
        blanks = [past[-max(prbs.taps) :] == 0 for prbs in Prbs]
        m.d.comb += [
            came.eq(self.i.payload ^ self.invert.replicate(width)),
            expected.eq(continued(past, self.pattern, width)),
        ]
        m.d.sync += [
            compared.eq(self.i.valid),
            wrong.eq(came ^ expected),
            blank.eq(chosen(self.pattern, blanks)),
        ]
        with m.If(self.i.valid):
            m.d.sync += past.eq(Cat(past, Mux(self.locked | wins, expected, came))[-ORDER:])

        # Judge.
        right, good = Signal(range(config.prbs_lock_words)), Signal()
        counted, errors = Signal(), Signal(range(width + 1))
        m.d.comb += [
            good.eq(~wrong.any() & ~blank),
            wins.eq(compared & ~self.locked & good & (right == config.prbs_lock_words - 1)),
        ]
        m.d.sync += [counted.eq(compared & self.locked), errors.eq(ones(wrong))]
        with m.If(compared & ~self.locked):
            m.d.sync += right.eq(Mux(good & ~wins, right + 1, 0))

        # Count.
        most = (1 << config.error_bits) - 1
        in_window, place = Signal(range(PRBS_LOST_ERRORS)), Signal(range(config.prbs_window_words))
        counts, ends, loses = Signal(), Signal(), Signal()
        window, total = Signal(range(PRBS_LOST_ERRORS + width)), Signal(range(most + width + 1))
        m.d.comb += [
            counts.eq(counted & self.locked),
            window.eq(in_window + errors),
            loses.eq(counts & (window >= PRBS_LOST_ERRORS)),
            ends.eq(loses | (place == config.prbs_window_words - 1)),
            total.eq(Mux(self.clear, 0, self.error_count) + Mux(counts, errors, 0)),
        ]
        m.d.sync += self.error_count.eq(Mux(total > most, most, total))
        with m.If(counts):
            m.d.sync += [in_window.eq(Mux(ends, 0, window)), place.eq(Mux(ends, 0, place + 1))]

        with m.If(wins):
            m.d.sync += [self.locked.eq(1), in_window.eq(0), place.eq(0)]
        with m.If(loses):
            m.d.sync += self.locked.eq(0)
        with m.If(self.pattern != running):
            m.d.sync += [self.locked.eq(0), right.eq(0)]
        return m
