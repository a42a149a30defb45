"""``lingyun bench``: every number that the switch answers to, measured, beside its target."""

import platform
import time
import traceback
from collections.abc import Callable
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from sim.bench.check import Check, table
from sim.bench.chip import chip
from sim.bench.delay import delay
from sim.bench.fairness import fairness
from sim.bench.fec import fec
from sim.bench.incast import incast
from sim.bench.latency import latency
from sim.bench.link import link
from sim.bench.model import model
from sim.bench.packets import packets
from sim.bench.rack import rack
from sim.bench.runner import FOLDER, Runner
from sim.bench.saturation import saturation
from sim.bench.speed import speed
from sim.report import write

__all__ = ["SECTIONS", "main"]

SECTIONS: dict[str, Callable[[Runner], list[Check]]] = {
    "latency": latency,
    "delay": delay,
    "packets": packets,
    "saturation": saturation,
    "fairness": fairness,
    "incast": incast,
    "link": link,
    "fec": fec,
    "chip": chip,
    "speed": speed,
    "model": model,
    "rack": rack,
}
LONG = ("model", "rack")  # not in a quick run, unless it is named


def main(names: list[str], quick: bool) -> int:
    """Run the sections ``names``, or all; exit status 0 if every target is met.

    Each section is printed when it ends; ``build/bench/results.json`` holds all that there are.

    Raises
    ------
    ValueError
        If there is no such section.
    """
    for name in names:
        if name not in SECTIONS:
            raise ValueError(f"no benchmark {name!r}; there are {', '.join(SECTIONS)}")
    chosen = names or [name for name in SECTIONS if not (quick and name in LONG)]
    FOLDER.mkdir(parents=True, exist_ok=True)
    console = Console()
    results: dict[str, Any] = {
        "complete": False,
        "quick": quick,
        "machine": platform.platform(),
        "sections": {},
    }
    for name in chosen:
        results["sections"][name] = run_section(name, quick, console)
        good = all(section["good"] for section in results["sections"].values())
        results |= {"complete": name == chosen[-1], "good": good}
        write(FOLDER / "results.json", results)
    console.print(f"results: {FOLDER / 'results.json'}")
    return 0 if results["good"] else 1


def run_section(name: str, quick: bool, console: Console) -> dict[str, Any]:
    """Run one section and print its table; what it found, as plain data."""
    columns = [TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()]
    began = time.perf_counter()
    checks, failure = [], ""
    with Progress(*columns, TimeElapsedColumn(), console=console, transient=True) as progress:
        runner = Runner(progress, progress.add_task(name, total=None), quick)
        try:
            checks = SECTIONS[name](runner)
        except (AssertionError, ArithmeticError, OSError, RuntimeError, ValueError) as error:
            failure = f"{type(error).__name__}: {error}"
            (FOLDER / f"{name}.txt").write_text(traceback.format_exc(), encoding="utf-8")
    seconds = time.perf_counter() - began
    met = sum(check.met for check in checks if check.relation)
    of = sum(1 for check in checks if check.relation)
    console.print(table(f"{name}: {met} of {of} targets met, {seconds:.0f} s", checks))
    if failure:
        console.print(f"[bold red]{name} did not come to its end[/]: {failure}", highlight=False)
    return {
        "good": met == of and not failure,
        "seconds": seconds,
        "failure": failure,
        "checks": [check.record() for check in checks],
    }
