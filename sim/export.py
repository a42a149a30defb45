"""Write the switch as one Verilog file, for use without any of our tools."""

import tempfile
import time
from pathlib import Path

from models.config import SwitchConfig
from rtl.axis import AxisSwitch
from sim.netlist import Netlist

__all__ = ["TOP", "write_verilog_file"]

TOP = "lingyun_switch"


def write_verilog_file(config: SwitchConfig, directory: Path) -> Path:
    """Write ``<config.name>.v`` with the module ``lingyun_switch``; print its size and the time.

    Ports are those of :class:`rtl.axis.AxisSwitch`, and ``clk`` and ``rst``.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    start = time.monotonic()
    netlist = Netlist(TOP)
    netlist.add(AxisSwitch(config), TOP)
    text = netlist.verilog()
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"{config.name}.v"
    with tempfile.NamedTemporaryFile("w", dir=directory, delete=False) as file:
        file.write(text)
    Path(file.name).replace(path)
    print(
        f"{config.name}: {len(text) / 1e6:.1f} MB, {text.count('endmodule')} modules, "
        f"{time.monotonic() - start:.1f} s"
    )
    return path
