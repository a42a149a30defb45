"""Collectives bring everybody what they promise, with the bytes that they should need."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.collective import ALGORITHMS, ROUTED, Collective
from models.plan import Plan, parent

NONE = np.zeros((0, 0), dtype=np.int64)
FORMS = [
    (operation, algorithm)
    for operation, algorithms in ALGORITHMS.items()
    for algorithm in algorithms
    if operation not in ROUTED
]
# Of the others the bytes between ranks tell all.
PASSING_ON = [form for form in FORMS if form[0] not in ("send", "all-to-all")]


def planned(operation: str, algorithm: str, ranks: int, size: int) -> Plan:
    """The plan of one collective among ranks 0, 3, 6, ..., so that places are no numbers."""
    plan = Plan()
    step = Collective(name="c", operation=operation, algorithm=algorithm, bytes=size)
    group = tuple(3 * n for n in range(ranks))
    plan.collective(step, group, size, [[] for _ in group], NONE)
    return plan


def bounds(ranks: int, size: int):
    return size * np.arange(ranks + 1) // ranks


def beginning(operation: str, ranks: int, size: int):
    """Contribution of each rank (last axis) that each rank (first axis) has of each byte."""
    has = np.zeros((ranks, size, ranks), dtype=np.int64)
    edges = bounds(ranks, size)
    for n in range(ranks):
        if operation == "broadcast" and n:
            continue
        own = slice(edges[n], edges[n + 1]) if operation == "all-gather" else slice(None)
        has[n, own, n] = 1
    return has


def carried_out(plan: Plan, has):
    """What each rank has after the plan, by what each send says that it brings.

    That is the result, if a node that it waits for has brought the result to its source, otherwise
    the source's own and what such nodes have brought. Nothing else counts, early or not: a wait too
    few is a contribution too few.
    """
    result = has.sum(axis=0)
    brought = {}
    into = {send.node: send.destination for send in plan.sends}

    def at(rank, nodes):
        """What ``rank`` has of all bytes after these nodes."""
        here = [brought[node] for node in nodes if into.get(node) == rank]
        added = has[rank // 3] + sum(here)
        whole = [(data == result).all(axis=1) & result.any(axis=1) for data in here]
        return np.where(np.any([[False] * len(result), *whole], axis=0)[:, None], result, added)

    for send in plan.sends:
        data = np.zeros_like(result)
        place = slice(send.offset, send.offset + send.size)
        data[place] = at(send.source, plan.waits[send.node])[place]
        brought[send.node] = data
    return np.array([at(3 * n, brought) for n in range(len(has))])


@pytest.mark.parametrize(("operation", "algorithm"), PASSING_ON)
@given(ranks=st.integers(2, 17), more=st.integers(0, 40))
@settings(max_examples=30)
def test_everyone_ends_with_what_is_promised(operation, algorithm, ranks, more):
    size = ranks + more
    has = beginning(operation, ranks, size)
    result = has.sum(axis=0)
    assert result.max() == 1
    after = carried_out(planned(operation, algorithm, ranks, size), has)
    if operation != "reduce-scatter":
        assert np.array_equal(after, np.broadcast_to(result, after.shape))
        return
    edges = bounds(ranks, size)
    shift = 1 if algorithm == "ring" else 0  # a chunk ends one rank short of a whole turn
    for n in range(ranks):
        part = (n + shift) % ranks
        own = slice(edges[part], edges[part + 1])
        assert np.array_equal(after[n, own], result[own])


@pytest.mark.parametrize(("operation", "algorithm"), FORMS)
@given(ranks=st.integers(2, 40), more=st.integers(0, 5000))
@settings(max_examples=30)
def test_bytes_by_formula(operation, algorithm, ranks, more):
    size = ranks + more
    plan = planned(operation, algorithm, ranks, size)
    sent = np.zeros((ranks, ranks), dtype=np.int64)
    for send in plan.sends:
        sent[send.source // 3, send.destination // 3] += send.size
    part = np.diff(bounds(ranks, size))
    assert not sent.diagonal().any()
    power = 1 << ranks.bit_length() - 1
    extra = ranks - power
    total = {
        "all-to-all": (ranks - 1) * size,
        "all-gather": (ranks - 1) * size,
        "reduce-scatter": (ranks - 1) * size,
        "broadcast": (ranks - 1) * size,
        "send": (ranks if algorithm == "ring" else ranks - 1) * size,
        "all-reduce": 2 * (ranks - 1) * size,
    }[operation]
    if algorithm == "recursive-doubling":
        total = size * (power * (power.bit_length() - 1) + 2 * extra)
    assert sent.sum() == total
    if operation == "all-to-all":
        assert np.array_equal(sent, part[None, :] * (1 - np.eye(ranks, dtype=np.int64)))
    if operation == "send":
        far = (np.arange(ranks) + 1) % ranks
        assert sent[np.arange(ranks), far].sum() == total
    out, into = sent.sum(axis=1), sent.sum(axis=0)
    if algorithm == "ring" and operation != "send":
        # In one turn a rank sends all chunks but one.
        turns = 2 if operation == "all-reduce" else 1
        most = size if operation == "broadcast" else turns * (size - part.min())
        assert max(out.max(), into.max()) <= most
    if operation == "all-reduce" and algorithm == "tree":
        assert max(out.max(), into.max()) <= 2 * size + 2  # halves may differ by one
    if operation == "broadcast" and algorithm == "tree":
        assert out.max() == out[0] == size * (ranks - 1).bit_length()


@given(ranks=st.integers(2, 150))
@settings(max_examples=30)
def test_trees_are_binary_and_their_insides_differ(ranks):
    up = {p: parent(p, ranks) for p in range(1, ranks + 1)}
    assert sum(q == 0 for q in up.values()) == 1
    children = np.bincount(list(up.values()), minlength=ranks + 1)
    assert children[1:].max() <= 2 and not children[1::2].any(), "odd positions are leaves"
    for p in up:
        depth = 0
        while p:
            p, depth = up[p], depth + 1
        assert depth <= ranks.bit_length() + 1
    group = tuple(range(ranks))
    plan = Plan()
    step = Collective(name="c", operation="all-reduce", algorithm="tree", bytes=ranks)
    plan.collective(step, group, 1 << 20, [[] for _ in group], NONE)
    trees = [
        {
            (send.source, send.destination)
            for send in plan.sends
            if (send.offset < 1 << 19) == (tree == 0) and send.stage % 2 == 0
        }
        for tree in range(2)
    ]
    assert all(len(edges) == ranks - 1 for edges in trees)
    assert not trees[0] & trees[1], "their sends must not wait for each other in a queue"
    both = {up for _, up in trees[0]} & {up for _, up in trees[1]}
    assert not both if ranks % 2 == 0 else len(both) <= 1


@pytest.mark.parametrize(("operation", "algorithm"), FORMS)
@pytest.mark.parametrize("ranks", [2, 5, 8])
def test_a_rank_begins_with_what_it_waits_for(operation, algorithm, ranks):
    """Whoever is late delays only itself and who needs it: each send waits for its own source."""
    plan = Plan()
    gates = [plan.node([]) for _ in range(ranks)]
    step = Collective(name="c", operation=operation, algorithm=algorithm, bytes=64)
    plan.collective(step, tuple(range(ranks)), 64, [[gate] for gate in gates], NONE)
    for send in plan.sends:
        assert gates[send.source] in plan.waits[send.node]
        assert not {gates[n] for n in range(ranks) if n != send.source} & set(plan.waits[send.node])


@pytest.mark.parametrize(("operation", "algorithm"), FORMS)
@given(ranks=st.integers(2, 20))
@settings(max_examples=10)
def test_no_send_waits_for_a_later_one_of_its_queue(operation, algorithm, ranks):
    """From rank to rank the order of stages is kept, so what is waited for must come before."""
    plan = planned(operation, algorithm, ranks, 200)
    stage = {send.node: send.stage for send in plan.sends}
    for send in plan.sends:
        assert all(stage[w] <= send.stage for w in plan.waits[send.node])
    queues = [(send.source, send.destination, send.stage) for send in plan.sends]
    assert len(set(queues)) == len(queues)


@pytest.mark.parametrize(
    ("operation", "factor"),
    [
        ("all-reduce", 1.5),
        ("all-gather", 0.75),
        ("reduce-scatter", 0.75),
        ("all-to-all", 0.75),
        ("dispatch", 0.75),
        ("broadcast", 1),
        ("send", 1),
    ],
)
def test_bus_factors_of_nccl_tests(operation, factor):
    step = Collective(name="c", operation=operation, algorithm="direct", bytes=1)
    assert step.bus_factor(4) == factor
