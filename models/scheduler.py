"""Golden model of rtl.scheduler: who sends to whom, slot by slot.

The RTL keeps one vector per pipeline stage; this model keeps a *calendar*: for each input and each
output the bookings of the slots ahead. Slot ``t + K - k`` is the one that stage ``k`` works on in
cycle ``t``.
"""

from collections import namedtuple

import numpy as np

from models.class_arbiter import class_arbiter_clock, class_arbiter_pick, class_arbiter_state
from models.compiled import compiled
from models.config import SwitchConfig
from models.parameters import parameters
from models.record import allocate

__all__ = ["SchedulerInputs", "SchedulerModel", "SchedulerOutputs", "scheduler_state"]

SchedulerInputs = namedtuple(
    "SchedulerInputs", "singles longs partial length complete_valid complete_flits room"
)
SchedulerOutputs = namedtuple(
    "SchedulerOutputs",
    "claim_valid claim_queue reserve_valid reserve_traffic_class reserve_length match_valid "
    "match_queue select_valid select_input select_traffic_class select_first",
)
SchedulerState = namedtuple(
    "SchedulerState",
    "now in_queue in_first out_input opened opened_queue grant_pointer accept_pointer "
    "start deficit want wants grant_input grant_queue claim_output claim_length matched_queue "
    "matched_first",
)

FREE = -1  # calendar: nobody has booked the slot
KEPT = -2  # calendar: the input stays idle, so that a long packet behind is not overtaken


def scheduler_state(config: SwitchConfig):
    """State after reset. The calendar is a ring of ``horizon`` slots."""
    n, c, k = config.ports, config.classes, config.iterations
    horizon = config.max_packet_flits + k + 2
    shapes = {
        "now": (1,),  # cycle, modulo the ring
        "in_queue": (n, horizon),  # queue that the input serves, FREE or KEPT
        "in_first": (n, horizon),  # first flit of a packet
        "out_input": (n, horizon),  # input that the output listens to, or FREE
        "opened": (n,),  # the connection of the input has no known end
        "opened_queue": (n,),
        "grant_pointer": (n, c),
        "accept_pointer": (n,),
        "start": (1,),  # first diagonal of the wavefront
        "deficit": (n, c),
        "want": (k, config.queues, n),  # visible requests of this cycle
        "wants": (k, config.queues),  # how many
        "grant_input": (k, n),  # per output
        "grant_queue": (k, n),
        "claim_output": (k, n),  # per input
        "claim_length": (k, n),
        "matched_queue": (n,),  # the match register
        "matched_first": (n,),
    }
    state = allocate(SchedulerState, shapes)
    state.in_queue[:] = FREE
    state.out_input[:] = FREE
    state.matched_queue[:] = FREE
    state.deficit[:] = class_arbiter_state(config)
    return state


@compiled
def finish(p, s, n, flits):
    """The queue of the open connection of input ``n`` holds its last ``flits``, those of packets
    that are matched but not popped yet included: give back what lies behind its end."""
    horizon = s.in_queue.shape[1]
    queue = s.opened_queue[n]
    output = queue // p.classes
    served = int(s.matched_queue[n] == queue)  # flits popped in this cycle or in a booked slot
    ahead = 0
    while ahead < p.iterations or served < flits:
        slot = (s.now[0] + ahead) % horizon
        if ahead >= p.iterations:
            s.in_queue[n, slot] = queue
            s.in_first[n, slot] = 0
            s.out_input[output, slot] = n
        if s.in_queue[n, slot] == queue:
            if served < flits:
                served += 1
            else:
                s.in_queue[n, slot] = FREE
                s.out_input[output, slot] = FREE
        ahead += 1
    s.opened[n] = 0


@compiled
def show(p, s, singles, length):
    """Which queue shows in which stage, into ``want`` and ``wants``."""
    horizon = s.in_queue.shape[1]
    s.want[:] = 0
    s.wants[:] = 0
    for n in range(p.ports):
        for queue in range(p.queues):
            if length[n, queue] == 0:
                continue
            output = queue // p.classes
            if length[n, queue] == 1:
                left = singles[n, queue]
                for ahead in range(p.iterations):  # earliest slots first
                    slot = (s.now[0] + ahead) % horizon
                    if s.in_queue[n, slot] == FREE and s.out_input[output, slot] == FREE:
                        s.want[p.iterations - 1 - ahead, queue, n] = 1
                        s.wants[p.iterations - 1 - ahead, queue] += 1
                        left -= 1
                        if left == 0:
                            break
            else:
                ahead = p.iterations  # the earliest slot from which all later ones are free
                while ahead > 0:
                    slot = (s.now[0] + ahead - 1) % horizon
                    if s.in_queue[n, slot] != FREE or s.out_input[output, slot] != FREE:
                        break
                    ahead -= 1
                if ahead < p.iterations:
                    s.want[p.iterations - 1 - ahead, queue, n] = 1
                    s.wants[p.iterations - 1 - ahead, queue] += 1


@compiled
def choose_class(p, s, stage, output, room):
    """Class that ``output`` picks in ``stage``, or -1."""
    requests = 0
    for c in range(p.classes):
        older = p.iterations - 1 - stage
        if s.wants[stage, output * p.classes + c] and room[output, c] >= 1 + older:
            requests |= 1 << c
    return class_arbiter_pick(p, s.deficit[output], requests)


@compiled
def islip(p, s, stage, length, room):
    """One iteration: each output grants one input, each input accepts one output."""
    older = p.iterations - 1 - stage
    for output in range(p.ports):
        s.grant_input[stage, output] = -1
        c = choose_class(p, s, stage, output, room)
        if c < 0:
            continue
        queue = output * p.classes + c
        for step in range(p.ports):
            n = (s.grant_pointer[output, c] + step) % p.ports
            if s.want[stage, queue, n]:
                if room[output, c] >= length[n, queue] + older:  # else nothing: strict
                    s.grant_input[stage, output] = n
                    s.grant_queue[stage, output] = queue
                break
    for n in range(p.ports):
        s.claim_output[stage, n] = -1
        best = -1
        for step in range(p.ports):
            output = (s.accept_pointer[n] + step) % p.ports
            if s.grant_input[stage, output] == n:
                urgency = 0 if p.weighted else s.grant_queue[stage, output] % p.classes
                if urgency > best:
                    best = urgency
                    s.claim_output[stage, n] = output


@compiled
def wavefront(p, s, stage, length, room):
    """A maximal matching, diagonal by diagonal from one that moves on every cycle."""
    older = p.iterations - 1 - stage
    for output in range(p.ports):
        s.grant_input[stage, output] = -1
        s.grant_queue[stage, output] = -1
        c = choose_class(p, s, stage, output, room)
        if c < 0:
            continue
        queue = output * p.classes + c
        fits = True
        for n in range(p.ports):
            if s.want[stage, queue, n] and room[output, c] < length[n, queue] + older:
                fits = False  # short packets must not starve a long one
        if fits:
            s.grant_queue[stage, output] = queue
    s.claim_output[stage, :] = -1
    for step in range(p.ports):
        for n in range(p.ports):
            output = (n + s.start[0] + stage + step) % p.ports
            queue = s.grant_queue[stage, output]
            free = s.claim_output[stage, n] < 0 and s.grant_input[stage, output] < 0
            if queue >= 0 and free and s.want[stage, queue, n]:
                s.claim_output[stage, n] = output
                s.grant_input[stage, output] = n


@compiled
def cancelled(p, s, stage, n, output):
    """A long packet claimed in an older stage needs this input or output."""
    for older in range(stage + 1, p.iterations):
        other = s.claim_output[older, n]
        if other >= 0 and s.claim_length[older, n] > 1:
            return True
        for m in range(p.ports):
            if s.claim_output[older, m] == output and s.claim_length[older, m] > 1:
                return True
    return False


@compiled
def book(p, s, stage, n, output, queue, flits, partial):
    """Enter a claim into the calendar."""
    horizon = s.in_queue.shape[1]
    begin = p.iterations - 1 - stage
    end = begin + flits - 1
    if flits > 1:
        for ahead in range(begin):
            slot = (s.now[0] + ahead) % horizon
            if s.in_queue[n, slot] == FREE:
                s.in_queue[n, slot] = KEPT
        if partial:
            s.opened[n] = 1
            s.opened_queue[n] = queue
            end = p.iterations - 1
    for ahead in range(begin, end + 1):
        slot = (s.now[0] + ahead) % horizon
        s.in_queue[n, slot] = queue
        s.in_first[n, slot] = ahead == begin
        s.out_input[output, slot] = n


@compiled
def scheduler_outputs(p, s, outputs, i):
    """What the match register shows."""
    for output in range(p.ports):
        outputs.select_valid[i, output] = 0
    for n in range(p.ports):
        queue = s.matched_queue[n]
        outputs.match_valid[i, n] = queue >= 0
        if queue >= 0:
            output = queue // p.classes
            outputs.match_queue[i, n] = queue
            outputs.select_valid[i, output] = 1
            outputs.select_input[i, output] = n
            outputs.select_traffic_class[i, output] = queue % p.classes
            outputs.select_first[i, output] = s.matched_first[n]


@compiled
def scheduler_match(p, s, singles, length, partial, complete_valid, complete_flits, room, o, i):
    """Claims of this cycle, then the clock edge.

    ``singles``, ``length`` and ``partial`` are arrays (ports, queues): singles in a row at the
    head (up to ``iterations``), flits of the packet at the head (0: the queue shows nothing), and
    whether that is still arriving. ``room`` is (ports, classes).
    """
    horizon = s.in_queue.shape[1]
    for n in range(p.ports):
        if complete_valid[n] and s.opened[n]:
            finish(p, s, n, complete_flits[n])

    show(p, s, singles, length)
    for stage in range(p.iterations):
        if p.wavefront:
            wavefront(p, s, stage, length, room)
        else:
            islip(p, s, stage, length, room)
        for n in range(p.ports):
            output = s.claim_output[stage, n]
            if output >= 0:
                s.claim_length[stage, n] = length[n, s.grant_queue[stage, output]]

    # From the oldest stage to the youngest, so that the youngest moves a shared pointer last.
    # Claims stay as made until all are judged: a cancelled one cancels others all the same.
    for stage in range(p.iterations):
        for n in range(p.ports):
            o.claim_valid[i, n, stage] = 0
        for output in range(p.ports):
            o.reserve_valid[i, output, stage] = 0
    for stage in range(p.iterations - 1, -1, -1):
        for n in range(p.ports):
            output = s.claim_output[stage, n]
            if output < 0 or cancelled(p, s, stage, n, output):
                continue
            queue = s.grant_queue[stage, output]
            c = queue % p.classes
            o.claim_valid[i, n, stage] = 1
            o.claim_queue[i, n, stage] = queue
            o.reserve_valid[i, output, stage] = 1
            o.reserve_traffic_class[i, output, stage] = c
            o.reserve_length[i, output, stage] = length[n, queue]
            s.grant_pointer[output, c] = (n + 1) % p.ports
            s.accept_pointer[n] = (output + 1) % p.ports
    if p.weighted:
        charge(p, s, room, o, i)
    for stage in range(p.iterations):
        for n in range(p.ports):
            if o.claim_valid[i, n, stage]:
                queue = o.claim_queue[i, n, stage]
                flits = length[n, queue]
                book(p, s, stage, n, queue // p.classes, queue, flits, partial[n, queue])

    # The clock edge: the slot of this cycle becomes the match, another one comes into sight.
    slot = s.now[0]
    entering = (slot + p.iterations) % horizon
    for n in range(p.ports):
        s.matched_queue[n] = max(s.in_queue[n, slot], FREE)
        s.matched_first[n] = s.in_first[n, slot]
        s.in_queue[n, slot] = FREE
        s.out_input[n, slot] = FREE
    for n in range(p.ports):
        if s.opened[n]:
            s.in_queue[n, entering] = s.opened_queue[n]
            s.in_first[n, entering] = 0
            s.out_input[s.opened_queue[n] // p.classes, entering] = n
    s.now[0] = (slot + 1) % horizon
    s.start[0] = (s.start[0] + 1) % p.ports


@compiled
def charge(p, s, room, o, i):
    """Charge the claims of this cycle to the class deficits of their outputs."""
    for output in range(p.ports):
        refill = False
        for stage in range(p.iterations):
            if not o.reserve_valid[i, output, stage]:
                continue
            positive = False
            for c in range(p.classes):
                older = p.iterations - 1 - stage
                visible = s.wants[stage, output * p.classes + c] > 0
                if visible and room[output, c] >= 1 + older and s.deficit[output, c] > 0:
                    positive = True
            refill = refill or not positive
        class_arbiter_clock(p, s.deficit[output], refill)
        for stage in range(p.iterations):
            if o.reserve_valid[i, output, stage]:
                c = o.reserve_traffic_class[i, output, stage]
                s.deficit[output, c] -= o.reserve_length[i, output, stage]


@compiled
def unpack(p, inputs, i, singles, length, partial):
    """Bit vectors of the ports into one number per queue."""
    for n in range(p.ports):
        for queue in range(p.queues):
            word, bit = queue >> 6, queue & 63
            singles[n, queue] = 0
            for k in range(p.iterations):
                singles[n, queue] += (inputs.singles[i, n, k, word] >> bit) & 1
            is_long = (inputs.longs[i, n, word] >> bit) & 1
            partial[n, queue] = (inputs.partial[i, n, word] >> bit) & 1
            length[n, queue] = 0
            if is_long or singles[n, queue]:
                length[n, queue] = inputs.length[i, n, queue] if is_long else 1


class SchedulerModel:
    """One matching per cycle, ``iterations`` of them under way; see docs/microarchitecture.md."""

    def __init__(self, config: SwitchConfig):
        self.config = config
        self.p = parameters(config)
        n, c, k, q = config.ports, config.classes, config.iterations, config.queues
        vector = (q + 63) // 64
        self.inputs = allocate(
            SchedulerInputs,
            {
                "singles": (1, n, k, vector),
                "longs": (1, n, vector),
                "partial": (1, n, vector),
                "length": (1, n, q),
                "complete_valid": (1, n),
                "complete_flits": (1, n),
                "room": (1, n, c),
            },
        )
        self.outputs = allocate(SchedulerOutputs, scheduler_output_shapes(config))
        self.seen = [np.zeros((n, q), dtype=np.int64) for _ in range(3)]
        self.reset()

    def reset(self) -> None:
        """The state after reset."""
        self.state = scheduler_state(self.config)

    def step(self) -> SchedulerOutputs:
        """Outputs of this cycle, then the clock edge."""
        scheduler_outputs(self.p, self.state, self.outputs, 0)
        singles, length, partial = self.seen
        unpack(self.p, self.inputs, 0, singles, length, partial)
        scheduler_match(
            self.p,
            self.state,
            singles,
            length,
            partial,
            self.inputs.complete_valid[0],
            self.inputs.complete_flits[0],
            self.inputs.room[0],
            self.outputs,
            0,
        )
        return self.outputs


def scheduler_output_shapes(config: SwitchConfig) -> dict[str, tuple[int, ...]]:
    """Shapes of :class:`SchedulerOutputs`."""
    n, k = config.ports, config.iterations
    return {
        name: (1, n, k) if name.startswith(("claim", "reserve")) else (1, n)
        for name in SchedulerOutputs._fields
    }
