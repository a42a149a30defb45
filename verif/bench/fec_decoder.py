"""cocotb bench of rtl.serdes.fec_decoder: lockstep with the golden model; errors are known."""

import os
from collections import deque
from dataclasses import dataclass

import cocotb
import numpy as np
from numpy.typing import NDArray

from models.serdes.config import FecConfig
from models.serdes.fec_decoder import FecDecoderModel
from models.serdes.fec_encoder import encode
from rtl.serdes.fec_decoder import FecDecoder
from verif.coverage import Coverage
from verif.lockstep import Lockstep, bench_fec

CYCLES = int(os.environ.get("BENCH_CYCLES", "2000"))
KINDS = ("parity", "message", "both", "burst")


@dataclass
class Word:
    """A codeword, what comes of it, and how many symbols of which kind are wrong."""

    meant: NDArray[np.int64]
    came: NDArray[np.int64]
    kind: str
    wrong: int


def word_with_errors(config: FecConfig, rng: np.random.Generator, wrong: int, kind: str) -> Word:
    """A random codeword with so many errors, in places of a kind."""
    meant = encode(config, rng.integers(0, 1024, config.message_symbols))
    parity, came = config.message_symbols, meant.copy()
    places = {
        "parity": np.arange(parity, config.symbols),
        "message": np.arange(parity),
        "both": np.arange(config.symbols),
        "burst": (int(rng.integers(config.symbols)) + np.arange(wrong)) % config.symbols,
    }[kind]
    came[rng.choice(places, wrong, replace=False)] ^= rng.integers(1, 1024, wrong)
    return Word(meant, came, kind, wrong)


def next_word(config: FecConfig, rng: np.random.Generator, errors: float) -> Word:
    """One without errors, with one to t, with t + 1, or noise."""
    t, kind = config.correctable, str(rng.choice([*KINDS, "noise"]))
    if rng.random() >= errors:
        return word_with_errors(config, rng, 0, "both")
    if kind != "noise":
        wrong = np.array([1, t, t + 1, rng.integers(1, t + 1)])
        return word_with_errors(config, rng, int(rng.choice(wrong)), kind)
    noise = rng.integers(0, 1024, config.symbols)
    noise = rng.choice(np.array([np.full_like(noise, 0), np.full_like(noise, 1023), noise]))
    return Word(noise, noise, kind, 0)


@cocotb.test()
@cocotb.parametrize(load=[0.7, 1.0], errors=[0.3, 1.0])
async def matches_model(dut, load: float, errors: float) -> None:
    """Codewords that are told late, too, with errors and without; the signal is noise between."""
    config = bench_fec()
    rng = np.random.default_rng(cocotb.RANDOM_SEED)
    bench = Lockstep(dut, FecDecoder(config), FecDecoderModel(config))
    i, o = bench.model.inputs, bench.model.outputs
    await bench.reset()
    t, wide = config.correctable, config.symbols_per_cycle
    goals = {(wrong, kind) for wrong in (1, t, t + 1) for kind in KINDS}
    goals |= {(0, "noise"), "cut", "late"}
    if errors < 1:
        goals |= {(0, "both"), "late for another"}
    seen = Coverage(goals)
    ends = False  # the last group of a codeword has come
    word, place = next_word(config, rng, errors), 0  # on the line, and how much of it was
    sent, got = deque(), []
    for _ in seen.steps(CYCLES):
        i.i_valid[0], i.i_payload_first[0] = rng.random() < load, 0
        i.late[0] = rng.random() < 0.2
        ended, ends = ends, False
        if i.i_valid[0]:
            cuts = place > 0 and rng.random() < 0.05 / config.groups
            if cuts:
                seen["cut"] += 1
                word, place = next_word(config, rng, errors), 0
            i.i_payload_first[0] = cuts or (place == 0 and rng.random() < 0.5)
            i.i_payload_symbols[0] = word.came[place : place + wide]
            place += wide
            if place == config.symbols:
                sent.append(word)
                ends = True
                word, place = next_word(config, rng, errors), 0
        await bench.step()
        if ended and i.late[0]:
            seen["late" if o.wrong[0] else "late for another"] += 1
        if o.o_valid[0]:
            got += o.o_payload_symbols[0].tolist()
        if len(got) == config.symbols:
            old = sent.popleft()
            if old.kind != "noise":
                # t + 1 errors may make another codeword's of t, rarely; else the word is bad.
                assert (got == old.meant.tolist()) == (old.wrong <= t)
                assert o.o_payload_corrected[0] == old.wrong or old.wrong > t
                assert o.o_payload_bad[0] == (old.wrong > t and got == old.came.tolist())
            seen[old.wrong, old.kind] += 1
            got = []
