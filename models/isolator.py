"""Golden model of rtl.isolator: the link of a port goes on while the port is reset.

Packets and verdicts are numbered from 1; where the RTL has a packet cut, here it is the number of
the last one that must not be passed on.
"""

from collections import namedtuple

from models.compiled import compiled, inner
from models.config import SwitchConfig
from models.record import allocate, records
from models.word import low_bits

__all__ = [
    "IsolatorInputs",
    "IsolatorModel",
    "IsolatorOutputs",
    "isolator_clock",
    "isolator_outputs",
    "isolator_shapes",
    "isolator_state",
]

STREAM = ["valid", "payload_data", "payload_keep", "payload_last", "payload_user"]
IsolatorInputs = namedtuple(
    "IsolatorInputs",
    [
        "reset",
        "flush",
        *(f"from_link_{name}" for name in STREAM),
        "to_switch_ready",
        *(f"from_switch_{name}" for name in STREAM),
        *("to_link_ready", "accepted", "dropped"),
    ],
)
IsolatorOutputs = namedtuple(
    "IsolatorOutputs",
    [
        "from_link_ready",
        *(f"to_switch_{name}" for name in STREAM),
        "from_switch_ready",
        *(f"to_link_{name}" for name in STREAM),
        *("stored", "refused", "idle"),
    ],
)
# `came`, `judged`: packets from the link, and verdicts; `under_way`: of the last one flits are to
# come; `lost`: packets up to this one are discarded; `closed`: cycles in which it has been, 2 for
# more; `out`: there is a packet on its way out; `owes_end`: and a flit must end it.
STATE = "came judged under_way lost closed out owes_end"


def isolator_shapes(config: SwitchConfig, instances: int) -> tuple[dict, dict]:
    """Shapes of the inputs and of the outputs."""
    wide = {"data": config.words, "keep": (config.flit_bytes + 63) // 64}

    def shapes(kind):
        return {
            name: (instances, *([wide[name[-4:]]] if name[-4:] in wide else []))
            for name in kind._fields
        }

    return shapes(IsolatorInputs), shapes(IsolatorOutputs)


def isolator_state(instances: int):
    """Nothing has come."""
    return records(STATE, instances)


@inner
def pass_on(data, keep, last, user, to_data, to_keep, to_last, to_user, n):
    """Copy a flit."""
    for word in range(data.shape[1]):
        to_data[n, word] = data[n, word]
    for word in range(keep.shape[1]):
        to_keep[n, word] = keep[n, word]
    to_last[n] = last[n]
    to_user[n] = user[n]


@compiled
def isolator_outputs(flit_bytes, s, i, o, n):
    """What is passed on in this cycle, and what is told."""
    port = s[n]
    discards = port.under_way and port.came <= port.lost
    if i.reset[n]:
        o.from_link_ready[n] = port.closed == 2
    elif discards:
        o.from_link_ready[n] = 1
    else:
        o.from_link_ready[n] = i.to_switch_ready[n] and port.closed == 0
    passes = not (i.reset[n] or port.closed or discards)
    o.to_switch_valid[n] = i.from_link_valid[n] and passes
    pass_on(
        i.from_link_payload_data, i.from_link_payload_keep, i.from_link_payload_last,
        i.from_link_payload_user, o.to_switch_payload_data, o.to_switch_payload_keep,
        o.to_switch_payload_last, o.to_switch_payload_user, n,
    )  # fmt: skip
    owes = port.came > port.judged
    o.idle[n] = not owes
    o.stored[n] = i.accepted[n]
    o.refused[n] = i.dropped[n]
    if port.closed == 2 and owes and not i.accepted[n]:
        o.refused[n] = 1

    o.from_switch_ready[n] = i.to_link_ready[n] and not port.owes_end
    o.to_link_valid[n] = i.from_switch_valid[n] or port.owes_end
    pass_on(
        i.from_switch_payload_data, i.from_switch_payload_keep, i.from_switch_payload_last,
        i.from_switch_payload_user, o.to_link_payload_data, o.to_link_payload_keep,
        o.to_link_payload_last, o.to_link_payload_user, n,
    )  # fmt: skip
    if port.owes_end:
        for word in range(o.to_link_payload_data.shape[1]):
            o.to_link_payload_data[n, word] = 0
        for word in range(o.to_link_payload_keep.shape[1]):
            o.to_link_payload_keep[n, word] = low_bits(flit_bytes - 64 * word)
        o.to_link_payload_last[n] = o.to_link_payload_user[n] = 1


@compiled
def isolator_clock(s, i, o, n):
    """The clock edge."""
    port = s[n]
    owed = port.came > port.judged
    if i.reset[n] and port.under_way:
        port.lost = port.came
    if i.from_link_valid[n] and o.from_link_ready[n]:
        if not port.under_way:
            port.came += 1
            if i.reset[n]:
                port.lost = port.came
        port.under_way = not i.from_link_payload_last[n]
    port.judged += o.stored[n] or o.refused[n]
    if i.reset[n] or (port.closed and owed):
        port.closed = min(2, port.closed + 1)
    else:
        port.closed = 0

    if o.to_link_valid[n] and i.to_link_ready[n]:
        port.out = not o.to_link_payload_last[n]
        port.owes_end = 0
    if port.out and (i.reset[n] or i.flush[n]):
        port.owes_end = 1


@compiled
def isolator_step(flit_bytes, s, inputs, outputs):
    """Outputs of this cycle, then the clock edge, of all instances."""
    for n in range(s.size):
        isolator_outputs(flit_bytes, s, inputs, outputs, n)
        isolator_clock(s, inputs, outputs, n)


class IsolatorModel:
    """``instances`` of it."""

    def __init__(self, config: SwitchConfig, instances: int = 1):
        self.config, self.instances = config, instances
        inputs, outputs = isolator_shapes(config, instances)
        self.inputs = allocate(IsolatorInputs, inputs)
        self.outputs = allocate(IsolatorOutputs, outputs)
        self.reset()

    def reset(self) -> None:
        """The state after reset."""
        self.state = isolator_state(self.instances)

    def step(self) -> IsolatorOutputs:
        """Outputs of this cycle, then the clock edge."""
        isolator_step(self.config.flit_bytes, self.state, self.inputs, self.outputs)
        return self.outputs
