"""Golden model of rtl.classifier: header check, routing, and the end of broken packets."""

from collections import namedtuple

import numpy as np

from models.compiled import compiled, inner
from models.config import SwitchConfig
from models.packet import Broken, Drop, Operation
from models.parameters import parameters
from models.record import allocate
from models.word import low_bits, odd, place

__all__ = [
    "ClassifierInputs",
    "ClassifierModel",
    "ClassifierOutputs",
    "ClassifierState",
    "classifier_clock",
    "classifier_outputs",
    "classifier_shapes",
    "classifier_state",
]

ClassifierInputs = namedtuple(
    "ClassifierInputs",
    "i_valid i_payload_data i_payload_keep i_payload_last i_payload_user port enable drain reset "
    "enabled program_valid program_partition program_address program_mask admit used_high",
)
ClassifierOutputs = namedtuple(
    "ClassifierOutputs",
    "i_ready program_ready push_valid push_first push_queue push_length push_flit_data "
    "push_flit_count push_flit_first push_flit_last push_flit_error push_flit_mark "
    "push_flit_parity offer_valid offer_queue offer_length announce_valid announce_queue "
    "announce_length announce_partial complete accepted drop_valid drop_reason drop_header "
    "broken_valid broken_reason idle",
)
ClassifierState = namedtuple(
    "ClassifierState",
    "base full data keep last error route members refusal phase routes partitions age gap "
    "may_begin resets queue length tail sent mark over stalled accepted dropped drop_reason "
    "drop_header broke broken_reason",
)

IDLE, BODY, PAD, EAT = range(4)
PARTITIONS = 256
STAGES = 4
JUDGED, HEAD = 2, 3  # stages, of which the first is 0: from here on the refusal is known; the last
UNKNOWN = -2  # no refusal yet
GOOD = -1

# numba takes plain integers as constants, not the members of an IntEnum
UNICAST = int(Operation.UNICAST)
D_LENGTH, D_OPERATION, D_CLASS, D_ROUTE, D_PARTITION, D_DISABLED = (int(d) for d in Drop)
B_INPUT, B_KEEP, B_SHORT, B_LONG, B_STALL, B_RESET = (int(b) for b in Broken)


def classifier_state(config: SwitchConfig, instances: int) -> ClassifierState:
    """Nothing received; the forwarding table is the identity, every port in every partition."""
    mask_words = (config.ports + 63) // 64
    pipeline = instances, STAGES
    shapes = dict.fromkeys(ClassifierState._fields, (instances,))
    shapes |= {
        # base: place of the first stage, see ``at``.
        "full": pipeline,  # the stage holds a flit; else the rest of it is zero
        "data": (*pipeline, config.words),
        "keep": (*pipeline, (config.flit_bytes + 63) // 64),
        "last": pipeline,
        "error": pipeline,
        "route": (*pipeline, mask_words),  # looked up with that flit
        "members": (*pipeline, mask_words),
        "refusal": pipeline,  # if the flit is a head: a Drop, GOOD or UNKNOWN
        "routes": (instances, config.endpoints, mask_words),
        "partitions": (instances, PARTITIONS, mask_words),
        # age: cycles since reset, up to those of the sweep; gap: a write takes the place of a flit;
        # may_begin, resets: the controls of the cycle before.
        # Of the packet under way: queue, length, tail (bytes of its last flit), sent, mark,
        # over (its stream has ended), stalled. The rest: events that show in the next cycle.
    }
    state = allocate(ClassifierState, shapes)
    for port in range(config.ports):
        state.routes[:, port, port // 64] = np.array(1 << (port % 64), np.uint64).astype(np.int64)
        state.partitions[:, :, port // 64] |= state.routes[0, port, port // 64]
    return state


@inner
def member(mask, port):
    """Bit ``port`` of a mask in words."""
    return (mask[port >> 6] >> (port & 63)) & 1


@inner
def only_port(mask):
    """The port of a mask with exactly one, else -1."""
    found = -1
    for word in range(mask.size):
        bits = mask[word]
        if bits and (found >= 0 or bits & -bits != bits):
            return -1
        if bits:
            found = 64 * word + place(bits)
    return found


@inner
def keeps(keep, count):
    """Whether the first ``count`` bytes, and no others, are kept."""
    for word in range(keep.size):  # noqa: SIM110 - no generators in numba
        if keep[word] != low_bits(count - 64 * word):
            return False
    return True


@inner
def at(s, n, stage):
    """Where the ``stage`` is: flits stay where they are, and the stages move."""
    return (s.base[n] + stage) % STAGES


@inner
def verdict(p, s, inputs, n, stage):
    """Reason to drop the packet whose head is in ``stage``, or GOOD."""
    stage = at(s, n, stage)
    header = s.data[n, stage, 0]
    length = (header >> 32) & 0xFFFF
    if length < p.min_packet_bytes or length > p.max_packet_bytes:
        return D_LENGTH
    if (header >> 52) & 0xF != UNICAST:
        return D_OPERATION
    if (header >> 48) & 0xF >= p.classes:
        return D_CLASS
    output = only_port(s.route[n, stage])
    if output < 0:
        return D_ROUTE
    members = s.members[n, stage]
    if not member(members, inputs.port[n]) or not member(members, output):
        return D_PARTITION
    if not member(inputs.enabled[n], output):
        return D_DISABLED
    return GOOD


@inner
def request(p, s, n, stage):
    """Queue and flits of the packet whose head is in ``stage``; zero if it is none or refused."""
    stage = at(s, n, stage)
    if not s.full[n, stage] or s.refusal[n, stage] != GOOD:
        return 0, 0
    header = s.data[n, stage, 0]
    queue = only_port(s.route[n, stage]) * p.classes + ((header >> 48) & 0xF)
    return queue, (((header >> 32) & 0xFFFF) + p.flit_bytes - 1) // p.flit_bytes


@inner
def push(p, s, outputs, n, last, error, count):
    """Hand one flit of the packet under way to the buffer, and announce the packet in time."""
    s.sent[n] += 1
    outputs.push_valid[n] = 1
    outputs.push_first[n] = s.sent[n] == 1
    outputs.push_queue[n] = s.queue[n]
    outputs.push_length[n] = s.length[n]
    outputs.push_flit_count[n] = count - 1
    outputs.push_flit_first[n] = outputs.push_first[n]
    outputs.push_flit_last[n] = last
    outputs.push_flit_error[n] = error
    outputs.push_flit_mark[n] = s.mark[n]
    head = at(s, n, HEAD)
    parity = odd(
        (count - 1) ^ last << 8 ^ error << 9 ^ s.mark[n] << 10 ^ outputs.push_first[n] << 11
    )
    for word in range(p.words):
        value = s.data[n, head, word]  # with padding too
        outputs.push_flit_data[n, word] = value
        parity ^= odd(value) << word
    outputs.push_flit_parity[n, 0] = parity

    start = max(1, (s.length[n] * p.start_scale + 255) >> 8)
    if s.sent[n] == start:
        outputs.announce_valid[n] = 1
        outputs.announce_queue[n] = s.queue[n]
        outputs.announce_length[n] = s.length[n]
        outputs.announce_partial[n] = s.sent[n] < s.length[n]
    if s.sent[n] == s.length[n] and start < s.length[n]:
        outputs.complete[n] = 1
    s.stalled[n] = 0


@inner
def after_break(s, n, reason, over):
    """Pad up to the declared length, then eat the rest of the stream."""
    s.broke[n], s.broken_reason[n] = 1, reason
    s.over[n] = over
    if s.sent[n] < s.length[n]:
        s.phase[n] = PAD
    else:
        s.phase[n] = IDLE if over else EAT


@inner
def body(p, s, outputs, n):
    """The flit in the last stage is the next one of the packet under way: check and push."""
    head = at(s, n, HEAD)
    last, keep = s.last[n, head], s.keep[n, head]
    full = keeps(keep, p.flit_bytes)
    expected_last = s.sent[n] + 1 == s.length[n]
    reason = -1
    if s.error[n, head]:
        reason = B_INPUT
    elif (not last and not full) or (last and expected_last and not keeps(keep, s.tail[n])):
        reason = B_KEEP
    elif last and not expected_last:
        reason = B_SHORT
    elif expected_last and not last:
        reason = B_LONG
    if reason >= 0:
        push(p, s, outputs, n, 1, 1, p.flit_bytes)
        after_break(s, n, reason, last)
    else:
        count = s.tail[n] if expected_last else p.flit_bytes
        push(p, s, outputs, n, int(expected_last), 0, count)
        s.phase[n] = IDLE if expected_last else BODY


@inner
def idle(p, s, inputs, outputs, n):
    """The flit in the last stage is a head; return whether it is consumed."""
    if s.resets[n]:
        return True
    if not s.may_begin[n]:
        return False
    head = at(s, n, HEAD)
    reason, header = s.refusal[n, head], s.data[n, head, 0]
    if reason != GOOD:
        s.dropped[n], s.drop_reason[n], s.drop_header[n] = 1, reason, header
        s.phase[n] = IDLE if s.last[n, head] else EAT
        return True
    if not inputs.admit[n]:
        return False
    s.queue[n], s.length[n] = request(p, s, n, HEAD)
    s.tail[n] = ((header >> 32) & 0xFFFF) - (s.length[n] - 1) * p.flit_bytes
    s.sent[n] = 0
    s.mark[n] = inputs.used_high[n]
    s.accepted[n] = 1
    body(p, s, outputs, n)
    return True


@inner
def classifier_outputs(p, s, outputs, n):
    """What registers show."""
    outputs.idle[n] = s.phase[n] == IDLE
    for stage in range(STAGES):
        if s.full[n, stage]:
            outputs.idle[n] = 0
    swept = s.age[n] == max(p.endpoints, PARTITIONS)
    outputs.program_ready[n] = swept and not s.gap[n]
    outputs.accepted[n] = s.accepted[n]
    outputs.drop_valid[n] = s.dropped[n]
    outputs.drop_reason[n] = s.drop_reason[n]
    outputs.drop_header[n, 0] = s.drop_header[n]
    outputs.broken_valid[n] = s.broke[n]
    outputs.broken_reason[n] = s.broken_reason[n]


@inner
def act(p, s, inputs, outputs, n):
    """Let the last stage do its part; return whether its flit is consumed."""
    head = at(s, n, HEAD)
    full = s.full[n, head] == 1
    if s.phase[n] == IDLE:
        return full and idle(p, s, inputs, outputs, n)
    if s.phase[n] == BODY:
        if s.resets[n]:
            push(p, s, outputs, n, 1, 1, p.flit_bytes)
            after_break(s, n, B_RESET, 0)
            return False
        if full:
            body(p, s, outputs, n)
            return True
        s.stalled[n] += 1
        if s.stalled[n] == p.stall_cycles:
            push(p, s, outputs, n, 1, 1, p.flit_bytes)
            after_break(s, n, B_STALL, 0)
        return False
    if s.phase[n] == PAD:
        push(p, s, outputs, n, 0, 0, p.flit_bytes)
        if s.sent[n] == s.length[n]:
            s.phase[n] = IDLE if s.over[n] else EAT
        return False
    if s.resets[n] or (full and s.last[n, head]):
        s.phase[n] = IDLE
    return full


@inner
def classifier_clock(p, s, inputs, outputs, n):
    """All outputs that depend on inputs; then the clock edge."""
    outputs.push_valid[n] = 0
    outputs.push_first[n] = 0
    outputs.announce_valid[n] = 0
    outputs.complete[n] = 0
    s.accepted[n] = 0
    s.dropped[n] = 0
    s.broke[n] = 0
    moves = act(p, s, inputs, outputs, n) or not s.full[n, at(s, n, HEAD)]
    outputs.offer_valid[n] = moves
    outputs.offer_queue[n], outputs.offer_length[n] = request(p, s, n, HEAD - 1)
    outputs.i_ready[n] = moves and not s.gap[n]
    if moves:
        s.base[n] = at(s, n, HEAD)  # what was in the last stage is overwritten
        if s.full[n, at(s, n, JUDGED)]:
            s.refusal[n, at(s, n, JUDGED)] = verdict(p, s, inputs, n, JUDGED)
        receive(p, s, inputs, n, outputs.i_ready[n] and inputs.i_valid[n])
    program(p, s, inputs, outputs, n)
    s.may_begin[n] = inputs.enable[n] and not inputs.drain[n] and not inputs.reset[n]
    s.resets[n] = inputs.reset[n]


@inner
def receive(p, s, inputs, n, comes):
    """A flit enters the first stage, and both tables are read for it; or nothing does."""
    first = at(s, n, 0)
    s.full[n, first] = comes
    s.refusal[n, first] = UNKNOWN
    for word in range(p.words):
        s.data[n, first, word] = inputs.i_payload_data[n, word] if comes else 0
    for word in range(s.keep.shape[2]):
        s.keep[n, first, word] = inputs.i_payload_keep[n, word] if comes else 0
    s.last[n, first] = comes and inputs.i_payload_last[n]
    s.error[n, first] = comes and inputs.i_payload_user[n] & 1
    header = s.data[n, first, 0]
    destination, partition = header & 0xFFFF, header >> 56 & 0xFF
    for word in range(s.route.shape[2]):
        known = destination < p.endpoints
        s.route[n, first, word] = s.routes[n, destination, word] if known else 0
        s.members[n, first, word] = s.partitions[n, partition, word]


@inner
def program(p, s, inputs, outputs, n):
    """Replace an entry, if the tables have been swept; no lookup follows in the next cycle."""
    s.gap[n] = inputs.program_valid[n] and outputs.program_ready[n]
    if s.gap[n]:
        table = s.partitions[n] if inputs.program_partition[n] else s.routes[n]
        address = inputs.program_address[n]
        if address < table.shape[0]:
            for word in range(table.shape[1]):
                table[address, word] = inputs.program_mask[n, word]
    s.age[n] = min(s.age[n] + 1, max(p.endpoints, PARTITIONS))


def classifier_shapes(config: SwitchConfig, instances: int) -> tuple[dict, dict]:
    """Shapes of the inputs and of the outputs."""
    mask_words = (config.ports + 63) // 64
    wide = {
        "i_payload_data": (instances, config.words),
        "i_payload_keep": (instances, (config.flit_bytes + 63) // 64),
        "enabled": (instances, mask_words),
        "program_mask": (instances, mask_words),
        "push_flit_data": (instances, config.words),
        "push_flit_parity": (instances, 1),
        "drop_header": (instances, 1),
    }
    kinds = ClassifierInputs, ClassifierOutputs
    inputs, outputs = ({f: wide.get(f, (instances,)) for f in kind._fields} for kind in kinds)
    return inputs, outputs


@compiled
def classifier_step(p, s, inputs, outputs):
    """Outputs of this cycle, then the clock edge, of all instances."""
    for n in range(s.base.size):
        classifier_outputs(p, s, outputs, n)
        classifier_clock(p, s, inputs, outputs, n)


class ClassifierModel:
    """Header check, route, framing; 4 cycles from ``i`` to ``push``."""

    def __init__(self, config: SwitchConfig, instances: int = 1):
        self.config, self.instances = config, instances
        self.p = parameters(config)
        inputs, outputs = classifier_shapes(config, instances)
        self.inputs = allocate(ClassifierInputs, inputs)
        self.outputs = allocate(ClassifierOutputs, outputs)
        self.reset()

    def reset(self) -> None:
        """The state after reset."""
        self.state = classifier_state(self.config, self.instances)

    def step(self) -> ClassifierOutputs:
        """Outputs of this cycle, then the clock edge."""
        classifier_step(self.p, self.state, self.inputs, self.outputs)
        return self.outputs
