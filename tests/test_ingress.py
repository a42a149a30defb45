import numpy as np
import pytest

from models.config import NAMED, TINY
from models.ingress import IngressModel
from models.packet import Header
from rtl.ingress import Ingress
from sim.verilator import run_bench

# Stalls are short, so that a bench sees them.
CONFIGS = [TINY, *(NAMED[name].with_(stall_cycles=32) for name in ("PROTO", "NODE"))]
MORE = [
    TINY.with_(name="TINY-SAF", ports=3, iterations=4, store_and_forward=True),
    TINY.with_(name="TINY-1", classes=1, iterations=1, speedup=1.5),
    NAMED["RACK"].with_(stall_cycles=32),
]


def test_model_shows_a_packet_five_cycles_after_its_flit():
    model, header = IngressModel(TINY), Header(destination=1, source=0, length=8).pack()
    i = model.inputs
    i.enable[0], i.enabled[0] = 1, 3
    for _ in range(TINY.queues):  # swept
        model.step()
    i.i_valid[0] = 1
    i.i_payload_data[0, 0] = np.array(header, np.uint64).astype(np.int64)
    i.i_payload_keep[0], i.i_payload_last[0] = 0xFF, 1
    shown = []
    for _ in range(6):
        shown.append(int(model.step().waits[0, 0, 0]))
        i.i_valid[0] = 0
    assert shown == [0] * 5 + [1 << TINY.classes]


@pytest.mark.verilator
@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.name)
def test_rtl_matches_model(config):
    run_bench("ingress", Ingress(config), config)


@pytest.mark.verilator
@pytest.mark.slow
@pytest.mark.parametrize("config", MORE, ids=lambda config: config.name)
def test_rtl_matches_model_in_more_configurations(config):
    run_bench("ingress", Ingress(config), config)
