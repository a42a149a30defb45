"""cocotb bench of rtl.switch: lockstep with the golden model, and a scoreboard beside it."""

import os

import cocotb
import numpy as np

from models.switch import SwitchModel
from models.traffic import Sinks, Sources, generate, line_of
from rtl.switch import Switch
from verif.lockstep import Lockstep, bench_config

__all__ = ["QUALIFIED"]

CYCLES = int(os.environ.get("BENCH_CYCLES", "2000"))
QUALIFIED = {
    "released_output": "released_valid",
    "released_traffic_class": "released_valid",
    "released_flits": "released_valid",
    "drop_reason": "drop_valid",
    "drop_header": "drop_valid",
}


@cocotb.test()
@cocotb.parametrize(mix=["single", "eight", "even"], load=[0.6, 1.0], ready=[0.4, 1.0])
async def carries_traffic(dut, mix: str, load: float, ready: float) -> None:
    """Legal traffic at line rate or unshaped: all outputs equal, all packets delivered."""
    config = bench_config()
    rng = np.random.default_rng(cocotb.RANDOM_SEED)
    seed = int(rng.integers(1 << 31))
    line = line_of(config, shaped=bool(rng.integers(2)))
    shares = tuple([1 / config.classes] * config.classes)
    packets = generate(
        config, cycles=CYCLES, load=load, mix=mix, class_shares=shares, seed=seed, line=line
    )
    sources = Sources(config, packets, line=line)
    sinks = Sinks(config, packets, line=line, ready=ready, seed=seed)
    model = SwitchModel(config)
    bench = Lockstep(dut, Switch(config), model, QUALIFIED)
    await bench.reset()
    i, o = model.inputs, model.outputs
    for n in range(config.ports):
        i.enable[0, n >> 6] |= np.int64(np.uint64(1 << (n & 63)).astype(np.int64))
    for cycle in range(CYCLES):
        sources.drive(
            cycle,
            i.i_valid[0],
            i.i_payload_data[0],
            i.i_payload_keep[0],
            i.i_payload_last[0],
            i.i_payload_user[0],
        )
        sinks.drive(cycle, i.o_ready[0])
        await bench.step()
        sources.taken(cycle, o.i_ready[0])
        sinks.taken(
            cycle,
            o.o_valid[0],
            o.o_payload_data[0],
            o.o_payload_keep[0],
            o.o_payload_last[0],
            o.o_payload_user[0],
        )
    totals = sinks.totals()
    assert totals["corrupted"] == totals["reordered"] == totals["duplicated"] == 0, totals
    assert totals["delivered"] > 0, "nothing was delivered"
