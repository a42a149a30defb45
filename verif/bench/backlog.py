"""cocotb bench of rtl.backlog: lockstep with the golden model under legal random claims."""

import os

import cocotb
import numpy as np

from models.backlog import BacklogModel
from models.config import SwitchConfig
from rtl.backlog import Backlog
from verif.coverage import Coverage
from verif.lockstep import Lockstep, bench_config

CYCLES = int(os.environ.get("BENCH_CYCLES", "2000"))


class Announcer:
    """Packets that fit into their queues, some of them announced before they are complete."""

    def __init__(self, model: BacklogModel, load: float, singles: float, rng: np.random.Generator):
        self.model, self.load, self.singles, self.rng = model, load, singles, rng
        self.arriving = False
        self.favourites = rng.integers(model.config.queues, size=2)

    def drive(self) -> None:
        config, i, rng = self.model.config, self.model.inputs, self.rng
        i.announce_valid[0] = i.complete[0] = 0
        if self.arriving:
            i.complete[0] = rng.random() < 0.2
            self.arriving = not i.complete[0]
            return
        favours = rng.random() < 0.7
        queue = int(rng.choice(self.favourites) if favours else rng.integers(config.queues))
        length = (
            1 if rng.random() < self.singles else int(rng.integers(2, config.max_packet_flits + 1))
        )
        fits = self.model.state.ready[0, queue] + length <= config.limit
        if fits and rng.random() < self.load:
            i.announce_valid[0], i.announce_queue[0], i.announce_length[0] = 1, queue, length
            i.announce_partial[0] = self.arriving = length > 1 and rng.random() < 0.3


def drive_claims(i, ready, before, config: SwitchConfig, claims: float, rng) -> list[int]:
    """Claim some of what showed, no queue twice; the queue of each stage, or -1.

    ``ready`` are the flits of each queue, ``before`` (2, queues) those of the last cycle and of the
    one before, from now on of this one and the last; a queue that is claimed counts as empty.
    """
    i.claim[:] = i.connects[:] = 0
    chosen: list[int] = []
    for k in range(config.iterations):
        showed = np.flatnonzero(before[0] if k == 0 else before[1] == 1)
        allowed = [q for q in showed if q not in chosen]
        if not allowed or rng.random() >= claims:
            chosen.append(-1)
            continue
        queue = int(rng.choice(allowed))
        i.claim[0, k, queue >> 6] |= np.int64(np.uint64(1 << (queue & 63)))
        if k == 0:
            i.connects[0] = before[0, queue] > 1
        chosen.append(queue)
    before[1] = before[0]
    before[0] = ready
    before[:, [queue for queue in chosen if queue >= 0]] = 0
    return chosen


@cocotb.test()
@cocotb.parametrize(load=[0.3, 1.0], singles=[0.2, 0.8], claims=[0.1, 0.7])
async def matches_model(dut, load: float, singles: float, claims: float) -> None:
    config = bench_config()
    model = BacklogModel(config)
    qualified = {"taken": "taken_valid"}
    bench = Lockstep(dut, Backlog(config), model, qualified=qualified)

    goals = ["one", "all", "joined by all", "open"]
    if singles > 0.5:
        goals.append("joined by one")
    if config.iterations > 1:
        goals.append("several")
        if max(load, singles) > 0.5:  # a second packet right behind one of a single flit
            goals.append("one of many")
    seen = Coverage(goals)
    for run in range(2):
        await bench.reset()
        rng = np.random.default_rng([cocotb.RANDOM_SEED, run])
        announcer = Announcer(model, load, singles, rng)
        before = np.zeros((2, config.queues), dtype=int)
        for cycle in seen.steps(CYCLES // 2):
            # Now and then the claims pause, so that queues grow, then go on, so that they end.
            eagerness = claims * (cycle // 128 % 2)
            if eagerness and rng.random() < claims / 2:
                eagerness = 1.0  # all stages claim at once, also where claims are rare
            if cycle >= config.queues:  # the counts are swept
                announcer.drive()
            claimed = drive_claims(
                model.inputs, model.state.ready[0], before, config, eagerness, rng
            )
            i = model.inputs
            everything = "all" if i.connects[0] else "one"
            seen[everything] += claimed[0] >= 0
            joined = i.announce_valid[0] and claimed[0] == i.announce_queue[0]
            seen[f"joined by {everything}"] += bool(joined)
            seen["one of many"] += any(model.state.ready[0, q] > 1 for q in claimed[1:] if q >= 0)
            seen["several"] += sum(queue >= 0 for queue in claimed) > 1
            outputs = await bench.step()
            seen["open"] += bool(outputs.taken_valid[0] and outputs.taken_open[0])
