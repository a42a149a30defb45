"""The area table: what it measures, keeps, and says of what failed."""

import io
import json
from concurrent.futures import Future

import pytest
from rich.console import Console

import sim.area
from sim.area import Race, job, main
from sim.area.peers import PEERS, delivered_gbps
from sim.area.point import PART, Point, choose
from sim.area.table import derived, peer_record
from sim.placement import ROUTERS

ARBITER = Point("arbiter", 4, 1)


def test_best_peers_deliver_what_the_issue_says():
    assert delivered_gbps(8, 0.571, 115) == pytest.approx(33.6, abs=0.05)
    records = [peer_record(peer) for peer in PEERS if peer.ports == 8]
    best = {mix: max(r[f"gbps_{mix}"] or 0 for r in records) for mix in ("eight", "one")}
    assert best["eight"] == pytest.approx(33.6, abs=0.1)
    assert best["one"] == pytest.approx(18.8, abs=0.1)


def test_numbers_that_follow():
    row = {"ports": 8, "luts": 5000, "mhz": 125.0, "latency": 6, "eight": 0.9, "one": None}
    found = derived(row)
    assert found["latency_ns"] == 48
    assert found["gbps_eight"] == pytest.approx(57.6)
    assert found["gbps_eight_per_kilolut"] == pytest.approx(11.52)
    assert found["gbps_one"] is None and found["gbps_one_per_kilolut"] is None


def test_subset_of_the_table():
    assert len(choose()) == 3 * 2 + 4 + 4
    assert choose(["switch"], [8]) == [Point("switch", 8, 1), Point("switch", 8, 4)]
    assert choose(["arbiter"], [12], [4]) == [Point("arbiter", 12, 1)]
    assert not Point("scheduler", 64, 1).placed
    with pytest.raises(ValueError, match="ports must be 2 to 128, not 129"):
        choose([], [129])


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(job, "FOLDER", tmp_path)
    monkeypatch.setattr(sim.area, "FOLDER", tmp_path)
    return tmp_path


@pytest.mark.fpga
def test_second_run_finds_what_the_first_has_done(folder, monkeypatch):
    first = job.synthesise_job(ARBITER, blocks=True)
    placed = job.place_job(first.folder, 1, ROUTERS[0])
    assert first.component.flip_flops == 3
    assert first.blocks["arbiter"].flip_flops == 3

    def refuse(*_, **__):
        raise AssertionError("done twice")

    for name in ("synthesise", "synthesise_blocks", "place"):
        monkeypatch.setattr(job, name, refuse)
    assert job.synthesise_job(ARBITER, blocks=True) == first
    assert job.place_job(first.folder, 1, ROUTERS[0]) == placed
    with pytest.raises(AssertionError):  # another seed, another size
        job.place_job(first.folder, 2, ROUTERS[0])
    with pytest.raises(AssertionError):
        job.synthesise_job(Point("arbiter", 5, 1), blocks=False)


@pytest.mark.fpga
def test_whole_run(folder, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")
    # Its processes keep things under build/area, whatever the fixture says.
    assert main([ARBITER], seeds=2) == 0
    shown = capsys.readouterr().out
    assert "arbiter, 4 ports, seed 2: " in shown and "open iSLIP arbiter" in shown
    results = json.loads((folder / "results.json").read_text())
    row = results["rows"][0]
    assert results["complete"] and results["part"] == PART.name
    assert [*sorted(seed["seed"] for seed in row["seeds"])] == [1, 2]
    assert row["mhz"] == min(seed["mhz"] for seed in row["seeds"])  # the lower middle of two
    assert row["flip_flops"] == 3


def test_failed_point_says_so_in_its_line():
    text = io.StringIO()
    race = Race([Point("switch", 4, 1), ARBITER], 1, ROUTERS[0], False, Console(file=text))
    failed: Future = Future()
    failed.set_exception(TypeError("stride must not be 0"))
    race.take(None, Point("switch", 4, 1), "synthesis", failed)
    race.show()
    assert text.getvalue().count("synthesis: TypeError: stride must not be 0") >= 2
    assert not race.results()["good"]
