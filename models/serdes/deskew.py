"""Golden model of rtl.serdes.deskew: a queue of rows for each lane."""

from collections import namedtuple

from models.compiled import compiled, inner
from models.record import allocate
from models.serdes.config import LanesConfig

__all__ = ["DeskewInputs", "DeskewModel", "DeskewOutputs", "deskew_clock", "deskew_outputs"]

DeskewInputs = namedtuple("DeskewInputs", "i_valid i_first i_symbols locked number")
DeskewOutputs = namedtuple(
    "DeskewOutputs",
    "o_valid o_payload_symbols o_payload_first aligned disordered skewed slipped",
)
# Of each lane `rows` and `firsts` are the queue, the oldest row first, of which `left` wait; it is
# `begun` with the first row behind a marker. `row` is the one whose groups go, `turn` the number of
# the next, and `group` that of it in its frame.
DeskewState = namedtuple(
    "DeskewState",
    "left begun rows firsts row turn group valid first symbols aligned disordered skewed slipped",
)


@compiled
def deskew_outputs(s, outputs, n):
    """What the registers show."""
    outputs.o_valid[n], outputs.o_payload_first[n] = s.valid[n], s.first[n]
    for k in range(s.symbols.shape[1]):
        outputs.o_payload_symbols[n, k] = s.symbols[n, k]
    outputs.aligned[n], outputs.disordered[n] = s.aligned[n], s.disordered[n]
    outputs.skewed[n], outputs.slipped[n] = s.skewed[n], s.slipped[n]


@inner
def is_order(inputs, n):
    """Each lane has a number of its own."""
    lanes = inputs.number.shape[1]
    for number in range(lanes):
        count = 0
        for lane in range(lanes):
            count += inputs.number[n, lane] == number
        if count != 1:
            return False
    return True


@inner
def start_again(s, n):
    """Nothing waits."""
    s.aligned[n], s.turn[n] = 0, -1
    for lane in range(s.left.shape[1]):
        s.left[n, lane] = s.begun[n, lane] = 0


@inner
def take_rows(inputs, s, n):
    """The oldest row of each lane, in the order of their numbers; whether markers agree."""
    lanes = s.left.shape[1]
    for lane in range(lanes):
        for k in range(s.rows.shape[3]):
            s.row[n, k * lanes + inputs.number[n, lane]] = s.rows[n, lane, 0, k]
        s.left[n, lane] -= 1
    agree = True
    for lane in range(1, lanes):
        agree = agree and s.firsts[n, lane, 0] == s.firsts[n, 0, 0]
    if s.firsts[n, 0, 0]:
        s.group[n] = 0
    for lane in range(lanes):
        for place in range(s.left[n, lane]):
            s.firsts[n, lane, place] = s.firsts[n, lane, place + 1]
            for k in range(s.rows.shape[3]):
                s.rows[n, lane, place, k] = s.rows[n, lane, place + 1, k]
    return agree


@compiled
def deskew_clock(row_groups, groups, s, inputs, n):
    """The clock edge."""
    lanes, room = s.left.shape[1], s.rows.shape[2] - 1
    s.valid[n] = s.disordered[n] = s.skewed[n] = s.slipped[n] = 0
    everyone, waits, full = True, True, False
    for lane in range(lanes):
        everyone = everyone and inputs.locked[n, lane]
        waits = waits and s.left[n, lane] > 0
        comes = inputs.i_valid[n, lane] and (s.begun[n, lane] or inputs.i_first[n, lane])
        full = full or (comes and s.left[n, lane] == room)
    if not everyone:
        start_again(s, n)
        return
    if not is_order(inputs, n):
        s.disordered[n] = 1
        start_again(s, n)
        return
    for lane in range(lanes):
        if inputs.i_valid[n, lane] and (s.begun[n, lane] or inputs.i_first[n, lane]):
            s.begun[n, lane] = 1
            s.firsts[n, lane, s.left[n, lane]] = inputs.i_first[n, lane]
            for k in range(s.rows.shape[3]):
                s.rows[n, lane, s.left[n, lane], k] = inputs.i_symbols[n, lane, k]
            s.left[n, lane] += 1
    if full:
        s.skewed[n] = 1
        start_again(s, n)
        return
    if s.turn[n] < 0 and waits:
        if not take_rows(inputs, s, n):
            s.slipped[n] = 1
            start_again(s, n)
            return
        s.aligned[n], s.turn[n] = 1, 0
    if s.turn[n] >= 0:
        wide = s.symbols.shape[1]
        s.valid[n], s.first[n] = 1, s.group[n] == 0
        for k in range(wide):
            s.symbols[n, k] = s.row[n, s.turn[n] * wide + k]
        s.turn[n] = s.turn[n] + 1 if s.turn[n] + 1 < row_groups else -1
        s.group[n] = (s.group[n] + 1) % groups


@compiled
def deskew_step(row_groups, groups, s, inputs, outputs):
    """Outputs of this cycle, then the clock edge, of all instances."""
    for n in range(s.turn.size):
        deskew_outputs(s, outputs, n)
        deskew_clock(row_groups, groups, s, inputs, n)


class DeskewModel:
    """``instances`` of it."""

    def __init__(self, config: LanesConfig, instances: int = 1):
        self.config, self.instances = config, instances
        scalar, lanes = (instances,), (instances, config.lanes)
        shapes: dict[str, tuple[int, ...]] = dict.fromkeys(DeskewInputs._fields, lanes)
        self.inputs = allocate(DeskewInputs, shapes | {"i_symbols": (*lanes, config.row_symbols)})
        shapes = dict.fromkeys(DeskewOutputs._fields, scalar)
        self.outputs = allocate(
            DeskewOutputs,
            shapes | {"o_payload_symbols": (instances, config.frame.symbols_per_cycle)},
        )
        self.reset()

    def reset(self) -> None:
        """The state after reset."""
        config, scalar = self.config, (self.instances,)
        lanes = self.instances, config.lanes
        shapes: dict[str, tuple[int, ...]] = dict.fromkeys(DeskewState._fields, scalar)
        shapes["left"] = shapes["begun"] = lanes
        shapes["rows"] = *lanes, config.skew_rows + 1, config.row_symbols
        shapes["firsts"] = *lanes, config.skew_rows + 1
        shapes["row"] = self.instances, config.lanes * config.row_symbols
        shapes["symbols"] = self.outputs.o_payload_symbols.shape
        self.state = allocate(DeskewState, shapes)
        self.state.turn[:] = -1

    def step(self) -> DeskewOutputs:
        """Outputs of this cycle, then the clock edge."""
        numbers = self.config.row_groups, self.config.frame.groups
        deskew_step(*numbers, self.state, self.inputs, self.outputs)
        return self.outputs
