import numpy as np
import pytest
from amaranth.sim import Simulator

from models.classifier import ClassifierModel
from models.config import NAMED, TINY
from models.packet import Broken, Drop, Header
from rtl.classifier import PARTITIONS, Classifier
from sim.verilator import run_bench

# Stalls are short, so that a bench sees them. RACE8 has one class and whole packets of any flits.
RACE8 = TINY.with_(
    name="RACE8",
    ports=8,
    classes=1,
    ingress_flits=1024,
    reserve_flits=128,
    limit_flits=128,
    egress_flits=256,
    max_packet_bytes=512,
    iterations=1,
    endpoints=256,
)
CONFIGS = [TINY, NAMED["NODE"].with_(stall_cycles=32), RACE8]
CONFIGS += [TINY.with_(name="TINY-3", ports=3, classes=1, store_and_forward=True)]


def run(model: ClassifierModel, flits: list[tuple[int, bool]], cycles: int = 16):
    """Send ``(word, last)`` one after another; what is pushed as ``(data, count, last, error)``.
    And what was dropped or broken, and why.
    """
    i, o, pushed, waiting = model.inputs, model.outputs, [], list(flits)
    events: list[Drop | Broken] = []
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
        if o.drop_valid[0]:
            events.append(Drop(int(o.drop_reason[0])))
        if o.broken_valid[0]:
            events.append(Broken(int(o.broken_reason[0])))
    assert not waiting
    return pushed, events


def header(**fields: int) -> int:
    return Header(**({"destination": 1, "source": 0, "length": 24} | fields)).pack()


def test_model_passes_a_good_packet():
    pushed, events = run(ClassifierModel(TINY), [(header(), False), (5, False), (6, True)])
    assert pushed == [(header(), 7, 0, 0), (5, 7, 0, 0), (6, 7, 1, 0)]
    assert not events


def test_model_pads_a_short_packet():
    good = header(length=8)
    pushed, events = run(ClassifierModel(TINY), [(header(), False), (5, True), (good, True)])
    # The padding holds the data of the head that waits behind it.
    assert pushed == [(header(), 7, 0, 0), (5, 7, 1, 1), (good, 7, 0, 0), (good, 7, 1, 0)]
    assert events == [Broken.SHORT]


def test_model_eats_what_is_too_long():
    good = header(length=8)
    pushed, events = run(ClassifierModel(TINY), [(good, False), (5, False), (6, True)])
    assert pushed == [(good, 7, 1, 1)]
    assert events == [Broken.LONG]


def test_model_offers_the_head_that_comes_next():
    model = ClassifierModel(TINY)
    i, o = model.inputs, model.outputs
    i.enable[0], i.enabled[0], i.i_valid[0], i.i_payload_last[0] = 1, 3, 1, 1
    offers = []
    for length in (8, 24, 16, 32, 40, 48, 56):
        i.i_payload_data[0, 0] = header(length=length)
        model.step()
        offers.append(int(o.offer_length[0]) if o.offer_valid[0] else -1)
    assert offers == [0, 0, 0, 1, -1, -1, -1]  # it waits in the last stage
    i.admit[0] = 1
    model.step()
    assert o.push_valid[0] and o.i_ready[0] and o.offer_valid[0] and o.offer_length[0] == 3


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
    assert run(ClassifierModel(TINY), [(header(**fields), False), (5, True)]) == ([], [reason])


def test_model_programs_after_the_sweep():
    model = ClassifierModel(TINY)
    i, o = model.inputs, model.outputs
    i.program_valid[0], i.program_address[0], i.program_mask[0, 0] = 1, 1, 0
    cycles = 0
    while not o.program_ready[0]:
        model.step()
        cycles += 1
    assert cycles == PARTITIONS + 1
    i.program_valid[0] = 0
    assert run(model, [(header(), False), (5, True)]) == ([], [Drop.NO_ROUTE])


def test_rtl_latency_is_four_cycles():
    dut = Classifier(TINY)

    async def bench(ctx):
        ctx.set(dut.enable, 1)
        ctx.set(dut.enabled, 3)
        ctx.set(dut.admit, 1)
        ctx.set(dut.i.payload, {"data": header(length=8), "keep": 0xFF, "last": 1})
        await ctx.tick()
        ctx.set(dut.i.valid, 1)
        for _ in range(4):
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
