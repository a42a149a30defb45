"""cocotb bench of rtl.class_arbiter: lockstep with the golden model under random requests."""

import os

import cocotb
import numpy as np

from models.class_arbiter import ClassArbiterModel, class_arbiter_pick
from rtl.class_arbiter import ClassArbiter
from verif.lockstep import Lockstep, bench_config

CYCLES = int(os.environ.get("BENCH_CYCLES", "2000"))


@cocotb.test()
@cocotb.parametrize(load=[0.1, 0.5, 1.0], ready=[0.3, 1.0], honest=[True, False])
async def matches_model(dut, load: float, ready: float, honest: bool) -> None:
    """Charges are what was granted, or (not ``honest``) anything that fits the wires."""
    config = bench_config()
    picks, classes, largest = config.iterations, config.classes, config.max_packet_flits
    rng = np.random.default_rng(cocotb.RANDOM_SEED)
    model = ClassArbiterModel(config, picks=picks)
    bench = Lockstep(dut, ClassArbiter(config, picks=picks), model)
    await bench.reset()

    weights = 1 << np.arange(classes)
    granted, lowest = 0, 0
    for _ in range(CYCLES):
        request, charge = model.inputs.request[0], model.inputs.charge[0]
        request[:] = (rng.random((picks, classes)) < load) @ weights
        used = rng.random(picks) < ready
        model.inputs.advance[0] = int(used @ (1 << np.arange(picks)))
        charge[:] = 0 if honest else rng.integers(0, 2 * largest + 1, classes)
        if honest:
            for k in np.flatnonzero(used):
                c = class_arbiter_pick(model.parameters, model.state.deficit[0], request[k])
                if c >= 0:
                    fits = 2 * largest - charge[c]
                    charge[c] += rng.integers(min(1, fits), min(largest, fits) + 1)
        outputs = await bench.step()
        lowest = min(lowest, int(model.state.deficit.min()))
        granted |= int(np.bitwise_or.reduce(outputs.grant[0]))

    # The run was not vacuous: all classes had a grant, and invented charges reached the floor.
    strict = config.class_policy == "strict"
    assert granted == (1 << classes) - 1 or (load == 1.0 and (strict or not honest))
    assert honest or strict or lowest < -2 * largest
