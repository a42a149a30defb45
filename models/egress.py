"""Golden model of rtl.egress: the queues of one output port, and the packet on its line.

The RTL moves flits through a memory, its output register and the port register. Here a flit stays
in one slot of a ring from its arrival until it is taken: ``fetch`` and ``o`` only say which slot,
so each ring has two slots more than the queue is deep.
"""

from collections import namedtuple

from models.class_arbiter import class_arbiter_clock, class_arbiter_pick, class_arbiter_state
from models.compiled import compiled
from models.config import SwitchConfig
from models.parameters import parameters
from models.record import allocate

__all__ = [
    "EgressInputs",
    "EgressModel",
    "EgressOutputs",
    "egress_clock",
    "egress_outputs",
    "egress_shapes",
    "egress_state",
]

EgressInputs = namedtuple(
    "EgressInputs",
    "i_valid i_first i_traffic_class i_flit_data i_flit_count i_flit_last i_flit_error i_flit_mark "
    "i_flit_parity reserve_valid reserve_traffic_class reserve_length reset o_ready",
)
EgressOutputs = namedtuple(
    "EgressOutputs",
    "room o_valid o_payload_data o_payload_keep o_payload_last o_payload_user occupancy idle "
    "counters_delivered counters_errored counters_discarded counters_parity",
)
EgressState = namedtuple(
    "EgressState",
    "data count last error mark stored head tail room deficit ended in_packet owner fetch o "
    "sending flushing delivered errored discarded parity",
)

EMPTY = -1
WRAP = (1 << 32) - 1


def egress_shapes(config: SwitchConfig, instances: int) -> tuple[dict, dict]:
    """Shapes of the inputs and of the outputs."""
    stages = (instances, config.iterations)
    wide = {
        "i_flit_data": (instances, config.words),
        "i_flit_parity": (instances, 1),
        "reserve_valid": stages,
        "reserve_traffic_class": stages,
        "reserve_length": stages,
        "room": (instances, config.classes),
        "o_payload_data": (instances, config.words),
        "o_payload_keep": (instances, (config.flit_bytes + 63) // 64),
    }
    kinds = EgressInputs, EgressOutputs
    inputs, outputs = ({f: wide.get(f, (instances,)) for f in kind._fields} for kind in kinds)
    return inputs, outputs


def egress_state(config: SwitchConfig, instances: int) -> EgressState:
    """State after reset."""
    slots = config.classes * (config.egress_depth + 2)
    shapes: dict[str, tuple[int, ...]] = dict.fromkeys(EgressState._fields, (instances,))
    shapes["data"] = (instances, slots, config.words)
    for name in ("count", "last", "error", "mark"):
        shapes[name] = (instances, slots)
    for name in ("stored", "head", "tail", "room", "deficit"):
        shapes[name] = (instances, config.classes)
    state = allocate(EgressState, shapes)
    state.room[:] = config.egress_depth
    state.deficit[:] = class_arbiter_state(config)
    state.ended[:] = 1
    state.fetch[:] = EMPTY
    state.o[:] = EMPTY
    return state


@compiled
def egress_outputs(p, state, outputs, n):
    """What the registers show; the payload only if there is one."""
    outputs.occupancy[n] = p.classes * p.egress_depth
    for c in range(p.classes):
        outputs.room[n, c] = state.room[n, c]
        outputs.occupancy[n] -= state.room[n, c]
    slot = state.o[n]
    outputs.idle[n] = outputs.occupancy[n] == 0 and state.fetch[n] == EMPTY and slot == EMPTY
    if slot != EMPTY:
        for word in range(p.words):
            outputs.o_payload_data[n, word] = state.data[n, slot, word]
        last = state.last[n, slot]
        valid_bytes = state.count[n, slot] + 1 if last else p.flit_bytes
        for word in range(outputs.o_payload_keep.shape[1]):
            bits = min(max(valid_bytes - 64 * word, 0), 64)
            outputs.o_payload_keep[n, word] = -1 if bits == 64 else (1 << bits) - 1
        outputs.o_payload_last[n] = last
        outputs.o_payload_user[n] = state.error[n, slot] + 2 * state.mark[n, slot]
    outputs.counters_delivered[n] = state.delivered[n]
    outputs.counters_errored[n] = state.errored[n]
    outputs.counters_discarded[n] = state.discarded[n]
    outputs.counters_parity[n] = state.parity[n]


@compiled
def parity_of(word):
    """1 if the number of ones in the 64 bits of ``word`` is odd."""
    for shift in (32, 16, 8, 4, 2, 1):
        word ^= word >> shift  # the sign comes in from above, but never reaches bit 0
    return word & 1


@compiled
def intact(p, inputs, n):
    """The flit that arrives has the parity it was sent with."""
    parity = inputs.i_flit_last[n] ^ inputs.i_flit_error[n] ^ inputs.i_flit_mark[n]
    parity ^= parity_of(inputs.i_flit_count[n])
    for word in range(p.words):
        parity ^= parity_of(inputs.i_flit_data[n, word]) << word
    return parity == inputs.i_flit_parity[n, 0]


@compiled
def take(p, state, inputs, discarding, n):
    """The line, or the flush, takes what ``o`` holds; ``fetch`` follows."""
    slot = state.o[n]
    if slot != EMPTY and (inputs.o_ready[n] or discarding):
        state.o[n] = EMPTY
        state.sending[n] = not state.last[n, slot]
        if state.last[n, slot]:
            if discarding:
                state.discarded[n] = (state.discarded[n] + 1) & WRAP
            elif state.error[n, slot]:
                state.errored[n] = (state.errored[n] + 1) & WRAP
            else:
                state.delivered[n] = (state.delivered[n] + 1) & WRAP
    if state.o[n] == EMPTY:
        state.o[n] = state.fetch[n]
        state.fetch[n] = EMPTY


@compiled
def arrive(p, state, inputs, n):
    """Store the flit that arrives; the slot, or EMPTY if there is none or it is discarded."""
    if not inputs.i_valid[n]:
        return EMPTY
    c = inputs.i_traffic_class[n]
    if state.ended[n] and not inputs.i_first[n]:
        state.room[n, c] += 1
        return EMPTY
    good = intact(p, inputs, n)
    ring = p.egress_depth + 2
    slot = c * ring + state.tail[n, c]
    for word in range(p.words):
        state.data[n, slot, word] = inputs.i_flit_data[n, word]
    state.count[n, slot] = inputs.i_flit_count[n] if good else p.flit_bytes - 1
    state.last[n, slot] = inputs.i_flit_last[n] if good else 1
    state.error[n, slot] = inputs.i_flit_error[n] if good else 1
    state.mark[n, slot] = inputs.i_flit_mark[n]
    state.parity[n] = (state.parity[n] + (not good)) & WRAP
    state.ended[n] = state.last[n, slot]
    state.tail[n, c] = (state.tail[n, c] + 1) % ring
    state.stored[n, c] += 1
    return slot


@compiled
def issue(p, state, arrived, n):
    """The next flit of the packet under way, or the first of another, moves on."""
    c = state.owner[n]
    if not state.in_packet[n]:
        requests = 0
        for other in range(p.classes):
            requests |= (state.stored[n, other] > 0) << other
        c = class_arbiter_pick(p, state.deficit[n], requests)
    if c < 0 or state.stored[n, c] == 0:
        return
    slot = c * (p.egress_depth + 2) + state.head[n, c]
    state.head[n, c] = (state.head[n, c] + 1) % (p.egress_depth + 2)
    state.stored[n, c] -= 1
    state.room[n, c] += 1
    if slot == arrived and state.o[n] == EMPTY:
        state.o[n] = slot  # passes by the memory
    else:
        state.fetch[n] = slot
    if p.weighted:
        refill = not state.in_packet[n] and state.deficit[n, c] <= 0
        class_arbiter_clock(p, state.deficit[n], refill)
        state.deficit[n, c] -= 1
    state.in_packet[n] = not state.last[n, slot]
    state.owner[n] = c


@compiled
def egress_clock(p, state, inputs, outputs, n):
    """``o_valid``, which is combinational in ``reset``, then the clock edge."""
    discarding = inputs.reset[n] or state.flushing[n]
    outputs.o_valid[n] = state.o[n] != EMPTY and not discarding

    take(p, state, inputs, discarding, n)
    state.flushing[n] = discarding and state.sending[n]
    arrived = arrive(p, state, inputs, n)
    if state.fetch[n] == EMPTY:
        issue(p, state, arrived, n)
    for k in range(p.iterations):
        if inputs.reserve_valid[n, k]:
            state.room[n, inputs.reserve_traffic_class[n, k]] -= inputs.reserve_length[n, k]


class EgressModel:
    """``instances`` output ports."""

    def __init__(self, config: SwitchConfig, instances: int = 1):
        self.config, self.instances = config, instances
        self.p = parameters(config)
        inputs, outputs = egress_shapes(config, instances)
        self.inputs = allocate(EgressInputs, inputs)
        self.outputs = allocate(EgressOutputs, outputs)
        self.reset()

    def reset(self) -> None:
        """The state after reset."""
        self.state = egress_state(self.config, self.instances)

    def step(self) -> EgressOutputs:
        """Outputs of this cycle, then the clock edge."""
        for n in range(self.instances):
            egress_outputs(self.p, self.state, self.outputs, n)
            egress_clock(self.p, self.state, self.inputs, self.outputs, n)
        return self.outputs
