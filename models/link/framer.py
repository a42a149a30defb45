"""Golden model of rtl.link.framer: a queue of words, written byte by byte.

The RTL makes all words of a flit at once and moves them into place; here each byte goes to the end
of a queue as it would on the line, and takes the CRC a step further.
"""

from collections import namedtuple

import numpy as np

from models.compiled import compiled, inner
from models.link.config import LinkConfig
from models.link.wire import (
    CHECK_POLYNOMIAL,
    FILLER,
    FRAME_SFD,
    IDLE,
    IN_FRAME_BYTES,
    LLR_SFD,
    ORDERED_SET,
    START,
    TERMINATE,
)
from models.record import allocate

__all__ = [
    "FramerInputs",
    "FramerModel",
    "FramerOutputs",
    "check_of",
    "check_step",
    "crc_step",
    "framer_clock",
    "framer_outputs",
    "framer_parameters",
    "framer_shapes",
    "framer_state",
]

FramerInputs = namedtuple(
    "FramerInputs",
    "i_valid i_payload_data i_payload_count i_payload_last i_payload_poison i_payload_llr "
    "i_payload_sequence i_payload_channel control_valid control_payload_type "
    "control_payload_sequence_high control_payload_sequence_middle control_payload_padding "
    "control_payload_sequence_low control_payload_value control_payload_rest o_ready",
)
FramerOutputs = namedtuple(
    "FramerOutputs", "i_ready control_ready o_valid o_payload_data o_payload_control"
)
# The queue is a ring that begins at `head`; `held` words are complete, the next one has `filled`
# bytes.
FramerState = namedtuple(
    "FramerState",
    "crc within frame_bytes queue_data queue_control head held filled sent control_at",
)
FramerParameters = namedtuple("FramerParameters", "flit_bytes words words_per_cycle depth")

IDLES = int.from_bytes(8 * [IDLE], "little")
ONES = (1 << 32) - 1


def table(polynomial: int) -> np.ndarray:
    """What the CRC of reflected ``polynomial`` makes of each byte."""
    values = np.arange(256, dtype=np.int64)
    for _ in range(8):
        values = values >> 1 ^ np.where(values & 1, polynomial, 0)
    return values


FCS_TABLE = table(0xEDB88320)  # IEEE 802.3, reflected
CHECK_TABLE = table(int(f"{CHECK_POLYNOMIAL:08b}"[::-1], 2))


def check_of(message: bytes) -> int:
    """The check of ``message``, as headers and control words have it."""
    check = 0xFF
    for byte in message:
        check = int(CHECK_TABLE[check ^ byte])
    return check


FILL_WORD = check_of(bytes(6)) << 56 | ORDERED_SET  # D1, the type, is zero


def framer_parameters(config: LinkConfig) -> FramerParameters:
    """The numbers of ``config`` that the loops need."""
    words, per_cycle = config.words, config.words_per_cycle
    return FramerParameters(config.flit_bytes, words, per_cycle, 2 * per_cycle + words + 2)


def framer_shapes(config: LinkConfig, instances: int) -> tuple[dict, dict]:
    """Shapes of the inputs and of the outputs."""
    wide = {
        "i_payload_data": (instances, config.words),
        "o_payload_data": (instances, config.words_per_cycle),
        "o_payload_control": (instances, -(-config.words_per_cycle // 8)),
    }
    kinds = FramerInputs, FramerOutputs
    inputs, outputs = ({f: wide.get(f, (instances,)) for f in kind._fields} for kind in kinds)
    return inputs, outputs


def framer_state(config: LinkConfig, instances: int) -> FramerState:
    """State after reset."""
    p = framer_parameters(config)
    shapes: dict[str, tuple[int, ...]] = dict.fromkeys(FramerState._fields, (instances,))
    shapes["queue_data"] = shapes["queue_control"] = (instances, p.depth)
    state = allocate(FramerState, shapes)
    state.control_at[:] = -p.words_per_cycle
    return state


@inner
def crc_step(crc, byte):
    """The CRC of the frame check sequence after ``byte``."""
    return crc >> 8 ^ FCS_TABLE[(crc ^ byte) & 0xFF]


@inner
def check_step(crc, byte):
    """The CRC of the header check after ``byte``."""
    return CHECK_TABLE[crc ^ byte]


@inner
def put(p, s, n, byte, control):
    """Another byte on the line."""
    place = (s.head[n] + s.held[n]) % p.depth
    if s.filled[n] == 0:
        s.queue_data[n, place] = s.queue_control[n, place] = 0
    s.queue_data[n, place] |= byte << 8 * s.filled[n]
    s.queue_control[n, place] |= control << s.filled[n]
    s.filled[n] += 1
    if s.filled[n] == 8:
        s.filled[n] = 0
        s.held[n] += 1


@inner
def put_word(p, s, n, word):
    """Eight bytes, a control character first."""
    for k in range(8):
        put(p, s, n, word >> 8 * k & 0xFF, k == 0)


@inner
def control_word(inputs, n):
    """The control word that is offered."""
    low = inputs.control_payload_padding[n] | inputs.control_payload_sequence_low[n] << 4
    word = inputs.control_payload_rest[n] << 16 | inputs.control_payload_value[n]
    word = word << 8 | low
    word = word << 8 | inputs.control_payload_sequence_middle[n]
    word = word << 8 | inputs.control_payload_sequence_high[n]
    return (word << 8 | inputs.control_payload_type[n]) << 8 | ORDERED_SET


@inner
def preamble(inputs, n):
    """The first word of the frame whose first flit is on ``i``."""
    sequence = inputs.i_payload_sequence[n]
    numbers = (sequence & 15) << 28 | (sequence >> 4 & 0xFF) << 16
    numbers |= (sequence >> 12) << 8 | inputs.i_payload_channel[n]  # bytes 1 to 4
    sfd = LLR_SFD if inputs.i_payload_llr[n] else FRAME_SFD
    check = check_step(0xFF, sfd)
    for k in range(12):
        byte = inputs.i_payload_data[n, 0] >> 8 * k if k < 8 else numbers >> 8 * (k - 8)
        check = check_step(check, byte & 0xFF)
    return sfd << 56 | FILLER << 48 | check << 40 | numbers << 8 | START


@inner
def put_flit(p, s, inputs, n):
    """The bytes of the flit on ``i``, and what surrounds them."""
    size = inputs.i_payload_count[n] + 1
    if not s.within[n]:
        put_word(p, s, n, preamble(inputs, n))
        s.crc[n] = ONES
        s.frame_bytes[n] = 8
    for k in range(size):
        byte = inputs.i_payload_data[n, k >> 3] >> 8 * (k & 7) & 0xFF
        s.crc[n] = crc_step(s.crc[n], byte)
        put(p, s, n, byte, 0)
    s.frame_bytes[n] += size
    if inputs.i_payload_last[n]:
        check = s.crc[n] if inputs.i_payload_poison[n] else s.crc[n] ^ ONES
        for k in range(4):
            put(p, s, n, check >> 8 * k & 0xFF, 0)
        byte = TERMINATE
        while byte == TERMINATE or s.filled[n]:
            put(p, s, n, byte, 1)
            byte = IDLE
    s.within[n] = not inputs.i_payload_last[n]


@inner
def fits(p, s, inputs, n):
    """Whether the words of the flit on ``i``, and one more, have a place in the queue."""
    size = inputs.i_payload_count[n] + 1
    size += (5 if inputs.i_payload_last[n] else 0) + (0 if s.within[n] else 8)
    return s.held[n] + (size + 7) // 8 + 1 <= p.depth


@compiled
def framer_outputs(p, s, inputs, outputs, n):
    """What the state shows, and whether the flit on ``i`` is taken."""
    valid = inputs.i_valid[n]
    outputs.i_ready[n] = not valid or fits(p, s, inputs, n)
    between = not s.within[n] or s.frame_bytes[n] >= IN_FRAME_BYTES
    apart = s.sent[n] + s.held[n] - s.control_at[n] >= p.words_per_cycle
    room = outputs.i_ready[n] if valid else s.held[n] < p.depth
    outputs.control_ready[n] = between and apart and room
    outputs.o_valid[n] = 1
    for k in range(outputs.o_payload_control.shape[1]):
        outputs.o_payload_control[n, k] = 0
    for k in range(p.words_per_cycle):
        if k < s.held[n]:
            place = (s.head[n] + k) % p.depth
            word, control = s.queue_data[n, place], s.queue_control[n, place]
        elif s.within[n]:
            word, control = FILL_WORD, 1
        else:
            word, control = IDLES, 0xFF
        outputs.o_payload_data[n, k] = word
        outputs.o_payload_control[n, k >> 3] |= control << 8 * (k & 7)


@compiled
def framer_clock(p, s, inputs, outputs, n):
    """The clock edge."""
    if inputs.o_ready[n]:
        gone = min(p.words_per_cycle, s.held[n])
        s.head[n] = (s.head[n] + gone) % p.depth
        s.held[n] -= gone
        s.sent[n] += p.words_per_cycle
    if inputs.control_valid[n] and outputs.control_ready[n]:
        s.control_at[n] = s.sent[n] + s.held[n]
        put_word(p, s, n, control_word(inputs, n))
    if inputs.i_valid[n] and outputs.i_ready[n]:
        put_flit(p, s, inputs, n)


class FramerModel:
    """``instances`` framers."""

    def __init__(self, config: LinkConfig, instances: int = 1):
        self.config, self.instances, self.p = config, instances, framer_parameters(config)
        inputs, outputs = framer_shapes(config, instances)
        self.inputs = allocate(FramerInputs, inputs)
        self.outputs = allocate(FramerOutputs, outputs)
        self.reset()

    def reset(self) -> None:
        """The state after reset."""
        self.state = framer_state(self.config, self.instances)

    def step(self) -> FramerOutputs:
        """Outputs of this cycle, then the clock edge."""
        for n in range(self.instances):
            framer_outputs(self.p, self.state, self.inputs, self.outputs, n)
            framer_clock(self.p, self.state, self.inputs, self.outputs, n)
        return self.outputs
