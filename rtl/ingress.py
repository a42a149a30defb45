"""Ingress: one input port of the switch, up to its queues."""

from amaranth import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from models.config import SwitchConfig
from rtl.backlog import Backlog, ClaimSignature
from rtl.buffer import Buffer, PopSignature, ReleasedSignature
from rtl.classifier import Classifier, CountersSignature, DropSignature, ProgramSignature
from rtl.packet import AxisLayout, FlitLayout, length_shape
from rtl.vector import Vector

__all__ = ["CompleteSignature", "Ingress"]


class CompleteSignature(wiring.Signature):
    """A packet that was announced as partial has come in; its queue holds ``flits``."""

    def __init__(self, config: SwitchConfig):
        super().__init__({"valid": Out(1), "flits": Out(range(config.limit + 1))})


class Ingress(wiring.Component):
    """Take packets from a line, keep their flits, and show which packets wait for the scheduler.

    Latency: 2 cycles from ``i`` to showing, for a packet of one flit, and 1 cycle from ``pop`` to
    ``o``. Throughput: 1 flit in and 1 out per cycle.
    Backpressure: ``i.ready`` is combinational in ``reset`` and the controls only.

    Parameters
    ----------
    config : SwitchConfig
        The configuration.

    Members
    -------
    port, i, enable, drain, reset, enabled, program, drop, counters
        As of :class:`rtl.classifier.Classifier`.
    inject, pop, o, released, occupancy
        As of :class:`rtl.buffer.Buffer`.
    claim, singles, long, partial, length
        As of :class:`rtl.backlog.Backlog`.
    complete : Out(CompleteSignature)
        A cycle after the push of the last flit. If the connection of the packet is open, these are
        the flits that are left of it.
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
                "claim": In(ClaimSignature(config)).array(config.iterations),
                "o": Out(wiring.Signature({"valid": Out(1), "flit": Out(FlitLayout(config))})),
                "released": Out(ReleasedSignature(config)),
                "drop": Out(DropSignature()),
                "occupancy": Out(range(config.ingress_flits + 1)),
                "idle": Out(1),
                "singles": Out(config.queues).array(config.iterations),
                "longs": Out(config.queues),
                "partial": Out(config.queues),
                "length": Out(Vector(length_shape(config), config.queues)),
                "complete": Out(CompleteSignature(config)),
                "counters": Out(CountersSignature()),
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
        connect(m, classifier.counters, flipped(self.counters))
        connect(m, classifier.push, buffer.push)
        connect(m, classifier.announce, backlog.announce)
        connect(m, flipped(self.pop), buffer.pop)
        connect(m, buffer.o, flipped(self.o))
        connect(m, buffer.released, flipped(self.released))
        for outer, inner in zip(self.claim, backlog.claim, strict=True):
            connect(m, flipped(outer), inner)
        m.d.comb += [
            classifier.port.eq(self.port),
            classifier.enable.eq(self.enable),
            classifier.drain.eq(self.drain),
            classifier.reset.eq(self.reset),
            classifier.enabled.eq(self.enabled),
            classifier.admit.eq(buffer.admit),
            classifier.used_high.eq(buffer.used_high),
            buffer.offer.queue.eq(classifier.offer.queue),
            buffer.offer.length.eq(classifier.offer.length),
            buffer.inject.eq(self.inject),
            backlog.complete.eq(classifier.complete),
            self.occupancy.eq(buffer.occupancy),
            self.idle.eq(classifier.idle & (buffer.occupancy == 0)),
            self.longs.eq(backlog.longs),
            self.partial.eq(backlog.partial),
            self.length.eq(backlog.length),
            self.complete.flits.eq(buffer.stored),
        ]
        for outer, inner in zip(self.singles, backlog.singles, strict=True):
            m.d.comb += outer.eq(inner)
        m.d.sync += self.complete.valid.eq(classifier.complete)  # together with buffer.stored
        return m
