"""The link of a port: packets of the switch on one side, words of the PCS on the other."""

from amaranth import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from models.link.config import DownPolicy, LinkConfig, ReceiverState, SenderState
from models.link.wire import COUNTED
from rtl.link.control_words import ControlWords
from rtl.link.deframer import Deframer
from rtl.link.frame import WordsLayout, WordsSignature
from rtl.link.framer import Framer
from rtl.link.hold import Hold
from rtl.link.retry_receiver import RetryReceiver
from rtl.link.retry_sender import RetrySender
from rtl.packet import AxisLayout

__all__ = ["Link", "LinkEventsSignature"]


class LinkEventsSignature(wiring.Signature):
    """What happened: one bit for each of ``models.link.wire.COUNTED``; of ``lost``, how many."""

    def __init__(self, config: LinkConfig):
        super().__init__(dict.fromkeys(COUNTED, Out(1)) | {"lost": Out(range(config.window + 1))})


class Link(wiring.Component):
    """Carry packets over a line that makes errors: each once, in order, and nothing else.

    Latency: 3 cycles from ``i`` to the first word on ``to_pcs``, and 4 from the last word that a
    flit needs on ``from_pcs`` to ``o``, in an idle link: ``HOP_CYCLES``, besides the cable and the
    cycles after the first in which the words come that a flit needs, its preamble and one behind
    it included; with ``store_and_forward`` 2 more after the last flit. Throughput: all of the
    line in frames of ``frame_words`` words; 1 flit per cycle.
    Backpressure: ``i.ready`` and ``o.valid`` come from registers and ``enable``, ``policy`` and
    ``reconfigure``. A reader that does not take ``o`` in time makes the partner repeat.
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
    o : Out(stream.Signature(AxisLayout))
        Packets received. ``user[0]`` with the last flit of a broken copy, whose replay follows, and
        of a packet that was sent so.
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
                "channel": In(5),
                "o": Out(packets),
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
        m.submodules.sender = sender = RetrySender(self.config)
        m.submodules.framer = framer = Framer(self.config)
        m.submodules.deframer = deframer = Deframer(self.config)
        m.submodules.receiver = receiver = RetryReceiver(self.config)
        m.submodules.words = words = ControlWords()

        connect(m, flipped(self.i), sender.i)
        connect(m, sender.o, framer.i)
        connect(m, flipped(self.from_pcs), deframer.i)
        connect(m, deframer.o, receiver.i)
        if self.config.store_and_forward:
            m.submodules.hold = hold = Hold(self.config)
            connect(m, receiver.o, hold.i)
            connect(m, hold.o, flipped(self.o))
        else:
            connect(m, receiver.o, flipped(self.o))

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
            sender.channel.eq(self.channel),
            sender.enable.eq(self.enable),
            sender.pcs_up.eq(self.pcs_up),
            sender.policy.eq(self.policy),
            sender.reconfigure.eq(self.reconfigure),
            receiver.enable.eq(self.enable),
            self.sender_state.eq(sender.state),
            self.receiver_state.eq(receiver.state),
        ]
        for name in self.events.signature.members:
            block = next(b for b in (sender, receiver, deframer, words) if hasattr(b, name))
            m.d.comb += getattr(self.events, name).eq(getattr(block, name))
        return m
