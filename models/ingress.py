"""Golden model of rtl.ingress: classifier, buffer and backlog of one port, composed."""

from collections import namedtuple

import numpy as np

from models.backlog import (
    BacklogOutputs,
    backlog_clock,
    backlog_outputs,
    backlog_state,
    backlog_taken,
    unpack_claims,
)
from models.buffer import (
    BufferOutputs,
    buffer_clock,
    buffer_output_shapes,
    buffer_outputs,
    buffer_state,
)
from models.classifier import (
    ClassifierInputs,
    ClassifierOutputs,
    classifier_clock,
    classifier_outputs,
    classifier_shapes,
    classifier_state,
)
from models.compiled import compiled, inner
from models.config import SINGLES, SwitchConfig
from models.parameters import parameters
from models.record import allocate

__all__ = [
    "IngressInputs",
    "IngressModel",
    "IngressOutputs",
    "IngressParts",
    "ingress_clock",
    "ingress_outputs",
    "ingress_parts",
]

IngressInputs = namedtuple(
    "IngressInputs",
    "i_valid i_payload_data i_payload_keep i_payload_last i_payload_user port enable drain reset "
    "enabled program_valid program_partition program_address program_mask inject pop_valid "
    "pop_queue claim claim_queue connects",
)
IngressOutputs = namedtuple(
    "IngressOutputs",
    "i_ready program_ready o_valid o_flit_data o_flit_count o_flit_first o_flit_last o_flit_error "
    "o_flit_mark o_flit_parity released_valid released_queue accepted drop_valid drop_reason "
    "drop_header broken_valid broken_reason occupancy idle waits many taken_valid taken_flits "
    "taken_open complete lost",
)
IngressParts = namedtuple(
    "IngressParts",
    "classifier classifier_in classifier_out buffer buffer_out backlog arrived complete lost",
)


def ingress_parts(config: SwitchConfig, instances: int) -> IngressParts:
    """State of all parts after reset, and the wires between them.

    ``complete`` and ``lost`` (instances,) are the registers behind those of the leaves; before
    ``complete`` there is another one, ``arrived``.
    """
    inputs, outputs = classifier_shapes(config, instances)
    return IngressParts(
        classifier=classifier_state(config, instances),
        classifier_in=allocate(ClassifierInputs, inputs),
        classifier_out=allocate(ClassifierOutputs, outputs),
        buffer=buffer_state(config, instances),
        buffer_out=allocate(BufferOutputs, buffer_output_shapes(config, instances)),
        backlog=backlog_state(config, instances),
        arrived=np.zeros(instances, dtype=np.int64),
        complete=np.zeros(instances, dtype=np.int64),
        lost=np.zeros(instances, dtype=np.int64),
    )


@inner
def ingress_outputs(p, parts, n):
    """What the registers of instance ``n`` show, into the wires of ``parts``."""
    inputs = parts.classifier_in
    buffer_outputs(p, parts.buffer, parts.buffer_out, n)
    inputs.admit[n] = parts.buffer_out.admit[n]
    inputs.used_high[n] = parts.buffer_out.used_high[n]
    classifier_outputs(p, parts.classifier, inputs, parts.classifier_out, n)


@inner
def ingress_clock(p, parts, n, inject, pop_valid, pop_queue, claim, connects):
    """Combinational outputs of instance ``n``, then its clock edge.

    ``claim`` is the queue that each stage claims, or -1. ``taken`` is told by ``backlog_taken``.
    """
    inputs, outputs = parts.classifier_in, parts.classifier_out
    classifier_clock(p, parts.classifier, inputs, outputs, n)
    parts.lost[n] = buffer_clock(p, parts.buffer, n, pop_valid, pop_queue, outputs, inject)
    backlog_clock(
        p,
        parts.backlog,
        n,
        outputs.announce_valid[n],
        outputs.announce_queue[n],
        outputs.announce_length[n],
        outputs.announce_partial[n],
        outputs.complete[n],
        claim,
        connects,
    )
    parts.complete[n], parts.arrived[n] = parts.arrived[n], outputs.complete[n]


@compiled
def ingress_step(p, parts, inputs, backlog, claim):
    """Outputs of this cycle, then the clock edge; ``claim`` has room for the queue of each."""
    ingress_outputs(p, parts, 0)
    backlog_outputs(p, parts.backlog, backlog, 0)
    unpack_claims(p, inputs, 0, claim)
    backlog_taken(p, backlog, parts.backlog, 0, claim, inputs.connects[0])
    pop_valid, pop_queue = inputs.pop_valid[0], inputs.pop_queue[0]
    connects = inputs.connects[0]
    ingress_clock(p, parts, 0, inputs.inject[0], pop_valid, pop_queue, claim, connects)


class IngressModel:
    """One input port: 5 cycles from ``i`` to showing in the backlog, 2 from ``pop`` to ``o``."""

    def __init__(self, config: SwitchConfig):
        self.config = config
        self.p = parameters(config)
        k, vector = config.iterations, (config.queues + 63) // 64
        classifier_in, classifier_out = classifier_shapes(config, 1)
        wide = (
            classifier_in
            | classifier_out
            | buffer_output_shapes(config, 1)
            | {"claim": (1, k, vector), "claim_queue": (1, k)}
            | {"waits": (1, SINGLES, vector), "many": (1, vector)}
        )
        self.inputs = allocate(
            IngressInputs, {name: wide.get(name, (1,)) for name in IngressInputs._fields}
        )
        self.outputs = allocate(
            IngressOutputs, {name: wide.get(name, (1,)) for name in IngressOutputs._fields}
        )
        self.claim = np.zeros(k, dtype=np.int64)
        self.reset()

    def reset(self) -> None:
        """The state after reset."""
        self.parts = ingress_parts(self.config, 1)

    def step(self) -> IngressOutputs:
        """Outputs of this cycle, then the clock edge."""
        i, o, parts = self.inputs, self.outputs, self.parts
        o.complete[:], o.lost[:] = parts.complete, parts.lost
        for name in set(ClassifierInputs._fields) & set(IngressInputs._fields):
            getattr(parts.classifier_in, name)[:] = getattr(i, name)
        backlog = BacklogOutputs(o.waits, o.many, o.taken_valid, o.taken_flits, o.taken_open)
        ingress_step(self.p, parts, i, backlog, self.claim)
        o.idle[:] = parts.classifier_out.idle & (parts.buffer_out.occupancy == 0)
        for part in (parts.classifier_out, parts.buffer_out):
            shared = set(part._fields) & set(IngressOutputs._fields)
            for name in shared - {"idle", "complete", "lost"}:
                getattr(o, name)[:] = getattr(part, name)
        return o
