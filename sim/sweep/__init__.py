"""``lingyun sweep``: many runs of the model side by side, resumed where they were interrupted."""

import os
import platform
import shlex
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import AbstractContextManager, closing, nullcontext
from pathlib import Path

import click
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from sim import BUILD, ROOT
from sim.sweep.cluster import open_cluster, open_dask
from sim.sweep.plan import Plan, read_plan
from sim.sweep.point import Point, canonical, run_point
from sim.sweep.pool import Ended, Pool, Processes
from sim.sweep.store import Store, write_record
from sim.sweep.table import table

__all__ = ["command", "main", "run_one"]

OURS = ROOT / "sim" / "sweeps"
WIDTH = 150
ROWS = 60  # a longer table is for programs
JOBS = 16  # that are asked of a cluster unless more are wanted
INTERRUPTED = 130  # exit status


def command(point: Point, output: Path | None = None) -> str:
    """A line for the shell that runs ``point``, anywhere where this folder is seen."""
    lingyun = Path(sys.executable).with_name("lingyun")
    words = [str(lingyun) if lingyun.exists() else "lingyun", "point", point.dump()]
    return shlex.join([*words, "--output", str(output)] if output else words)


def main(
    path: Path,
    *,
    workers: int | None = None,
    dask: str | None = None,
    cluster: str | None = None,
    print_commands: bool = False,
    output: Path | None = None,
) -> int:
    """Run what is missing of the sweep in ``path``; exit status 0 if then nothing is.

    Parameters
    ----------
    workers : int or None
        Processes, or jobs of a cluster; None stands for all cores, or at most 16 jobs.
    dask : str or None
        Address of a dask scheduler, or ``local``.
    cluster : str or None
        The queue that is asked for workers, one of ``sim.sweep.cluster.CLUSTERS``.
    print_commands : bool
        Run nothing; print a command for each point that is missing.
    output : Path or None
        Folder of the results; None stands for one under ``build/sweep``.

    Raises
    ------
    ValueError
        If the sweep is malformed, or one is at work in the same folder, or its workers are not to
        be had.
    """
    plan = read_plan(path)
    store = Store((output or BUILD / "sweep" / plan.name).resolve())
    if print_commands:
        missing = [point for point in plan.points if store.load(point) is None]
        for point in missing:
            click.echo(command(point, store.path(point)))
        click.echo(f"{len(missing)} of {len(plan.points)} points are missing", err=True)
        return 0
    console = Console()
    if not console.is_terminal:  # a file has no width; the table wants some
        console = Console(width=WIDTH)
    with store.held():
        name = path.stem if path.parent == OURS else str(path)
        store.describe(command=shlex.join(["lingyun", "sweep", name]))
        return Sweep(plan, store, console).run(opener(plan, workers, dask, cluster))


def run_one(text: str, output: Path | None = None) -> int:
    """Run the point ``text`` (its dump) and write its file, or print it; 1 if it fails.

    Raises
    ------
    ValueError
        If it is no point, or one of other sources.
    OSError
        If the file cannot be written.
    """
    point = Point.parse(text)
    try:
        record = run_point(point)
    except Exception:  # an error of the switch or of this machine, not of the one who calls
        traceback.print_exc()
        return 1
    if output is None:
        click.echo(canonical(record))
    else:
        write_record(output, record)
    return 0


def opener(
    plan: Plan, workers: int | None, dask: str | None, cluster: str | None
) -> Callable[[int], AbstractContextManager[Pool]]:
    """What opens the pool for a number of points."""

    def open_pool(points: int) -> AbstractContextManager[Pool]:
        if cluster:
            return open_cluster(cluster, plan.cluster, workers or min(points, JOBS))
        processes = min(points, workers or os.cpu_count() or 1)
        return open_dask(dask, processes) if dask else nullcontext(Processes(processes))

    return open_pool


class Sweep:
    """A sweep under way.

    Attributes
    ----------
    failed : list of Point
        Points that were tried, and did not end well.
    """

    def __init__(self, plan: Plan, store: Store, console: Console):
        self.plan, self.store, self.console = plan, store, console
        self.failed: list[Point] = []

    def run(self, open_pool: Callable[[int], AbstractContextManager[Pool]]) -> int:
        """Run what is missing, gather all results, show them."""
        points = self.plan.points
        missing = [point for point in points if self.store.load(point) is None]
        for path in self.store.damaged:
            self.say(f"[yellow]damaged, and run again:[/] {escape(str(path))}")
        if len(missing) < len(points):
            self.say(f"{len(points) - len(missing)} of {len(points)} points were done before")
        interrupted = False
        if missing:
            # The longest first: what is left for the end is short, and no worker waits long.
            missing.sort(key=lambda point: -point.cost)
            try:
                with open_pool(len(missing)) as pool:
                    self.work(pool, missing)
            except KeyboardInterrupt:
                interrupted = True
        rows = self.store.gather(points)
        self.show(rows)
        if interrupted:
            self.say("interrupted; [bold]the same command goes on where it was[/]")
            return INTERRUPTED
        return 0 if len(rows) == len(points) else 1

    def work(self, pool: Pool, missing: list[Point]) -> None:
        """Run ``missing``; what is done is on the disk when the bar shows it."""
        began, busy = time.perf_counter(), 0.0
        columns = [TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[done]}")]
        with (
            Progress(
                *columns,
                TimeElapsedColumn(),
                TimeRemainingColumn(),
                console=self.console,
                transient=True,
                speed_estimate_period=3600,
            ) as bar,
            closing(pool.run(missing)) as endings,
        ):
            total = sum(point.cost for point in missing)
            task = bar.add_task(self.plan.name, total=total, done=f"0 of {len(missing)}")
            for count, ended in enumerate(endings, 1):
                self.take(ended)
                busy += ended.outcome.seconds
                done = f"{count} of {len(missing)}"
                bar.update(task, advance=ended.point.cost, done=done)
        seconds = time.perf_counter() - began
        self.say(
            f"{len(missing)} points in {seconds:.1f} s, {pool.workers} workers at work "
            f"{busy / seconds / pool.workers:.0%} of the time"
        )

    def take(self, ended: Ended) -> None:
        """Keep a result; tell a failure and how to repeat it."""
        point, outcome = ended
        if outcome.record is not None:
            self.store.save(outcome.record)
        else:
            self.failed.append(point)
            self.say(f"[bold red]{escape(str(point))}[/]: {escape(outcome.error)}")
            self.say(f"  repeat: {escape(command(point))}")
        self.store.note(
            identity=point.identity,
            seconds=round(outcome.seconds, 3),
            error=outcome.error,
            machine=platform.node(),
            ended=round(time.time(), 3),
        )

    def show(self, rows: list[dict]) -> None:
        """Print the table, and where the rest is."""
        records = {row["identity"]: row for row in rows}
        shown = table(
            f"{self.plan.name}: {len(rows)} of {len(self.plan.points)} points",
            self.plan.points,
            records,
        )
        if shown.row_count <= ROWS:
            self.console.print(shown)
        self.say(
            "delay: mean of a flit beyond the zero-load latency, in flit times of the line; "
            "±: 95 % confidence"
        )
        if self.failed:
            self.say(f"[bold red]{len(self.failed)} points failed[/]; the same command tries again")
        self.say(f"results: {escape(str(self.store.results))}")

    def say(self, text: str) -> None:
        """Print a line, as long as it is: what it holds may be copied."""
        self.console.print(text, highlight=False, soft_wrap=True)
