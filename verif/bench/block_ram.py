"""cocotb bench of sim/cells/dp16kd.v: block RAMs of all kinds against their golden model."""

import os
from collections import Counter
from typing import Any, cast

import cocotb
import numpy as np
from amaranth import ClockSignal, Const, Instance, Module, ResetSignal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from models.block_ram import WIDE, BlockRam, BlockRamModel, initial_word
from verif.lockstep import Lockstep

__all__ = ["RAMS", "BlockRams"]

CYCLES = int(os.environ.get("BENCH_CYCLES", "2000"))
WIDTHS = (1, 2, 4, 9, 18)
MODES = ("NORMAL", "WRITETHROUGH", "READBEFOREWRITE")
RAMS = (
    *(BlockRam(widths=(a, b)) for a in WIDTHS for b in WIDTHS),
    *(BlockRam(widths=(WIDE, width)) for width in (*WIDTHS, WIDE)),
    *(BlockRam(modes=(a, b)) for a in MODES for b in MODES),
    BlockRam(widths=(9, 4), modes=("WRITETHROUGH", "READBEFOREWRITE")),
    BlockRam(widths=(2, 9), modes=("READBEFOREWRITE", "WRITETHROUGH")),
    BlockRam(registered=(True, False), asynchronous=True),
    BlockRam(registered=(False, True), modes=("WRITETHROUGH", "NORMAL")),
    BlockRam(widths=(WIDE, WIDE), registered=(False, True), selects=(1, 0)),
    BlockRam(widths=(WIDE, WIDE), registered=(True, True)),
    BlockRam(widths=(9, 18), selects=(6, 1), asynchronous=True),
)
LETTERS = "AB"


def initial_values(row: int) -> int:
    """``INITVAL`` of a row of 16 words, each with 2 bits of nothing behind it."""
    return sum(initial_word(16 * row + n) << 20 * n for n in range(16))


class BlockRams(wiring.Component):
    """Memories of ``RAMS`` side by side, with the same inputs; see ``models.block_ram``."""

    _MustUse__silence = True  # one is made for its signature only

    def __init__(self):
        shapes = {"data": 18, "address": 14, "enable": 1, "write": 1, "reset": 1}
        shapes |= {"register_enable": 1, "select": 3}
        members = {name: In(shape).array(2) for name, shape in shapes.items()}
        super().__init__(members | {"data_out": Out(18).array(len(RAMS), 2)})

    def elaborate(self, platform):
        m, ports = Module(), cast(Any, self)  # its members exist only at run time
        for k, ram in enumerate(RAMS):
            options: dict[str, Any] = {
                f"p_INITVAL_{row:02X}": Const(initial_values(row), 320) for row in range(64)
            }
            options["p_RESETMODE"] = "ASYNC" if ram.asynchronous else "SYNC"
            for n, port in enumerate(LETTERS):
                inverted = k % 2 == n  # clock and enable of the register, twice
                register_enable = ports.register_enable[n]
                options |= {
                    f"p_DATA_WIDTH_{port}": ram.widths[n],
                    f"p_WRITEMODE_{port}": ram.modes[n],
                    f"p_REGMODE_{port}": "OUTREG" if ram.registered[n] else "NOREG",
                    f"p_CSDECODE_{port}": f"0b{ram.selects[n]:03b}",
                    f"p_CLK{port}MUX": "INV" if inverted else f"CLK{port}",
                    f"i_CLK{port}": ~ClockSignal() if inverted else ClockSignal(),
                    f"i_CE{port}": ports.enable[n],
                    f"i_WE{port}": ports.write[n],
                    f"i_RST{port}": ports.reset[n] | ResetSignal(),
                    f"p_OCE{port}MUX": "INV" if inverted else f"OCE{port}",
                    f"i_OCE{port}": ~register_enable if inverted else register_enable,
                }
                for name, signal, letter in (
                    ("DI", ports.data[n], "i"),
                    ("AD", ports.address[n], "i"),
                    ("CS", ports.select[n], "i"),
                    ("DO", ports.data_out[k][n], "o"),
                ):
                    options |= {f"{letter}_{name}{port}{j}": bit for j, bit in enumerate(signal)}
            m.submodules[f"ram_{k}"] = Instance("DP16KD", **options)
        return m


@cocotb.test()
async def matches_model(dut) -> None:
    """One case: a reset does not bring the initial contents back."""
    rng = np.random.default_rng(cocotb.RANDOM_SEED)
    model = BlockRamModel(RAMS)
    bench = Lockstep(dut, BlockRams(), model)
    await bench.reset()
    i, seen = model.inputs, Counter()
    known = [model.bits[k].copy() for k in range(len(RAMS))]
    places = rng.integers(1 << 14, size=6)  # few, so that ports meet
    for cycle in range(CYCLES):
        write, enable = (0.1, 0.7) if cycle < CYCLES // 2 else (0.5, 0.9)
        i.data[0] = rng.integers(1 << 18, size=2)
        i.address[0] = rng.choice(places, size=2) ^ rng.integers(32, size=2)
        if rng.random() < 0.1:
            i.address[0] = rng.integers(1 << 14, size=2)
        for name, chance in (("enable", enable), ("write", write), ("reset", 0.05)):
            getattr(i, name)[0] = rng.random(2) < chance
        i.register_enable[0] = rng.random(2) < 0.8
        i.select[0] = rng.choice([0, 0, 0, 1, 6, 7], size=2)
        await bench.step()
        seen.update(np.flatnonzero(model.outputs.data_out[0].any(axis=1)).tolist())
    assert len(seen) == len(RAMS), "a memory gave only zeros"
    changed = [bool((bits != model.bits[k]).any()) for k, bits in enumerate(known)]
    assert all(changed), "a memory was never written"
