"""Golden model of rtl.output_watchdog; it knows since when something waits, and what time it is."""

from collections import namedtuple

import numpy as np

from models.compiled import compiled
from models.config import SwitchConfig
from models.record import allocate

__all__ = [
    "OutputWatchdogInputs",
    "OutputWatchdogModel",
    "OutputWatchdogOutputs",
    "output_watchdog_clock",
    "output_watchdog_outputs",
    "output_watchdog_state",
]

OutputWatchdogInputs = namedtuple(
    "OutputWatchdogInputs", "timeout waiting permit offered taken revive"
)
OutputWatchdogOutputs = namedtuple("OutputWatchdogOutputs", "dead")
# ``since``: first cycle of each class without a permit, or of a flit on offer (behind the classes),
# or a time to come; ``now`` is this cycle.
OutputWatchdogState = namedtuple("OutputWatchdogState", "since now dead")
NEVER = 1 << 62


def output_watchdog_state(config: SwitchConfig, instances: int) -> OutputWatchdogState:
    """Nothing is dead, nothing waits."""
    return OutputWatchdogState(
        since=np.full((instances, config.classes + 1), NEVER, dtype=np.int64),
        now=np.zeros(instances, dtype=np.int64),
        dead=np.zeros(instances, dtype=np.int64),
    )


@compiled
def output_watchdog_outputs(s, outputs, n):
    """What is dead."""
    outputs.dead[n] = s.dead[n]


@compiled
def output_watchdog_clock(s, i, n):
    """The clock edge."""
    classes, now = s.since.shape[1] - 1, s.now[n]
    for c in range(classes + 1):
        if c == classes:
            waits = i.offered[n] and not i.taken[n]
        else:
            waits = i.waiting[n] >> c & 1 and not i.permit[n] >> c & 1
        s.since[n, c] = min(s.since[n, c], now) if waits else NEVER
        if i.timeout[n] and now - s.since[n, c] + 1 >= i.timeout[n]:
            s.dead[n] |= 1 << c if c < classes else (1 << classes) - 1
    if i.revive[n]:
        s.since[n] = NEVER
        s.dead[n] = 0
    s.now[n] = now + 1


@compiled
def output_watchdog_step(s, inputs, outputs):
    """Outputs of this cycle, then the clock edge, of all instances."""
    for n in range(s.now.size):
        output_watchdog_outputs(s, outputs, n)
        output_watchdog_clock(s, inputs, n)


class OutputWatchdogModel:
    """``instances`` of it."""

    def __init__(self, config: SwitchConfig, instances: int = 1):
        self.config, self.instances = config, instances
        self.inputs = allocate(
            OutputWatchdogInputs, dict.fromkeys(OutputWatchdogInputs._fields, (instances,))
        )
        self.outputs = allocate(OutputWatchdogOutputs, {"dead": (instances,)})
        self.reset()

    def reset(self) -> None:
        """The state after reset."""
        self.state = output_watchdog_state(self.config, self.instances)

    def step(self) -> OutputWatchdogOutputs:
        """Outputs of this cycle, then the clock edge."""
        output_watchdog_step(self.state, self.inputs, self.outputs)
        return self.outputs
