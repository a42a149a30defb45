"""Golden model of rtl.serdes.lane_test: a switch, stores that are lists, and a sum of errors.

The self-test adds up what the checkers count, word by word; it neither clears nor reads counters.
"""

from collections import namedtuple
from enum import IntEnum

import numpy as np

from models.compiled import compiled, inner
from models.record import allocate
from models.serdes.config import LOOP_WORDS, LanesConfig
from models.serdes.prbs import (
    PrbsCheckerModel,
    PrbsGeneratorModel,
    prbs_checker_clock,
    prbs_checker_outputs,
    prbs_generator_clock,
    prbs_generator_outputs,
)

__all__ = [
    "LaneTestInputs",
    "LaneTestModel",
    "LaneTestOutputs",
    "Mode",
    "Result",
    "lane_test_clock",
    "lane_test_outputs",
]

LaneTestInputs = namedtuple(
    "LaneTestInputs",
    "mode pattern invert invert_tx invert_rx inject clear start words patience stop pcs_tx "
    "line_tx_ready line_rx line_rx_valid line_signal_ok",
)
LaneTestOutputs = namedtuple(
    "LaneTestOutputs",
    "pcs_tx_ready pcs_rx pcs_rx_valid pcs_signal_ok line_tx locked error_count slipped running "
    "done result errors held",
)
# Of each lane: `due` errors to be injected, a `store` with its oldest word first, of which `level`
# are there and which `flows`, and the word `looped` last; words that the self-test has `checked`,
# and the `sum` of their errors. Of all: `phase` of the self-test, how many words are `asked` for,
# and how long it has `waited` of its `patience`; `fresh` in the cycle that clears.
LaneTestState = namedtuple(
    "LaneTestState",
    "due store level flows looped slipped checked sum errors held phase asked waited patience "
    "fresh done result",
)
Part = namedtuple("Part", "state i o")
Parts = namedtuple("Parts", "own generators checkers")
# What is the same in each cycle; `ones` are the bits of a lane.
Numbers = namedtuple("Numbers", "width ones lock_words window_words most")


class Mode(IntEnum):
    """What goes where."""

    NORMAL = 0  # PCS and lines are joined
    NEAR = 1  # what the PCS sends comes back to it, and goes to the lines too
    FAR = 2  # what comes from a line goes back to it
    PATTERN = 3  # lines get a test pattern, and are checked for one


class Result(IntEnum):
    """What a self-test ended in."""

    NONE = 0  # none has ended since the last start, or reset
    GOOD = 1  # all words of all lanes have been checked
    NO_LOCK = 2  # not all lanes had a lock in time
    LOST = 3  # a lane has lost its lock
    STOPPED = 4


NORMAL, NEAR, FAR, PATTERN = map(int, Mode)
NONE, GOOD, NO_LOCK, LOST, STOPPED = map(int, Result)
OFF, LOCK, COUNT = range(3)  # phases of the self-test


@inner
def mode_of(s, inputs):
    """The mode that holds."""
    return inputs.mode[0] if s.phase[0] == OFF else PATTERN


@compiled
def lane_test_outputs(numbers, parts, inputs, outputs):
    """What is visible in this cycle: registers, and what passes by."""
    s, mode = parts.own, mode_of(parts.own, inputs)
    outputs.pcs_tx_ready[0] = inputs.line_tx_ready[0]
    for lane in range(s.level.size):
        generators, checkers = parts.generators, parts.checkers
        prbs_generator_outputs(generators.state, generators.o, lane)
        prbs_checker_outputs(checkers.state, checkers.o, lane)
        for w in range(numbers.ones.size):
            ones = numbers.ones[w]
            sent, came = inputs.pcs_tx[0, lane, w], inputs.line_rx[0, lane, w]
            if inputs.invert_rx[0, lane]:
                came = ~came & ones
            outputs.pcs_rx[0, lane, w] = sent if mode == NEAR else came
            if mode == FAR:
                sent = s.looped[lane, w]
            elif mode == PATTERN:
                sent = generators.o.o_payload[lane, w]
            outputs.line_tx[0, lane, w] = ~sent & ones if inputs.invert_tx[0, lane] else sent
        if mode == NEAR:
            outputs.pcs_rx_valid[0, lane] = inputs.line_tx_ready[0]
            outputs.pcs_signal_ok[0, lane] = 1
        else:
            outputs.pcs_rx_valid[0, lane] = inputs.line_rx_valid[0, lane]
            outputs.pcs_signal_ok[0, lane] = mode == NORMAL and inputs.line_signal_ok[0, lane]
        outputs.locked[0, lane] = checkers.o.locked[lane]
        outputs.error_count[0, lane] = checkers.o.error_count[lane]
        outputs.slipped[0, lane] = s.slipped[lane]
        outputs.errors[0, lane], outputs.held[0, lane] = s.errors[lane], s.held[lane]
    outputs.running[0] = s.phase[0] != OFF
    outputs.done[0], outputs.result[0] = s.done[0], s.result[0]


@inner
def loop_clock(numbers, loops, comes, ready, s, inputs, lane):
    """The store of a lane; ``loops`` if there is one, ``comes`` a word, ``ready`` is the line."""
    flows = loops and (s.flows[lane] or s.level[lane] >= LOOP_WORDS // 2)
    goes = flows and ready
    empty = goes and s.level[lane] == 0
    full = loops and comes and not goes and s.level[lane] == LOOP_WORDS
    s.slipped[lane] = empty or full
    if not loops or empty or full:
        s.level[lane] = s.flows[lane] = 0
        return
    s.flows[lane] = flows
    if goes:
        s.level[lane] -= 1
        for w in range(numbers.ones.size):
            s.looped[lane, w] = s.store[lane, 0, w]
            for k in range(s.level[lane]):
                s.store[lane, k, w] = s.store[lane, k + 1, w]
    if comes:
        for w in range(numbers.ones.size):
            word = inputs.line_rx[0, lane, w]
            word = ~word & numbers.ones[w] if inputs.invert_rx[0, lane] else word
            s.store[lane, s.level[lane], w] = word
        s.level[lane] += 1


@inner
def begin(s, inputs):
    """A self-test begins."""
    s.phase[0], s.waited[0], s.result[0] = LOCK, 0, NONE
    s.asked[0], s.patience[0] = max(inputs.words[0], 1), inputs.patience[0]
    for lane in range(s.errors.size):
        s.errors[lane] = s.held[lane] = 0


@inner
def end(s, result, checkers):
    """It ends."""
    s.phase[0], s.done[0], s.result[0] = OFF, 1, result
    for lane in range(s.errors.size):
        s.held[lane] = s.held[lane] or checkers.locked[lane]


@inner
def wait(s, checkers):
    """One more cycle without all locks, or the next phase; what it ends in, or nothing."""
    for lane in range(s.errors.size):
        if not checkers.locked[lane]:
            s.waited[0] += 1
            return NO_LOCK if s.waited[0] > s.patience[0] else NONE
    s.phase[0], s.fresh[0] = COUNT, 1
    for lane in range(s.errors.size):
        s.checked[lane] = s.sum[lane] = 0
    return NONE


@inner
def count(s, checkers):
    """Add the words that the checkers count in this cycle; what it ends in, or nothing."""
    missing, lost = False, False
    for lane in range(s.errors.size):
        if s.held[lane]:
            continue
        if not checkers.locked[lane]:
            lost = True
        elif s.checked[lane] == s.asked[0]:
            s.errors[lane], s.held[lane] = s.sum[lane], 1
        else:
            missing = True
            if checkers.judged[lane]:
                s.checked[lane] += 1
                s.sum[lane] += checkers.errors[lane]
    if lost:
        return LOST
    return NONE if missing else GOOD


@inner
def test_clock(s, inputs, checkers):
    """The self-test."""
    s.done[0] = s.fresh[0] = 0
    if s.phase[0] == OFF:
        if inputs.start[0]:
            begin(s, inputs)
        return
    result = wait(s, checkers) if s.phase[0] == LOCK else count(s, checkers)
    if result == NONE and inputs.stop[0]:
        result = STOPPED
    if result != NONE:
        end(s, result, checkers)


@compiled
def lane_test_clock(numbers, parts, inputs):
    """The clock edge, behind :func:`lane_test_outputs`."""
    s, mode, ready = parts.own, mode_of(parts.own, inputs), inputs.line_tx_ready[0]
    generators, checkers = parts.generators, parts.checkers
    clears = inputs.clear[0] if s.phase[0] == OFF else s.fresh[0]
    test_clock(s, inputs, checkers.state)
    for lane in range(s.level.size):
        comes = inputs.line_rx_valid[0, lane] and inputs.line_signal_ok[0, lane]
        loop_clock(numbers, mode == FAR, comes, ready, s, inputs, lane)

        i = generators.i
        i.pattern[lane], i.invert[lane] = inputs.pattern[0], inputs.invert[0]
        i.enable[lane] = mode == PATTERN and ready
        i.inject[lane] = s.due[lane] or inputs.inject[0, lane]
        s.due[lane] = i.inject[lane] and mode == PATTERN and not ready
        prbs_generator_clock(numbers.width, generators.state, i, lane)

        i = checkers.i
        i.invert[lane], i.clear[lane] = inputs.invert[0], clears
        i.pattern[lane] = inputs.pattern[0]
        i.i_valid[lane] = mode == PATTERN and comes
        for w in range(numbers.ones.size):
            came = inputs.line_rx[0, lane, w]
            i.i_payload[lane, w] = ~came & numbers.ones[w] if inputs.invert_rx[0, lane] else came
        words = numbers.lock_words, numbers.window_words
        prbs_checker_clock(numbers.width, *words, numbers.most, checkers.state, i, lane)
        if mode != PATTERN or not inputs.line_signal_ok[0, lane]:
            checkers.state.locked[lane] = checkers.state.right[lane] = 0


@compiled
def lane_test_step(numbers, parts, inputs, outputs):
    """Outputs of this cycle, then the clock edge."""
    lane_test_outputs(numbers, parts, inputs, outputs)
    lane_test_clock(numbers, parts, inputs)


class LaneTestModel:
    """One of it."""

    def __init__(self, config: LanesConfig):
        self.config = config
        lanes, width = config.lanes, config.lane_bits
        line = 1, lanes, -(-width // 64)
        wide: dict[str, tuple[int, ...]]
        wide = dict.fromkeys(("pcs_tx", "pcs_rx", "line_tx", "line_rx"), line)
        each = "invert_tx invert_rx inject line_rx_valid line_signal_ok pcs_rx_valid pcs_signal_ok "
        each += "locked error_count slipped errors held"
        wide |= dict.fromkeys(each.split(), (1, lanes))
        self.inputs, self.outputs = (
            allocate(kind, {name: wide.get(name, (1,)) for name in kind._fields})
            for kind in (LaneTestInputs, LaneTestOutputs)
        )
        ones = (1 << width) - 1
        lane = config.test_lane
        self.numbers = Numbers(
            width=width,
            ones=np.frombuffer(ones.to_bytes(8 * line[2], "little"), dtype=np.int64),
            lock_words=lane.prbs_lock_words,
            window_words=lane.prbs_window_words,
            most=(1 << lane.error_bits) - 1,
        )
        self.reset()

    def reset(self) -> None:
        """The state after reset: no self-test."""
        lanes, words = self.config.lanes, self.inputs.line_rx.shape[2]
        shapes: dict[str, tuple[int, ...]] = dict.fromkeys(LaneTestState._fields, (lanes,))
        shapes |= dict.fromkeys(("phase", "asked", "waited", "patience"), (1,))
        shapes |= dict.fromkeys(("fresh", "done", "result"), (1,))
        shapes |= {"store": (lanes, LOOP_WORDS, words), "looped": (lanes, words)}
        lane = self.config.test_lane

        def part(model) -> Part:
            return Part(model.state, model.inputs, model.outputs)

        self.parts = Parts(
            own=allocate(LaneTestState, shapes),
            generators=part(PrbsGeneratorModel(lane, lanes)),
            checkers=part(PrbsCheckerModel(lane, lanes)),
        )

    def step(self) -> LaneTestOutputs:
        """Outputs of this cycle, then the clock edge."""
        lane_test_step(self.numbers, self.parts, self.inputs, self.outputs)
        return self.outputs
