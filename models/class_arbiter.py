"""Golden model of rtl.class_arbiter."""

from collections import namedtuple

import numpy as np
from numpy.typing import NDArray

from models.compiled import compiled, inner
from models.config import SwitchConfig
from models.parameters import parameters
from models.record import allocate

__all__ = [
    "ClassArbiterInputs",
    "ClassArbiterModel",
    "ClassArbiterOutputs",
    "ClassArbiterState",
    "class_arbiter_clock",
    "class_arbiter_pick",
    "class_arbiter_state",
]

ClassArbiterInputs = namedtuple("ClassArbiterInputs", "request refill charge")
ClassArbiterOutputs = namedtuple("ClassArbiterOutputs", "grant spent")
ClassArbiterState = namedtuple("ClassArbiterState", "deficit")


def class_arbiter_state(config: SwitchConfig) -> NDArray[np.int64]:
    """Deficit of each class after reset: its quantum, ``weight * limit``."""
    return np.array(config.class_weights, dtype=np.int64) * config.limit


@compiled
def class_arbiter_pick(p, deficit, requests):
    """The class that is granted, or -1 if none requests.

    ``deficit`` has one integer for each class (ignored if the policy is strict); bit ``c`` of
    ``requests`` is set if class ``c`` requests.
    """
    highest = -1
    for c in range(p.classes):
        if requests >> c & 1:
            highest = c
    if p.weighted:
        for c in range(p.classes - 1, -1, -1):
            if requests >> c & 1 and deficit[c] > 0:
                return c
    return highest


@inner
def class_arbiter_clock(p, deficit, refill):
    """Clock edge under the weighted policy; then subtract what this cycle charges.

    ``refill`` is true if a pick that was used had requests but none with a positive deficit.
    A class in debt by more than two limits is forgiven the rest here, not when it is charged:
    nobody can tell, because only the sign of a deficit shows.
    """
    for c in range(p.classes):
        quantum = p.class_weights[c] * p.limit
        deficit[c] = max(deficit[c], -2 * p.limit)
        if refill:
            deficit[c] = min(quantum, deficit[c] + quantum)


@compiled
def pick_all(p, picks, state, inputs, outputs, n):
    """Grants of this cycle, then the clock edge, of instance ``n``."""
    outputs.spent[n] = 0
    for k in range(picks):
        c = class_arbiter_pick(p, state.deficit[n], inputs.request[n, k])
        outputs.grant[n, k] = 1 << c if c >= 0 else 0
        if p.weighted and c >= 0 and state.deficit[n, c] <= 0:
            outputs.spent[n] |= 1 << k  # the granted class has none left only if no requester has
    if p.weighted:
        class_arbiter_clock(p, state.deficit[n], inputs.refill[n])
        for c in range(p.classes):
            state.deficit[n, c] -= inputs.charge[n] >> c & 1


class ClassArbiterModel:
    """Choose a traffic class, the most urgent first or by weight.

    Parameters
    ----------
    config : SwitchConfig
        Uses ``classes``, ``class_policy``, ``class_weights`` and ``limit``.
    picks : int
        Independent choices per cycle.
    """

    def __init__(self, config: SwitchConfig, *, picks: int):
        self.config, self.picks = config, picks
        self.parameters = parameters(config)
        self.inputs = allocate(
            ClassArbiterInputs,
            {"request": (1, picks), "refill": (1,), "charge": (1,)},
        )
        self.outputs = allocate(ClassArbiterOutputs, {"grant": (1, picks), "spent": (1,)})
        self.state = allocate(ClassArbiterState, {"deficit": (1, config.classes)})
        self.reset()

    def reset(self) -> None:
        """The state after reset: every class has its quantum."""
        self.state.deficit[:] = class_arbiter_state(self.config)

    def step(self) -> None:
        """Outputs of this cycle, then the clock edge."""
        pick_all(
            self.parameters,
            self.picks,
            self.state,
            self.inputs,
            self.outputs,
            0,
        )
