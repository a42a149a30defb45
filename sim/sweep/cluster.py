"""Who runs the points: workers of dask, here, at an address, or behind the queue of a cluster."""

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sim import BUILD
from sim.sweep.point import Point
from sim.sweep.pool import Ended, Outcome, attempt, in_one_line

__all__ = ["CLUSTERS", "Dask", "job_queue", "open_cluster", "open_dask"]

CLUSTERS = {  # name: class of dask_jobqueue
    "slurm": "SLURMCluster",
    "lsf": "LSFCluster",
    "sge": "SGECluster",
    "pbs": "PBSCluster",
}
SCRATCH = BUILD / "sweep" / "dask"
CURE = "pip install 'lingyun[cluster]'"
PATIENCE = 30  # seconds until an address must have answered


@dataclass
class Dask:
    """Workers of dask; results come back to this process, which alone writes files.

    Parameters
    ----------
    client : distributed.Client
        Its workers should have one thread each, since a point keeps one busy.
    workers : int
        How many there are, or will be.
    """

    client: Any
    workers: int

    def run(self, points: Sequence[Point]) -> Generator[Ended, None, None]:
        from distributed import as_completed  # type: ignore[import-not-found]

        futures = {
            # Never taken from what the scheduler may remember: a point that failed is run again.
            self.client.submit(attempt, point.dump(), pure=False): point
            for point in points
        }
        try:
            for future in as_completed(futures):
                point = futures[future]
                failure = future.exception()
                outcome = Outcome(None, in_one_line(failure), 0) if failure else future.result()
                yield Ended(point, outcome)
                future.release()
        finally:
            self.client.cancel(list(futures))


@contextmanager
def open_dask(address: str, workers: int) -> Iterator[Dask]:
    """Workers at ``address`` of a scheduler, or ``local``: as many processes of this machine.

    Raises
    ------
    ValueError
        If dask is not installed, or the address does not answer.
    """
    try:
        from distributed import Client, LocalCluster  # type: ignore[import-not-found]
    except ImportError:
        raise ValueError(f"--dask needs dask.distributed: {CURE}") from None
    if address == "local":
        with (
            LocalCluster(
                n_workers=workers,
                threads_per_worker=1,
                dashboard_address=None,
                local_directory=str(SCRATCH),
            ) as cluster,
            Client(cluster) as client,
        ):
            yield Dask(client, workers)
        return
    try:
        client = Client(address, timeout=PATIENCE)
    except (OSError, ValueError) as error:
        raise ValueError(f"no dask scheduler answers at {address!r}: {error}") from None
    with client:
        yield Dask(client, max(1, len(client.scheduler_info(n_workers=-1)["workers"])))


def job_queue(kind: str, table: Mapping[str, Any]) -> Any:
    """The cluster ``kind`` of dask-jobqueue, with the options of the table ``[cluster]``.

    A point takes one core, so a job has a worker per core, of one thread.

    Raises
    ------
    ValueError
        If dask-jobqueue is not installed, or refuses the options.
    """
    try:
        import dask_jobqueue  # type: ignore[import-not-found]
    except ImportError:
        raise ValueError(f"--cluster needs dask-jobqueue: {CURE}") from None
    options = {"cores": 1, "local_directory": str(SCRATCH)} | dict(table)
    options = {"processes": options["cores"]} | options
    try:
        return getattr(dask_jobqueue, CLUSTERS[kind])(**options)
    except (TypeError, ValueError, RuntimeError, OSError) as error:
        told = " ".join(str(error).split())
        raise ValueError(f"{kind} refuses the table [cluster] of the sweep: {told}") from None


@contextmanager
def open_cluster(kind: str, table: Mapping[str, Any], jobs: int) -> Iterator[Dask]:
    """``jobs`` jobs in the queue of a cluster; they are ended when all is done."""
    with job_queue(kind, table) as cluster:
        from distributed import Client  # type: ignore[import-not-found]

        with Client(cluster) as client:
            cluster.scale(jobs=jobs)
            yield Dask(client, jobs * int(table.get("processes", table.get("cores", 1))))
