"""Who runs the points: processes of this machine."""

import os
import signal
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection, wait
from threading import Thread
from typing import Any, NamedTuple, Protocol

from sim.sweep.point import Point, run_point

__all__ = ["Ended", "Outcome", "Pool", "Processes", "attempt", "in_one_line"]


class Outcome(NamedTuple):
    """What became of a run.

    Fields
    ------
    record : dict or None
        None if it failed.
    error : str
        Why it failed, in one line.
    seconds : float
        Time that it took, where it ran.
    """

    record: dict[str, Any] | None
    error: str
    seconds: float


class Ended(NamedTuple):
    """A point, and what became of it."""

    point: Point
    outcome: Outcome


class Pool(Protocol):
    """Runs points, several at a time."""

    @property
    def workers(self) -> int:
        """How many at a time."""
        ...

    def run(self, points: Sequence[Point]) -> Generator[Ended, None, None]:
        """Each of ``points`` as it ends, whatever its end. Closing the iterator stops the rest."""
        ...


def attempt(text: str) -> Outcome:
    """Run the point ``text`` where it may fail: the work of a worker.

    It gets the dump of the point, which tells if the sources here are those of the plan.
    """
    began = time.perf_counter()
    record, error = None, ""
    try:
        record = run_point(Point.parse(text))
    except Exception as failure:  # whatever it is, it is this point's alone
        error = in_one_line(failure)
    return Outcome(record, error, time.perf_counter() - began)


def in_one_line(failure: BaseException) -> str:
    """The kind of ``failure``, and what it says."""
    return " ".join(f"{type(failure).__name__}: {failure}".split())


def serve(pipe: Connection, work: Callable[[str], Outcome]) -> None:
    """Work on what comes through ``pipe``: the life of a process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent is told, and ends this process
    Thread(target=die_with_parent, daemon=True).start()
    while True:
        try:
            text = pipe.recv()
        except EOFError:
            return
        pipe.send(work(text))


def die_with_parent() -> None:
    """End this process at once when its parent is gone: nobody would take its result."""
    parent = parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


class Worker:
    """A process, and the point that it is at.

    Each has a pipe of its own, so that the end of one is the end of one point and of no other.
    """

    def __init__(self, work: Callable[[str], Outcome]):
        context = get_context("spawn")
        self.pipe, inner = context.Pipe()
        self.process = context.Process(target=serve, args=(inner, work), daemon=True)
        self.process.start()
        inner.close()
        self.point: Point | None = None

    def give(self, point: Point) -> None:
        self.point, self.began = point, time.perf_counter()
        with suppress(OSError):  # it has died since: `take` finds that out
            self.pipe.send(point.dump())

    def take(self) -> Ended:
        """What became of the point; of a process that has died, why."""
        point, self.point = self.point, None
        assert point is not None
        try:
            return Ended(point, self.pipe.recv())
        except (EOFError, OSError):
            self.process.join()
            code = self.process.exitcode or 0
            how = f"by {signal.Signals(-code).name}" if code < 0 else f"with status {code}"
            why = " (out of memory?)" if code == -signal.SIGKILL else ""
            seconds = time.perf_counter() - self.began
            return Ended(point, Outcome(None, f"its process was ended {how}{why}", seconds))

    def end(self) -> None:
        self.process.terminate()
        self.process.join()
        self.pipe.close()


@dataclass
class Processes:
    """Processes of this machine.

    Parameters
    ----------
    workers : int
        How many; a point takes a core.
    work : callable
        What each does with a point.
    """

    workers: int
    work: Callable[[str], Outcome] = attempt

    def run(self, points: Sequence[Point]) -> Generator[Ended, None, None]:
        left = list(reversed(points))
        workers = [Worker(self.work) for _ in range(min(self.workers, len(points)))]
        try:
            for worker in workers:
                worker.give(left.pop())
            while busy := {worker.pipe: worker for worker in workers if worker.point}:
                for pipe in wait(list(busy)):
                    worker = busy[pipe]  # type: ignore[index]
                    ended = worker.take()
                    if left:
                        if not worker.process.is_alive():
                            worker.end()
                            workers[workers.index(worker)] = worker = Worker(self.work)
                        worker.give(left.pop())
                    yield ended
        finally:
            for worker in workers:
                worker.end()
