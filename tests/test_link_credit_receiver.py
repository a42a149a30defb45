# amaranth: UnusedElaboratable=no
import pytest

from models.config import NODE, TINY
from models.link.config import link_of
from rtl.link.credit_receiver import CreditReceiver
from sim.verilator import run_bench

LINKS = {
    "node-1": link_of(NODE, name="NODE-1", channels=1, credit_bytes=64),
    "tiny-3": link_of(TINY, name="TINY-3", channels=3),
    "node-16": link_of(NODE, name="NODE-16", channels=16),
    "node-32": link_of(NODE),
}


@pytest.mark.verilator
@pytest.mark.parametrize("config", LINKS.values(), ids=LINKS)
def test_rtl_matches_model(config):
    run_bench("link_credit_receiver", CreditReceiver(config), config, cycles=2500)


def test_credit_of_less_than_a_flit_is_named():
    with pytest.raises(ValueError, match="credit_bytes must be flit_bytes or more: 64, not 32"):
        CreditReceiver(link_of(NODE, credit_bytes=32))
