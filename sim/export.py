"""Write the switch as one Verilog file, for use without any of our tools.

Amaranth would convert every instance of a component by itself. A switch has many alike, so here
each distinct component becomes one module, converted once, and is instantiated where it is used:
the file is smaller, and written sooner.
"""

import re
import tempfile
import time
from pathlib import Path
from typing import Any

from amaranth import ClockSignal, Instance, ResetSignal, Shape
from amaranth.back import verilog  # pyright: ignore[reportAttributeAccessIssue]
from amaranth.hdl._nir import Net
from amaranth.lib import wiring

from models.config import SwitchConfig
from rtl.axis import AxisSwitch
from sim.verilator import members

__all__ = ["TOP", "Netlist", "write_verilog_file"]

TOP = "lingyun_switch"
NET_BITS = 24
PARAMETERS = (int, str, tuple, SwitchConfig)


def widen_nets() -> None:
    """Let a module have more than 65,536 bits of input: flits of 64 ports do.

    Amaranth 0.5 numbers a net as ``cell << 16 | bit``. Python's integers have no end, so more bits
    for ``bit`` cost nothing.
    """

    def from_cell(cls: type[int], cell: int, bit: int) -> int:
        return cls(cell << NET_BITS | bit)

    net: Any = Net
    net.from_cell = classmethod(from_cell)
    net.cell = property(lambda net: net >> NET_BITS)
    net.bit = property(lambda net: net & (1 << NET_BITS) - 1)


def key_of(component: wiring.Component) -> str:
    """Equal for two components that are built alike: of one class, with the same parameters."""
    values = vars(component).items()
    parameters = {name: value for name, value in values if isinstance(value, PARAMETERS)}
    ports = [
        ("__".join(map(str, path)), member.flow, Shape.cast(member.shape))
        for path, member, _ in component.signature.flatten(component)
    ]
    return repr((type(component), parameters, ports))


class Netlist:
    """Verilog modules, one for each distinct component.

    Attributes
    ----------
    modules : dict
        Text of the modules that were made of a component, by its name.
    """

    def __init__(self):
        self.modules: dict[str, str] = {}
        self.names: dict[str, str] = {}  # by key_of()

    def add(self, component: wiring.Component, name: str = "") -> str:
        """Convert ``component``, if none that is built alike was; the name of its module."""
        key = key_of(component)
        if key not in self.names:
            noun = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", type(component).__name__).lower()
            self.names[key] = name = name or f"{TOP}_{noun}_{len(self.names)}"
            source: Any = component  # its class has the method, Component has not
            module: Any = source.elaborate(None)
            for part, _ in module._named_submodules.values():  # Amaranth has no public way
                if type(part).__module__.startswith("rtl."):
                    replace(part, self.instance(part))
            replace(component, module)
            self.modules[name] = verilog.convert(
                component, name=name, emit_src=False, strip_internal_attrs=True
            )
        return self.names[key]

    def instance(self, component: wiring.Component) -> Instance:
        """An instance of the module of ``component``, at its ports."""
        name = self.add(component)
        ports: dict[str, Any] = {}
        for letter, flow in ("i", wiring.In), ("o", wiring.Out):
            for port, value in members(component, flow).items():
                ports[f"{letter}_{port}"] = value
        if re.search(r"^  input clk;$", self.modules[name], re.MULTILINE):
            ports |= {"i_clk": ClockSignal(), "i_rst": ResetSignal()}
        return Instance(name, **ports)


def replace(component: Any, content: Any) -> None:
    """Let Amaranth find ``content`` when it elaborates ``component``."""
    component.elaborate = lambda platform: content


def write_verilog_file(config: SwitchConfig, directory: Path) -> Path:
    """Write ``<config.name>.v`` with the module ``lingyun_switch``; print its size and the time.

    Ports are those of :class:`rtl.axis.AxisSwitch`, and ``clk`` and ``rst``.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    start = time.monotonic()
    widen_nets()
    netlist = Netlist()
    netlist.add(AxisSwitch(config), TOP)
    text = "\n".join(netlist.modules.values())
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
