"""The lanes between two PCS: skew in bits, another order, wrong bits, and no signal.

Lines are no hardware, as :mod:`models.channel`, which is the same one layer higher: words.
"""

from dataclasses import dataclass, field

import numpy as np

from models.serdes.config import LanesConfig
from models.serdes.multilane_pcs import MultilanePcsModel

__all__ = ["Cable", "Lines"]

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

    Attributes
    ----------
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

    def __post_init__(self):
        lanes = self.config.lanes
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
        width = self.config.lane_bits
        while self.next[lane] < width:
            self.harm[lane] |= self.pattern() << self.next[lane]
            self.next[lane] += 1 + self.gap()
        self.next[lane] -= width
        hit = self.harm[lane] & (1 << width) - 1
        self.harm[lane] >>= width
        self.hits += hit.bit_count()
        return hit

    def pass_on(self, tx: np.ndarray, rx: np.ndarray, signal_ok: np.ndarray) -> None:
        """The bits of a cycle: ``tx`` of one end to ``rx`` and ``signal_ok`` of the other."""
        if self.drawn != self.error_rate:  # it has been changed
            self.drawn, self.next = self.error_rate, [self.gap() for _ in self.next]
        width, words = self.config.lane_bits, rx.shape[1]
        mask = (1 << width) - 1
        for lane in range(self.config.lanes):
            to = self.order[lane] if self.order else lane
            delay = self.delays[lane] if self.delays else 0
            self.past[lane] |= int.from_bytes(tx[lane].tobytes(), "little") << delay
            bits = self.past[lane] & mask
            self.past[lane] >>= width
            bits ^= self.wrong(lane)
            signal_ok[to] = to not in self.dead
            bits = 0 if to in self.dead else bits
            rx[to] = np.frombuffer(bits.to_bytes(8 * words, "little"), dtype=np.int64)


class Cable:
    """Lines both ways between two PCS.

    Parameters
    ----------
    ends : two MultilanePcsModel
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
    """

    def __init__(
        self,
        ends: tuple[MultilanePcsModel, MultilanePcsModel],
        rng: np.random.Generator,
        *,
        cycles: int = 0,
        skew: int = 0,
        error_rate: float = 0.0,
        burst: int = 1,
    ):
        lanes = ends[0].lanes
        self.every, self.ways = set(range(lanes.lanes)), []
        for sender, receiver in (ends, ends[::-1]):
            delays = cycles * lanes.lane_bits + rng.integers(skew + 1, size=lanes.lanes)
            order = rng.permutation(lanes.lanes).tolist() if skew else None
            lines = Lines(lanes, rng, order, delays.tolist(), error_rate, burst=burst)
            self.ways.append((lines, sender, receiver))

    @property
    def hits(self) -> int:
        """Wrong bits so far."""
        return sum(lines.hits for lines, _, _ in self.ways)

    def pass_on(self, is_cut: bool) -> None:
        """The bits of a cycle, from the outputs of each end to the inputs of the other."""
        for lines, sender, receiver in self.ways:
            lines.dead = self.every if is_cut else set()
            i = receiver.inputs
            lines.pass_on(sender.outputs.tx[0], i.rx[0], i.signal_ok[0])
