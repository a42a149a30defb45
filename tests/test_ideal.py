"""The ideal switch agrees with the formula, with published waits, and with the lines."""

from collections import deque

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.config import NODE, SwitchConfig
from models.ideal import flit_delay, ideal, uniform_wait
from models.traffic import MIXES, Sinks, Sources, generate, line_of, packets


def cells(ports: int) -> SwitchConfig:
    return SwitchConfig(
        ports=ports, flit_bytes=64, ingress_flits=1024, egress_flits=512, max_packet_bytes=4160
    )


@pytest.mark.parametrize("ports", [4, 16])
@pytest.mark.parametrize("load", [0.5, 0.8, 0.9])
def test_formula(ports, load):
    table = generate(cells(ports), cycles=400_000 // ports * 4, load=load, seed=1)
    wait = ideal(cells(ports), table).departed - table.cycle
    assert wait.mean() == pytest.approx(uniform_wait(ports, load), rel=0.06)


@pytest.mark.parametrize(
    ("pattern", "wait"),
    [("uniform", 4.2), ("quasi-diagonal", 3.3), ("log-diagonal", 3.0), ("diagonal", 2.0)],
)
def test_mean_waits_of_the_architecture(pattern, wait):
    table = generate(cells(16), cycles=200_000, load=0.9, pattern=pattern, seed=3)
    delay = ideal(cells(16), table).departed - table.cycle
    assert delay.mean() == pytest.approx(wait, abs=0.15)


def test_mean_wait_of_bursts():
    table = generate(cells(16), cycles=800_000, load=0.9, pattern="bursts", seed=4)
    delay = ideal(cells(16), table).departed - table.cycle
    assert delay.mean() == pytest.approx(127, rel=0.08)


def test_multi_flit_packets_by_hand():
    """Two packets of 4 flits for one output: the second waits for the rest of the first."""
    config = cells(4)
    table = packets(
        config,
        cycle=[10, 11, 11, 40],
        source=[0, 1, 2, 0],
        destination=[3, 3, 1, 3],
        traffic_class=0,
        length=256,
    )
    result = ideal(config, table)
    assert (result.departed - table.cycle).tolist() == [0, 0, 3, 0]  # source 0 twice, then 1, 2
    assert (result.completed - result.departed).tolist() == [3, 3, 3, 3]
    assert flit_delay(config, table, result.departed, result.completed).mean() == 0.75


def test_whole_cycles_of_a_line_by_hand():
    """0.8 flits per cycle: a turn in cycles 0 to 3, not in 4; an idle line saves nothing."""
    config = cells(4).with_(speedup=1.25)
    table = packets(config, cycle=[0] * 6 + [20] * 2, source=0, destination=1, traffic_class=0,
                    length=64)  # fmt: skip
    expected = [0, 1, 2, 3, 5, 6, 20, 21]
    assert ideal(config, table).injected.tolist() == expected
    assert ideal(config, table).departed.tolist() == expected


@given(
    mix=st.sampled_from([*MIXES, 65]),
    framed=st.booleans(),
    load=st.sampled_from([0.3, 0.9]),
    seed=st.integers(0, 99),
)
@settings(max_examples=20, deadline=None)
def test_neither_line_is_overrun(mix, framed, load, seed):
    line = line_of(NODE, framed=framed)
    table = generate(NODE, cycles=3000, load=load, mix=mix, seed=seed, line=line)
    result = ideal(NODE, table, line=line)
    cost = table.flits * line.flit_cost + table.length * line.byte_cost + line.frame_cost
    assert np.all(result.injected >= table.cycle) and np.all(result.departed >= result.injected)
    assert np.all(result.completed - result.departed >= table.flits - 1)
    for start, port in ((result.injected, table.source), (result.departed, table.destination)):
        for n in range(NODE.ports):
            rows = np.flatnonzero(port == n)
            rows = rows[np.argsort(start[rows], kind="stable")]
            # What was spent between any two heads, beyond what the line earned meanwhile.
            debt = np.cumsum(cost[rows]) - cost[rows] - line.gain * start[rows]
            assert np.max(debt - np.minimum.accumulate(debt)) < line.gain + line.surplus
    flow = (table.source * NODE.ports + table.destination) * NODE.classes + table.traffic_class
    for f in np.unique(flow):
        assert np.all(np.diff(result.departed[flow == f]) > 0)


@pytest.mark.parametrize("framed", [False, True])
@pytest.mark.parametrize("mix", ["single", "eight", 65])
def test_lines_are_those_of_real_sources_and_sinks(mix, framed):
    """A permutation: what a source sends, its sink can take in the same cycle."""
    line = line_of(NODE, framed=framed)
    table = generate(NODE, cycles=4000, load=0.9, mix=mix, pattern="permutation", seed=8, line=line)
    expected = ideal(NODE, table, line=line)
    sources, sinks = Sources(NODE, table, line=line), Sinks(NODE, table, line=line)
    sink_of = table.destination[table.first[:-1]]
    waiting = [deque() for _ in range(8)]
    shown, offered = ([np.zeros((8, *s), np.int64) for s in ((), (8,), (1,), (), ())] for _ in "io")
    ready, yes = np.zeros(8, np.int64), np.ones(8, np.int64)
    for cycle in range(6000):
        sources.drive(cycle, *shown)
        sources.taken(cycle, yes)
        sinks.drive(cycle, ready)
        for n, sink in enumerate(sink_of):
            if shown[0][n]:
                waiting[sink].append([array[n].copy() for array in shown])
            offered[0][sink] = len(waiting[sink]) > 0
            if waiting[sink]:
                for array, value in zip(offered, waiting[sink][0], strict=True):
                    array[sink] = value
                if ready[sink]:
                    waiting[sink].popleft()
        sinks.taken(cycle, *offered)
    assert sinks.totals()["delivered"] == table.cycle.size
    for name in ("injected", "departed", "completed"):
        assert np.array_equal(getattr(table, name), getattr(expected, name)), name
