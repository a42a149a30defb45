"""What a random case must have met before it counts as a test."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

__all__ = ["Coverage"]


class Coverage(Counter):
    """Count events, and let a case run until it has met all that it must.

    A random case of fixed length misses a rare event with some seeds, and a lower bar for its sake
    would let a bench pass that tests nothing; so the length gives way, not the bar.

    Parameters
    ----------
    goals : mapping or iterable
        Times that each event must be seen; a bare list means once.
    """

    PATIENCE = 20  # times as long as asked for, at most

    def __init__(self, goals: Mapping | Iterable):
        super().__init__()
        self.goals = dict(goals) if isinstance(goals, Mapping) else dict.fromkeys(goals, 1)

    @property
    def missing(self) -> dict:
        """Goals not met, with the times they were seen."""
        return {event: self[event] for event, times in self.goals.items() if self[event] < times}

    def steps(self, least: int) -> Iterator[int]:
        """Count ``least`` steps, and on until every goal is met.

        Raises
        ------
        AssertionError
            If 20 times as many steps do not meet them.
        """
        for step in range(self.PATIENCE * least):
            if step >= least and not self.missing:
                break
            yield step
        assert not self.missing, f"not met within {self.PATIENCE * least} steps: {self.missing}"
