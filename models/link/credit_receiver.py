"""Golden model of rtl.link.credit_receiver: totals of what has come and of what is free.

The RTL counts the flits that are stored, and what is free is what remains. Here each packet frees,
as it comes, what it will not store, and each flit frees itself as it leaves, it may be beforehand;
totals are not cyclic. The RTL counts down what leaves before a copy and of it. Here flits that
leave a channel are numbered, and a copy has some of the numbers.
"""

from collections import namedtuple

from models.compiled import compiled, inner
from models.link.config import LinkConfig
from models.link.credit_sender import credit_parameters, credits_in, tick
from models.link.wire import CREDIT_BITS, CREDIT_COUNTER_BITS, CREDIT_TIMER_BITS
from models.record import allocate

__all__ = [
    "CreditReceiverInputs",
    "CreditReceiverModel",
    "CreditReceiverOutputs",
    "credit_receiver_clock",
    "credit_receiver_outputs",
    "credit_receiver_shapes",
    "credit_receiver_state",
]

CreditReceiverInputs = namedtuple(
    "CreditReceiverInputs",
    "arrival_valid arrival_channel arrival_length arrival_stores copy_valid copy_channel "
    "copy_length released_valid released_channel told_valid told_channel told_consumed limit_valid "
    "limit_channel limit_limit update_cycles refresh_cycles reset update_ready",
)
CreditReceiverOutputs = namedtuple(
    "CreditReceiverOutputs",
    "update_valid update_payload_entry_freed update_payload_entry_channel healed excess copying "
    "overrun underrun drained",
)
# Of each channel: credits that have `come`, flits that are `free`, that have `gone`. `came`,
# `copied`, `left`, `heard`: channel that an event of the last cycle named, or NONE; `counted`: of
# an arrival before that. `refused`: a copy came that must not. The flits of the last copy are those
# from number `first` of its channel to the one before `beyond`.
# `pair` was looked at in the last cycle and had `seen` credits free.
CreditReceiverState = namedtuple(
    "CreditReceiverState",
    "come free gone limit reported came came_credits came_flits copied copied_flits refused left "
    "copy_channel first beyond heard "
    "heard_consumed counted overflow drained looking pair seen turn refreshed refresh "
    "refresh_elapsed since valid told_pair told_freed",
)

NONE = -1
NUMBERS = 1 << CREDIT_COUNTER_BITS
UPDATE_NUMBERS = 1 << CREDIT_BITS
LONGEST = (1 << CREDIT_TIMER_BITS) - 1


def credit_receiver_shapes(config: LinkConfig, instances: int) -> tuple[dict, dict]:
    """Shapes of the inputs and of the outputs."""
    kinds = CreditReceiverInputs, CreditReceiverOutputs
    inputs, outputs = (
        {field: (instances, 2) if "entry" in field else (instances,) for field in kind._fields}
        for kind in kinds
    )
    return inputs, outputs


def credit_receiver_state(config: LinkConfig, instances: int) -> CreditReceiverState:
    """State after reset."""
    shapes: dict[str, tuple[int, ...]] = dict.fromkeys(CreditReceiverState._fields, (instances,))
    for name in ("come", "free", "gone", "limit", "reported"):
        shapes[name] = (instances, config.channels)
    for name in ("seen", "told_freed"):
        shapes[name] = (instances, 2)
    state = allocate(CreditReceiverState, shapes)
    for event in (state.came, state.copied, state.left, state.heard, state.counted, state.pair):
        event[:] = NONE
    state.drained[:] = 1
    return state


@inner
def flits_in(p, length):
    """Flits that a packet stores whose header tells ``length``."""
    left, flits = min(length, p.max_packet_bytes), 0
    while left > 0:
        left -= p.flit_bytes
        flits += 1
    return flits


@inner
def stored(p, s, n, c):
    """Flits of a channel that are not free; negative if some left before their packet counts."""
    return s.come[n, c] * (p.credit_bytes // p.flit_bytes) - s.free[n, c]


@inner
def ahead(p, s, n):
    """Credits that a CC_Update knows of and that have not come; none if it is old."""
    if s.heard[n] == NONE or s.heard[n] >= p.channels:
        return 0
    credits = (s.heard_consumed[n] - s.come[n, s.heard[n]]) % NUMBERS
    return credits if credits < NUMBERS // 2 else 0


@inner
def change(p, s, n, c):
    """Flits that a channel stores after the events of the last cycle; may be impossible."""
    flits, number = stored(p, s, n, c), s.gone[n, c]
    if s.left[n] == c and not (s.copy_channel[n] == c and s.first[n] <= number < s.beyond[n]):
        flits -= 1
    if s.came[n] == c:
        flits += s.came_flits[n]
    return flits


@compiled
def credit_receiver_outputs(p, s, outputs, n):
    """What comes out in this cycle."""
    credits, heard = ahead(p, s, n), s.heard[n]
    good = credits > 0 and credits <= s.limit[n, heard]
    outputs.healed[n] = credits if good else 0
    outputs.excess[n] = (credits > 0 and not good) or heard >= p.channels
    outputs.underrun[n] = s.left[n] >= p.channels
    for c in range(p.channels):
        after = change(p, s, n, c)
        outputs.underrun[n] |= after < -flits_in(p, p.max_packet_bytes)
        outputs.underrun[n] |= s.copied[n] == c and after + s.copied_flits[n] < 0
    yet = s.beyond[n] - max(s.first[n], s.gone[n, s.copy_channel[n]])
    outputs.copying[n] = yet > 0 or 0 <= s.copied[n] < p.channels
    outputs.overrun[n] = s.overflow[n]
    c = s.counted[n]
    if c != NONE:
        outputs.overrun[n] |= stored(p, s, n, c) * p.flit_bytes > s.limit[n, c] * p.credit_bytes
    outputs.drained[n] = s.drained[n]
    outputs.update_valid[n] = s.valid[n]
    for lane in range(2):
        c = min(2 * s.told_pair[n] + lane, p.channels - 1)
        outputs.update_payload_entry_channel[n, lane] = c
        outputs.update_payload_entry_freed[n, lane] = s.told_freed[n, c % 2]


@inner
def tell(p, s, inputs, n):
    """Whether the pair that was looked at is told of."""
    pairs = (p.channels + 1) // 2
    due = tick(s.refresh_elapsed, inputs.refresh_cycles[n], n)
    pair, tells, renews = s.pair[n], False, False
    if pair != NONE and not inputs.reset[n] and (inputs.update_ready[n] or not s.valid[n]):
        news = False
        for c in range(2 * pair, min(2 * pair + 2, p.channels)):
            untold = (s.seen[n, c % 2] - s.reported[n, c]) % UPDATE_NUMBERS
            news |= untold > 0
            tells |= untold > s.limit[n, c] // 4
        renews = s.refresh[n] != 0 and s.refreshed[n] == pair
        tells |= renews
        if s.turn[n] == pair and s.since[n] + 1 >= inputs.update_cycles[n]:
            tells |= news
            s.turn[n] = (pair + 1) % pairs
        s.valid[n] = tells
    if renews:
        s.refreshed[n] = (pair + 1) % pairs
        s.refresh[n] = 0
    s.refresh[n] |= due
    s.since[n] = 0 if tells else min(s.since[n] + 1, LONGEST)
    if tells:
        s.told_pair[n] = pair
        for lane in range(2):
            s.told_freed[n, lane] = s.seen[n, lane]
        for c in range(2 * pair, min(2 * pair + 2, p.channels)):
            s.reported[n, c] = s.seen[n, c % 2]


@inner
def look(p, s, inputs, n):
    """What the next pair has free, before the events of this cycle."""
    s.pair[n] = NONE if inputs.reset[n] else s.looking[n]
    for lane in range(2):
        c, free = 2 * s.looking[n] + lane, 0
        if c < p.channels:
            free = min(s.free[n, c] // (p.credit_bytes // p.flit_bytes), s.come[n, c])
        s.seen[n, lane] = free % UPDATE_NUMBERS
    s.looking[n] = (s.looking[n] + 1) % ((p.channels + 1) // 2)


@inner
def count(p, s, inputs, outputs, n):
    """The events of the last cycle."""
    per_credit = p.credit_bytes // p.flit_bytes
    least, most = -flits_in(p, p.max_packet_bytes), UPDATE_NUMBERS * per_credit - 1
    heard, came = s.heard[n], s.came[n]
    s.overflow[n] = came >= p.channels or s.copied[n] >= p.channels or s.refused[n]
    s.counted[n] = came if came < p.channels else NONE
    s.drained[n] = s.counted[n] == NONE and not outputs.copying[n]
    s.drained[n] &= not (inputs.arrival_valid[n] or inputs.copy_valid[n])
    for c in range(p.channels):
        s.drained[n] &= stored(p, s, n, c) == 0
        after = change(p, s, n, c)
        s.overflow[n] |= after > most
        if heard == c:
            s.come[n, c] += outputs.healed[n]
        if came == c:
            s.come[n, c] += s.came_credits[n]
        s.gone[n, c] += s.left[n] == c
        after = min(max(after, least), most)
        if s.copied[n] == c:
            s.copy_channel[n], s.first[n] = c, s.gone[n, c] + after
            s.beyond[n] = s.first[n] + s.copied_flits[n]
            after = max(after, 0)  # what has gone of it frees nothing
        s.free[n, c] = s.come[n, c] * per_credit - after


@compiled
def credit_receiver_clock(p, s, inputs, outputs, n):
    """The clock edge."""
    tell(p, s, inputs, n)
    look(p, s, inputs, n)
    count(p, s, inputs, outputs, n)

    up = not inputs.reset[n]
    s.came[n] = inputs.arrival_channel[n] if inputs.arrival_valid[n] else NONE
    s.came_credits[n] = credits_in(p, inputs.arrival_length[n]) if up else 0
    s.came_flits[n] = flits_in(p, inputs.arrival_length[n]) if inputs.arrival_stores[n] else 0
    s.refused[n] = inputs.copy_valid[n] and (outputs.copying[n] or inputs.arrival_valid[n])
    s.copied[n] = inputs.copy_channel[n] if inputs.copy_valid[n] and not s.refused[n] else NONE
    s.copied_flits[n] = flits_in(p, inputs.copy_length[n])
    s.left[n] = inputs.released_channel[n] if inputs.released_valid[n] else NONE
    s.heard[n] = inputs.told_channel[n] if inputs.told_valid[n] and up else NONE
    s.heard_consumed[n] = inputs.told_consumed[n]
    if inputs.limit_valid[n] and inputs.limit_channel[n] < p.channels:
        s.limit[n, inputs.limit_channel[n]] = inputs.limit_limit[n]
    if inputs.reset[n]:
        s.valid[n] = 0
        for c in range(p.channels):
            s.free[n, c] = -stored(p, s, n, c)
            s.come[n, c] = s.reported[n, c] = 0


@compiled
def credit_receiver_step(p, s, inputs, outputs):
    """Outputs of this cycle, then the clock edge, of all instances."""
    for n in range(s.since.size):
        credit_receiver_outputs(p, s, outputs, n)
        credit_receiver_clock(p, s, inputs, outputs, n)


class CreditReceiverModel:
    """``instances`` counters."""

    def __init__(self, config: LinkConfig, instances: int = 1):
        self.config, self.instances = config, instances
        self.p = credit_parameters(config)
        inputs, outputs = credit_receiver_shapes(config, instances)
        self.inputs = allocate(CreditReceiverInputs, inputs)
        self.outputs = allocate(CreditReceiverOutputs, outputs)
        self.reset()

    def reset(self) -> None:
        """The state after reset."""
        self.state = credit_receiver_state(self.config, self.instances)

    def step(self) -> CreditReceiverOutputs:
        """Outputs of this cycle, then the clock edge."""
        credit_receiver_step(self.p, self.state, self.inputs, self.outputs)
        return self.outputs
