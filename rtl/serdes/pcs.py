"""The physical coding sublayer of one lane, between the words of a link and a line."""

from amaranth import C, Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from models.link.config import LinkConfig
from models.link.wire import IDLE
from models.serdes.config import PAYLOAD_BITS, WORD_BITS, LaneConfig
from rtl.link.frame import WordsLayout, WordsSignature
from rtl.serdes.block_coder import BlockDecoder, BlockEncoder
from rtl.serdes.block_lock import BlockLock
from rtl.serdes.gearbox import ReceiveGearbox, TransmitGearbox
from rtl.serdes.scrambler import Descrambler, Scrambler
from rtl.serdes.start_aligner import StartAligner

__all__ = ["Pcs"]


class Pcs(wiring.Component):
    """Send and receive blocks of 64b/66b on a lane, as 10GBASE-R does.

    Latency: 3 cycles from a word on ``i`` to the first bits of it on ``tx``, and 4 from the word
    with its last bit on ``rx`` to ``o``: 8 from end to end besides a line of whole cycles, 8 or 9
    besides those of one that takes a part of a cycle more. Throughput: 32 words in 33 cycles.
    Backpressure: ``i.ready`` comes from a counter.
    Source: IEEE 802.3-2018, clause 49, without its state machines of sender and receiver: what may
    follow what is up to the framer and the deframer of the link.

    Parameters
    ----------
    lane : LaneConfig
        ``width`` is 64.
    link : LinkConfig
        Its ``words_per_cycle`` are 1.

    Members
    -------
    i : In(stream.Signature(WordsLayout))
        Words to send; idles while there are none.
    tx : Out(64)
        Bits of the line, bit 0 first, in each cycle.
    rx : In(64)
        The same of the other end; blocks begin anywhere.
    signal_ok : In(1)
        There is a signal on ``rx``.
    o : Out(WordsSignature)
        Words that came; they mean nothing while ``up`` is low.
    block_lock, hi_ber : Out(1)
        As of :class:`rtl.serdes.block_lock.BlockLock`.
    up : Out(1)
        There is a lock, and few enough errors.
    """

    def __init__(self, lane: LaneConfig, link: LinkConfig):
        if lane.width != PAYLOAD_BITS:
            raise ValueError(f"width must be {PAYLOAD_BITS}, not {lane.width}")
        if link.words_per_cycle != 1:
            raise ValueError(f"words_per_cycle must be 1, not {link.words_per_cycle}")
        self.lane, self.link = lane, link
        super().__init__(
            {
                "i": In(stream.Signature(WordsLayout(link))),
                "tx": Out(WORD_BITS),
                "rx": In(WORD_BITS),
                "signal_ok": In(1),
                "o": Out(WordsSignature(link)),
                "block_lock": Out(1),
                "hi_ber": Out(1),
                "up": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        self.transmit(m)
        self.receive(m)
        return m

    def transmit(self, m: Module) -> None:
        """From ``i`` to ``tx``: a cycle each for code and scrambler, so the gearbox asks early."""
        m.submodules.encoder = encoder = BlockEncoder(self.link)
        m.submodules.scrambler = scrambler = Scrambler(self.lane)
        m.submodules.transmit = gearbox = TransmitGearbox(ahead=2)
        coded, idles = encoder.o.blocks[0], Cat(C(IDLE, 8).replicate(8), C(0xFF, 8))
        header = Signal.like(coded.header)  # passes the scrambler by
        m.d.sync += header.eq(coded.header)
        m.d.comb += [
            self.i.ready.eq(gearbox.ready),
            encoder.i.valid.eq(gearbox.ready),
            encoder.i.words.eq(Mux(self.i.valid, self.i.payload.as_value(), idles)),
            scrambler.i.valid.eq(encoder.o.valid),
            scrambler.i.payload.eq(coded.payload),
            gearbox.block.header.eq(header),
            gearbox.block.payload.eq(scrambler.o.payload),
            self.tx.eq(gearbox.word),
        ]

    def receive(self, m: Module) -> None:
        """From ``rx`` to ``o``."""
        m.submodules.receive = gearbox = ReceiveGearbox()
        m.submodules.lock = lock = BlockLock(self.lane)
        m.submodules.descrambler = descrambler = Descrambler(self.lane)
        m.submodules.decoder = decoder = BlockDecoder(self.link)
        m.submodules.aligner = aligner = StartAligner(self.link)
        header = Signal.like(gearbox.block.header)
        m.d.sync += header.eq(gearbox.block.header)
        m.d.comb += [
            gearbox.word.eq(self.rx),
            gearbox.slip.eq(lock.slip),
            lock.signal_ok.eq(self.signal_ok),
            lock.valid.eq(gearbox.valid),
            lock.header.eq(gearbox.block.header),
            lock.slip_done.eq(gearbox.slip_done),
            descrambler.i.valid.eq(gearbox.valid),
            descrambler.i.payload.eq(gearbox.block.payload),
            decoder.i.valid.eq(descrambler.o.valid),
            decoder.i.blocks[0].header.eq(header),
            decoder.i.blocks[0].payload.eq(descrambler.o.payload),
            self.block_lock.eq(lock.block_lock),
            self.hi_ber.eq(lock.hi_ber),
            self.up.eq(lock.block_lock & ~lock.hi_ber),
        ]
        connect(m, decoder.o, aligner.i)
        connect(m, aligner.o, flipped(self.o))
