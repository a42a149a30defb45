"""A harness of few pins, in which a component of any width can be placed alone."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from amaranth import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from sim.netlist import members
from sim.synthesis import REGISTERS, Resources

__all__ = ["Harness", "harness_resources"]

SCANNED, CAPTURED, FOLDED = "scanned_", "captured_", "folded_"
FAN_IN = 4  # of a look-up table


class Harness(wiring.Component):
    """Put a component between flip-flops: its ports cost no pins, and its paths are its own.

    Every input comes from the flip-flop of a shift register; every output goes into a flip-flop.
    These are folded into one bit by a tree of exclusive ors with a flip-flop behind each gate, so
    that no path of the harness is the longest.
    Latency and throughput: those of the shift register; it serves to be measured, not to be used.

    Parameters
    ----------
    component : wiring.Component
        What is measured.
    noun : str
        Its name in the hierarchy.

    Members
    -------
    scan : In(1)
        Into the shift register.
    fold : Out(1)
        Depends on every output.
    """

    def __init__(self, component: wiring.Component, noun: str):
        self.component, self.noun = component, noun
        super().__init__({"scan": In(1), "fold": Out(1)})

    def elaborate(self, platform):
        m = Module()
        part: Any = self.component
        m.submodules[self.noun] = part

        before = self.scan  # pyright: ignore[reportAttributeAccessIssue]
        for name, value in members(self.component, wiring.In).items():
            scanned = Signal(len(value), name=SCANNED + name)
            m.d.sync += scanned.eq(Cat(before, scanned))
            m.d.comb += value.eq(scanned)
            before = scanned[-1]

        captures = []
        for name, value in members(self.component, wiring.Out).items():
            captured = Signal(len(value), name=CAPTURED + name)
            m.d.sync += captured.eq(value)
            captures.append(captured)
        level, depth = Cat(captures), 0
        while len(level) > 1:
            groups = [level[n : n + FAN_IN] for n in range(0, len(level), FAN_IN)]
            folded = Signal(len(groups), name=f"{FOLDED}{depth}")
            m.d.sync += folded.eq(Cat(group.xor() for group in groups))
            level, depth = folded, depth + 1
        m.d.comb += self.fold.eq(level)  # pyright: ignore[reportAttributeAccessIssue]
        return m


def harness_resources(
    harness: Harness, module: Mapping[str, Any], names: Mapping[str, str]
) -> Resources:
    """What ``harness`` itself takes in a netlist: its registers, and the gates of the tree.

    Parameters
    ----------
    module : dict
        As ``Synthesis.module`` gives it.
    names : dict
        ``Synthesis.names``.
    """
    # yosys may drop the name of a scanned register, and keep that of the input that it drives.
    inputs = {f"{harness.noun}.{name}" for name in members(harness.component, wiring.In)}
    ours = {
        cell
        for cell, name in names.items()
        if name.startswith((SCANNED, CAPTURED, FOLDED, "fold")) or name.split("[")[0] in inputs
    }
    tree = {cell for cell in ours if names[cell].startswith("fold")}
    readers: dict[int, set[str]] = {}  # cells that read a net
    for name, cell in module["cells"].items():
        for port, bits in cell["connections"].items():
            if cell["port_directions"].get(port) == "input":
                for bit in bits:
                    readers.setdefault(bit, set()).add(name)
    kinds: Counter[str] = Counter()
    for name, cell in module["cells"].items():
        if REGISTERS.fullmatch(cell["type"]):
            kinds[cell["type"]] += name in ours
        elif cell["type"] == "LUT4":
            kinds["LUT4"] += readers.get(cell["connections"]["Z"][0], {""}) <= tree
    return Resources.of(kinds)
