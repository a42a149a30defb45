# amaranth: UnusedElaboratable=no
"""The public conformance cases of link-level retry, on the RTL of both ends, in lockstep.

Pass is: nothing lost, nothing reordered, no deadlock, and within 5 % of the rate of theory.
"""

import json

import pytest

from models.config import NODE
from models.link.config import DownPolicy, LinkConfig, link_of
from models.link.trial import LinkTrial
from sim.link import run

pytestmark = pytest.mark.verilator

# One build for all that need no other: largest packets of 260 bytes, so that timers are short.
LINK = link_of(NODE).with_(name="NODE-260", max_packet_bytes=260)
FULL = [64, 65, *(n + d for n in (128, 256, 512, 1024, 1518, 2048, 4096) for d in (-1, 0, 1))]


@pytest.fixture
def carried(tmp_path):
    """Run a trial on RTL and model; what came of it."""

    def carry(config: LinkConfig = LINK, **trial) -> dict:
        status = run(LinkTrial(config=config, **trial), engine="both", output=tmp_path)
        found = json.loads((tmp_path / "results.json").read_text())
        assert status == 0 and found["complete"]
        assert found["cycles_compared"] == found["cycles"]
        assert found["delivered"] + found["given_up"] == found["offered"]
        return found["counters"]["end 0"] | found  # `lost` is what nothing accounts for

    return carry


def close(found: dict) -> bool:
    return found["goodput"] == pytest.approx(found["theory"], rel=0.05)


def test_ack_frees_what_has_come(carried):
    found = carried(frames=1200, sizes=(64, 260))
    assert close(found) and found["rx_ack"] > 10
    assert found["tx_nack"] == found["replays"] == found["rx_ack_nack_seq_error"] == 0


def test_nack_is_answered_with_a_replay(carried):
    found = carried(frames=1200, sizes=(64, 260), ber=1e-5)
    assert found["delivered"] == 2400
    assert found["rx_nack"] == found["tx_replay"] > 3
    assert found["rx_expected_seq_good"] == 1200


def test_one_nack_for_a_burst_of_bad_frames(carried):
    """Frames behind the first that is lost are dropped without a word."""
    found = carried(frames=1200, sizes=(64,), ber=3e-6, burst=660)
    assert found["delivered"] == 2400 and found["tx_nack"] < found["rx_bad"]


def test_timer_replays_when_no_nack_comes(carried):
    """Cut for a moment, shorter than the PCS may be lost."""
    cycles = 3 * LINK.replay_timer_cycles
    found = carried(frames=1200, sizes=(64, 260), down=((1500, 1500 + cycles),))
    assert found["delivered"] == 2400
    assert found["tx_replay"] > 0 == found["flushed"]


def test_flush_after_the_last_replay_and_recovery(carried):
    """All that was kept is told, and all that comes later passes."""
    cycles = 3 * (LINK.replay_count_max + 1) * LINK.replay_timer_cycles
    found = carried(frames=1200, sizes=(64, 260), down=((1500, 1500 + cycles),))
    assert found["tx_replay"] == LINK.replay_count_max and found["flushed"] == 1
    ends = found["counters"].values()
    assert 0 < found["given_up"] <= sum(end["lost"] for end in ends) and not found["lost"]
    assert found["tx_init"] > 1 and found["rx_init_echo"] > 1
    assert found["delivered"] > 2000


def test_what_comes_while_all_is_mended_is_discarded_and_told(carried):
    """With the policy DISCARD."""
    cycles = 3 * (LINK.replay_count_max + 1) * LINK.replay_timer_cycles
    found = carried(
        frames=2400,
        sizes=(64, 260),
        down=((1500, 1500 + cycles),),
        policy=DownPolicy.DISCARD,
    )
    assert found["tx_discard"] > 0 and found["flushed"] == 1


def test_sizes_around_flits(carried):
    sizes = tuple(sorted({n + d for n in (65, 128, 192, 256) for d in (-1, 0, 1)}))
    found = carried(frames=1500, sizes=sizes, ber=1e-6)
    assert found["delivered"] == 3000


@pytest.mark.slow
def test_sizes_of_the_list(carried):
    found = carried(link_of(NODE), frames=4000, sizes=tuple(FULL[:-1]), ber=1e-7)
    assert found["delivered"] == 8000


@pytest.mark.slow
def test_window_limits_what_is_under_way(carried):
    """Slower, as four frames have to be acknowledged before the next; nothing else changes."""
    found = carried(LINK.with_(name="NODE-4", window_frames=4), frames=600, sizes=(64,))
    assert found["delivered"] == 1200 and found["goodput"] < 0.5 * found["theory"]


@pytest.mark.slow
@pytest.mark.parametrize("size", [64, 260])
def test_full_rate_at_500_metres(carried, size):
    config = link_of(NODE, length_m=500).with_(name="NODE-500m", max_packet_bytes=260)
    assert close(carried(config, frames=12_000, sizes=(size,)))
