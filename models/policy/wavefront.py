"""Wavefront: a maximal matching, diagonal by diagonal."""

import numpy as np
from numba import njit

from models.cell_mode import Ints, Queues

__all__ = ["Wavefront"]


class Wavefront:
    """Visit the request matrix diagonal by diagonal; take each request of two free ports.

    The cells of one diagonal share no port, so hardware decides a diagonal at once. The diagonal
    that comes first moves on by one in every slot, so that each queue is first in one of ``ports``.

    Source: Tamir and Chi, "Symmetric crossbar arbiters for VLSI communication switches", IEEE
    Transactions on Parallel and Distributed Systems 4(1), 1993: the wrapped wave front arbiter.
    """

    def __init__(self, ports: int):
        self.ports = ports
        self.first = 0  # diagonal: output - input, modulo ports

    def match(self, queues: Queues, input_of: Ints) -> None:
        """The input of each output in this slot."""
        wavefront(queues.waiting, self.first, input_of)
        self.first = (self.first + 1) % self.ports


@njit(cache=True)
def wavefront(waiting, first, input_of):
    """Fill ``input_of``, beginning with the diagonal ``first``."""
    ports = input_of.size
    taken = np.zeros(ports, np.bool_)  # inputs
    input_of[:] = -1
    for step in range(ports):
        for n in range(ports):
            output = (n + first + step) % ports
            if waiting[n, output] and input_of[output] < 0 and not taken[n]:
                input_of[output] = n
                taken[n] = True
