"""The command line: help for everything, and one sentence for every mistake."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from models.config import NODE
from sim import ROOT, cli, doctor
from sim.config_file import read_config

VERBS = [
    "help",
    "setup",
    "doctor",
    "lint",
    "unit",
    "sim",
    "link",
    "reach",
    "fabric",
    "sweep",
    "point",
    "report",
    "wave",
    "regress",
    "prove",
    "faults",
    "verilog",
    "bitstream",
    "bench",
    "bench-area",
    "validate",
    "test",
    "docs",
    "clean",
]

OURS_ALONE = "point"  # takes what `lingyun sweep` prints, so make has no use for it


def lingyun(*arguments: str):
    return CliRunner().invoke(cli.main, list(arguments))


def test_verbs_are_those_of_make():
    assert list(cli.main.commands) == VERBS
    listing = subprocess.run(
        ["make", "--no-print-directory", "help"], cwd=ROOT, capture_output=True, text=True
    ).stdout
    assert sorted(line.split()[0] for line in listing.splitlines()) == sorted(
        {*VERBS} - {OURS_ALONE}
    )


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_is_explained(verb):
    asked = lingyun(verb, "--help")
    assert asked.exit_code == 0
    assert asked.output.startswith("Usage:")
    assert lingyun("help", verb).output.split("\n", 1)[1] == asked.output.split("\n", 1)[1]


def test_every_option_is_explained():
    for command in cli.main.commands.values():
        for parameter in command.params:
            if parameter.param_type_name == "option":
                assert getattr(parameter, "help", None), f"{command.name} {parameter.name}"


def test_no_verb_lists_the_verbs():
    for asked in (lingyun(), lingyun("help"), lingyun("--help")):
        assert asked.exit_code == 0
        assert all(f"  {verb}" in asked.output for verb in VERBS)


MALFORMED = {
    "empty.toml": "",
    "text.toml": "ports: 4",
    "base.toml": 'base = "NODES"',
    "field.toml": 'base = "NODE"\nport = 4',
    "type.toml": 'base = "NODE"\nports = "4"',
    "value.toml": 'base = "NODE"\nports = 1',
}


@pytest.mark.parametrize(
    "arguments, names",
    [
        (["sims"], "sims"),
        (["help", "sims"], "sims"),
        (["sim", "--speed", "9"], "--speed"),
        (["sim", "--config", "NODES"], "NODES"),
        (["sim", "--config", "absent.toml"], "absent.toml"),
        (["sim", "--workload", "dense-tp9"], "dense-tp9"),
        (["sim", "--scheduler", "pim"], "pim"),
        (["sim", "--iterations", "9"], "iterations must be 1 to 8, not 9"),
        (["sim", "--seed", "one"], "one"),
        (["sim", "--scale", "0"], "0"),
        (["sim", "--packet-bytes", "-1"], "-1"),
        (["sim", "--engine", "gpu"], "gpu"),
        (["sim", "--engine", "model", "--waves"], "--waves"),
        (["sim", "--output", "/dev/null/runs"], "/dev/null/runs"),
        (
            ["sweep", "iteration"],
            "no sweep 'iteration': name one of buffers, iterations, outstanding, saturation",
        ),
        (["sweep", "iterations", "--workers", "0"], "0"),
        (["sweep", "iterations", "--cluster", "condor"], "condor"),
        (["point", "load"], "this is no point"),
        (["report", "absent.jsonl"], "no results of 'absent.jsonl': name a results.jsonl"),
        (["report", "empty.toml"], "empty.toml is empty: run its sweep again"),
        (["report", "text.toml"], "text.toml is cut short, or no results at all"),
        (["report", "--format", "pdf"], "pdf"),
        (["verilog", "--config", "NODES"], "NODES"),
        (["wave", "absent"], "absent"),
        (["bench-area", "--only", "crossbar"], "crossbar"),
        (["bench-area", "--classes", "3"], "classes must be 1, 2, 4, 8 or 16, not 3"),
        (["bench-area", "--router", "router3"], "router3"),
        *[(["sim", "--config", name], name) for name in MALFORMED],
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_mistake_gives_one_sentence(arguments, names, tmp_path, monkeypatch):
    for name, text in MALFORMED.items():
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    answer = lingyun(*arguments)
    assert answer.exit_code == 2
    assert isinstance(answer.exception, SystemExit)
    assert answer.output.startswith("Error: ")
    assert len(answer.output.splitlines()) == 1
    assert names in answer.output


def test_mistake_found_late_gives_one_sentence_too(monkeypatch):
    def refuse(*_):
        raise ValueError("8 ranks need 8 ports, not 2")

    monkeypatch.setattr(cli, "run_tests", refuse)
    answer = lingyun("unit")
    assert (answer.exit_code, answer.output) == (2, "Error: 8 ranks need 8 ports, not 2\n")
    assert isinstance(lingyun("--traceback", "unit").exception, ValueError)


def test_config_file_changes_a_named_configuration(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text('base = "NODE"\nports = 16\nline_gbps = 800\nclass_weights = [1, 1, 2, 2]\n')
    assert read_config(file) == NODE.with_(
        name="mine", ports=16, line_gbps=800, class_weights=(1, 1, 2, 2)
    )


def test_suites_select_by_marker(monkeypatch):
    calls = []
    monkeypatch.setattr(cli, "need", lambda *_: None)
    monkeypatch.setattr(cli.subprocess, "run", lambda command, **_: calls.append(command) or Done)
    for verb in ("unit", "test", "prove", "regress"):
        assert lingyun(verb, "-k", "egress").exit_code == 0
        assert calls[-1][-2:] == ["-k", "egress"]
    assert [command[command.index("-m", 3) + 1] for command in calls] == [
        "not verilator and not formal and not fpga and not slow",
        "not slow",
        "formal",
        "",
    ]


class Done:
    returncode = 0


def test_failed_tests_give_the_status_of_pytest(monkeypatch):
    monkeypatch.setattr(cli, "run_tests", lambda *_: 1)
    assert lingyun("unit").exit_code == 1


def test_times_of_the_suites_are_shown():
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "--times", "tests/test_plan.py"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert "time of each suite" in run.stdout
    assert [line.split()[0] for line in run.stdout.splitlines() if " min" in line] == [
        "unit",
        "verilator",
        "formal",
        "fpga",
    ]


@pytest.fixture
def path_without_compiler(tmp_path) -> dict[str, str]:
    """An environment whose PATH has make and perl but no g++."""
    for tool in ("make", "perl"):
        program = next(
            Path(folder, tool)
            for folder in os.get_exec_path()
            if os.access(Path(folder, tool), os.X_OK)
        )
        (tmp_path / tool).symlink_to(program)
    return {"PATH": str(tmp_path)}


def run_lingyun(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from sim.cli import main; main()", *arguments],
        cwd=ROOT,
        env=os.environ | {"COLUMNS": "200"} | environment,
        capture_output=True,
        text=True,
    )


def test_doctor_names_what_is_missing(path_without_compiler):
    answer = run_lingyun("doctor", **path_without_compiler)
    assert answer.returncode == 2
    assert "apt install g++" in answer.stdout
    assert answer.stdout.splitlines()[-1].startswith("Needed") and "g++" in answer.stdout
    assert not answer.stderr


@pytest.mark.parametrize("verb", ["sim", "test", "regress", "bench", "faults"])
def test_missing_compiler_is_named(verb, path_without_compiler):
    answer = run_lingyun(verb, **path_without_compiler)
    assert answer.returncode == 2
    assert answer.stderr.startswith("Error: g++ is missing: ")
    assert len(answer.stderr.splitlines()) == 1


def test_every_failed_check_has_a_cure(monkeypatch, capsys):
    def fail():
        raise LookupError("missing")

    for needed, status in ((True, 2), (False, 0)):
        check = doctor.Check("flux capacitor", fail, "buy one", needed=needed)
        monkeypatch.setattr(doctor, "CHECKS", (check,))
        assert doctor.examine() == status
        assert doctor.missing("flux capacitor") is check
        assert "buy one" in capsys.readouterr().out


def test_doctor_finds_another_version_than_tested(monkeypatch):
    monkeypatch.setattr(doctor, "_tested", lambda: {"click": "0.1"})
    check = doctor.Check("click", lambda: doctor._package("click"), "run make setup")
    with pytest.raises(LookupError, match=r"tested is 0\.1"):
        check.version()


def test_help_loads_no_tools():
    """Help is quick, and the model alone needs neither Amaranth nor a simulator."""
    script = (
        "import sys, sim.cli; print({'amaranth', 'cocotb', 'rich', 'verilator'} & {*sys.modules})"
    )
    run = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert run.stdout == "set()\n"
