"""``lingyun sim``: run workloads, watch them, and show what came of it."""

import json
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from models.config import SwitchConfig
from models.workload import BUILT_IN, expand, load
from sim import BUILD
from sim.job import Order, run_model
from sim.report import show, write
from sim.wave import write_save_file

__all__ = ["SCALE", "open_wave", "run"]

TOTALS = (
    "delivered",
    "lost",
    "reordered",
    "duplicated",
    "cycles_compared",
    "mismatches",
    "corrupted",
    "errored",
    "dropped",
)  # of a run that ended before its first cycle
SHARED = ("config", "seed", "versions", "commit")
WRONG = ("lost", "reordered", "duplicated", "corrupted", "errored", "dropped", "mismatches")
RUNS = BUILD / "sim"
SCALE = 64.0  # about two minutes on two cores, builds included


def run(
    config: SwitchConfig,
    *,
    workloads: Sequence[str | Path] = (),
    seed: int = 1,
    scale: float | None = None,
    packet_bytes: int = 256,
    engine: str = "both",
    unshaped: bool = False,
    waves: bool = False,
    output: Path | None = None,
) -> int:
    """Run ``workloads`` (all that are built in, if none is given); exit status 0 if all is well.

    Results go to ``output``, by default a new folder under ``build/sim``: ``results.json``, a
    picture of each workload and, with ``waves``, a dump of the last with its save file.

    Raises
    ------
    ValueError
        If an argument does not fit; nothing has been run then.
    OSError
        If the folder cannot be written.
    """
    names = tuple(str(name) for name in workloads) or BUILT_IN
    order = Order(
        workloads=tuple(str(Path(n).resolve()) if Path(n).is_file() else n for n in names),
        seed=seed,
        scale=SCALE if scale is None else scale,
        packet_bytes=packet_bytes,
        unshaped=unshaped,
        engine=engine,
        # Absolute, because the bench runs in another folder.
        output=str((output or RUNS / f"{datetime.now():%Y%m%d-%H%M%S}-{config.name}").resolve()),
    )
    found = [load(name) for name in order.workloads]
    for workload in found:
        expand(config, workload, scale=order.scale, packet_bytes=packet_bytes)
    folder = Path(order.output)
    folder.mkdir(parents=True, exist_ok=True)
    write(folder / "results.json", {"complete": False, "config": config.name, "seed": seed})

    console = Console()
    console.print(
        f"{config.name}: {config.ports} ports, {config.flit_bytes} B flits, {config.scheduler} "
        f"x{config.iterations}, engine {engine}, scale 1/{order.scale:g}, seed {seed}"
    )
    for note in (note for workload in found for note in workload.notes):
        console.print(f"[yellow]note: {note}", highlight=False)
    with progress_bar(console) as watch:
        if engine == "model":
            failure, parts = "", run_model(config, order, watch)
        else:
            failure, parts = run_bench_watched(config, order, waves, watch)
    results = combine(order, parts)
    write(folder / "results.json", results)
    for part in parts:
        console.rule(f"[bold]{part['workload']}")
        show(part, console)
    if len(parts) > 1:
        console.rule("[bold]all workloads")
        show(results, console)
    console.print(f"results: {shown(folder / 'results.json')}")
    for part in parts:
        console.print(f"picture: {shown(folder / part['workload'])}.png")
    for dump in dumps(folder):
        write_save_file(dump)
        console.print(f"waves:   lingyun wave {shown(folder)}")
    if failure:
        console.print(f"[red]{failure}")
    if not results["complete"]:
        console.print("[yellow]incomplete: the run did not come to its end")
    return 0 if results["good"] and not failure else 1


def shown(path: Path) -> Path:
    """``path`` as people would type it."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def combine(order: Order, parts: list[dict[str, Any]]) -> dict[str, Any]:
    """One ``results.json`` for all workloads: what they share, sums as ``totals``, then each.

    Delays and throughput are those of each workload; they have no sum.
    """
    names = parts[0]["totals"] if parts else TOTALS
    totals = {name: sum(part["totals"][name] for part in parts) for name in names}
    complete = len(parts) == len(order.workloads) and all(part["complete"] for part in parts)
    shared = {name: parts[0][name] for name in SHARED} if parts else {}
    return {
        "complete": complete,
        "good": complete and not any(totals[name] for name in WRONG),
        **shared,
        "order": order.__dict__,
        "totals": totals,
        "ports": [],
        "delay": {},
        "collectives": [record for part in parts for record in part["collectives"]],
        "workloads": parts,
    }


@contextmanager
def progress_bar(console: Console) -> Iterator[Callable[[dict[str, Any]], None]]:
    """A bar per workload, fed with ``Job.progress`` records."""
    columns = [TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()]
    columns += [TextColumn("packets, cycle {task.fields[cycle]}"), TimeElapsedColumn()]
    with Progress(*columns, console=console) as progress:
        building = progress.add_task("preparing", total=None, cycle=0)
        tasks: dict[str, Any] = {}

        def watch(state: dict[str, Any]) -> None:
            name = state["workload"]
            if name not in tasks:
                progress.update(building, visible=False)
                for task in tasks.values():
                    progress.update(task, completed=progress.tasks[task].total)
                tasks[name] = progress.add_task(name, total=state["of"], cycle=0)
            progress.update(tasks[name], completed=state["packets"], cycle=state["cycle"])

        yield watch


def run_bench_watched(
    config: SwitchConfig, order: Order, waves: bool, watch: Callable[[dict[str, Any]], None]
) -> tuple[str, list[dict[str, Any]]]:
    """Run the cocotb bench; what went wrong, or nothing, and the results of each workload."""
    from rtl.switch import Switch  # so that the model alone needs no Amaranth
    from sim.verilator import run_bench

    folder = Path(order.output)
    for name in ("stop", "parts.json", "progress.json"):
        (folder / name).unlink(missing_ok=True)
    failures: list[BaseException] = []
    ended = threading.Event()

    def work() -> None:
        try:
            run_bench(
                "switch",
                Switch(config),
                config,
                seed=order.seed,
                module="sim.job_bench",
                waves=waves,
                extra_env={"JOB_ORDER": order.dump()},
                run=folder,
            )
        except BaseException as error:
            failures.append(error)
        finally:
            ended.set()

    threading.Thread(target=work).start()
    while not ended.is_set():
        try:
            # Not join(): Python 3.11 takes a thread for ended if that is interrupted.
            ended.wait(0.2)
            if (folder / "progress.json").exists():
                watch(json.loads((folder / "progress.json").read_text()))
        except KeyboardInterrupt:
            (folder / "stop").touch()  # the bench ends with what it has
    parts = []
    if (folder / "parts.json").exists():
        parts = json.loads((folder / "parts.json").read_text())["parts"]
    for name in ("stop", "parts.json", "progress.json"):
        (folder / name).unlink(missing_ok=True)
    for failure in failures:
        if not isinstance(failure, AssertionError):
            raise failure
    return "\n".join(map(str, failures)), parts


def dumps(folder: Path) -> list[Path]:
    """Waves that lie in ``folder``."""
    return [path for name in ("dump.fst", "dump.vcd") for path in folder.glob(name)]


def open_wave(run: Path | None) -> int:
    """Open the waves of ``run``, or of the latest run that has some, in GTKWave.

    Raises
    ------
    FileNotFoundError
        If there are none, or no viewer.
    """
    folders = [run] if run else sorted(RUNS.glob("*-*-*"), reverse=True)
    found = [dump for folder in folders for dump in dumps(folder)]
    if not found:
        raise FileNotFoundError(
            f"no waves in {run or RUNS}: record some with `lingyun sim --waves`."
        )
    save = write_save_file(found[0])
    viewer = shutil.which("gtkwave")
    if viewer is None:
        raise FileNotFoundError(
            f"no wave viewer to open {shown(found[0])}: install one, for example with "
            f"`apt install gtkwave`, then `gtkwave {shown(found[0])} {shown(save)}`."
        )
    return subprocess.run([viewer, str(found[0]), str(save)], check=False).returncode
