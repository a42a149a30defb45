"""The charts of the page as PNG or SVG, for slides and papers: a file per chart and traffic."""

import re
import textwrap
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator
from matplotlib.transforms import Bbox

from sim.page.palette import GREY, GRID, INK, LINES, MARKS, MATRIX

__all__ = ["draw", "label", "steady_load"]

SIZE = (8.5, 5.2)  # inches
STYLE: Any = {
    "font.size": 11,
    "text.color": INK,
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": GRID,
    "axes.axisbelow": True,
    "axes.titlelocation": "left",
    "legend.frameon": False,
    "svg.hashsalt": "lingyun",  # so that the same data gives the same bytes
}
BLUES = LinearSegmentedColormap.from_list("matrix", MATRIX)
MATRICES = 6  # lines whose pairs one picture holds
IDEAL = {"color": GREY, "linestyle": "--", "linewidth": 1.4}

Data = dict[str, Any]
Chart = Callable[[Figure, Data, list[Data]], bool]


def draw(data: Data, folder: Path, form: str) -> list[Path]:
    """Write every chart of ``data`` to ``folder``, in the format ``form``; the files."""
    written = []
    with matplotlib.rc_context(STYLE):
        for name, figure in _figures(data):
            path = folder / f"{name}.{form}"
            draft = path.with_name(f".{path.name}.part")
            metadata = {"Date": None} if form == "svg" else None
            figure.savefig(draft, format=form, dpi=150, metadata=metadata)
            draft.replace(path)
            written.append(path)
    return written


def label(data: Data, line: Data, lines: Sequence[Data]) -> str:
    """What tells ``line`` from the others of ``lines``."""
    differ = [
        axis
        for axis in data["axes"]
        if len({other["settings"][axis["name"]] for other in lines}) > 1
    ]
    chosen = differ or [axis for axis in data["axes"] if not axis["traffic"]]
    return ", ".join(_called(axis, line) for axis in chosen) or "switch"


def _called(axis: Data, line: Data) -> str:
    return axis["called"][axis["values"].index(line["settings"][axis["name"]])]


def steady_load(data: Data, lines: Sequence[Data]) -> float:
    """The highest load at which none of ``lines`` is saturated, or the lowest of all."""
    good = [
        load
        for load in data["loads"]
        if all((point := _at(line, load)) and point["delay"] for line in lines)
    ]
    return good[-1] if good else data["loads"][0]


def _at(line: Data, load: float) -> Data | None:
    return next((point for point in line["points"] if point["load"] == load), None)


def _figures(data: Data) -> Iterator[tuple[str, Figure]]:
    groups: dict[int, list[Data]] = {}
    for line in data["lines"]:
        groups.setdefault(line["traffic"], []).append(line)
    charts: dict[str, Chart] = {
        "delay": _delay,
        "saturation": _saturation,
        "tail": _tail,
        "waiting": _waiting,
        "pairs": _pairs,
    }
    for lines in groups.values():
        traffic = [_called(axis, lines[0]) for axis in data["axes"] if axis["traffic"]]
        for name, chart in charts.items():
            figure = Figure(figsize=SIZE, layout="constrained")
            if chart(figure, data, lines):
                _sign(figure, data, name, traffic, lines)
                yield re.sub(r"[^\w.-]+", "-", "-".join((name, *traffic))), figure
    if data["collectives"]:
        figure = Figure(figsize=SIZE, layout="constrained")
        _collectives(figure, data)
        _sign(figure, data, "collectives", [], [])
        yield "collectives", figure


TITLES = {
    "delay": "Delay by load",
    "saturation": "Saturation throughput",
    "tail": "Tail of the latency",
    "waiting": "What waits",
    "pairs": "Pairs of ports",
    "collectives": "Collectives",
}


def _sign(figure: Figure, data: Data, name: str, traffic: list[str], lines: list[Data]) -> None:
    """Title, and the commands and commits that made it."""
    parts = [TITLES[name], *traffic]
    if name in ("tail", "waiting", "pairs"):
        parts.append(f"load {steady_load(data, lines):g}")
    figure.suptitle(", ".join(parts), x=0.01, ha="left", fontsize=13)
    made = [
        textwrap.fill(f"{origin['command']} · {origin['facts']}", round(figure.get_figwidth() * 17))
        for origin in data["origins"]
        if origin["kind"] == ("run" if name == "collectives" else "sweep")
    ]
    figure.supxlabel("\n".join(made), x=0.01, ha="left", fontsize=7, color=GREY)


def _look(data: Data, line: Data) -> tuple[str, str]:
    """Colour and mark, those of the page."""
    place = line["switch"] if data["switches"] > 1 else line["traffic"]
    return LINES[place % len(LINES)], [*MARKS.values()][line["switch"] % len(MARKS)]


def _delay(figure: Figure, data: Data, lines: list[Data]) -> bool:
    axes = figure.subplots()
    for n, line in enumerate(lines):
        color, mark = _look(data, line)
        known = [point for point in line["points"] if point["delay"]]
        axes.errorbar(
            [point["load"] for point in known],
            [point["delay"]["mean"] for point in known],
            [point["delay"]["half_width"] or 0 for point in known],
            color=color,
            marker=mark,
            markersize=6,
            capsize=3,
            linewidth=1.8,
            label=label(data, line, lines),
        )
        full = [point["load"] for point in line["points"] if point["saturated"]]
        axes.plot(
            full,
            [0.975 - 0.045 * n % 0.9] * len(full),
            transform=axes.get_xaxis_transform(),
            linestyle="",
            marker="^",
            markersize=8,
            markerfacecolor="white",
            markeredgewidth=1.8,
            color=color,
            clip_on=False,
            zorder=5,
        )
    if any(point["saturated"] for line in lines for point in line["points"]):
        axes.plot([], [], "^", markerfacecolor="white", color=GREY, label="saturated, no delay")
    for n, ideal in enumerate(sorted({line["ideal"] for line in lines})):
        points = data["ideals"][ideal]
        axes.plot(
            [point["load"] for point in points],
            [point["delay"] for point in points],
            label="ideal switch" if n == 0 else None,
            **IDEAL,
        )
    loads = data["loads"]
    margin = (loads[-1] - loads[0]) * 0.05 or 0.05
    axes.set_xlim(loads[0] - margin, loads[-1] + margin)
    axes.set_xlabel("offered load, part of the line rate")
    axes.set_ylabel("delay, flit times")
    values = [
        value
        for line in lines
        for point in line["points"]
        if point["delay"]
        for value in (point["delay"]["mean"], point["ideal"])
        if value > 0
    ]
    if values:
        axes.set_yscale("log")
        room = max(values) / min(values)
        axes.set_ylim(min(values) / room**0.08, max(values) * room**0.18)
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if room < 200 else (1,)))
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter("")
    _legend(axes)
    return True


def _legend(axes: Any) -> None:
    handles, names = axes.get_legend_handles_labels()
    order = sorted(range(len(names)), key=lambda n: names[n] == "ideal switch")
    axes.legend(
        [handles[n] for n in order],
        [names[n] for n in order],
        loc="upper center",
        bbox_to_anchor=(0.5, -0.14),
        ncols=3,
        fontsize=10,
    )


def _saturation(figure: Figure, data: Data, lines: list[Data]) -> bool:
    axes = figure.subplots()
    axes.axis("off")
    rows = []
    for line in lines:
        last = line["points"][-1]
        carried, width = last["carried"]["mean"], last["carried"]["half_width"]
        first = next((point for point in line["points"] if point["saturated"]), None)
        rows.append(
            [
                label(data, line, lines),
                f"{last['load']:g}",
                f"{carried:.3f}" + ("" if width is None else f" ± {width:.3f}"),
                f"{last['ideal_carried']:.3f}",
                _part(first) if first else "not seen",
            ]
        )
    table = axes.table(
        rows,
        colLabels=["", "load", "carried", "ideal", "saturates at"],
        colWidths=[0.4, 0.1, 0.2, 0.12, 0.18],
        bbox=Bbox.unit(),
        edges="horizontal",
    )
    table.auto_set_font_size(False)
    table.set_fontsize(11)
    for (row, column), cell in table.get_celld().items():
        cell.set_edgecolor(GRID)
        cell.get_text().set_horizontalalignment("right" if column else "left")
        if not row:
            cell.get_text().set_color(GREY)
        elif not column:
            cell.get_text().set_color(_look(data, lines[row - 1])[0])
    figure.set_size_inches(SIZE[0], 1.2 + 0.34 * len(rows))
    return True


def _part(point: Data) -> str:
    """The load of ``point``, and of how many of its runs it is too much, if not of all."""
    some = point["saturated"] < point["runs"]
    return f"{point['load']:g}" + f" ({point['saturated']} of {point['runs']})" * some


def _tail(figure: Figure, data: Data, lines: list[Data]) -> bool:
    axes, load = figure.subplots(), steady_load(data, lines)
    ideals = {}
    for line in lines:
        point = _at(line, load)
        if not point or not point["tail"]:
            continue
        tail = point["tail"]
        axes.plot(
            tail["x"],
            tail["y"],
            drawstyle="steps-post",
            color=_look(data, line)[0],
            linewidth=1.8,
            label=label(data, line, lines),
        )
        ideals[line["ideal"], point["ideal_tail"]["x"][0]] = point["ideal_tail"]
    for n, tail in enumerate(ideals.values()):
        name = None if n else "ideal switch"
        axes.plot(tail["x"], tail["y"], drawstyle="steps-post", label=name, **IDEAL)
    for name, part in (("p50", 0.5), ("p99", 0.01), ("p99.9", 0.001)):
        axes.axhline(part, color=GREY, linestyle=":", linewidth=0.8)
        where = axes.get_yaxis_transform()
        axes.text(1, part, name, transform=where, ha="right", va="bottom", fontsize=9, color=GREY)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter("")
    axes.set_ylim(None, 1.5)
    axes.set_xlabel(f"latency, cycles{data['cycle']}")
    axes.set_ylabel("part that takes longer")
    _legend(axes)
    return bool(ideals)


def _waiting(figure: Figure, data: Data, lines: list[Data]) -> bool:
    axes, load = figure.subplots(), steady_load(data, lines)
    ideals = {}
    for line in lines:
        if not (point := _at(line, load)):
            continue
        waiting, color = point["waiting"], _look(data, line)[0]
        times = np.linspace(0, waiting["cycles"], len(waiting["switch"]))
        axes.plot(times, waiting["switch"], color=color, label=label(data, line, lines))
        if max(waiting["sender"]):
            axes.plot(times, waiting["sender"], color=color, linestyle=":")
        ideals[line["ideal"]] = (times, waiting["ideal"])
    for n, ideal in enumerate(ideals.values()):
        axes.plot(*ideal, label=None if n else "ideal switch", **IDEAL)
    axes.set_ylim(0, None)
    axes.set_xlabel(f"cycle{data['cycle']}")
    axes.set_ylabel("flits in the switch (dotted: in the senders)")
    _legend(axes)
    return bool(ideals)


def _pairs(figure: Figure, data: Data, lines: list[Data]) -> bool:
    load = steady_load(data, lines)
    shown = [
        (line, point)
        for line in lines[:MATRICES]
        if (point := _at(line, load)) and point["pairs"]["latency"]
    ]
    if not shown:
        return False
    figure.set_size_inches(SIZE[0], 3.4 * len(shown) + 0.6)
    units = {"latency": "mean latency, cycles", "carried": "part of the line rate"}
    for row, (line, point) in zip(
        figure.subplots(len(shown), 2, squeeze=False), shown, strict=True
    ):
        for axes, (name, unit) in zip(row, units.items(), strict=True):
            values = np.array(point["pairs"][name], dtype=float)  # nan where nothing was sent
            ports, step = len(values), point["pairs"]["joined"]
            image = axes.imshow(
                values,
                cmap=BLUES,
                vmin=point["tail"]["x"][0] if name == "latency" else 0,
                extent=(-step / 2, (ports - 0.5) * step, (ports - 0.5) * step, -step / 2),
            )
            axes.grid(False)
            axes.set_title(label(data, line, lines), fontsize=11)
            axes.set_xlabel("to output")
            axes.set_ylabel("from input")
            bar = figure.colorbar(image, ax=axes, shrink=0.85, label=unit)
            bar.outline.set_visible(False)
    return True


def _collectives(figure: Figure, data: Data) -> None:
    groups = data["collectives"]
    runs = list(dict.fromkeys(group["run"] for group in groups))
    names = list(
        dict.fromkeys((group["workload"], name) for group in groups for name in group["names"])
    )
    clocked = all(group["clocked"] for group in groups)
    units = {
        "time": "time, µs" if clocked else "time, cycles",
        "bus": "bus bandwidth, Gbit/s" if clocked else "bus bandwidth, bytes per cycle",
    }
    height = 0.8 / len(runs)
    charts = figure.subplots(1, 2, sharey=True)
    for axes, (field, unit) in zip(charts, units.items(), strict=True):
        for n, run in enumerate(runs):
            own = [
                (names.index((group["workload"], name)), value)
                for group in groups
                if group["run"] == run
                for name, value in zip(group["names"], group[field], strict=True)
            ]
            places = [place + (n + 0.5) * height - 0.4 for place, _ in own]
            values = [value for _, value in own]
            axes.barh(places, values, height * 0.9, color=LINES[n % len(LINES)], label=run)
        axes.set_xlabel(unit)
        axes.grid(axis="y", visible=False)
    charts[0].set_yticks(range(len(names)), [f"{name} ({workload})" for workload, name in names])
    charts[0].invert_yaxis()
    if clocked:
        for rate in {group["line"] for group in groups if group["line"]}:
            charts[1].axvline(rate, **IDEAL)
    figure.legend(*charts[0].get_legend_handles_labels(), loc="outside upper right", ncols=3)
    figure.set_size_inches(SIZE[0] + 2, 1.8 + 0.36 * len(names) * max(1, len(runs) / 2))
