import numpy as np
import pytest
from amaranth.sim import Simulator

from models.classifier import ClassifierModel
from models.config import NAMED, TINY
from models.packet import Broken, Drop, Header
from rtl.classifier import Classifier
from sim.verilator import run_bench

# Stalls are short, so that a bench sees them.
CONFIGS = [NAMED[name].with_(stall_cycles=32) for name in ("TINY", "NODE")]


def run(model: ClassifierModel, flits: list[tuple[int, bool]], cycles: int = 12) -> list[tuple]:
    """Send ``(word, last)`` one after another; what is pushed as ``(data, count, last, error)``."""
    i, o, pushed, waiting = model.inputs, model.outputs, [], list(flits)
    i.enable[0], i.admit[0], i.enabled[0] = 1, 1, (1 << model.config.ports) - 1
    i.i_payload_keep[0] = (1 << model.config.flit_bytes) - 1
    for _ in range(cycles):
        i.i_valid[0] = bool(waiting)
        if waiting:
            word, i.i_payload_last[0] = waiting[0]
            i.i_payload_data[0, 0] = np.array(word, np.uint64).astype(np.int64)
        model.step()
        if waiting and o.i_ready[0]:
            waiting.pop(0)
        if o.push_valid[0]:
            flit = o.push_flit_data[0, 0], o.push_flit_count[0], o.push_flit_last[0]
            pushed.append((*map(int, flit), int(o.push_flit_error[0])))
    assert not waiting
    return pushed


def header(**fields: int) -> int:
    return Header(**({"destination": 1, "source": 0, "length": 24} | fields)).pack()


def test_model_passes_a_good_packet():
    pushed = run(ClassifierModel(TINY), [(header(), False), (5, False), (6, True)])
    assert pushed == [(header(), 7, 0, 0), (5, 7, 0, 0), (6, 7, 1, 0)]


def test_model_pads_a_short_packet():
    model = ClassifierModel(TINY)
    pushed = run(model, [(header(), False), (5, True), (header(length=8), True)])
    assert pushed == [(header(), 7, 0, 0), (5, 7, 1, 1), (0, 7, 0, 0), (header(length=8), 7, 1, 0)]
    assert model.outputs.counters_errored[0, Broken.SHORT] == 1


def test_model_eats_what_is_too_long():
    model = ClassifierModel(TINY)
    pushed = run(model, [(header(length=8), False), (5, False), (6, True)])
    assert pushed == [(header(length=8), 7, 1, 1)]
    assert model.outputs.counters_errored[0, Broken.LONG] == 1


@pytest.mark.parametrize(
    "fields, reason",
    [
        ({"length": 65}, Drop.LENGTH),
        ({"length": 7, "operation": 1}, Drop.LENGTH),
        ({"operation": 2}, Drop.OPERATION),
        ({"traffic_class": 2}, Drop.TRAFFIC_CLASS),
        ({"destination": 2}, Drop.NO_ROUTE),
        ({"destination": 8}, Drop.NO_ROUTE),
    ],
)
def test_model_drops_a_bad_header(fields, reason):
    model = ClassifierModel(TINY)
    assert run(model, [(header(**fields), False), (5, True)]) == []
    assert model.outputs.counters_dropped[0, reason] == 1


def test_rtl_latency_is_one_cycle():
    dut = Classifier(TINY)

    async def bench(ctx):
        ctx.set(dut.enable, 1)
        ctx.set(dut.enabled, 3)
        ctx.set(dut.admit, 1)
        ctx.set(dut.i.payload, {"data": header(length=8), "keep": 0xFF, "last": 1})
        ctx.set(dut.i.valid, 1)
        assert not ctx.get(dut.push.valid)
        await ctx.tick()
        assert ctx.get(dut.push.valid)
        assert ctx.get(dut.push.queue) == TINY.classes
        assert ctx.get(dut.announce.valid)

    simulator = Simulator(dut)
    simulator.add_clock(1e-9)
    simulator.add_testbench(bench)
    simulator.run()


@pytest.mark.verilator
@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.name)
def test_rtl_matches_model(config):
    run_bench("classifier", Classifier(config), config, cycles=8000)
