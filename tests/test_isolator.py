# amaranth: UnusedElaboratable=no
import pytest

from models.config import NODE, TINY
from models.isolator import IsolatorModel
from rtl.isolator import Isolator
from sim.verilator import run_bench


@pytest.mark.verilator
@pytest.mark.parametrize("config", [TINY, NODE], ids=lambda config: config.name)
def test_rtl_matches_model(config):
    run_bench("isolator", Isolator(config), config, cycles=4000)


def test_model_tells_of_each_packet_and_ends_what_it_began():
    """A packet each way is under way as the port is reset, and another comes meanwhile."""
    model = IsolatorModel(TINY)
    i, o = model.inputs, model.outputs
    i.to_switch_ready[0] = i.to_link_ready[0] = 1
    seen = []
    for cycle in range(12):
        i.reset[0] = 1 <= cycle < 9
        i.from_link_valid[0] = cycle in (0, 3, 4, 5)
        i.from_link_payload_last[0] = cycle in (4, 5)  # of the first, and a packet of one flit
        i.from_switch_valid[0] = cycle == 0
        model.step()
        seen.append(
            [int(x[0]) for x in (o.from_link_ready, o.to_switch_valid, o.refused, o.idle)]
            + [int(o.to_link_valid[0]), int(o.to_link_payload_user[0])]
        )
    into, passed, refused, idle, out, error = (list(column) for column in zip(*seen, strict=True))
    assert into == [1, 0, 0, 1, 1, 1, 1, 1, 1, 0, 1, 1]
    assert passed == [1] + 11 * [0]
    assert refused == [0, 0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0]
    assert idle == [1, 0, 0, 0, 1, 1, 0, 1, 1, 1, 1, 1]
    assert out == [1, 0, 1] + 9 * [0] and error[2] == 1
