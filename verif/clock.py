"""Clocks of their own for a design of several clock domains, edge by edge."""

from collections.abc import Callable

import numpy as np
from cocotb.triggers import Timer

__all__ = ["Clock"]


def nothing() -> None:
    """What happens at an edge, if nothing does."""


class Clock:
    """A clock with a period of its own, a phase and jitter.

    Outputs of its domain are read by ``rises``, right before the rising edge, as a flip-flop sees
    them; inputs are changed by ``falls``, at the falling edge.

    Parameters
    ----------
    handle
        cocotb's handle of the clock; None for that of a model.
    period : int
        Simulation steps from edge to edge of one kind, in the mean. It may be changed at any time.
    rng : numpy.random.Generator
        Of the phase, and of the jitter.
    jitter : float
        Part of a period by which each edge may be early or late, less than 0.25.
    rises, falls : callables
        Called at the edges.

    Attributes
    ----------
    stopped : bool
        It stands still, low, while this is true, and goes on as if it never had.
    now : int
        Steps at which the last edge was, since it began.
    """

    def __init__(
        self,
        handle,
        period: int,
        rng: np.random.Generator,
        *,
        jitter: float = 0.0,
        rises: Callable[[], None] = nothing,
        falls: Callable[[], None] = nothing,
    ):
        self.handle, self.period, self.rng, self.jitter = handle, period, rng, jitter
        self.rises, self.falls, self.stopped = rises, falls, False
        self.now = 0

    async def run(self) -> None:
        """Tick for ever."""
        due = int(self.rng.integers(1, self.period))
        while True:
            await self.wait(due)
            stands = self.stopped
            if not stands:
                self.rises()
                self.drive(1)
            await self.wait(due + self.period // 2)
            if not stands:
                self.falls()
                self.drive(0)
            due += self.period

    def drive(self, level: int) -> None:
        """The clock is high or low from now on."""
        if self.handle is not None:
            self.handle.value = level

    async def wait(self, due: int) -> None:
        """Until about this step."""
        late = round(self.jitter * self.period * self.rng.uniform(-1, 1))
        at = max(self.now + 1, due + late)
        await Timer(at - self.now, unit="step")
        self.now = at
