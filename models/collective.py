"""What a workload consists of: collectives of groups of ranks, and times in which ranks compute.

These are plain descriptions. Readers in ``models/formats`` make them, ``models/plan.py`` knows who
sends what to whom, and ``models/workload.py`` makes packets of it.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "ALGORITHMS",
    "LARGEST",
    "ROUTED",
    "Collective",
    "Compute",
    "Routing",
    "Workload",
    "WorkloadError",
]

Ints = NDArray[np.int64]

ALGORITHMS = {  # operation: algorithms
    "all-gather": ("ring", "direct"),
    "reduce-scatter": ("ring", "direct"),
    "all-reduce": ("ring", "direct", "recursive-doubling", "tree"),
    "all-to-all": ("direct",),
    "broadcast": ("tree", "ring", "direct"),
    "send": ("chain", "ring"),
    "dispatch": ("direct",),
    "combine": ("direct",),
}
ROUTED = ("dispatch", "combine")
LARGEST = 1 << 40  # of any number in a file


class WorkloadError(ValueError):
    """A workload file that cannot be used; the message names the place, and what was expected."""


@dataclass(frozen=True, kw_only=True)
class Collective:
    """One collective operation.

    Parameters
    ----------
    name : str
        How results call it.
    operation, algorithm : str
        What it does, and how: as in ``ALGORITHMS``.
    bytes : int
        Size by which its bandwidth is stated, as in nccl-tests: the whole tensor, or for
        ``all-to-all``, ``dispatch`` and ``combine`` what a rank sends (on average), to itself too
        (0 for the latter two until the tokens are routed), and for ``send`` what goes to the next.
    token_bytes : int
        Bytes of one token (``dispatch`` and ``combine``), else 0.
    traffic_class : int
        Class of its packets.
    groups : tuple of tuple of int
        Ranks of each group, all of one size; the groups run at the same time. None given stands for
        one group of all ranks. The first of a group is the root of a ``broadcast``.
    after : tuple of int, or None
        Earlier steps of the workload that a rank has to complete, its own part of each, before it
        begins. None: all earlier steps are completed by all ranks.
    delay_ns : float
        It begins so much later; time in which nobody computes.
    """

    name: str
    operation: str
    algorithm: str
    bytes: int
    token_bytes: int = 0
    traffic_class: int = 1
    groups: tuple[tuple[int, ...], ...] = ()
    after: tuple[int, ...] | None = None
    delay_ns: float = 0

    def bus_factor(self, ranks: int) -> float:
        """Bus bandwidth over algorithm bandwidth in groups of ``ranks``, as in nccl-tests."""
        match self.operation:
            case "broadcast" | "send":
                return 1.0
            case "all-reduce":
                return 2 * (ranks - 1) / ranks
            case _:
                return (ranks - 1) / ranks


@dataclass(frozen=True, kw_only=True)
class Compute:
    """A time in which ranks compute.

    Parameters
    ----------
    name : str
        What they compute.
    nanoseconds : float
        How long each of them takes.
    ranks : tuple of int
        Who; none given stands for all.
    after : tuple of int, or None
        As in ``Collective``.
    """

    name: str
    nanoseconds: float
    ranks: tuple[int, ...] = ()
    after: tuple[int, ...] | None = None


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
    """What a workload file says.

    Parameters
    ----------
    ranks : int
        Ranks 0 to ``ranks - 1`` are the ports of the same numbers.
    steps : tuple of Collective or Compute
        In the order of the file; each waits only for earlier ones.
    tokens, routing : int, Routing or None
        Tokens of a rank, and where they go, if a step is a ``dispatch`` or ``combine``.
    notes : tuple of str
        What the reader has left out or assumed; one sentence each.
    """

    name: str
    description: str
    ranks: int
    model: str
    source: str
    steps: tuple[Collective | Compute, ...]
    tokens: int = 0
    routing: Routing | None = None
    notes: tuple[str, ...] = ()

    @property
    def computes(self) -> bool:
        """Some step of it takes a time in nanoseconds."""
        return any(
            step.nanoseconds if isinstance(step, Compute) else step.delay_ns for step in self.steps
        )
