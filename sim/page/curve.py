"""The lines of the charts: points of sweeps that differ in load and seed alone, seeds as means."""

from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import Any

import numpy as np

from sim.page.source import Sweep
from sim.sweep.plan import SWITCH, TRAFFIC
from sim.sweep.statistics import interval

__all__ = ["axes", "curves", "tail", "value_of"]

ALONG = ("load", "seed")  # what a line runs over, and what is a mean
PATTERN = tuple(name for name in TRAFFIC if name not in (*ALONG, "policy", "shares"))
INSIDE = (  # fields that the ideal switch, which has the same arrivals and lines, knows nothing of
    "policy",
    "scheduler",
    "iterations",
    "class_policy",
    "class_weights",
    "ingress_flits",
    "egress_flits",
    "reserve_flits",
    "limit_flits",
    "stall_cycles",
    "store_and_forward",
    "endpoints",
    "shares",
)


def value_of(row: dict[str, Any], name: str) -> Any:
    """The field ``name`` of a point, whether or not it was an axis of its sweep."""
    trial = row["trial"]
    value = trial.get(name)
    return trial["config"].get(name) if value is None else value


def shown(value: object) -> str:
    """``value`` as one word."""
    if isinstance(value, list | tuple):
        return "-".join(map(shown, value))
    return f"{value:g}" if isinstance(value, float) else str(value).lower()


def axes(sweeps: Sequence[Sweep]) -> list[dict[str, Any]]:
    """The fields in which lines differ.

    Each has its ``name``, its ``values`` in the order of the sweeps, how they are ``called`` in a
    legend, and whether it is of the ``traffic``: of those one value is shown at a time.
    """
    varied = {name for sweep in sweeps for row in sweep.rows for name in row["settings"]}
    names = [name for name in TRAFFIC | SWITCH if name in varied]  # results are sorted by letters
    values = {
        name: list(
            dict.fromkeys(shown(value_of(row, name)) for sweep in sweeps for row in sweep.rows)
        )
        for name in names
        if name not in ALONG
    }
    if len(sweeps) > 1:
        values = {"sweep": list(dict.fromkeys(sweep.name for sweep in sweeps))} | values
    return [
        {
            "name": name,
            "values": words,
            "called": [
                w if w[0].isalpha() and w not in ("true", "false", "none") else f"{name} {w}"
                for w in words
            ],
            "traffic": name in PATTERN,
        }
        for name, words in values.items()
        if len(words) > 1
    ]


def curves(sweeps: Sequence[Sweep]) -> dict[str, Any]:
    """Lines of points by load, and the ideal of each traffic.

    A line has its ``settings``, the place of its ``traffic`` and of its ``switch`` among those that
    there are, for colours and marks, and the place of its ``ideal``.
    """
    found = axes(sweeps)
    groups: dict[tuple[str, ...], dict[float, list[dict[str, Any]]]] = {}
    for sweep in sweeps:
        for row in sweep.rows:
            key = tuple(
                sweep.name if axis["name"] == "sweep" else shown(value_of(row, axis["name"]))
                for axis in found
            )
            groups.setdefault(key, {}).setdefault(row["trial"]["load"], []).append(row)

    def places(wanted: Sequence[bool]) -> dict[tuple[str, ...], int]:
        parts = [tuple(v for v, w in zip(key, wanted, strict=True) if w) for key in groups]
        order = {part: n for n, part in enumerate(dict.fromkeys(parts))}
        return {key: order[part] for key, part in zip(groups, parts, strict=True)}

    traffic = places([axis["traffic"] for axis in found])
    switch = places([not axis["traffic"] for axis in found])
    ideal = places([axis["name"] not in INSIDE for axis in found])
    lines = [
        {
            "settings": {axis["name"]: v for axis, v in zip(found, key, strict=True)},
            "traffic": traffic[key],
            "switch": switch[key],
            "ideal": ideal[key],
            "points": [_point(load, rows) for load, rows in sorted(group.items())],
        }
        for key, group in groups.items()
    ]
    return {
        "axes": found,
        "loads": sorted({point["load"] for line in lines for point in line["points"]}),
        "lines": lines,
        "ideals": [
            _ideal(line for line in lines if line["ideal"] == n)
            for n in range(len({*ideal.values()}))
        ],
    }


def _point(load: float, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The runs of a setting at ``load``, one per seed. If one has no steady state, none has."""
    results = [row["result"] for row in rows]
    profiles = [result["profile"] for result in results]
    why = [result["saturation"] for result in results if result["saturation"]]
    steady = all(result["delay"] is not None for result in results)
    return {
        "load": load,
        "runs": len(rows),
        "saturated": len(why),
        "why": "; ".join(dict.fromkeys(why)),
        "unsettled": sum(not result["settled"] for result in results),
        "delay": _mean(results, "delay", results[0]["half_width"]) if steady else None,
        "ideal": _mean(results, "ideal_delay")["mean"] if steady else None,
        "p99": _mean([result["latency"] for result in results], "p99")["mean"] if steady else None,
        "carried": _mean(results, "carried"),
        "ideal_carried": _mean(results, "ideal_carried")["mean"],
        "tail": tail(profile["latency"] for profile in profiles) if steady else None,
        "ideal_tail": tail(profile["ideal_latency"] for profile in profiles) if steady else None,
        "waiting": {"cycles": rows[0]["trial"]["cycles"]}
        | {
            name: np.mean([profile["waiting"][name] for profile in profiles], axis=0)
            .round(1)
            .tolist()
            for name in ("switch", "sender", "ideal")
        },
        "pairs": _pairs([profile["pairs"] for profile in profiles], steady),
    }


def _mean(
    results: Sequence[dict[str, Any]], name: str, alone: float | None = None
) -> dict[str, float | None]:
    """Mean and interval over the seeds; of a single one the interval is what it says ``alone``."""
    found = interval(np.array([result[name] for result in results]))
    width = found.half_width if len(results) > 1 else alone
    return {"mean": found.mean, "half_width": width}


def tail(histograms: Iterable[Sequence[Sequence[int]]]) -> dict[str, list[float]]:
    """The part ``y`` of the packets that take longer than ``x``, all ``histograms`` together.

    The last, none, is drawn as half a packet: a logarithm cannot show it.
    """
    counts: dict[int, int] = {}
    for histogram in histograms:
        for value, count in histogram:
            counts[value] = counts.get(value, 0) + count
    values = sorted(counts)
    total = sum(counts.values())
    longer = [1 - n / total for n in accumulate(counts[value] for value in values)]
    return {
        "x": [values[0], *values],
        "y": [1.0, *(float(f"{part:.4g}") for part in longer[:-1]), 0.5 / total],
    }


def _pairs(parts: Sequence[dict[str, Any]], steady: bool) -> dict[str, Any]:
    """Means over all seeds, weighted by packets."""
    carried = np.mean([part["carried"] for part in parts], axis=0)
    found = {"joined": parts[0]["joined"], "carried": carried.round(5).tolist(), "latency": None}
    if steady:
        packets = np.array([part["packets"] for part in parts])
        latency = np.array([part["latency"] for part in parts], dtype=float)  # nan for None
        sums, counts = np.nansum(latency * packets, axis=0), packets.sum(axis=0)
        found["latency"] = [
            [round(s / n, 2) if n else None for s, n in zip(*row, strict=True)]
            for row in zip(sums.tolist(), counts.tolist(), strict=True)
        ]
    return found


def _ideal(lines: Iterable[dict[str, Any]]) -> list[dict[str, float]]:
    """Mean delay of the ideal switch by load, of all ``lines`` that know one."""
    known: dict[float, list[float]] = {}
    for line in lines:
        for point in line["points"]:
            if point["ideal"] is not None:
                known.setdefault(point["load"], []).append(point["ideal"])
    return [
        {"load": load, "delay": float(np.mean(values))} for load, values in sorted(known.items())
    ]
