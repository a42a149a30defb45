"""Golden model of rtl.link.hold: packets wait in a line until they are whole.

Where the RTL counts and rolls back, this numbers all flits since reset; a broken packet gives its
numbers back.
"""

from collections import namedtuple

from models.compiled import compiled
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

AXIS = ("payload_data", "payload_keep", "payload_last", "payload_user")
HoldInputs = namedtuple("HoldInputs", ["i_valid", *(f"i_{name}" for name in AXIS), "o_ready"])
HoldOutputs = namedtuple(
    "HoldOutputs", ["i_ready", "o_valid", *(f"o_{name}" for name in AXIS), "dropped"]
)
# Flits are numbered from 0. Those before `first` have left, those before `seen` may leave, those
# before `whole` are of packets that are, those before `next` have come.
HoldState = namedtuple("HoldState", "first seen whole next data keep last dropped")


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
    shapes["last"] = (instances, depth)
    return allocate(HoldState, shapes)


@compiled
def hold_outputs(s, outputs, n):
    """What the registers show."""
    depth = s.last.shape[1]
    outputs.i_ready[n] = s.next[n] - s.first[n] < depth
    outputs.o_valid[n] = s.first[n] < s.seen[n]
    place = s.first[n] % depth
    for w in range(s.data.shape[2]):
        outputs.o_payload_data[n, w] = s.data[n, place, w]
    for w in range(s.keep.shape[2]):
        outputs.o_payload_keep[n, w] = s.keep[n, place, w]
    outputs.o_payload_last[n] = s.last[n, place]
    outputs.o_payload_user[n] = 0
    outputs.dropped[n] = s.dropped[n]


@compiled
def hold_clock(s, inputs, n):
    """The clock edge."""
    depth = s.last.shape[1]
    takes = inputs.i_valid[n] and s.next[n] - s.first[n] < depth
    if s.first[n] < s.seen[n] and inputs.o_ready[n]:
        s.first[n] += 1
    s.seen[n] = s.whole[n]
    s.dropped[n] = 0
    if takes:
        place = s.next[n] % depth
        for w in range(s.data.shape[2]):
            s.data[n, place, w] = inputs.i_payload_data[n, w]
        for w in range(s.keep.shape[2]):
            s.keep[n, place, w] = inputs.i_payload_keep[n, w]
        s.last[n, place] = inputs.i_payload_last[n]
        s.next[n] += 1
        if inputs.i_payload_last[n]:
            if inputs.i_payload_user[n] & 1:
                s.next[n] = s.whole[n]
                s.dropped[n] = 1
            s.whole[n] = s.next[n]


@compiled
def hold_step(s, inputs, outputs):
    """One cycle of all instances."""
    for n in range(s.first.size):
        hold_outputs(s, outputs, n)
        hold_clock(s, inputs, n)


class HoldModel:
    """Packets that wait until they are whole."""

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
