"""cocotb bench of rtl.event_counters: lockstep with the golden model, and a count beside it."""

import json
import os

import cocotb
import numpy as np

from models.event_counters import EventCountersModel
from rtl.event_counters import EventCounters
from verif.coverage import Coverage
from verif.lockstep import Lockstep

CYCLES = int(os.environ.get("BENCH_CYCLES", "2000"))


@cocotb.test()
async def matches_model(dut) -> None:
    most = json.loads(os.environ["EVENTS_MOST"])
    events = len(most)
    rng = np.random.default_rng(cocotb.RANDOM_SEED)
    bench = Lockstep(dut, EventCounters(most), EventCountersModel(most))
    i, o = bench.model.inputs, bench.model.outputs
    beyond = 1 << (events - 1).bit_length()
    wanted = {f"read {event}" for event in range(events)}
    wanted |= {"in the first round", "an event as its count is read", "full rate"}
    wanted |= {"no such event"} if beyond > events else set()
    counts, asked, seen = np.zeros(events, dtype=int), None, Coverage(wanted)
    since = 0
    for cycle in seen.steps(CYCLES):
        if cycle in (0, CYCLES // 2):  # the second time with counts of before in the memory
            await bench.reset()
            counts[:], asked, since = 0, None, 0
        full = cycle // 200 % 2  # by turns all that can happen, and less
        happens = rng.random(events) < (1 if full else 0.2)
        number = np.array(most) if full else rng.integers(1, np.array(most) + 1)
        i.events[0] = number * happens
        i.address[0] = rng.integers(events) if rng.random() < 0.9 else rng.integers(beyond)
        await bench.step()
        assert o.count[0] == (0 if asked is None else asked)
        address = int(i.address[0])
        if address < events:
            asked = counts[address]
            seen[f"read {address}"] += asked > 0
            seen["in the first round"] += since < events and asked > 0
            seen["an event as its count is read"] += happens[address]
            seen["full rate"] += full and asked > 2 * events
        else:
            asked = 0
            seen["no such event"] += 1
        counts += i.events[0]
        since += 1
