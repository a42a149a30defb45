"""A switch that moves cells slot by slot, with any scheduler: what the literature simulates.

It has no pipeline, no packets and no limits on its queues, and shares nothing with
``models.scheduler``, so that published figures can be held against it, and it against the switch.

A slot is: at most one cell arrives at each input; the policy names the input that each output
serves; those cells leave. So a cell can leave in the slot in which it arrived, and its wait is 0
then. Cells of one input and one output leave in the order of their arrival.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import numpy as np
from numba import njit
from numpy.typing import NDArray

from models.traffic import destinations

__all__ = [
    "BATCHES",
    "BURST",
    "CellResult",
    "Compiled",
    "Policy",
    "Queues",
    "around",
    "arrivals",
    "cell_mode",
    "departures",
    "run",
]

Ints = NDArray[np.int64]

BATCHES = 20
T_QUANTILE = 2.093  # of Student's distribution with BATCHES - 1 degrees of freedom, 97.5 %
BURST = 16.0  # mean cells of a burst of the pattern "bursts"


class Queues(NamedTuple):
    """Cells that wait, by input and output; a cell is named by the slot in which it arrived.

    Fields
    ------
    waiting : (ports, ports)
        Cells from each input (row) to each output (column).
    head, tail : (ports, ports)
        Oldest and youngest of them; without meaning where none waits.
    after : (slots, ports)
        Next cell of the same queue, by slot and input; of a cell that has left, the slot in which.
    """

    waiting: Ints
    head: Ints
    tail: Ints
    after: NDArray[np.int32]


class Policy(Protocol):
    """A scheduler of ``ports`` inputs and outputs, with what it remembers from slot to slot."""

    ports: int

    def match(self, queues: Queues, input_of: Ints) -> None:
        """Fill ``input_of``, (ports,): the input that each output serves now, -1 for none.

        Served queues must not be empty. Through a plain crossbar an input can serve one output;
        that is for the policy to respect, because a switch with other buffers is not so bound.
        """
        ...


class Compiled:
    """A policy that is compiled, so that the loop over slots can be, too.

    Attributes
    ----------
    rule : compiled function of (queues, state, input_of)
        What ``match`` does.
    state : tuple
        What it remembers, in arrays, and its parameters.
    """

    rule: Callable[..., None]
    state: tuple[Any, ...]

    def match(self, queues: Queues, input_of: Ints) -> None:
        """The input of each output in this slot."""
        self.rule(queues, self.state, input_of)


class CellResult(NamedTuple):
    """What was measured after the warm-up; ``..._interval`` is the half-width of 95 % confidence.

    Intervals come from batch means: the time is cut into ``BATCHES`` equal parts, and their means
    are taken to be independent and normal.

    Fields
    ------
    wait, wait_interval : float
        Mean slots from arrival to departure, of the cells that left. Means nothing if the load was
        not carried: it grows with the length of the run then.
    throughput, throughput_interval : float
        Cells that left, per slot and port.
    offered : float
        Cells that arrived, per slot and port.
    waiting : int
        Cells that wait at the end.
    """

    wait: float
    wait_interval: float
    throughput: float
    throughput_interval: float
    offered: float
    waiting: int


@njit(cache=True)
def around(first, step, ports):
    """``(first + step) % ports`` of numbers below ``ports``: a division takes longer than the rest
    of a policy.
    """
    place = first + step
    return place - ports if place >= ports else place


@njit(cache=True)
def fill_arrivals(rng, loads, shares, burst, table):
    """Fill ``table`` for ``arrivals``; ``shares`` are cumulated by row, ``loads`` one per input."""
    slots, ports = table.shape
    for n in range(ports):
        load = loads[n]
        start = load / (load + burst * (1 - load))  # of a slot that no burst occupies
        output = -1
        for slot in range(slots):
            if output >= 0 and rng.random() < 1 / burst:  # the last cell ended its burst
                output = -1
            if output < 0 and rng.random() < start:
                output = np.searchsorted(shares[n], rng.random(), side="right")
            table[slot, n] = output


def arrivals(
    ports: int,
    *,
    pattern: str,
    load: float,
    slots: int,
    burst: float | None = None,
    seed: int = 1,
) -> NDArray[np.int16]:
    """Output to which a cell arrives, in each slot (row) at each input (column); -1 for no cell.

    Bursts of geometric length, all cells to one output, and idle times of geometric length between
    them, which may be empty. With bursts of one cell that is a Bernoulli process.

    Parameters
    ----------
    pattern : str
        Who sends where, see ``models.traffic.destinations``.
    load : float
        Cells that arrive per slot and input, above 0, at most 1.
    burst : float or None
        Mean cells of a burst, 1 or more. None stands for ``BURST`` with ``bursts``, else for 1.

    Raises
    ------
    ValueError
        If an argument has a value that is not listed here.
    """
    if not 0 < load <= 1:
        raise ValueError(f"load must be above 0, at most 1, not {load}")
    if burst is None:
        burst = BURST if pattern == "bursts" else 1.0
    if burst < 1:
        raise ValueError(f"burst must be 1 or more cells, not {burst}")
    matrix = destinations(pattern, ports)
    sends = matrix.sum(axis=1) > 0
    shares = np.cumsum(matrix, axis=1)
    shares[sends, -1] = 1.0  # not a rounding error less
    table = np.empty((slots, ports), np.int16)
    fill_arrivals(np.random.default_rng(seed), load * sends, shares, float(burst), table)
    return table


@njit(cache=True)
def arrive(queues, slot, outputs):
    """Append the cells of this slot, one per input at most."""
    for n in range(outputs.size):
        output = outputs[n]
        if output >= 0:
            if queues.waiting[n, output]:
                queues.after[queues.tail[n, output], n] = slot
            else:
                queues.head[n, output] = slot
            queues.tail[n, output] = slot
            queues.waiting[n, output] += 1


@njit(cache=True)
def depart(queues, slot, input_of, seen):
    """Remove the oldest cell of each served queue; ``seen`` is cells and slots waited, summed."""
    for output in range(input_of.size):
        n = input_of[output]
        if n >= 0:
            if queues.waiting[n, output] == 0:
                raise ValueError("the policy serves an empty queue")
            cell = queues.head[n, output]
            queues.head[n, output] = queues.after[cell, n]
            queues.after[cell, n] = slot
            queues.waiting[n, output] -= 1
            seen[0] += 1
            seen[1] += slot - cell


@njit  # for each rule anew: numba keeps nothing that was compiled for a function
def pass_compiled(rule, state, queues, table, first, end, input_of, seen):
    """As ``pass_slots``, in one compiled loop."""
    for slot in range(first, end):
        arrive(queues, slot, table[slot])
        rule(queues, state, input_of)
        depart(queues, slot, input_of, seen)


def pass_slots(
    policy: Policy, queues: Queues, table: NDArray[np.int16], first: int, end: int, seen: Ints
) -> None:
    """Slots ``first`` to before ``end``; where the policy is Python, the loop is."""
    input_of = np.empty(table.shape[1], np.int64)
    if isinstance(policy, Compiled):
        pass_compiled(policy.rule, policy.state, queues, table, first, end, input_of, seen)
        return
    for slot in range(first, end):
        arrive(queues, slot, table[slot])
        policy.match(queues, input_of)
        depart(queues, slot, input_of, seen)


def empty_queues(slots: int, ports: int) -> Queues:
    """No cell waits."""
    return Queues(
        *(np.zeros((ports, ports), np.int64) for _ in range(3)),
        after=np.zeros((slots, ports), np.int32),
    )


def departures(policy: Policy, table: NDArray[np.int16]) -> NDArray[np.int32]:
    """Slot in which each cell of ``table`` leaves, at its place; -1 if it still waits.

    Where no cell arrived it means nothing.

    Parameters
    ----------
    table : (slots, ports)
        As ``arrivals`` gives them.
    """
    queues = empty_queues(*table.shape)
    pass_slots(policy, queues, table, 0, table.shape[0], np.zeros(2, np.int64))
    for n, output in np.argwhere(queues.waiting):
        cell = queues.head[n, output]
        for _ in range(queues.waiting[n, output]):
            following = queues.after[cell, n]
            queues.after[cell, n] = -1
            cell = following
    return queues.after


def run(policy: Policy, table: NDArray[np.int16], *, warmup: float = 0.2) -> CellResult:
    """Pass the arrivals ``table`` through ``policy``.

    Parameters
    ----------
    table : (slots, ports)
        As ``arrivals`` gives them; at least ``BATCHES`` slots must be measured.
    warmup : float
        Part of the slots that are not measured.

    Raises
    ------
    ValueError
        If the table is too short, or the policy serves an empty queue.
    """
    slots, ports = table.shape
    if slots - int(warmup * slots) < BATCHES:
        raise ValueError(f"{slots} slots are too few for {BATCHES} batches")
    queues = empty_queues(slots, ports)
    bounds = np.linspace(warmup * slots, slots, BATCHES + 1).astype(np.int64)
    seen = np.zeros((BATCHES + 1, 2), np.int64)  # warm-up, batches
    first = 0
    for batch, end in enumerate(bounds):
        pass_slots(policy, queues, table, first, int(end), seen[batch])
        first = int(end)

    cells, waits = seen[1:].T
    rates = cells / np.diff(bounds) / ports
    with np.errstate(invalid="ignore"):  # where no cell left there is no mean wait
        means = waits / cells
        wait = float(waits.sum() / cells.sum())
    return CellResult(
        wait=wait,
        wait_interval=interval(means),
        throughput=float(cells.sum() / (slots - bounds[0]) / ports),
        throughput_interval=interval(rates),
        offered=float(np.count_nonzero(table[bounds[0] :] >= 0) / (slots - bounds[0]) / ports),
        waiting=int(queues.waiting.sum()),
    )


def interval(means: NDArray[np.float64]) -> float:
    """Half-width of the 95 % confidence interval of the mean of the batches."""
    return float(T_QUANTILE * means.std(ddof=1) / np.sqrt(means.size))


def cell_mode(
    policy: Policy,
    *,
    pattern: str = "uniform",
    load: float,
    slots: int,
    burst: float | None = None,
    seed: int = 1,
) -> CellResult:
    """Run ``policy`` with the random arrivals of ``arrivals``; the first fifth is warm-up."""
    table = arrivals(policy.ports, pattern=pattern, load=load, slots=slots, burst=burst, seed=seed)
    return run(policy, table)
