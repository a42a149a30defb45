"""cocotb bench of rtl.link.channel_map: lockstep with the golden model, during the sweep, too."""

import os

import cocotb
import numpy as np

from models.link.channel_map import ChannelMapModel
from rtl.link.channel_map import ChannelMap
from verif.coverage import Coverage
from verif.lockstep import Lockstep, bench_config

CYCLES = int(os.environ.get("BENCH_CYCLES", "2000"))
WANTED = {
    *("looked up in the sweep", "beyond the table", "beyond the ports", "written beyond the table"),
    *("write waits for the sweep", "changed entry", "read as it is written"),
}


@cocotb.test()
async def matches_model(dut) -> None:
    config = bench_config()
    rng = np.random.default_rng(cocotb.RANDOM_SEED)
    bench = Lockstep(dut, ChannelMap(config), ChannelMapModel(config))
    i, o, seen = bench.model.inputs, bench.model.outputs, Coverage(WANTED)
    entries, changed = config.endpoints, set()
    for cycle in seen.steps(CYCLES):
        if cycle in (0, CYCLES // 2):  # the second time with entries that are not the first ones
            await bench.reset()
            changed.clear()
        i.destination[0] = rng.choice([rng.integers(2 * entries), rng.integers(config.ports)])
        i.write_valid[0] = rng.random() < 0.3
        i.write_address[0] = rng.choice([rng.integers(entries), rng.integers(1 << 16)])
        i.write_port[0] = rng.integers(config.ports)
        if rng.random() < 0.1:
            i.destination[0] = i.write_address[0]
        await bench.step()
        d, writes = int(i.destination[0]), i.write_valid[0] and o.write_ready[0]
        if d not in changed:
            assert o.port[0] == (d if d < config.ports else 0)
        seen["looked up in the sweep"] += d < config.ports and not o.write_ready[0]
        seen["beyond the table"] += d >= entries
        seen["beyond the ports"] += config.ports <= d < entries
        seen["written beyond the table"] += writes and i.write_address[0] >= entries
        seen["write waits for the sweep"] += i.write_valid[0] and not o.write_ready[0]
        seen["changed entry"] += d in changed
        seen["read as it is written"] += bool(writes) and d == i.write_address[0] < entries
        if writes:
            changed.add(int(i.write_address[0]))
