"""The switch of cells: traffic as stated, nothing lost or reordered, waits and their confidence."""

import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.cell_mode import (
    BATCHES,
    Queues,
    arrivals,
    arrive,
    cell_mode,
    depart,
    departures,
    interval,
    run,
)
from models.ideal import uniform_wait
from models.policy import POLICIES
from models.policy.islip import Islip
from models.policy.output_queued import OutputQueued
from models.traffic import PATTERNS, destinations
from sim import ROOT


class Recorded:
    """Passes on what a policy says, and writes down which cell leaves when."""

    def __init__(self, policy):
        self.policy, self.ports, self.slot = policy, policy.ports, 0
        self.departures = []  # slot, input, output, slot of arrival

    def match(self, queues, input_of):
        self.policy.match(queues, input_of)
        for output, n in enumerate(input_of):
            if n >= 0:
                self.departures.append((self.slot, n, output, int(queues.head[n, output])))
        self.slot += 1


class FromInput:
    """Serves output 0 from one input, whether it has a cell or not."""

    def __init__(self, n: int):
        self.ports, self.n = 2, n

    def match(self, queues, input_of):
        input_of[:] = self.n, -1


@pytest.mark.parametrize("name", POLICIES)
@given(
    pattern=st.sampled_from(PATTERNS),
    load=st.sampled_from([0.4, 0.9, 1.0]),
    seed=st.integers(0, 99),
)
@settings(max_examples=10)
def test_cells_that_leave_came_in_that_order(name, pattern, load, seed):
    table = arrivals(5, pattern=pattern, load=load, slots=200, seed=seed)
    recorded = Recorded(POLICIES[name](5))
    result = run(recorded, table, warmup=0)
    assert len(recorded.departures) == np.count_nonzero(table >= 0) - result.waiting
    assert len(recorded.departures) > 20
    waits = [left - came for left, _, _, came in recorded.departures]
    assert min(waits) >= 0 and result.wait == pytest.approx(np.mean(waits))
    left = departures(POLICIES[name](5), table)  # whose loop is compiled, if the policy is
    for slot, n, _, came in recorded.departures:
        assert left[came, n] == slot
    assert np.count_nonzero((table >= 0) & (left < 0)) == result.waiting
    for n, output in np.ndindex(5, 5):
        came = np.flatnonzero(table[:, n] == output)
        left = [row[3] for row in recorded.departures if row[1:3] == (n, output)]
        assert left == came[: len(left)].tolist()


def test_waits_by_hand():
    """Two cells for output 0 in slot 0: one leaves at once, one a slot later."""
    table = np.full((40, 2), -1, np.int16)
    table[::2] = 0
    result = run(OutputQueued(2), table, warmup=0)
    assert result.wait == 0.5 and result.waiting == 0
    assert result.throughput == result.offered == 0.5
    assert result.wait_interval == result.throughput_interval == 0


def test_warmup_is_not_measured():
    """A queue of 20 cells in the first fifth, and nothing after it has left."""
    table = np.full((200, 2), -1, np.int16)
    table[:20] = 0
    table[100:, 1] = 1
    result = run(OutputQueued(2), table)
    assert (result.wait, result.throughput, result.offered) == (0, 100 / 320, 100 / 320)


def test_interval_of_batch_means():
    """Against Student's t of 19 degrees of freedom, by the book: 2.093."""
    means = np.array([1.0, 3.0] * (BATCHES // 2))
    assert interval(means) == pytest.approx(2.093 * np.sqrt(20 / 19) / np.sqrt(20), rel=1e-3)


def test_interval_covers_the_truth():
    """Of 40 samples about two miss the formula at 95 %; six would be bad luck of 1 in 70."""
    results = [cell_mode(OutputQueued(4), load=0.5, slots=4000, seed=n) for n in range(40)]
    missed = sum(abs(r.wait - uniform_wait(4, 0.5)) > r.wait_interval for r in results)
    assert missed <= 6
    assert np.median([r.wait_interval for r in results]) < 0.1 * uniform_wait(4, 0.5)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_arrivals_are_those_of_the_pattern(pattern):
    slots = 100_000
    table = arrivals(4, pattern=pattern, load=0.6, slots=slots)
    found = np.array([np.bincount(column[column >= 0], minlength=4) for column in table.T]) / slots
    margin = 0.03 if pattern == "bursts" else 0.008
    assert found == pytest.approx(0.6 * destinations(pattern, 4), abs=margin)


def test_bursts_are_of_sixteen_cells():
    """Runs of cells to one output: a burst, or more of them if the next has the same one."""
    ports = 64
    table = arrivals(ports, pattern="bursts", load=0.5, slots=4000)
    runs = cells = 0
    for column in table.T:
        starts = np.flatnonzero(np.diff(column, prepend=-2))
        runs += np.count_nonzero(column[starts] >= 0)
        cells += np.count_nonzero(column >= 0)
    # An idle time is empty with probability 1 / 17, the same output follows with 1 / 64.
    assert cells / runs == pytest.approx(16 / (1 - 1 / 17 / ports), rel=0.03)


def test_seeds_repeat():
    first, again, other = (
        arrivals(4, pattern="uniform", load=0.5, slots=100, seed=seed) for seed in (1, 1, 2)
    )
    assert np.array_equal(first, again) and not np.array_equal(first, other)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"load": 0.0}, "load must be above 0, at most 1, not 0.0"),
        ({"load": 1.1}, "load must be above 0, at most 1, not 1.1"),
        ({"burst": 0.5}, "burst must be 1 or more cells, not 0.5"),
        ({"pattern": "waves"}, "not 'waves'"),
        ({"slots": 20}, "20 slots are too few for 20 batches"),
    ],
)
def test_wrong_values_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        cell_mode(Islip(4), **({"load": 0.5, "slots": 100} | change))


def test_an_empty_queue_is_not_served():
    table = np.zeros((40, 2), np.int16)
    table[:, 1] = -1
    assert run(FromInput(0), table).throughput == 0.5
    with pytest.raises(ValueError, match="serves an empty queue"):
        run(FromInput(1), table)


def test_queue_by_hand():
    queues = Queues(*(np.zeros((2, 2), np.int64) for _ in range(3)), np.zeros((9, 2), np.int32))
    seen = np.zeros(2, np.int64)
    for slot in (1, 4, 5):
        arrive(queues, slot, np.array([-1, 0], np.int16))
    assert queues.waiting.tolist() == [[0, 0], [3, 0]]
    for slot, waited in ((5, 4), (6, 6), (7, 8)):
        depart(queues, slot, np.array([1, -1]), seen)
        assert seen[1] == waited
    assert queues.waiting.sum() == 0 and seen[0] == 3


def test_it_runs_without_numba():
    """The same figures, bit for bit, from plain Python."""
    script = (
        "from models.cell_mode import cell_mode\n"
        "from models.policy import POLICIES\n"
        "for name, policy in POLICIES.items():\n"
        "    for pattern in ('uniform', 'bursts'):\n"
        "        print(cell_mode(policy(3), pattern=pattern, load=0.9, slots=200))\n"
    )
    printed = [
        subprocess.run(
            [sys.executable, "-c", script],
            cwd=ROOT,
            env=os.environ | {"NUMBA_DISABLE_JIT": disabled},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for disabled in "01"
    ]
    assert printed[0] == printed[1] and len(printed[0].splitlines()) == 2 * len(POLICIES)
