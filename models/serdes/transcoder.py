"""Golden model of rtl.serdes.transcoder: bit after bit, in the order of the standard's text."""

from collections import namedtuple

from models.compiled import compiled, inner
from models.record import allocate
from models.serdes.block_coder import CONTROL_HEADER, DATA_HEADER, TYPES

__all__ = [
    "ReverseTranscoderInputs",
    "ReverseTranscoderModel",
    "ReverseTranscoderOutputs",
    "TranscoderInputs",
    "TranscoderModel",
    "TranscoderOutputs",
    "reverse_transcoder_clock",
    "reverse_transcoder_outputs",
    "transcoder_clock",
    "transcoder_outputs",
]

TranscoderInputs = namedtuple("TranscoderInputs", "i_valid i_blocks_header i_blocks_payload")
TranscoderOutputs = namedtuple("TranscoderOutputs", "o_valid o_block")
ReverseTranscoderInputs = namedtuple("ReverseTranscoderInputs", "i_valid i_block bad")
ReverseTranscoderOutputs = namedtuple(
    "ReverseTranscoderOutputs", "o_valid o_blocks_header o_blocks_payload"
)
# What the registers show, bits in arrays: of a transcoded block, of the headers, of the payloads.
TranscoderState = namedtuple("TranscoderState", "valid bits headers payloads")
NO_HEADER = 3


@inner
def transcode(headers, payloads, bits):
    """Write the 257 ``bits`` of four blocks, of whose payloads there are 256."""
    right = True
    first = -1  # the first that is no data
    for j in range(4):
        if headers[j] not in (DATA_HEADER, CONTROL_HEADER):
            right = False
        elif headers[j] == CONTROL_HEADER and first < 0:
            first = j
    bits[0] = right and first < 0
    if bits[0]:
        for k in range(256):
            bits[1 + k] = payloads[k]
        return
    for j in range(4):
        bits[1 + j] = not right or headers[j] == DATA_HEADER
    if not right:
        first = 0
    place = 5
    for k in range(256):
        if not 64 * first + 4 <= k < 64 * first + 8:
            bits[place] = payloads[k]
            place += 1


@inner
def transcode_back(bits, bad, headers, payloads):
    """Write headers and payloads of the four blocks that ``bits`` were made of."""
    if bits[0]:
        for k in range(256):
            payloads[k] = bits[1 + k]
        for j in range(4):
            headers[j] = NO_HEADER if bad else DATA_HEADER
        return
    first = -1
    for j in range(4):
        headers[j] = DATA_HEADER if bits[1 + j] else CONTROL_HEADER
        if not bits[1 + j] and first < 0:
            first = j
    wrong = bad or first < 0
    first = max(first, 0)
    place = 5
    for k in range(256):
        if 64 * first + 4 <= k < 64 * first + 8:
            payloads[k] = 0
        else:
            payloads[k] = bits[place]
            place += 1
    lower, known = 0, False
    for k in range(4):
        lower |= payloads[64 * first + k] << k
    for kind in TYPES:
        if kind % 16 == lower:
            known = True
            for k in range(4):
                payloads[64 * first + 4 + k] = kind >> 4 + k & 1
    if not known:
        headers[first] = NO_HEADER
    if wrong:
        for j in range(4):
            headers[j] = NO_HEADER


@inner
def to_bits(words, bits):
    """The bits of words of 64, the lowest first."""
    for k in range(bits.size):
        bits[k] = words[k // 64] >> k % 64 & 1


@inner
def to_words(bits, words):
    """The other way round."""
    for k in range(words.size):
        words[k] = 0
    for k in range(bits.size):
        words[k // 64] |= bits[k] << k % 64


@compiled
def transcoder_outputs(s, outputs, n):
    """What the registers show."""
    outputs.o_valid[n] = s.valid[n]
    to_words(s.bits[n], outputs.o_block[n])


@compiled
def transcoder_clock(s, inputs, n):
    """The clock edge."""
    s.valid[n] = inputs.i_valid[n]
    to_bits(inputs.i_blocks_payload[n, :, 0], s.payloads[n])
    transcode(inputs.i_blocks_header[n], s.payloads[n], s.bits[n])


@compiled
def transcoder_step(s, inputs, outputs):
    """Outputs of this cycle, then the clock edge, of all instances."""
    for n in range(s.valid.size):
        transcoder_outputs(s, outputs, n)
        transcoder_clock(s, inputs, n)


@compiled
def reverse_transcoder_outputs(s, outputs, n):
    """What the registers show."""
    outputs.o_valid[n] = s.valid[n]
    to_words(s.payloads[n], outputs.o_blocks_payload[n, :, 0])
    for j in range(4):
        outputs.o_blocks_header[n, j] = s.headers[n, j]


@compiled
def reverse_transcoder_clock(s, inputs, n):
    """The clock edge."""
    s.valid[n] = inputs.i_valid[n]
    to_bits(inputs.i_block[n], s.bits[n])
    transcode_back(s.bits[n], inputs.bad[n], s.headers[n], s.payloads[n])


@compiled
def reverse_transcoder_step(s, inputs, outputs):
    """Outputs of this cycle, then the clock edge, of all instances."""
    for n in range(s.valid.size):
        reverse_transcoder_outputs(s, outputs, n)
        reverse_transcoder_clock(s, inputs, n)


class TranscoderModel:
    """``instances`` transcoders; 1 cycle."""

    KINDS = TranscoderInputs, TranscoderOutputs
    STEP = staticmethod(transcoder_step)

    def __init__(self, instances: int = 1):
        self.instances = instances
        wide = {
            "block": (instances, 5),
            "blocks_header": (instances, 4),
            "blocks_payload": (instances, 4, 1),
        }
        self.inputs, self.outputs = (
            allocate(kind, {name: wide.get(name[2:], (instances,)) for name in kind._fields})
            for kind in self.KINDS
        )
        self.reset()

    def reset(self) -> None:
        """The state after reset: zeros, not valid."""
        sizes = {"valid": (), "bits": (257,), "headers": (4,), "payloads": (256,)}
        self.state = allocate(
            TranscoderState, {name: (self.instances, *size) for name, size in sizes.items()}
        )

    def step(self) -> TranscoderOutputs | ReverseTranscoderOutputs:
        """Outputs of this cycle, then the clock edge."""
        self.STEP(self.state, self.inputs, self.outputs)
        return self.outputs


class ReverseTranscoderModel(TranscoderModel):
    """``instances`` of the other way round; 1 cycle."""

    KINDS = ReverseTranscoderInputs, ReverseTranscoderOutputs
    STEP = staticmethod(reverse_transcoder_step)
