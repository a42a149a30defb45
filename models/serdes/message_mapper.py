"""Golden model of rtl.serdes.message_mapper: queues of single bits."""

from collections import namedtuple

from models.compiled import compiled, inner
from models.record import allocate
from models.serdes.config import SYMBOL_BITS, LanesConfig

__all__ = [
    "MessageDemapperInputs",
    "MessageDemapperModel",
    "MessageDemapperOutputs",
    "MessageMapperInputs",
    "MessageMapperModel",
    "MessageMapperOutputs",
    "message_demapper_clock",
    "message_demapper_outputs",
    "message_mapper_clock",
    "message_mapper_outputs",
    "shape_of",
]

MessageMapperInputs = namedtuple("MessageMapperInputs", "i_valid i_payload")
MessageMapperOutputs = namedtuple(
    "MessageMapperOutputs", "ready o_valid o_payload_symbols o_payload_first"
)
# `bits` is a queue, the oldest first, of which `left` wait; `place` counts bits of the frame.
MessageMapperState = namedtuple("MessageMapperState", "left bits place valid first symbols")

MessageDemapperInputs = namedtuple(
    "MessageDemapperInputs", "i_valid i_payload_symbols i_payload_first bad"
)
MessageDemapperOutputs = namedtuple("MessageDemapperOutputs", "o_valid o_payload o_bad")
MessageDemapperState = namedtuple("MessageDemapperState", "left bits place valid unit bad")

Shape = namedtuple("Shape", "unit group message frame limit")


def shape_of(config: LanesConfig) -> Shape:
    """Bits of a unit and of a group, of transcoded blocks of a frame, and of all of it."""
    whole = config.frame.symbols * SYMBOL_BITS
    widths = config.unit_bits, config.group_bits, config.message_bits
    return Shape(*widths, whole, config.mapper_limit)


@inner
def wanted(shape, place):
    """Bits of the message in the group that begins with this bit of the frame."""
    return min(max(shape.message - place, 0), shape.group)


@inner
def pop(count, s, n):
    """Take so many bits from the queue."""
    s.left[n] -= count
    for k in range(s.left[n]):
        s.bits[n, k] = s.bits[n, count + k]


@compiled
def message_mapper_outputs(shape, s, outputs, n):
    """What the registers show."""
    outputs.ready[n] = s.left[n] <= shape.limit
    outputs.o_valid[n], outputs.o_payload_first[n] = s.valid[n], s.first[n]
    for k in range(s.symbols.shape[1]):
        outputs.o_payload_symbols[n, k] = s.symbols[n, k]


@compiled
def message_mapper_clock(shape, s, inputs, n):
    """The clock edge."""
    if inputs.i_valid[n]:
        for k in range(shape.unit):
            s.bits[n, s.left[n]] = inputs.i_payload[n, k // 64] >> k % 64 & 1
            s.left[n] += 1
    count = wanted(shape, s.place[n])
    s.valid[n] = s.left[n] >= count
    if not s.valid[n]:
        return
    s.first[n] = s.place[n] == 0
    for k in range(shape.group):
        if k % SYMBOL_BITS == 0:
            s.symbols[n, k // SYMBOL_BITS] = 0
        if k < count:
            s.symbols[n, k // SYMBOL_BITS] |= s.bits[n, k] << k % SYMBOL_BITS
    pop(count, s, n)
    s.place[n] = (s.place[n] + shape.group) % shape.frame


@compiled
def message_mapper_step(shape, s, inputs, outputs):
    """Outputs of this cycle, then the clock edge, of all instances."""
    for n in range(s.left.size):
        message_mapper_outputs(shape, s, outputs, n)
        message_mapper_clock(shape, s, inputs, n)


@compiled
def message_demapper_outputs(s, outputs, n):
    """What the registers show."""
    outputs.o_valid[n], outputs.o_bad[n] = s.valid[n], s.bad[n]
    for k in range(s.unit.shape[1]):
        outputs.o_payload[n, k] = s.unit[n, k]


@compiled
def message_demapper_clock(shape, s, inputs, n):
    """The clock edge."""
    s.valid[n] = 0
    if not inputs.i_valid[n]:
        return
    if inputs.i_payload_first[n]:
        s.left[n] = s.place[n] = 0
    for k in range(wanted(shape, s.place[n])):
        symbol = inputs.i_payload_symbols[n, k // SYMBOL_BITS]
        s.bits[n, s.left[n]] = symbol >> k % SYMBOL_BITS & 1
        s.left[n] += 1
    s.place[n] = (s.place[n] + shape.group) % shape.frame
    s.valid[n] = s.left[n] >= shape.unit
    if s.valid[n]:
        s.bad[n] = inputs.bad[n]
        for k in range(s.unit.shape[1]):
            s.unit[n, k] = 0
        for k in range(shape.unit):
            s.unit[n, k // 64] |= s.bits[n, k] << k % 64
        pop(shape.unit, s, n)


@compiled
def message_demapper_step(shape, s, inputs, outputs):
    """Outputs of this cycle, then the clock edge, of all instances."""
    for n in range(s.left.size):
        message_demapper_outputs(s, outputs, n)
        message_demapper_clock(shape, s, inputs, n)


class MessageMapperModel:
    """``instances`` mappers."""

    def __init__(self, config: LanesConfig, instances: int = 1):
        self.config, self.instances, self.shape = config, instances, shape_of(config)
        scalar, unit = (instances,), (instances, -(-config.unit_bits // 64))
        group = instances, config.frame.symbols_per_cycle
        self.inputs = allocate(MessageMapperInputs, {"i_valid": scalar, "i_payload": unit})
        shapes: dict[str, tuple[int, ...]] = dict.fromkeys(MessageMapperOutputs._fields, scalar)
        self.outputs = allocate(MessageMapperOutputs, shapes | {"o_payload_symbols": group})
        self.reset()

    def reset(self) -> None:
        """The state after reset."""
        shapes: dict[str, tuple[int, ...]] = dict.fromkeys(
            MessageMapperState._fields, (self.instances,)
        )
        shapes["bits"] = self.instances, self.shape.unit + max(self.shape.limit, self.shape.group)
        shapes["symbols"] = self.outputs.o_payload_symbols.shape
        self.state = allocate(MessageMapperState, shapes)

    def step(self) -> MessageMapperOutputs:
        """Outputs of this cycle, then the clock edge."""
        message_mapper_step(self.shape, self.state, self.inputs, self.outputs)
        return self.outputs


class MessageDemapperModel:
    """``instances`` demappers."""

    def __init__(self, config: LanesConfig, instances: int = 1):
        self.config, self.instances, self.shape = config, instances, shape_of(config)
        scalar, unit = (instances,), (instances, -(-config.unit_bits // 64))
        group = instances, config.frame.symbols_per_cycle
        shapes: dict[str, tuple[int, ...]] = dict.fromkeys(MessageDemapperInputs._fields, scalar)
        self.inputs = allocate(MessageDemapperInputs, shapes | {"i_payload_symbols": group})
        self.outputs = allocate(
            MessageDemapperOutputs, {"o_valid": scalar, "o_payload": unit, "o_bad": scalar}
        )
        self.reset()

    def reset(self) -> None:
        """The state after reset."""
        shapes: dict[str, tuple[int, ...]] = dict.fromkeys(
            MessageDemapperState._fields, (self.instances,)
        )
        shapes["bits"] = self.instances, self.shape.unit + max(self.shape.limit, self.shape.group)
        shapes["unit"] = self.outputs.o_payload.shape
        self.state = allocate(MessageDemapperState, shapes)

    def step(self) -> MessageDemapperOutputs:
        """Outputs of this cycle, then the clock edge."""
        message_demapper_step(self.shape, self.state, self.inputs, self.outputs)
        return self.outputs
