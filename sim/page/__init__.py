"""``lingyun report``: what sweeps and runs found, as a page for a browser and as pictures."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from sim import BUILD
from sim.page import palette
from sim.page.collective import bars
from sim.page.curve import curves
from sim.page.document import document
from sim.page.figure import draw
from sim.page.source import Run, Sweep, find, latest, read
from sim.sweep.store import write_whole

__all__ = ["gather", "main"]

SHORT = 12  # characters of a commit
PACKAGES = ("lingyun", "python", "numba", "numpy")  # that a header has room for


def main(names: Sequence[str], output: Path | None, formats: Sequence[str]) -> int:
    """Write the report of ``names``: files, or sweeps by their name; else the latest results.

    Raises
    ------
    ValueError
        If there are no results, or other things than results.
    OSError
        If a file cannot be read or written.
    """
    sources = [read(path) for path in ([find(name) for name in names] or latest())]
    data = gather(sources)
    folder = output or BUILD / "report"
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    if "html" in formats:
        written.append(folder / "report.html")
        write_whole(written[0], document(data))
    for form in ("png", "svg"):
        if form in formats:
            written += draw(data, folder, form)
    for path in written:
        click.echo(path)
    return 0


def gather(sources: Sequence[Sweep | Run]) -> dict[str, Any]:
    """All that the page shows, as plain data."""
    sweeps = [source for source in sources if isinstance(source, Sweep)]
    runs = [source for source in sources if isinstance(source, Run)]
    names = dict.fromkeys(sweep.name for sweep in sweeps)
    found = curves(sweeps)
    clocks = {  # of cells a cycle is a slot, which has none
        None if row["trial"]["policy"] else row["trial"]["config"]["clock_mhz"]
        for sweep in sweeps
        for row in sweep.rows
    }
    clock = clocks.pop() if len(clocks) == 1 else None
    return found | {
        "title": f"Lingyun: {', '.join([*names, *['collectives'] * bool(runs)])}",
        "origins": [_origin(source) for source in sources],
        "switches": len({line["switch"] for line in found["lines"]}),
        "cycle": f" of {1e3 / clock:.3g} ns" if clock else "",
        "collectives": bars(runs),
        "palette": {
            "ink": palette.INK,
            "grey": palette.GREY,
            "grid": palette.GRID,
            "lines": palette.LINES,
            "marks": [*palette.MARKS],
            "matrix": palette.MATRIX,
        },
    }


def _origin(source: Sweep | Run) -> dict[str, str]:
    """The command that made ``source``, and facts to repeat it."""
    if isinstance(source, Sweep):
        rows = source.rows
        configs = sorted({row["trial"]["config"]["name"] for row in rows})
        seeds = sorted({row["trial"]["seed"] for row in rows})
        cycles = sorted({row["trial"]["cycles"] for row in rows})
        facts = [
            f"{' '.join(configs)}, {len(rows)} points of {_range(cycles)} cycles",
            f"seeds {_range(seeds)}",
        ]
        records = rows
    else:
        config = source.results["config"]
        facts = [f"{config['name']}, {config['ports']} ports", f"seed {source.results['seed']}"]
        records = (source.results,)
    commits = dict.fromkeys(_commit(record["commit"]) for record in records)
    found = dict.fromkeys(
        f"{name} {record['versions'][name]}"
        for name in PACKAGES
        for record in records
        if name in record["versions"]
    )
    facts += [f"commit {' and '.join(commits)}", ", ".join(found)]
    kind = "sweep" if isinstance(source, Sweep) else "run"
    return {"kind": kind, "command": source.command, "facts": " · ".join(facts)}


def _commit(name: str | None) -> str:
    """``name`` short, and whether files differed from it."""
    if not name:
        return "unknown"
    return name[:SHORT] + "-dirty" * name.endswith("-dirty")


def _range(values: Sequence[int]) -> str:
    if len(values) == 1:
        return f"{values[0]:,}"
    whole = list(values) == [*range(values[0], values[-1] + 1)]
    return f"{values[0]:,} to {values[-1]:,}" if whole else ", ".join(f"{v:,}" for v in values)
