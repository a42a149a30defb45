"""Parallel groups: which ranks hold shards of one tensor, replicas of one model, stages of one."""

from dataclasses import dataclass

__all__ = ["KINDS", "Parallel"]

Groups = tuple[tuple[int, ...], ...]

KINDS = ("tp", "ep", "dp", "pp", "dp_ep", "ep_tp", "all")


@dataclass(frozen=True, kw_only=True)
class Parallel:
    """Sizes of the kinds of parallelism, and the ranks of their groups.

    Rank ``t + tp * (d + dp * p)`` is tensor shard t of replica d in pipeline stage p, and the
    experts of a layer lie on ``ep`` replicas in a row: tensor-parallel ranks are neighbours, then
    expert-parallel ones, then replicas, then stages. Source: the order ``tp-ep-dp-pp`` of
    Megatron-LM and AICB.

    Parameters
    ----------
    tp, ep, dp, pp : int
        Ranks of a tensor-, expert-, data- and pipeline-parallel group; ``ep`` divides ``dp``.
    """

    tp: int = 1
    ep: int = 1
    dp: int = 1
    pp: int = 1

    def __post_init__(self) -> None:
        if self.dp % self.ep:
            raise ValueError(f"ep must divide dp = {self.dp}, not {self.ep}")

    @property
    def ranks(self) -> int:
        """All ranks."""
        return self.tp * self.dp * self.pp

    def stage(self, stage: int) -> tuple[int, ...]:
        """Ranks of one pipeline stage."""
        size = self.tp * self.dp
        return tuple(range(stage * size, (stage + 1) * size))

    def groups(self, kind: str, stage: int | None = None) -> Groups:
        """All groups of a kind in KINDS, of one stage only if it is given; none if they have a
        single rank.

        ``dp_ep`` are the ranks that hold the same experts, ``ep_tp`` those of an expert-parallel
        group with all their shards.
        """
        same: dict[tuple[int, ...], list[int]] = {}
        for rank in range(self.ranks):
            t, d, p = rank % self.tp, rank // self.tp % self.dp, rank // (self.tp * self.dp)
            if stage not in (None, p):
                continue
            keys = {
                "tp": (d, p),
                "ep": (t, d // self.ep, p),
                "dp": (t, p),
                "pp": (t, d),
                "dp_ep": (t, d % self.ep, p),
                "ep_tp": (d // self.ep, p),
                "all": (),
            }
            same.setdefault(keys[kind], []).append(rank)
        return tuple(tuple(ranks) for ranks in same.values() if len(ranks) > 1)
