"""Sites of block RAMs: there are as many as the data sheet says, and wires decide which."""

import json

import pytest

from sim.block_rams import SITE, first_choice, next_choice, sites_of, with_choice
from sim.synthesis import TOP


def design(**cells) -> dict:
    return {"modules": {TOP: {"cells": cells}}}


def cell(kind: str, bits: list, at: str = "") -> dict:
    attributes = {"NEXTPNR_BEL": at} if at else {}
    return {"type": kind, "attributes": attributes, "connections": {"A": bits}}


@pytest.mark.parametrize(
    "size, number",  # Lattice FPGA-DS-02012, table of the family
    [(85, 208), (45, 108), (25, 56)],
)
def test_a_part_has_its_sites(size, number):
    sites = sites_of(size)
    assert len(set(sites)) == number and all(SITE.fullmatch(site) for site in sites)


def test_neighbours_by_name_are_neighbours_at_first(tmp_path):
    sites = [f"X{4 + 2 * n}/Y{y}/EBR{n}" for y in (10, 30) for n in range(4)]
    netlist = tmp_path / "netlist.json"
    rams = {f"memory.{n}": cell("DP16KD", [n]) for n in range(4)}
    netlist.write_text(json.dumps(design(**rams, other=cell("LUT4", [0]))))
    choice = first_choice(netlist, sites)
    assert list(choice) == sorted(rams) and set(choice.values()) <= set(sites)
    assert list(choice.values()) == sorted(choice.values(), key=sites.index)
    with_choice(netlist, choice, tmp_path / "chosen.json")
    written = json.loads((tmp_path / "chosen.json").read_text())["modules"][TOP]["cells"]
    assert {name: written[name]["attributes"]["BEL"] for name in rams} == choice
    assert not written["other"]["attributes"]


def test_too_many_are_left_to_the_placer(tmp_path):
    netlist = tmp_path / "netlist.json"
    netlist.write_text(json.dumps(design(**{str(n): cell("DP16KD", [n]) for n in range(3)})))
    assert first_choice(netlist, ["X4/Y22/EBR0", "X6/Y22/EBR1"]) == {}


def test_block_rams_go_where_their_wires_are(tmp_path):
    sites = ["X4/Y22/EBR0", "X44/Y22/EBR2", "X102/Y70/EBR3"]
    placed = tmp_path / "placed.json"
    cells = {
        "near_end": cell("TRELLIS_COMB", [5, "0"], "X100/Y69/SLICEA"),
        "near_start": cell("TRELLIS_COMB", [6, 7, "0"], "X2/Y20/SLICEB"),
        "first": cell("DP16KD", [5, "0"], sites[0]),
        "second": cell("DP16KD", [6, 7, "0"], sites[2]),
    }
    placed.write_text(json.dumps(design(**cells)))
    assert next_choice(placed, sites) == {"first": sites[2], "second": sites[0]}
