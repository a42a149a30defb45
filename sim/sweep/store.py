"""The results of a sweep on the disk: one file per point, each there whole or not at all."""

import fcntl
import hashlib
import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sim.sweep.point import Point, canonical

__all__ = ["Store", "write_record", "write_whole"]


def write_whole(path: Path, text: str) -> None:
    """Write ``text``: whatever happens, and whoever else does so, the file is whole, or as it was.

    It is on the disk before its name is: a name without content would outlive a loss of power.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    number, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(number, "w", encoding="utf-8") as file:
            os.fchmod(number, 0o644)
            file.write(text)
            file.flush()
            os.fsync(number)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def write_record(path: Path, record: Mapping[str, Any]) -> None:
    """Write the result of a point, with a checksum."""
    write_whole(path, canonical({"record": record, "sha256": checksum(record)}) + "\n")


def checksum(record: Mapping[str, Any]) -> str:
    """What tells a result from one that has been damaged or edited."""
    return hashlib.sha256(canonical(record).encode()).hexdigest()


class Store:
    """The folder of a sweep.

    Attributes
    ----------
    damaged : list of Path
        Files that did not hold the result of their point when they were read.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self.damaged: list[Path] = []

    @property
    def results(self) -> Path:
        """All results, a line each, in the order of the plan."""
        return self.folder / "results.jsonl"

    def path(self, point: Point) -> Path:
        """The file of ``point``."""
        return self.folder / "points" / f"{point.identity}.json"

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep other sweeps out of this folder.

        Raises
        ------
        ValueError
            If one is in it.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise ValueError(
                    f"another sweep is at work in {self.folder}; wait for it"
                ) from None
            yield

    def load(self, point: Point) -> dict[str, Any] | None:
        """What came of ``point``, or None if it has not been run, or its file is not whole."""
        path = self.path(point)
        try:
            file = json.loads(path.read_text(encoding="utf-8"))
            record = file["record"]
            if file["sha256"] == checksum(record) and record["identity"] == point.identity:
                return record
        except FileNotFoundError:
            return None
        except (KeyError, TypeError, ValueError):
            pass  # cut short, or not ours
        self.damaged.append(path)
        return None

    def save(self, record: Mapping[str, Any]) -> None:
        """Keep what came of a point."""
        write_record(self.folder / "points" / f"{record['identity']}.json", record)

    def describe(self, **facts: Any) -> None:
        """Keep what made the results, as ``sweep.json``."""
        write_whole(self.folder / "sweep.json", canonical(facts) + "\n")

    def note(self, **facts: Any) -> None:
        """Add a line to ``log.jsonl``: what differs from run to run has no place in results."""
        with (self.folder / "log.jsonl").open("a", encoding="utf-8") as file:
            file.write(canonical(facts) + "\n")

    def gather(self, points: Iterable[Point]) -> list[dict[str, Any]]:
        """Write ``results`` from the files of ``points``, and return its rows.

        The same results give the same bytes, however many sweeps it took to get them.
        """
        rows = [
            {"settings": dict(point.settings)} | record
            for point in points
            if (record := self.load(point)) is not None
        ]
        write_whole(self.results, "".join(f"{canonical(row)}\n" for row in rows))
        return rows
