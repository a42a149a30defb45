"""cocotb bench of rtl.serdes.lane_test: lockstep in each mode, and each word and error is told."""

import os
from collections import deque

import cocotb
import numpy as np

from models.lines import Lines
from models.serdes.config import LOOP_WORDS, LanesConfig, Prbs
from models.serdes.lane_test import LaneTestModel, Mode, Result
from rtl.serdes.lane_test import LaneTest
from verif.coverage import Coverage
from verif.lockstep import Lockstep, bench_lanes

CYCLES = int(os.environ.get("BENCH_CYCLES", "4000"))
# What a phase of the bench is. Self-tests: one that is good; or a lane is dead, wrong bits or a
# signal that goes take a lock, the pattern changes, it is stopped, a lane has its wires swapped.
MODES = {"normal": Mode.NORMAL, "near": Mode.NEAR, "far": Mode.FAR, "hand": Mode.PATTERN}
TESTS = ("good", "dead", "noise", "cut", "change", "stop", "swapped")
ENDS = {
    "good": {Result.GOOD},
    "dead": {Result.NO_LOCK},
    "noise": {Result.LOST},
    "cut": {Result.LOST},
    "change": {Result.LOST},
    "stop": {Result.STOPPED},
    "swapped": {Result.NO_LOCK},
}
# And of one that is started in the cycle in which such a one is done: words of that are under way,
# which give a lock that may be lost where they end. Till then errors are counted that are none.
AGAIN = {
    "good": {Result.GOOD, Result.LOST},
    "dead": {Result.NO_LOCK},
    "noise": {Result.NO_LOCK, Result.LOST},
    "cut": {Result.NO_LOCK},
    "change": {Result.GOOD, Result.LOST},
    "stop": {Result.GOOD, Result.LOST},
    "swapped": {Result.NO_LOCK},
}


def number(words: np.ndarray) -> int:
    """The bits of a word of a line."""
    return int.from_bytes(words.tobytes(), "little")


class CountedLines(Lines):
    """Lines that come back, each at its pace, and how many bits of each word are wrong.

    ``waiting`` are the words of each lane that are to come, each with its wrong bits.
    """

    def __post_init__(self):
        super().__post_init__()
        lanes, words = self.config.lanes, -(-self.config.lane_bits // 64)
        self.hit, self.marks = [0] * lanes, [0] * lanes
        self.waiting: list[deque] = [deque() for _ in range(lanes)]
        self.rx = np.zeros((lanes, words), dtype=np.int64)
        self.rx_valid, self.signal_ok = np.zeros(lanes), np.zeros(lanes)

    def wrong(self, lane: int) -> int:
        self.hit[lane] = super().wrong(lane)
        return self.hit[lane]

    def carry(self, tx: np.ndarray, injected: np.ndarray) -> None:
        """A word of each lane, of which bit 0 is wrong if an error was ``injected``."""
        self.pass_on(tx, self.rx, self.rx_valid, self.signal_ok)
        for lane in range(self.config.lanes):
            to = self.order[lane] if self.order else lane
            delay = self.delays[lane] if self.delays else 0
            self.marks[lane] |= int(injected[lane]) << delay
            wrong = self.hit[lane] ^ self.marks[lane] & (1 << self.config.lane_bits) - 1
            self.marks[lane] >>= self.config.lane_bits
            self.waiting[to].append((self.rx[to].copy(), wrong.bit_count()))


class SelfTest:
    """What a self-test must find, reckoned from the words that came.

    Parameters
    ----------
    words : int
        Words of each lane.
    lanes : int
        Lanes.
    kind : str
        What disturbs it.
    again : bool
        It begins as another has ended.
    """

    def __init__(self, words: int, lanes: int, kind: str, again: bool):
        self.words, self.again, self.began = max(words, 1), again, False
        self.results = (AGAIN if again else ENDS)[kind]
        self.counts: list[list[int]] = [[] for _ in range(lanes)]  # wrong bits, word by word
        self.cycles = [0] * lanes  # that each lane took

    def add(self, wrong: list) -> None:
        """Wrong bits of the word of each lane, None if none came."""
        for lane, count in enumerate(self.counts):
            if len(count) < self.words:
                self.cycles[lane] += 1
                if wrong[lane] is not None:
                    count.append(wrong[lane])


class Bench:
    """The design, what is at both of its ends, and what must hold between these."""

    def __init__(self, dut, config: LanesConfig):
        self.config, self.rng = config, np.random.default_rng(cocotb.RANDOM_SEED)
        self.lockstep = Lockstep(dut, LaneTest(config), LaneTestModel(config))
        self.i, self.o = self.lockstep.model.inputs, self.lockstep.model.outputs
        goals = {f"{mode} with gaps": 100 for mode in MODES} | dict.fromkeys(MODES, 100)
        goals |= {f"test {kind}": 1 for kind in TESTS if kind != "good"}
        goals |= {"test good": 4, "exact": 4, "errors": 3, "start while one runs": 10}
        goals |= {"empty": 2, "full": 2, "looped": 200, "injected": 10, "injection waits": 3}
        goals |= {"cleared by hand": 3, "clear while one runs": 5, "no word": 1, "by hand": 1}
        goals |= {"start as one is done": 1, "lock of another": 1, "exact, inverted": 1}
        goals |= dict.fromkeys((f"{mode} inverted" for mode in MODES), 50)
        goals |= dict.fromkeys(Prbs, 20)
        if config.lanes > 1:
            goals |= {"lanes end apart": 1, "one held": 1}
        self.seen = Coverage(goals)
        self.kinds: list[str] = []
        self.lines = CountedLines(config, self.rng)
        self.kind, self.left, self.age = "normal", 200, 0
        self.due = np.zeros(config.lanes, dtype=bool)  # errors in the word that is sent next
        self.shown = np.zeros(config.lanes, dtype=bool)  # and in the one that is shown
        self.test: SelfTest | None = None
        self.came = [deque() for _ in range(config.lanes)]  # what a loop has to send
        # Wrong bits of the word of each lane that comes, and that came a cycle before.
        self.wrong: list = [None] * config.lanes
        self.before = self.wrong
        self.gaps, self.insists = (0.0, 0.0), False

    def begin(self) -> None:
        """Another phase."""
        i, rng, lanes = self.i, self.rng, self.config.lanes
        if not self.kinds:
            self.kinds = [*MODES, "far", "far", *TESTS, *["good"] * 3]
            rng.shuffle(self.kinds)
        before = int(i.pattern[0])
        locked = i.mode[0] == Mode.PATTERN and self.o.locked[0].all()
        if locked:  # a self-test next, for which this lock must not count
            self.kinds.sort(key=TESTS.__contains__)
        self.kind, self.age, self.insists = self.kinds.pop(), 0, rng.random() < 0.3
        self.left = int(rng.integers(200, 500))
        looped = i.mode[0] == Mode.FAR
        i.mode[0] = MODES.get(self.kind, rng.integers(len(Mode)))
        if looped and self.kind in TESTS:  # or words of a pattern of before would go round
            i.mode[0] = Mode.NORMAL
        i.pattern[0], i.invert[0] = rng.integers(8), rng.integers(2)
        if locked and self.kind in TESTS:
            i.mode[0], i.pattern[0] = Mode.NORMAL, before ^ 1
            self.seen["lock of another"] += 1
        i.invert_tx[0] = rng.integers(2, size=lanes)
        self.gaps = tuple(rng.choice([0.0, 0.01, 0.05, 0.3], size=2).tolist())
        most = 3 * self.config.lane_bits
        order = rng.permutation(lanes).tolist()
        delays = rng.integers(most + 1, size=lanes).tolist()
        self.lines = CountedLines(self.config, rng, order, delays)
        # The lane at the other end of each line knows whether its wires are swapped.
        for lane in range(lanes):
            i.invert_rx[0, order[lane]] = i.invert_tx[0, lane]
        if self.kind == "swapped":
            i.invert_rx[0, rng.integers(lanes)] ^= 1
        if self.kind in ("good", "hand"):
            self.lines.error_rate = float(rng.choice([0, 1e-3, 1e-2]))
        if self.kind == "dead":
            self.lines.dead = {int(rng.integers(lanes))}
        self.words = 10_000
        if self.kind == "good":
            few = [0, 1, 2, int(rng.integers(3, 30))]
            self.words = int(rng.choice([*few, *rng.integers(30, 300, size=6)]))
            self.words *= self.seen["no word"] > 0
        i.patience[0] = 400 if self.kind != "dead" else rng.integers(100)

    def disturb(self) -> None:
        """What takes a lock, or ends a self-test, in the middle of it."""
        i, rng = self.i, self.rng
        counting = self.test is not None and self.test.began
        if self.kind == "hand" and self.age % 80 == 0:
            i.pattern[0] = min(Prbs, key=lambda prbs: self.seen[prbs])
        if not counting or self.left != 100:
            i.stop[0] = rng.random() < 0.02 and self.test is None  # means nothing
            return
        if self.kind == "noise":
            self.lines.error_rate = 0.4
        elif self.kind == "cut":
            self.lines.dead = {int(rng.integers(self.config.lanes))}
        elif self.kind == "change":
            i.pattern[0] ^= 1
        i.stop[0] = self.kind == "stop"

    def draw(self, lines: np.ndarray) -> None:
        """Another word for each of them."""
        bits = self.config.lane_bits
        for line in lines:
            word = int.from_bytes(self.rng.bytes(-(-bits // 8)), "little") & (1 << bits) - 1
            line[:] = np.frombuffer(word.to_bytes(line.nbytes, "little"), dtype=np.int64)

    def drive(self) -> None:
        """The inputs of a cycle."""
        i, rng, lanes = self.i, self.rng, self.config.lanes
        if i.line_tx_ready[0]:
            self.draw(i.pcs_tx[0])
        i.line_tx_ready[0] = rng.random() >= self.gaps[0]
        self.before, self.wrong = self.wrong, [None] * lanes
        if self.kind == "far":  # words that nobody has sent
            self.draw(i.line_rx[0])
        for lane in range(lanes):
            waiting = self.lines.waiting[lane]
            i.line_signal_ok[0, lane] = lane not in self.lines.dead
            comes = rng.random() >= self.gaps[1]
            if self.kind != "far":
                comes = bool(waiting) and (comes or len(waiting) > 6)
                # What is on a line that brings no word must not matter.
                i.line_rx[0, lane] = i.line_rx[0, lane - 1]
                if comes:
                    i.line_rx[0, lane], self.wrong[lane] = waiting.popleft()
            i.line_rx_valid[0, lane] = comes
            if not i.line_signal_ok[0, lane]:
                self.wrong[lane] = None
        i.inject[0] = rng.random(lanes) < (0.05 if self.kind in ("hand", "good") else 0)
        i.clear[0] = rng.random() < 0.02
        i.start[0] = self.kind in TESTS and self.age == 40
        if self.test is not None and rng.random() < (1.0 if self.insists else 0.05):
            i.start[0] = 1
            i.words[0] = rng.integers(200)
        elif i.start[0]:
            i.words[0] = self.words

    def passes(self) -> None:
        """Between PCS and lines, and back to where a word came from: no clock between them."""
        i, o, bits = self.i, self.o, self.config.lane_bits
        ones, running = (1 << bits) - 1, bool(o.running[0])
        for lane in range(self.config.lanes):
            sent, shown = number(i.pcs_tx[0, lane]), number(o.line_tx[0, lane])
            shown ^= ones * int(i.invert_tx[0, lane])
            came = number(i.line_rx[0, lane]) ^ ones * int(i.invert_rx[0, lane])
            back = number(o.pcs_rx[0, lane])
            if running or i.mode[0] in (Mode.FAR, Mode.PATTERN):
                assert not o.pcs_signal_ok[0, lane]
                continue
            assert shown == sent and o.pcs_tx_ready[0] == i.line_tx_ready[0]
            if i.mode[0] == Mode.NEAR:
                assert back == sent and o.pcs_signal_ok[0, lane]
                assert o.pcs_rx_valid[0, lane] == i.line_tx_ready[0]
            else:
                assert back == came and o.pcs_rx_valid[0, lane] == i.line_rx_valid[0, lane]

    def loops(self) -> None:
        """Words go back in order, and all of them but where a lane slips."""
        i, o, ones = self.i, self.o, (1 << self.config.lane_bits) - 1
        for lane, came in enumerate(self.came):
            if i.mode[0] != Mode.FAR or o.running[0]:
                came.clear()
                continue
            if o.slipped[0, lane]:
                self.seen["full" if len(came) > LOOP_WORDS else "empty"] += 1
                came.clear()
            shown = number(o.line_tx[0, lane]) ^ ones * int(i.invert_tx[0, lane])
            if i.line_tx_ready[0] and came and shown == came[0]:
                came.popleft()
                self.seen["looped"] += 1
            assert len(came) <= LOOP_WORDS + 1, f"lane {lane} is late, or has lost a word"
            if i.line_rx_valid[0, lane] and i.line_signal_ok[0, lane]:
                word = number(i.line_rx[0, lane]) ^ ones * int(i.invert_rx[0, lane])
                came.append(word)

    def tests(self) -> None:
        """What a self-test has found is what came."""
        i, o, seen = self.i, self.o, self.seen
        if self.test is not None:
            seen["start while one runs"] += int(i.start[0] and o.running[0])
            seen["clear while one runs"] += int(i.clear[0] and o.running[0])
        if o.done[0]:
            test = self.test
            assert test is not None, "none was started"
            assert o.result[0] in test.results, f"{self.kind}: {Result(o.result[0]).name}"
            seen[f"test {self.kind}"] += 1
            if o.result[0] == Result.GOOD:
                assert all(len(count) == test.words for count in test.counts)
                right = [sum(count) for count in test.counts]
                assert test.again or o.errors[0].tolist() == right
                assert o.held[0].all()
                seen["exact"] += not test.again
                seen["exact, inverted"] += bool(not test.again and i.invert_tx[0].any())
                seen["errors"] += bool(o.errors[0].all())
                seen["lanes end apart"] += len(set(test.cycles)) > 1
                seen["by hand"] += i.mode[0] == Mode.PATTERN
            elif o.result[0] == Result.NO_LOCK:
                seen["one held"] += 0 < o.held[0].sum() < self.config.lanes
                assert not o.held[0].all() and not o.errors[0].any()
            self.test, self.left = None, min(self.left, 20)
            seen["start as one is done"] += int(i.start[0])
            self.insists = False
        if self.test is not None:
            # The word of the cycle before the one in which all are locked is the first one.
            if not self.test.began and o.locked[0].all():
                self.test.began = True
                self.test.add(self.before)
            if self.test.began:
                self.test.add(self.wrong)
        if i.start[0] and not o.running[0]:
            seen["no word"] += i.words[0] == 0
            words, lanes = int(i.words[0]), self.config.lanes
            self.test = SelfTest(words, lanes, self.kind, bool(o.done[0]))

    def sends(self) -> None:
        """The lines take a word; and whether a generator makes one with an error behind it."""
        i, o = self.i, self.o
        patterns = bool(o.running[0]) or i.mode[0] == Mode.PATTERN
        due = self.due | i.inject[0].astype(bool)
        if i.line_tx_ready[0]:
            if self.kind != "far":
                self.lines.carry(o.line_tx[0], self.shown & patterns)
            if patterns:
                self.seen["injected"] += int(due.sum())
                self.seen["injection waits"] += int(self.due.sum())
                self.shown, due = due, np.zeros_like(due)
        self.due = due & patterns

    async def cycle(self) -> None:
        """One of them."""
        i, o, seen = self.i, self.o, self.seen
        if self.left == 0:
            self.begin()
        self.disturb()
        self.drive()
        await self.lockstep.step()
        self.passes()
        self.loops()
        self.tests()
        self.sends()
        if self.kind in MODES:
            seen[self.kind] += 1
            seen[f"{self.kind} with gaps"] += all(self.gaps)
            seen[f"{self.kind} inverted"] += bool(i.invert_tx[0].any())
        if self.kind == "hand":
            seen["cleared by hand"] += int(i.clear[0] and o.error_count[0].any())
            seen[Prbs(min(int(i.pattern[0]), max(Prbs)))] += bool(o.locked[0].all())
        self.age += 1
        # What disturbs a self-test waits for it to count, and the next phase for its end.
        counting = self.test is not None and self.test.began
        if self.test is None or self.left not in (1, 100) or (self.left == 100 and counting):
            self.left -= 1


@cocotb.test()
async def matches_model(dut) -> None:
    """All modes and all that a self-test may end in, at random paces."""
    bench = Bench(dut, bench_lanes())
    await bench.lockstep.reset()
    for _ in bench.seen.steps(CYCLES):
        await bench.cycle()
