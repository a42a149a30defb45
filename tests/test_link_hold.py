# amaranth: UnusedElaboratable=no
import pytest

from models.config import NODE, TINY
from models.link.config import link_of
from models.link.hold import HoldModel
from rtl.link.hold import Hold
from sim.verilator import run_bench

THREE = link_of(TINY).with_(name="TINY-3", max_packet_bytes=24)
SHORT = link_of(NODE).with_(name="NODE-6", max_packet_bytes=384)


def test_model_waits_for_the_end_and_forgets_the_broken():
    model = HoldModel(THREE)
    i, o = model.inputs, model.outputs
    i.o_ready[0] = i.i_valid[0] = 1
    came = []
    # The second packet is broken. Number of the flit, last, user.
    flits = [(1, 0, 0), (2, 1, 0), (3, 0, 0), (4, 1, 1), (5, 1, 0)]
    for cycle in range(12):
        i.i_valid[0] = cycle < len(flits)
        if i.i_valid[0]:
            i.i_payload_data[0], i.i_payload_last[0], i.i_payload_user[0] = flits[cycle]
        model.step()
        assert o.i_ready[0] and o.dropped[0] == (cycle == 4)
        if o.o_valid[0]:
            came.append((cycle, int(o.o_payload_data[0, 0])))
    assert came == [(3, 1), (4, 2), (6, 5)]


@pytest.mark.verilator
@pytest.mark.parametrize("config", [THREE, SHORT], ids=lambda config: config.name)
def test_rtl_matches_model(config):
    run_bench("link_hold", Hold(config), config, cycles=3000)
