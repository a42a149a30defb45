"""cocotb bench of verif.lane_pair: words of two ends, over lines with clocks of their own."""

import os
from collections import deque

import cocotb
import numpy as np
from cocotb.triggers import Timer

from models.lines import Lines
from verif.clock import Clock
from verif.coverage import Coverage
from verif.lockstep import bench_lanes

CYCLES = int(os.environ.get("BENCH_CYCLES", "16000"))
# Steps: 1 is 100 ppm. The clocks of the lines are 300 ppm slower than the slower core, more or less
# 100; of each end those of its core, and of the lines that it sends on.
CORES, LINES = (9_999, 10_000), (10_002, 10_004)
JITTER = 0.05
FIRST = 8  # words that the descrambler may spoil before it has begun
UNDER_WAY = 3  # words on a line, from an end to the recovered clock of the other


class End:
    """The words of one end, what it sends on its lines, and what comes to it."""

    def __init__(self, dut, n: int, rng: np.random.Generator):
        config = bench_lanes()
        self.config, self.rng = config, rng
        names = "i__valid i__ready i__payload o__valid o__words up line_tx line_rx wrong"
        names += " corrected_valid bad"
        self.at = {
            name: getattr(dut, "__".join([name.split("__")[0], str(n), *name.split("__")[1:]]))
            for name in names.split()
        }
        self.line_ok = [getattr(dut, f"line_ok__{n}__{lane}") for lane in range(config.lanes)]
        self.coming: list[deque[int]] = [deque() for _ in range(config.lanes)]
        self.begun, self.line = [False] * config.lanes, [0] * config.lanes
        self.next, self.offered, self.came = 0, False, []
        self.wrong = self.bad = self.up = 0
        self.core = Clock(
            getattr(dut, f"core_{n}_clk"), CORES[n], rng, jitter=JITTER, rises=self.see,
            falls=self.offer,
        )  # fmt: skip
        self.tx = Clock(getattr(dut, f"tx_{n}_clk"), LINES[n], rng, jitter=JITTER, rises=self.send)
        self.rx = [  # recovered from what the other end sends
            Clock(
                getattr(dut, f"rx_{n}_{lane}_clk"), LINES[1 - n], rng, jitter=JITTER,
                falls=lambda lane=lane: self.bring(lane),
            )
            for lane in range(config.lanes)
        ]  # fmt: skip
        self.resets = [
            getattr(dut, f"{name}_rst")
            for name in [f"core_{n}", f"tx_{n}", *(f"rx_{n}_{k}" for k in range(config.lanes))]
        ]
        most = (config.skew_rows - 2) * config.row_bits - 2 * config.lane_bits
        order, delays = rng.permutation(config.lanes), rng.permutation([0, most])
        self.lines = Lines(config, rng, order.tolist(), delays.tolist(), 2e-4)
        self.other: End = self

    def word(self, number: int) -> int:
        """The number of a word, and what follows from it."""
        return number | (number * 0x9E3779B1 & 0xFFFFFFFF) << 32

    def offer(self) -> None:
        """The next word; without a pause, or with some."""
        self.offered = self.rng.random() < (1.0 if self.next & 1024 else 0.7)
        self.at["i__valid"].value = int(self.offered)
        self.at["i__payload"].value = self.word(self.next)

    def see(self) -> None:
        """What the core sees at its edge."""
        if self.offered and int(self.at["i__ready"].value):
            self.next += 1
        up = int(self.at["up"].value)
        if up and int(self.at["o__valid"].value):
            word = int(self.at["o__words"].value)
            if not word >> 64:  # no idles
                self.came.append(word)
        if int(self.at["corrected_valid"].value):
            self.bad += int(self.at["bad"].value)
        self.wrong += int(self.at["wrong"].value)
        self.up += up

    def send(self) -> None:
        """A word of each lane sets out for the other end."""
        config, word = self.config, int(self.at["line_tx"].value)
        mask = (1 << config.lane_bits) - 1
        lanes = [word >> lane * config.lane_bits & mask for lane in range(config.lanes)]
        rx = np.zeros((config.lanes, 1), dtype=np.int64)
        self.lines.pass_on(np.array(lanes)[:, None], rx, *np.zeros((2, config.lanes), int))
        for lane, words in enumerate(self.other.coming):
            words.append(int(rx[lane, 0]))

    def bring(self, lane: int) -> None:
        """The next word of a lane, at its recovered clock."""
        words = self.coming[lane]
        self.begun[lane] |= len(words) > UNDER_WAY
        if self.begun[lane]:
            self.line[lane] = words.popleft()
            width = self.config.lane_bits
            value = sum(word << n * width for n, word in enumerate(self.line))
            self.at["line_rx"].value = value


@cocotb.test()
async def words_pass(dut) -> None:
    """None is lost, doubled or out of order, both ways; queues neither run over nor dry."""
    rng = np.random.default_rng(cocotb.RANDOM_SEED)
    ends = [End(dut, n, rng) for n in range(2)]
    ends[0].other, ends[1].other = ends[1], ends[0]
    for end in ends:
        for wire in (*end.resets, *end.line_ok):
            wire.value = 1
        for one in (end.core, end.tx, *end.rx):
            cocotb.start_soon(one.run())
    await Timer(10 * CORES[1], unit="step")
    for end in ends:
        for reset in end.resets:
            reset.value = 0
    seen = Coverage({"words": CYCLES, "wrong bits": 100})
    for _ in seen.steps(8):
        await Timer(CYCLES // 8 * CORES[1], unit="step")
        seen["words"] = sum(len(end.came) for end in ends)
        seen["wrong bits"] = min(end.lines.hits for end in ends)
    for end in ends:
        came = end.came[FIRST:]
        first = came[0] & 0xFFFFFFFF
        last = first + len(came)
        assert came == [end.word(number) for number in range(first, last)]
        assert end.other.next - last < 300  # those are under way
        assert not end.wrong and not end.bad
