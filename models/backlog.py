"""Golden model of rtl.backlog: which packets of an ingress wait to be matched.

Each queue is a plain list of packet lengths; what it shows is counted from its head.
"""

from collections import namedtuple

from models.compiled import compiled
from models.config import SwitchConfig
from models.parameters import parameters
from models.record import allocate

__all__ = [
    "BacklogInputs",
    "BacklogModel",
    "BacklogOutputs",
    "BacklogState",
    "backlog_clock",
    "backlog_outputs",
    "backlog_state",
]

BacklogInputs = namedtuple(
    "BacklogInputs",
    "announce_valid announce_queue announce_length announce_partial complete claim_valid "
    "claim_queue",
)
BacklogOutputs = namedtuple("BacklogOutputs", "singles longs partial length")
BacklogState = namedtuple(
    "BacklogState",
    "lengths head count hidden_queue singles length partial arriving",
)


def backlog_state(config: SwitchConfig, instances: int) -> BacklogState:
    """Empty lists; ``singles``, ``length`` and ``partial`` are what each queue shows."""
    q = config.queues
    state = allocate(
        BacklogState,
        {
            "lengths": (instances, q, config.limit + 1),  # ring; a packet has at least one flit
            "head": (instances, q),
            "count": (instances, q),
            "hidden_queue": (instances,),  # shows nothing in this cycle, or -1
            "singles": (instances, q),
            "length": (instances, q),
            "partial": (instances, q),
            "arriving": (instances,),  # queue whose last packet is partial, or -1
        },
    )
    state.hidden_queue[:] = -1
    state.arriving[:] = -1
    return state


@compiled
def refresh(p, s, n, queue):
    """Count what ``queue`` shows."""
    ring = s.lengths.shape[2]
    s.singles[n, queue] = 0
    s.length[n, queue] = 0
    s.partial[n, queue] = 0
    if s.count[n, queue] == 0 or s.hidden_queue[n] == queue:
        return
    head = s.head[n, queue]
    s.length[n, queue] = s.lengths[n, queue, head]
    if s.length[n, queue] == 1:
        for k in range(min(p.iterations, s.count[n, queue])):
            if s.lengths[n, queue, (head + k) % ring] != 1:
                break
            s.singles[n, queue] += 1
    elif s.count[n, queue] == 1 and s.arriving[n] == queue:
        s.partial[n, queue] = 1


@compiled
def backlog_outputs(p, s, outputs, n):
    """Bit vectors of what the queues show."""
    outputs.singles[n] = 0
    outputs.longs[n] = 0
    outputs.partial[n] = 0
    for queue in range(p.queues):
        word, bit = queue >> 6, queue & 63
        for k in range(s.singles[n, queue]):
            outputs.singles[n, k, word] |= 1 << bit
        outputs.longs[n, word] |= (s.length[n, queue] > 1) << bit
        outputs.partial[n, word] |= s.partial[n, queue] << bit
        outputs.length[n, queue] = s.length[n, queue]


@compiled
def backlog_clock(p, s, n, announced, queue, length, partial, complete, claim_valid, claim_queue):
    """Claims leave at the head, an announced packet joins at the end; then the clock edge."""
    ring = s.lengths.shape[2]
    uncovered = s.hidden_queue[n]
    s.hidden_queue[n] = -1
    for k in range(p.iterations):
        if claim_valid[k]:
            claimed = claim_queue[k]
            if s.length[n, claimed] > 1:
                s.hidden_queue[n] = claimed
            s.head[n, claimed] = (s.head[n, claimed] + 1) % ring
            s.count[n, claimed] -= 1
    finished = s.arriving[n]
    if complete:
        s.arriving[n] = -1
    if announced:
        s.lengths[n, queue, (s.head[n, queue] + s.count[n, queue]) % ring] = length
        s.count[n, queue] += 1
        if partial:
            s.arriving[n] = queue
        refresh(p, s, n, queue)
    if complete:
        refresh(p, s, n, finished)
    if uncovered >= 0:
        refresh(p, s, n, uncovered)
    for k in range(p.iterations):
        if claim_valid[k]:
            refresh(p, s, n, claim_queue[k])


class BacklogModel:
    """Packets that wait to be claimed; latency 1 cycle from announcement to showing."""

    def __init__(self, config: SwitchConfig, instances: int = 1):
        self.config, self.instances = config, instances
        self.p = parameters(config)
        k, q = config.iterations, config.queues
        vector = (q + 63) // 64
        announce = dict.fromkeys(BacklogInputs._fields[:5], (instances,))
        claim = dict.fromkeys(BacklogInputs._fields[5:], (instances, k))
        self.inputs = allocate(BacklogInputs, announce | claim)
        self.outputs = allocate(
            BacklogOutputs,
            {
                "singles": (instances, k, vector),
                "longs": (instances, vector),
                "partial": (instances, vector),
                "length": (instances, q),
            },
        )
        self.reset()

    def reset(self) -> None:
        """The state after reset."""
        self.state = backlog_state(self.config, self.instances)

    def step(self) -> BacklogOutputs:
        """Outputs of this cycle, then the clock edge."""
        i = self.inputs
        for n in range(self.instances):
            backlog_outputs(self.p, self.state, self.outputs, n)
            backlog_clock(
                self.p,
                self.state,
                n,
                i.announce_valid[n],
                i.announce_queue[n],
                i.announce_length[n],
                i.announce_partial[n],
                i.complete[n],
                i.claim_valid[n],
                i.claim_queue[n],
            )
        return self.outputs
