"""Golden model of rtl.classifier: header check, routing, and the end of broken packets."""

from collections import namedtuple

import numpy as np
from numpy.typing import NDArray

from models.compiled import compiled, inner
from models.config import SwitchConfig
from models.packet import Broken, Drop, Operation
from models.parameters import parameters
from models.record import allocate, records
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
    "ClassifierState", "ports stages data keep route members routes partitions"
)
PORT = (
    "base "  # place of the first stage, see ``at``
    "phase age "  # cycles since reset, up to those of the sweep
    "gap "  # a write takes the place of a flit
    "may_begin resets "  # the controls of the cycle before
    # Of the packet under way: bytes of its last flit; its stream has ended; cycles without a flit.
    "queue length tail sent mark over stalled "
    "accepted dropped drop_reason drop_header broke broken_reason"  # show in the next cycle
)
STAGE = (
    "full "  # it holds a flit; else its data is zero, and the rest means nothing
    "last error "
    "refusal "  # if the flit is a head: a Drop, GOOD or UNKNOWN
    "queue length"  # if it is a good one
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

    def words(*shape: int) -> NDArray[np.int64]:
        return np.zeros(shape, dtype=np.int64)

    state = ClassifierState(
        ports=records(PORT, instances),
        stages=records(STAGE, pipeline),
        data=words(*pipeline, config.words),
        keep=words(*pipeline, (config.flit_bytes + 63) // 64),
        route=words(*pipeline, mask_words),  # looked up with that flit
        members=words(*pipeline, mask_words),
        routes=words(instances, config.endpoints, mask_words),
        partitions=words(instances, PARTITIONS, mask_words),
    )
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
def at(port, stage):
    """Where the ``stage`` is: flits stay where they are, and the stages move."""
    return (port.base + stage) & (STAGES - 1)


@inner
def verdict(p, s, inputs, n, place):
    """Reason to drop the packet whose head is in the stage at ``place``, or GOOD; its queue."""
    header = s.data[n, place, 0]
    length, traffic_class = (header >> 32) & 0xFFFF, (header >> 48) & 0xF
    if length < p.min_packet_bytes or length > p.max_packet_bytes:
        return D_LENGTH, 0
    if (header >> 52) & 0xF != UNICAST:
        return D_OPERATION, 0
    if traffic_class >= p.classes:
        return D_CLASS, 0
    output = only_port(s.route[n, place])
    if output < 0:
        return D_ROUTE, 0
    members = s.members[n, place]
    if not member(members, inputs.port[n]) or not member(members, output):
        return D_PARTITION, 0
    if not member(inputs.enabled[n], output):
        return D_DISABLED, 0
    return GOOD, output * p.classes + traffic_class


@inner
def judge(p, s, inputs, n):
    """A flit leaves the stage in which the answers of the tables are there: good or not?"""
    place = at(s.ports[n], JUDGED)
    stage = s.stages[n, place]
    stage.queue = stage.length = 0
    if stage.full:
        stage.refusal, stage.queue = verdict(p, s, inputs, n, place)
        if stage.refusal == GOOD:
            length = (s.data[n, place, 0] >> 32) & 0xFFFF
            stage.length = (length + p.flit_bytes - 1) // p.flit_bytes


@inner
def push(p, s, outputs, n, count, last, error):
    """Hand one flit of the packet under way to the buffer, and announce the packet in time."""
    port = s.ports[n]
    first = port.sent == 1
    outputs.push_valid[n] = 1
    outputs.push_first[n] = first
    outputs.push_queue[n] = port.queue
    outputs.push_length[n] = port.length
    outputs.push_flit_count[n] = count - 1
    outputs.push_flit_first[n] = first
    outputs.push_flit_last[n] = last
    outputs.push_flit_error[n] = error
    outputs.push_flit_mark[n] = port.mark
    head = at(port, HEAD)
    parity = odd((count - 1) ^ last << 8 ^ error << 9 ^ port.mark << 10 ^ first << 11)
    for word in range(p.words):
        value = s.data[n, head, word]  # with padding too
        outputs.push_flit_data[n, word] = value
        parity ^= odd(value) << word
    outputs.push_flit_parity[n, 0] = parity

    start = max(1, (port.length * p.start_scale + 255) >> 8)
    if port.sent == start:
        outputs.announce_valid[n] = 1
        outputs.announce_queue[n] = port.queue
        outputs.announce_length[n] = port.length
        outputs.announce_partial[n] = port.sent < port.length
    if port.sent == port.length and start < port.length:
        outputs.complete[n] = 1
    port.stalled = 0


@inner
def broken(p, port, reason, over):
    """The last flit of a broken packet; pad up to its declared length, then eat its stream."""
    port.broke, port.broken_reason = 1, reason
    port.over = over
    port.sent += 1
    if port.sent < port.length:
        port.phase = PAD
    else:
        port.phase = IDLE if over else EAT
    return p.flit_bytes, 1, 1


@inner
def body(p, s, n):
    """The flit in the last stage is the next one of the packet under way: check it."""
    port = s.ports[n]
    head = at(port, HEAD)
    stage, keep = s.stages[n, head], s.keep[n, head]
    full = keeps(keep, p.flit_bytes)
    expected_last = port.sent + 1 == port.length
    if stage.error:
        return broken(p, port, B_INPUT, stage.last)
    if (not stage.last and not full) or (
        stage.last and expected_last and not keeps(keep, port.tail)
    ):
        return broken(p, port, B_KEEP, stage.last)
    if stage.last and not expected_last:
        return broken(p, port, B_SHORT, 1)
    if expected_last and not stage.last:
        return broken(p, port, B_LONG, 0)
    port.sent += 1
    port.phase = IDLE if expected_last else BODY
    return port.tail if expected_last else p.flit_bytes, int(expected_last), 0


@inner
def moves(s, inputs, n):
    """Whether the stages move: the last is empty, or what it holds is wanted no more."""
    port = s.ports[n]
    stage = s.stages[n, at(port, HEAD)]
    if not stage.full or port.phase == EAT:
        return True
    if port.phase == IDLE:
        refused = stage.refusal != GOOD
        return port.resets or (port.may_begin and (refused or inputs.admit[n]))
    return port.phase == BODY and not port.resets


@inner
def begins(p, s, inputs, n):
    """The flit in the last stage is a head: whether its packet is accepted."""
    port = s.ports[n]
    if port.resets or not port.may_begin:
        return False
    head = at(port, HEAD)
    stage, header = s.stages[n, head], s.data[n, head, 0]
    if stage.refusal != GOOD:
        port.dropped, port.drop_reason, port.drop_header = 1, stage.refusal, header
        port.phase = IDLE if stage.last else EAT
        return False
    if not inputs.admit[n]:
        return False
    port.queue, port.length = stage.queue, stage.length
    port.tail = ((header >> 32) & 0xFFFF) - (stage.length - 1) * p.flit_bytes
    port.sent = 0
    port.mark = inputs.used_high[n]
    port.accepted = 1
    return True


@inner
def classifier_outputs(p, s, inputs, outputs, n):
    """What registers show, and ``ready``, for which ``admit`` must be there."""
    port = s.ports[n]
    outputs.i_ready[n] = moves(s, inputs, n) and not port.gap
    outputs.idle[n] = port.phase == IDLE
    for stage in range(STAGES):
        if s.stages[n, stage].full:
            outputs.idle[n] = 0
    swept = port.age == max(p.endpoints, PARTITIONS)
    outputs.program_ready[n] = swept and not port.gap
    outputs.accepted[n] = port.accepted
    outputs.drop_valid[n] = port.dropped
    outputs.drop_reason[n] = port.drop_reason
    outputs.drop_header[n, 0] = port.drop_header
    outputs.broken_valid[n] = port.broke
    outputs.broken_reason[n] = port.broken_reason


@inner
def act(p, s, inputs, n):
    """Let the last stage do its part.

    Returns what is pushed: the bytes of a flit (0: none), last and error.
    """
    port = s.ports[n]
    stage = s.stages[n, at(port, HEAD)]
    full = stage.full == 1
    if port.phase == IDLE:
        if not full or not begins(p, s, inputs, n):
            return 0, 0, 0
        port.phase = BODY
    if port.phase == BODY:
        if full and not port.resets:
            return body(p, s, n)
        port.stalled += 1
        if port.resets or port.stalled == p.stall_cycles:
            return broken(p, port, B_RESET if port.resets else B_STALL, 0)
        return 0, 0, 0
    if port.phase == PAD:
        port.sent += 1
        if port.sent == port.length:
            port.phase = IDLE if port.over else EAT
        return p.flit_bytes, 0, 0
    if port.resets or (full and stage.last):
        port.phase = IDLE
    return 0, 0, 0


@inner
def classifier_clock(p, s, inputs, outputs, n):
    """All outputs that depend on inputs; then the clock edge."""
    port = s.ports[n]
    moving = moves(s, inputs, n)
    outputs.push_valid[n] = 0
    outputs.push_first[n] = 0
    outputs.announce_valid[n] = 0
    outputs.complete[n] = 0
    port.accepted = 0
    port.dropped = 0
    port.broke = 0
    count, last, error = act(p, s, inputs, n)
    if count:
        push(p, s, outputs, n, count, last, error)
    offered = s.stages[n, at(port, HEAD - 1)]
    outputs.offer_valid[n] = moving
    outputs.offer_queue[n], outputs.offer_length[n] = offered.queue, offered.length
    if moving:
        port.base = at(port, HEAD)  # what was in the last stage is overwritten
        judge(p, s, inputs, n)
        receive(p, s, inputs, n, outputs.i_ready[n] and inputs.i_valid[n])
    program(p, s, inputs, outputs, n)
    port.may_begin = inputs.enable[n] and not inputs.drain[n] and not inputs.reset[n]
    port.resets = inputs.reset[n]


@inner
def receive(p, s, inputs, n, comes):
    """A flit enters the first stage, and both tables are read for it; or nothing does."""
    first = at(s.ports[n], 0)
    stage = s.stages[n, first]
    stage.full = comes
    stage.refusal = UNKNOWN
    for word in range(p.words):
        s.data[n, first, word] = inputs.i_payload_data[n, word] if comes else 0
    for word in range(s.keep.shape[2]):
        s.keep[n, first, word] = inputs.i_payload_keep[n, word]
    stage.last = inputs.i_payload_last[n]
    stage.error = inputs.i_payload_user[n] & 1
    if comes:
        header = s.data[n, first, 0]
        destination, partition = header & 0xFFFF, header >> 56 & 0xFF
        known = destination < p.endpoints
        for word in range(s.route.shape[2]):
            s.route[n, first, word] = s.routes[n, destination, word] if known else 0
            s.members[n, first, word] = s.partitions[n, partition, word]


@inner
def program(p, s, inputs, outputs, n):
    """Replace an entry, if the tables have been swept; no lookup follows in the next cycle."""
    port = s.ports[n]
    port.gap = inputs.program_valid[n] and outputs.program_ready[n]
    if port.gap:
        table = s.partitions[n] if inputs.program_partition[n] else s.routes[n]
        address = inputs.program_address[n]
        if address < table.shape[0]:
            for word in range(table.shape[1]):
                table[address, word] = inputs.program_mask[n, word]
    port.age = min(port.age + 1, max(p.endpoints, PARTITIONS))


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
    for n in range(s.ports.size):
        classifier_outputs(p, s, inputs, outputs, n)
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
