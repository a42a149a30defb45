"""iSLIP: round-robin pointers that fall into step."""

import numpy as np
from numba import njit

from models.cell_mode import Compiled, around

__all__ = ["Islip"]


class Islip(Compiled):
    """Match by request, grant and accept, ``iterations`` times.

    Each free output grants the first request from its pointer on; each free input accepts the first
    grant from its pointer on. Both pointers move one beyond the partner, but only for a grant that
    is accepted in the first iteration: so outputs come to point at different inputs, and no queue
    starves. A matching of ``iterations`` rounds has at least so many pairs, and is maximal when a
    round adds none.

    Source: McKeown, "The iSLIP scheduling algorithm for input-queued switches", IEEE/ACM
    Transactions on Networking 7(2), 1999.
    """

    def __init__(self, ports: int, *, iterations: int = 4):
        self.ports, self.iterations = ports, iterations
        self.grant_pointer = np.zeros(ports, np.int64)  # of each output, an input
        self.accept_pointer = np.zeros(ports, np.int64)  # of each input, an output
        self.state = self.grant_pointer, self.accept_pointer, iterations
        self.rule = islip


@njit(cache=True)
def islip(queues, state, input_of):
    """Fill ``input_of`` and move the pointers."""
    waiting = queues.waiting
    grant_pointer, accept_pointer, iterations = state
    ports = input_of.size
    output_of = np.full(ports, -1)
    granted = np.empty(ports, np.int64)  # per output
    input_of[:] = -1
    for iteration in range(iterations):
        granted[:] = -1
        for output in range(ports):
            if input_of[output] < 0:
                for step in range(ports):
                    n = around(grant_pointer[output], step, ports)
                    if output_of[n] < 0 and waiting[n, output]:
                        granted[output] = n
                        break
        added = False
        for n in range(ports):
            if output_of[n] < 0:
                for step in range(ports):
                    output = around(accept_pointer[n], step, ports)
                    if granted[output] == n:
                        output_of[n] = output
                        input_of[output] = n
                        added = True
                        if iteration == 0:
                            grant_pointer[output] = (n + 1) % ports
                            accept_pointer[n] = (output + 1) % ports
                        break
        if not added:  # maximal: no further round can add a pair
            break
