"""Golden model of rtl.link.retry_receiver: what becomes of each frame, and what is answered.

The RTL has the next flits of ``o`` in registers and counts up to an ACK; here they are a ring, and
an ACK has the cycle in which it falls due. All of a frame's fate hangs on its role.
"""

from collections import namedtuple

from models.compiled import compiled, inner
from models.link.config import LinkConfig, ReceiverState
from models.link.wire import SEQUENCE_BITS
from models.record import allocate
from models.word import low_bits

__all__ = [
    "RetryReceiverInputs",
    "RetryReceiverModel",
    "RetryReceiverOutputs",
    "retry_receiver_clock",
    "retry_receiver_outputs",
]

RetryReceiverInputs = namedtuple(
    "RetryReceiverInputs",
    "i_valid i_payload_data i_payload_count i_payload_first i_payload_last i_payload_bad "
    "i_payload_poison i_payload_check i_payload_llr i_payload_sequence i_payload_channel o_ready "
    "enable init_valid init_sequence init_value init_echo_ready ack_ready nack_ready",
)
RetryReceiverOutputs = namedtuple(
    "RetryReceiverOutputs",
    "o_valid o_payload_data o_payload_keep o_payload_last o_payload_user o_payload_channel "
    "o_payload_broken init_echo_valid init_echo_payload_sequence "
    "init_echo_payload_value ack_valid ack_payload_sequence nack_valid "
    "nack_payload_sequence state rx_ok rx_poisoned rx_bad rx_expected_seq_good "
    "rx_expected_seq_poisoned rx_expected_seq_bad rx_missing_seq rx_duplicate_seq rx_replay "
    "rx_init rx_overrun tx_ack tx_nack tx_init_echo",
)
EVENTS = RetryReceiverOutputs._fields[RetryReceiverOutputs._fields.index("rx_ok") :]
# `event` has those of the cycle before.
RetryReceiverState = namedtuple(
    "RetryReceiverState",
    "now state expected received role passes cut data count last error channel broken "
    "head flits due repeat "
    "echo_waits echo_sequence echo_value event",
)
Parameters = namedtuple("Parameters", "words flit_bytes ack_cycles")

OFF, SEND_ACKS, SEND_NACK, NACK_SENT = (int(state) for state in ReceiverState)
UNNUMBERED, UNTRUSTED, EXPECTED, MISSING, DUPLICATE = range(5)
(
    OK,
    POISONED,
    BAD,
    SEQ_GOOD,
    SEQ_POISONED,
    SEQ_BAD,
    MISSING_SEQ,
    DUPLICATE_SEQ,
    REPLAY,
    INIT,
    OVERRUN,
    ACK,
    NACK,
    INIT_ECHO,
) = range(len(EVENTS))
NUMBERS = 1 << SEQUENCE_BITS
NEVER = 1 << 62
DEPTH = 2  # flits that wait for o


def receiver_state(config: LinkConfig, instances: int) -> RetryReceiverState:
    """State after reset."""
    shapes: dict[str, tuple[int, ...]] = dict.fromkeys(RetryReceiverState._fields, (instances,))
    shapes["data"] = (instances, DEPTH, config.words)
    for name in ("count", "last", "error", "channel", "broken"):
        shapes[name] = (instances, DEPTH)
    shapes["event"] = (instances, len(EVENTS))
    state = allocate(RetryReceiverState, shapes)
    state.due[:] = NEVER
    return state


@inner
def ack_waits(s, n):
    """An ACK is due."""
    return s.repeat[n] or s.now[n] >= s.due[n]


@compiled
def retry_receiver_outputs(p, s, outputs, n):
    """What the registers show."""
    slot = s.head[n]
    outputs.o_valid[n] = s.flits[n] > 0
    for word in range(p.words):
        outputs.o_payload_data[n, word] = s.data[n, slot, word]
    for word in range(outputs.o_payload_keep.shape[1]):
        outputs.o_payload_keep[n, word] = low_bits(s.count[n, slot] + 1 - 64 * word)
    outputs.o_payload_last[n] = s.last[n, slot]
    outputs.o_payload_user[n] = s.error[n, slot]
    outputs.o_payload_channel[n] = s.channel[n, slot]
    outputs.o_payload_broken[n] = s.broken[n, slot]
    outputs.init_echo_valid[n] = s.echo_waits[n]
    outputs.init_echo_payload_sequence[n] = s.echo_sequence[n]
    outputs.init_echo_payload_value[n] = s.echo_value[n]
    outputs.ack_valid[n] = ack_waits(s, n)
    outputs.ack_payload_sequence[n] = s.received[n]
    outputs.nack_valid[n] = s.state[n] == SEND_NACK
    outputs.nack_payload_sequence[n] = s.received[n]
    outputs.state[n] = s.state[n]
    outputs.rx_ok[n] = s.event[n, OK]
    outputs.rx_poisoned[n] = s.event[n, POISONED]
    outputs.rx_bad[n] = s.event[n, BAD]
    outputs.rx_expected_seq_good[n] = s.event[n, SEQ_GOOD]
    outputs.rx_expected_seq_poisoned[n] = s.event[n, SEQ_POISONED]
    outputs.rx_expected_seq_bad[n] = s.event[n, SEQ_BAD]
    outputs.rx_missing_seq[n] = s.event[n, MISSING_SEQ]
    outputs.rx_duplicate_seq[n] = s.event[n, DUPLICATE_SEQ]
    outputs.rx_replay[n] = s.event[n, REPLAY]
    outputs.rx_init[n] = s.event[n, INIT]
    outputs.rx_overrun[n] = s.event[n, OVERRUN]
    outputs.tx_ack[n] = s.event[n, ACK]
    outputs.tx_nack[n] = s.event[n, NACK]
    outputs.tx_init_echo[n] = s.event[n, INIT_ECHO]


@inner
def begin(s, inputs, n):
    """The first flit tells the role of a frame."""
    s.cut[n] = s.passes[n] = 0
    s.role[n] = UNTRUSTED
    if not inputs.i_payload_check[n]:
        return
    s.role[n] = UNNUMBERED
    if inputs.i_payload_llr[n]:
        ahead = inputs.i_payload_sequence[n] - s.expected[n]
        if ahead < -NUMBERS // 2:
            ahead += NUMBERS
        elif ahead >= NUMBERS // 2:
            ahead -= NUMBERS
        if s.state[n] == OFF or ahead > 0:
            s.role[n] = MISSING
        else:
            s.role[n] = EXPECTED if ahead == 0 else DUPLICATE
    s.passes[n] = s.role[n] <= EXPECTED


@inner
def deliver(p, s, inputs, n):
    """The flit joins those that wait, or its packet ends with the flit before it."""
    if s.flits[n] == DEPTH:
        s.event[n, OVERRUN] = 1
        s.cut[n], s.passes[n] = 1, 0
        if not inputs.i_payload_first[n]:
            newest = (s.head[n] + DEPTH - 1) % DEPTH
            s.last[n, newest] = s.error[n, newest] = s.broken[n, newest] = 1
        return
    slot = (s.head[n] + s.flits[n]) % DEPTH
    s.flits[n] += 1
    for word in range(p.words):
        s.data[n, slot, word] = inputs.i_payload_data[n, word]
    s.count[n, slot] = inputs.i_payload_count[n]
    s.last[n, slot] = inputs.i_payload_last[n]
    s.channel[n, slot] = inputs.i_payload_channel[n]
    s.broken[n, slot] = inputs.i_payload_last[n] and inputs.i_payload_bad[n]
    s.error[n, slot] = s.broken[n, slot] or (
        inputs.i_payload_last[n] and inputs.i_payload_poison[n]
    )


@inner
def ask(s, n):
    """A NACK takes the place of whatever would have been sent."""
    s.state[n] = SEND_NACK
    s.due[n], s.repeat[n] = NEVER, 0


@inner
def end(p, s, inputs, before, n):
    """Judge the frame whose last flit came, in state ``before``."""
    role, passed = s.role[n], False
    wrong = inputs.i_payload_bad[n] or not inputs.i_payload_check[n] or s.cut[n]
    poisoned = not wrong and inputs.i_payload_poison[n]
    s.event[n, BAD if wrong else POISONED if poisoned else OK] = 1
    if role == EXPECTED:
        s.event[n, SEQ_BAD if wrong else SEQ_POISONED if poisoned else SEQ_GOOD] = 1
        passed = not wrong
    if passed:
        s.event[n, REPLAY] = before != SEND_ACKS
        s.state[n] = SEND_ACKS
        s.received[n] = s.expected[n]
        s.expected[n] = (s.expected[n] + 1) % NUMBERS
        if s.due[n] == NEVER:
            s.due[n] = s.now[n] + p.ack_cycles
    elif role == EXPECTED:
        if before != SEND_NACK:
            ask(s, n)
    elif role in (MISSING, UNTRUSTED):
        s.event[n, MISSING_SEQ] = role == MISSING
        if before == SEND_ACKS:
            ask(s, n)
    elif role == DUPLICATE:
        s.event[n, DUPLICATE_SEQ] = 1
        s.repeat[n] |= before != SEND_NACK


@compiled
def retry_receiver_clock(p, s, inputs, n):
    """The clock edge."""
    before = s.state[n]
    s.event[n, :] = 0

    if ack_waits(s, n) and inputs.ack_ready[n]:
        s.event[n, ACK] = 1
        s.due[n], s.repeat[n] = NEVER, 0
    if before == SEND_NACK and inputs.nack_ready[n]:
        s.event[n, NACK] = 1
        s.state[n] = NACK_SENT
    if s.echo_waits[n] and inputs.init_echo_ready[n]:
        s.event[n, INIT_ECHO] = 1
        s.echo_waits[n] = 0
    if s.flits[n] > 0 and inputs.o_ready[n]:
        s.flits[n] -= 1
        s.head[n] = (s.head[n] + 1) % DEPTH

    if inputs.i_valid[n]:
        if inputs.i_payload_first[n]:
            begin(s, inputs, n)
        if s.passes[n]:
            deliver(p, s, inputs, n)
        if inputs.i_payload_last[n]:
            end(p, s, inputs, before, n)
            s.passes[n] = 0

    starts = inputs.enable[n] and inputs.init_valid[n]
    if starts or (before != OFF and not inputs.enable[n]):
        s.event[n, INIT] = starts
        s.state[n] = SEND_ACKS if starts else OFF
        s.role[n] = UNNUMBERED
        s.due[n], s.repeat[n] = NEVER, 0
        s.echo_waits[n] = starts
    if starts:
        s.expected[n] = s.echo_sequence[n] = inputs.init_sequence[n]
        s.received[n] = (inputs.init_sequence[n] - 1) % NUMBERS
        s.echo_value[n] = inputs.init_value[n]
    s.now[n] += 1


@compiled
def retry_receiver_step(p, state, inputs, outputs):
    """Outputs of this cycle, then the clock edge, of all instances."""
    for n in range(state.now.size):
        retry_receiver_outputs(p, state, outputs, n)
        retry_receiver_clock(p, state, inputs, n)


class RetryReceiverModel:
    """``instances`` receivers."""

    def __init__(self, config: LinkConfig, instances: int = 1):
        self.config, self.instances = config, instances
        self.p = Parameters(config.words, config.flit_bytes, config.ack_cycles)
        wide = {
            "i_payload_data": (instances, config.words),
            "o_payload_data": (instances, config.words),
            "o_payload_keep": (instances, (config.flit_bytes + 63) // 64),
        }
        kinds = RetryReceiverInputs, RetryReceiverOutputs
        self.inputs, self.outputs = (
            allocate(kind, {f: wide.get(f, (instances,)) for f in kind._fields}) for kind in kinds
        )
        self.reset()

    def reset(self) -> None:
        """The state after reset."""
        self.state = receiver_state(self.config, self.instances)

    def step(self) -> RetryReceiverOutputs:
        """Outputs of this cycle, then the clock edge."""
        retry_receiver_step(self.p, self.state, self.inputs, self.outputs)
        return self.outputs
