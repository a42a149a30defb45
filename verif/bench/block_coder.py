"""cocotb bench of rtl.serdes.block_coder: encoder and decoder in lockstep with their models."""

import os

import cocotb
import numpy as np

from models.serdes.block_coder import (
    CODES,
    FORMATS,
    OURS,
    BlockDecoderModel,
    BlockEncoderModel,
    format_of,
)
from rtl.serdes.block_coder import BlockDecoder, BlockEncoder
from verif.coverage import Coverage
from verif.lockstep import Lockstep, bench_link

CYCLES = int(os.environ.get("BENCH_CYCLES", "2000"))
# Characters that each letter of a format may be, and what no block can tell.
CONTROLS, ORDERED = (np.flatnonzero(CODES[kind] >= 0) for kind in (0, 1))
STRANGE = np.setdiff1d(np.arange(256), [*CONTROLS, *ORDERED])


def random_word(rng: np.random.Generator) -> tuple[np.ndarray, int]:
    """Eight bytes and their control bits: of any format, or nearly."""
    row = rng.integers(len(FORMATS))
    word, characters = rng.integers(0, 256, 8), FORMATS[row][1]
    for k, letter in enumerate(characters):
        if letter != "D":
            choices = {"C": CONTROLS, "O": ORDERED, "S": [0xFB], "T": [0xFD]}[letter]
            word[k] = rng.choice(choices)
    if row == OURS:
        word[0], word[4] = 0x5C, word[4] & 0xF0
    marks = sum(1 << k for k, letter in enumerate(characters) if letter != "D")
    if rng.random() < 0.3:  # something is not as it should be
        k = rng.integers(8)
        if rng.random() < 0.5:
            marks ^= 1 << k
        else:
            word[k] = rng.choice(STRANGE) if rng.random() < 0.5 else rng.integers(256)
    return (word, int(marks)) if rng.random() < 0.9 else (word, 0)


def number(eight: np.ndarray) -> np.int64:
    """64 bits of eight bytes, the lowest first."""
    return eight.astype(np.uint8).view(np.int64)[0]


@cocotb.test()
async def encoder_matches_model(dut) -> None:
    config = bench_link()
    rng = np.random.default_rng(cocotb.RANDOM_SEED)
    bench = Lockstep(dut, BlockEncoder(config), BlockEncoderModel(config))
    i = bench.model.inputs
    await bench.reset()
    formats = {f"{kind:02x} {characters}" for kind, characters, _ in FORMATS}
    seen = Coverage(dict.fromkeys({*formats, "data", "none"}, 5))
    for _ in seen.steps(CYCLES):
        i.i_valid[0] = rng.random() < 0.8
        i.i_words_control[:] = 0
        for k in range(config.words_per_cycle):
            word, marks = random_word(rng)
            i.i_words_data[0, k] = number(word)
            i.i_words_control[0, k // 8] |= np.int64(marks) << 8 * (k % 8)
            row = format_of(word, marks)
            kind = "none" if row < 0 else f"{FORMATS[row][0]:02x} {FORMATS[row][1]}"
            seen[kind if marks else "data"] += 1
        await bench.step()


@cocotb.test()
async def decoder_matches_model(dut) -> None:
    config = bench_link()
    rng = np.random.default_rng(cocotb.RANDOM_SEED)
    bench = Lockstep(dut, BlockDecoder(config), BlockDecoderModel(config))
    i, coder = bench.model.inputs, BlockEncoderModel(config)
    await bench.reset()
    seen = Coverage(
        {"as it was": 100, "wrong header": 20, "one bit wrong": 20, "noise": 20, "none": 20}
    )
    words = [(np.zeros(8, dtype=int), 0)] * config.words_per_cycle
    for _ in seen.steps(CYCLES):
        # The block of each word, then what the line makes of it.
        for k in range(config.words_per_cycle):
            words[k] = random_word(rng)
            coder.inputs.i_words_data[0, k] = number(words[k][0])
        coder.inputs.i_words_control[:] = 0
        for k, (_, marks) in enumerate(words):
            coder.inputs.i_words_control[0, k // 8] |= np.int64(marks) << 8 * (k % 8)
        coder.step()
        coder.step()
        i.i_valid[0] = rng.random() < 0.8
        i.i_blocks_header[:] = coder.outputs.o_blocks_header
        i.i_blocks_payload[:] = coder.outputs.o_blocks_payload
        for k in range(config.words_per_cycle):
            if rng.random() < 0.1:
                i.i_blocks_header[0, k] ^= rng.integers(1, 4)
                seen["wrong header"] += i.i_blocks_header[0, k] in (0, 3)
            elif rng.random() < 0.2:  # often in the type, or among the codes
                i.i_blocks_payload[0, k, 0] ^= np.int64(1) << rng.integers(0, rng.choice([8, 63]))
                seen["one bit wrong"] += 1
            elif rng.random() < 0.1:
                kind = rng.choice([kind for kind, _, _ in FORMATS])
                noise = rng.integers(0, 256, 8)
                noise[0] = kind if rng.random() < 0.7 else noise[0]
                i.i_blocks_payload[0, k, 0] = number(noise)
                seen["noise"] += 1
        before = i.i_blocks_payload.copy(), i.i_blocks_header.copy()
        await bench.step()
        sent, header = coder.outputs.o_blocks_payload, coder.outputs.o_blocks_header
        unhurt = (before[0] == sent)[..., 0] & (before[1] == header)
        # A look at the next outputs, which the registers of the model have now.
        for k, (word, marks) in enumerate(words):
            told = bench.model.state.bytes[0, k], int(bench.model.state.marks[0, k])
            if unhurt[0, k] and (not marks or format_of(word, marks) >= 0):
                assert (told[0] == word).all() and told[1] == marks
                seen["as it was"] += 1
            seen["none"] += told[1] == 0xFF and (told[0] == 0xFE).all()
