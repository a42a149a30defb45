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
    "lane_test_sends",
    "lane_test_shapes",
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
Numbers = namedtuple("Numbers", "lanes width ones lock_words window_words most")


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
def mode_of(s, inputs, n):
    """The mode that holds."""
    return inputs.mode[n] if s.phase[n] == OFF else PATTERN


@inner
def came_of(numbers, inputs, n, lane, w):
    """What comes from a line, its wires as they should be."""
    came = inputs.line_rx[n, lane, w]
    return ~came & numbers.ones[w] if inputs.invert_rx[n, lane] else came


@compiled
def lane_test_sends(numbers, parts, inputs, outputs):
    """What goes to the lines in this cycle; it hangs on nothing that comes from them."""
    s, generators = parts.own, parts.generators
    for n in range(s.phase.size):
        mode = mode_of(s, inputs, n)
        for lane in range(numbers.lanes):
            at = n * numbers.lanes + lane
            prbs_generator_outputs(generators.state, generators.o, at)
            for w in range(numbers.ones.size):
                sent = inputs.pcs_tx[n, lane, w]
                if mode == FAR:
                    sent = s.looped[n, lane, w]
                elif mode == PATTERN:
                    sent = generators.o.o_payload[at, w]
                if inputs.invert_tx[n, lane]:
                    sent = ~sent & numbers.ones[w]
                outputs.line_tx[n, lane, w] = sent


@compiled
def lane_test_outputs(numbers, parts, inputs, outputs):
    """All else that is visible in this cycle: registers, and what passes by."""
    s, checkers = parts.own, parts.checkers
    for n in range(s.phase.size):
        mode = mode_of(s, inputs, n)
        outputs.pcs_tx_ready[n] = inputs.line_tx_ready[n]
        for lane in range(numbers.lanes):
            at = n * numbers.lanes + lane
            for w in range(numbers.ones.size):
                sent, came = inputs.pcs_tx[n, lane, w], came_of(numbers, inputs, n, lane, w)
                outputs.pcs_rx[n, lane, w] = sent if mode == NEAR else came
            if mode == NEAR:
                outputs.pcs_rx_valid[n, lane] = inputs.line_tx_ready[n]
                outputs.pcs_signal_ok[n, lane] = 1
            else:
                outputs.pcs_rx_valid[n, lane] = inputs.line_rx_valid[n, lane]
                outputs.pcs_signal_ok[n, lane] = mode == NORMAL and inputs.line_signal_ok[n, lane]
            prbs_checker_outputs(checkers.state, checkers.o, at)
            outputs.locked[n, lane] = checkers.o.locked[at]
            outputs.error_count[n, lane] = checkers.o.error_count[at]
            outputs.slipped[n, lane] = s.slipped[n, lane]
            outputs.errors[n, lane], outputs.held[n, lane] = s.errors[n, lane], s.held[n, lane]
        outputs.running[n] = s.phase[n] != OFF
        outputs.done[n], outputs.result[n] = s.done[n], s.result[n]


@inner
def loop_clock(numbers, loops, comes, s, inputs, n, lane):
    """The store of a lane; ``loops`` if there is one, ``comes`` a word."""
    flows = loops and (s.flows[n, lane] or s.level[n, lane] >= LOOP_WORDS // 2)
    goes = flows and inputs.line_tx_ready[n]
    empty = goes and s.level[n, lane] == 0
    full = loops and comes and not goes and s.level[n, lane] == LOOP_WORDS
    s.slipped[n, lane] = empty or full
    if not loops or empty or full:
        s.level[n, lane] = s.flows[n, lane] = 0
        return
    s.flows[n, lane] = flows
    if goes:
        s.level[n, lane] -= 1
        for w in range(numbers.ones.size):
            s.looped[n, lane, w] = s.store[n, lane, 0, w]
            for k in range(s.level[n, lane]):
                s.store[n, lane, k, w] = s.store[n, lane, k + 1, w]
    if comes:
        for w in range(numbers.ones.size):
            s.store[n, lane, s.level[n, lane], w] = came_of(numbers, inputs, n, lane, w)
        s.level[n, lane] += 1


@inner
def begin(numbers, s, inputs, n):
    """A self-test begins."""
    s.phase[n], s.waited[n], s.result[n] = LOCK, 0, NONE
    s.asked[n], s.patience[n] = max(inputs.words[n], 1), inputs.patience[n]
    for lane in range(numbers.lanes):
        s.errors[n, lane] = s.held[n, lane] = 0


@inner
def end(numbers, s, result, checkers, n):
    """It ends."""
    s.phase[n], s.done[n], s.result[n] = OFF, 1, result
    for lane in range(numbers.lanes):
        locked = checkers.locked[n * numbers.lanes + lane]
        s.held[n, lane] = s.held[n, lane] or locked


@inner
def wait(numbers, s, checkers, n):
    """One more cycle without all locks, or the next phase; what it ends in, or nothing."""
    for lane in range(numbers.lanes):
        if not checkers.locked[n * numbers.lanes + lane]:
            s.waited[n] += 1
            return NO_LOCK if s.waited[n] > s.patience[n] else NONE
    s.phase[n], s.fresh[n] = COUNT, 1
    for lane in range(numbers.lanes):
        s.checked[n, lane] = s.sum[n, lane] = 0
    return NONE


@inner
def count(numbers, s, checkers, n):
    """Add the words that the checkers count in this cycle; what it ends in, or nothing."""
    missing, lost = False, False
    for lane in range(numbers.lanes):
        at = n * numbers.lanes + lane
        if s.held[n, lane]:
            continue
        if not checkers.locked[at]:
            lost = True
        elif s.checked[n, lane] == s.asked[n]:
            s.errors[n, lane], s.held[n, lane] = s.sum[n, lane], 1
        else:
            missing = True
            if checkers.judged[at]:
                s.checked[n, lane] += 1
                s.sum[n, lane] += checkers.errors[at]
    if lost:
        return LOST
    return NONE if missing else GOOD


@inner
def test_clock(numbers, s, inputs, checkers, n):
    """The self-test."""
    s.done[n] = s.fresh[n] = 0
    if s.phase[n] == OFF:
        if inputs.start[n]:
            begin(numbers, s, inputs, n)
        return
    waits = s.phase[n] == LOCK
    result = wait(numbers, s, checkers, n) if waits else count(numbers, s, checkers, n)
    if result == NONE and inputs.stop[n]:
        result = STOPPED
    if result != NONE:
        end(numbers, s, result, checkers, n)


@inner
def lane_clock(numbers, parts, inputs, mode, clears, n, lane):
    """Store, generator and checker of a lane."""
    s, at = parts.own, n * numbers.lanes + lane
    ready, generators, checkers = inputs.line_tx_ready[n], parts.generators, parts.checkers
    comes = inputs.line_rx_valid[n, lane] and inputs.line_signal_ok[n, lane]
    loop_clock(numbers, mode == FAR, comes, s, inputs, n, lane)

    i = generators.i
    i.pattern[at], i.invert[at] = inputs.pattern[n], inputs.invert[n]
    i.enable[at] = mode == PATTERN and ready
    i.inject[at] = s.due[n, lane] or inputs.inject[n, lane]
    s.due[n, lane] = i.inject[at] and mode == PATTERN and not ready
    prbs_generator_clock(numbers.width, generators.state, i, at)

    i = checkers.i
    i.invert[at], i.clear[at], i.pattern[at] = inputs.invert[n], clears, inputs.pattern[n]
    i.i_valid[at] = mode == PATTERN and comes
    for w in range(numbers.ones.size):
        i.i_payload[at, w] = came_of(numbers, inputs, n, lane, w)
    words = numbers.lock_words, numbers.window_words
    prbs_checker_clock(numbers.width, *words, numbers.most, checkers.state, i, at)
    if mode != PATTERN or not inputs.line_signal_ok[n, lane]:
        checkers.state.locked[at] = checkers.state.right[at] = 0


@compiled
def lane_test_clock(numbers, parts, inputs):
    """The clock edge."""
    s = parts.own
    for n in range(s.phase.size):
        mode = mode_of(s, inputs, n)
        clears = inputs.clear[n] if s.phase[n] == OFF else s.fresh[n]
        test_clock(numbers, s, inputs, parts.checkers.state, n)
        for lane in range(numbers.lanes):
            lane_clock(numbers, parts, inputs, mode, clears, n, lane)


@compiled
def lane_test_step(numbers, parts, inputs, outputs):
    """Outputs of this cycle, then the clock edge."""
    lane_test_sends(numbers, parts, inputs, outputs)
    lane_test_outputs(numbers, parts, inputs, outputs)
    lane_test_clock(numbers, parts, inputs)


def lane_test_shapes(config: LanesConfig, instances: int) -> list[dict[str, tuple[int, ...]]]:
    """Shapes of inputs and of outputs."""
    line = instances, config.lanes, -(-config.lane_bits // 64)
    wide: dict[str, tuple[int, ...]]
    wide = dict.fromkeys(("pcs_tx", "pcs_rx", "line_tx", "line_rx"), line)
    each = "invert_tx invert_rx inject line_rx_valid line_signal_ok pcs_rx_valid pcs_signal_ok "
    each += "locked error_count slipped errors held"
    wide |= dict.fromkeys(each.split(), (instances, config.lanes))
    return [
        {name: wide.get(name, (instances,)) for name in kind._fields}
        for kind in (LaneTestInputs, LaneTestOutputs)
    ]


class LaneTestModel:
    """``instances`` of it."""

    def __init__(self, config: LanesConfig, instances: int = 1):
        self.config, self.instances = config, instances
        self.inputs, self.outputs = (
            allocate(kind, shapes)
            for kind, shapes in zip(
                (LaneTestInputs, LaneTestOutputs), lane_test_shapes(config, instances), strict=True
            )
        )
        ones = (1 << config.lane_bits) - 1
        bytes_ = 8 * self.inputs.line_rx.shape[2]
        lane = config.test_lane
        self.numbers = Numbers(
            lanes=config.lanes,
            width=config.lane_bits,
            ones=np.frombuffer(ones.to_bytes(bytes_, "little"), dtype=np.int64),
            lock_words=lane.prbs_lock_words,
            window_words=lane.prbs_window_words,
            most=(1 << lane.error_bits) - 1,
        )
        self.reset()

    def reset(self) -> None:
        """The state after reset: no self-test."""
        instances, lanes, words = self.inputs.line_rx.shape
        each = instances, lanes
        shapes: dict[str, tuple[int, ...]] = dict.fromkeys(LaneTestState._fields, each)
        shapes |= dict.fromkeys(("phase", "asked", "waited", "patience"), (instances,))
        shapes |= dict.fromkeys(("fresh", "done", "result"), (instances,))
        shapes |= {"store": (*each, LOOP_WORDS, words), "looped": (*each, words)}
        lane = self.config.test_lane

        def part(model) -> Part:
            return Part(model.state, model.inputs, model.outputs)

        self.parts = Parts(
            own=allocate(LaneTestState, shapes),
            generators=part(PrbsGeneratorModel(lane, instances * lanes)),
            checkers=part(PrbsCheckerModel(lane, instances * lanes)),
        )

    def step(self) -> LaneTestOutputs:
        """Outputs of this cycle, then the clock edge."""
        lane_test_step(self.numbers, self.parts, self.inputs, self.outputs)
        return self.outputs
