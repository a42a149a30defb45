"""cocotb bench of rtl.link.counters: lockstep with the golden model, and a count beside it."""

import os

import cocotb
import numpy as np

from models.link.counters import LinkCountersModel
from models.link.wire import COUNTED
from rtl.link.counters import LinkCounters
from verif.coverage import Coverage
from verif.lockstep import Lockstep, bench_link

CYCLES = int(os.environ.get("BENCH_CYCLES", "2000"))


@cocotb.test()
async def matches_model(dut) -> None:
    config = bench_link()
    rng = np.random.default_rng(cocotb.RANDOM_SEED)
    bench = Lockstep(dut, LinkCounters(config), LinkCountersModel(config))
    i, o = bench.model.inputs, bench.model.outputs
    wanted = {f"read {name}" for name in COUNTED}
    wanted |= {"no such event", "in the first round", "an event as its count is read", "full rate"}
    counts, asked, seen = np.zeros(len(COUNTED), dtype=int), None, Coverage(wanted)
    since = 0
    for cycle in seen.steps(CYCLES):
        if cycle in (0, CYCLES // 2):  # the second time with counts of before in the memory
            await bench.reset()
            counts[:], asked, since = 0, None, 0
        full = cycle // 200 % 2  # by turns all that can happen, and less
        happens = rng.random(len(COUNTED)) < (1 if full else 0.2)
        for event, name in enumerate(COUNTED):
            most = config.window if name == "lost" else 1
            number = most if full else rng.integers(1, most + 1)
            getattr(i, f"events_{name}")[0] = number * happens[event]
        i.address[0] = rng.integers(len(COUNTED)) if rng.random() < 0.9 else rng.integers(64)
        await bench.step()
        assert o.count[0] == (0 if asked is None else asked)
        address = int(i.address[0])
        if address < len(COUNTED):
            asked = counts[address]
            seen[f"read {COUNTED[address]}"] += asked > 0
            seen["in the first round"] += since < len(COUNTED) and asked > 0
            seen["an event as its count is read"] += happens[address]
            seen["full rate"] += full and asked > 2 * len(COUNTED)
        else:
            asked = 0
            seen["no such event"] += 1
        counts += [int(getattr(i, f"events_{name}")[0]) for name in COUNTED]
        since += 1
