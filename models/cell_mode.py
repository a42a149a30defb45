"""iSLIP as it was published: a switch of input queues that moves cells slot by slot.

It has no pipeline, no speedup and no packets, and shares nothing with ``models.scheduler``, so that
published throughputs can be held against it, and it against the switch.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from models.traffic import destinations

__all__ = ["cell_mode_throughput"]


@njit(cache=True)
def match(waiting, grant_pointer, accept_pointer, iterations, output_of, input_of):
    """Fill ``output_of`` each input and ``input_of`` each output, -1 for none.

    Pointers move only on a grant that is accepted in the first iteration.
    """
    ports = output_of.size
    output_of[:] = -1
    input_of[:] = -1
    granted = np.empty(ports, np.int64)  # per output
    for iteration in range(iterations):
        granted[:] = -1
        for output in range(ports):
            if input_of[output] < 0:
                for step in range(ports):
                    n = (grant_pointer[output] + step) % ports
                    if output_of[n] < 0 and waiting[n, output]:
                        granted[output] = n
                        break
        for n in range(ports):
            if output_of[n] < 0:
                for step in range(ports):
                    output = (accept_pointer[n] + step) % ports
                    if granted[output] == n:
                        output_of[n] = output
                        input_of[output] = n
                        if iteration == 0:
                            grant_pointer[output] = (n + 1) % ports
                            accept_pointer[n] = (output + 1) % ports
                        break


@njit(cache=True)
def cells_moved(shares, load, iterations, slots, warmup, seed):
    """Cells that leave in slots ``warmup`` to ``slots - 1``; ``shares`` are cumulated by row."""
    np.random.seed(seed)
    ports = shares.shape[0]
    waiting = np.zeros((ports, ports), np.int64)
    grant_pointer, accept_pointer = np.zeros(ports, np.int64), np.zeros(ports, np.int64)
    output_of, input_of = np.empty(ports, np.int64), np.empty(ports, np.int64)
    moved = 0
    for slot in range(slots):
        for n in range(ports):
            if np.random.random() < load:
                waiting[n, np.searchsorted(shares[n], np.random.random(), side="right")] += 1
        match(waiting, grant_pointer, accept_pointer, iterations, output_of, input_of)
        for n in range(ports):
            if output_of[n] >= 0:
                waiting[n, output_of[n]] -= 1
                moved += slot >= warmup
    return moved


def cell_mode_throughput(
    ports: int, *, pattern: str, load: float, iterations: int, slots: int, seed: int = 1
) -> float:
    """Cells per slot and port, after a warm-up of a fifth of ``slots``; Bernoulli arrivals.

    Source: McKeown, "The iSLIP scheduling algorithm for input-queued switches", IEEE/ACM
    Transactions on Networking 7(2), 1999.

    Parameters
    ----------
    pattern : str
        Who sends where, see ``models.traffic.destinations``.
    load : float
        Cells that arrive per slot and input.
    """
    shares: NDArray[np.float64] = np.cumsum(destinations(pattern, ports), axis=1)
    shares[:, -1] = 1.0
    warmup = slots // 5
    return cells_moved(shares, load, iterations, slots, warmup, seed) / (slots - warmup) / ports
