"""How far copper reaches: the formulas by other means, and what is known of cables that there are.

The anchors are published facts; the model is not fitted to them. See ``docs/serdes.md``.
"""

import json
from math import erfc, log2, pi, sqrt

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from scipy.linalg import cholesky, toeplitz

import sim.link
from models.config import NODE, RACK
from models.link.config import link_of
from models.link.theory import frame_error
from models.link.trial import LinkTrial
from models.serdes import reach
from models.serdes.config import RS272, RS544, LanesConfig
from models.serdes.reach import STANDARDS, CopperLine, cable_db, highest_ber, lane_gbps, line_of
from models.serdes.theory import bad_words, ber_after, frames_hit, symbol_errors
from sim import cli

SFP, BJ, CK, DJ = STANDARDS
QUIET = {"crosstalk_db": -400.0, "sndr_db": 400.0, "jitter_ui": 0.0, "margin_db": 0.0}
LANES = LanesConfig(name="NODE", words_per_cycle=5, lanes=4)

lines = st.builds(
    line_of,
    st.floats(1, 250),
    st.sampled_from(["nrz", "pam4"]),
    metres=st.floats(0, 20),
    awg=st.integers(20, 36),
    equalizer=st.sampled_from(["dfe", "none"]),
)


def lingyun(*arguments: str):
    return CliRunner().invoke(cli.main, list(arguments))


def test_losses_of_cable_are_those_of_its_source():
    assert cable_db(26, 53.125) == pytest.approx(7.14)
    assert cable_db(30, 53.125) == pytest.approx(10.23, rel=0.02)  # this one was not put in


def test_loss_is_that_of_the_standard_at_its_length():
    assert SFP.loss_db(SFP.nyquist_ghz) == pytest.approx(25)
    assert DJ.loss_db(DJ.nyquist_ghz) == pytest.approx(40)
    for line, pins, package in ((BJ, 35, 2.1), (CK, 28, 3.35)):
        assert line.loss_db(line.nyquist_ghz) == pytest.approx(pins + 2 * package, abs=0.1)


def test_flat_channel_has_the_snr_of_all_its_frequencies():
    """Without loss or pulse the best equaliser has nothing to do."""
    line = CK.with_(metres=0, ends_db=0, crosstalk_db=-400.0, sndr_db=20.0, noise=1e-30)
    assert line.salz == pytest.approx(100) and line.sliced == pytest.approx(100)


@pytest.mark.parametrize("line", STANDARDS, ids=lambda line: line.name)
def test_best_equaliser_is_that_of_linear_algebra(line):
    """The last pivot of a Cholesky decomposition is the error of a DFE with so many taps."""
    ratio, taps = line.spectrum(), 300
    angle = pi * line.band / line.nyquist_ghz
    correlation = [(ratio * np.cos(n * angle)).mean() for n in range(taps)]
    factor = cholesky(np.eye(taps) + toeplitz(correlation), lower=True)
    assert factor[-1, -1] ** 2 - 1 == pytest.approx(line.salz, rel=1e-3)
    assert factor[3, 3] ** 2 - 1 > line.salz  # few taps: what a matched filter would see


@pytest.mark.parametrize("line", STANDARDS, ids=lambda line: line.name)
def test_no_equaliser_is_worse_than_the_best_and_none_beats_the_capacity(line):
    assert line.with_(equalizer="none").snr < line.snr
    capacity = line.nyquist_ghz * np.log2(1 + line.spectrum()).mean()
    assert line.gbaud / 2 * log2(1 + line.salz) == pytest.approx(capacity)
    assert line.gbps < capacity


@pytest.mark.parametrize("line", STANDARDS, ids=lambda line: line.name)
def test_band_has_points_enough(line, monkeypatch):
    few = line.salz, line.sliced
    monkeypatch.setattr(reach, "POINTS", 10 * reach.POINTS)
    assert (line.salz, line.sliced) == pytest.approx(few, rel=4e-4)  # 0.002 dB


@pytest.mark.parametrize("signalling", ["nrz", "pam4"])
@pytest.mark.parametrize("snr_db", [0, 10, 17])
def test_bit_errors_are_those_of_a_simulation(signalling, snr_db):
    """Gray-coded levels, noise of a normal distribution, and thresholds between the levels."""
    line = CK.with_(
        signalling=signalling, metres=0, ends_db=0, noise=1e-30, mismatch=1.0,
        **(QUIET | {"sndr_db": float(snr_db)}),
    )  # fmt: skip
    assert line.snr == pytest.approx(10 ** (snr_db / 10))
    rng, symbols = np.random.default_rng(1), 2_000_000
    levels, codes = ([-1, 1], [0, 1]) if signalling == "nrz" else ([-3, -1, 1, 3], [0, 1, 3, 2])
    power = np.mean(np.square(levels))
    sent = rng.integers(0, len(levels), symbols)
    came = np.array(levels)[sent] + rng.normal(0, sqrt(power / line.snr), symbols)
    decided = np.digitize(came, np.array(levels)[:-1] + 1)
    wrong = np.bitwise_count(np.array(codes)[sent] ^ np.array(codes)[decided]).sum()
    bits = symbols * (1 if signalling == "nrz" else 2)
    assert wrong / bits == pytest.approx(line.ber, abs=5 * sqrt(line.ber / bits) + 1e-6)


def test_known_error_rate_of_two_levels():
    """1e-12 needs 7.03 times the root mean square of the noise (tables of Q)."""
    line = SFP.with_(metres=0, ends_db=0, noise=1e-30, **(QUIET | {"sndr_db": 16.94}))
    assert line.ber == pytest.approx(1e-12, rel=0.05)
    assert line.ber == pytest.approx(erfc(10 ** (16.94 / 20) / sqrt(2)) / 2)


@given(lines, st.floats(0, 5))
def test_longer_is_never_better(line, more):
    assert line.with_(metres=line.metres + more).ber >= line.ber * (1 - 1e-9)


@given(lines, st.floats(0, 10))
def test_more_of_anything_bad_is_never_better(line, more):
    for changes in (
        {"noise": line.noise * (1 + more)},
        {"crosstalk_db": line.crosstalk_db + more},
        {"sndr_db": line.sndr_db - more},
        {"ends_db": line.ends_db + more},
        {"margin_db": line.margin_db + more},
        {"jitter_ui": line.jitter_ui * (1 + more)},
        {"awg": min(36, line.awg + round(more))},
    ):
        assert line.with_(**changes).ber >= line.ber * (1 - 1e-9), changes


@given(lines)
def test_error_rates_are_possible_and_reaches_are_ends(line):
    assert 0 <= line.ber <= 0.5
    longest = line.reach(1e-6)
    if longest is None:
        assert line.with_(metres=0).ber > 1e-6
    elif longest < reach.LONGEST:
        assert line.with_(metres=longest).ber <= 1e-6 < line.with_(metres=longest + 1e-6).ber


@pytest.mark.parametrize("equalizer", ["dfe", "none"])
@pytest.mark.parametrize("line", STANDARDS, ids=lambda line: line.name)
def test_endless_cable_brings_random_bits(line, equalizer):
    assert line.with_(metres=1e5, equalizer=equalizer).ber == 0.5


def test_two_metres_of_100g_a_lane():
    """802.3ck: 2 m at 1e-4 before the code. There are 3 m of 26 AWG to buy, and no 5 m."""
    assert CK.ber <= 1e-4
    assert 2 <= CK.reach(1e-4) < 4
    assert CK.with_(metres=5).ber > 1e-3


def test_one_metre_of_200g_a_lane():
    """802.3dj: 1 m at 2e-4 before the code; a draft, so within a quarter."""
    assert DJ.reach(2e-4) == pytest.approx(1, rel=0.25)
    assert DJ.with_(metres=3).ber > 1e-3


def test_slow_lanes_reach_as_far_as_they_do():
    """Farther, in fact: what limits their receivers is not in the model."""
    assert SFP.ber <= 1e-12 and 7 <= SFP.reach(1e-12) < 20
    assert BJ.ber <= 1e-5 and 5 <= BJ.reach(1e-5) < 10


def test_thinner_cables_are_for_shorter_ones():
    """NVIDIA has 30 AWG to 1.5 m, and 26 AWG for 2 m and more, at 100 Gbit/s a lane."""
    assert 1.5 <= CK.with_(awg=30).reach(1e-4) < CK.reach(1e-4)


@pytest.mark.parametrize(
    "changes, names",
    [
        ({"signalling": "pam3"}, "signalling must be nrz or pam4, not 'pam3'"),
        ({"equalizer": "ffe"}, "equalizer must be dfe or none, not 'ffe'"),
        ({"awg": 40}, "awg must be a whole number, 20 .thick. to 36 .thin., not 40"),
        ({"metres": -1}, "metres must be 0 or more, not -1"),
        ({"metres": float("nan")}, "metres must be 0 or more, not nan"),
        ({"gbaud": 0}, "gbaud must be positive, not 0"),
        ({"noise": 0.0}, "noise must be positive, not 0.0"),
        ({"crosstalk_db": float("inf")}, "crosstalk_db must be a number of dB, not inf"),
        ({"mismatch": 1.1}, "mismatch must be above 0, at most 1, not 1.1"),
    ],
)
def test_wrong_values_are_named(changes, names):
    with pytest.raises(ValueError, match=names):
        CK.with_(**changes)


def test_wrong_questions_are_named():
    with pytest.raises(ValueError, match="ber must be above 0 and at most"):
        CK.reach(0)
    with pytest.raises(ValueError, match="hit must be above 0 and below 1, not 1"):
        highest_ber(LANES, 9, 1)
    with pytest.raises(ValueError, match="gbps must be a positive rate, not 0"):
        line_of(0)


def test_lanes_have_parts_that_go_so_far():
    names = {8: "SFP+", 25: "802.3bj", 106.25: "802.3ck", 116: "802.3ck", 117: "802.3dj"}
    for gbps, name in names.items():
        assert line_of(gbps).name == name
    assert line_of(500).name == "802.3dj"
    assert line_of(30).signalling == "nrz" and line_of(31).signalling == "pam4"
    assert line_of(40, "nrz").gbaud == 40 and line_of(40, "nrz").mismatch == 1


def test_rate_of_a_lane_is_that_of_the_words():
    for config, lanes in ((NODE, 4), (RACK, 8)):
        ends = link_of(config)
        pcs = LanesConfig(name="", words_per_cycle=ends.words_per_cycle, lanes=lanes)
        words = 64 * ends.words_per_cycle * ends.mhz / 1e3
        assert lane_gbps(pcs, ends.mhz) * lanes == pytest.approx(words * 272 / 256, rel=0.01)
    assert CopperLine(gbaud=50, ends_db=20, ends_ghz=25).gbps == 100


@pytest.mark.parametrize("fec, code", [("rs272", RS272), ("rs544", RS544)])
def test_bits_behind_a_code_are_those_of_a_sum(fec, code):
    """All numbers of wrong symbols that are too many, one by one."""
    from scipy.stats import binom

    lanes, ber = LANES.with_(fec=fec), 2e-3
    wrong = symbol_errors(ber)
    assert wrong == pytest.approx(1 - (1 - ber) ** 10)
    counts = np.arange(code.correctable + 1, code.symbols + 1)
    chances = binom.pmf(counts, code.symbols, wrong)
    assert bad_words(code, wrong) == pytest.approx(chances.sum())
    bits = (counts * chances).sum() / code.symbols * ber / wrong
    assert ber_after(lanes, ber) == pytest.approx(bits)


def test_codes_are_better_than_published_figures_which_know_bursts():
    """At 1e-4 before it: RS272 3.1e-9, RS544 1.7e-14, of Ultra Ethernet's public facts."""
    assert 1e-12 < ber_after(LANES, 1e-4) < 3.1e-9
    assert 1e-21 < ber_after(LANES.with_(fec="rs544"), 1e-4) < 1.7e-14
    assert ber_after(LANES.with_(fec="none"), 1e-4) == 1e-4


def test_frames_without_a_code_are_hit_as_those_of_the_link():
    """The link's theory has 66 bits for a word, the PCS 65 and what the descrambler adds."""
    found = frames_hit(LANES.with_(fec="none"), 500, 1e-7)
    assert found == pytest.approx(frame_error(8 * 500 - 24, 1e-7), rel=0.03)


@pytest.mark.parametrize("fec", ["none", "rs272", "rs544"])
def test_highest_error_rate_is_the_last(fec):
    lanes = LANES.with_(fec=fec)
    highest = highest_ber(lanes, 522, 1e-12)
    assert frames_hit(lanes, 522, highest) <= 1e-12 < frames_hit(lanes, 522, 1.001 * highest)
    assert (highest_ber(lanes, 522, 1e-100) is None) == (fec == "none")


@pytest.mark.parametrize("fec", ["none", "rs272"])
def test_command_tells_as_table_and_as_json(fec):
    arguments = ("reach", "--fec", fec, "--metres", "1", "--metres", "100000", "--ber", "1e-5")
    asked = lingyun(*arguments)
    assert asked.exit_code == 0
    assert "NODE: 4 lanes" in asked.output and "BER 1e-05 before FEC: up to" in asked.output
    assert ("even without a cable" in asked.output) == (fec == "none")
    found = json.loads(lingyun(*arguments, "--json").output)
    assert [row["metres"] for row in found["rows"]] == [1, 100_000]
    assert found["rows"][1]["ber"] == 0.5
    assert found["reach_of_ber"] == pytest.approx(
        line_of(found["gbps"], metres=1).reach(1e-5), rel=1e-6
    )


def test_command_has_a_lane_of_any_rate():
    asked = ("reach", "--gbps", "106.25", "--signalling", "pam4", "--awg", "30", "--json")
    found = json.loads(lingyun(*asked).output)
    assert (found["parts"], found["awg"], found["gbaud"]) == ("802.3ck", 30, 53.125)
    slow = lingyun("reach", "--gbps", "0.1", "--lanes", "1")
    assert "NODE: 1 lane," in slow.output and "more than" not in slow.output.split("\n")[0]


def test_link_takes_its_errors_from_a_reach(monkeypatch):
    asked = {}
    monkeypatch.setattr(sim.link, "run", lambda trial, **rest: asked.update(rest, trial=trial))
    answer = lingyun("link", "--lanes", "4", "--reach", "3")
    assert answer.exit_code == 0, answer.output
    trial = asked["trial"]
    assert asked["metres"] == 3 and trial.ber == line_of(127.5, metres=3).ber
    cable = trial.config.wire_cycles - trial.lanes.latency_cycles
    assert cable == link_of(NODE, length_m=3).wire_cycles


def test_results_of_a_link_name_the_reach(tmp_path, capsys, monkeypatch):
    nothing = dict.fromkeys(sim.link.WRONG, 0) | {"complete": True}
    monkeypatch.setattr(sim.link, "_in_model", lambda trial, tell: nothing)
    trial = LinkTrial(config=link_of(NODE, channels=1), frames=3, ber=1e-9)
    assert sim.link.run(trial, output=tmp_path, metres=2.5) == 0
    assert "2.5 m of copper: BER 1e-09 before the code" in capsys.readouterr().out
    found = json.loads((tmp_path / "results.json").read_text())
    assert found["reach"] == {"metres": 2.5, "ber": 1e-9}


@pytest.mark.parametrize(
    "arguments, names",
    [
        (["--reach", "2"], "--reach is of lanes: give --lanes, too"),
        (["--reach", "2", "--lanes", "4", "--ber", "0"], "--reach tells --ber: leave one"),
        (["--reach", "2", "--lanes", "4", "--length-m", "5"], "--reach tells --length-m: leave"),
    ],
)
def test_link_says_what_does_not_go_together(arguments, names):
    answer = lingyun("link", *arguments)
    assert answer.exit_code == 2 and names in answer.output
