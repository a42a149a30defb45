"""iSLIP in cells reaches the published throughputs."""

import numpy as np
import pytest

from models.cell_mode import cell_mode_throughput, match


def matched(waiting, grant, accept, iterations):
    """Output of each input; ``grant`` and ``accept`` pointers are moved."""
    output_of, input_of = np.empty(len(waiting), np.int64), np.empty(len(waiting), np.int64)
    match(np.array(waiting), grant, accept, iterations, output_of, input_of)
    return output_of.tolist()


def test_second_iteration_fills_a_gap_and_moves_no_pointer():
    """Both outputs grant input 0, which takes output 0; output 1 comes to input 1 later."""
    waiting = [[1, 1], [0, 1]]
    for iterations, expected in ((1, [0, -1]), (2, [0, 1])):
        grant, accept = np.zeros(2, np.int64), np.zeros(2, np.int64)
        assert matched(waiting, grant, accept, iterations) == expected
        assert (grant.tolist(), accept.tolist()) == ([1, 0], [1, 0])


def test_pointers_fall_into_step():
    """With every queue full, one iteration is enough from the ports-th slot on."""
    grant, accept = np.zeros(4, np.int64), np.zeros(4, np.int64)
    waiting = np.ones((4, 4), np.int64)
    slots = [matched(waiting, grant, accept, 1) for _ in range(12)]
    assert all(sorted(slot) == [0, 1, 2, 3] for slot in slots[4:])


@pytest.mark.parametrize(
    "pattern, throughput",
    [("uniform", 0.995), ("quasi-diagonal", 0.811), ("log-diagonal", 0.832), ("diagonal", 0.829)],
)
def test_throughputs_of_the_architecture(pattern, throughput):
    carried = cell_mode_throughput(16, pattern=pattern, load=1.0, iterations=4, slots=50_000)
    assert carried == pytest.approx(throughput, abs=0.005)
