"""Golden model of rtl.serdes.prbs: shift registers, one bit after the other."""

from collections import namedtuple

import numpy as np

from models.compiled import compiled, inner
from models.record import allocate
from models.serdes.config import PRBS_LOST_ERRORS, LaneConfig, Prbs

__all__ = [
    "PrbsCheckerInputs",
    "PrbsCheckerModel",
    "PrbsCheckerOutputs",
    "PrbsGeneratorInputs",
    "PrbsGeneratorModel",
    "PrbsGeneratorOutputs",
    "prbs_checker_clock",
    "prbs_checker_outputs",
    "prbs_generator_clock",
    "prbs_generator_outputs",
]

PrbsGeneratorInputs = namedtuple("PrbsGeneratorInputs", "pattern invert inject enable")
PrbsGeneratorOutputs = namedtuple("PrbsGeneratorOutputs", "o_valid o_payload")
PrbsGeneratorState = namedtuple("PrbsGeneratorState", "running register valid payload")

PrbsCheckerInputs = namedtuple("PrbsCheckerInputs", "pattern invert i_valid i_payload clear")
PrbsCheckerOutputs = namedtuple("PrbsCheckerOutputs", "locked error_count")
# A word goes through two stages, `came` and `judged`, each with its wrong bits; `blank` if only
# zeros were before it. `right` words came in a row; `place` and `window` are those of the window.
PrbsCheckerState = namedtuple(
    "PrbsCheckerState",
    "running register locked right came wrong blank judged errors place window error_count",
)
TAPS = np.array([Prbs(min(value, max(Prbs))).taps for value in range(8)])  # of all values of 3 bits
ONES = (1 << TAPS.max()) - 1


@inner
def next_bit(register, pattern):
    """The bit behind those of the register; its lowest is the last one."""
    return (register >> (TAPS[pattern, 0] - 1) ^ register >> (TAPS[pattern, 1] - 1)) & 1


@inner
def shifted(register, bit):
    """The register with one bit more."""
    return (register << 1 | bit) & ONES


@compiled
def prbs_generator_outputs(s, outputs, n):
    """What the registers show."""
    outputs.o_valid[n] = s.valid[n]
    for w in range(s.payload.shape[1]):
        outputs.o_payload[n, w] = s.payload[n, w]


@compiled
def prbs_generator_clock(width, s, inputs, n):
    """The clock edge."""
    s.valid[n] = inputs.enable[n]
    if not inputs.enable[n]:
        return
    pattern = inputs.pattern[n]
    if pattern != s.running[n]:
        s.running[n], s.register[n] = pattern, ONES
    for w in range(s.payload.shape[1]):
        s.payload[n, w] = 0
    for k in range(width):
        bit = next_bit(s.register[n], pattern)
        s.register[n] = shifted(s.register[n], bit)
        sent = bit ^ inputs.invert[n] ^ (inputs.inject[n] if k == 0 else 0)
        s.payload[n, k >> 6] |= sent << (k & 63)


@compiled
def prbs_generator_step(width, s, inputs, outputs):
    """Outputs of this cycle, then the clock edge, of all instances."""
    for n in range(s.valid.size):
        prbs_generator_outputs(s, outputs, n)
        prbs_generator_clock(width, s, inputs, n)


class PrbsGeneratorModel:
    """``instances`` generators."""

    def __init__(self, config: LaneConfig, instances: int = 1):
        self.config, self.instances = config, instances
        words = (instances, -(-config.width // 64))
        self.inputs = allocate(
            PrbsGeneratorInputs, dict.fromkeys(PrbsGeneratorInputs._fields, (instances,))
        )
        self.outputs = allocate(PrbsGeneratorOutputs, {"o_valid": (instances,), "o_payload": words})
        self.reset()

    def reset(self) -> None:
        """The state after reset."""
        shapes: dict[str, tuple[int, ...]] = dict.fromkeys(
            PrbsGeneratorState._fields, (self.instances,)
        )
        shapes["payload"] = self.outputs.o_payload.shape
        self.state = allocate(PrbsGeneratorState, shapes)
        self.state.register[:] = ONES

    def step(self) -> PrbsGeneratorOutputs:
        """Outputs of this cycle, then the clock edge."""
        prbs_generator_step(self.config.width, self.state, self.inputs, self.outputs)
        return self.outputs


@compiled
def prbs_checker_outputs(s, outputs, n):
    """What the registers show."""
    outputs.locked[n], outputs.error_count[n] = s.locked[n], s.error_count[n]


@inner
def count_errors(most, window_words, clears, s, n):
    """The last stage: count the wrong bits of a word; 1 if the lock is lost with it."""
    if clears:
        s.error_count[n] = 0
    if not s.judged[n] or not s.locked[n]:
        return False
    s.error_count[n] = min(most, s.error_count[n] + s.errors[n])
    s.window[n] += s.errors[n]
    s.place[n] += 1
    lost = s.window[n] >= PRBS_LOST_ERRORS
    if lost or s.place[n] == window_words:
        s.window[n] = s.place[n] = 0
    return lost


@inner
def count_right(lock_words, s, n):
    """The stage before: count words without an error in a row; 1 if the lock is won with it."""
    if not s.came[n] or s.locked[n]:
        return False
    s.right[n] = s.right[n] + 1 if not s.wrong[n] and not s.blank[n] else 0
    if s.right[n] < lock_words:
        return False
    s.right[n] = s.window[n] = s.place[n] = 0
    return True


@inner
def compare(width, follows, s, inputs, n):
    """The first stage: compare a word with the pattern; ``follows`` it, or else what comes."""
    pattern = inputs.pattern[n]
    seen = (1 << TAPS[pattern, 1]) - 1
    s.blank[n], s.wrong[n] = s.register[n] & seen == 0, 0
    # While a word passes, both go their way, and at its end one of them is kept.
    pure, mixed = s.register[n], s.register[n]
    for k in range(width):
        bit = inputs.i_payload[n, k >> 6] >> (k & 63) & 1 ^ inputs.invert[n]
        expected = next_bit(pure, pattern)
        s.wrong[n] += bit != expected
        pure, mixed = shifted(pure, expected), shifted(mixed, bit)
    s.register[n] = pure if follows else mixed


@compiled
def prbs_checker_clock(width, lock_words, window_words, most, s, inputs, n):
    """The clock edge."""
    lost = count_errors(most, window_words, inputs.clear[n], s, n)
    s.judged[n], s.errors[n] = s.came[n] and s.locked[n], s.wrong[n]
    won = count_right(lock_words, s, n)
    follows = s.locked[n] or won
    s.came[n] = inputs.i_valid[n]
    if inputs.i_valid[n]:
        compare(width, follows, s, inputs, n)
    changes = inputs.pattern[n] != s.running[n]
    if changes:
        s.right[n] = 0
    s.running[n] = inputs.pattern[n]
    s.locked[n] = follows and not lost and not changes


@compiled
def prbs_checker_step(width, lock_words, window_words, most, s, inputs, outputs):
    """Outputs of this cycle, then the clock edge, of all instances."""
    for n in range(s.locked.size):
        prbs_checker_outputs(s, outputs, n)
        prbs_checker_clock(width, lock_words, window_words, most, s, inputs, n)


class PrbsCheckerModel:
    """``instances`` checkers."""

    def __init__(self, config: LaneConfig, instances: int = 1):
        self.config, self.instances = config, instances
        shapes: dict[str, tuple[int, ...]] = dict.fromkeys(PrbsCheckerInputs._fields, (instances,))
        shapes["i_payload"] = (instances, -(-config.width // 64))
        self.inputs = allocate(PrbsCheckerInputs, shapes)
        self.outputs = allocate(
            PrbsCheckerOutputs, dict.fromkeys(PrbsCheckerOutputs._fields, (instances,))
        )
        self.reset()

    def reset(self) -> None:
        """The state after reset."""
        self.state = allocate(
            PrbsCheckerState, dict.fromkeys(PrbsCheckerState._fields, (self.instances,))
        )

    def step(self) -> PrbsCheckerOutputs:
        """Outputs of this cycle, then the clock edge."""
        config = self.config
        most = (1 << config.error_bits) - 1
        numbers = config.width, config.prbs_lock_words, config.prbs_window_words, most
        prbs_checker_step(*numbers, self.state, self.inputs, self.outputs)
        return self.outputs
