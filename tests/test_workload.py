"""Workloads move the bytes their collectives need, in the order of their dependencies."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.collective import ALGORITHMS, ROUTED
from models.config import NODE, PROTO, RACK, TINY
from models.traffic import NEVER, OVERHEAD_BYTES, Sinks, Sources
from models.workload import (
    BUILT_IN,
    Collective,
    Compute,
    Program,
    Routing,
    Workload,
    WorkloadError,
    expand,
    load,
    program_advance,
)
from tests.test_traffic import Fabric

FORMS = [  # the others: tests/test_collective.py
    (operation, algorithm)
    for operation in ("all-gather", "reduce-scatter", "all-reduce")
    for algorithm in ("ring", "direct")
]


def workload(*collectives: Collective, ranks: int = 8, **changes) -> Workload:
    return Workload(
        name="test",
        description="test",
        ranks=ranks,
        model="none",
        source="none",
        steps=collectives,
        **changes,
    )


def one(operation: str, algorithm: str, size: int, ranks: int = 8) -> Workload:
    return workload(
        Collective(name="c", operation=operation, algorithm=algorithm, bytes=size), ranks=ranks
    )


def deliver(program: Program, each_cycle: int) -> list[list[int]]:
    """Deliver up to ``each_cycle`` released packets of each source per cycle; rows per cycle."""
    table, nodes = program.packets, program.nodes
    remaining = np.bincount(table.node, minlength=nodes.waits.size)
    finished, finishes = np.zeros_like(nodes.waits), np.zeros(1, np.int64)
    place, log = table.first[:-1].copy(), []
    for cycle in range(100_000):
        if program.done:
            return log
        log.append([])
        for n in range(place.size):
            for _ in range(each_cycle):
                if place[n] < table.first[n + 1] and table.cycle[place[n]] <= cycle:
                    log[-1].append(int(place[n]))
                    node = table.node[place[n]]
                    remaining[node] -= 1
                    if remaining[node] == 0:
                        finished[finishes[0]] = node
                        finishes[0] += 1
                    place[n] += 1
        program_advance(table, nodes, finished, finishes, cycle)
    raise AssertionError("the program does not end")


@pytest.mark.parametrize(("operation", "algorithm"), FORMS)
@given(
    ranks=st.integers(2, 8),
    size=st.integers(1, 20_000),
    packet_bytes=st.integers(1, 600),
)
@settings(max_examples=15, deadline=None)
def test_packets_and_bytes_are_conserved(operation, algorithm, ranks, size, packet_bytes):
    config = NODE.with_(min_packet_bytes=8)
    packet_bytes = max(packet_bytes, size // 200, 1)
    program = expand(config, one(operation, algorithm, size, ranks), packet_bytes=packet_bytes)
    table = program.packets
    record = program.results()[0]
    assert record["bytes"] == max(size, ranks) and record["packets"] == table.cycle.size
    rounds = 2 if operation == "all-reduce" else 1
    moved = (table.length - OVERHEAD_BYTES).sum()
    assert moved == rounds * (ranks - 1) * record["bytes"]
    assert np.all(table.length <= packet_bytes + OVERHEAD_BYTES)
    assert np.all(table.source != table.destination)
    if algorithm == "ring":
        assert np.all(table.destination == (table.source + 1) % ranks)
    sent = np.zeros((ranks, ranks), np.int64)
    np.add.at(sent, (table.source, table.destination), table.length - OVERHEAD_BYTES)
    part = np.diff(record["bytes"] * np.arange(ranks + 1) // ranks)
    if algorithm == "direct":
        off = 1 - np.eye(ranks, dtype=np.int64)
        gather, scatter = part[:, None] * off, part[None, :] * off
        expected = {"all-gather": gather, "reduce-scatter": scatter, "all-reduce": gather + scatter}
        assert np.array_equal(sent, expected[operation])
    assert sum(map(len, deliver(program, 3))) == table.cycle.size
    assert program.done and np.all(program.nodes.waits == 0)


@pytest.mark.parametrize("each_cycle", [1, 7])
def test_a_ring_step_waits_for_the_step_before(each_cycle):
    program = expand(NODE, one("all-gather", "ring", 8 * 1024, 8))  # 4 packets a step
    table = program.packets
    assert np.array_equal(table.cycle == 0, np.arange(table.cycle.size) % 28 < 4)
    assert np.all(table.cycle[table.cycle > 0] == NEVER)
    log = deliver(program, each_cycle)
    arrived = {row: cycle for cycle, rows in enumerate(log) for row in rows}
    for row in range(table.cycle.size):
        rank, step = divmod(row // 4, 7)
        if step:
            chunk = ((rank - 1) % 8 * 7 + step - 1) * 4
            assert table.cycle[row] == max(arrived[chunk + k] for k in range(4)) + 1


def test_direct_all_reduce_gathers_when_its_part_is_complete():
    program = expand(NODE, one("all-reduce", "direct", 8 * 512))
    table, log = program.packets, deliver(program, 1)
    arrived = {row: cycle for cycle, rows in enumerate(log) for row in rows}
    for rank in range(8):
        rows = np.arange(table.first[rank], table.first[rank + 1])
        scatter, gather = rows[:14], rows[14:]
        assert np.all(table.cycle[scatter] == 0)
        into = [r for r in arrived if table.destination[r] == rank and table.cycle[r] == 0]
        assert len(into) == 14
        assert np.all(table.cycle[gather] == max(arrived[r] for r in into) + 1)
        turn = (table.destination[scatter] - rank) % 8
        assert turn.tolist() == [1, 2, 3, 4, 5, 6, 7] * 2


def test_collectives_run_one_after_another():
    program = expand(NODE, load("dense-tp8"), scale=8192)
    log = deliver(program, 2)
    records = program.results()
    assert [r["start"] for r in records[1:]] == [r["end"] + 1 for r in records[:-1]]
    assert records[0]["start"] == 0 and records[-1]["end"] == len(log) - 1
    for record in records:
        factor = 2 * 7 / 8 if record["operation"] == "all-reduce" else 7 / 8
        rate = record["bytes"] / record["cycles"]
        assert record["algorithm_bytes_per_cycle"] == pytest.approx(rate)
        assert record["bus_bytes_per_cycle"] == pytest.approx(rate * factor)
        assert record["bus_gbps"] == pytest.approx(rate * factor * 8 * 1.5)


def test_results_before_the_end():
    record = expand(NODE, load("dense-tp8"), scale=8192).results()
    assert record[0]["start"] == 0 and record[0]["end"] is None
    assert record[1]["start"] is None and record[1]["bus_gbps"] is None


@pytest.mark.parametrize("name", BUILT_IN)
def test_built_in_workload_runs_on_a_switch(name):
    program = expand(NODE, load(name), scale=16384 if name == "dense-tp8" else 512)
    table = program.packets
    sources, sinks = Sources(NODE, table, limit=NODE.limit), Sinks(NODE, table)
    fabric, cycle = Fabric(NODE), 0
    grown = np.zeros_like(sources.state.outstanding)
    while not program.done:
        fabric.step(sources, sinks, cycle)
        program.advance(sinks, cycle)
        sources.state.outstanding[:] = grown  # this fabric has room for everything
        cycle += 1
        assert cycle < 50_000
    totals = sinks.totals()
    assert totals["delivered"] == table.cycle.size
    assert totals["bytes"] == table.length.sum()
    line = NODE.line_flits_per_cycle * NODE.flit_bytes
    for record in program.results():
        assert 0 < record["bus_bytes_per_cycle"] <= line


def test_mixture_of_experts():
    tokens = Routing(experts=64, top_k=4, zipf=0.8, seed=3).tokens(8, 2000)
    again = Routing(experts=64, top_k=4, zipf=0.8, seed=3).tokens(8, 2000)
    assert np.array_equal(tokens, again)
    assert np.all(tokens <= 2000)
    assert np.all(tokens.sum(axis=1) >= 2000) and np.all(tokens.sum(axis=1) <= 4 * 2000)
    flat = Routing(experts=64, top_k=4, zipf=0.0, seed=3).tokens(8, 2000)
    # A rank holds 8 of 64 experts; it is missed by all four with probability C(56,4) / C(64,4).
    assert flat.mean() / 2000 == pytest.approx(1 - 367290 / 635376, rel=0.02)
    assert tokens.sum(axis=0).max() / tokens.sum(axis=0).mean() > 1.2
    assert flat.sum(axis=0).max() / flat.sum(axis=0).mean() < 1.05


def test_dispatch_and_combine_mirror_each_other():
    program = expand(NODE, load("moe-ep8"), scale=256)
    table, (dispatch, combine) = program.packets, program.results()
    size = np.zeros((2, 8, 8), np.int64)
    payload = table.length - OVERHEAD_BYTES
    np.add.at(size, (table.traffic_class % 2, table.source, table.destination), payload)
    assert set(table.traffic_class) == {1, 2}
    assert np.array_equal(size[1], 2 * size[0].T)  # class 1: combine, in BF16
    assert combine["bytes"] == 2 * dispatch["bytes"]
    assert np.all(size[0] % 7168 == 0)


def test_classes_fold_into_those_that_there_are():
    config = NODE.with_(classes=2)
    assert set(expand(config, load("moe-ep8"), scale=1024).packets.traffic_class) == {1}


@pytest.mark.parametrize(
    ("config", "arguments", "message"),
    [
        (PROTO, {}, "dense-tp8 has 8 ranks and needs as many ports; PROTO has 4"),
        (NODE, {"scale": 0}, "scale must be above 0, not 0"),
        (NODE, {"packet_bytes": 4145}, "packet_bytes must be 1 to 4144 .*not 4145"),
        (TINY.with_(ports=8), {}, "packet_bytes must be 1 to 48 .*not 256"),
    ],
)
def test_expand_rejects(config, arguments, message):
    with pytest.raises(ValueError, match=message):
        expand(config, load("dense-tp8"), **arguments)


def test_more_ports_than_ranks():
    program = expand(RACK, load("moe-ep8"), scale=1024)
    assert program.packets.destination.max() == 7


GOOD = """
name = "w"
description = "d"
ranks = 4
[model]
name = "m"
source = "s"
[model.sizes]
tokens = 16
hidden = 64
[routing]
experts = 8
top_k = 2
zipf = 1
[[collective]]
name = "c"
operation = "dispatch"
algorithm = "direct"
shape = ["tokens", "hidden"]
element_bytes = 2
"""


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("ranks = 4", "ranks = 1", "ranks must be an integer from 2 to 128, not 1"),
        ("ranks = 4", "", "ranks must be an integer from 2 to 128, but is missing"),
        ("ranks = 4", "ranks = true", "ranks must be an integer .*not True"),
        ("ranks = 4", "rank = 4", "unknown key rank; there are name"),
        ("ranks = 4", "ranks = ", r"not TOML: .*line 4"),
        ("ranks = 4", "ranks = 3", "routing.experts must be a multiple of 3"),
        ("tokens = 16", "tokens = -1", r"model.sizes.tokens must be an integer .*not -1"),
        ("tokens = 16", "", r"collective\[0\].shape must be a list of names from model.sizes"),
        ('"dispatch"', '"gossip"', r"collective\[0\].operation must be one of .*not 'gossip'"),
        ('"direct"', '"ring"', r"collective\[0\].algorithm must be one of direct, not 'ring'"),
        ('["tokens", "hidden"]', '["hidden"]', r"shape must be \"tokens\" and then"),
        ("zipf = 1", "zipf = -1", "routing.zipf must be a number from 0 to 10, not -1"),
        ("[[collective]]", "[collective]", "collective must be a list of one table or more"),
        ("top_k = 2", "top_k = 9", "routing.top_k must be an integer from 1 to 8, not 9"),
        ("[model.sizes]", "[model]", "not TOML"),
        ('name = "m"', "name = 3", "model.name must be a text, not 3"),
        (
            "element_bytes = 2",
            "element_bytes = 2\ngroups = [[0, 1]]",
            "absent, as tokens go to all",
        ),
        (
            "element_bytes = 2",
            "element_bytes = 2\ncompute_ns = -1",
            "compute_ns must be an integer",
        ),
        (
            "element_bytes = 2",
            'element_bytes = 2\nafter = ["c"]',
            "after must be a list of names of",
        ),
    ],
)
def test_malformed_file(tmp_path, old, new, message):
    path = tmp_path / "w.toml"
    path.write_text(GOOD)
    assert load(path).tokens == 16
    assert old in GOOD
    path.write_text(GOOD.replace(old, new, 1))
    with pytest.raises(WorkloadError, match=message) as error:
        load(path)
    assert str(path) in str(error.value)


GRAPH = """
[[collective]]
name = "pairs"
operation = "all-reduce"
algorithm = "recursive-doubling"
shape = ["hidden"]
element_bytes = 4
groups = [[0, 2], [1, 3]]
compute_ns = 700
[[collective]]
name = "stages"
operation = "send"
algorithm = "chain"
shape = ["hidden"]
element_bytes = 4
groups = [[0, 1], [2, 3]]
compute_ns = 30
after = ["c"]
"""


def test_steps_of_a_file(tmp_path):
    path = tmp_path / "w.toml"
    path.write_text(GOOD + GRAPH)
    steps = load(path).steps
    assert [step.name for step in steps] == [
        "c",
        "compute before pairs",
        "pairs",
        "compute before stages",
        "stages",
    ]
    assert [step.after for step in steps] == [None, None, None, (0,), (3,)]
    assert isinstance(steps[1], Compute) and steps[1].nanoseconds == 700
    assert steps[2].groups == ((0, 2), (1, 3)) and steps[2].algorithm == "recursive-doubling"
    program = expand(NODE, load(path))
    deliver(program, 1)
    dispatch, pairs, stages = program.results()
    assert pairs["start"] == dispatch["end"] + 1 + 1050  # cycles of 2/3 ns
    assert stages["start"] < dispatch["end"] + 1 + 1050


@pytest.mark.parametrize(
    "groups",
    ["[]", "[[0]]", "[[0, 1], [2]]", "[[0, 1], [1, 2]]", "[[0, 4]]", "[0, 1]", "[[0, true]]", "3"],
)
def test_malformed_groups(tmp_path, groups):
    path = tmp_path / "w.toml"
    path.write_text(GOOD + GRAPH.replace("[[0, 2], [1, 3]]", groups))
    with pytest.raises(
        WorkloadError, match=r"collective\[1\].groups must be lists of equally many"
    ):
        load(path)


@pytest.mark.parametrize(
    ("operation", "algorithm"),
    [(o, a) for o, algorithms in ALGORITHMS.items() for a in algorithms if o not in ROUTED],
)
def test_every_algorithm_can_be_named_in_a_file(tmp_path, operation, algorithm):
    path = tmp_path / "w.toml"
    text = GRAPH.split("[[collective]]")[1].replace("all-reduce", operation)
    path.write_text(
        GOOD[: GOOD.index("[routing]")]
        + "[[collective]]"
        + text.replace("recursive-doubling", algorithm)
    )
    program = expand(NODE, load(path))
    sent = sum(map(len, deliver(program, 3)))
    assert program.done and sent == program.packets.cycle.size > 0


def test_unknown_workload():
    with pytest.raises(WorkloadError, match="no workload 'dense': there are dense-tp8, moe-ep8"):
        load("dense")
