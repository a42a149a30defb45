"""Both ends of a link as one component: what a bench of the whole holds against the model."""

from amaranth import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import connect, flipped

from models.link.config import LinkConfig
from rtl.link.link import Link

__all__ = ["LinkPair"]


class LinkPair(wiring.Component):
    """Two links side by side; the channel between them is the model's.

    Members
    -------
    All of :class:`rtl.link.link.Link`, two of each.
    """

    def __init__(self, config: LinkConfig):
        self.links = [Link(config), Link(config)]
        members = self.links[0].signature.members
        super().__init__({name: member.array(2) for name, member in members.items()})

    def elaborate(self, platform):
        m = Module()
        for n, link in enumerate(self.links):
            m.submodules[f"link_{n}"] = link
            for name, member in link.signature.members.items():
                mine, inner = getattr(self, name)[n], getattr(link, name)
                if member.is_signature:
                    connect(m, flipped(mine), inner)
                elif member.flow is wiring.In:
                    m.d.comb += inner.eq(mine)
                else:
                    m.d.comb += mine.eq(inner)
        return m
