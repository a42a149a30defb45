"""Golden model of rtl.buffer: the packet buffer of an ingress.

Each queue is a ring of slot numbers and free slots are a stack: no lists are linked here, and no
part of the memory is a queue's own.
"""

from collections import namedtuple

import numpy as np

from models.compiled import compiled, inner
from models.config import SwitchConfig
from models.parameters import parameters
from models.record import allocate

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
BufferState = namedtuple(
    "BufferState",
    "data count first last error mark parity free free_count slots head held used shared_used "
    "occupancy popped popped_queue leaving leaving_queue admit used_high sweep asked_queue "
    "asked_length stayed begun_queue begun_length arrived arrived_queue",
)

NOTHING = -1


def buffer_state(config: SwitchConfig, instances: int) -> BufferState:
    """An empty buffer."""
    depth, q = config.ingress_flits + 2, config.queues  # two on their way out
    state = allocate(
        BufferState,
        {
            "data": (instances, depth, config.words),
            "count": (instances, depth),
            "first": (instances, depth),
            "last": (instances, depth),
            "error": (instances, depth),
            "mark": (instances, depth),
            "parity": (instances, depth),
            "free": (instances, depth),  # stack of free slots
            "free_count": (instances,),
            "slots": (instances, q, config.limit),  # ring per queue
            "head": (instances, q),
            "held": (instances, q),  # flits that can be popped
            "used": (instances, q),  # flits in the buffer or promised
            "shared_used": (instances,),
            "occupancy": (instances,),
            "popped": (instances,),  # slot that was read in the last cycle, or NOTHING
            "popped_queue": (instances,),
            "leaving": (instances,),  # the same, a cycle later: it is on ``o``
            "leaving_queue": (instances,),
            "admit": (instances,),
            "used_high": (instances,),
            "sweep": (instances,),  # cycles for which nothing is admitted
            "asked_queue": (instances,),  # what was offered last
            "asked_length": (instances,),
            "stayed": (instances,),  # nothing was offered in the last cycle
            "begun_queue": (instances,),  # a packet began in the last cycle, or no flits
            "begun_length": (instances,),
            "arrived": (instances,),  # slot of what was pushed in the last cycle, or NOTHING
            "arrived_queue": (instances,),
        },
    )
    state.free[:] = np.arange(depth)
    state.free_count[:] = depth
    state.popped[:] = NOTHING
    state.leaving[:] = NOTHING
    state.begun_queue[:] = NOTHING
    state.arrived[:] = NOTHING
    state.sweep[:] = q + 1
    return state


def buffer_output_shapes(config: SwitchConfig, instances: int) -> dict[str, tuple[int, ...]]:
    """Shapes of :class:`BufferOutputs`."""
    words = {"o_flit_data": (instances, config.words), "o_flit_parity": (instances, 1)}
    return {name: words.get(name, (instances,)) for name in BufferOutputs._fields}


@inner
def buffer_outputs(p, s, outputs, n):
    """What the registers show."""
    slot = s.leaving[n]
    outputs.admit[n] = s.admit[n]
    outputs.used_high[n] = s.used_high[n]
    outputs.o_valid[n] = slot >= 0
    outputs.released_valid[n] = slot >= 0
    outputs.released_queue[n] = s.leaving_queue[n]
    outputs.occupancy[n] = s.occupancy[n]
    if slot >= 0:
        for word in range(p.words):
            outputs.o_flit_data[n, word] = s.data[n, slot, word]
        outputs.o_flit_count[n] = s.count[n, slot]
        outputs.o_flit_first[n] = s.first[n, slot]
        outputs.o_flit_last[n] = s.last[n, slot]
        outputs.o_flit_error[n] = s.error[n, slot]
        outputs.o_flit_mark[n] = s.mark[n, slot]
        outputs.o_flit_parity[n, 0] = s.parity[n, slot]


@inner
def used_before(s, n, queue):
    """Flits that ``queue`` used at the beginning of the last cycle."""
    used = s.used[n, queue]
    if s.popped[n] != NOTHING and s.popped_queue[n] == queue:
        used += 1
    if s.begun_queue[n] == queue:
        used -= s.begun_length[n]
    return used


@inner
def room_in_ring(p, s, n, comes):
    """Whether the packet that was asked about fits, where queues share nothing."""
    queue, length = s.asked_queue[n], s.asked_length[n]
    if comes:
        return length <= p.short_flits and used_before(s, n, queue) <= p.mark_flits
    return s.stayed[n] and s.used[n, queue] + length <= p.limit


@inner
def room_in_lists(p, s, n, asks):
    """Whether the packet that was asked about fits, behind one whose first flit is pushed."""
    queue, length = s.asked_queue[n], s.asked_length[n]
    used, shared = s.used[n, queue], s.shared_used[n]
    if asks.push_valid[n] and asks.push_first[n]:
        before = s.used[n, asks.push_queue[n]]
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
    rings, comes = p.limit == p.reserve, asks.offer_valid[n] == 1
    if comes:
        s.asked_queue[n], s.asked_length[n] = asks.offer_queue[n], asks.offer_length[n]
        queue = s.asked_queue[n]
        used = used_before(s, n, queue) if rings else s.used[n, queue]
        s.used_high[n] = used > p.mark_flits and s.sweep[n] == 0
    room = room_in_ring(p, s, n, comes) if rings else room_in_lists(p, s, n, asks)
    s.admit[n] = room and s.sweep[n] == 0
    s.stayed[n] = not comes


@inner
def buffer_clock(p, s, n, pop_valid, pop_queue, asks, inject):
    """One flit out of ``pop_queue``; ``asks`` has fields ``push_*``, one flit in, and ``offer_*``.

    Returns whether a flit was to leave and none was there: ``lost``.
    """
    ring = s.slots.shape[2]
    buffer_offer(p, s, n, asks)
    s.sweep[n] = max(0, s.sweep[n] - 1)
    if s.leaving[n] != NOTHING:
        s.free[n, s.free_count[n]] = s.leaving[n]
        s.free_count[n] += 1
    s.leaving[n], s.leaving_queue[n] = s.popped[n], s.popped_queue[n]
    s.occupancy[n] -= s.leaving[n] != NOTHING
    s.popped[n], s.popped_queue[n] = NOTHING, pop_queue
    if pop_valid and s.held[n, pop_queue] > 0:
        s.popped[n] = s.slots[n, pop_queue, s.head[n, pop_queue]]
        s.head[n, pop_queue] = (s.head[n, pop_queue] + 1) % ring
        s.held[n, pop_queue] -= 1
        if s.used[n, pop_queue] > p.reserve:
            s.shared_used[n] -= 1
        s.used[n, pop_queue] -= 1
    if s.arrived[n] != NOTHING:
        queue = s.arrived_queue[n]
        s.slots[n, queue, (s.head[n, queue] + s.held[n, queue]) % ring] = s.arrived[n]
        s.held[n, queue] += 1
    s.begun_queue[n] = s.arrived[n] = NOTHING
    if asks.push_valid[n]:
        queue = asks.push_queue[n]
        if asks.push_first[n]:
            s.begun_queue[n], s.begun_length[n] = queue, asks.push_length[n]
            before = max(s.used[n, queue], p.reserve)
            s.used[n, queue] += asks.push_length[n]
            s.shared_used[n] += max(s.used[n, queue], p.reserve) - before
        s.occupancy[n] += 1
        s.free_count[n] -= 1
        slot = s.free[n, s.free_count[n]]
        for word in range(p.words):
            s.data[n, slot, word] = asks.push_flit_data[n, word]
        if inject:
            s.data[n, slot, 0] ^= 1
        s.count[n, slot] = asks.push_flit_count[n]
        s.first[n, slot] = asks.push_flit_first[n]
        s.last[n, slot] = asks.push_flit_last[n]
        s.error[n, slot] = asks.push_flit_error[n]
        s.mark[n, slot] = asks.push_flit_mark[n]
        s.parity[n, slot] = asks.push_flit_parity[n, 0]
        s.arrived[n], s.arrived_queue[n] = slot, queue
    return pop_valid and s.popped[n] == NOTHING


@compiled
def buffer_step(p, s, inputs, outputs):
    """Outputs of this cycle, then the clock edge, of all instances."""
    for n in range(s.free_count.size):
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
