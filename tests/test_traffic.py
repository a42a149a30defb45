"""Arrivals have the load asked for, sources keep their promises, sinks see faults."""

from collections import deque

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit

from models.config import NODE, PROTO, RACK, TINY, SwitchConfig
from models.packet import Header
from models.traffic import (
    COUNTS,
    FRAME_BYTES,
    MIXES,
    PATTERNS,
    Packets,
    Sinks,
    Sources,
    destinations,
    generate,
    line_of,
    packets,
    sinks_drive,
    sinks_taken,
    sources_drive,
    sources_taken,
)

PORTS16 = SwitchConfig(
    ports=16, flit_bytes=64, ingress_flits=1024, egress_flits=512, max_packet_bytes=4160
)


class Fabric:
    """An output-queued switch that takes whole packets; ``fault`` may change a packet's flits."""

    def __init__(self, config: SwitchConfig, fault=lambda flits: [flits]):
        self.config, self.fault = config, fault
        self.arriving = [[] for _ in range(config.ports)]
        self.leaving = [deque() for _ in range(config.ports)]
        self.released = []
        keeps = -(-config.flit_bytes // 64)
        shapes = ((), (config.words,), (keeps,), (), ())
        self.i = [np.zeros((config.ports, *shape), np.int64) for shape in shapes]
        self.o = [np.zeros((config.ports, *shape), np.int64) for shape in shapes]
        self.ready = np.zeros(config.ports, np.int64)

    def step(self, sources: Sources, sinks: Sinks, cycle: int) -> None:
        valid, data, keep, last, user = self.i
        sources.drive(cycle, *self.i)
        sinks.drive(cycle, self.ready)
        self.o[0][:] = [len(q) > 0 for q in self.leaving]
        for n, queue in enumerate(self.leaving):
            if queue:
                for array, value in zip(self.o[1:], queue[0], strict=True):
                    array[n] = value
        sources.taken(cycle, np.ones_like(valid))
        sinks.taken(cycle, *self.o)
        for n, queue in enumerate(self.leaving):
            if queue and self.ready[n]:
                queue.popleft()
        for n in np.flatnonzero(valid):
            self.arriving[n].append([data[n].copy(), keep[n].copy(), int(last[n]), int(user[n])])
            if last[n]:
                header = Header.unpack(int(self.arriving[n][0][0][0]) & (1 << 64) - 1)
                for flits in self.fault(self.arriving[n]):
                    self.leaving[header.destination].extend(flits)
                self.arriving[n] = []

    def run(self, sources: Sources, sinks: Sinks, cycles: int) -> None:
        for cycle in range(cycles):
            self.step(sources, sinks, cycle)


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("ports", [2, 5, 16])
def test_pattern_matrix(pattern, ports):
    matrix = destinations(pattern, ports)
    rows = matrix.sum(axis=1)
    silent = [0] if pattern in ("incast", "victim") else []
    assert np.allclose(np.delete(rows, silent), 1)
    assert np.all(rows[silent] == 0)
    if pattern in ("uniform", "quasi-diagonal", "log-diagonal", "diagonal", "permutation"):
        assert np.allclose(matrix.sum(axis=0), 1), "no output is overloaded"


def test_named_patterns():
    assert destinations("quasi-diagonal", 5)[1].tolist() == [0.125, 0.5, 0.125, 0.125, 0.125]
    assert np.allclose(destinations("diagonal", 3)[2], [1 / 3, 0, 2 / 3])
    assert np.allclose(destinations("log-diagonal", 3)[1] * 7, [1, 4, 2])
    assert np.allclose(destinations("hotspot", 3)[1] * 4, [2, 1, 1])
    assert destinations("victim", 3).tolist() == [[0, 0, 0], [0.5, 0, 0.5], [1, 0, 0]]
    with pytest.raises(ValueError, match=r"pattern must be one of .*'zigzag'"):
        destinations("zigzag", 4)


@pytest.mark.parametrize("pattern", ["uniform", "diagonal", "bursts"])
@pytest.mark.parametrize("mix", [*MIXES, 65])
@pytest.mark.parametrize("config", [NODE, PORTS16], ids=lambda c: c.name)
def test_generated_load(pattern, mix, config):
    cycles = 60_000
    table = generate(config, cycles=cycles, load=0.7, pattern=pattern, mix=mix, seed=5)
    line = line_of(config)
    cost = table.flits * line.flit_cost + table.length * line.byte_cost + line.frame_cost
    assert cost.sum() / line.gain / cycles / config.ports == pytest.approx(0.7, rel=0.05)
    assert table.cycle.min() >= 0 and table.cycle.max() < cycles
    shares = np.zeros((config.ports, config.ports))
    np.add.at(shares, (table.source, table.destination), cost)
    shares /= shares.sum(axis=1, keepdims=True)
    assert np.abs(shares - destinations(pattern, config.ports)).mean() < 0.05


def test_generated_bursts():
    table = generate(PORTS16, cycles=100_000, load=0.5, pattern="bursts", seed=2)
    of_source = table.source == 3
    gaps = np.diff(table.cycle[of_source]) > 1
    turns = gaps | (np.diff(table.destination[of_source]) != 0)
    # Two bursts in a row look like one if no idle slot and no new destination parts them.
    assert 1 / turns.mean() == pytest.approx(16, rel=0.1)


def test_generation_is_reproducible():
    arguments = {"cycles": 2000, "load": 0.8, "mix": "short", "class_shares": (0.5, 0.5)}
    first, again, other = (generate(NODE, seed=seed, **arguments) for seed in (1, 1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first.cycle, other.cycle)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"load": 1.2}, "load must be above 0, at most 1, not 1.2"),
        ({"mix": "large"}, "mix must be one of single.*'large'"),
        ({"mix": 9000}, "length must be 64 to 4160, not 9000"),
        ({"burst": 0.5}, "burst must be 1 or more"),
        ({"class_shares": (0.5,)}, "class_shares must be"),
    ],
)
def test_generate_rejects(change, message):
    with pytest.raises(ValueError, match=message):
        generate(NODE, **{"cycles": 100, "load": 0.5} | change)


def test_packets_reject():
    columns = {"source": 0, "destination": 1, "traffic_class": 0, "length": 64}
    with pytest.raises(ValueError, match="cycle must not decrease"):
        packets(NODE, cycle=[3, 2], **columns)
    with pytest.raises(ValueError, match="destination must be 0 to 7, not 8"):
        packets(NODE, cycle=0, **columns | {"destination": 8})


def test_header_matches_packet_module():
    table = packets(NODE, cycle=0, source=3, destination=5, traffic_class=2, length=100)
    fabric = Fabric(NODE)
    sources = Sources(NODE, table)
    sources.drive(0, *fabric.i)
    header = Header(destination=5, source=3, length=100, traffic_class=2)
    assert fabric.i[1][3, 0] == header.pack()
    assert fabric.i[0].tolist() == [0, 0, 0, 1, 0, 0, 0, 0]


@pytest.mark.parametrize("config", [TINY, PROTO, NODE, RACK], ids=lambda c: c.name)
@pytest.mark.parametrize("ready", [1.0, 0.4])
def test_everything_arrives(config, ready):
    """Random lengths, also such that leave no room for a sequence number, in all classes."""
    rng = np.random.default_rng(7)
    count = 400
    shape = config.min_packet_bytes, min(config.max_packet_bytes, 12 * config.flit_bytes) + 1
    table = packets(
        config,
        cycle=np.sort(rng.integers(0, 500, count)),
        source=rng.integers(0, config.ports, count),
        destination=rng.integers(0, config.ports, count),
        traffic_class=rng.integers(0, config.classes, count),
        length=rng.integers(*shape, count),
    )
    sources, sinks = Sources(config, table), Sinks(config, table, ready=ready, seed=3)
    fabric = Fabric(config)
    fabric.run(sources, sinks, 14_000)
    totals = sinks.totals()
    assert sources.done
    assert totals["delivered"] == count
    assert totals["bytes"] == table.length.sum() == sources.state.bytes.sum()
    assert totals["flits"] == table.flits.sum() == sources.state.flits.sum()
    bad = ("errored", "corrupted", "reordered", "duplicated", "marked")
    assert [totals[name] for name in bad] == [0] * 5
    assert np.all(table.cycle <= table.injected)
    assert np.all(table.injected < table.departed)
    assert np.all(table.departed <= table.completed)
    assert np.array_equal(sinks.delays("injected"), table.departed - table.injected)


@given(
    rate=st.floats(0.05, 1.0),
    framed=st.booleans(),
    mix=st.sampled_from([*MIXES, 64, 65, 130]),
    ready=st.sampled_from([1.0, 0.7]),
)
@settings(max_examples=25, deadline=None)
def test_shaping_never_exceeds_the_line(rate, framed, mix, ready):
    config = NODE.with_(speedup=1 / rate)
    line = line_of(config, framed=framed)
    table = generate(config, cycles=900, load=1.0, mix=mix, line=line)
    table.cycle[:] = 0  # all at once
    sources, fabric = Sources(config, table, line=line), Fabric(config)
    rng = np.random.default_rng(0)
    paid = np.zeros(600)
    for cycle in range(600):
        sources.drive(cycle, *fabric.i)
        sources.taken(cycle, taken := rng.random(config.ports) < ready)
        if fabric.i[0][0] and taken[0]:
            size = sum(int(word).bit_count() for word in fabric.i[2][0].view(np.uint64))
            paid[cycle] = size + FRAME_BYTES * fabric.i[3][0] if framed else config.flit_bytes
    earned = rate * config.flit_bytes
    total = np.concatenate(([0], np.cumsum(paid)))
    excess = total - earned * np.arange(total.size)  # a rise of it is what a window is ahead
    ahead = (excess - np.minimum.accumulate(excess)).max()
    allowed = config.flit_bytes + (FRAME_BYTES + config.flit_bytes) * framed
    assert ahead <= allowed + 1e-6
    cost = table.flits * line.flit_cost + table.length * line.byte_cost + line.frame_cost
    if ready == 1 and np.all(cost >= table.flits * line.gain):  # not limited by the fabric
        assert total[-1] >= earned * 600 - 2 * allowed


def test_worst_frames_match_the_architecture():
    """Flits per ns that a framed line brings: 1.19 of 64 B and 1.34 of 129 B at 800G (RACK)."""
    rack = RACK.with_(ports=2, ingress_flits=4096)
    for config, length, flits_per_ns in ((rack, 129, 1.34), (NODE, 64, 0.60), (NODE, 65, 1.18)):
        count = 6000
        table = packets(
            config, cycle=0, source=np.zeros(count, int), destination=0, traffic_class=0,
            length=length,
        )  # fmt: skip
        sources, sinks = Sources(config, table), Sinks(config, table)
        Fabric(config).run(sources, sinks, 3000)
        for flits in (sources.state.flits[0], sinks.state.counts[0, COUNTS.index("flits")]):
            rate = flits / 3000 * config.clock_mhz / 1000
            assert rate == pytest.approx(flits_per_ns, abs=0.01)


def test_unshaped_sends_a_flit_every_cycle():
    table = generate(NODE, cycles=500, load=1.0, line=line_of(NODE, shaped=False))
    sources = Sources(NODE, table, line=line_of(NODE, shaped=False))
    fabric = Fabric(NODE)
    for cycle in range(500):
        sources.drive(cycle, *fabric.i)
        sources.taken(cycle, np.ones(8, np.int64))
    assert sources.state.flits.tolist() == [500] * 8


def test_a_flit_is_held_until_taken():
    table = generate(NODE, cycles=200, load=0.9, mix="eight", seed=4)
    sources, fabric = Sources(NODE, table), Fabric(NODE)
    rng, held, taken = np.random.default_rng(1), None, None
    for cycle in range(400):
        sources.drive(cycle, *fabric.i)
        now = [array.copy() for array in fabric.i]
        if held is not None:
            for n in np.flatnonzero(held[0] & (taken == 0)):
                assert all(np.array_equal(a[n], b[n]) for a, b in zip(held, now, strict=True))
        taken = (rng.random(8) < 0.5).astype(np.int64)
        sources.taken(cycle, taken)
        held = now
    assert sources.state.packets.sum() > 20


def _two_queues(limit: int) -> tuple[Packets, Sources]:
    """Port 0 sends packets of 8 flits to output 1 and 2 in turn."""
    table = packets(
        NODE,
        cycle=0,
        source=np.zeros(200, int),
        destination=np.tile([1, 2], 100),
        traffic_class=0,
        length=512,
    )
    return table, Sources(NODE, table, line=line_of(NODE, shaped=False), limit=limit)


def test_shares():
    limit = NODE.max_packet_flits + 7
    table, sources = _two_queues(limit)
    fabric, port = Fabric(NODE), np.arange(8) == 0
    for cycle in range(1500):
        sources.drive(cycle, *fabric.i)
        if fabric.i[0][0] and sources.state.active[0] >= 0:
            row = sources.state.active[0]
            free = np.where(port & (table.destination[row] == 2), 1, 0)
            sources.taken(cycle, np.ones(8, np.int64))
            sources.released(free, np.full(8, 2), np.zeros(8, np.int64))
        assert sources.state.outstanding.max() <= limit
    sent = [int((table.injected[table.destination == d] >= 0).sum()) for d in (1, 2)]
    assert sent == [limit // 8, 100], "the stopped output blocks its own queue only"
    for output in (1, 2):
        order = table.injected[table.destination == output][: sent[output - 1]]
        assert np.all(np.diff(order) > 0)


def test_without_shares_the_source_is_one_fifo():
    table, sources = _two_queues(0)
    fabric = Fabric(NODE)
    for cycle in range(800):
        sources.drive(cycle, *fabric.i)
        sources.taken(cycle, np.ones(8, np.int64))
    assert np.all(np.diff(table.injected[:100]) == 8)
    with pytest.raises(ValueError, match="limit must be 0 or 65 or more, not 64"):
        Sources(NODE, table, limit=64)


def _after(count, fault):
    """Apply ``fault`` to packet number ``count`` only."""
    seen = iter(range(1 << 30))
    return lambda flits: fault(flits) if next(seen) == count else [flits]


def _flip(flit, word, bit):
    def fault(flits):
        flits[flit][0][word] ^= 1 << bit
        return [flits]

    return fault


def _set(flit, field, value):
    def fault(flits):
        flits[flit][field] = value
        return [flits]

    return fault


def _cut(flits):
    return [[*flits[:2], [*flits[2][:2], 1, 0]]]


def _error(flits):
    return [[*flits[:2], [*flits[2][:2], 1, 1]]]


@pytest.mark.parametrize(
    "config", [NODE, PROTO.with_(ports=8, ingress_flits=8192)], ids=lambda c: c.name
)
@pytest.mark.parametrize(
    ("fault", "counted", "delivered"),
    [
        (lambda flits: [], {}, 99),
        (lambda flits: [flits, flits], {"duplicated": 1}, 100),
        (_flip(0, 0, 5), {"corrupted": 1}, 99),  # destination 32
        (_flip(0, 0, 60), {"corrupted": 1}, 99),  # partition
        (_flip(0, 0, 36), {"corrupted": 1}, 99),  # length
        (_flip(3, 0, 62), {"corrupted": 1}, 99),
        (_flip(-1, 0, 0), {"corrupted": 1}, 99),
        (_set(2, 1, 3), {"corrupted": 1}, 99),  # keep in the middle
        (_set(-1, 1, 1), {"corrupted": 1}, 99),  # keep at the end
        (_cut, {"corrupted": 1}, 99),
        (_error, {"errored": 1}, 99),
        (_set(-1, 3, 2), {"marked": 1}, 100),
    ],
)
def test_sinks_see_faults(config, fault, counted, delivered):
    table = packets(
        config,
        cycle=0,
        source=np.zeros(100, int),
        destination=1,
        traffic_class=2,
        length=config.flit_bytes * 9 + 5,
    )
    sources, sinks = Sources(config, table), Sinks(config, table)
    Fabric(config, _after(40, fault)).run(sources, sinks, 2600)
    totals = sinks.totals()
    bad = {name: totals[name] for name in counted}
    assert sources.done and bad == counted
    assert totals["delivered"] == delivered
    assert (
        sinks.lost()
        == sinks.lost(drained=False)
        == 100 - delivered - sum(totals[name] for name in ("errored", "corrupted"))
    )
    clean = {"errored", "corrupted", "reordered", "duplicated", "marked"} - set(counted)
    assert all(totals[name] == 0 for name in clean)


def test_sinks_see_wrong_order():
    table = packets(
        NODE, cycle=0, source=np.zeros(10, int), destination=1, traffic_class=2, length=100
    )
    sources, sinks = Sources(NODE, table), Sinks(NODE, table)
    held = []

    def swap(flits):  # packets 3 and 4
        held.append(flits)
        return {4: [], 5: [held[4], held[3]] if len(held) == 5 else []}.get(len(held), [flits])

    Fabric(NODE, swap).run(sources, sinks, 100)
    assert sinks.totals()["reordered"] == 1
    assert sinks.totals()["delivered"] == 10


def test_sinks_see_a_wrong_port():
    table = packets(
        NODE, cycle=0, source=np.zeros(10, int), destination=1, traffic_class=2, length=100
    )
    sources, sinks = Sources(NODE, table), Sinks(NODE, table)
    fabric = Fabric(NODE)
    fabric.run(sources, sinks, 8)
    fabric.leaving[2].extend(fabric.leaving[1])
    fabric.leaving[1].clear()
    for cycle in range(8, 100):
        fabric.step(sources, sinks, cycle)
    assert sinks.totals()["corrupted"] >= 1
    assert sinks.state.counts[2].sum() > 0 == sinks.state.counts[2, 0]
    assert sinks.totals()["delivered"] < 10


def test_blocked_sink():
    table = generate(NODE, cycles=300, load=0.5, seed=1)
    sources, sinks = Sources(NODE, table), Sinks(NODE, table)
    sinks.block(3)
    fabric = Fabric(NODE)
    fabric.run(sources, sinks, 1500)
    assert np.all((table.completed >= 0) == (table.destination != 3))
    sinks.block(3, False)
    for cycle in range(1500, 2500):
        fabric.step(sources, sinks, cycle)
    assert np.all(table.completed >= 0)


@njit
def run_wires(wires, cycles):
    """Output n is wired to the source that sends to it."""
    p, line, table, sent, seen, i, o, ready, source = wires
    for cycle in range(cycles):
        sources_drive(p, line, table, sent, 0, cycle, i[0], i[1], i[2], i[3], i[4])
        sinks_drive(p, line, seen, ready[0])
        for n in range(p.ports):
            o[0][n], o[3][n], o[4][n] = i[0][source[n]], i[3][source[n]], i[4][source[n]]
            o[1][n, :] = i[1][source[n], :]
            o[2][n, :] = i[2][source[n], :]
            ready[1][source[n]] = ready[0][n]
        sources_taken(p, line, table, sent, cycle, ready[1])
        sinks_taken(p, line, table, seen, cycle, o[0], o[1], o[2], o[3], o[4])


def test_sources_and_sinks_in_a_compiled_loop():
    """All in one compiled loop; what it writes is seen through the classes."""
    table = generate(NODE, cycles=400, load=0.9, pattern="permutation", mix="short", seed=6)
    sources, sinks = Sources(NODE, table), Sinks(NODE, table)
    source = np.zeros(8, np.int64)
    source[table.destination] = table.source
    i, o = tuple(Fabric(NODE).i), tuple(Fabric(NODE).o)
    ready = np.zeros((2, 8), np.int64)
    parts = (sources.parameters, sources.line, table, sources.state, sinks.state)
    run_wires((*parts, i, o, ready, source), 1200)
    assert sources.done
    assert sinks.totals()["delivered"] == table.cycle.size
    assert np.array_equal(table.injected, table.departed)
