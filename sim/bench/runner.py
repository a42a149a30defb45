"""How benchmarks run their work: on all cores, or in the RTL, with progress shown."""

import json
import os
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from statistics import median
from typing import Any

from rich.progress import Progress, TaskID

from models.config import SwitchConfig
from models.trial import Trial
from sim import BUILD
from sim.report import write

__all__ = ["FOLDER", "Runner", "middle"]

FOLDER = BUILD / "bench"


def middle(results: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """The median of every number in ``results`` of runs that differ only in their seed."""
    rows = list(results)
    return {
        name: median(row[name] for row in rows) if isinstance(value, int | float) else value
        for name, value in rows[0].items()
    }


class Runner:
    """Carries out what one section asks for.

    Attributes
    ----------
    quick : bool
        Rough numbers will do.
    """

    def __init__(self, progress: Progress, task: TaskID, quick: bool):
        self.progress, self.task, self.quick = progress, task, quick
        self.name = progress.tasks[task].description

    @property
    def seeds(self) -> range:
        """Seeds of repeated runs."""
        return range(1, 2 if self.quick else 4)

    def cycles(self, full: int) -> int:
        """``full``, or a quarter of it for a quick run."""
        return full // 4 if self.quick else full

    def tell(self, what: str) -> None:
        """Show what is being done, if that takes long."""
        self.progress.update(self.task, description=f"{self.name}: {what}")

    def spread(self, function: Callable[[Any], Any], jobs: Iterable[Any]) -> list[Any]:
        """``function`` of each of ``jobs``, in order, in one process per core."""
        self.tell("model")
        jobs = list(jobs)
        self.expect(len(jobs))
        results: dict[int, Any] = {}
        with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as pool:
            futures = {pool.submit(function, job): n for n, job in enumerate(jobs)}
            for future in as_completed(futures):
                results[futures[future]] = future.result()
                self.progress.advance(self.task)
        return [results[n] for n in range(len(jobs))]

    def expect(self, jobs: int) -> None:
        """There will be ``jobs`` more to do."""
        self.progress.update(self.task, total=(self.progress.tasks[self.task].total or 0) + jobs)

    def rtl(
        self, config: SwitchConfig, trials: Iterable[Trial], *, packed: bool = True
    ) -> list[dict[str, Any]]:
        """Run ``trials`` on the RTL of ``config``, every output held against the model.

        Raises
        ------
        AssertionError
            If an output differs.
        """
        from rtl.switch import Switch  # so that what needs the model alone needs no Amaranth
        from sim.verilator import run_bench

        trials = list(trials)
        self.tell(f"RTL of {config.name}, {len(trials)} runs")
        self.expect(len(trials))
        path = FOLDER / f"trials-{os.getpid()}.json"
        write(path, {"trials": [trial.dump() for trial in trials]})
        try:
            run_bench(
                "switch",
                Switch(config),
                config,
                seed=1,
                module="sim.bench.trial_bench",
                packed=packed,
                extra_env={"TRIALS": str(path)},
            )
            results = json.loads(path.read_text())["results"]
        finally:
            path.unlink(missing_ok=True)
        self.progress.advance(self.task, len(trials))
        return results
