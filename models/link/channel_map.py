"""Golden model of rtl.link.channel_map: a table that is whole from the first cycle on."""

from collections import namedtuple

import numpy as np

from models.compiled import compiled
from models.config import SwitchConfig
from models.record import allocate

__all__ = [
    "ChannelMapInputs",
    "ChannelMapModel",
    "ChannelMapOutputs",
    "channel_map_clock",
    "channel_map_outputs",
    "channel_map_state",
]

ChannelMapInputs = namedtuple(
    "ChannelMapInputs", "destination write_valid write_address write_port"
)
ChannelMapOutputs = namedtuple("ChannelMapOutputs", "port write_ready")
ChannelMapState = namedtuple("ChannelMapState", "entries age")


def channel_map_state(config: SwitchConfig, instances: int) -> ChannelMapState:
    """Each destination is the output of that number, or output 0 if there is none."""
    shapes = {"entries": (instances, config.endpoints), "age": (instances,)}
    state = allocate(ChannelMapState, shapes)
    state.entries[:, : config.ports] = np.arange(config.ports)
    return state


@compiled
def channel_map_outputs(s, inputs, outputs, n):
    """What the table says."""
    destination, entries = inputs.destination[n], s.entries.shape[1]
    outputs.port[n] = s.entries[n, destination] if destination < entries else 0
    outputs.write_ready[n] = s.age[n] == entries


@compiled
def channel_map_clock(s, inputs, outputs, n):
    """The clock edge."""
    if inputs.write_valid[n] and outputs.write_ready[n]:
        address = inputs.write_address[n]
        if address < s.entries.shape[1]:
            s.entries[n, address] = inputs.write_port[n]
    s.age[n] = min(s.age[n] + 1, s.entries.shape[1])


@compiled
def channel_map_step(s, inputs, outputs):
    """Outputs of this cycle, then the clock edge, of all instances."""
    for n in range(s.age.size):
        channel_map_outputs(s, inputs, outputs, n)
        channel_map_clock(s, inputs, outputs, n)


class ChannelMapModel:
    """``instances`` of it."""

    def __init__(self, config: SwitchConfig, instances: int = 1):
        self.config, self.instances = config, instances
        self.inputs, self.outputs = (
            allocate(kind, dict.fromkeys(kind._fields, (instances,)))
            for kind in (ChannelMapInputs, ChannelMapOutputs)
        )
        self.reset()

    def reset(self) -> None:
        """The state after reset."""
        self.state = channel_map_state(self.config, self.instances)

    def step(self) -> ChannelMapOutputs:
        """Outputs of this cycle, then the clock edge."""
        channel_map_step(self.state, self.inputs, self.outputs)
        return self.outputs
