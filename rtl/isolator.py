"""Isolator: the link of a port goes on while the port of the switch behind it is reset."""

from amaranth import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from models.config import MAX_OWED, SwitchConfig
from rtl.packet import AxisLayout

__all__ = ["Isolator"]


class Isolator(wiring.Component):
    """Keep what a link was promised while the port behind it is in reset.

    A port in reset forgets packets, without a verdict and without an end; a link needs both. So in
    reset all that comes from the link is discarded, the packet under way up to its end, which may
    come after the reset; and each packet that the port forgot, or that was discarded, is told of as
    refused. On the way out a packet that the reset cuts, or a flush of the output, is ended by a
    flit with an error.

    Latency: 0 cycles each way. Throughput: 1 flit per cycle each way; in reset 1 flit per cycle is
    discarded, but for its first two cycles, in which the switch still gives verdicts.
    Backpressure: ``from_link.ready`` comes from registers, ``reset`` and ``to_switch.ready``;
    ``from_switch.ready`` from a register and ``to_link.ready``.

    Parameters
    ----------
    config : SwitchConfig
        Uses the flit size.

    Members
    -------
    reset : In(1)
        That of the port, and to be held until the port is ``idle``, too.
    flush : In(1)
        All that the output has is discarded.
    from_link, to_switch : In, Out(stream.Signature(AxisLayout))
        Packets into the switch.
    from_switch, to_link : In, Out(stream.Signature(AxisLayout))
        Packets out of it. From the cycle after the first one of a reset or flush to its end the
        switch offers nothing.
    accepted, dropped : In(1)
        Verdicts of the switch, on packets in the order in which it took them. It takes no more than
        ``MAX_OWED`` without one, and gives none from the third cycle of a reset on.
    stored, refused : Out(1)
        The same, one on each packet of ``from_link``. Those of the switch in the same cycle.
    idle : Out(1)
        Each packet that has been taken from the link has its verdict.
    """

    def __init__(self, config: SwitchConfig):
        packets = stream.Signature(AxisLayout(config))
        super().__init__(
            {
                "reset": In(1),
                "flush": In(1),
                "from_link": In(packets),
                "to_switch": Out(packets),
                "from_switch": In(packets),
                "to_link": Out(packets),
                "accepted": In(1),
                "dropped": In(1),
                "stored": Out(1),
                "refused": Out(1),
                "idle": Out(1, init=1),
            }
        )

    def elaborate(self, platform):
        m = Module()

        # Inwards. While ``closed`` nothing is passed on.
        i, o = self.from_link, self.to_switch
        owed = Signal(range(MAX_OWED + 1))  # packets without a verdict
        closed, late = Signal(), Signal()
        in_packet, cut = Signal(), Signal()  # the rest of the packet is discarded
        taken, head, judged, refuses = Signal(), Signal(), Signal(), Signal()
        m.d.comb += [
            i.ready.eq(Mux(self.reset, closed & late, cut | (o.ready & ~closed))),
            o.valid.eq(i.valid & ~(self.reset | closed | cut)),
            o.payload.eq(i.payload),
            taken.eq(i.valid & i.ready),
            head.eq(taken & ~in_packet),
            judged.eq(self.accepted | self.dropped),
            refuses.eq(closed & late & ~judged & (owed != 0)),
            self.stored.eq(self.accepted),
            self.refused.eq(self.dropped | refuses),
            self.idle.eq(owed == 0),
        ]
        m.d.sync += [
            closed.eq(self.reset | (closed & (owed != 0))),
            late.eq(closed),
            owed.eq(owed + head - (judged | refuses)),
            cut.eq(cut | (self.reset & in_packet)),
        ]
        with m.If(taken):
            m.d.sync += [
                in_packet.eq(~i.payload.last),
                cut.eq(~i.payload.last & (cut | self.reset)),
            ]

        # Outwards.
        ends, begun = Signal(), Signal()  # a flit is to end the packet under way; there is one
        sends = Signal()  # ``begun`` after this cycle
        connect(m, flipped(self.from_switch), flipped(self.to_link))
        with m.If(ends):
            m.d.comb += [
                self.from_switch.ready.eq(0),
                self.to_link.valid.eq(1),
                self.to_link.payload.data.eq(0),
                self.to_link.payload.keep.eq(-1),
                self.to_link.payload.last.eq(1),
                self.to_link.payload.user.eq(1),
            ]
        m.d.comb += sends.eq(
            Mux(self.to_link.valid & self.to_link.ready, ~self.to_link.payload.last, begun)
        )
        m.d.sync += [begun.eq(sends), ends.eq((self.reset | self.flush | ends) & sends)]
        return m
