"""The link of a port: packets of the switch on one side, words of the PCS on the other."""

from amaranth import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from models.link.config import DownPolicy, LinkConfig, ReceiverState, SenderState
from models.link.wire import COUNTED, CREDIT_COUNTER_BITS, CREDIT_TIMER_BITS, MAX_CHANNELS
from rtl.link.arrivals import Arrivals
from rtl.link.control_words import ControlWords
from rtl.link.credit_frame import CreditFrameReceiver, CreditFrameSender
from rtl.link.credit_receiver import CreditReceiver, VacatedSignature
from rtl.link.credit_sender import CreditLimitSignature, CreditSender
from rtl.link.deframer import Deframer
from rtl.link.frame import WordsLayout, WordsSignature
from rtl.link.framer import Framer
from rtl.link.hold import Hold
from rtl.link.retry_receiver import RetryReceiver
from rtl.link.retry_sender import RetrySender
from rtl.packet import AxisLayout

__all__ = ["CreditControlSignature", "Link", "LinkEventsSignature"]


class CreditControlSignature(wiring.Signature):
    """How credits are to be used.

    Members
    -------
    reset : Out(1)
        Counters are zero, and no packet of a lossless channel begins. Limits stay. If it rises, to
        be kept up until it is up at both ends and both were ``drained`` after that, and for a cable
        longer; then it may fall at either end first.
    lossless : Out(channels)
        Channels that wait for credits, the same at both ends. The others are best effort: nothing
        of them is counted. To be changed only while ``drained``.
    sender_limit, receiver_limit : Out(CreditLimitSignature())
        Credits that the other end has for a channel; that this end has.
    port_limit : Out(20)
        Credits that the other end has for all channels together.
    update_cycles, refresh_cycles, report_cycles, watchdog_cycles : Out(24)
        See :class:`rtl.link.credit_receiver.CreditReceiver` and
        :class:`rtl.link.credit_sender.CreditSender`; 0 for never, of updates for no least distance.
    """

    def __init__(self, channels: int):
        super().__init__(
            {
                "reset": Out(1),
                "lossless": Out(channels),
                "sender_limit": Out(CreditLimitSignature()),
                "receiver_limit": Out(CreditLimitSignature()),
                "port_limit": Out(CREDIT_COUNTER_BITS),
                "update_cycles": Out(CREDIT_TIMER_BITS),
                "refresh_cycles": Out(CREDIT_TIMER_BITS),
                "report_cycles": Out(CREDIT_TIMER_BITS),
                "watchdog_cycles": Out(CREDIT_TIMER_BITS),
            }
        )


class LinkEventsSignature(wiring.Signature):
    """What happened: one bit for each of ``models.link.wire.COUNTED``; of ``lost``, how many."""

    def __init__(self, config: LinkConfig):
        super().__init__(dict.fromkeys(COUNTED, Out(1)) | {"lost": Out(range(config.window + 1))})


class Link(wiring.Component):
    """Carry packets over a line that makes errors: each once, in order, and nothing else.

    Latency: 2 cycles from ``i`` to the first word on ``to_pcs``, and 4 from the last word that a
    flit needs on ``from_pcs`` to ``o``, in an idle link: ``HOP_CYCLES``, besides the cable and the
    cycles after the first in which the words come that a flit needs, its preamble and one behind
    it included; with ``store_and_forward`` 2 more after the last flit. Throughput: all of the
    line in frames of ``frame_words`` words; 1 flit per cycle.
    Backpressure: ``i.ready`` comes from registers, ``channel``, ``i.valid`` and the controls. A
    reader that does not take ``o`` in time makes the partner repeat: that is what credits are for.

    With credits, a packet leaves ``i`` only if the buffer behind the other end's ``o`` has room
    for it. Such a buffer takes ``o`` at any time, says of each packet whether it was taken
    (``accepted``, ``dropped``) and of each flit when it has left (``released``; as many as the
    header's length has). In cut-through it needs room for a largest packet besides what credits
    stand for: a broken copy, whose replay comes later. There is one at most, as from then on until
    it has left the link stores and forwards.
    Source: docs/link.md.

    Parameters
    ----------
    config : LinkConfig
        The configuration, the same at both ends.

    Members
    -------
    i : In(stream.Signature(AxisLayout))
        Packets to send.
    channel : In(5)
        Virtual channel of the packet whose first flit ``i`` offers.
    permit : Out(channels)
        Channels of which a packet that is chosen now will not wait here for credits, be it behind
        ``PERMITTED_FLITS`` others that are on their way; never with limits below
        ``permit_credits``. Sums of registers, compared.
    waiting : In(channels)
        Channels of which a packet waits for ``permit``, for the watchdog.
    o : Out(stream.Signature(AxisLayout))
        Packets received. ``user[0]`` with the last flit of a broken copy, whose replay follows, and
        of a packet that was sent so.
    o_channel : Out(5)
        Virtual channel of the flit on ``o``, 0 if there is none.
    accepted, dropped : In(1)
        Verdicts on the packets of ``o``, one on each, whether credits are used or not, in their
        order; within 5 cycles of the first flit.
    released : In(VacatedSignature())
        A flit of a channel has left.
    credit : In(CreditControlSignature(channels))
        How credits are used.
    drained : Out(1)
        All that was sent is acknowledged or given up, all that has come has left ``o`` and has its
        verdict, and nothing is stored behind ``o`` of what is counted. What goes without a number
        may still be in the cable.
    stalled : Out(channels)
        Channels that have waited too long, until the reset of credits.
    to_pcs : Out(stream.Signature(WordsLayout))
        Words, always valid; ``ready`` paces them to the line. Without ``pcs_up`` they are gone
        whether taken or not: so a frame under way ends, and what waits for its end can happen.
    from_pcs : In(WordsSignature)
        Words.
    enable, pcs_up, policy, reconfigure
        As of :class:`rtl.link.retry_sender.RetrySender`.
    sender_state : Out(SenderState)
    receiver_state : Out(ReceiverState)
        States of retry.
    events : Out(LinkEventsSignature)
        What happened; the first 22 are those of link-level retry as SAI names them.
    """

    def __init__(self, config: LinkConfig):
        self.config = config
        packets = stream.Signature(AxisLayout(config))
        super().__init__(
            {
                "i": In(packets),
                "channel": In(range(MAX_CHANNELS)),
                "permit": Out(config.channels),
                "waiting": In(config.channels),
                "o": Out(packets),
                "o_channel": Out(range(MAX_CHANNELS)),
                "accepted": In(1),
                "dropped": In(1),
                "released": In(VacatedSignature()),
                "credit": In(CreditControlSignature(config.channels)),
                "drained": Out(1),
                "stalled": Out(config.channels),
                "to_pcs": Out(stream.Signature(WordsLayout(config))),
                "from_pcs": In(WordsSignature(config)),
                "enable": In(1),
                "pcs_up": In(1),
                "policy": In(DownPolicy),
                "reconfigure": In(1),
                "sender_state": Out(SenderState),
                "receiver_state": Out(ReceiverState),
                "events": Out(LinkEventsSignature(config)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.credit_sender = credit_sender = CreditSender(self.config)
        m.submodules.frame_sender = frame_sender = CreditFrameSender(self.config)
        m.submodules.sender = sender = RetrySender(self.config)
        m.submodules.framer = framer = Framer(self.config)
        m.submodules.deframer = deframer = Deframer(self.config)
        m.submodules.receiver = receiver = RetryReceiver(self.config)
        m.submodules.hold = hold = Hold(self.config)
        m.submodules.frame_receiver = frame_receiver = CreditFrameReceiver(self.config)
        m.submodules.arrivals = arrivals = Arrivals()
        m.submodules.credit_receiver = credit_receiver = CreditReceiver(self.config)
        m.submodules.words = words = ControlWords()

        connect(m, flipped(self.i), credit_sender.i)
        connect(m, credit_sender.o, frame_sender.i)
        connect(m, frame_sender.o, sender.i)
        connect(m, sender.o, framer.i)
        connect(m, flipped(self.from_pcs), deframer.i)
        connect(m, deframer.o, receiver.i)
        connect(m, receiver.o, hold.i)
        connect(m, hold.o, frame_receiver.i)
        connect(m, frame_receiver.o, flipped(self.o))

        connect(m, frame_receiver.end, arrivals.end)
        connect(m, arrivals.told, credit_receiver.told)
        # Of best effort nothing is counted here, as there.
        for event, counted in (
            (arrivals.arrival, credit_receiver.arrival),
            (arrivals.copy, credit_receiver.copy),
            (self.released, credit_receiver.released),
        ):
            m.d.comb += counted.valid.eq(
                event.valid & self.credit.lossless.bit_select(event.channel, 1)
            )
            for name in counted.signature.members:
                if name != "valid":
                    m.d.comb += getattr(counted, name).eq(getattr(event, name))
        connect(m, flipped(self.credit.sender_limit), credit_sender.limit)
        connect(m, flipped(self.credit.receiver_limit), credit_receiver.limit)
        connect(m, credit_receiver.update, words.send_credit)
        connect(m, words.credit, credit_sender.update)
        # In INIT and FLUSH packets may be discarded: what a CC_Update says would be lost.
        reports = (sender.state != SenderState.INIT) & (sender.state != SenderState.FLUSH)
        consumed = frame_sender.consumed
        m.d.comb += [
            consumed.valid.eq(credit_sender.consumed.valid & reports),
            consumed.payload.eq(credit_sender.consumed.payload),
            credit_sender.consumed.ready.eq(consumed.ready & reports),
            credit_sender.channel.eq(self.channel),
            credit_sender.lossless.eq(self.credit.lossless),
            credit_sender.waiting.eq(self.waiting),
            credit_sender.port_limit.eq(self.credit.port_limit),
            credit_sender.report_cycles.eq(self.credit.report_cycles),
            credit_sender.watchdog_cycles.eq(self.credit.watchdog_cycles),
            credit_sender.reset.eq(self.credit.reset),
            credit_receiver.update_cycles.eq(self.credit.update_cycles),
            credit_receiver.refresh_cycles.eq(self.credit.refresh_cycles),
            credit_receiver.reset.eq(self.credit.reset),
            frame_sender.channel.eq(credit_sender.o_channel),
            sender.channel.eq(frame_sender.o_channel),
            arrivals.accepted.eq(self.accepted),
            arrivals.dropped.eq(self.dropped),
            hold.holds.eq(credit_receiver.copying | arrivals.pending),
            self.permit.eq(credit_sender.permit),
            self.stalled.eq(credit_sender.stalled),
            self.drained.eq(
                frame_sender.idle
                & sender.idle
                & ~receiver.o.valid
                & hold.idle
                & arrivals.idle
                & credit_receiver.drained
            ),
            self.o_channel.eq(frame_receiver.channel),
        ]
        if self.config.store_and_forward:
            m.d.comb += hold.holds.eq(1)

        connect(m, sender.init, words.send_init)
        connect(m, receiver.init_echo, words.send_init_echo)
        connect(m, receiver.nack, words.send_nack)
        connect(m, receiver.ack, words.send_ack)
        connect(m, words.o, framer.control)
        connect(m, deframer.control, words.i)
        connect(m, words.init, receiver.init)
        connect(m, words.init_echo, sender.init_echo)
        connect(m, words.nack, sender.nack)
        connect(m, words.ack, sender.ack)

        m.d.comb += [
            self.to_pcs.valid.eq(framer.o.valid),
            self.to_pcs.payload.eq(framer.o.payload),
            framer.o.ready.eq(self.to_pcs.ready | ~self.pcs_up),
            deframer.up.eq(self.pcs_up),
            sender.enable.eq(self.enable),
            sender.pcs_up.eq(self.pcs_up),
            sender.policy.eq(self.policy),
            sender.reconfigure.eq(self.reconfigure),
            receiver.enable.eq(self.enable),
            self.sender_state.eq(sender.state),
            self.receiver_state.eq(receiver.state),
        ]
        m.d.comb += [
            self.events.credit_healed.eq(credit_receiver.healed.any()),
            self.events.credit_excess.eq(credit_sender.excess.any() | credit_receiver.excess),
            self.events.credit_overrun.eq(credit_receiver.overrun | arrivals.overrun),
            self.events.credit_underrun.eq(credit_receiver.underrun),
            self.events.credit_stall.eq(credit_sender.stalls.any()),
        ]
        blocks = sender, receiver, deframer, words
        for name in [name for name in COUNTED if not name.startswith("credit_")]:
            block = next(block for block in blocks if hasattr(block, name))
            m.d.comb += getattr(self.events, name).eq(getattr(block, name))
        return m
