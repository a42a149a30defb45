"""A trial in cell mode: any scheduler of ``models.policy``, cells instead of packets."""

from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.cell_mode import arrivals, departures
from models.ideal import Ideal, serve
from models.policy import policy
from models.traffic import Line
from models.trial import Trial

__all__ = ["CellRun", "Cells"]

Ints = NDArray[np.int64]
CELL_A_SLOT = Line(gain=1, surplus=0, flit_cost=1, byte_cost=0, frame_cost=0)


class Cells(NamedTuple):
    """One row per cell, in the order of arrival: what a point of a sweep asks of ``Packets``.

    ``injected`` is ``cycle``, because every cell is taken at once, and ``departed`` is
    ``completed``: the slot in which it left, or -1. ``flits`` are 1.
    """

    cycle: Ints
    source: Ints
    destination: Ints
    flits: Ints
    injected: Ints
    departed: Ints
    completed: Ints


class CellRun:
    """As ``Run``, for a trial with a policy: a cycle is a slot, a flit is a cell.

    Attributes
    ----------
    packets : Cells
        What was sent, when the run has ended.
    latency : int
        Slots through an idle switch.
    exchange : None
        There are none.
    """

    latency = 0
    exchange = None

    def __init__(self, trial: Trial):
        assert trial.policy is not None
        self.trial = trial
        self.cycle = 0
        ports = trial.config.ports
        sent = arrivals(
            ports,
            pattern=trial.pattern,
            load=trial.load,
            slots=trial.cycles,
            burst=trial.burst,
            seed=trial.seed,
        )
        # Then nothing comes, and what is inside can leave.
        self.table = np.pad(sent, ((0, trial.drain), (0, 0)), constant_values=-1)
        self.policy = policy(trial.policy, ports, trial.config.iterations)

    def advance(self) -> int:
        """Run to the end; return how many slots."""
        cycle, source = np.nonzero(self.table >= 0)
        completed = departures(self.policy, self.table)[cycle, source].astype(np.int64)
        self.packets = Cells(
            cycle=cycle,
            source=source,
            destination=self.table[cycle, source].astype(np.int64),
            flits=np.ones(cycle.size, np.int64),
            injected=cycle,
            departed=completed,
            completed=completed,
        )
        self.cycle = self.table.shape[0]
        return self.cycle

    @property
    def done(self) -> bool:
        """It has run."""
        return self.cycle > 0

    @property
    def delivered(self) -> int:
        """Cells that have left."""
        return int(np.count_nonzero(self.packets.completed >= 0))

    @cached_property
    def best(self) -> Ideal:
        """What the ideal switch makes of the same arrivals, whose order is that of its queues."""
        cells, ports = self.packets, self.trial.config.ports
        row = np.arange(cells.cycle.size + 1)
        left = serve(
            CELL_A_SLOT, 1, ports, cells.flits, row, cells.cycle, cells.destination, row[:-1]
        )
        return Ideal(injected=cells.cycle, departed=left, completed=left)

    def delays(self) -> NDArray[np.float64]:
        """Slots that each cell has waited."""
        return (self.packets.completed - self.packets.cycle).astype(float)

    def ideal_delays(self) -> NDArray[np.float64]:
        """Slots that each cell waits in the ideal switch."""
        return (self.best.completed - self.packets.cycle).astype(float)

    def faults(self) -> dict[str, int]:
        """None: a cell is a number, which nothing damages."""
        return {}
