"""What a run looked like, for pictures: its latencies, its pairs of ports, what waited over time.

Small whatever the run: latencies are counted in steps of at most 6 %, pairs of many ports are
joined, and what waits is sampled.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.trial import Run
from sim.cell_run import CellRun

__all__ = ["histogram", "joined_ports", "profile", "waiting"]

OCTAVE = 16  # steps in which a latency doubles; below 32 cycles each has its own
SIDE = 64  # ports that are told apart; of more, neighbours are joined
SAMPLES = 200  # of what waits

Ints = NDArray[np.int64]


def profile(run: Run | CellRun, warmup: int, steady: bool) -> dict[str, Any]:
    """Latencies and pairs since ``warmup``, and what waited, over the cycles in which is sent.

    Parameters
    ----------
    steady : bool
        The switch keeps up; else latencies depend on the length of the run, and are left out.
    """
    table, best = run.packets, run.best
    seen = (table.completed >= 0) & (table.cycle >= warmup)
    found: dict[str, Any] = {"latency": None, "ideal_latency": None}
    if steady and seen.any():
        found["latency"] = histogram((table.completed - table.cycle)[seen])
        ideal = best.completed - table.cycle + run.latency
        found["ideal_latency"] = histogram(ideal[seen])
    return found | {"pairs": _pairs(run, warmup, steady), "waiting": _waiting(run)}


def histogram(values: Ints) -> list[list[int]]:
    """Pairs of a value and how many of ``values`` are up to it and above the value before.

    The steps are the same for all runs, so counts of several runs can be added.
    """
    counts = np.bincount(values)
    values = np.flatnonzero(counts)
    shift = np.maximum(np.frexp(np.maximum(values, 1))[1] - int(np.log2(2 * OCTAVE)), 0)
    last, step = np.unique(((values >> shift) + 1 << shift) - 1, return_inverse=True)
    sums = np.bincount(step, weights=counts[values]).astype(int)
    return [list(pair) for pair in zip(last.tolist(), sums.tolist(), strict=True)]


def joined_ports(matrix: NDArray[Any], side: int = SIDE) -> NDArray[Any]:
    """The sums of ``matrix``, (ports, ports), over neighbours, so that no more than ``side`` are
    left.
    """
    step = -(-matrix.shape[0] // side)
    first = np.arange(0, matrix.shape[0], step)
    return np.add.reduceat(np.add.reduceat(matrix, first, axis=0), first, axis=1)


def _pairs(run: Run | CellRun, warmup: int, steady: bool) -> dict[str, Any]:
    """Of each source and destination: packets, carried as part of a line's rate, mean latency."""
    trial, table = run.trial, run.packets
    ports = trial.config.ports

    def total(rows: Any, weights: Any = None) -> NDArray[Any]:
        pair = table.source[rows] * ports + table.destination[rows]
        weights = None if weights is None else weights[rows]
        counts = np.bincount(pair, weights=weights, minlength=ports**2).reshape(ports, ports)
        return joined_ports(counts)

    in_time = (table.completed >= warmup) & (table.completed < trial.cycles)
    step = -(-ports // SIDE)
    line = (trial.cycles - warmup) * trial.rate * step
    seen = (table.completed >= 0) & (table.cycle >= warmup)
    packets = total(seen)
    found: dict[str, Any] = {
        "joined": step,
        "packets": packets.tolist(),
        "carried": np.round(total(in_time, table.flits) / line, 5).tolist(),
        "latency": None,
    }
    if steady:
        sums = total(seen, table.completed - table.cycle)
        means = np.round(sums / np.maximum(packets, 1), 2).tolist()
        found["latency"] = [
            [mean if count else None for mean, count in zip(*rows, strict=True)]
            for rows in zip(means, packets.tolist(), strict=True)
        ]
    return found


def _waiting(run: Run | CellRun) -> dict[str, list[int]]:
    """Flits at equal distances from cycle 0 to the last in which is sent."""
    table, best = run.packets, run.best
    times = np.linspace(0, run.trial.cycles, SAMPLES + 1).round().astype(np.int64)
    return {
        "sender": waiting(table.flits, table.cycle, table.injected, times),
        "switch": waiting(table.flits, table.injected, table.completed, times),
        "ideal": waiting(table.flits, best.injected, best.completed, times),
    }


def waiting(flits: Ints, since: Ints, until: Ints, times: Ints) -> list[int]:
    """Flits of the packets that at each of ``times`` have come, at ``since``, and have not gone.

    ``times`` ascend; cycle -1 is one that has not been.
    """

    def before(cycle: Ints) -> Ints:
        counts = np.bincount(cycle + 1, weights=flits, minlength=times[-1] + 1)
        counts[0] = 0  # those that have not been
        return counts.cumsum()[times].astype(np.int64)

    return (before(since) - before(until)).tolist()
