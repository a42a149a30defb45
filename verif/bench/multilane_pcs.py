"""cocotb bench of rtl.serdes.multilane_pcs: lockstep over lines to itself, and what comes back."""

import os
from collections import deque

import cocotb
import numpy as np

from models.config import NODE, RACK, TINY
from models.lines import Lines
from models.link.config import link_of
from models.serdes.config import SYMBOL_BITS
from models.serdes.multilane_pcs import MultilanePcsModel
from rtl.serdes.multilane_pcs import MultilanePcs
from verif.bench.pcs import IDLES, Sender, unsigned
from verif.coverage import Coverage
from verif.lockstep import Lockstep, bench_lanes

# Probabilities that the lines take nothing in a cycle. A search has twice the time that it takes.
GAPS = (0.0, 0.01, 0.25)
HELD = 2  # words of a lane that may come later than they could
CYCLES = int(os.environ.get("BENCH_CYCLES", "3000"))
LINKS = {link.words_per_cycle: link for link in map(link_of, (TINY, NODE, RACK))}
QUIET = 300  # cycles after which nothing is left of a disturbance


class Clocks:
    """Lines that take nothing in some cycles, and bring each lane's words in others."""

    def __init__(self, lines: Lines, rng: np.random.Generator):
        self.lines, self.rng, self.gaps = lines, rng, 0.0
        self.coming: list[deque[np.ndarray]] = [deque() for _ in range(lines.config.lanes)]
        self.tx_ready = False

    def pass_on(self, tx: np.ndarray, i) -> None:
        """The word of the last cycle, if it was taken; then what lines do in this one."""
        rng = self.rng
        if self.tx_ready:
            self.lines.pass_on(tx, i.rx[0], i.rx_valid[0], i.signal_ok[0])
            for lane, words in enumerate(self.coming):
                words.append(i.rx[0, lane].copy())
        for lane, words in enumerate(self.coming):
            comes = bool(words) and (len(words) > HELD or rng.random() >= self.gaps)
            i.rx_valid[0, lane] = comes
            i.rx[0, lane] = words.popleft() if comes else 0
        self.tx_ready = rng.random() >= self.gaps
        i.tx_ready[0] = self.tx_ready


def words_of(data: np.ndarray, control: np.ndarray) -> list[tuple[int, int]]:
    """Words and their control bits."""
    marks = [int(control[k // 8]) >> 8 * (k % 8) & 0xFF for k in range(len(data))]
    return [(unsigned(word), mark) for word, mark in zip(data, marks, strict=True)]


@cocotb.test()
async def matches_model(dut) -> None:
    """Lanes late and out of order, with gaps, with errors, without a signal; and all again."""
    lanes = bench_lanes()
    link = LINKS[lanes.words_per_cycle]
    rng, words = np.random.default_rng(cocotb.RANDOM_SEED), link.words_per_cycle
    bench = Lockstep(dut, MultilanePcs(lanes, link), MultilanePcsModel(lanes, link))
    i, o = bench.model.inputs, bench.model.outputs
    await bench.reset()
    goals = {"gap": 100, "up": 4, "no signal": 2, "came back": 500, "lost": 2, "off": 1}
    if lanes.fec != "none":
        goals |= {"corrected": 5, "bad": 2, "condemned": 1}
    if lanes.interleave > 1:
        goals |= {"burst": 2}
    if lanes.lanes > 1:
        goals |= {"skewed": 1, "expired": 1, "uneven": 100}
    seen = Coverage(goals)
    sender, word, tx = Sender(rng), [], np.zeros_like(o.tx[0])
    period = lanes.search_cycles // 4
    # What lanes are after they were swapped or late is garbage until the fourth wrong marker.
    settled = QUIET + 8 * period
    stretch = 10 * period + 4 * QUIET
    lines, sent, quiet, up, in_step = Lines(lanes, rng), deque(), 0, False, False
    clocks = Clocks(lines, rng)
    kind, i.enable[0] = "errors", 1
    most = (lanes.skew_rows - 2) * lanes.row_bits - HELD * lanes.lane_bits
    for cycle in seen.steps(max(CYCLES, 6 * stretch)):
        phase = cycle % stretch
        if phase == 0 and cycle:
            kind = rng.choice(["errors", "many", "no signal", "skew", "skewed", "off"])
            if kind == "skewed" and lanes.lanes == 1:
                kind = "skew"
            if kind in ("skew", "skewed"):
                delays = rng.integers(most + 1, size=lanes.lanes)
                if kind == "skewed":
                    late = rng.integers(lanes.lanes)
                    delays[late] = delays[late - 1] + (lanes.skew_rows + 4) * lanes.row_bits
                lines = Lines(lanes, rng, rng.permutation(lanes.lanes).tolist(), delays.tolist())
                clocks.lines = lines
            clocks.gaps = rng.choice(GAPS)
        if phase == QUIET:
            lines.error_rate = {"errors": 0.5e-3, "many": 8e-3}.get(kind, 0.0)
            lines.dead = {int(rng.integers(lanes.lanes))} if kind == "no signal" else set()
            i.enable[0] = kind != "off"
            for name in ("no signal", "off"):
                seen[name] += kind == name
        elif phase == 2 * QUIET:
            lines.error_rate, lines.dead, i.enable[0] = 0.0, set(), 1
        disturbed = bool(lines.error_rate or lines.dead or not i.enable[0])
        disturbed = disturbed or kind == "skewed" or phase == 0
        quiet = 0 if disturbed else quiet + 1
        if phase == stretch - 2 * QUIET and lanes.interleave > 1:
            # As long as all codewords of a frame together can correct, and no longer.
            length = (lanes.frame.correctable - 1) * SYMBOL_BITS
            lines.harm[rng.integers(lanes.lanes)] |= (
                1 | 1 << length | int.from_bytes(rng.bytes(length // 8), "little") << 1
            )

        while len(word) < words:
            word.append(sender.word())
        i.i_valid[0] = rng.random() < 0.9
        for k in range(words):
            i.i_payload_data[0, k] = np.array(word[k][0], dtype=np.uint64).view(np.int64)
        for k in range(i.i_payload_control.shape[1]):
            some = word[8 * k : 8 * k + 8]
            control = sum(mark << 8 * n for n, (_, mark) in enumerate(some))
            i.i_payload_control[0, k] = np.array(control, dtype=np.uint64).view(np.int64)
        clocks.pass_on(tx, i)
        await bench.step()
        seen["gap"] += up and not i.tx_ready[0]
        seen["uneven"] += up and len(set(i.rx_valid[0].tolist())) > 1
        tx = o.tx[0].copy()
        assert not o.starved[0] and not o.overrun[0]

        seen["up"] += bool(o.up[0]) and not up
        for name in ("skewed", "lost", "expired", "condemned"):
            seen[name] += int(getattr(o, name)[0])
        up = bool(o.up[0])
        if o.corrected_valid[0]:
            seen["corrected"] += bool(o.corrected[0])
            seen["bad"] += int(o.bad[0])
            # What is taken and deskewed anew may be bad; a burst is not.
            assert not o.bad[0] or quiet <= settled
            seen["burst"] += quiet > settled and o.corrected[0] > lanes.code.correctable
        came = words_of(o.o_words_data[0], o.o_words_control[0]) if up and o.o_valid[0] else []
        for one in came:
            # Words that are alike do not tell where in what was sent it is.
            if quiet > settled and one != IDLES and (in_step or sent.count(one) == 1):
                while sent[0] != one:  # sent while the line was disturbed
                    assert not in_step, f"cycle {cycle}: {one} came in front of {sent[0]}"
                    sent.popleft()
                sent.popleft()
                in_step = True
                seen["came back"] += 1
        if not up or quiet <= settled:
            in_step = False
        if o.i_ready[0] and i.i_valid[0]:
            sent.extend(one for one in word if one != IDLES)
            word = []
        while len(sent) > 4000 * words and not in_step:
            sent.popleft()
