"""What rtl.link.retry_sender and retry_receiver must do together, whatever the line does."""

from amaranth import Cat, Module, Mux, Signal
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
    their headers and their CRC; it loses words, but not the first INIT. Nothing is given up in the
    cycles that are searched.

    The contents of packets can only be shown by a bounded check (``contents``). What is proven for
    any number of cycles is what they hang on: the frame that the receiver expects is one that the
    sender keeps, or the next, so that nothing is freed that has not been received; and what is kept
    does not exceed the window.

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
    """

    def __init__(self, config: LinkConfig, *, contents: bool):
        self.config, self.contents = config, contents
        self.sender = RetrySender(config, sequence_bits=SEQUENCE_BITS)
        self.receiver = RetryReceiver(config, sequence_bits=SEQUENCE_BITS)
        names = "valid last leave arrive lose spoil bad cut ready say hear drop"
        super().__init__(dict.fromkeys(names.split(), In(1)))

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
        if self.contents:
            self.delivery(m)
        else:
            self.numbers(m)
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
        takes = self.say & (~self.waits | self.hear)
        m.d.comb += [
            s.init.ready.eq(1),
            r.init.valid.eq(s.init.valid),
            r.init.sequence.eq(s.init.payload.sequence),
            r.init.value.eq(s.init.payload.value),
            r.init_echo.ready.eq(1),
            s.init_echo.valid.eq(r.init_echo.valid),
            s.init_echo.sequence.eq(r.init_echo.payload.sequence),
            s.init_echo.value.eq(r.init_echo.payload.value),
            r.nack.ready.eq(takes),
            r.ack.ready.eq(takes & ~r.nack.valid),
            s.ack.valid.eq(hears & ~self.drop & ~is_nack),
            s.nack.valid.eq(hears & ~self.drop & is_nack),
            s.ack.sequence.eq(self.number),
            s.nack.sequence.eq(self.number),
        ]
        with m.If(hears):
            m.d.sync += self.waits.eq(0)
        with m.If(takes & (r.nack.valid | r.ack.valid)):
            m.d.sync += [
                self.waits.eq(1),
                is_nack.eq(r.nack.valid),
                self.number.eq(r.ack.payload.sequence),
            ]

    def delivery(self, m):
        """Good packets are those that were accepted."""
        o = self.receiver.o
        index, position = Signal(INDEX_BITS), Signal(range(self.config.max_packet_flits + 1))
        whole = Signal(init=1)
        right = whole & (o.payload.data == Cat(o.payload.last, position, index))
        with m.If(o.valid & o.ready):
            m.d.sync += [
                whole.eq(o.payload.last | right),
                position.eq(Mux(o.payload.last, 0, position + 1)),
            ]
            with m.If(o.payload.last & ~o.payload.user[0]):
                m.d.comb += Assert(right)
                m.d.sync += index.eq(index + 1)
        s = self.sender
        used = s.head.address + Mux(s.head.lap ^ s.tail.lap, self.config.replay, 0)
        m.d.comb += Assert(used - s.tail.address <= self.config.replay)
        m.d.comb += Assert(used >= s.tail.address)

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
        sure(word <= expected, running, s.came)
        sure(on_its_way <= expected, running, self.waits)
        sure(word <= on_its_way, running, s.came, self.waits)

        # Why that holds: before the first ADVANCE there is nothing, ...
        sure(on, running)
        sure((r.ack.payload.sequence + 1)[:SEQUENCE_BITS] == r.expected, on)
        nothing = ~(s.o.valid | self.carrying | s.came | self.waits | s.in_frame | r.ack.valid)
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
