import pytest
from amaranth.sim import Simulator

from models.backlog import BacklogModel
from models.config import TINY
from rtl.backlog import Backlog
from sim.verilator import run_bench


def announce(model: BacklogModel, queue: int, length: int, partial: bool = False) -> None:
    i = model.inputs
    i.announce_valid[0], i.announce_queue[0], i.announce_length[0] = 1, queue, length
    i.announce_partial[0] = partial
    model.step()
    i.announce_valid[0] = 0


def claim(model: BacklogModel, queue: int, connects: bool) -> tuple[int, int, int]:
    """What is ``taken`` of what shows in this cycle."""
    model.step()
    model.inputs.claim[0, 0, 0], model.inputs.claim_queue[0, 0] = 1 << queue, queue
    model.inputs.connects[0] = connects
    o = model.step()
    model.inputs.claim[:] = model.inputs.connects[:] = 0
    return int(o.taken_valid[0]), int(o.taken_flits[0]), int(o.taken_open[0])


def shown(model: BacklogModel, queue: int) -> tuple[list[int], int]:
    """``waits`` and ``many`` of ``queue`` in the next cycle."""
    o = model.step()
    return [int(w) >> queue & 1 for w in o.waits[0, :, 0]], int(o.many[0, 0]) >> queue & 1


def test_model_shows_single_flits_one_by_one():
    model = BacklogModel(TINY)
    for flits in ([1, 0, 0], [1, 1, 0], [1, 1, 1], [1, 1, 1]):
        announce(model, 2, 1)
        assert shown(model, 2) == (flits, 0)
    announce(model, 2, 1)
    assert shown(model, 2) == ([1, 0, 0], 1)  # five of them are claimed together
    announce(model, 1, 3)
    assert shown(model, 1) == ([1, 0, 0], 1)  # and so is a packet of several


def test_model_takes_everything_or_one():
    model = BacklogModel(TINY)
    for length in (1, 3, 2):
        announce(model, 3, length)
    assert claim(model, 3, connects=True) == (1, 6, 0)
    assert shown(model, 3) == ([0, 0, 0], 0)
    announce(model, 3, 1)
    announce(model, 3, 1)
    assert claim(model, 3, connects=False)[0] == 0
    assert shown(model, 3) == ([1, 0, 0], 0)


def test_model_stays_together_when_single_flits_have_left():
    model = BacklogModel(TINY.with_(iterations=2))
    for _ in range(5):
        announce(model, 3, 1)
    i = model.inputs
    i.claim[0, :, 0], i.claim_queue[:] = 1 << 3, 3  # granted when there were three
    model.step()
    i.claim[:] = 0
    assert shown(model, 3) == ([1, 0, 0], 1)
    assert claim(model, 3, connects=True)[1] == 3


def test_model_leaves_what_joins_as_the_claim_is_made():
    model = BacklogModel(TINY)
    announce(model, 0, 2)
    i = model.inputs
    i.announce_valid[0], i.announce_queue[0], i.announce_length[0] = 1, 0, 4
    i.announce_partial[0] = 1
    model.step()  # the scheduler decides in this cycle
    i.announce_length[0] = 1
    i.claim[0, 0, 0] = i.connects[0] = 1
    o = model.step()
    assert (o.taken_flits[0], o.taken_open[0]) == (2, 0)
    i.announce_valid[0] = i.claim[0, 0, 0] = i.connects[0] = 0
    assert shown(model, 0) == ([1, 0, 0], 1)
    assert claim(model, 0, connects=True)[1] == 5


def test_model_is_open_until_complete():
    model = BacklogModel(TINY)
    announce(model, 0, 5, partial=True)
    model.inputs.complete[0] = 1
    model.step()
    model.inputs.complete[0] = 0
    assert claim(model, 0, connects=True) == (1, 5, 0)


def test_rtl_latency_is_one_cycle():
    dut = Backlog(TINY)

    async def bench(ctx):
        for _ in range(TINY.queues):  # swept
            await ctx.tick()
        ctx.set(dut.announce.valid, 1)
        ctx.set(dut.announce.queue, 3)
        ctx.set(dut.announce.length, 2)
        assert not ctx.get(dut.many)
        await ctx.tick()
        assert ctx.get(dut.many) == 1 << 3
        ctx.set(dut.announce.valid, 0)
        await ctx.tick()
        ctx.set(dut.claim[0], 1 << 3)
        ctx.set(dut.claim_queue[0], 3)
        ctx.set(dut.connects, 1)
        assert ctx.get(dut.taken.valid) == 1
        assert ctx.get(dut.taken.flits) == 2
        await ctx.tick()
        assert ctx.get(dut.waits[0]) == 0

    simulator = Simulator(dut)
    simulator.add_clock(1e-9)
    simulator.add_testbench(bench)
    simulator.run()


@pytest.mark.verilator
@pytest.mark.parametrize(
    "config",
    [
        TINY,
        TINY.with_(name="TINY-1", iterations=1, classes=1),
        TINY.with_(
            name="TINY-12", ports=3, classes=4, ingress_flits=64, egress_flits=256, iterations=8
        ),
    ],
    ids=lambda config: config.name,
)
def test_rtl_matches_model(config):
    run_bench("backlog", Backlog(config), config)
