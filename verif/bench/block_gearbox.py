"""cocotb bench of rtl.serdes.block_gearbox: lockstep with the golden model, and blocks in order."""

import os
from collections import deque

import cocotb
import numpy as np

from models.serdes.block_gearbox import BlockGearboxModel
from rtl.serdes.block_gearbox import BlockGearbox
from verif.coverage import Coverage
from verif.lockstep import Lockstep

CYCLES = int(os.environ.get("BENCH_CYCLES", "1000"))
SIZES = int(os.environ["BENCH_TAKE"]), int(os.environ["BENCH_GIVE"])


@cocotb.test()
async def matches_model(dut) -> None:
    """All that come go, none twice, as early as a group of them is there."""
    rng, (take, give) = np.random.default_rng(cocotb.RANDOM_SEED), SIZES
    bench = Lockstep(dut, BlockGearbox(take, give), BlockGearboxModel(take, give))
    await bench.reset()
    i, o = bench.model.inputs, bench.model.outputs
    seen = Coverage({"in a row": 20, "pause": 20} | ({"full": 20} if take > give else {}))
    queue, ready, due = deque(), True, False
    for _ in seen.steps(CYCLES):
        wants = rng.random() < 0.8
        i.i_valid[0] = wants and ready
        i.i_blocks_header[0] = rng.integers(4, size=take)
        i.i_blocks_payload[0, :, 0] = rng.integers(-(1 << 63), 1 << 63, take)
        await bench.step()
        assert o.ready[0] == ready and o.o_valid[0] == due
        if due:
            for k in range(give):
                found = int(o.o_blocks_header[0, k]), int(o.o_blocks_payload[0, k, 0])
                assert queue.popleft() == found
        seen["in a row"] += due and i.i_valid[0]
        seen["pause"] += not i.i_valid[0]
        seen["full"] += wants and not ready
        if i.i_valid[0]:
            headers, payloads = i.i_blocks_header[0], i.i_blocks_payload[0, :, 0]
            queue.extend(zip(headers.tolist(), payloads.tolist(), strict=True))
        due = len(queue) >= give
        ready = take <= give or len(queue) - due * give < give
