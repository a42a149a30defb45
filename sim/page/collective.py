"""Collectives of ``lingyun sim``: how long each took, and its bandwidth."""

from collections.abc import Sequence
from typing import Any

from sim.page.source import Run

__all__ = ["bars"]

ALWAYS = ("config", "scheduler", "iterations")  # are told even if all runs have the same


def bars(runs: Sequence[Run]) -> list[dict[str, Any]]:
    """One group of bars per run and workload.

    Each has the ``run``, the ``workload``, the rate of a line in Gbit/s, and lists over its
    collectives: ``names``, ``time`` and ``bus``. Without a clock, time is in cycles and the bus in
    bytes per cycle; ``clocked`` tells.
    """
    called = _called(runs)
    groups = []
    for run, name in zip(runs, called, strict=True):
        config = run.results["config"]
        clock = config["clock_mhz"]
        workloads = dict.fromkeys(record["workload"] for record in run.results["collectives"])
        for workload in workloads:
            records = [
                record
                for record in run.results["collectives"]
                if record["workload"] == workload and record["cycles"]
            ]
            groups.append(
                {
                    "run": name,
                    "workload": workload,
                    "clocked": clock is not None,
                    "line": config["line_gbps"],
                    "names": [f"{record['name']}, {record['algorithm']}" for record in records],
                    "bytes": [record["bytes"] for record in records],
                    "time": [
                        record["cycles"] / clock if clock else record["cycles"]
                        for record in records
                    ],
                    "bus": [
                        record["bus_gbps"] if clock else record["bus_bytes_per_cycle"]
                        for record in records
                    ],
                }
            )
    return groups


def _called(runs: Sequence[Run]) -> list[str]:
    """What tells ``runs`` apart; their folders, if nothing else does."""
    facts = []
    for run in runs:
        config, order = run.results["config"], run.results["order"]
        facts.append(
            {
                "config": config["name"],
                "scheduler": config["scheduler"],
                "iterations": f"x{config['iterations']}",
                "packets": f"{order['packet_bytes']} B packets",
                "scale": f"scale 1/{order['scale']:g}",
                "seed": f"seed {order['seed']}",
                "unshaped": "unshaped" if order["unshaped"] else "shaped",
            }
        )
    kept = [
        key
        for key in dict.fromkeys(key for fact in facts for key in fact)
        if key in ALWAYS or len({fact[key] for fact in facts}) > 1
    ]
    names = [" ".join(fact[key] for key in kept) for fact in facts]
    if len({*names}) < len(names):
        names = [f"{name} ({run.name})" for name, run in zip(names, runs, strict=True)]
    return names
