"""A sweep as people read it: one line for all seeds of a setting."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from rich import box
from rich.table import Table

from sim.sweep.point import Point
from sim.sweep.statistics import interval

__all__ = ["table"]


def table(title: str, points: Iterable[Point], records: dict[str, dict[str, Any]]) -> Table:
    """The means over the seeds of each setting, with what they are good for.

    Parameters
    ----------
    records : dict
        What came of the points, by identity; not all of them need be there.
    """
    groups: dict[tuple[tuple[str, Any], ...], list[dict[str, Any]]] = {}
    for point in points:
        setting = tuple(item for item in point.settings if item[0] != "seed")
        group = groups.setdefault(setting, [])
        if point.identity in records:
            group.append(records[point.identity]["result"])
    names = list(dict.fromkeys(name for setting in groups for name, _ in setting))
    shown = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD)
    for name in names:
        shown.add_column(name)
    asks = any("round_trip" in result for results in groups.values() for result in results)
    trips = ("round trip, cycles", "its p99", "per 1000 cycles") if asks else ()
    for name in ("runs", "carried", "delay", "x ideal", "p99, cycles", *trips):
        shown.add_column(name, justify="right")
    for setting, results in groups.items():
        values = dict(setting)
        line = _line(results) + (_trips(results) if asks else [])
        shown.add_row(*(_value(values.get(name)) for name in names), *line)
    return shown


def _value(value: object) -> str:
    if value is None:
        return "-"
    return " ".join(map(str, value)) if isinstance(value, tuple | list) else str(value)


def _line(results: list[dict[str, Any]]) -> list[str]:
    """Runs, carried, delay, ratio to the ideal switch, 99th percentile of the latency."""
    if not results:
        return ["0", "", "[bold red]missing[/]", "", ""]
    carried = f"{np.mean([result['carried'] for result in results]):.3f}"
    line = [str(len(results)), carried]
    if full := sum(bool(result["saturation"]) for result in results):
        which = "" if full == len(results) else f" ({full} of {len(results)})"
        return [*line, f"[yellow]saturated{which}[/]", "", ""]
    if any(result["delay"] is None for result in results):
        return [*line, "nothing sent", "", ""]
    settled = "" if all(result["settled"] for result in results) else " [yellow]unsettled[/]"
    ratios = [result["ratio"] for result in results if result["ratio"] is not None]
    p99 = np.mean([result["latency"]["p99"] for result in results])
    return [
        *line,
        _estimate([r["delay"] for r in results], results[0]["half_width"]) + settled,
        _estimate(ratios, None) if ratios else "-",
        f"{p99:.0f}",
    ]


def _trips(results: list[dict[str, Any]]) -> list[str]:
    """Of requests and responses: round trip, its 99th percentile, how many per port."""
    found = [result["round_trip"] for result in results if "round_trip" in result]
    if not found:
        return ["-", "-", "-"]
    return [
        _estimate([trip["mean"] for trip in found], found[0]["half_width"]),
        f"{np.mean([trip['p99'] for trip in found]):.0f}",
        f"{1000 * np.mean([trip['rate'] for trip in found]):.2f}",
    ]


def _estimate(values: list[float], half_width: float | None) -> str:
    """Mean and interval: between seeds, or if there is one only, ``half_width`` of its own."""
    found = interval(np.array(values))
    width = half_width if len(values) == 1 else found.half_width
    return f"{found.mean:.3f}" + ("" if width is None else f" ± {width:.3f}")
