import pytest
from amaranth.sim import Simulator

from models.backlog import BacklogModel
from models.config import TINY, SwitchConfig
from rtl.backlog import Backlog
from sim.solver import prove
from sim.verilator import run_bench
from verif.proof.backlog import BacklogProof

SMALL = SwitchConfig(
    ports=2,
    flit_bytes=8,
    classes=1,
    ingress_flits=8,
    egress_flits=4,
    min_packet_bytes=8,
    max_packet_bytes=24,
    reserve_flits=1,
    limit_flits=7,
    endpoints=2,
)


def announce(model: BacklogModel, queue: int, length: int, partial: bool = False) -> None:
    i = model.inputs
    i.announce_valid[0], i.announce_queue[0], i.announce_length[0] = 1, queue, length
    i.announce_partial[0] = partial
    model.step()
    i.announce_valid[0] = 0


def shown(model: BacklogModel, queue: int) -> tuple[int, int, int]:
    """Singles, length and partial of ``queue`` in the next cycle."""
    o = model.step()
    singles = sum(int(o.singles[0, k, 0]) >> queue & 1 for k in range(model.config.iterations))
    return singles, int(o.length[0, queue]), int(o.partial[0, 0]) >> queue & 1


def test_model_shows_singles_in_a_row_and_longs_alone():
    model = BacklogModel(TINY)
    for length in (1, 1, 3):
        announce(model, 2, length)
    assert shown(model, 2) == (2, 1, 0)
    i = model.inputs
    i.claim_valid[0], i.claim_queue[0] = 1, 2  # both singles at once
    model.step()
    i.claim_valid[0] = 0
    assert shown(model, 2) == (0, 3, 0)


def test_model_hides_a_queue_for_a_cycle_after_a_long():
    model = BacklogModel(TINY)
    for length in (4, 2):
        announce(model, 1, length)
    model.inputs.claim_valid[0, 0], model.inputs.claim_queue[0, 0] = 1, 1
    assert shown(model, 1) == (0, 4, 0)
    model.inputs.claim_valid[0, 0] = 0
    assert shown(model, 1) == (0, 0, 0)
    assert shown(model, 1) == (0, 2, 0)


def test_model_shows_partial_until_complete():
    model = BacklogModel(TINY)
    announce(model, 0, 5, partial=True)
    assert shown(model, 0) == (0, 5, 1)
    model.inputs.complete[0] = 1
    assert shown(model, 0) == (0, 5, 1)
    model.inputs.complete[0] = 0
    assert shown(model, 0) == (0, 5, 0)


def test_rtl_latency_is_one_cycle():
    dut = Backlog(TINY)

    async def bench(ctx):
        ctx.set(dut.announce.valid, 1)
        ctx.set(dut.announce.queue, 3)
        ctx.set(dut.announce.length, 2)
        assert not ctx.get(dut.longs)
        await ctx.tick()
        assert ctx.get(dut.longs) == 1 << 3
        assert ctx.get(dut.length[3]) == 2

    simulator = Simulator(dut)
    simulator.add_clock(1e-9)
    simulator.add_testbench(bench)
    simulator.run()


@pytest.mark.verilator
@pytest.mark.parametrize(
    "config",
    [
        TINY,
        TINY.with_(
            name="TINY-12", ports=3, classes=4, ingress_flits=64, egress_flits=32, iterations=8
        ),
    ],
    ids=lambda config: config.name,
)
def test_rtl_matches_model(config):
    run_bench("backlog", Backlog(config), config)


@pytest.mark.formal
def test_proof_bounded():
    prove(BacklogProof(SMALL), "backlog", depth=6, mode="bmc")
