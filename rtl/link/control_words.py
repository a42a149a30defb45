"""Control words: what the blocks of a link have to say, and what the partner said."""

from amaranth import Cat, Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from models.link.wire import Control
from rtl.link.crc import word_check
from rtl.link.frame import (
    AckSignature,
    ControlLayout,
    ControlSignature,
    InitLayout,
    InitSignature,
    SequenceLayout,
    UpdateLayout,
    UpdateSignature,
)

__all__ = ["ControlWords"]


class ControlWords(wiring.Component):
    """Put what is to be said into control words, the most urgent first; tell what words mean.

    Order: INIT, INIT_ECHO, NACK, ACK, credit. All say what is so now, whatever was said before:
    while ``o`` waits, its payload may become a later or more urgent one, and ``valid`` may be taken
    back. So it wants a reader that takes a word in the cycle in which it has a place for it.

    All have a check in D7, see :mod:`models.link.wire`: else one wrong bit could make an INIT of an
    ACK, and lose packets in silence. It is put in and looked at here.

    Latency: 0 cycles both ways. Throughput: 1 word per cycle each way.
    Backpressure: each ``ready`` is combinational in ``o.ready`` and the valid of what goes before.
    Source: Ultra Ethernet 1.0, link-level retry, as docs/link.md renders it.

    Members
    -------
    send_init, send_init_echo : In(stream.Signature(InitLayout))
        To be said.
    send_nack, send_ack : In(stream.Signature(SequenceLayout))
        To be said.
    send_credit : In(stream.Signature(UpdateLayout))
        To be said in a CF_Update.
    o : Out(stream.Signature(ControlLayout))
        Words to the framer.
    i : In(ControlSignature)
        A word from the deframer.
    init, init_echo : Out(InitSignature)
        It is an INIT, or an INIT_ECHO. What it says follows ``i`` whether valid or not.
    nack, ack : Out(AckSignature)
        It is a NACK, or an ACK.
    credit : Out(UpdateSignature)
        It is a CF_Update; what it says as above.
    unknown : Out(1)
        It is of a type that does not exist, has bits set that its type has not, or a wrong check.
        It has no other effect. A fill is none: it means nothing.
    """

    def __init__(self):
        super().__init__(
            {
                "send_init": In(stream.Signature(InitLayout())),
                "send_init_echo": In(stream.Signature(InitLayout())),
                "send_nack": In(stream.Signature(SequenceLayout())),
                "send_ack": In(stream.Signature(SequenceLayout())),
                "send_credit": In(stream.Signature(UpdateLayout())),
                "o": Out(stream.Signature(ControlLayout())),
                "i": In(ControlSignature()),
                "init": Out(InitSignature()),
                "init_echo": Out(InitSignature()),
                "nack": Out(AckSignature()),
                "ack": Out(AckSignature()),
                "credit": Out(UpdateSignature()),
                "unknown": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        self.send(m)
        self.receive(m)
        return m

    def send(self, m):
        """The words to the framer."""
        word = Signal(ControlLayout())

        def say(kind, said):
            m.d.comb += [
                word.type.eq(kind),
                Cat(word.sequence_low, word.sequence_middle, word.sequence_high).eq(said.sequence),
            ]

        with m.If(self.send_init.valid):
            say(Control.INIT, self.send_init.payload)
            m.d.comb += word.value.eq(self.send_init.payload.value)
            m.d.comb += self.send_init.ready.eq(self.o.ready)
        with m.Elif(self.send_init_echo.valid):
            say(Control.INIT_ECHO, self.send_init_echo.payload)
            m.d.comb += word.value.eq(self.send_init_echo.payload.value)
            m.d.comb += self.send_init_echo.ready.eq(self.o.ready)
        with m.Elif(self.send_nack.valid):
            say(Control.NACK, self.send_nack.payload)
            m.d.comb += self.send_nack.ready.eq(self.o.ready)
        with m.Elif(self.send_ack.valid):
            say(Control.ACK, self.send_ack.payload)
            m.d.comb += self.send_ack.ready.eq(self.o.ready)
        with m.Else():
            entries = self.send_credit.payload.as_value()
            m.d.comb += [
                word.type.eq(Control.CF_UPDATE | entries[16:20]),
                Cat(word.sequence_high, word.sequence_middle).eq(entries[:16]),
                Cat(word.sequence_low, word.value).eq(entries[20:]),
                self.send_credit.ready.eq(self.o.ready),
            ]
        m.d.comb += [
            self.o.payload.eq(word),
            self.o.payload.rest.eq(word_check(word.as_value()[:48])),
        ]
        m.d.comb += self.o.valid.eq(
            self.send_init.valid
            | self.send_init_echo.valid
            | self.send_nack.valid
            | self.send_ack.valid
            | self.send_credit.valid
        )

    def receive(self, m):
        """What the word from the deframer means."""
        word, valid = self.i.payload, self.i.valid
        sequence = Cat(word.sequence_low, word.sequence_middle, word.sequence_high)
        right, clean = Signal(), Signal()
        m.d.comb += [
            right.eq(word.rest == word_check(word.as_value()[:48])),
            clean.eq(right & ~word.padding.any()),
        ]
        for said in (self.init, self.init_echo, self.nack, self.ack):
            m.d.comb += said.sequence.eq(sequence)
        m.d.comb += [
            self.init.value.eq(word.value),
            self.init_echo.value.eq(word.value),
        ]
        told = Cat(word.sequence_high, word.sequence_middle, word.type[:4], word.sequence_low)
        update = data.View(UpdateLayout(), Cat(told, word.value))
        for channel, freed, entry in zip(
            self.credit.channel, self.credit.freed, update.entry, strict=True
        ):
            m.d.comb += [channel.eq(entry.channel), freed.eq(entry.freed)]
        with m.Switch(word.type):
            for kind, said in (
                (Control.INIT, self.init),
                (Control.INIT_ECHO, self.init_echo),
            ):
                with m.Case(kind):
                    m.d.comb += [said.valid.eq(valid & clean), self.unknown.eq(valid & ~clean)]
            for kind, said in ((Control.NACK, self.nack), (Control.ACK, self.ack)):
                bare = clean & ~word.value.any()
                with m.Case(kind):
                    m.d.comb += [said.valid.eq(valid & bare), self.unknown.eq(valid & ~bare)]
            with m.Case(f"{Control.CF_UPDATE >> 4:04b}----"):
                m.d.comb += [self.credit.valid.eq(valid & clean), self.unknown.eq(valid & ~clean)]
            with m.Case(Control.FILL):
                pass
            with m.Default():
                m.d.comb += self.unknown.eq(valid)
