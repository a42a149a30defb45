"""Programs keep times and dependencies, cycle by cycle, and tell where the time went."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.config import NODE, TINY
from models.interval import exposed, length, merged
from models.traffic import NEVER, Sinks, Sources
from models.workload import Collective, Compute, Workload, expand
from tests.test_traffic import Fabric
from tests.test_workload import deliver

GHZ = NODE.with_(clock_mhz=1000)  # a cycle is a nanosecond


def workload(*steps: Collective | Compute, ranks: int = 8) -> Workload:
    return Workload(
        name="test", description="test", ranks=ranks, model="none", source="none", steps=steps
    )


def gather(size: int = 4096, after=None, groups=(), name="gather", **changes) -> Collective:
    form = {"operation": "all-gather", "algorithm": "direct"} | changes
    return Collective(name=name, bytes=size, after=after, groups=groups, **form)


def busy(nanoseconds: float, after=None, ranks=()) -> Compute:
    return Compute(name="busy", nanoseconds=nanoseconds, after=after, ranks=ranks)


def run(program, config=GHZ) -> int:
    """Through a fabric without a switch; the cycles that it took."""
    table = program.packets
    sources, sinks = Sources(config, table), Sinks(config, table)
    fabric, cycle = Fabric(config), 0
    while not program.done:
        fabric.step(sources, sinks, cycle)
        program.advance(sinks, cycle)
        cycle += 1
        assert cycle < 100_000, "the program does not end"
    assert sinks.totals()["delivered"] == table.cycle.size
    return cycle


@pytest.mark.parametrize(("scale", "cycles"), [(1, 1500), (2, 750), (1000, 2), (4000, 0)])
def test_a_compute_time_passes_at_the_scale_of_the_sizes(scale, cycles):
    program = expand(NODE, workload(busy(1000), gather()), scale=scale)
    assert np.all(program.packets.cycle == (0 if cycles == 0 else NEVER))
    deliver(program, 1)
    assert program.results()[0]["start"] == cycles
    times = program.times()
    assert times["compute_cycles"] == cycles
    assert times["cycles"] == cycles + times["communication_cycles"]
    assert times["exposed_cycles"] == times["communication_cycles"] > 0


def test_a_compute_time_at_the_end_is_waited_for():
    program = expand(GHZ, workload(gather(), busy(77)))
    cycles = len(deliver(program, 4))
    assert cycles == program.results()[0]["end"] + 1 + 77 == program.times()["cycles"]


@given(data=st.data())
@settings(max_examples=40)
def test_times_end_in_their_cycles(data):
    """Many at once, in any order: as the longest path through the graph says."""
    steps, ends = [], []
    for n in range(data.draw(st.integers(1, 30))):
        earlier = st.lists(st.integers(0, n - 1), max_size=3, unique=True) if n else st.just([])
        after, time = data.draw(earlier), data.draw(st.integers(1, 40))
        steps.append(busy(time, tuple(after)))
        ends.append((after, time))
    program = expand(GHZ, workload(*steps, gather(after=())))
    deliver(program, 8)
    done: list[int] = []
    for after, time in ends:
        done.append(max((done[k] for k in after), default=0) + time)
    node, rank = program.computes.T
    for n, last in enumerate(done):
        mine = node[8 * n : 8 * n + 8]
        assert rank[8 * n : 8 * n + 8].tolist() == list(range(8))
        assert np.all(program.nodes.end[mine] == last - 1)
        assert np.all(program.nodes.start[mine] == last - ends[n][1])


def test_what_overlaps_is_not_exposed():
    both = expand(GHZ, workload(busy(2000, after=()), gather(after=())))
    run(both)
    record, times = both.results()[0], both.times()
    assert record["start"] == 0 and 0 < record["cycles"] < 2000
    assert record["exposed_cycles"] == times["exposed_cycles"] == 0
    assert times["cycles"] == times["compute_cycles"] == 2000
    assert times["communication_cycles"] == record["cycles"]
    longer = expand(GHZ, workload(busy(20, after=()), gather(after=())))
    run(longer)
    record, times = longer.results()[0], longer.times()
    assert record["exposed_cycles"] == times["exposed_cycles"] == record["cycles"] - 20


def test_only_the_own_group_hides_a_transfer():
    groups = ((0, 1), (2, 3))
    steps = busy(2000, after=(), ranks=(0, 1)), gather(groups=groups, after=())
    program = expand(GHZ, workload(*steps, ranks=4))
    run(program)
    record, times = program.results()[0], program.times()
    assert record["groups"] == 2 and record["ranks"] == 2
    assert record["exposed_cycles"] > 0, "ranks 2 and 3 have nothing else to do"
    assert times["exposed_cycles"] == 0, "but some rank computes"


def test_groups_run_at_the_same_time_and_alone():
    groups = ((0, 4), (1, 5), (2, 6), (3, 7))
    program = expand(GHZ, workload(gather(groups=groups, algorithm="ring"), gather(name="all")))
    table = program.packets
    first = table.node < program.measured[0].last
    assert np.all(np.abs(table.source - table.destination)[first] == 4)
    assert np.array_equal(np.unique(table.source[first]), np.arange(8))
    assert np.all(table.cycle[first] == 0)
    assert (table.length[first] - 16).sum() == 4 * 4096
    run(program)
    one, other = program.results()
    assert one["bytes"] == 4096 and other["start"] == one["end"] + 1
    assert one["bus_bytes_per_cycle"] == pytest.approx(4096 / 2 / one["cycles"])


def test_a_rank_waits_for_its_own_part_only():
    """Pairs (0, 1) and (2, 3), of which 0 and 1 compute: 2 and 3 do not wait for them."""
    steps = busy(500, (), (0, 1)), gather(after=(0,), groups=((0, 1), (2, 3)))
    program = expand(GHZ, workload(*steps, gather(after=(1,), groups=((0, 1), (2, 3))), ranks=4))
    run(program)
    table = program.packets
    second = table.node >= program.measured[1].first
    of = table.source < 2
    assert np.all(table.cycle[~second & of] == 500)
    assert np.all(table.cycle[~second & ~of] == 0)
    assert 0 < table.cycle[second & ~of].max() < 500 < table.cycle[second & of].min()


def test_a_later_step_overtakes_one_that_waits():
    """Rank 0 owes the first step a time, and sends the second one meanwhile."""
    late = gather(after=(0,), groups=((0, 1),), traffic_class=0)
    program = expand(GHZ, workload(busy(900, ()), late, gather(after=(), groups=((0, 2),))))
    run(program)
    first, second = program.results()
    assert first["start"] == 900
    assert second["start"] == 0 and second["end"] < 900


def test_within_a_flow_the_order_stays():
    late = gather(after=(0,), groups=((0, 1),))
    program = expand(GHZ, workload(busy(900, ()), late, gather(after=(), groups=((0, 1),))))
    run(program)
    first, second = program.results()
    assert second["start"] == 0 and second["end"] > first["start"] == 900


def test_sends_that_begin_together_share_the_line():
    flows = [
        gather(16384, (), ((0, n),), f"0->{n}", operation="send", algorithm="chain")
        for n in (1, 2, 3)
    ]
    program = expand(GHZ, workload(*flows, ranks=4))
    assert program.packets.destination[:6].tolist() == [1, 2, 3, 1, 2, 3]
    run(program)
    cycles = [record["cycles"] for record in program.results()]
    assert max(cycles) - min(cycles) < 0.1 * max(cycles)


def test_a_delay_is_no_compute_time():
    step = gather(after=(), operation="send", algorithm="chain", groups=((0, 1),), delay_ns=300)
    program = expand(GHZ, workload(step))
    run(program)
    assert program.results()[0]["start"] == 300
    assert program.times()["compute_cycles"] == 0


def test_a_switch_without_a_clock_cannot_keep_times():
    with pytest.raises(ValueError, match=r"states times in nanoseconds and TINY no clock: choose"):
        expand(TINY, workload(busy(10), gather(), ranks=2), packet_bytes=40)
    expand(TINY, workload(gather(), ranks=2), packet_bytes=40)


def test_a_workload_that_sends_nothing_is_refused():
    with pytest.raises(ValueError, match="workload test sends nothing"):
        expand(GHZ, workload(busy(10)))


@given(
    some=st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), max_size=12),
    cover=st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), max_size=12),
)
def test_intervals(some, cover):
    def cycles(spans):
        return {cycle for a, b in spans for cycle in range(a, b)}

    one, two = (np.array(spans, dtype=np.int64).reshape(-1, 2) for spans in (some, cover))
    assert length(one) == len(cycles(some))
    assert exposed(one, two) == len(cycles(some) - cycles(cover))
    union = merged(one)
    assert cycles(union.tolist()) == cycles(some)
    assert np.all(union[1:, 0] > union[:-1, 1])
