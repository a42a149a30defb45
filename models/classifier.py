"""Golden model of rtl.classifier: header check, routing, and the end of broken packets."""

from collections import namedtuple

import numpy as np

from models.compiled import compiled
from models.config import SwitchConfig
from models.packet import Broken, Drop, Operation
from models.parameters import parameters
from models.record import allocate

__all__ = [
    "ClassifierInputs",
    "ClassifierModel",
    "ClassifierOutputs",
    "ClassifierState",
    "classifier_clock",
    "classifier_offer",
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
    "i_ready push_valid push_first push_queue push_length push_flit_data push_flit_count "
    "push_flit_last push_flit_error push_flit_mark push_flit_parity offer_valid offer_queue "
    "offer_length announce_valid announce_queue announce_length announce_partial complete "
    "drop_valid drop_reason drop_header idle counters_accepted counters_dropped counters_errored",
)
ClassifierState = namedtuple(
    "ClassifierState",
    "phase full data keep last error route members routes partitions queue length tail sent mark "
    "over stalled accepted dropped errored",
)

IDLE, BODY, PAD, EAT = range(4)
PARTITIONS = 256

# numba takes plain integers as constants, not the members of an IntEnum
UNICAST = int(Operation.UNICAST)
DROPS = len(Drop)
D_LENGTH, D_OPERATION, D_CLASS, D_ROUTE, D_PARTITION, D_DISABLED = (int(d) for d in Drop)
BROKENS = len(Broken)
B_INPUT, B_KEEP, B_SHORT, B_LONG, B_STALL, B_RESET = (int(b) for b in Broken)


def classifier_state(config: SwitchConfig, instances: int) -> ClassifierState:
    """Nothing received; the forwarding table is the identity, every port in every partition."""
    mask_words = (config.ports + 63) // 64
    state = allocate(
        ClassifierState,
        {
            "phase": (instances,),
            "full": (instances,),  # the stage register holds a flit
            "data": (instances, config.words),
            "keep": (instances, (config.flit_bytes + 63) // 64),
            "last": (instances,),
            "error": (instances,),
            "route": (instances, mask_words),  # looked up with that flit
            "members": (instances, mask_words),
            "routes": (instances, config.endpoints, mask_words),
            "partitions": (instances, PARTITIONS, mask_words),
            "queue": (instances,),  # of the packet under way
            "length": (instances,),
            "tail": (instances,),  # bytes of its last flit
            "sent": (instances,),
            "mark": (instances,),
            "over": (instances,),  # its stream has ended
            "stalled": (instances,),
            "accepted": (instances,),
            "dropped": (instances, DROPS),
            "errored": (instances, BROKENS),
        },
    )
    for port in range(config.ports):
        state.routes[:, port, port // 64] = np.array(1 << (port % 64), np.uint64).astype(np.int64)
        state.partitions[:, :, port // 64] |= state.routes[0, port, port // 64]
    return state


@compiled
def member(mask, port):
    """Bit ``port`` of a mask in words."""
    return (mask[port >> 6] >> (port & 63)) & 1


@compiled
def only_port(p, mask):
    """The port of a mask with exactly one, else -1."""
    found = -1
    for port in range(p.ports):
        if member(mask, port):
            if found >= 0:
                return -1
            found = port
    return found


@compiled
def keeps(p, keep, count):
    """Whether the first ``count`` bytes, and no others, are kept."""
    for byte in range(p.flit_bytes):  # noqa: SIM110 - no generators in numba
        if member(keep, byte) != (byte < count):
            return False
    return True


@compiled
def odd(word):
    """Parity of the 64 bits of a word."""
    for shift in (32, 16, 8, 4, 2, 1):
        word ^= word >> shift
    return word & 1


@compiled
def verdict(p, s, inputs, n):
    """Reason to drop the packet whose head is in the stage register, or -1."""
    header = s.data[n, 0]
    length = (header >> 32) & 0xFFFF
    if length < p.min_packet_bytes or length > p.max_packet_bytes:
        return D_LENGTH
    if (header >> 52) & 0xF != UNICAST:
        return D_OPERATION
    if (header >> 48) & 0xF >= p.classes:
        return D_CLASS
    output = only_port(p, s.route[n])
    if output < 0:
        return D_ROUTE
    if not member(s.members[n], inputs.port[n]) or not member(s.members[n], output):
        return D_PARTITION
    if not member(inputs.enabled[n], output):
        return D_DISABLED
    return -1


@compiled
def classifier_offer(p, s, inputs, outputs, n):
    """Ask the buffer for room, if a good head waits."""
    waits = s.phase[n] == IDLE and s.full[n] and inputs.enable[n] and not inputs.drain[n]
    outputs.offer_valid[n] = 0
    if waits and not inputs.reset[n] and verdict(p, s, inputs, n) < 0:
        header = s.data[n, 0]
        output = only_port(p, s.route[n])
        outputs.offer_valid[n] = 1
        outputs.offer_queue[n] = output * p.classes + ((header >> 48) & 0xF)
        length = (header >> 32) & 0xFFFF
        outputs.offer_length[n] = (length + p.flit_bytes - 1) // p.flit_bytes


@compiled
def push(p, s, outputs, n, padding, last, error, count):
    """Hand one flit of the packet under way to the buffer, and announce the packet in time."""
    s.sent[n] += 1
    outputs.push_valid[n] = 1
    outputs.push_first[n] = s.sent[n] == 1
    outputs.push_queue[n] = s.queue[n]
    outputs.push_length[n] = s.length[n]
    outputs.push_flit_count[n] = count - 1
    outputs.push_flit_last[n] = last
    outputs.push_flit_error[n] = error
    outputs.push_flit_mark[n] = s.mark[n]
    parity = odd((count - 1) ^ last << 8 ^ error << 9 ^ s.mark[n] << 10)
    for word in range(p.words):
        value = 0 if padding else s.data[n, word]
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


@compiled
def after_break(s, n, reason, over):
    """Pad up to the declared length, then eat the rest of the stream."""
    s.errored[n, reason] = (s.errored[n, reason] + 1) & 0xFFFFFFFF
    s.over[n] = over
    if s.sent[n] < s.length[n]:
        s.phase[n] = PAD
    else:
        s.phase[n] = IDLE if over else EAT


@compiled
def body(p, s, outputs, n):
    """The flit in the stage register is the next one of the packet under way: check and push."""
    last, full = s.last[n], keeps(p, s.keep[n], p.flit_bytes)
    expected_last = s.sent[n] + 1 == s.length[n]
    reason = -1
    if s.error[n]:
        reason = B_INPUT
    elif (not last and not full) or (last and expected_last and not keeps(p, s.keep[n], s.tail[n])):
        reason = B_KEEP
    elif last and not expected_last:
        reason = B_SHORT
    elif expected_last and not last:
        reason = B_LONG
    if reason >= 0:
        push(p, s, outputs, n, False, 1, 1, p.flit_bytes)
        after_break(s, n, reason, last)
    else:
        count = s.tail[n] if expected_last else p.flit_bytes
        push(p, s, outputs, n, False, int(expected_last), 0, count)
        s.phase[n] = IDLE if expected_last else BODY


@compiled
def idle(p, s, inputs, outputs, n):
    """The flit in the stage register is a head; return whether it is consumed."""
    if inputs.reset[n]:
        return True
    if not inputs.enable[n] or inputs.drain[n]:
        return False
    reason = verdict(p, s, inputs, n)
    if reason >= 0:
        outputs.drop_valid[n] = 1
        outputs.drop_reason[n] = reason
        outputs.drop_header[n, 0] = s.data[n, 0]
        s.dropped[n, reason] = (s.dropped[n, reason] + 1) & 0xFFFFFFFF
        s.phase[n] = IDLE if s.last[n] else EAT
        return True
    if not inputs.admit[n]:
        return False
    s.queue[n] = outputs.offer_queue[n]
    s.length[n] = outputs.offer_length[n]
    s.tail[n] = ((s.data[n, 0] >> 32) & 0xFFFF) - (s.length[n] - 1) * p.flit_bytes
    s.sent[n] = 0
    s.mark[n] = inputs.used_high[n]
    s.accepted[n] = (s.accepted[n] + 1) & 0xFFFFFFFF
    body(p, s, outputs, n)
    return True


@compiled
def classifier_outputs(p, s, outputs, n):
    """What registers show."""
    outputs.idle[n] = s.phase[n] == IDLE and not s.full[n]
    outputs.counters_accepted[n] = s.accepted[n]
    for reason in range(DROPS):
        outputs.counters_dropped[n, reason] = s.dropped[n, reason]
    for reason in range(BROKENS):
        outputs.counters_errored[n, reason] = s.errored[n, reason]


@compiled
def classifier_clock(p, s, inputs, outputs, n):
    """All outputs that depend on ``admit``; then the clock edge."""
    outputs.push_valid[n] = 0
    outputs.announce_valid[n] = 0
    outputs.complete[n] = 0
    outputs.drop_valid[n] = 0
    advance = False
    if s.phase[n] == IDLE:
        if s.full[n]:
            advance = idle(p, s, inputs, outputs, n)
    elif s.phase[n] == BODY:
        if inputs.reset[n]:
            push(p, s, outputs, n, True, 1, 1, p.flit_bytes)
            after_break(s, n, B_RESET, 0)
        elif s.full[n]:
            advance = True
            body(p, s, outputs, n)
        else:
            s.stalled[n] += 1
            if s.stalled[n] == p.stall_cycles:
                push(p, s, outputs, n, True, 1, 1, p.flit_bytes)
                after_break(s, n, B_STALL, 0)
    elif s.phase[n] == PAD:
        push(p, s, outputs, n, True, 0, 0, p.flit_bytes)
        if s.sent[n] == s.length[n]:
            s.phase[n] = IDLE if s.over[n] else EAT
    else:
        advance = s.full[n] == 1
        if inputs.reset[n] or (s.full[n] and s.last[n]):
            s.phase[n] = IDLE

    ready = not s.full[n] or advance
    outputs.i_ready[n] = ready
    if advance:
        s.full[n] = 0
    if ready and inputs.i_valid[n]:
        receive(p, s, inputs, n)
    if inputs.program_valid[n]:
        table = s.partitions[n] if inputs.program_partition[n] else s.routes[n]
        address = inputs.program_address[n]
        if address < table.shape[0]:
            for word in range(table.shape[1]):
                table[address, word] = inputs.program_mask[n, word]
    if inputs.reset[n]:
        s.accepted[n] = 0
        s.dropped[n] = 0
        s.errored[n] = 0


@compiled
def receive(p, s, inputs, n):
    """A flit enters the stage register, and both tables are read for it."""
    s.full[n] = 1
    for word in range(p.words):
        s.data[n, word] = inputs.i_payload_data[n, word]
    for word in range(s.keep.shape[1]):
        s.keep[n, word] = inputs.i_payload_keep[n, word]
    s.last[n] = inputs.i_payload_last[n]
    s.error[n] = inputs.i_payload_user[n] & 1
    destination, partition = s.data[n, 0] & 0xFFFF, (s.data[n, 0] >> 56) & 0xFF
    for word in range(s.route.shape[1]):
        known = destination < p.endpoints
        s.route[n, word] = s.routes[n, destination, word] if known else 0
        s.members[n, word] = s.partitions[n, partition, word]


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
        "counters_dropped": (instances, DROPS),
        "counters_errored": (instances, BROKENS),
    }
    kinds = ClassifierInputs, ClassifierOutputs
    inputs, outputs = ({f: wide.get(f, (instances,)) for f in kind._fields} for kind in kinds)
    return inputs, outputs


class ClassifierModel:
    """Header check, route, framing; 1 cycle from ``i`` to ``push``."""

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
        for n in range(self.instances):
            classifier_outputs(self.p, self.state, self.outputs, n)
            classifier_offer(self.p, self.state, self.inputs, self.outputs, n)
            classifier_clock(self.p, self.state, self.inputs, self.outputs, n)
        return self.outputs
