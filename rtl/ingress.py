"""Ingress: one input port of the switch, up to its queues."""

from amaranth import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from models.config import SINGLES, SwitchConfig
from rtl.backlog import Backlog, TakenLayout
from rtl.buffer import Buffer, PopSignature, ReleasedSignature
from rtl.classifier import BrokenSignature, Classifier, DropSignature, ProgramSignature
from rtl.packet import AxisLayout, FlitLayout

__all__ = ["Ingress"]


class Ingress(wiring.Component):
    """Take packets from a line, keep their flits, and show which queues wait for the scheduler.

    Latency: 5 cycles from ``i`` to ``waits``, and 2 cycles from ``pop`` to ``o``. Throughput: 1
    flit in and 1 out per cycle. Backpressure: ``i.ready`` is combinational in registers only.

    Parameters
    ----------
    config : SwitchConfig
        The configuration.

    Members
    -------
    port, i, enable, drain, reset, enabled, program, accepted, drop, broken
        As of :class:`rtl.classifier.Classifier`.
    inject, pop, o, released, occupancy
        As of :class:`rtl.buffer.Buffer`.
    claim, claim_queue, connects, waits, many, taken
        As of :class:`rtl.backlog.Backlog`.
    complete : Out(1)
        A packet that was announced as partial has come in. Two cycles after its last flit was
        pushed: then it can be popped.
    lost : Out(1)
        The pop of the last cycle found no flit.
    idle : Out(1)
        No packet is under way, waits or is stored.
    """

    def __init__(self, config: SwitchConfig):
        self.config = config
        super().__init__(
            {
                "port": In(range(config.ports)),
                "i": In(stream.Signature(AxisLayout(config))),
                "enable": In(1),
                "drain": In(1),
                "reset": In(1),
                "enabled": In(config.ports),
                "program": In(ProgramSignature(config.ports)),
                "inject": In(1),
                "pop": In(PopSignature(config)),
                "claim": In(config.queues).array(config.iterations),
                "claim_queue": In(range(config.queues)).array(config.iterations),
                "connects": In(1),
                "o": Out(wiring.Signature({"valid": Out(1), "flit": Out(FlitLayout(config))})),
                "released": Out(ReleasedSignature(config)),
                "accepted": Out(1),
                "drop": Out(DropSignature()),
                "broken": Out(BrokenSignature()),
                "occupancy": Out(range(config.ingress_flits + 1)),
                "idle": Out(1),
                "waits": Out(config.queues).array(SINGLES),
                "many": Out(config.queues),
                "taken": Out(TakenLayout(config)),
                "complete": Out(1),
                "lost": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.classifier = classifier = Classifier(self.config)
        m.submodules.buffer = buffer = Buffer(self.config)
        m.submodules.backlog = backlog = Backlog(self.config)

        connect(m, flipped(self.i), classifier.i)
        connect(m, flipped(self.program), classifier.program)
        connect(m, classifier.drop, flipped(self.drop))
        connect(m, classifier.broken, flipped(self.broken))
        connect(m, classifier.push, buffer.push)
        connect(m, classifier.offer, buffer.offer)
        connect(m, classifier.announce, backlog.announce)
        connect(m, flipped(self.pop), buffer.pop)
        connect(m, buffer.o, flipped(self.o))
        connect(m, buffer.released, flipped(self.released))
        m.d.comb += [
            classifier.port.eq(self.port),
            classifier.enable.eq(self.enable),
            classifier.drain.eq(self.drain),
            classifier.reset.eq(self.reset),
            classifier.enabled.eq(self.enabled),
            classifier.admit.eq(buffer.admit),
            classifier.used_high.eq(buffer.used_high),
            buffer.inject.eq(self.inject),
            backlog.complete.eq(classifier.complete),
            backlog.connects.eq(self.connects),
            self.accepted.eq(classifier.accepted),
            self.occupancy.eq(buffer.occupancy),
            self.idle.eq(classifier.idle & (buffer.occupancy == 0)),
            self.many.eq(backlog.many),
            self.taken.eq(backlog.taken),
        ]
        for k in range(self.config.iterations):
            m.d.comb += [
                backlog.claim[k].eq(self.claim[k]),
                backlog.claim_queue[k].eq(self.claim_queue[k]),
            ]
        m.d.comb += [
            outer.eq(inner) for outer, inner in zip(self.waits, backlog.waits, strict=True)
        ]
        # No pop is lost after `complete`: a flit that was pushed can be popped two cycles later.
        arrived = Signal()
        m.d.sync += [
            arrived.eq(classifier.complete),
            self.complete.eq(arrived),
            self.lost.eq(buffer.lost),
        ]
        return m
