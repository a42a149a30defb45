"""The physical coding sublayer of several lanes, with forward error correction."""

from amaranth import C, Cat, Module, Mux, Signal
from amaranth.hdl import EnableInserter
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out, connect, flipped

from models.link.config import LinkConfig
from models.link.wire import IDLE
from models.serdes.config import TRANSCODED_BITS, TRANSCODED_BLOCKS, LaneConfig, LanesConfig
from rtl.link.frame import WordsLayout, WordsSignature
from rtl.serdes.block_coder import BlockDecoder, BlockEncoder
from rtl.serdes.block_gearbox import BlockGearbox
from rtl.serdes.deskew import Deskew
from rtl.serdes.frame_coder import FrameDecoder, FrameEncoder
from rtl.serdes.lane_receiver import MAX_LANES, LaneReceiver
from rtl.serdes.lane_transmitter import LaneTransmitter
from rtl.serdes.message_mapper import MessageDemapper, MessageMapper
from rtl.serdes.scrambler import Descrambler, Scrambler
from rtl.serdes.training import Training, TrainingState
from rtl.serdes.transcoder import ReverseTranscoder, Transcoder

__all__ = ["MultilanePcs", "PcsStatusSignature"]


class PcsStatusSignature(wiring.Signature):
    """What a PCS tells of itself, as in :class:`MultilanePcs`."""

    def __init__(self, lanes: LanesConfig):
        count = lanes.lanes
        super().__init__(
            {
                "up": Out(1),
                "state": Out(TrainingState),
                "locked": Out(1).array(count),
                "number": Out(range(MAX_LANES)).array(count),
                "marker_wrong": Out(1).array(count),
                "parity_wrong": Out(1).array(count),
                "disordered": Out(1),
                "skewed": Out(1),
                "slipped": Out(1),
                "lost": Out(1),
                "expired": Out(1),
                "condemned": Out(1),
                "starved": Out(1),
                "overrun": Out(1),
                "corrected_valid": Out(1),
                "corrected": Out(range(lanes.frame.correctable + 1)),
                "bad": Out(range(lanes.interleave + 1)),
            }
        )


class MultilanePcs(wiring.Component):
    """Send and receive the words of a link as codewords, dealt to lanes symbol by symbol.

    Latency and throughput: ``docs/serdes.md``. Backpressure: ``i.ready``, not combinational in
    ``tx_ready``; what comes from the lines is taken.
    Errors: of a frame of codewords, one or some that take turns on the line, all words are errors
    if one of them has more errors than can be corrected, and so are those of the first unit behind
    it, whose descrambling it spoils.
    Source: IEEE 802.3-2018, clauses 91 and 119, of which the order of the parts is; frames, markers
    and widths are our own.

    Parameters
    ----------
    lanes : LanesConfig
        Lanes, code and widths.
    link : LinkConfig
        Has the same ``words_per_cycle``.

    Members
    -------
    enable : In(1)
        Receive: low, no lane is looked at.
    i : In(stream.Signature(WordsLayout))
        Words to send; idles while there are none.
    tx : Out(ArrayLayout(lane_bits, lanes))
        Bits of each line, bit 0 first. They stay until they are taken.
    tx_ready : In(1)
        The lines, all of one clock, take the word on ``tx`` in this cycle.
    rx : In(ArrayLayout(lane_bits, lanes))
        Bits of each line, bit 0 first.
    rx_valid : In(1).array(lanes)
        A word of a lane comes in this cycle. Each lane has a clock of its own.
    signal_ok : In(1).array(lanes)
        There is a signal on a lane.
    o : Out(WordsSignature)
        Words that came; they mean nothing while ``up`` is low.
    up : Out(1)
        It is ready.
    state, lost, expired, condemned : Out
        As of :class:`rtl.serdes.training.Training`.
    locked, number, marker_wrong, parity_wrong : Out, of each lane
        As of :class:`rtl.serdes.lane_receiver.LaneReceiver`.
    disordered, skewed, slipped : Out(1)
        As of :class:`rtl.serdes.deskew.Deskew`.
    starved : Out(1)
        As of :class:`rtl.serdes.lane_transmitter.LaneTransmitter`; never, if all is well.
    overrun : Out(1)
        Event: a unit is lost, as more came behind the decoder than can wait. Never, likewise.
    corrected_valid : Out(1)
        Event: a frame of ``interleave`` codewords leaves the decoder.
    corrected : Out(range(interleave * t + 1))
        Symbols of it that were wrong, and are right now. Holds until the next one, as does ``bad``.
    bad : Out(range(interleave + 1))
        Codewords of it that had more wrong ones than can be corrected.
    """

    def __init__(self, lanes: LanesConfig, link: LinkConfig):
        if lanes.words_per_cycle != link.words_per_cycle:
            raise ValueError(
                f"words_per_cycle must be {link.words_per_cycle} as those of the link, "
                f"not {lanes.words_per_cycle}"
            )
        self.lanes, self.link = lanes, link
        line, count = data.ArrayLayout(lanes.lane_bits, lanes.lanes), lanes.lanes
        super().__init__(
            {
                "enable": In(1),
                "i": In(stream.Signature(WordsLayout(link))),
                "tx": Out(line),
                "tx_ready": In(1),
                "rx": In(line),
                "rx_valid": In(1).array(count),
                "signal_ok": In(1).array(count),
                "o": Out(WordsSignature(link)),
                **PcsStatusSignature(lanes).members,
            }
        )

    def elaborate(self, platform):
        m = Module()
        self.transmit(m)
        self.receive(m)
        return m

    def transmit(self, m: Module) -> None:
        """From ``i`` to ``tx``. What is in front of the mapper stops while a unit waits for it; the
        mapper and the encoder stop while the lines take nothing."""
        lanes, words = self.lanes, self.link.words_per_cycle
        blocks = lanes.transcoders * TRANSCODED_BLOCKS
        front = Signal()
        encoder, narrow = BlockEncoder(self.link), BlockGearbox(words, blocks)
        scrambler = Scrambler(LaneConfig(name="unit", width=lanes.unit_bits))
        mapper, sender = MessageMapper(lanes), LaneTransmitter(lanes)
        taken = sender.ready
        m.submodules.encoder = EnableInserter(front)(encoder)
        m.submodules.narrow = EnableInserter(front)(narrow)
        m.submodules.scrambler = EnableInserter(front)(scrambler)
        m.submodules.mapper = EnableInserter(taken)(mapper)
        m.submodules.sender = sender
        idles = Cat(C(IDLE, 8).replicate(8 * words), C(0xFF, 8).replicate(words))
        m.d.comb += [
            front.eq(~scrambler.o.valid | (mapper.ready & taken)),
            self.i.ready.eq(front),
            encoder.i.valid.eq(1),
            encoder.i.words.eq(Mux(self.i.valid, self.i.payload.as_value(), idles)),
            mapper.i.valid.eq(scrambler.o.valid & mapper.ready),
            mapper.i.payload.eq(scrambler.o.payload),
            self.tx.eq(sender.tx),
            sender.tx_ready.eq(self.tx_ready),
            self.starved.eq(sender.starved),
        ]
        connect(m, encoder.o, narrow.i)
        for t in range(lanes.transcoders):
            transcoder = Transcoder()
            m.submodules[f"transcoder_{t}"] = EnableInserter(front)(transcoder)
            m.d.comb += [
                transcoder.i.valid.eq(narrow.o.valid),
                scrambler.i.payload.word_select(t, TRANSCODED_BITS).eq(transcoder.o.block),
                scrambler.i.valid.eq(transcoder.o.valid),
            ]
            for k in range(TRANSCODED_BLOCKS):
                block = narrow.o.blocks[t * TRANSCODED_BLOCKS + k]
                m.d.comb += transcoder.i.blocks[k].eq(block)
        groups = mapper.o
        if lanes.fec != "none":
            code = FrameEncoder(lanes.frame)
            m.submodules.code = EnableInserter(taken)(code)
            connect(m, mapper.o, code.i)
            groups = code.o
        m.d.comb += [
            sender.i.payload.eq(groups.payload),
            sender.i.valid.eq(groups.valid & taken),
        ]

    def receive(self, m: Module) -> None:
        """From ``rx`` to ``o``."""
        lanes, words = self.lanes, self.link.words_per_cycle
        blocks = lanes.transcoders * TRANSCODED_BLOCKS
        m.submodules.deskew = deskew = Deskew(lanes)
        m.submodules.training = training = Training(lanes)
        for lane in range(lanes.lanes):
            m.submodules[f"receiver_{lane}"] = receiver = LaneReceiver(lanes)
            m.d.comb += [
                receiver.rx.eq(self.rx[lane]),
                receiver.rx_valid.eq(self.rx_valid[lane]),
                receiver.signal_ok.eq(self.signal_ok[lane] & self.enable & ~training.search),
                training.signal_ok[lane].eq(self.signal_ok[lane]),
                training.locked[lane].eq(receiver.locked),
                deskew.locked[lane].eq(receiver.locked),
                deskew.number[lane].eq(receiver.number),
                self.locked[lane].eq(receiver.locked),
                self.number[lane].eq(receiver.number),
                self.marker_wrong[lane].eq(receiver.marker_wrong),
                self.parity_wrong[lane].eq(receiver.parity_wrong),
            ]
            connect(m, receiver.o, deskew.i[lane])
        m.submodules.demapper = demapper = MessageDemapper(lanes)
        if lanes.fec == "none":
            connect(m, deskew.o, demapper.i)
        else:
            m.submodules.decode = decode = FrameDecoder(lanes.frame)
            connect(m, deskew.o, decode.i)
            connect(m, decode.o, demapper.i)
            m.d.comb += [
                demapper.bad.eq(decode.bad.any()),
                self.corrected_valid.eq(decode.o.valid & decode.o.payload.first),
                training.codeword.eq(self.corrected_valid),
                training.bad.eq(decode.bad.any()),
                self.corrected.eq(decode.corrected),
                self.bad.eq(decode.bad),
            ]

        unit = LaneConfig(name="unit", width=lanes.unit_bits)
        m.submodules.descrambler = descrambler = Descrambler(unit)
        connect(m, demapper.o, descrambler.i)
        is_bad, was_bad = Signal(), Signal()  # the first bits behind a bad unit come out wrong, too
        with m.If(demapper.o.valid):
            m.d.sync += [is_bad.eq(demapper.o_bad | was_bad), was_bad.eq(demapper.o_bad)]

        # Units of late codewords come in a row, and wait.
        depth, wide = lanes.late_units, BlockGearbox(blocks, words)
        m.submodules.wide = wide
        m.submodules.units = units = Memory(
            shape=len(wide.i.blocks.as_value()), depth=depth, init=[]
        )
        write, read = units.write_port(), units.read_port(domain="comb")
        waiting, comes, goes = Signal(range(depth + 1)), Signal(), Signal()
        for t in range(lanes.transcoders):
            m.submodules[f"reverse_{t}"] = reverse = ReverseTranscoder()
            m.d.comb += [
                reverse.i.valid.eq(descrambler.o.valid),
                reverse.i.block.eq(descrambler.o.payload.word_select(t, TRANSCODED_BITS)),
                reverse.bad.eq(is_bad),
                comes.eq(reverse.o.valid),
                write.data.word_select(t, len(reverse.o.blocks.as_value())).eq(reverse.o.blocks),
            ]
        m.d.comb += [
            write.en.eq(comes & (waiting != depth)),
            goes.eq(wide.ready & (waiting != 0)),
            wide.i.valid.eq(goes),
            wide.i.blocks.eq(read.data),
        ]
        m.d.sync += [
            waiting.eq(waiting + write.en - goes),
            self.overrun.eq(comes & ~write.en),
        ]
        for port, moves in ((write, write.en), (read, goes)):
            with m.If(moves):
                m.d.sync += port.addr.eq(Mux(port.addr == depth - 1, 0, port.addr + 1))
        m.submodules.decoder = decoder = BlockDecoder(self.link)
        connect(m, wide.o, decoder.i)
        connect(m, decoder.o, flipped(self.o))
        m.d.comb += [
            training.enable.eq(self.enable),
            training.aligned.eq(deskew.aligned),
            self.up.eq(training.ready),
            self.state.eq(training.state),
            self.lost.eq(training.lost),
            self.expired.eq(training.expired),
            self.condemned.eq(training.condemned),
            self.disordered.eq(deskew.disordered),
            self.skewed.eq(deskew.skewed),
            self.slipped.eq(deskew.slipped),
        ]
