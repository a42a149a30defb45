"""Golden model of rtl.link.hold: packets pass, or wait in a line until they are whole.

Where the RTL counts and rolls back, this numbers all flits since reset, those that pass, too; a
broken packet that waits gives its numbers back.
"""

from collections import namedtuple

from models.compiled import compiled, inner
from models.link.config import LinkConfig
from models.record import allocate

__all__ = [
    "HoldInputs",
    "HoldModel",
    "HoldOutputs",
    "HoldState",
    "hold_clock",
    "hold_outputs",
    "hold_shapes",
    "hold_state",
]

FIELDS = [f"payload_{name}" for name in ("data", "keep", "last", "user", "channel", "broken")]
HoldInputs = namedtuple(
    "HoldInputs", ["i_valid", *(f"i_{name}" for name in FIELDS), "o_ready", "holds"]
)
HoldOutputs = namedtuple(
    "HoldOutputs", ["i_ready", "o_valid", *(f"o_{name}" for name in FIELDS), "dropped", "idle"]
)
# Flits are numbered from 0. Those before `first` have left, those before `seen` may leave, those
# before `whole` are of packets that are, those before `next` have come. `way` of the packet whose
# flits are offered.
HoldState = namedtuple("HoldState", "first seen whole next data keep last user channel way dropped")
OPEN, PASSES, WAITS = range(3)


def hold_shapes(config: LinkConfig, instances: int) -> tuple[dict, dict]:
    """Shapes of the inputs and of the outputs."""
    wide = {
        "payload_data": (instances, config.words),
        "payload_keep": (instances, (config.flit_bytes + 63) // 64),
    }

    def shapes(kind):
        return {name: wide.get(name[2:], (instances,)) for name in kind._fields}

    return shapes(HoldInputs), shapes(HoldOutputs)


def hold_state(config: LinkConfig, instances: int) -> HoldState:
    """Nothing is stored."""
    depth = 2 * config.max_packet_flits
    shapes: dict[str, tuple[int, ...]] = dict.fromkeys(HoldState._fields, (instances,))
    shapes["data"] = (instances, depth, config.words)
    shapes["keep"] = (instances, depth, (config.flit_bytes + 63) // 64)
    shapes |= dict.fromkeys(("last", "user", "channel"), (instances, depth))
    return allocate(HoldState, shapes)


@inner
def way_of(s, inputs, n):
    """How the packet goes that is offered, or that would be if there is none."""
    if s.way[n] != OPEN:
        return s.way[n]
    return WAITS if inputs.holds[n] or s.first[n] < s.next[n] else PASSES


@compiled
def hold_outputs(s, inputs, outputs, n):
    """What comes out in this cycle."""
    depth = s.last.shape[1]
    outputs.dropped[n] = s.dropped[n]
    outputs.idle[n] = s.way[n] == OPEN and s.first[n] == s.next[n]
    if way_of(s, inputs, n) == PASSES:
        outputs.i_ready[n] = inputs.o_ready[n]
        outputs.o_valid[n] = inputs.i_valid[n]
        for w in range(s.data.shape[2]):
            outputs.o_payload_data[n, w] = inputs.i_payload_data[n, w]
        for w in range(s.keep.shape[2]):
            outputs.o_payload_keep[n, w] = inputs.i_payload_keep[n, w]
        outputs.o_payload_last[n] = inputs.i_payload_last[n]
        outputs.o_payload_user[n] = inputs.i_payload_user[n]
        outputs.o_payload_channel[n] = inputs.i_payload_channel[n]
        outputs.o_payload_broken[n] = inputs.i_payload_broken[n]
    else:
        outputs.i_ready[n] = s.next[n] - s.first[n] < depth
        outputs.o_valid[n] = s.first[n] < s.seen[n]
        place = s.first[n] % depth
        for w in range(s.data.shape[2]):
            outputs.o_payload_data[n, w] = s.data[n, place, w]
        for w in range(s.keep.shape[2]):
            outputs.o_payload_keep[n, w] = s.keep[n, place, w]
        outputs.o_payload_last[n] = s.last[n, place]
        outputs.o_payload_user[n] = s.user[n, place]
        outputs.o_payload_channel[n] = s.channel[n, place]
        outputs.o_payload_broken[n] = 0


@inner
def store(s, inputs, n):
    """Put the flit that is offered in its place, and judge the packet with its last one."""
    place = s.next[n] % s.last.shape[1]
    for w in range(s.data.shape[2]):
        s.data[n, place, w] = inputs.i_payload_data[n, w]
    for w in range(s.keep.shape[2]):
        s.keep[n, place, w] = inputs.i_payload_keep[n, w]
    s.last[n, place] = inputs.i_payload_last[n]
    s.user[n, place] = inputs.i_payload_user[n]
    s.channel[n, place] = inputs.i_payload_channel[n]
    s.next[n] += 1
    if inputs.i_payload_last[n]:
        if inputs.i_payload_broken[n]:
            s.next[n] = s.whole[n]
            s.dropped[n] = 1
        s.whole[n] = s.next[n]


@compiled
def hold_clock(s, inputs, n):
    """The clock edge."""
    depth = s.last.shape[1]
    way = way_of(s, inputs, n)
    stored = s.next[n] - s.first[n]
    if s.first[n] < s.seen[n] and inputs.o_ready[n]:
        s.first[n] += 1
    s.seen[n] = s.whole[n]
    s.dropped[n] = 0
    if not inputs.i_valid[n]:
        return
    s.way[n] = way
    if way == WAITS and stored < depth:
        store(s, inputs, n)
    elif way == PASSES and inputs.o_ready[n]:
        s.next[n] += 1
        s.first[n] = s.seen[n] = s.whole[n] = s.next[n]
    else:
        return
    if inputs.i_payload_last[n]:
        s.way[n] = OPEN


@compiled
def hold_step(s, inputs, outputs):
    """One cycle of all instances."""
    for n in range(s.first.size):
        hold_outputs(s, inputs, outputs, n)
        hold_clock(s, inputs, n)


class HoldModel:
    """``instances`` holds."""

    def __init__(self, config: LinkConfig, instances: int = 1):
        self.config, self.instances = config, instances
        inputs, outputs = hold_shapes(config, instances)
        self.inputs = allocate(HoldInputs, inputs)
        self.outputs = allocate(HoldOutputs, outputs)
        self.reset()

    def reset(self) -> None:
        """The state after reset."""
        self.state = hold_state(self.config, self.instances)

    def step(self) -> HoldOutputs:
        """Outputs of this cycle, then the clock edge."""
        hold_step(self.state, self.inputs, self.outputs)
        return self.outputs
