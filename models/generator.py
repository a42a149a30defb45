"""Golden model of rtl.generator: test packets, byte position by byte position.

The RTL makes 64 bits of each random sequence at once and counts down to the end of a packet; here
every bit is shifted out of a register by itself, and a packet is a length and a position in it.
"""

from collections import namedtuple

from models.compiled import compiled, inner
from models.config import SwitchConfig
from models.packet import HEADER_BYTES, TEST_SALT
from models.parameters import parameters
from models.record import allocate

__all__ = [
    "GeneratorInputs",
    "GeneratorModel",
    "GeneratorOutputs",
    "bits_in",
    "following",
    "generator_clock",
    "generator_outputs",
    "generator_shapes",
    "generator_state",
    "sequence_after",
]

GeneratorInputs = namedtuple("GeneratorInputs", "enable clear flow o_ready")
GeneratorOutputs = namedtuple(
    "GeneratorOutputs",
    "o_valid o_payload_data o_payload_keep o_payload_last o_payload_user sent",
)
# The two next packets are chosen already: the next one is in place 0 of the last axis.
GeneratorState = namedtuple(
    "GeneratorState",
    "port rate credit turn enabled random wait next_destination next_class next_length destination "
    "traffic_class length sequence position data keep last valid sequences ended sent",
)

SALT = TEST_SALT - (1 << 64)  # as a signed word
WRAP = (1 << 32) - 1


def rate_of(config: SwitchConfig, shaped: bool) -> int:
    """Flits in 256 cycles."""
    return min(256, max(1, int(256 * config.line_flits_per_cycle))) if shaped else 256


def generator_shapes(config: SwitchConfig, instances: int) -> tuple[dict, dict]:
    """Shapes of the inputs and of the outputs."""
    wide = {
        "o_payload_data": (instances, config.words),
        "o_payload_keep": (instances, (config.flit_bytes + 63) // 64),
    }
    kinds = GeneratorInputs, GeneratorOutputs
    inputs, outputs = ({f: wide.get(f, (instances,)) for f in kind._fields} for kind in kinds)
    return inputs, outputs


def generator_state(config: SwitchConfig, ports: list[int], shaped: bool) -> GeneratorState:
    """State after reset of one generator at each of ``ports``."""
    instances = len(ports)
    shapes: dict[str, tuple[int, ...]] = dict.fromkeys(GeneratorState._fields, (instances,))
    shapes["data"] = (instances, config.words)
    shapes["sequences"] = (instances, config.queues)
    for name in ("next_destination", "next_class", "next_length"):
        shapes[name] = (instances, 2)
    state = allocate(GeneratorState, shapes)
    state.port[:] = ports
    state.rate[:] = rate_of(config, shaped)
    state.random[:] = [(port + 1) * 0x9E3779B1 % ((1 << 31) - 1) for port in ports]
    state.next_length[:] = config.min_packet_bytes
    return state


@compiled
def following(word):
    """The next 64 bits of the sequence x^58 + x^39 + 1 after ``word``, salted.

    The bit that was first in time is bit 58 of a word, then come 59 .. 63 and 0 .. 57.
    """
    history = 0  # of 58 bits, the latest in bit 0
    for n in range(58):
        history = history << 1 | (word >> n & 1)
    result = 0
    for n in range(64):
        bit = (history >> 57 ^ history >> 38) & 1
        history = (history << 1 | bit) & ((1 << 58) - 1)
        result |= bit << ((n + 58) & 63)
    return result ^ SALT


@compiled
def sequence_after(sequence):
    """The next sequence number of a flow: a shift register of 8 bits that begins with 0."""
    odd = (sequence >> 7) + (sequence >> 5) + (sequence >> 4) + (sequence >> 3)
    return (sequence * 2 + 1 - (odd & 1)) & 0xFF


@inner
def bits_in(value):
    """Bits that ``value`` takes."""
    bits = 0
    while value >> bits:
        bits += 1
    return bits


@inner
def take_bits(random, first, limit):
    """The number from bit ``first`` of ``random``, brought into 0 .. ``limit``."""
    bits = bits_in(limit)
    value = random >> first & ((1 << bits) - 1)
    return value if value <= limit else value - (1 << bits >> 1)


@inner
def choose(p, s, n):
    """The packet that was chosen before the last becomes the next one; choose another."""
    s.next_destination[n, 0] = s.next_destination[n, 1]
    s.next_class[n, 0] = s.next_class[n, 1]
    s.next_length[n, 0] = s.next_length[n, 1]

    random = s.random[n]
    span = p.max_packet_bytes - p.min_packet_bytes
    s.next_destination[n, 1] = take_bits(random, 0, p.ports - 1)
    used = bits_in(p.ports - 1)
    s.next_class[n, 1] = take_bits(random, used, p.classes - 1)
    used += bits_in(p.classes - 1)
    if not random >> used & 1:
        random &= (1 << (used + 5)) - 1  # a short one: at most 15 bytes over the smallest
    s.next_length[n, 1] = p.min_packet_bytes + take_bits(random, used + 1, span)

    random = s.random[n]
    s.wait[n] = 0 if random >> 30 else 16 - (random >> 26 & 15)
    for _ in range(28):
        random = random >> 1 | (random ^ random >> 3) << 30 & 1 << 30
    s.random[n] = random


@inner
def begin(p, s, n):
    """The next packet is the current one."""
    s.destination[n] = s.next_destination[n, 0]
    s.traffic_class[n] = s.next_class[n, 0]
    s.length[n] = s.next_length[n, 0]
    s.position[n] = 0
    flow = s.destination[n] * p.classes + s.traffic_class[n]
    s.sequence[n] = s.sequences[n, flow]
    s.sequences[n, flow] = sequence_after(s.sequence[n])
    choose(p, s, n)


@inner
def show_flit(p, s, n):
    """The next flit of the current packet goes into the output register."""
    word = s.data[n, p.words - 1]
    for w in range(p.words):
        place = s.position[n] + 8 * w
        if place == 0:
            word = s.destination[n] | s.port[n] << 16 | s.length[n] << 32
            word |= s.traffic_class[n] << 48
        else:
            word = following(word)
        if place == HEADER_BYTES:
            word ^= s.sequence[n]
        s.data[n, w] = word
    s.keep[n] = min(p.flit_bytes, s.length[n] - s.position[n])
    s.position[n] += s.keep[n]
    s.last[n] = s.position[n] == s.length[n]


@compiled
def generator_outputs(p, s, outputs, n):
    """What the registers show."""
    outputs.o_valid[n] = s.valid[n]
    for w in range(p.words):
        outputs.o_payload_data[n, w] = s.data[n, w]
    for w in range(outputs.o_payload_keep.shape[1]):
        bits = min(max(s.keep[n] - 64 * w, 0), 64)
        outputs.o_payload_keep[n, w] = -1 if bits == 64 else (1 << bits) - 1
    outputs.o_payload_last[n] = s.last[n]
    outputs.o_payload_user[n] = 0
    outputs.sent[n] = s.sent[n]


@compiled
def generator_clock(p, s, inputs, n):
    """The clock edge."""
    s.sent[n] = 0 if inputs.clear[n] else (s.sent[n] + s.ended[n]) & WRAP
    s.ended[n] = s.valid[n] and inputs.o_ready[n] and s.last[n]
    between = s.position[n] == s.length[n]
    free = not s.valid[n] or inputs.o_ready[n]
    goes = s.turn[n] and (not between or (s.wait[n] == 0 and s.enabled[n]))
    if between and s.wait[n]:
        s.wait[n] -= 1
    if free:
        s.valid[n] = goes
    if free and goes:
        if between:
            begin(p, s, n)
        show_flit(p, s, n)
    if inputs.clear[n]:
        s.sequences[n, inputs.flow[n]] = 0
    s.enabled[n] = inputs.enable[n] and not inputs.clear[n]
    s.credit[n] += s.rate[n]
    s.turn[n] = s.credit[n] >= 256
    s.credit[n] &= 255


class GeneratorModel:
    """The generator of one port."""

    def __init__(self, config: SwitchConfig, *, port: int, shaped: bool = True):
        self.config, self.port, self.shaped = config, port, shaped
        self.p = parameters(config)
        inputs, outputs = generator_shapes(config, 1)
        self.inputs = allocate(GeneratorInputs, inputs)
        self.outputs = allocate(GeneratorOutputs, outputs)
        self.reset()

    def reset(self) -> None:
        """The state after reset."""
        self.state = generator_state(self.config, [self.port], self.shaped)

    def step(self) -> GeneratorOutputs:
        """Outputs of this cycle, then the clock edge."""
        generator_outputs(self.p, self.state, self.outputs, 0)
        generator_clock(self.p, self.state, self.inputs, 0)
        return self.outputs
