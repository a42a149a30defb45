"""Golden model of rtl.link.retry_sender: frames that are kept, each by itself, and what moves them.

The RTL keeps flits in one memory, with a table of where frames begin, and counts for its timers.
Here each frame has a list of flits, numbers never wrap, acknowledgements free one frame after the
other, and a timer is the cycle in which something last happened.
"""

from collections import namedtuple

from models.compiled import compiled, inner
from models.link.config import DownPolicy, LinkConfig, SenderState
from models.link.wire import SEQUENCE_BITS
from models.record import allocate

__all__ = [
    "RetrySenderInputs",
    "RetrySenderModel",
    "RetrySenderOutputs",
    "retry_sender_accepts",
    "retry_sender_clock",
    "retry_sender_outputs",
]

RetrySenderInputs = namedtuple(
    "RetrySenderInputs",
    "i_valid i_payload_data i_payload_keep i_payload_last i_payload_user channel enable pcs_up "
    "policy reconfigure ack_valid ack_sequence nack_valid nack_sequence init_echo_valid "
    "init_echo_sequence init_echo_value o_ready init_ready",
)
RetrySenderOutputs = namedtuple(
    "RetrySenderOutputs",
    "i_ready o_valid o_payload_data o_payload_count o_payload_last o_payload_poison o_payload_llr "
    "o_payload_sequence o_payload_channel init_valid init_payload_sequence init_payload_value "
    "state idle tx_init tx_ok tx_poisoned tx_discard tx_replay rx_init_echo rx_ack rx_nack "
    "rx_ack_nack_seq_error flushed lost",
)
EVENTS = RetrySenderOutputs._fields[RetrySenderOutputs._fields.index("tx_init") :]
# `event` has those of the cycle before, and `lost`. A frame has its place by its number: `length`
# flits of `data` and `count`. `number` and `position` tell what a replay sends next, at the
# earliest in the cycle `goes_at`. `*_at` are the last cycles in which a timer had no reason to run.
RetrySenderState = namedtuple(
    "RetrySenderState",
    "now state oldest next in_frame fate channel room flits held nacked replays asked value data "
    "count poison frame_channel length number position goes_at timer_at age_at down_at came word "
    "is_nack o_valid o_data o_count o_last o_poison o_llr o_sequence o_channel event",
)
Parameters = namedtuple(
    "Parameters",
    "words flit_bytes max_packet_flits replay window replay_timer data_age pcs_lost replay_count",
)

OFF, INIT, ADVANCE, REPLAY, FLUSH = (int(state) for state in SenderState)
DISCARD, BEST_EFFORT = int(DownPolicy.DISCARD), int(DownPolicy.BEST_EFFORT)
HOLD, NUMBERED, PLAIN, DISCARDED = range(4)  # fate of a packet
NOTHING, GIVE_UP, REPEAT = range(3)  # decisions between frames
(
    TX_INIT,
    TX_OK,
    TX_POISONED,
    TX_DISCARD,
    TX_REPLAY,
    RX_INIT_ECHO,
    RX_ACK,
    RX_NACK,
    RX_ERROR,
    FLUSHED,
    LOST,
) = range(len(EVENTS))
MASK = (1 << SEQUENCE_BITS) - 1


def sender_state(config: LinkConfig, instances: int) -> RetrySenderState:
    """State after reset."""
    shapes: dict[str, tuple[int, ...]] = dict.fromkeys(RetrySenderState._fields, (instances,))
    for name in ("poison", "frame_channel", "length"):
        shapes[name] = (instances, config.window)
    shapes["data"] = (instances, config.window, config.max_packet_flits, config.words)
    shapes["count"] = (instances, config.window, config.max_packet_flits)
    shapes["o_data"] = (instances, config.words)
    shapes["event"] = (instances, len(EVENTS))
    state = allocate(RetrySenderState, shapes)
    state.room[:] = 1
    state.oldest[:] = state.next[:] = config.first_sequence
    for stamp in (state.timer_at, state.age_at, state.down_at):
        stamp[:] = -1
    return state


@inner
def decision(p, s, inputs, n):
    """What must happen as soon as no frame is under way, in ADVANCE or REPLAY."""
    kept = s.next[n] - s.oldest[n]
    expired = s.state[n] == ADVANCE and s.now[n] - s.timer_at[n] > p.replay_timer
    repeats = kept > 0 and (s.nacked[n] or expired)
    if (
        not inputs.enable[n]
        or s.now[n] - s.age_at[n] > p.data_age
        or s.now[n] - s.down_at[n] > p.pcs_lost
        or (kept == 0 and inputs.reconfigure[n])
        or (repeats and s.replays[n] == p.replay_count)
    ):
        return GIVE_UP
    return REPEAT if repeats else NOTHING


@inner
def fate_of(p, s, inputs, n):
    """What becomes of the flit on ``i``: it is of the packet under way, or begins one."""
    if s.state[n] == REPLAY:
        return HOLD
    if s.in_frame[n]:
        return s.fate[n]
    if s.state[n] == OFF:
        return PLAIN
    if s.state[n] == ADVANCE:
        fits = s.room[n] and s.next[n] - s.oldest[n] < p.window
        may = fits and not inputs.reconfigure[n] and decision(p, s, inputs, n) == NOTHING
        return NUMBERED if may else HOLD
    if inputs.reconfigure[n] or s.held[n]:
        return HOLD
    if inputs.policy[n] == DISCARD:
        return DISCARDED
    return PLAIN if inputs.policy[n] == BEST_EFFORT else HOLD


@inner
def retry_sender_accepts(p, s, inputs, n):
    """``i_ready``: a flit on ``i`` would be taken."""
    fate = fate_of(p, s, inputs, n)
    return fate == DISCARDED or (fate != HOLD and (not s.o_valid[n] or inputs.o_ready[n]))


@compiled
def retry_sender_outputs(p, s, outputs, n):
    """What the registers show."""
    outputs.o_valid[n] = s.o_valid[n]
    for word in range(p.words):
        outputs.o_payload_data[n, word] = s.o_data[n, word]
    outputs.o_payload_count[n] = s.o_count[n]
    outputs.o_payload_last[n] = s.o_last[n]
    outputs.o_payload_poison[n] = s.o_poison[n]
    outputs.o_payload_llr[n] = s.o_llr[n]
    outputs.o_payload_sequence[n] = s.o_sequence[n] & MASK
    outputs.o_payload_channel[n] = s.o_channel[n]
    outputs.init_valid[n] = s.state[n] == INIT and not s.asked[n]
    outputs.init_payload_sequence[n] = s.next[n] & MASK
    outputs.init_payload_value[n] = s.value[n]
    outputs.state[n] = s.state[n]
    kept, sending = s.next[n] - s.oldest[n], s.in_frame[n] or s.o_valid[n]
    outputs.idle[n] = kept == 0 and not sending and s.state[n] != REPLAY
    outputs.tx_init[n] = s.event[n, TX_INIT]
    outputs.tx_ok[n] = s.event[n, TX_OK]
    outputs.tx_poisoned[n] = s.event[n, TX_POISONED]
    outputs.tx_discard[n] = s.event[n, TX_DISCARD]
    outputs.tx_replay[n] = s.event[n, TX_REPLAY]
    outputs.rx_init_echo[n] = s.event[n, RX_INIT_ECHO]
    outputs.rx_ack[n] = s.event[n, RX_ACK]
    outputs.rx_nack[n] = s.event[n, RX_NACK]
    outputs.rx_ack_nack_seq_error[n] = s.event[n, RX_ERROR]
    outputs.flushed[n] = s.event[n, FLUSHED]
    outputs.lost[n] = s.event[n, LOST]


@inner
def bytes_of(inputs, n):
    """Bytes of the flit on ``i``."""
    size = 0
    for word in range(inputs.i_payload_keep.shape[1]):
        for bit in range(64):
            size += inputs.i_payload_keep[n, word] >> bit & 1
    return size


@inner
def keep(p, s, inputs, n):
    """Append the flit on ``i`` to the frame that is next."""
    frame = s.next[n] % p.window
    if not s.in_frame[n]:
        s.length[n, frame] = 0
    k = s.length[n, frame]
    for word in range(p.words):
        s.data[n, frame, k, word] = inputs.i_payload_data[n, word]
    s.count[n, frame, k] = s.o_count[n]
    s.poison[n, frame] = s.o_poison[n]
    s.frame_channel[n, frame] = s.o_channel[n]
    s.length[n, frame] = k + 1
    s.flits[n] += 1


@inner
def take(p, s, inputs, n):
    """A flit of a packet is taken; 1 if it is kept."""
    fate, last = fate_of(p, s, inputs, n), inputs.i_payload_last[n]
    if not s.in_frame[n]:
        s.fate[n], s.channel[n] = fate, inputs.channel[n]
    if fate != DISCARDED:
        poison = last and inputs.i_payload_user[n] & 1
        s.o_valid[n] = 1
        for word in range(p.words):
            s.o_data[n, word] = inputs.i_payload_data[n, word]
        s.o_count[n] = bytes_of(inputs, n) - 1
        s.o_last[n], s.o_poison[n] = last, poison
        s.o_llr[n] = fate == NUMBERED
        s.o_sequence[n] = s.next[n]
        s.o_channel[n] = s.channel[n]
        if last:
            s.event[n, TX_POISONED if poison else TX_OK] = 1
    elif last:
        s.event[n, TX_DISCARD] = 1
    if fate == NUMBERED:
        keep(p, s, inputs, n)
        s.next[n] += last
    s.in_frame[n] = not last
    return fate == NUMBERED


@inner
def repeat_from_oldest(s, n):
    """The next frame of the replay is the oldest; its first flit has to be read."""
    s.number[n], s.position[n] = s.oldest[n], 0
    s.goes_at[n] = s.now[n] + 2


@inner
def repeat(p, s, n):
    """The next flit of the replay goes into ``o``."""
    frame, k = s.number[n] % p.window, s.position[n]
    last = k + 1 == s.length[n, frame]
    s.o_valid[n] = 1
    for word in range(p.words):
        s.o_data[n, word] = s.data[n, frame, k, word]
    s.o_count[n] = s.count[n, frame, k]
    s.o_last[n], s.o_poison[n] = last, last and s.poison[n, frame]
    s.o_llr[n] = 1
    s.o_sequence[n] = s.number[n]
    s.o_channel[n] = s.frame_channel[n, frame]
    s.in_frame[n] = not last
    s.position[n] = 0 if last else k + 1
    s.number[n] += last


@inner
def carry_out(p, s, kept, begun, n):
    """The ACK or NACK of the cycle before; 1 if it frees frames."""
    said = (s.word[n] - s.oldest[n]) & MASK  # the frame after the oldest
    if said != MASK and said >= kept:
        s.event[n, RX_ERROR] = 1
        return False
    frees = (said + 1) & MASK
    for _ in range(frees):
        s.flits[n] -= s.length[n, s.oldest[n] % p.window]
        s.oldest[n] += 1
        s.replays[n] = 0
    if s.is_nack[n] and frees < begun:
        s.nacked[n] = 1
    return frees > 0


@inner
def leave(p, s, inputs, n):
    """The next state, from one in which nothing is kept."""
    state = s.state[n]
    if not inputs.enable[n]:
        s.state[n] = OFF
    elif state == INIT:
        right = inputs.init_echo_sequence[n] == s.next[n] & MASK
        right = right and inputs.init_echo_value[n] == s.value[n]
        if right and inputs.init_echo_valid[n]:
            s.state[n] = ADVANCE
    elif state == OFF or not inputs.reconfigure[n]:
        s.state[n], s.asked[n] = INIT, 0
        s.value[n] = (s.value[n] + 1) & 0xFFFF


@compiled
def retry_sender_clock(p, s, inputs, n):
    """The clock edge."""
    now, state = s.now[n], s.state[n]
    active, kept = state in (ADVANCE, REPLAY), s.next[n] - s.oldest[n]
    between = active and not s.in_frame[n]
    # Frames that a NACK may ask for: the one under way is none of those that are kept yet.
    begun = kept + (state == ADVANCE and s.in_frame[n] and s.fate[n] == NUMBERED)
    decided = decision(p, s, inputs, n) if between else NOTHING
    free = not s.o_valid[n] or inputs.o_ready[n]
    taken = inputs.i_valid[n] and retry_sender_accepts(p, s, inputs, n)
    asks = state == INIT and not s.asked[n]
    s.event[n, :] = 0

    # What goes into o.
    flits, kept_one = s.flits[n], False
    if free:
        s.o_valid[n] = 0
    if state == REPLAY and decided == NOTHING:
        if between and (kept == 0 or s.number[n] == s.next[n]):
            s.state[n] = ADVANCE
        elif between and s.number[n] < s.oldest[n]:
            repeat_from_oldest(s, n)
        elif free and now >= s.goes_at[n]:
            repeat(p, s, n)
    if taken:
        kept_one = take(p, s, inputs, n)
    s.room[n] = flits + kept_one + p.max_packet_flits <= p.replay

    # Decisions.
    if begun == 0:
        s.nacked[n] = 0
    if decided == GIVE_UP:
        s.state[n] = FLUSH
        s.event[n, FLUSHED], s.event[n, LOST] = 1, kept
        s.oldest[n], s.flits[n], s.replays[n] = s.next[n], 0, 0
    elif decided == REPEAT:
        s.state[n] = REPLAY
        s.event[n, TX_REPLAY] = 1
        s.nacked[n] = 0
        s.replays[n] += 1
        repeat_from_oldest(s, n)
    s.held[n] = inputs.reconfigure[n] or (s.held[n] and state in (INIT, FLUSH))
    if asks and inputs.init_ready[n]:
        s.event[n, TX_INIT] = 1
        s.asked[n] = 1
    elif state == INIT and now - s.timer_at[n] > p.replay_timer:
        s.asked[n] = 0
    if not active:
        leave(p, s, inputs, n)

    # Words from the partner, and timers.
    progress = False
    if s.came[n] and active and decided != GIVE_UP:
        progress = carry_out(p, s, kept, begun, n)
    s.came[n] = inputs.ack_valid[n] or inputs.nack_valid[n]
    s.is_nack[n] = inputs.nack_valid[n]
    s.word[n] = inputs.nack_sequence[n] if inputs.nack_valid[n] else inputs.ack_sequence[n]
    s.event[n, RX_INIT_ECHO] = inputs.init_echo_valid[n]
    s.event[n, RX_ACK], s.event[n, RX_NACK] = inputs.ack_valid[n], inputs.nack_valid[n]
    waits = active and kept > 0 and not progress
    if not waits:
        s.age_at[n] = now
    if not (waits and state == ADVANCE) and (state != INIT or asks):
        s.timer_at[n] = now
    if inputs.pcs_up[n]:
        s.down_at[n] = now
    s.now[n] += 1


@compiled
def retry_sender_step(p, state, inputs, outputs):
    """Outputs of this cycle, then the clock edge, of all instances."""
    for n in range(state.now.size):
        retry_sender_outputs(p, state, outputs, n)
        outputs.i_ready[n] = retry_sender_accepts(p, state, inputs, n)
        retry_sender_clock(p, state, inputs, n)


class RetrySenderModel:
    """``instances`` senders."""

    def __init__(self, config: LinkConfig, instances: int = 1):
        self.config, self.instances = config, instances
        self.p = Parameters(
            words=config.words,
            flit_bytes=config.flit_bytes,
            max_packet_flits=config.max_packet_flits,
            replay=config.replay,
            window=config.window,
            replay_timer=config.replay_timer_cycles,
            data_age=config.data_age_cycles,
            pcs_lost=config.pcs_lost_cycles,
            replay_count=config.replay_count_max,
        )
        wide = {
            "i_payload_data": (instances, config.words),
            "i_payload_keep": (instances, (config.flit_bytes + 63) // 64),
            "o_payload_data": (instances, config.words),
        }
        kinds = RetrySenderInputs, RetrySenderOutputs
        self.inputs, self.outputs = (
            allocate(kind, {f: wide.get(f, (instances,)) for f in kind._fields}) for kind in kinds
        )
        self.reset()

    def reset(self) -> None:
        """The state after reset."""
        self.state = sender_state(self.config, self.instances)

    def step(self) -> RetrySenderOutputs:
        """Outputs of this cycle, then the clock edge."""
        retry_sender_step(self.p, self.state, self.inputs, self.outputs)
        return self.outputs
