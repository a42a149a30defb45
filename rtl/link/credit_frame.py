"""Frames of credits, and back: a CC_Update goes with the packets, in their order."""

from amaranth import Module, Mux, Signal
from amaranth.lib import data, enum, stream, wiring
from amaranth.lib.wiring import In, Out

from models.link.config import EndKind, LinkConfig
from models.link.wire import (
    CC_UPDATE_FIELDS,
    CREDIT_COUNTER_BITS,
    FRAME_CHANNEL_BITS,
    MAX_CHANNELS,
    OWN_CHANNEL,
)
from rtl.link.arrivals import EndSignature
from rtl.link.credit_sender import ConsumedLayout
from rtl.link.frame import DeliveredLayout
from rtl.packet import AxisLayout, HeaderLayout

__all__ = ["CreditFrameReceiver", "CreditFrameSender"]


class ReportLayout(data.StructLayout):
    """The first word of a CC_Update."""

    def __init__(self):
        super().__init__(dict(CC_UPDATE_FIELDS))


class Phase(enum.Enum, shape=2):
    """What goes to ``o``."""

    PACKETS = 0
    PAUSE = 1  # nothing: what was consumed by the last packet is not on ``consumed`` yet
    LOAD = 2  # nothing: it is now
    UPDATE = 3  # the frame


class CreditFrameSender(wiring.Component):
    """Put CC_Updates between packets.

    Latency: 0 cycles. Throughput: 1 flit per cycle; a CC_Update takes its flits and 3 cycles, one
    that follows another 1. Between two of them a packet goes if one waits.
    Backpressure: ``i.ready`` is ``o.ready`` while packets go.
    An update is a frame of ``min_packet_bytes``, on channel 32: channel and credits consumed by all
    packets before it in its first word (``models.link.wire.CC_UPDATE_FIELDS``), then zeros.

    Parameters
    ----------
    config : LinkConfig
        Uses the flit size and ``min_packet_bytes``.

    Members
    -------
    i : In(stream.Signature(AxisLayout))
        Packets.
    channel : In(5)
        Virtual channel of the flit on ``i``.
    consumed : In(stream.Signature(ConsumedLayout))
        What is to be told. It may grow while it waits, and may be taken back.
    o : Out(stream.Signature(AxisLayout))
        Packets and updates.
    o_channel : Out(6)
        Channel of the flit on ``o``.
    idle : Out(1)
        Neither an update is on its way, nor the rest of a packet.
    """

    def __init__(self, config: LinkConfig):
        self.config = config
        packets = stream.Signature(AxisLayout(config))
        super().__init__(
            {
                "i": In(packets),
                "channel": In(range(MAX_CHANNELS)),
                "consumed": In(stream.Signature(ConsumedLayout(CREDIT_COUNTER_BITS))),
                "o": Out(packets),
                "o_channel": Out(FRAME_CHANNEL_BITS),
                "idle": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        i, o, consumed = self.i, self.o, self.consumed
        size, flit_bytes = self.config.min_packet_bytes, self.config.flit_bytes
        flits = -(-size // flit_bytes)
        phase, in_packet = Signal(Phase), Signal()
        left = Signal(range(flits))  # flits of the update behind the one on `o`
        update = Signal(ReportLayout())
        m.d.comb += update.length.eq(size)
        with m.If(phase == Phase.UPDATE):
            tail = (1 << (size - 1) % flit_bytes + 1) - 1
            m.d.comb += [
                o.valid.eq(1),
                o.payload.data.eq(Mux(left == flits - 1, update, 0)),
                o.payload.last.eq(left == 0),
                o.payload.keep.eq(Mux(left == 0, tail, ~0)),
                self.o_channel.eq(OWN_CHANNEL),
            ]
        with m.Elif(phase == Phase.PACKETS):
            m.d.comb += [
                o.valid.eq(i.valid),
                i.ready.eq(o.ready),
                o.payload.eq(i.payload),
                self.o_channel.eq(self.channel),
            ]
        m.d.comb += [
            consumed.ready.eq(phase == Phase.LOAD),
            self.idle.eq((phase == Phase.PACKETS) & ~in_packet),
        ]

        with m.Switch(phase):
            with m.Case(Phase.PACKETS):
                with m.If(i.valid & o.ready):
                    m.d.sync += in_packet.eq(~i.payload.last)
                with m.If(consumed.valid & Mux(i.valid, o.ready & i.payload.last, ~in_packet)):
                    m.d.sync += phase.eq(Phase.PAUSE)
            with m.Case(Phase.PAUSE):
                m.d.sync += phase.eq(Phase.LOAD)
            with m.Case(Phase.LOAD):
                m.d.sync += [
                    update.channel.eq(consumed.payload.channel),
                    update.consumed.eq(consumed.payload.consumed),
                    left.eq(flits - 1),
                    phase.eq(Mux(consumed.valid, Phase.UPDATE, Phase.PACKETS)),
                ]
            with m.Case(Phase.UPDATE):
                with m.If(o.ready):
                    m.d.sync += left.eq(left - 1)
                with m.If(o.ready & (left == 0)):
                    more = consumed.valid & ~i.valid
                    m.d.sync += phase.eq(Mux(more, Phase.LOAD, Phase.PACKETS))
        return m


class CreditFrameReceiver(wiring.Component):
    """Take CC_Updates out of the packets, and tell of the end of each.

    Latency: 0 cycles. Throughput: 1 flit per cycle. Backpressure: ``i.ready`` is ``o.ready``, but
    for the link's own frames, which are always taken. Those of a channel beyond 32 say nothing.

    Parameters
    ----------
    config : LinkConfig
        Uses the flit size.

    Members
    -------
    i : In(stream.Signature(DeliveredLayout))
        Packets and updates.
    o : Out(stream.Signature(AxisLayout))
        Packets.
    channel : Out(5)
        Virtual channel of the flit on ``o``, 0 if there is none.
    end : Out(EndSignature)
        In the cycle in which a last flit is taken.
    """

    def __init__(self, config: LinkConfig):
        self.config = config
        super().__init__(
            {
                "i": In(stream.Signature(DeliveredLayout(config))),
                "o": Out(stream.Signature(AxisLayout(config))),
                "channel": Out(range(MAX_CHANNELS)),
                "end": Out(EndSignature()),
            }
        )

    def elaborate(self, platform):
        m = Module()
        i, o, end, flit = self.i, self.o, self.end, self.i.payload
        own, in_packet = flit.channel[-1], Signal()
        header = data.View(HeaderLayout(), flit.data[:64])
        update = data.View(ReportLayout(), flit.data[:64])
        # What the first flit tells, and is told with the last.
        value, value_before = Signal.like(end.value), Signal.like(end.value)
        channel, channel_before = Signal.like(end.channel), Signal.like(end.channel)
        m.d.comb += [
            o.valid.eq(i.valid & ~own),
            i.ready.eq(o.ready | own),
            *(o.payload[name].eq(flit[name]) for name in ("data", "keep", "last", "user")),
            self.channel.eq(Mux(o.valid, flit.channel[:5], 0)),
            value.eq(Mux(in_packet, value_before, Mux(own, update.consumed, header.length))),
            channel.eq(Mux(in_packet, channel_before, Mux(own, update.channel, flit.channel[:5]))),
            end.kind.eq(Mux(own, EndKind.TOLD, Mux(flit.broken, EndKind.BROKEN, EndKind.PACKET))),
            end.valid.eq(
                i.valid
                & i.ready
                & flit.last
                & (~own | ((flit.channel == OWN_CHANNEL) & ~flit.broken & ~flit.user[0]))
            ),
            end.channel.eq(channel),
            end.value.eq(value),
        ]
        with m.If(i.valid & i.ready):
            m.d.sync += [
                in_packet.eq(~flit.last),
                value_before.eq(value),
                channel_before.eq(channel),
            ]
        return m
