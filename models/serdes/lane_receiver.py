"""Golden model of rtl.serdes.lane_receiver: a line of single bits, and a search for the marker."""

from collections import namedtuple

from models.compiled import compiled, inner
from models.record import allocate
from models.serdes.config import MARKER, MARKER_BITS, MARKER_LOST, SYMBOL_BITS, LanesConfig
from models.serdes.lane_transmitter import MARKER_BEGIN, rows_of

__all__ = [
    "LaneReceiverInputs",
    "LaneReceiverModel",
    "LaneReceiverOutputs",
    "lane_receiver_clock",
    "lane_receiver_outputs",
]

LaneReceiverInputs = namedtuple("LaneReceiverInputs", "rx rx_valid signal_ok")
LaneReceiverOutputs = namedtuple(
    "LaneReceiverOutputs", "o_valid o_first o_symbols locked number marker_wrong parity_wrong"
)
# `past` are the last bits of the line, the oldest first, that a marker may have begun with; `bits`
# is a queue of those from a boundary on, of which `left` wait. `found` is how far it is: nothing, a
# marker that may be one, one, two. `row` counts from the first one of a marker; `right` is whether
# this marker is so far, `misses` how many were not in a row.
LaneReceiverState = namedtuple(
    "LaneReceiverState",
    "past bits left found row right misses parity number valid first symbols marker_wrong "
    "parity_wrong",
)
NOTHING, MAYBE, ONCE, LOCKED = range(4)


@inner
def look(lane_bits, s, n):
    """Where in the bits that came, and the few before them, a marker begins, or -1."""
    for k in range(lane_bits):
        agrees = True
        for j in range(MARKER_BITS):
            if s.past[n, k + j] != MARKER >> j & 1:
                agrees = False
                break
        if agrees:
            return k
    return -1


@inner
def read_marker(rows, begin, s, n):
    """Compare the symbols of a row of a marker; the last one decides."""
    for k in range(rows.symbols):
        place, symbol = s.row[n] * rows.symbols + k, s.symbols[n, k]
        if place < begin.size:
            s.right[n] = s.right[n] and symbol == begin[place]
        elif place == begin.size:
            lane = symbol & 31
            s.right[n] = s.right[n] and symbol >> 5 == lane ^ 31
            if s.found[n] == MAYBE:
                s.number[n] = lane & 7
                s.right[n] = s.right[n] and lane < 8
            else:
                s.right[n] = s.right[n] and lane == s.number[n]
        elif place == begin.size + 1:
            s.parity_wrong[n] = s.found[n] == LOCKED and symbol != s.parity[n]
            s.parity[n] = 0
    if s.row[n] < rows.marker - 1:
        return
    if s.found[n] == LOCKED:
        s.marker_wrong[n] = not s.right[n]
        s.misses[n] = 0 if s.right[n] else s.misses[n] + 1
        if s.misses[n] == MARKER_LOST:
            s.found[n] = NOTHING
    else:
        s.found[n] = s.found[n] + 1 if s.right[n] else NOTHING
        s.misses[n] = 0
    s.right[n] = 1


@compiled
def lane_receiver_outputs(s, outputs, n):
    """What the registers show."""
    outputs.o_valid[n], outputs.o_first[n] = s.valid[n], s.first[n]
    for k in range(s.symbols.shape[1]):
        outputs.o_symbols[n, k] = s.symbols[n, k]
    outputs.locked[n], outputs.number[n] = s.found[n] == LOCKED, s.number[n]
    outputs.marker_wrong[n], outputs.parity_wrong[n] = s.marker_wrong[n], s.parity_wrong[n]


@compiled
def lane_receiver_clock(rows, begin, s, inputs, n):
    """The clock edge."""
    s.valid[n] = s.marker_wrong[n] = s.parity_wrong[n] = 0
    if inputs.rx_valid[n]:
        for k in range(MARKER_BITS - 1):
            s.past[n, k] = s.past[n, rows.lane_bits + k]
        for k in range(rows.lane_bits):
            s.past[n, MARKER_BITS - 1 + k] = inputs.rx[n, k // 64] >> k % 64 & 1
    if not inputs.signal_ok[n]:
        s.found[n] = NOTHING
    if not inputs.rx_valid[n] or not inputs.signal_ok[n]:
        return
    if s.found[n] == NOTHING:
        k = look(rows.lane_bits, s, n)
        if k >= 0:
            s.found[n], s.row[n], s.right[n], s.left[n] = MAYBE, 0, 1, 0
            while k < MARKER_BITS - 1 + rows.lane_bits:
                s.bits[n, s.left[n]] = s.past[n, k]
                s.left[n] += 1
                k += 1
        return
    for k in range(rows.lane_bits):
        s.bits[n, s.left[n]] = s.past[n, MARKER_BITS - 1 + k]
        s.left[n] += 1
    width = rows.symbols * SYMBOL_BITS
    if s.left[n] < width:
        return
    for k in range(width):
        if k % SYMBOL_BITS == 0:
            s.symbols[n, k // SYMBOL_BITS] = 0
        s.symbols[n, k // SYMBOL_BITS] |= s.bits[n, k] << k % SYMBOL_BITS
    s.left[n] -= width
    for k in range(s.left[n]):
        s.bits[n, k] = s.bits[n, width + k]
    if s.row[n] < rows.marker:
        read_marker(rows, begin, s, n)
    else:
        s.valid[n], s.first[n] = s.found[n] == LOCKED, s.row[n] == rows.marker
        for k in range(rows.symbols):
            s.parity[n] ^= s.symbols[n, k]
    s.row[n] = (s.row[n] + 1) % rows.all


@compiled
def lane_receiver_step(rows, begin, s, inputs, outputs):
    """Outputs of this cycle, then the clock edge, of all instances."""
    for n in range(s.found.size):
        lane_receiver_outputs(s, outputs, n)
        lane_receiver_clock(rows, begin, s, inputs, n)


class LaneReceiverModel:
    """``instances`` receivers."""

    def __init__(self, config: LanesConfig, instances: int = 1):
        self.config, self.instances, self.rows = config, instances, rows_of(config)
        scalar = (instances,)
        self.inputs = allocate(
            LaneReceiverInputs,
            {
                "rx": (instances, -(-config.lane_bits // 64)),
                "rx_valid": scalar,
                "signal_ok": scalar,
            },
        )
        shapes: dict[str, tuple[int, ...]] = dict.fromkeys(LaneReceiverOutputs._fields, scalar)
        self.outputs = allocate(
            LaneReceiverOutputs, shapes | {"o_symbols": (instances, config.row_symbols)}
        )
        self.reset()

    def reset(self) -> None:
        """The state after reset: as if zeros had come."""
        config = self.config
        most = MARKER_BITS - 1 + config.lane_bits
        shapes: dict[str, tuple[int, ...]] = dict.fromkeys(
            LaneReceiverState._fields, (self.instances,)
        )
        shapes["past"] = self.instances, most
        shapes["bits"] = self.instances, max(most, config.row_bits) + config.lane_bits
        shapes["symbols"] = self.outputs.o_symbols.shape
        self.state = allocate(LaneReceiverState, shapes)

    def step(self) -> LaneReceiverOutputs:
        """Outputs of this cycle, then the clock edge."""
        lane_receiver_step(self.rows, MARKER_BEGIN, self.state, self.inputs, self.outputs)
        return self.outputs
