from collections import Counter

import pytest
from amaranth.sim import Simulator

from models.config import FRONT_FLITS, NAMED, NODE, PROTO, TINY
from models.egress import EgressModel
from rtl.egress import Egress
from sim.solver import prove
from sim.verilator import run_bench
from verif.proof.egress import EgressProof

SMALL = TINY.with_(  # 13 for each class, connections of 3
    max_packet_bytes=24, ingress_flits=6, reserve_flits=1, limit_flits=3, iterations=1
).with_(egress_flits=26)
ONE = TINY.with_(name="ONE", classes=1, ingress_flits=16, reserve_flits=8, limit_flits=8)


class Driver:
    """Steps a model of ``TINY``; all that is sent carries the right parity."""

    def __init__(self, config=TINY):
        self.model = EgressModel(config)
        self.model.inputs.o_ready[0] = 1
        self.taken: list[int] = []  # data of the flits that left
        self.events: Counter[str] = Counter()

    def step(self, flit=None, reset=0, permit=0b11, flush=0):
        """``flit`` is (data, class, first, last)."""
        inputs = self.model.inputs
        inputs.permit[0], inputs.flush[0] = permit, flush
        inputs.i_valid[0] = flit is not None
        if flit is not None:
            data, inputs.i_traffic_class[0], first, last = flit
            count = TINY.flit_bytes - 1
            inputs.i_flit_data[0, 0], inputs.i_flit_count[0] = data, count
            inputs.i_flit_first[0], inputs.i_flit_last[0] = first, last
            inputs.i_flit_parity[0, 0] = (data.bit_count() + count.bit_count() + first + last) & 1
        inputs.reset[0] = reset
        outputs = self.model.step()
        if outputs.o_valid[0] and inputs.o_ready[0]:
            self.taken.append(int(outputs.o_payload_data[0, 0]))
        for event in ("delivered", "errored", "discarded", "parity"):
            self.events[event] += int(getattr(outputs, event)[0])
        return outputs


@pytest.mark.parametrize("stop", [0, 6])
def test_model_moves_a_flit_per_cycle_across_classes(stop):
    """Also if flits have piled up while the line had stopped."""
    driver, cycles = Driver(), 100
    for n in range(cycles):
        driver.model.inputs.o_ready[0] = n >= stop
        driver.step((n, n % 2, 1, 1))
    assert len(driver.taken) == cycles - max(stop, 2)
    if not stop:
        assert driver.taken == list(range(cycles - 2))


def test_model_accepts_while_a_connection_fits():
    """Behind all that may be on its way: the register is a cycle old, the check stage another."""
    driver, limit = Driver(), TINY.accept_flits
    driver.model.inputs.o_ready[0] = 0
    shows = []
    on_way = FRONT_FLITS + 1
    for n in range(on_way + limit + 4):
        outputs = driver.step((n, 1, 1, 1))
        shows.append((int(outputs.occupancy[0]), int(outputs.accepts[0])))
    # What is on its way to the line has left the queue; one is in the check stage, one comes, and
    # one is not counted yet.
    assert [held for held, _ in shows[on_way + 3 :]] == list(range(1, limit + 2))
    assert all(accepts == (0b11 if held <= limit else 0b01) for held, accepts in shows)
    assert [accepts for _, accepts in shows[-2:]] == [0b11, 0b01]


def test_model_ends_a_packet_where_its_parity_is_wrong():
    driver = Driver()
    driver.step((1, 0, 1, 0))
    driver.model.inputs.i_flit_mark[0] = 1  # is covered, too
    driver.step((2, 0, 0, 0))
    assert driver.step((3, 0, 0, 1)).parity[0]
    outputs = driver.step()
    assert outputs.o_payload_last[0] and outputs.o_payload_user[0] == 0b11
    outputs = driver.step()
    assert driver.taken == [1, 2] and outputs.idle[0]
    assert driver.events == {"delivered": 0, "errored": 1, "discarded": 0, "parity": 1}


def test_model_flushes_a_packet_to_its_end_after_reset():
    driver = Driver()
    driver.step((1, 0, 1, 0))
    driver.step((2, 0, 0, 0))
    driver.step((3, 0, 0, 0), reset=1)  # 1 leaves in this cycle
    driver.step((4, 0, 0, 1))
    driver.step((5, 1, 1, 1))
    for _ in range(3):
        outputs = driver.step()
    assert driver.taken == [1, 5] and outputs.idle[0]
    assert driver.events["discarded"] == driver.events["delivered"] == 1


def test_model_holds_a_class_and_sends_the_others_at_full_rate():
    """What is held comes later, whole and in order."""
    driver, pairs = Driver(), 12
    for n in range(2 * pairs):
        driver.step((n, n % 2, 1, 1), permit=0b10)
    for _ in range(6):
        outputs = driver.step(permit=0b10)
    ones = list(range(1, 2 * pairs, 2))
    assert driver.taken == ones and outputs.occupancy[0] == pairs
    for n in range(100, 120):  # the held one keeps none from its rate
        driver.step((n, 1, 1, 1), permit=0b10)
    assert driver.taken == [*ones, *range(100, 114)]
    driver.step(permit=0b10)  # the last has left the check stage
    for _ in range(6 + pairs + 6):
        outputs = driver.step(permit=0b01)
    assert driver.taken == [*ones, *range(100, 120), *range(0, 2 * pairs, 2)]
    assert outputs.idle[0]


@pytest.mark.parametrize("config", [TINY, ONE], ids=lambda config: config.name)
@pytest.mark.parametrize("held", [0, 3], ids=["passing by", "queued"])
def test_model_ends_a_packet_whose_permit_is_gone_and_begins_no_other(config, held):
    driver, length = Driver(config), 8
    packets = [(n, 0, n % length == 0, n % length == length - 1) for n in range(2 * length)]
    for n, flit in enumerate(packets):  # the first has its permit for a cycle
        driver.step(flit, permit=int(n == held))
    for _ in range(20):
        outputs = driver.step(permit=0)
    assert driver.taken == list(range(length)) and outputs.occupancy[0] == length
    driver.step(permit=1)
    for _ in range(20):
        outputs = driver.step(permit=0)
    assert driver.taken == list(range(2 * length)) and outputs.idle[0]


@pytest.mark.parametrize("config", [TINY, ONE], ids=lambda config: config.name)
def test_model_discards_what_has_no_permit(config):
    driver = Driver(config)
    for n in range(10):
        driver.step((n, n % config.classes, 1, 1), permit=0)
    for _ in range(20):
        assert not driver.step(permit=0).idle[0]
    for _ in range(20):
        outputs = driver.step(reset=1, permit=0)
    assert outputs.idle[0] and driver.taken == [] and driver.events["discarded"] == 10


def test_model_discards_a_class_that_is_flushed_and_sends_the_others():
    """Without a permit, too; a packet goes on as it has begun: sent, or discarded."""
    driver, length = Driver(), 8
    packets = [(n, 1, n % length == 0, n % length == length - 1) for n in range(3 * length)]
    # The first has begun as the flush begins, the second as it ends; the third stays.
    for n, flit in enumerate(packets):
        driver.step(flit, permit=0b11 if n < 4 else 0b01, flush=0b10 if 4 <= n < 16 else 0)
        if flit[3]:
            driver.step((100 + n, 0, 1, 1), permit=0b01)
    for _ in range(20):
        outputs = driver.step(permit=0b01)
    assert driver.taken == [*range(length), 107, 115, 123]
    assert driver.events["discarded"] == 1 and outputs.occupancy[0] == length
    for _ in range(20):
        outputs = driver.step(permit=0, flush=0b10)
    assert driver.events["discarded"] == 2 and outputs.idle[0] and len(driver.taken) == 11


def test_model_permit_acts_in_the_cycle_after():
    """A flit passes by with the permit of the cycle in which it comes."""
    for permitted, latency in (0, 2), (1, 6), (2, 7):
        driver = Driver()
        shown = [
            int(driver.step(None if n else (7, 0, 1, 1), permit=n == permitted).o_valid[0])
            for n in range(12)
        ]
        assert shown.index(1) == latency and sum(shown) == 1


def test_rtl_latency_is_two_cycles_and_six_by_way_of_the_queue():
    dut = Egress(TINY)

    async def bench(ctx):
        ctx.set(dut.i.flit, {"data": 0b111, "count": 7, "first": 1, "last": 1, "parity": 0})
        ctx.set(dut.i.valid, 1)
        await ctx.tick()
        ctx.set(dut.i.flit.data, 0b100)  # comes to an o that is full
        assert not ctx.get(dut.o.valid)
        await ctx.tick()
        ctx.set(dut.i.valid, 0)
        for n in range(5):
            assert ctx.get(dut.o.valid) and ctx.get(dut.o.payload.last)
            assert ctx.get(dut.o.payload.data) == 0b111
            assert ctx.get(dut.o.payload.user) == 0
            ctx.set(dut.o.ready, n == 4)
            await ctx.tick()
        assert ctx.get(dut.o.valid) and ctx.get(dut.o.payload.data) == 0b100

    simulator = Simulator(dut)
    simulator.add_clock(4e-9)
    simulator.add_testbench(bench)
    simulator.run()


@pytest.mark.parametrize("policy", ["strict", "weighted"])
def test_model_holds_full_queues_while_the_line_has_stopped(policy):
    """Then each class's packet leaves whole."""
    driver, depth = Driver(TINY.with_(class_policy=policy)), TINY.egress_depth
    driver.model.inputs.o_ready[0] = 0
    for n in range(2 * depth):
        driver.step((n, n // depth, n % depth == 0, n % depth == depth - 1))
    assert driver.taken == []
    driver.model.inputs.o_ready[0] = 1
    for _ in range(2 * depth + 2):
        outputs = driver.step()
    assert driver.taken == list(range(2 * depth)) and outputs.idle[0]


@pytest.mark.verilator
@pytest.mark.parametrize("policy", ["strict", "weighted"])
@pytest.mark.parametrize("config", [TINY, PROTO, NODE], ids=lambda config: config.name)
def test_rtl_matches_model(config, policy):
    config = config.with_(class_policy=policy)
    run_bench("egress", Egress(config), config, cycles=1000)


@pytest.mark.verilator
@pytest.mark.slow
@pytest.mark.parametrize(
    "config",
    [*NAMED.values(), ONE],
    ids=lambda config: config.name,
)
def test_rtl_matches_model_for_long(config):
    run_bench("egress", Egress(config), config, cycles=10000)


@pytest.mark.verilator
def test_rtl_matches_model_with_one_class():
    run_bench("egress", Egress(ONE), ONE)


@pytest.mark.verilator
@pytest.mark.parametrize("iterations", [1, 4])
def test_rtl_matches_model_with_odd_depth_and_other_stages(iterations):
    config = TINY.with_(name=f"ODD{iterations}", egress_flits=66, iterations=iterations)
    run_bench("egress", Egress(config), config)


@pytest.mark.formal
@pytest.mark.parametrize("policy", ["strict", "weighted"])
def test_room_and_stream_law_are_proven(policy):
    prove(
        EgressProof(SMALL.with_(class_policy=policy), contents=False), f"egress-{policy}", depth=2
    )


@pytest.mark.formal
def test_packets_stay_whole_for_some_cycles():
    """Bounded: for all inputs of the first 14 cycles, so that flits come through the queue."""
    prove(EgressProof(SMALL, contents=True), "egress-contents", depth=14, mode="bmc")
