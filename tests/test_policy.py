"""Each scheduler matches what it says: legal, maximal or of maximum weight, fair."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from models.cell_mode import Queues, arrivals, cell_mode, run
from models.policy import POLICIES
from models.policy.buffered_crossbar import BufferedCrossbar
from models.policy.islip import Islip
from models.policy.longest_queue import LongestQueue, length_class
from models.policy.maximum_weight import MaximumWeight
from models.policy.output_queued import OutputQueued
from models.policy.wavefront import Wavefront

PORTS = 4
MATCHING = ("islip", "wavefront", "longest-queue", "maximum-weight")  # bound to a plain crossbar
lengths = arrays(np.int64, (PORTS, PORTS), elements=st.sampled_from([0, 0, 1, 2, 3, 9, 300]))
histories = st.lists(lengths, min_size=1, max_size=12)


def matched(policy, waiting, head=None):
    """Input of each output, of queues that hold ``waiting`` cells; ``head`` are their oldest."""
    waiting = np.array(waiting)
    input_of = np.empty(policy.ports, np.int64)
    none = np.zeros_like(waiting)
    head = none if head is None else np.array(head)
    policy.match(Queues(waiting, head, none, np.zeros((1, policy.ports), np.int32)), input_of)
    return input_of.tolist()


def weight(waiting, input_of):
    """Cells in the queues that are served."""
    return sum(waiting[n][output] for output, n in enumerate(input_of) if n >= 0)


def assert_matching(waiting, input_of):
    served = [n for n in input_of if n >= 0]
    assert len(set(served)) == len(served), "an input serves two outputs"
    assert all(n < 0 or waiting[n][output] for output, n in enumerate(input_of)), "no cell there"


def assert_maximal(waiting, input_of):
    for n, output in np.argwhere(waiting):
        assert n in input_of or input_of[output] >= 0, f"input {n} and output {output} stay free"


@pytest.mark.parametrize("name", MATCHING)
@given(history=histories)
def test_matchings_are_legal_and_maximal(name, history):
    """Iterated ones have PORTS iterations here, and are maximal then."""
    options = {"iterations": PORTS} if name in ("islip", "longest-queue") else {}
    policy = POLICIES[name](PORTS, **options)
    for waiting in history:
        input_of = matched(policy, waiting)
        assert_matching(waiting, input_of)
        assert_maximal(waiting, input_of)


@pytest.mark.parametrize("name", ("islip", "longest-queue"))
@given(history=histories, iterations=st.integers(1, 3))
def test_iterations_add_pairs(name, history, iterations):
    """Each round before the matching is maximal adds a pair at least."""
    policy = POLICIES[name](PORTS, iterations=iterations)
    for waiting in history:
        input_of = matched(policy, waiting)
        assert_matching(waiting, input_of)
        if sum(n >= 0 for n in input_of) < iterations:
            assert_maximal(waiting, input_of)


@given(waiting=lengths)
def test_no_matching_weighs_more(waiting):
    best = weight(waiting, matched(MaximumWeight(PORTS), waiting))
    assert best == max(weight(waiting, n) for n in permutations(range(PORTS)))
    for name in MATCHING:
        assert weight(waiting, matched(POLICIES[name](PORTS), waiting)) <= best


@pytest.mark.parametrize("kind", (Islip, LongestQueue))
def test_pointers_move_on_accept_in_the_first_iteration_only(kind):
    """Outputs 0 and 1 grant input 0, which takes output 0; output 1 comes to input 1 later."""
    for iterations, expected in ((1, [0, -1, -1]), (2, [0, 1, -1])):
        policy = kind(3, iterations=iterations)
        assert matched(policy, [[1, 1, 0], [0, 1, 0], [0, 0, 0]]) == expected
        assert policy.grant_pointer.tolist() == policy.accept_pointer.tolist() == [1, 0, 0]


@pytest.mark.parametrize("policy", (Islip(PORTS, iterations=1), LongestQueue(PORTS, iterations=1)))
def test_pointers_fall_into_step(policy):
    """With every queue full, one iteration is enough from the ports-th slot on."""
    slots = [matched(policy, np.ones((PORTS, PORTS), np.int64)) for _ in range(12)]
    assert all(sorted(slot) == [0, 1, 2, 3] for slot in slots[PORTS:])


@pytest.mark.parametrize("name", ("islip", "wavefront", "longest-queue", "buffered-crossbar"))
def test_equal_queues_are_served_equally(name):
    policy = POLICIES[name](PORTS)
    served = np.zeros((PORTS, PORTS), np.int64)
    for slot in range(100 + 25 * PORTS):
        for output, n in enumerate(matched(policy, np.full((PORTS, PORTS), 9))):
            served[n, output] += slot >= 100
    assert served.tolist() == [[25] * PORTS] * PORTS


def test_wavefront_begins_with_each_diagonal_in_turn():
    """Of two requests of one output that which is nearer to the first diagonal is taken."""
    policy = Wavefront(3)
    waiting = [[1, 0, 0], [1, 0, 0], [0, 0, 0]]  # on the diagonals 0 and 2
    assert [matched(policy, waiting)[0] for _ in range(4)] == [0, 1, 1, 0]


@pytest.mark.parametrize(
    "cells, expected", [(0, 0), (1, 1), (2, 2), (3, 2), (4, 3), (127, 7), (128, 8), (9999, 8)]
)
def test_length_classes(cells, expected):
    assert length_class(cells, 8) == expected


def test_longest_queue_comes_first():
    """2 and 3 cells are of one class, and the pointers decide; 4 are more."""
    assert matched(LongestQueue(2, iterations=1), [[2, 0], [3, 0]]) == [0, -1]
    assert matched(LongestQueue(2, iterations=1), [[3, 0], [4, 0]]) == [1, -1]
    assert matched(LongestQueue(2, iterations=1), [[3, 4], [0, 0]]) == [-1, 0]


def test_output_queued_serves_the_oldest():
    waiting = [[1, 1], [1, 0]]
    assert matched(OutputQueued(2), waiting, head=[[7, 3], [5, 0]]) == [1, 0]
    assert matched(OutputQueued(2), waiting, head=[[5, 3], [5, 0]]) == [0, 0]


def test_no_policy_waits_less_than_the_ideal():
    """With the same arrivals; and the ideal leaves no output idle that has a cell."""
    table = arrivals(PORTS, pattern="uniform", load=0.8, slots=10_000)
    waits = {name: run(policy(PORTS), table).wait for name, policy in POLICIES.items()}
    assert min(waits, key=waits.__getitem__) == "output-queued"
    assert waits["maximum-weight"] < min(waits[name] for name in MATCHING[:3])


def test_crosspoints_by_hand():
    """Both inputs send to output 0, which takes one cell; the other stays in its crosspoint."""
    policy = BufferedCrossbar(2)
    assert matched(policy, [[2, 0], [2, 0]]) == [0, -1]
    assert policy.buffered.tolist() == [[0, 0], [1, 0]]
    # Input 1 cannot send: its crosspoint is full. The output takes from the longer queue.
    assert matched(policy, [[1, 0], [4, 0]]) == [1, -1]
    assert policy.buffered.tolist() == [[1, 0], [0, 0]]


def test_inputs_fill_the_crosspoints_of_the_output_with_fewest_cells():
    policy = BufferedCrossbar(3)
    policy.buffered[:] = [[0, 0, 0], [1, 1, 0], [1, 0, 0]]
    matched(policy, [[5, 1, 0], [1, 1, 0], [1, 0, 0]])
    assert policy.input_pointer.tolist() == [2, 0, 0]  # input 0 to output 1; the others have none


@pytest.mark.parametrize("room", (1, 2))
@given(seed=st.integers(0, 99), load=st.sampled_from([0.7, 1.0]))
def test_crosspoints_hold_no_more_than_they_can(room, seed, load):
    policy = BufferedCrossbar(PORTS, room=room)
    sent = []

    class Watched:
        ports = PORTS

        def match(self, queues, input_of):
            before = policy.buffered.sum(axis=1)
            policy.match(queues, input_of)
            taken = np.bincount(input_of[input_of >= 0], minlength=PORTS)
            sent.append(policy.buffered.sum(axis=1) + taken - before)
            assert policy.buffered.min() >= 0 and policy.buffered.max() <= room
            assert np.all(policy.buffered <= queues.waiting)

    table = arrivals(PORTS, pattern="diagonal", load=load, slots=200, seed=seed)
    run(Watched(), table)
    assert np.max(sent) == 1 and np.min(sent) == 0, "an input sends one cell in a slot, or none"


@pytest.mark.parametrize("pattern", ("uniform", "quasi-diagonal", "log-diagonal", "diagonal"))
def test_buffered_crossbar_beats_every_matching(pattern):
    waits = {
        name: cell_mode(POLICIES[name](16), pattern=pattern, load=0.9, slots=20_000)
        for name in ("buffered-crossbar", "maximum-weight", "output-queued")
    }
    ideal, ours, bound = (
        waits[name].wait for name in ("output-queued", "buffered-crossbar", "maximum-weight")
    )
    assert ideal < ours < 0.95 * bound
