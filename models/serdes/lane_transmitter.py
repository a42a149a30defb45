"""Golden model of rtl.serdes.lane_transmitter: a queue of single bits for each lane."""

from collections import namedtuple

import numpy as np

from models.compiled import compiled, inner
from models.record import allocate
from models.serdes.config import MARKER, MARKER_BITS, SYMBOL_BITS, LanesConfig

__all__ = [
    "MARKER_BEGIN",
    "LaneTransmitterInputs",
    "LaneTransmitterModel",
    "LaneTransmitterOutputs",
    "Rows",
    "lane_transmitter_clock",
    "lane_transmitter_outputs",
    "rows_of",
]

LaneTransmitterInputs = namedtuple(
    "LaneTransmitterInputs", "i_valid i_payload_symbols i_payload_first tx_ready"
)
LaneTransmitterOutputs = namedtuple("LaneTransmitterOutputs", "ready tx starved")
# `symbols` are those of a row that have come, `come` how many; `row` counts from the first one of a
# marker; `bits` are queues, the oldest first, of which `left` wait; `parity` is that of each lane.
LaneTransmitterState = namedtuple(
    "LaneTransmitterState", "come symbols row parity left bits started tx starved"
)

Rows = namedtuple("Rows", "symbols marker all lane_bits limit")
# The symbols that a marker begins with.
MARKER_BEGIN = np.array(
    [MARKER >> SYMBOL_BITS * k & 1023 for k in range(MARKER_BITS // SYMBOL_BITS)], dtype=np.int64
)
FILLER = 0x155


def rows_of(config: LanesConfig) -> Rows:
    """Symbols of a row on a lane, rows of a marker, and of all until the next; bits of a lane in a
    cycle; bits that may wait where a row comes."""
    marker = config.marker_rows
    return Rows(
        config.row_symbols,
        marker,
        marker + config.data_rows,
        config.lane_bits,
        config.line_rows * config.row_bits,
    )


@inner
def marker_symbol(begin, place, lane, parity):
    """Symbol of a marker."""
    if place < begin.size:
        return begin[place]
    if place == begin.size:
        return lane | (lane ^ 31) << 5
    if place == begin.size + 1:
        return parity
    return FILLER


@inner
def append(symbol, lane, s, n):
    """Put the bits of a symbol behind those that wait."""
    for k in range(SYMBOL_BITS):
        s.bits[n, lane, s.left[n, lane]] = symbol >> k & 1
        s.left[n, lane] += 1


@inner
def take_word(lane_bits, lane, s, n):
    """The next word of a line: its oldest bits, or zeros before it has begun."""
    for w in range(s.tx.shape[2]):
        s.tx[n, lane, w] = 0
    if not s.started[n]:
        return
    for k in range(lane_bits):
        s.tx[n, lane, k // 64] |= s.bits[n, lane, k] << k % 64
    s.left[n, lane] -= lane_bits
    for k in range(s.left[n, lane]):
        s.bits[n, lane, k] = s.bits[n, lane, lane_bits + k]


@compiled
def lane_transmitter_outputs(rows, s, outputs, n):
    """What the registers show."""
    outputs.ready[n] = s.row[n] >= rows.marker and s.left[n, 0] <= rows.limit
    outputs.starved[n] = s.starved[n]
    for lane in range(s.tx.shape[1]):
        for w in range(s.tx.shape[2]):
            outputs.tx[n, lane, w] = s.tx[n, lane, w]


@compiled
def lane_transmitter_clock(rows, begin, s, inputs, n):
    """The clock edge."""
    lanes = s.tx.shape[1]
    ends = False
    if s.row[n] < rows.marker:
        if s.left[n, 0] <= rows.limit:
            for k in range(rows.symbols):
                for lane in range(lanes):
                    place = s.row[n] * rows.symbols + k
                    append(marker_symbol(begin, place, lane, s.parity[n, lane]), lane, s, n)
            ends = True
    elif inputs.i_valid[n]:
        for k in range(inputs.i_payload_symbols.shape[1]):
            s.symbols[n, s.come[n]] = inputs.i_payload_symbols[n, k]
            s.come[n] += 1
        if s.come[n] == s.symbols.shape[1]:
            for k in range(s.come[n]):  # dealt one after another
                lane = k % lanes
                if s.row[n] == rows.marker and k < lanes:
                    s.parity[n, lane] = 0
                s.parity[n, lane] ^= s.symbols[n, k]
                append(s.symbols[n, k], lane, s, n)
            s.come[n] = 0
            ends = True
    if ends:
        s.row[n] = (s.row[n] + 1) % rows.all
    s.starved[n] = 0
    if inputs.tx_ready[n]:
        if s.started[n] and s.left[n, 0] < rows.lane_bits:
            s.starved[n], s.started[n] = 1, 0
        for lane in range(lanes):
            take_word(rows.lane_bits, lane, s, n)
    if s.left[n, 0] > rows.limit:
        s.started[n] = 1


@compiled
def lane_transmitter_step(rows, begin, s, inputs, outputs):
    """Outputs of this cycle, then the clock edge, of all instances."""
    for n in range(s.come.size):
        lane_transmitter_outputs(rows, s, outputs, n)
        lane_transmitter_clock(rows, begin, s, inputs, n)


class LaneTransmitterModel:
    """``instances`` transmitters."""

    def __init__(self, config: LanesConfig, instances: int = 1):
        self.config, self.instances, self.rows = config, instances, rows_of(config)
        scalar = (instances,)
        self.inputs = allocate(
            LaneTransmitterInputs,
            {
                "i_valid": scalar,
                "i_payload_symbols": (instances, config.frame.symbols_per_cycle),
                "i_payload_first": scalar,
                "tx_ready": scalar,
            },
        )
        line = instances, config.lanes, -(-config.lane_bits // 64)
        self.outputs = allocate(
            LaneTransmitterOutputs, {"ready": scalar, "tx": line, "starved": scalar}
        )
        self.reset()

    def reset(self) -> None:
        """The state after reset."""
        config, scalar = self.config, (self.instances,)
        lanes = self.instances, config.lanes
        shapes: dict[str, tuple[int, ...]] = dict.fromkeys(LaneTransmitterState._fields, scalar)
        shapes["symbols"] = self.instances, config.lanes * config.row_symbols
        shapes["parity"] = shapes["left"] = lanes
        shapes["bits"] = *lanes, self.rows.limit + config.row_bits
        shapes["tx"] = self.outputs.tx.shape
        self.state = allocate(LaneTransmitterState, shapes)

    def step(self) -> LaneTransmitterOutputs:
        """Outputs of this cycle, then the clock edge."""
        lane_transmitter_step(self.rows, MARKER_BEGIN, self.state, self.inputs, self.outputs)
        return self.outputs
