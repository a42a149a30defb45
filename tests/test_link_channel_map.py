# amaranth: UnusedElaboratable=no
import pytest

from models.config import PROTO, TINY
from models.link.channel_map import ChannelMapModel
from rtl.link.channel_map import ChannelMap
from sim.verilator import run_bench


@pytest.mark.verilator
@pytest.mark.parametrize(
    "config", [TINY, PROTO, PROTO.with_(name="PROTO-3", ports=3)], ids=lambda config: config.name
)
def test_rtl_matches_model(config):
    run_bench("link_channel_map", ChannelMap(config), config, cycles=2000)


def test_model_keeps_what_is_written_after_the_sweep():
    model = ChannelMapModel(TINY)
    i, o = model.inputs, model.outputs
    i.write_valid[0] = i.write_port[0] = 1
    i.write_address[0] = i.destination[0] = 5
    taken = []
    for _ in range(TINY.endpoints + 2):
        model.step()
        taken.append((int(o.write_ready[0]), int(o.port[0])))
    assert taken == [(0, 0)] * TINY.endpoints + [(1, 0), (1, 1)]
