"""Golden model of rtl.serdes.multilane_pcs: its parts, composed.

Lanes and transcoders are instances of one model each.
"""

from collections import namedtuple

import numpy as np

from models.compiled import compiled, inner
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
from models.serdes.fec_decoder import FecDecoderModel, fec_decoder_clock, fec_decoder_outputs
from models.serdes.fec_encoder import FecEncoderModel, fec_encoder_clock, fec_encoder_outputs
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
# What is the same in each cycle. `coded` tells whether there is a code.
Numbers = namedtuple(
    "Numbers",
    "words blocks unit shape rows begin groups row_groups coded length message roots correctable "
    "clean_cycles solve_cycles room patience",
)
IDLES = np.int64(IDLE * 0x0101010101010101)
OVERRUN, BAD, WAS_BAD = range(3)


@inner
def front_goes(parts):
    """Whether words are taken, and all up to the mapper moves on."""
    waits = parts.scrambler.o.o_valid[0]
    return not waits or (parts.mapper.o.ready[0] and parts.sender.o.ready[0])


@compiled
def multilane_pcs_outputs(numbers, parts, outputs):
    """What the registers show."""
    lane_transmitter_outputs(numbers.rows, parts.sender.state, parts.sender.o, 0)
    message_mapper_outputs(numbers.shape, parts.mapper.state, parts.mapper.o, 0)
    scrambler_outputs(parts.scrambler.state, parts.scrambler.o, 0)
    deskew_outputs(parts.deskew.state, parts.deskew.o, 0)
    block_decoder_outputs(parts.decoder.state, parts.decoder.o, 0)
    outputs.i_ready[0] = front_goes(parts)
    outputs.starved[0] = parts.sender.o.starved[0]
    receivers, decoder, deskew = parts.receivers.o, parts.decoder.o, parts.deskew.o
    for lane in range(outputs.locked.shape[1]):
        lane_receiver_outputs(parts.receivers.state, receivers, lane)
        for w in range(outputs.tx.shape[2]):
            outputs.tx[0, lane, w] = parts.sender.o.tx[0, lane, w]
        outputs.locked[0, lane], outputs.number[0, lane] = (
            receivers.locked[lane],
            receivers.number[lane],
        )
        outputs.marker_wrong[0, lane] = receivers.marker_wrong[lane]
        outputs.parity_wrong[0, lane] = receivers.parity_wrong[lane]
    outputs.o_valid[0] = decoder.o_valid[0]
    training = parts.training.o
    training_outputs(parts.training.state, training, 0)
    outputs.up[0], outputs.state[0] = training.ready[0], training.state[0]
    outputs.lost[0], outputs.expired[0] = training.lost[0], training.expired[0]
    outputs.condemned[0] = training.condemned[0]
    for k in range(outputs.o_words_data.shape[1]):
        outputs.o_words_data[0, k] = decoder.o_words_data[0, k]
    for k in range(outputs.o_words_control.shape[1]):
        outputs.o_words_control[0, k] = decoder.o_words_control[0, k]
    outputs.disordered[0], outputs.skewed[0] = deskew.disordered[0], deskew.skewed[0]
    outputs.slipped[0], outputs.overrun[0] = deskew.slipped[0], parts.told[OVERRUN]
    outputs.corrected_valid[0] = 0
    if numbers.coded:
        decode = parts.decode
        fec_decoder_outputs(decode.state, decode.o, 0)
        outputs.corrected_valid[0] = decode.o.o_valid[0] and decode.o.o_payload_first[0]
    # Both hold what they were while there is no codeword.
    if outputs.corrected_valid[0]:
        outputs.corrected[0] = parts.decode.o.o_payload_corrected[0]
        outputs.bad[0] = parts.decode.o.o_payload_bad[0]


@inner
def sender_clock(numbers, parts, inputs):
    """From the lines back to the words."""
    sender, code, mapper, scrambler = parts.sender, parts.code, parts.mapper, parts.scrambler
    front = front_goes(parts)
    ready = sender.o.ready[0]
    if numbers.coded:
        fec_encoder_outputs(code.state, code.o, 0)
        sender.i.i_valid[0] = ready and code.o.o_valid[0]
        for k in range(sender.i.i_payload_symbols.shape[1]):
            sender.i.i_payload_symbols[0, k] = code.o.o_payload_symbols[0, k]
    else:
        sender.i.i_valid[0] = ready and mapper.o.o_valid[0]
        for k in range(sender.i.i_payload_symbols.shape[1]):
            sender.i.i_payload_symbols[0, k] = mapper.o.o_payload_symbols[0, k]
    sender.i.tx_ready[0] = inputs.tx_ready[0]
    lane_transmitter_clock(numbers.rows, numbers.begin, sender.state, sender.i, 0)
    if ready:
        if numbers.coded:
            code.i.i_valid[0] = mapper.o.o_valid[0]
            code.i.i_payload_first[0] = mapper.o.o_payload_first[0]
            for k in range(code.i.i_payload_symbols.shape[1]):
                code.i.i_payload_symbols[0, k] = mapper.o.o_payload_symbols[0, k]
            fec_encoder_clock(numbers.length, numbers.message, numbers.roots, code.state, code.i, 0)
        mapper.i.i_valid[0] = scrambler.o.o_valid[0] and mapper.o.ready[0]
        for k in range(mapper.i.i_payload.shape[1]):
            mapper.i.i_payload[0, k] = scrambler.o.o_payload[0, k]
        message_mapper_clock(numbers.shape, mapper.state, mapper.i, 0)
    if not front:
        return
    transcoder, narrow, encoder = parts.transcoder, parts.narrow, parts.encoder
    count = transcoder.o.o_valid.size
    for t in range(count):
        transcoder_outputs(transcoder.state, transcoder.o, t)
    scrambler.i.i_valid[0] = transcoder.o.o_valid[0]
    for k in range(scrambler.i.i_payload.shape[1]):
        scrambler.i.i_payload[0, k] = 0
    for k in range(numbers.unit):
        t, place = k // TRANSCODED_BITS, k % TRANSCODED_BITS
        bit = transcoder.o.o_block[t, place // 64] >> place % 64 & 1
        scrambler.i.i_payload[0, k // 64] |= bit << k % 64
    scrambler_clock(numbers.unit, False, scrambler.state, scrambler.i, 0)
    block_gearbox_outputs(numbers.words, numbers.blocks, narrow.state, narrow.o, 0)
    for t in range(count):
        transcoder.i.i_valid[t] = narrow.o.o_valid[0]
        for k in range(TRANSCODED_BLOCKS):
            block = t * TRANSCODED_BLOCKS + k
            transcoder.i.i_blocks_header[t, k] = narrow.o.o_blocks_header[0, block]
            transcoder.i.i_blocks_payload[t, k, 0] = narrow.o.o_blocks_payload[0, block, 0]
        transcoder_clock(transcoder.state, transcoder.i, t)
    block_encoder_outputs(encoder.state, encoder.o, 0)
    narrow.i.i_valid[0] = encoder.o.o_valid[0]
    for k in range(numbers.words):
        narrow.i.i_blocks_header[0, k] = encoder.o.o_blocks_header[0, k]
        narrow.i.i_blocks_payload[0, k, 0] = encoder.o.o_blocks_payload[0, k, 0]
    block_gearbox_clock(numbers.words, numbers.blocks, narrow.state, narrow.i, 0)
    encoder.i.i_valid[0] = 1
    for k in range(numbers.words):
        encoder.i.i_words_data[0, k] = inputs.i_payload_data[0, k] if inputs.i_valid[0] else IDLES
    for k in range(encoder.i.i_words_control.shape[1]):
        encoder.i.i_words_control[0, k] = (
            inputs.i_payload_control[0, k] if inputs.i_valid[0] else -1
        )
    block_encoder_clock(encoder.state, encoder.i, parts.eight, 0)


@inner
def receiver_clock(numbers, parts, inputs):
    """From the words back to the lines."""
    decoder, wide, reverse, descrambler = (
        parts.decoder,
        parts.wide,
        parts.reverse,
        parts.descrambler,
    )
    block_gearbox_outputs(numbers.blocks, numbers.words, wide.state, wide.o, 0)
    decoder.i.i_valid[0] = wide.o.o_valid[0]
    for k in range(numbers.words):
        decoder.i.i_blocks_header[0, k] = wide.o.o_blocks_header[0, k]
        decoder.i.i_blocks_payload[0, k, 0] = wide.o.o_blocks_payload[0, k, 0]
    block_decoder_clock(decoder.state, decoder.i, parts.eight, 0)

    # The queue of units.
    room, before = parts.headers.shape[0], parts.waiting[0]
    wide.i.i_valid[0] = wide.o.ready[0] and before > 0
    for k in range(numbers.blocks):
        wide.i.i_blocks_header[0, k] = parts.headers[0, k]
        wide.i.i_blocks_payload[0, k, 0] = parts.payloads[0, k]
    block_gearbox_clock(numbers.blocks, numbers.words, wide.state, wide.i, 0)
    if wide.i.i_valid[0]:
        parts.waiting[0] -= 1
        for place in range(parts.waiting[0]):
            for k in range(numbers.blocks):
                parts.headers[place, k] = parts.headers[place + 1, k]
                parts.payloads[place, k] = parts.payloads[place + 1, k]
    count = reverse.o.o_valid.size
    for t in range(count):
        reverse_transcoder_outputs(reverse.state, reverse.o, t)
    parts.told[OVERRUN] = reverse.o.o_valid[0] and before == room
    if reverse.o.o_valid[0] and before < room:
        for t in range(count):
            for k in range(TRANSCODED_BLOCKS):
                block, place = t * TRANSCODED_BLOCKS + k, parts.waiting[0]
                parts.headers[place, block] = reverse.o.o_blocks_header[t, k]
                parts.payloads[place, block] = reverse.o.o_blocks_payload[t, k, 0]
        parts.waiting[0] += 1

    scrambler_outputs(descrambler.state, descrambler.o, 0)
    for t in range(count):
        reverse.i.i_valid[t], reverse.i.bad[t] = descrambler.o.o_valid[0], parts.told[BAD]
        for w in range(reverse.i.i_block.shape[1]):
            reverse.i.i_block[t, w] = 0
    for k in range(numbers.unit):
        t, place = k // TRANSCODED_BITS, k % TRANSCODED_BITS
        bit = descrambler.o.o_payload[0, k // 64] >> k % 64 & 1
        reverse.i.i_block[t, place // 64] |= bit << place % 64
    for t in range(count):
        reverse_transcoder_clock(reverse.state, reverse.i, t)
    demapper, decode, deskew = parts.demapper, parts.decode, parts.deskew
    message_demapper_outputs(demapper.state, demapper.o, 0)
    descrambler.i.i_valid[0] = demapper.o.o_valid[0]
    for k in range(descrambler.i.i_payload.shape[1]):
        descrambler.i.i_payload[0, k] = demapper.o.o_payload[0, k]
    scrambler_clock(numbers.unit, True, descrambler.state, descrambler.i, 0)
    if demapper.o.o_valid[0]:  # the first bits behind a bad unit are descrambled with it
        parts.told[BAD] = demapper.o.o_bad[0] or parts.told[WAS_BAD]
        parts.told[WAS_BAD] = demapper.o.o_bad[0]
    if numbers.coded:
        demapper.i.i_valid[0], demapper.i.bad[0] = decode.o.o_valid[0], decode.o.o_payload_bad[0]
        demapper.i.i_payload_first[0] = decode.o.o_payload_first[0]
        for k in range(demapper.i.i_payload_symbols.shape[1]):
            demapper.i.i_payload_symbols[0, k] = decode.o.o_payload_symbols[0, k]
        decode.i.i_valid[0] = deskew.o.o_valid[0]
        decode.i.i_payload_first[0] = deskew.o.o_payload_first[0]
        for k in range(demapper.i.i_payload_symbols.shape[1]):
            decode.i.i_payload_symbols[0, k] = deskew.o.o_payload_symbols[0, k]
        cycles = numbers.clean_cycles, numbers.solve_cycles
        fec_decoder_clock(
            numbers.correctable, *cycles, numbers.room, decode.state, decode.i, decode.o, 0
        )
    else:
        demapper.i.i_valid[0] = deskew.o.o_valid[0]
        demapper.i.i_payload_first[0] = deskew.o.o_payload_first[0]
        for k in range(demapper.i.i_payload_symbols.shape[1]):
            demapper.i.i_payload_symbols[0, k] = deskew.o.o_payload_symbols[0, k]
    message_demapper_clock(numbers.shape, demapper.state, demapper.i, 0)
    receivers, training = parts.receivers, parts.training
    searches = training.o.search[0]
    training.i.enable[0], training.i.aligned[0] = inputs.enable[0], deskew.o.aligned[0]
    training.i.codeword[0] = numbers.coded and (decode.o.o_valid[0] and decode.o.o_payload_first[0])
    training.i.bad[0] = decode.o.o_payload_bad[0]
    for lane in range(deskew.i.locked.shape[1]):
        training.i.signal_ok[0, lane] = inputs.signal_ok[0, lane]
        training.i.locked[0, lane] = receivers.o.locked[lane]
    training_clock(numbers.coded, numbers.patience, training.state, training.i, 0)
    for lane in range(deskew.i.locked.shape[1]):
        deskew.i.i_valid[0, lane] = receivers.o.o_valid[lane]
        deskew.i.i_first[0, lane] = receivers.o.o_first[lane]
        for k in range(deskew.i.i_symbols.shape[2]):
            deskew.i.i_symbols[0, lane, k] = receivers.o.o_symbols[lane, k]
        deskew.i.locked[0, lane] = receivers.o.locked[lane]
        deskew.i.number[0, lane] = receivers.o.number[lane]
    deskew_clock(numbers.row_groups, numbers.groups, deskew.state, deskew.i, 0)
    for lane in range(deskew.i.locked.shape[1]):
        for w in range(receivers.i.rx.shape[1]):
            receivers.i.rx[lane, w] = inputs.rx[0, lane, w]
        receivers.i.rx_valid[lane] = inputs.rx_valid[0, lane]
        receivers.i.signal_ok[lane] = (
            inputs.enable[0] and inputs.signal_ok[0, lane] and not searches
        )
        lane_receiver_clock(numbers.rows, numbers.begin, receivers.state, receivers.i, lane)


@compiled
def multilane_pcs_clock(numbers, parts, inputs):
    """The clock edge, behind :func:`multilane_pcs_outputs`."""
    sender_clock(numbers, parts, inputs)
    receiver_clock(numbers, parts, inputs)


def multilane_pcs_shapes(lanes: LanesConfig, link: LinkConfig) -> list[dict[str, tuple[int, ...]]]:
    """Shapes of inputs and of outputs; axis 0 is the instance, of which there is one."""
    words, count = link.words_per_cycle, lanes.lanes
    control = -(-words // 8)
    line = 1, count, -(-lanes.lane_bits // 64)
    wide = {"tx": line, "rx": line}
    wide |= dict.fromkeys(("i_payload_data", "o_words_data"), (1, words))
    wide |= dict.fromkeys(("i_payload_control", "o_words_control"), (1, control))
    each = "locked", "number", "marker_wrong", "parity_wrong", "signal_ok", "rx_valid"
    wide |= dict.fromkeys(each, (1, count))
    return [
        {name: wide.get(name, (1,)) for name in kind._fields}
        for kind in (MultilanePcsInputs, MultilanePcsOutputs)
    ]


class MultilanePcsModel:
    """One of it."""

    def __init__(self, lanes: LanesConfig, link: LinkConfig):
        self.lanes, self.link = lanes, link
        self.inputs, self.outputs = (
            allocate(kind, shapes)
            for kind, shapes in zip(
                (MultilanePcsInputs, MultilanePcsOutputs),
                multilane_pcs_shapes(lanes, link),
                strict=True,
            )
        )
        self.reset()

    def reset(self) -> None:
        """The state after reset."""
        lanes, link = self.lanes, self.link
        blocks, code = lanes.transcoders * TRANSCODED_BLOCKS, lanes.code
        unit = LaneConfig(name="unit", width=lanes.unit_bits)
        encode, decode = FecEncoderModel(code), FecDecoderModel(code)
        sender, mapper = LaneTransmitterModel(lanes), MessageMapperModel(lanes)

        def part(model) -> Part:
            return Part(model.state, model.inputs, model.outputs)

        self.parts = Parts(
            encoder=part(BlockEncoderModel(link)),
            narrow=part(BlockGearboxModel(link.words_per_cycle, blocks)),
            transcoder=part(TranscoderModel(lanes.transcoders)),
            scrambler=part(ScramblerModel(unit)),
            mapper=part(mapper),
            code=part(encode),
            sender=part(sender),
            receivers=part(LaneReceiverModel(lanes, lanes.lanes)),
            deskew=part(DeskewModel(lanes)),
            decode=part(decode),
            demapper=part(MessageDemapperModel(lanes)),
            descrambler=part(DescramblerModel(unit)),
            reverse=part(ReverseTranscoderModel(lanes.transcoders)),
            wide=part(BlockGearboxModel(blocks, link.words_per_cycle)),
            decoder=part(BlockDecoderModel(link)),
            training=part(TrainingModel(lanes)),
            headers=np.zeros((lanes.late_units, blocks), dtype=np.int64),
            payloads=np.zeros((lanes.late_units, blocks), dtype=np.int64),
            waiting=np.zeros(1, dtype=np.int64),
            told=np.zeros(3, dtype=np.int64),
            eight=np.zeros(8, dtype=np.int64),
        )
        self.numbers = Numbers(
            words=link.words_per_cycle,
            blocks=blocks,
            unit=lanes.unit_bits,
            shape=mapper.shape,
            rows=sender.rows,
            begin=MARKER_BEGIN,
            groups=code.groups,
            row_groups=lanes.row_groups,
            coded=lanes.fec != "none",
            length=code.symbols,
            message=code.message_symbols,
            roots=encode.roots,
            correctable=code.correctable,
            clean_cycles=code.clean_cycles,
            solve_cycles=code.solve_cycles,
            room=decode.room,
            patience=lanes.search_cycles,
        )

    def step(self) -> MultilanePcsOutputs:
        """Outputs of this cycle, then the clock edge."""
        multilane_pcs_outputs(self.numbers, self.parts, self.outputs)
        multilane_pcs_clock(self.numbers, self.parts, self.inputs)
        return self.outputs


def pcs_of_links(lanes: LanesConfig, links: LinkModel) -> list[MultilanePcsModel]:
    """A PCS at each end of links, whose words are those of the link: what joins them is one array.

    Its outputs come before those of the link, its clock edge behind them.
    """
    found, i, o = [], links.inputs, links.outputs
    for n in range(links.instances):
        model, row = MultilanePcsModel(lanes, links.config), slice(n, n + 1)
        model.inputs = model.inputs._replace(
            enable=i.enable[row],
            i_valid=o.to_pcs_valid[row],
            i_payload_data=o.to_pcs_payload_data[row],
            i_payload_control=o.to_pcs_payload_control[row],
        )
        model.outputs = model.outputs._replace(
            up=i.pcs_up[row],
            i_ready=i.to_pcs_ready[row],
            o_valid=i.from_pcs_valid[row],
            o_words_data=i.from_pcs_words_data[row],
            o_words_control=i.from_pcs_words_control[row],
        )
        found.append(model)
    return found


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
