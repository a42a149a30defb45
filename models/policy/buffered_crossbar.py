"""A crossbar with a small buffer at every crosspoint: inputs and outputs decide on their own."""

import numpy as np
from numba import njit

from models.cell_mode import Compiled, around
from models.policy.longest_queue import length_class

__all__ = ["BufferedCrossbar"]


class BufferedCrossbar(Compiled):
    """Fill crosspoints of outputs that have few cells at hand; empty them longest queue first.

    In each slot every input sends one cell to a crosspoint with room: to the output that has the
    fewest cells in its crosspoints, so that no output runs dry. Then every output takes a cell from
    one of its crosspoints: of the longest queue, waiting cells included, told in ``classes`` as by
    ``LongestQueue``. Equal ones come in the order of a pointer, which moves one beyond the choice.
    An input or an output sees only its own row or column and one count per output; there is no
    matching to agree on, so nothing is iterated. A cell can pass input and crosspoint in one slot.

    It is not bound by ``MaximumWeight``: outputs can take from one input at the same time.

    Source: Mhamdi and Hamdi, "MCBF: a high-performance scheduling algorithm for buffered crossbar
    switches", IEEE Communications Letters 7(9), 2003, for the choice of the inputs; that of the
    outputs is a decision.

    Parameters
    ----------
    room : int
        Cells that a crosspoint holds.
    """

    def __init__(self, ports: int, *, room: int = 1, classes: int = 8):
        self.ports, self.room, self.classes = ports, room, classes
        self.buffered = np.zeros((ports, ports), np.int64)  # cells in each crosspoint
        self.input_pointer = np.zeros(ports, np.int64)  # of each input, an output
        self.output_pointer = np.zeros(ports, np.int64)  # of each output, an input
        self.state = self.buffered, self.input_pointer, self.output_pointer, room, classes
        self.rule = buffered_crossbar


@njit(cache=True)
def buffered_crossbar(queues, state, input_of):
    """Fill crosspoints, then ``input_of``."""
    buffered, input_pointer, output_pointer, room, classes = state
    fill(queues.waiting, buffered, room, input_pointer)
    drain(queues.waiting, buffered, classes, output_pointer, input_of)


@njit(cache=True)
def fill(waiting, buffered, room, pointer):
    """Move a cell of each input to a crosspoint; ``waiting`` counts those in crosspoints too."""
    ports = pointer.size
    at_hand = np.zeros(ports, np.int64)  # cells in the crosspoints of each output, before this slot
    for n in range(ports):
        for output in range(ports):
            at_hand[output] += buffered[n, output]
    for n in range(ports):
        chosen = -1
        for step in range(ports):
            output = around(pointer[n], step, ports)
            held = buffered[n, output]
            if (
                held < room
                and held < waiting[n, output]
                and (chosen < 0 or at_hand[output] < at_hand[chosen])
            ):
                chosen = output
        if chosen >= 0:
            buffered[n, chosen] += 1
            pointer[n] = (chosen + 1) % ports


@njit(cache=True)
def drain(waiting, buffered, classes, pointer, input_of):
    """Take a cell for each output out of a crosspoint."""
    ports = pointer.size
    input_of[:] = -1
    for output in range(ports):
        most = 0
        for step in range(ports):
            n = around(pointer[output], step, ports)
            if buffered[n, output]:
                urgency = length_class(waiting[n, output], classes)
                if urgency > most:
                    input_of[output] = n
                    most = urgency
        n = input_of[output]
        if n >= 0:
            buffered[n, output] -= 1
            pointer[output] = (n + 1) % ports
