"""cocotb bench of rtl.table: lockstep with the golden model under lookups, takes and writes."""

import os

import cocotb
import numpy as np

from models.table import TableModel
from rtl.table import Table
from verif.lockstep import Lockstep, bench_config

CYCLES = int(os.environ.get("BENCH_CYCLES", "2000"))
WORD = np.iinfo(np.int64)


@cocotb.test()
@cocotb.parametrize(lookups=[0.3, 1.0], takes=[0.4, 1.0], writes=[0.0, 0.5])
async def matches_model(dut, lookups: float, takes: float, writes: float) -> None:
    config = bench_config()
    identity = os.environ["TABLE_IDENTITY"] == "1"
    options = {"entries": config.endpoints, "identity": identity}
    rng = np.random.default_rng(cocotb.RANDOM_SEED)
    model = TableModel(config.ports, **options)
    bench = Lockstep(dut, Table(config.ports, **options), model)

    i, known, unknown, written, ignored = model.inputs, 0, 0, 0, 0
    usual = model.state.entries.copy()
    cycles = max(CYCLES // 2, 2 * config.endpoints)
    for _ in range(2):  # the second reset must bring the default contents back
        await bench.reset()
        for _ in range(cycles):
            i.lookup_valid[0], i.write_valid[0] = rng.random() < lookups, rng.random() < writes
            if model.state.written[0]:  # the memory is written
                i.lookup_valid[0] = 0
            addresses = rng.integers(config.endpoints, size=2)
            # Some have no entry, with any of the bits above.
            beyond = rng.integers(1, (1 << 16) // config.endpoints, size=2)
            addresses += config.endpoints * beyond * (rng.random(2) < 0.1)
            i.lookup_address[0], i.write_address[0] = addresses
            i.take[0] = rng.random() < takes
            if rng.random() < 0.2:
                i.write_address[0] = i.lookup_address[0]
            mask = rng.integers(WORD.min, WORD.max, size=i.write_mask.shape[1])
            mask[-1] &= (1 << (config.ports - 1) % 64 + 1) - 1 if config.ports % 64 else -1
            i.write_mask[0] = mask
            outputs = await bench.step()
            known += int(outputs.valid[0])
            unknown += 1 - int(outputs.valid[0])
            ignored += int(i.write_valid[0] and not outputs.ready[0])
        written += int((model.state.entries != usual).any())
    assert known > 0.2 * cycles
    assert unknown > 0.02 * cycles
    assert not writes or (written and ignored)
