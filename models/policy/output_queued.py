"""The ideal: every cell is at its output at once."""

from numba import njit

from models.cell_mode import Compiled

__all__ = ["OutputQueued"]


class OutputQueued(Compiled):
    """Each output serves the oldest cell for it, wherever it came in; equal ones, lowest input.

    No input is a bottleneck: it takes a fabric and memories ``ports`` times as fast as a line. No
    switch waits less, because an output is idle only when there is no cell for it.

    Source: Karol, Hluchyj and Morgan, "Input versus output queueing on a space-division packet
    switch", IEEE Transactions on Communications 35(12), 1987; ``models.ideal.uniform_wait`` is its
    formula.
    """

    def __init__(self, ports: int):
        self.ports, self.state = ports, ()
        self.rule = oldest


@njit(cache=True)
def oldest(queues, state, input_of):
    """Fill ``input_of``."""
    waiting, head = queues.waiting, queues.head
    ports = input_of.size
    input_of[:] = -1
    for n in range(ports):
        for output in range(ports):
            served = input_of[output]
            if waiting[n, output] and (served < 0 or head[n, output] < head[served, output]):
                input_of[output] = n
