"""Golden model of rtl.buffer: the shared packet buffer of an ingress.

Each queue is a ring of slot numbers and free slots are a stack: no lists are linked here.
"""

from collections import namedtuple

import numpy as np

from models.compiled import compiled
from models.config import SwitchConfig
from models.parameters import parameters
from models.record import allocate

__all__ = [
    "BufferInputs",
    "BufferModel",
    "BufferOutputs",
    "BufferState",
    "buffer_admit",
    "buffer_clock",
    "buffer_output_shapes",
    "buffer_outputs",
    "buffer_state",
]

BufferInputs = namedtuple(
    "BufferInputs",
    "push_valid push_first push_queue push_length push_flit_data push_flit_count push_flit_last "
    "push_flit_error push_flit_mark push_flit_parity offer_queue offer_length pop_valid pop_queue "
    "inject",
)
BufferOutputs = namedtuple(
    "BufferOutputs",
    "admit used_high o_valid o_flit_data o_flit_count o_flit_last o_flit_error o_flit_mark "
    "o_flit_parity released_valid released_queue released_flits stored occupancy",
)
BufferState = namedtuple(
    "BufferState",
    "data count last error mark parity free free_count slots head held used shared_used "
    "occupancy popped popped_queue last_push stored",
)

NOTHING = -1


def buffer_state(config: SwitchConfig, instances: int) -> BufferState:
    """An empty buffer."""
    depth, q = config.ingress_flits, config.queues
    state = allocate(
        BufferState,
        {
            "data": (instances, depth, config.words),
            "count": (instances, depth),
            "last": (instances, depth),
            "error": (instances, depth),
            "mark": (instances, depth),
            "parity": (instances, depth),
            "free": (instances, depth),  # stack of free slots
            "free_count": (instances,),
            "slots": (instances, q, config.limit),  # ring per queue
            "head": (instances, q),
            "held": (instances, q),  # flits in the buffer
            "used": (instances, q),  # flits in the buffer or promised
            "shared_used": (instances,),
            "occupancy": (instances,),
            "popped": (instances,),  # slot that was read in the last cycle, or NOTHING
            "popped_queue": (instances,),
            "last_push": (instances,),  # queue of the last push
            "stored": (instances,),
        },
    )
    state.free[:] = np.arange(depth)
    state.free_count[:] = depth
    state.popped[:] = NOTHING
    return state


def buffer_output_shapes(config: SwitchConfig, instances: int) -> dict[str, tuple[int, ...]]:
    """Shapes of :class:`BufferOutputs`."""
    words = {"o_flit_data": (instances, config.words), "o_flit_parity": (instances, 1)}
    return {name: words.get(name, (instances,)) for name in BufferOutputs._fields}


@compiled
def buffer_admit(p, s, n, queue, length):
    """Whether a packet of ``length`` flits may enter ``queue`` now."""
    used = s.used[n, queue]
    total = used + length
    if total <= p.reserve:
        return 1
    extra = total - max(used, p.reserve)
    return int(total <= p.limit and s.shared_used[n] + extra <= p.shared_flits)


@compiled
def buffer_outputs(p, s, outputs, n):
    """What the registers show."""
    slot = s.popped[n]
    outputs.o_valid[n] = slot >= 0
    outputs.released_valid[n] = slot >= 0
    outputs.released_flits[n] = 1
    outputs.released_queue[n] = s.popped_queue[n]
    outputs.stored[n] = s.stored[n]
    outputs.occupancy[n] = s.occupancy[n]
    if slot >= 0:
        for word in range(p.words):
            outputs.o_flit_data[n, word] = s.data[n, slot, word]
        outputs.o_flit_count[n] = s.count[n, slot]
        outputs.o_flit_last[n] = s.last[n, slot]
        outputs.o_flit_error[n] = s.error[n, slot]
        outputs.o_flit_mark[n] = s.mark[n, slot]
        outputs.o_flit_parity[n, 0] = s.parity[n, slot]


@compiled
def buffer_clock(p, s, n, pop_valid, pop_queue, push, inject):
    """One flit out of ``pop_queue``, one in from ``push`` (a record with ``push_*`` fields)."""
    ring = s.slots.shape[2]
    s.popped[n] = NOTHING
    freed = NOTHING
    if pop_valid and s.held[n, pop_queue] > 0:
        freed = s.slots[n, pop_queue, s.head[n, pop_queue]]
        s.popped[n] = freed
        s.popped_queue[n] = pop_queue
        s.head[n, pop_queue] = (s.head[n, pop_queue] + 1) % ring
        s.held[n, pop_queue] -= 1
        if s.used[n, pop_queue] > p.reserve:
            s.shared_used[n] -= 1
        s.used[n, pop_queue] -= 1
        s.occupancy[n] -= 1
    if push.push_valid[n]:
        queue = push.push_queue[n]
        if push.push_first[n]:
            before = max(s.used[n, queue], p.reserve)
            s.used[n, queue] += push.push_length[n]
            s.shared_used[n] += max(s.used[n, queue], p.reserve) - before
            s.occupancy[n] += push.push_length[n]
        s.free_count[n] -= 1
        slot = s.free[n, s.free_count[n]]
        for word in range(p.words):
            s.data[n, slot, word] = push.push_flit_data[n, word]
        if inject:
            s.data[n, slot, 0] ^= 1
        s.count[n, slot] = push.push_flit_count[n]
        s.last[n, slot] = push.push_flit_last[n]
        s.error[n, slot] = push.push_flit_error[n]
        s.mark[n, slot] = push.push_flit_mark[n]
        s.parity[n, slot] = push.push_flit_parity[n, 0]
        s.slots[n, queue, (s.head[n, queue] + s.held[n, queue]) % ring] = slot
        s.held[n, queue] += 1
        s.last_push[n] = queue
    if freed >= 0:
        s.free[n, s.free_count[n]] = freed
        s.free_count[n] += 1
    s.stored[n] = s.held[n, s.last_push[n]]


class BufferModel:
    """Queues in one memory: 1 cycle from push to pop, 1 from pop to ``o``."""

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
        i, o = self.inputs, self.outputs
        for n in range(self.instances):
            buffer_outputs(self.p, self.state, o, n)
            o.admit[n] = buffer_admit(self.p, self.state, n, i.offer_queue[n], i.offer_length[n])
            o.used_high[n] = self.state.used[n, i.offer_queue[n]] >= self.p.mark_flits
            buffer_clock(self.p, self.state, n, i.pop_valid[n], i.pop_queue[n], i, i.inject[n])
        return o
