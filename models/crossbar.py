"""Golden model of rtl.crossbar: each output takes the flit of the input it listens to."""

from collections import namedtuple

from models.compiled import compiled, inner
from models.config import SwitchConfig
from models.parameters import parameters
from models.record import allocate, flat

__all__ = [
    "CrossbarInputs",
    "CrossbarModel",
    "CrossbarOutputs",
    "crossbar_clock",
    "crossbar_outputs",
    "crossbar_shapes",
    "crossbar_state",
]

CrossbarInputs = namedtuple(
    "CrossbarInputs",
    "select_valid select_input select_traffic_class i_valid i_flit_data i_flit_count i_flit_first "
    "i_flit_last i_flit_error i_flit_mark i_flit_parity",
)
CrossbarOutputs = namedtuple(
    "CrossbarOutputs",
    "o_valid o_traffic_class o_flit_data o_flit_count o_flit_first o_flit_last o_flit_error "
    "o_flit_mark o_flit_parity moving",
)
CrossbarState = namedtuple(
    "CrossbarState", ("listens", "traffic_class", *CrossbarOutputs._fields[:-1], "cycle")
)

NOBODY = -1


def crossbar_shapes(config: SwitchConfig) -> tuple[dict, dict]:
    """Shapes of the inputs and of the outputs; one instance has all ports."""
    wide = {"flit_data": (1, config.ports, config.words), "flit_parity": (1, config.ports, 1)}
    kinds = CrossbarInputs, CrossbarOutputs
    inputs, outputs = (
        {name: wide.get(name[2:], (1, config.ports)) for name in kind._fields} for kind in kinds
    )
    return inputs, outputs | {"moving": (1, (config.ports + 63) // 64)}


def crossbar_state(config: SwitchConfig) -> CrossbarState:
    """State after reset: what each output listens to in two cycles, and the output register.

    ``listens`` and ``traffic_class`` have what was selected in even and in odd cycles.
    """
    shapes = dict.fromkeys(("listens", "traffic_class"), (1, config.ports, 2))
    registers = {n: s for n, s in crossbar_shapes(config)[1].items() if n != "moving"}
    state = allocate(CrossbarState, shapes | registers | {"cycle": (1,)})
    state.listens[:] = NOBODY
    return state


@inner
def crossbar_outputs(p, state, outputs, n):
    """What the output register shows; without a flit only ``o_valid`` and ``moving``."""
    for word in range(outputs.moving.shape[1]):
        outputs.moving[n, word] = 0
    for output in range(p.ports):
        on_its_way = state.o_valid[n, output]
        for parity in range(2):
            on_its_way |= state.listens[n, output, parity] != NOBODY
        outputs.moving[n, output >> 6] |= on_its_way << (output & 63)
        outputs.o_valid[n, output] = state.o_valid[n, output]
        if state.o_valid[n, output]:
            outputs.o_traffic_class[n, output] = state.o_traffic_class[n, output]
            for word in range(p.words):
                outputs.o_flit_data[n, output, word] = state.o_flit_data[n, output, word]
            outputs.o_flit_count[n, output] = state.o_flit_count[n, output]
            outputs.o_flit_first[n, output] = state.o_flit_first[n, output]
            outputs.o_flit_last[n, output] = state.o_flit_last[n, output]
            outputs.o_flit_error[n, output] = state.o_flit_error[n, output]
            outputs.o_flit_mark[n, output] = state.o_flit_mark[n, output]
            outputs.o_flit_parity[n, output, 0] = state.o_flit_parity[n, output, 0]


@inner
def crossbar_clock(p, state, inputs, outputs, n):
    """The clock edge. What was selected two cycles ago makes place for what is selected now."""
    now = state.cycle[n] & 1
    state.cycle[n] = 1 - now
    for output in range(p.ports):
        source = state.listens[n, output, now]
        state.o_valid[n, output] = source != NOBODY and inputs.i_valid[n, source]
        if state.o_valid[n, output]:
            state.o_traffic_class[n, output] = state.traffic_class[n, output, now]
            for word in range(p.words):
                state.o_flit_data[n, output, word] = inputs.i_flit_data[n, source, word]
            state.o_flit_count[n, output] = inputs.i_flit_count[n, source]
            state.o_flit_first[n, output] = inputs.i_flit_first[n, source]
            state.o_flit_last[n, output] = inputs.i_flit_last[n, source]
            state.o_flit_error[n, output] = inputs.i_flit_error[n, source]
            state.o_flit_mark[n, output] = inputs.i_flit_mark[n, source]
            state.o_flit_parity[n, output, 0] = inputs.i_flit_parity[n, source, 0]
        state.listens[n, output, now] = NOBODY
        if inputs.select_valid[n, output]:
            state.listens[n, output, now] = inputs.select_input[n, output]
            state.traffic_class[n, output, now] = inputs.select_traffic_class[n, output]


@compiled
def crossbar_step(p, state, inputs, outputs):
    """Outputs of this cycle, then the clock edge."""
    crossbar_outputs(p, state, outputs, 0)
    crossbar_clock(p, state, inputs, outputs, 0)


class CrossbarModel:
    """All outputs of one switch."""

    def __init__(self, config: SwitchConfig):
        self.config = config
        self.p = parameters(config)
        inputs, outputs = crossbar_shapes(config)
        self.inputs = allocate(CrossbarInputs, inputs)
        self.outputs = allocate(CrossbarOutputs, outputs)
        self.reset()

    def reset(self) -> None:
        """The state after reset."""
        self.state = crossbar_state(self.config)
        flat(self.outputs)[:] = 0

    def step(self) -> CrossbarOutputs:
        """Outputs of this cycle, then the clock edge."""
        crossbar_step(self.p, self.state, self.inputs, self.outputs)
        return self.outputs
