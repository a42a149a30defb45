"""Build-time parameters of the SerDes interface: all that models and RTL share of it."""

from dataclasses import dataclass, replace
from enum import IntEnum
from math import ceil, gcd
from typing import Any

from models.config import SwitchConfig
from models.link.config import NS_PER_METRE, LinkConfig, link_of

__all__ = [
    "BAD_CODEWORDS",
    "CORE_PPM",
    "FIELD_POLYNOMIAL",
    "HEADER_BITS",
    "HIGH_BER_HEADERS",
    "LANE_EVENTS",
    "LINE_PPM",
    "LOCK_HEADERS",
    "LOOP_WORDS",
    "LOST_HEADERS",
    "MARKER",
    "MARKER_BITS",
    "MARKER_LOST",
    "MARKER_SYMBOLS",
    "PAYLOAD_BITS",
    "PCS_EVENTS",
    "PLAIN",
    "PRBS_LOCK_BITS",
    "PRBS_LOST_ERRORS",
    "PRBS_WINDOW_BITS",
    "RS272",
    "RS544",
    "SCRAMBLER_TAPS",
    "SYMBOL_BITS",
    "TEST_WORD_BITS",
    "TRANSCODED_BITS",
    "TRANSCODED_BLOCKS",
    "WORD_BITS",
    "FecConfig",
    "FrameConfig",
    "LaneConfig",
    "LanesConfig",
    "Prbs",
    "lanes_of",
    "link_over",
]

# A block of 64b/66b: a sync header, first on the line, and a payload. Words of the line to and from
# a gearbox.
HEADER_BITS = 2
PAYLOAD_BITS = 64
WORD_BITS = 64

# Transcoding of IEEE 802.3, 91.5.2.5: so many bits of so many blocks.
TRANSCODED_BITS = 257
TRANSCODED_BLOCKS = 4

# Alignment marker of a lane. It begins with these 40 bits, bit 0 first, of which hardly any shift
# agrees with itself: the first bytes of the common marker of IEEE 802.3, clause 119 (table 119-1).
# Two symbols follow: the number of the lane and its complement, 5 bits each, and the parity of all
# symbols of the lane since the marker before.
MARKER_BITS = 40
MARKER = int.from_bytes(bytes([0x9A, 0x4A, 0x26, 0x65, 0xB5]), "little")
MARKER_SYMBOLS = 6
MARKER_LOST = 4  # wrong ones in a row with which the lock is lost
BAD_CODEWORDS = 3  # in a row, with which receivers begin again; IEEE 802.3, figure 119-13

# Parts per million that the word clock of a line may be away from its nominal one, and by which the
# clock of the core is faster than that: so it is faster than each line it meets.
LINE_PPM = 100
CORE_PPM = 300

# The scrambler of IEEE 802.3, 49.2.6: x^58 + x^39 + 1, so many bits behind the one that is sent.
SCRAMBLER_TAPS = (39, 58)

# Block lock of IEEE 802.3, 49.2.13: sync headers of a window, all of them good to lock; bad ones of
# a window with which the lock is lost; and bad ones in a time that are a high bit error rate.
LOCK_HEADERS = 64
LOST_HEADERS = 16
HIGH_BER_HEADERS = 16

# A checker of test patterns locks after so many right bits in a row, which noise has in 2^-64 of
# all cases; and is lost with so many wrong bits in a window. Of one that is out of step half are
# wrong; no line with which a link could work has a quarter.
PRBS_LOCK_BITS = 64
PRBS_WINDOW_BITS = 1024
PRBS_LOST_ERRORS = 256

# Words of a lane that a far-end loopback has room for. It sends with half of them there, so that
# the pace of what comes and that of what goes may be four words apart, either way.
LOOP_WORDS = 8
# Bits of the number of words that a self-test of lanes checks.
TEST_WORD_BITS = 32


class Prbs(IntEnum):
    """Pseudo-random test patterns: x^n + x^k + 1, where n is in the name.

    Source: ITU-T O.150, section 5, but for PRBS7, which is common and in no such recommendation.
    """

    PRBS7 = 0
    PRBS9 = 1
    PRBS15 = 2
    PRBS23 = 3
    PRBS31 = 4

    @property
    def taps(self) -> tuple[int, int]:
        """k and n: a bit is the sum of those so many bits before it."""
        return ((6, 7), (5, 9), (14, 15), (18, 23), (28, 31))[self]

    @property
    def inverted(self) -> bool:
        """O.150 has it inverted on the line; so does IEEE 802.3 (49.2.8) PRBS31."""
        return self in (Prbs.PRBS15, Prbs.PRBS23, Prbs.PRBS31)


# GF(2^10) of IEEE 802.3: x^10 + x^3 + 1, of which x is a primitive element; a symbol's lowest bit,
# first on the line, is the coefficient of x^0.
SYMBOL_BITS = 10
FIELD_POLYNOMIAL = 0x409

# What a PCS of several lanes tells of as it happens, and of each lane.
PCS_EVENTS = (
    *("lost", "expired", "condemned", "disordered", "skewed", "slipped", "starved", "overrun"),
)
LANE_EVENTS = ("marker_wrong", "parity_wrong")


@dataclass(frozen=True, kw_only=True)
class FecConfig:
    """A Reed-Solomon code, and how wide its encoder and decoder are.

    The roots of the generator polynomial are x^0 to x^(2t - 1). The first symbol on the line has
    the highest power; parity comes last.

    Parameters
    ----------
    name : str
        How results and messages call it.
    symbols, message_symbols : int
        Symbols of a codeword, and those of them that carry the message; they differ by an even
        number, 2t.
    symbols_per_cycle : int
        Symbols that pass in one cycle, a divisor of ``symbols``: a codeword is a whole number of
        groups of so many.

    Raises
    ------
    ValueError
        If a value does not fit; the message names it.
    """

    name: str
    symbols: int
    message_symbols: int
    symbols_per_cycle: int

    def __post_init__(self):
        longest, parity = (1 << SYMBOL_BITS) - 1, self.symbols - self.message_symbols
        for holds, message in (
            (
                3 <= self.symbols <= longest,
                f"symbols must be 3 to {longest}, not {self.symbols}",
            ),
            (
                parity % 2 == 0 and 2 <= parity < self.symbols,
                f"message_symbols must be even less than {self.symbols} symbols by at least 2, "
                f"not {self.message_symbols}",
            ),
            (
                1 <= self.symbols_per_cycle < self.symbols
                and self.symbols % self.symbols_per_cycle == 0,
                f"symbols_per_cycle must divide {self.symbols} and be less, "
                f"not {self.symbols_per_cycle}",
            ),
        ):
            if not holds:
                raise ValueError(message)

    def with_(self, **changes: Any) -> "FecConfig":
        """A copy with some values changed."""
        return replace(self, **changes)

    @property
    def correctable(self) -> int:
        """t: wrong symbols of a codeword that are corrected."""
        return (self.symbols - self.message_symbols) // 2

    @property
    def groups(self) -> int:
        """Cycles that a codeword takes."""
        return self.symbols // self.symbols_per_cycle

    @property
    def solvers(self) -> int:
        """Codewords whose key equations are solved at a time; one begins in ``groups`` cycles."""
        return -(-2 * self.correctable // (self.groups - 1))

    @property
    def clean_cycles(self) -> int:
        """From the last group of a codeword without errors into the decoder to the first out."""
        return 3

    @property
    def solve_cycles(self) -> int:
        """The same of one with errors: its key equation, then a look at each symbol."""
        return 2 * self.correctable + self.solvers + self.groups + 6

    @property
    def slots(self) -> int:
        """Codewords in the decoder at a time, from the first group in to the last one out."""
        return -(-(self.solve_cycles - 2) // self.groups) + 1


RS544 = FecConfig(name="RS544", symbols=544, message_symbols=514, symbols_per_cycle=34)
RS272 = FecConfig(name="RS272", symbols=272, message_symbols=258, symbols_per_cycle=34)
# No code: a frame of as many words as RS272's, with the last two symbols unused.
PLAIN = FecConfig(name="PLAIN", symbols=260, message_symbols=258, symbols_per_cycle=52)


@dataclass(frozen=True, kw_only=True)
class FrameConfig:
    """Codewords whose symbols take turns on the line; :mod:`rtl.serdes.frame_coder` tells how.

    Parameters
    ----------
    code : FecConfig
        Of each codeword.
    interleave : int
        Codewords of a frame.
    lanes : int
        To which the symbols are dealt, one after another.
    """

    code: FecConfig
    interleave: int
    lanes: int

    @property
    def symbols(self) -> int:
        """Symbols of all codewords."""
        return self.interleave * self.code.symbols

    @property
    def symbols_per_cycle(self) -> int:
        """Symbols that pass in one cycle, as many of each codeword."""
        return self.interleave * self.code.symbols_per_cycle

    @property
    def groups(self) -> int:
        """Cycles that a frame takes."""
        return self.code.groups

    @property
    def correctable(self) -> int:
        """Wrong symbols that are corrected at most: t of each codeword."""
        return self.interleave * self.code.correctable


@dataclass(frozen=True, kw_only=True)
class LaneConfig:
    """How wide the blocks of one lane are, how far they count, and how long they watch.

    Parameters
    ----------
    name : str
        How results and messages call it.
    width : int
        Bits that pass in one cycle, bit 0 first on the line; of the scrambler 64 for each block.
    error_bits : int
        Bits of the counter of wrong bits of a test pattern, 1 to 63.
    clock_mhz : float
        Clock of what comes, of which :attr:`ber_window_cycles` are counted.
    ber_window_ns : float
        So long are bad sync headers counted, to tell a high bit error rate.

    Raises
    ------
    ValueError
        If a value does not fit; the message names it.
    """

    name: str
    width: int = 64
    error_bits: int = 32
    clock_mhz: float = 1000
    ber_window_ns: float = 125_000

    def __post_init__(self):
        for holds, message in (
            (self.width >= 1, f"width must be 1 or more, not {self.width}"),
            (1 <= self.error_bits <= 63, f"error_bits must be 1 to 63, not {self.error_bits}"),
            (self.clock_mhz > 0, f"clock_mhz must be a positive frequency, not {self.clock_mhz}"),
            (
                self.ber_window_cycles >= HIGH_BER_HEADERS,
                f"ber_window_ns must be {HIGH_BER_HEADERS} cycles of {self.clock_mhz:g} MHz or "
                f"more, not {self.ber_window_ns}",
            ),
        ):
            if not holds:
                raise ValueError(message)

    @property
    def ber_window_cycles(self) -> int:
        """Cycles that take ``ber_window_ns``, at least."""
        return ceil(self.ber_window_ns * self.clock_mhz / 1e3 - 1e-9)

    @property
    def prbs_lock_words(self) -> int:
        """Words without an error, one after another, after which a checker locks."""
        return -(-PRBS_LOCK_BITS // self.width)

    @property
    def prbs_window_words(self) -> int:
        """Words of a window in which a locked checker counts to find out that it is lost."""
        return -(-PRBS_WINDOW_BITS // self.width)


@dataclass(frozen=True, kw_only=True)
class LanesConfig:
    """How the words of a port become symbols on several lanes.

    Parameters
    ----------
    name : str
        How results and messages call it.
    words_per_cycle : int
        Words of the link that pass in one cycle, 1 to 20.
    lanes : int
        1, 2, 4 or 8.
    fec : str
        ``none``, ``rs272`` or ``rs544``.
    interleave : int
        Codewords whose symbols take turns on the line, a frame: 1, 2 or 4; without a code 1.
    marker_codewords : int
        Codewords from a marker to the next.
    skew_rows : int
        Rows of each lane that may wait for another: lanes may be two fewer apart, as one row waits
        to be taken and one comes.

    Raises
    ------
    ValueError
        If a value does not fit; the message names it.
    """

    name: str
    words_per_cycle: int = 1
    lanes: int = 1
    fec: str = "rs272"
    interleave: int = 1
    marker_codewords: int = 360
    skew_rows: int = 16

    def __post_init__(self):
        codes = ("none", "rs272", "rs544")
        # A period is a whole number of rows, and of frames.
        multiple = max(self.lanes, self.interleave)
        for holds, message in (
            (
                1 <= self.words_per_cycle <= 20,
                f"words_per_cycle must be 1 to 20, not {self.words_per_cycle}",
            ),
            (self.lanes in (1, 2, 4, 8), f"lanes must be 1, 2, 4 or 8, not {self.lanes}"),
            (self.fec in codes, f"fec must be one of {', '.join(codes)}, not {self.fec!r}"),
            (self.interleave in (1, 2, 4), f"interleave must be 1, 2 or 4, not {self.interleave}"),
            (
                self.fec != "none" or self.interleave == 1,
                f"interleave must be 1 without a code, not {self.interleave}: choose one with fec",
            ),
            (
                self.marker_codewords >= 1 and self.marker_codewords % multiple == 0,
                f"marker_codewords must be a multiple of {multiple}, not {self.marker_codewords}",
            ),
            (self.skew_rows >= 2, f"skew_rows must be 2 or more, not {self.skew_rows}"),
        ):
            if not holds:
                raise ValueError(message)

    def with_(self, **changes: Any) -> "LanesConfig":
        """A copy with some values changed."""
        return replace(self, **changes)

    @property
    def code(self) -> FecConfig:
        """The code, as wide as the words need if so many codewords share them: ``PLAIN`` has the
        geometry alone."""
        code = {"none": PLAIN, "rs272": RS272, "rs544": RS544}[self.fec]
        blocks = TRANSCODED_BLOCKS * (code.message_symbols * SYMBOL_BITS // TRANSCODED_BITS)
        least = code.symbols * self.words_per_cycle / (blocks * self.interleave)
        wide = min(n for n in range(1, code.symbols) if code.symbols % n == 0 and n >= least)
        return code.with_(symbols_per_cycle=wide)

    @property
    def coding(self) -> str:
        """The code, and how many codewords take turns, as results tell it."""
        return self.fec + (f", interleaved by {self.interleave}" if self.interleave > 1 else "")

    @property
    def frame(self) -> FrameConfig:
        """The codewords that take turns, one or some."""
        return FrameConfig(code=self.code, interleave=self.interleave, lanes=self.lanes)

    @property
    def transcoders(self) -> int:
        """Transcoders side by side: enough for the words and for a group, and the message of a
        frame is a whole number of so many transcoded blocks."""
        least = max(self.words_per_cycle / TRANSCODED_BLOCKS, self.group_bits / TRANSCODED_BITS)
        return next(n for n in (1, 2, 5, 10) if n >= least)

    @property
    def unit_bits(self) -> int:
        """Bits of as many transcoded blocks."""
        return self.transcoders * TRANSCODED_BITS

    @property
    def message_bits(self) -> int:
        """Bits of transcoded blocks of a frame; what its message has more are zeros."""
        bits = self.interleave * self.code.message_symbols * SYMBOL_BITS
        return bits - bits % TRANSCODED_BITS

    @property
    def group_bits(self) -> int:
        """Bits of the symbols that pass in one cycle."""
        return self.frame.symbols_per_cycle * SYMBOL_BITS

    @property
    def row_groups(self) -> int:
        """Groups of a row: as many symbols for one lane as for another."""
        return self.lanes // gcd(self.lanes, self.frame.symbols_per_cycle)

    @property
    def row_symbols(self) -> int:
        """Symbols of a row on one lane."""
        return self.row_groups * self.frame.symbols_per_cycle // self.lanes

    @property
    def row_bits(self) -> int:
        """Bits of a row on one lane."""
        return self.row_symbols * SYMBOL_BITS

    @property
    def data_rows(self) -> int:
        """Rows from a marker to the next."""
        frames = self.marker_codewords // self.interleave
        return frames * self.frame.groups // self.row_groups

    @property
    def marker_rows(self) -> int:
        """Rows that a marker takes."""
        return -(-MARKER_SYMBOLS // self.row_symbols)

    @property
    def most_skew(self) -> int:
        """Bits that a lane may be later than another: a row waits to be taken, and one comes."""
        return (self.skew_rows - 2) * self.row_bits

    @property
    def mapper_limit(self) -> int:
        """Bits that may wait for groups where a unit comes. Words come steadily, and behind a
        message none of them goes for as long as parity takes."""
        return self.group_bits + self.frame.symbols * SYMBOL_BITS - self.message_bits

    @property
    def line_rows(self) -> int:
        """Rows that wait for the lines where one comes: for as long as it takes for a unit to come,
        and a cycle. What words lack in a message, as its parity follows, is more with codewords
        that take turns: rows wait for that, too."""
        cycles = TRANSCODED_BLOCKS * self.transcoders / self.words_per_cycle + 1
        if self.interleave > 1:
            whole = self.frame.symbols * SYMBOL_BITS
            lacks = (whole - self.message_bits) * self.message_bits / whole
            cycles += lacks / (self.lanes * self.lane_bits)
        return max(2, ceil(cycles * self.lane_bits / self.row_bits))

    @property
    def latency_cycles(self) -> int:
        """From a word to the same word at the other end, at most, without errors: registers, a unit
        that comes, rows that wait behind a marker, one in two lanes, a message less parity, and a
        frame. With codewords that take turns it has what words lack twice, in rows and in bits."""
        row = self.row_bits / self.lane_bits
        cycles = 17 + TRANSCODED_BLOCKS * self.transcoders / self.words_per_cycle
        cycles += (self.line_rows + self.marker_rows + 2) * row
        cycles += self.mapper_limit * row / (self.row_groups * self.group_bits)
        if self.fec != "none":
            cycles += self.frame.groups * row / self.row_groups + 2
        return ceil(cycles)

    def cable_m(self, mhz: float, skew: int = 0) -> float:
        """Metres of cable in which a word would be as long as in the PCS and ``skew`` bits of
        lanes that wait for each other."""
        cycles = self.latency_cycles + skew / self.lane_bits
        return cycles * 1e3 / mhz / NS_PER_METRE

    @property
    def period_cycles(self) -> int:
        """From a marker to the next, rounded up."""
        return ceil((self.data_rows + self.marker_rows) * self.row_bits / self.lane_bits)

    @property
    def search_cycles(self) -> int:
        """Time for a search: it takes two markers from anywhere on, and twice that is enough."""
        return 4 * self.period_cycles

    @property
    def counted(self) -> dict[str, int]:
        """Events that a port counts, and how often each may happen in a cycle: those that its PCS
        tells of, those of its decoder, and those of each lane."""
        found = dict.fromkeys(f"pcs_{name}" for name in PCS_EVENTS)
        found |= dict.fromkeys(("codewords", "codewords_bad"))
        found |= dict.fromkeys(
            f"lane_{lane}_{name}" for lane in range(self.lanes) for name in LANE_EVENTS
        )
        found = dict.fromkeys(found, 1) | {"symbols_corrected": self.frame.correctable}
        return found | dict.fromkeys(("codewords", "codewords_bad"), self.interleave)

    @property
    def late_units(self) -> int:
        """Units that may wait behind the decoder. It gives a frame faster than words go, so some
        wait at the end of one; and once frames were late, those that are not come so much sooner
        than words go, until the lines pause for a marker."""
        unit = TRANSCODED_BLOCKS * self.transcoders / self.words_per_cycle  # cycles of its words
        whole, wide = self.message_bits / self.unit_bits, self.message_bits / self.group_bits
        late = 0
        if self.frame.groups < whole * unit:  # the decoder catches up
            late = (self.code.solve_cycles - self.code.clean_cycles) / unit
        return max(32, ceil(late + whole - wide / unit) + 1)

    @property
    def lane_bits(self) -> int:
        """Bits of a lane in one cycle: for all words, if that is a whole number."""
        blocks = TRANSCODED_BLOCKS * (self.message_bits // TRANSCODED_BITS)
        symbols = self.frame.symbols * self.words_per_cycle
        return symbols * SYMBOL_BITS // (blocks * self.lanes)

    @property
    def test_lane(self) -> LaneConfig:
        """A lane for test patterns; its counter is right even if all bits of a test are wrong."""
        bits = TEST_WORD_BITS + self.lane_bits.bit_length()
        return LaneConfig(name=self.name, width=self.lane_bits, error_bits=bits)


def lanes_of(
    link: LinkConfig, lanes: int, fec: str, interleave: int = 1, **changes: Any
) -> LanesConfig:
    """So many lanes for the words of a link."""
    config = LanesConfig(
        name=f"{link.name}-{lanes}-{fec}" + (f"x{interleave}" if interleave > 1 else ""),
        words_per_cycle=link.words_per_cycle,
        lanes=lanes,
        fec=fec,
        interleave=interleave,
    )
    return config.with_(**changes)


def link_over(
    config: SwitchConfig, lanes: LanesConfig, skew: int = 0, length_m: float = 5, **changes: Any
) -> LinkConfig:
    """The link at each port of a switch, over a PCS, ``skew`` bits and so many metres of cable.

    To its buffers and timers the PCS is a longer cable; ``changes`` are those of ``link_of``.
    """
    link = link_of(config, **changes)
    return link.with_(length_m=length_m + lanes.cable_m(link.mhz, skew))
