"""cocotb bench of rtl.serdes.gearbox: lockstep with the golden models; lines are numbers here."""

import os

import cocotb
import numpy as np

from models.serdes.config import HEADER_BITS, PAYLOAD_BITS, WORD_BITS
from models.serdes.gearbox import ReceiveGearboxModel, TransmitGearboxModel
from rtl.serdes.gearbox import ReceiveGearbox, TransmitGearbox
from verif.coverage import Coverage
from verif.lockstep import Lockstep

CYCLES = int(os.environ.get("BENCH_CYCLES", "1000"))
BLOCK_BITS = HEADER_BITS + PAYLOAD_BITS


def number(words) -> int:
    """A word of 64 bits, unsigned."""
    return int(words.view(np.uint64)[0])


@cocotb.test()
async def transmit_matches_model(dut) -> None:
    rng = np.random.default_rng(cocotb.RANDOM_SEED)
    bench = Lockstep(dut, TransmitGearbox(), TransmitGearboxModel())
    await bench.reset()
    i, o, seen = bench.model.inputs, bench.model.outputs, Coverage({"turn": 10})
    line, blocks, last = 0, 0, -1  # what is to come, and how much; the last cycle without a block
    for cycle in seen.steps(CYCLES):
        i.block_header[0] = rng.integers(4)
        i.block_payload[0] = rng.integers(-(1 << 63), 1 << 63, 1)
        await bench.step()
        if cycle:
            assert number(o.word[0]) == line & (1 << WORD_BITS) - 1
            line >>= WORD_BITS
            blocks -= WORD_BITS
        if o.ready[0]:
            block = int(i.block_header[0]) | number(i.block_payload[0]) << HEADER_BITS
            line |= block << blocks
            blocks += BLOCK_BITS
        else:
            assert cycle - last == BLOCK_BITS // 2
            last = cycle
            seen["turn"] += 1


@cocotb.test()
@cocotb.parametrize(slips=[0.02, 0.3])
async def receive_matches_model(dut, slips: float) -> None:
    rng = np.random.default_rng(cocotb.RANDOM_SEED)
    bench = Lockstep(dut, ReceiveGearbox(), ReceiveGearboxModel(), qualified={"block": "valid"})
    await bench.reset()
    i, o = bench.model.inputs, bench.model.outputs
    # A slip with each number of bits that can be left, one less than none among them; and two.
    seen = Coverage({*range(-1, BLOCK_BITS), "twice"})
    line, left = 0, 0  # bits that came and are in no block yet, and how many
    due, slipped = None, 0
    for _ in seen.steps(CYCLES):
        i.word[0] = rng.integers(-(1 << 63), 1 << 63, 1)
        # What was never met is met as soon as it comes by.
        i.slip[0] = rng.random() < (slips if seen[left] else 0.8)
        await bench.step()
        assert (o.valid[0], o.slip_done[0]) == (due is not None, slipped)
        if due is not None:
            assert int(o.block_header[0]) | number(o.block_payload[0]) << HEADER_BITS == due
        seen["twice"] += i.slip[0] and slipped
        seen[left] += i.slip[0]
        slipped = int(i.slip[0])
        # With a bit less than none the lowest of the word is over.
        line |= number(i.word[0]) << left if left >= 0 else number(i.word[0]) >> 1
        left, due = left + WORD_BITS, None
        if left >= BLOCK_BITS:
            due, line, left = line & (1 << BLOCK_BITS) - 1, line >> BLOCK_BITS, left - BLOCK_BITS
        line, left = line >> slipped, left - slipped
