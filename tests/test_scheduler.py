from collections import deque
from itertools import pairwise

import numpy as np
import pytest

from models.config import NODE, TINY
from models.scheduler import SchedulerModel
from rtl.scheduler import Scheduler
from sim.solver import prove
from sim.verilator import run_bench
from verif.proof.scheduler import MatchingProof, SchedulerProof


class Queues:
    """Queues of whole packets in front of a model; every egress has room again in each cycle."""

    def __init__(self, config):
        self.model = SchedulerModel(config)
        self.packets = {}  # (input, queue): lengths
        self.hidden = set()

    def step(self):
        """One cycle; claimed packets leave their queues."""
        inputs, config = self.model.inputs, self.model.config
        inputs.room[:] = config.egress_depth
        inputs.singles[:] = inputs.longs[:] = inputs.length[:] = 0
        for (n, queue), packets in self.packets.items():
            if not packets or (n, queue) in self.hidden:
                continue
            bit = 1 << queue
            inputs.length[0, n, queue] = packets[0]
            if packets[0] > 1:
                inputs.longs[0, n, 0] |= bit
                continue
            for j in range(config.iterations):
                if list(packets)[: j + 1] == [1] * (j + 1):
                    inputs.singles[0, n, j, 0] |= bit
        outputs = self.model.step()
        self.hidden = set()
        for n in range(config.ports):
            for k in reversed(range(config.iterations)):
                if outputs.claim_valid[0, n, k]:
                    queue = int(outputs.claim_queue[0, n, k])
                    if self.packets[n, queue].popleft() > 1:
                        self.hidden.add((n, queue))
        return outputs


def matches(outputs, n: int) -> int:
    return int(outputs.match_queue[0, n]) if outputs.match_valid[0, n] else -1


@pytest.mark.parametrize("iterations", [1, 2, 4])
def test_model_matches_one_cycle_after_the_queue_shows(iterations):
    queues = Queues(TINY.with_(iterations=iterations))
    queues.packets[1, 2] = deque([1])
    first, second, third = (matches(queues.step(), 1) for _ in range(3))
    assert (first, second, third) == (-1, 2, -1)


@pytest.mark.parametrize("scheduler", ["islip", "wavefront"])
@pytest.mark.parametrize("iterations", [1, 2, 4])
def test_model_serves_one_queue_in_every_slot(iterations, scheduler):
    queues = Queues(TINY.with_(iterations=iterations, scheduler=scheduler))
    queues.packets[0, 3] = deque([1] * 20)
    queues.step()
    assert [matches(queues.step(), 0) for _ in range(21)] == [3] * 20 + [-1]


@pytest.mark.parametrize("scheduler", ["islip", "wavefront"])
def test_model_serves_long_packets_without_a_gap_between_queues(scheduler):
    queues = Queues(TINY.with_(scheduler=scheduler))
    queues.packets[0, 0] = deque([3, 4])
    queues.packets[0, 3] = deque([5])
    queues.step()
    served = [matches(queues.step(), 0) for _ in range(12)]
    assert sorted(served) == [0] * 7 + [3] * 5
    runs = sum(a != b for a, b in pairwise(served))
    assert runs <= 2  # packet by packet


def test_model_prefers_the_urgent_class():
    queues = Queues(TINY.with_(iterations=1))
    queues.packets[0, 0] = deque([1] * 5)
    queues.packets[1, 1] = deque([1] * 5)
    queues.step()
    outputs = [queues.step() for _ in range(5)]
    assert [matches(o, 1) for o in outputs] == [1] * 5
    assert all(matches(o, 0) == -1 for o in outputs)


def test_model_is_fair_between_inputs():
    queues = Queues(NODE)
    for n in range(NODE.ports):
        queues.packets[n, 0] = deque([1] * 1000)
    served = np.zeros(NODE.ports)
    for _ in range(800):
        outputs = queues.step()
        served += [matches(outputs, n) >= 0 for n in range(NODE.ports)]
    assert served.max() - served.min() <= 2


@pytest.mark.verilator
@pytest.mark.parametrize(
    "config",
    [
        TINY,
        TINY.with_(name="TINY-1", iterations=1),
        TINY.with_(name="TINY-4", iterations=4, class_policy="weighted"),
        TINY.with_(name="TINY-wavefront", scheduler="wavefront", iterations=3),
        NODE,
        NODE.with_(name="NODE-wavefront", scheduler="wavefront", class_policy="weighted"),
    ],
    ids=lambda config: config.name,
)
def test_rtl_matches_model(config):
    cycles = 1500 if config.ports == TINY.ports else 300
    run_bench("scheduler", Scheduler(config), config, cycles=cycles)


@pytest.mark.formal
@pytest.mark.parametrize("scheduler", ["islip", "wavefront"])
@pytest.mark.parametrize("ports", [3, 4])
def test_matching_is_legal(ports, scheduler):
    config = TINY.with_(ports=ports, iterations=1, scheduler=scheduler)
    prove(MatchingProof(config), f"scheduler-{scheduler}-{ports}", depth=2)


@pytest.mark.formal
@pytest.mark.parametrize("iterations", [2, 3])
def test_nobody_is_booked_twice(iterations):
    proof = SchedulerProof(TINY.with_(iterations=iterations))
    prove(proof, f"scheduler-{iterations}", depth=2)
