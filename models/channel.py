"""The cable between two links: what the words of one end become on their way to the other.

A channel is no hardware: model runs and benches share it, and it has no counterpart in ``rtl/``.
"""

from collections import namedtuple
from math import log1p

import numpy as np

from models.compiled import compiled, inner
from models.link.config import LinkConfig
from models.link.wire import ERROR, IDLE
from models.record import allocate

__all__ = [
    "ChannelInputs",
    "ChannelModel",
    "ChannelOutputs",
    "ChannelState",
    "channel_clock",
    "channel_outputs",
    "channel_state",
]

ChannelInputs = namedtuple("ChannelInputs", "data control down")
ChannelOutputs = namedtuple("ChannelOutputs", "ready valid data control up")
ChannelState = namedtuple(
    "ChannelState",
    "place pace turn filled data control random until_error left until_drop until_duplicate "
    "errors dropped duplicated lost",
)
Rates = namedtuple("Rates", "pace error burst drop duplicate")

BLOCK_BITS = 66  # of a word on the line: its 64, and 2 that tell of control characters
FAR = 1 << 60  # bits or words until something that never happens
PACE_BITS = 32
ERROR_WORD = int.from_bytes(bytes([ERROR] * 8), "little") - (1 << 64)
IDLE_WORD = int.from_bytes(bytes([IDLE] * 8), "little")
NOTHING, WORDS, ERRORS = range(3)  # what a place of the line is filled with


@inner
def draw(s, n):
    """A random number, 0 to 1, neither of them included."""
    s.random[n] = s.random[n] * 0x5851F42D4C957F2D + 0x14057B7EF767814F
    return ((s.random[n] >> 12 & ((1 << 52) - 1)) + 0.5) / (1 << 52)


@inner
def distance(s, n, log_spared):
    """How many are spared before the next that is hit; ``log_spared`` = log(1 - probability)."""
    if log_spared == 0:
        return FAR
    spared = np.log(draw(s, n)) / log_spared
    return FAR if spared >= FAR else int(spared)


def channel_state(config: LinkConfig, delay: int, rates: Rates, seeds: list[int]) -> ChannelState:
    """Nothing is under way; one instance per seed."""
    instances, words = len(seeds), config.words_per_cycle
    shapes: dict[str, tuple[int, ...]] = dict.fromkeys(ChannelState._fields, (instances,))
    shapes["filled"] = (instances, delay)
    shapes["data"] = shapes["control"] = (instances, delay, words)
    state = allocate(ChannelState, shapes)
    state.random[:] = [np.random.default_rng(seed).integers(1 << 62) for seed in seeds]
    start(state, rates)
    return state


@compiled
def start(s, rates):
    """Draw what happens first."""
    for n in range(s.place.size):
        s.until_error[n] = distance(s, n, rates.error)
        s.until_drop[n] = distance(s, n, rates.drop)
        s.until_duplicate[n] = distance(s, n, rates.duplicate)
        s.turn[n] = 1


@compiled
def channel_outputs(s, inputs, outputs, n):
    """What arrives in this cycle, and whether the line takes what is sent in it."""
    place = s.place[n]
    outputs.ready[n] = s.turn[n] and not inputs.down[n]
    outputs.up[n] = not inputs.down[n]
    outputs.valid[n] = s.filled[n, place] and not inputs.down[n]
    for w in range(outputs.control.shape[1]):
        outputs.control[n, w] = 0
    for w in range(outputs.data.shape[1]):
        outputs.data[n, w] = s.data[n, place, w]
        outputs.control[n, w >> 3] |= s.control[n, place, w] << 8 * (w & 7)


@inner
def damage(s, rates, n, place, w):
    """Flip the bits of a word that are hit; a burst goes on in the next word."""
    bit, broken = 0, False
    while True:
        if not s.left[n]:
            if s.until_error[n] >= BLOCK_BITS - bit:
                s.until_error[n] -= BLOCK_BITS - bit
                return
            bit += s.until_error[n]
            s.until_error[n] = distance(s, n, rates.error)
            s.left[n] = rates.burst
        # Of a burst the first bit and the last are hit, of those between one in two.
        while s.left[n] and bit < BLOCK_BITS:
            hit = s.left[n] == 1 or s.left[n] == rates.burst or draw(s, n) < 0.5
            s.left[n] -= 1
            if hit:
                s.errors[n] += 1
                if bit < 2:  # neither data nor control: the PCS tells that it is an error
                    broken = True
                    s.data[n, place, w] = ERROR_WORD
                    s.control[n, place, w] = 255
                elif not broken:
                    s.data[n, place, w] ^= 1 << (bit - 2)
            bit += 1
        if bit == BLOCK_BITS:
            return


@compiled
def channel_clock(s, rates, inputs, n):
    """The words of this cycle go on their way; then the clock edge."""
    place, words = s.place[n], s.data.shape[2]
    taken = s.turn[n] and not inputs.down[n]
    if inputs.down[n]:
        s.lost[n] += s.filled[n, place] == WORDS
    s.filled[n, place] = WORDS if taken else ERRORS if s.turn[n] else NOTHING
    if taken:
        to = 0
        for w in range(words):
            copies = 1
            if s.until_drop[n] == 0:
                s.until_drop[n] = distance(s, n, rates.drop) + 1
                s.dropped[n] += 1
                copies = 0
            elif s.until_duplicate[n] == 0:
                s.until_duplicate[n] = distance(s, n, rates.duplicate) + 1
                s.duplicated[n] += 1
                copies = 2
            s.until_drop[n] -= 1
            s.until_duplicate[n] = max(0, s.until_duplicate[n] - 1)
            for _ in range(min(copies, words - to)):
                s.data[n, place, to] = inputs.data[n, w]
                s.control[n, place, to] = inputs.control[n, w >> 3] >> 8 * (w & 7) & 255
                to += 1
        for w in range(to, words):
            s.data[n, place, w] = IDLE_WORD
            s.control[n, place, w] = 255
        for w in range(words):
            damage(s, rates, n, place, w)
    elif s.filled[n, place]:  # where words are missing, the PCS tells of errors
        for w in range(words):
            s.data[n, place, w], s.control[n, place, w] = ERROR_WORD, 255
    s.place[n] = 0 if place + 1 == s.filled.shape[1] else place + 1
    s.pace[n] += rates.pace
    s.turn[n] = s.pace[n] >> PACE_BITS
    s.pace[n] &= (1 << PACE_BITS) - 1


class ChannelModel:
    """A cable, one direction of it per instance.

    ``step`` takes the words that the PCS at one end is given in this cycle, which count while
    ``ready``: so the line keeps to its rate. It returns those that come out at the other end,
    which count while ``valid``. ``data`` and ``control`` are those of
    ``rtl.link.frame.WordsLayout``, in 64-bit words.

    While an input ``down`` is high, words are lost at both ends: those that would arrive, without a
    trace but ``up``, and those that would leave, in the place of which errors arrive later.

    Latency: ``delay`` cycles; ``config.wire_cycles``, but at least 1, if that is None.

    Parameters
    ----------
    config : LinkConfig
        Words per cycle, line rate, length.
    seeds : list of int
        One instance for each.
    ber : float
        Probability that an error begins at a bit of the line, of which a word has 66: 0 or more,
        below 1.
    burst : int
        Bits from the first to the last one that such an error hits, 1 or more.
    drop, duplicate : float
        Probability that a word is lost, with an idle in its place at the end of its cycle, or
        comes twice, which costs the last word of its cycle.
    delay : int or None
        Cycles under way, 1 or more.

    Raises
    ------
    ValueError
        If a value is out of its range.
    """

    def __init__(
        self,
        config: LinkConfig,
        *,
        seeds: list[int],
        ber: float = 0.0,
        burst: int = 1,
        drop: float = 0.0,
        duplicate: float = 0.0,
        delay: int | None = None,
    ):
        for name, value in (("ber", ber), ("drop", drop), ("duplicate", duplicate)):
            if not 0 <= value < 1:
                raise ValueError(f"{name} must be 0 or more and below 1, not {value!r}")
        if burst < 1:
            raise ValueError(f"burst must be 1 bit or more, not {burst!r}")
        self.delay = max(1, config.wire_cycles) if delay is None else delay
        if self.delay < 1:
            raise ValueError(f"delay must be 1 cycle or more, not {delay!r}")
        self.config, self.seeds = config, seeds
        cycle = config.line_words_per_cycle / config.words_per_cycle
        self.rates = Rates(
            round(cycle * (1 << PACE_BITS)), log1p(-ber), burst, log1p(-drop), log1p(-duplicate)
        )
        words = config.words_per_cycle
        wide = {"data": (len(seeds), words), "control": (len(seeds), -(-words // 8))}
        for kind, name in ((ChannelInputs, "inputs"), (ChannelOutputs, "outputs")):
            shapes: dict[str, tuple[int, ...]] = dict.fromkeys(kind._fields, (len(seeds),))
            setattr(self, name, allocate(kind, shapes | wide))
        self.inputs: ChannelInputs
        self.outputs: ChannelOutputs
        self.reset()

    def reset(self) -> None:
        """Nothing is under way, and the same errors come again."""
        self.state = channel_state(self.config, self.delay, self.rates, self.seeds)

    def step(self) -> ChannelOutputs:
        """What arrives in this cycle, then the clock edge."""
        channel_step(self.state, self.rates, self.inputs, self.outputs)
        return self.outputs


@compiled
def channel_step(s, rates, inputs, outputs):
    """One cycle of all instances."""
    for n in range(s.place.size):
        channel_outputs(s, inputs, outputs, n)
        channel_clock(s, rates, inputs, n)
