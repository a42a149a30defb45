# amaranth: UnusedElaboratable=no
import pytest

from models.config import NODE, TINY
from models.link.config import link_of
from rtl.link.credit_sender import CreditSender
from sim.verilator import run_bench

LINKS = {
    "node-1": link_of(NODE, name="NODE-1", channels=1, credit_bytes=64),
    "tiny-4": link_of(TINY),
    "node-16": link_of(NODE, name="NODE-16", channels=16),
    "node-32": link_of(NODE),
}


@pytest.mark.verilator
@pytest.mark.parametrize("config", LINKS.values(), ids=LINKS)
def test_rtl_matches_model(config):
    run_bench("link_credit_sender", CreditSender(config), config, cycles=1500)


def test_packet_beyond_all_limits_is_named():
    config = link_of(NODE, credit_bytes=64)
    with pytest.raises(ValueError, match="credit_bytes must be larger than 64: a packet of"):
        CreditSender(config, credit_bits=6)
