"""cocotb bench of rtl.output_watchdog: lockstep with the golden model."""

import os

import cocotb
import numpy as np

from models.chip_config import TIMEOUT_BITS
from models.output_watchdog import OutputWatchdogModel
from rtl.output_watchdog import OutputWatchdog
from verif.coverage import Coverage
from verif.lockstep import Lockstep, bench_config

CYCLES = int(os.environ.get("BENCH_CYCLES", "4000"))


@cocotb.test()
async def matches_model(dut) -> None:
    config = bench_config()
    rng = np.random.default_rng(cocotb.RANDOM_SEED)
    bench = Lockstep(dut, OutputWatchdog(config), OutputWatchdogModel(config))
    await bench.reset()
    everything = (1 << config.classes) - 1
    # What must have been seen, whatever the seed.
    wanted = {f"class {c} starved" for c in range(config.classes)}
    wanted |= {"the output stopped", "revived", "revived as it dies", "in the last cycle", "off"}
    wanted |= {"the time is over as it is set", "a permit in time", "taken in time"}
    i, o, seen = bench.model.inputs, bench.model.outputs, Coverage(wanted)
    waited = np.zeros(config.classes + 1, dtype=int)  # cycles, of each class and of the output
    dead, stop = 0, 0
    for cycle in seen.steps(CYCLES):
        if cycle % 100 == 0:
            i.timeout[0] = rng.choice([0, 1, 2, 20, 50, (1 << TIMEOUT_BITS) - 1])
        # Waits of some 30 cycles, and at some times of the output only.
        if rng.random() < 0.03:
            i.waiting[0], i.permit[0] = rng.integers(everything + 1, size=2)
            stop = int(rng.random() < 0.5)
        # What waits of random length seldom do: end with the last cycle in time.
        last = int(i.timeout[0]) - 1
        if last > 1 and last in waited and rng.random() < 0.2:
            i.permit[0], stop = everything, 0
        i.offered[0] = stop or rng.random() < 0.5
        i.taken[0] = i.offered[0] and not stop and rng.random() < 0.8
        i.revive[0] = rng.random() < (0.3 if dead and rng.random() < 0.1 else 0.01)
        await bench.step()

        assert o.dead[0] == dead
        timeout, before = int(i.timeout[0]), waited.copy()
        starves = int(i.waiting[0]) & ~int(i.permit[0])
        waits = [bool(starves >> c & 1) for c in range(config.classes)]
        waits.append(bool(i.offered[0] and not i.taken[0]))
        waited = np.where(waits, waited + 1, 0)
        dies = [n for n, count in enumerate(waited) if timeout and count >= timeout]
        for n in dies:
            dead |= everything if n == config.classes else 1 << n
            seen["the output stopped" if n == config.classes else f"class {n} starved"] += 1
            seen["in the last cycle"] += waited[n] == timeout > 2
            seen["the time is over as it is set"] += waited[n] > timeout > 0
        in_time = (before == timeout - 1) & (waited == 0) & (timeout > 2)
        seen["a permit in time"] += in_time[:-1].any()
        seen["taken in time"] += in_time[-1]
        seen["off"] += not timeout and waited.max() > 20
        if i.revive[0]:
            seen["revived"] += dead and not dies
            seen["revived as it dies"] += bool(dies)
            dead, waited[:] = 0, 0
