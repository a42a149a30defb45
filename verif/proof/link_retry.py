"""What rtl.link.retry_sender and retry_receiver must do together, whatever the line does."""

from amaranth import Array, C, Cat, Module, Mux, Signal
from amaranth.hdl import Assert, Assume
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from models.link.config import LinkConfig, ReceiverState, SenderState
from rtl.link.frame import FrameLayout
from rtl.link.retry_receiver import Kind, RetryReceiver
from rtl.link.retry_sender import RetrySender

__all__ = ["HastyLink", "RetryProof"]

INDEX_BITS = 4  # of packets, as they are told apart
SEQUENCE_BITS = 5  # enough to tell numbers of two windows and what is on the line from others


class HastyLink(LinkConfig):
    """A tiny link whose replay timer may run out before an answer can come."""

    @property
    def least_replay_timer_cycles(self) -> int:
        """So few that a check of few cycles sees it run out."""
        return 3

    @property
    def ack_cycles(self) -> int:
        """An ACK may follow each frame."""
        return 1


class RetryProof(wiring.Component):
    """What is delivered as good is what was accepted: each packet once, whole and in order.

    Between sender and receiver is a line with a place for one flit, and one for a word the other
    way, each of which stays there as long as it wants to. It loses frames, cuts them short, breaks
    their headers and their CRC; it loses words, but not the first INIT, and says others that were
    never said: of frames that the sender does not keep, and echoes that are wrong. Nothing is given
    up: that the sender goes to FLUSH is assumed not to happen.

    All is inductive. What it hangs on is that the frame which the receiver expects is one that the
    sender keeps, or the next: so nothing is freed that has not been received, and nothing received
    that has not been sent.

    Parameters
    ----------
    config : LinkConfig
        Of a window of 2. With ``contents``, packets have one flit and ``replay`` is 2.
    contents : bool
        Assert what is said of packets, too, wherever they are; else of numbers only.

    Members
    -------
    valid, last : In(1)
        A flit is offered to the sender, the last of its packet.
    leave, arrive : In(1)
        The sender's flit goes onto the line if it is free; the flit on it reaches the receiver.
    lose, spoil : In(1)
        The frame is lost, or its header check is wrong; counts with its first flit.
    bad, cut : In(1)
        The CRC is wrong, or the frame ends here.
    ready : In(1)
        The receiver's packets are taken.
    say, hear, drop : In(1)
        A word is taken from the receiver; the word on its way arrives, or is lost as it does.
    forge, forge_nack, forge_echo : In(1)
        While none arrives an ACK or a NACK comes that is wrong, or an INIT_ECHO.
    forged : In(SEQUENCE_BITS)
        Its number.
    forged_value : In(16)
        That of an INIT_ECHO.
    """

    def __init__(self, config: LinkConfig, *, contents: bool):
        self.config, self.contents = config, contents
        self.sender = RetrySender(config, sequence_bits=SEQUENCE_BITS)
        self.receiver = RetryReceiver(config, sequence_bits=SEQUENCE_BITS)
        names = "valid last leave arrive lose spoil bad cut ready say hear drop"
        names += " forge forge_nack forge_echo"
        members = dict.fromkeys(names.split(), In(1))
        super().__init__(members | {"forged": In(SEQUENCE_BITS), "forged_value": In(16)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.sender, m.submodules.receiver = s, r = self.sender, self.receiver
        m.d.comb += [s.enable.eq(1), s.pcs_up.eq(1), s.policy.eq(1), r.enable.eq(1)]
        m.d.comb += Assume(s.state != SenderState.FLUSH)

        # Packets: each flit has the number of its packet, its position and whether it is the last.
        index, position = Signal(INDEX_BITS), Signal(range(self.config.max_packet_flits + 1))
        longest = position == self.config.max_packet_flits - 1
        tag = Cat(s.i.payload.last, position, index)
        m.d.comb += [
            s.i.valid.eq(self.valid & (s.state != SenderState.OFF)),  # else it has no number
            s.i.payload.data.eq(tag),
            s.i.payload.keep.eq(-1),
            s.i.payload.last.eq(self.last | longest),
        ]
        with m.If(s.i.valid & s.i.ready):
            m.d.sync += position.eq(Mux(s.i.payload.last, 0, position + 1))
            m.d.sync += index.eq(index + s.i.payload.last)

        self.line(m)
        self.words(m)
        self.index, self.position = index, position
        self.numbers(m)
        if self.contents:
            self.packets(m)
        return m

    def line(self, m):
        """Flits to the receiver."""
        s, r = self.sender, self.receiver
        self.carrying, self.flit = Signal(), Signal(FrameLayout(self.config))
        self.first = Signal(init=1)  # the flit on the line is the first of its frame
        self.lost, spoilt, self.hidden = Signal(), Signal(), Signal()
        arrives = self.carrying & self.arrive
        loses, spoils = Mux(self.first, self.lose, self.lost), Mux(self.first, self.spoil, spoilt)
        m.d.comb += [
            s.o.ready.eq(self.leave & (~self.carrying | self.arrive)),
            r.i.valid.eq(arrives & ~loses & ~self.hidden),
            r.i.payload.eq(
                Cat(
                    self.flit.data,
                    self.flit.count,
                    self.first,
                    self.flit.last | self.cut,
                    (self.flit.last & self.bad) | self.cut,
                    self.flit.poison,
                    ~spoils,
                    self.flit.llr,
                    self.flit.sequence,
                    self.flit.channel,
                )
            ),
            r.o.ready.eq(self.ready),
        ]
        with m.If(arrives):
            m.d.sync += [
                self.carrying.eq(0),
                self.first.eq(self.flit.last),
                self.lost.eq(loses),
                spoilt.eq(spoils),
                self.hidden.eq((self.hidden | self.cut) & ~self.flit.last),
            ]
        with m.If(s.o.valid & s.o.ready):
            m.d.sync += [self.carrying.eq(1), self.flit.eq(s.o.payload)]

    def words(self, m):
        """Words to the sender, and the first INIT."""
        s, r = self.sender, self.receiver
        self.waits, is_nack, self.number = Signal(), Signal(), Signal.like(s.next)
        hears = self.waits & self.hear
        # The next frame may be kept as the word is looked up: an ACK for it is not known as wrong.
        forges, echoes = self.forge & ~hears, self.forge_echo & ~r.init_echo.valid
        kept, age = (s.next - s.oldest)[:SEQUENCE_BITS], (self.forged - s.oldest)[:SEQUENCE_BITS]
        right = (self.forged == s.next) & (self.forged_value == s.init.payload.value)
        m.d.comb += [Assume(~forges | (age > kept)), Assume(~echoes | ~right)]
        self.genuine = Signal()  # what the sender carries out was said by the receiver
        m.d.sync += self.genuine.eq(~forges)
        takes = self.say & (~self.waits | self.hear)
        m.d.comb += [
            s.init.ready.eq(1),
            r.init.valid.eq(s.init.valid),
            r.init.sequence.eq(s.init.payload.sequence),
            r.init.value.eq(s.init.payload.value),
            r.init_echo.ready.eq(1),
            s.init_echo.valid.eq(r.init_echo.valid | echoes),
            s.init_echo.sequence.eq(Mux(echoes, self.forged, r.init_echo.payload.sequence)),
            s.init_echo.value.eq(Mux(echoes, self.forged_value, r.init_echo.payload.value)),
            r.nack.ready.eq(takes),
            r.ack.ready.eq(takes & ~r.nack.valid),
            s.ack.valid.eq(Mux(forges, ~self.forge_nack, hears & ~self.drop & ~is_nack)),
            s.nack.valid.eq(Mux(forges, self.forge_nack, hears & ~self.drop & is_nack)),
            s.ack.sequence.eq(Mux(forges, self.forged, self.number)),
            s.nack.sequence.eq(Mux(forges, self.forged, self.number)),
        ]
        with m.If(hears):
            m.d.sync += self.waits.eq(0)
        with m.If(takes & (r.nack.valid | r.ack.valid)):
            m.d.sync += [
                self.waits.eq(1),
                is_nack.eq(r.nack.valid),
                self.number.eq(r.ack.payload.sequence),
            ]

    def numbers(self, m):
        """Numbers at both ends and on the way, in the order of the first below; from the oldest on.

        oldest, the word carried out, the word on its way, expected, next.
        """
        s, r, flit = self.sender, self.receiver, self.flit
        window = self.config.window

        def behind_oldest(number):
            return (number - s.oldest)[:SEQUENCE_BITS]

        def sure(holds, *when):
            m.d.comb += Assert(~Cat(when).all() | holds, src_loc_at=1)

        replay = s.state == SenderState.REPLAY
        running = replay | (s.state == SenderState.ADVANCE)
        on = r.state != ReceiverState.OFF
        kept, expected = behind_oldest(s.next), behind_oldest(r.expected)
        word, on_its_way = behind_oldest(s.word + 1), behind_oldest(self.number + 1)
        sure(kept <= window)
        sure(expected <= kept, running)
        came = s.came & self.genuine
        sure(word <= expected, running, came)
        sure(behind_oldest(s.word) >= kept, running, s.came, ~self.genuine)
        sure(on_its_way <= expected, running, self.waits)
        sure(word <= on_its_way, running, came, self.waits)

        # Why that holds: before the first ADVANCE there is nothing, ...
        sure(on, running)
        sure((r.ack.payload.sequence + 1)[:SEQUENCE_BITS] == r.expected, on)
        nothing = ~(s.o.valid | self.carrying | came | self.waits | s.in_frame | r.ack.valid)
        sure(nothing & self.first & (kept == 0), ~running)
        sure(~on | ((r.state == ReceiverState.SEND_ACKS) & (expected == 0)), ~running)
        sure(~r.init_echo.valid, ~on)

        # ... a replay ends with the last frame that is kept, ...
        sure((s.next - s.number)[:SEQUENCE_BITS] == s.left, replay)
        sure(s.left <= window, replay)
        sure(s.left != 0, replay, s.in_frame)
        sure((kept < window) & ~s.plain & ~s.discarded, ~replay, s.in_frame)

        # ... a frame has one number, that of a frame whose last flit was sent if it ends, ...
        number = Mux(replay, s.number, s.next)
        o, o_number = s.o, s.o.payload.sequence[:SEQUENCE_BITS]
        line_number = flit.sequence[:SEQUENCE_BITS]
        o_age = (s.next - o_number)[:SEQUENCE_BITS]
        line_age = (s.next - line_number)[:SEQUENCE_BITS]
        sure(o.payload.llr & (o_age <= window) & ((o_age != 0) | ~o.payload.last), o.valid)
        sure(flit.llr & (line_age <= window + o.valid), self.carrying)
        sure((line_age != 0) | ~flit.last, self.carrying)
        current = Signal.like(s.next)
        with m.If(self.carrying & self.arrive & self.first):
            m.d.sync += current.eq(line_number)
        sure(s.in_frame & (number == o_number), o.valid, ~o.payload.last)
        sure(o_number == line_number, self.carrying, ~flit.last, o.valid)
        sure(s.in_frame & (number == line_number), self.carrying, ~flit.last, ~o.valid)
        sure(line_number == current, ~self.first, self.carrying)
        sure(o_number == current, ~self.first, ~self.carrying, o.valid)
        sure(s.in_frame & (number == current), ~self.first, ~self.carrying, ~o.valid)

        # ... and one that passes is the expected one to its end.
        visible = ~self.first & ~self.lost & ~self.hidden
        sure(r.expected == current, visible, r.under_way == Kind.EXPECTED)

    def packets(self, m):
        """Packets of one flit, each with its number, wherever they are; so they leave in order."""
        s, r = self.sender, self.receiver

        def sure(holds, *when):
            m.d.comb += Assert(~Cat(when).all() | holds, src_loc_at=1)

        def carries(flit, number):
            """The packet that was accepted as that of ``number``."""
            return flit.last & (flit.data == Cat(C(1, 2), number[:INDEX_BITS]))

        def frame(flit, number):
            """So it does, and is not poisoned."""
            return carries(flit, number) & ~flit.poison

        def rows(memory):
            """All that is in it."""
            shown = []
            for n in range(memory.depth):
                port = memory.read_port(domain="comb")
                m.d.comb += port.addr.eq(n)
                shown.append(port.data)
            return Array(shown)

        # In the sender's memory. There are as many places as frames, and a place for each of both
        # laps is a number of 2 bits, as the depth is 2.
        flits, ends = rows(s.memory), rows(s.table)
        head, tail = s.head.as_value(), s.tail.as_value()
        kept = (s.next - s.oldest)[:SEQUENCE_BITS]
        sure(self.index == s.next[:INDEX_BITS])
        sure((head - tail)[:2] == kept)
        for age in (1, 2):
            number = (s.next - age)[:SEQUENCE_BITS]
            place = (head - age)[:2]
            sure(frame(flits[place[0]], number), kept >= age)
            sure(ends[number[0]].as_value() == (place + 1)[:2], kept >= age)
        age = (s.next - s.word)[:SEQUENCE_BITS]
        known = (s.word - s.oldest)[:SEQUENCE_BITS] < kept
        sure(s.end.data.as_value() == (head - age + 1)[:2], s.came, known)

        # On their way.
        replay = s.state == SenderState.REPLAY
        sure(s.reading.as_value() == (head - s.left + s.fetched)[:2], replay)
        sure(frame(s.read.data, s.number), replay, s.fetched, s.left != 0, s.left <= kept)
        sure(frame(s.o.payload, s.o.payload.sequence), s.o.valid)
        sure(frame(self.flit, self.flit.sequence), self.carrying)
        sure((self.position == 0) & ~s.in_frame & self.first)

        # With the receiver.
        o, delivered = r.o, Signal(INDEX_BITS)
        goods = o.valid & ~o.payload.user[0], r.waits & ~r.waiting.user[0]
        with m.If(goods[0] & o.ready):
            m.d.sync += delivered.eq(delivered + 1)
        sure(carries(o.payload, delivered), goods[0])
        sure(carries(r.waiting, delivered + goods[0]), goods[1])
        running = replay | (s.state == SenderState.ADVANCE)
        sure(r.expected[:INDEX_BITS] == (delivered + sum(goods))[:INDEX_BITS], running)
        sure((delivered == self.index) & ~o.valid & ~r.waits, ~running)
