"""Golden model of rtl.link.credit_frame.

The RTL goes from phase to phase; here a sender has a countdown to its next update and the flits of
it that are left, and a receiver looks the first word of a packet up as its last flit goes.
"""

from collections import namedtuple
from math import ceil

from models.compiled import compiled, inner
from models.link.config import EndKind, LinkConfig
from models.link.wire import CREDIT_COUNTER_BITS, OWN_CHANNEL
from models.record import allocate
from models.word import low_bits

__all__ = [
    "CreditFrameReceiverInputs",
    "CreditFrameReceiverModel",
    "CreditFrameReceiverOutputs",
    "CreditFrameSenderInputs",
    "CreditFrameSenderModel",
    "CreditFrameSenderOutputs",
    "credit_frame_receiver_clock",
    "credit_frame_receiver_outputs",
    "credit_frame_sender_clock",
    "credit_frame_sender_outputs",
    "passes_packets",
]

AXIS = ["valid", "payload_data", "payload_keep", "payload_last", "payload_user"]
CreditFrameSenderInputs = namedtuple(
    "CreditFrameSenderInputs",
    [
        *(f"i_{name}" for name in AXIS),
        *("channel", "consumed_valid", "consumed_payload_channel"),
        *("consumed_payload_consumed", "o_ready"),
    ],
)
CreditFrameSenderOutputs = namedtuple(
    "CreditFrameSenderOutputs",
    ["i_ready", "consumed_ready", *(f"o_{name}" for name in AXIS), "o_channel", "idle"],
)
CreditFrameReceiverInputs = namedtuple(
    "CreditFrameReceiverInputs",
    [*(f"i_{name}" for name in AXIS), "i_payload_channel", "i_payload_broken", "o_ready"],
)
CreditFrameReceiverOutputs = namedtuple(
    "CreditFrameReceiverOutputs",
    [
        *("i_ready", *(f"o_{name}" for name in AXIS), "channel"),
        *("end_valid", "end_kind", "end_channel", "end_value"),
    ],
)
# `pause`: cycles until an update begins, 0 while packets go; `left`: flits of it.
SenderState = namedtuple("SenderState", "in_packet pause left word")
ReceiverState = namedtuple("ReceiverState", "in_packet word channel")
Parameters = namedtuple("Parameters", "words flit_bytes size")

PACKET, BROKEN, TOLD = (int(kind) for kind in EndKind)
PAUSE = 2


@inner
def passes_packets(s, n):
    """Packets go through, no update is about to."""
    return s.pause[n] == 0 and s.left[n] == 0


@compiled
def credit_frame_sender_outputs(p, s, inputs, outputs, n):
    """What goes to ``o``."""
    idle = passes_packets(s, n)
    outputs.idle[n] = idle and not s.in_packet[n]
    outputs.consumed_ready[n] = s.pause[n] == 1
    outputs.i_ready[n] = idle and inputs.o_ready[n]
    outputs.o_valid[n] = s.left[n] > 0 or (idle and inputs.i_valid[n])
    for w in range(p.words):
        outputs.o_payload_data[n, w] = inputs.i_payload_data[n, w] if idle else 0
    for w in range(outputs.o_payload_keep.shape[1]):
        outputs.o_payload_keep[n, w] = inputs.i_payload_keep[n, w] if idle else 0
    outputs.o_payload_last[n] = idle and inputs.i_payload_last[n]
    outputs.o_payload_user[n] = inputs.i_payload_user[n] if idle else 0
    outputs.o_channel[n] = inputs.channel[n] if idle else 0
    if s.left[n] > 0:
        bytes_left = p.size - (ceil(p.size / p.flit_bytes) - s.left[n]) * p.flit_bytes
        if bytes_left == p.size:
            outputs.o_payload_data[n, 0] = s.word[n]
        for w in range(outputs.o_payload_keep.shape[1]):
            outputs.o_payload_keep[n, w] = low_bits(min(bytes_left, p.flit_bytes) - 64 * w)
        outputs.o_payload_last[n] = bytes_left <= p.flit_bytes
        outputs.o_channel[n] = OWN_CHANNEL


@compiled
def credit_frame_sender_clock(p, s, inputs, n):
    """The clock edge."""
    if s.left[n] > 0:
        if inputs.o_ready[n]:
            s.left[n] -= 1
            if s.left[n] == 0 and inputs.consumed_valid[n] and not inputs.i_valid[n]:
                s.pause[n] = 1
    elif s.pause[n] > 0:
        s.pause[n] -= 1
        if s.pause[n] == 0 and inputs.consumed_valid[n]:
            s.left[n] = ceil(p.size / p.flit_bytes)
            channel = inputs.consumed_payload_channel[n] << CREDIT_COUNTER_BITS
            s.word[n] = inputs.consumed_payload_consumed[n] | channel | p.size << 32
    else:
        if inputs.i_valid[n] and inputs.o_ready[n]:
            s.in_packet[n] = not inputs.i_payload_last[n]
        waits = inputs.i_valid[n] and not inputs.o_ready[n]
        if inputs.consumed_valid[n] and not s.in_packet[n] and not waits:
            s.pause[n] = PAUSE


@compiled
def credit_frame_sender_step(p, s, inputs, outputs):
    """One cycle of all instances."""
    for n in range(s.left.size):
        credit_frame_sender_outputs(p, s, inputs, outputs, n)
        credit_frame_sender_clock(p, s, inputs, n)


@compiled
def credit_frame_receiver_outputs(p, s, inputs, outputs, n):
    """What goes to ``o``, and what has ended."""
    own = inputs.i_payload_channel[n] >= OWN_CHANNEL
    outputs.i_ready[n] = own or inputs.o_ready[n]
    outputs.o_valid[n] = inputs.i_valid[n] and not own
    for w in range(p.words):
        outputs.o_payload_data[n, w] = inputs.i_payload_data[n, w]
    for w in range(outputs.o_payload_keep.shape[1]):
        outputs.o_payload_keep[n, w] = inputs.i_payload_keep[n, w]
    outputs.o_payload_last[n] = inputs.i_payload_last[n]
    outputs.o_payload_user[n] = inputs.i_payload_user[n]
    outputs.channel[n] = inputs.i_payload_channel[n] if outputs.o_valid[n] else 0

    word, channel = inputs.i_payload_data[n, 0], inputs.i_payload_channel[n]
    if s.in_packet[n]:
        word, channel = s.word[n], s.channel[n]
    length, consumed = word >> 32 & 0xFFFF, word & ((1 << CREDIT_COUNTER_BITS) - 1)
    told = channel >= OWN_CHANNEL
    outputs.end_value[n] = consumed if told else length
    outputs.end_channel[n] = (word >> CREDIT_COUNTER_BITS if told else channel) & 31
    outputs.end_kind[n] = TOLD if own else BROKEN if inputs.i_payload_broken[n] else PACKET
    ends = inputs.i_valid[n] and outputs.i_ready[n] and inputs.i_payload_last[n]
    if own and (
        inputs.i_payload_channel[n] != OWN_CHANNEL
        or inputs.i_payload_broken[n]
        or inputs.i_payload_user[n] & 1
    ):
        ends = False
    outputs.end_valid[n] = ends


@compiled
def credit_frame_receiver_clock(s, inputs, outputs, n):
    """The clock edge."""
    if inputs.i_valid[n] and outputs.i_ready[n]:
        if not s.in_packet[n]:
            s.word[n] = inputs.i_payload_data[n, 0]
            s.channel[n] = inputs.i_payload_channel[n]
        s.in_packet[n] = not inputs.i_payload_last[n]


@compiled
def credit_frame_receiver_step(p, s, inputs, outputs):
    """One cycle of all instances."""
    for n in range(s.word.size):
        credit_frame_receiver_outputs(p, s, inputs, outputs, n)
        credit_frame_receiver_clock(s, inputs, outputs, n)


def records(config: LinkConfig, instances: int, inputs, outputs):
    """Inputs and outputs of ``instances``."""
    wide = {"payload_data": config.words, "payload_keep": ceil(config.flit_bytes / 64)}
    return tuple(
        allocate(
            kind,
            {f: (instances, wide[f[2:]]) if f[2:] in wide else (instances,) for f in kind._fields},
        )
        for kind in (inputs, outputs)
    )


class CreditFrameSenderModel:
    """``instances`` senders."""

    def __init__(self, config: LinkConfig, instances: int = 1):
        self.instances = instances
        self.p = Parameters(config.words, config.flit_bytes, config.min_packet_bytes)
        self.inputs, self.outputs = records(
            config, instances, CreditFrameSenderInputs, CreditFrameSenderOutputs
        )
        self.reset()

    def reset(self) -> None:
        """The state after reset."""
        self.state = allocate(SenderState, dict.fromkeys(SenderState._fields, (self.instances,)))

    def step(self) -> CreditFrameSenderOutputs:
        """Outputs of this cycle, then the clock edge."""
        credit_frame_sender_step(self.p, self.state, self.inputs, self.outputs)
        return self.outputs


class CreditFrameReceiverModel:
    """``instances`` receivers."""

    def __init__(self, config: LinkConfig, instances: int = 1):
        self.instances = instances
        self.p = Parameters(config.words, config.flit_bytes, config.min_packet_bytes)
        self.inputs, self.outputs = records(
            config, instances, CreditFrameReceiverInputs, CreditFrameReceiverOutputs
        )
        self.reset()

    def reset(self) -> None:
        """The state after reset."""
        self.state = allocate(
            ReceiverState, dict.fromkeys(ReceiverState._fields, (self.instances,))
        )

    def step(self) -> CreditFrameReceiverOutputs:
        """Outputs of this cycle, then the clock edge."""
        credit_frame_receiver_step(self.p, self.state, self.inputs, self.outputs)
        return self.outputs
