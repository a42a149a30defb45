"""cocotb bench of rtl.buffer: lockstep with the golden model under admitted random packets."""

import os

import cocotb
import numpy as np

from models.buffer import BufferModel
from rtl.buffer import Buffer
from verif.coverage import Coverage
from verif.lockstep import Lockstep, bench_config

CYCLES = int(os.environ.get("BENCH_CYCLES", "2000"))
WORD = np.iinfo(np.int64)


class Driver:
    """Packets for random queues, each begun only when the buffer has admitted it, and random pops.

    While the last flit of a packet is pushed, the next is offered: packets follow at full speed. Of
    the queues that are empty only that of the last flit stored is popped.
    """

    def __init__(self, model: BufferModel, load: float, pops: float, rng: np.random.Generator):
        self.model, self.load, self.pops, self.rng = model, load, pops, rng
        self.left = 0  # flits of the packet under way
        self.asked = False  # about the packet that is offered, since the last one began
        self.popped_queue = 0
        self.queue = self.stored_queue = -1  # of the last flit: nothing was pushed yet
        self.favourites = rng.integers(model.config.queues, size=2)  # so that some queues fill up

    def any_queue(self) -> int:
        if self.rng.random() < 0.6:
            return int(self.rng.choice(self.favourites))
        return int(self.rng.integers(self.model.config.queues))

    def drive(self) -> None:
        config, i, rng = self.model.config, self.model.inputs, self.rng
        first, offered = not self.left, (int(i.offer_queue[0]), int(i.offer_length[0]))
        admitted = bool(self.model.state.ports["admit"][0] and self.asked)
        i.push_valid[0] = rng.random() < self.load and (not first or admitted)
        if i.push_valid[0]:
            if first:
                self.queue, self.left = offered
                i.push_length[0] = self.left
            self.left -= 1
        i.push_first[0], i.push_queue[0] = first, max(0, self.queue)
        taken = i.push_valid[0] and first
        i.offer_valid[0] = taken or rng.random() < 0.7
        if taken or not self.asked or (i.offer_valid[0] and rng.random() < 0.4):
            same = self.queue >= 0 and rng.random() < 0.4
            i.offer_queue[0] = self.queue if same else self.any_queue()
            longest = config.max_packet_flits
            i.offer_length[0] = rng.choice([1, 2, longest, int(rng.integers(1, longest + 1))])
            self.asked = False
        self.asked |= bool(i.offer_valid[0])
        i.push_flit_data[0] = rng.integers(WORD.min, WORD.max, size=config.words)
        i.push_flit_count[0] = rng.integers(config.flit_bytes)
        i.push_flit_parity[0, 0] = rng.integers(1 << config.words)
        i.push_flit_first[0], i.push_flit_last[0] = rng.integers(2, size=2)
        i.push_flit_error[0], i.push_flit_mark[0] = rng.integers(2, size=2)
        i.inject[0] = rng.random() < 0.05
        if rng.random() < 0.2:
            same = self.queue >= 0 and rng.random() < 0.5
            self.popped_queue = self.queue if same else self.any_queue()
        state = self.model.state
        held = state.queues["held"][0, self.popped_queue]
        may_pop = held or self.popped_queue == self.stored_queue
        if state.ports["arrived"][0] >= 0:  # in this cycle it is stored
            self.stored_queue = int(state.ports["arrived_queue"][0])
        i.pop_valid[0] = bool(may_pop) and rng.random() < self.pops
        i.pop_queue[0] = self.popped_queue


@cocotb.test()
@cocotb.parametrize(load=[0.3, 1.0], pops=[0.1, 0.5, 1.0])
async def matches_model(dut, load: float, pops: float) -> None:
    config = bench_config()
    model = BufferModel(config)
    bench = Lockstep(dut, Buffer(config), model, qualified={"o_flit": "o_valid"})

    goals = {"popped": CYCLES // 50 + 1, "offered behind one that begins": 1}
    if load <= pops:
        goals |= {"empty": 1, "back to back": 1}
    else:
        goals |= {"high": 1}
        if config.ingress_flits <= CYCLES // 8:
            goals |= {"refused": 1, "refused behind one that begins": 1}
    if load == pops == 1:
        goals |= {"last out, next in": 1}
    seen, i = Coverage(goals), model.inputs
    for run in range(2):
        await bench.reset()
        driver = Driver(model, load, pops, np.random.default_rng([cocotb.RANDOM_SEED, run]))
        before = -1
        for _ in seen.steps(CYCLES // 2):
            driver.drive()
            port = model.state.ports[0]
            held, stored = model.state.queues["held"][0].copy(), bool(port["arrived"] >= 0)
            began = bool(i.push_valid[0] and i.push_first[0])
            outputs = await bench.step()
            popped = int(i.pop_queue[0]) if i.pop_valid[0] and held[i.pop_queue[0]] else -1
            assert outputs.lost[0] == (i.pop_valid[0] and popped < 0)
            assert outputs.occupancy[0] == held.sum() + stored + (before >= 0)
            pushed = int(i.push_queue[0]) if i.push_valid[0] else -1
            seen["popped"] += popped >= 0
            seen["empty"] += bool(i.pop_valid[0]) and popped < 0
            seen["back to back"] += popped >= 0 and popped == before
            seen["last out, next in"] += popped >= 0 and popped == pushed and held[popped] == 1
            seen["refused"] += not outputs.admit[0]
            seen["high"] += int(outputs.used_high[0])
            same = began and i.push_queue[0] == i.offer_queue[0]
            seen["offered behind one that begins"] += same
            if not port["admit"] and port["sweep"] == 0:
                seen["refused behind one that begins"] += same
            before = popped
