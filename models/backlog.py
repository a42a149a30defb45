"""Golden model of rtl.backlog: how many flits of an ingress wait to be claimed.

One number per queue; the bit vectors that it shows are changed where a number changes.
"""

from collections import namedtuple

from models.compiled import compiled, inner
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
    "backlog_taken",
]

BacklogInputs = namedtuple(
    "BacklogInputs",
    "announce_valid announce_queue announce_length announce_partial complete claim connects",
)
BacklogOutputs = namedtuple("BacklogOutputs", "one many taken_valid taken_flits taken_open")
BacklogState = namedtuple(
    "BacklogState", "ready one many joined joined_flits arriving was_arriving"
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
    """Both bits of ``queue``."""
    word, bit = queue >> 6, queue & 63
    mask = 1 << bit
    ready = s.ready[n, queue]
    s.one[n, word] = (s.one[n, word] & ~mask) | ((ready >= 1) << bit)
    s.many[n, word] = (s.many[n, word] & ~mask) | ((ready >= 2) << bit)


@inner
def backlog_outputs(p, s, outputs, n):
    """What the registers show."""
    for word in range(s.one.shape[1]):
        outputs.one[n, word] = s.one[n, word]
        outputs.many[n, word] = s.many[n, word]


@compiled
def backlog_taken(outputs, s, n, claimed, connection):
    """What the claim of stage 0, of this queue or -1, takes if it is a connection.

    What was announced in the last cycle shows already, but is left.
    """
    outputs.taken_valid[n] = connection
    if connection:
        left = s.joined_flits[n] if s.joined[n] == claimed else 0
        outputs.taken_flits[n] = s.ready[n, claimed] - left
        outputs.taken_open[n] = s.was_arriving[n] == claimed


@inner
def backlog_clock(p, s, n, announced, queue, length, partial, complete, claim, connection):
    """The claims take what they may; then a packet joins; then the clock edge.

    ``claim`` is the queue that each stage claims, or -1, ``connection`` whether the claim of
    stage 0 takes all.
    """
    for k in range(p.iterations):
        claimed = claim[k]
        if claimed < 0:
            continue
        if k == 0 and connection:
            s.ready[n, claimed] = s.joined_flits[n] if s.joined[n] == claimed else 0
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
        if partial:
            s.arriving[n] = queue
        backlog_show(s, n, queue)


@inner
def unpack_claims(p, inputs, n, claim):
    """The queue of each stage's one-hot vector, or -1."""
    for k in range(p.iterations):
        claim[k] = -1
        for queue in range(p.queues):
            if inputs.claim[n, k, queue >> 6] >> (queue & 63) & 1:
                claim[k] = queue


@compiled
def backlog_step(p, s, inputs, outputs, claim):
    """Outputs of this cycle, then the clock edge, of all instances."""
    for n in range(s.joined.size):
        backlog_outputs(p, s, outputs, n)
        unpack_claims(p, inputs, n, claim)
        connects = inputs.connects[n]
        backlog_taken(outputs, s, n, claim[0], connects)
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
        backlog_step(self.p, self.state, self.inputs, self.outputs, self.claim)
        return self.outputs
