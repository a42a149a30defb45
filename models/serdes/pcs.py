"""Golden model of rtl.serdes.pcs: its parts, composed."""

from collections import namedtuple

import numpy as np

from models.compiled import compiled
from models.link.config import LinkConfig
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
from models.serdes.block_lock import BlockLockModel, block_lock_clock, block_lock_outputs
from models.serdes.config import PAYLOAD_BITS, LaneConfig
from models.serdes.gearbox import (
    ReceiveGearboxModel,
    TransmitGearboxModel,
    receive_gearbox_clock,
    receive_gearbox_outputs,
    transmit_gearbox_clock,
    transmit_gearbox_outputs,
)
from models.serdes.scrambler import (
    DescramblerModel,
    ScramblerModel,
    scrambler_clock,
    scrambler_outputs,
)
from models.serdes.start_aligner import (
    StartAlignerModel,
    start_aligner_clock,
    start_aligner_outputs,
)

__all__ = [
    "PcsInputs",
    "PcsModel",
    "PcsOutputs",
    "pcs_clock",
    "pcs_outputs",
    "pcs_parts",
]

PcsInputs = namedtuple("PcsInputs", "i_valid i_payload_data i_payload_control rx signal_ok")
PcsOutputs = namedtuple(
    "PcsOutputs", "i_ready tx o_valid o_words_data o_words_control block_lock hi_ber up"
)
# State, inputs and outputs of each part, and the headers that pass the scramblers by.
Part = namedtuple("Part", "state i o")
PcsParts = namedtuple(
    "PcsParts",
    "encoder scrambler transmit receive lock descrambler decoder aligner sent came eight halves",
)
AHEAD = 2  # cycles from `i` to the gearbox
IDLES = np.int64(IDLE * 0x0101010101010101)


def pcs_parts(lane: LaneConfig, link: LinkConfig, instances: int) -> PcsParts:
    """All parts after reset."""

    def part(model) -> Part:
        return Part(model.state, model.inputs, model.outputs)

    return PcsParts(
        encoder=part(BlockEncoderModel(link, instances)),
        scrambler=part(ScramblerModel(lane, instances)),
        transmit=part(TransmitGearboxModel(AHEAD, instances)),
        receive=part(ReceiveGearboxModel(instances)),
        lock=part(BlockLockModel(lane, instances)),
        descrambler=part(DescramblerModel(lane, instances)),
        decoder=part(BlockDecoderModel(link, instances)),
        aligner=part(StartAlignerModel(link, instances)),
        sent=np.zeros(instances, dtype=np.int64),
        came=np.zeros(instances, dtype=np.int64),
        eight=np.zeros(8, dtype=np.int64),
        halves=np.zeros(2, dtype=np.int64),
    )


@compiled
def pcs_outputs(parts, outputs, n):
    """What the registers show."""
    transmit, lock, aligner = parts.transmit.o, parts.lock.o, parts.aligner.o
    transmit_gearbox_outputs(AHEAD, parts.transmit.state, transmit, n)
    block_lock_outputs(parts.lock.state, lock, n)
    start_aligner_outputs(parts.aligner.state, aligner, n)
    outputs.i_ready[n] = transmit.ready[n]
    outputs.tx[n, 0] = transmit.word[n, 0]
    outputs.o_valid[n] = aligner.o_valid[n]
    outputs.o_words_data[n, 0] = aligner.o_words_data[n, 0]
    outputs.o_words_control[n, 0] = aligner.o_words_control[n, 0]
    outputs.block_lock[n], outputs.hi_ber[n] = lock.block_lock[n], lock.hi_ber[n]
    outputs.up[n] = lock.block_lock[n] and not lock.hi_ber[n]


@compiled
def pcs_clock(window, parts, inputs, n):
    """The clock edge, of what comes last first, behind :func:`pcs_outputs`."""
    encoder, scrambler, transmit = parts.encoder, parts.scrambler, parts.transmit
    block_encoder_outputs(encoder.state, encoder.o, n)
    scrambler_outputs(scrambler.state, scrambler.o, n)
    transmit.i.block_header[n] = parts.sent[n]
    transmit.i.block_payload[n, 0] = scrambler.o.o_payload[n, 0]
    transmit_gearbox_clock(transmit.state, transmit.i, n)
    scrambler.i.i_valid[n] = encoder.o.o_valid[n]
    scrambler.i.i_payload[n, 0] = encoder.o.o_blocks_payload[n, 0, 0]
    parts.sent[n] = encoder.o.o_blocks_header[n, 0]
    scrambler_clock(PAYLOAD_BITS, False, scrambler.state, scrambler.i, n)
    encoder.i.i_valid[n] = transmit.o.ready[n]
    waits = inputs.i_valid[n]
    encoder.i.i_words_data[n, 0] = inputs.i_payload_data[n, 0] if waits else IDLES
    encoder.i.i_words_control[n, 0] = inputs.i_payload_control[n] if waits else 0xFF
    block_encoder_clock(encoder.state, encoder.i, parts.eight, n)

    receive, lock, descrambler = parts.receive, parts.lock, parts.descrambler
    decoder, aligner = parts.decoder, parts.aligner
    receive_gearbox_outputs(receive.state, receive.o, n)
    scrambler_outputs(descrambler.state, descrambler.o, n)
    block_decoder_outputs(decoder.state, decoder.o, n)
    aligner.i.i_valid[n] = decoder.o.o_valid[n]
    aligner.i.i_words_data[n, 0] = decoder.o.o_words_data[n, 0]
    aligner.i.i_words_control[n, 0] = decoder.o.o_words_control[n, 0]
    start_aligner_clock(aligner.state, aligner.i, parts.halves, n)
    decoder.i.i_valid[n] = descrambler.o.o_valid[n]
    decoder.i.i_blocks_header[n, 0] = parts.came[n]
    decoder.i.i_blocks_payload[n, 0, 0] = descrambler.o.o_payload[n, 0]
    block_decoder_clock(decoder.state, decoder.i, parts.eight, n)
    descrambler.i.i_valid[n] = receive.o.valid[n]
    descrambler.i.i_payload[n, 0] = receive.o.block_payload[n, 0]
    parts.came[n] = receive.o.block_header[n]
    scrambler_clock(PAYLOAD_BITS, True, descrambler.state, descrambler.i, n)
    lock.i.signal_ok[n], lock.i.valid[n] = inputs.signal_ok[n], receive.o.valid[n]
    lock.i.header[n] = receive.o.block_header[n]
    lock.i.slip_done[n] = receive.o.slip_done[n]
    receive.i.word[n, 0], receive.i.slip[n] = inputs.rx[n, 0], lock.o.slip[n]
    receive_gearbox_clock(receive.state, receive.i, n)
    block_lock_clock(window, lock.state, lock.i, n)


@compiled
def pcs_step(window, parts, inputs, outputs):
    """Outputs of this cycle, then the clock edge, of all instances."""
    for n in range(parts.sent.size):
        pcs_outputs(parts, outputs, n)
        pcs_clock(window, parts, inputs, n)


class PcsModel:
    """``instances`` of it, of one lane and one word per cycle."""

    def __init__(self, lane: LaneConfig, link: LinkConfig, instances: int = 1):
        self.lane, self.link, self.instances = lane, link, instances
        wide = {"rx", "tx", "i_payload_data", "o_words_data", "o_words_control"}
        self.inputs, self.outputs = (
            allocate(
                kind,
                {name: (instances, 1) if name in wide else (instances,) for name in kind._fields},
            )
            for kind in (PcsInputs, PcsOutputs)
        )
        self.reset()

    def reset(self) -> None:
        """The state after reset."""
        self.parts = pcs_parts(self.lane, self.link, self.instances)

    def step(self) -> PcsOutputs:
        """Outputs of this cycle, then the clock edge."""
        pcs_step(self.lane.ber_window_cycles, self.parts, self.inputs, self.outputs)
        return self.outputs
