"""Golden model of rtl.arbiter."""

from collections import namedtuple

import numpy as np

from models.compiled import compiled
from models.record import allocate

__all__ = ["ArbiterInputs", "ArbiterModel", "ArbiterOutputs", "ArbiterState", "arbiter_pick"]

ArbiterInputs = namedtuple("ArbiterInputs", "request advance")
ArbiterOutputs = namedtuple("ArbiterOutputs", "grant")
ArbiterState = namedtuple("ArbiterState", "head")


@compiled
def arbiter_pick(requests, head):
    """First index from ``head`` on, in circular order, whose entry in ``requests`` is not zero.

    ``requests`` has one integer for each requester. Returns -1 if all are zero. After a grant that
    is used, the next head is ``(index + 1) % len(requests)``.
    """
    ports = len(requests)
    for k in range(ports):
        n = (head + k) % ports
        if requests[n]:
            return n
    return -1


@compiled
def arbiter_clock(ports, state, inputs, outputs, n):
    """Grant of this cycle, then the clock edge, of instance ``n``."""
    requests = np.zeros(ports, np.int64)
    for k in range(ports):
        requests[k] = inputs.request[n, k >> 6] >> (k & 63) & 1
    winner = arbiter_pick(requests, state.head[n])
    outputs.grant[n] = 0
    if winner >= 0:
        outputs.grant[n, winner >> 6] = 1 << (winner & 63)
        if inputs.advance[n]:
            state.head[n] = (winner + 1) % ports


class ArbiterModel:
    """Serve requesters in circular order, starting after the last winner that was used.

    Parameters
    ----------
    ports : int
        Number of requesters.
    """

    def __init__(self, ports: int):
        words = -(-ports // 64)
        self.ports = ports
        self.inputs = allocate(ArbiterInputs, {"request": (1, words), "advance": (1,)})
        self.outputs = allocate(ArbiterOutputs, {"grant": (1, words)})
        self.state = allocate(ArbiterState, {"head": (1,)})
        self.reset()

    def reset(self) -> None:
        """The state after reset: requester 0 comes first."""
        self.state.head[:] = 0

    def step(self) -> None:
        """Outputs of this cycle, then the clock edge."""
        arbiter_clock(self.ports, self.state, self.inputs, self.outputs, 0)
