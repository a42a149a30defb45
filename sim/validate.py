"""``lingyun validate``: what is known of schedulers from elsewhere, reproduced by our models."""

import json
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from typing import Any

from rich import box
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from sim import BUILD
from sim.reference import DEVIATES, POINTS, SOURCES, Point
from sim.report import commit, versions, write

__all__ = ["FOLDER", "choose", "main", "tables"]

FOLDER = BUILD / "validate"
WORKERS = 8  # at most: a long run keeps 200 MB


def choose(quick: bool, names: Sequence[str]) -> list[Point]:
    """Points whose name has one of ``names`` in it, or all; with ``quick`` those of the slice.

    Raises
    ------
    ValueError
        If one of ``names`` is in none.
    """
    points = [point for point in POINTS if point.quick or not quick]
    for name in names:
        if not any(name in point.name for point in points):
            raise ValueError(
                f"no point has {name!r} in its name; there are "
                f"{', '.join(point.name for point in points)}"
            )
    return [p for p in points if not names or any(name in p.name for name in names)]


def main(points: list[Point], *, seed: int, as_json: bool = False) -> int:
    """Measure ``points`` and show each beside its reference; exit status 0 if all are met.

    ``build/validate/results.json`` holds the same, whole or of the points that were done.
    """
    FOLDER.mkdir(parents=True, exist_ok=True)
    console = Console(stderr=as_json)
    columns = [TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn()]
    found: dict[Point, tuple[float, float]] = {}
    origin = {"seed": seed, "versions": versions(), "commit": commit()}
    results = summary(points, found) | origin
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("validate", total=sum(map(effort, points)))
        workers = min(WORKERS, os.cpu_count() or 1, len(points))
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
            # The longest first, so that no worker is left alone with it at the end.
            futures = {
                pool.submit(point.run, seed): point
                for point in sorted(points, key=effort, reverse=True)
            }
            for future in as_completed(futures):
                point = futures[future]
                found[point] = future.result()
                progress.update(
                    task,
                    advance=effort(point),
                    description=f"{len(found)} of {len(points)} points",
                )
                results = summary(points, found) | origin
                write(FOLDER / "results.json", results)
    if as_json:
        print(json.dumps(results, indent=2))
    else:
        for table in tables(results):
            console.print(table)
        for name in dict.fromkeys(row["source"] for row in results["points"]):
            console.print(f"{name}: {SOURCES[name]}", highlight=False)
        for row in results["points"]:
            if row["met"] is False and row["point"] in DEVIATES:
                console.print(f"{row['point']}: {DEVIATES[row['point']]}", highlight=False)
        console.print(f"results: {FOLDER / 'results.json'}")
    return 0 if results["good"] else 1


def effort(point: Point) -> int:
    """About how long a point takes, in no unit."""
    return point.slots * point.ports


def summary(points: list[Point], found: dict[Point, tuple[float, float]]) -> dict[str, Any]:
    """What was found, as plain data, in the order of ``points``."""
    rows = []
    for point in points:
        if point in found:
            measured, interval = found[point]
            deviation = None if point.value is None else measured - point.value
            rows.append(
                {
                    "point": point.name,
                    "source": point.source,
                    "reference": point.value,
                    "measured": measured,
                    "interval": interval,
                    "deviation": deviation,
                    "allowed": point.allowed(interval),
                    "unit": "slots" if point.measure == "wait" else "%",
                    "slots": point.slots,
                    "met": point.met(measured, interval),
                }
            )
    return {
        "complete": len(rows) == len(points),
        "good": len(rows) == len(points) and all(row["met"] is not False for row in rows),
        "points": rows,
    }


def tables(results: dict[str, Any]) -> Iterator[Table]:
    """The points as people read them: waits, then throughputs."""
    for unit, title in (("slots", "mean wait, slots"), ("%", "throughput, % of the line rate")):
        rows = [row for row in results["points"] if row["unit"] == unit]
        if not rows:
            continue
        met, of = (sum(row["met"] in kinds for row in rows) for kinds in ((True,), (True, False)))
        shown = Table(
            title=f"{title}: {met} of {of} points reproduced, seed {results['seed']}",
            title_justify="left",
            title_style="bold",
            box=box.SIMPLE_HEAD,
        )
        shown.add_column("point")
        shown.add_column("source", no_wrap=True)
        for column in ("reference", "measured", "+-", "off by"):
            shown.add_column(column, justify="right", no_wrap=True)
        shown.add_column("", no_wrap=True)
        for row in rows:
            reference = off = verdict = ""
            if row["met"] is not None:
                reference = f"{row['reference']:.4g}"
                relative = 100 * row["deviation"] / row["reference"]
                off = f"{relative:+.1f} %" if unit == "slots" else f"{row['deviation']:+.2f}"
                verdict = "met" if row["met"] else "[bold red]NOT MET[/]"
            shown.add_row(
                row["point"].removeprefix("wait ").removeprefix("throughput "),
                row["source"],
                reference,
                f"{row['measured']:.4g}",
                f"{row['interval']:.2g}",
                off,
                verdict,
            )
        yield shown
