"""Golden model of rtl.serdes.multilane_pcs: its parts, composed.

Lanes and transcoders are instances of one model each.
"""

from collections import namedtuple

import numpy as np

from models.compiled import compiled, inner
from models.lines import LineEnd
from models.link.config import LinkConfig
from models.link.link import LinkModel
from models.link.wire import IDLE
from models.record import allocate
from models.serdes.block_coder import (
    BlockDecoderModel,
    BlockEncoderModel,
    block_decoder_clock,
    block_decoder_outputs,
    block_encoder_clock,
    block_encoder_outputs,
)
from models.serdes.block_gearbox import (
    BlockGearboxModel,
    block_gearbox_clock,
    block_gearbox_outputs,
)
from models.serdes.config import (
    TRANSCODED_BITS,
    TRANSCODED_BLOCKS,
    LaneConfig,
    LanesConfig,
)
from models.serdes.deskew import DeskewModel, deskew_clock, deskew_outputs
from models.serdes.frame_coder import (
    FrameDecoderModel,
    FrameEncoderModel,
    frame_decoder_clock,
    frame_decoder_outputs,
    frame_encoder_clock,
    frame_encoder_outputs,
)
from models.serdes.lane_receiver import (
    LaneReceiverModel,
    lane_receiver_clock,
    lane_receiver_outputs,
)
from models.serdes.lane_transmitter import (
    MARKER_BEGIN,
    LaneTransmitterModel,
    lane_transmitter_clock,
    lane_transmitter_outputs,
)
from models.serdes.message_mapper import (
    MessageDemapperModel,
    MessageMapperModel,
    message_demapper_clock,
    message_demapper_outputs,
    message_mapper_clock,
    message_mapper_outputs,
)
from models.serdes.scrambler import (
    DescramblerModel,
    ScramblerModel,
    scrambler_clock,
    scrambler_outputs,
)
from models.serdes.training import TrainingModel, training_clock, training_outputs
from models.serdes.transcoder import (
    ReverseTranscoderModel,
    TranscoderModel,
    reverse_transcoder_clock,
    reverse_transcoder_outputs,
    transcoder_clock,
    transcoder_outputs,
)

__all__ = [
    "MultilanePcsInputs",
    "MultilanePcsModel",
    "MultilanePcsOutputs",
    "multilane_pcs_clock",
    "multilane_pcs_outputs",
    "multilane_pcs_shapes",
    "pcs_of_links",
    "word_cycles",
]

MultilanePcsInputs = namedtuple(
    "MultilanePcsInputs",
    "enable i_valid i_payload_data i_payload_control tx_ready rx rx_valid signal_ok",
)
MultilanePcsOutputs = namedtuple(
    "MultilanePcsOutputs",
    "i_ready tx o_valid o_words_data o_words_control up state locked number marker_wrong "
    "parity_wrong disordered skewed slipped lost expired condemned starved overrun corrected_valid "
    "corrected bad",
)
# State, inputs and outputs of each part.
Part = namedtuple("Part", "state i o")
# `waiting` blocks of units lie in the queue, the oldest first, `told` are `overrun` and whether the
# unit behind the descrambler is bad, and the one before it was.
Parts = namedtuple(
    "Parts",
    "encoder narrow transcoder scrambler mapper code sender receivers deskew decode demapper "
    "descrambler reverse wide decoder training headers payloads waiting told eight",
)
# What is the same in each cycle. `coded` tells whether there is a code, `encode` and `decode` are
# of its encoder and decoder.
Numbers = namedtuple(
    "Numbers",
    "words blocks unit shape rows begin groups row_groups coded encode decode patience",
)
IDLES = np.int64(IDLE * 0x0101010101010101)
OVERRUN, BAD, WAS_BAD = range(3)


@inner
def front_goes(parts, n):
    """Whether words are taken, and all up to the mapper moves on."""
    waits = parts.scrambler.o.o_valid[n]
    return not waits or (parts.mapper.o.ready[n] and parts.sender.o.ready[n])


@inner
def pcs_outputs(numbers, parts, outputs, n):
    """What the registers show."""
    lane_transmitter_outputs(numbers.rows, parts.sender.state, parts.sender.o, n)
    message_mapper_outputs(numbers.shape, parts.mapper.state, parts.mapper.o, n)
    scrambler_outputs(parts.scrambler.state, parts.scrambler.o, n)
    deskew_outputs(parts.deskew.state, parts.deskew.o, n)
    block_decoder_outputs(parts.decoder.state, parts.decoder.o, n)
    outputs.i_ready[n] = front_goes(parts, n)
    outputs.starved[n] = parts.sender.o.starved[n]
    receivers, decoder, deskew = parts.receivers.o, parts.decoder.o, parts.deskew.o
    lanes = outputs.locked.shape[1]
    for lane in range(lanes):
        at = n * lanes + lane
        lane_receiver_outputs(parts.receivers.state, receivers, at)
        for w in range(outputs.tx.shape[2]):
            outputs.tx[n, lane, w] = parts.sender.o.tx[n, lane, w]
        outputs.locked[n, lane], outputs.number[n, lane] = (
            receivers.locked[at],
            receivers.number[at],
        )
        outputs.marker_wrong[n, lane] = receivers.marker_wrong[at]
        outputs.parity_wrong[n, lane] = receivers.parity_wrong[at]
    outputs.o_valid[n] = decoder.o_valid[n]
    training = parts.training.o
    training_outputs(parts.training.state, training, n)
    outputs.up[n], outputs.state[n] = training.ready[n], training.state[n]
    outputs.lost[n], outputs.expired[n] = training.lost[n], training.expired[n]
    outputs.condemned[n] = training.condemned[n]
    for k in range(outputs.o_words_data.shape[1]):
        outputs.o_words_data[n, k] = decoder.o_words_data[n, k]
    for k in range(outputs.o_words_control.shape[1]):
        outputs.o_words_control[n, k] = decoder.o_words_control[n, k]
    outputs.disordered[n], outputs.skewed[n] = deskew.disordered[n], deskew.skewed[n]
    outputs.slipped[n], outputs.overrun[n] = deskew.slipped[n], parts.told[n, OVERRUN]
    outputs.corrected_valid[n] = 0
    if numbers.coded:
        decode = parts.decode
        frame_decoder_outputs(numbers.decode, decode.state, decode.o, n)
        outputs.corrected_valid[n] = decode.o.o_valid[n] and decode.o.o_payload_first[n]
    # Both hold what they were while there is no frame.
    if outputs.corrected_valid[n]:
        outputs.corrected[n], outputs.bad[n] = parts.decode.o.corrected[n], parts.decode.o.bad[n]


@inner
def sender_clock(numbers, parts, inputs, n):
    """From the lines back to the words."""
    sender, code, mapper, scrambler = parts.sender, parts.code, parts.mapper, parts.scrambler
    front = front_goes(parts, n)
    ready = sender.o.ready[n]
    if numbers.coded:
        frame_encoder_outputs(numbers.encode, code.state, code.o, n)
        sender.i.i_valid[n] = ready and code.o.o_valid[n]
        for k in range(sender.i.i_payload_symbols.shape[1]):
            sender.i.i_payload_symbols[n, k] = code.o.o_payload_symbols[n, k]
    else:
        sender.i.i_valid[n] = ready and mapper.o.o_valid[n]
        for k in range(sender.i.i_payload_symbols.shape[1]):
            sender.i.i_payload_symbols[n, k] = mapper.o.o_payload_symbols[n, k]
    sender.i.tx_ready[n] = inputs.tx_ready[n]
    lane_transmitter_clock(numbers.rows, numbers.begin, sender.state, sender.i, n)
    if ready:
        if numbers.coded:
            code.i.i_valid[n] = mapper.o.o_valid[n]
            code.i.i_payload_first[n] = mapper.o.o_payload_first[n]
            for k in range(code.i.i_payload_symbols.shape[1]):
                code.i.i_payload_symbols[n, k] = mapper.o.o_payload_symbols[n, k]
            frame_encoder_clock(numbers.encode, code.state, code.i, n)
        mapper.i.i_valid[n] = scrambler.o.o_valid[n] and mapper.o.ready[n]
        for k in range(mapper.i.i_payload.shape[1]):
            mapper.i.i_payload[n, k] = scrambler.o.o_payload[n, k]
        message_mapper_clock(numbers.shape, mapper.state, mapper.i, n)
    if not front:
        return
    transcoder, narrow, encoder = parts.transcoder, parts.narrow, parts.encoder
    count = numbers.blocks // TRANSCODED_BLOCKS
    first = n * count  # of its transcoders
    for t in range(first, first + count):
        transcoder_outputs(transcoder.state, transcoder.o, t)
    scrambler.i.i_valid[n] = transcoder.o.o_valid[first]
    for k in range(scrambler.i.i_payload.shape[1]):
        scrambler.i.i_payload[n, k] = 0
    for k in range(numbers.unit):
        t, place = first + k // TRANSCODED_BITS, k % TRANSCODED_BITS
        bit = transcoder.o.o_block[t, place // 64] >> place % 64 & 1
        scrambler.i.i_payload[n, k // 64] |= bit << k % 64
    scrambler_clock(numbers.unit, False, scrambler.state, scrambler.i, n)
    block_gearbox_outputs(numbers.words, numbers.blocks, narrow.state, narrow.o, n)
    for t in range(first, first + count):
        transcoder.i.i_valid[t] = narrow.o.o_valid[n]
        for k in range(TRANSCODED_BLOCKS):
            block = (t - first) * TRANSCODED_BLOCKS + k
            transcoder.i.i_blocks_header[t, k] = narrow.o.o_blocks_header[n, block]
            transcoder.i.i_blocks_payload[t, k, 0] = narrow.o.o_blocks_payload[n, block, 0]
        transcoder_clock(transcoder.state, transcoder.i, t)
    block_encoder_outputs(encoder.state, encoder.o, n)
    narrow.i.i_valid[n] = encoder.o.o_valid[n]
    for k in range(numbers.words):
        narrow.i.i_blocks_header[n, k] = encoder.o.o_blocks_header[n, k]
        narrow.i.i_blocks_payload[n, k, 0] = encoder.o.o_blocks_payload[n, k, 0]
    block_gearbox_clock(numbers.words, numbers.blocks, narrow.state, narrow.i, n)
    encoder.i.i_valid[n] = 1
    for k in range(numbers.words):
        encoder.i.i_words_data[n, k] = inputs.i_payload_data[n, k] if inputs.i_valid[n] else IDLES
    for k in range(encoder.i.i_words_control.shape[1]):
        encoder.i.i_words_control[n, k] = (
            inputs.i_payload_control[n, k] if inputs.i_valid[n] else -1
        )
    block_encoder_clock(encoder.state, encoder.i, parts.eight, n)


@inner
def receiver_clock(numbers, parts, inputs, n):
    """From the words back to the lines."""
    decoder, wide, reverse, descrambler = (
        parts.decoder,
        parts.wide,
        parts.reverse,
        parts.descrambler,
    )
    block_gearbox_outputs(numbers.blocks, numbers.words, wide.state, wide.o, n)
    decoder.i.i_valid[n] = wide.o.o_valid[n]
    for k in range(numbers.words):
        decoder.i.i_blocks_header[n, k] = wide.o.o_blocks_header[n, k]
        decoder.i.i_blocks_payload[n, k, 0] = wide.o.o_blocks_payload[n, k, 0]
    block_decoder_clock(decoder.state, decoder.i, parts.eight, n)

    # The queue of units.
    room, before = parts.headers.shape[1], parts.waiting[n]
    wide.i.i_valid[n] = wide.o.ready[n] and before > 0
    for k in range(numbers.blocks):
        wide.i.i_blocks_header[n, k] = parts.headers[n, 0, k]
        wide.i.i_blocks_payload[n, k, 0] = parts.payloads[n, 0, k]
    block_gearbox_clock(numbers.blocks, numbers.words, wide.state, wide.i, n)
    if wide.i.i_valid[n]:
        parts.waiting[n] -= 1
        for place in range(parts.waiting[n]):
            for k in range(numbers.blocks):
                parts.headers[n, place, k] = parts.headers[n, place + 1, k]
                parts.payloads[n, place, k] = parts.payloads[n, place + 1, k]
    count = numbers.blocks // TRANSCODED_BLOCKS
    first = n * count  # of its transcoders
    for t in range(first, first + count):
        reverse_transcoder_outputs(reverse.state, reverse.o, t)
    parts.told[n, OVERRUN] = reverse.o.o_valid[first] and before == room
    if reverse.o.o_valid[first] and before < room:
        for t in range(first, first + count):
            for k in range(TRANSCODED_BLOCKS):
                block, place = (t - first) * TRANSCODED_BLOCKS + k, parts.waiting[n]
                parts.headers[n, place, block] = reverse.o.o_blocks_header[t, k]
                parts.payloads[n, place, block] = reverse.o.o_blocks_payload[t, k, 0]
        parts.waiting[n] += 1

    scrambler_outputs(descrambler.state, descrambler.o, n)
    for t in range(first, first + count):
        reverse.i.i_valid[t], reverse.i.bad[t] = descrambler.o.o_valid[n], parts.told[n, BAD]
        for w in range(reverse.i.i_block.shape[1]):
            reverse.i.i_block[t, w] = 0
    for k in range(numbers.unit):
        t, place = first + k // TRANSCODED_BITS, k % TRANSCODED_BITS
        bit = descrambler.o.o_payload[n, k // 64] >> k % 64 & 1
        reverse.i.i_block[t, place // 64] |= bit << place % 64
    for t in range(first, first + count):
        reverse_transcoder_clock(reverse.state, reverse.i, t)
    demapper, decode, deskew = parts.demapper, parts.decode, parts.deskew
    message_demapper_outputs(demapper.state, demapper.o, n)
    descrambler.i.i_valid[n] = demapper.o.o_valid[n]
    for k in range(descrambler.i.i_payload.shape[1]):
        descrambler.i.i_payload[n, k] = demapper.o.o_payload[n, k]
    scrambler_clock(numbers.unit, True, descrambler.state, descrambler.i, n)
    if demapper.o.o_valid[n]:  # the first bits behind a bad unit are descrambled with it
        parts.told[n, BAD] = demapper.o.o_bad[n] or parts.told[n, WAS_BAD]
        parts.told[n, WAS_BAD] = demapper.o.o_bad[n]
    if numbers.coded:
        demapper.i.i_valid[n], demapper.i.bad[n] = decode.o.o_valid[n], decode.o.bad[n] > 0
        demapper.i.i_payload_first[n] = decode.o.o_payload_first[n]
        for k in range(demapper.i.i_payload_symbols.shape[1]):
            demapper.i.i_payload_symbols[n, k] = decode.o.o_payload_symbols[n, k]
        decode.i.i_valid[n] = deskew.o.o_valid[n]
        decode.i.i_payload_first[n] = deskew.o.o_payload_first[n]
        for k in range(demapper.i.i_payload_symbols.shape[1]):
            decode.i.i_payload_symbols[n, k] = deskew.o.o_payload_symbols[n, k]
        frame_decoder_clock(numbers.decode, decode.state, decode.i, n)
    else:
        demapper.i.i_valid[n] = deskew.o.o_valid[n]
        demapper.i.i_payload_first[n] = deskew.o.o_payload_first[n]
        for k in range(demapper.i.i_payload_symbols.shape[1]):
            demapper.i.i_payload_symbols[n, k] = deskew.o.o_payload_symbols[n, k]
    message_demapper_clock(numbers.shape, demapper.state, demapper.i, n)
    receivers, training = parts.receivers, parts.training
    searches = training.o.search[n]
    training.i.enable[n], training.i.aligned[n] = inputs.enable[n], deskew.o.aligned[n]
    training.i.codeword[n] = numbers.coded and (decode.o.o_valid[n] and decode.o.o_payload_first[n])
    training.i.bad[n] = decode.o.bad[n] > 0
    lanes = deskew.i.locked.shape[1]
    for lane in range(lanes):
        training.i.signal_ok[n, lane] = inputs.signal_ok[n, lane]
        training.i.locked[n, lane] = receivers.o.locked[n * lanes + lane]
    training_clock(numbers.coded, numbers.patience, training.state, training.i, n)
    for lane in range(lanes):
        at = n * lanes + lane
        deskew.i.i_valid[n, lane] = receivers.o.o_valid[at]
        deskew.i.i_first[n, lane] = receivers.o.o_first[at]
        for k in range(deskew.i.i_symbols.shape[2]):
            deskew.i.i_symbols[n, lane, k] = receivers.o.o_symbols[at, k]
        deskew.i.locked[n, lane] = receivers.o.locked[at]
        deskew.i.number[n, lane] = receivers.o.number[at]
    deskew_clock(numbers.row_groups, numbers.groups, deskew.state, deskew.i, n)
    for lane in range(lanes):
        at = n * lanes + lane
        for w in range(receivers.i.rx.shape[1]):
            receivers.i.rx[at, w] = inputs.rx[n, lane, w]
        receivers.i.rx_valid[at] = inputs.rx_valid[n, lane]
        receivers.i.signal_ok[at] = inputs.enable[n] and inputs.signal_ok[n, lane] and not searches
        lane_receiver_clock(numbers.rows, numbers.begin, receivers.state, receivers.i, at)


@compiled
def multilane_pcs_outputs(numbers, parts, outputs):
    """The outputs of all instances."""
    for n in range(outputs.up.size):
        pcs_outputs(numbers, parts, outputs, n)


@compiled
def multilane_pcs_clock(numbers, parts, inputs):
    """The clock edge of all instances, behind :func:`multilane_pcs_outputs`."""
    for n in range(inputs.enable.size):
        sender_clock(numbers, parts, inputs, n)
        receiver_clock(numbers, parts, inputs, n)


def multilane_pcs_shapes(
    lanes: LanesConfig, link: LinkConfig, instances: int
) -> list[dict[str, tuple[int, ...]]]:
    """Shapes of inputs and of outputs."""
    words, count = link.words_per_cycle, lanes.lanes
    control = -(-words // 8)
    line = instances, count, -(-lanes.lane_bits // 64)
    wide = {"tx": line, "rx": line}
    wide |= dict.fromkeys(("i_payload_data", "o_words_data"), (instances, words))
    wide |= dict.fromkeys(("i_payload_control", "o_words_control"), (instances, control))
    each = "locked", "number", "marker_wrong", "parity_wrong", "signal_ok", "rx_valid"
    wide |= dict.fromkeys(each, (instances, count))
    return [
        {name: wide.get(name, (instances,)) for name in kind._fields}
        for kind in (MultilanePcsInputs, MultilanePcsOutputs)
    ]


class MultilanePcsModel:
    """``instances`` of it."""

    def __init__(self, lanes: LanesConfig, link: LinkConfig, instances: int = 1):
        self.lanes, self.link, self.instances = lanes, link, instances
        self.inputs, self.outputs = (
            allocate(kind, shapes)
            for kind, shapes in zip(
                (MultilanePcsInputs, MultilanePcsOutputs),
                multilane_pcs_shapes(lanes, link, instances),
                strict=True,
            )
        )
        self.reset()

    def reset(self) -> None:
        """The state after reset."""
        lanes, link, instances = self.lanes, self.link, self.instances
        blocks, frame = lanes.transcoders * TRANSCODED_BLOCKS, lanes.frame
        unit = LaneConfig(name="unit", width=lanes.unit_bits)
        encode, decode = FrameEncoderModel(frame, instances), FrameDecoderModel(frame, instances)
        sender, mapper = (
            LaneTransmitterModel(lanes, instances),
            MessageMapperModel(lanes, instances),
        )

        def part(model) -> Part:
            return Part(model.state, model.inputs, model.outputs)

        self.parts = Parts(
            encoder=part(BlockEncoderModel(link, instances)),
            narrow=part(BlockGearboxModel(link.words_per_cycle, blocks, instances)),
            transcoder=part(TranscoderModel(instances * lanes.transcoders)),
            scrambler=part(ScramblerModel(unit, instances)),
            mapper=part(mapper),
            code=part(encode),
            sender=part(sender),
            receivers=part(LaneReceiverModel(lanes, instances * lanes.lanes)),
            deskew=part(DeskewModel(lanes, instances)),
            decode=part(decode),
            demapper=part(MessageDemapperModel(lanes, instances)),
            descrambler=part(DescramblerModel(unit, instances)),
            reverse=part(ReverseTranscoderModel(instances * lanes.transcoders)),
            wide=part(BlockGearboxModel(blocks, link.words_per_cycle, instances)),
            decoder=part(BlockDecoderModel(link, instances)),
            training=part(TrainingModel(lanes, instances)),
            headers=np.zeros((instances, lanes.late_units, blocks), dtype=np.int64),
            payloads=np.zeros((instances, lanes.late_units, blocks), dtype=np.int64),
            waiting=np.zeros(instances, dtype=np.int64),
            told=np.zeros((instances, 3), dtype=np.int64),
            eight=np.zeros(8, dtype=np.int64),
        )
        self.numbers = Numbers(
            words=link.words_per_cycle,
            blocks=blocks,
            unit=lanes.unit_bits,
            shape=mapper.shape,
            rows=sender.rows,
            begin=MARKER_BEGIN,
            groups=frame.groups,
            row_groups=lanes.row_groups,
            coded=lanes.fec != "none",
            encode=encode.numbers,
            decode=decode.numbers,
            patience=lanes.search_cycles,
        )

    def line_end(self, n: int) -> LineEnd:
        """Of the lines of an instance."""
        return LineEnd.of(self.inputs, self.outputs, (n,))

    def step(self) -> MultilanePcsOutputs:
        """Outputs of this cycle, then the clock edge."""
        multilane_pcs_outputs(self.numbers, self.parts, self.outputs)
        multilane_pcs_clock(self.numbers, self.parts, self.inputs)
        return self.outputs


def pcs_of_links(lanes: LanesConfig, links: LinkModel) -> MultilanePcsModel:
    """A PCS at each end of links, whose words are those of the link: what joins them is one array.

    Its outputs come before those of the links, its clock edge behind them.
    """
    model, i, o = (
        MultilanePcsModel(lanes, links.config, links.instances),
        links.inputs,
        links.outputs,
    )
    model.inputs = model.inputs._replace(
        enable=i.enable,
        i_valid=o.to_pcs_valid,
        i_payload_data=o.to_pcs_payload_data,
        i_payload_control=o.to_pcs_payload_control,
    )
    model.outputs = model.outputs._replace(
        up=i.pcs_up,
        i_ready=i.to_pcs_ready,
        o_valid=i.from_pcs_valid,
        o_words_data=i.from_pcs_words_data,
        o_words_control=i.from_pcs_words_control,
    )
    return model


def word_cycles(lanes: LanesConfig, link: LinkConfig, periods: int = 5) -> list[int]:
    """Cycles that each word takes through a model whose lines come back to it, in its last period.

    The words have the numbers of their cycles in them; the first periods of markers are those in
    which lanes are found.
    """
    model = MultilanePcsModel(lanes, link)
    i, o = model.inputs, model.outputs
    i.enable[:] = i.signal_ok[:] = i.i_valid[:] = i.tx_ready[:] = i.rx_valid[:] = 1
    period = (lanes.data_rows + lanes.marker_rows) * lanes.row_groups
    end = periods * (period * lanes.row_bits // (lanes.row_groups * lanes.lane_bits) + 1)
    found = []
    for cycle in range(end):
        i.rx[:], i.i_payload_data[:] = o.tx, cycle
        model.step()
        if o.o_valid[0] and o.up[0] and cycle > end - period:
            found.append(cycle - int(o.o_words_data[0, 0]))
    return found
