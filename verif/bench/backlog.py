"""cocotb bench of rtl.backlog: lockstep with the golden model under legal random claims."""

import os
from collections import deque

import cocotb
import numpy as np

from models.backlog import BacklogModel
from rtl.backlog import Backlog
from verif.coverage import Coverage
from verif.lockstep import Lockstep, bench_config

CYCLES = int(os.environ.get("BENCH_CYCLES", "2000"))


class Announcer:
    """Packets that fit into the buffer, some of them announced before they are complete."""

    def __init__(self, model: BacklogModel, load: float, singles: float, rng: np.random.Generator):
        self.model, self.load, self.singles, self.rng = model, load, singles, rng
        self.waiting = [deque() for _ in range(model.config.queues)]
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
        flits = sum(map(sum, self.waiting)) + length
        fits = flits <= config.ingress_flits and sum(self.waiting[queue]) + length <= config.limit
        if fits and rng.random() < self.load:
            i.announce_valid[0], i.announce_queue[0], i.announce_length[0] = 1, queue, length
            i.announce_partial[0] = self.arriving = length > 1 and rng.random() < 0.3
            self.waiting[queue].append(length)


def drive_claims(inputs, shows, config, claims: float, rng: np.random.Generator) -> list[int]:
    """Claim some of what is shown; ``shows(queue)`` gives singles and length. Queues claimed."""
    inputs.claim_valid[0] = 0
    inputs.claim_queue[0] = rng.integers(config.queues, size=config.iterations)
    visible = [queue for queue in range(config.queues) if shows(queue)[1]]
    claimed: list[int] = []
    long_claimed = False
    for k in rng.permutation(config.iterations):
        if not visible or rng.random() >= claims:
            continue
        queue = int(rng.choice(claimed if claimed and rng.random() < 0.5 else visible))
        singles, length = shows(queue)
        if long_claimed if length > 1 else claimed.count(queue) == singles:
            continue
        long_claimed |= length > 1
        inputs.claim_valid[0, k], inputs.claim_queue[0, k] = 1, queue
        claimed.append(queue)
    return claimed


@cocotb.test()
@cocotb.parametrize(load=[0.3, 1.0], singles=[0.2, 0.8], claims=[0.1, 1.0])
async def matches_model(dut, load: float, singles: float, claims: float) -> None:
    config = bench_config()
    model = BacklogModel(config)
    bench = Lockstep(dut, Backlog(config), model)

    goals = ["single", "several"]
    if singles < 0.5:
        goals += ["long", "run behind", "open"]
    seen = Coverage(goals)
    for run in range(2):
        await bench.reset()
        rng = np.random.default_rng([cocotb.RANDOM_SEED, run])
        announcer = Announcer(model, load, singles, rng)
        waiting = announcer.waiting
        for cycle in seen.steps(CYCLES // 2):
            # Now and then the claims pause, so that lists grow, then go on, so that they end.
            eagerness = claims * (cycle // 128 % 2)

            def shows(queue):
                s = model.state
                return int(s.singles[0, queue]), int(s.length[0, queue])

            announcer.drive()
            for queue in drive_claims(model.inputs, shows, config, eagerness, rng):
                length = waiting[queue].popleft()
                seen["single" if length == 1 else "long"] += 1
                seen["run behind"] += length > 1 and any(other > 1 for other in waiting[queue])
                assert shows(queue)[1] == length  # in order, by a list of its own
            outputs = await bench.step()
            seen["open"] += bool(outputs.partial.any())
            seen["several"] += bool(outputs.singles[0, min(1, config.iterations - 1)].any())
