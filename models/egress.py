"""Golden model of rtl.egress: the queues of one output port, and the packet on its line.

The RTL moves flits through a memory, registers behind it, the front and the port register. Here a
flit stays in one slot of a ring from its arrival until it is taken: ``check``, ``issued``,
``memory``, ``fetch``, ``front`` and ``o`` only say which slot, so each ring has more slots than the
queue is deep.
"""

from collections import namedtuple

import numpy as np

from models.class_arbiter import class_arbiter_clock, class_arbiter_pick, class_arbiter_state
from models.compiled import compiled, inner
from models.config import FRONT_FLITS, SwitchConfig
from models.parameters import parameters
from models.record import allocate, records
from models.word import low_bits, odd

__all__ = [
    "EMPTY",
    "EXTRA",
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
    "i_flit_mark i_flit_parity permit flush reset o_ready",
)
EgressOutputs = namedtuple(
    "EgressOutputs",
    "accepts waiting o_valid o_payload_data o_payload_keep o_payload_last o_payload_user occupancy "
    "idle delivered errored discarded parity",
)
EgressState = namedtuple("EgressState", "lines queues deficit front flits data")
LINE = (
    "accepts ended in_packet owner check check_class check_first check_wrong issued memory fetch "
    "front_head front_flits promised o sending discarding permitted flushed doomed stored occupancy"
)
QUEUE = "stored head tail"
FLIT = "count last error mark doomed"  # `doomed`: not for the line

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
    lines = records(LINE, instances)
    lines["accepts"] = (1 << config.classes) - 1
    lines["ended"] = 1
    for stage in ("check", "issued", "memory", "fetch", "o"):
        lines[stage] = EMPTY
    return EgressState(
        lines=lines,
        queues=records(QUEUE, (instances, config.classes)),
        deficit=np.tile(class_arbiter_state(config), (instances, 1)),
        front=np.zeros((instances, FRONT_FLITS), dtype=np.int64),
        flits=records(FLIT, (instances, slots)),
        data=np.zeros((instances, slots, config.words), dtype=np.int64),
    )


@inner
def egress_outputs(p, state, outputs, n):
    """What the registers show; the payload only if there is one."""
    line = state.lines[n]
    outputs.accepts[n] = line.accepts
    outputs.waiting[n] = 0
    for c in range(p.classes):
        outputs.waiting[n] |= (state.queues[n, c].stored > 0) << c
    outputs.occupancy[n] = line.occupancy
    slot = line.o
    outputs.o_valid[n] = 0
    outputs.idle[n] = (
        line.stored == 0
        and line.check == EMPTY
        and line.issued == EMPTY
        and line.memory == EMPTY
        and line.fetch == EMPTY
        and line.front_flits == 0
        and slot == EMPTY
    )
    if slot != EMPTY:
        flit = state.flits[n, slot]
        outputs.o_valid[n] = not (line.discarding or flit.doomed)
        for word in range(p.words):
            outputs.o_payload_data[n, word] = state.data[n, slot, word]
        valid_bytes = flit.count + 1 if flit.last else p.flit_bytes
        for word in range(outputs.o_payload_keep.shape[1]):
            outputs.o_payload_keep[n, word] = low_bits(valid_bytes - 64 * word)
        outputs.o_payload_last[n] = flit.last
        outputs.o_payload_user[n] = flit.error + 2 * flit.mark


@inner
def intact(p, inputs, n):
    """The flit that arrives has the parity it was sent with."""
    parity = inputs.i_flit_last[n] ^ inputs.i_flit_error[n] ^ inputs.i_flit_mark[n]
    parity ^= inputs.i_flit_first[n] ^ odd(inputs.i_flit_count[n])
    for word in range(p.words):
        parity ^= odd(inputs.i_flit_data[n, word]) << word
    return parity == inputs.i_flit_parity[n, 0]


@inner
def take(state, inputs, outputs, n):
    """The line, or the flush, takes what ``o`` holds."""
    line = state.lines[n]
    outputs.delivered[n] = outputs.errored[n] = outputs.discarded[n] = 0
    if line.o == EMPTY:
        return
    flit = state.flits[n, line.o]
    discards = line.discarding or flit.doomed
    if discards or inputs.o_ready[n]:
        line.o = EMPTY
        line.sending = not flit.last
        if flit.last:
            if discards:
                outputs.discarded[n] = 1
            elif flit.error:
                outputs.errored[n] = 1
            else:
                outputs.delivered[n] = 1


@inner
def judge(p, state, outputs, n):
    """What happens to the flit in the check stage: its slot, or EMPTY if it is discarded."""
    line = state.lines[n]
    outputs.parity[n] = 0
    slot = line.check
    if slot == EMPTY or (line.ended and not line.check_first):
        return EMPTY
    flit = state.flits[n, slot]
    if line.check_wrong:
        outputs.parity[n] = 1
        flit.count = p.flit_bytes - 1
        flit.last = 1
        flit.error = 1
    line.ended = flit.last
    queue = state.queues[n, line.check_class]
    queue.tail = following(p, queue.tail)
    return slot


@inner
def following(p, place):
    """The next place of a ring."""
    return 0 if place == p.egress_depth + EXTRA - 1 else place + 1


@inner
def arrive(p, state, inputs, n):
    """A flit goes into the check stage."""
    line = state.lines[n]
    line.check = EMPTY
    if not inputs.i_valid[n]:
        return
    c = inputs.i_traffic_class[n]
    slot = c * (p.egress_depth + EXTRA) + state.queues[n, c].tail
    for word in range(p.words):
        state.data[n, slot, word] = inputs.i_flit_data[n, word]
    flit = state.flits[n, slot]
    flit.count = inputs.i_flit_count[n]
    flit.last = inputs.i_flit_last[n]
    flit.error = inputs.i_flit_error[n]
    flit.mark = inputs.i_flit_mark[n]
    line.check = slot
    line.check_class = c
    line.check_first = inputs.i_flit_first[n]
    line.check_wrong = not intact(p, inputs, n)


@inner
def issue(p, state, judged, n):
    """Which flit goes on its way: its slot, or EMPTY; it is ``judged`` if that skips its queue.

    It is the next of the packet under way or else the first of another, whose class has its permit
    or is flushed; then the packet is doomed.
    """
    line = state.lines[n]
    if line.promised == FRONT_FLITS:
        return EMPTY
    c = line.owner
    if line.stored == 0:
        behind = line.issued != EMPTY or line.memory != EMPTY or line.fetch != EMPTY
        if judged == EMPTY or behind:
            return EMPTY
        slot, c = judged, line.check_class
        if not (line.in_packet or (line.permitted & ~line.flushed) >> c & 1):
            return EMPTY
    else:
        if not line.in_packet:
            requests = 0
            for other in range(p.classes):
                requests |= (state.queues[n, other].stored > 0) << other
            requests &= line.permitted | line.flushed
            if requests == 0:
                return EMPTY
            c = class_arbiter_pick(p, state.deficit[n], requests)
        queue = state.queues[n, c]
        if queue.stored == 0:
            return EMPTY
        slot = c * (p.egress_depth + EXTRA) + queue.head
        queue.stored -= 1
        line.stored -= 1
    queue = state.queues[n, c]
    queue.head = following(p, queue.head)
    if p.weighted:
        refill = not line.in_packet and state.deficit[n, c] <= 0
        class_arbiter_clock(p, state.deficit[n], refill)
        state.deficit[n, c] -= 1
    flit = state.flits[n, slot]
    if not line.in_packet:
        line.doomed = line.flushed >> c & 1
    flit.doomed = line.doomed
    line.in_packet = not flit.last
    line.owner = c
    return slot


@inner
def enter(state, slot, n):
    """A flit, or EMPTY, comes to the front; the first of it goes into ``o`` if that is empty."""
    line = state.lines[n]
    if slot != EMPTY:
        state.front[n, (line.front_head + line.front_flits) % FRONT_FLITS] = slot
        line.front_flits += 1
    if line.o == EMPTY and line.front_flits > 0:
        line.o = state.front[n, line.front_head]
        line.front_head = (line.front_head + 1) % FRONT_FLITS
        line.front_flits -= 1
        line.promised -= 1


@inner
def egress_clock(p, state, inputs, outputs, n):
    """The events, then the clock edge."""
    line = state.lines[n]
    accepts = 0
    for c in range(p.classes):
        accepts |= (state.queues[n, c].stored <= p.accept_flits) << c
    line.occupancy = line.stored

    take(state, inputs, outputs, n)
    line.discarding = inputs.reset[n] or (line.discarding and line.sending)
    judged = judge(p, state, outputs, n)
    slot = issue(p, state, judged, n)
    passes = slot != EMPTY and slot == judged
    if judged != EMPTY and not passes:
        state.queues[n, line.check_class].stored += 1
        line.stored += 1
    line.promised += slot != EMPTY
    enter(state, slot if passes else line.fetch, n)
    line.fetch, line.memory = line.memory, line.issued
    line.issued = EMPTY if passes else slot
    arrive(p, state, inputs, n)
    line.permitted = (1 << p.classes) - 1 if inputs.reset[n] else inputs.permit[n]
    line.flushed = inputs.flush[n]
    line.accepts = accepts


@compiled
def egress_step(p, state, inputs, outputs):
    """Outputs of this cycle, then the clock edge, of all instances."""
    for n in range(state.lines.size):
        egress_outputs(p, state, outputs, n)
        egress_clock(p, state, inputs, outputs, n)


class EgressModel:
    """``instances`` output ports; all is permitted unless ``inputs.permit`` says otherwise."""

    def __init__(self, config: SwitchConfig, instances: int = 1):
        self.config, self.instances = config, instances
        self.p = parameters(config)
        inputs, outputs = egress_shapes(config, instances)
        self.inputs = allocate(EgressInputs, inputs)
        self.outputs = allocate(EgressOutputs, outputs)
        self.inputs.permit[:] = (1 << config.classes) - 1
        self.reset()

    def reset(self) -> None:
        """The state after reset."""
        self.state = egress_state(self.config, self.instances)

    def step(self) -> EgressOutputs:
        """Outputs of this cycle, then the clock edge."""
        egress_step(self.p, self.state, self.inputs, self.outputs)
        return self.outputs
