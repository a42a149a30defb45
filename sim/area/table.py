"""The area table as people read it: ours beside the peers."""

from collections.abc import Iterable, Mapping
from typing import Any

from rich import box
from rich.table import Table

from sim.area.peers import ARBITER, PEERS, Peer, delivered_gbps

__all__ = ["blocks_table", "paths_table", "scheduler_table", "switch_table"]

Row = Mapping[str, Any]
BLOCK_DEPTH = 3


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD)
    for n, column in enumerate(columns):
        table.add_column(column, justify="right" if n else "left", overflow="fold")
    return table


def _number(value: float | None, digits: int = 0) -> str:
    return "-" if value is None else f"{value:,.{digits}f}"


def _speed(row: Row) -> str:
    """The median, and the least and the most of the seeds."""
    if row.get("mhz") is None:
        return "-"
    seeds = [seed["mhz"] for seed in row["seeds"]]
    return f"{row['mhz']:.1f}" + (f" ({min(seeds):.0f}-{max(seeds):.0f})" if len(seeds) > 1 else "")


SWITCH_COLUMNS = (
    "ports",
    "classes",
    "logic\nLUT4",
    "all\nLUT4",
    "FF",
    "block\nRAM",
    "Fmax\nMHz",
    "latency\ncycles",
    "\nns",
    "flits/cycle\n8 / 1 flit",
    "Gbit/s\n8 / 1 flit",
    "Gbit/s per\n1,000 LUT4",
)


def switch_table(rows: Iterable[Row]) -> Table:
    """Switches of ours, then those of others of the same sizes."""
    rows = list(rows)
    table = _table("Switches, 64-bit flits; ours without the harness", "", *SWITCH_COLUMNS)
    for row in rows:
        size = ["lingyun", str(row["ports"]), str(row["classes"])]
        if "luts" not in row:
            table.add_row(*size, *(["failed"] if row["error"] else []))
            continue
        area = [_number(row[name]) for name in ("logic_luts", "luts", "flip_flops", "block_rams")]
        table.add_row(*size, *area, _speed(row), *_carried(row))
    table.add_section()
    sizes = {row["ports"] for row in rows}
    for peer in PEERS:
        if peer.ports in sizes:
            record = peer_record(peer)
            area = ["-", _number(peer.luts), _number(peer.flip_flops), "-", f"{peer.mhz:.0f}"]
            table.add_row(peer.name, str(peer.ports), "1", *area, *_carried(record))
    return table


def peer_record(peer: Peer) -> dict[str, Any]:
    """A peer with what follows from its numbers."""
    return vars(peer) | derived(vars(peer))


def derived(row: Row) -> dict[str, Any]:
    """What follows from size, clock and throughput of a switch; None where that is not known."""
    mhz, found = row.get("mhz"), {}
    found["latency_ns"] = row["latency"] * 1e3 / mhz if mhz and row["latency"] else None
    for mix in ("eight", "one"):
        flits = row.get(mix)
        gbps = delivered_gbps(row["ports"], flits, mhz) if mhz and flits else None
        found[f"gbps_{mix}"] = gbps
        found[f"gbps_{mix}_per_kilolut"] = gbps and gbps * 1e3 / row["luts"]
    return found


def _carried(row: Row) -> list[str]:
    def both(name: str, digits: int) -> str:
        return " / ".join(_number(row.get(name.format(mix)), digits) for mix in ("eight", "one"))

    return [
        _number(row["latency"]),
        _number(row["latency_ns"], 1),
        both("{}", 2),
        both("gbps_{}", 1),
        both("gbps_{}_per_kilolut", 2),
    ]


def scheduler_table(rows: Iterable[Row]) -> Table:
    """Schedulers and arbiters alone."""
    columns = ("ports", "classes", "logic\nLUT4", "all\nLUT4", "FF", "Fmax\nMHz")
    table = _table("Alone, without the harness", "", *columns)
    for row in rows:
        size = [row["noun"], str(row["ports"]), "-" if row["noun"] == "arbiter" else row["classes"]]
        if "luts" not in row:
            table.add_row(*map(str, size), *(["failed"] if row["error"] else []))
            continue
        area = [_number(row[name]) for name in ("logic_luts", "luts", "flip_flops")]
        table.add_row(*map(str, size), *area, _speed(row) if row["placed"] else "not placed")
    table.add_section()
    for peer in ARBITER:
        area = ["-", _number(peer.luts), _number(peer.flip_flops), f"{peer.mhz:.0f}"]
        table.add_row(peer.name, str(peer.ports), "-", *area)
    return table


def paths_table(rows: Iterable[Row]) -> Table:
    """The worst path of each, in the seed of the median; and what went wrong."""
    table = Table(title="Worst paths", title_justify="left", title_style="bold", box=None)
    table.add_column("")
    table.add_column("", overflow="fold")
    for row in rows:
        if row.get("error"):
            table.add_row(row["name"], f"[bold red]{row['error']}[/]")
        elif row.get("worst"):
            table.add_row(row["name"], row["worst"])
    return table


def blocks_table(row: Row) -> Table:
    """What the parts of one component take."""
    columns = ("logic LUT4", "carry", "RAM", "FF", "block RAM")
    table = _table(f"{row['name']}: each block synthesised by itself", "", *columns)
    for path, block in row["blocks"].items():
        if path and path.count(".") < BLOCK_DEPTH:
            names = ("logic_luts", "carry_luts", "ram_luts", "flip_flops", "block_rams")
            table.add_row(path, *(_number(block[name]) for name in names))
    return table
