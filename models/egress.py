"""Golden model of rtl.egress: the queues of one output port, and the packet on its line.

The RTL moves flits through a memory, registers behind it, the front and the port register. Here a
flit stays in one slot of a ring from its arrival until it is taken: ``check``, ``issued``,
``memory``, ``fetch``, ``front`` and ``o`` only say which slot, so each ring has more slots than the
queue is deep.
"""

from collections import namedtuple

from models.class_arbiter import class_arbiter_clock, class_arbiter_pick, class_arbiter_state
from models.compiled import compiled, inner
from models.config import FRONT_FLITS, SwitchConfig
from models.parameters import parameters
from models.record import allocate
from models.word import low_bits, odd

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
    "i_valid i_traffic_class i_flit_data i_flit_count i_flit_first i_flit_last i_flit_error "
    "i_flit_mark i_flit_parity reset o_ready",
)
EgressOutputs = namedtuple(
    "EgressOutputs",
    "accepts o_valid o_payload_data o_payload_keep o_payload_last o_payload_user occupancy idle "
    "delivered errored discarded parity",
)
EgressState = namedtuple(
    "EgressState",
    "data count last error mark stored head tail deficit accepts ended in_packet owner check "
    "check_class check_first check_wrong issued memory fetch front front_head front_flits promised "
    "o sending discarding occupancy",
)

EMPTY = -1
EXTRA = 5 + FRONT_FLITS  # flits of a class in the check stage and behind the queue


def egress_shapes(config: SwitchConfig, instances: int) -> tuple[dict, dict]:
    """Shapes of the inputs and of the outputs."""
    wide = {
        "i_flit_data": (instances, config.words),
        "i_flit_parity": (instances, 1),
        "o_payload_data": (instances, config.words),
        "o_payload_keep": (instances, (config.flit_bytes + 63) // 64),
    }
    kinds = EgressInputs, EgressOutputs
    inputs, outputs = ({f: wide.get(f, (instances,)) for f in kind._fields} for kind in kinds)
    return inputs, outputs


def egress_state(config: SwitchConfig, instances: int) -> EgressState:
    """State after reset."""
    slots = config.classes * (config.egress_depth + EXTRA)
    shapes: dict[str, tuple[int, ...]] = dict.fromkeys(EgressState._fields, (instances,))
    shapes["data"] = (instances, slots, config.words)
    for name in ("count", "last", "error", "mark"):
        shapes[name] = (instances, slots)
    shapes["front"] = (instances, FRONT_FLITS)
    for name in ("stored", "head", "tail", "deficit"):
        shapes[name] = (instances, config.classes)
    state = allocate(EgressState, shapes)
    state.deficit[:] = class_arbiter_state(config)
    state.accepts[:] = (1 << config.classes) - 1
    state.ended[:] = 1
    for stage in (state.check, state.issued, state.memory, state.fetch, state.o):
        stage[:] = EMPTY
    return state


@inner
def waiting(p, state, n):
    """Flits in the queues, which does not count those on their way to the port."""
    flits = 0
    for c in range(p.classes):
        flits += state.stored[n, c]
    return flits


@inner
def egress_outputs(p, state, outputs, n):
    """What the registers show; the payload only if there is one."""
    outputs.accepts[n] = state.accepts[n]
    outputs.occupancy[n] = state.occupancy[n]
    slot = state.o[n]
    outputs.o_valid[n] = slot != EMPTY and not state.discarding[n]
    outputs.idle[n] = (
        waiting(p, state, n) == 0
        and state.check[n] == EMPTY
        and state.issued[n] == EMPTY
        and state.memory[n] == EMPTY
        and state.fetch[n] == EMPTY
        and state.front_flits[n] == 0
        and slot == EMPTY
    )
    if slot != EMPTY:
        for word in range(p.words):
            outputs.o_payload_data[n, word] = state.data[n, slot, word]
        last = state.last[n, slot]
        valid_bytes = state.count[n, slot] + 1 if last else p.flit_bytes
        for word in range(outputs.o_payload_keep.shape[1]):
            outputs.o_payload_keep[n, word] = low_bits(valid_bytes - 64 * word)
        outputs.o_payload_last[n] = last
        outputs.o_payload_user[n] = state.error[n, slot] + 2 * state.mark[n, slot]


@inner
def intact(p, inputs, n):
    """The flit that arrives has the parity it was sent with."""
    parity = inputs.i_flit_last[n] ^ inputs.i_flit_error[n] ^ inputs.i_flit_mark[n]
    parity ^= inputs.i_flit_first[n] ^ odd(inputs.i_flit_count[n])
    for word in range(p.words):
        parity ^= odd(inputs.i_flit_data[n, word]) << word
    return parity == inputs.i_flit_parity[n, 0]


@inner
def take(p, state, inputs, outputs, discarding, n):
    """The line, or the flush, takes what ``o`` holds."""
    slot = state.o[n]
    outputs.delivered[n] = outputs.errored[n] = outputs.discarded[n] = 0
    if slot != EMPTY and (inputs.o_ready[n] or discarding):
        state.o[n] = EMPTY
        state.sending[n] = not state.last[n, slot]
        if state.last[n, slot]:
            if discarding:
                outputs.discarded[n] = 1
            elif state.error[n, slot]:
                outputs.errored[n] = 1
            else:
                outputs.delivered[n] = 1


@inner
def judge(p, state, outputs, n):
    """What happens to the flit in the check stage: its slot, or EMPTY if it is discarded."""
    outputs.parity[n] = 0
    slot = state.check[n]
    if slot == EMPTY or (state.ended[n] and not state.check_first[n]):
        return EMPTY
    if state.check_wrong[n]:
        outputs.parity[n] = 1
        state.count[n, slot] = p.flit_bytes - 1
        state.last[n, slot] = 1
        state.error[n, slot] = 1
    state.ended[n] = state.last[n, slot]
    c = state.check_class[n]
    state.tail[n, c] = (state.tail[n, c] + 1) % (p.egress_depth + EXTRA)
    return slot


@inner
def arrive(p, state, inputs, n):
    """A flit goes into the check stage."""
    state.check[n] = EMPTY
    if not inputs.i_valid[n]:
        return
    c = inputs.i_traffic_class[n]
    slot = c * (p.egress_depth + EXTRA) + state.tail[n, c]
    for word in range(p.words):
        state.data[n, slot, word] = inputs.i_flit_data[n, word]
    state.count[n, slot] = inputs.i_flit_count[n]
    state.last[n, slot] = inputs.i_flit_last[n]
    state.error[n, slot] = inputs.i_flit_error[n]
    state.mark[n, slot] = inputs.i_flit_mark[n]
    state.check[n] = slot
    state.check_class[n] = c
    state.check_first[n] = inputs.i_flit_first[n]
    state.check_wrong[n] = not intact(p, inputs, n)


@inner
def issue(p, state, judged, n):
    """Which flit goes on its way: its slot, or EMPTY; it is ``judged`` if that skips its queue.

    It is the next of the packet under way or else the first of another.
    """
    if state.promised[n] == FRONT_FLITS:
        return EMPTY
    ring = p.egress_depth + EXTRA
    c, requests = state.owner[n], 0
    for other in range(p.classes):
        requests |= (state.stored[n, other] > 0) << other
    if requests == 0:
        behind = state.issued[n] != EMPTY or state.memory[n] != EMPTY or state.fetch[n] != EMPTY
        if judged == EMPTY or behind:
            return EMPTY
        slot, c = judged, judged // ring
    else:
        if not state.in_packet[n]:
            c = class_arbiter_pick(p, state.deficit[n], requests)
        if state.stored[n, c] == 0:
            return EMPTY
        slot = c * ring + state.head[n, c]
        state.stored[n, c] -= 1
    state.head[n, c] = (state.head[n, c] + 1) % ring
    if p.weighted:
        refill = not state.in_packet[n] and state.deficit[n, c] <= 0
        class_arbiter_clock(p, state.deficit[n], refill)
        state.deficit[n, c] -= 1
    state.in_packet[n] = not state.last[n, slot]
    state.owner[n] = c
    return slot


@inner
def enter(state, slot, n):
    """A flit, or EMPTY, comes to the front; the first of it goes into ``o`` if that is empty."""
    if slot != EMPTY:
        last = (state.front_head[n] + state.front_flits[n]) % FRONT_FLITS
        state.front[n, last] = slot
        state.front_flits[n] += 1
    if state.o[n] == EMPTY and state.front_flits[n] > 0:
        state.o[n] = state.front[n, state.front_head[n]]
        state.front_head[n] = (state.front_head[n] + 1) % FRONT_FLITS
        state.front_flits[n] -= 1
        state.promised[n] -= 1


@inner
def egress_clock(p, state, inputs, outputs, n):
    """The events, then the clock edge."""
    accepts = 0
    for c in range(p.classes):
        accepts |= (state.stored[n, c] <= p.accept_flits) << c
    state.occupancy[n] = waiting(p, state, n)

    discarding = state.discarding[n]
    take(p, state, inputs, outputs, discarding, n)
    state.discarding[n] = inputs.reset[n] or (discarding and state.sending[n])
    judged = judge(p, state, outputs, n)
    slot = issue(p, state, judged, n)
    passes = slot != EMPTY and slot == judged
    if judged != EMPTY and not passes:
        state.stored[n, state.check_class[n]] += 1
    state.promised[n] += slot != EMPTY
    enter(state, slot if passes else state.fetch[n], n)
    state.fetch[n], state.memory[n] = state.memory[n], state.issued[n]
    state.issued[n] = EMPTY if passes else slot
    arrive(p, state, inputs, n)
    state.accepts[n] = accepts


@compiled
def egress_step(p, state, inputs, outputs):
    """Outputs of this cycle, then the clock edge, of all instances."""
    for n in range(state.o.size):
        egress_outputs(p, state, outputs, n)
        egress_clock(p, state, inputs, outputs, n)


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
        egress_step(self.p, self.state, self.inputs, self.outputs)
        return self.outputs
