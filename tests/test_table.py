import pytest
from amaranth.sim import Simulator

from models.config import NAMED
from models.table import TableModel
from rtl.table import Table
from sim.verilator import run_bench


def look_up(model: TableModel, address: int) -> tuple[int, bool]:
    model.inputs.lookup_valid[0], model.inputs.lookup_address[0] = 1, address
    model.step()
    model.inputs.lookup_valid[0], model.inputs.take[0] = 0, 1
    model.step()
    model.inputs.take[0] = 0
    outputs = model.step()
    mask = sum((int(word) & (1 << 64) - 1) << 64 * n for n, word in enumerate(outputs.mask[0]))
    return mask, bool(outputs.valid[0])


def test_model_starts_as_the_identity():
    model = TableModel(70, entries=128, identity=True)
    assert look_up(model, 3) == (8, True)
    assert look_up(model, 63) == (1 << 63, True)
    assert look_up(model, 69) == (1 << 69, True)
    assert look_up(model, 70) == (0, True)
    assert look_up(model, 128) == (0, False)


def test_model_starts_with_all_ports_in_every_partition():
    assert look_up(TableModel(5, entries=256, identity=False), 255) == (31, True)


def write(model: TableModel, address: int, mask: int) -> None:
    i = model.inputs
    i.write_valid[0], i.write_address[0], i.write_mask[0, 0] = 1, address, mask
    model.step()
    i.write_valid[0] = 0
    model.step()


def test_lookup_sees_writes_of_earlier_cycles():
    model = TableModel(4, entries=8, identity=True)
    for _ in range(8):
        assert not model.step().ready[0]
    write(model, 2, 9)
    assert model.outputs.ready[0]
    assert look_up(model, 2) == (9, True)


def test_lookup_in_the_cycle_after_a_write_is_not_done():
    model = TableModel(4, entries=8, identity=True)
    for _ in range(8):
        model.step()
    i = model.inputs
    i.take[0] = 1
    i.write_valid[0], i.write_address[0], i.write_mask[0, 0] = 1, 7, 9
    i.lookup_valid[0], i.lookup_address[0] = 1, 2
    model.step()
    i.write_valid[0], i.lookup_address[0] = 0, 3
    model.step()
    i.lookup_valid[0] = 0
    assert model.step().mask[0, 0] == 4
    assert model.step().mask[0, 0] == 4


def test_write_before_ready_is_ignored():
    model = TableModel(4, entries=8, identity=True)
    write(model, 2, 9)
    assert look_up(model, 2) == (4, True)


def test_take_shows_lookups_of_earlier_cycles():
    model = TableModel(4, entries=8, identity=True)
    i = model.inputs
    i.lookup_valid[0], i.take[0] = 1, 1
    for address in range(4):
        i.lookup_address[0] = address
        shown = int(model.step().mask[0, 0])
        assert shown == (1, 1, 1, 2)[address]


@pytest.mark.parametrize("entries", [0, 1, 12, 65537])
def test_wrong_size_is_named(entries):
    with pytest.raises(ValueError, match=f"not {entries}"):
        Table(2, entries=entries, identity=True)


def test_rtl_latency_is_two_cycles():
    dut = Table(4, entries=8, identity=True)

    async def bench(ctx):
        ctx.set(dut.lookup.valid, 1)
        ctx.set(dut.lookup.address, 2)
        ctx.set(dut.take, 1)
        await ctx.tick()
        assert ctx.get(dut.mask) == 1
        await ctx.tick()
        assert ctx.get(dut.mask) == 4

    simulator = Simulator(dut)
    simulator.add_clock(1e-9)
    simulator.add_testbench(bench)
    simulator.run()


@pytest.mark.verilator
@pytest.mark.parametrize("config, identity", [("TINY", True), ("LINGYUN", False)])
def test_rtl_matches_model(config, identity):
    ports, entries = NAMED[config].ports, NAMED[config].endpoints
    run_bench(
        "table",
        Table(ports, entries=entries, identity=identity),
        config,
        extra_env={"TABLE_IDENTITY": str(int(identity))},
    )
