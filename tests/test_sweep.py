"""Sweeps: what is planned, what a run is worth, and that nothing is lost or done twice."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from scipy.signal import lfilter

from models.config import NODE, TINY
from models.trial import Trial
from sim import ROOT, cli
from sim.sweep import command, main, point, run_one, store
from sim.sweep.plan import FIELDS, read_plan
from sim.sweep.point import Point, run_point
from sim.sweep.pool import Outcome, Processes
from sim.sweep.statistics import grows, interval, joined, mser5
from sim.sweep.store import Store, write_record

SMALL = """
base = "TINY"
cycles = 1000
[axes]
load = [0.3, 0.6]
seed = [1, 2]
"""
LONG = """
base = "TINY"
cycles = 40_000
speedup = 1.25
[axes]
load = [0.3, 0.5]
scheduler = ["islip", "wavefront"]
seed = [1, 2, 3]
"""
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "150"}


@pytest.fixture
def plan_file(tmp_path):
    """Writes a sweep, and returns its path."""

    def write(text: str, name: str = "it.toml") -> Path:
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


# The plan


def test_axes_are_crossed_and_the_last_is_the_first_to_change(plan_file):
    plan = read_plan(plan_file(SMALL))
    assert plan.name == "it"
    assert [(p.trial.load, p.trial.seed) for p in plan.points] == [
        (0.3, 1),
        (0.3, 2),
        (0.6, 1),
        (0.6, 2),
    ]
    assert all(p.trial.config == TINY and p.trial.cycles == 1000 for p in plan.points)
    assert str(plan.points[1]) == "load = 0.3, seed = 2"


def test_variants_are_run_with_all_axes(plan_file):
    text = 'iterations = 1\n[[variants]]\nscheduler = "islip"\n[[variants]]\niterations = 4\n'
    points = read_plan(plan_file('base = "NODE"\n' + text + "[axes]\nload = [0.5, 0.9]")).points
    found = [(p.trial.config.scheduler, p.trial.config.iterations, p.trial.load) for p in points]
    assert found == [
        ("islip", 1, 0.5),
        ("islip", 1, 0.9),
        ("wavefront", 4, 0.5),
        ("wavefront", 4, 0.9),
    ]


def test_any_field_can_be_an_axis(plan_file):
    plan_file('base = "NODE"\nports = 4\n', "mine.toml")
    text = """
base = "mine.toml"
[axes]
classes = [4]
class_weights = [[1, 1, 1, 1], [1, 2, 4, 8]]
class_shares = [[0.25, 0.25, 0.25, 0.25]]
mix = ["even", 640]
store_and_forward = [true, false]
speedup = [1.25]
shares = [true]
"""
    points = read_plan(plan_file(text)).points
    assert len(points) == 8
    assert {p.trial.config.class_weights for p in points} == {(1, 1, 1, 1), (1, 2, 4, 8)}
    assert {p.trial.mix for p in points} == {"even", 640}
    assert all(p.trial.config.ports == 4 and p.trial.config.speedup == 1.25 for p in points)


AXES = 'base = "TINY"\n[axes]\n'


@pytest.mark.parametrize(
    "text, says",
    [
        ("", 'base = "NODE" is missing'),
        ("load: 0.5", "line 1"),
        ('base = "NODES"', "no configuration 'NODES'; there are TINY, PROTO"),
        ('base = "absent.toml"', "absent.toml"),
        ("base = 8", "base must be the name of a configuration or its file, not 8"),
        ('name = "../x"\nbase = "TINY"', "name must be letters, digits, and . _ -"),
        ('base = "TINY"\naxes = 3', "axes must be a table: [axes]"),
        ('base = "TINY"\nvariants = 3', "variants must be a table: [[variants]]"),
        ('base = "TINY"\nvariants = []', "at least one"),
        ('base = "TINY"\ncluster = "slurm"', "cluster must be a table: [cluster]"),
        ('base = "TINY"\nlaod = 0.5', "no field 'laod' (do you mean load?); there are ports,"),
        (AXES + "port = [2]", "no field 'port' (do you mean ports?)"),
        ('base = "TINY"\n[[variants]]\nport = 2', "no field 'port'"),
        (AXES + "load = 0.5", "load in [axes] must be a list of values, not 0.5"),
        (AXES + "load = []", "load in [axes] must be a list of values, not []"),
        (AXES + "load = [0.5, 1.5]", "load must be above 0, at most 1, not 1.5"),
        (AXES + 'load = ["high"]', "load cannot be 'high'; it must be above 0, at most 1"),
        (AXES + 'pattern = ["uniforn"]', "pattern must be one of uniform, quasi-diagonal"),
        (AXES + 'mix = ["nine"]', "mix must be one of single, eight"),
        (AXES + "mix = [9000]", "with mix = 9000: mix must be 8 to 64 bytes, not 9000"),
        (AXES + "seed = [-1]", "seed must be 0 or more, not -1"),
        (AXES + "seed = [true]", "seed cannot be True"),
        (AXES + "cycles = [10]", "cycles must be 1000 or more, not 10"),
        (AXES + "burst = [0.5]", "burst must be 1 packet or more, not 0.5"),
        (AXES + "class_shares = [[0.5]]", "class_shares must be shares of sum 1"),
        (AXES + "class_shares = [[0.5, 0.25, 0.25]]", "class_shares are 3, more than 2 classes"),
        (AXES + 'policy = ["random"]', "policy must be one of islip, wavefront, longest-queue"),
        (AXES + 'policy = ["islip"]\nmix = ["eight"]', "mix means nothing to cells: remove it"),
        (AXES + 'policy = ["islip"]\nscheduler = ["islip"]', "scheduler means nothing to cells"),
        (AXES + "outstanding = [0]", "outstanding must be 1 request or more, not 0"),
        (AXES + 'response = ["nine"]', "response must be one of single, eight"),
        (AXES + "outstanding = [2]\nresponse = [9000]", "response must be 8 to 64 bytes, not 9000"),
        (AXES + "outstanding = [2]\nload = [0.5]", "load means nothing with outstanding"),
        (AXES + "service = [2]", "service means nothing without outstanding: add outstanding = 1"),
        (AXES + 'ports = ["4"]', "ports cannot be '4'"),
        (AXES + "ports = [2, 1]", "with ports = 1: ports must be 2 to 128, not 1"),
        (AXES + "iterations = [1, 8]\nload = [0.5]", "with iterations = 8, load = 0.5: egress"),
        ('base = "TINY"\nload = 0.5\n[axes]\nload = [0.6]', "load is in [axes] and at the top"),
        (AXES + "load = [0.6]\n[[variants]]\nload = 0.5", "load is in [axes] and in [[variants]]"),
        (AXES + "load = [0.5, 0.50]", "the same would be run twice: load = 0.5; and load = 0.5"),
    ],
)
def test_mistake_in_a_sweep_is_one_sentence(text, says, plan_file, tmp_path):
    path = plan_file(text)
    answer = CliRunner().invoke(cli.main, ["sweep", str(path), "--output", str(tmp_path / "out")])
    assert answer.exit_code == 2
    assert answer.output.startswith("Error: ") and len(answer.output.splitlines()) == 1
    assert str(tmp_path) in answer.output and says in answer.output


@pytest.mark.parametrize("name", cli.SWEEPS)
def test_our_sweeps_are_right_and_listed(name):
    assert read_plan(cli.SWEEPS[name]).name == name
    assert f"  {name} " in CliRunner().invoke(cli.main, ["sweep", "--help"]).output


def test_examples_of_the_documentation_are_right(plan_file):
    blocks = re.findall(r"```toml\n(.*?)```", (ROOT / "docs" / "sweep.md").read_text(), re.DOTALL)
    plan = read_plan(plan_file("".join(blocks)))
    assert plan.name == "mine" and len(plan.points) == 2 * 2 * 2 * 3 * 3
    assert plan.cluster["cores"] == 8
    traffic = (
        (ROOT / "docs" / "traffic.md").read_text().partition("# mine.toml, for: make sweep")[2]
    )
    lines = [line.strip() for line in traffic.partition("\n\n")[0].splitlines()[1:]]
    assert len(read_plan(plan_file("\n".join(lines))).points) == 2 * 4
    readme = (ROOT / "README.md").read_text().partition("# mine.toml, for: make sweep")[2]
    lines = [line.strip() for line in readme.partition("\n## ")[0].splitlines()[1:]]
    assert len(read_plan(plan_file("\n".join(lines))).points) == 3 * 2 * 2 * 3


def test_all_fields_of_the_switch_are_there():
    assert {"scheduler", "ingress_flits", "class_policy", "pattern", "load", "seed"} < {*FIELDS}


# The identity


def test_identity_is_that_of_what_runs(monkeypatch):
    trial = {"config": NODE, "cycles": 1000, "load": 0.5, "seed": 1}
    one = Point(Trial(**trial))
    assert Point(Trial(**trial), (("seed", 1),)).identity == one.identity
    changes = (
        {"seed": 2},
        {"load": 0.6},
        {"cycles": 1001},
        {"pattern": "diagonal"},
        {"mix": 64},
        {"shares": True},
        {"burst": 2.0},
        {"policy": "islip"},
        {"outstanding": 1},
        {"outstanding": 1, "service": 5},
        {"outstanding": 1, "response": "eight"},
        {"config": NODE.with_(iterations=4)},
    )
    others = [Point(Trial(**trial | change)).identity for change in changes]
    monkeypatch.setitem(point.CODE, "sources", "other")
    others.append(Point(Trial(**trial)).identity)
    monkeypatch.undo()
    monkeypatch.setitem(point.CODE, "numpy", "1.0")
    others.append(Point(Trial(**trial)).identity)
    assert len({one.identity, *others}) == len(others) + 1


def test_point_survives_its_text_but_not_other_sources(monkeypatch):
    config = TINY.with_(class_weights=(3, 1))
    one = Point(Trial(config=config, cycles=1000, class_shares=(0.5, 0.5)), (("load", 0.5),))
    assert Point.parse(one.dump()) == one
    with pytest.raises(ValueError, match="this is no point"):
        Point.parse('{"trial": {}}')
    with pytest.raises(ValueError, match="this is no point"):
        Point.parse("load")
    text = one.dump()
    monkeypatch.setitem(point.CODE, "sources", "other")
    with pytest.raises(ValueError, match="sources of the models, or versions"):
        Point.parse(text)


# Statistics


def test_transient_is_cut_where_it_ends():
    rng = np.random.default_rng(1)
    series = 10 + rng.normal(size=4000)
    assert mser5(series) <= 200
    series[:800] += np.linspace(20, 0, 800)
    assert 600 <= mser5(series) <= 1000
    assert mser5(np.linspace(0, 100, 4000) + rng.normal(size=4000)) is None
    assert mser5(series[:20]) is None


def autoregressive(rng, size: int, correlation: float) -> np.ndarray:
    """AR(1) of mean 0, from its steady state."""
    settling = round(10 / (1 - correlation))
    return lfilter([1], [1, -correlation], rng.normal(size=settling + size))[settling:]


def test_interval_holds_the_mean_as_often_as_it_says():
    """Single values would give one far too narrow, and so would batches that are too short."""
    rng = np.random.default_rng(2)
    held = dict.fromkeys(("joined", "long memory", "not joined", "single values"), 0)
    for _ in range(500):
        series = autoregressive(rng, 6400, 0.9)
        remembers = autoregressive(rng, 6400, 0.995).reshape(32, -1).mean(axis=1)
        for name, values in (
            ("joined", joined(series.reshape(32, -1).mean(axis=1))),
            ("long memory", joined(remembers)),
            ("not joined", remembers),
            ("single values", series),
        ):
            mean, half_width = interval(values)
            held[name] += abs(mean) <= half_width
    assert 0.92 <= held["joined"] / 500 <= 0.98
    assert held["long memory"] / 500 >= 0.84
    assert held["not joined"] / 500 < 0.82
    assert held["single values"] / 500 < 0.5


def test_correlated_batches_are_joined():
    rng = np.random.default_rng(3)
    assert joined(rng.normal(size=32)).size == 32
    assert joined(autoregressive(rng, 32, 0.95)).size == 8
    assert interval(np.array([3.0])) == (3.0, None)


def test_only_a_queue_that_rises_grows():
    rng = np.random.default_rng(4)
    noise = rng.normal(size=17) * 20
    assert grows(100 + np.linspace(0, 400, 17) + noise, 10_000)
    assert not grows(100 + np.linspace(0, 50, 17), 10_000)  # 0.5 %
    assert not grows(1000 + noise * 10, 10_000)
    assert not grows(np.zeros(17), 0)
    assert sum(grows(rng.normal(size=17) * 100, 1000) for _ in range(20_000)) <= 6
    correlated = [grows(autoregressive(rng, 17, 0.5) * 100, 1000) for _ in range(1000)]
    assert sum(correlated) <= 15


# A point


def result_of(**trial) -> dict:
    return run_point(Point(Trial(**{"config": TINY, "cycles": 8000} | trial)))["result"]


def test_steady_switch_has_a_delay():
    found = result_of(load=0.4, config=TINY.with_(speedup=1.25))
    assert found["settled"] and not found["saturation"]
    assert found["delivered_packets"] == found["offered_packets"]
    assert found["carried"] == pytest.approx(0.4, abs=0.03)
    assert 0 < found["half_width"] < found["delay"]
    assert found["ratio"] == pytest.approx(found["delay"] / found["ideal_delay"])
    latency = found["latency"]
    assert TINY.latency <= latency["p50"] <= latency["p99"] <= latency["p99.9"] <= latency["max"]


def test_exchange_has_round_trips_and_no_saturation():
    config = TINY.with_(speedup=1.25)
    few, many = (result_of(config=config, outstanding=n, service=30) for n in (1, 40))
    assert "round_trip" not in result_of(load=0.4, config=config)
    least = 2 * (TINY.latency + 1) + 30
    for found, outstanding in ((few, 1), (many, 40)):
        trip = found["round_trip"]
        assert found["saturation"] == "" and found["delay"] is not None
        assert found["delivered_packets"] == found["offered_packets"]
        assert least <= trip["p50"] <= trip["p99"] <= trip["p99.9"] <= trip["max"]
        assert trip["rate"] * trip["mean"] == pytest.approx(outstanding, rel=0.02)
        assert 2 * trip["rate"] / 0.8 == pytest.approx(found["carried"], rel=0.02)
    assert few["round_trip"]["mean"] == pytest.approx(least, rel=0.05)
    assert many["round_trip"]["rate"] > 5 * few["round_trip"]["rate"]


def test_table_shows_round_trips_beside_other_traffic(plan_file, tmp_path, capsys):
    text = 'base = "TINY"\ncycles = 1000\n[[variants]]\nload = 0.3\n[[variants]]\noutstanding = 2\n'
    assert main(plan_file(text), workers=1, output=tmp_path / "out") == 0
    shown = capsys.readouterr().out
    assert "round trip, cycles" in shown and "per 1000 cycles" in shown


@pytest.mark.parametrize(
    "trial, reason",
    [
        ({"load": 1.0}, "output 0 is offered 1.00 of a line"),
        ({"load": 0.9, "pattern": "hotspot"}, "output 0 is offered 1.20 of a line"),
        ({"load": 0.97}, "falls behind"),
    ],
)
def test_saturated_switch_has_none(trial, reason):
    found = result_of(**trial)
    assert reason in found["saturation"]
    assert found["delay"] is None and found["latency"] is None and found["ratio"] is None
    assert 0 < found["carried"] <= 1


def test_starved_port_is_seen_where_the_total_hides_it(monkeypatch):
    trial = Trial(config=NODE.with_(speedup=1.25), cycles=4000, load=0.3)
    run = point.Run(trial)
    while not run.done:
        run.advance()
    assert not point._saturation(run)
    table = run.packets
    late = (table.source == 5) & (table.cycle > 1500)
    table.completed[late] += (table.cycle[late] - 1500) // 16  # it gets 16/17 of its share
    assert point._saturation(run) == "the switch falls behind at input 5"


def test_damaged_packet_is_no_result(monkeypatch):
    class Broken(point.Run):
        def __init__(self, trial):
            super().__init__(trial)
            self.rig.events[0] = 2

    monkeypatch.setattr(point, "Run", Broken)
    with pytest.raises(RuntimeError, match="the switch went wrong: packets 2 dropped"):
        run_point(Point(Trial(config=TINY, cycles=1000, load=0.3)))


# The disk


def record_of(one: Point) -> dict:
    return {"identity": one.identity, "trial": {}, "result": {"carried": 0.5}}


@pytest.fixture
def stored(tmp_path, plan_file):
    """A store with a made-up result for each of two points, and the points."""
    points = read_plan(plan_file(SMALL)).points[:2]
    kept = Store(tmp_path / "out")
    for one in points:
        kept.save(record_of(one))
    return kept, points


def test_damaged_or_foreign_file_is_noticed(stored):
    kept, (one, other) = stored
    assert kept.load(one) == record_of(one) and not kept.damaged
    whole = kept.path(one).read_text()
    for text in (
        "",
        whole[: len(whole) // 2],
        whole.replace("0.5", "0.6"),
        "[]",
        "null",
        kept.path(other).read_text(),
    ):
        kept.damaged.clear()
        kept.path(one).write_text(text)
        assert kept.load(one) is None and kept.damaged == [kept.path(one)], text


def test_interrupted_write_leaves_what_was_there(stored, monkeypatch):
    kept, (one, _) = stored
    whole = kept.path(one).read_bytes()

    def stop(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(store.os, "fsync", stop)
    with pytest.raises(KeyboardInterrupt):
        write_record(kept.path(one), record_of(one) | {"more": 1})
    assert kept.path(one).read_bytes() == whole
    assert sorted(kept.path(one).parent.iterdir()) == sorted(map(kept.path, stored[1]))


def test_writing_is_never_seen_half_done(stored):
    """A reader beside a writer finds a whole file at any time."""
    kept, (one, _) = stored
    script = (
        "import sys, json; from pathlib import Path; from sim.sweep.store import write_record\n"
        "record = json.loads(sys.argv[2]) | {'filler': 'x' * 2_000_000}\n"
        "for _ in range(50): write_record(Path(sys.argv[1]), record)"
    )
    command = [sys.executable, "-c", script, str(kept.path(one)), json.dumps(record_of(one))]
    with subprocess.Popen(command, env=ENVIRONMENT) as writer:
        while writer.poll() is None:
            assert kept.load(one) is not None
    assert writer.returncode == 0 and "filler" in (kept.load(one) or {})


def test_two_sweeps_in_a_folder_exclude_each_other(tmp_path):
    with (
        Store(tmp_path).held(),
        pytest.raises(ValueError, match="another sweep is at work in"),
        Store(tmp_path).held(),
    ):
        pass
    with Store(tmp_path).held():  # free again
        pass


# Processes


def die_at_seed_2(text: str) -> Outcome:
    one = Point.parse(text)
    if one.trial.seed == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return Outcome(record_of(one), "", 0.0)


def test_killed_process_takes_only_its_own_point_with_it(plan_file):
    points = read_plan(plan_file(SMALL)).points
    ended = {e.point: e.outcome for e in Processes(2, die_at_seed_2).run(points)}
    assert len(ended) == 4
    for one, outcome in ended.items():
        if one.trial.seed == 2:
            assert outcome.error == "its process was ended by SIGKILL (out of memory?)"
        else:
            assert outcome.record == record_of(one)


def sleep(_: str) -> Outcome:
    Path(f"{os.getpid()}.asleep").touch()
    time.sleep(120)
    return Outcome(None, "", 0.0)


def test_processes_end_with_their_parent(plan_file, tmp_path):
    """They would work on for nobody, and beside those of the next run."""
    script = (
        "import sys; from pathlib import Path; from tests.test_sweep import sleep\n"
        "from sim.sweep.plan import read_plan; from sim.sweep.pool import Processes\n"
        "list(Processes(2, sleep).run(read_plan(Path(sys.argv[1])).points))"
    )
    command = [sys.executable, "-c", script, str(plan_file(SMALL))]
    with subprocess.Popen(command, cwd=tmp_path, env=ENVIRONMENT) as parent:
        while len(asleep := list(tmp_path.glob("*.asleep"))) < 2:
            assert parent.poll() is None
            time.sleep(0.05)
        parent.kill()
    limit = time.monotonic() + 30
    while any(alive(int(file.stem)) for file in asleep):
        assert time.monotonic() < limit
        time.sleep(0.05)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


# Whole sweeps


def runs_of(folder: Path) -> list[dict]:
    """What the log says was run, whatever came of it."""
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def start(path: Path, folder: Path) -> subprocess.Popen:
    script = "from sim.cli import main; main()"
    return subprocess.Popen(
        [sys.executable, "-c", script, "sweep", str(path), "--workers=2", f"--output={folder}"],
        cwd=ROOT,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        # What a shell starts in the background ignores it, and so would what that starts.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    )


def wait_for_points(folder: Path, count: int, process: subprocess.Popen) -> None:
    while len(list((folder / "points").glob("*.json"))) < count:
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.02)


def test_killed_sweep_resumes_to_the_same_bytes(plan_file, tmp_path):
    path, killed, whole = plan_file(LONG), tmp_path / "killed", tmp_path / "whole"
    process = start(path, killed)
    wait_for_points(killed, 4, process)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    done = {file: file.stat().st_mtime_ns for file in (killed / "points").glob("*.json")}
    assert 4 <= len(done) < 12 and not (killed / "results.jsonl").exists()
    before = len(runs_of(killed))

    assert main(path, workers=2, output=killed) == 0
    assert main(path, workers=2, output=whole) == 0
    results = (killed / "results.jsonl").read_bytes()
    assert results == (whole / "results.jsonl").read_bytes()
    assert [json.loads(line)["settings"]["seed"] for line in results.splitlines()] == [1, 2, 3] * 4
    assert {file: file.stat().st_mtime_ns for file in done} == done
    assert len(runs_of(killed)) - before == 12 - len(done)
    assert len(runs_of(whole)) == 12

    assert main(path, workers=2, output=killed) == 0
    assert len(runs_of(killed)) - before == 12 - len(done)
    assert (killed / "results.jsonl").read_bytes() == results


def test_interrupt_says_how_to_go_on(plan_file, tmp_path):
    process = start(plan_file(LONG), tmp_path / "out")
    wait_for_points(tmp_path / "out", 2, process)
    process.send_signal(signal.SIGINT)
    shown = process.communicate()[0]
    assert process.returncode == 130
    assert "of 12 points" in shown and "the same command goes on where it was" in shown
    assert "Traceback" not in shown
    rows = (tmp_path / "out" / "results.jsonl").read_text().splitlines()
    assert 2 <= len(rows) < 12


def test_crashed_point_is_reported_and_the_rest_goes_on(plan_file, tmp_path, capsys):
    huge = SMALL.replace("cycles = 1000", "").replace("[1, 2]", "[1]")
    path = plan_file(huge + "cycles = [1000, 1_000_000_000_000_000]")
    folder = tmp_path / "out"
    assert main(path, workers=2, output=folder) == 1
    shown = capsys.readouterr().out
    assert "load = 0.6, seed = 1, cycles = 1000000000000000: " in shown
    assert "MemoryError: Unable to allocate" in shown
    assert "2 points failed; the same command tries again" in shown
    assert "missing" in shown and "2 of 4 points" in shown
    assert len((folder / "results.jsonl").read_text().splitlines()) == 2
    repeats = [line for line in shown.splitlines() if line.startswith("  repeat: ")]
    assert len(repeats) == 2
    words = shlex.split(repeats[0].removeprefix("  repeat: "))
    assert words[1] == "point" and run_one(words[2]) == 1
    assert "MemoryError" in capsys.readouterr().err

    assert main(path, workers=1, output=folder) == 1  # tries those again, and no other
    assert len(runs_of(folder)) == 6
    assert sum(bool(run["error"]) for run in runs_of(folder)) == 4


def test_damaged_point_is_run_again(plan_file, tmp_path, capsys):
    path, folder = plan_file(SMALL), tmp_path / "out"
    assert main(path, workers=1, output=folder) == 0
    results = (folder / "results.jsonl").read_bytes()
    kept = Store(folder)
    first, second, *_ = read_plan(path).points
    kept.path(first).write_text(kept.path(first).read_text()[:100])
    kept.path(second).unlink()
    capsys.readouterr()
    assert main(path, workers=1, output=folder) == 0
    shown = capsys.readouterr().out
    assert f"damaged, and run again: {kept.path(first)}" in shown
    assert "2 of 4 points were done before" in shown
    assert (folder / "results.jsonl").read_bytes() == results
    assert len(runs_of(folder)) == 6


def test_larger_sweep_runs_only_what_is_new(plan_file, tmp_path):
    folder = tmp_path / "out"
    assert main(plan_file(SMALL.replace("[1, 2]", "[2]")), workers=1, output=folder) == 0
    assert main(plan_file(SMALL), workers=1, output=folder) == 0
    assert len(runs_of(folder)) == 4
    assert len((folder / "results.jsonl").read_text().splitlines()) == 4


def test_commands_for_any_scheduler(plan_file, tmp_path, capsys):
    path, folder = plan_file(SMALL.replace("0.3, ", "")), tmp_path / "it's here"
    assert main(path, print_commands=True, output=folder) == 0
    shown = capsys.readouterr()
    commands = shown.out.splitlines()
    assert len(commands) == 2 and shown.err == "2 of 2 points are missing\n"
    for line in commands:
        subprocess.run(line, shell=True, check=True, cwd=tmp_path, env=ENVIRONMENT)
    assert main(path, print_commands=True, output=folder) == 0
    assert capsys.readouterr().out == ""
    assert main(path, workers=1, output=folder) == 0
    assert not (folder / "log.jsonl").exists()  # nothing was left to run
    gathered = (folder / "results.jsonl").read_bytes()
    assert main(path, workers=1, output=tmp_path / "direct") == 0
    assert (tmp_path / "direct" / "results.jsonl").read_bytes() == gathered


def test_command_is_safe_for_a_shell():
    one = Point(Trial(config=TINY.with_(name="it's; $(x)"), cycles=1000))
    words = shlex.split(command(one, Path("/a b/c.json")))
    assert words[1:2] + words[3:] == ["point", "--output", "/a b/c.json"]
    assert Point.parse(words[2]) == one


def test_wrong_point_is_one_sentence():
    answer = CliRunner().invoke(cli.main, ["point", "{}"])
    assert answer.exit_code == 2 and answer.output.startswith("Error: this is no point")


# Dask and clusters


@pytest.mark.parametrize(
    "options, module",
    [({"dask": "local"}, "distributed"), ({"cluster": "slurm"}, "dask_jobqueue")],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_missing_extra_is_named(options, module, plan_file, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ValueError, match=r"pip install 'lingyun\[cluster\]'"):
        main(plan_file(SMALL), output=tmp_path / "out", **options)


def test_only_one_way_to_run(plan_file):
    arguments = ["sweep", str(plan_file(SMALL)), "--dask", "local", "--cluster", "pbs"]
    answer = CliRunner().invoke(cli.main, arguments)
    assert answer.exit_code == 2 and "exclude each other" in answer.output


def test_dask_gives_the_same_bytes(plan_file, tmp_path, capsys):
    pytest.importorskip("distributed", reason="dask.distributed is missing: lingyun[cluster]")
    path = plan_file(SMALL.replace("[1, 2]", "[1]"))
    assert main(path, dask="local", workers=1, output=tmp_path / "dask") == 0
    assert main(path, workers=1, output=tmp_path / "processes") == 0
    found = [(tmp_path / way / "results.jsonl").read_bytes() for way in ("dask", "processes")]
    assert found[0] == found[1]


SBATCH = """#!/bin/sh
echo job >> "$JOBS"
(sh "$1" >> "$JOBS" 2>&1 &)
echo Submitted batch job 7
"""


def test_cluster_gives_the_same_bytes(plan_file, tmp_path, monkeypatch):
    """Its queue is made up: a job begins at once, on this machine."""
    pytest.importorskip("dask_jobqueue", reason="dask-jobqueue is missing: lingyun[cluster]")
    for name, script in {"sbatch": SBATCH, "scancel": "#!/bin/sh\n"}.items():
        (tmp_path / name).write_text(script)
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("JOBS", str(tmp_path / "jobs"))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    table = '[cluster]\nmemory = "2GB"\nwalltime = "00:10:00"\n'
    path = plan_file(SMALL.replace("[1, 2]", "[1]") + table)
    assert main(path, cluster="slurm", workers=2, output=tmp_path / "slurm") == 0
    assert (tmp_path / "jobs").read_text().splitlines().count("job") == 2
    assert main(path, workers=1, output=tmp_path / "processes") == 0
    found = [(tmp_path / way / "results.jsonl").read_bytes() for way in ("slurm", "processes")]
    assert found[0] == found[1]


def test_absent_dask_scheduler_is_named(plan_file, tmp_path, monkeypatch):
    pytest.importorskip("distributed", reason="dask.distributed is missing: lingyun[cluster]")
    monkeypatch.setattr("sim.sweep.cluster.PATIENCE", 0.5)
    with pytest.raises(ValueError, match=r"no dask scheduler answers at 'tcp://127.0.0.1:9'"):
        main(plan_file(SMALL), dask="tcp://127.0.0.1:9", output=tmp_path / "out")


@pytest.mark.parametrize(
    "kind, line",
    [
        ("slurm", "#SBATCH -p long"),
        ("lsf", "#BSUB -q long"),
        ("sge", "#$ -q long"),
        ("pbs", "#PBS -q long"),
    ],
)
def test_jobs_ask_for_what_the_sweep_says(kind, line):
    pytest.importorskip("dask_jobqueue", reason="dask-jobqueue is missing: lingyun[cluster]")
    from sim.sweep.cluster import job_queue

    table = {"queue": "long", "cores": 4, "memory": "8GB", "walltime": "01:00"}
    with job_queue(kind, table) as cluster:
        script = cluster.job_script()
    assert line in script
    assert "--nthreads 1" in script and "--nworkers 4" in script
    with pytest.raises(ValueError, match=rf"{kind} refuses the table \[cluster\]"):
        job_queue(kind, table | {"walltme": "01:00"})
