# amaranth: UnusedElaboratable=no
import json
from itertools import pairwise

import numpy as np
import pytest

from models.config import NODE, PROTO, RACK, TINY
from models.lines import Lines
from models.link.config import link_of
from models.link.trial import LinkRun, LinkTrial
from models.link.wire import ERROR
from models.serdes.config import LanesConfig, lanes_of, link_over
from models.serdes.multilane_pcs import MultilanePcsModel, word_cycles
from rtl.serdes.multilane_pcs import MultilanePcs
from sim.link import run as run_link
from sim.verilator import run_bench


def with_lanes(
    base, lanes: int, fec: str, codewords: int = 8, skew: int = 6, interleave: int = 1
) -> LanesConfig:
    changes = {"marker_codewords": codewords, "skew_rows": skew}
    return lanes_of(link_of(base), lanes, fec, interleave, **changes)


CONFIGS = [
    with_lanes(TINY, 1, "rs272"),
    pytest.param(with_lanes(TINY, 4, "rs544"), marks=pytest.mark.slow),
    with_lanes(TINY, 2, "none"),
    with_lanes(NODE, 4, "rs272"),
    with_lanes(TINY, 2, "rs272", interleave=2),
    pytest.param(with_lanes(TINY, 2, "rs272", interleave=4), marks=pytest.mark.slow),
    pytest.param(with_lanes(NODE, 4, "rs544", interleave=2), marks=pytest.mark.slow),
]


@pytest.mark.verilator
@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.name)
def test_rtl_matches_model(config):
    link = link_of(NODE if config.words_per_cycle == 5 else TINY)
    run_bench("multilane_pcs", MultilanePcs(config, link), config)


ERROR_WORD = int.from_bytes(8 * bytes([ERROR]), "little") - (1 << 64)


class Loop:
    """An end whose lines come back to it, with the number of a word in each."""

    def __init__(self, base, config: LanesConfig, lines: Lines | None = None):
        self.model = MultilanePcsModel(config, link_of(base))
        self.lines = lines or Lines(config, np.random.default_rng(1))
        self.words = config.words_per_cycle
        self.cycle, self.next = 0, 0
        self.sent: list[int] = []  # the cycle in which each word was taken
        self.came: list[tuple[int, int]] = []  # words, and when they came
        self.model.inputs.enable[0] = self.model.inputs.i_valid[0] = 1

    def step(self) -> None:
        i, o = self.model.inputs, self.model.outputs
        self.lines.pass_on(o.tx[0], i.rx[0], i.rx_valid[0], i.signal_ok[0])
        i.tx_ready[0] = self.lines.tx_ready
        i.i_payload_data[0] = np.arange(self.next, self.next + self.words)
        self.model.step()
        if o.i_ready[0]:
            self.sent += self.words * [self.cycle]
            self.next += self.words
        if o.o_valid[0] and o.up[0]:
            self.came += [(int(word), self.cycle) for word in o.o_words_data[0]]
        self.cycle += 1


EVERY = [
    (base, lanes, fec, 1)
    for base in (PROTO, NODE, RACK)
    for lanes in (1, 2, 4, 8)
    for fec in ("none", "rs272", "rs544")
]
# Among them groups that end in the middle of a turn, and more codewords than lanes.
EVERY += [
    (PROTO, 1, "rs272", 2),
    (PROTO, 8, "rs544", 4),
    (NODE, 4, "rs272", 2),
    (NODE, 4, "rs544", 2),
    (NODE, 2, "rs272", 4),
    (NODE, 4, "rs544", 4),
    (RACK, 8, "rs272", 2),
    (RACK, 4, "rs544", 4),
]


@pytest.mark.parametrize(
    "base, lanes, fec, interleave", EVERY, ids=lambda value: getattr(value, "name", value)
)
def test_line_is_full_and_words_come_in_order(base, lanes, fec, interleave):
    """Without a bubble on the lines; markers and the width of lanes take what the words lack."""
    config = with_lanes(base, lanes, fec, interleave=interleave)
    loop, ready = Loop(base, config), 0
    period = (config.data_rows + config.marker_rows) * config.row_groups
    warm = 4 * period + 200
    for cycle in range(warm + 8 * period):
        loop.step()
        o = loop.model.outputs
        ready += cycle >= warm and int(o.i_ready[0])
        assert not o.overrun[0] and (cycle < 50 or not o.starved[0])
    # Words of a period: those of its codewords, in the time in which the lines bring it.
    blocks = 4 * config.message_bits // 257 * config.marker_codewords // interleave
    bits = (config.data_rows + config.marker_rows) * config.row_bits
    full = blocks / config.words_per_cycle / (bits / config.lane_bits)
    assert full <= 1 and abs(ready / (8 * period) - full) < 1 / period + 0.002
    came = [word for word, cycle in loop.came if cycle >= warm]
    assert came == list(range(came[0], came[0] + len(came))) and len(came) > loop.words * period


@pytest.mark.parametrize(
    "base, lanes, fec, interleave", EVERY, ids=lambda value: getattr(value, "name", value)
)
def test_lines_that_pause_never_wait(base, lanes, fec, interleave):
    """Lines that take nothing for a while, of any length, find their words afterwards."""
    model = MultilanePcsModel(with_lanes(base, lanes, fec, interleave=interleave), link_of(base))
    i, o = model.inputs, model.outputs
    rng, left, taken = np.random.default_rng(lanes), 0, 0
    i.i_valid[0] = i.tx_ready[0] = 1
    for cycle in range(2000):
        left -= 1
        if left <= 0:  # stretches of lines that take words, and that do not
            i.tx_ready[0] = not i.tx_ready[0]
            left = rng.choice([1, 2, 3, 10, 100] if i.tx_ready[0] else [1, 1, 2, 5, 50])
        model.step()
        taken += cycle >= 100 and int(i.tx_ready[0])
        assert cycle < 50 or not o.starved[0]
    assert taken > 800


@pytest.mark.parametrize(
    "base, lanes, fec, interleave",
    [case for case in EVERY if case[3] > 1]
    + [(TINY, 2, "rs272", 4), (PROTO, 1, "rs544", 1), (NODE, 4, "rs544", 1)],
    ids=lambda value: getattr(value, "name", value),
)
def test_late_frames_find_room(base, lanes, fec, interleave):
    """A frame with an error makes those behind it late until they catch up: nothing is lost."""
    config = with_lanes(base, lanes, fec, codewords=40, interleave=interleave)
    loop, most = Loop(base, config), 0
    loop.lines.error_rate = 1 / (20 * config.frame.symbols * 10)
    for _ in range(60 * config.frame.groups + 6 * config.period_cycles):
        loop.step()
        assert not loop.model.outputs.overrun[0]
        most = max(most, int(loop.model.parts.waiting[0]))
    assert most <= config.late_units
    came = [word for word, _ in loop.came]
    assert came[-5000:] == list(range(came[-1] + 1 - len(came[-5000:]), came[-1] + 1))
    assert loop.lines.hits > 3


@pytest.mark.parametrize("ppm", [0, 1, 200, 400])
def test_slower_lines_cost_what_they_are_slower(ppm):
    """Words in order, as many as the lines take; none waits longer by more than two cycles."""
    config = with_lanes(NODE, 4, "rs272")
    lines = Lines(config, np.random.default_rng(1), ppm=ppm, phases=[0, 1, 500_000, 1_000_000])
    loop = Loop(NODE, config, lines)
    cycles = 12_000
    for _ in range(cycles):
        loop.step()
        assert not loop.model.outputs.overrun[0]
    words = [word for word, cycle in loop.came if cycle > 1000]
    assert words == list(range(words[0], words[0] + len(words)))
    # Of 33 rows 32 are data; a codeword's 5 words of 5.
    full = 5 * 32 / 33 * (1 - ppm / 1e6)
    assert abs(len(words) / (cycles - 1001) - full) < 0.005
    late = [cycle - loop.sent[word] for word, cycle in loop.came if cycle > 1000]
    assert max(late) <= config.latency_cycles + 2


@pytest.mark.parametrize("early", [False, True])
def test_phases_of_clocks_are_skew_of_a_word(early):
    """A word less is what lanes of clocks of their own may be late."""
    config = with_lanes(NODE, 4, "rs272")
    most = (config.skew_rows - 2) * config.row_bits - config.lane_bits
    delays, phases = [0, 0, 0, most], [0, 1_000_000, 0, 1_000_000]
    if early:
        delays, phases = [most, most, most, 0], [0, 1_000_000, 1, 0]
    lines = Lines(config, np.random.default_rng(1), None, delays, ppm=400, phases=phases)
    loop, skewed = Loop(NODE, config, lines), 0
    for cycle in range(3000):
        loop.step()  # at first lanes may begin with markers of different times
        skewed += cycle > 500 and int(loop.model.outputs.skewed[0])
    assert not skewed and len(loop.came) > 10000


LATENCIES = {
    PROTO: (1, [28, 71, 113]),
    NODE: (4, [28, 36, 44]),
    RACK: (8, [46, 33, 37]),
}
INTERLEAVED = {"rs272": [36, 44, 62], "rs544": [44, 63, 96]}  # of NODE, 4 lanes


@pytest.mark.parametrize("base", LATENCIES, ids=lambda base: base.name)
def test_latency_is_that_of_the_documentation(base):
    lanes, wanted = LATENCIES[base]
    link = link_of(base)
    for fec, cycles in zip(("none", "rs272", "rs544"), wanted, strict=True):
        config = LanesConfig(name="x", words_per_cycle=link.words_per_cycle, lanes=lanes, fec=fec)
        assert np.median(word_cycles(config, link)) == cycles


@pytest.mark.parametrize("fec", INTERLEAVED)
def test_latency_of_interleaving_is_that_of_the_documentation(fec):
    found = []
    for interleave in (1, 2, 4):
        config = lanes_of(link_of(NODE), 4, fec, interleave)
        found.append(np.median(word_cycles(config, link_of(NODE))))
    assert found == INTERLEAVED[fec]


def test_all_that_can_be_corrected_is():
    """Wrong bits of which RS272 corrects nearly all, on four lanes late and out of order."""
    config = with_lanes(NODE, 4, "rs272", codewords=40)
    lines = Lines(config, np.random.default_rng(3), [2, 0, 3, 1], [200, 17, 0, 501], 1e-4)
    loop, corrected = Loop(NODE, config, lines), 0
    for _ in range(4000):
        loop.step()
        o = loop.model.outputs
        corrected += int(o.corrected[0]) if o.corrected_valid[0] else 0
        assert not (o.corrected_valid[0] and o.bad[0])
    came = [word for word, _ in loop.came]
    first = came[100]
    assert came[100:] == list(range(first, first + len(came) - 100)) and len(came) > 10000
    assert lines.hits > 100 and corrected > 80


def test_bad_codeword_is_errors_and_so_is_the_unit_behind_it():
    """All words of it, 40, and the 8 of a unit; nothing else is lost."""
    config = with_lanes(NODE, 4, "rs272", codewords=40)
    loop, bad = Loop(NODE, config), 0
    for cycle in range(2000):
        # 40 wrong bits on each lane: more symbols than can be corrected.
        loop.lines.harm = [0x3FF if 1500 <= cycle < 1504 else 0] * 4
        loop.step()
        o = loop.model.outputs
        bad += int(o.corrected_valid[0] and o.bad[0])
    words = [word for word, cycle in loop.came if cycle > 1400]
    errors = [word for word in words if word == ERROR_WORD]
    assert bad and len(errors) == 40 * bad + 8
    good = [word for word in words if word != ERROR_WORD]
    gaps = [(a, b) for a, b in pairwise(good) if b != a + 1]
    assert [b - a - 1 for a, b in gaps] == [len(errors)]


@pytest.mark.parametrize("interleave", [1, 2, 4])
@pytest.mark.parametrize("lane", range(4))
def test_burst_on_a_lane_is_corrected_as_far_as_all_codewords_can(interleave, lane):
    """Of 4 t symbols on one lane: with 4 codewords no word is lost, with fewer frames are."""
    config = with_lanes(NODE, 4, "rs272", codewords=40, interleave=interleave)
    loop, corrected, lost, bursts = Loop(NODE, config), 0, 0, 0
    length = (4 * config.code.correctable - 1) * 10
    for cycle in range(4000):
        if cycle > 1000 and cycle % 211 == 0:  # in other places of frames
            loop.lines.harm[lane], bursts = (1 << length + 1) - 1, bursts + 1
        loop.step()
        o = loop.model.outputs
        corrected += int(o.corrected[0]) if o.corrected_valid[0] else 0
        lost += int(o.corrected_valid[0] and o.bad[0] > 0 and cycle > 1000)
    errors = sum(word == ERROR_WORD for word, cycle in loop.came if cycle > 1000)
    if interleave == 4:
        assert lost == errors == 0 and corrected > 3 * config.code.correctable * bursts
    else:
        assert lost > bursts // 2 and errors >= 40 * interleave * (lost - 1)


@pytest.mark.parametrize(
    "base, lanes, fec, interleave", EVERY, ids=lambda value: getattr(value, "name", value)
)
def test_latency_is_within_that_of_the_configuration(base, lanes, fec, interleave):
    config = with_lanes(base, lanes, fec, codewords=16, interleave=interleave)
    cycles = word_cycles(config, link_of(base))
    assert len(cycles) > 30
    # Less by a group that a unit ends, and the marker in front of which most words are not.
    row = config.row_bits / config.lane_bits
    least = config.latency_cycles - (config.marker_rows + 3) * row - 4
    if interleave > 1:  # what words lack waits in the mapper or in front of the lines, not in both
        parity = config.frame.symbols * 10 - config.message_bits
        least -= parity / (config.lanes * config.lane_bits)
    assert least <= np.median(cycles) and max(cycles) <= config.latency_cycles


def trial_of(base, lanes: int, fec: str, **options) -> LinkTrial:
    config = with_lanes(base, lanes, fec, codewords=40)
    # With room for skew that nobody told of.
    ends = link_over(base, config, 10 * config.lane_bits, length_m=2, channels=1)
    return LinkTrial(config=ends, lanes=config, **options)


@pytest.mark.parametrize(
    "trial, corrects, replays",
    [
        (trial_of(NODE, 4, "rs272", frames=150, ber=1e-4, skew=300), True, False),
        (trial_of(NODE, 4, "rs544", frames=100, ber=3e-4, burst=4, skew=50), True, False),
        (trial_of(NODE, 2, "rs272", frames=150, sizes=(64, 2000), ber=1e-3), True, True),
        (trial_of(PROTO, 2, "none", frames=100, sizes=(64, 260), ber=2e-5, skew=30), False, True),
        (trial_of(NODE, 4, "rs272", frames=150, ber=1e-5, down=((9000, 9100),)), True, True),
        (trial_of(NODE, 4, "rs272", frames=150, ber=1e-4, skew=250, ppm=100), True, False),
        (trial_of(PROTO, 2, "none", frames=100, sizes=(64, 260), ber=2e-5, ppm=100), False, True),
    ],
    ids=["rs272", "rs544", "too many errors", "no code", "cut", "clocks", "clocks, no code"],
)
def test_links_lose_nothing_over_lanes(trial, corrects, replays):
    """What the code corrects the links never see; what it cannot they send again."""
    run = LinkRun(trial)
    while not run.done:
        run.advance()
    found = run.results()
    assert found["delivered"] == found["offered"] and found["given_up"] == 0
    assert found["lost"] == found["duplicated"] == found["reordered"] == found["corrupted"] == 0
    assert found["bits_hit"] > 10 and (found["symbols_corrected"] > 20) == corrects
    assert (found["replays"] > 0) == replays


@pytest.mark.verilator
def test_rtl_of_links_agrees_over_lanes(tmp_path):
    """Links of RTL and model in lockstep, with the model of a PCS between them."""
    trial = trial_of(TINY, 2, "rs272", frames=40, sizes=(16, 64), ber=1.5e-3, skew=30)
    assert run_link(trial, engine="both", output=tmp_path) == 0
    found = json.loads((tmp_path / "results.json").read_text())
    assert found["delivered"] == 80 and found["cycles_compared"] == found["cycles"]
    assert found["codewords_bad"] > 0


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"lanes": with_lanes(NODE, 4, "none")}, "lanes must have 1 words_per_cycle, not 5"),
        ({"drop": 0.1}, "drop and duplicate are of words, not of lanes"),
        ({"skew": 161}, "skew must be 0 to 160 bits, not 161"),
        ({"skew": 161, "ppm": 0}, "skew must be 0 to 126 bits, not 161"),
        ({"ppm": 101}, "ppm must be 0 to 100, for which the core's clock has room, not 101"),
        ({"lanes": None, "ppm": 0}, "ppm is of the clocks of lanes: give lanes, too"),
    ],
)
def test_trial_that_does_not_fit_is_named(changes, message):
    values = {"config": link_of(TINY), "lanes": with_lanes(TINY, 2, "rs272")} | changes
    with pytest.raises(ValueError, match=message):
        LinkTrial(**values)


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"words_per_cycle": 21}, "words_per_cycle must be 1 to 20, not 21"),
        ({"lanes": 3}, "lanes must be 1, 2, 4 or 8, not 3"),
        ({"fec": "rs528"}, "fec must be one of none, rs272, rs544, not 'rs528'"),
        ({"interleave": 3}, "interleave must be 1, 2 or 4, not 3"),
        (
            {"interleave": 2, "fec": "none"},
            "interleave must be 1 without a code, not 2: choose one with fec",
        ),
        ({"lanes": 4, "marker_codewords": 6}, "marker_codewords must be a multiple of 4, not 6"),
        (
            {"lanes": 1, "interleave": 4, "marker_codewords": 6},
            "marker_codewords must be a multiple of 4, not 6",
        ),
        ({"skew_rows": 1}, "skew_rows must be 2 or more, not 1"),
    ],
)
def test_wrong_value_is_named(changes, message):
    with pytest.raises(ValueError, match=message):
        LanesConfig(name="x", **changes)


def test_words_of_another_link_are_refused():
    with pytest.raises(ValueError, match="words_per_cycle must be 5 as those of the link, not 1"):
        MultilanePcs(LanesConfig(name="x"), link_of(NODE))
