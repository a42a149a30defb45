"""cocotb bench of rtl.serdes.transcoder: both directions in lockstep with their models."""

import os

import cocotb
import numpy as np

from models.serdes.block_coder import CONTROL_HEADER, DATA_HEADER, TYPES
from models.serdes.transcoder import ReverseTranscoderModel, TranscoderModel
from rtl.serdes.transcoder import ReverseTranscoder, Transcoder
from verif.coverage import Coverage
from verif.lockstep import Lockstep

CYCLES = int(os.environ.get("BENCH_CYCLES", "2000"))


def random_blocks(rng: np.random.Generator, data: float, wrong: float) -> tuple:
    """Headers and payloads of four blocks: each data with probability ``data``."""
    payloads = rng.integers(-(1 << 63), (1 << 63) - 1, 4)
    headers = np.where(rng.random(4) < data, DATA_HEADER, CONTROL_HEADER)
    for k in np.flatnonzero(headers == CONTROL_HEADER):
        payloads[k] += rng.choice(TYPES) - payloads[k] % 256
    headers = np.where(rng.random(4) < wrong, rng.choice([0, 3]), headers)
    return headers, payloads


@cocotb.test()
async def transcoder_matches_model(dut) -> None:
    rng = np.random.default_rng(cocotb.RANDOM_SEED)
    bench = Lockstep(dut, Transcoder(), TranscoderModel())
    i = bench.model.inputs
    await bench.reset()
    kinds = {"all data", "no block", *(f"first at {n}" for n in range(4))}
    seen = Coverage(dict.fromkeys(kinds, 20))
    for _ in seen.steps(CYCLES):
        i.i_valid[0] = rng.random() < 0.8
        headers, payloads = random_blocks(rng, rng.choice([0.2, 0.6, 1.0]), rng.choice([0, 0.1]))
        i.i_blocks_header[0], i.i_blocks_payload[0, :, 0] = headers, payloads
        await bench.step()
        if not np.isin(headers, (DATA_HEADER, CONTROL_HEADER)).all():
            seen["no block"] += 1
        elif (headers == DATA_HEADER).all():
            seen["all data"] += 1
        else:
            seen[f"first at {np.argmax(headers == CONTROL_HEADER)}"] += 1


@cocotb.test()
async def reverse_matches_model(dut) -> None:
    rng = np.random.default_rng(cocotb.RANDOM_SEED)
    coder = TranscoderModel()
    bench = Lockstep(dut, ReverseTranscoder(), ReverseTranscoderModel())
    i = bench.model.inputs
    await bench.reset()
    seen = Coverage({"as it was": 100, "no block": 20, "bad": 20, "noise": 20, "no type": 5})
    for _ in seen.steps(CYCLES):
        headers, payloads = random_blocks(rng, rng.choice([0.2, 0.6, 1.0]), rng.choice([0, 0.1]))
        coder.inputs.i_blocks_header[0] = headers
        coder.inputs.i_blocks_payload[0, :, 0] = payloads
        coder.step()
        coder.step()
        i.i_valid[0], i.bad[0] = rng.random() < 0.8, rng.random() < 0.1
        i.i_block[:] = coder.outputs.o_block
        noise = rng.random() < 0.2
        if noise:
            i.i_block[0, :4] = rng.integers(-(1 << 63), (1 << 63) - 1, 4)
            i.i_block[0, 0] &= ~np.int64(1)
            seen["noise"] += 1
        await bench.step()
        # What the registers of the model have now, and show in the next cycle.
        found = bench.model.state.headers[0], bench.model.state.payloads[0]
        told = np.packbits(found[1].astype(np.uint8), bitorder="little").view(np.int64)
        no_block = not np.isin(headers, (DATA_HEADER, CONTROL_HEADER)).all()
        if i.bad[0]:
            assert (found[0] == 3).all()
            seen["bad"] += 1
        elif noise:
            seen["no type"] += np.count_nonzero(found[0] == 3) == 1
        elif no_block:
            assert (found[0] == 3).all()
            seen["no block"] += 1
        else:
            assert (found[0] == headers).all() and (told == payloads).all()
            seen["as it was"] += 1
