"""Golden model of rtl.link.control_words: a word as seven bytes, D1 to D7, by arithmetic."""

from collections import namedtuple

from models.compiled import compiled, inner
from models.link.framer import check_step
from models.link.wire import CREDIT_BITS, Control
from models.record import allocate

__all__ = [
    "ControlWordsInputs",
    "ControlWordsModel",
    "ControlWordsOutputs",
    "control_words_outputs",
]

WORD = "type sequence_high sequence_middle padding sequence_low value rest"
ControlWordsInputs = namedtuple(
    "ControlWordsInputs",
    "send_init_valid send_init_payload_sequence send_init_payload_value send_init_echo_valid "
    "send_init_echo_payload_sequence send_init_echo_payload_value send_nack_valid "
    "send_nack_payload_sequence send_ack_valid send_ack_payload_sequence send_credit_valid "
    "send_credit_payload_entry_freed send_credit_payload_entry_channel o_ready i_valid "
    + " ".join(f"i_payload_{field}" for field in WORD.split()),
)
ControlWordsOutputs = namedtuple(
    "ControlWordsOutputs",
    "send_init_ready send_init_echo_ready send_nack_ready send_ack_ready send_credit_ready o_valid "
    + " ".join(f"o_payload_{field}" for field in WORD.split())
    + " init_valid init_sequence init_value init_echo_valid init_echo_sequence init_echo_value "
    "nack_valid nack_sequence ack_valid ack_sequence credit_valid credit_channel credit_freed "
    "unknown",
)

PAIRS = {"credit_channel", "credit_freed"}
PAIRS |= {"send_credit_payload_entry_freed", "send_credit_payload_entry_channel"}
UPDATE_NUMBERS = 1 << CREDIT_BITS
FILL, ACK, NACK, INIT, INIT_ECHO, CF_UPDATE = (int(kind) for kind in Control)


@inner
def check(kind, sequence, padding, value):
    """D7 of a word, from D1 to D6."""
    found = check_step(check_step(0xFF, kind), sequence // 4096)
    found = check_step(found, sequence // 16 % 256)
    found = check_step(found, sequence % 16 * 16 + padding)
    return check_step(check_step(found, value % 256), value // 256)


@inner
def say(outputs, kind, sequence, value, n):
    """A word: D2, D3 and the upper half of D4 are the sequence, then D5 and D6."""
    outputs.o_payload_type[n] = kind
    outputs.o_payload_sequence_high[n] = sequence // 4096
    outputs.o_payload_sequence_middle[n] = sequence // 16 % 256
    outputs.o_payload_sequence_low[n] = sequence % 16
    outputs.o_payload_padding[n] = 0
    outputs.o_payload_value[n] = value
    outputs.o_payload_rest[n] = check(kind, sequence, 0, value)


@inner
def entry(i, n, k):
    """What a CF_Update says of a channel, as a number."""
    return (
        i.send_credit_payload_entry_channel[n, k] * UPDATE_NUMBERS
        + i.send_credit_payload_entry_freed[n, k]
    )


@inner
def choose(i, n):
    """What is most urgent, or FILL."""
    if i.send_init_valid[n]:
        return INIT
    if i.send_init_echo_valid[n]:
        return INIT_ECHO
    if i.send_nack_valid[n]:
        return NACK
    if i.send_ack_valid[n]:
        return ACK
    return CF_UPDATE if i.send_credit_valid[n] else FILL


@inner
def send(i, o, n):
    """The word to the framer."""
    kind = choose(i, n)
    o.o_valid[n] = kind != FILL
    if kind == INIT:
        say(o, kind, i.send_init_payload_sequence[n], i.send_init_payload_value[n], n)
    elif kind == INIT_ECHO:
        sequence, value = i.send_init_echo_payload_sequence[n], i.send_init_echo_payload_value[n]
        say(o, kind, sequence, value, n)
    elif kind == NACK:
        say(o, kind, i.send_nack_payload_sequence[n], 0, n)
    elif kind == ACK:
        say(o, kind, i.send_ack_payload_sequence[n], 0, n)
    elif kind == CF_UPDATE:
        # An entry is 20 bits: the first ends in the type, the second begins in the half of D4.
        first, second = entry(i, n, 0), entry(i, n, 1)
        sequence = first % 256 * 4096 + first // 256 % 256 * 16 + second % 16
        say(o, kind + first // 65536, sequence, second // 16, n)
    ready = i.o_ready[n]
    o.send_init_ready[n] = ready and kind == INIT
    o.send_init_echo_ready[n] = ready and kind == INIT_ECHO
    o.send_nack_ready[n] = ready and kind == NACK
    o.send_ack_ready[n] = ready and kind == ACK
    o.send_credit_ready[n] = ready and kind in (CF_UPDATE, FILL)


@inner
def receive(i, o, n):
    """What the word from the deframer means."""
    kind, value = i.i_payload_type[n], i.i_payload_value[n]
    sequence = i.i_payload_sequence_high[n] * 4096 + i.i_payload_sequence_middle[n] * 16
    sequence += i.i_payload_sequence_low[n]
    padding = i.i_payload_padding[n]
    updates = kind // 16 * 16 == CF_UPDATE
    good = i.i_payload_rest[n] == check(kind, sequence, padding, value) and padding == 0
    if kind in (ACK, NACK):
        good = good and value == 0
    elif kind == FILL:
        good = True
    elif not updates and kind not in (INIT, INIT_ECHO):
        good = False
    valid = i.i_valid[n]
    o.unknown[n] = valid and not good
    o.init_valid[n] = valid and good and kind == INIT
    o.init_echo_valid[n] = valid and good and kind == INIT_ECHO
    o.nack_valid[n] = valid and good and kind == NACK
    o.ack_valid[n] = valid and good and kind == ACK
    o.credit_valid[n] = valid and good and updates
    o.init_sequence[n] = o.init_echo_sequence[n] = sequence
    o.nack_sequence[n] = o.ack_sequence[n] = sequence
    o.init_value[n] = o.init_echo_value[n] = value
    first = i.i_payload_sequence_high[n] + 256 * i.i_payload_sequence_middle[n]
    first += 65536 * (kind % 16)
    second = i.i_payload_sequence_low[n] + 16 * value
    o.credit_freed[n, 0] = first % UPDATE_NUMBERS
    o.credit_channel[n, 0] = first // UPDATE_NUMBERS
    o.credit_freed[n, 1] = second % UPDATE_NUMBERS
    o.credit_channel[n, 1] = second // UPDATE_NUMBERS


@inner
def control_words_outputs(inputs, outputs, n):
    """Outputs of this cycle; there is no state."""
    send(inputs, outputs, n)
    receive(inputs, outputs, n)


@compiled
def control_words_step(inputs, outputs):
    """The same of all instances."""
    for n in range(inputs.o_ready.size):
        control_words_outputs(inputs, outputs, n)


class ControlWordsModel:
    """``instances`` ends of links."""

    def __init__(self, instances: int = 1):
        shape = instances, 2
        self.inputs, self.outputs = (
            allocate(kind, {name: shape[: 1 + (name in PAIRS)] for name in kind._fields})
            for kind in (ControlWordsInputs, ControlWordsOutputs)
        )

    def reset(self) -> None:
        """Nothing: there is no state."""

    def step(self) -> ControlWordsOutputs:
        """Outputs of this cycle."""
        control_words_step(self.inputs, self.outputs)
        return self.outputs
