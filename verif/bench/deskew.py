"""cocotb bench of rtl.serdes.deskew: lockstep, and groups as they were dealt."""

import os

import cocotb
import numpy as np

from models.serdes.config import SYMBOL_BITS, LanesConfig
from models.serdes.deskew import DeskewModel
from rtl.serdes.deskew import Deskew
from verif.coverage import Coverage
from verif.lockstep import Lockstep, bench_lanes

CYCLES = int(os.environ.get("BENCH_CYCLES", "1000"))
KINDS = ("good", "good", "skewed", "disordered", "lost", "slipped")


class Rows:
    """Rows of all lanes, by the number of a lane, and when each is to come."""

    def __init__(self, config: LanesConfig, rng: np.random.Generator, kind: str):
        self.config, self.rng = config, rng
        lanes = config.lanes
        self.numbers = rng.permutation(lanes)
        most = config.skew_rows - 2  # one waits to be taken, one more while a row goes
        self.skew = rng.integers(most + 1, size=lanes)
        if lanes > 1:
            late, early = rng.choice(lanes, 2, replace=False)
            self.skew[late] = self.skew[early] + (
                config.skew_rows + 2 if kind == "skewed" else most
            )
            self.skew -= self.skew.min()
            if kind != "skewed":
                self.skew = np.minimum(self.skew, most)
            if kind == "disordered":
                self.numbers[late] = self.numbers[early] if rng.random() < 0.5 else (lanes + 1) % 8
        self.next = rng.integers(config.data_rows, size=1)[0] + np.zeros(lanes, dtype=int)
        self.offset = self.next[0]  # rows before the first marker
        self.made: list[np.ndarray] = []  # symbols of each row, as they were dealt

    def row(self, lane: int, at: int) -> np.ndarray:
        """What a lane has of row ``at``."""
        lanes, wide = self.config.lanes, self.config.row_symbols
        while len(self.made) <= at - self.offset:
            self.made.append(self.rng.integers(1 << SYMBOL_BITS, size=lanes * wide))
        return self.made[at - self.offset][self.numbers[lane] % lanes :: lanes]


@cocotb.test()
async def matches_model(dut) -> None:
    """All skews that there may be, all orders; and what is wrong is told."""
    rng, config = np.random.default_rng(cocotb.RANDOM_SEED), bench_lanes()
    bench = Lockstep(dut, Deskew(config), DeskewModel(config))
    await bench.reset()
    i, o = bench.model.inputs, bench.model.outputs
    lanes, wide = config.lanes, config.frame.symbols_per_cycle
    faults = {"skewed", "disordered", "slipped", "most"} if lanes > 1 else set()
    seen = Coverage({"row": 50, "again": 5} | dict.fromkeys(faults, 3))
    length = max(8 * config.skew_rows, 3 * config.data_rows) * config.row_groups
    for phase in seen.steps(max(3 * len(KINDS), CYCLES // length)):
        kind = KINDS[phase % len(KINDS)]
        rows = Rows(config, rng, kind)
        i.locked[0], i.i_valid[0] = 0, 0
        await bench.step()
        i.locked[0], i.number[0] = 1, rows.numbers
        came: list[int] = []
        firsts: list[bool] = []
        told: set[str] = set()
        time, start = 0.0, rows.offset
        for cycle in range(length):
            time += rng.choice([0.5, 1.0, 1.0]) / config.row_groups
            i.locked[0] = 1
            if kind == "lost" and cycle == length // 2:
                i.locked[0, rng.integers(lanes)] = 0
            for lane in range(lanes):
                due = rows.next[lane] - start + rows.skew[lane] <= time
                i.i_valid[0, lane] = due
                i.i_symbols[0, lane] = rng.integers(1 << SYMBOL_BITS, size=config.row_symbols)
                i.i_first[0, lane] = rng.integers(2) & due
                if due:
                    at = rows.next[lane]
                    i.i_symbols[0, lane] = rows.row(lane, at)
                    i.i_first[0, lane] = at % config.data_rows == 0
                    rows.next[lane] += 1
            if kind == "slipped" and cycle == length // 2:
                rows.next[rng.integers(lanes)] += 1
            aligned = bool(o.aligned[0])
            await bench.step()
            told |= {name for name in ("skewed", "disordered", "slipped") if getattr(o, name)[0]}
            if o.o_valid[0]:
                came += o.o_payload_symbols[0].tolist()
                firsts.append(bool(o.o_payload_first[0]))
            seen["again"] += kind == "lost" and not aligned and bool(o.aligned[0])
        if kind != "good":
            # After a fault lanes may begin with markers of different times, and find that out.
            assert told <= {kind, "skewed"}
            for fault in told:
                seen[fault] += 1
            assert kind != "disordered" or lanes == 1 or not came
            continue
        # From the first marker on, all rows, none else, and codewords begin where they began.
        assert not told
        begin = -start % config.data_rows
        sent = np.concatenate(rows.made[begin:]).tolist()
        assert came == sent[: len(came)] and len(came) % wide == 0
        assert firsts == [k % config.frame.groups == 0 for k in range(len(firsts))]
        seen["row"] += len(came) // (wide * config.row_groups)
        seen["most"] += np.ptp(rows.skew) == config.skew_rows - 2
