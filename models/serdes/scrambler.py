"""Golden model of rtl.serdes.scrambler: shift registers, one bit after the other."""

from collections import namedtuple

from models.compiled import compiled, inner
from models.record import allocate
from models.serdes.config import SCRAMBLER_TAPS, LaneConfig

__all__ = [
    "DescramblerModel",
    "ScramblerInputs",
    "ScramblerModel",
    "ScramblerOutputs",
    "scrambler_clock",
    "scrambler_outputs",
]

ScramblerInputs = namedtuple("ScramblerInputs", "i_valid i_payload")
ScramblerOutputs = namedtuple("ScramblerOutputs", "o_valid o_payload")
# The scrambled bits before this one are in a ring, the oldest in place ``oldest``.
ScramblerState = namedtuple("ScramblerState", "ring oldest valid payload")
NEAR, FAR = SCRAMBLER_TAPS


@inner
def scrambler_bit(descrambles, bit, s, n):
    """What becomes of a bit; the ring takes what is scrambled of both."""
    oldest = s.oldest[n]
    result = bit ^ s.ring[n, oldest] ^ s.ring[n, (oldest + FAR - NEAR) % FAR]
    s.ring[n, oldest] = bit if descrambles else result
    s.oldest[n] = (oldest + 1) % FAR
    return result


@compiled
def scrambler_outputs(s, outputs, n):
    """What the registers show."""
    outputs.o_valid[n] = s.valid[n]
    for w in range(s.payload.shape[1]):
        outputs.o_payload[n, w] = s.payload[n, w]


@compiled
def scrambler_clock(width, descrambles, s, inputs, n):
    """The clock edge."""
    s.valid[n] = inputs.i_valid[n]
    if not inputs.i_valid[n]:
        return
    for w in range(s.payload.shape[1]):
        s.payload[n, w] = 0
    for k in range(width):
        bit = inputs.i_payload[n, k >> 6] >> (k & 63) & 1
        s.payload[n, k >> 6] |= scrambler_bit(descrambles, bit, s, n) << (k & 63)


@compiled
def scrambler_step(width, descrambles, s, inputs, outputs):
    """Outputs of this cycle, then the clock edge, of all instances."""
    for n in range(s.valid.size):
        scrambler_outputs(s, outputs, n)
        scrambler_clock(width, descrambles, s, inputs, n)


class ScramblerModel:
    """``instances`` scramblers."""

    DESCRAMBLES = False

    def __init__(self, config: LaneConfig, instances: int = 1):
        self.config, self.instances = config, instances
        words = (instances, -(-config.width // 64))
        self.inputs = allocate(ScramblerInputs, {"i_valid": (instances,), "i_payload": words})
        self.outputs = allocate(ScramblerOutputs, {"o_valid": (instances,), "o_payload": words})
        self.reset()

    def reset(self) -> None:
        """The state after reset: the bits before the first are ones."""
        shapes: dict[str, tuple[int, ...]] = dict.fromkeys(
            ScramblerState._fields, (self.instances,)
        )
        shapes |= {"ring": (self.instances, FAR), "payload": self.outputs.o_payload.shape}
        self.state = allocate(ScramblerState, shapes)
        self.state.ring[:] = 1
        if not self.DESCRAMBLES:  # they are what its output shows
            self.state.payload[:] = -1
            rest = self.config.width % 64
            if rest:
                self.state.payload[:, -1] = (1 << rest) - 1

    def step(self) -> ScramblerOutputs:
        """Outputs of this cycle, then the clock edge."""
        numbers = self.config.width, self.DESCRAMBLES
        scrambler_step(*numbers, self.state, self.inputs, self.outputs)
        return self.outputs


class DescramblerModel(ScramblerModel):
    """``instances`` descramblers."""

    DESCRAMBLES = True
