"""cocotb bench of rtl.link.credit_sender: lockstep with the golden model."""

import os

import cocotb
import numpy as np

from models.link.credit_sender import CreditSenderModel
from models.link.wire import CREDIT_BITS, CREDIT_COUNTER_BITS, credits_of
from rtl.link.credit_sender import CreditSender
from verif.coverage import Coverage
from verif.lockstep import Lockstep, bench_link

CYCLES = int(os.environ.get("BENCH_CYCLES", "3000"))
NUMBERS = 1 << CREDIT_BITS


class Packets:
    """Packets of any channel and length, wrong ones among them; kept until they are taken."""

    def __init__(self, config, rng):
        self.config, self.rng = config, rng
        self.left, self.valid, self.channel, self.data = 0, False, 0, np.int64(0)

    def offer(self, i, load: float) -> None:
        rng, config = self.rng, self.config
        if not self.valid and rng.random() < load:
            self.valid = True
            self.data = rng.integers(-(1 << 63), 1 << 63, config.words, dtype=np.int64)
            if self.left == 0:
                beyond = rng.random() < 0.03
                self.channel = rng.integers(32 if beyond else config.channels)
                length = rng.integers((1 << 16) if beyond else config.max_packet_bytes + 1)
                self.data[0] = (self.data[0] & ~np.int64(0xFFFF << 32)) | np.int64(length) << 32
                self.left = rng.integers(1, 4)
            i.i_payload_user[0] = rng.integers(4)
        i.i_valid[0] = self.valid
        i.channel[0] = self.channel
        i.i_payload_data[0] = self.data
        i.i_payload_keep[0] = -1 if config.flit_bytes >= 64 else (1 << config.flit_bytes) - 1
        i.i_payload_last[0] = self.left == 1

    def taken(self) -> None:
        self.left -= 1
        self.valid = False


def a_channel(i, rng, config) -> int:
    """Often that of the packet that waits."""
    waits = i.channel[0] < config.channels and rng.random() < 0.3
    return i.channel[0] if waits else rng.integers(config.channels)


def update(i, rng, state, config) -> None:
    """Updates: mostly of a part of what is in use, often where a packet waits, some of anything.

    Some repeat their first entry, some tell otherwise of its channel.
    """
    i.update_valid[0] = rng.random() < 0.2
    for k in range(2):
        c = a_channel(i, rng, config)
        used = (state.consumed[0, c] - state.freed[0, c]) % (1 << CREDIT_COUNTER_BITS)
        value = state.freed[0, c] + rng.integers(used + 1)
        if rng.random() < 0.05:
            value = state.consumed[0, c] + rng.integers(1, 4)
        if rng.random() < 0.02:
            c = rng.integers(32)
        if k and rng.random() < 0.3:
            c = i.update_channel[0, 0]
            value = i.update_freed[0, 0] if rng.random() < 0.5 else value
        i.update_channel[0, k], i.update_freed[0, k] = c, value % NUMBERS


@cocotb.test()
@cocotb.parametrize(ready=[0.4, 1.0], tight=[False, True])
async def matches_model(dut, ready: float, tight: bool) -> None:
    config = bench_link()
    rng = np.random.default_rng(cocotb.RANDOM_SEED)
    model = CreditSenderModel(config)
    bench = Lockstep(dut, CreditSender(config), model)
    await bench.reset()
    i, packets = model.inputs, Packets(config, rng)
    largest = credits_of(config.max_packet_bytes, config.credit_bytes)
    all_channels = (1 << config.channels) - 1
    goals = dict.fromkeys(("excess", "reports", "closed", "late"), 3)
    goals |= dict.fromkeys(("stalls", "held"), 1) if tight else {}
    seen = Coverage(goals | {"passed": CYCLES // 50})

    i.port_limit[0] = 6 * largest * config.channels
    for cycle in seen.steps(CYCLES):
        i.limit_valid[0] = cycle < config.channels or rng.random() < 0.05
        i.limit_channel[0] = a_channel(i, rng, config) if rng.random() < 0.8 else rng.integers(32)
        if cycle < config.channels:
            i.limit_channel[0] = cycle
        i.limit_limit[0] = rng.integers(1, (2 if tight else 12) * largest + 2)
        if cycle % 100 == 0:
            i.lossless[0] = rng.integers(all_channels + 1) | rng.integers(all_channels + 1)
            i.watchdog_cycles[0] = rng.integers(0, 12)
            i.report_cycles[0] = rng.integers(0, 60)
            i.port_limit[0] = rng.integers(largest, (12 if tight else 40) * largest + 2)
        if cycle % 20 == 0:
            i.waiting[0] = rng.integers(all_channels + 1)
        i.reset[0] = rng.random() < (0.8 if i.reset[0] else 0.004)
        update(i, rng, model.state, config)
        packets.offer(i, 0.8)
        i.o_ready[0] = rng.random() < ready
        i.consumed_ready[0] = rng.random() < 0.6
        o = await bench.step()
        seen["held"] += i.i_valid[0] and not o.o_valid[0]
        seen["excess"] += o.excess[0] != 0
        seen["closed"] += i.reset[0] and o.permit[0] != all_channels and not o.o_valid[0]
        seen["late"] += i.reset[0] and i.update_valid[0]
        seen["stalls"] += o.stalls[0] != 0
        seen["reports"] += o.consumed_valid[0] and i.consumed_ready[0]
        if o.o_valid[0] and i.o_ready[0]:
            seen["passed"] += 1
            packets.taken()
