"""The lanes between two PCS: clocks, skew in bits, another order, wrong bits, and no signal.

Lines are no hardware, as :mod:`models.channel`, which is the same one layer higher: words.
"""

from collections import deque
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

import numpy as np

from models.serdes.config import CORE_PPM, LINE_PPM, LanesConfig

__all__ = ["MILLION", "Cable", "Harm", "LineEnd", "Lines", "check_lines"]

MILLION = 1_000_000
FAR = 1 << 60  # bits until something that never happens


@dataclass
class Lines:
    """What the lanes of one end become at the other.

    Parameters
    ----------
    config : LanesConfig
        Lanes, and their bits in a cycle.
    rng : numpy.random.Generator
        All that is random.
    order : list of int or None
        Lane of the far end that each lane goes to; None leaves them as they are.
    delays : list of int or None
        Bits that each lane is under way.
    error_rate : float
        Probability that an error begins at a bit of a lane.
    burst : int
        Bits from the first to the last one that an error hits, of those between one in two.
    dead : set of int
        Lanes, of the far end, that are zero and have no signal.
    polarity : set of int
        Lanes, of the far end, whose two wires are swapped: all bits are inverted.
    ppm : int
        So many parts per million is the clock of the lines slower than that of both ends, 0 to
        999,999: of a million cycles, so many have no word, evenly spread. It is that of the sending
        end, which receivers recover from each lane.
    phases : list of int or None
        How much later the recovered clock of each lane, of the far end, ticks, in millionths of a
        word: 0 to 1,000,000. With any but 0 a word may come a cycle later.

    Attributes
    ----------
    tx_ready : bool
        The lines take the word of the next :meth:`pass_on`.
    late : int
        Bits that lane 0 is under way for longer.
    hits : int
        Wrong bits so far.
    """

    config: LanesConfig
    rng: np.random.Generator
    order: list[int] | None = None
    delays: list[int] | None = None
    error_rate: float = 0.0
    burst: int = 1
    dead: set[int] = field(default_factory=set)
    polarity: set[int] = field(default_factory=set)
    ppm: int = 0
    phases: list[int] | None = None

    def __post_init__(self):
        lanes, self.width, self.late = self.config.lanes, self.config.lane_bits, 0
        if not 0 <= self.ppm < MILLION:
            raise ValueError(f"ppm must be 0 to {MILLION - 1}, not {self.ppm}")
        for phase in self.phases or []:
            if not 0 <= phase <= MILLION:
                raise ValueError(f"phases must be 0 to {MILLION} each, not {phase}")
        self.coming: list[deque[int]] = [deque() for _ in range(lanes)]
        self.passed = 0  # cycles
        self.tx_ready = self.ticks(0)
        self.hits, self.past = 0, [0] * lanes
        self.drawn, self.next = self.error_rate, [self.gap() for _ in range(lanes)]
        self.harm = [0] * lanes  # of bursts that go on

    def gap(self) -> int:
        """Bits to the next error."""
        return int(self.rng.geometric(self.error_rate)) - 1 if self.error_rate else FAR

    def pattern(self) -> int:
        """The bits that an error hits."""
        if self.burst == 1:
            return 1
        ends = 1 | 1 << self.burst - 1
        return ends | int.from_bytes(self.rng.bytes(-(-self.burst // 8)), "little") & ends - 1

    def wrong(self, lane: int) -> int:
        """The bits that are hit in this cycle."""
        width = self.width
        while self.next[lane] < width:
            self.harm[lane] |= self.pattern() << self.next[lane]
            self.next[lane] += 1 + self.gap()
        self.next[lane] -= width
        hit = self.harm[lane] & (1 << width) - 1
        self.harm[lane] >>= width
        self.hits += hit.bit_count()
        return hit

    def ticks(self, phase: int) -> bool:
        """A clock of the lines that is so much late ends a word in this cycle."""
        before = self.passed * (MILLION - self.ppm) - phase
        return before // MILLION < (before + MILLION - self.ppm) // MILLION > 0

    def take(self, tx: np.ndarray) -> None:
        """A word of each lane sets out."""
        width = self.width
        for lane in range(self.config.lanes):
            to = self.order[lane] if self.order else lane
            delay = self.delays[lane] if self.delays else 0
            delay += self.late if lane == 0 else 0
            self.past[lane] |= int.from_bytes(tx[lane].tobytes(), "little") << delay
            bits = self.past[lane] & (1 << width) - 1
            self.past[lane] >>= width
            bits ^= self.wrong(lane)
            if to in self.polarity:
                bits ^= (1 << width) - 1
            self.coming[to].append(0 if to in self.dead else bits)

    def pass_on(
        self, tx: np.ndarray, rx: np.ndarray, rx_valid: np.ndarray, signal_ok: np.ndarray
    ) -> None:
        """A cycle: ``tx`` of one end to ``rx``, ``rx_valid`` and ``signal_ok`` of the other.

        The word on ``tx`` is taken if ``tx_ready`` was true before.
        """
        if self.drawn != self.error_rate:  # it has been changed
            self.drawn, self.next = self.error_rate, [self.gap() for _ in self.next]
        if self.tx_ready:
            self.take(tx)
        for to in range(self.config.lanes):
            signal_ok[to] = to not in self.dead
            # A clock that is late never has more words than have been sent.
            rx_valid[to] = self.ticks(self.phases[to] if self.phases else 0)
            if rx_valid[to]:
                bits = self.coming[to].popleft().to_bytes(8 * rx.shape[1], "little")
                rx[to] = np.frombuffer(bits, dtype=np.int64)
        self.passed += 1
        self.tx_ready = self.ticks(0)


def check_lines(lanes: LanesConfig | None, skew: int, ppm: int | None) -> None:
    """Refuse what lanes cannot have; without any there is neither skew nor a clock.

    Raises
    ------
    ValueError
        The message names the value.
    """
    most = lanes.most_skew if lanes else 0
    if ppm is not None:
        if not lanes:
            raise ValueError("ppm is of the clocks of lanes: give lanes, too")
        if not 0 <= ppm <= LINE_PPM:
            raise ValueError(
                f"ppm must be 0 to {LINE_PPM}, for which the core's clock has room, not {ppm}"
            )
        most = max(0, most - lanes.lane_bits)  # for the phases of the lanes
    if not 0 <= skew <= most:
        raise ValueError(f"skew must be 0 to {most} bits, not {skew}")


class LineEnd(NamedTuple):
    """Pins of a model that has lines: arrays of it, so what is written to them comes to it.

    Members are those of :class:`rtl.serdes.lane.LinesSignature`; ``tx_ready`` is an array of one.
    """

    tx: np.ndarray
    tx_ready: np.ndarray
    rx: np.ndarray
    rx_valid: np.ndarray
    signal_ok: np.ndarray

    @classmethod
    def of(cls, inputs: Any, outputs: Any, at: tuple[int, ...]) -> "LineEnd":
        """Of the pins at the place ``at`` of inputs and outputs."""
        ready = inputs.tx_ready[at[:-1]]
        return cls(
            outputs.tx[at],
            ready[at[-1] : at[-1] + 1],
            *(getattr(inputs, name)[at] for name in cls._fields[2:]),
        )


class Harm(StrEnum):
    """What may be wrong with a cable for a while, both ways."""

    CUT = "cut"  # no signal on any lane
    DEAD = "dead"  # none on lane 0
    FLAPS = "flaps"  # of each lane there is a signal or not, as it happens
    ZEROS = "zeros"  # all bits are, with a signal
    ONES = "ones"  # likewise
    NOISE = "noise"  # any bits, with a signal
    ERRORS = "errors"  # one bit in twenty is wrong, so that no codeword can be corrected
    LATE = "late"  # lane 0 of the sender has as much more skew as receivers have room for
    TWICE = "twice"  # the last lane brings what the first one does: two have one number


class Cable:
    """Lines both ways between two ends.

    Parameters
    ----------
    lanes : LanesConfig
        Of both.
    ends : two LineEnds
        What it joins.
    rng : numpy.random.Generator
        All that is random.
    cycles : int
        Cycles that the bits of each lane are under way, at least.
    skew : int
        Bits that a lane may be later than another. Each is as late as it happens, and if there is
        any skew they are swapped.
    error_rate, burst
        Of each lane, see :class:`Lines`.
    swapped_wires : bool
        Of each lane the two wires are swapped or not, as it happens.
    ppm : int or None
        The clock of the lines from the first end is so many parts per million faster than it should
        be, that of those from the second so many slower, 0 to 100. The clock of both ends is 300
        faster, and each lane has a phase of its own. None: all have the clock of the ends.
    """

    def __init__(
        self,
        lanes: LanesConfig,
        ends: tuple[LineEnd, LineEnd],
        rng: np.random.Generator,
        *,
        cycles: int = 0,
        skew: int = 0,
        error_rate: float = 0.0,
        burst: int = 1,
        swapped_wires: bool = False,
        ppm: int | None = None,
    ):
        self.lanes, self.rng, self.error_rate = lanes, rng, error_rate
        self.ways = []
        for sign, (sender, receiver) in zip((-1, 1), (ends, ends[::-1]), strict=True):
            delays = cycles * lanes.lane_bits + rng.integers(skew + 1, size=lanes.lanes)
            order = rng.permutation(lanes.lanes).tolist() if skew else None
            others: dict[str, Any] = {}
            if ppm is not None:
                others["ppm"] = CORE_PPM + sign * ppm
                others["phases"] = rng.integers(MILLION + 1, size=lanes.lanes).tolist()
            if swapped_wires:
                others["polarity"] = set(np.flatnonzero(rng.integers(2, size=lanes.lanes)).tolist())
            lines = Lines(lanes, rng, order, delays.tolist(), error_rate, burst=burst, **others)
            self.ways.append((lines, sender, receiver))

    @property
    def hits(self) -> int:
        """Wrong bits so far."""
        return sum(lines.hits for lines, _, _ in self.ways)

    def pass_on(self, harm: Harm | None = None) -> None:
        """The bits of a cycle, from the outputs of each end to the inputs of the other."""
        for lines, sender, receiver in self.ways:
            self.spoil(lines, harm)
            sender.tx_ready[0] = lines.tx_ready
            lines.pass_on(sender.tx, receiver.rx, receiver.rx_valid, receiver.signal_ok)
            if harm:
                self.replace(receiver, harm)

    def spoil(self, lines: Lines, harm: Harm | None) -> None:
        """What harm does to lines."""
        lanes = self.lanes.lanes if harm == Harm.CUT else 1
        lines.dead = set(range(lanes)) if harm in (Harm.CUT, Harm.DEAD) else set()
        lines.error_rate = 0.05 if harm == Harm.ERRORS else self.error_rate
        lines.late = self.lanes.most_skew + self.lanes.lane_bits if harm == Harm.LATE else 0

    def replace(self, end: LineEnd, harm: Harm) -> None:
        """What comes instead of what was sent."""
        width = self.lanes.lane_bits
        if harm == Harm.TWICE:
            end.rx[-1], end.rx_valid[-1] = end.rx[0], end.rx_valid[0]
        elif harm == Harm.FLAPS:
            end.signal_ok[:] = self.rng.integers(2, size=self.lanes.lanes)
        elif harm in (Harm.ZEROS, Harm.ONES, Harm.NOISE):
            for lane in range(self.lanes.lanes):
                made = int.from_bytes(self.rng.bytes(-(-width // 8)), "little") & (1 << width) - 1
                bits = {Harm.ZEROS: 0, Harm.ONES: (1 << width) - 1}.get(harm, made)
                end.rx[lane] = np.frombuffer(bits.to_bytes(8 * end.rx.shape[1], "little"), np.int64)
