"""Golden model of rtl.arbiter."""

from collections import namedtuple

from models.compiled import compiled
from models.record import allocate

__all__ = ["ArbiterInputs", "ArbiterModel", "ArbiterOutputs", "ArbiterState"]

ArbiterInputs = namedtuple("ArbiterInputs", "request advance")
ArbiterOutputs = namedtuple("ArbiterOutputs", "grant")
ArbiterState = namedtuple("ArbiterState", "head")


@compiled
def arbiter_clock(ports, state, inputs, outputs, n):
    """Grant of this cycle, then the clock edge, of instance ``n``."""
    winner = -1
    for k in range(ports):
        requester = (state.head[n] + k) % ports
        if inputs.request[n, requester >> 6] >> (requester & 63) & 1:
            winner = requester
            break
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
