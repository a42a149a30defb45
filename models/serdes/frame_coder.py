"""Golden model of rtl.serdes.frame_coder: each symbol goes to the codeword whose turn it is."""

from collections import namedtuple

import numpy as np

from models.compiled import compiled, inner
from models.record import allocate
from models.serdes.config import FrameConfig
from models.serdes.fec_decoder import (
    FecDecoderModel,
    fec_decoder_clock,
    fec_decoder_outputs,
)
from models.serdes.fec_encoder import (
    FecEncoderModel,
    fec_encoder_clock,
    fec_encoder_outputs,
)

__all__ = [
    "FrameDecoderInputs",
    "FrameDecoderModel",
    "FrameDecoderOutputs",
    "FrameEncoderInputs",
    "FrameEncoderModel",
    "FrameEncoderOutputs",
    "frame_decoder_clock",
    "frame_decoder_outputs",
    "frame_encoder_clock",
    "frame_encoder_outputs",
]

FrameEncoderInputs = namedtuple("FrameEncoderInputs", "i_valid i_payload_symbols i_payload_first")
FrameEncoderOutputs = namedtuple("FrameEncoderOutputs", "o_valid o_payload_symbols o_payload_first")
FrameDecoderInputs = namedtuple("FrameDecoderInputs", "i_valid i_payload_symbols i_payload_first")
FrameDecoderOutputs = namedtuple(
    "FrameDecoderOutputs", "o_valid o_payload_symbols o_payload_first bad corrected"
)
# `at` is the place in the frame of the next symbol on the line, and `taken` are symbols of each
# codeword in this group; codewords are instances of one model: its state, inputs and outputs.
FrameState = namedtuple("FrameState", "at taken code i o")
FrameNumbers = namedtuple("FrameNumbers", "interleave lanes symbols code")
EncoderNumbers = namedtuple("EncoderNumbers", "length message roots")
DecoderNumbers = namedtuple("DecoderNumbers", "correctable clean_cycles solve_cycles room")


@inner
def codeword_of(numbers, symbol):
    """The codeword of a symbol of the frame: they take turns, and pass on the first one whenever
    each lane, and each codeword, has had as many."""
    passes = symbol // max(numbers.interleave, numbers.lanes)
    return (symbol + passes % min(numbers.interleave, numbers.lanes)) % numbers.interleave


@inner
def next_place(numbers, s, codeword, n):
    """Of a codeword, the next symbol of this group."""
    s.taken[n, codeword] += 1
    return s.taken[n, codeword] - 1


@compiled
def frame_encoder_outputs(numbers, s, outputs, n):
    """What the registers show."""
    count = numbers.interleave
    for k in range(count):
        fec_encoder_outputs(s.code, s.o, n * count + k)
        s.taken[n, k] = 0
    outputs.o_valid[n] = s.o.o_valid[n * count]
    outputs.o_payload_first[n] = s.o.o_payload_first[n * count]
    begin = 0 if outputs.o_payload_first[n] else s.at[n]
    for place in range(outputs.o_payload_symbols.shape[1]):
        k = codeword_of(numbers, begin + place)
        symbol = s.o.o_payload_symbols[n * count + k, next_place(numbers, s, k, n)]
        outputs.o_payload_symbols[n, place] = symbol


@compiled
def frame_encoder_clock(numbers, s, inputs, n):
    """The clock edge."""
    count, wide = numbers.interleave, inputs.i_payload_symbols.shape[1]
    if s.o.o_valid[n * count]:
        begin = 0 if s.o.o_payload_first[n * count] else s.at[n]
        s.at[n] = (begin + wide) % numbers.symbols
    for k in range(count):
        at, code = n * count + k, numbers.code
        s.i.i_valid[at], s.i.i_payload_first[at] = inputs.i_valid[n], inputs.i_payload_first[n]
        for place in range(wide // count):
            s.i.i_payload_symbols[at, place] = inputs.i_payload_symbols[n, place * count + k]
        fec_encoder_clock(code.length, code.message, code.roots, s.code, s.i, at)


@compiled
def frame_encoder_step(numbers, s, inputs, outputs):
    """Outputs of this cycle, then the clock edge, of all instances."""
    for n in range(s.at.size):
        frame_encoder_outputs(numbers, s, outputs, n)
        frame_encoder_clock(numbers, s, inputs, n)


@compiled
def frame_decoder_outputs(numbers, s, outputs, n):
    """What leaves in this cycle."""
    count = numbers.interleave
    for k in range(count):
        fec_decoder_outputs(s.code, s.o, n * count + k)
    outputs.o_valid[n] = s.o.o_valid[n * count]
    if outputs.o_valid[n]:
        outputs.o_payload_first[n] = s.o.o_payload_first[n * count]
        for place in range(outputs.o_payload_symbols.shape[1]):
            symbol = s.o.o_payload_symbols[n * count + place % count, place // count]
            outputs.o_payload_symbols[n, place] = symbol
        outputs.bad[n] = outputs.corrected[n] = 0
        for k in range(count):
            outputs.bad[n] += s.o.o_payload_bad[n * count + k]
            outputs.corrected[n] += s.o.o_payload_corrected[n * count + k]


@compiled
def frame_decoder_clock(numbers, s, inputs, n):
    """The clock edge."""
    count, wide = numbers.interleave, inputs.i_payload_symbols.shape[1]
    late = False
    for k in range(count):
        late = late or s.o.wrong[n * count + k]
        s.taken[n, k] = 0
    if inputs.i_valid[n]:
        begin = 0 if inputs.i_payload_first[n] else s.at[n]
        s.at[n] = (begin + wide) % numbers.symbols
        for place in range(wide):
            k = codeword_of(numbers, begin + place)
            symbol = inputs.i_payload_symbols[n, place]
            s.i.i_payload_symbols[n * count + k, next_place(numbers, s, k, n)] = symbol
    for k in range(count):
        at, code = n * count + k, numbers.code
        s.i.i_valid[at], s.i.i_payload_first[at] = inputs.i_valid[n], inputs.i_payload_first[n]
        s.i.late[at] = late
        cycles = code.clean_cycles, code.solve_cycles
        fec_decoder_clock(code.correctable, *cycles, code.room, s.code, s.i, s.o, at)


@compiled
def frame_decoder_step(numbers, s, inputs, outputs):
    """Outputs of this cycle, then the clock edge, of all instances."""
    for n in range(s.at.size):
        frame_decoder_outputs(numbers, s, outputs, n)
        frame_decoder_clock(numbers, s, inputs, n)


def frame_state(config: FrameConfig, instances: int, codewords) -> FrameState:
    """The state after reset, with a model of all codewords."""
    at = np.zeros(instances, dtype=np.int64)
    taken = np.zeros((instances, config.interleave), dtype=np.int64)
    return FrameState(at, taken, codewords.state, codewords.inputs, codewords.outputs)


def numbers_of(config: FrameConfig, code) -> FrameNumbers:
    """What is the same in each cycle."""
    return FrameNumbers(config.interleave, config.lanes, config.symbols, code)


def records_of(config: FrameConfig, instances: int, kinds) -> list:
    """Inputs and outputs."""
    wide = instances, config.symbols_per_cycle
    return [
        allocate(kind, dict.fromkeys(kind._fields, (instances,)) | {kind._fields[1]: wide})
        for kind in kinds
    ]


class FrameEncoderModel:
    """``instances`` encoders."""

    def __init__(self, config: FrameConfig, instances: int = 1):
        self.config, self.instances = config, instances
        kinds = FrameEncoderInputs, FrameEncoderOutputs
        self.inputs, self.outputs = records_of(config, instances, kinds)
        self.reset()

    def reset(self) -> None:
        """The state after reset."""
        config, code = self.config, self.config.code
        model = FecEncoderModel(code, self.instances * config.interleave)
        numbers = EncoderNumbers(code.symbols, code.message_symbols, model.roots)
        self.numbers = numbers_of(config, numbers)
        self.state = frame_state(config, self.instances, model)

    def step(self) -> FrameEncoderOutputs:
        """Outputs of this cycle, then the clock edge."""
        frame_encoder_step(self.numbers, self.state, self.inputs, self.outputs)
        return self.outputs


class FrameDecoderModel:
    """``instances`` decoders."""

    def __init__(self, config: FrameConfig, instances: int = 1):
        self.config, self.instances = config, instances
        kinds = FrameDecoderInputs, FrameDecoderOutputs
        self.inputs, self.outputs = records_of(config, instances, kinds)
        self.reset()

    def reset(self) -> None:
        """The state after reset."""
        config, code = self.config, self.config.code
        model = FecDecoderModel(code, self.instances * config.interleave)
        numbers = DecoderNumbers(code.correctable, code.clean_cycles, code.solve_cycles, model.room)
        self.numbers = numbers_of(config, numbers)
        self.state = frame_state(config, self.instances, model)

    def step(self) -> FrameDecoderOutputs:
        """Outputs of this cycle, then the clock edge."""
        frame_decoder_step(self.numbers, self.state, self.inputs, self.outputs)
        return self.outputs
