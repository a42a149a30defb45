# amaranth: UnusedElaboratable=no
import numpy as np
import pytest

from models.config import NODE, PROTO, TINY
from models.link.config import link_of
from models.link.trial import LinkRun, LinkTrial, link_drive, link_settle
from models.serdes.config import LaneConfig
from models.serdes.pcs import PcsModel, pcs_clock, pcs_outputs
from rtl.serdes.pcs import Pcs
from sim.verilator import run_bench

LINK = link_of(TINY)
LANE = LaneConfig(name="lane-busy", ber_window_ns=200)  # a rate is high soon, and for a short time


@pytest.mark.verilator
def test_rtl_matches_model():
    run_bench("pcs", Pcs(LANE, LINK), LANE)


@pytest.mark.parametrize("bits, cycles", [(0, {8}), (1, {8, 9}), (63, {9})])
def test_word_takes_eight_cycles_or_nine(bits, cycles):
    """3 to the line, 4 from the line; a block ends a word later than it begins, or two.

    The line takes a cycle, and so many ``bits``.
    """
    model = PcsModel(LaneConfig(name="lane"), LINK)
    i, o = model.inputs, model.outputs
    i.signal_ok[0] = 1
    line, came, sent = 0, {}, set()  # line: the last two words on it
    for cycle in range(900):
        i.i_valid[0] = 1
        i.i_payload_data[0, 0], i.i_payload_control[0] = cycle, 0
        i.rx[0, 0] = np.array(line >> 64 - bits & (1 << 64) - 1, dtype=np.uint64).view(np.int64)
        model.step()
        line = line >> 64 | (int(o.tx[0, 0]) & (1 << 64) - 1) << 64
        if o.i_ready[0]:
            sent.add(cycle)
        if o.up[0] and o.o_valid[0]:
            came[int(o.o_words_data[0, 0])] = cycle
    delays = [cycle - 1 - word for word, cycle in came.items() if word in sent]
    assert len(delays) > 100 and set(delays) == cycles


def test_thirty_two_words_in_thirty_three_cycles():
    model = PcsModel(LaneConfig(name="lane"), LINK)
    ready = sum(int(model.step().i_ready[0]) for _ in range(330))
    assert ready == 320


@pytest.mark.parametrize(
    "lane, link, message",
    [
        (LaneConfig(name="wide", width=128), LINK, "width must be 64, not 128"),
        (LANE, link_of(NODE), "words_per_cycle must be 1, not 5"),
    ],
)
def test_what_is_no_lane_of_one_word_is_named(lane, link, message):
    with pytest.raises(ValueError, match=message):
        Pcs(lane, link)


def test_far_end_may_be_another_pcs():
    """Both ends up, and each has the other's words."""
    model = PcsModel(LANE, LINK, instances=2)
    i, o = model.inputs, model.outputs
    i.signal_ok[:] = 1
    i.i_valid[:] = 1
    i.i_payload_control[:] = 0
    i.i_payload_data[:, 0] = 111, 222
    for _ in range(700):
        i.rx[0, 0], i.rx[1, 0] = o.tx[1, 0], o.tx[0, 0]
        model.step()
    assert o.up.tolist() == [1, 1]
    assert o.o_words_data[:, 0].tolist() == [222, 111]
    assert not np.any(o.o_words_control)


class Lanes:
    """Both ends of a link, each over a PCS, and lines between these that make errors."""

    def __init__(self, trial: LinkTrial, error_rate: float, pauses=()):
        self.run = LinkRun(trial)
        self.lane = LaneConfig(name="lane", clock_mhz=trial.config.mhz)
        self.pcs = PcsModel(self.lane, trial.config, instances=2)
        self.rng, self.pauses = np.random.default_rng(trial.seed), pauses
        # When the next bit of each line is wrong, in bits from its beginning; far off if none.
        self.error_rate = error_rate
        self.hit = [self.gap(), self.gap()]
        self.hits = 0

    def gap(self) -> int:
        """Bits to the next wrong one."""
        return int(self.rng.geometric(self.error_rate)) if self.error_rate else 1 << 60

    def through(self, end: int, word: int, cycle: int) -> int:
        """What is left of a word of the line to ``end``."""
        while self.hit[end] < 64 * (cycle + 1):
            word ^= 1 << self.hit[end] % 64
            self.hit[end] += self.gap()
            self.hits += 1
        return word

    def cycle(self) -> None:
        """One cycle of everything."""
        run, i, o = self.run, self.pcs.inputs, self.pcs.outputs
        link_i, link_o, cycle = run.model.inputs, run.model.outputs, run.cycle
        delivered = run.delivered
        link_drive(run.wires, cycle)
        for n in range(2):
            pcs_outputs(self.pcs.parts, o, n)
        link_i.to_pcs_ready[:] = o.i_ready
        link_i.from_pcs_valid[:] = o.o_valid
        link_i.from_pcs_words_data[:] = o.o_words_data
        link_i.from_pcs_words_control[:] = o.o_words_control
        link_i.pcs_up[:] = o.up
        run.model.step()
        i.i_valid[:] = link_o.to_pcs_valid
        i.i_payload_data[:] = link_o.to_pcs_payload_data
        i.i_payload_control[:] = link_o.to_pcs_payload_control.reshape(2)
        paused = any(begin <= cycle < end for begin, end in self.pauses)
        for n in range(2):
            i.signal_ok[n] = not paused
            word = self.through(n, int(o.tx[1 - n, 0]) & (1 << 64) - 1, cycle)
            i.rx[n, 0] = np.array(0 if paused else word, dtype=np.uint64).view(np.int64)
            pcs_clock(self.lane.ber_window_cycles, self.pcs.parts, i, n)
        link_settle(run.wires, cycle)
        run.passed(1, delivered)

    def finish(self) -> dict:
        """Run until all has come, or nothing comes any more."""
        while not self.run.done:
            self.cycle()
        return self.run.results()


LONG_LINK = link_of(PROTO, length_m=100)


def test_links_carry_all_over_two_pcs():
    lanes = Lanes(LinkTrial(config=LONG_LINK, frames=100, sizes=(64, 260), seed=1), 0.0)
    found = lanes.finish()
    assert found["delivered"] == 200 and found["replays"] == 0
    assert found["lost"] == found["duplicated"] == found["reordered"] == 0


def test_links_lose_nothing_over_a_line_with_errors():
    """A wrong bit is three behind the descrambler, within a block or across two."""
    trial = LinkTrial(config=LONG_LINK, frames=300, sizes=(64, 260), seed=2)
    lanes = Lanes(trial, 6e-5)
    found = lanes.finish()
    assert lanes.hits > 20 and found["replays"] > 5
    assert found["delivered"] == 600 and found["given_up"] == 0
    assert found["lost"] == found["duplicated"] == found["reordered"] == found["corrupted"] == 0


def test_link_goes_on_after_a_pause_of_the_signal():
    trial = LinkTrial(config=LONG_LINK, frames=300, sizes=(64, 260), seed=3)
    lanes = Lanes(trial, 0.0, pauses=((3000, 3300),))
    found = lanes.finish()
    assert found["delivered"] == 600 and found["replays"] > 0
    assert found["lost"] == found["duplicated"] == found["reordered"] == found["corrupted"] == 0
