"""Counters of one port: what became of its packets."""

from amaranth import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from models.packet import Broken, Drop
from rtl.classifier import BrokenSignature

__all__ = ["Counters", "CountsSignature", "DropReasonSignature"]

WIDTH = 32


class DropReasonSignature(wiring.Signature):
    """A packet was not accepted: a reason of ``models.packet.Drop``."""

    def __init__(self):
        super().__init__({"valid": Out(1), "reason": Out(range(len(Drop)))})


class CountsSignature(wiring.Signature):
    """Packets, modulo ``2**32``: at the ingress the first three, at the egress the rest."""

    def __init__(self):
        super().__init__(
            {
                "accepted": Out(WIDTH),
                "dropped": Out(WIDTH).array(len(Drop)),
                "broken": Out(WIDTH).array(len(Broken)),
                "delivered": Out(WIDTH),
                "errored": Out(WIDTH),
                "discarded": Out(WIDTH),
                "parity": Out(WIDTH),
            }
        )


class Counters(wiring.Component):
    """Count the events of one port.

    Latency: 1 cycle from an event to its count. Throughput: every event in every cycle.
    Source: the switch has no counters of its own, as they would be a third of its registers.

    Members
    -------
    accepted, delivered, errored, discarded, parity : In(1)
        Events as the switch tells them.
    drop : In(DropReasonSignature())
        A packet was not accepted.
    broken : In(BrokenSignature())
        An accepted packet was ended with an error.
    clear : In(1)
        Set ``accepted``, ``dropped`` and ``broken`` to zero; an event of this cycle is lost.
    counts : Out(CountsSignature())
        Events since reset.
    """

    def __init__(self):
        super().__init__(
            {
                "accepted": In(1),
                "drop": In(DropReasonSignature()),
                "broken": In(BrokenSignature()),
                "delivered": In(1),
                "errored": In(1),
                "discarded": In(1),
                "parity": In(1),
                "clear": In(1),
                "counts": Out(CountsSignature()),
            }
        )

    def elaborate(self, platform):
        m = Module()
        counts = self.counts

        def ingress(count, event):
            with m.If(self.clear):
                m.d.sync += count.eq(0)
            with m.Elif(event):
                m.d.sync += count.eq(count + 1)

        ingress(counts.accepted, self.accepted)
        for reason, count in enumerate(counts.dropped):
            ingress(count, self.drop.valid & (self.drop.reason == reason))
        for reason, count in enumerate(counts.broken):
            ingress(count, self.broken.valid & (self.broken.reason == reason))
        for name in "delivered", "errored", "discarded", "parity":
            with m.If(getattr(self, name)):
                m.d.sync += getattr(counts, name).eq(getattr(counts, name) + 1)
        return m
