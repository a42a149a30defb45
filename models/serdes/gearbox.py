"""Golden model of rtl.serdes.gearbox: lines of single bits, each with its number."""

from collections import namedtuple

from models.compiled import compiled, inner
from models.record import allocate
from models.serdes.config import HEADER_BITS, PAYLOAD_BITS, WORD_BITS

__all__ = [
    "ReceiveGearboxInputs",
    "ReceiveGearboxModel",
    "ReceiveGearboxOutputs",
    "TransmitGearboxInputs",
    "TransmitGearboxModel",
    "TransmitGearboxOutputs",
    "receive_gearbox_clock",
    "receive_gearbox_outputs",
    "transmit_gearbox_clock",
    "transmit_gearbox_outputs",
]

TransmitGearboxInputs = namedtuple("TransmitGearboxInputs", "block_header block_payload")
TransmitGearboxOutputs = namedtuple("TransmitGearboxOutputs", "ready word")
# Bits are numbered from 0. Those before ``begin`` are over, those before ``come`` have come; the
# last ones are in the ring ``line``, each in the place of its number.
TransmitGearboxState = namedtuple("TransmitGearboxState", "begin come line word")

ReceiveGearboxInputs = namedtuple("ReceiveGearboxInputs", "word slip")
ReceiveGearboxOutputs = namedtuple(
    "ReceiveGearboxOutputs", "slip_done valid block_header block_payload"
)
ReceiveGearboxState = namedtuple(
    "ReceiveGearboxState", "begin come line slip_done valid header payload"
)
LINE_BITS = 256  # more than are ever needed at a time


@inner
def append(value, bits, s, n):
    """Put bits of a number at the end of the line, the lowest first."""
    for k in range(bits):
        s.line[n, s.come[n] % LINE_BITS] = value >> k & 1
        s.come[n] += 1


@inner
def take(bits, s, n):
    """The first bits of the line as a number."""
    value = 0
    for k in range(bits):
        value |= s.line[n, s.begin[n] % LINE_BITS] << k
        s.begin[n] += 1
    return value


@compiled
def transmit_gearbox_outputs(ahead, s, outputs, n):
    """A block is taken where there is no whole word of bits, ``ahead`` cycles later."""
    left = s.come[n] - s.begin[n] + ahead * HEADER_BITS
    outputs.ready[n] = left % (HEADER_BITS + PAYLOAD_BITS) < WORD_BITS
    outputs.word[n, 0] = s.word[n]


@compiled
def transmit_gearbox_clock(s, inputs, n):
    """The clock edge."""
    if s.come[n] - s.begin[n] < WORD_BITS:
        append(inputs.block_header[n], HEADER_BITS, s, n)
        append(inputs.block_payload[n, 0], PAYLOAD_BITS, s, n)
    s.word[n] = take(WORD_BITS, s, n)


@compiled
def transmit_gearbox_step(ahead, s, inputs, outputs):
    """Outputs of this cycle, then the clock edge, of all instances."""
    for n in range(s.come.size):
        transmit_gearbox_outputs(ahead, s, outputs, n)
        transmit_gearbox_clock(s, inputs, n)


class TransmitGearboxModel:
    """``instances`` gearboxes."""

    def __init__(self, ahead: int = 0, instances: int = 1):
        self.ahead, self.instances = ahead, instances
        scalar, words = (instances,), (instances, 1)
        self.inputs = allocate(
            TransmitGearboxInputs, {"block_header": scalar, "block_payload": words}
        )
        self.outputs = allocate(TransmitGearboxOutputs, {"ready": scalar, "word": words})
        self.reset()

    def reset(self) -> None:
        """The state after reset."""
        shapes: dict[str, tuple[int, ...]] = dict.fromkeys(
            TransmitGearboxState._fields, (self.instances,)
        )
        self.state = allocate(TransmitGearboxState, shapes | {"line": (self.instances, LINE_BITS)})

    def step(self) -> TransmitGearboxOutputs:
        """Outputs of this cycle, then the clock edge."""
        transmit_gearbox_step(self.ahead, self.state, self.inputs, self.outputs)
        return self.outputs


@compiled
def receive_gearbox_outputs(s, outputs, n):
    """What the registers show."""
    outputs.slip_done[n], outputs.valid[n] = s.slip_done[n], s.valid[n]
    outputs.block_header[n], outputs.block_payload[n, 0] = s.header[n], s.payload[n]


@compiled
def receive_gearbox_clock(s, inputs, n):
    """The clock edge."""
    append(inputs.word[n, 0], WORD_BITS, s, n)
    s.valid[n] = s.come[n] - s.begin[n] >= HEADER_BITS + PAYLOAD_BITS
    if s.valid[n]:
        s.header[n] = take(HEADER_BITS, s, n)
        s.payload[n] = take(PAYLOAD_BITS, s, n)
    s.begin[n] += inputs.slip[n]
    s.slip_done[n] = inputs.slip[n]


@compiled
def receive_gearbox_step(s, inputs, outputs):
    """Outputs of this cycle, then the clock edge, of all instances."""
    for n in range(s.come.size):
        receive_gearbox_outputs(s, outputs, n)
        receive_gearbox_clock(s, inputs, n)


class ReceiveGearboxModel:
    """``instances`` gearboxes."""

    def __init__(self, instances: int = 1):
        self.instances = instances
        scalar, words = (instances,), (instances, 1)
        self.inputs = allocate(ReceiveGearboxInputs, {"word": words, "slip": scalar})
        shapes: dict[str, tuple[int, ...]] = dict.fromkeys(ReceiveGearboxOutputs._fields, scalar)
        self.outputs = allocate(ReceiveGearboxOutputs, shapes | {"block_payload": words})
        self.reset()

    def reset(self) -> None:
        """The state after reset."""
        shapes: dict[str, tuple[int, ...]] = dict.fromkeys(
            ReceiveGearboxState._fields, (self.instances,)
        )
        self.state = allocate(ReceiveGearboxState, shapes | {"line": (self.instances, LINE_BITS)})

    def step(self) -> ReceiveGearboxOutputs:
        """Outputs of this cycle, then the clock edge."""
        receive_gearbox_step(self.state, self.inputs, self.outputs)
        return self.outputs
