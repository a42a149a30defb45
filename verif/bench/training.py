"""cocotb bench of rtl.serdes.training: lockstep, over lanes that come and go."""

import os

import cocotb
import numpy as np

from models.serdes.training import READY, TrainingModel
from rtl.serdes.training import Training
from verif.coverage import Coverage
from verif.lockstep import Lockstep, bench_lanes

CYCLES = int(os.environ.get("BENCH_CYCLES", "4000"))


@cocotb.test()
async def matches_model(dut) -> None:
    """Inputs that are mostly as they were; each state, and each way out of it."""
    config = bench_lanes()
    rng, lanes = np.random.default_rng(cocotb.RANDOM_SEED), config.lanes
    bench = Lockstep(dut, Training(config), TrainingModel(config))
    await bench.reset()
    i, o = bench.model.inputs, bench.model.outputs
    coded = config.fec != "none"
    events = ["lost", "expired"] + ["condemned", "condemned as it is ready"] * coded
    moves = [(state, READY) for state in ([3] if coded else range(4))]
    moves += [(READY, state) for state in range(4)]
    seen = Coverage([*moves, *events, "kept on"])
    before, quiet = 0, 0  # quiet: cycles in which all has been well
    for cycle in seen.steps(CYCLES):
        phase = cycle // 200 % 4
        flips = (0.002, 0.02, 0.2, 0.0)[phase]  # of an input, in a cycle

        def flip(value: int, most: float = 1.0, flips: float = flips) -> int:
            """Away from what is good with this probability, and back with a larger one."""
            return int(rng.random() >= flips * most if value else rng.random() < 10 * flips)

        if cycle % 200 == 0:
            i.enable[0] = i.aligned[0] = 1
            i.signal_ok[0] = i.locked[0] = 1
            # For a while something is missing: lanes that never lock, or are never aligned.
            if phase == 3 and rng.random() < 0.7:
                i.aligned[0], i.locked[0, -1] = 0, rng.integers(2)
        i.enable[0] = flip(i.enable[0], 0.3)
        i.aligned[0] = flip(i.aligned[0])
        for lane in range(lanes):
            i.signal_ok[0, lane] = flip(i.signal_ok[0, lane], 1 / lanes)
            i.locked[0, lane] = flip(i.locked[0, lane], 1 / lanes)
        i.codeword[0] = coded and rng.random() < 0.3
        i.bad[0] = rng.random() < (0.8 if cycle % 100 < 20 else 0.02)
        await bench.step()
        state = int(o.state[0])
        if state != before:
            seen[before, state] += 1
        for event in ("lost", "expired", "condemned"):
            seen[event] += int(getattr(o, event)[0])
        seen["condemned as it is ready"] += bool(o.condemned[0] and before == READY)
        assert o.ready[0] == (state == READY)
        assert o.search[0] == (o.expired[0] or o.condemned[0])
        # What was missing is there: it comes up at once, without a code.
        good = i.enable[0] and i.aligned[0] and i.signal_ok[0].all() and i.locked[0].all()
        assert coded or quiet < 3 or state == READY
        seen["kept on"] += quiet > 10
        quiet = quiet + 1 if good else 0
        before = state
