"""Workloads: the collectives of a transformer layer as closed-loop traffic.

A TOML file names a model, the sizes that matter, and its collectives in order. ``expand`` turns it
into packets and *nodes*, the steps that wait for each other: a node is released when all nodes that
it waits for have been delivered. Collectives run one after another with a barrier of all ranks in
between, so that each is measured on its own. Ranks are ports 0 to ``ranks - 1``.

Ring forms move one chunk per step from each rank to the next; a rank sends a chunk on when all of
it has arrived. Direct forms send everything at once, packets to the other ranks in turn; a direct
all-reduce is a reduce-scatter, then an all-gather that a rank begins when its part is complete.
Adding up takes no time. Data travels in class 1, or in the class that the file names (``dispatch``
of the built-in file: 2); a class that the switch does not have becomes its highest.
"""

import tomllib
from dataclasses import dataclass, replace
from math import ceil, prod
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from models.config import SwitchConfig
from models.traffic import NEVER, OVERHEAD_BYTES, Packets, Sinks, packets

__all__ = [
    "BUILT_IN",
    "Collective",
    "Program",
    "Routing",
    "Workload",
    "WorkloadError",
    "expand",
    "load",
    "program_advance",
]

Ints = NDArray[np.int64]

FOLDER = Path(__file__).with_name("workloads")
BUILT_IN = tuple(sorted(path.stem for path in FOLDER.glob("*.toml")))
ALGORITHMS = {  # operation: algorithms
    "all-gather": ("ring", "direct"),
    "reduce-scatter": ("ring", "direct"),
    "all-reduce": ("ring", "direct"),
    "dispatch": ("direct",),
    "combine": ("direct",),
}
ROUTED = ("dispatch", "combine")


class WorkloadError(ValueError):
    """A workload file that cannot be used; the message names file, key, value and expectation."""


@dataclass(frozen=True, kw_only=True)
class Collective:
    """One collective operation.

    Parameters
    ----------
    name : str
        How results call it.
    operation, algorithm : str
        What it does, and how: ``ring`` or ``direct``.
    bytes : int
        Size by which its bandwidth is stated, as in nccl-tests: the whole tensor, or for
        ``dispatch`` and ``combine`` what a rank sends on average, to itself too (0 until the
        tokens are routed).
    token_bytes : int
        Bytes of one token (``dispatch`` and ``combine``), else 0.
    traffic_class : int
        Class of its packets.
    """

    name: str
    operation: str
    algorithm: str
    bytes: int
    token_bytes: int = 0
    traffic_class: int = 1

    def bus_factor(self, ranks: int) -> float:
        """Bus bandwidth over algorithm bandwidth, as in nccl-tests (PERFORMANCE.md)."""
        return (2 if self.operation == "all-reduce" else 1) * (ranks - 1) / ranks


@dataclass(frozen=True, kw_only=True)
class Routing:
    """Which ranks the tokens of a mixture-of-experts layer go to.

    Each token picks ``top_k`` different experts of ``experts``; popularity falls as
    ``1 / k ** zipf`` over the experts in an order drawn from ``seed``.
    """

    experts: int
    top_k: int
    zipf: float
    seed: int

    def tokens(self, ranks: int, tokens: int) -> Ints:
        """Tokens that each rank (row) sends to each rank (column); own ones on the diagonal."""
        rng = np.random.default_rng(self.seed)
        popularity = rng.permutation(-self.zipf * np.log(np.arange(1, self.experts + 1)))
        counts = np.zeros((ranks, ranks), dtype=np.int64)
        for source in range(ranks):
            # The largest top_k of log p + Gumbel noise are a draw without replacement.
            keys = popularity + rng.gumbel(size=(tokens, self.experts))
            chosen = np.argpartition(-keys, self.top_k - 1, axis=1)[:, : self.top_k]
            holder = chosen * ranks // self.experts
            counts[source] = [(holder == rank).any(axis=1).sum() for rank in range(ranks)]
        return counts


@dataclass(frozen=True, kw_only=True)
class Workload:
    """What a workload file says."""

    name: str
    description: str
    ranks: int
    model: str
    source: str
    collectives: tuple[Collective, ...]
    tokens: int = 0
    routing: Routing | None = None


def load(name: str | Path) -> Workload:
    """The built-in workload called ``name``, or the one in the file ``name``.

    Raises
    ------
    WorkloadError
        If there is no such workload, or the file is malformed.
    """
    path = FOLDER / f"{name}.toml" if name in BUILT_IN else Path(name)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise WorkloadError(
            f"no workload {str(name)!r}: there are {', '.join(BUILT_IN)}, or the path of a TOML "
            f"file ({error})"
        ) from error
    try:
        return _workload(_Table(str(path), "", tomllib.loads(text)))
    except tomllib.TOMLDecodeError as error:
        raise WorkloadError(f"{path}: not TOML: {error}") from error


class _Table:
    """A TOML table that is read key by key; every complaint names file and key."""

    def __init__(self, file: str, prefix: str, values: Any):
        self.file, self.prefix, self.values = file, prefix, values
        if not isinstance(values, dict):
            raise WorkloadError(f"{file}: {prefix.rstrip('.')} must be a table, not {values!r}")

    def error(self, key: str, rule: str) -> WorkloadError:
        found = f"not {self.values[key]!r}" if key in self.values else "but is missing"
        return WorkloadError(f"{self.file}: {self.prefix}{key} must be {rule}, {found}")

    def known(self, *keys: str) -> None:
        for key in self.values:
            if key not in keys:
                raise WorkloadError(
                    f"{self.file}: unknown key {self.prefix}{key}; there are {', '.join(keys)}"
                )

    def text(self, key: str, among: tuple[str, ...] = ()) -> str:
        value = self.values.get(key)
        if not isinstance(value, str) or not value or (among and value not in among):
            raise self.error(key, f"one of {', '.join(among)}" if among else "a text")
        return value

    def integer(self, key: str, low: int, high: int, default: int | None = None) -> int:
        value = self.values.get(key, default)
        if type(value) is not int or not low <= value <= high:
            raise self.error(key, f"an integer from {low} to {high}")
        return value

    def table(self, key: str) -> "_Table":
        if key not in self.values:
            raise self.error(key, "a table")
        return _Table(self.file, f"{self.prefix}{key}.", self.values[key])


LARGEST = 1 << 40  # of any number in a file


def _workload(top: _Table) -> Workload:
    top.known("name", "description", "ranks", "model", "routing", "collective")
    ranks = top.integer("ranks", 2, 128)
    model = top.table("model")
    model.known("name", "source", "sizes")
    sizes = model.table("sizes")
    values = {key: sizes.integer(key, 1, LARGEST) for key in sizes.values}
    listed = top.values.get("collective")
    if not isinstance(listed, list) or not listed:
        raise top.error("collective", "a list of one table or more")
    collectives = tuple(
        _collective(_Table(top.file, f"collective[{n}].", table), values)
        for n, table in enumerate(listed)
    )
    routing, tokens = None, 0
    if any(c.operation in ROUTED for c in collectives):
        table = top.table("routing")
        table.known("experts", "top_k", "zipf", "seed")
        experts = table.integer("experts", ranks, 1 << 16)
        if experts % ranks:
            raise table.error("experts", f"a multiple of {ranks} (ranks)")
        zipf = table.values.get("zipf")
        if type(zipf) not in (int, float) or not 0 <= zipf <= 10:
            raise table.error("zipf", "a number from 0 to 10")
        routing = Routing(
            experts=experts,
            top_k=table.integer("top_k", 1, experts),
            zipf=float(zipf),
            seed=table.integer("seed", 0, LARGEST, default=0),
        )
        tokens = sizes.integer("tokens", 1, 1 << 16)
    return Workload(
        name=top.text("name"),
        description=top.text("description"),
        ranks=ranks,
        model=model.text("name"),
        source=model.text("source"),
        collectives=collectives,
        tokens=tokens,
        routing=routing,
    )


def _collective(table: _Table, sizes: dict[str, int]) -> Collective:
    table.known("name", "operation", "algorithm", "shape", "element_bytes", "traffic_class")
    operation = table.text("operation", tuple(ALGORITHMS))
    shape = table.values.get("shape")
    if not isinstance(shape, list) or not shape or not all(s in sizes for s in map(str, shape)):
        raise table.error("shape", f"a list of names from model.sizes ({', '.join(sizes)})")
    routed = operation in ROUTED
    if routed and shape[0] != "tokens":
        raise table.error("shape", '"tokens" and then the dimensions of a token')
    element = table.integer("element_bytes", 1, 64)
    return Collective(
        name=table.text("name"),
        operation=operation,
        algorithm=table.text("algorithm", ALGORITHMS[operation]),
        bytes=0 if routed else prod(sizes[s] for s in shape) * element,
        token_bytes=prod(sizes[s] for s in shape[1:]) * element if routed else 0,
        traffic_class=table.integer("traffic_class", 0, 15, default=1),
    )


class Nodes(NamedTuple):
    """Steps of a program, and what they wait for.

    Fields
    ------
    waits : (nodes,)
        Nodes that must end before this one is released.
    start, end : (nodes,)
        Cycle of release, and of the delivery of its last packet; -1 before that.
    waiter_first, waiters : (nodes + 1,), (edges,)
        Nodes that wait for each node.
    row_first, rows : (nodes + 1,), (packets,)
        Rows of the packet table that belong to each node; a node without any is a barrier.
    work : (nodes,)
        Scratch: nodes that have ended.
    seen : (1,)
        Finishes of the sinks that were handled.
    """

    waits: Ints
    start: Ints
    end: Ints
    waiter_first: Ints
    waiters: Ints
    row_first: Ints
    rows: Ints
    work: Ints
    seen: Ints


@njit(cache=True)
def node_release(packets, nodes, node, cycle):
    """Let the packets of ``node`` go; true if it has none and so has ended."""
    nodes.start[node] = cycle
    for k in range(nodes.row_first[node], nodes.row_first[node + 1]):
        packets.cycle[nodes.rows[k]] = cycle
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
    """Release for ``cycle + 1`` what waited for nothing but the nodes delivered in ``cycle``.

    ``finished`` and ``finishes`` are those of ``SinkState``. Cheap if nothing was delivered.
    """
    while nodes.seen[0] < finishes[0]:
        node = finished[nodes.seen[0]]
        nodes.seen[0] += 1
        node_end(packets, nodes, node, cycle)


class Program:
    """A workload as packets and nodes, and how far it has come; made by ``expand``.

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
        measured: list[tuple[Collective, int, int]],
        packets: Packets,
        waits: list[list[int]],
    ):
        self.config = config
        self.workload = workload
        self.measured = measured  # with the first node, and the barrier that ends it
        self.packets = packets
        count = len(waits)
        waiter = np.repeat(np.arange(count), [len(w) for w in waits])
        waited = np.array([node for w in waits for node in w], dtype=np.int64)
        self.nodes = Nodes(
            waits=np.array([len(w) for w in waits], dtype=np.int64),
            start=np.full(count, -1, dtype=np.int64),
            end=np.full(count, -1, dtype=np.int64),
            waiter_first=_first(waited, count),
            waiters=waiter[np.argsort(waited, kind="stable")].astype(np.int64),
            row_first=_first(packets.node, count),
            rows=np.argsort(packets.node, kind="stable").astype(np.int64),
            work=np.zeros(count, dtype=np.int64),
            seen=np.zeros(1, dtype=np.int64),
        )
        for node in np.flatnonzero(self.nodes.waits == 0):
            if node_release(self.packets, self.nodes, node, 0):
                node_end(self.packets, self.nodes, node, 0)

    def advance(self, sinks: Sinks, cycle: int) -> None:
        """Call after ``sinks.taken(cycle, ...)``; what it releases starts in the next cycle."""
        state = sinks.state
        if self.nodes.seen[0] < state.finishes[0]:
            program_advance(self.packets, self.nodes, state.finished, state.finishes, cycle)

    @property
    def done(self) -> bool:
        """Everything has been delivered."""
        return bool(self.nodes.end[-1] >= 0)

    def results(self) -> list[dict[str, Any]]:
        """One record per collective, in order.

        Keys: name, operation, algorithm, bytes, packets; start, end (first and last cycle; None if
        not reached), cycles; algorithm_bytes_per_cycle, bus_bytes_per_cycle (None if not complete);
        algorithm_gbps, bus_gbps (Gbit/s; None also without a clock).
        """
        records = []
        for collective, first, barrier in self.measured:
            start, end = int(self.nodes.start[first]), int(self.nodes.end[barrier])
            rows = self.nodes.row_first[barrier] - self.nodes.row_first[first]
            record: dict[str, Any] = {
                "name": collective.name,
                "operation": collective.operation,
                "algorithm": collective.algorithm,
                "bytes": collective.bytes,
                "packets": int(rows),
                "start": start if start >= 0 else None,
                "end": end if end >= 0 else None,
                "cycles": end - start + 1 if end >= 0 else None,
            }
            factors = {"algorithm": 1.0, "bus": collective.bus_factor(self.workload.ranks)}
            for kind, factor in factors.items():
                rate = factor * collective.bytes / record["cycles"] if end >= 0 else None
                clock = self.config.clock_mhz
                record[f"{kind}_bytes_per_cycle"] = rate
                record[f"{kind}_gbps"] = rate * 8e-3 * clock if rate and clock else None
            records.append(record)
        return records


def _first(keys: Ints, count: int) -> Ints:
    return np.concatenate(([0], np.cumsum(np.bincount(keys, minlength=count)))).astype(np.int64)


class _Plan:
    """Collects nodes, and the bytes that they send."""

    def __init__(self, ranks: int):
        self.ranks = ranks
        self.waits: list[list[int]] = []  # of each node
        self.sends: list[tuple[int, ...]] = []  # node, source, destination, bytes, class, stage
        self.stage = 0  # a source sends all of a stage before the next

    def node(self, waits: list[int]) -> int:
        self.waits.append(waits)
        return len(self.waits) - 1

    def direct(self, sizes: Ints, traffic_class: int, before: list[list[int]]) -> list[list[int]]:
        """Rank r waits for ``before[r]``, then sends ``sizes[r, d]`` bytes to each other rank d.

        Returns the nodes that end at each rank.
        """
        after: list[list[int]] = [[] for _ in range(self.ranks)]
        for rank, target in zip(*np.nonzero(sizes), strict=True):
            if rank != target:
                node = self.node(before[rank])
                size = int(sizes[rank, target])
                self.sends.append((node, rank, target, size, traffic_class, self.stage))
                after[target].append(node)
        self.stage += 1
        return after

    def ring(self, parts: Ints, rounds: int, traffic_class: int, before: list[list[int]]) -> None:
        """``rounds`` times around: in step k rank r passes chunk r - k on to rank r + 1."""
        ranks = np.arange(self.ranks)
        for step in range(rounds * (self.ranks - 1)):
            sizes = np.zeros((self.ranks, self.ranks), dtype=np.int64)
            sizes[ranks, (ranks + 1) % self.ranks] = parts[(ranks - step) % self.ranks]
            before = self.direct(sizes, traffic_class, before)

    def packets(self, config: SwitchConfig, packet_bytes: int) -> Packets:
        """The table: sends of one stage in turn, packet by packet, next rank first."""
        node, source, destination, size, traffic_class, stage = np.array(self.sends).T
        count = -(-size // packet_bytes)
        send = np.repeat(np.arange(size.size), count)
        place = np.arange(send.size) - np.repeat(np.cumsum(count) - count, count)
        turn = (destination - source)[send] % self.ranks
        order = np.lexsort((turn, place, stage[send], source[send]))
        send, place = send[order], place[order]
        payload = np.minimum(packet_bytes, size[send] - place * packet_bytes)
        return packets(
            config,
            cycle=NEVER,
            source=source[send],
            destination=destination[send],
            traffic_class=np.minimum(traffic_class[send], config.classes - 1),
            length=np.maximum(payload + OVERHEAD_BYTES, config.min_packet_bytes),
            node=node[send],
        )


def expand(
    config: SwitchConfig, workload: Workload, *, scale: float = 1, packet_bytes: int = 256
) -> Program:
    """The packets of ``workload`` on ``config``, ready to run.

    Parameters
    ----------
    scale : float
        Divides the sizes: the bytes of a tensor, or the tokens of a rank.
    packet_bytes : int
        Payload of a packet; header and sequence number add 16. The last packet of a chunk is
        shorter, but not below ``min_packet_bytes``.

    Raises
    ------
    ValueError
        If the workload has more ranks than the switch ports, or a number does not fit.
    """
    ranks = workload.ranks
    if ranks > config.ports:
        raise ValueError(
            f"workload {workload.name} has {ranks} ranks and needs as many ports; "
            f"{config.name} has {config.ports}"
        )
    if scale <= 0:
        raise ValueError(f"scale must be above 0, not {scale}")
    largest = config.max_packet_bytes - OVERHEAD_BYTES
    if not 1 <= packet_bytes <= largest:
        raise ValueError(
            f"packet_bytes must be 1 to {largest} (max_packet_bytes of {config.name} less "
            f"{OVERHEAD_BYTES}), not {packet_bytes}"
        )
    plan = _Plan(ranks)
    measured, before = [], [[]] * ranks
    for collective in workload.collectives:
        first = len(plan.waits)
        routed = np.zeros((ranks, ranks), dtype=np.int64)
        size = max(ranks, ceil(collective.bytes / scale))
        if collective.operation in ROUTED:
            assert workload.routing is not None
            tokens = max(1, round(workload.tokens / scale))
            routed = workload.routing.tokens(ranks, tokens) * collective.token_bytes
            size = int(routed.sum()) // ranks
        parts = np.diff(size * np.arange(ranks + 1) // ranks)  # chunk of each rank
        traffic_class = collective.traffic_class
        match collective.operation, collective.algorithm:
            case "dispatch", _:
                plan.direct(routed, traffic_class, before)
            case "combine", _:
                plan.direct(routed.T, traffic_class, before)
            case "all-reduce", "ring":
                plan.ring(parts, 2, traffic_class, before)
            case _, "ring":
                plan.ring(parts, 1, traffic_class, before)
            case "all-gather", _:
                plan.direct(np.tile(parts, (ranks, 1)).T, traffic_class, before)
            case "reduce-scatter", _:
                plan.direct(np.tile(parts, (ranks, 1)), traffic_class, before)
            case "all-reduce", _:
                reduced = plan.direct(np.tile(parts, (ranks, 1)), traffic_class, before)
                plan.direct(np.tile(parts, (ranks, 1)).T, traffic_class, reduced)
        barrier = plan.node(list(range(first, len(plan.waits))))
        before = [[barrier]] * ranks
        measured.append((replace(collective, bytes=size), first, barrier))
    return Program(config, workload, measured, plan.packets(config, packet_bytes), plan.waits)
