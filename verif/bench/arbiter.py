"""cocotb bench of rtl.arbiter: lockstep with the golden model under random requests."""

import os

import cocotb
import numpy as np

from models.arbiter import ArbiterModel
from rtl.arbiter import Arbiter
from verif.lockstep import Lockstep, bench_config

CYCLES = int(os.environ.get("BENCH_CYCLES", "2000"))


@cocotb.test()
@cocotb.parametrize(load=[0.05, 0.5, 1.0], ready=[0.3, 1.0])
async def matches_model(dut, load: float, ready: float) -> None:
    ports = bench_config().ports
    rng = np.random.default_rng(cocotb.RANDOM_SEED)
    model = ArbiterModel(ports)
    bench = Lockstep(dut, Arbiter(ports), model)
    await bench.reset()

    grants = 0
    for _ in range(CYCLES):
        bits = np.packbits(rng.random(ports) < load, bitorder="little")
        request = model.inputs.request[0]
        request.view(np.uint8)[: len(bits)] = bits
        model.inputs.advance[0] = rng.random() < ready
        outputs = await bench.step()
        grants += bool(outputs.grant.any()) and int(model.inputs.advance[0])
    assert grants > 0.5 * CYCLES * ready * (1 - (1 - load) ** ports)  # the run was not vacuous
