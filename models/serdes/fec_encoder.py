"""Golden model of rtl.serdes.fec_encoder: the remainder, one symbol after the other."""

from collections import namedtuple
from functools import cache

import numpy as np
from numpy.typing import NDArray

from models.compiled import compiled, inner
from models.record import allocate
from models.serdes.config import FecConfig
from models.serdes.field import LOGARITHM, POWER, product

__all__ = [
    "FecEncoderInputs",
    "FecEncoderModel",
    "FecEncoderOutputs",
    "encode",
    "fec_encoder_clock",
    "fec_encoder_outputs",
    "generator",
]

FecEncoderInputs = namedtuple("FecEncoderInputs", "i_valid i_payload_symbols i_payload_first")
FecEncoderOutputs = namedtuple("FecEncoderOutputs", "o_valid o_payload_symbols o_payload_first")
# `come`: symbols of the codeword so far. `parity` is the division's register: the coefficient of
# the highest power first.
FecEncoderState = namedtuple("FecEncoderState", "come parity valid first symbols")


@cache
def generator(parity: int) -> np.ndarray:
    """Coefficients below the highest of the product of all x - 2^j, the highest power first."""
    coefficients = [1]
    for root in range(parity):
        coefficients.append(0)
        for k in range(len(coefficients) - 1, 0, -1):
            if coefficients[k - 1]:
                coefficients[k] ^= int(POWER[LOGARITHM[coefficients[k - 1]] + root])
    return np.array(coefficients[1:], dtype=np.int64)


@inner
def divide_on(symbol, roots, parity):
    """The next symbol of the dividend; ``parity`` is the remainder so far."""
    feedback = symbol ^ parity[0]
    for j in range(parity.size):
        after = parity[j + 1] if j + 1 < parity.size else 0
        parity[j] = after ^ product(feedback, roots[j])


@compiled
def divide(word, message, roots, parity):
    """Write behind the message the remainder of it."""
    for j in range(parity.size):
        parity[j] = 0
    for k in range(message):
        divide_on(word[k], roots, parity)
    for j in range(parity.size):
        word[message + j] = parity[j]


def encode(config: FecConfig, message: NDArray[np.int64]) -> NDArray[np.int64]:
    """The codeword of ``message_symbols`` symbols."""
    word = np.zeros(config.symbols, dtype=np.int64)
    word[: config.message_symbols] = message
    roots = generator(2 * config.correctable)
    divide(word, config.message_symbols, roots, np.zeros_like(roots))
    return word


@compiled
def fec_encoder_outputs(s, outputs, n):
    """What the registers show."""
    outputs.o_valid[n], outputs.o_payload_first[n] = s.valid[n], s.first[n]
    for k in range(s.symbols.shape[1]):
        outputs.o_payload_symbols[n, k] = s.symbols[n, k]


@compiled
def fec_encoder_clock(length, message, roots, s, inputs, n):
    """The clock edge."""
    s.valid[n] = inputs.i_valid[n]
    if not inputs.i_valid[n]:
        return
    if inputs.i_payload_first[n] or s.come[n] == length:
        s.come[n] = 0
    s.first[n] = s.come[n] == 0
    for k in range(s.symbols.shape[1]):
        place = s.come[n] + k
        if place == 0:
            for j in range(roots.size):
                s.parity[n, j] = 0
        if place < message:
            s.symbols[n, k] = inputs.i_payload_symbols[n, k]
            divide_on(inputs.i_payload_symbols[n, k], roots, s.parity[n])
        else:
            s.symbols[n, k] = s.parity[n, place - message]
    s.come[n] += s.symbols.shape[1]


@compiled
def fec_encoder_step(length, message, roots, s, inputs, outputs):
    """Outputs of this cycle, then the clock edge, of all instances."""
    for n in range(s.come.size):
        fec_encoder_outputs(s, outputs, n)
        fec_encoder_clock(length, message, roots, s, inputs, n)


class FecEncoderModel:
    """``instances`` encoders."""

    def __init__(self, config: FecConfig, instances: int = 1):
        self.config, self.instances = config, instances
        self.roots = generator(2 * config.correctable)
        self.inputs, self.outputs = (
            allocate(
                kind,
                dict.fromkeys(kind._fields, (instances,))
                | {kind._fields[1]: (instances, config.symbols_per_cycle)},
            )
            for kind in (FecEncoderInputs, FecEncoderOutputs)
        )
        self.reset()

    def reset(self) -> None:
        """The state after reset."""
        config, instances = self.config, self.instances
        shapes: dict[str, tuple[int, ...]] = dict.fromkeys(FecEncoderState._fields, (instances,))
        shapes["parity"] = (instances, self.roots.size)
        shapes["symbols"] = (instances, config.symbols_per_cycle)
        self.state = allocate(FecEncoderState, shapes)

    def step(self) -> FecEncoderOutputs:
        """Outputs of this cycle, then the clock edge."""
        config = self.config
        numbers = config.symbols, config.message_symbols, self.roots
        fec_encoder_step(*numbers, self.state, self.inputs, self.outputs)
        return self.outputs
