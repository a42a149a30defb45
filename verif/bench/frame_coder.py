"""cocotb benches of rtl.serdes.frame_coder: lockstep with the models, and frames that are known."""

import os
from collections import deque
from dataclasses import dataclass

import cocotb
import numpy as np
from numpy.typing import NDArray

from models.serdes.config import FrameConfig
from models.serdes.fec_encoder import encode
from models.serdes.frame_coder import FrameDecoderModel, FrameEncoderModel
from rtl.serdes.frame_coder import FrameDecoder, FrameEncoder
from verif.coverage import Coverage
from verif.lockstep import Lockstep, bench_lanes

CYCLES = int(os.environ.get("BENCH_CYCLES", "2000"))
KINDS = ("clean", "one", "few", "burst", "longer", "many", "noise")


@dataclass
class Frame:
    """Symbols in the order of the message, as they are on the line, and how many are wrong of each
    codeword."""

    meant: NDArray[np.int64]
    line: NDArray[np.int64]
    wrong: NDArray[np.int64]
    kind: str


def order(config: FrameConfig) -> NDArray[np.int64]:
    """The codeword of each symbol on the line: in each run of all lanes or codewords in turn, with
    another one first than in the run before."""
    count, lanes = config.interleave, config.lanes
    long, runs = max(count, lanes), min(count, lanes)
    turn = [np.roll(np.arange(long) % count, -run) for run in range(runs)]
    return np.resize(np.concatenate(turn), config.symbols)


def new_frame(config: FrameConfig, rng: np.random.Generator, kind: str) -> Frame:
    """One of a kind: errors in no codeword, in one or in each, in a burst on a lane of as many as
    are corrected or a symbol more, in too many places, or all of them."""
    code, count, t = config.code, config.interleave, config.code.correctable
    words = [
        encode(code, rng.integers(0, 1024, code.message_symbols)) for _ in range(config.interleave)
    ]
    owners = order(config)
    line = np.zeros(config.symbols, dtype=np.int64)
    for k, word in enumerate(words):
        line[owners == k] = word
    places = np.zeros(0, dtype=np.int64)
    own = [np.flatnonzero(owners == k) for k in range(count)]
    if kind == "one":
        places = rng.choice(own[rng.integers(count)], rng.integers(1, t + 1), replace=False)
    elif kind == "few":
        some = [rng.choice(one, rng.integers(t + 1), replace=False) for one in own]
        places = np.concatenate(some)
    elif kind in ("burst", "longer"):
        length = count * t + (kind == "longer")
        lane = np.arange(rng.integers(config.lanes), config.symbols, config.lanes)
        start = rng.integers(len(lane) - length + 1)
        places = lane[start : start + length]
    elif kind in ("many", "noise"):
        most = config.symbols if kind == "noise" else 2 * count * t
        places = rng.choice(config.symbols, most, replace=False)
    line[places] ^= rng.integers(1, 1024, len(places))
    return Frame(
        np.array(words).T.ravel(), line, np.bincount(owners[places], minlength=count), kind
    )


@cocotb.test()
@cocotb.parametrize(load=[0.6, 1.0])
async def encoder_matches_model(dut, load: float) -> None:
    config = bench_lanes().frame
    rng = np.random.default_rng(cocotb.RANDOM_SEED)
    bench = Lockstep(dut, FrameEncoder(config), FrameEncoderModel(config))
    i, o = bench.model.inputs, bench.model.outputs
    await bench.reset()
    seen = Coverage({"frame": 5, "cut": 2, "begun by itself": 2})
    wide, place, frame, sent, got = config.symbols_per_cycle, 0, None, deque(), []
    for _ in seen.steps(CYCLES):
        frame = frame or new_frame(config, rng, "clean")
        i.i_valid[0], i.i_payload_first[0] = rng.random() < load, 0
        if i.i_valid[0]:
            if place and rng.random() < 0.1 / config.groups:
                seen["cut"] += 1
                i.i_payload_first[0] = 1
                frame, place = new_frame(config, rng, "clean"), 0
                sent.append(None)  # what was sent of the frame before comes out
            if place == 0 and rng.random() < 0.7:
                i.i_payload_first[0] = 1
            seen["begun by itself"] += place == 0 and not i.i_payload_first[0]
            message = frame.meant[place : place + wide].copy()
            begin = config.interleave * config.code.message_symbols
            message[max(0, begin - place) :] = rng.integers(0, 1024)
            i.i_payload_symbols[0] = message
            place += wide
            if place == config.symbols:
                sent.append(frame)
                frame, place = None, 0
        await bench.step()
        if o.o_valid[0]:
            if o.o_payload_first[0] and got:
                assert sent.popleft() is None
                got = []
            got += o.o_payload_symbols[0].tolist()
            if len(got) == config.symbols:
                assert got == sent.popleft().line.tolist()
                seen["frame"] += 1
                got = []


@cocotb.test()
@cocotb.parametrize(load=[0.7, 1.0], errors=[0.3, 1.0])
async def decoder_matches_model(dut, load: float, errors: float) -> None:
    config = bench_lanes().frame
    rng = np.random.default_rng(cocotb.RANDOM_SEED)
    bench = Lockstep(dut, FrameDecoder(config), FrameDecoderModel(config))
    i, o = bench.model.inputs, bench.model.outputs
    await bench.reset()
    goals = {*KINDS, "cut", "some bad, some good"}
    seen = Coverage(goals - (set() if errors < 1 else {"clean"}))
    t, wide, place, frame = config.code.correctable, config.symbols_per_cycle, 0, None
    sent, got = deque(), []
    for _ in seen.steps(CYCLES):
        if not frame:
            kind = str(rng.choice(KINDS[1:])) if rng.random() < errors else "clean"
            frame = new_frame(config, rng, kind)
        i.i_valid[0], i.i_payload_first[0] = rng.random() < load, 0
        if i.i_valid[0]:
            cuts = place > 0 and rng.random() < 0.05 / config.groups
            seen["cut"] += cuts
            place = 0 if cuts else place
            i.i_payload_first[0] = cuts or (place == 0 and rng.random() < 0.5)
            i.i_payload_symbols[0] = frame.line[place : place + wide]
            place += wide
            if place == config.symbols:
                sent.append(frame)
                frame, place = None, 0
        await bench.step()
        if o.o_valid[0]:
            got += o.o_payload_symbols[0].tolist()
        if len(got) == config.symbols:
            old, words = sent.popleft(), np.reshape(got, (-1, config.interleave)).T
            good = old.wrong <= t
            if old.kind != "noise":
                # More errors than t may make another codeword, rarely; else the word is bad.
                meant = np.reshape(old.meant, (-1, config.interleave)).T
                assert [(a == b).all() for a, b in zip(words, meant, strict=True)] == good.tolist()
                assert o.bad[0] == (~good).sum() and o.corrected[0] == old.wrong[good].sum()
            if old.kind == "burst":
                assert good.all() and old.wrong.sum() > t
            if old.kind == "longer":
                assert o.bad[0] == 1
            seen[old.kind] += 1
            seen["some bad, some good"] += bool(good.any() and not good.all())
            got = []
