"""Golden model of rtl.serdes.block_coder: field after field, as the standard draws them."""

from collections import namedtuple

import numpy as np

from models.compiled import compiled, inner
from models.link.config import LinkConfig
from models.link.wire import ERROR, IDLE, ORDERED_SET, START, TERMINATE
from models.record import allocate

__all__ = [
    "BlockDecoderInputs",
    "BlockDecoderModel",
    "BlockDecoderOutputs",
    "BlockEncoderInputs",
    "BlockEncoderModel",
    "BlockEncoderOutputs",
    "block_decoder_clock",
    "block_decoder_outputs",
    "block_encoder_clock",
    "block_encoder_outputs",
]

BlockEncoderInputs = namedtuple("BlockEncoderInputs", "i_valid i_words_data i_words_control")
BlockEncoderOutputs = namedtuple("BlockEncoderOutputs", "o_valid o_blocks_header o_blocks_payload")
BlockDecoderInputs = namedtuple("BlockDecoderInputs", "i_valid i_blocks_header i_blocks_payload")
BlockDecoderOutputs = namedtuple("BlockDecoderOutputs", "o_valid o_words_data o_words_control")
# Both keep one cycle: of blocks or words the bytes, and header or control bits.
CoderState = namedtuple("CoderState", "valid bytes marks")

DATA_HEADER, CONTROL_HEADER = 2, 1  # bit 0 first on the line: 01 and 10

# IEEE 802.3-2018, figure 49-7: type, characters of a word, then the fields of its block in order.
# S start, T terminate, O ordered set, C another control character, D data; a number is bits that
# are zero. In the last row, one of ours: a control word, whose characters behind O are all data,
# with O-code 6; of D4 the upper half (H), as its lower half is zero.
FORMATS = (
    (0x1E, "CCCCCCCC", "C0 C1 C2 C3 C4 C5 C6 C7"),
    (0x2D, "CCCCODDD", "C0 C1 C2 C3 O4 D5 D6 D7"),
    (0x33, "CCCCSDDD", "C0 C1 C2 C3 4 D5 D6 D7"),
    (0x66, "ODDDSDDD", "D1 D2 D3 O0 4 D5 D6 D7"),
    (0x55, "ODDDODDD", "D1 D2 D3 O0 O4 D5 D6 D7"),
    (0x78, "SDDDDDDD", "D1 D2 D3 D4 D5 D6 D7"),
    (0x4B, "ODDDCCCC", "D1 D2 D3 O0 C4 C5 C6 C7"),
    (0x87, "TCCCCCCC", "7 C1 C2 C3 C4 C5 C6 C7"),
    (0x99, "DTCCCCCC", "D0 6 C2 C3 C4 C5 C6 C7"),
    (0xAA, "DDTCCCCC", "D0 D1 5 C3 C4 C5 C6 C7"),
    (0xB4, "DDDTCCCC", "D0 D1 D2 4 C4 C5 C6 C7"),
    (0xCC, "DDDDTCCC", "D0 D1 D2 D3 3 C5 C6 C7"),
    (0xD2, "DDDDDTCC", "D0 D1 D2 D3 D4 2 C6 C7"),
    (0xE1, "DDDDDDTC", "D0 D1 D2 D3 D4 D5 1 C7"),
    (0xFF, "DDDDDDDT", "D0 D1 D2 D3 D4 D5 D6"),
    (0x4B, "ODDDDDDD", "D1 D2 D3 O0 H4 D5 D6 D7"),
)
OURS, OUR_CODE = len(FORMATS) - 1, 6
BITS = {"C": 7, "D": 8, "O": 4, "H": 4}
TYPES = np.array([kind for kind, _, _ in FORMATS])
CHARACTERS = np.array([[ord(c) for c in characters] for _, characters, _ in FORMATS])
LETTER_C, LETTER_D, LETTER_H, LETTER_O, LETTER_S, LETTER_T = (ord(c) for c in "CDHOST")


def fields() -> np.ndarray:
    """Of each format its fields: letter (0: zeros; -1: no more), character, bits."""
    table = np.full((len(FORMATS), 8, 3), -1)
    for row, (_, _, text) in zip(table, FORMATS, strict=True):
        for field, name in zip(row, text.split(), strict=False):
            letter = name[0] if name[0] in BITS else ""
            field[:] = (ord(letter), int(name[1]), BITS[letter]) if letter else (0, 0, int(name))
    return table


FIELDS = fields()

# Table 49-1: control characters and their codes, of 7 bits; of ordered sets the O-codes.
CODES = np.full((2, 256), -1)
for character, code in (
    (IDLE, 0x00),
    (0x06, 0x06),  # low power idle
    (ERROR, 0x1E),
    (0x1C, 0x2D),
    (0x3C, 0x33),
    (0x7C, 0x4B),
    (0xBC, 0x55),
    (0xDC, 0x66),
    (0xF7, 0x78),
):
    CODES[0, character] = code
for character, code in ((0x9C, 0x0), (ORDERED_SET, 0xF)):
    CODES[1, character] = code


@inner
def code_of(character, ordered):
    """The code of a control character, or -1."""
    return CODES[ordered, character]


@inner
def character_of(code, ordered):
    """The control character with this code, or -1."""
    for character in range(256):
        if CODES[ordered, character] == code:
            return character
    return -1


@inner
def letter_of(character, control):
    """What a character may be in a word, or 0."""
    if not control:
        return LETTER_D
    if character == START:
        return LETTER_S
    if character == TERMINATE:
        return LETTER_T
    if code_of(character, 1) >= 0:
        return LETTER_O
    return LETTER_C if code_of(character, 0) >= 0 else 0


@compiled
def format_of(word, marks):
    """The format of the word with these bytes and control bits, or -1."""
    for row in range(TYPES.size):
        fits = True
        for k in range(8):
            fits = fits and letter_of(word[k], marks >> k & 1) == CHARACTERS[row, k]
        if row == OURS:
            fits = fits and word[0] == ORDERED_SET and word[4] % 16 == 0
        if fits:
            return row
    return -1


@inner
def encode_block(word, marks, block):
    """Write the block of a word, eight bytes each; return its header."""
    for k in range(8):
        block[k] = 0
    if marks == 0:
        for k in range(8):
            block[k] = word[k]
        return DATA_HEADER
    row, place = format_of(word, marks), 8
    block[0] = TYPES[max(row, 0)]
    for field in range(8):
        letter, k, bits = FIELDS[max(row, 0), field]
        value = 0
        if row < 0:
            value = code_of(ERROR, 0)
        elif letter == LETTER_C:
            value = code_of(word[k], 0)
        elif letter == LETTER_O:
            value = OUR_CODE if row == OURS else code_of(word[k], 1)
        elif letter == LETTER_D:
            value = word[k]
        elif letter == LETTER_H:
            value = word[k] // 16
        for bit in range(max(bits, 0)):
            block[place // 8] |= (value >> bit & 1) << place % 8
            place += 1
    return CONTROL_HEADER


@inner
def read_block(block, row, word):
    """Write the word of a block of format ``row``; return its control bits, or -1."""
    place, marks = 8, 0
    for k in range(8):
        letter = CHARACTERS[row, k]
        marks |= (letter != LETTER_D) << k
        word[k] = START if letter == LETTER_S else TERMINATE
    for field in range(8):
        letter, k, bits = FIELDS[row, field]
        value = 0
        for bit in range(max(bits, 0)):
            value |= (block[place // 8] >> place % 8 & 1) << bit
            place += 1
        if letter == LETTER_C:
            value = character_of(value, 0)
        elif letter == LETTER_O and row == OURS:
            value = ORDERED_SET if value == OUR_CODE else -1
        elif letter == LETTER_O:
            value = character_of(value, 1)
        elif letter == LETTER_H:
            value *= 16
        if value < 0:
            return -1
        if letter > 0:
            word[k] = value
    return marks


@inner
def decode_block(header, block, word):
    """Write the word of a block, eight bytes each; return its control bits."""
    if header == DATA_HEADER:
        for k in range(8):
            word[k] = block[k]
        return 0
    if header == CONTROL_HEADER:
        for row in range(TYPES.size):
            if TYPES[row] == block[0]:
                marks = read_block(block, row, word)
                if marks >= 0:
                    return marks
    for k in range(8):
        word[k] = ERROR
    return 0xFF


@inner
def bytes_of(number, out):
    """The eight bytes of 64 bits, the lowest first."""
    for k in range(8):
        out[k] = number >> 8 * k & 255


@inner
def number_of(eight):
    """64 bits of eight bytes, the lowest first."""
    number = 0
    for k in range(8):
        number |= eight[k] << 8 * k
    return number


@compiled
def block_encoder_outputs(s, outputs, n):
    """What the registers show."""
    outputs.o_valid[n] = s.valid[n]
    for k in range(s.marks.shape[1]):
        outputs.o_blocks_header[n, k] = s.marks[n, k]
        outputs.o_blocks_payload[n, k, 0] = number_of(s.bytes[n, k])


@compiled
def block_encoder_clock(s, inputs, word, n):
    """The clock edge; ``word`` has room for eight bytes."""
    s.valid[n] = inputs.i_valid[n]
    for k in range(s.marks.shape[1]):
        bytes_of(inputs.i_words_data[n, k], word)
        marks = inputs.i_words_control[n, k // 8] >> 8 * (k % 8) & 255
        s.marks[n, k] = encode_block(word, marks, s.bytes[n, k])


@compiled
def block_encoder_step(s, inputs, outputs, word):
    """Outputs of this cycle, then the clock edge, of all instances."""
    for n in range(s.valid.size):
        block_encoder_outputs(s, outputs, n)
        block_encoder_clock(s, inputs, word, n)


@compiled
def block_decoder_outputs(s, outputs, n):
    """What the registers show."""
    outputs.o_valid[n] = s.valid[n]
    for k in range(outputs.o_words_control.shape[1]):
        outputs.o_words_control[n, k] = 0
    for k in range(s.marks.shape[1]):
        outputs.o_words_data[n, k] = number_of(s.bytes[n, k])
        outputs.o_words_control[n, k // 8] |= s.marks[n, k] << 8 * (k % 8)


@compiled
def block_decoder_clock(s, inputs, block, n):
    """The clock edge; ``block`` has room for eight bytes."""
    s.valid[n] = inputs.i_valid[n]
    for k in range(s.marks.shape[1]):
        bytes_of(inputs.i_blocks_payload[n, k, 0], block)
        s.marks[n, k] = decode_block(inputs.i_blocks_header[n, k], block, s.bytes[n, k])


@compiled
def block_decoder_step(s, inputs, outputs, block):
    """Outputs of this cycle, then the clock edge, of all instances."""
    for n in range(s.valid.size):
        block_decoder_outputs(s, outputs, n)
        block_decoder_clock(s, inputs, block, n)


class BlockEncoderModel:
    """``instances`` encoders of ``words_per_cycle`` words; 1 cycle."""

    KINDS = BlockEncoderInputs, BlockEncoderOutputs
    STEP = staticmethod(block_encoder_step)

    def __init__(self, config: LinkConfig, instances: int = 1):
        self.words, self.instances = config.words_per_cycle, instances
        wide = {
            "words_data": (instances, self.words),
            "words_control": (instances, -(-self.words // 8)),
            "blocks_header": (instances, self.words),
            "blocks_payload": (instances, self.words, 1),
        }
        self.inputs, self.outputs = (
            allocate(kind, {name: wide.get(name[2:], (instances,)) for name in kind._fields})
            for kind in self.KINDS
        )
        self.scratch = np.zeros(8, dtype=np.int64)
        self.reset()

    def reset(self) -> None:
        """The state after reset: zeros, not valid."""
        shape = self.instances, self.words
        shapes = {"valid": (self.instances,), "bytes": (*shape, 8), "marks": shape}
        self.state = allocate(CoderState, shapes)

    def step(self) -> BlockEncoderOutputs | BlockDecoderOutputs:
        """Outputs of this cycle, then the clock edge."""
        self.STEP(self.state, self.inputs, self.outputs, self.scratch)
        return self.outputs


class BlockDecoderModel(BlockEncoderModel):
    """``instances`` decoders of as many blocks; 1 cycle."""

    KINDS = BlockDecoderInputs, BlockDecoderOutputs
    STEP = staticmethod(block_decoder_step)
