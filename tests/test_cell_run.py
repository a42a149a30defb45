"""A trial in cell mode says of a scheduler what cell mode itself says of it."""

import numpy as np
import pytest

from models.cell_mode import arrivals, run
from models.config import NODE
from models.ideal import uniform_wait
from models.policy import POLICIES, policy
from models.trial import Trial
from sim.cell_run import CellRun
from sim.sweep.point import Point, run_point

FOUR = NODE.with_(ports=4, iterations=4)


def cells(name: str, **trial) -> CellRun:
    found = CellRun(Trial(**{"config": FOUR, "policy": name, "cycles": 4000, "load": 0.8} | trial))
    while not found.done:
        found.advance()
    return found


@pytest.mark.parametrize("name", POLICIES)
def test_waits_are_those_of_cell_mode(name):
    """All cells leave, so whatever is drained the mean is the same to the last bit."""
    found = cells(name)
    table = arrivals(4, pattern="uniform", load=0.8, slots=4000)
    whole = run(
        policy(name, 4, 4), np.pad(table, ((0, 2200), (0, 0)), constant_values=-1), warmup=0
    )
    assert found.delivered == found.packets.cycle.size == np.count_nonzero(table >= 0)
    assert found.delays().mean() == pytest.approx(whole.wait, rel=1e-12)
    assert np.all(found.ideal_delays() >= 0)


@pytest.mark.parametrize("name", POLICIES)
def test_no_switch_waits_less_than_the_ideal(name):
    found = cells(name, pattern="bursts")
    assert found.delays().mean() >= found.ideal_delays().mean()
    if name == "output-queued":
        assert np.array_equal(found.delays(), found.ideal_delays())


@pytest.mark.parametrize("name", POLICIES)
def test_speedup_brings_a_scheduler_near_the_ideal(name):
    """Lines take cells at their own rate, whatever the fabric does."""
    one, more = (cells(name, speedup=speedup, cycles=40_000) for speedup in (1.0, 1.5))
    ratio = [found.delays().mean() / found.ideal_delays().mean() for found in (one, more)]
    assert 1 <= ratio[1] <= ratio[0] and ratio[1] < 1.3
    cell = more.packets
    assert cell.cycle.size == pytest.approx(0.8 * 40_000 / 1.5 * 4, rel=0.02)
    for n in range(4):
        taken = np.sort(cell.completed[cell.destination == n])
        assert np.all(np.diff(taken) >= 1) and np.all(taken[2:] - taken[:-2] >= 3)


def test_speedup_is_that_of_the_trial_or_the_configuration():
    none, one = cells("islip"), cells("islip", speedup=1.0)
    assert np.array_equal(none.packets.completed, one.packets.completed)
    trial, config = cells("islip", speedup=1.5), cells("islip", config=FOUR.with_(speedup=1.5))
    assert np.array_equal(trial.packets.completed, config.packets.completed)
    assert trial.packets.completed.size < one.packets.completed.size


def test_ideal_is_that_of_the_formula():
    found = cells("islip", cycles=200_000)
    assert found.ideal_delays().mean() == pytest.approx(uniform_wait(4, 0.8), rel=0.05)


def test_what_does_not_leave_is_not_delivered():
    found = cells("islip", pattern="hotspot", load=0.9, cycles=8000)
    left = found.packets.completed
    assert found.delivered == np.count_nonzero(left >= 0) < left.size
    assert np.all((left == -1) | (left >= found.packets.cycle)) and left.max() < found.cycle


def test_iterations_count_where_there_are_any():
    once, often = (cells("islip", config=FOUR.with_(iterations=n)).delays().mean() for n in (1, 4))
    assert once > 1.5 * often
    assert policy("wavefront", 4, 1).ports == 4


def test_point_of_cells():
    trial = Trial(config=FOUR, policy="islip", cycles=20_000, load=0.7)
    found = run_point(Point(trial))["result"]
    assert found["settled"] and not found["saturation"] and "round_trip" not in found
    assert found["carried"] == pytest.approx(0.7, abs=0.01)
    assert found["delay"] == pytest.approx(
        cells("islip", cycles=20_000, load=0.7).delays().mean(), rel=0.02
    )
    assert found["ideal_delay"] == pytest.approx(uniform_wait(4, 0.7), rel=0.15)
    profile = found["profile"]
    assert profile["latency"][0][0] == profile["ideal_latency"][0][0] == 0
    assert max(profile["waiting"]["sender"]) == 0 < max(profile["waiting"]["switch"])


@pytest.mark.parametrize(
    "change, reason",
    [
        ({"pattern": "diagonal", "load": 0.95}, "falls behind"),
        ({"pattern": "hotspot", "load": 0.9}, "output 0 is offered 1.44 of a line"),
    ],
)
def test_saturated_scheduler_has_no_delay(change, reason):
    trial = Trial(config=FOUR.with_(iterations=1), policy="islip", cycles=20_000, **change)
    found = run_point(Point(trial))["result"]
    assert reason in found["saturation"] or "still waiting" in found["saturation"]
    assert found["delay"] is None and 0.5 < found["carried"] < change["load"]
