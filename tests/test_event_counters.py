# amaranth: UnusedElaboratable=no
import json

import pytest

from models.chip_config import chip_of
from models.config import NODE, TINY
from models.event_counters import EventCountersModel
from models.link.config import link_of
from models.serdes.config import lanes_of
from rtl.event_counters import EventCounters
from sim.verilator import run_bench

# Without lanes, and with them.
CHIPS = [chip_of(TINY), chip_of(NODE, lanes_of(link_of(NODE), 4, "rs544"))]


@pytest.mark.verilator
@pytest.mark.parametrize("chip", CHIPS, ids=lambda chip: chip.name)
def test_rtl_matches_model(chip):
    most = list(chip.counted.values())
    env = {"EVENTS_MOST": json.dumps(most)}
    run_bench("event_counters", EventCounters(most), chip, cycles=2000, extra_env=env)


def test_model_counts_before_the_cycle_that_asks():
    model = EventCountersModel([1, 7])
    i = model.inputs
    i.address[0] = 1
    i.events[0] = 1, 5
    told = [int(model.step().count[0]) for _ in range(4)]
    assert told == [0, 0, 5, 10]
    i.address[0] = 0
    model.step()
    assert model.step().count[0] == 4
    i.address[0] = 2  # there is none
    model.step()
    assert model.step().count[0] == 0


def test_chip_counts_what_its_lanes_tell():
    plain, lanes = CHIPS
    assert "codewords_bad" not in plain.counted
    assert lanes.counted["symbols_corrected"] == 15
    assert lanes.counted["codewords"] == lanes.counted["codewords_bad"] == 1
    assert lanes.lanes
    turns = lanes.lanes.with_(interleave=2).counted  # two at a time
    assert turns["symbols_corrected"] == 30
    assert turns["codewords"] == turns["codewords_bad"] == 2 and list(turns.values()).count(2) == 2
    assert lanes.counted["lost"] == lanes.link.window
    assert [name for name in lanes.counted if name.startswith("lane_3_")] == [
        "lane_3_marker_wrong",
        "lane_3_parity_wrong",
    ]
