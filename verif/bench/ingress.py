"""cocotb bench of rtl.ingress: lockstep with the golden model, and every flit of good packets."""

import os
from collections import deque

import cocotb
import numpy as np

from models.config import SwitchConfig
from models.ingress import IngressModel
from rtl.ingress import Ingress
from verif.bench.backlog import Claimer
from verif.bench.classifier import Operator, Packet, PacketSource, count_events, words
from verif.coverage import Coverage
from verif.lockstep import Lockstep, bench_config

CYCLES = int(os.environ.get("BENCH_CYCLES", "2000"))


class Scheduler:
    """Claim queues at random and pop their flits one after another, as a connection does."""

    def __init__(self, model: IngressModel, pops: float, rng: np.random.Generator):
        self.model, self.pops, self.rng = model, pops, rng
        self.matched: deque[list[int]] = deque()  # queue and flits left of each claim
        self.claimer = Claimer(model.config, rng)

    def drive(self) -> None:
        model, i, backlog = self.model, self.model.inputs, self.model.parts.backlog
        held = model.parts.buffer.queues["held"]
        i.pop_valid[0] = bool(self.matched) and self.rng.random() < self.pops
        if i.pop_valid[0]:
            i.pop_queue[0] = self.matched[0][0]
            self.matched[0][1] -= int(held[0, self.matched[0][0]] > 0)
            if not self.matched[0][1]:
                self.matched.popleft()
        eagerness = 0.8 if len(self.matched) < 3 else 0.0
        ready = backlog.ready[0].copy()
        if backlog.joined[0] >= 0:  # what was announced in the last cycle is left
            ready[backlog.joined[0]] -= backlog.joined_flits[0]
        claimed = self.claimer.drive(i, backlog, eagerness)
        for k in reversed(range(len(claimed))):  # older stages are matched before
            if claimed[k] >= 0:
                takes_all = k == 0 and i.connects[0]
                flits = ready[claimed[k]] if takes_all else 1
                ready[claimed[k]] -= flits
                self.matched.append([claimed[k], int(flits)])


class Checker:
    """Every flit of packets that are all good comes out of its queue, in order, intact."""

    def __init__(self, config: SwitchConfig):
        self.config = config
        self.expected = [deque() for _ in range(config.queues)]

    def sent(self, packet: Packet) -> None:
        header = packet.header
        queue = header.destination * self.config.classes + header.traffic_class
        self.expected[queue].extend((flit, n == 0) for n, flit in enumerate(packet.flits))

    def popped(self, queue: int, outputs) -> None:
        flit, first = self.expected[queue].popleft()
        assert (outputs.o_flit_data[0] == flit.data).all()
        assert (outputs.o_flit_first[0], outputs.o_flit_last[0]) == (first, flit.last)
        assert outputs.o_flit_count[0] == flit.keep.bit_count() - 1
        assert not outputs.o_flit_error[0]
        side = outputs.o_flit_count[0] | first << 7 | flit.last << 8 | outputs.o_flit_mark[0] << 9
        parity = sum(
            (int(word) & (1 << 64) - 1).bit_count() % 2 << n for n, word in enumerate(flit.data)
        )
        assert outputs.o_flit_parity[0, 0] == parity ^ int(side).bit_count() % 2


QUALIFIED = {"o_flit": "o_valid", "drop_reason": "drop_valid", "drop_header": "drop_valid"}
QUALIFIED |= {"broken_reason": "broken_valid", "taken": "taken_valid"}


@cocotb.test()
@cocotb.parametrize(load=[0.3, 1.0], pops=[0.2, 1.0])
async def matches_model(dut, load: float, pops: float) -> None:
    config = bench_config()
    model = IngressModel(config)
    bench = Lockstep(dut, Ingress(config), model, qualified=QUALIFIED)
    await bench.reset()
    rng = np.random.default_rng(cocotb.RANDOM_SEED)
    source, operator = PacketSource(config, rng, load=load, faults=0.4), Operator(config, rng)
    scheduler = Scheduler(model, pops, rng)

    goals = {"popped": CYCLES // 20 + 1, "broken": 1, "waits": 1}
    if not config.store_and_forward:
        goals |= {"open": 1, "complete": 1}
        if pops == 1:  # faster than what comes
            goals |= {"lost": 1}
    if load > pops and config.ingress_flits < CYCLES // 8:
        goals |= {"marked": 1}
    seen, i, o = Coverage(goals), model.inputs, model.outputs
    for _ in seen.steps(CYCLES):
        source.drive(i, bool(o.i_ready[0]))
        operator.drive(i, bool(o.program_ready[0]))
        scheduler.drive()
        i.inject[0] = rng.random() < 0.01
        await bench.step()
        count_events(seen, o)
        seen["popped"] += int(o.o_valid[0])
        seen["broken"] += int(o.o_valid[0] and o.o_flit_error[0])
        seen["marked"] += int(o.o_valid[0] and o.o_flit_mark[0])
        seen["open"] += bool(o.taken_valid[0] and o.taken_open[0])
        seen["complete"] += int(o.complete[0])
        seen["lost"] += int(o.lost[0])
        seen["waits"] += int(i.i_valid[0] and not o.i_ready[0])


@cocotb.test()
@cocotb.parametrize(load=[0.3, 1.0], pops=[0.5, 1.0])
async def delivers_good_packets(dut, load: float, pops: float) -> None:
    config = bench_config()
    model = IngressModel(config)
    bench = Lockstep(dut, Ingress(config), model, qualified=QUALIFIED)
    await bench.reset()
    rng = np.random.default_rng(cocotb.RANDOM_SEED)
    source, scheduler = (
        PacketSource(config, rng, load=load, faults=0.0),
        Scheduler(model, pops, rng),
    )
    checker = Checker(config)

    i, o = model.inputs, model.outputs
    i.enable[0], i.enabled[0] = 1, words((1 << config.ports) - 1, i.enabled.shape[1])
    sent = released = dropped = 0
    for cycle in range(4 * CYCLES):
        source.ended = cycle >= CYCLES
        packet = source.drive(i, bool(o.i_ready[0]))
        if packet:
            checker.sent(packet)
            sent += len(packet.flits)
        scheduler.drive()
        await bench.step()
        released += int(o.released_valid[0])
        dropped += int(o.drop_valid[0] + o.broken_valid[0])
        if o.o_valid[0]:
            checker.popped(int(o.released_queue[0]), o)
        if cycle > CYCLES and o.idle[0]:
            break
    assert o.idle[0]
    assert released == sent > 0.1 * CYCLES
    assert not dropped
