"""Golden model of rtl.ingress: classifier, buffer and backlog of one port, composed."""

from collections import namedtuple

from models.backlog import BacklogOutputs, backlog_clock, backlog_outputs, backlog_state
from models.buffer import (
    BufferOutputs,
    buffer_admit,
    buffer_clock,
    buffer_output_shapes,
    buffer_outputs,
    buffer_state,
)
from models.classifier import (
    ClassifierInputs,
    ClassifierOutputs,
    classifier_clock,
    classifier_offer,
    classifier_outputs,
    classifier_shapes,
    classifier_state,
)
from models.compiled import compiled
from models.config import SwitchConfig
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
    "pop_queue claim_valid claim_queue",
)
IngressOutputs = namedtuple(
    "IngressOutputs",
    "i_ready o_valid o_flit_data o_flit_count o_flit_last o_flit_error o_flit_mark o_flit_parity "
    "released_valid released_queue released_flits drop_valid drop_reason drop_header occupancy "
    "idle singles longs partial length complete_valid complete_flits counters_accepted "
    "counters_dropped counters_errored",
)
IngressParts = namedtuple(
    "IngressParts",
    "classifier classifier_in classifier_out buffer buffer_out backlog completed",
)


def ingress_parts(config: SwitchConfig, instances: int) -> IngressParts:
    """State of all parts after reset, and the wires between them.

    ``completed`` (instances,) is the register between ``complete`` of the classifier and that of
    the ingress: the buffer's ``stored`` is right one cycle after the push of the last flit.
    """
    inputs, outputs = classifier_shapes(config, instances)
    completed = namedtuple("Completed", "complete")
    return IngressParts(
        classifier=classifier_state(config, instances),
        classifier_in=allocate(ClassifierInputs, inputs),
        classifier_out=allocate(ClassifierOutputs, outputs),
        buffer=buffer_state(config, instances),
        buffer_out=allocate(BufferOutputs, buffer_output_shapes(config, instances)),
        backlog=backlog_state(config, instances),
        completed=allocate(completed, {"complete": (instances,)}).complete,
    )


@compiled
def ingress_outputs(p, parts, n):
    """What the registers of instance ``n`` show, into the wires of ``parts``."""
    buffer_outputs(p, parts.buffer, parts.buffer_out, n)
    classifier_outputs(p, parts.classifier, parts.classifier_out, n)


@compiled
def ingress_clock(p, parts, n, inject, pop_valid, pop_queue, claim_valid, claim_queue):
    """Header check and admission of instance ``n``, then its clock edge."""
    inputs, outputs = parts.classifier_in, parts.classifier_out
    classifier_offer(p, parts.classifier, inputs, outputs, n)
    if outputs.offer_valid[n]:
        queue = outputs.offer_queue[n]
        inputs.admit[n] = buffer_admit(p, parts.buffer, n, queue, outputs.offer_length[n])
        inputs.used_high[n] = parts.buffer.used[n, queue] >= p.mark_flits
    classifier_clock(p, parts.classifier, inputs, outputs, n)
    buffer_clock(p, parts.buffer, n, pop_valid, pop_queue, outputs, inject)
    backlog_clock(
        p,
        parts.backlog,
        n,
        outputs.announce_valid[n],
        outputs.announce_queue[n],
        outputs.announce_length[n],
        outputs.announce_partial[n],
        outputs.complete[n],
        claim_valid,
        claim_queue,
    )
    parts.completed[n] = outputs.complete[n]


class IngressModel:
    """One input port: 2 cycles from ``i`` to showing in the backlog, 1 from ``pop`` to ``o``."""

    def __init__(self, config: SwitchConfig):
        self.config = config
        self.p = parameters(config)
        k, vector = config.iterations, (config.queues + 63) // 64
        classifier_in, classifier_out = classifier_shapes(config, 1)
        wide = (
            classifier_in
            | classifier_out
            | buffer_output_shapes(config, 1)
            | {"claim_valid": (1, k), "claim_queue": (1, k), "singles": (1, k, vector)}
            | {"longs": (1, vector), "partial": (1, vector), "length": (1, config.queues)}
        )
        self.inputs = allocate(
            IngressInputs, {name: wide.get(name, (1,)) for name in IngressInputs._fields}
        )
        self.outputs = allocate(
            IngressOutputs, {name: wide.get(name, (1,)) for name in IngressOutputs._fields}
        )
        self.reset()

    def reset(self) -> None:
        """The state after reset."""
        self.parts = ingress_parts(self.config, 1)

    def step(self) -> IngressOutputs:
        """Outputs of this cycle, then the clock edge."""
        i, o, parts = self.inputs, self.outputs, self.parts
        ingress_outputs(self.p, parts, 0)
        backlog = BacklogOutputs(o.singles, o.longs, o.partial, o.length)
        backlog_outputs(self.p, parts.backlog, backlog, 0)
        o.complete_valid[:] = parts.completed
        o.complete_flits[:] = parts.buffer_out.stored
        o.idle[:] = parts.classifier_out.idle & (parts.buffer_out.occupancy == 0)
        for name in set(ClassifierInputs._fields) & set(IngressInputs._fields):
            getattr(parts.classifier_in, name)[:] = getattr(i, name)
        ingress_clock(
            self.p,
            parts,
            0,
            i.inject[0],
            i.pop_valid[0],
            i.pop_queue[0],
            i.claim_valid[0],
            i.claim_queue[0],
        )
        for part in (parts.classifier_out, parts.buffer_out):
            for name in (set(part._fields) & set(IngressOutputs._fields)) - {"idle"}:
                getattr(o, name)[:] = getattr(part, name)
        return o
