# amaranth: UnusedElaboratable=no
import numpy as np
import pytest

from models.config import NODE
from models.lines import Lines
from models.link.config import link_of
from models.serdes.config import LOOP_WORDS, LanesConfig, Prbs
from models.serdes.lane_test import LaneTestModel, Mode, Result
from models.serdes.multilane_pcs import MultilanePcsModel
from rtl.serdes.lane_test import LaneTest, LaneTestMode, LaneTestResult
from sim.verilator import run_bench

ONE = LanesConfig(name="1-1")
FOUR = LanesConfig(name="5-4", words_per_cycle=5, lanes=4, marker_codewords=4, skew_rows=6)


@pytest.mark.verilator
@pytest.mark.parametrize("config", [ONE, FOUR], ids=lambda config: config.name)
def test_rtl_matches_model(config):
    run_bench("lane_test", LaneTest(config), config)


def test_states_are_those_of_the_model():
    for model, rtl in ((Mode, LaneTestMode), (Result, LaneTestResult)):
        assert {state.name: state.value for state in model} == {
            state.name: state.value for state in rtl
        }


class End:
    """A test of lanes whose lines give and take a word in each cycle."""

    def __init__(self, config: LanesConfig):
        self.model = LaneTestModel(config)
        self.i, self.o = self.model.inputs, self.model.outputs
        self.i.line_tx_ready[:] = self.i.line_rx_valid[:] = 1

    def cross(self, lines: Lines, to: "End") -> None:
        """What was on the lines in this cycle comes to another end in the next."""
        i = to.i
        lines.pass_on(self.o.line_tx[0], i.line_rx[0], i.line_rx_valid[0], i.line_signal_ok[0])

    def start(self, words: int, patience: int = 200) -> None:
        self.i.start[0], self.i.words[0], self.i.patience[0] = 1, words, patience
        self.model.step()
        self.i.start[0] = 0


def self_test(end: End, lines: Lines, words: int, patience: int = 200) -> int:
    """Run one over lines that come back; the cycles that it took."""
    end.start(words, patience)
    for cycle in range(words + patience + 10):
        end.cross(lines, end)
        if end.model.step().done[0]:
            return cycle
    raise AssertionError("it has not ended")


WIDE = LanesConfig(name="20-1", words_per_cycle=20)


@pytest.mark.parametrize(
    "config, rate, words",
    [
        (ONE, 1e-3, 20_000),
        (FOUR, 1e-3, 4000),
        (FOUR, 1e-4, 40_000),
        pytest.param(WIDE, 1e-6, 700_000, marks=pytest.mark.slow),  # 950 errors
    ],
    ids=lambda value: getattr(value, "name", str(value)),
)
def test_self_test_finds_the_error_rate(config, rate, words):
    end, rng = End(config), np.random.default_rng(2)
    end.i.pattern[0] = Prbs.PRBS31
    lines = Lines(config, rng, delays=rng.integers(200, size=config.lanes).tolist())
    lines.error_rate = rate
    self_test(end, lines, words)
    assert end.o.result[0] == Result.GOOD and end.o.held.all()
    found = end.o.errors.sum() / (words * config.lane_bits * config.lanes)
    assert abs(found / rate - 1) < 0.1


def test_each_wrong_bit_counts_and_each_that_is_injected():
    """Of the lines, all lanes together; injected, lane by lane: lane ``n`` has 10 n of them."""
    end, rng = End(FOUR), np.random.default_rng(3)
    lines = Lines(FOUR, rng, delays=[5, 0, 150, 84])
    injected = 10 * np.arange(4)
    for rate in (1e-3, 0.0):
        hits = lines.hits
        end.start(2000)
        for cycle in range(2100):
            lines.error_rate = rate if 100 < cycle < 1900 else 0.0
            end.i.inject[0] = (cycle - 100) // 7 in range(1, 100) and cycle % 7 == 0
            end.i.inject[0] &= (cycle - 100) // 7 <= injected
            end.i.inject[0] *= rate == 0.0
            end.cross(lines, end)
            end.model.step()
        assert end.o.result[0] == Result.GOOD
        if rate:
            assert end.o.errors.sum() == lines.hits - hits > 500
        else:
            assert end.o.errors[0].tolist() == injected.tolist()


def test_counts_as_many_words_as_asked_for():
    """The cycles that it takes say so; each has a word."""
    for words in (0, 1, 2, 100):
        end, lines = End(FOUR), Lines(FOUR, np.random.default_rng(1))
        end.cross(lines, end)
        cycles = self_test(end, lines, words)
        if words == 0:
            none = cycles
        assert end.o.result[0] == Result.GOOD and cycles == none + max(words, 1) - 1


def test_dead_lane_is_named():
    end, lines = End(FOUR), Lines(FOUR, np.random.default_rng(1), dead={2})
    assert self_test(end, lines, 1000, patience=150) == 151
    assert end.o.result[0] == Result.NO_LOCK and end.o.held[0].tolist() == [1, 1, 0, 1]


def test_lane_that_loses_its_signal_ends_it_and_is_named():
    end, lines = End(FOUR), Lines(FOUR, np.random.default_rng(1))
    end.start(1000)
    for cycle in range(500):
        lines.dead = {1} if cycle >= 300 else set()
        end.cross(lines, end)
        if end.model.step().done[0]:
            break
    assert cycle == 302 and end.o.result[0] == Result.LOST
    assert end.o.held[0].tolist() == [1, 0, 1, 1] and not end.o.errors.any()


def test_goes_over_the_loop_of_the_other_end():
    """Wrong bits of both directions are counted; the loop adds none, and does not slip."""
    near, far = End(FOUR), End(FOUR)
    rng = np.random.default_rng(4)
    there = Lines(FOUR, rng, [1, 3, 0, 2], [30, 0, 99, 170])
    back = Lines(FOUR, rng, [2, 0, 3, 1], [0, 64, 85, 7])
    far.i.mode[0], far.i.invert_rx[0, 3], far.i.invert_tx[0, 3] = Mode.FAR, 1, 1
    near.start(3000)
    for cycle in range(3100):
        # Not at the same time: two on one bit are none.
        there.error_rate = 2e-3 if 200 < cycle < 1400 else 0.0
        back.error_rate = 2e-3 if 1600 < cycle < 2900 else 0.0
        near.cross(there, far)
        far.cross(back, near)
        near.model.step()
        assert not far.model.step().slipped.any() or cycle < 10
        assert not far.o.pcs_signal_ok.any()
    assert near.o.result[0] == Result.GOOD
    assert near.o.errors.sum() == there.hits + back.hits > 1500


def test_latency_of_the_loop():
    end, found = End(ONE), []
    end.i.mode[0], end.i.line_signal_ok[:] = Mode.FAR, 1
    for cycle in range(100):
        end.i.line_rx[0, 0, 0] = cycle
        end.model.step()
        found.append(cycle - int(end.o.line_tx[0, 0, 0]))
    assert set(found[20:]) == {LOOP_WORDS // 2 + 1}


@pytest.mark.parametrize("mode, comes, ready", [("empty", 0.9, 1.0), ("full", 1.0, 0.9)])
def test_loop_slips_if_paces_differ(mode, comes, ready):
    """So often as it takes to empty half of the store, or fill it."""
    end, rng, slips = End(ONE), np.random.default_rng(5), 0
    end.i.mode[0], end.i.line_signal_ok[:] = Mode.FAR, 1
    for _ in range(4000):
        end.i.line_rx_valid[:], end.i.line_tx_ready[:] = rng.random() < comes, rng.random() < ready
        slips += int(end.model.step().slipped[0, 0])
    assert 40 < slips < 110


def test_swapped_wires_give_no_lock_until_they_are_told():
    end, lines = End(FOUR), Lines(FOUR, np.random.default_rng(6))
    end.i.invert_tx[0, 1] = 1  # as if wires were swapped on the way
    self_test(end, lines, 100)
    assert end.o.result[0] == Result.NO_LOCK and end.o.held[0].tolist() == [1, 0, 1, 1]
    end.i.invert_rx[0, 1] = 1
    for _ in range(50):
        end.cross(lines, end)
        end.model.step()
    self_test(end, lines, 100)
    assert end.o.result[0] == Result.GOOD


def test_pattern_of_the_other_end_by_hand():
    """Both in PATTERN; the count stays when the mode is left, and begins again where asked to."""
    one, other = End(FOUR), End(FOUR)
    there, back = (Lines(FOUR, np.random.default_rng(n), delays=[9, 0, 70, 3]) for n in (7, 8))
    for end in (one, other):
        end.i.mode[0], end.i.pattern[0] = Mode.PATTERN, Prbs.PRBS15
    for cycle in range(400):
        one.i.inject[0] = cycle in (100, 200, 300)
        other.i.clear[0] = cycle == 250
        one.cross(there, other)
        other.cross(back, one)
        one.model.step()
        other.model.step()
        if cycle in (240, 260):
            assert (other.o.error_count == (2 if cycle == 240 else 0)).all()
    assert other.o.locked.all() and one.o.locked.all() and not one.o.error_count.any()
    other.i.mode[0] = Mode.NORMAL
    for _ in range(2):
        other.model.step()
    assert not other.o.locked.any() and (other.o.error_count == 1).all()


def loop_of_a_pcs(mode: Mode | None) -> list[int]:
    """Cycles that words take through a PCS that hears itself: by NEAR, over lines, or directly."""
    pcs, end = MultilanePcsModel(FOUR, link_of(NODE)), End(FOUR)
    i, o, found = pcs.inputs, pcs.outputs, []
    i.enable[0] = i.i_valid[0] = 1
    end.i.mode[0] = mode or Mode.NORMAL
    for cycle in range(3000):
        end.i.pcs_tx[:] = o.tx
        if mode == Mode.NORMAL:
            end.i.line_rx[:], end.i.line_signal_ok[:] = end.i.pcs_tx, 1
        end.model.step()
        for name in set(i._fields) & {"rx", "signal_ok", "rx_valid", "tx_ready"}:
            getattr(i, name)[:] = getattr(end.o, f"pcs_{name}")
        if mode is None:
            i.rx[:], i.signal_ok[:] = o.tx, 1
        i.i_payload_data[:] = cycle
        pcs.step()
        if o.o_valid[0] and o.up[0] and cycle > 2000:
            found.append(cycle - int(o.o_words_data[0, 0]))
    return found


def test_near_loop_brings_a_port_up_without_lines():
    """Of the lines it needs the pace alone; and neither it nor the normal mode takes a cycle."""
    found = loop_of_a_pcs(None)
    assert len(found) > 500
    assert loop_of_a_pcs(Mode.NEAR) == loop_of_a_pcs(Mode.NORMAL) == found
