"""Requests and responses: as many as asked for, where the pattern says, answered when they should.

The law of Little, and the round trip of an idle switch, know nothing of how the model does it.
"""

import numpy as np
import pytest

from models.config import NODE, TINY
from models.exchange import Exchange
from models.rig import Rig
from models.traffic import NEVER, Packets, destinations
from models.trial import Run, Trial

SHAPED = NODE.with_(speedup=1.25)
CYCLES = 4000


def run(config=SHAPED, limit: int = 0, **arguments) -> tuple[Exchange, Rig]:
    exchange = Exchange(config, **{"cycles": CYCLES, "seed": 3} | arguments)
    rig = Rig(config, exchange.packets, exchange=exchange, limit=limit, payload=False)
    rig.run(CYCLES)
    while not exchange.done and rig.cycle < 10 * CYCLES:
        rig.run(100)
    assert exchange.done
    return exchange, rig


def of_requests(exchange: Exchange) -> tuple[Packets, np.ndarray, np.ndarray]:
    """The table, and the rows of each request and of its response."""
    state = exchange.state
    generated = state.request >= 0
    return exchange.packets, state.request[generated], state.response[generated]


@pytest.mark.parametrize("config", [SHAPED, TINY], ids=lambda config: config.name)
@pytest.mark.parametrize("service", [0, 1, 70])
def test_one_request_takes_the_round_trip_of_an_idle_switch(config, service):
    """Ports in step, each with a server of its own, so that no packet waits for another."""
    exchange, _ = run(config, outstanding=1, service=service, pattern="permutation")
    trips = exchange.round_trips()
    times = (trips.end - trips.start)[trips.start > 0]  # the first waits for the reset
    assert np.unique(times).tolist() == [2 * (config.latency + 1) + service]
    assert times.size >= config.ports * (CYCLES // times[0] - 3)


@pytest.mark.parametrize("pattern", ["uniform", "bursts", "hotspot"])
@pytest.mark.parametrize("outstanding", [1, 5, 40])
def test_law_of_little(pattern, outstanding):
    """Requests outstanding = round trips per cycle, times what one takes."""
    arguments = {"pattern": pattern, "mix": "short", "response": "eight", "service": 20}
    exchange, _ = run(outstanding=outstanding, **arguments)
    trips, begin, end = exchange.round_trips(), CYCLES // 4, CYCLES
    back = (trips.end >= begin) & (trips.end < end)
    rate = np.count_nonzero(back) / (end - begin) / NODE.ports
    mean = (trips.end - trips.start)[back].mean()
    assert rate * mean == pytest.approx(outstanding, rel=0.08)


@pytest.mark.parametrize("limit", [0, NODE.limit])
def test_every_port_has_so_many_outstanding_at_any_time(limit):
    exchange, _ = run(outstanding=7, mix="even", response="short", service=9, limit=limit)
    table, request, response = of_requests(exchange)
    for n in range(NODE.ports):
        own = table.source[request] == n
        times = np.zeros((2, 10 * CYCLES), np.int64)
        for counts, cycle in zip(
            times, (table.cycle[request[own]], table.completed[response[own]] + 1), strict=True
        ):
            np.add.at(counts, cycle, 1)
        issued, back = times.cumsum(axis=1)
        assert np.all((issued - back)[:CYCLES] == 7)
        assert issued[CYCLES - 1] == issued[-1] == back[-1], "none is generated later"


@pytest.mark.parametrize("pattern", ["log-diagonal", "victim", "permutation"])
def test_requests_go_where_the_pattern_says(pattern):
    exchange, _ = run(outstanding=4, pattern=pattern)
    table, request, _ = of_requests(exchange)
    found = np.zeros((NODE.ports, NODE.ports))
    np.add.at(found, (table.source[request], table.destination[request]), 1)
    found /= np.maximum(found.sum(axis=1, keepdims=True), 1)
    assert found == pytest.approx(destinations(pattern, NODE.ports, seed=3), abs=0.12)


def test_each_request_has_its_response():
    arguments = {"mix": 100, "response": 300, "class_shares": (0.5, 0.25, 0.25), "service": 30}
    exchange, rig = run(outstanding=12, **arguments)
    table, request, response = of_requests(exchange)
    assert np.array_equal(table.destination[response], table.source[request])
    assert np.array_equal(table.source[response], table.destination[request])
    assert np.array_equal(table.traffic_class[response], table.traffic_class[request])
    assert np.bincount(table.traffic_class[request]) / request.size == pytest.approx(
        [0.5, 0.25, 0.25], abs=0.05
    )
    assert np.all(table.length[request] == 100) and np.all(table.length[response] == 300)
    assert np.all(table.cycle[response] == table.completed[request] + 1 + 30)
    totals = rig.sinks.totals()
    assert totals["delivered"] == 2 * request.size == exchange.sent().cycle.size
    assert totals["corrupted"] == totals["reordered"] == totals["duplicated"] == 0


def test_sources_send_in_the_order_of_generation():
    exchange, _ = run(outstanding=9, mix="even")
    sent = exchange.sent()
    assert np.all(sent.cycle < NEVER) and np.all(sent.injected >= sent.cycle)
    for n in range(NODE.ports):
        for cycle in (sent.cycle, sent.injected):
            assert np.all(np.diff(cycle[sent.source == n]) >= 0)
    flow = (sent.source * NODE.ports + sent.destination) * NODE.classes + sent.traffic_class
    for f in np.unique(flow):
        assert np.all(np.diff(sent.completed[flow == f]) > 0)


def test_many_requests_fill_the_lines():
    """Requests and responses of a flit: each line carries as many of one as of the other."""
    exchange, _ = run(outstanding=64)
    trips = exchange.round_trips()
    late = (trips.end >= CYCLES // 2) & (trips.end < CYCLES)
    assert np.count_nonzero(late) / (CYCLES // 2) / NODE.ports == pytest.approx(0.4, abs=0.01)


def test_seeds_repeat():
    first, again, other = (run(outstanding=3, seed=seed)[0].sent() for seed in (1, 1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first.destination[:50], other.destination[:50])


@pytest.mark.parametrize(
    "change, message",
    [
        ({"outstanding": 0}, "outstanding must be 1 or more requests, not 0"),
        ({"service": -1}, "service must be 0 or more cycles, not -1"),
        ({"pattern": "waves"}, "not 'waves'"),
        ({"response": "large"}, "mix must be one of .*'large'"),
        ({"burst": 0.5}, "burst must be 1 or more"),
    ],
)
def test_wrong_values_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        Exchange(NODE, **{"outstanding": 1, "cycles": 100} | change)


def test_trial_ends_when_all_is_answered():
    trial = Trial(config=TINY, cycles=1000, outstanding=3, service=400, response="eight")
    run = Run(trial)
    while not run.done:
        run.advance()
    assert run.exchange is not None and run.exchange.done
    assert run.packets.cycle.size == run.rig.delivered < run.rig.packets.cycle.size
    assert np.all(run.best.completed >= run.packets.cycle)
    assert run.result()["delivered"] == run.rig.delivered
