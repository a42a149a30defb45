"""cocotb bench of rtl.counters: lockstep with the golden model under random events."""

import os

import cocotb
import numpy as np

from models.counters import CountersModel
from models.packet import Broken, Drop
from rtl.counters import Counters
from verif.lockstep import Lockstep

CYCLES = int(os.environ.get("BENCH_CYCLES", "2000"))


@cocotb.test()
@cocotb.parametrize(events=[0.3, 1.0], clears=[0.0, 0.01])
async def matches_model(dut, events: float, clears: float) -> None:
    rng = np.random.default_rng(cocotb.RANDOM_SEED)
    model = CountersModel()
    bench = Lockstep(dut, Counters(), model)
    i, cleared = model.inputs, 0
    for _ in range(2):
        await bench.reset()
        for _ in range(CYCLES // 2):
            for name in i._fields:
                getattr(i, name)[0] = rng.random() < events
            i.drop_reason[0], i.broken_reason[0] = (
                rng.integers(len(Drop)),
                rng.integers(len(Broken)),
            )
            i.clear[0] = rng.random() < clears
            counted = int(model.outputs.counts_accepted[0])
            outputs = await bench.step()
            cleared += int(outputs.counts_accepted[0]) < counted
        for name in outputs._fields:
            assert clears or getattr(outputs, name).all(), name
    assert cleared > bool(clears)  # once by the second reset
