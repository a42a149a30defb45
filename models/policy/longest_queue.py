"""Longest queue first, with lengths told in a few classes."""

import numpy as np
from numba import njit

from models.cell_mode import Compiled, around

__all__ = ["LongestQueue"]


class LongestQueue(Compiled):
    """Match as ``Islip`` does, but longer queues come first in each grant and each accept.

    A length is told as its number of bits, at most ``classes``: 1, 2 to 3, 4 to 7 cells and so on;
    with eight classes a request is three wires and a valid. Equal ones come in the order of the
    pointers, which move as those of iSLIP.

    Source: McKeown, "Scheduling algorithms for input-queued cell switches", dissertation,
    University of California at Berkeley, 1995 (iLQF); the classes are a decision.
    """

    def __init__(self, ports: int, *, iterations: int = 4, classes: int = 8):
        self.ports, self.iterations, self.classes = ports, iterations, classes
        self.grant_pointer = np.zeros(ports, np.int64)  # of each output, an input
        self.accept_pointer = np.zeros(ports, np.int64)  # of each input, an output
        self.state = self.grant_pointer, self.accept_pointer, iterations, classes
        self.rule = longest_queue


@njit(cache=True)
def length_class(cells, classes):
    """Bits of the number ``cells``, at most ``classes``."""
    bits = 0
    while cells and bits < classes:
        cells >>= 1
        bits += 1
    return bits


@njit(cache=True)
def longest_queue(queues, state, input_of):
    """Fill ``input_of`` and move the pointers."""
    waiting = queues.waiting
    grant_pointer, accept_pointer, iterations, classes = state
    ports = input_of.size
    urgency = np.empty((ports, ports), np.int64)
    for n in range(ports):
        for output in range(ports):
            urgency[n, output] = length_class(waiting[n, output], classes)
    output_of = np.full(ports, -1)
    granted = np.empty(ports, np.int64)  # per output
    input_of[:] = -1
    for iteration in range(iterations):
        granted[:] = -1
        for output in range(ports):
            if input_of[output] < 0:
                most = 0
                for step in range(ports):
                    n = around(grant_pointer[output], step, ports)
                    if output_of[n] < 0 and urgency[n, output] > most:
                        granted[output] = n
                        most = urgency[n, output]
        added = False
        for n in range(ports):
            if output_of[n] < 0:
                most = 0
                chosen = -1
                for step in range(ports):
                    output = around(accept_pointer[n], step, ports)
                    if granted[output] == n and urgency[n, output] > most:
                        chosen = output
                        most = urgency[n, output]
                if chosen >= 0:
                    output_of[n] = chosen
                    input_of[chosen] = n
                    added = True
                    if iteration == 0:
                        grant_pointer[chosen] = (n + 1) % ports
                        accept_pointer[n] = (chosen + 1) % ports
        if not added:  # maximal: no further round can add a pair
            break
