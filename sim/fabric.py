"""``lingyun fabric``: chips with hosts and cables, as models, and what came of their packets."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from models.fabric import WRONG, FabricRun, FabricTrial
from sim import BUILD
from sim.report import commit, versions, write

__all__ = ["run"]

TELL = 64  # cycles between two looks at how far it is


def run(
    trial: FabricTrial,
    *,
    engine: str = "model",
    as_json: bool = False,
    output: Path | None = None,
) -> int:
    """Run ``trial`` and show what came of it; exit status 0 if nothing was lost or changed.

    Results go to ``output``, by default ``build/fabric/<configuration>``: ``results.json``. With
    ``engine`` "both" the RTL of each chip is then given what its model was given, and all its pins
    are compared in every cycle.
    """
    config, lanes = trial.config, trial.config.lanes
    folder = (output or BUILD / "fabric" / config.name).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "results.json").unlink(missing_ok=True)
    console = Console(stderr=as_json)
    console.print(
        f"{config.name}: {trial.chips} chips of {config.switch.ports} ports, {trial.hosts} hosts, "
        f"{trial.workload or 'random traffic'}, BER {trial.ber:g}, engine {engine}, "
        f"seed {trial.seed}"
    )
    if lanes:
        console.print(
            f"{lanes.lanes} lanes of {lanes.lane_bits} bits per cycle at each port, FEC "
            f"{lanes.coding}, skew up to {trial.skew} bits"
        )
    going = FabricRun(trial)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    columns += (TextColumn("packets, cycle {task.fields[cycle]:,}"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("compiling, which is kept", total=going.offered, cycle=0)
        try:
            while not going.done:
                going.step()
                if going.cycle % TELL == 0:
                    progress.update(
                        task,
                        description="delivered",
                        completed=going.delivered,
                        cycle=going.cycle,
                    )
        except KeyboardInterrupt:
            pass
    results = {
        **going.results(),
        "complete": going.done,
        "cycles_compared": 0,
        "engine": engine,
        "seed": trial.seed,
        "trial": asdict(trial),
        "versions": versions(),
        "commit": commit(),
    }
    failure = ""
    if engine == "both" and going.done:
        failure = compare(trial)
        results["cycles_compared"] = 0 if failure else trial.chips * going.cycle
    results["good"] = going.done and not failure and not any(results[name] for name in WRONG)
    write(folder / "results.json", results)
    if as_json:
        print(json.dumps(results, indent=2))
    else:
        show(results, console)
    if failure:
        console.print(f"[red]{failure}", highlight=False)
    return 0 if results["good"] else 1


def compare(trial: FabricTrial) -> str:
    """Hold the RTL of the chips against their models; what went wrong, or nothing."""
    from rtl.chip import Chip
    from sim.verilator import run_bench

    try:
        run_bench(
            "chip",
            Chip(trial.config),
            trial.config,
            seed=max(1, trial.seed),
            extra_env={"FABRIC_TRIAL": trial.dump()},
        )
    except AssertionError as error:
        return str(error)
    return ""


def show(results: dict[str, Any], console: Console) -> None:
    """Tables of what came of a trial."""
    table = Table(box=box.SIMPLE_HEAD, show_header=False)
    names = ["offered", "delivered", *WRONG, "dropped"]
    if results["trial"]["config"]["lanes"]:
        names += ["bits_hit", "symbols_corrected", "codewords_bad"]
    for name in (*names, "cycles", "cycles_compared"):
        style = "red" if name in WRONG and results[name] else ""
        table.add_row(name.replace("_", " "), f"{results[name]:,}", style=style)
    console.print(table)
    if results["self_tests"]:
        tests = Table("self-test of", "lane", "bits", "wrong", "rate", box=box.SIMPLE_HEAD)
        for chip, test in enumerate(results["self_tests"]):
            for lane, errors in enumerate(test["errors"]):
                found = f"{errors:,}", f"{errors / test['bits']:.2e}"
                found = found if test["result"] == "GOOD" else (test["result"], "-")
                tests.add_row(f"chip {chip}", str(lane), f"{test['bits']:,}", *found)
        console.print(tests)
    if results["collectives"]:
        steps = Table("collective", "operation", "cycles", box=box.SIMPLE_HEAD)
        for step in results["collectives"]:
            cycles = "-" if step["end"] is None else f"{step['end'] - step['start'] + 1:,}"
            steps.add_row(step["name"], step["operation"], cycles)
        console.print(steps)
    places = results["counters"]
    counters = Table("counter", *places, box=box.SIMPLE_HEAD)
    for name in next(iter(places.values())):
        if any(found[name] for found in places.values()):
            counters.add_row(name, *(f"{found[name]:,}" for found in places.values()))
    console.print(counters)
    if not results["complete"]:
        console.print("[yellow]incomplete: the run did not come to its end")
