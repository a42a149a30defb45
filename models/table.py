"""Golden model of rtl.table: a table of port masks; all entries are stored from the start."""

from collections import namedtuple

import numpy as np

from models.compiled import compiled
from models.record import allocate

__all__ = ["TableInputs", "TableModel", "TableOutputs", "TableState", "table_state"]

TableInputs = namedtuple(
    "TableInputs", "write_valid write_address write_mask lookup_valid lookup_address"
)
TableOutputs = namedtuple("TableOutputs", "mask valid")
TableState = namedtuple("TableState", "entries mask valid")


def table_state(ports: int, entries: int, identity: bool, instances: int) -> TableState:
    """Default contents: entry ``d`` is port ``d`` alone, or every entry is all ports."""
    words = (ports + 63) // 64
    state = allocate(
        TableState,
        {
            "entries": (instances, entries, words),
            "mask": (instances, words),  # result of the last lookup
            "valid": (instances,),
        },
    )
    for port in range(ports):
        bit = np.array(1 << port % 64, np.uint64).astype(np.int64)
        state.entries[:, port if identity else slice(None), port // 64] |= bit
    return state


@compiled
def table_outputs(s, outputs, n):
    """The result of the last lookup."""
    outputs.valid[n] = s.valid[n]
    for word in range(s.mask.shape[1]):
        outputs.mask[n, word] = s.mask[n, word]


@compiled
def table_clock(s, inputs, n):
    """A lookup sees the contents before the write of the same cycle."""
    entries, words = s.entries.shape[1:]
    if inputs.lookup_valid[n]:
        address = inputs.lookup_address[n]
        s.valid[n] = address < entries
        for word in range(words):
            s.mask[n, word] = s.entries[n, address, word] if address < entries else 0
    if inputs.write_valid[n] and inputs.write_address[n] < entries:
        for word in range(words):
            s.entries[n, inputs.write_address[n], word] = inputs.write_mask[n, word]


class TableModel:
    """Masks of ``ports`` by address; 1 cycle from lookup to result."""

    def __init__(self, ports: int, *, entries: int, identity: bool, instances: int = 1):
        self.ports, self.entries, self.identity = ports, entries, identity
        self.instances = instances
        mask = (instances, (ports + 63) // 64)
        self.inputs = allocate(
            TableInputs,
            {name: mask if name == "write_mask" else (instances,) for name in TableInputs._fields},
        )
        self.outputs = allocate(TableOutputs, {"mask": mask, "valid": (instances,)})
        self.reset()

    def reset(self) -> None:
        """The state after reset."""
        self.state = table_state(self.ports, self.entries, self.identity, self.instances)

    def step(self) -> TableOutputs:
        """Outputs of this cycle, then the clock edge."""
        for n in range(self.instances):
            table_outputs(self.state, self.outputs, n)
            table_clock(self.state, self.inputs, n)
        return self.outputs
