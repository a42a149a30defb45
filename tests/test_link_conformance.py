# amaranth: UnusedElaboratable=no
"""The public conformance cases of link-level retry and credits, on RTL of both ends, in lockstep.

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
# And with credits: sizes of packets are not those of credits, and channels share a reader.
CREDITS = LINK.with_(
    name="NODE-260-credits", channels=4, credit_bytes=64, pcs_lost_ns=1000, replay_count_max=4
)
# Between credits, on them, and beyond.
SIZES = 64, 111, 112, 113, 175, 176, 177, 240, 241, 260
FULL = [64, 65, *(n + d for n in (128, 256, 512, 1024, 1518, 2048, 4096, 9216) for d in (-1, 0, 1))]


@pytest.fixture
def carried(tmp_path):
    """Run a trial on RTL and model; what came of it."""

    def carry(config: LinkConfig = LINK, **trial) -> dict:
        status = run(LinkTrial(config=config, **trial), engine="both", output=tmp_path)
        found = json.loads((tmp_path / "results.json").read_text())
        assert status == (found["waiting"] > 0) and found["complete"]
        assert found["cycles_compared"] == found["cycles"]
        waiting = 0 if trial.get("drain", 1) else found["waiting"]
        done = found["delivered"] + found["given_up"] + found["poisoned"]
        assert done + waiting == found["offered"]
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
    found = carried(frames=1200, sizes=(64,), ber=3e-6, burst=1400)
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


def test_frames_with_and_without_numbers(carried):
    """With BEST_EFFORT, packets that come before the INIT_ECHO go without."""
    down = ((1500, 1500 + 3 * LINK.replay_timer_cycles),)
    found = carried(frames=1200, sizes=(64, 260), down=down, policy=DownPolicy.BEST_EFFORT)
    assert found["delivered"] == 2400 and found["tx_replay"] > 0
    assert 0 < found["delivered"] / 2 - found["rx_expected_seq_good"] < 30


def test_poison_is_passed_on_once(carried):
    """A packet that was broken before it came to the link is no loss, and is not asked for."""
    found = carried(CREDITS, frames=600, sizes=SIZES, credits=24, poison=0.1, ber=1e-5)
    ends = found["counters"].values()
    passed = sum(end["rx_expected_seq_poisoned"] for end in ends)
    assert passed == found["poisoned"] > 50 and found["replays"] > 3
    assert found["delivered"] == 1200 - passed
    assert sum(end["tx_poisoned"] for end in ends) == passed and nothing_odd(found)


@pytest.mark.slow
def test_sizes_of_the_list(carried):
    jumbo = link_of(NODE).with_(name="NODE-9217", max_packet_bytes=9217)
    found = carried(jumbo, frames=4000, sizes=tuple(FULL), ber=1e-7)
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


def nothing_odd(found: dict) -> bool:
    """Credits did what they should: no more came than had room, nothing was counted twice."""
    odd = "credit_excess", "credit_overrun", "credit_underrun", "rx_overrun"
    return not any(end[name] for end in found["counters"].values() for name in odd)


@pytest.mark.parametrize("drain", [1.0, 0.5])
def test_credits_of_every_size_are_the_same_at_both_ends(carried, drain):
    """Else the one that counts more would tell of credits that were never used, or run dry."""
    found = carried(CREDITS, frames=800, sizes=SIZES, credits=24, drain=drain)
    assert found["delivered"] == 1600 and nothing_odd(found)
    assert found["overflown"] == found["replays"] == 0


def test_no_drain_stops_the_sender_and_nothing_else(carried):
    """What has credits comes, the rest waits: nothing is dropped, nothing repeated."""
    found = carried(CREDITS, frames=400, sizes=SIZES, credits=24, drain=0)
    assert found["replays"] == found["overflown"] == 0 and nothing_odd(found)
    assert 2 * 4 * 24 / 5 <= found["delivered"] <= 2 * 4 * 24 / 2


def test_credits_lost_with_frames_come_back(carried):
    """In a FLUSH: the next CC_Update tells of them."""
    found = carried(
        CREDITS, frames=1500, sizes=SIZES, credits=24, report_cycles=1000, down=((1500, 6000),)
    )
    ends = found["counters"].values()
    assert sum(end["flushed"] for end in ends) and found["given_up"] and not found["lost"]
    assert sum(end["credit_healed"] for end in ends) and nothing_odd(found)


def test_limit_of_the_port(carried):
    """Less than those of its channels together."""
    found = carried(CREDITS, frames=600, sizes=SIZES, credits=24, port_credits=16, drain=0.3)
    assert found["delivered"] == 1200 and nothing_odd(found) and not found["replays"]


def test_best_effort_beside_lossless(carried):
    """On a bad cable; the reader of all is slow."""
    found = carried(
        CREDITS, frames=600, sizes=SIZES, credits=24, best_effort=(1, 3), ber=1e-5, drain=0.5
    )
    assert found["delivered"] == 1200 and nothing_odd(found) and found["overflown"] == 0


@pytest.mark.slow
@pytest.mark.parametrize("size", [64, 260])
def test_full_rate_at_500_metres_with_credits(carried, size):
    config = link_of(NODE, length_m=500, channels=1)
    config = config.with_(name="NODE-500m-credits", max_packet_bytes=260)
    found = carried(config, frames=12_000, sizes=(size,), credits=config.full_rate_credits)
    assert close(found) and nothing_odd(found)
