# amaranth: UnusedElaboratable=no
import numpy as np
import pytest

from models.classifier import ClassifierModel
from models.config import MAX_OWED, NODE, TINY
from models.isolator import IsolatorModel
from models.packet import Header
from rtl.isolator import Isolator
from sim.verilator import run_bench


@pytest.mark.verilator
@pytest.mark.parametrize("config", [TINY, NODE], ids=lambda config: config.name)
def test_rtl_matches_model(config):
    run_bench("isolator", Isolator(config), config, cycles=4000)


def test_classifier_owes_no_more_than_it_may():
    """Packets of one flit, as fast as they go; the room for them comes and goes."""
    model, rng, owed, most = ClassifierModel(TINY), np.random.default_rng(1), 0, 0
    i, o = model.inputs, model.outputs
    i.enable[0] = i.enabled[0, 0] = i.i_valid[0] = i.i_payload_last[0] = 1
    i.i_payload_data[0, 0] = Header(destination=0, source=0, length=8).pack()
    i.i_payload_keep[0] = 255
    for cycle in range(1000):
        i.admit[0] = cycle < 300 or rng.random() < 0.5
        model.step()
        owed += int(o.i_ready[0]) - int(o.accepted[0]) - int(o.drop_valid[0])
        most = max(most, owed)
    assert most == MAX_OWED


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
