"""Golden model of rtl.backlog: how many flits of an ingress wait to be claimed.

One number per queue; the bit vectors that it shows are changed where a number changes.
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
    "announce_valid announce_queue announce_length announce_partial complete claim connects",
)
BacklogOutputs = namedtuple("BacklogOutputs", "one many taken_valid taken_flits taken_open")
BacklogState = namedtuple(
    "BacklogState", "ready one many taken_valid taken_flits taken_open arriving"
)


def backlog_state(config: SwitchConfig, instances: int) -> BacklogState:
    """Nothing waits."""
    q = config.queues
    vector = (q + 63) // 64
    state = allocate(
        BacklogState,
        {
            "ready": (instances, q),  # flits
            "one": (instances, vector),
            "many": (instances, vector),
            "taken_valid": (instances,),
            "taken_flits": (instances,),
            "taken_open": (instances,),
            "arriving": (instances,),  # queue whose last packet is partial, or -1
        },
    )
    state.arriving[:] = -1
    return state


@compiled
def backlog_show(s, n, queue):
    """Both bits of ``queue``."""
    word, bit = queue >> 6, queue & 63
    mask = 1 << bit
    ready = s.ready[n, queue]
    s.one[n, word] = (s.one[n, word] & ~mask) | ((ready >= 1) << bit)
    s.many[n, word] = (s.many[n, word] & ~mask) | ((ready >= 2) << bit)


@compiled
def backlog_outputs(p, s, outputs, n):
    """All outputs are registers."""
    for word in range(s.one.shape[1]):
        outputs.one[n, word] = s.one[n, word]
        outputs.many[n, word] = s.many[n, word]
    outputs.taken_valid[n] = s.taken_valid[n]
    outputs.taken_flits[n] = s.taken_flits[n]
    outputs.taken_open[n] = s.taken_open[n]


@compiled
def backlog_clock(p, s, n, announced, queue, length, partial, complete, claim, connection):
    """A packet joins; then the claims take what they may; then the clock edge.

    ``claim`` is the queue that each stage claims, or -1, ``connection`` whether the claim of
    stage 0 takes all.
    """
    if complete:
        s.arriving[n] = -1
    if announced:
        s.ready[n, queue] += length
        if partial:
            s.arriving[n] = queue
        backlog_show(s, n, queue)
    s.taken_valid[n] = 0
    for k in range(p.iterations):
        claimed = claim[k]
        if claimed < 0:
            continue
        if k == 0 and connection:
            s.taken_valid[n] = 1
            s.taken_flits[n] = s.ready[n, claimed]
            s.taken_open[n] = s.arriving[n] == claimed
            s.ready[n, claimed] = 0
        else:
            s.ready[n, claimed] -= 1
        backlog_show(s, n, claimed)


@compiled
def unpack_claims(p, inputs, n, claim):
    """The queue of each stage's one-hot vector, or -1."""
    for k in range(p.iterations):
        claim[k] = -1
        for queue in range(p.queues):
            if inputs.claim[n, k, queue >> 6] >> (queue & 63) & 1:
                claim[k] = queue


class BacklogModel:
    """Flits that wait to be claimed; latency 1 cycle from announcement to showing."""

    def __init__(self, config: SwitchConfig, instances: int = 1):
        self.config, self.instances = config, instances
        self.p = parameters(config)
        k, vector = config.iterations, (config.queues + 63) // 64
        self.inputs = allocate(
            BacklogInputs,
            dict.fromkeys(BacklogInputs._fields[:5], (instances,))
            | {"claim": (instances, k, vector), "connects": (instances,)},
        )
        self.outputs = allocate(
            BacklogOutputs,
            {"one": (instances, vector), "many": (instances, vector)}
            | dict.fromkeys(BacklogOutputs._fields[2:], (instances,)),
        )
        self.claim = allocate(namedtuple("Claims", "queue"), {"queue": (k,)}).queue
        self.reset()

    def reset(self) -> None:
        """The state after reset."""
        self.state = backlog_state(self.config, self.instances)

    def step(self) -> BacklogOutputs:
        """Outputs of this cycle, then the clock edge."""
        i = self.inputs
        for n in range(self.instances):
            backlog_outputs(self.p, self.state, self.outputs, n)
            unpack_claims(self.p, i, n, self.claim)
            backlog_clock(
                self.p,
                self.state,
                n,
                i.announce_valid[n],
                i.announce_queue[n],
                i.announce_length[n],
                i.announce_partial[n],
                i.complete[n],
                self.claim,
                i.connects[n],
            )
        return self.outputs
