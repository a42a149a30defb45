import numpy as np
import pytest

from models.config import TINY
from models.counters import CountersModel
from models.packet import Broken, Drop
from rtl.counters import Counters
from sim.verilator import run_bench


def test_model_counts_by_reason():
    model = CountersModel()
    i, o = model.inputs, model.outputs
    i.drop_valid[0], i.drop_reason[0] = 1, Drop.NO_ROUTE
    i.broken_reason[0] = Broken.STALL  # without `valid`: nothing
    for _ in range(3):
        model.step()
    assert o.counts_dropped[0, Drop.NO_ROUTE] == 2  # the third shows in the next cycle
    assert not o.counts_broken.any()


def test_model_clears_the_counts_of_the_ingress():
    model = CountersModel()
    for field in model.inputs:
        field[0] = 1
    model.step()
    outputs = model.step()
    assert outputs.counts_delivered[0] == outputs.counts_parity[0] == 1
    assert outputs.counts_accepted[0] == 0
    assert not outputs.counts_dropped.any()


def test_model_counts_modulo_32_bits():
    model = CountersModel()
    model.state.counts_errored[0] = np.int64((1 << 32) - 1)
    model.inputs.errored[0] = 1
    model.step()
    assert model.step().counts_errored[0] == 0


@pytest.mark.verilator
def test_rtl_matches_model():
    run_bench("counters", Counters(), TINY)
