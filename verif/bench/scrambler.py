"""cocotb bench of rtl.serdes.scrambler: lockstep with the golden models.

What is scrambled, times x^58 + x^39 + 1, must be the bits: here it is multiplied as a number.
"""

import os

import cocotb
import numpy as np

from models.serdes.config import SCRAMBLER_TAPS
from models.serdes.scrambler import DescramblerModel, ScramblerModel
from rtl.serdes.scrambler import Descrambler, Scrambler
from verif.coverage import Coverage
from verif.lockstep import Lockstep, bench_lane

CYCLES = int(os.environ.get("BENCH_CYCLES", "1000"))
NEAR, FAR = SCRAMBLER_TAPS
KINDS = ("zeros", "ones", "random")


def number(words) -> int:
    """Words of 64 bits as one number, the lowest first."""
    return int.from_bytes(words.tobytes(), "little")


def words(value: int, count: int):
    """The inverse of :func:`number`."""
    return np.frombuffer(value.to_bytes(8 * count, "little"), dtype=np.int64)


def unscrambled(line: int, width: int) -> int:
    """What was scrambled to the last bits of a line; 58 bits are before them."""
    return (line ^ line >> FAR - NEAR ^ line >> FAR) & (1 << width) - 1


def some_bits(rng: np.random.Generator, width: int, kind: str) -> int:
    """A word of a kind."""
    ones = (1 << width) - 1
    return {"zeros": 0, "ones": ones, "random": int.from_bytes(rng.bytes(width // 8 + 1)) & ones}[
        kind
    ]


@cocotb.test()
@cocotb.parametrize(load=[0.5, 1.0])
async def scrambler_matches_model(dut, load: float) -> None:
    config = bench_lane()
    width, rng = config.width, np.random.default_rng(cocotb.RANDOM_SEED)
    bench = Lockstep(dut, Scrambler(config), ScramblerModel(config))
    await bench.reset()
    i, o, kind = bench.model.inputs, bench.model.outputs, "random"
    seen = Coverage({*KINDS} | ({"pause"} if load < 1 else set()))
    past, meant = (1 << FAR) - 1, None  # scrambled bits so far, the last highest; a cycle ago
    for cycle in seen.steps(CYCLES):
        if cycle % 150 == 0:
            kind = KINDS[cycle // 150 % len(KINDS)]
        i.i_valid[0], bits = rng.random() < load, some_bits(rng, width, kind)
        i.i_payload[0] = words(bits, i.i_payload.shape[1])
        await bench.step()
        assert o.o_valid[0] == (meant is not None)
        if meant is None:
            seen["pause"] += cycle > 0
        else:
            line = past | number(o.o_payload[0]) << FAR
            assert unscrambled(line, width) == meant
            past = line >> width
            seen[kind] += 1
        meant = bits if i.i_valid[0] else None


@cocotb.test()
@cocotb.parametrize(load=[0.5, 1.0])
async def descrambler_matches_model(dut, load: float) -> None:
    config = bench_lane()
    width, rng = config.width, np.random.default_rng(cocotb.RANDOM_SEED)
    bench = Lockstep(dut, Descrambler(config), DescramblerModel(config))
    await bench.reset()
    i, o = bench.model.inputs, bench.model.outputs
    seen = Coverage({"right", "wrong", "cut"} | ({"pause"} if load < 1 else set()))
    past = (1 << FAR) - 1  # bits that were sent, the last highest
    spoilt = 0  # bits to come that errors make wrong, the next lowest
    unsure = 0  # bits to come that may be anything, as others before them were lost
    expected = None  # the bits, those that are wrong, and those that count: a cycle ago
    for cycle in seen.steps(CYCLES):
        now, i.i_valid[0] = None, rng.random() < load
        if i.i_valid[0]:
            if rng.random() < 2 / (3 * FAR / width + 20):
                past, unsure = int.from_bytes(rng.bytes(FAR)) >> 7 * FAR, FAR
                seen["cut"] += 1
            line = past | some_bits(rng, width, "random") << FAR
            fault = 0
            if rng.random() < 1 / (2 * FAR / width + 2):
                fault = 1 << int(rng.integers(width))
                spoilt ^= fault ^ fault << NEAR ^ fault << FAR
            i.i_payload[0] = words(line >> FAR ^ fault, i.i_payload.shape[1])
            counts = ~((1 << unsure) - 1) & (1 << width) - 1
            now = unscrambled(line, width), spoilt & (1 << width) - 1, counts
            past, spoilt, unsure = line >> width, spoilt >> width, max(0, unsure - width)
        await bench.step()
        assert o.o_valid[0] == (expected is not None)
        if expected is None:
            seen["pause"] += cycle > 0
        else:
            bits, wrong, counts = expected
            assert (number(o.o_payload[0]) ^ bits ^ wrong) & counts == 0
            seen["right"] += not wrong and counts == (1 << width) - 1
            seen["wrong"] += wrong & counts != 0
        expected = now
