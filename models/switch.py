"""Golden model of rtl.switch: the composition of the models of its leaves."""

from collections import namedtuple
from typing import Any

import numpy as np

from models.backlog import BacklogOutputs, backlog_taken
from models.compiled import compiled, inner
from models.config import SwitchConfig
from models.crossbar import (
    CrossbarInputs,
    CrossbarOutputs,
    crossbar_clock,
    crossbar_outputs,
    crossbar_shapes,
    crossbar_state,
)
from models.egress import (
    EgressInputs,
    EgressOutputs,
    egress_clock,
    egress_outputs,
    egress_shapes,
    egress_state,
)
from models.ingress import ingress_clock, ingress_outputs, ingress_parts
from models.parameters import parameters
from models.record import allocate
from models.scheduler import (
    SchedulerOutputs,
    scheduler_clock,
    scheduler_output_shapes,
    scheduler_outputs,
    scheduler_state,
)

__all__ = ["SwitchInputs", "SwitchModel", "SwitchOutputs", "switch_cycle"]

SwitchInputs = namedtuple(
    "SwitchInputs",
    "i_valid i_payload_data i_payload_keep i_payload_last i_payload_user o_ready permit flush "
    "enable drain reset inject program_valid program_partition program_address program_mask",
)
SwitchOutputs = namedtuple(
    "SwitchOutputs",
    "i_ready o_valid o_payload_data o_payload_keep o_payload_last o_payload_user waiting "
    "program_ready released_valid released_output released_traffic_class drop_valid drop_reason "
    "drop_header idle ingress_occupancy egress_occupancy accepted broken_valid broken_reason "
    "delivered errored discarded parity",
)
DROPPED = ("drop_valid", "drop_reason", "drop_header", "broken_valid", "broken_reason")
EVENTS = ("delivered", "errored", "discarded", "parity")  # of the egress, a bit per port
SwitchParts = namedtuple(
    "SwitchParts",
    "ingress backlog_out scheduler scheduler_out claim connects "
    "crossbar crossbar_in crossbar_out egress egress_in egress_out",
)


def switch_shapes(config: SwitchConfig) -> tuple[dict[str, Any], dict[str, Any]]:
    """Shapes of :class:`SwitchInputs` and :class:`SwitchOutputs`."""
    n, mask_words, keep_words = config.ports, (config.ports + 63) // 64, config.flit_bytes // 64
    wide: dict[str, tuple[int, ...]] = dict.fromkeys(
        ("enable", "drain", "reset", "inject", "idle", "accepted", *EVENTS), (1, mask_words)
    )
    wide |= dict.fromkeys(
        ("program_valid", "program_ready", "program_partition", "program_address"), (1,)
    )
    wide |= {"program_mask": (1, mask_words), "drop_header": (1, n, 1)}
    wide |= {"i_payload_data": (1, n, config.words), "o_payload_data": (1, n, config.words)}
    wide |= {name: (1, n, max(1, keep_words)) for name in ("i_payload_keep", "o_payload_keep")}
    kinds = SwitchInputs, SwitchOutputs
    inputs, outputs = ({f: wide.get(f, (1, n)) for f in kind._fields} for kind in kinds)
    return inputs, outputs


def switch_parts(config: SwitchConfig, inputs: SwitchInputs, outputs: SwitchOutputs) -> SwitchParts:
    """State of all parts after reset; wires that join two parts are one array."""
    n = config.ports
    scheduler_out = allocate(SchedulerOutputs, scheduler_output_shapes(config))
    crossbar_out = allocate(CrossbarOutputs, crossbar_shapes(config)[1])
    ingress = ingress_parts(config, n)
    ingress = ingress._replace(
        classifier_in=ingress.classifier_in._replace(
            **{name: getattr(inputs, name)[0] for name in SwitchInputs._fields[:5]}
        ),
        classifier_out=ingress.classifier_out._replace(
            **{name: getattr(outputs, name)[0] for name in ("i_ready", *DROPPED)}
        ),
        buffer_out=ingress.buffer_out._replace(
            released_valid=outputs.released_valid[0],
            occupancy=outputs.ingress_occupancy[0],
        ),
    )
    ingress.classifier_in.port[:] = np.arange(n)
    buffer_out = ingress.buffer_out
    select = ("select_valid", "select_input", "select_traffic_class")
    crossbar_in = CrossbarInputs(
        **{name: getattr(scheduler_out, name) for name in select},
        **{
            name.replace("o_", "i_", 1): getattr(buffer_out, name)[np.newaxis]
            for name in buffer_out._fields
            if name.startswith("o_")
        },
    )
    egress_in = EgressInputs(
        **{
            name.replace("o_", "i_", 1): getattr(crossbar_out, name)[0]
            for name in crossbar_out._fields
            if name != "moving"
        },
        permit=inputs.permit[0],
        flush=inputs.flush[0],
        reset=np.zeros(n, dtype=np.int64),
        o_ready=inputs.o_ready[0],
    )
    egress_out = allocate(EgressOutputs, egress_shapes(config, n)[1])._replace(
        occupancy=outputs.egress_occupancy[0],
        waiting=outputs.waiting[0],
        **{
            name: getattr(outputs, name)[0]
            for name in EgressOutputs._fields
            if name.startswith("o_")
        },
    )
    return SwitchParts(
        ingress=ingress,
        backlog_out=BacklogOutputs(
            waits=ingress.backlog.waits,
            many=ingress.backlog.many,
            taken_valid=np.zeros(n, dtype=np.int64),
            taken_flits=np.zeros(n, dtype=np.int64),
            taken_open=np.zeros(n, dtype=np.int64),
        ),
        scheduler=scheduler_state(config),
        scheduler_out=scheduler_out,
        claim=np.full((n, config.iterations), -1, dtype=np.int64),
        connects=np.zeros(n, dtype=np.int64),
        crossbar=crossbar_state(config),
        crossbar_in=crossbar_in,
        crossbar_out=crossbar_out,
        egress=egress_state(config, n),
        egress_in=egress_in,
        egress_out=egress_out,
    )


@inner
def spread(p, inputs, parts):
    """Control inputs of the switch to the ports they are meant for."""
    classifier = parts.ingress.classifier_in
    for n in range(p.ports):
        word, bit = n >> 6, n & 63
        classifier.enable[n] = (inputs.enable[0, word] >> bit) & 1
        classifier.drain[n] = (inputs.drain[0, word] >> bit) & 1
        classifier.reset[n] = (inputs.reset[0, word] >> bit) & 1
        everything = inputs.flush[0, n] == (1 << p.classes) - 1
        parts.egress_in.reset[n] = classifier.reset[n] or everything
        classifier.program_valid[n] = inputs.program_valid[0]
        classifier.program_partition[n] = inputs.program_partition[0]
        classifier.program_address[n] = inputs.program_address[0]
        for w in range(inputs.enable.shape[1]):
            classifier.enabled[n, w] = inputs.enable[0, w]
            classifier.program_mask[n, w] = inputs.program_mask[0, w]


@inner
def clear(vector):
    """No port tells anything yet."""
    for word in range(vector.shape[1]):
        vector[0, word] = 0


@inner
def switch_outputs(p, outputs, parts):
    """What both sides see in this cycle; all of it comes from registers."""
    ingress, egress, scheduler_out = parts.ingress, parts.egress_out, parts.scheduler_out
    scheduler_outputs(p, parts.scheduler, scheduler_out, 0)
    crossbar_outputs(p, parts.crossbar, parts.crossbar_out, 0)
    clear(outputs.idle)
    clear(outputs.accepted)
    for n in range(p.ports):
        ingress_outputs(p, ingress, n)
        egress_outputs(p, parts.egress, egress, n)
        word, bit = n >> 6, n & 63
        outputs.accepted[0, word] |= ingress.classifier_out.accepted[n] << bit
        queue = ingress.buffer_out.released_queue[n]
        outputs.released_output[0, n] = queue >> p.class_bits
        outputs.released_traffic_class[0, n] = queue & (p.classes - 1)
        active = scheduler_out.active[0, word] | parts.crossbar_out.moving[0, word]
        still = ingress.classifier_out.idle[n] and ingress.buffer_out.occupancy[n] == 0
        if still and egress.idle[n] and not active >> bit & 1:
            outputs.idle[0, word] |= 1 << bit
    outputs.program_ready[0] = ingress.classifier_out.program_ready[0]


@inner
def switch_clock(p, inputs, outputs, parts):
    """What the egresses tell of the packets that leave; then the clock edge."""
    ingress, egress, scheduler_out = parts.ingress, parts.egress_out, parts.scheduler_out
    spread(p, inputs, parts)
    backlog = parts.backlog_out
    for n in range(p.ports):
        parts.connects[n] = parts.scheduler.connects[n]
        for k in range(p.iterations):
            parts.claim[n, k] = parts.scheduler.claim_queue[n, k]
        backlog_taken(p, backlog, ingress.backlog, n, parts.claim[n], parts.connects[n])
    scheduler_clock(
        p,
        parts.scheduler,
        backlog.waits,
        backlog.many,
        backlog.taken_valid,
        backlog.taken_flits,
        backlog.taken_open,
        ingress.complete,
        ingress.lost,
        egress.accepts,
    )
    clear(outputs.delivered)
    clear(outputs.errored)
    clear(outputs.discarded)
    clear(outputs.parity)
    for n in range(p.ports):
        egress_clock(p, parts.egress, parts.egress_in, egress, n)
        word, bit = n >> 6, n & 63
        outputs.delivered[0, word] |= egress.delivered[n] << bit
        outputs.errored[0, word] |= egress.errored[n] << bit
        outputs.discarded[0, word] |= egress.discarded[n] << bit
        outputs.parity[0, word] |= egress.parity[n] << bit
    crossbar_clock(p, parts.crossbar, parts.crossbar_in, parts.crossbar_out, 0)
    for n in range(p.ports):
        ingress_clock(
            p,
            ingress,
            n,
            (inputs.inject[0, n >> 6] >> (n & 63)) & 1,
            scheduler_out.match_valid[0, n],
            scheduler_out.match_queue[0, n],
            parts.claim[n],
            parts.connects[n],
        )


@inner
def switch_cycle(p, inputs, outputs, parts):
    """Outputs of this cycle, then the clock edge."""
    switch_outputs(p, outputs, parts)
    switch_clock(p, inputs, outputs, parts)


@compiled
def switch_step(p, inputs, outputs, parts):
    """The same, for Python."""
    switch_cycle(p, inputs, outputs, parts)


class SwitchModel:
    """The whole switch; see docs/microarchitecture.md.

    All is permitted unless ``inputs.permit`` says otherwise.
    """

    def __init__(self, config: SwitchConfig):
        self.config = config
        self.p = parameters(config)
        inputs, outputs = switch_shapes(config)
        self.inputs = allocate(SwitchInputs, inputs)
        self.outputs = allocate(SwitchOutputs, outputs)
        self.inputs.permit[:] = (1 << config.classes) - 1
        self.reset()

    def reset(self) -> None:
        """The state after reset."""
        self.parts = switch_parts(self.config, self.inputs, self.outputs)

    def step(self) -> SwitchOutputs:
        """Outputs of this cycle, then the clock edge."""
        switch_step(self.p, self.inputs, self.outputs, self.parts)
        return self.outputs
