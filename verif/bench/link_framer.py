"""cocotb bench of rtl.link.framer: lockstep with the golden model under all kinds of stimulus."""

import os

import cocotb
import numpy as np

from models.link.config import LinkConfig
from models.link.framer import FramerModel
from rtl.link.framer import Framer
from verif.coverage import Coverage
from verif.lockstep import Lockstep, bench_link

CYCLES = int(os.environ.get("BENCH_CYCLES", "2000"))


class Frames:
    """Flits of random frames, held on the inputs of the model until they are taken."""

    def __init__(self, config: LinkConfig, rng: np.random.Generator, longest: int):
        self.config, self.rng, self.longest, self.left = config, rng, longest, 0

    def next(self, i) -> None:
        """Put the next flit on the inputs ``i``."""
        rng, config = self.rng, self.config
        if not self.left:
            self.left = int(rng.integers(config.min_packet_bytes, self.longest + 1))
            i.i_payload_llr[0] = rng.integers(2)
            i.i_payload_sequence[0] = rng.integers(1 << 20)
            i.i_payload_channel[0] = rng.integers(64)
        size = min(self.left, config.flit_bytes)
        self.left -= size
        i.i_payload_data[0] = rng.integers(-(1 << 63), 1 << 63, config.words)
        i.i_payload_count[0] = size - 1
        i.i_payload_last[0] = not self.left
        i.i_payload_poison[0] = rng.random() < 0.2


def next_control(rng: np.random.Generator, i) -> None:
    """Put a random control word on the inputs ``i``."""
    for name, bits in {
        "type": 8,
        "sequence_high": 8,
        "sequence_middle": 8,
        "padding": 4,
        "sequence_low": 4,
        "value": 16,
        "rest": 8,
    }.items():
        getattr(i, f"control_payload_{name}")[0] = rng.integers(1 << bits)


@cocotb.test()
@cocotb.parametrize(load=[0.4, 1.0], ready=[0.5, 1.0], long=[0, 1])
async def matches_model(dut, load: float, ready: float, long: int) -> None:
    config = bench_link()
    rng = np.random.default_rng(cocotb.RANDOM_SEED)
    model = FramerModel(config)
    bench = Lockstep(dut, Framer(config), model)
    await bench.reset()

    i, s = model.inputs, model.state
    smallest, largest = config.min_packet_bytes, config.max_packet_bytes
    frames = Frames(config, rng, largest if long else min(largest, smallest + config.flit_bytes))
    goals = {"last", "full", "control", "control between"}
    if load < 1:
        goals |= {"fill"} if largest > config.flit_bytes else set()
    if ready < 1 or load == 1:
        goals |= {"flit waits"}
    if long and largest > 300:
        goals |= {"control in frame"}
    seen = Coverage(goals)
    busy = True  # control words come now and then, or one after the other
    for _ in seen.steps(CYCLES):
        if not i.i_valid[0] and rng.random() < load:
            frames.next(i)
            i.i_valid[0] = 1
        if rng.random() < 0.02:
            busy = not busy
        if not i.control_valid[0] and rng.random() < (1 if busy else 0.02):
            next_control(rng, i)
            i.control_valid[0] = 1
        i.o_ready[0] = rng.random() < ready
        within, held = s.within[0], s.held[0]
        o = await bench.step()
        seen["fill"] += within and held < config.words_per_cycle and i.o_ready[0]
        seen["flit waits"] += not o.i_ready[0]
        seen["full"] += s.held[0] > config.words_per_cycle
        if i.i_valid[0] and o.i_ready[0]:
            seen["last"] += i.i_payload_last[0]
            i.i_valid[0] = 0
        if i.control_valid[0] and o.control_ready[0]:
            seen["control"] += 1
            seen["control in frame" if within else "control between"] += 1
            i.control_valid[0] = 0
    dut._log.info("%s", dict(seen))
