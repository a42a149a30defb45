import pytest
from amaranth.sim import Simulator

from models.buffer import BufferModel
from models.config import TINY, SwitchConfig
from rtl.buffer import Buffer
from sim.solver import prove
from sim.verilator import run_bench
from verif.proof.buffer import BufferProof

SMALL = SwitchConfig(
    ports=2,
    flit_bytes=8,
    classes=1,
    ingress_flits=3,
    egress_flits=14,
    min_packet_bytes=8,
    max_packet_bytes=16,
    reserve_flits=1,
    limit_flits=2,
    endpoints=2,
)
OWN = SMALL.with_(ingress_flits=4, reserve_flits=2, limit_flits=2)
STATIC = TINY.with_(name="STATIC", reserve_flits=8, limit_flits=8)
ODD = TINY.with_(name="ODD", ports=3, classes=1, ingress_flits=33, reserve_flits=11, limit_flits=11)


def swept(config) -> BufferModel:
    """A buffer that admits packets."""
    model = BufferModel(config)
    for _ in range(config.queues + 1):
        model.step()
    return model


def push_packet(model: BufferModel, queue: int, length: int) -> bool:
    """Push a packet if it is admitted, which may take three cycles; return whether it was."""
    i = model.inputs
    i.offer_queue[0], i.offer_length[0] = queue, length
    for cycle in range(3):
        i.offer_valid[0] = cycle == 0
        model.step()
    if not model.state.ports["admit"][0]:
        return False
    for n in range(length):
        i.offer_valid[0] = i.push_first[0] = n == 0
        i.push_valid[0], i.push_queue[0], i.push_length[0] = 1, queue, length
        model.step()
    i.push_valid[0] = 0
    return True


def test_model_keeps_every_reserve():
    model, used = swept(TINY), 0
    while push_packet(model, 0, 1):
        used += 1
    assert used == TINY.limit
    for queue in range(1, TINY.queues):  # a full queue leaves the others their reserve
        assert push_packet(model, queue, TINY.reserve)


def test_model_marks_congestion_at_half_of_the_limit():
    model = swept(TINY)
    for used in range(TINY.limit):
        model.inputs.offer_valid[0], model.inputs.offer_queue[0] = 1, 1
        model.step()
        assert model.step().used_high[0] == (used > TINY.mark_flits)
        assert push_packet(model, 1, 1)


@pytest.mark.parametrize("config", [TINY, STATIC], ids=lambda config: config.name)
def test_rtl_latency_is_two_cycles_from_push_to_pop_and_two_to_the_output(config):
    dut = Buffer(config)

    async def bench(ctx):
        for _ in range(config.queues):  # swept
            await ctx.tick()
        ctx.set(dut.offer.valid, 1)
        ctx.set(dut.offer.queue, 2)
        ctx.set(dut.offer.length, 1)
        await ctx.tick()
        ctx.set(dut.push.valid, 1)
        ctx.set(dut.push.first, 1)
        ctx.set(dut.push.queue, 2)
        ctx.set(dut.push.length, 1)
        ctx.set(dut.push.flit.data, 0xA5)
        await ctx.tick()
        ctx.set(dut.push.valid, 0)
        await ctx.tick()
        ctx.set(dut.pop.valid, 1)
        ctx.set(dut.pop.queue, 2)
        assert not ctx.get(dut.lost)
        await ctx.tick()
        assert not ctx.get(dut.o.valid) and ctx.get(dut.lost)
        await ctx.tick()
        assert ctx.get(dut.o.valid)
        assert ctx.get(dut.o.flit.data) == 0xA5
        assert ctx.get(dut.released.queue) == 2
        await ctx.tick()
        assert not ctx.get(dut.o.valid)

    simulator = Simulator(dut)
    simulator.add_clock(1e-9)
    simulator.add_testbench(bench)
    simulator.run()


@pytest.mark.verilator
@pytest.mark.parametrize(
    "config",
    [TINY, STATIC, ODD, TINY.with_(name="TINY-3", ports=3, classes=1, ingress_flits=37)],
    ids=lambda config: config.name,
)
def test_rtl_matches_model(config):
    run_bench("buffer", Buffer(config), config)


@pytest.mark.formal
@pytest.mark.parametrize("name, config, depth", [("list", SMALL, 10), ("ring", OWN, 12)])
def test_proof_bounded(name, config, depth):
    prove(BufferProof(config), f"buffer-{name}", depth=depth, mode="bmc")
