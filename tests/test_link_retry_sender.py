# amaranth: UnusedElaboratable=no
import pytest
from amaranth.sim import Simulator

from models.config import NODE
from models.link.config import LinkConfig, link_of
from rtl.link.retry_sender import RetrySender
from sim.verilator import run_bench

SMALL = LinkConfig(
    name="SMALL",
    flit_bytes=8,
    words_per_cycle=1,
    min_packet_bytes=8,
    max_packet_bytes=24,
    length_m=0,
    ack_bytes=64,
    replay_flits=7,
    window_frames=4,
    replay_count_max=2,
    pcs_lost_ns=60,
    data_age_ns=150,
)
WIDE = link_of(
    NODE,
    max_packet_bytes=256,
    length_m=0,
    ack_bytes=64,
    replay_flits=13,
    window_frames=8,
    replay_count_max=3,
    pcs_lost_ns=60,
    data_age_ns=200,
)


@pytest.mark.verilator
@pytest.mark.parametrize("config", [SMALL, WIDE], ids=lambda config: config.name)
def test_rtl_matches_model(config):
    run_bench("link_retry_sender", RetrySender(config), config, cycles=5000)
