"""cocotb bench of rtl.serdes.lane_transmitter: lockstep, and the lines told symbol by symbol."""

import os

import cocotb
import numpy as np

from models.serdes.config import MARKER, MARKER_BITS, MARKER_SYMBOLS, SYMBOL_BITS
from models.serdes.lane_transmitter import LaneTransmitterModel
from rtl.serdes.lane_transmitter import LaneTransmitter
from verif.coverage import Coverage
from verif.lockstep import Lockstep, bench_lanes

GAPS = (0.0, 0.0, 0.05, 0.5)  # probabilities that the lines take nothing in a cycle
CYCLES = int(os.environ.get("BENCH_CYCLES", "1000"))


def number(words) -> int:
    return int.from_bytes(words.tobytes(), "little")


class Lines:
    """What must be on the lines: rows, each with the symbols of all lanes, and markers."""

    def __init__(self, config):
        self.config, self.bits, self.left = config, [0] * config.lanes, 0
        self.symbols, self.row, self.parity = [], 0, [0] * config.lanes
        self.markers = 0

    def put(self, rows: list[list[int]]) -> None:
        """A row behind those that are there."""
        for lane in range(self.config.lanes):
            for k, symbol in enumerate(rows[lane]):
                self.bits[lane] |= symbol << self.left + SYMBOL_BITS * k
        self.left += self.config.row_bits

    def marker(self) -> None:
        """All rows of a marker."""
        config = self.config
        for r in range(config.marker_rows):
            rows = []
            for lane in range(config.lanes):
                told = [MARKER >> SYMBOL_BITS * k & 1023 for k in range(MARKER_BITS // SYMBOL_BITS)]
                told += [lane + 32 * (31 - lane), self.parity[lane]]
                told += [0x155] * (config.row_symbols * config.marker_rows - MARKER_SYMBOLS)
                rows.append(told[r * config.row_symbols : (r + 1) * config.row_symbols])
            self.put(rows)
        self.parity, self.row, self.markers = [0] * config.lanes, 0, self.markers + 1

    def group(self, symbols: list[int]) -> None:
        """A group; if the row is full, it is put."""
        config = self.config
        self.symbols += symbols
        if len(self.symbols) == config.lanes * config.row_symbols:
            rows = [self.symbols[lane :: config.lanes] for lane in range(config.lanes)]
            for lane, row in enumerate(rows):
                for symbol in row:
                    self.parity[lane] ^= symbol
            self.put(rows)
            self.symbols, self.row = [], self.row + 1


@cocotb.test()
async def matches_model(dut) -> None:
    """Lines tell what came, with markers; they wait for rows, and rows for them."""
    rng, config = np.random.default_rng(cocotb.RANDOM_SEED), bench_lanes()
    bench = Lockstep(dut, LaneTransmitter(config), LaneTransmitterModel(config))
    await bench.reset()
    i, o = bench.model.inputs, bench.model.outputs
    seen = Coverage({"starved": 5, "waits": 20, "sent": 20, "marker": 3, "gap": 20, "held": 20})
    lines, load, gaps, sends, words = Lines(config), 1.0, 0.0, False, [0] * config.lanes
    lines.marker()
    for cycle in seen.steps(CYCLES):
        if cycle % 50 == 0:
            load, gaps = rng.choice([0.3, 1.0, 1.0]), rng.choice(GAPS)
        symbols = rng.integers(1 << SYMBOL_BITS, size=config.frame.symbols_per_cycle)
        i.i_payload_symbols[0], i.i_payload_first[0] = symbols, rng.integers(2)
        state = bench.model.state
        ready = state.row[0] >= config.marker_rows and (
            state.left[0, 0] <= config.line_rows * config.row_bits
        )
        i.i_valid[0] = ready and rng.random() < load
        i.tx_ready[0] = rng.random() >= gaps
        started, held = state.started[0], words
        await bench.step()
        seen["waits"] += not ready
        seen["starved"] += int(o.starved[0])
        words = [number(o.tx[0, lane]) for lane in range(config.lanes)]
        mask = (1 << config.lane_bits) - 1
        if sends is None:  # the lines did not take the last ones
            assert words == held and not o.starved[0]
            seen["held"] += any(words)
        elif not sends:
            assert not any(words)
        else:
            assert words == [bits & mask for bits in lines.bits]
            lines.bits = [bits >> config.lane_bits for bits in lines.bits]
            lines.left -= config.lane_bits
            assert lines.left >= 0
            seen["sent"] += 1
        seen["gap"] += not i.tx_ready[0]
        # In the next cycle.
        sends = started and not state.starved[0] if i.tx_ready[0] else None
        if i.i_valid[0]:
            assert o.ready[0]
            lines.group(symbols.tolist())
        if lines.row == config.data_rows:
            seen["marker"] += 1
            lines.marker()
