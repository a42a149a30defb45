"""Convert a design to Verilog, each distinct component once.

Amaranth would convert every instance of a component by itself. A switch has many alike, so here
each distinct component becomes one module, which is instantiated where it is used: the text is
smaller and written sooner, and a simulator compiles it sooner.
"""

import gc
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from amaranth import (
    ClockDomain,
    ClockSignal,
    DomainRenamer,
    Fragment,
    Instance,
    ResetSignal,
    Shape,
    Value,
)
from amaranth.back import rtlil, verilog  # pyright: ignore[reportAttributeAccessIssue]
from amaranth.hdl._ir import PortDirection
from amaranth.hdl._nir import Net
from amaranth.hdl._xfrm import DomainCollector
from amaranth.lib import wiring

from models.config import SwitchConfig

__all__ = ["Netlist", "members", "wire_of"]

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


def wire_of(domain: str, wire: str) -> str:
    """What Amaranth calls the clock (``clk``) or reset (``rst``) of a clock domain."""
    return wire if domain == "sync" else f"{domain}_{wire}"


def members(component: wiring.Component, flow: wiring.Flow) -> dict[str, Value]:
    """Ports of ``component`` by their name in Verilog, in the order of the signature.

    Those without a bit (the class, if there is one class only) are left out.
    """
    return {
        "__".join(map(str, path)): Value.cast(value)
        for path, member, value in component.signature.flatten(component)
        if member.flow is flow and len(Value.cast(value))
    }


@contextmanager
def uncollected() -> Iterator[None]:
    """Pause the garbage collector."""
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


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

    Parameters
    ----------
    prefix : str
        Begins the names of modules, so that they do not clash with others of a design.

    Attributes
    ----------
    modules : dict
        RTLIL of the modules that were made of a component, by their names.
    instances : Counter
        How often each of them stands in the modules above it.
    """

    def __init__(self, prefix: str):
        widen_nets()
        self.prefix = prefix
        self.modules: dict[str, str] = {}
        self.names: dict[str, str] = {}  # by key_of()
        self.instances: Counter[str] = Counter()

    def add(self, component: wiring.Component, name: str = "") -> str:
        """Convert ``component``, if none that is built alike was; the name of its module."""
        # Millions of objects that all stay alive: to look through them again and again for garbage
        # would take longer than the conversion.
        with uncollected():
            return self.convert(component, name)

    def convert(self, component: wiring.Component, name: str) -> str:
        """The same, for parts of what :meth:`add` converts."""
        key = key_of(component)
        if key not in self.names:
            noun = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", type(component).__name__).lower()
            self.names[key] = name = name or f"{self.prefix}_{noun}_{len(self.names)}"
            source: Any = component  # its class has the method, Component has not
            module: Any = source.elaborate(None)
            for part, _ in module._named_submodules.values():  # Amaranth has no public way
                part = renamed(part)
                if type(part).__module__.startswith("rtl."):
                    replace(part, self.instance(part))
            replace(component, module)
            self.modules[name] = text_of(component, name)
        return self.names[key]

    def domains(self, name: str) -> list[str]:
        """Clock domains of a module, each of which has a clock and a reset."""
        text = self.modules[name].partition("\nend\n")[0]  # without the parts that are inside
        found = re.findall(r"^ *wire .*input +\d+ +\\(\w+_)?clk$", text, re.MULTILINE)
        return sorted(prefix.removesuffix("_") or "sync" for prefix in found)

    def verilog(self) -> str:
        """All modules, in Verilog."""
        # One call of yosys for all: its start takes longer than most of the modules.
        backend: Any = verilog  # its function for text is not public
        text = "\n".join(self.modules.values())
        return backend._convert_rtlil_text(text, strip_internal_attrs=True)

    def instance(self, component: wiring.Component) -> Instance:
        """An instance of the module of ``component``, at its ports."""
        name = self.convert(component, "")
        self.instances[name] += 1
        ports: dict[str, Any] = {}
        for letter, flow in ("i", wiring.In), ("o", wiring.Out):
            for port, value in members(component, flow).items():
                ports[f"{letter}_{port}"] = value
        for domain in self.domains(name):
            for wire, signal in ("clk", ClockSignal(domain)), ("rst", ResetSignal(domain)):
                ports[f"i_{wire_of(domain, wire)}"] = signal
        return Instance(name, **ports)


def renamed(part: Any) -> Any:
    """The component itself, if only its domains are renamed: so can be those of an instance.

    What enables or resets a component is a change inside of it, and no instance has that.
    """
    changes = getattr(part, "_transforms_", [])
    if changes and all(isinstance(change, DomainRenamer) for change in changes):
        return part._elaboratable_
    return part


def text_of(component: wiring.Component, name: str) -> str:
    """RTLIL of ``component``, the same in each process.

    Amaranth would make ports of its clock domains in the order of a set, which is not: so a design
    of several domains would differ from run to run, and be built again in each.
    """
    ports: dict[str, Any] = {
        "__".join(map(str, path)): (
            Value.cast(value),
            PortDirection.Input if member.flow is wiring.In else PortDirection.Output,
        )
        for path, member, value in component.signature.flatten(component)
    }
    fragment = Fragment.get(component, None)
    found: Any = DomainCollector()
    found(fragment)
    for domain in sorted(found.used_domains - found.defined_domains):
        clocks: Any = ClockDomain(domain)
        fragment.add_domains(clocks)
        for signal in (clocks.clk, clocks.rst):
            ports[signal.name] = (signal, PortDirection.Input)
    return rtlil.convert_fragment(fragment, ports, name, emit_src=False)[0]


def replace(component: Any, content: Any) -> None:
    """Let Amaranth find ``content`` when it elaborates ``component``."""
    component.elaborate = lambda platform: content
