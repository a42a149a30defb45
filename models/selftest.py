"""Golden model of rtl.selftest: the generators and checkers of all ports."""

from collections import namedtuple

from models.checker import (
    CheckerInputs,
    CheckerOutputs,
    checker_clock,
    checker_outputs,
    checker_state,
)
from models.compiled import compiled
from models.config import SwitchConfig
from models.generator import (
    GeneratorInputs,
    GeneratorOutputs,
    generator_clock,
    generator_outputs,
    generator_state,
)
from models.parameters import parameters
from models.record import allocate

__all__ = ["SelfTestInputs", "SelfTestModel", "SelfTestOutputs"]

STREAM = ("valid", "payload_data", "payload_keep", "payload_last", "payload_user")
SelfTestInputs = namedtuple(
    "SelfTestInputs", ("enable", "clear", "o_ready", *(f"i_{name}" for name in STREAM))
)
SelfTestOutputs = namedtuple(
    "SelfTestOutputs",
    (
        *("i_ready", *(f"o_{name}" for name in STREAM), "sent", "received"),
        *("port_linked", "linked", "error", "reason", "port"),
    ),
)
SelfTestState = namedtuple("SelfTestState", "clearing flow linked error reason port")
PortControls = namedtuple("PortControls", "enable clear flow")
PortResults = namedtuple("PortResults", "linked error reason")
SelfTestParts = namedtuple(
    "SelfTestParts",
    "own generator generator_in generator_out checker checker_in checker_out",
)


def selftest_shapes(config: SwitchConfig) -> tuple[dict, dict]:
    """Shapes of the inputs and of the outputs."""
    ports = (1, config.ports)
    wide: dict[str, tuple[int, ...]] = dict.fromkeys(("enable", "clear"), (1,))
    wide |= dict.fromkeys(("linked", "error", "reason", "port"), (1,))
    wide |= {"port_linked": (1, (config.ports + 63) // 64)}
    for side in "io":
        wide[f"{side}_payload_data"] = (*ports, config.words)
        wide[f"{side}_payload_keep"] = (*ports, (config.flit_bytes + 63) // 64)
    kinds = SelfTestInputs, SelfTestOutputs
    inputs, outputs = ({f: wide.get(f, ports) for f in kind._fields} for kind in kinds)
    return inputs, outputs


def selftest_parts(
    config: SwitchConfig,
    inputs: SelfTestInputs,
    outputs: SelfTestOutputs,
    shaped: bool,
    pauses: bool,
) -> SelfTestParts:
    """State of all parts after reset; wires that join two parts are one array."""
    ports = list(range(config.ports))
    shape = (config.ports,)
    controls = allocate(PortControls, dict.fromkeys(PortControls._fields, shape))
    results = allocate(PortResults, dict.fromkeys(PortResults._fields, shape))
    own = allocate(SelfTestState, dict.fromkeys(SelfTestState._fields, (1,)))
    own.clearing[:] = 1
    return SelfTestParts(
        own=own,
        generator=generator_state(config, ports, shaped),
        generator_in=GeneratorInputs(
            enable=controls.enable,
            clear=controls.clear,
            flow=controls.flow,
            o_ready=inputs.o_ready[0],
        ),
        generator_out=GeneratorOutputs(
            **{name: getattr(outputs, name)[0] for name in GeneratorOutputs._fields}
        ),
        checker=checker_state(config, ports, pauses),
        checker_in=CheckerInputs(
            clear=controls.clear,
            flow=controls.flow,
            **{f"i_{name}": getattr(inputs, f"i_{name}")[0] for name in STREAM},
        ),
        checker_out=CheckerOutputs(
            i_ready=outputs.i_ready[0],
            received=outputs.received[0],
            linked=results.linked,
            error=results.error,
            reason=results.reason,
        ),
    )


@compiled
def selftest_step(p, inputs, outputs, parts):
    """Outputs of this cycle, then the clock edge."""
    own, found = parts.own, parts.checker_out
    outputs.linked[0], outputs.error[0] = own.linked[0], own.error[0]
    outputs.reason[0], outputs.port[0] = own.reason[0], own.port[0]
    for word in range(outputs.port_linked.shape[1]):
        outputs.port_linked[0, word] = 0
    linked_ports = 0
    for n in range(p.ports):
        parts.generator_in.enable[n] = inputs.enable[0]
        parts.generator_in.clear[n] = own.clearing[0]
        parts.generator_in.flow[n] = own.flow[0]
        generator_outputs(p, parts.generator, parts.generator_out, n)
        checker_outputs(p, parts.checker, found, n)
        outputs.port_linked[0, n >> 6] |= found.linked[n] << (n & 63)
        linked_ports += found.linked[n]
        generator_clock(p, parts.generator, parts.generator_in, n)
        checker_clock(p, parts.checker, parts.checker_in, n)

    own.linked[0] = linked_ports == p.ports
    if own.clearing[0]:
        own.error[0] = own.reason[0] = own.port[0] = 0
    else:
        for n in range(p.ports):
            if found.error[n] and not own.error[0]:
                own.error[0], own.reason[0], own.port[0] = 1, found.reason[n], n
    if inputs.clear[0]:
        own.clearing[0], own.flow[0] = 1, 0
    elif own.clearing[0]:
        own.flow[0] = (own.flow[0] + 1) % p.queues
        own.clearing[0] = own.flow[0] != 0


class SelfTestModel:
    """A generator and a checker at each port."""

    def __init__(self, config: SwitchConfig, *, shaped: bool = True, pauses: bool = False):
        self.config, self.shaped, self.pauses = config, shaped, pauses
        self.p = parameters(config)
        inputs, outputs = selftest_shapes(config)
        self.inputs = allocate(SelfTestInputs, inputs)
        self.outputs = allocate(SelfTestOutputs, outputs)
        self.reset()

    def reset(self) -> None:
        """The state after reset."""
        self.parts = selftest_parts(
            self.config, self.inputs, self.outputs, self.shaped, self.pauses
        )

    def step(self) -> SelfTestOutputs:
        """Outputs of this cycle, then the clock edge."""
        selftest_step(self.p, self.inputs, self.outputs, self.parts)
        return self.outputs
