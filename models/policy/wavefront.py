"""Wavefront: a maximal matching, diagonal by diagonal."""

import numpy as np
from numba import njit

from models.cell_mode import Compiled, around

__all__ = ["Wavefront"]


class Wavefront(Compiled):
    """Visit the request matrix diagonal by diagonal; take each request of two free ports.

    The cells of one diagonal share no port, so hardware decides a diagonal at once. The diagonal
    that comes first moves on by one in every slot, so that each queue is first in one of ``ports``.

    Source: Tamir and Chi, "Symmetric crossbar arbiters for VLSI communication switches", IEEE
    Transactions on Parallel and Distributed Systems 4(1), 1993: the wrapped wave front arbiter.
    """

    def __init__(self, ports: int):
        self.ports = ports
        self.first = np.zeros(1, np.int64)  # diagonal: output - input, modulo ports
        self.state = (self.first,)
        self.rule = wavefront


@njit(cache=True)
def wavefront(queues, state, input_of):
    """Fill ``input_of``, beginning with the first diagonal, and move that on."""
    waiting, (first,) = queues.waiting, state
    ports = input_of.size
    taken = np.zeros(ports, np.bool_)  # inputs
    input_of[:] = -1
    for step in range(ports):
        for n in range(ports):
            output = around(around(n, first[0], ports), step, ports)
            if waiting[n, output] and input_of[output] < 0 and not taken[n]:
                input_of[output] = n
                taken[n] = True
    first[0] = (first[0] + 1) % ports
