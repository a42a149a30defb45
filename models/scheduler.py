"""Golden model of rtl.scheduler: who sends to whom, slot by slot.

The RTL moves slots through pipeline registers; this model keeps a *calendar*: for each input and
output the slots ahead, by their number. Slot ``t + 2 (K - k) + 1`` is the one that stage ``k``
grants for in cycle ``t``, and accepts for in the next.
"""

from collections import namedtuple

import numpy as np

from models.class_arbiter import class_arbiter_clock, class_arbiter_pick, class_arbiter_state
from models.compiled import compiled, inner
from models.config import SINGLES, SwitchConfig
from models.parameters import parameters
from models.record import allocate
from models.word import place

__all__ = [
    "SchedulerInputs",
    "SchedulerModel",
    "SchedulerOutputs",
    "SchedulerState",
    "scheduler_clock",
    "scheduler_output_shapes",
    "scheduler_outputs",
    "scheduler_state",
]

SchedulerInputs = namedtuple(
    "SchedulerInputs", "waits many taken_valid taken_flits taken_open complete lost accepts"
)
SchedulerOutputs = namedtuple(
    "SchedulerOutputs",
    "claim claim_queue connects match_valid match_queue select_valid select_input "
    "select_traffic_class active",
)
SchedulerState = namedtuple(
    "SchedulerState",
    "now place in_queue out_input left opened was_open connected_queue claimed_at out_connected "
    "grant_input grant_class grant_spent next_input next_class next_spent first_input want matched "
    "asking turns served "
    "claim_output claim_queue connects grant_pointer accept_pointer deficit refill",
)

FREE = -1
LONG_AGO = 1 << 20
KEPT = -2  # calendar: nobody is served, because a connection waits for its flits


def scheduler_state(config: SwitchConfig):
    """State after reset. The calendar is a ring of ``2 * iterations + 2`` slots."""
    n, c, k = config.ports, config.classes, config.iterations
    horizon = 2 * k + 2
    shapes = {
        "now": (1,),  # cycles since reset
        "place": (1,),  # in the calendar, of the slot of this cycle
        "in_queue": (n, horizon),  # queue that the input serves in the slot, or FREE or KEPT
        "out_input": (n, horizon),  # input that the output listens to in the slot, or the same
        "left": (n,),  # flits of the connection without a slot
        "opened": (n,),  # some of them have still to come
        "was_open": (n,),  # in the last cycle
        "connected_queue": (n,),
        "claimed_at": (n,),  # cycle in which the connection was claimed
        "out_connected": (n,),  # input that the output is connected to, or FREE
        "grant_input": (k, n),  # per output, of the last cycle, or FREE
        "grant_class": (k, n),
        "grant_spent": (k, n),
        "next_input": (k, n),  # the same, of this cycle
        "next_class": (k, n),
        "next_spent": (k, n),
        "first_input": (k, config.queues),  # that shows the queue, or FREE
        # The input shows the queue; only a wavefront asks.
        "want": (k, config.queues if config.scheduler == "wavefront" else 0, n),
        "matched": (n,),  # inputs with a grant of the wavefront
        "asking": (n,),  # outputs without one
        "turns": (n, c),  # round of connections of the output, from 1 on, for the wavefront
        "served": (n, c, n),  # the last round in which the input had its connection
        "claim_output": (k, n),  # per input, of the last cycle, or FREE
        "claim_queue": (n, k),
        "connects": (n,),
        "grant_pointer": (3, n, c),  # three sets, in turn
        "accept_pointer": (3, n),
        "deficit": (n, c),
        "refill": (n,),  # in this cycle, because of a claim in the last
    }
    state = allocate(SchedulerState, shapes)
    for calendar in (state.in_queue, state.out_input, state.out_connected, state.grant_input):
        calendar[:] = FREE
    state.claimed_at[:] = -LONG_AGO
    state.claim_output[:] = FREE
    state.claim_queue[:] = FREE
    state.deficit[:] = class_arbiter_state(config)
    state.turns[:] = 1
    return state


@inner
def bit(vector, n, queue):
    return vector[n, queue >> 6] >> (queue & 63) & 1


@inner
def output_of(p, queue):
    return queue >> p.class_bits


@inner
def class_of(p, queue):
    return queue & (p.classes - 1)


@inner
def ahead(p, s, slots):
    """Place in the calendar of the slot so many after that of this cycle, less than a round."""
    slot, horizon = s.place[0] + slots, s.in_queue.shape[1]
    return slot if slot < horizon else slot - horizon


@inner
def scheduler_outputs(p, s, outputs, i):
    """What the match register shows, and which outputs are active; see ``claims_to_bits``."""
    slot = s.place[0]
    for word in range(outputs.active.shape[1]):
        outputs.active[i, word] = 0
    for output in range(p.ports):
        outputs.select_valid[i, output] = s.out_input[output, slot] >= 0
        outputs.active[i, output >> 6] |= (s.out_connected[output] >= 0) << (output & 63)
    for slots in range(2 * p.iterations):
        later = ahead(p, s, slots)
        for output in range(p.ports):
            outputs.active[i, output >> 6] |= (s.out_input[output, later] >= 0) << (output & 63)
    for n in range(p.ports):
        queue = s.in_queue[n, slot]
        outputs.match_valid[i, n] = queue >= 0
        if queue >= 0:
            output = output_of(p, queue)
            outputs.match_queue[i, n] = queue
            outputs.select_input[i, output] = n
            outputs.select_traffic_class[i, output] = class_of(p, queue)


@inner
def distance(p, start, n):
    """Steps from ``start`` up to ``n``, around all ports."""
    return n - start if n >= start else n - start + p.ports


@inner
def accept(p, s, many, k):
    """What each input claims in stage ``k``, of the grants of the last cycle.

    Of the most urgent grants it is the first from the pointer on.
    """
    turn = (s.now[0] + 2) % 3
    for n in range(p.ports):
        s.claim_output[k, n] = FREE
        s.claim_queue[n, k] = FREE
        if k == 0:
            s.connects[n] = 0
    for output in range(p.ports):
        n = s.grant_input[k, output]
        if n < 0 or (k == 0 and barred(s, n)):
            continue
        better = s.claim_output[k, n] < 0
        if not better:
            rival = s.claim_output[k, n]
            gain = 0 if p.weighted else s.grant_class[k, output] - s.grant_class[k, rival]
            start = s.accept_pointer[turn, n]
            sooner = distance(p, start, output) < distance(p, start, rival)
            better = gain > 0 or (gain == 0 and sooner)
        if better:
            s.claim_output[k, n] = output
    for n in range(p.ports):
        output = s.claim_output[k, n]
        if output >= 0:
            queue = output * p.classes + s.grant_class[k, output]
            s.claim_queue[n, k] = queue
            if k == 0:
                s.connects[n] = bit(many, n, queue)


@inner
def busy(s, n):
    """The connection of input ``n`` takes the slot behind that of stage 0, or may."""
    return s.now[0] - s.claimed_at[n] <= 2 or s.was_open[n] or s.left[n] >= 2


@inner
def barred(s, n):
    """Input ``n`` has claimed a connection in the last cycle: what it shows finds no grant."""
    return s.now[0] - s.claimed_at[n] == 1


@inner
def collect(p, s, waits, many):
    """Who shows what in which stage: the first of the inputs that show a queue, ``first_input``.

    It is the first from the pointer of the output on, or -1; the wavefront wants to know them all,
    ``want[k, queue, n]``.
    """
    s.first_input[:] = FREE
    if p.wavefront:
        s.want[:] = 0
    for n in range(p.ports):
        stages = 0  # whose slots the input can give away
        if not busy(s, n) or barred(s, n):
            stages = 1
        for k in range(1, p.iterations):
            slot = ahead(p, s, 2 * (p.iterations - k) + 1)
            overtakes = s.now[0] - s.claimed_at[n] <= 2 * k - 2
            if s.in_queue[n, slot] == FREE and not overtakes:
                stages |= 1 << k
        for word in range(many.shape[1]):
            left = waits[n, 0, word] if stages else 0
            while left:
                lowest = left & -left
                left ^= lowest
                queue = 64 * word + place(lowest)
                under_way = pending(p, s, n, queue)
                if many[n, word] & lowest:
                    if not under_way:
                        show(p, s, n, queue, stages & 1)
                else:
                    flits = -under_way
                    for j in range(SINGLES):
                        flits += (waits[n, j, word] & lowest) != 0
                    if flits > 0:
                        show(p, s, n, queue, earliest(p, s, queue, flits, stages))


@inner
def pending(p, s, n, queue):
    """Grants and claims of the last cycle for ``queue`` of input ``n``."""
    output, c = output_of(p, queue), class_of(p, queue)
    count = 0
    for k in range(p.iterations):
        count += s.grant_input[k, output] == n and s.grant_class[k, output] == c
        count += s.claim_queue[n, k] == queue
    return count


@inner
def earliest(p, s, queue, flits, stages):
    """Of the ``stages`` as many as there are ``flits``, those of the first slots.

    Only those count whose slot the output can give away, too. Stage 0 is the last, and whether the
    output is busy there is its own affair.
    """
    output, chosen = output_of(p, queue), 0
    for k in range(p.iterations - 1, 0, -1):
        slot = ahead(p, s, 2 * (p.iterations - k) + 1)
        if flits and stages >> k & 1 and s.out_input[output, slot] == FREE:
            chosen |= 1 << k
            flits -= 1
    return chosen | (stages & 1 if flits else 0)


@inner
def show(p, s, n, queue, stages):
    """Input ``n`` shows ``queue`` in the ``stages`` whose bits are set."""
    start = s.grant_pointer[s.now[0] % 3, output_of(p, queue), class_of(p, queue)]
    for k in range(p.iterations):
        if stages >> k & 1:
            first = s.first_input[k, queue]
            if first < 0 or distance(p, start, n) < distance(p, start, first):
                s.first_input[k, queue] = n
            if p.wavefront:
                s.want[k, queue, n] = 1


@inner
def pick(p, s, many, accepts, k):
    """The class that each output picks in stage ``k``."""
    for output in range(p.ports):
        s.next_input[k, output] = FREE
        s.next_class[k, output] = FREE
        if k == 0:
            connected = s.out_connected[output]
            if connected >= 0 and busy(s, connected):
                continue
            n = s.grant_input[0, output]
            if n >= 0 and bit(many, n, output * p.classes + s.grant_class[0, output]):
                continue  # that may become a connection
        elif s.out_input[output, ahead(p, s, 2 * (p.iterations - k) + 1)] != FREE:
            continue
        requests = 0
        for c in range(p.classes):
            if accepts[output] >> c & 1 and s.first_input[k, output * p.classes + c] >= 0:
                requests |= 1 << c
        if requests:
            c = class_arbiter_pick(p, s.deficit[output], requests)
            s.next_class[k, output] = c
            s.next_spent[k, output] = s.deficit[output, c] <= 0


@inner
def islip(p, s, k):
    """Each output grants the first input that shows the class, from its pointer on."""
    for output in range(p.ports):
        c = s.next_class[k, output]
        if c >= 0:
            s.next_input[k, output] = s.first_input[k, output * p.classes + c]


@inner
def wavefront(p, s, many, k):
    """A maximal matching, diagonal by diagonal from one that moves on every cycle.

    Who has had its connection in the round of an output makes way for who has not.
    """
    s.matched[:] = 0
    asking = 0
    for output in range(p.ports):
        c = s.next_class[k, output]
        if c >= 0:
            s.asking[asking] = output
            asking += 1
            if k == 0:
                make_way(p, s, many, output * p.classes + c)
    first = p.stride * (s.now[0] + k) % p.ports  # output that input 0 meets
    for _ in range(p.ports):
        left = 0
        for number in range(asking):
            output = s.asking[number]
            n = distance(p, first, output)
            queue = output * p.classes + s.next_class[k, output]
            if s.want[k, queue, n] and not s.matched[n]:
                s.next_input[k, output] = n
                s.matched[n] = 1
            else:
                s.asking[left] = output
                left += 1
        asking = left
        first += p.stride
        if first >= p.ports:
            first -= p.ports


@inner
def make_way(p, s, many, queue):
    """In stage 0 ``queue`` is not wanted as a whole by who was served, if somebody was not."""
    output, c = output_of(p, queue), class_of(p, queue)
    now, waits = s.turns[output, c], False
    for n in range(p.ports):
        whole = s.want[0, queue, n] and bit(many, n, queue)
        waits = waits or (whole and s.served[output, c, n] < now)
    for n in range(p.ports):
        if waits and s.served[output, c, n] == now and bit(many, n, queue):
            s.want[0, queue, n] = 0


@inner
def serve(p, s):
    """The connections that were claimed in the last cycle; a second one begins a round."""
    for n in range(p.ports):
        if barred(s, n):
            output, c = output_of(p, s.connected_queue[n]), class_of(p, s.connected_queue[n])
            if s.served[output, c, n] == s.turns[output, c]:
                s.turns[output, c] += 1
            s.served[output, c, n] = s.turns[output, c]


@inner
def scheduler_clock(
    p, s, waits, many, taken_valid, taken_flits, taken_open, complete, lost, accepts
):
    """Claims and grants of this cycle, then the clock edge.

    ``waits`` (ports, SINGLES, words) and ``many`` (ports, words) are bits in words; the other
    inputs have one entry per port. Claims are left in ``claim_queue`` and ``connects``, for the
    next cycle.
    """
    k_all = p.iterations
    for n in range(p.ports):
        if taken_valid[n]:
            s.left[n] = taken_flits[n] - 1

    collect(p, s, waits, many)  # with the claims of the last cycle
    for k in range(k_all):
        accept(p, s, many, k)
    for k in range(k_all):
        pick(p, s, many, accepts, k)
        if p.wavefront:
            wavefront(p, s, many, k)
        else:
            islip(p, s, k)
    for output in range(p.ports):
        n = s.next_input[0, output]
        if n >= 0 and barred(s, n):
            s.next_input[0, output] = FREE

    if p.wavefront:
        serve(p, s)

    # Weights: what is selected now is charged; a pick without deficit refills when it is claimed.
    if p.weighted:
        for output in range(p.ports):
            class_arbiter_clock(p, s.deficit[output], s.refill[output] == 1)
            s.refill[output] = 0
            for k in range(k_all):
                n = s.grant_input[k, output]
                if n >= 0 and s.claim_output[k, n] == output and s.grant_spent[k, output]:
                    s.refill[output] = 1
            n = s.out_input[output, s.place[0]]
            if n >= 0:
                s.deficit[output, class_of(p, s.in_queue[n, s.place[0]])] -= 1

    # Connections: the slot of stage 0, and who stays connected.
    slot = ahead(p, s, 2 * k_all)
    for n in range(p.ports):
        if s.left[n] > 0:
            queue = s.connected_queue[n]
            s.in_queue[n, slot] = queue
            s.out_input[output_of(p, queue), slot] = n
            s.left[n] -= 1
        elif s.opened[n]:
            s.in_queue[n, slot] = KEPT
            s.out_input[output_of(p, s.connected_queue[n]), slot] = KEPT
        s.left[n] += lost[n]
        s.was_open[n] = s.opened[n]
        s.opened[n] = (s.opened[n] or (taken_valid[n] and taken_open[n])) and not complete[n]

    s.now[0] += 1
    for output in range(p.ports):
        n = s.out_connected[output]
        if n >= 0 and not busy(s, n):
            s.out_connected[output] = FREE
    s.now[0] -= 1

    # Claims, the youngest stage last: it moves a pointer that several would move.
    turn = (s.now[0] + 2) % 3
    for k in range(k_all - 1, -1, -1):
        slot = ahead(p, s, 2 * (k_all - k))
        for n in range(p.ports):
            output = s.claim_output[k, n]
            if output < 0:
                continue
            queue = s.claim_queue[n, k]
            s.in_queue[n, slot] = queue
            s.out_input[output, slot] = n
            s.grant_pointer[turn, output, class_of(p, queue)] = (n + 1) % p.ports
            s.accept_pointer[turn, n] = (output + 1) % p.ports
            if k == 0 and s.connects[n]:
                s.claimed_at[n] = s.now[0]
                s.connected_queue[n] = queue
                s.out_connected[output] = n

    # The clock edge: the slot of this cycle is over, another one comes into sight.
    for k in range(k_all):
        for output in range(p.ports):
            s.grant_input[k, output] = s.next_input[k, output]
            s.grant_class[k, output] = s.next_class[k, output]
            s.grant_spent[k, output] = s.next_spent[k, output]
    for n in range(p.ports):
        s.in_queue[n, s.place[0]] = FREE
        s.out_input[n, s.place[0]] = FREE
    s.now[0] += 1
    s.place[0] = ahead(p, s, 1)


@inner
def claims_to_bits(p, s, outputs, i):
    """The claims of the last cycle as the ports tell them: one-hot vectors, and numbers."""
    for word in range(outputs.connects.shape[1]):
        outputs.connects[i, word] = 0
    for n in range(p.ports):
        for k in range(p.iterations):
            queue = s.claim_queue[n, k]
            for word in range(outputs.claim.shape[3]):
                outputs.claim[i, n, k, word] = 0
            outputs.claim_queue[i, n, k] = max(queue, 0)
            if queue >= 0:
                outputs.claim[i, n, k, queue >> 6] |= 1 << (queue & 63)
        outputs.connects[i, n >> 6] |= s.connects[n] << (n & 63)


@compiled
def scheduler_step(p, s, inputs, outputs, complete, lost):
    """Outputs of this cycle, then the clock edge; ``complete`` and ``lost`` have room for bits."""
    scheduler_outputs(p, s, outputs, 0)
    claims_to_bits(p, s, outputs, 0)
    for n in range(p.ports):
        complete[n] = inputs.complete[0, n >> 6] >> (n & 63) & 1
        lost[n] = inputs.lost[0, n >> 6] >> (n & 63) & 1
    scheduler_clock(
        p,
        s,
        inputs.waits[0],
        inputs.many[0],
        inputs.taken_valid[0],
        inputs.taken_flits[0],
        inputs.taken_open[0],
        complete,
        lost,
        inputs.accepts[0],
    )


class SchedulerModel:
    """One matching per cycle, ``iterations`` of them under way; see docs/microarchitecture.md."""

    def __init__(self, config: SwitchConfig):
        self.config = config
        self.p = parameters(config)
        n = config.ports
        vector = (config.queues + 63) // 64
        self.inputs = allocate(
            SchedulerInputs,
            {
                "waits": (1, n, SINGLES, vector),
                "many": (1, n, vector),
                "taken_valid": (1, n),
                "taken_flits": (1, n),
                "taken_open": (1, n),
                "complete": (1, (n + 63) // 64),
                "lost": (1, (n + 63) // 64),
                "accepts": (1, n),
            },
        )
        self.outputs = allocate(SchedulerOutputs, scheduler_output_shapes(config))
        self.bits = [np.zeros(n, dtype=np.int64) for _ in range(2)]
        self.reset()

    def reset(self) -> None:
        """The state after reset."""
        self.state = scheduler_state(self.config)

    def step(self) -> SchedulerOutputs:
        """Outputs of this cycle, then the clock edge."""
        scheduler_step(self.p, self.state, self.inputs, self.outputs, *self.bits)
        return self.outputs


def scheduler_output_shapes(config: SwitchConfig) -> dict[str, tuple[int, ...]]:
    """Shapes of :class:`SchedulerOutputs`."""
    n, k = config.ports, config.iterations
    vector, port_words = (config.queues + 63) // 64, (n + 63) // 64
    wide = {"claim": (1, n, k, vector), "claim_queue": (1, n, k)}
    wide |= {"connects": (1, port_words), "active": (1, port_words)}
    return {name: wide.get(name, (1, n)) for name in SchedulerOutputs._fields}
