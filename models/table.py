"""Golden model of rtl.table: a table of port masks, which all hold their default at once."""

from collections import namedtuple

import numpy as np

from models.compiled import compiled
from models.record import allocate

__all__ = ["TableInputs", "TableModel", "TableOutputs", "TableState", "table_state"]

TableInputs = namedtuple(
    "TableInputs", "write_valid write_address write_mask lookup_valid lookup_address take"
)
TableOutputs = namedtuple("TableOutputs", "ready mask valid")
TableState = namedtuple(
    "TableState", "entries age written address write asked_mask asked_valid mask valid"
)


def table_state(ports: int, entries: int, identity: bool, instances: int) -> TableState:
    """Default contents: entry ``d`` is port ``d`` alone, or every entry is all ports."""
    words = (ports + 63) // 64
    state = allocate(
        TableState,
        {
            "entries": (instances, entries, words),
            "age": (instances,),  # cycles since reset, at most `entries`
            "written": (instances,),  # there is a write: where and what
            "address": (instances,),
            "write": (instances, words),
            "asked_mask": (instances, words),  # result of the last lookup
            "asked_valid": (instances,),
            "mask": (instances, words),  # what was taken last
            "valid": (instances,),
        },
    )
    for port in range(ports):
        bit = np.array(1 << port % 64, np.uint64).astype(np.int64)
        state.entries[:, port if identity else slice(None), port // 64] |= bit
    state.asked_valid[:] = state.valid[:] = 1
    state.asked_mask[:] = state.mask[:] = state.entries[:, 0]
    return state


@compiled
def table_outputs(s, outputs, n):
    """The result that was taken last."""
    outputs.ready[n] = s.age[n] == s.entries.shape[1]
    outputs.valid[n] = s.valid[n]
    for word in range(s.mask.shape[1]):
        outputs.mask[n, word] = s.mask[n, word]


@compiled
def table_clock(s, inputs, n):
    """Take the last result; then the last write; then a lookup, if there was none."""
    entries, words = s.entries.shape[1:]
    if inputs.take[n]:
        s.valid[n] = s.asked_valid[n]
        for word in range(words):
            s.mask[n, word] = s.asked_mask[n, word]
    if s.written[n]:
        for word in range(words):
            s.entries[n, s.address[n], word] = s.write[n, word]
    elif inputs.lookup_valid[n]:
        address = inputs.lookup_address[n]
        s.asked_valid[n] = address < entries
        for word in range(words):
            s.asked_mask[n, word] = s.entries[n, address, word] if address < entries else 0
    good = s.age[n] == entries and inputs.write_address[n] < entries
    s.written[n] = inputs.write_valid[n] and good
    s.address[n] = inputs.write_address[n]
    for word in range(words):
        s.write[n, word] = inputs.write_mask[n, word]
    s.age[n] = min(s.age[n] + 1, entries)


class TableModel:
    """Masks of ``ports`` by address; 2 cycles from lookup to result."""

    def __init__(self, ports: int, *, entries: int, identity: bool, instances: int = 1):
        self.ports, self.entries, self.identity = ports, entries, identity
        self.instances = instances
        mask = (instances, (ports + 63) // 64)
        self.inputs = allocate(
            TableInputs,
            {name: mask if name == "write_mask" else (instances,) for name in TableInputs._fields},
        )
        self.outputs = allocate(
            TableOutputs, {"ready": (instances,), "mask": mask, "valid": (instances,)}
        )
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
