"""cocotb bench of rtl.scheduler: lockstep with the golden model, and the promises by themselves."""

import os
from collections import deque

import cocotb
import numpy as np

from models.backlog import BacklogModel, backlog_taken
from models.config import SwitchConfig
from models.scheduler import SchedulerModel, SchedulerOutputs
from rtl.scheduler import Scheduler
from verif.coverage import Coverage
from verif.lockstep import Lockstep, bench_config

CYCLES = int(os.environ.get("BENCH_CYCLES", "2000"))

QUALIFIED = {
    "match_queue": "match_valid",
    "select_input": "select_valid",
    "select_traffic_class": "select_valid",
}


class Packet:
    """A packet in a queue: flits in all, and popped so far."""

    def __init__(self, length: int):
        self.length, self.popped = length, 0


class Ingresses:
    """What stands before the scheduler: packets that arrive, wait and are popped, per input.

    Backlogs are golden models. Everything else here is plain lists, so that a claim of the wrong
    queue, a lost flit or a packet cut in two shows by itself.
    """

    def __init__(self, config: SwitchConfig, rng: np.random.Generator, load: float, lengths):
        self.config, self.rng, self.load, self.lengths = config, rng, load, lengths
        n, q = config.ports, config.queues
        self.backlogs = [BacklogModel(config) for _ in range(n)]
        self.packets = [[deque() for _ in range(q)] for _ in range(n)]  # whole, popped in order
        # Flits that are not claimed: of those that show now, a cycle and two cycles ago.
        self.shown = np.zeros((3, n, q), dtype=int)
        self.stored = np.zeros((n, q), dtype=int)  # flits that can be popped
        self.used = np.zeros((n, q), dtype=int)
        self.arriving: list[list[int] | None] = [None] * n  # queue, flits to come, to announce
        self.line = rng.permutation(np.resize([0.3, 1.0, 0.7], n))  # flits that come per cycle
        self.complete, self.lost = np.zeros(n, dtype=bool), np.zeros(n, dtype=bool)
        self.serving: list[int | None] = [None] * n  # queue of the packet under way
        self.pushed: list[tuple[int, int]] = []  # input and queue, to be popped from now on
        self.completed: list[int] = []

    def drive(self, model: SchedulerModel) -> None:
        """What each scheduler input sees in this cycle; then a flit may arrive."""
        inputs, claims = model.inputs, model.state
        for n, backlog in enumerate(self.backlogs):
            shown = backlog.state
            inputs.waits[0, n], inputs.many[0, n] = shown.waits[0], shown.many[0]
            # The answer comes in the cycle of the claim: which that is, the model knows.
            told = backlog.outputs
            backlog_taken(backlog.p, told, shown, 0, claims.claim_queue[n], claims.connects[n])
            for name in ("taken_valid", "taken_flits", "taken_open"):
                getattr(inputs, name)[0, n] = getattr(told, name)[0]
            self.arrive(n, backlog.inputs)
        for name in ("complete", "lost"):
            vector = getattr(inputs, name)
            vector[:] = 0
            for n in np.flatnonzero(getattr(self, name)):
                vector[0, n >> 6] |= np.int64(np.uint64(1 << (int(n) & 63)))
        self.complete[:] = False

    def arrive(self, n: int, i) -> None:
        config, rng = self.config, self.rng
        i.announce_valid[0] = i.complete[0] = 0
        if self.arriving[n] is None and rng.random() < self.load:
            queue, length = int(rng.integers(config.queues)), int(rng.choice(self.lengths))
            if self.used[n, queue] + length <= config.limit:
                self.used[n, queue] += length
                start = int(rng.integers(1, length + 1))
                self.arriving[n] = [queue, length, length - start + 1, length]
        coming = self.arriving[n]
        if coming is None or rng.random() >= self.line[n]:
            return
        queue, left, announce_at, length = coming
        self.pushed.append((n, queue))
        if left == announce_at:
            i.announce_valid[0], i.announce_queue[0], i.announce_length[0] = 1, queue, length
            i.announce_partial[0] = left > 1
            self.packets[n][queue].append(Packet(length))
        elif left == 1:
            i.complete[0] = 1
            self.completed.append(n)
        coming[1] -= 1
        if coming[1] == 0:
            self.arriving[n] = None

    def clock(self, o: SchedulerOutputs, seen: Coverage) -> None:
        """Claims and pops of this cycle, held against the lists."""
        config = self.config
        listening = {
            int(o.select_input[0, output]): output
            for output in range(config.ports)
            if o.select_valid[0, output]
        }
        assert len(listening) == int(o.select_valid.sum())  # no input twice
        self.lost[:] = False
        for n, backlog in enumerate(self.backlogs):
            i = backlog.inputs
            i.claim[0], i.claim_queue[0] = o.claim[0, n], o.claim_queue[0, n]
            i.connects[0] = o.connects[0, n >> 6] >> (n & 63) & 1
            for k in reversed(range(config.iterations)):  # older stages first
                for word in range(i.claim.shape[2]):
                    bits = int(np.uint64(i.claim[0, k, word]))
                    assert bits & (bits - 1) == 0
                    if bits:
                        queue = 64 * word + bits.bit_length() - 1
                        assert queue == i.claim_queue[0, k]
                        self.claim(n, k, queue, k == 0 and bool(i.connects[0]), seen)
            assert (n in listening) == bool(o.match_valid[0, n])
            backlog.step()
            if o.match_valid[0, n]:
                self.pop(n, int(o.match_queue[0, n]), listening[n], o, seen)
        shows = self.shown[0].copy()
        for n, backlog in enumerate(self.backlogs):
            i = backlog.inputs
            shows[n, i.announce_queue[0]] += i.announce_valid[0] * i.announce_length[0]
        self.shown = np.stack((shows, *self.shown[:2]))
        for n, queue in self.pushed:
            self.stored[n, queue] += 1
        self.complete[self.completed] = True
        self.pushed, self.completed = [], []

    def claim(self, n: int, k: int, queue: int, connects: bool, seen: Coverage) -> None:
        """One flit that showed when it was granted, or all that showed when it was accepted."""
        flits = self.shown[1, n, queue] if connects else 1
        self.shown[:, n, queue] -= flits
        if connects:
            assert flits == self.backlogs[n].outputs.taken_flits[0] >= 2
            seen["connection"] += 1
        else:
            assert self.shown[2, n, queue] >= 0
            seen[f"one in {k}"] += 1

    def pop(self, n: int, queue: int, output: int, o: SchedulerOutputs, seen: Coverage) -> None:
        assert queue // self.config.classes == output
        assert queue % self.config.classes == o.select_traffic_class[0, output]
        if self.serving[n] is not None:
            assert self.serving[n] == queue  # packets stay whole
        if self.stored[n, queue] == 0:
            self.lost[n] = True
            seen["lost"] += 1
            return
        self.stored[n, queue] -= 1
        self.used[n, queue] -= 1
        packet = self.packets[n][queue][0]
        packet.popped += 1
        self.serving[n] = queue
        if packet.popped == packet.length:
            self.packets[n][queue].popleft()
            self.serving[n] = None
            seen["packet"] += 1


@cocotb.test()
@cocotb.parametrize(load=[0.1, 1.0], room=[0.2, 1.0], lengths=["one", "mixed", "long"])
async def matches_model(dut, load: float, room: float, lengths: str) -> None:
    config = bench_config()
    longest = config.max_packet_flits
    mix = {"one": [1], "mixed": [1, 1, 1, 2, 3, longest], "long": [2, min(longest, 12)]}[lengths]
    qualified = dict(QUALIFIED)
    if config.classes == 1:
        del qualified["select_traffic_class"]
    bench = Lockstep(dut, Scheduler(config), SchedulerModel(config), qualified=qualified)
    goals = ["packet"]
    if lengths != "long":
        goals.append(f"one in {config.iterations - 1}")
    if lengths == "mixed":
        goals.append("one in 0")
    if lengths != "one":
        goals += ["connection", "lost"]
    seen = Coverage(goals)
    for run in range(2):
        rng = np.random.default_rng([cocotb.RANDOM_SEED, run])
        around = Ingresses(config, rng, load, mix)
        inputs = bench.model.inputs
        await bench.reset()
        for _ in seen.steps(CYCLES // 2):
            # Room comes and goes, for longer or shorter.
            for output in range(config.ports):
                if rng.random() < 0.1:
                    inputs.accepts[0, output] = sum(
                        int(rng.random() < room) << c for c in range(config.classes)
                    )
            around.drive(bench.model)
            around.clock(await bench.step(), seen)
