"""cocotb bench of rtl.serdes.lane_crossing: real clocks; words all come, once, in order."""

import os
from itertools import pairwise

import cocotb
import numpy as np
from cocotb.triggers import Timer

from verif.clock import Clock
from verif.lockstep import bench_lanes

CYCLES = int(os.environ.get("BENCH_CYCLES", "8000"))
PERIOD = 10_000  # steps of the core's clock, so that a step is 100 ppm
# Periods of the clocks of the lines, that of the sender first, and their jitter. A line is slower
# than the core by the least that is allowed, by the most, in between; and by far more.
RATIOS = {
    "least": ((10_002, 10_004, 10_002), 0.0),
    "most": ((10_004, 10_002, 10_004), 0.02),
    "jitter": ((10_002, 10_002, 10_003), 0.2),
    "slow": ((10_700, 11_000, 10_100), 0.1),
    "half": ((20_000, 20_001, 17_000), 0.1),
}


class Crossing:
    """A crossing under clocks, what went into it and what came out.

    Times are steps; a word counts from the edge that takes it to the edge that sees it.
    """

    def __init__(self, dut, rng: np.random.Generator, periods: tuple, jitter: float):
        config = bench_lanes()
        self.dut, self.rng, self.lanes, self.width = dut, rng, config.lanes, config.lane_bits
        each = range(self.lanes)
        self.core = Clock(dut.clk, PERIOD, rng, jitter=jitter, rises=self.see, falls=self.offer)
        self.tx = Clock(dut.tx_clk, periods[0], rng, jitter=jitter, rises=self.send)
        self.rx = [
            Clock(
                getattr(dut, f"rx_{n}_clk"), periods[1 + n], rng, jitter=jitter,
                rises=lambda n=n: self.given[n].append((self.word[n], self.rx[n].now)),
                falls=lambda n=n: self.bring(n),
            )
            for n in each
        ]  # fmt: skip
        self.resets = [dut.rst, dut.tx_rst, *(getattr(dut, f"rx_{n}_rst") for n in each)]
        self.line_ok = [getattr(dut, f"line_ok__{n}") for n in each]
        self.ok = [getattr(dut, f"signal_ok__{n}") for n in each]
        self.valid = [getattr(dut, f"rx_valid__{n}") for n in each]
        self.overflow = [getattr(dut, f"overflow__{n}") for n in each]
        self.overflows = [getattr(dut, f"overflows__{n}") for n in each]
        self.word = [0] * self.lanes  # on the lines
        self.out, self.waits = 0, False  # from the core
        self.taken: list[tuple[int, int]] = []  # words, and when; of the core,
        self.sent: list[tuple[int, int]] = []  # on the lines of the sender,
        self.given: list[list] = [[] for _ in each]  # on those of the receiver,
        self.came: list[list] = [[] for _ in each]  # and in the core
        self.cycles, self.told, self.lost = 0, 0, [0] * self.lanes
        self.oks: list[list[int]] = [[] for _ in each]

    def some(self, bits: int) -> int:
        """A random word that is not zero."""
        return 1 + int.from_bytes(self.rng.bytes(-(-bits // 8)), "little") % ((1 << bits) - 1)

    def offer(self) -> None:
        """The core has another word if the last one was taken."""
        if not self.waits:
            self.out = self.some(self.lanes * self.width)
            self.dut.tx.value = self.out

    def see(self) -> None:
        """What the core sees at its edge."""
        self.cycles += 1
        self.waits = bool(self.out) and not int(self.dut.tx_ready.value)
        if self.out and not self.waits:
            self.taken.append((self.out, self.core.now))
        self.told += int(self.dut.underflow.value)
        rx = int(self.dut.rx.value)
        for n in range(self.lanes):
            if int(self.valid[n].value):
                word = rx >> n * self.width & (1 << self.width) - 1
                self.came[n].append((word, self.core.now))
            self.lost[n] += int(self.overflow[n].value)
            self.oks[n].append(int(self.ok[n].value))

    def send(self) -> None:
        """What the lines of the sender see."""
        word = int(self.dut.line_tx.value)
        self.sent.append((word, self.tx.now))

    def bring(self, lane: int) -> None:
        """Another word on a lane of the receiver."""
        self.word[lane] = self.some(self.width)
        self.dut.line_rx.value = sum(word << n * self.width for n, word in enumerate(self.word))

    async def start(self) -> None:
        """All clocks, and a reset of all domains."""
        for n in range(self.lanes):
            self.bring(n)
            self.line_ok[n].value = 1
        for reset in self.resets:
            reset.value = 1
        self.tasks = [cocotb.start_soon(one.run()) for one in (self.core, self.tx, *self.rx)]
        await self.run(12)
        for reset in self.resets:
            reset.value = 0
        await self.run(60)
        self.taken, self.sent = [], []
        self.given, self.came = ([[] for _ in self.given] for _ in range(2))
        self.told, self.lost = 0, [0] * self.lanes

    async def run(self, cycles: int) -> None:
        """So many cycles of the core's clock."""
        await Timer(cycles * PERIOD, unit="step")

    async def stop(self) -> None:
        """Clocks end, low."""
        for task in self.tasks:
            task.cancel()
        for one in (self.core, self.tx, *self.rx):
            one.handle.value = 0
        await Timer(1, unit="step")


def delays(went: list, came: list) -> list[int]:
    """How long each word took; all came, from the first that did on, and none else.

    What was under way as counting began may come before it.
    """
    words = [word for word, _ in went]
    first = next(k for k, (word, _) in enumerate(came) if word in words[:64])
    start = words.index(came[first][0])
    assert start < 64 and first < 64
    pairs = list(zip(went[start:], came[first:], strict=False))
    assert all(a == b for (a, _), (b, _) in pairs), "words were lost, doubled or reordered"
    assert len(pairs) > len(went) - 64
    return [after - before for (_, before), (_, after) in pairs]


@cocotb.test()
async def words_cross(dut) -> None:
    """All ratios of clocks that there may be; no word is lost, none waits longer than it must."""
    rng = np.random.default_rng(cocotb.RANDOM_SEED)
    for name, (periods, jitter) in RATIOS.items():
        crossing = Crossing(dut, rng, periods, jitter)
        await crossing.start()
        await crossing.run(CYCLES if name in ("least", "most") else CYCLES // 4)
        took = delays(crossing.taken, crossing.sent)
        # Each edge is early or late by some jitter, and where two come at once a word waits.
        least, most = (np.array([min(took), max(took)]) / periods[0]).tolist()
        dut._log.info("%s: transmit %.2f to %.2f cycles of the line", name, least, most)
        assert least > 5.5 - 3 * jitter and most < 8.5 + 3 * jitter, (name, least, most)
        for n in range(crossing.lanes):
            took = delays(crossing.given[n], crossing.came[n])
            least, most = (np.array([min(took), max(took)]) / PERIOD).tolist()
            dut._log.info("%s: receive %.2f to %.2f cycles of the core", name, least, most)
            assert least > 1.9 - 3 * jitter and most < 3.2 + 7 * jitter, (name, least, most)
        assert not crossing.told and not any(crossing.lost)
        assert not int(dut.underflows.value)
        assert not any(int(count.value) for count in crossing.overflows)
        await crossing.stop()


@cocotb.test()
async def clock_out_of_tolerance_is_told(dut) -> None:
    """A line clock that is faster than the core: words are lost or lacking, and each is counted."""
    rng = np.random.default_rng(cocotb.RANDOM_SEED)
    crossing = Crossing(dut, rng, (9_900, 10_002, 9_950), 0.05)
    await crossing.start()
    await crossing.run(CYCLES)
    assert crossing.told > 10 and crossing.lost[1] > 10
    assert not crossing.lost[0] and not int(crossing.overflows[0].value)
    # What the counters say is what is missing, but for what is under way.
    lost = len(crossing.given[1]) - len(crossing.came[1])
    assert abs(lost - int(crossing.overflows[1].value)) <= 8
    zeros = [word == 0 for word, _ in crossing.sent]
    times = sum(b and not a for a, b in pairwise(zeros))
    assert abs(int(dut.underflows.value) - times) <= 1
    # Nothing is out of order all the same.
    came, words = [word for word, _ in crossing.came[1]], iter([w for w, _ in crossing.given[1]])
    assert all(any(word == one for one in words) for word in came[64:])
    await crossing.stop()


@cocotb.test()
async def clock_that_stops_comes_back(dut) -> None:
    """With and without a reset of its domain, of each domain; and a reset of the core."""
    rng = np.random.default_rng(cocotb.RANDOM_SEED)
    crossing = Crossing(dut, rng, RATIOS["jitter"][0], 0.1)
    await crossing.start()
    for lane in range(crossing.lanes):
        for resets in (False, True):
            await crossing.run(int(rng.integers(100, 200)))
            crossing.rx[lane].stopped = True
            crossing.line_ok[lane].value = 0
            if resets:
                crossing.resets[2 + lane].value = 1
            await crossing.run(int(rng.integers(50, 100)))
            before = len(crossing.came[lane])
            assert not crossing.oks[lane][-1]
            await crossing.run(50)
            assert len(crossing.came[lane]) == before  # nothing comes
            crossing.rx[lane].stopped = False
            await crossing.run(6)
            crossing.resets[2 + lane].value = 0
            crossing.line_ok[lane].value = 1
            await crossing.run(60)
            assert crossing.oks[lane][-1]
            crossing.given[lane], crossing.came[lane] = [], []
            await crossing.run(200)
            delays(crossing.given[lane], crossing.came[lane])
    # A reset that nothing else tells takes the signal, so that words in between are not missed.
    crossing.oks = [[] for _ in crossing.oks]
    crossing.resets[2].value = 1
    await crossing.run(8)
    crossing.resets[2].value = 0
    await crossing.run(60)
    assert 0 in crossing.oks[0] and 0 not in crossing.oks[1]
    # The sender's clock: words wait, and none is lost.
    delays(crossing.taken, crossing.sent)
    crossing.taken, crossing.sent = [], []
    crossing.tx.stopped = True
    await crossing.run(100)
    held = len(crossing.taken)
    await crossing.run(50)
    assert len(crossing.taken) == held
    crossing.tx.stopped = False
    await crossing.run(200)
    delays(crossing.taken, crossing.sent)
    crossing.resets[0].value = 1
    await crossing.run(10)
    crossing.resets[0].value = 0
    await crossing.run(60)
    crossing.taken, crossing.sent = [], []
    crossing.given, crossing.came = ([[] for _ in crossing.given] for _ in range(2))
    await crossing.run(200)
    delays(crossing.taken, crossing.sent)
    for n in range(crossing.lanes):
        delays(crossing.given[n], crossing.came[n])
    assert not crossing.told and not any(crossing.lost)
    await crossing.stop()


@cocotb.test()
async def signal_passes_two_flip_flops(dut) -> None:
    """Whenever it changes: not before the second edge of the core, and not behind the third."""
    rng = np.random.default_rng(cocotb.RANDOM_SEED)
    crossing = Crossing(dut, rng, RATIOS["least"][0], 0.0)
    await crossing.start()
    for _ in range(50):
        lane = int(rng.integers(crossing.lanes))
        was = crossing.oks[lane][-1]
        await Timer(int(rng.integers(1, PERIOD)), unit="step")
        count = len(crossing.oks[lane])
        crossing.line_ok[lane].value = 1 - was
        await crossing.run(6)
        assert crossing.oks[lane][count:][:2] == [was, was]
        assert crossing.oks[lane][count:][2:4] == [1 - was, 1 - was]
    await crossing.stop()
