"""Who sends what to whom, and after what: the algorithms of the collectives as a graph of nodes.

A *node* is one transfer from a rank to another, a time that passes, or a barrier that takes none.
It begins when all nodes that it waits for have ended. Adding up takes no time.

``ring``: one chunk per step from each rank to the next; a rank sends a chunk on when all of it has
arrived (Patarasuk and Yuan, "Bandwidth optimal all-reduce algorithms for clusters of workstations",
JPDC 69(2), 2009). A broadcast goes around the ring in ``PIECES`` pieces.
``direct``: everything at once, packets to the other ranks in turn. An all-reduce is a
reduce-scatter, then an all-gather that a rank begins when its part is complete.
``recursive-doubling``: in step k ranks whose numbers differ in bit k exchange all that they have.
Of a number that is not a power of two, the ranks too many first add to a neighbour and get the
result from it in the end (Thakur, Rabenseifner and Gropp, "Optimization of collective communication
operations in MPICH", IJHPCA 19(1), 2005).
``tree``: an all-reduce goes up and down two binary trees, half of the tensor in each and that in
``PIECES`` pieces; ranks inside one tree are leaves of the other (Sanders, Speck and Träff,
"Two-tree algorithms for full bandwidth broadcast, reduction and scan", Parallel Computing 35(12),
2009). A broadcast goes down a binomial tree, whole.
``chain``: each rank sends to the next, the last to nobody; as a ``ring`` it sends to the first.
"""

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.collective import ROUTED, Collective

__all__ = ["PIECES", "Plan", "Send", "Waits"]

Ints = NDArray[np.int64]
Waits = list[list[int]]  # of each rank of a group: nodes

PIECES = 8  # that a tree or a chain of forwarders works on at the same time


class Send(NamedTuple):
    """One transfer: ``size`` bytes from byte ``offset`` of the tensor, by the ranks' numbers.

    What is sent of these bytes is the result, if a node that it waits for has brought that to the
    source; otherwise the source's own and what such nodes have brought, added up. ``stage`` orders
    the sends of a source.
    """

    node: int
    source: int
    destination: int
    offset: int
    size: int
    traffic_class: int
    stage: int


def parent(position: int, ranks: int) -> int:
    """Parent in the binary tree of positions 1 to ``ranks`` in order; 0 at its root.

    Odd positions are leaves; position 8 has children 4 and 12, and so on.
    """
    bit = position & -position
    up = (position - bit) | 2 * bit
    return up if up <= ranks else position - bit


class Plan:
    """Collects nodes and sends.

    Members
    -------
    waits : list of list of int
        Nodes that each node waits for.
    times : dict
        Cycles that a node takes, for those that take some.
    sends : list of Send
        At most one per node.
    stage : int
        Of the next exchange.
    """

    def __init__(self) -> None:
        self.waits: list[list[int]] = []
        self.times: dict[int, int] = {}
        self.sends: list[Send] = []
        self.stage = 0

    def node(self, waits: list[int], cycles: int = 0) -> int:
        """Add a node without a transfer; return its number."""
        self.waits.append(waits)
        if cycles:
            self.times[len(self.waits) - 1] = cycles
        return len(self.waits) - 1

    def collective(
        self, step: Collective, group: tuple[int, ...], size: int, before: Waits, routed: Ints
    ) -> None:
        """Add the transfers of one group.

        Parameters
        ----------
        size : int
            Bytes of the tensor, ``len(group)`` or more.
        before : list of list of int
            Nodes that each rank of the group waits for.
        routed : array (len(group), len(group))
            Bytes between ranks, for ``dispatch`` and ``combine``.
        """
        ranks = len(group)
        if ranks == 1:
            return
        run = _Run(self, group, step.traffic_class, before)
        bounds = size * np.arange(ranks + 1) // ranks
        parts = [(int(low), int(high - low)) for low, high in pairwise(bounds)]
        pairs = [(n, k) for n in range(ranks) for k in range(ranks) if n != k]
        if step.operation in ROUTED:
            sizes = routed.T if step.operation == "combine" else routed
            run.exchange([(n, k, 0, int(sizes[n, k])) for n, k in pairs if sizes[n, k]], before)
            return
        match step.operation, step.algorithm:
            case "all-reduce", "ring":
                run.ring(parts, 2)
            case "broadcast", "ring":
                run.forward(size)
            case "send", _:
                last = ranks if step.algorithm == "ring" else ranks - 1
                run.exchange([(n, (n + 1) % ranks, 0, size) for n in range(last)], before)
            case _, "ring":
                run.ring(parts, 1)
            case "all-gather", _:
                run.exchange([(n, k, *parts[n]) for n, k in pairs], before)
            case "reduce-scatter" | "all-to-all", _:
                run.exchange([(n, k, *parts[k]) for n, k in pairs], before)
            case "all-reduce", "direct":
                reduced = run.exchange([(n, k, *parts[k]) for n, k in pairs], before)
                run.exchange([(n, k, *parts[n]) for n, k in pairs], reduced)
            case "all-reduce", "recursive-doubling":
                run.double(size)
            case "all-reduce", "tree":
                run.trees(size)
            case "broadcast", "direct":
                run.exchange([(0, k, 0, size) for k in range(1, ranks)], before)
            case "broadcast", "tree":
                run.binomial(size)
            case _:
                raise ValueError(f"{step.operation} cannot be {step.algorithm}")


class _Run:
    """One collective of one group; ranks are places in the group here."""

    def __init__(self, plan: Plan, group: tuple[int, ...], traffic_class: int, before: Waits):
        self.plan, self.group, self.traffic_class = plan, group, traffic_class
        self.before = before

    def send(self, waits: list[int], n: int, k: int, offset: int, size: int, stage: int) -> int:
        """Rank n waits for ``waits`` and for its beginning, then sends to k."""
        node = self.plan.node([*dict.fromkeys([*self.before[n], *waits])])
        source, destination = self.group[n], self.group[k]
        self.plan.sends.append(
            Send(node, source, destination, offset, size, self.traffic_class, stage)
        )
        return node

    def exchange(self, moves: list[tuple[int, int, int, int]], before: Waits) -> Waits:
        """Moves (from, to, offset, size) of one stage, each rank after its ``before``.

        Returns the nodes that end at each rank.
        """
        after: Waits = [[] for _ in self.group]
        for n, k, offset, size in moves:
            after[k].append(self.send(before[n], n, k, offset, size, self.plan.stage))
        self.plan.stage += 1
        return after

    def ring(self, parts: list[tuple[int, int]], rounds: int) -> None:
        """``rounds`` times around: in step k rank r passes chunk r - k on to rank r + 1."""
        ranks, arrived = len(self.group), self.before
        for step in range(rounds * (ranks - 1)):
            arrived = self.exchange(
                [(n, (n + 1) % ranks, *parts[(n - step) % ranks]) for n in range(ranks)], arrived
            )

    def forward(self, size: int) -> None:
        """Pieces from rank 0 to 1 to 2 ..., each sent on when it has arrived."""
        for offset, length in _pieces(0, size, min(PIECES, size)):
            arrived: list[int] = []
            for n in range(len(self.group) - 1):
                arrived = [self.send(arrived, n, n + 1, offset, length, self.plan.stage)]
                self.plan.stage += 1

    def binomial(self, size: int) -> None:
        """In round k the ranks below ``2**k`` send to those ``2**k`` above."""
        ranks, arrived = len(self.group), self.before
        reach = 1
        while reach < ranks:
            senders = range(min(reach, ranks - reach))
            after = self.exchange([(n, n + reach, 0, size) for n in senders], arrived)
            arrived = [old + new for old, new in zip(arrived, after, strict=True)]
            reach *= 2

    def double(self, size: int) -> None:
        """Exchange with the rank whose number differs in one bit, bit after bit."""
        ranks = len(self.group)
        power = 1 << ranks.bit_length() - 1
        extra = ranks - power
        # Of the first 2 * extra ranks the odd ones hand over to the even ones.
        core = [*range(0, 2 * extra, 2), *range(2 * extra, ranks)]
        arrived = self.exchange([(2 * n + 1, 2 * n, 0, size) for n in range(extra)], self.before)
        bit = 1
        while bit < power:
            moves = [(n, core[place ^ bit], 0, size) for place, n in enumerate(core)]
            after = self.exchange(moves, arrived)
            # What a rank sends holds all that came before, not only what came last.
            arrived = [old + new for old, new in zip(arrived, after, strict=True)]
            bit *= 2
        self.exchange([(2 * n, 2 * n + 1, 0, size) for n in range(extra)], arrived)

    def trees(self, size: int) -> None:
        """Up to the root and down again, in two trees."""
        ranks, half = len(self.group), size // 2
        count = min(PIECES, half)
        halves = _pieces(0, half, count), _pieces(half, size - half, count)
        for place, pieces in enumerate(zip(*halves, strict=True)):
            for tree, (offset, length) in enumerate(pieces):
                # No rank sends to another in both trees, so they may share their stages.
                up, down = self.plan.stage + 2 * place, self.plan.stage + 2 * place + 1
                order = self.positions(tree)
                arrived: Waits = [[] for _ in range(ranks)]
                climb = sorted(range(1, ranks + 1), key=lambda p: p & -p)
                for p in climb:  # children before parents
                    n, q = order[p], parent(p, ranks)
                    if q:
                        node = self.send(arrived[n], n, order[q], offset, length, up)
                        arrived[order[q]].append(node)
                for p in reversed(climb):
                    n, q = order[p], parent(p, ranks)
                    if q:
                        node = self.send(arrived[order[q]], order[q], n, offset, length, down)
                        arrived[n] = [node]
        self.plan.stage += 2 * PIECES

    def positions(self, tree: int) -> list[int]:
        """Rank at each position of a tree; the second is the first mirrored, or shifted by one.

        So that the leaves of one are inside the other: leaves are the odd positions.
        """
        ranks = len(self.group)
        if tree == 0:
            return [-1, *range(ranks)]
        if ranks % 2 == 0:
            return [-1, *reversed(range(ranks))]
        return [-1, *((p - 2) % ranks for p in range(1, ranks + 1))]


def _pieces(offset: int, size: int, count: int) -> list[tuple[int, int]]:
    """``count`` pieces (offset, size) of about the same size."""
    bounds = [offset + size * n // count for n in range(count + 1)]
    return [(low, high - low) for low, high in pairwise(bounds)]
