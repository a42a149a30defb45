import zlib

import pytest

from models.config import NODE, PROTO, RACK, TINY
from models.link.config import LinkConfig, link_of
from models.link.wire import PREAMBLE_FIELDS, SEQUENCE_BITS, frame_words

CONFIGS = [TINY, PROTO, NODE, RACK]


@pytest.mark.parametrize(
    "config, words, channels",
    [(TINY, 1, 4), (PROTO, 1, 16), (NODE, 5, 32), (RACK, 9, 4)],
    ids=[config.name for config in CONFIGS],
)
def test_link_of_a_switch_carries_its_line(config, words, channels):
    link = link_of(config)
    assert (link.words_per_cycle, link.channels) == (words, channels)
    assert link.line_words_per_cycle <= words


def test_frame_takes_preamble_packet_check_and_gap():
    assert sum(PREAMBLE_FIELDS.values()) == 64
    for size in range(8, 300):
        frame = 8 + size + len(zlib.crc32(bytes(size)).to_bytes(4, "little"))
        assert frame + 1 <= 8 * frame_words(size) <= frame + 8  # terminate, 0 to 7 idles


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.name)
@pytest.mark.parametrize("length_m", [0, 5, 40, 500])
def test_buffers_cover_the_round_trip(config, length_m):
    """As many packets of any one size as the line carries in a round trip fit, and one more."""
    link = link_of(config, length_m=length_m)
    words = link.round_trip_cycles * link.line_words_per_cycle
    assert link.round_trip_cycles > 2 * link.wire_cycles
    for size in range(link.min_packet_bytes, link.max_packet_bytes + 1):
        frames = words / frame_words(size)
        assert frames + 1 <= link.window
        assert frames * -(-size // link.flit_bytes) + link.max_packet_flits <= link.replay
    assert link.replay_timer_cycles >= link.round_trip_cycles + 2 * link.frame_cycles
    assert link.window < 1 << SEQUENCE_BITS - 1


def test_longer_cable_derives_again_and_chosen_values_stay():
    short = link_of(NODE)
    assert short.with_(length_m=500) == link_of(NODE, length_m=500)
    assert short.with_(replay_flits=900).with_(length_m=500).replay == 900


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"words_per_cycle": 4}, "enough for 400 Gbit/s at 1500 MHz: 5 or more, not 4"),
        ({"window_frames": 48}, "window_frames must be a power of two from 2 to 524288"),
        ({"replay_flits": 64}, "replay_flits must be 65 or more: a largest packet, not 64"),
        ({"replay_timer_ns": 400}, r"replay_timer_ns must be 43\d .* to 65535, not 400"),
        ({"replay_timer_ns": 70_000, "data_age_ns": 90_000}, "replay_timer_ns must be"),
        ({"channels": 33}, "channels must be 1 to 32, not 33"),
        ({"credit_bytes": 100}, "credit_bytes must be a power of two, not 100"),
        ({"data_age_ns": 100}, r"data_age_ns must be 43\d .* or more, not 100"),
        ({"replay_count_max": 0}, "replay_count_max must be 1 to 255, not 0"),
        ({"flit_bytes": 12}, "flit_bytes must be a power of two from 8 to 128, not 12"),
        ({"max_packet_bytes": 1 << 16}, r"max_packet_bytes must be 64 .* to 65535, not 65536"),
        ({"length_m": -1}, "length_m must be 0 to 100000, not -1"),
        ({"words_per_cycle": 6}, "words_per_cycle must be 1 to 5 with flits of 64 bytes, not 6"),
        ({"pcs_lost_ns": 0}, "pcs_lost_ns must be 1 or more, not 0"),
        ({"first_sequence": 1 << 20}, "first_sequence must be 0 to 1048575, not 1048576"),
    ],
)
def test_wrong_value_is_named(changes, words):
    with pytest.raises(ValueError, match=words):
        link_of(NODE, **changes)


def test_cycle_is_a_nanosecond_without_a_clock():
    link = LinkConfig(flit_bytes=8, words_per_cycle=1, max_packet_bytes=64)
    assert link.cycles(7) == link.cycles(6.5) == 7
