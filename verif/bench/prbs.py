"""cocotb bench of rtl.serdes.prbs: lockstep with the golden models, and the count is right."""

import os
from collections import deque

import cocotb
import numpy as np

from models.serdes.config import LaneConfig, Prbs
from models.serdes.prbs import PrbsCheckerModel, PrbsGeneratorModel
from rtl.serdes.prbs import PrbsChecker, PrbsGenerator
from verif.coverage import Coverage
from verif.lockstep import Lockstep, bench_lane

CYCLES = int(os.environ.get("BENCH_CYCLES", "2000"))
ORDER = max(Prbs.PRBS31.taps)
# What is on the line to a checker besides a clean pattern: where it locks, and where it never does.
LOCKS = ("errors", "bursts", "slips", "relocks")
NEVER = ("zeros", "ones", "noise", "other", "inverted")


def bits_of(words, width: int) -> list[int]:
    """The bits of words of 64, the first one first."""
    value = int.from_bytes(words.tobytes(), "little")
    return [value >> k & 1 for k in range(width)]


def words_of(bits: list[int], count: int):
    """The inverse of :func:`bits_of`."""
    value = sum(bit << k for k, bit in enumerate(bits))
    return np.frombuffer(value.to_bytes(8 * count, "little"), dtype=np.int64)


def pattern_bits(prbs: Prbs, rng: np.random.Generator):
    """A pattern from any place on, for ever."""
    near, far = prbs.taps
    past = deque([*rng.integers(0, 2, far - 1).tolist(), 1], maxlen=far)
    while True:
        past.append(past[-near] ^ past[0])
        yield past[-1]


@cocotb.test()
@cocotb.parametrize(load=[0.6, 1.0])
async def generator_matches_model(dut, load: float) -> None:
    config = bench_lane()
    width, rng = config.width, np.random.default_rng(cocotb.RANDOM_SEED)
    bench = Lockstep(dut, PrbsGenerator(config), PrbsGeneratorModel(config))
    await bench.reset()
    i, o = bench.model.inputs, bench.model.outputs
    seen = Coverage(dict.fromkeys(Prbs, 400 // width + 20) | {"injected": 5, "beyond": 1})
    patterns, line, running = [], [1] * ORDER, 0
    due = None  # pattern, inversion and injection of a word
    for cycle in seen.steps(CYCLES):
        if cycle % (CYCLES // 12) == 0:
            patterns = patterns or rng.permutation([*Prbs, 7]).tolist()
            i.pattern[0] = patterns.pop()
        i.enable[0], i.inject[0] = rng.random() < load, rng.random() < 0.1
        if rng.random() < 0.02:
            i.invert[0] ^= 1
        await bench.step()
        assert o.o_valid[0] == (due is not None)
        if due is not None:
            pattern, inverts, injects = due
            if pattern != running:
                line, running = [1] * ORDER, pattern
            seen["beyond"] += pattern > max(Prbs)
            seen["injected"] += injects
            prbs = Prbs(min(pattern, max(Prbs)))
            seen[prbs] += 1
            bits = [bit ^ inverts for bit in bits_of(o.o_payload[0], width)]
            bits[0] ^= injects
            line = line[-ORDER:] + bits
            for k in range(ORDER, len(line)):
                near, far = prbs.taps
                assert line[k] == line[k - near] ^ line[k - far]
        due = None
        if i.enable[0]:
            due = int(i.pattern[0]), int(i.invert[0]), int(i.inject[0])


class Line:
    """What comes to a checker, word by word, and how many bits of it are wrong."""

    def __init__(self, config: LaneConfig, rng: np.random.Generator):
        self.config, self.rng = config, rng

    def begin(self, kind: str, prbs: Prbs, inverts: int) -> None:
        """Something else, a pattern from any place on."""
        self.kind, self.inverts = kind, inverts ^ (kind == "inverted")
        self.pattern = pattern_bits(
            Prbs((prbs + 1) % len(Prbs)) if kind == "other" else prbs, self.rng
        )
        self.words, self.spoilt, self.spoils = 0, 0, -1

    def relock(self) -> None:
        """The lock is taken from the checker: soon comes an error, which may meet the new one."""
        lock = self.config.prbs_lock_words
        self.spoils = self.words + lock + int(self.rng.integers(5 + ORDER // self.config.width))

    def word(self) -> tuple[list[int], int]:
        """The next one."""
        width, rng, wrong = self.config.width, self.rng, np.zeros(self.config.width, dtype=int)
        self.words += 1
        if self.kind in ("zeros", "ones"):
            return [int(self.kind == "ones")] * width, 0
        if self.kind == "noise":
            return rng.integers(0, 2, width).tolist(), 0
        if self.kind == "slips" and self.words % (5 * self.config.prbs_window_words // 2) == 0:
            next(self.pattern)
        elif self.kind == "errors":
            wrong[:] = rng.random(width) < 0.001
        elif self.kind == "relocks":
            wrong[rng.integers(width)] = self.words == self.spoils
        elif self.kind == "bursts":
            if self.words % (1200 // width + 1) == 0:
                self.spoilt = 100
            wrong[: self.spoilt] = 1
            self.spoilt -= int(wrong.sum())
        bits = [next(self.pattern) ^ error ^ self.inverts for error in wrong.tolist()]
        return bits, int(wrong.sum())


@cocotb.test()
@cocotb.parametrize(load=[0.7, 1.0])
async def checker_matches_model(dut, load: float) -> None:
    config = bench_lane()
    width, rng = config.width, np.random.default_rng(cocotb.RANDOM_SEED)
    bench = Lockstep(dut, PrbsChecker(config), PrbsCheckerModel(config))
    await bench.reset()
    i, o, line = bench.model.inputs, bench.model.outputs, Line(config, rng)
    most = (1 << config.error_bits) - 1
    goals = {"clean": 100, "lost": 1, "cleared with errors": 1, "changed": 1}
    goals |= dict.fromkeys(Prbs, 1) | dict.fromkeys([*LOCKS, *NEVER], 100)
    goals["error as it locks"] = 1
    if config.error_bits < 9:
        goals["at the most"] = 1
    seen, phases = Coverage(goals), []
    # In so many cycles the checker has lost a lock and found another one, errors or not.
    settled = (config.prbs_lock_words + 2 * config.prbs_window_words + 2000 // width) * 3 // 2
    kind, prbs, beyond, began = "noise", Prbs.PRBS7, 0, 0
    line.begin(kind, prbs, 0)
    # Of the cycles before: wrong bits of the word, the lock, the pattern, the clear; and the count.
    wrong, locks = deque([0] * 4, maxlen=4), deque([0] * 4, maxlen=4)
    clears, changes, error_count = 0, deque([0] * 4, maxlen=4), 0
    for cycle in seen.steps(CYCLES):
        if cycle == began + settled * 3 // 2:
            if not phases:
                others = [*LOCKS, *NEVER]
                phases = [("clean", prbs) for prbs in Prbs]
                phases += [(kind, Prbs(int(rng.integers(len(Prbs))))) for kind in others]
                rng.shuffle(phases)
            (kind, prbs), began = phases.pop(), cycle
            i.invert[0], beyond = rng.integers(2), 0
            if prbs == max(Prbs):  # which every value beyond stands for
                beyond = int(rng.integers(4))
            line.begin(kind, prbs, int(i.invert[0]))
        steady = cycle >= began + settled
        turns = kind == "relocks" and locks[3] and rng.random() < 0.1
        if turns:
            line.relock()
        pattern = (prbs + 1) % len(Prbs) if turns else prbs | beyond
        changes.append(int(pattern != i.pattern[0]))
        i.pattern[0] = pattern
        often = kind != "slips" and wrong[2] > 0  # as it is counted
        i.clear[0] = rng.random() < (0.3 if often else 0.01)
        i.i_valid[0], count = rng.random() < load, 0
        if i.i_valid[0]:
            bits, count = line.word()
            i.i_payload[0] = words_of(bits, i.i_payload.shape[1])
        await bench.step()

        counted = wrong[1] if locks[2] and locks[3] else 0
        if steady and kind not in NEVER:
            right = min(most, (0 if clears else error_count) + counted)
            assert o.error_count[0] == right or kind == "slips"
            seen[kind] += o.locked[0]
            seen[prbs] += o.locked[0]
            assert o.locked[0] or kind in ("slips", "relocks")
            seen["cleared with errors"] += clears and counted
        elif steady:
            assert not o.locked[0]
            seen[kind] += 1
        seen["at the most"] += o.error_count[0] == most
        if kind == "relocks":
            seen["error as it locks"] += o.locked[0] and not locks[3] and wrong[3] > 0
        falls = locks[3] and not o.locked[0]
        seen["changed" if changes[2] else "lost"] += falls
        wrong.append(count)
        locks.append(int(o.locked[0]))
        clears, error_count = int(i.clear[0]), int(o.error_count[0])
