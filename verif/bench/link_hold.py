"""cocotb bench of rtl.link.hold: lockstep with the golden model, and a list of what must come."""

import os

import cocotb
import numpy as np

from models.link.hold import HoldModel
from rtl.link.hold import Hold
from verif.lockstep import Lockstep, bench_link

CYCLES = int(os.environ.get("BENCH_CYCLES", "3000"))


@cocotb.test()
@cocotb.parametrize(load=[0.5, 1.0], ready=[0.3, 1.0])
async def matches_model(dut, load: float, ready: float) -> None:
    config = bench_link()
    rng = np.random.default_rng(cocotb.RANDOM_SEED)
    bench = Lockstep(dut, Hold(config), HoldModel(config))
    await bench.reset()
    i, o = bench.model.inputs, bench.model.outputs

    def flit(last: bool, broken: bool) -> None:
        i.i_payload_data[0] = rng.integers(-(1 << 63), 1 << 63, i.i_payload_data.shape[1])
        i.i_payload_keep[0] = rng.integers(1 << 8, size=i.i_payload_keep.shape[1])
        i.i_payload_last[0], i.i_payload_user[0] = last, broken

    def seen(side, name: str):
        return [getattr(side, f"{name}_payload_{f}")[0].tolist() for f in ("data", "keep", "last")]

    packet, expected, dropped, waits, full = [], [], 0, 0, 0
    for cycle in range(CYCLES):
        if not i.i_valid[0] and rng.random() < load:
            length = len(packet) + 1
            last = length == config.max_packet_flits or rng.random() < (
                0.02 if cycle & 512 else 0.4
            )
            flit(last, last and rng.random() < 0.4)
            i.i_valid[0] = 1
        i.o_ready[0] = rng.random() < (ready if cycle % 600 < 400 else 0.02)
        await bench.step()
        if o.o_valid[0] and i.o_ready[0]:
            assert seen(o, "o") == expected.pop(0)
        waits += o.o_valid[0] and not i.o_ready[0]
        full += not o.i_ready[0]
        dropped += o.dropped[0]
        if i.i_valid[0] and o.i_ready[0]:
            i.i_valid[0] = 0
            packet.append(seen(i, "i"))
            if i.i_payload_last[0]:
                expected += [] if i.i_payload_user[0] else packet
                packet = []
    i.i_valid[0], i.o_ready[0] = 0, 1
    for _ in range(2 * config.max_packet_flits + 3):
        await bench.step()
        if o.o_valid[0]:
            assert seen(o, "o") == expected.pop(0)
    assert not expected, "a whole packet was not given away"
    assert dropped > 3 and waits and full
