# amaranth: UnusedElaboratable=no
import pytest

from models.config import NODE, TINY
from models.link.config import link_of
from models.link.hold import HoldModel
from rtl.link.hold import Hold
from sim.verilator import run_bench

THREE = link_of(TINY).with_(name="TINY-3", max_packet_bytes=24)
SHORT = link_of(NODE).with_(name="NODE-6", max_packet_bytes=384)


def run(flits, holds, cycles, ready=lambda cycle: True):
    """Offer flits (number, last, user, broken); cycle, number, user and broken of what comes."""
    model = HoldModel(THREE)
    i, o, came, dropped, taken = model.inputs, model.outputs, [], [], []
    for cycle in range(cycles):
        i.i_valid[0] = len(taken) < len(flits)
        if i.i_valid[0]:
            number, last, user, broken = flits[len(taken)]
            i.i_payload_data[0], i.i_payload_last[0] = number, last
            i.i_payload_user[0], i.i_payload_broken[0] = user, broken
            i.i_payload_channel[0] = number
        i.holds[0], i.o_ready[0] = holds(cycle), ready(cycle)
        model.step()
        if o.o_valid[0] and i.o_ready[0]:
            assert o.o_payload_channel[0] == o.o_payload_data[0, 0]
            values = o.o_payload_data[0, 0], o.o_payload_user[0], o.o_payload_broken[0]
            came.append((cycle, *map(int, values)))
        if o.dropped[0]:
            dropped.append(cycle)
        if i.i_valid[0] and o.i_ready[0]:
            taken.append(cycle)
    return came, dropped, taken


# The second packet is broken, the third poisoned.
FLITS = [(1, 0, 0, 0), (2, 1, 0, 0), (3, 0, 0, 0), (4, 1, 1, 1), (5, 1, 1, 0)]


def test_model_waits_for_the_end_and_forgets_the_broken():
    came, dropped, taken = run(FLITS, lambda cycle: True, 12)
    assert came == [(3, 1, 0, 0), (4, 2, 0, 0), (6, 5, 1, 0)]
    assert dropped == [4] and taken == [0, 1, 2, 3, 4]


def test_model_lets_packets_through_with_all_that_they_carry():
    came, dropped, taken = run(FLITS, lambda cycle: False, 8)
    assert came == [(0, 1, 0, 0), (1, 2, 0, 0), (2, 3, 0, 0), (3, 4, 1, 1), (4, 5, 1, 0)]
    assert not dropped and taken == [0, 1, 2, 3, 4]


def test_model_decides_when_the_first_flit_is_offered():
    # It waits, and `holds` rises meanwhile; the next packet begins with `holds`, the third behind.
    came, dropped, taken = run(
        [(1, 0, 0, 0), (2, 1, 0, 0), (3, 0, 0, 0), (4, 1, 0, 0), (5, 1, 0, 0)],
        lambda cycle: 0 < cycle < 6,
        14,
        ready=lambda cycle: cycle > 2,
    )
    assert taken == [3, 4, 5, 6, 7]
    assert came == [(cycle, number, 0, 0) for cycle, number in ((3, 1), (4, 2), (8, 3), (9, 4))] + [
        (10, 5, 0, 0)
    ]
    assert not dropped


def test_model_lets_through_again_once_all_has_left():
    # The first is stored and leaves in cycle 2; what is offered in 2 waits, what in 3 passes.
    packet = [(1, 1, 0, 0)]
    came, _, _ = run(
        [*packet, (2, 1, 1, 1), (3, 1, 1, 1), (4, 1, 1, 1)], lambda cycle: not cycle, 9
    )
    assert came == [(2, 1, 0, 0), (3, 4, 1, 1)]


@pytest.mark.verilator
@pytest.mark.parametrize("config", [THREE, SHORT], ids=lambda config: config.name)
def test_rtl_matches_model(config):
    run_bench("link_hold", Hold(config), config, cycles=3000)
