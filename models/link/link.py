"""Golden model of rtl.link.link: the blocks of a link, each by its own model.

Any number of ends in one model, so that both ends of a cable run in one compiled loop.
"""

from collections import namedtuple

from models.compiled import compiled, inner
from models.link.arrivals import ArrivalsModel, arrivals_clock, arrivals_outputs
from models.link.config import LinkConfig, SenderState
from models.link.control_words import ControlWordsModel, control_words_outputs
from models.link.credit_frame import (
    CreditFrameReceiverModel,
    CreditFrameSenderModel,
    credit_frame_receiver_clock,
    credit_frame_receiver_outputs,
    credit_frame_sender_clock,
    credit_frame_sender_outputs,
    passes_packets,
)
from models.link.credit_receiver import (
    CreditReceiverModel,
    credit_receiver_clock,
    credit_receiver_outputs,
)
from models.link.credit_sender import (
    CreditSenderModel,
    credit_sender_clock,
    credit_sender_outputs,
)
from models.link.deframer import DeframerModel, deframer_clock, deframer_outputs
from models.link.framer import FramerModel, framer_clock, framer_outputs
from models.link.hold import HoldModel, hold_clock, hold_outputs
from models.link.retry_receiver import (
    RetryReceiverModel,
    retry_receiver_clock,
    retry_receiver_outputs,
)
from models.link.retry_sender import (
    RetrySenderModel,
    retry_sender_accepts,
    retry_sender_clock,
    retry_sender_outputs,
)
from models.link.wire import COUNTED
from models.record import allocate

__all__ = [
    "LinkInputs",
    "LinkModel",
    "LinkOutputs",
    "link_clock",
    "link_outputs",
    "links_clock",
    "links_outputs",
]

AXIS = ["valid", "payload_data", "payload_keep", "payload_last", "payload_user"]
CONTROLS = ["enable", "pcs_up", "policy", "reconfigure"]
LIMIT = ["valid", "channel", "limit"]
CREDIT = [
    *("reset", "lossless", *(f"sender_limit_{name}" for name in LIMIT)),
    *(f"receiver_limit_{name}" for name in LIMIT),
    *("port_limit", "update_cycles", "refresh_cycles", "report_cycles", "watchdog_cycles"),
]
LinkInputs = namedtuple(
    "LinkInputs",
    [
        *(f"i_{name}" for name in AXIS),
        *("channel", "waiting", "o_ready", "accepted", "dropped", "released_valid"),
        *("released_channel", *(f"credit_{name}" for name in CREDIT), "to_pcs_ready"),
        *("from_pcs_valid", "from_pcs_words_data", "from_pcs_words_control"),
        *CONTROLS,
    ],
)
LinkOutputs = namedtuple(
    "LinkOutputs",
    [
        "i_ready",
        *(f"o_{name}" for name in AXIS),
        *("permit", "o_channel", "drained", "stalled"),
        *("to_pcs_valid", "to_pcs_payload_data", "to_pcs_payload_control"),
        *("sender_state", "receiver_state"),
        *(f"events_{name}" for name in COUNTED),
    ],
)
# Parameters, state, inputs and outputs of each block.
NAMES = {  # of those that a block has
    "credit_sender": "psio",
    "frame_sender": "psio",
    "sender": "psio",
    "framer": "psio",
    "deframer": "psio",
    "receiver": "psio",
    "hold": "sio",
    "frame_receiver": "psio",
    "arrivals": "sio",
    "credit_receiver": "psio",
    "words": "io",
}
Blocks = namedtuple(
    "Blocks", ["holds", *(f"{block}_{part}" for block, parts in NAMES.items() for part in parts)]
)

SENDER_INIT, SENDER_FLUSH = int(SenderState.INIT), int(SenderState.FLUSH)


@inner
def move(to, values, n):
    """Copy the words of a port."""
    for w in range(to.shape[1]):
        to[n, w] = values[n, w]


@inner
def tell_words(b, n):
    """What is to be said goes to the framer, and what was said to where it means something."""
    i, sender, receiver = b.words_i, b.sender_o, b.receiver_o
    i.send_init_valid[n] = sender.init_valid[n]
    i.send_init_payload_sequence[n] = sender.init_payload_sequence[n]
    i.send_init_payload_value[n] = sender.init_payload_value[n]
    i.send_init_echo_valid[n] = receiver.init_echo_valid[n]
    i.send_init_echo_payload_sequence[n] = receiver.init_echo_payload_sequence[n]
    i.send_init_echo_payload_value[n] = receiver.init_echo_payload_value[n]
    i.send_nack_valid[n] = receiver.nack_valid[n]
    i.send_nack_payload_sequence[n] = receiver.nack_payload_sequence[n]
    i.send_ack_valid[n] = receiver.ack_valid[n]
    i.send_ack_payload_sequence[n] = receiver.ack_payload_sequence[n]
    update = b.credit_receiver_o
    i.send_credit_valid[n] = update.update_valid[n]
    move(i.send_credit_payload_entry_freed, update.update_payload_entry_freed, n)
    move(i.send_credit_payload_entry_channel, update.update_payload_entry_channel, n)
    i.o_ready[n] = b.framer_o.control_ready[n]
    i.i_valid[n] = b.deframer_o.control_valid[n]
    i.i_payload_type[n] = b.deframer_o.control_payload_type[n]
    i.i_payload_sequence_high[n] = b.deframer_o.control_payload_sequence_high[n]
    i.i_payload_sequence_middle[n] = b.deframer_o.control_payload_sequence_middle[n]
    i.i_payload_padding[n] = b.deframer_o.control_payload_padding[n]
    i.i_payload_sequence_low[n] = b.deframer_o.control_payload_sequence_low[n]
    i.i_payload_value[n] = b.deframer_o.control_payload_value[n]
    i.i_payload_rest[n] = b.deframer_o.control_payload_rest[n]
    control_words_outputs(i, b.words_o, n)


@inner
def tell_gate(b, inputs, n):
    """Packets up to the sender of retry, which has told whether it takes a flit."""
    i, o = b.credit_sender_i, b.credit_sender_o
    i.i_valid[n] = inputs.i_valid[n]
    move(i.i_payload_data, inputs.i_payload_data, n)
    move(i.i_payload_keep, inputs.i_payload_keep, n)
    i.i_payload_last[n] = inputs.i_payload_last[n]
    i.i_payload_user[n] = inputs.i_payload_user[n]
    i.channel[n] = inputs.channel[n]
    i.lossless[n] = inputs.credit_lossless[n]
    i.waiting[n] = inputs.waiting[n]
    i.limit_valid[n] = inputs.credit_sender_limit_valid[n]
    i.limit_channel[n] = inputs.credit_sender_limit_channel[n]
    i.limit_limit[n] = inputs.credit_sender_limit_limit[n]
    i.port_limit[n] = inputs.credit_port_limit[n]
    i.report_cycles[n] = inputs.credit_report_cycles[n]
    i.watchdog_cycles[n] = inputs.credit_watchdog_cycles[n]
    i.reset[n] = inputs.credit_reset[n]
    i.o_ready[n] = b.sender_o.i_ready[n] and passes_packets(b.frame_sender_s, n)
    i.update_valid[n] = b.words_o.credit_valid[n]
    move(i.update_channel, b.words_o.credit_channel, n)
    move(i.update_freed, b.words_o.credit_freed, n)
    credit_sender_outputs(b.credit_sender_p, b.credit_sender_s, i, o, n)

    f = b.frame_sender_i
    f.i_valid[n] = o.o_valid[n]
    move(f.i_payload_data, o.o_payload_data, n)
    move(f.i_payload_keep, o.o_payload_keep, n)
    f.i_payload_last[n] = o.o_payload_last[n]
    f.i_payload_user[n] = o.o_payload_user[n]
    f.channel[n] = o.o_channel[n]
    reports = b.sender_s.state[n] != SENDER_INIT and b.sender_s.state[n] != SENDER_FLUSH
    f.consumed_valid[n] = o.consumed_valid[n] and reports
    f.consumed_payload_channel[n] = o.consumed_payload_channel[n]
    f.consumed_payload_consumed[n] = o.consumed_payload_consumed[n]
    f.o_ready[n] = b.sender_o.i_ready[n]
    credit_frame_sender_outputs(b.frame_sender_p, b.frame_sender_s, f, b.frame_sender_o, n)
    i.consumed_ready[n] = b.frame_sender_o.consumed_ready[n] and reports


@inner
def tell_packets(b, inputs, n):
    """Inputs of the sender of retry, but those from control words and the flit."""
    i = b.sender_i
    i.enable[n] = inputs.enable[n]
    i.pcs_up[n] = inputs.pcs_up[n]
    i.policy[n] = inputs.policy[n]
    i.reconfigure[n] = inputs.reconfigure[n]
    i.o_ready[n] = b.framer_o.i_ready[n]


@inner
def tell_flit(b, n):
    """The flit to the sender of retry."""
    i, o = b.sender_i, b.frame_sender_o
    i.i_valid[n] = o.o_valid[n]
    move(i.i_payload_data, o.o_payload_data, n)
    move(i.i_payload_keep, o.o_payload_keep, n)
    i.i_payload_last[n] = o.o_payload_last[n]
    i.i_payload_user[n] = o.o_payload_user[n]
    i.channel[n] = o.o_channel[n]


@inner
def tell_sender(b, n):
    """What control words say to the sender."""
    i, words = b.sender_i, b.words_o
    i.ack_valid[n] = words.ack_valid[n]
    i.ack_sequence[n] = words.ack_sequence[n]
    i.nack_valid[n] = words.nack_valid[n]
    i.nack_sequence[n] = words.nack_sequence[n]
    i.init_echo_valid[n] = words.init_echo_valid[n]
    i.init_echo_sequence[n] = words.init_echo_sequence[n]
    i.init_echo_value[n] = words.init_echo_value[n]
    i.init_ready[n] = words.send_init_ready[n]


@inner
def tell_framer(b, n):
    """The flit to the framer."""
    i, flit = b.framer_i, b.sender_o
    i.i_valid[n] = flit.o_valid[n]
    move(i.i_payload_data, flit.o_payload_data, n)
    i.i_payload_count[n] = flit.o_payload_count[n]
    i.i_payload_last[n] = flit.o_payload_last[n]
    i.i_payload_poison[n] = flit.o_payload_poison[n]
    i.i_payload_llr[n] = flit.o_payload_llr[n]
    i.i_payload_sequence[n] = flit.o_payload_sequence[n]
    i.i_payload_channel[n] = flit.o_payload_channel[n]


@inner
def tell_line(b, inputs, n):
    """The control word to the framer, and whether the line takes words."""
    i, word = b.framer_i, b.words_o
    i.control_valid[n] = word.o_valid[n]
    i.control_payload_type[n] = word.o_payload_type[n]
    i.control_payload_sequence_high[n] = word.o_payload_sequence_high[n]
    i.control_payload_sequence_middle[n] = word.o_payload_sequence_middle[n]
    i.control_payload_padding[n] = word.o_payload_padding[n]
    i.control_payload_sequence_low[n] = word.o_payload_sequence_low[n]
    i.control_payload_value[n] = word.o_payload_value[n]
    i.control_payload_rest[n] = word.o_payload_rest[n]
    i.o_ready[n] = inputs.to_pcs_ready[n] or not inputs.pcs_up[n]


@inner
def tell_receiver(b, inputs, n):
    """Inputs of deframer and receiver."""
    b.deframer_i.i_valid[n] = inputs.from_pcs_valid[n]
    b.deframer_i.up[n] = inputs.pcs_up[n]
    move(b.deframer_i.i_words_data, inputs.from_pcs_words_data, n)
    move(b.deframer_i.i_words_control, inputs.from_pcs_words_control, n)
    i, flit, words = b.receiver_i, b.deframer_o, b.words_o
    i.i_valid[n] = flit.o_valid[n]
    move(i.i_payload_data, flit.o_payload_data, n)
    i.i_payload_count[n] = flit.o_payload_count[n]
    i.i_payload_first[n] = flit.o_payload_first[n]
    i.i_payload_last[n] = flit.o_payload_last[n]
    i.i_payload_bad[n] = flit.o_payload_bad[n]
    i.i_payload_poison[n] = flit.o_payload_poison[n]
    i.i_payload_check[n] = flit.o_payload_check[n]
    i.i_payload_llr[n] = flit.o_payload_llr[n]
    i.i_payload_sequence[n] = flit.o_payload_sequence[n]
    i.i_payload_channel[n] = flit.o_payload_channel[n]
    i.o_ready[n] = b.hold_o.i_ready[n]
    i.enable[n] = inputs.enable[n]
    i.init_valid[n] = words.init_valid[n]
    i.init_sequence[n] = words.init_sequence[n]
    i.init_value[n] = words.init_value[n]
    i.init_echo_ready[n] = words.send_init_echo_ready[n]
    i.ack_ready[n] = words.send_ack_ready[n]
    i.nack_ready[n] = words.send_nack_ready[n]


@inner
def deliver(b, inputs, outputs, n):
    """What the receiver has goes out, by way of the hold."""
    i, packet = b.hold_i, b.receiver_o
    i.i_valid[n] = packet.o_valid[n]
    move(i.i_payload_data, packet.o_payload_data, n)
    move(i.i_payload_keep, packet.o_payload_keep, n)
    i.i_payload_last[n] = packet.o_payload_last[n]
    i.i_payload_user[n] = packet.o_payload_user[n]
    i.i_payload_channel[n] = packet.o_payload_channel[n]
    i.i_payload_broken[n] = packet.o_payload_broken[n]
    i.holds[n] = b.holds or b.credit_receiver_o.copying[n] or b.arrivals_o.pending[n]
    i.o_ready[n] = inputs.o_ready[n]
    hold_outputs(b.hold_s, i, b.hold_o, n)

    f, flit, o = b.frame_receiver_i, b.hold_o, b.frame_receiver_o
    f.i_valid[n] = flit.o_valid[n]
    move(f.i_payload_data, flit.o_payload_data, n)
    move(f.i_payload_keep, flit.o_payload_keep, n)
    f.i_payload_last[n] = flit.o_payload_last[n]
    f.i_payload_user[n] = flit.o_payload_user[n]
    f.i_payload_channel[n] = flit.o_payload_channel[n]
    f.i_payload_broken[n] = flit.o_payload_broken[n]
    f.o_ready[n] = inputs.o_ready[n]
    credit_frame_receiver_outputs(b.frame_receiver_p, b.frame_receiver_s, f, o, n)
    if o.i_ready[n] != i.o_ready[n]:  # a frame of the link itself, which is always taken
        i.o_ready[n] = o.i_ready[n]
        hold_outputs(b.hold_s, i, b.hold_o, n)

    outputs.o_valid[n] = o.o_valid[n]
    move(outputs.o_payload_data, o.o_payload_data, n)
    move(outputs.o_payload_keep, o.o_payload_keep, n)
    outputs.o_payload_last[n] = o.o_payload_last[n]
    outputs.o_payload_user[n] = o.o_payload_user[n]
    outputs.o_channel[n] = o.channel[n]


@inner
def count_arrivals(b, inputs, n):
    """Inputs of what counts at the receiving end."""
    a, ending, events = b.arrivals_i, b.frame_receiver_o, b.arrivals_o
    a.end_valid[n] = ending.end_valid[n]
    a.end_kind[n] = ending.end_kind[n]
    a.end_channel[n] = ending.end_channel[n]
    a.end_value[n] = ending.end_value[n]
    a.accepted[n] = inputs.accepted[n]
    a.dropped[n] = inputs.dropped[n]
    i = b.credit_receiver_i
    lossless = inputs.credit_lossless[n]
    i.arrival_valid[n] = events.arrival_valid[n] and lossless >> events.arrival_channel[n] & 1
    i.arrival_channel[n] = events.arrival_channel[n]
    i.arrival_length[n] = events.arrival_length[n]
    i.arrival_stores[n] = events.arrival_stores[n]
    i.copy_valid[n] = events.copy_valid[n] and lossless >> events.copy_channel[n] & 1
    i.copy_channel[n] = events.copy_channel[n]
    i.copy_length[n] = events.copy_length[n]
    i.told_valid[n] = events.told_valid[n]
    i.told_channel[n] = events.told_channel[n]
    i.told_consumed[n] = events.told_consumed[n]
    i.released_valid[n] = inputs.released_valid[n] and lossless >> inputs.released_channel[n] & 1
    i.released_channel[n] = inputs.released_channel[n]
    i.limit_valid[n] = inputs.credit_receiver_limit_valid[n]
    i.limit_channel[n] = inputs.credit_receiver_limit_channel[n]
    i.limit_limit[n] = inputs.credit_receiver_limit_limit[n]
    i.update_cycles[n] = inputs.credit_update_cycles[n]
    i.refresh_cycles[n] = inputs.credit_refresh_cycles[n]
    i.reset[n] = inputs.credit_reset[n]
    i.update_ready[n] = b.words_o.send_credit_ready[n]


@inner
def show_events(b, outputs, n):
    """What the blocks tell."""
    sender, receiver = b.sender_o, b.receiver_o
    outputs.events_tx_init[n] = sender.tx_init[n]
    outputs.events_tx_discard[n] = sender.tx_discard[n]
    outputs.events_tx_ok[n] = sender.tx_ok[n]
    outputs.events_tx_poisoned[n] = sender.tx_poisoned[n]
    outputs.events_tx_replay[n] = sender.tx_replay[n]
    outputs.events_rx_init_echo[n] = sender.rx_init_echo[n]
    outputs.events_rx_ack[n] = sender.rx_ack[n]
    outputs.events_rx_nack[n] = sender.rx_nack[n]
    outputs.events_rx_ack_nack_seq_error[n] = sender.rx_ack_nack_seq_error[n]
    outputs.events_flushed[n] = sender.flushed[n]
    outputs.events_lost[n] = sender.lost[n]
    outputs.events_tx_init_echo[n] = receiver.tx_init_echo[n]
    outputs.events_tx_ack[n] = receiver.tx_ack[n]
    outputs.events_tx_nack[n] = receiver.tx_nack[n]
    outputs.events_rx_init[n] = receiver.rx_init[n]
    outputs.events_rx_ok[n] = receiver.rx_ok[n]
    outputs.events_rx_poisoned[n] = receiver.rx_poisoned[n]
    outputs.events_rx_bad[n] = receiver.rx_bad[n]
    outputs.events_rx_expected_seq_good[n] = receiver.rx_expected_seq_good[n]
    outputs.events_rx_expected_seq_poisoned[n] = receiver.rx_expected_seq_poisoned[n]
    outputs.events_rx_expected_seq_bad[n] = receiver.rx_expected_seq_bad[n]
    outputs.events_rx_missing_seq[n] = receiver.rx_missing_seq[n]
    outputs.events_rx_duplicate_seq[n] = receiver.rx_duplicate_seq[n]
    outputs.events_rx_replay[n] = receiver.rx_replay[n]
    outputs.events_rx_overrun[n] = receiver.rx_overrun[n]
    outputs.events_overrun[n] = b.deframer_o.overrun[n]
    outputs.events_malformed[n] = b.deframer_o.malformed[n]
    outputs.events_unknown[n] = b.words_o.unknown[n]
    gate, buffer = b.credit_sender_o, b.credit_receiver_o
    outputs.events_credit_healed[n] = buffer.healed[n] > 0
    outputs.events_credit_excess[n] = gate.excess[n] > 0 or buffer.excess[n]
    outputs.events_credit_overrun[n] = buffer.overrun[n] or b.arrivals_o.overrun[n]
    outputs.events_credit_underrun[n] = buffer.underrun[n]
    outputs.events_credit_stall[n] = gate.stalls[n] > 0


@inner
def link_outputs(b, inputs, outputs, n):
    """What both sides see in this cycle, and what the blocks tell each other in it.

    First what registers show, and whether the framer takes a flit; then whether the sender of retry
    does; then the control words, and what stands before the sender; last the way out.
    """
    retry_sender_outputs(b.sender_p, b.sender_s, b.sender_o, n)
    tell_framer(b, n)
    framer_outputs(b.framer_p, b.framer_s, b.framer_i, b.framer_o, n)
    deframer_outputs(b.deframer_p, b.deframer_s, b.deframer_o, n)
    retry_receiver_outputs(b.receiver_p, b.receiver_s, b.receiver_o, n)
    arrivals_outputs(b.arrivals_s, b.arrivals_o, n)
    credit_receiver_outputs(b.credit_receiver_p, b.credit_receiver_s, b.credit_receiver_o, n)
    tell_packets(b, inputs, n)
    b.sender_o.i_ready[n] = retry_sender_accepts(b.sender_p, b.sender_s, b.sender_i, n)
    tell_words(b, n)
    tell_gate(b, inputs, n)
    tell_flit(b, n)
    tell_sender(b, n)
    tell_line(b, inputs, n)
    deliver(b, inputs, outputs, n)
    tell_receiver(b, inputs, n)
    count_arrivals(b, inputs, n)

    outputs.i_ready[n] = b.credit_sender_o.i_ready[n]
    outputs.permit[n] = b.credit_sender_o.permit[n]
    outputs.stalled[n] = b.credit_sender_o.stalled[n]
    sends = not (b.frame_sender_o.idle[n] and b.sender_o.idle[n])
    receives = b.receiver_o.o_valid[n] or not b.hold_o.idle[n] or not b.arrivals_o.idle[n]
    outputs.drained[n] = b.credit_receiver_o.drained[n] and not sends and not receives
    outputs.to_pcs_valid[n] = b.framer_o.o_valid[n]
    move(outputs.to_pcs_payload_data, b.framer_o.o_payload_data, n)
    move(outputs.to_pcs_payload_control, b.framer_o.o_payload_control, n)
    outputs.sender_state[n] = b.sender_o.state[n]
    outputs.receiver_state[n] = b.receiver_o.state[n]
    show_events(b, outputs, n)


@inner
def link_clock(b, n):
    """The clock edge."""
    credit_sender_clock(
        b.credit_sender_p, b.credit_sender_s, b.credit_sender_i, b.credit_sender_o, n
    )
    credit_frame_sender_clock(b.frame_sender_p, b.frame_sender_s, b.frame_sender_i, n)
    retry_sender_clock(b.sender_p, b.sender_s, b.sender_i, n)
    framer_clock(b.framer_p, b.framer_s, b.framer_i, b.framer_o, n)
    deframer_clock(b.deframer_p, b.deframer_s, b.deframer_i, n)
    retry_receiver_clock(b.receiver_p, b.receiver_s, b.receiver_i, n)
    hold_clock(b.hold_s, b.hold_i, n)
    credit_frame_receiver_clock(b.frame_receiver_s, b.frame_receiver_i, b.frame_receiver_o, n)
    arrivals_clock(b.arrivals_s, b.arrivals_i, n)
    credit_receiver_clock(
        b.credit_receiver_p, b.credit_receiver_s, b.credit_receiver_i, b.credit_receiver_o, n
    )


@compiled
def links_outputs(b, inputs, outputs):
    """The outputs of all ends in this cycle, from Python."""
    for n in range(inputs.enable.size):
        link_outputs(b, inputs, outputs, n)


@compiled
def links_clock(b):
    """The clock edge of all ends, from Python."""
    for n in range(b.sender_s.state.size):
        link_clock(b, n)


class LinkModel:
    """``instances`` ends of links."""

    def __init__(self, config: LinkConfig, instances: int = 1):
        self.config, self.instances = config, instances
        data = (instances, config.words)
        keep = (instances, (config.flit_bytes + 63) // 64)
        words = (instances, config.words_per_cycle)
        control = (instances, -(-config.words_per_cycle // 8))
        wide = {
            "i_payload_data": data,
            "i_payload_keep": keep,
            "o_payload_data": data,
            "o_payload_keep": keep,
            "from_pcs_words_data": words,
            "from_pcs_words_control": control,
            "to_pcs_payload_data": words,
            "to_pcs_payload_control": control,
        }
        self.inputs, self.outputs = (
            allocate(kind, {f: wide.get(f, (instances,)) for f in kind._fields})
            for kind in (LinkInputs, LinkOutputs)
        )
        self.models = {
            "credit_sender": CreditSenderModel(config, instances),
            "frame_sender": CreditFrameSenderModel(config, instances),
            "sender": RetrySenderModel(config, instances),
            "framer": FramerModel(config, instances),
            "deframer": DeframerModel(config, instances),
            "receiver": RetryReceiverModel(config, instances),
            "hold": HoldModel(config, instances),
            "frame_receiver": CreditFrameReceiverModel(config, instances),
            "arrivals": ArrivalsModel(instances),
            "credit_receiver": CreditReceiverModel(config, instances),
            "words": ControlWordsModel(instances),
        }
        self.reset()

    def reset(self) -> None:
        """The state after reset."""
        parts: dict[str, object] = {"holds": int(self.config.store_and_forward)}
        for name, model in self.models.items():
            model.reset()
            places = {"p": "p", "s": "state", "i": "inputs", "o": "outputs"}
            parts |= {f"{name}_{part}": getattr(model, places[part]) for part in NAMES[name]}
        self.blocks = Blocks(**parts)

    def step(self) -> LinkOutputs:
        """Outputs of this cycle, then the clock edge."""
        links_outputs(self.blocks, self.inputs, self.outputs)
        links_clock(self.blocks)
        return self.outputs
