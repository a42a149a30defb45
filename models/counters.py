"""Golden model of rtl.counters: packets of one port, by what became of them."""

from collections import namedtuple

from models.compiled import compiled, inner
from models.packet import Broken, Drop
from models.record import allocate

__all__ = [
    "CountersInputs",
    "CountersModel",
    "CountersOutputs",
    "counters_clock",
    "counters_outputs",
    "counters_shapes",
]

CountersInputs = namedtuple(
    "CountersInputs",
    "accepted drop_valid drop_reason broken_valid broken_reason delivered errored discarded parity "
    "clear",
)
CountersOutputs = namedtuple(
    "CountersOutputs",
    "counts_accepted counts_dropped counts_broken counts_delivered counts_errored "
    "counts_discarded counts_parity",
)
DROPS, BROKENS = len(Drop), len(Broken)


def counters_shapes(instances: int) -> dict[str, tuple[int, ...]]:
    """Shapes of the outputs, which are those of the state too."""
    wide = {"counts_dropped": (instances, DROPS), "counts_broken": (instances, BROKENS)}
    return {name: wide.get(name, (instances,)) for name in CountersOutputs._fields}


@compiled
def counters_outputs(s, outputs, n):
    """The counts."""
    outputs.counts_accepted[n] = s.counts_accepted[n]
    for reason in range(DROPS):
        outputs.counts_dropped[n, reason] = s.counts_dropped[n, reason]
    for reason in range(BROKENS):
        outputs.counts_broken[n, reason] = s.counts_broken[n, reason]
    outputs.counts_delivered[n] = s.counts_delivered[n]
    outputs.counts_errored[n] = s.counts_errored[n]
    outputs.counts_discarded[n] = s.counts_discarded[n]
    outputs.counts_parity[n] = s.counts_parity[n]


@inner
def add(counts, place, event):
    """Add ``event`` (0 or 1) to a count of 32 bits."""
    counts[place] = (counts[place] + event) % (1 << 32)


@compiled
def counters_clock(s, inputs, n):
    """Count; ``clear`` comes last."""
    add(s.counts_accepted, n, inputs.accepted[n])
    if inputs.drop_valid[n]:
        add(s.counts_dropped[n], inputs.drop_reason[n], 1)
    if inputs.broken_valid[n]:
        add(s.counts_broken[n], inputs.broken_reason[n], 1)
    add(s.counts_delivered, n, inputs.delivered[n])
    add(s.counts_errored, n, inputs.errored[n])
    add(s.counts_discarded, n, inputs.discarded[n])
    add(s.counts_parity, n, inputs.parity[n])
    if inputs.clear[n]:
        s.counts_accepted[n] = 0
        s.counts_dropped[n] = 0
        s.counts_broken[n] = 0


class CountersModel:
    """Counts since reset; an event shows in the next cycle."""

    def __init__(self, instances: int = 1):
        self.instances = instances
        shapes = dict.fromkeys(CountersInputs._fields, (instances,))
        self.inputs = allocate(CountersInputs, shapes)
        self.outputs = allocate(CountersOutputs, counters_shapes(instances))
        self.reset()

    def reset(self) -> None:
        """The state after reset."""
        self.state = allocate(CountersOutputs, counters_shapes(self.instances))

    def step(self) -> CountersOutputs:
        """Outputs of this cycle, then the clock edge."""
        for n in range(self.instances):
            counters_outputs(self.state, self.outputs, n)
            counters_clock(self.state, self.inputs, n)
        return self.outputs
