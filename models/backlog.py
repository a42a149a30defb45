"""Golden model of rtl.backlog: how many flits of an ingress wait to be claimed.

One number per queue, and whether all of it is to be claimed at once; the bit vectors that it shows
are changed where a number changes.
"""

from collections import namedtuple

from models.compiled import compiled, inner
from models.config import SINGLES, SwitchConfig
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
    "backlog_taken",
]

BacklogInputs = namedtuple(
    "BacklogInputs",
    "announce_valid announce_queue announce_length announce_partial complete claim claim_queue "
    "connects",
)
BacklogOutputs = namedtuple("BacklogOutputs", "waits many taken_valid taken_flits taken_open")
BacklogState = namedtuple(
    "BacklogState", "ready together waits many joined joined_flits arriving was_arriving"
)


def backlog_state(config: SwitchConfig, instances: int) -> BacklogState:
    """Nothing waits."""
    q = config.queues
    vector = (q + 63) // 64
    state = allocate(
        BacklogState,
        {
            "ready": (instances, q),  # flits
            "together": (instances, q),  # only a connection claims them
            "waits": (instances, SINGLES, vector),
            "many": (instances, vector),
            "joined": (instances,),  # queue of what was announced in the last cycle, or -1
            "joined_flits": (instances,),
            "arriving": (instances,),  # queue whose last packet is partial, or -1
            "was_arriving": (instances,),  # the same, a cycle ago
        },
    )
    for queue in (state.joined, state.arriving, state.was_arriving):
        queue[:] = -1
    return state


@inner
def backlog_show(s, n, queue):
    """The bits of ``queue``."""
    word, bit = queue >> 6, queue & 63
    mask = 1 << bit
    ready, together = s.ready[n, queue], s.together[n, queue]
    s.many[n, word] = (s.many[n, word] & ~mask) | (together << bit)
    for j in range(SINGLES):
        waits = ready > j and (j == 0 or not together)
        s.waits[n, j, word] = (s.waits[n, j, word] & ~mask) | (waits << bit)


@inner
def backlog_outputs(p, s, outputs, n):
    """What the registers show."""
    for word in range(s.many.shape[1]):
        for j in range(SINGLES):
            outputs.waits[n, j, word] = s.waits[n, j, word]
        outputs.many[n, word] = s.many[n, word]


@compiled
def backlog_taken(p, outputs, s, n, claim, connection):
    """What the claim of stage 0 takes if it is a connection.

    ``claim`` is the queue that each stage claims, or -1. What was announced in the last cycle shows
    already, but is left; what an older stage claims goes before.
    """
    outputs.taken_valid[n] = connection
    if connection:
        queue = claim[0]
        flits = s.ready[n, queue]
        if s.joined[n] == queue:
            flits -= s.joined_flits[n]
        for k in range(1, p.iterations):
            flits -= claim[k] == queue
        outputs.taken_flits[n] = flits
        outputs.taken_open[n] = s.was_arriving[n] == queue


@inner
def backlog_clock(p, s, n, announced, queue, length, partial, complete, claim, connection):
    """The claims take what they may; then a packet joins; then the clock edge.

    ``claim`` is the queue that each stage claims, or -1, ``connection`` whether the claim of
    stage 0 takes all.
    """
    for k in range(p.iterations - 1, -1, -1):  # older stages first
        claimed = claim[k]
        if claimed < 0:
            continue
        if k == 0 and connection:
            left = s.joined_flits[n] if s.joined[n] == claimed else 0
            s.ready[n, claimed] = left
            s.together[n, claimed] = left > 1
        else:
            s.ready[n, claimed] -= 1
        backlog_show(s, n, claimed)
    s.was_arriving[n] = s.arriving[n]
    if complete:
        s.arriving[n] = -1
    s.joined[n] = -1
    if announced:
        s.joined[n] = queue
        s.joined_flits[n] = length
        s.ready[n, queue] += length
        if length > 1 or s.ready[n, queue] >= SINGLES + 2:
            s.together[n, queue] = 1
        if partial:
            s.arriving[n] = queue
        backlog_show(s, n, queue)


@inner
def unpack_claims(p, inputs, n, claim):
    """The queue that each stage claims, or -1."""
    for k in range(p.iterations):
        claim[k] = inputs.claim_queue[n, k] if inputs.claim[n, k].any() else -1


@compiled
def backlog_step(p, s, inputs, outputs, claim):
    """Outputs of this cycle, then the clock edge, of all instances."""
    for n in range(s.joined.size):
        backlog_outputs(p, s, outputs, n)
        unpack_claims(p, inputs, n, claim)
        connects = inputs.connects[n]
        backlog_taken(p, outputs, s, n, claim, connects)
        backlog_clock(
            p,
            s,
            n,
            inputs.announce_valid[n],
            inputs.announce_queue[n],
            inputs.announce_length[n],
            inputs.announce_partial[n],
            inputs.complete[n],
            claim,
            connects,
        )


class BacklogModel:
    """Flits that wait to be claimed; 1 cycle from announcement to showing, none to ``taken``."""

    def __init__(self, config: SwitchConfig, instances: int = 1):
        self.config, self.instances = config, instances
        self.p = parameters(config)
        k, vector = config.iterations, (config.queues + 63) // 64
        self.inputs = allocate(
            BacklogInputs,
            dict.fromkeys(BacklogInputs._fields[:5], (instances,))
            | {"claim": (instances, k, vector), "claim_queue": (instances, k)}
            | {"connects": (instances,)},
        )
        self.outputs = allocate(
            BacklogOutputs,
            {"waits": (instances, SINGLES, vector), "many": (instances, vector)}
            | dict.fromkeys(BacklogOutputs._fields[2:], (instances,)),
        )
        self.claim = allocate(namedtuple("Claims", "queue"), {"queue": (k,)}).queue
        self.reset()

    def reset(self) -> None:
        """The state after reset."""
        self.state = backlog_state(self.config, self.instances)

    def step(self) -> BacklogOutputs:
        """Outputs of this cycle, then the clock edge."""
        backlog_step(self.p, self.state, self.inputs, self.outputs, self.claim)
        return self.outputs
