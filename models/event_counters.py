"""Golden model of rtl.event_counters: an integer for each event."""

from collections import namedtuple
from collections.abc import Sequence

import numpy as np

from models.compiled import compiled
from models.link.wire import COUNT_BITS
from models.record import allocate

__all__ = [
    "EventCountersInputs",
    "EventCountersModel",
    "EventCountersOutputs",
    "event_counters_clock",
    "event_counters_outputs",
]

EventCountersInputs = namedtuple("EventCountersInputs", "events address")
EventCountersOutputs = namedtuple("EventCountersOutputs", "count")
EventCountersState = namedtuple("EventCountersState", "counts shown")


@compiled
def event_counters_outputs(s, outputs, n):
    """The count that was asked for."""
    outputs.count[n] = s.shown[n]


@compiled
def event_counters_clock(s, inputs, n):
    """The clock edge."""
    address, events = inputs.address[n], s.counts.shape[1]
    s.shown[n] = s.counts[n, address] & (1 << COUNT_BITS) - 1 if address < events else 0
    for event in range(events):
        s.counts[n, event] += inputs.events[n, event]


@compiled
def event_counters_step(s, inputs, outputs):
    """Outputs of this cycle, then the clock edge, of all instances."""
    for n in range(s.shown.size):
        event_counters_outputs(s, outputs, n)
        event_counters_clock(s, inputs, n)


class EventCountersModel:
    """``instances`` of it."""

    def __init__(self, most: Sequence[int], instances: int = 1):
        self.most, self.instances = most, instances
        self.inputs = allocate(
            EventCountersInputs, {"events": (instances, len(most)), "address": (instances,)}
        )
        self.outputs = allocate(EventCountersOutputs, {"count": (instances,)})
        self.reset()

    def reset(self) -> None:
        """The state after reset: nothing has happened."""
        self.state = EventCountersState(
            counts=np.zeros((self.instances, len(self.most)), dtype=np.int64),
            shown=np.zeros(self.instances, dtype=np.int64),
        )

    def step(self) -> EventCountersOutputs:
        """Outputs of this cycle, then the clock edge."""
        event_counters_step(self.state, self.inputs, self.outputs)
        return self.outputs
