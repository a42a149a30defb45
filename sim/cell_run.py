"""A trial in cell mode: any scheduler of ``models.policy``, cells instead of packets.

With a speedup the fabric has more slots than the lines: a cell comes at the end of its time on the
line, and waits for that of its output behind the fabric.
"""

from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.cell_mode import arrivals, departures
from models.ideal import Ideal, serve
from models.policy import policy
from models.traffic import SCALE, Line
from models.trial import Trial

__all__ = ["CellRun", "Cells"]

Ints = NDArray[np.int64]


class Cells(NamedTuple):
    """One row per cell, in the order of arrival: what a point of a sweep asks of ``Packets``.

    ``injected`` is ``cycle``, because every cell is taken at once, and ``departed`` is
    ``completed``: the slot in which the line took it, or -1. ``flits`` are 1.
    """

    cycle: Ints
    source: Ints
    destination: Ints
    flits: Ints
    injected: Ints
    departed: Ints
    completed: Ints


class CellRun:
    """As ``Run``, for a trial with a policy: a cycle is a slot of the fabric, a flit is a cell.

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
        gain = int(trial.rate * SCALE)
        self.line = Line(gain=gain, surplus=0, flit_cost=SCALE, byte_cost=0, frame_cost=0)
        sent = arrivals(
            ports,
            pattern=trial.pattern,
            load=trial.load,
            slots=trial.cycles * gain // SCALE,
            burst=trial.burst,
            seed=trial.seed,
        )
        # After it nothing comes, and what is inside can leave.
        self.table = np.full((trial.cycles + trial.drain, ports), -1, sent.dtype)
        self.table[np.arange(sent.shape[0]) * SCALE // gain] = sent
        self.policy = policy(trial.policy, ports, trial.config.iterations)

    def advance(self) -> int:
        """Run to the end; return how many slots."""
        cycle, source = np.nonzero(self.table >= 0)
        destination = self.table[cycle, source].astype(np.int64)
        crossed = departures(self.policy, self.table)[cycle, source].astype(np.int64)
        order = np.argsort(crossed, kind="stable")[np.count_nonzero(crossed < 0) :]
        left = self.served(crossed, destination, order)
        completed = np.where((crossed < 0) | (left >= self.table.shape[0]), -1, left)
        self.packets = Cells(
            cycle=cycle,
            source=source,
            destination=destination,
            flits=np.ones(cycle.size, np.int64),
            injected=cycle,
            departed=completed,
            completed=completed,
        )
        self.cycle = self.table.shape[0]
        return self.cycle

    def served(self, arrival: Ints, output: Ints, order: Ints) -> Ints:
        """Slot in which the line of its output takes each cell, those for it in ``order``."""
        row = np.arange(arrival.size + 1)
        ports = self.trial.config.ports
        return serve(
            self.line, 1, ports, np.ones(arrival.size, np.int64), row, arrival, output, order
        )

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
        cells = self.packets
        left = self.served(cells.cycle, cells.destination, np.arange(cells.cycle.size))
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
