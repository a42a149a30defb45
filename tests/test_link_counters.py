# amaranth: UnusedElaboratable=no
import pytest

from models.config import NODE, TINY
from models.link.config import link_of
from models.link.counters import LinkCountersModel
from models.link.wire import COUNTED
from rtl.link.counters import LinkCounters
from sim.verilator import run_bench


@pytest.mark.verilator
@pytest.mark.parametrize("config", [link_of(TINY), link_of(NODE)], ids=lambda link: link.name)
def test_rtl_matches_model(config):
    run_bench("link_counters", LinkCounters(config), config, cycles=2000)


def test_model_counts_before_the_cycle_that_asks():
    model = LinkCountersModel(link_of(TINY))
    i = model.inputs
    i.address[0] = COUNTED.index("lost")
    i.events_lost[0], i.events_flushed[0] = 5, 1
    told = [int(model.step().count[0]) for _ in range(4)]
    assert told == [0, 0, 5, 10]
    i.address[0] = COUNTED.index("flushed")
    model.step()
    assert model.step().count[0] == 4
