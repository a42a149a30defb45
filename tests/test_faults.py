"""Faults on purpose are caught, and nothing else is called a catch."""

import json
import os
import subprocess
import sys
from dataclasses import replace

import pytest
from click.testing import CliRunner

from sim import BUILD, ROOT, cli, faults
from sim.faults import CHECKS, FAULTS, Verdict, read_bench, read_proof

PROOF_LOG = """\
SBY  1:00:00 [top] engine_0.basecase: ##   0:00:00  Checking assertions in step 0..
SBY  1:00:00 [top] engine_0.induction: ##   0:00:00  Trying induction in step 2..
SBY  1:00:00 [top] engine_0.basecase: ##   0:00:00  Checking assertions in step 1..
SBY  1:00:01 [top] summary:   failed assertion top.check at /somewhere/verif/proof/arbiter.py:9
SBY  1:00:01 [top] DONE (FAIL, rc=2)
"""


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_fault_is_not_stale(fault):
    assert fault.old in fault.source()
    assert fault.old != fault.new
    assert fault.check in CHECKS


def test_names_are_unique():
    assert len({fault.name for fault in FAULTS}) == len(FAULTS)


@pytest.mark.parametrize("old", ["no such text", "self.above"])
def test_stale_fault_is_an_error_before_anything_runs(old, monkeypatch):
    stale = replace(FAULTS[0], old=old)
    monkeypatch.setattr(faults, "FAULTS", (stale,))
    monkeypatch.setattr(faults, "examine", lambda *_: pytest.fail("it ran"))
    with pytest.raises(ValueError, match=f"stale: {stale.file} has '{old}' [0-9]+ times"):
        faults.main([])


def test_unknown_name_gives_one_sentence(monkeypatch):
    monkeypatch.setattr(cli, "need", lambda *_: None)
    answer = CliRunner().invoke(cli.main, ["faults", "gremlin"])
    assert answer.exit_code == 2
    assert answer.output.startswith("Error: no fault 'gremlin'; there are arbiter-pointer, ")


@pytest.mark.parametrize(
    "message, verdict",
    [
        (
            "matches/load=1.0: cycle 7: i.ready is 0x0, not 0x1\nmatches/load=0.5: other",
            Verdict(
                passed=False,
                case="matches/load=1.0",
                cycle=7,
                message="cycle 7: i.ready is 0x0, not 0x1",
            ),
        ),
        ("matches: lost", Verdict(passed=False, case="matches", message="lost")),
        ("no test case ran", Verdict(passed=None, message="no test case ran")),
        (
            "the simulation ended without results\nseed 1",
            Verdict(passed=None, message="the simulation ended without results"),
        ),
    ],
)
def test_message_of_a_bench(message, verdict):
    assert read_bench(message) == verdict


def test_only_a_counterexample_refutes_a_proof():
    verdict = read_proof(PROOF_LOG)
    assert (verdict.passed, verdict.case, verdict.cycle) == (False, "arbiter.py:9", 1)
    assert read_proof(PROOF_LOG.replace("FAIL", "UNKNOWN")).passed is None
    assert read_proof(PROOF_LOG.replace("FAIL", "TIMEOUT")).passed is None


@pytest.mark.parametrize(
    "broken, unbroken, outcome",
    [
        (False, True, "caught"),
        (True, True, "survived"),
        (None, True, "not built"),
        (False, False, "no baseline"),
    ],
)
def test_only_a_catch_is_good(broken, unbroken, outcome, tmp_path, monkeypatch, capsys):
    def examine(_, tree):
        return Verdict(passed=unbroken if tree == ROOT else broken)

    monkeypatch.setattr(faults, "BUILD", tmp_path)
    monkeypatch.setattr(faults, "examine", examine)
    fault = FAULTS[0]
    assert faults.main([fault.name]) == (outcome != "caught")
    document = json.loads((tmp_path / "faults" / "results.json").read_text())
    assert [result["outcome"] for result in document["faults"]] == [outcome]
    assert document["good"] == (outcome == "caught")
    assert ("1 of 1 faults caught" in capsys.readouterr().out) == (outcome == "caught")
    if outcome != "no baseline":
        tree = tmp_path / "faults" / fault.name
        assert fault.new in (tree / fault.file).read_text()
    assert fault.old in (ROOT / fault.file).read_text()


def run_faults(*names: str) -> None:
    """In a process of its own: the seed is read once, and must not be that of this run."""
    environment = {name: value for name, value in os.environ.items() if name != "BENCH_SEED"}
    run = subprocess.run(
        [sys.executable, "-c", "from sim.cli import main; main()", "faults", *names],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    results = json.loads((BUILD / "faults" / "results.json").read_text())["faults"]
    assert all(result["verdict"]["cycle"] is not None for result in results)


@pytest.mark.verilator
def test_representative_faults_are_caught():
    run_faults("class-order", "queue-limit")


@pytest.mark.verilator
@pytest.mark.slow
def test_all_faults_are_caught():
    run_faults()
