from itertools import groupby

import numpy as np
import pytest

from models.config import NODE, SINGLES, TINY
from models.scheduler import SchedulerModel
from rtl.scheduler import Scheduler
from sim.solver import prove
from sim.verilator import run_bench
from verif.proof.scheduler import MatchingProof, SchedulerProof


class Queues:
    """Queues of flits in front of a model; every egress accepts in each cycle."""

    def __init__(self, config):
        self.model = SchedulerModel(config)
        self.flits = {}  # (input, queue): flits that wait

    def step(self):
        """One cycle; claimed flits leave their queues."""
        inputs, config = self.model.inputs, self.model.config
        inputs.accepts[:] = (1 << config.classes) - 1
        inputs.waits[:] = inputs.many[:] = inputs.taken_valid[:] = 0
        for (n, queue), flits in self.flits.items():
            together = flits >= SINGLES + 2
            inputs.many[0, n, 0] |= together << queue
            for j in range(SINGLES):
                inputs.waits[0, n, j, 0] |= (flits > j and (j == 0 or not together)) << queue
        for n in range(config.ports):  # what was claimed in the last cycle shows in this one
            connects = self.model.state.connects[n]
            for k, queue in enumerate(self.model.state.claim_queue[n]):
                if k == 0 and connects:
                    inputs.taken_valid[0, n], inputs.taken_flits[0, n] = 1, self.flits[n, queue]
                    self.flits[n, queue] = 0
                elif queue >= 0:
                    self.flits[n, queue] -= 1
        return self.model.step()


def matches(outputs, n: int) -> int:
    return int(outputs.match_queue[0, n]) if outputs.match_valid[0, n] else -1


@pytest.mark.parametrize("iterations", [1, 2, 4])
def test_model_matches_three_cycles_after_one_flit_shows(iterations):
    queues = Queues(TINY.with_(iterations=iterations, egress_flits=128))
    queues.flits[1, 2] = 1
    served = [matches(queues.step(), 1) for _ in range(12)]
    assert served == [-1, -1, -1, 2] + [-1] * 8


@pytest.mark.parametrize("iterations", [1, 2, 4])
def test_model_gives_a_connection_its_slots_in_a_row(iterations):
    queues = Queues(TINY.with_(iterations=iterations, egress_flits=128))
    queues.flits[1, 2] = 5
    served = [matches(queues.step(), 1) for _ in range(20)]
    begin = 2 * iterations + 1
    assert served == [-1] * begin + [2] * 5 + [-1] * (15 - begin)


@pytest.mark.parametrize("scheduler", ["islip", "wavefront"])
def test_model_changes_connections_without_a_gap(scheduler):
    queues = Queues(TINY.with_(scheduler=scheduler))
    queues.flits[0, 0] = queues.flits[0, 3] = 7
    served = [matches(queues.step(), 0) for _ in range(25)]
    assert [queue for queue, _ in groupby(served)] in ([-1, 0, 3, -1], [-1, 3, 0, -1])
    assert served.count(0) == served.count(3) == 7


def test_model_keeps_slots_while_a_connection_is_open():
    queues = Queues(TINY)
    queues.flits[0, 0], queues.flits[0, 2] = 6, 1
    inputs = queues.model.inputs
    inputs.taken_open[0, 0] = 1
    served = []
    for cycle in range(30):
        inputs.lost[0, 0] = served[-1:] == [0] and 6 < cycle < 10
        inputs.complete[0, 0] = cycle == 16
        queues.flits[0, 2] = max(1, queues.flits[0, 2]) if cycle > 3 else 0
        served.append(matches(queues.step(), 0))
    first = served.index(0)
    lasting = [queue for queue in served[first:17] if queue >= 0]
    assert set(lasting) == {0}, "another queue came between"
    assert 2 in served[17:]


def test_model_prefers_the_urgent_class():
    queues = Queues(TINY)
    queues.flits[0, 0] = queues.flits[1, 1] = 5
    served = []
    for _ in range(20):
        outputs = queues.step()
        served.append((matches(outputs, 0), matches(outputs, 1)))
    order = [pair for pair, _ in groupby(served) if pair != (-1, -1)]
    assert order == [(-1, 1), (0, -1)]


def test_model_is_fair_between_inputs():
    queues = Queues(NODE)
    served = np.zeros(NODE.ports)
    for _ in range(1600):
        for n in range(NODE.ports):
            queues.flits[n, 0] = max(queues.flits.get((n, 0), 0), 1)
        outputs = queues.step()
        served += [matches(outputs, n) >= 0 for n in range(NODE.ports)]
    assert served.sum() > 700
    assert served.max() - served.min() <= 3  # one for each set of pointers


@pytest.mark.verilator
@pytest.mark.parametrize(
    "config",
    [
        TINY,
        TINY.with_(name="TINY-1", iterations=1),
        TINY.with_(name="TINY-1-1", iterations=1, classes=1),
        TINY.with_(name="TINY-4", iterations=4, class_policy="weighted"),
        TINY.with_(name="TINY-wavefront", scheduler="wavefront", iterations=3),
        NODE,
        NODE.with_(name="NODE-islip", scheduler="islip", iterations=2, class_policy="weighted"),
    ],
    ids=lambda config: config.name,
)
def test_rtl_matches_model(config):
    cycles = 1500 if config.ports == TINY.ports else 300
    run_bench("scheduler", Scheduler(config), config, cycles=cycles)


@pytest.mark.formal
@pytest.mark.parametrize(
    ("ports", "scheduler"), [(3, "islip"), (4, "islip"), (3, "wavefront"), (5, "wavefront")]
)
def test_matching_is_legal(ports, scheduler):
    config = TINY.with_(ports=ports, iterations=1, scheduler=scheduler)
    prove(MatchingProof(config), f"scheduler-{scheduler}-{ports}", depth=2)


@pytest.mark.formal
@pytest.mark.parametrize("iterations", [1, 2])
def test_nobody_is_matched_twice(iterations):
    """Bounded: for all inputs of the first 9 cycles."""
    proof = SchedulerProof(TINY.with_(iterations=iterations, classes=1))
    prove(proof, f"scheduler-{iterations}", depth=9, mode="bmc")
