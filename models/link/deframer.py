"""Golden model of rtl.link.deframer: a queue of words, read one after the other.

The RTL looks at all words of a flit at once and runs the CRC over itself; here a walk along the
queue gathers the bytes of a flit, and the CRC of the packet's bytes is compared with the four that
follow.
"""

from collections import namedtuple

from models.compiled import compiled, inner
from models.link.config import LinkConfig
from models.link.framer import check_step, crc_step
from models.link.wire import (
    FILLER,
    FRAME_SFD,
    IDLE,
    LLR_SFD,
    ORDERED_SET,
    START,
    TERMINATE,
    Control,
)
from models.packet import HEADER_BYTES
from models.record import allocate

__all__ = [
    "DeframerInputs",
    "DeframerModel",
    "DeframerOutputs",
    "deframer_clock",
    "deframer_outputs",
    "deframer_parameters",
    "deframer_shapes",
    "deframer_state",
]

DeframerInputs = namedtuple("DeframerInputs", "i_valid i_words_data i_words_control up")
DeframerOutputs = namedtuple(
    "DeframerOutputs",
    "o_valid o_payload_data o_payload_count o_payload_first o_payload_last o_payload_bad "
    "o_payload_poison o_payload_check o_payload_llr o_payload_sequence o_payload_channel "
    "control_valid control_payload_type control_payload_sequence_high "
    "control_payload_sequence_middle control_payload_padding control_payload_sequence_low "
    "control_payload_value control_payload_rest malformed overrun",
)
# `data` to `preamble` are of flits, the last axis: 0 was taken in the last cycle, 1 is on `o`. The
# queue is a ring that begins at `head`; `bytes` are those of the flit that is looked at.
DeframerState = namedtuple(
    "DeframerState",
    "valid data count first last bad poison check preamble within size crc checked "
    "queue_data queue_control head held lost bytes control control_valid malformed overrun",
)
DeframerParameters = namedtuple(
    "DeframerParameters", "flit_bytes words words_per_cycle depth min_packet_bytes max_packet_bytes"
)

FCS_BYTES = 4
ONES = (1 << 32) - 1
IDLES = int.from_bytes(8 * [IDLE], "little")
# What a word is; from END on the last bits are the bytes before the terminate character.
OTHER, ORDERED, BEGIN, DATA, WRONG, END = 0, 1, 2, 3, 4, 8


def deframer_parameters(config: LinkConfig) -> DeframerParameters:
    """The numbers of ``config`` that the loops need."""
    words, per_cycle = config.words, config.words_per_cycle
    sizes = config.min_packet_bytes, config.max_packet_bytes
    return DeframerParameters(config.flit_bytes, words, per_cycle, words + per_cycle + 1, *sizes)


def deframer_shapes(config: LinkConfig, instances: int) -> tuple[dict, dict]:
    """Shapes of the inputs and of the outputs."""
    wide = {
        "i_words_data": (instances, config.words_per_cycle),
        "i_words_control": (instances, -(-config.words_per_cycle // 8)),
        "o_payload_data": (instances, config.words),
    }
    kinds = DeframerInputs, DeframerOutputs
    inputs, outputs = ({f: wide.get(f, (instances,)) for f in kind._fields} for kind in kinds)
    return inputs, outputs


def deframer_state(config: LinkConfig, instances: int) -> DeframerState:
    """State after reset."""
    p = deframer_parameters(config)
    shapes: dict[str, tuple[int, ...]] = dict.fromkeys(DeframerState._fields, (instances,))
    for name in ("valid", "count", "first", "last", "bad", "poison", "check", "preamble"):
        shapes[name] = (instances, 2)
    shapes["data"] = (instances, 2, p.words)
    shapes["queue_data"] = shapes["queue_control"] = (instances, p.depth)
    shapes["bytes"] = (instances, p.flit_bytes + 16)
    return allocate(DeframerState, shapes)


@inner
def byte_of(word, k):
    """Byte ``k`` of ``word``."""
    return word >> 8 * k & 0xFF


@inner
def kind_of(word, control):
    """What a word is."""
    if control == 0:
        return DATA
    if control == 1 and byte_of(word, 0) == START:
        return BEGIN
    if control == 1 and byte_of(word, 0) == ORDERED_SET:
        return ORDERED
    if control == 0xFF and word == IDLES:
        return OTHER
    place = 0
    while not control >> place & 1:
        place += 1
    if control >> place == 0xFF >> place and byte_of(word, place) == TERMINATE:
        return END + place
    return WRONG


@inner
def queued(p, s, n, k):
    """Kind of the word in place ``k`` of the queue."""
    place = (s.head[n] + k) % p.depth
    return kind_of(s.queue_data[n, place], s.queue_control[n, place])


@inner
def drop(p, s, n, words):
    """So many words leave the queue."""
    s.head[n] = (s.head[n] + words) % p.depth
    s.held[n] -= words


@inner
def header_is_right(s, n, word):
    """The check of the preamble ``word`` and the header, the first bytes of the flit."""
    sfd = byte_of(word, 7)
    check = check_step(0xFF, sfd)
    for k in range(12):
        check = check_step(check, s.bytes[n, k] if k < 8 else byte_of(word, k - 7))
    known = sfd in (FRAME_SFD, LLR_SFD)
    return known and check == byte_of(word, 5) and byte_of(word, 6) == FILLER


@inner
def judge(s, n, size):
    """Bytes ``size`` and following are the CRC of those before: 1 good, -1 the complement."""
    for k in range(size):
        s.crc[n] = crc_step(s.crc[n], s.bytes[n, k])
    sent = 0
    for k in range(FCS_BYTES):
        sent |= s.bytes[n, size + k] << 8 * k
    if sent == s.crc[n] ^ ONES:
        return 1
    return -1 if sent == s.crc[n] else 0


@inner
def take(p, s, n):
    """The flit at the head of the queue, if it is complete."""
    s.valid[n, 0] = 0
    if not s.within[n] and (s.held[n] == 0 or queued(p, s, n, 0) != BEGIN):
        junk = 0
        while junk < min(s.held[n], p.words + 2) and queued(p, s, n, junk) != BEGIN:
            junk += 1
        drop(p, s, n, junk)
        return
    opens = not s.within[n]
    walked, total, end = int(opens), 0, 0
    while walked < s.held[n] and total <= p.flit_bytes + FCS_BYTES and not end:
        kind = queued(p, s, n, walked)
        word = s.queue_data[n, (s.head[n] + walked) % p.depth]
        if kind == BEGIN:
            end = kind
            continue
        for k in range(8 if kind == DATA else kind - END if kind >= END else 0):
            s.bytes[n, total] = byte_of(word, k)
            total += 1
        end = 0 if kind == DATA else kind
        walked += 1
    whole = total > p.flit_bytes + FCS_BYTES
    if not whole and not end:
        return

    if opens:
        s.preamble[n, 0] = s.queue_data[n, s.head[n]]
        s.size[n], s.crc[n] = 0, ONES
    size, last, broken, verdict = p.flit_bytes, not whole, False, 0
    if whole:
        walked, total = opens + p.words, p.flit_bytes
        for k in range(size):
            s.crc[n] = crc_step(s.crc[n], s.bytes[n, k])
        s.size[n] += size
        if s.size[n] >= p.max_packet_bytes:  # and there is more
            last = broken = True
    elif end < END or total <= FCS_BYTES:
        broken = True
    else:
        size = total - FCS_BYTES
        verdict = judge(s, n, size)
        s.size[n] += size
        least = HEADER_BYTES if verdict < 0 else p.min_packet_bytes
        broken = s.size[n] < least or s.size[n] > p.max_packet_bytes
    if opens:
        s.checked[n] = not broken and header_is_right(s, n, s.preamble[n, 0])
    s.within[n] = not last
    drop(p, s, n, walked)

    s.valid[n, 0] = 1
    for k in range(p.words):
        s.data[n, 0, k] = 0
    for k in range(min(total, p.flit_bytes)):
        s.data[n, 0, k >> 3] |= s.bytes[n, k] << 8 * (k & 7)
    s.count[n, 0], s.first[n, 0], s.last[n, 0] = size - 1, opens, last
    s.check[n, 0] = s.checked[n]
    s.bad[n, 0] = last and (broken or not s.checked[n] or not verdict)
    s.poison[n, 0] = last and verdict < 0 and not s.bad[n, 0]


@inner
def receive(p, s, inputs, n):
    """Words of frames go into the queue, all of them or none."""
    s.control_valid[n] = s.malformed[n] = s.overrun[n] = 0
    if not inputs.up[n]:
        s.lost[n] = 1
        return
    if not inputs.i_valid[n]:
        return
    place = (s.head[n] + s.held[n]) % p.depth
    room, count, gap = p.depth - s.held[n], 0, s.lost[n]
    for k in range(p.words_per_cycle):
        word = inputs.i_words_data[n, k]
        control = inputs.i_words_control[n, k >> 3] >> 8 * (k & 7) & 0xFF
        kind = kind_of(word, control)
        if kind == ORDERED and byte_of(word, 1) != Control.FILL:
            s.malformed[n] |= s.control_valid[n]
            s.control[n], s.control_valid[n] = word >> 8, 1
        elif kind == WRONG:
            s.malformed[n] = 1
        if kind == OTHER:
            gap = 1
        if kind > ORDERED:
            if count < room:
                if gap and kind != BEGIN:
                    word, control = 0, 0xFF  # no word of a frame
                gap = 0
                slot = (place + count) % p.depth
                s.queue_data[n, slot], s.queue_control[n, slot] = word, control
            count += 1
    if count > room:
        s.lost[n] = s.overrun[n] = 1
    else:
        s.held[n] += count
        s.lost[n] = gap


@compiled
def deframer_outputs(p, s, outputs, n):
    """What the registers show."""
    outputs.o_valid[n] = s.valid[n, 1]
    for k in range(p.words):
        outputs.o_payload_data[n, k] = s.data[n, 1, k]
    outputs.o_payload_count[n] = s.count[n, 1]
    outputs.o_payload_first[n] = s.first[n, 1]
    outputs.o_payload_last[n] = s.last[n, 1]
    outputs.o_payload_bad[n] = s.bad[n, 1]
    outputs.o_payload_poison[n] = s.poison[n, 1]
    outputs.o_payload_check[n] = s.check[n, 1]
    preamble = s.preamble[n, 1]
    outputs.o_payload_llr[n] = byte_of(preamble, 7) == LLR_SFD
    numbers = byte_of(preamble, 2) << 16 | byte_of(preamble, 3) << 8 | byte_of(preamble, 4)
    outputs.o_payload_sequence[n] = numbers >> 4
    outputs.o_payload_channel[n] = byte_of(preamble, 1) & 63
    outputs.control_valid[n] = s.control_valid[n]
    outputs.control_payload_type[n] = byte_of(s.control[n], 0)
    outputs.control_payload_sequence_high[n] = byte_of(s.control[n], 1)
    outputs.control_payload_sequence_middle[n] = byte_of(s.control[n], 2)
    outputs.control_payload_padding[n] = byte_of(s.control[n], 3) & 15
    outputs.control_payload_sequence_low[n] = byte_of(s.control[n], 3) >> 4
    outputs.control_payload_value[n] = byte_of(s.control[n], 4) | byte_of(s.control[n], 5) << 8
    outputs.control_payload_rest[n] = byte_of(s.control[n], 6)
    outputs.malformed[n] = s.malformed[n]
    outputs.overrun[n] = s.overrun[n]


@compiled
def deframer_clock(p, s, inputs, n):
    """The clock edge."""
    s.valid[n, 1] = s.valid[n, 0]
    for k in range(p.words):
        s.data[n, 1, k] = s.data[n, 0, k]
    s.count[n, 1] = s.count[n, 0]
    s.first[n, 1] = s.first[n, 0]
    s.last[n, 1] = s.last[n, 0]
    s.bad[n, 1] = s.bad[n, 0]
    s.poison[n, 1] = s.poison[n, 0]
    s.check[n, 1] = s.check[n, 0]
    s.preamble[n, 1] = s.preamble[n, 0]
    take(p, s, n)
    receive(p, s, inputs, n)


class DeframerModel:
    """``instances`` deframers."""

    def __init__(self, config: LinkConfig, instances: int = 1):
        self.config, self.instances, self.p = config, instances, deframer_parameters(config)
        inputs, outputs = deframer_shapes(config, instances)
        self.inputs = allocate(DeframerInputs, inputs)
        self.inputs.up[:] = 1
        self.outputs = allocate(DeframerOutputs, outputs)
        self.reset()

    def reset(self) -> None:
        """The state after reset."""
        self.state = deframer_state(self.config, self.instances)

    def step(self) -> DeframerOutputs:
        """Outputs of this cycle, then the clock edge."""
        for n in range(self.instances):
            deframer_outputs(self.p, self.state, self.outputs, n)
            deframer_clock(self.p, self.state, self.inputs, n)
        return self.outputs
