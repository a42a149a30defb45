"""A workload under way: nodes that wait for each other, and the packets that they release.

A node is released in the cycle after all nodes that it waits for have ended. It ends with the
delivery of its last packet, or when its time is over, or at once if it has neither.
"""

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from models.collective import Collective, Workload
from models.config import SwitchConfig
from models.interval import exposed, length
from models.plan import Plan
from models.traffic import NEVER, Packets, Sinks

__all__ = ["Measured", "Nodes", "Program", "program_advance"]

Ints = NDArray[np.int64]


class Nodes(NamedTuple):
    """Steps of a program, and what they wait for.

    Fields
    ------
    waits : (nodes,)
        Nodes that must end before this one is released.
    time : (nodes,)
        Cycles that it takes by itself, 0 for none; such a node has no packets.
    start, end : (nodes,)
        Cycle of release, and the last cycle (of the delivery, or of the time); -1 before that.
    waiter_first, waiters : (nodes + 1,), (edges,)
        Nodes that wait for each node.
    row_first, rows : (nodes + 1,), (packets,)
        Rows of the packet table that belong to each node; a node without any is a barrier.
    due, timed, alarms : (timed nodes + 1,), (timed nodes + 1,), (1,)
        Heap of the nodes whose time runs: last cycle, node; how many. ``due[0]`` is ``NEVER`` if
        there is none.
    work : (nodes,)
        Scratch: nodes that have ended.
    seen : (1,)
        Finishes of the sinks that were handled.
    """

    waits: Ints
    time: Ints
    start: Ints
    end: Ints
    waiter_first: Ints
    waiters: Ints
    row_first: Ints
    rows: Ints
    due: Ints
    timed: Ints
    alarms: Ints
    work: Ints
    seen: Ints


@njit(cache=True)
def alarm_set(nodes, node, cycle):
    """``node`` ends in ``cycle``."""
    n = nodes.alarms[0]
    nodes.alarms[0] += 1
    while n > 0 and nodes.due[(n - 1) // 2] > cycle:
        nodes.due[n] = nodes.due[(n - 1) // 2]
        nodes.timed[n] = nodes.timed[(n - 1) // 2]
        n = (n - 1) // 2
    nodes.due[n] = cycle
    nodes.timed[n] = node


@njit(cache=True)
def alarm_take(nodes):
    """Node that ends first; it is taken from the heap."""
    first = nodes.timed[0]
    nodes.alarms[0] -= 1
    count = nodes.alarms[0]
    cycle, node, n = nodes.due[count], nodes.timed[count], 0
    while 2 * n + 1 < count:
        child = 2 * n + 1
        if child + 1 < count and nodes.due[child + 1] < nodes.due[child]:
            child += 1
        if nodes.due[child] >= cycle:
            break
        nodes.due[n] = nodes.due[child]
        nodes.timed[n] = nodes.timed[child]
        n = child
    nodes.due[n] = cycle
    nodes.timed[n] = node
    if count == 0:
        nodes.due[0] = NEVER
    return first


@njit(cache=True)
def node_release(packets, nodes, node, cycle):
    """Let the packets of ``node`` go, or its time run; true if it has neither and so has ended."""
    nodes.start[node] = cycle
    if nodes.time[node] > 0:
        alarm_set(nodes, node, cycle + nodes.time[node] - 1)
        return False
    for k in range(nodes.row_first[node], nodes.row_first[node + 1]):
        packets.rows[nodes.rows[k]].cycle = cycle
    packets.releases[0] += 1
    return nodes.row_first[node] == nodes.row_first[node + 1]


@njit(cache=True)
def node_end(packets, nodes, node, cycle):
    """``node`` has ended in ``cycle``: release what waited for nothing else."""
    nodes.work[0] = node
    count = 1
    while count > 0:
        count -= 1
        ended = nodes.work[count]
        nodes.end[ended] = cycle
        for k in range(nodes.waiter_first[ended], nodes.waiter_first[ended + 1]):
            waiter = nodes.waiters[k]
            nodes.waits[waiter] -= 1
            if nodes.waits[waiter] == 0 and node_release(packets, nodes, waiter, cycle + 1):
                nodes.work[count] = waiter
                count += 1


@njit(cache=True)
def program_advance(packets, nodes, finished, finishes, cycle):
    """Release for ``cycle + 1`` what waited for nothing but the nodes that ended in ``cycle``.

    ``finished`` and ``finishes`` are those of ``SinkState``. To be called in every cycle in which a
    node was delivered, and in cycle ``nodes.due[0]``; cheap in all others.
    """
    while nodes.seen[0] < finishes[0]:
        node = finished[nodes.seen[0]]
        nodes.seen[0] += 1
        node_end(packets, nodes, node, cycle)
    while nodes.due[0] <= cycle:
        node_end(packets, nodes, alarm_take(nodes), cycle)


class Measured(NamedTuple):
    """A collective that results tell of, its size on this run, and its nodes [first, last)."""

    collective: Collective
    groups: tuple[tuple[int, ...], ...]
    first: int
    last: int


class Program:
    """A workload as packets and nodes, and how far it has come; made by ``expand``.

    Parameters
    ----------
    computes : dict
        Rank that computes in each node that is one.
    start : int
        Cycle in which it begins.

    Members
    -------
    packets : Packets
        Table for ``Sources`` and ``Sinks``; ``cycle`` is ``NEVER`` until a packet is released.
    nodes : Nodes
        State for ``program_advance``.
    """

    def __init__(
        self,
        config: SwitchConfig,
        workload: Workload,
        measured: list[Measured],
        packets: Packets,
        plan: Plan,
        computes: dict[int, int],
        start: int = 0,
    ):
        self.config = config
        self.workload = workload
        self.measured = measured
        self.packets = packets
        count = len(plan.waits)
        waiter = np.repeat(np.arange(count), [len(w) for w in plan.waits])
        waited = np.array([node for w in plan.waits for node in w], dtype=np.int64)
        time = np.zeros(count, dtype=np.int64)
        time[list(plan.times)] = list(plan.times.values())
        self.nodes = Nodes(
            waits=np.array([len(w) for w in plan.waits], dtype=np.int64),
            time=time,
            start=np.full(count, -1, dtype=np.int64),
            end=np.full(count, -1, dtype=np.int64),
            waiter_first=_first(waited, count),
            waiters=waiter[np.argsort(waited, kind="stable")].astype(np.int64),
            row_first=_first(packets.node, count),
            rows=np.argsort(packets.node, kind="stable").astype(np.int64),
            due=np.full(len(plan.times) + 1, NEVER, dtype=np.int64),
            timed=np.zeros(len(plan.times) + 1, dtype=np.int64),
            alarms=np.zeros(1, dtype=np.int64),
            work=np.zeros(count, dtype=np.int64),
            seen=np.zeros(1, dtype=np.int64),
        )
        self.group = np.full(count, -1, dtype=np.int64)  # first rank of the group of a transfer
        first_of = {
            (m.first, rank): group[0] for m in measured for group in m.groups for rank in group
        }
        starts = np.array([m.first for m in measured], dtype=np.int64)
        for send in plan.sends:
            step = int(starts[np.searchsorted(starts, send.node, "right") - 1])
            self.group[send.node] = first_of[step, send.source]
        self.computes = np.array([*computes.items()], dtype=np.int64).reshape(-1, 2)
        for node in np.flatnonzero(self.nodes.waits == 0):
            if node_release(self.packets, self.nodes, node, start):
                node_end(self.packets, self.nodes, node, start)

    def advance(self, sinks: Sinks, cycle: int) -> None:
        """Call after ``sinks.taken(cycle, ...)``; what it releases starts in the next cycle."""
        state = sinks.state
        if self.nodes.seen[0] < state.finishes[0] or self.nodes.due[0] <= cycle:
            program_advance(self.packets, self.nodes, state.finished, state.finishes, cycle)

    @property
    def due(self) -> int:
        """Cycle in which a time is over next: whoever skips calls of ``advance`` needs this one."""
        return int(self.nodes.due[0])

    @property
    def done(self) -> bool:
        """Everything has been delivered, and all times are over."""
        return bool(self.nodes.end[-1] >= 0)

    def results(self) -> list[dict[str, Any]]:
        """One record per collective, in order.

        Keys: name, operation, algorithm, bytes, packets; groups and ranks (of each group); start,
        end (first and last cycle; None if not reached), cycles; exposed_cycles (in which a group
        transferred and none of its ranks computed, of the group that had most);
        algorithm_bytes_per_cycle, bus_bytes_per_cycle (None if not complete); algorithm_gbps,
        bus_gbps (Gbit/s; None also without a clock).
        """
        records = []
        computing = self._computing()
        for collective, groups, first, last in self.measured:
            inside = slice(first, last)
            sends = np.diff(self.nodes.row_first[first : last + 1]) > 0
            start, end = self.nodes.start[inside][sends], self.nodes.end[inside][sends]
            begun, ended = bool((start >= 0).any()), bool((end >= 0).all())
            cycles = int(end.max() - start.min()) + 1 if ended else None
            record: dict[str, Any] = {
                "name": collective.name,
                "operation": collective.operation,
                "algorithm": collective.algorithm,
                "bytes": collective.bytes,
                "packets": int(self.nodes.row_first[last] - self.nodes.row_first[first]),
                "groups": len(groups),
                "ranks": len(groups[0]),
                "start": int(start[start >= 0].min()) if begun else None,
                "end": int(end.max()) if ended else None,
                "cycles": cycles,
                "exposed_cycles": None,
            }
            if ended:
                of = self.group[inside][sends]
                spans = np.stack((start, end + 1), axis=1)
                record["exposed_cycles"] = max(
                    exposed(
                        spans[of == group[0]], np.concatenate([computing[rank] for rank in group])
                    )
                    for group in groups
                )
            factors = {"algorithm": 1.0, "bus": collective.bus_factor(len(groups[0]))}
            for kind, factor in factors.items():
                rate = factor * collective.bytes / cycles if cycles else None
                clock = self.config.clock_mhz
                record[f"{kind}_bytes_per_cycle"] = rate
                record[f"{kind}_gbps"] = rate * 8e-3 * clock if rate and clock else None
            records.append(record)
        return records

    def times(self) -> dict[str, int]:
        """Where the time went so far, in cycles.

        Keys: cycles, from the first release to the last end; compute_cycles, in which some rank
        computed; communication_cycles, in which some transfer was under way; exposed_cycles, in
        which one was and no rank computed.
        """
        ended = np.flatnonzero((self.nodes.end >= 0) & (np.diff(self.nodes.row_first) > 0))
        transfers = np.stack((self.nodes.start[ended], self.nodes.end[ended] + 1), axis=1)
        computing = np.concatenate(self._computing())
        return {
            "cycles": int(self.nodes.end.max()) + 1,
            "compute_cycles": length(computing),
            "communication_cycles": length(transfers),
            "exposed_cycles": exposed(transfers, computing),
        }

    def _computing(self) -> list[Ints]:
        """Intervals in which each rank has computed."""
        node, rank = self.computes.T
        node, rank = node[self.nodes.end[node] >= 0], rank[self.nodes.end[node] >= 0]
        spans = np.stack((self.nodes.start[node], self.nodes.end[node] + 1), axis=1)
        return [spans[rank == n] for n in range(self.workload.ranks)]


def _first(keys: Ints, count: int) -> Ints:
    return np.concatenate(([0], np.cumsum(np.bincount(keys, minlength=count)))).astype(np.int64)
