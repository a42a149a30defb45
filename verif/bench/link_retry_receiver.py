"""cocotb bench of rtl.link.retry_receiver: lockstep with the golden model."""

import os
from collections import Counter

import cocotb
import numpy as np

from models.link.config import ReceiverState
from models.link.retry_receiver import EVENTS, RetryReceiverModel
from models.link.wire import SEQUENCE_BITS
from rtl.link.retry_receiver import RetryReceiver
from verif.lockstep import Lockstep, bench_link

CYCLES = int(os.environ.get("BENCH_CYCLES", "8000"))
NUMBERS = 1 << SEQUENCE_BITS


class Frames:
    """Frames with what line and partner may do to them, numbers near the expected one."""

    def __init__(self, config, rng: np.random.Generator, errors: float):
        self.config, self.rng, self.errors = config, rng, errors
        self.left = 0

    def offer(self, i, expected: int) -> None:
        """A flit, or none, onto ``i``."""
        config, rng = self.config, self.rng
        i.i_valid[0] = rng.random() < 0.8
        if not i.i_valid[0]:
            return
        first = self.left == 0
        if first:
            self.left = int(rng.integers(1, config.max_packet_flits + 1))
            if config.max_packet_flits > 6 and rng.random() < 0.8:
                self.left = int(rng.integers(1, 4))
            wrong = rng.random() < self.errors
            ahead = int(rng.choice([-3, -1, 1, 2, NUMBERS // 2, NUMBERS // 2 - 1])) if wrong else 0
            i.i_payload_sequence[0] = (expected + ahead) % NUMBERS
            i.i_payload_check[0] = rng.random() >= self.errors / 4
            i.i_payload_llr[0] = rng.random() < 0.9
            i.i_payload_channel[0] = rng.integers(0, 64)
        self.left -= 1
        last = self.left == 0
        size = config.flit_bytes
        i.i_payload_first[0], i.i_payload_last[0] = first, last
        i.i_payload_count[0] = rng.integers(0, size) if last else size - 1
        i.i_payload_bad[0] = last and rng.random() < self.errors
        i.i_payload_poison[0] = last and rng.random() < 0.1
        i.i_payload_data[0, :] = rng.integers(-(1 << 63), 1 << 63, config.words)


@cocotb.test()
@cocotb.parametrize(errors=[0.02, 0.3], ready=[0.5, 0.85, 1.0])
async def matches_model(dut, errors: float, ready: float) -> None:
    config = bench_link()
    rng = np.random.default_rng(cocotb.RANDOM_SEED)
    model = RetryReceiverModel(config)
    bench = Lockstep(dut, RetryReceiver(config), model)
    await bench.reset()

    i, frames = model.inputs, Frames(config, rng, errors)
    seen, states, flits, enable = Counter(), set(), 0, False
    for _ in range(CYCLES):
        frames.offer(i, int(model.state.expected[0]))
        i.o_ready[0] = rng.random() < ready
        enable = rng.random() < (0.998 if enable else 0.05)
        i.enable[0] = enable
        off = model.state.state[0] == ReceiverState.OFF
        i.init_valid[0] = rng.random() < (0.1 if off else 0.003)
        i.init_sequence[0] = rng.choice([0, 5, NUMBERS - 2, NUMBERS - 1, NUMBERS // 2])
        i.init_value[0] = rng.integers(0, 1 << 16)
        for name in ("init_echo", "ack", "nack"):
            getattr(i, f"{name}_ready")[0] = rng.random() < 0.3
        outputs = await bench.step()
        for name in EVENTS:
            seen[name] += int(getattr(outputs, name)[0])
        flits += int(outputs.o_valid[0] and i.o_ready[0])
        states.add(int(outputs.state[0]))
    assert states == set(ReceiverState) and flits > 0.05 * CYCLES
    assert all(seen[name] for name in EVENTS if name != "rx_overrun"), seen
    assert seen["rx_overrun"] or ready == 1
