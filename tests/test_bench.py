"""Benchmarks measure what they say, and notice what is wrong."""

import json

import numpy as np
import pytest
from rich.progress import Progress

import sim.bench
from models.config import NODE, TINY
from models.trial import SOLITARY, Run, Trial, measure
from sim.bench import SECTIONS, main
from sim.bench.check import Check, number
from sim.bench.fairness import Overload, overloaded
from sim.bench.incast import LOAD, SWITCHES, victim
from sim.bench.runner import Runner, middle

WEIGHTED = TINY.with_(class_policy="weighted")


@pytest.mark.parametrize(
    "value, relation, target, met",
    [
        (1.3, "<=", 1.3, True),
        (1.31, "<=", 1.3, False),
        (0.98, ">=", 0.99, False),
        (6, "==", 6, True),
        (7, "==", 6, False),
        (float("nan"), "<=", 1, False),
        (float("nan"), ">=", 1, False),
        (123, "", 0, True),
    ],
)
def test_targets(value, relation, target, met):
    check = Check("it", value, relation, target)
    assert check.met is met
    assert check.record()["met"] == (met if relation else None)


@pytest.mark.parametrize("value, text", [(6, "6"), (0.98765, "0.9877"), (98948.1, "98,948")])
def test_numbers_are_short(value, text):
    assert number(value) == text


def test_trial_survives_json():
    trial = Trial(config=NODE.with_(speedup=1.25), cycles=100, pattern="bursts", load=0.8)
    assert Trial.parse(json.loads(json.dumps(trial.dump()))) == trial


def test_solitary_packets_meet_no_other():
    table = Trial(config=NODE, cycles=0, pattern="solitary").arrivals()
    assert {*zip(table.source, table.destination, strict=True)} == {*np.ndindex(8, 8)}
    assert np.all(np.diff(np.sort(table.cycle)) == SOLITARY)


def test_lines_are_those_of_the_trial():
    run = Run(Trial(config=NODE, speedup=1.25, cycles=100))
    assert run.rig.sources.line == run.rig.sinks.line == run.line
    assert run.line.gain == int(0.8 * run.line.flit_cost)


def test_middle():
    rows = [{"a": value, "b": []} for value in (3, 1, 2)]
    assert middle(rows) == {"a": 2, "b": []}


def test_latency_and_rate():
    solitary = measure(Trial(config=TINY, cycles=4 * SOLITARY, pattern="solitary"))
    assert solitary["latency"] == [TINY.latency, TINY.latency]
    flow = measure(Trial(config=TINY, cycles=400, speedup=1, pattern="flow"))
    assert flow["carried"] * TINY.ports == 1.0


def test_slower_switch_is_seen():
    """One more cycle for every packet is one more cycle of delay, in flit times of the line."""
    run = Run(Trial(config=TINY, speedup=1.25, cycles=2000, load=0.7, mix="eight"))
    while not run.done:
        run.advance()
    before = run.result()
    assert before["delivered"] == before["offered"] and before["ratio"] > 0.9
    run.packets.departed[:] += 1
    run.packets.completed[:] += 1
    after = run.result()
    assert after["delay"] - before["delay"] == pytest.approx(0.8)
    assert after["ideal"] == before["ideal"]


def test_unfair_shares_are_seen():
    """Strict priority starves the lower class; weights 1:2 share the line."""
    classes = (0, 1)
    _, strict = overloaded(Overload(config=TINY, cycles=4000, flits=1, classes=classes))
    most, weighted = overloaded(Overload(config=WEIGHTED, cycles=4000, flits=1, classes=classes))
    assert strict[0] < 0.05
    assert weighted[0] == pytest.approx(1 / 3, rel=0.03)
    assert most < 1.05


@pytest.mark.parametrize("scheduler", ["islip", "wavefront"])
def test_nobody_starves_in_an_overload(scheduler):
    """Connections of 80 flits are ten rounds of diagonals, which always prefer the same alone."""
    config = NODE.with_(scheduler=scheduler)
    most, _ = overloaded(Overload(config=config, cycles=40_000, flits=1))
    assert most < 1.1


EIGHT = NODE.with_(classes=1, ingress_flits=256, egress_flits=512)


def victim_of(config, shares: bool) -> dict:
    arguments = {"cycles": 40_000, "speedup": 1.25, "pattern": "victim", "mix": "eight"}
    return victim(Trial(config=config, load=LOAD, shares=shares, **arguments))


def test_limits_keep_what_a_victim_sends():
    """Without them, or behind a plain queue, it gets about what the incast of its input gets: a
    seventh of a line, where it sends 0.4.
    """
    limited = victim_of(EIGHT, shares=True)
    assert limited["kept"] == pytest.approx(1, abs=0.02) and limited["delay"] < 30
    pool = victim_of(EIGHT.with_(reserve_flits=1, limit_flits=249), shares=True)
    assert 0.1 < pool["kept"] < 0.5
    assert 0.1 < victim_of(EIGHT, shares=False)["kept"] < 0.5


def test_switches_of_the_incast_differ_in_limits_alone():
    limits = [(config.reserve, config.limit) for config in SWITCHES.values()]
    assert limits == [(8, 72), (8, 8 + 512), (1, 1024 - 63)]
    same = [config.with_(reserve_flits=8, limit_flits=72) for config in SWITCHES.values()]
    assert len({*same}) == 1


def test_unknown_section_is_named():
    with pytest.raises(ValueError, match=r"no benchmark 'sped'; there are latency, .*rack"):
        main(["sped"], quick=True)


@pytest.mark.parametrize("value, status", [(1.0, 0), (2.0, 1), (None, 1)])
def test_results_and_status(value, status, monkeypatch, tmp_path, capsys):
    def section(runner):
        if value is None:
            raise AssertionError("RTL and model differ")
        return [Check("it", value, "<=", 1.5)]

    monkeypatch.setattr(sim.bench, "FOLDER", tmp_path)
    monkeypatch.setitem(SECTIONS, "delay", section)
    assert main(["delay"], quick=True) == status
    results = json.loads((tmp_path / "results.json").read_text())
    assert results["complete"] and results["good"] is (status == 0)
    found = results["sections"]["delay"]
    assert found["failure"] == ("" if value else "AssertionError: RTL and model differ")
    assert [check["value"] for check in found["checks"]] == ([value] if value else [])
    assert ("NOT MET" in capsys.readouterr().out) is (value == 2.0)


@pytest.fixture
def runner():
    sim.bench.FOLDER.mkdir(parents=True, exist_ok=True)
    progress = Progress(disable=True)
    return Runner(progress, progress.add_task("test", total=None), quick=True)


@pytest.mark.verilator
def test_rtl_is_held_against_the_model(runner):
    trials = [
        Trial(config=TINY, cycles=500, speedup=1, load=0.9, mix=m) for m in ("single", "eight")
    ]
    trials.append(Trial(config=TINY, cycles=500, outstanding=6, service=9, response="eight"))
    results = runner.rtl(TINY, trials)
    assert [result["delivered"] for result in results] == [r["offered"] for r in results]
    assert all(result["cycles_per_second"] > 0 for result in results)


@pytest.mark.verilator
def test_rtl_of_another_switch_is_refused(runner):
    other = TINY.with_(name="ONE", iterations=1)
    with pytest.raises(AssertionError, match=r"cycle \d+: "):
        runner.rtl(other, [Trial(config=TINY, cycles=500, speedup=1, load=0.9)])
