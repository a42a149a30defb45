import numpy as np
import pytest

from models.lines import MILLION, Lines
from models.serdes.config import LanesConfig

CONFIG = LanesConfig(name="x", lanes=2)  # of 34 bits


class Far:
    """What comes at the far end of lines that bring the number of each cycle."""

    def __init__(self, **options):
        self.lines = Lines(CONFIG, np.random.default_rng(1), **options)
        self.rx, self.valid, self.ok = (np.zeros(s, dtype=np.int64) for s in ((2, 1), 2, 2))
        self.taken: list[int] = []
        self.came: list[list[tuple[int, int]]] = [[], []]  # cycle and word of each lane

    def run(self, cycles: int) -> None:
        for cycle in range(cycles):
            if self.lines.tx_ready:
                self.taken.append(cycle)
            self.lines.pass_on(np.full((2, 1), cycle), self.rx, self.valid, self.ok)
            for lane in np.flatnonzero(self.valid):
                self.came[lane].append((cycle, int(self.rx[lane, 0])))


def test_lines_of_the_same_clock_take_and_bring_a_word_in_each_cycle():
    far = Far()
    far.run(100)
    assert far.taken == list(range(100))
    assert far.came == 2 * [[(cycle, cycle) for cycle in range(100)]]


@pytest.mark.parametrize("ppm", [1, 400, 30_000])
def test_slower_lines_leave_out_exactly_so_many_cycles(ppm):
    far, cycles = Far(ppm=ppm, phases=[0, 700_000]), min(3 * MILLION // ppm, 20_000)
    far.run(cycles)
    assert len(far.taken) == cycles * (MILLION - ppm) // MILLION
    words = [[word for _, word in lane] for lane in far.came]
    assert words[0] == far.taken and words[1] == far.taken[: len(words[1])]
    assert all(cycle == word for cycle, word in far.came[0])
    late = {cycle - word for cycle, word in far.came[1]}
    # The clock of the lines begins just behind that of the ends, and is a cycle later at the end.
    assert late == ({0} if ppm == 1 else {0, 1})


def test_wires_that_are_swapped_invert_all_bits():
    far = Far(polarity={1}, order=[1, 0])
    far.run(3)
    mask = (1 << CONFIG.lane_bits) - 1
    assert far.came == [[(k, k) for k in range(3)], [(k, mask - k) for k in range(3)]]


@pytest.mark.parametrize(
    "options, message",
    [
        ({"ppm": MILLION}, "ppm must be 0 to 999999, not 1000000"),
        ({"phases": [0, -1]}, "phases must be 0 to 1000000 each, not -1"),
    ],
)
def test_wrong_value_is_named(options, message):
    with pytest.raises(ValueError, match=message):
        Lines(CONFIG, np.random.default_rng(1), **options)
