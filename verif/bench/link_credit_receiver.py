"""cocotb bench of rtl.link.credit_receiver: lockstep with the golden model."""

import os

import cocotb
import numpy as np

from models.link.credit_receiver import CreditReceiverModel
from models.link.wire import CREDIT_BITS, CREDIT_COUNTER_BITS, credits_of
from rtl.link.credit_receiver import CreditReceiver
from verif.lockstep import Lockstep, bench_link

CYCLES = int(os.environ.get("BENCH_CYCLES", "3000"))
EVENTS = "updates", "healed", "excess", "overrun", "underrun", "drained"


class Buffer:
    """Flits of packets of each channel, as a switch stores and releases them; now and then wrong.

    Parameters
    ----------
    drain : float
        Part of the flits of largest packets that leave while they come.
    wild : bool
        Drops and releases of what is not there, channels that do not exist, lengths beyond all.
    """

    def __init__(self, config, rng, drain: float, wild: bool):
        self.config, self.rng, self.drain, self.wild = config, rng, drain, wild
        self.flits = np.zeros(32, dtype=np.int64)

    def channel(self) -> int:
        return int(self.rng.integers(32 if self.wild else self.config.channels))

    def events(self, i, full: bool) -> None:
        rng, config = self.rng, self.config
        length = rng.integers((1 << 16) if self.wild else config.max_packet_bytes + 1)
        flits = -(-min(length, config.max_packet_bytes) // config.flit_bytes)
        came, went, left = self.channel(), self.channel(), self.channel()
        i.arrival_valid[0] = full or rng.random() < 1.5 / config.max_packet_flits
        i.arrival_channel[0], i.arrival_length[0] = came, length
        i.dropped_channel[0], i.dropped_length[0] = went, length
        i.dropped_valid[0] = rng.random() < 0.02 and (self.wild or self.flits[went] >= flits)
        self.flits[went] = max(0, self.flits[went] - i.dropped_valid[0] * flits)
        i.released_channel[0] = left
        i.released_valid[0] = rng.random() < self.drain and (self.wild or self.flits[left] > 0)
        self.flits[left] = max(0, self.flits[left] - i.released_valid[0])
        self.flits[came] += i.arrival_valid[0] * flits


def a_channel(config, rng) -> int:
    """Mostly one that there is, now and then any that five bits can name."""
    return rng.integers(32 if rng.random() < 0.1 else config.channels)


@cocotb.test()
@cocotb.parametrize(ready=[0.2, 1.0], wild=[False, True])
async def matches_model(dut, ready: float, wild: bool) -> None:
    config = bench_link()
    rng = np.random.default_rng(cocotb.RANDOM_SEED)
    model = CreditReceiverModel(config)
    bench = Lockstep(dut, CreditReceiver(config), model)
    await bench.reset()
    i, buffer = model.inputs, Buffer(config, rng, 0.9, wild)
    largest = credits_of(config.max_packet_bytes, config.credit_bytes)
    per_credit = config.credit_bytes // config.flit_bytes
    counts = dict.fromkeys((*EVENTS, "saturated"), 0)

    for cycle in range(CYCLES):
        i.limit_valid[0] = cycle < config.channels or rng.random() < 0.01
        i.limit_channel[0] = cycle if cycle < config.channels else a_channel(config, rng)
        i.limit_limit[0] = rng.integers(0, rng.choice((2, 20)) * largest)
        if cycle % 200 == 0:
            i.update_cycles[0] = rng.integers(0, 100)
            i.refresh_cycles[0] = rng.integers(0, 50)
            buffer.drain = rng.random()
        # Wild: more packets than even the counters have room for, if it is one channel.
        flood = wild and cycle % 1000 > 300
        buffer.events(i, flood)
        if flood:
            i.arrival_channel[0], i.arrival_length[0] = 0, (1 << 16) - 1
        come = model.state.come[0, rng.integers(config.channels)]
        i.told_valid[0] = rng.random() < 0.1
        i.told_channel[0] = a_channel(config, rng)
        if rng.random() < 0.8 and i.told_channel[0] < config.channels:
            come = model.state.come[0, i.told_channel[0]] + rng.integers(-5, 3 * largest)
        i.told_consumed[0] = come % (1 << CREDIT_COUNTER_BITS)
        i.reset[0] = rng.random() < 0.003
        i.update_ready[0] = rng.random() < ready
        o = await bench.step()
        counts["updates"] += o.update_valid[0] and i.update_ready[0]
        for name in EVENTS[1:]:
            counts[name] += getattr(o, name)[0] != 0
        flits = model.state.come[0, 0] * per_credit - model.state.free[0, 0]
        counts["saturated"] += flits == (per_credit << CREDIT_BITS) - 1
    absent = {"drained"} if wild else {"overrun", "underrun"}
    if not wild or config.channels > 1:
        absent.add("saturated")
    assert {name for name, count in counts.items() if count} >= counts.keys() - absent, counts
