"""cocotb bench of rtl.link.credit_frame: lockstep with the golden models."""

import os
from collections import Counter

import cocotb
import numpy as np

from models.link.credit_frame import CreditFrameReceiverModel, CreditFrameSenderModel
from models.link.wire import CREDIT_COUNTER_BITS, OWN_CHANNEL
from rtl.link.credit_frame import CreditFrameReceiver, CreditFrameSender
from verif.lockstep import Lockstep, bench_link

CYCLES = int(os.environ.get("BENCH_CYCLES", "3000"))


def a_flit(i, rng, last: bool) -> None:
    """Anything, onto ``i``."""
    i.i_valid[0] = 1
    i.i_payload_data[0] = rng.integers(-(1 << 63), 1 << 63, i.i_payload_data.shape[1])
    i.i_payload_keep[0] = rng.integers(1 << 8, size=i.i_payload_keep.shape[1])
    i.i_payload_last[0] = last
    i.i_payload_user[0] = rng.integers(4) if last and rng.random() < 0.2 else 0


@cocotb.test()
@cocotb.parametrize(ready=[0.3, 1.0], load=[0.5, 1.0])
async def sender_matches_model(dut, ready: float, load: float) -> None:
    config = bench_link()
    rng = np.random.default_rng(cocotb.RANDOM_SEED)
    bench = Lockstep(dut, CreditFrameSender(config), CreditFrameSenderModel(config))
    await bench.reset()
    i, o, seen = bench.model.inputs, bench.model.outputs, Counter()
    for cycle in range(CYCLES):
        if not i.i_valid[0] and rng.random() < load:
            a_flit(i, rng, rng.random() < 0.4)
            i.channel[0] = rng.integers(32)
        i.o_ready[0] = rng.random() < ready
        # Now and then one; in a part of the time always, in another taken back as often as not.
        part = cycle // 100 % 5
        stays, comes = ((1, 1), (0.5, 0.5), (0.98, 0.02))[min(part, 2)]
        i.consumed_valid[0] = rng.random() < (stays if i.consumed_valid[0] else comes)
        i.consumed_payload_channel[0] = rng.integers(32)
        i.consumed_payload_consumed[0] = rng.integers(1 << CREDIT_COUNTER_BITS)
        await bench.step()
        taken = i.i_valid[0] and o.i_ready[0]
        seen["packet"] += taken and i.i_payload_last[0]
        seen["update"] += (
            o.o_valid[0] and i.o_ready[0] and o.o_payload_last[0] and o.o_channel[0] == OWN_CHANNEL
        )
        seen["taken back"] += o.consumed_ready[0] and not i.consumed_valid[0]
        i.i_valid[0] = i.i_valid[0] and not taken
    assert min(seen.values()) > 3 and seen["update"] > 0.004 * CYCLES, seen


@cocotb.test()
@cocotb.parametrize(ready=[0.3, 1.0])
async def receiver_matches_model(dut, ready: float) -> None:
    config = bench_link()
    rng = np.random.default_rng(cocotb.RANDOM_SEED)
    bench = Lockstep(dut, CreditFrameReceiver(config), CreditFrameReceiverModel(config))
    await bench.reset()
    i, o, seen = bench.model.inputs, bench.model.outputs, Counter()
    left = 0
    for _ in range(CYCLES):
        if not i.i_valid[0] and rng.random() < 0.8:
            if left == 0:
                left = rng.integers(1, 5)
                own = rng.random() < 0.3
                i.i_payload_channel[0] = OWN_CHANNEL if own else rng.integers(64)
            left -= 1
            a_flit(i, rng, left == 0)
            i.i_payload_broken[0] = left == 0 and rng.random() < 0.2
        i.o_ready[0] = rng.random() < ready
        await bench.step()
        if i.i_valid[0] and o.i_ready[0]:
            i.i_valid[0] = 0
            if o.end_valid[0]:
                seen[int(o.end_kind[0])] += 1
            elif i.i_payload_last[0]:
                seen["nothing"] += 1
    assert set(seen) == {0, 1, 2, "nothing"} and min(seen.values()) > 3, seen
