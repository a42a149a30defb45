"""cocotb bench of rtl.class_arbiter: lockstep with the golden model under random requests."""

import os

import cocotb
import numpy as np

from models.class_arbiter import ClassArbiterModel, class_arbiter_pick
from rtl.class_arbiter import ClassArbiter
from verif.lockstep import Lockstep, bench_config

CYCLES = int(os.environ.get("BENCH_CYCLES", "2000"))


@cocotb.test()
@cocotb.parametrize(load=[0.1, 0.5, 1.0], used=[0.3, 1.0], honest=[True, False])
async def matches_model(dut, load: float, used: float, honest: bool) -> None:
    """Charged are the grants that are used, refilled if they are spent; or (not ``honest``) any."""
    config = bench_config()
    picks, classes = config.iterations, config.classes
    rng = np.random.default_rng(cocotb.RANDOM_SEED)
    model = ClassArbiterModel(config, picks=picks)
    bench = Lockstep(dut, ClassArbiter(config, picks=picks), model)
    await bench.reset()

    weights, quantum = 1 << np.arange(classes), max(config.class_weights) * config.limit
    granted = spent = lowest = refills = 0
    for _ in range(CYCLES):
        inputs, deficit = model.inputs, model.state.deficit[0]
        request = inputs.request[0]
        request[:] = (rng.random((picks, classes)) < load) @ weights
        inputs.refill[0] = rng.random() < 0.3 / quantum  # seldom enough to run into debt
        inputs.charge[0] = (rng.random(classes) < 0.8) @ weights
        if honest:
            inputs.refill[0] = inputs.charge[0] = 0
            for k in np.flatnonzero(rng.random(picks) < used):
                c = class_arbiter_pick(model.parameters, deficit, request[k])
                if c >= 0:
                    inputs.charge[0] |= 1 << c
                    inputs.refill[0] |= deficit[c] <= 0
        refills += int(inputs.refill[0])
        outputs = await bench.step()
        lowest = min(lowest, int(deficit.min()))
        granted |= int(np.bitwise_or.reduce(outputs.grant[0]))
        spent |= int(outputs.spent[0])

    # The run was not vacuous: all classes had a grant, and invented charges reached the floor.
    assert granted == (1 << classes) - 1 or load == 1.0
    if config.class_policy == "weighted" and 20 * quantum < CYCLES:
        assert spent and refills and (honest or lowest < -2 * config.limit)
