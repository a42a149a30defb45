"""cocotb bench of rtl.backlog: lockstep with the golden model under legal random claims."""

import os

import cocotb
import numpy as np

from models.backlog import BacklogModel, BacklogState
from models.config import SINGLES, SwitchConfig
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


class Claimer:
    """Claims at random, as the scheduler may make them: two cycles after the queue has shown.

    What shows then is what had been claimed up to the cycle before; what is claimed since then is
    taken off. A queue that shows as a whole is claimed by stage 0 and by nobody else.
    """

    def __init__(self, config: SwitchConfig, rng: np.random.Generator):
        self.config, self.rng = config, rng
        # Of the last cycle and of the one before: flits that can be claimed one by one, queues that
        # are claimed as a whole, and how often each was claimed.
        self.singles = np.zeros((2, config.queues), dtype=int)
        self.together = np.zeros((2, config.queues), dtype=bool)
        self.claimed = np.zeros((2, config.queues), dtype=int)

    def drive(self, i, backlog: BacklogState, eagerness: float) -> list[int]:
        """Set the claims, and ``connects``, of the inputs ``i``; the queue of each stage, or -1.

        ``backlog`` is the state of the model; each stage that can claim does so with probability
        ``eagerness``.
        """
        i.claim[:] = i.connects[:] = 0
        chosen: list[int] = []
        now = np.zeros(self.config.queues, dtype=int)
        for k in range(self.config.iterations):
            under_way = self.claimed.sum(axis=0) + now
            allowed = self.singles[1] > under_way
            if k == 0:
                allowed |= self.together[1] & (under_way == 0)
            if not allowed.any() or self.rng.random() >= eagerness:
                chosen.append(-1)
                continue
            queue = int(self.rng.choice(np.flatnonzero(allowed)))
            i.claim[0, k, queue >> 6] |= np.int64(np.uint64(1 << (queue & 63)))
            if k == 0:
                i.connects[0] = self.together[0, queue]
            i.claim_queue[0, k] = queue
            now[queue] += 1
            chosen.append(queue)
        together = backlog.together[0] == 1
        singles = np.where(together, 0, np.minimum(backlog.ready[0], SINGLES))
        self.singles = np.stack((singles, self.singles[0]))
        self.together = np.stack((together, self.together[0]))
        self.claimed = np.stack((now, self.claimed[0]))
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
        goals += ["joined by one", "again"]
    if config.iterations > 1:
        goals.append("several")
        if max(load, singles) > 0.5:  # a second packet right behind one of a single flit
            goals.append("one of many")
    seen = Coverage(goals)
    for run in range(2):
        await bench.reset()
        rng = np.random.default_rng([cocotb.RANDOM_SEED, run])
        announcer = Announcer(model, load, singles, rng)
        claimer = Claimer(config, rng)
        for cycle in seen.steps(CYCLES // 2):
            # Now and then the claims pause, so that queues grow, then go on, so that they end.
            eagerness = claims * (cycle // 128 % 2)
            if eagerness and rng.random() < claims / 2:
                eagerness = 1.0  # all stages claim at once, also where claims are rare
            if cycle >= config.queues:  # the counts are swept
                announcer.drive()
            i, together = model.inputs, model.state.together[0]
            before = claimer.claimed[0]
            claimed = claimer.drive(i, model.state, eagerness)
            everything = "all" if i.connects[0] else "one"
            seen[everything] += claimed[0] >= 0
            joined = i.announce_valid[0] and claimed[0] == i.announce_queue[0]
            seen[f"joined by {everything}"] += bool(joined)
            seen["one of many"] += any(together[q] for q in claimed[1:] if q >= 0)
            seen["again"] += any(before[q] for q in claimed if q >= 0)
            seen["several"] += sum(queue >= 0 for queue in claimed) > 1
            outputs = await bench.step()
            seen["open"] += bool(outputs.taken_valid[0] and outputs.taken_open[0])
