"""Chips, hosts and cables from the command line, and workloads over them."""

import json

import pytest
from click.testing import CliRunner

from models.chip_config import chip_of
from models.config import NODE, TINY
from models.fabric import WRONG, FabricRun, FabricTrial
from models.link.config import HOP_CYCLES, link_of
from models.serdes.config import lanes_of
from sim import cli
from sim.bench.chip import OFF, measured
from sim.fabric import run

SMALL = NODE.with_(name="NODE-5", ports=5)  # two of them have eight hosts


def with_lanes(base, lanes: int, fec: str, **changes):
    return chip_of(base, lanes_of(link_of(base), lanes, fec, marker_codewords=40), **changes)


@pytest.mark.parametrize(
    "workload, scale",
    [
        ("moe-ep8", 1e6),
        pytest.param("dense-tp8", 65536, marks=pytest.mark.slow),
        pytest.param("moe-ep8", 4096, marks=pytest.mark.slow),
    ],
)
def test_workload_over_two_chips_and_bad_lanes_loses_nothing(workload, scale):
    """Wrong bits at 1e-5 before the code, on all lanes of all cables."""
    config = with_lanes(SMALL, 4, "rs272", skew=100)
    trial = FabricTrial(
        config=config, chips=2, workload=workload, scale=scale, ber=1e-5, skew=100, ppm=100
    )
    going = FabricRun(trial)
    assert going.packets.cycle.min() == trial.start
    while not going.done:
        going.step()
    found = going.results()
    assert not any(found[name] for name in WRONG), found
    assert found["delivered"] == found["offered"] > 400
    assert found["symbols_corrected"] > 100 and found["bits_hit"] > 100
    assert all(step["cycles"] > 0 for step in found["collectives"])
    # Ranks are at both chips by turns, so links between the chips had packets.
    assert going.chips[0].links.outputs.drained.all()


def test_command_writes_results(tmp_path):
    trial = FabricTrial(config=chip_of(TINY), chips=2, frames=20, sizes=(16, 64), ber=1e-5)
    assert run(trial, output=tmp_path) == 0
    found = json.loads((tmp_path / "results.json").read_text())
    assert found["good"] and found["delivered"] == found["offered"] == 40
    assert found["trial"]["config"]["lanes"] is None and found["collectives"] == []


def test_self_test_is_shown_lane_by_lane(tmp_path, capsys):
    config = with_lanes(TINY, 2, "rs272")
    lanes = {"ber": 1e-3, "swapped_wires": True, "self_test": 1000}
    assert run(FabricTrial(config=config, chips=2, frames=5, **lanes), output=tmp_path) == 0
    tests = json.loads((tmp_path / "results.json").read_text())["self_tests"]
    assert [test["result"] for test in tests] == ["GOOD", "GOOD"]
    assert all(test["bits"] == 1000 * config.lanes.lane_bits for test in tests)
    shown = [line.split() for line in capsys.readouterr().out.splitlines() if "chip " in line]
    for chip, test in enumerate(tests):
        for lane, errors in enumerate(test["errors"]):
            assert errors == pytest.approx(1e-3 * test["bits"], rel=0.6)
            row = ["chip", str(chip), str(lane), f"{test['bits']:,}", str(errors)]
            assert any(found[:5] == row for found in shown), shown


def test_what_never_came_fails_the_run(tmp_path):
    """Hardly a word gets through, so that links do not come up, and packets wait for them."""
    trial = FabricTrial(config=chip_of(TINY), chips=1, frames=5, sizes=(64,), ber=0.05)
    assert run(trial, output=tmp_path) == 1
    found = json.loads((tmp_path / "results.json").read_text())
    assert found["waiting"] + found["given_up"] > 0 and not found["good"]


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--lanes", "none", "--skew", "5"], "--skew is of lanes: choose some with --lanes, too"),
        (
            ["--lanes", "none", "--interleave", "2"],
            "--interleave is of lanes: choose some with --lanes, too",
        ),
        (["--lanes", "none", "--ppm", "5"], "--ppm is of lanes: choose some with --lanes, too"),
        (["--lanes", "none", "--self-test", "5"], "--self-test is of lanes: choose some with"),
        (["--chips", "1", "--self-test", "5"], "--self-test is of the lanes between two chips"),
        (["--skew", "100000"], "skew must be 0 to"),
        (["--workload", "nonsense"], "no workload 'nonsense'"),
        (["--workload", "moe-ep8", "--ports", "3"], "has 8 ranks and needs as many"),
    ],
)
def test_wrong_options_are_named(arguments, message):
    answer = CliRunner().invoke(cli.main, ["fabric", *arguments])
    assert answer.exit_code == 2 and message in " ".join(answer.output.split())


def test_packets_come_as_many_cycles_later_as_the_layers_say():
    found, through, sums = measured("rs272")
    assert found["link"] == HOP_CYCLES and found["switch"] == NODE.latency
    assert abs(through - sums) <= OFF
