"""cocotb bench of rtl.serdes.lane_receiver: lockstep, and on clean lines the rows that went in."""

import os

import cocotb
import numpy as np

from models.serdes.config import MARKER, MARKER_BITS, SYMBOL_BITS, LanesConfig
from models.serdes.lane_receiver import LOCKED, MAYBE, NOTHING, ONCE, LaneReceiverModel
from rtl.serdes.lane_receiver import LaneReceiver
from verif.coverage import Coverage
from verif.lockstep import Lockstep, bench_lanes

GAPS = (0.0, 0.05, 0.5)  # probabilities that no word comes in a cycle
CYCLES = int(os.environ.get("BENCH_CYCLES", "2000"))


def wrong_markers(rng: np.random.Generator, kind: str) -> set[int]:
    """Which markers of a line are wrong."""
    match kind:
        case "no marker":
            return {0}
        case "second":
            return {1}
        case "some wrong":
            return set(rng.choice(np.arange(2, 12), 5, replace=False).tolist()) - {5}
        case "lost":
            return {4, 5, 6, 7}
    return set()


class Line:
    """A line from ``junk`` bits before a marker on, made as it is read."""

    def __init__(self, config: LanesConfig, rng: np.random.Generator, junk: int, kind: str):
        self.config, self.rng = config, rng
        self.bits, self.left = self.some(junk), junk
        self.number, self.parity = int(rng.integers(8)), 0
        self.markers = 0  # so many are sent
        self.kind, self.wrong = kind, wrong_markers(rng, kind)
        self.rows: list[tuple[bool, tuple]] = []  # behind the second marker
        self.row = -1  # of data; the marker is to come

    def some(self, count: int) -> int:
        return int.from_bytes(self.rng.bytes(-(-count // 8)), "little") & (1 << count) - 1

    def put(self, symbols) -> None:
        for symbol in symbols:
            self.bits |= int(symbol) << self.left
            self.left += SYMBOL_BITS

    def marker(self) -> None:
        config = self.config
        told = [MARKER >> SYMBOL_BITS * k & 1023 for k in range(MARKER_BITS // SYMBOL_BITS)]
        number = (self.number + (self.kind == "other" and self.markers == 1)) % 8
        told += [number | (31 - number) << 5, self.parity]
        if self.markers in self.wrong:
            # One that begins as it should is a marker that may be one, at first.
            first = MARKER_BITS // SYMBOL_BITS if self.kind == "no marker" else 0
            told[self.rng.integers(first, 5)] ^= 1 << int(self.rng.integers(SYMBOL_BITS))
        rest = config.row_symbols * config.marker_rows - len(told)
        self.put([*told, *self.rng.integers(1024, size=rest)])
        self.markers, self.parity = self.markers + 1, 0

    def read(self) -> int:
        """Bits of the next cycle."""
        config = self.config
        while self.left < config.lane_bits:
            if self.row < 0:
                self.marker()
            else:
                symbols = self.rng.integers(1024, size=config.row_symbols)
                self.put(symbols)
                self.parity ^= int(np.bitwise_xor.reduce(symbols))
                if self.markers > 1:
                    self.rows.append((self.row == 0, tuple(symbols.tolist())))
            self.row = self.row + 1 if self.row < config.data_rows - 1 else -1
        word = self.bits & (1 << config.lane_bits) - 1
        self.bits, self.left = self.bits >> config.lane_bits, self.left - config.lane_bits
        return word


KINDS = (
    "clean",
    "no marker",
    "second",
    "other",
    "some wrong",
    "lost",
    "bit",
    "noise",
    "flap",
    "slip",
)


@cocotb.test()
async def matches_model(dut) -> None:
    """A lock from each bit of a word; lines with gaps, wrong markers, errors, slips, no signal."""
    rng, config = np.random.default_rng(cocotb.RANDOM_SEED), bench_lanes()
    bench = Lockstep(dut, LaneReceiver(config), LaneReceiverModel(config))
    await bench.reset()
    i, o, state = bench.model.inputs, bench.model.outputs, bench.model.state
    width = config.lane_bits
    period = -(-(config.data_rows + config.marker_rows) * config.row_bits // width)
    places = [f"begins at {k}" for k in range(width)]
    turns = {(MAYBE, NOTHING): "none", (ONCE, NOTHING): "not again", (LOCKED, NOTHING): "lost"}
    gone = "signal", "signal, no word", "gap"
    seen = Coverage([*places, *turns.values(), *gone, "other", "row", "parity", "marker"])
    for phase in seen.steps(max(4 * len(KINDS), CYCLES // (4 * period))):
        kind = KINDS[phase % len(KINDS)] if phase < 4 * len(KINDS) else "clean"
        place = next((k for k in range(width) if not seen[places[k]]), int(rng.integers(width)))
        line = Line(config, rng, (place - MARKER_BITS + 1) % width, kind)
        i.signal_ok[0], i.rx_valid[0], i.rx[0] = 0, 1, 0  # forget the line before
        for _ in range(-(-MARKER_BITS // width)):
            await bench.step()
        got: list[tuple[bool, tuple]] = []
        came, gaps = -1, GAPS[phase % len(GAPS)]  # words
        while came < (4 if kind == "clean" else 12) * period:
            comes = rng.random() >= gaps
            came += comes
            word = line.read() if comes else line.some(width)
            once = comes and kind == "bit" and came == 3 * period
            if once or (kind == "noise" and rng.random() < 0.05):
                word ^= 1 << int(rng.integers(width))
            elif comes and kind == "slip" and came == 4 * period:
                line.bits, line.left = line.bits >> 1, line.left - 1
            i.rx_valid[0] = comes
            i.rx[0] = np.frombuffer(word.to_bytes(8 * i.rx.shape[1], "little"), dtype=np.int64)
            i.signal_ok[0] = kind != "flap" or rng.random() > 0.3 / period
            before = int(state.found[0])
            await bench.step()
            after = int(state.found[0])
            if not i.signal_ok[0]:
                seen["signal"] += before == LOCKED
                seen["signal, no word"] += before == LOCKED and not comes
            elif not comes:
                assert after == before
                seen["gap"] += before == LOCKED
            elif (before, after) in turns:
                seen[turns[before, after]] += 1
                seen["other"] += kind == "other" and before == ONCE
            if before == NOTHING and after == MAYBE and kind == "clean":
                assert (
                    not line.wrong
                    and came == (width - 1 + MARKER_BITS + (place - 39) % width) // width - 1
                )
                seen[places[place]] += 1
            seen["parity"] += int(o.parity_wrong[0])
            seen["marker"] += int(o.marker_wrong[0])
            if o.o_valid[0]:
                got.append((bool(o.o_first[0]), tuple(o.o_symbols[0].tolist())))
        if kind == "clean":
            assert o.locked[0] and o.number[0] == line.number
            assert got == line.rows[: len(got)] and len(got) > config.data_rows
            seen["row"] += len(got)
