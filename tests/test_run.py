import json
import signal
import subprocess
import sys
import time

import pytest

from models.config import NODE, TINY
from sim.run import run

TWO_RANKS = """
name = "two"
description = "two ranks reduce"
ranks = 2

[model]
name = "none"
source = "this test"

[model.sizes]
hidden = 512

[[collective]]
name = "all-reduce"
operation = "all-reduce"
algorithm = "direct"
shape = ["hidden"]
element_bytes = 2
"""
WHOLE = {"lost": 0, "reordered": 0, "duplicated": 0, "mismatches": 0}


@pytest.fixture
def workload(tmp_path):
    path = tmp_path / "two.toml"
    path.write_text(TWO_RANKS)
    return path


def results_of(folder):
    results = json.loads((folder / "results.json").read_text())
    assert {name: results["totals"][name] for name in WHOLE} == WHOLE
    return results


def test_all_workloads_by_the_model(tmp_path, capsys):
    """What `lingyun sim` does by default, smaller, and without a compiler."""
    assert run(NODE, engine="model", scale=100_000, output=tmp_path) == 0
    results = results_of(tmp_path)
    parts = results["workloads"]
    assert results["complete"] and [part["workload"] for part in parts] == ["dense-tp8", "moe-ep8"]
    assert results["totals"]["delivered"] == sum(part["totals"]["delivered"] for part in parts) > 0
    assert results["config"]["name"] == "NODE" and results["seed"] == 1 and results["versions"]
    assert len(results["collectives"]) == 8
    assert {path.name for path in tmp_path.glob("*.png")} == {"dense-tp8.png", "moe-ep8.png"}
    assert "all workloads" in capsys.readouterr().out


def test_an_interrupt_leaves_the_results_so_far(tmp_path, monkeypatch):
    from sim.job import Job

    def interrupted(job):
        if job.rig.cycle:
            raise KeyboardInterrupt
        return advance(job)

    advance = Job.advance
    monkeypatch.setattr(Job, "advance", interrupted)
    assert run(NODE, engine="model", scale=100_000, output=tmp_path) == 1
    assert not json.loads((tmp_path / "results.json").read_text())["complete"]


@pytest.mark.parametrize("wrong", [{"scale": 0}, {"packet_bytes": 0}, {"workloads": ["none"]}])
def test_wrong_order_is_refused_before_anything_runs(wrong, tmp_path):
    with pytest.raises(ValueError):
        run(NODE, engine="model", output=tmp_path / "run", **wrong)
    assert not (tmp_path / "run").exists()


@pytest.mark.verilator
@pytest.mark.parametrize("engine", ["both", "rtl"])
def test_workload_through_the_rtl(engine, workload, tmp_path):
    folder = tmp_path / "run"
    status = run(TINY, workloads=[workload], engine=engine, scale=1, packet_bytes=40, output=folder)
    assert status == 0
    results = results_of(folder)
    assert results["complete"] and results["totals"]["delivered"] > 0
    cycles = results["totals"]["cycles"]
    assert results["totals"]["cycles_compared"] == (cycles if engine == "both" else 0)


@pytest.mark.verilator
def test_an_interrupt_ends_the_simulation_too(workload, tmp_path):
    folder = tmp_path / "run"
    command = [sys.executable, "-c", "from sim.cli import main; main()", "sim", "--config", "TINY"]
    command += ["--workload", str(workload), "--scale", "0.001"]
    command += ["--packet-bytes", "40", "--output", str(folder)]
    # A shell may have told its children to ignore the signal; Python takes it as it finds it.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen(command, start_new_session=True)
    signal.signal(signal.SIGINT, before)
    progress = folder / "progress.json"
    while not progress.exists() or json.loads(progress.read_text())["packets"] == 0:
        assert process.poll() is None, "the run ended by itself"
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) == 1
    results = results_of(folder)
    assert not results["complete"]
    assert results["totals"]["delivered"] > 0 and results["totals"]["cycles_compared"] > 0


@pytest.mark.verilator
def test_a_mismatch_fails_the_run_and_is_named(workload, tmp_path, capsys, monkeypatch):
    """The RTL of another switch, in which long packets start later."""
    import rtl.switch

    class Other(rtl.switch.Switch):
        def __init__(self, config):
            super().__init__(config.with_(speedup=2.0))

    monkeypatch.setattr(rtl.switch, "Switch", Other)
    folder = tmp_path / "run"
    assert run(TINY, workloads=[workload], scale=1, packet_bytes=40, output=folder) == 1
    assert json.loads((folder / "results.json").read_text())["totals"]["mismatches"] == 1
    assert "cycle " in capsys.readouterr().out
