# amaranth: UnusedElaboratable=no
import numpy as np
import pytest

from models.config import NODE, PROTO, RACK, TINY
from models.link.config import link_of
from models.serdes.config import LanesConfig
from models.serdes.multilane_pcs import MultilanePcsModel
from rtl.serdes.multilane_pcs import MultilanePcs
from sim.verilator import run_bench
from verif.lines import Lines


def lanes_of(base, lanes: int, fec: str, codewords: int = 8, skew: int = 6) -> LanesConfig:
    words = link_of(base).words_per_cycle
    return LanesConfig(
        name=f"{base.name}-{lanes}-{fec}",
        words_per_cycle=words,
        lanes=lanes,
        fec=fec,
        marker_codewords=codewords,
        skew_rows=skew,
    )


CONFIGS = [
    lanes_of(TINY, 1, "rs272"),
    pytest.param(lanes_of(TINY, 4, "rs544"), marks=pytest.mark.slow),
    lanes_of(TINY, 2, "none"),
    lanes_of(NODE, 4, "rs272"),
]


@pytest.mark.verilator
@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.name)
def test_rtl_matches_model(config):
    link = link_of(NODE if config.words_per_cycle == 5 else TINY)
    run_bench("multilane_pcs", MultilanePcs(config, link), config)


class Loop:
    """An end whose lines come back to it, with the number of a word in each."""

    def __init__(self, base, config: LanesConfig, lines: Lines | None = None):
        self.model = MultilanePcsModel(config, link_of(base))
        self.lines = lines or Lines(config, np.random.default_rng(1))
        self.words = config.words_per_cycle
        self.cycle, self.next = 0, 0
        self.sent: list[int] = []  # the cycle in which each word was taken
        self.came: list[tuple[int, int]] = []  # words, and when they came
        self.model.inputs.i_valid[0] = 1

    def step(self) -> None:
        i, o = self.model.inputs, self.model.outputs
        self.lines.pass_on(o.tx[0], i.rx[0], i.signal_ok[0])
        i.i_payload_data[0] = np.arange(self.next, self.next + self.words)
        self.model.step()
        if o.i_ready[0]:
            self.sent += self.words * [self.cycle]
            self.next += self.words
        if o.o_valid[0] and o.up[0]:
            self.came += [(int(word), self.cycle) for word in o.o_words_data[0]]
        self.cycle += 1


EVERY = [
    (base, lanes, fec)
    for base in (PROTO, NODE, RACK)
    for lanes in (1, 2, 4, 8)
    for fec in ("none", "rs272", "rs544")
]


@pytest.mark.parametrize("base, lanes, fec", EVERY, ids=lambda value: getattr(value, "name", value))
def test_line_is_full_and_words_come_in_order(base, lanes, fec):
    """Without a bubble on the lines; markers and the width of lanes take what the words lack."""
    config = lanes_of(base, lanes, fec)
    loop, ready = Loop(base, config), 0
    period = (config.data_rows + config.marker_rows) * config.row_groups
    warm = 4 * period + 200
    for cycle in range(warm + 8 * period):
        loop.step()
        o = loop.model.outputs
        ready += cycle >= warm and int(o.i_ready[0])
        assert not o.overrun[0] and (cycle < 50 or not o.starved[0])
    # Words of a period: those of its codewords, in the time in which the lines bring it.
    blocks = 4 * config.message_bits // 257 * config.marker_codewords
    bits = (config.data_rows + config.marker_rows) * config.row_bits
    full = blocks / config.words_per_cycle / (bits / config.lane_bits)
    assert full <= 1 and abs(ready / (8 * period) - full) < 1 / period + 0.002
    came = [word for word, cycle in loop.came if cycle >= warm]
    assert came == list(range(came[0], came[0] + len(came))) and len(came) > loop.words * period


def test_all_that_can_be_corrected_is():
    """Wrong bits of which RS272 corrects nearly all, on four lanes late and out of order."""
    config = lanes_of(NODE, 4, "rs272", codewords=40)
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
