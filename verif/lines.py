"""Lanes between two ends: skew in bits, another order, wrong bits, and no signal."""

from dataclasses import dataclass, field

import numpy as np

from models.serdes.config import LanesConfig

__all__ = ["Lines"]


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
        Bits that each lane is late.
    error_rate : float
        Wrong bits, of all.
    dead : set of int
        Lanes, of the far end, that are zero and have no signal.
    """

    config: LanesConfig
    rng: np.random.Generator
    order: list[int] | None = None
    delays: list[int] | None = None
    error_rate: float = 0.0
    dead: set[int] = field(default_factory=set)

    def __post_init__(self):
        self.hits = 0  # wrong bits so far
        self.past = [0] * self.config.lanes

    def pass_on(self, tx: np.ndarray, rx: np.ndarray, signal_ok: np.ndarray) -> None:
        """The bits of a cycle: ``tx`` of one end to ``rx`` and ``signal_ok`` of the other."""
        width, words = self.config.lane_bits, rx.shape[1]
        mask = (1 << width) - 1
        for lane in range(self.config.lanes):
            to = self.order[lane] if self.order else lane
            delay = self.delays[lane] if self.delays else 0
            self.past[lane] |= int.from_bytes(tx[lane].tobytes(), "little") << delay
            bits = self.past[lane] & mask
            self.past[lane] >>= width
            if self.error_rate:
                wrong = self.rng.binomial(width, self.error_rate)
                for at in self.rng.choice(width, wrong, replace=False):
                    bits ^= 1 << int(at)
                self.hits += wrong
            signal_ok[to] = to not in self.dead
            bits = 0 if to in self.dead else bits
            rx[to] = np.frombuffer(bits.to_bytes(8 * words, "little"), dtype=np.int64)
