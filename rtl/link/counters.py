"""Counters of one link: what became of its frames and control words."""

from amaranth import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from models.link.config import LinkConfig
from models.link.wire import COUNTED

__all__ = ["LinkCounters", "LinkEventsSignature"]

WIDTH = 32


class LinkEventsSignature(wiring.Signature):
    """What happened: one bit for each of ``models.link.wire.COUNTED``; of ``lost``, how many."""

    def __init__(self, config: LinkConfig):
        super().__init__(dict.fromkeys(COUNTED, Out(1)) | {"lost": Out(range(config.window + 1))})


class LinkCounters(wiring.Component):
    """Count the events of one link, modulo ``2**32``.

    Latency: 1 cycle from an event to its count. Throughput: every event in every cycle.
    Source: the first 22 are those of link-level retry as SAI names them.

    Members
    -------
    events : In(LinkEventsSignature)
        Events.
    counts : Out(32) by name
        Events since reset.
    """

    def __init__(self, config: LinkConfig):
        counts = wiring.Signature(dict.fromkeys(COUNTED, Out(WIDTH)))
        super().__init__({"events": In(LinkEventsSignature(config)), "counts": Out(counts)})

    def elaborate(self, platform):
        m = Module()
        for name in COUNTED:
            count = getattr(self.counts, name)
            m.d.sync += count.eq(count + getattr(self.events, name))
        return m
