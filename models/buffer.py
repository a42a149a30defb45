"""Golden model of rtl.buffer: the packet buffer of an ingress.

Each queue is a ring of slot numbers and free slots are a stack: no lists are linked here, and no
part of the memory is a queue's own.
"""

from collections import namedtuple

import numpy as np

from models.compiled import compiled, inner
from models.config import SwitchConfig
from models.parameters import parameters
from models.record import allocate, records

__all__ = [
    "BufferInputs",
    "BufferModel",
    "BufferOutputs",
    "BufferState",
    "buffer_clock",
    "buffer_output_shapes",
    "buffer_outputs",
    "buffer_state",
]

BufferInputs = namedtuple(
    "BufferInputs",
    "push_valid push_first push_queue push_length push_flit_data push_flit_count push_flit_first "
    "push_flit_last push_flit_error push_flit_mark push_flit_parity offer_valid offer_queue "
    "offer_length pop_valid pop_queue inject",
)
BufferOutputs = namedtuple(
    "BufferOutputs",
    "admit used_high lost o_valid o_flit_data o_flit_count o_flit_first o_flit_last o_flit_error "
    "o_flit_mark o_flit_parity released_valid released_queue occupancy",
)
BufferState = namedtuple("BufferState", "ports queues flits data free slots")
PORT = (
    "free_count shared_used occupancy "
    "popped popped_queue "  # slot that was read in the last cycle, or NOTHING
    "leaving leaving_queue "  # the same, a cycle later: it is on ``o``
    "admit used_high "
    "sweep "  # cycles for which nothing is admitted
    "asked_queue asked_length "  # what was offered last
    "stayed "  # nothing was offered in the last cycle
    "begun_queue begun_length "  # a packet began in the last cycle, or no flits
    "arrived arrived_queue"  # slot of what was pushed in the last cycle, or NOTHING
)
QUEUE = (
    "head "
    "held "  # flits that can be popped
    "used"  # flits in the buffer or promised
)
FLIT = "count first last error mark parity"

NOTHING = -1


def buffer_state(config: SwitchConfig, instances: int) -> BufferState:
    """An empty buffer."""
    depth, q = config.ingress_flits + 2, config.queues  # two on their way out
    ports = records(PORT, instances)
    ports["free_count"] = depth
    ports["sweep"] = q + 1
    for name in ("popped", "leaving", "begun_queue", "arrived"):
        ports[name] = NOTHING
    return BufferState(
        ports=ports,
        queues=records(QUEUE, (instances, q)),
        flits=records(FLIT, (instances, depth)),
        data=np.zeros((instances, depth, config.words), dtype=np.int64),
        free=np.tile(np.arange(depth, dtype=np.int32), (instances, 1)),  # stack of free slots
        slots=np.zeros((instances, q, config.limit), dtype=np.int32),  # ring per queue
    )


def buffer_output_shapes(config: SwitchConfig, instances: int) -> dict[str, tuple[int, ...]]:
    """Shapes of :class:`BufferOutputs`."""
    words = {"o_flit_data": (instances, config.words), "o_flit_parity": (instances, 1)}
    return {name: words.get(name, (instances,)) for name in BufferOutputs._fields}


@inner
def buffer_outputs(p, s, outputs, n):
    """What the registers show."""
    port = s.ports[n]
    slot = port.leaving
    outputs.admit[n] = port.admit
    outputs.used_high[n] = port.used_high
    outputs.o_valid[n] = slot >= 0
    outputs.released_valid[n] = slot >= 0
    outputs.released_queue[n] = port.leaving_queue
    outputs.occupancy[n] = port.occupancy
    if slot >= 0:
        flit = s.flits[n, slot]
        for word in range(p.words):
            outputs.o_flit_data[n, word] = s.data[n, slot, word]
        outputs.o_flit_count[n] = flit.count
        outputs.o_flit_first[n] = flit.first
        outputs.o_flit_last[n] = flit.last
        outputs.o_flit_error[n] = flit.error
        outputs.o_flit_mark[n] = flit.mark
        outputs.o_flit_parity[n, 0] = flit.parity


@inner
def used_before(port, queue, used):
    """Flits that ``queue``, which uses ``used`` now, used at the beginning of the last cycle."""
    if port.popped != NOTHING and port.popped_queue == queue:
        used += 1
    if port.begun_queue == queue:
        used -= port.begun_length
    return used


@inner
def room_in_ring(p, s, n, comes):
    """Whether the packet that was asked about fits, where queues share nothing."""
    port = s.ports[n]
    queue, length = port.asked_queue, port.asked_length
    used = s.queues[n, queue].used
    if comes:
        return length <= p.short_flits and used_before(port, queue, used) <= p.mark_flits
    return port.stayed and used + length <= p.limit


@inner
def room_in_lists(p, s, n, asks):
    """Whether the packet that was asked about fits, behind one whose first flit is pushed."""
    port = s.ports[n]
    queue, length = port.asked_queue, port.asked_length
    used, shared = s.queues[n, queue].used, port.shared_used
    if asks.push_valid[n] and asks.push_first[n]:
        before = s.queues[n, asks.push_queue[n]].used
        after = before + asks.push_length[n]
        shared += max(after, p.reserve) - max(before, p.reserve)
        if queue == asks.push_queue[n]:
            used = after
    total = used + length
    if total <= p.reserve:
        return True
    extra = total - max(used, p.reserve)
    return total <= p.limit and shared + extra <= p.shared_flits


@inner
def buffer_offer(p, s, n, asks):
    """Judge the packet that is offered, or again the one that was."""
    port = s.ports[n]
    rings, comes = p.limit == p.reserve, asks.offer_valid[n] == 1
    if comes:
        port.asked_queue, port.asked_length = asks.offer_queue[n], asks.offer_length[n]
        used = s.queues[n, port.asked_queue].used
        if rings:
            used = used_before(port, port.asked_queue, used)
        port.used_high = used > p.mark_flits and port.sweep == 0
    room = room_in_ring(p, s, n, comes) if rings else room_in_lists(p, s, n, asks)
    port.admit = room and port.sweep == 0
    port.stayed = not comes


@inner
def pop(p, s, n, number):
    """The oldest flit of the queue ``number`` leaves it: its slot, or NOTHING."""
    queue = s.queues[n, number]
    if queue.held == 0:
        return NOTHING
    slot = s.slots[n, number, queue.head]
    queue.head = 0 if queue.head == s.slots.shape[2] - 1 else queue.head + 1
    queue.held -= 1
    if queue.used > p.reserve:
        s.ports[n].shared_used -= 1
    queue.used -= 1
    return slot


@inner
def join(s, n, number, slot):
    """What was stored in ``slot`` is the last flit of the queue ``number``."""
    queue, ring = s.queues[n, number], s.slots.shape[2]
    place = queue.head + queue.held
    s.slots[n, number, place - ring if place >= ring else place] = slot
    queue.held += 1


@inner
def buffer_clock(p, s, n, pop_valid, pop_queue, asks, inject):
    """One flit out of ``pop_queue``; ``asks`` has fields ``push_*``, one flit in, and ``offer_*``.

    Returns whether a flit was to leave and none was there: ``lost``.
    """
    port = s.ports[n]
    buffer_offer(p, s, n, asks)
    port.sweep = max(0, port.sweep - 1)
    if port.leaving != NOTHING:
        s.free[n, port.free_count] = port.leaving
        port.free_count += 1
    port.leaving, port.leaving_queue = port.popped, port.popped_queue
    port.occupancy -= port.leaving != NOTHING
    port.popped, port.popped_queue = NOTHING, pop_queue
    if pop_valid:
        port.popped = pop(p, s, n, pop_queue)
    if port.arrived != NOTHING:
        join(s, n, port.arrived_queue, port.arrived)
    port.begun_queue = port.arrived = NOTHING
    if asks.push_valid[n]:
        number = asks.push_queue[n]
        if asks.push_first[n]:
            queue = s.queues[n, number]
            port.begun_queue, port.begun_length = number, asks.push_length[n]
            before = max(queue.used, p.reserve)
            queue.used += asks.push_length[n]
            port.shared_used += max(queue.used, p.reserve) - before
        port.occupancy += 1
        port.free_count -= 1
        slot = s.free[n, port.free_count]
        for word in range(p.words):
            s.data[n, slot, word] = asks.push_flit_data[n, word]
        if inject:
            s.data[n, slot, 0] ^= 1
        flit = s.flits[n, slot]
        flit.count = asks.push_flit_count[n]
        flit.first = asks.push_flit_first[n]
        flit.last = asks.push_flit_last[n]
        flit.error = asks.push_flit_error[n]
        flit.mark = asks.push_flit_mark[n]
        flit.parity = asks.push_flit_parity[n, 0]
        port.arrived, port.arrived_queue = slot, number
    return pop_valid and port.popped == NOTHING


@compiled
def buffer_step(p, s, inputs, outputs):
    """Outputs of this cycle, then the clock edge, of all instances."""
    for n in range(s.ports.size):
        buffer_outputs(p, s, outputs, n)
        pop_valid, pop_queue = inputs.pop_valid[n], inputs.pop_queue[n]
        outputs.lost[n] = buffer_clock(p, s, n, pop_valid, pop_queue, inputs, inputs.inject[n])


class BufferModel:
    """Queues in one memory: 2 cycles from push to pop, 2 from pop to ``o``."""

    def __init__(self, config: SwitchConfig, instances: int = 1):
        self.config, self.instances = config, instances
        self.p = parameters(config)
        words = {"push_flit_data": (instances, config.words), "push_flit_parity": (instances, 1)}
        self.inputs = allocate(
            BufferInputs, {name: words.get(name, (instances,)) for name in BufferInputs._fields}
        )
        self.outputs = allocate(BufferOutputs, buffer_output_shapes(config, instances))
        self.reset()

    def reset(self) -> None:
        """The state after reset."""
        self.state = buffer_state(self.config, self.instances)

    def step(self) -> BufferOutputs:
        """Outputs of this cycle, then the clock edge."""
        buffer_step(self.p, self.state, self.inputs, self.outputs)
        return self.outputs
