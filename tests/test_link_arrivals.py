# amaranth: UnusedElaboratable=no
import pytest

from models.link.arrivals import ArrivalsModel
from models.link.config import EndKind, LinkConfig
from rtl.link.arrivals import Arrivals
from sim.verilator import run_bench

LINK = LinkConfig(flit_bytes=8, words_per_cycle=1, max_packet_bytes=64)
PACKET, BROKEN, TOLD = EndKind


def run(ends, accepted=(), dropped=(), cycles=30):
    """Ends (kind, value) and verdicts by the cycle they come in; events, pending and overrun by
    the cycle they show in."""
    model = ArrivalsModel()
    i, o, events, pending, overrun = model.inputs, model.outputs, {}, [], []
    for cycle in range(cycles):
        i.end_valid[0] = cycle in ends
        i.end_kind[0], i.end_value[0] = ends.get(cycle, (0, 0))
        i.end_channel[0] = i.end_value[0] & 31
        i.accepted[0], i.dropped[0] = cycle in accepted, cycle in dropped
        model.step()
        if o.arrival_valid[0]:
            events[cycle] = PACKET, int(o.arrival_length[0]), bool(o.arrival_stores[0])
            assert o.arrival_channel[0] == o.arrival_length[0] & 31
        if o.copy_valid[0]:
            events[cycle] = BROKEN, int(o.copy_length[0])
        if o.told_valid[0]:
            events[cycle] = TOLD, int(o.told_consumed[0])
        assert o.arrival_valid[0] + o.copy_valid[0] + o.told_valid[0] == (cycle in events)
        pending += [cycle] if o.pending[0] else []
        overrun += [cycle] if o.overrun[0] else []
    return events, pending, overrun


@pytest.mark.parametrize("verdict", [0, 4, 9])
def test_event_leaves_in_the_cycle_after_the_later_of_end_and_verdict(verdict):
    events, pending, overrun = run({4: (PACKET, 1500)}, accepted=[verdict])
    assert events == {max(4, verdict) + 1: (PACKET, 1500, True)}
    assert not pending and not overrun


def test_dropped_packet_stores_nothing_and_a_dropped_copy_vanishes():
    ends = {0: (PACKET, 64), 1: (BROKEN, 65), 2: (BROKEN, 66), 3: (TOLD, 1 << 19)}
    events, pending, overrun = run(ends, accepted=[6], dropped=[5, 7])
    assert events == {6: (PACKET, 64, False), 7: (BROKEN, 65), 9: (TOLD, 1 << 19)}
    assert pending == [2, 3, 4, 5, 6, 7, 8] and not overrun


def test_copy_with_its_verdict_is_pending_for_one_cycle():
    for drops in ([], [2]):
        _, pending, _ = run({2: (BROKEN, 64)}, accepted=[] if drops else [2], dropped=drops)
        assert pending == [3]


def test_told_waits_for_nothing_but_what_ended_before_it():
    assert run({3: (TOLD, 7)})[0] == {4: (TOLD, 7)}
    ends = {0: (PACKET, 64), 1: (TOLD, 8), 2: (PACKET, 65)}
    events, _, _ = run(ends, accepted=[5, 9])
    assert events == {6: (PACKET, 64, True), 7: (TOLD, 8), 10: (PACKET, 65, True)}


def test_what_finds_no_room_is_ignored():
    ends = {cycle: (PACKET, cycle) for cycle in range(9)}
    events, _, overrun = run(ends, accepted=range(10, 19), cycles=40)
    assert overrun == [9]
    assert events == {11 + n: (PACKET, n, True) for n in range(8)}
    # The ninth verdict waits for an end yet; two verdicts are one, an accepted one.
    events, _, overrun = run(
        {10 + n: (PACKET, n) for n in range(8)}, accepted=range(9), dropped=range(1)
    )
    assert overrun == [1, 9] and len(events) == 8 and events[11] == (PACKET, 0, True)


@pytest.mark.parametrize("end, verdict", [(2, 7), (7, 2), (4, 4)])
def test_idle_until_an_end_or_a_verdict_waits_and_again_behind_what_is_told(end, verdict):
    model, busy = ArrivalsModel(), []
    for cycle in range(20):
        model.inputs.end_valid[0] = cycle == end
        model.inputs.accepted[0] = cycle == verdict
        busy += [] if model.step().idle[0] else [cycle]
    assert busy == [*range(min(end, verdict) + 1, max(end, verdict) + 2)]


@pytest.mark.verilator
def test_rtl_matches_model():
    run_bench("link_arrivals", Arrivals(), LINK, cycles=4000)
