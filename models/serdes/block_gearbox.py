"""Golden model of rtl.serdes.block_gearbox: a queue of blocks."""

from collections import namedtuple

from models.compiled import compiled
from models.record import allocate

__all__ = [
    "BlockGearboxInputs",
    "BlockGearboxModel",
    "BlockGearboxOutputs",
    "block_gearbox_clock",
    "block_gearbox_outputs",
]

BlockGearboxInputs = namedtuple("BlockGearboxInputs", "i_valid i_blocks_header i_blocks_payload")
BlockGearboxOutputs = namedtuple(
    "BlockGearboxOutputs", "ready o_valid o_blocks_header o_blocks_payload"
)
# `headers` and `payloads` are the queue, the oldest block first, and `left` how many wait in it.
BlockGearboxState = namedtuple(
    "BlockGearboxState", "left headers payloads valid shown_headers shown_payloads"
)


@compiled
def block_gearbox_outputs(take, give, s, outputs, n):
    """What the registers show."""
    outputs.ready[n] = take <= give or s.left[n] < give
    outputs.o_valid[n] = s.valid[n]
    for k in range(give):
        outputs.o_blocks_header[n, k] = s.shown_headers[n, k]
        outputs.o_blocks_payload[n, k, 0] = s.shown_payloads[n, k]


@compiled
def block_gearbox_clock(take, give, s, inputs, n):
    """The clock edge."""
    if inputs.i_valid[n]:
        for k in range(take):
            s.headers[n, s.left[n]] = inputs.i_blocks_header[n, k]
            s.payloads[n, s.left[n]] = inputs.i_blocks_payload[n, k, 0]
            s.left[n] += 1
    s.valid[n] = s.left[n] >= give
    if s.valid[n]:
        for k in range(give):
            s.shown_headers[n, k] = s.headers[n, k]
            s.shown_payloads[n, k] = s.payloads[n, k]
        s.left[n] -= give
        for k in range(s.left[n]):
            s.headers[n, k] = s.headers[n, give + k]
            s.payloads[n, k] = s.payloads[n, give + k]


@compiled
def block_gearbox_step(take, give, s, inputs, outputs):
    """Outputs of this cycle, then the clock edge, of all instances."""
    for n in range(s.left.size):
        block_gearbox_outputs(take, give, s, outputs, n)
        block_gearbox_clock(take, give, s, inputs, n)


class BlockGearboxModel:
    """``instances`` gearboxes."""

    def __init__(self, take: int, give: int, instances: int = 1):
        self.take, self.give, self.instances = take, give, instances
        scalar, come, go = (instances,), (instances, take), (instances, give)
        self.inputs = allocate(
            BlockGearboxInputs,
            {"i_valid": scalar, "i_blocks_header": come, "i_blocks_payload": (*come, 1)},
        )
        self.outputs = allocate(
            BlockGearboxOutputs,
            {
                "ready": scalar,
                "o_valid": scalar,
                "o_blocks_header": go,
                "o_blocks_payload": (*go, 1),
            },
        )
        self.reset()

    def reset(self) -> None:
        """The state after reset."""
        queue, shown = (self.instances, self.take + 2 * self.give), (self.instances, self.give)
        self.state = allocate(
            BlockGearboxState,
            {
                "left": (self.instances,),
                "headers": queue,
                "payloads": queue,
                "valid": (self.instances,),
                "shown_headers": shown,
                "shown_payloads": shown,
            },
        )

    def step(self) -> BlockGearboxOutputs:
        """Outputs of this cycle, then the clock edge."""
        block_gearbox_step(self.take, self.give, self.state, self.inputs, self.outputs)
        return self.outputs
