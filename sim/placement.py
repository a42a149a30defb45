"""Place and route a netlist, and say how fast it is and which path limits it, in our own names."""

import json
import re
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sim.block_rams import first_choice, next_choice, sites_of, with_choice
from sim.synthesis import MADE_UP, Synthesis
from sim.yowasp import ToolError, run_tool

__all__ = ["ROUTERS", "Part", "PartTooSmallError", "Placement", "TimingPath", "place"]

ROUTERS = ("router1", "router2")
# The default packs a switch of 8 ports so tight that no router gets through; where the other one
# is there, it spreads it out, and what is small gets as fast as before.
PLACERS = {"ecp5": "static", "ice40": "heap"}
ROUNDS = 4  # choices of the sites of block RAMs; then little changes
NS = 1e3  # MHz * ns
# "  TRELLIS_COMB:   8699/  83640    10%"
USED = re.compile(r"^Info:\s+([\w ]+?):\s+(\d+)/\s*(\d+)\s+\d+%", re.MULTILINE)


@dataclass(frozen=True)
class Part:
    """An FPGA.

    Parameters
    ----------
    name : str
        What people call it.
    family : str
        One of ``sim.synthesis.FAMILIES``.
    options : tuple of str
        How nextpnr is told which it is; of an ECP5 first its size.
    """

    name: str
    family: str
    options: tuple[str, ...]

    @property
    def size(self) -> int:
        """Thousands of look-up tables, as in ``--um5g-45k``."""
        return int(re.sub(r".*-(\d+)k", r"\1", self.options[0]))

    @property
    def tool(self) -> str:
        """The program that places for it."""
        return f"yowasp-nextpnr-{self.family}"


class PartTooSmallError(ValueError):
    """The design does not fit; the message names what is short, and by how much."""


@dataclass(frozen=True, kw_only=True)
class TimingPath:
    """The slowest path from one register to another.

    Parameters
    ----------
    start, end : str
        The registers, memories or pins at its ends, as ``instance.instance.signal[bit]``.
    ns, logic_ns, routing_ns : float
        Its length, of which logic (registers included) and wires.
    levels : int
        Look-up tables and carries on the way.
    through : list of str
        Signals on the way that have a name of their own, in order.
    """

    start: str
    end: str
    ns: float
    logic_ns: float
    routing_ns: float
    levels: int
    through: list[str]

    def __str__(self) -> str:
        return (
            f"{self.start} -> {self.end}, {self.ns:.2f} ns "
            f"({self.logic_ns:.2f} logic in {self.levels} levels, {self.routing_ns:.2f} routing)"
        )


@dataclass(frozen=True, kw_only=True)
class Placement:
    """What came of it.

    Parameters
    ----------
    seed : int
        Where the placer began.
    mhz : dict
        The highest clock, by the name of the clock.
    target_mhz : dict
        What was asked for.
    worst : dict
        The slowest path of each clock.
    used : dict
        What is used and what there is, by the name of the resource.
    seconds : float
        Time that it took.
    """

    seed: int
    mhz: dict[str, float]
    target_mhz: dict[str, float]
    worst: dict[str, TimingPath]
    used: dict[str, tuple[int, int]]
    seconds: float

    def record(self) -> dict[str, Any]:
        """Plain data, for ``load``."""
        return asdict(self)

    @classmethod
    def load(cls, folder: Path) -> "Placement":
        """What ``place`` has left in ``folder``."""
        found = json.loads((folder / "placement.json").read_text())
        found["worst"] = {clock: TimingPath(**path) for clock, path in found["worst"].items()}
        found["used"] = {name: tuple(pair) for name, pair in found["used"].items()}
        return cls(**found)


def place(
    synthesis: Synthesis,
    folder: Path,
    part: Part,
    *,
    seed: int,
    mhz: float,
    router: str = ROUTERS[0],
    pins: tuple[str, ...] = (),
    options: tuple[str, ...] = (),
) -> Placement:
    """Place and route ``synthesis`` on ``part``; a clock that is missed is no error.

    Parameters
    ----------
    folder : Path
        Where the report goes: the folder of ``synthesis``, or one in it.
    mhz : float
        The clock that the tool works towards.
    pins, options : tuple of str
        Further options of nextpnr, paths as seen from the folder of ``synthesis``: those that say
        what must be where, and others.

    Raises
    ------
    PartTooSmallError
        If the part has too little of something.
    ToolError
        If it fails for another reason.
    FileNotFoundError
        If nextpnr is missing.
    """
    inside = folder.relative_to(synthesis.folder)
    log = folder / "nextpnr.log"
    began = time.monotonic()

    def run(netlist: Path, *what: str) -> None:
        arguments = [*part.options, "--json", str(netlist), "--seed", str(seed), *pins]
        arguments += ["--freq", f"{mhz:g}", "--placer", PLACERS[part.family]]
        run_tool(part.tool, [*arguments, "--timing-allow-fail", *what], synthesis.folder, log)

    try:
        netlist = Path(synthesis.netlist.name)
        if part.family == "ecp5":
            sites = sites_of(part.size)
            choice = first_choice(synthesis.netlist, sites)
            for n in range(ROUNDS if choice else 0):
                if n:
                    run(netlist, "--no-route", "--write", str(inside / "placed.json"))
                    choice = next_choice(folder / "placed.json", sites)
                netlist = inside / "chosen.json"
                with_choice(synthesis.netlist, choice, folder / "chosen.json")
        report = ("--report", str(inside / "report.json"))
        run(netlist, "--router", router, *report, *options)
        for file in ("placed.json", "chosen.json"):  # large
            (folder / file).unlink(missing_ok=True)
    except ToolError:
        for name, (used, there) in used_of(log).items():
            if used > there:
                raise PartTooSmallError(
                    f"{part.name} is too small: it has {there:,} {name}, and the design takes "
                    f"{used:,}, {used - there:,} more"
                ) from None
        raise
    found = json.loads((folder / "report.json").read_text())
    paths = {
        clock_name(path["to"]): timing_path(path["path"], synthesis.names)
        for path in found["critical_paths"]
        if path["from"] == path["to"]
    }
    placement = Placement(
        seed=seed,
        mhz={clock_name(name): clock["achieved"] for name, clock in found["fmax"].items()},
        target_mhz={clock_name(name): clock["constraint"] for name, clock in found["fmax"].items()},
        worst=paths,
        used=used_of(log),
        seconds=round(time.monotonic() - began, 1),
    )
    (folder / "placement.json").write_text(json.dumps(placement.record(), indent=1))
    return placement


def used_of(log: Path) -> dict[str, tuple[int, int]]:
    """What is used and what there is of each resource, as nextpnr prints it."""
    text = log.read_text(encoding="utf-8", errors="replace")
    return {name: (int(used), int(there)) for name, used, there in USED.findall(text)}


def clock_name(name: str) -> str:
    """A clock as we call it: ``clk`` for ``posedge $glbnet$cd_sync.clk$TRELLIS_IO_IN``."""
    plain = name.split(" ")[-1].removeprefix("$glbnet$")
    return re.split(r"\$|_SB_", plain)[0].split(".")[-1]


def timing_path(steps: list[dict[str, Any]], names: dict[str, str]) -> TimingPath:
    """A path of nextpnr's report, in our own names."""
    total = sum(step["delay"] for step in steps)
    routing = sum(step["delay"] for step in steps if step["type"] == "routing")
    # A net without a name of its own is called by a neighbour's, which need not be on the way.
    nets = [step["net"] for step in steps if step["type"] == "routing"]
    start = _end_name(steps[0]["from"]["cell"], names)
    through = [n for n in nets if not MADE_UP.search(n) and "$" not in n and n != start]
    return TimingPath(
        start=start,
        end=_end_name(steps[-1]["to"]["cell"], names),
        ns=round(total, 3),
        logic_ns=round(total - routing, 3),
        routing_ns=round(routing, 3),
        levels=sum(step["type"] == "logic" for step in steps),
        through=list(dict.fromkeys(through)),
    )


def _end_name(cell: str, names: dict[str, str]) -> str:
    """The register in ``cell``, or the memory or pin that it is."""
    plain = cell.split("$")[0]
    return names.get(cell) or re.sub(r"(\.\d+)+$", "", MADE_UP.split(plain)[0])
