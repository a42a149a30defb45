"""Golden model of rtl.link.counters: an integer for each event."""

from collections import namedtuple

import numpy as np

from models.compiled import compiled
from models.link.config import LinkConfig
from models.link.wire import COUNT_BITS, COUNTED
from models.record import allocate

__all__ = [
    "LinkCountersInputs",
    "LinkCountersModel",
    "LinkCountersOutputs",
    "link_counters_clock",
    "link_counters_outputs",
    "link_counters_state",
]

EVENTS = len(COUNTED)
LinkCountersInputs = namedtuple(
    "LinkCountersInputs", [*(f"events_{name}" for name in COUNTED), "address"]
)
LinkCountersOutputs = namedtuple("LinkCountersOutputs", "count")
LinkCountersState = namedtuple("LinkCountersState", "counts shown")


def link_counters_state(instances: int) -> LinkCountersState:
    """Nothing has happened."""
    return LinkCountersState(
        counts=np.zeros((instances, EVENTS), dtype=np.int64),
        shown=np.zeros(instances, dtype=np.int64),
    )


@compiled
def link_counters_outputs(s, outputs, n):
    """The count that was asked for."""
    outputs.count[n] = s.shown[n]


@compiled
def link_counters_clock(s, inputs, n):
    """The clock edge."""
    address = inputs.address[n]
    s.shown[n] = s.counts[n, address] & (1 << COUNT_BITS) - 1 if address < EVENTS else 0
    for event in range(EVENTS):
        s.counts[n, event] += inputs[event][n]


@compiled
def link_counters_step(s, inputs, outputs):
    """Outputs of this cycle, then the clock edge, of all instances."""
    for n in range(s.shown.size):
        link_counters_outputs(s, outputs, n)
        link_counters_clock(s, inputs, n)


class LinkCountersModel:
    """``instances`` of it."""

    def __init__(self, config: LinkConfig, instances: int = 1):
        self.config, self.instances = config, instances
        fields = dict.fromkeys(LinkCountersInputs._fields, (instances,))
        self.inputs = allocate(LinkCountersInputs, fields)
        self.outputs = allocate(LinkCountersOutputs, {"count": (instances,)})
        self.reset()

    def reset(self) -> None:
        """The state after reset."""
        self.state = link_counters_state(self.instances)

    def step(self) -> LinkCountersOutputs:
        """Outputs of this cycle, then the clock edge."""
        link_counters_step(self.state, self.inputs, self.outputs)
        return self.outputs
