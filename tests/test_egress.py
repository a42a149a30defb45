import numpy as np
import pytest
from amaranth.sim import Simulator

from models.config import NAMED, NODE, PROTO, TINY
from models.egress import EgressModel
from rtl.egress import Egress
from sim.solver import prove
from sim.verilator import run_bench
from verif.proof.egress import EgressProof

SMALL = TINY.with_(max_packet_bytes=24, egress_flits=6)  # a class holds one packet of 3 flits


class Driver:
    """Steps a model of ``TINY``; all that is sent carries the right parity."""

    def __init__(self):
        self.model = EgressModel(TINY)
        self.model.inputs.o_ready[0] = 1
        self.taken: list[int] = []  # data of the flits that left

    def step(self, flit=None, reserve=(), reset=0):
        """``flit`` is (data, class, first, last), ``reserve`` pairs of class and length."""
        inputs = self.model.inputs
        inputs.i_valid[0] = flit is not None
        if flit is not None:
            data, inputs.i_traffic_class[0], inputs.i_first[0], last = flit
            count = TINY.flit_bytes - 1
            inputs.i_flit_data[0, 0], inputs.i_flit_count[0] = data, count
            inputs.i_flit_last[0] = last
            inputs.i_flit_parity[0, 0] = (data.bit_count() + count.bit_count() + last) & 1
        inputs.reserve_valid[0] = 0
        for k, (traffic_class, length) in enumerate(reserve):
            inputs.reserve_valid[0, k] = 1
            inputs.reserve_traffic_class[0, k] = traffic_class
            inputs.reserve_length[0, k] = length
        inputs.reset[0] = reset
        outputs = self.model.step()
        if outputs.o_valid[0] and inputs.o_ready[0]:
            self.taken.append(int(outputs.o_payload_data[0, 0]))
        return outputs


@pytest.mark.parametrize("stop", [0, 5])
def test_model_moves_a_flit_per_cycle_across_classes(stop):
    """Also if flits have piled up while the line had stopped."""
    driver, cycles = Driver(), 100
    driver.step(reserve=[(0, 1)])
    for n in range(cycles):
        driver.model.inputs.o_ready[0] = n >= stop
        driver.step((n, n % 2, 1, 1), reserve=[((n + 1) % 2, 1)])
    assert len(driver.taken) == cycles - max(stop, 1)
    if not stop:
        assert driver.taken == list(range(cycles - 1))


def test_model_counts_room():
    driver = Driver()
    outputs = driver.step(reserve=[(0, 3), (0, 2)])
    assert outputs.room[0].tolist() == [8, 8] and outputs.idle[0]
    outputs = driver.step((1, 0, 1, 1), reserve=[(1, 8)])  # ends early: two flits of padding
    assert outputs.room[0].tolist() == [3, 8] and outputs.occupancy[0] == 5
    assert driver.step((2, 0, 0, 0)).room[0].tolist() == [4, 0]
    assert driver.step((3, 0, 0, 0)).room[0].tolist() == [5, 0]
    assert driver.step().room[0].tolist() == [6, 0]
    assert driver.taken == [1]


def test_model_ends_a_packet_where_its_parity_is_wrong():
    driver = Driver()
    driver.step(reserve=[(0, 3)])
    driver.step((1, 0, 1, 0))
    driver.model.inputs.i_flit_mark[0] = 1  # is covered, too
    driver.step((2, 0, 0, 0))
    outputs = driver.step((3, 0, 0, 1))
    assert outputs.o_payload_last[0] and outputs.o_payload_user[0] == 0b11
    outputs = driver.step()
    assert driver.taken == [1, 2] and outputs.idle[0]
    assert outputs.counters_errored[0] == outputs.counters_parity[0] == 1
    assert outputs.counters_delivered[0] == 0


def test_model_flushes_a_packet_to_its_end_after_reset():
    driver = Driver()
    driver.step(reserve=[(0, 4), (1, 1)])
    driver.step((1, 0, 1, 0))
    driver.step((2, 0, 0, 0))  # 1 leaves in this cycle
    driver.step((3, 0, 0, 0), reset=1)
    driver.step((4, 0, 0, 1))
    driver.step((5, 1, 1, 1))
    driver.step()
    outputs = driver.step()
    assert driver.taken == [1, 5] and outputs.idle[0]
    assert outputs.counters_discarded[0] == outputs.counters_delivered[0] == 1


def test_rtl_latency_is_one_cycle():
    dut = Egress(TINY)

    async def bench(ctx):
        ctx.set(dut.i.flit, {"data": 0b111, "count": 7, "last": 1, "parity": 1})
        ctx.set(dut.i.first, 1)
        ctx.set(dut.i.valid, 1)
        assert not ctx.get(dut.o.valid)
        await ctx.tick()
        assert ctx.get(dut.o.valid) and ctx.get(dut.o.payload.last)
        assert ctx.get(dut.o.payload.data) == 0b111
        assert ctx.get(dut.o.payload.user) == 0

    simulator = Simulator(dut)
    simulator.add_clock(4e-9)
    simulator.add_testbench(bench)
    simulator.run()


@pytest.mark.parametrize("policy", ["strict", "weighted"])
def test_model_holds_full_queues_while_the_line_has_stopped(policy):
    """Then each class's packet leaves whole."""
    driver = Driver()
    driver.model = EgressModel(TINY.with_(class_policy=policy))
    driver.step(reserve=[(0, 8), (1, 8)])
    for n in range(16):
        driver.step((n, n // 8, n % 8 == 0, n % 8 == 7))
    assert driver.taken == []
    driver.model.inputs.o_ready[0] = 1
    for _ in range(20):
        outputs = driver.step()
    assert driver.taken == list(range(16)) and outputs.idle[0]
    assert np.all(outputs.room[0] == TINY.egress_depth)


@pytest.mark.verilator
@pytest.mark.parametrize("policy", ["strict", "weighted"])
@pytest.mark.parametrize("config", [TINY, PROTO, NODE], ids=lambda config: config.name)
def test_rtl_matches_model(config, policy):
    config = config.with_(class_policy=policy)
    run_bench("egress", Egress(config), config, cycles=1000)


@pytest.mark.verilator
@pytest.mark.slow
@pytest.mark.parametrize("name", NAMED)
def test_rtl_matches_model_for_long(name):
    run_bench("egress", Egress(NAMED[name]), name, cycles=10000)


@pytest.mark.verilator
@pytest.mark.parametrize("iterations", [1, 4])
def test_rtl_matches_model_with_odd_depth_and_other_stages(iterations):
    config = TINY.with_(name=f"ODD{iterations}", egress_flits=22, iterations=iterations)
    run_bench("egress", Egress(config), config)


@pytest.mark.formal
@pytest.mark.parametrize("policy", ["strict", "weighted"])
def test_room_and_stream_law_are_proven(policy):
    prove(
        EgressProof(SMALL.with_(class_policy=policy), contents=False), f"egress-{policy}", depth=2
    )


@pytest.mark.formal
def test_packets_stay_whole_for_some_cycles():
    """Bounded: for all inputs of the first 8 cycles."""
    prove(EgressProof(SMALL, contents=True), "egress-contents", depth=8, mode="bmc")
