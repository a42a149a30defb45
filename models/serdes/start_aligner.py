"""Golden model of rtl.serdes.start_aligner: half words, of which the gaps give and take some."""

from collections import namedtuple

import numpy as np

from models.compiled import compiled, inner
from models.link.config import LinkConfig
from models.link.wire import IDLE, START
from models.record import allocate

__all__ = [
    "StartAlignerInputs",
    "StartAlignerModel",
    "StartAlignerOutputs",
    "start_aligner_clock",
    "start_aligner_outputs",
]

StartAlignerInputs = namedtuple("StartAlignerInputs", "i_valid i_words_data i_words_control")
StartAlignerOutputs = namedtuple("StartAlignerOutputs", "o_valid o_words_data o_words_control")
# `halves`: the half words, data and control bits, of the word under way, `waiting` of which are in
# from the cycle before; `data` and `control` are what the registers show.
StartAlignerState = namedtuple("StartAlignerState", "waiting halves valid data control")


@inner
def is_start(half, marks):
    """A frame begins with this half word."""
    return marks & 1 and half & 255 == START


@inner
def move(halves, target, source):
    """One half word takes the place of another."""
    for field in range(2):
        halves[target, field] = halves[source, field]


@inner
def align(halves, waiting, word, control):
    """The next word, behind the half word that waits or not: write it; return what waits then."""
    begin = waiting
    for n in range(2):
        halves[begin + n, 0] = word[n]
        halves[begin + n, 1] = control >> 4 * n & 15
    end = begin + 2
    if waiting and is_start(halves[1, 0], halves[1, 1]):  # a frame in its place: the gap gives one
        for n in range(2):
            move(halves, n, n + 1)
        end = 2
    elif not waiting and is_start(halves[1, 0], halves[1, 1]):  # one that is not: it gets one
        move(halves, 2, 1)
        halves[1, 0] = IDLE * 0x01010101
        halves[1, 1] = 15
        end = 3
    return end - 2


@inner
def halves_of(number, out):
    """The two halves of 64 bits, the lower first."""
    for n in range(2):
        out[n] = number >> 32 * n & 0xFFFFFFFF


@compiled
def start_aligner_outputs(s, outputs, n):
    """What the registers show."""
    outputs.o_valid[n] = s.valid[n]
    for k in range(s.data.shape[1]):
        outputs.o_words_data[n, k] = s.data[n, k]
    for k in range(s.control.shape[1]):
        outputs.o_words_control[n, k] = s.control[n, k]


@compiled
def start_aligner_clock(s, inputs, word, n):
    """The clock edge; ``word`` has room for two halves."""
    s.valid[n] = inputs.i_valid[n]
    if not inputs.i_valid[n]:
        return
    for k in range(s.control.shape[1]):
        s.control[n, k] = 0
    halves = s.halves[n]
    for k in range(s.data.shape[1]):
        control = inputs.i_words_control[n, k // 8] >> 8 * (k % 8) & 255
        halves_of(inputs.i_words_data[n, k], word)
        s.waiting[n] = align(halves, s.waiting[n], word, control)
        s.data[n, k] = halves[0, 0] | halves[1, 0] << 32
        s.control[n, k // 8] |= (halves[0, 1] | halves[1, 1] << 4) << 8 * (k % 8)
        move(halves, 0, 2)


@compiled
def start_aligner_step(s, inputs, outputs, word):
    """Outputs of this cycle, then the clock edge, of all instances."""
    for n in range(s.valid.size):
        start_aligner_outputs(s, outputs, n)
        start_aligner_clock(s, inputs, word, n)


class StartAlignerModel:
    """``instances`` of it, of ``words_per_cycle`` words; 1 cycle."""

    def __init__(self, config: LinkConfig, instances: int = 1):
        self.instances = instances
        self.shapes = {
            "valid": (instances,),
            "words_data": (instances, config.words_per_cycle),
            "words_control": (instances, -(-config.words_per_cycle // 8)),
        }
        self.inputs, self.outputs = (
            allocate(kind, {name: self.shapes[name[2:]] for name in kind._fields})
            for kind in (StartAlignerInputs, StartAlignerOutputs)
        )
        self.word = np.zeros(2, dtype=np.int64)
        self.reset()

    def reset(self) -> None:
        """The state after reset: zeros, not valid; nothing waits."""
        self.state = allocate(
            StartAlignerState,
            {
                "waiting": (self.instances,),
                "halves": (self.instances, 3, 2),
                "valid": self.shapes["valid"],
                "data": self.shapes["words_data"],
                "control": self.shapes["words_control"],
            },
        )

    def step(self) -> StartAlignerOutputs:
        """Outputs of this cycle, then the clock edge."""
        start_aligner_step(self.state, self.inputs, self.outputs, self.word)
        return self.outputs
