import pytest
from amaranth.sim import Simulator

from models.config import NAMED, RACK, TINY
from models.crossbar import CrossbarModel
from rtl.crossbar import Crossbar
from sim.solver import prove
from sim.verilator import run_bench
from verif.proof.crossbar import CrossbarProof


def test_model_forwards_one_input_to_several_outputs():
    model = CrossbarModel(TINY)
    model.inputs.select_valid[0] = 1
    model.inputs.select_input[0] = 1
    model.step()
    model.inputs.select_valid[0] = 0
    assert model.step().moving[0] == 0b11
    model.inputs.i_valid[0] = 0, 1
    model.inputs.i_flit_data[0, :, 0] = 5, 6
    model.step()
    model.inputs.i_valid[0] = 0
    assert model.step().o_valid[0].tolist() == [1, 1]
    assert model.outputs.moving[0] == 0b11
    assert model.outputs.o_flit_data[0, :, 0].tolist() == [6, 6]
    assert model.step().o_valid[0].tolist() == [0, 0]
    assert model.outputs.moving[0] == 0


def test_model_shows_nothing_for_an_input_without_a_flit():
    model = CrossbarModel(TINY)
    model.inputs.select_valid[0] = 1
    model.inputs.select_input[0] = 0, 1
    model.inputs.i_valid[0] = 0, 1
    for _ in range(3):
        model.step()
    assert model.step().o_valid[0].tolist() == [0, 1]


def test_rtl_latency_is_three_cycles_from_select_and_one_from_the_flit():
    dut = Crossbar(TINY)

    async def bench(ctx):
        for name in ("valid", "input", "traffic_class"):
            ctx.set(getattr(dut.select[0], name), 1)
        await ctx.tick()
        ctx.set(dut.select[0].valid, 0)
        assert ctx.get(dut.moving) == 0b01
        await ctx.tick()
        ctx.set(dut.i[1].flit.data, 0xA5)
        ctx.set(dut.i[1].valid, 1)
        assert not ctx.get(dut.o[0].valid)
        await ctx.tick()
        assert ctx.get(dut.o[0].valid)
        assert ctx.get(dut.o[0].traffic_class) == 1
        assert ctx.get(dut.o[0].flit.data) == 0xA5
        await ctx.tick()
        assert not ctx.get(dut.o[0].valid)

    simulator = Simulator(dut)
    simulator.add_clock(4e-9)
    simulator.add_testbench(bench)
    simulator.run()


@pytest.mark.verilator
@pytest.mark.parametrize("name", ["TINY", "PROTO", "NODE"])
def test_rtl_matches_model(name):
    run_bench("crossbar", Crossbar(NAMED[name]), name)


@pytest.mark.verilator
@pytest.mark.slow
@pytest.mark.parametrize("ports", [5, 64])
def test_rtl_matches_model_with_other_numbers_of_ports(ports):
    config = RACK.with_(name=f"CROSSBAR{ports}", ports=ports, flit_bytes=32, max_packet_bytes=1024)
    run_bench("crossbar", Crossbar(config), config, cycles=500)


@pytest.mark.formal
@pytest.mark.parametrize("ports", [2, 3, 4])
def test_proof(ports):
    prove(CrossbarProof(TINY.with_(ports=ports)), f"crossbar-{ports}", depth=4)
