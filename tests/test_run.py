import json
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from models.config import NODE, TINY
from sim.job import Job, Order
from sim.run import run
from tests.test_formats import AICB, sample

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


def test_a_training_step_by_the_model(tmp_path, capsys):
    """A file of AICB: groups, overlap and compute times, as `lingyun sim` runs it."""
    path = tmp_path / "step.txt"
    path.write_text(AICB)
    assert run(NODE, engine="model", workloads=[path], scale=0.1, output=tmp_path / "run") == 0
    results = results_of(tmp_path / "run")
    (part,) = results["workloads"]
    assert results["complete"] and part["times"]["compute_cycles"] > 0
    assert 0 < part["times"]["exposed_cycles"] < part["times"]["communication_cycles"]
    assert part["collectives"][0]["ranks"] == 2 and part["collectives"][0]["groups"] == 4
    assert "exposed" in capsys.readouterr().out


def test_chunks_keep_times_as_single_cycles_do(tmp_path):
    path = tmp_path / "step.txt"
    path.write_text(AICB)
    order = Order((str(path),), 1, 0.1, 256, False, "model", str(tmp_path))
    chunked, single = (Job(NODE, order, str(path), trace=False) for _ in range(2))
    while not chunked.done:
        chunked.advance()
    while not single.program.done:
        single.rig.run(1)
        single.program.advance(single.rig.sinks, single.rig.cycle - 1)
    assert np.array_equal(chunked.program.nodes.start, single.program.nodes.start)
    assert np.array_equal(chunked.program.nodes.end, single.program.nodes.end)


def test_a_sample_of_aicb_is_delivered(tmp_path):
    path = sample("aicb_llama7b_tp2.txt")
    assert run(NODE, engine="model", workloads=[path], scale=1e6, output=tmp_path) == 0
    results = results_of(tmp_path)
    assert results["complete"] and results["totals"]["delivered"] > 0
    assert results["workloads"][0]["notes"]


@pytest.mark.verilator
def test_compute_times_in_rtl_and_model(tmp_path):
    """The RTL alone has its nodes in the cycles of the model, which ran ahead in chunks."""
    config = TINY.with_(clock_mhz=1000, line_gbps=64)
    path = tmp_path / "two.toml"
    path.write_text(f"{TWO_RANKS}compute_ns = 300\n")
    found = []
    for engine in ("model", "both", "rtl"):
        folder = tmp_path / engine
        order = {"workloads": [path], "engine": engine, "scale": 1, "packet_bytes": 40}
        assert run(config, **order, output=folder) == 0
        (part,) = results_of(folder)["workloads"]
        found.append((part["collectives"], part["times"]))
    assert found[0] == found[1] == found[2]
    assert found[0][0][0]["start"] == found[0][1]["compute_cycles"] == 300


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
