"""Golden model of rtl.serdes.training: the highest state of which all that it needs is there."""

from collections import namedtuple
from enum import IntEnum

from models.compiled import compiled, inner
from models.record import allocate
from models.serdes.config import BAD_CODEWORDS, LanesConfig

__all__ = [
    "State",
    "TrainingInputs",
    "TrainingModel",
    "TrainingOutputs",
    "training_clock",
    "training_outputs",
]

TrainingInputs = namedtuple("TrainingInputs", "enable signal_ok locked aligned codeword bad")
TrainingOutputs = namedtuple("TrainingOutputs", "state ready search lost expired condemned")
# `proven` is whether a good codeword has come since lanes were aligned, `bad_run` how many bad ones
# came in a row, `waited` cycles since a search began.
TrainingState = namedtuple(
    "TrainingState", "state proven bad_run waited search lost expired condemned"
)


class State(IntEnum):
    """How far a port is; each needs all that those before it need."""

    OFF = 0
    SIGNAL = 1  # waits for a signal on all lanes
    LOCK = 2  # waits for locks on all lanes
    ALIGN = 3  # waits for lanes that are aligned, and for a good codeword
    READY = 4


OFF, SIGNAL, LOCK, ALIGN, READY = map(int, State)


@inner
def highest(coded, s, inputs, n):
    """The highest state that the inputs allow."""
    if not inputs.enable[n]:
        return OFF
    for lane in range(inputs.signal_ok.shape[1]):
        if not inputs.signal_ok[n, lane]:
            return SIGNAL
    for lane in range(inputs.locked.shape[1]):
        if not inputs.locked[n, lane] or s.search[n]:  # locks of before this search
            return LOCK
    return READY if inputs.aligned[n] and (s.proven[n] or not coded) else ALIGN


@compiled
def training_outputs(s, outputs, n):
    """What the registers show."""
    outputs.state[n], outputs.ready[n] = s.state[n], s.state[n] == READY
    outputs.search[n], outputs.lost[n] = s.search[n], s.lost[n]
    outputs.expired[n], outputs.condemned[n] = s.expired[n], s.condemned[n]


@compiled
def training_clock(coded, patience, s, inputs, n):
    """The clock edge."""
    before, counts = s.state[n], inputs.codeword[n] and inputs.aligned[n]
    if not inputs.aligned[n]:
        s.proven[n] = s.bad_run[n] = 0
    if counts:
        s.bad_run[n] = min(s.bad_run[n] + 1, BAD_CODEWORDS) if inputs.bad[n] else 0
        s.proven[n] = s.proven[n] or not inputs.bad[n]
    state = highest(coded, s, inputs, n)
    searches = state in (LOCK, ALIGN)
    s.waited[n] = s.waited[n] + 1 if searches else 0
    s.condemned[n] = state >= LOCK and counts and s.bad_run[n] == BAD_CODEWORDS
    s.expired[n] = s.waited[n] == patience
    s.search[n] = s.condemned[n] or s.expired[n]
    if s.search[n]:
        state = LOCK
        s.proven[n] = s.bad_run[n] = s.waited[n] = 0
    s.lost[n] = before == READY and OFF < state < READY
    s.state[n] = state


@compiled
def training_step(coded, patience, s, inputs, outputs):
    """Outputs of this cycle, then the clock edge, of all instances."""
    for n in range(s.state.size):
        training_outputs(s, outputs, n)
        training_clock(coded, patience, s, inputs, n)


class TrainingModel:
    """``instances`` of it."""

    def __init__(self, config: LanesConfig, instances: int = 1):
        self.config, self.instances = config, instances
        scalar, lanes = (instances,), (instances, config.lanes)
        shapes: dict[str, tuple[int, ...]] = dict.fromkeys(TrainingInputs._fields, scalar)
        self.inputs = allocate(TrainingInputs, shapes | {"signal_ok": lanes, "locked": lanes})
        self.outputs = allocate(TrainingOutputs, dict.fromkeys(TrainingOutputs._fields, scalar))
        self.reset()

    def reset(self) -> None:
        """The state after reset: off."""
        shapes = dict.fromkeys(TrainingState._fields, (self.instances,))
        self.state = allocate(TrainingState, shapes)

    def step(self) -> TrainingOutputs:
        """Outputs of this cycle, then the clock edge."""
        config = self.config
        numbers = config.fec != "none", config.search_cycles
        training_step(*numbers, self.state, self.inputs, self.outputs)
        return self.outputs
