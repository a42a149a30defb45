"""``lingyun link``: packets over a bad cable, and what came of them."""

import json
import signal
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from models.link.config import HOP_CYCLES, DownPolicy, LinkConfig
from models.link.trial import LinkRun, LinkTrial
from models.serdes.config import LanesConfig
from models.serdes.multilane_pcs import word_cycles
from sim import BUILD
from sim.report import commit, versions, write

__all__ = ["CHUNK", "Watch", "dump", "numbers", "parse", "run"]

CHUNK = 256  # cycles that the model runs ahead of the RTL
WRONG = ("lost", "duplicated", "reordered", "corrupted", "overflown", "mismatches")


def dump(trial: LinkTrial, engine: str, folder: Path) -> str:
    """What a bench has to know, through its environment."""
    return json.dumps({"trial": asdict(trial), "engine": engine, "folder": str(folder)})


def parse(text: str) -> tuple[LinkTrial, str, Path]:
    """Inverse of :func:`dump`."""
    values = json.loads(text)
    trial = values["trial"]
    trial |= {
        "config": LinkConfig(**trial["config"]),
        "sizes": tuple(trial["sizes"]),
        "down": tuple(tuple(cut) for cut in trial["down"]),
        "resets": tuple(tuple(reset) for reset in trial["resets"]),
        "best_effort": tuple(trial["best_effort"]),
        "policy": DownPolicy(trial["policy"]),
        "lanes": LanesConfig(**trial["lanes"]) if trial["lanes"] else None,
    }
    return LinkTrial(**trial), values["engine"], Path(values["folder"])


def numbers(option: str, text: str, separator: str, count: int | None = None) -> tuple[int, ...]:
    """The numbers that ``text`` lists, ``count`` of them if that is given.

    Raises
    ------
    ValueError
        If it does not; the message names ``option``.
    """
    parts = [part for part in text.split(separator) if part]
    if not all(part.strip().isdecimal() for part in parts) or count not in (None, len(parts)):
        form = separator.join(["64", "256"] if count is None else ["5000", "9000"][:count])
        raise ValueError(f"{option} must be numbers as in {form}, not {text!r}")
    return tuple(int(part) for part in parts)


class Watch:
    """What the bench leaves for the process that started it, and what that asks of it."""

    def __init__(self, folder: Path):
        self.folder, self.compared, self.mismatches, self.told = folder, 0, 0, 0.0

    def wants_end(self, run: LinkRun) -> bool:
        """Tell how far it is; True if it is to be stopped."""
        if time.monotonic() - self.told > 0.2:
            self.told = time.monotonic()
            write(self.folder / "progress.json", {"delivered": run.delivered})
        return (self.folder / "stop").exists()

    def write(self, run: LinkRun) -> None:
        """The results, complete or not."""
        found = {"cycles_compared": self.compared, "mismatches": self.mismatches}
        write(self.folder / "bench.json", run.results() | found | {"complete": run.done})


def run(
    trial: LinkTrial,
    *,
    engine: str = "model",
    as_json: bool = False,
    output: Path | None = None,
    metres: float | None = None,
) -> int:
    """Run ``trial`` and show what came of it; exit status 0 if nothing was lost in silence.

    Results go to ``output``, by default ``build/link/<configuration>``: ``results.json``. They name
    ``metres``, the copper that the errors are those of, if it is given.
    """
    folder = (output or BUILD / "link" / trial.config.name).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("results.json", "bench.json", "bench.log", "progress.json", "stop"):
        (folder / name).unlink(missing_ok=True)
    console = Console(stderr=as_json)
    config = trial.config
    console.print(
        f"{config.name}: {config.flit_bytes} B flits, {config.words_per_cycle} words per cycle, "
        f"{config.length_m:g} m, BER {trial.ber:g}, engine {engine}, seed {trial.seed}"
    )
    if trial.lanes:
        console.print(
            f"{trial.lanes.lanes} lanes of {trial.lanes.lane_bits} bits per cycle, FEC "
            f"{trial.lanes.coding}, skew up to {trial.skew} bits"
            + ("" if trial.ppm is None else f", clocks within {trial.ppm} ppm")
        )
    if metres is not None:
        console.print(f"{metres:g} m of copper: BER {trial.ber:.2g} before the code")
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    failure = ""
    with Progress(*columns, TimeElapsedColumn(), console=console, transient=True) as progress:
        task = progress.add_task("compiling, which is kept", total=2 * trial.frames)

        def tell(delivered: int) -> None:
            progress.update(task, description="delivered", completed=delivered)

        if engine == "model":
            found = _in_model(trial, tell)
        else:
            found, failure = _in_bench(trial, engine, folder, tell)
    results = {
        **found,
        "engine": engine,
        "seed": trial.seed,
        "trial": asdict(trial),
        "versions": versions(),
        "commit": commit(),
    }
    if metres is not None:
        results["reach"] = {"metres": metres, "ber": trial.ber}
    if trial.lanes:
        results["layers"] = latency_by_layer(trial)
    results["good"] = bool(results.get("complete")) and not any(results[name] for name in WRONG)
    results["good"] &= not results.get("waiting")
    write(folder / "results.json", results)
    if as_json:
        print(json.dumps(results, indent=2))
    else:
        show(results, console)
    if failure:
        console.print(f"[red]{failure}", highlight=False)
    return 0 if results["good"] and not failure else 1


def latency_by_layer(trial: LinkTrial) -> list[tuple[str, float, float]]:
    """Layers between a packet that is handed to a link and its first flit at the other end.

    What the PCS takes is that of most words, in the model of one whose lines come back to it.
    """
    lanes, config = trial.lanes, trial.config
    assert lanes
    cable = max(0, config.wire_cycles - lanes.latency_cycles)
    pcs = float(np.median(word_cycles(lanes, config)))
    layers = [("link", HOP_CYCLES), (f"PCS, {lanes.lanes} lanes, FEC {lanes.coding}", pcs)]
    layers += [("cable", cable), ("all", HOP_CYCLES + pcs + cable)]
    return [(name, float(cycles), cycles * 1e3 / config.mhz) for name, cycles in layers]


def _in_model(trial: LinkTrial, tell) -> dict[str, Any]:
    """The model alone; an interrupt ends it, and what has passed is told."""
    going = LinkRun(trial)
    try:
        while not going.done:
            going.advance()
            tell(going.delivered)
    except KeyboardInterrupt:
        pass
    return going.results() | {"complete": going.done, "cycles_compared": 0, "mismatches": 0}


def _in_bench(trial: LinkTrial, engine: str, folder: Path, tell) -> tuple[dict[str, Any], str]:
    """The RTL in a process of its own, as a simulator cannot be interrupted."""
    command = [sys.executable, "-c", "from sim.link import bench; bench()"]
    log = folder / "bench.log"
    with log.open("w") as said:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=said,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
    assert process.stdin
    process.stdin.write(dump(trial, engine, folder))
    process.stdin.close()
    try:
        while process.poll() is None:
            time.sleep(0.2)
            if (folder / "progress.json").exists():
                tell(json.loads((folder / "progress.json").read_text())["delivered"])
    except KeyboardInterrupt:
        (folder / "stop").touch()
        process.wait()
    text = log.read_text(errors="replace")
    if not (folder / "bench.json").exists():
        empty = dict.fromkeys((*WRONG, "offered", "delivered"), 0)
        return empty | {"complete": False}, text
    return json.loads((folder / "bench.json").read_text()), text if process.returncode else ""


def bench() -> None:
    """What the process of the RTL does: build it, and run the trial that standard input tells."""
    from sim.verilator import run_bench
    from verif.link_pair import LinkPair

    text = sys.stdin.read()
    trial, _, _ = parse(text)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        run_bench(
            "link_pair",
            LinkPair(trial.config),
            trial.config,
            module="sim.link_bench",
            seed=max(1, trial.seed),
            extra_env={"LINK_TRIAL": text},
        )
    except AssertionError as error:
        print(error)
        sys.exit(1)


def show(results: dict[str, Any], console: Console) -> None:
    """Tables of what came of a trial."""
    table = Table(box=box.SIMPLE_HEAD, show_header=False)
    for name in (
        "offered",
        "delivered",
        *WRONG[:-1],
        "given_up",
        "waiting",
        "broken_copies",
        "replays",
    ):
        style = "red" if name in WRONG and results.get(name) else ""
        table.add_row(name.replace("_", " "), f"{results.get(name, 0):,}", style=style)
    if "goodput" in results:
        for name, meaning in (
            ("goodput", "goodput, of the line rate"),
            ("theory", "theory, go-back-N"),
            ("error_free", "without errors"),
        ):
            value = results[name]
            table.add_row(meaning, "-" if value is None else f"{value:.4f}")
        if results["trial"]["lanes"]:
            for name in ("bits_hit", "symbols_corrected", "codewords_bad"):
                table.add_row(name.replace("_", " "), f"{results[name]:,}")
        table.add_row("cycles", f"{results['cycles']:,}")
        table.add_row("cycles compared", f"{results['cycles_compared']:,}")
    console.print(table)
    if "layers" in results:
        layers = Table("layer, one way, without errors", "cycles", "ns", box=box.SIMPLE_HEAD)
        for name, cycles, ns in results["layers"]:
            layers.add_row(name, f"{cycles:g}", f"{ns:.1f}")
        console.print(layers)
    if "extra_delay_ns" not in results:
        return
    delays = Table("delay beyond the least, ns", "packets", box=box.SIMPLE_HEAD)
    for edge, count in results["extra_delay_ns"].items():
        if count:
            delays.add_row(edge, f"{count:,}")
    console.print(delays)
    counters = Table("counter", "end 0", "end 1", box=box.SIMPLE_HEAD)
    ends = list(results["counters"].values())
    for name in ends[0]:
        if any(end[name] for end in ends):
            counters.add_row(name, *(f"{end[name]:,}" for end in ends))
    console.print(counters)
    if not results["complete"]:
        console.print("[yellow]incomplete: the run did not come to its end")
    elif results["waiting"]:
        console.print("[red]packets wait that the link never took: it is down, or has no credits")
