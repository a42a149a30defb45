"""Both ends of lanes as one component: each a PCS and a crossing, with clocks of its own."""

from typing import Any

from amaranth import Module
from amaranth.hdl import DomainRenamer
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from models.link.config import LinkConfig
from models.serdes.config import LanesConfig
from rtl.link.frame import WordsLayout, WordsSignature
from rtl.serdes.lane_crossing import LaneCrossing
from rtl.serdes.multilane_pcs import MultilanePcs

__all__ = ["LaneEnd", "LanePair"]


class LaneEnd(wiring.Component):
    """One end: words in the domain of the core, lanes in those of the lines.

    Members
    -------
    i, o, up
        Of the PCS; it is always enabled.
    line_tx, line_rx, line_ok
        Of the crossing.
    wrong : Out(1)
        Any event of the PCS or the crossing that is never to be.
    corrected_valid, bad
        Of the PCS.
    """

    def __init__(self, lanes: LanesConfig, link: LinkConfig):
        self.lanes, self.link = lanes, link
        line = data.ArrayLayout(lanes.lane_bits, lanes.lanes)
        super().__init__(
            {
                "i": In(stream.Signature(WordsLayout(link))),
                "o": Out(WordsSignature(link)),
                "up": Out(1),
                "line_tx": Out(line),
                "line_rx": In(line),
                "line_ok": In(1).array(lanes.lanes),
                "wrong": Out(1),
                "corrected_valid": Out(1),
                "bad": Out(range(lanes.interleave + 1)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        end: Any = self  # members are made at run time
        pcs: Any = MultilanePcs(self.lanes, self.link)
        crossing: Any = LaneCrossing(self.lanes)
        m.submodules.pcs, m.submodules.crossing = pcs, crossing
        connect(m, flipped(end.i), pcs.i)
        connect(m, pcs.o, flipped(end.o))
        never = [pcs.starved, pcs.overrun, crossing.underflow]
        m.d.comb += [
            pcs.enable.eq(1),
            crossing.tx.eq(pcs.tx),
            pcs.tx_ready.eq(crossing.tx_ready),
            pcs.rx.eq(crossing.rx),
            end.line_tx.eq(crossing.line_tx),
            crossing.line_rx.eq(end.line_rx),
            end.up.eq(pcs.up),
            end.corrected_valid.eq(pcs.corrected_valid),
            end.bad.eq(pcs.bad),
        ]
        for lane in range(self.lanes.lanes):
            m.d.comb += [
                pcs.rx_valid[lane].eq(crossing.rx_valid[lane]),
                pcs.signal_ok[lane].eq(crossing.signal_ok[lane]),
                crossing.line_ok[lane].eq(end.line_ok[lane]),
            ]
            never.append(crossing.overflow[lane])
        m.d.comb += end.wrong.eq(sum(never) != 0)
        return m


class LanePair(wiring.Component):
    """Two ends. The domains of end 0 are ``core_0``, ``tx_0`` and, of its lanes, ``rx_0_0`` and so
    on; those of end 1 are called alike.

    Members
    -------
    All of :class:`LaneEnd`, two of each.
    """

    def __init__(self, lanes: LanesConfig, link: LinkConfig):
        self.lanes, self.ends = lanes, [LaneEnd(lanes, link), LaneEnd(lanes, link)]
        members = self.ends[0].signature.members
        super().__init__({name: member.array(2) for name, member in members.items()})

    def elaborate(self, platform):
        m = Module()
        for n, end in enumerate(self.ends):
            names = {f"rx_{lane}": f"rx_{n}_{lane}" for lane in range(self.lanes.lanes)}
            names |= {"sync": f"core_{n}", "tx": f"tx_{n}"}
            m.submodules[f"end_{n}"] = DomainRenamer(names)(end)
            for name, member in end.signature.members.items():
                mine, inner = getattr(self, name)[n], getattr(end, name)
                if member.is_signature:
                    connect(m, flipped(mine), inner)
                elif name == "line_ok":
                    m.d.comb += [a.eq(b) for a, b in zip(inner, mine, strict=True)]
                elif member.flow is In:
                    m.d.comb += inner.eq(mine)
                else:
                    m.d.comb += mine.eq(inner)
        return m
