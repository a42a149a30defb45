"""What a report is made of: files that ``lingyun sweep`` and ``lingyun sim`` have written."""

import json
import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.config import NAMED
from sim import BUILD

__all__ = ["Run", "Sweep", "find", "latest", "read"]

SWEEPS, RUNS = BUILD / "sweep", BUILD / "sim"
POINTS, RESULTS = "results.jsonl", "results.json"


@dataclass(frozen=True)
class Sweep:
    """The results of a sweep, a row per point."""

    name: str
    command: str
    rows: tuple[dict[str, Any], ...]


@dataclass(frozen=True)
class Run:
    """The results of ``lingyun sim``."""

    name: str
    command: str
    results: dict[str, Any]


def latest() -> list[Path]:
    """The newest sweep and the newest run of ``lingyun sim``, as far as there are any.

    Raises
    ------
    ValueError
        If there are none.
    """
    found = []
    for paths in (SWEEPS.glob(f"*/{POINTS}"), RUNS.glob(f"*/{RESULTS}")):
        found += sorted(paths, key=lambda path: path.stat().st_mtime)[-1:]
    if not found:
        raise ValueError("there is nothing to report: run `lingyun sweep iterations` first")
    return found


def find(name: str) -> Path:
    """The results that ``name`` means: a file, a folder with one, or a sweep under build/sweep.

    Raises
    ------
    ValueError
        If there are none.
    """
    for folder in (Path(name), SWEEPS / name, RUNS / name):
        if folder.is_file():
            return folder
        for file in (POINTS, RESULTS):
            if (folder / file).is_file():
                return folder / file
    known = ", ".join(sorted(path.parent.name for path in SWEEPS.glob(f"*/{POINTS}")))
    raise ValueError(
        f"no results of {name!r}: name a {POINTS} or {RESULTS}, or a sweep that was run "
        f"({known or 'there is none: run `lingyun sweep iterations`'})"
    )


def read(path: Path) -> Sweep | Run:
    """The sweep or the run of ``lingyun sim`` in ``path``, told apart by what the file holds.

    Raises
    ------
    ValueError
        If it is neither, or empty, or of a version that measured less; the sentence says what to
        do.
    OSError
        If it cannot be read.
    """
    text = path.read_text(encoding="utf-8", errors="replace").strip()
    if not text:
        raise ValueError(f"{path} is empty: run its sweep again")
    try:
        first, *others = _documents(text)
    except ValueError:
        raise ValueError(
            f"{path} is cut short, or no results at all: it must be a {POINTS} of `lingyun sweep` "
            f"or a {RESULTS} of `lingyun sim`; run that again"
        ) from None
    if all(_has(row, "trial", "result", "settings") for row in (first, *others)):
        return _sweep(path, [first, *others])
    if _has(first, "collectives", "totals", "config", "order"):
        return _run(path, first)
    if _has(first, "complete", "seed"):
        raise ValueError(f"{path} is of a run that did not end: run `lingyun sim` again")
    raise ValueError(
        f"{path} holds other things than results: name a {POINTS} of `lingyun sweep` or a "
        f"{RESULTS} of `lingyun sim`"
    )


def _has(document: Any, *keys: str) -> bool:
    return isinstance(document, dict) and all(key in document for key in keys)


def _documents(text: str) -> list[Any]:
    """One document, or one in each line."""
    try:
        return [json.loads(text)]
    except ValueError:
        return [json.loads(line) for line in text.splitlines()]


def _sweep(path: Path, rows: Iterable[dict[str, Any]]) -> Sweep:
    rows = tuple(rows)
    if not all("profile" in row.get("result", ()) for row in rows):
        raise ValueError(
            f"{path} is of an older `lingyun sweep`, which kept no latencies of pairs: run the "
            "sweep again"
        )
    name = path.parent.name if path.name == POINTS else path.stem
    try:
        command = json.loads((path.parent / "sweep.json").read_text(encoding="utf-8"))["command"]
    except (OSError, KeyError, TypeError, ValueError):
        command = f"lingyun sweep {shlex.quote(name)}"
    return Sweep(name, command, rows)


def _run(path: Path, results: dict[str, Any]) -> Run:
    if not results["collectives"]:
        raise ValueError(f"{path} holds no collective: run `lingyun sim` again, to its end")
    config, order = results["config"], results["order"]
    words = ["lingyun", "sim", "--config", config["name"]]
    for workload in order["workloads"]:
        words += ["--workload", workload]
    for option in ("seed", "scale", "packet_bytes", "engine"):
        words += [
            f"--{option.replace('_', '-')}",
            f"{order[option]:g}" if option == "scale" else str(order[option]),
        ]
    base = NAMED.get(config["name"])
    for option in ("scheduler", "iterations"):
        if base and getattr(base, option) != config[option]:
            words += [f"--{option}", str(config[option])]
    words += ["--unshaped"] * order["unshaped"]
    return Run(path.parent.name, shlex.join(words), results)
