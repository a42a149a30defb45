"""cocotb bench of rtl.chip: what the models of a fabric do, chip by chip, in every cycle.

The models run first, hosts and cables included. The RTL then gets what each chip got, and must say
what it said: so by induction it does in that fabric what its model does, and the books of the
fabric hold for it. Of two chips the same RTL is one after the other.
"""

import os
from typing import Any

import cocotb

from models.fabric import WRONG, FabricRun, FabricTrial
from models.record import flat
from rtl.chip import Chip
from verif.lockstep import Lockstep, bench_chip

QUALIFIED = {"drop_reason": "drop_valid", "drop_header": "drop_valid"}
QUALIFIED |= {"broken_reason": "broken_valid"}


class Replay:
    """Stands in for the model of a chip in a lockstep: it did all this before."""

    def __init__(self, inputs: Any, outputs: Any, trace: list):
        self.inputs, self.outputs, self.trace = inputs, outputs, trace
        self.place = 0

    def reset(self) -> None:
        """Nothing to do: the trace begins after a reset."""

    def step(self) -> Any:
        """Outputs of this cycle."""
        flat(self.outputs)[:] = self.trace[self.place]
        self.place += 1
        return self.outputs


@cocotb.test()
async def does_what_the_fabric_did(dut) -> None:
    """One trial, from reset, and both chips if there are two."""
    config, trial = bench_chip(), FabricTrial.parse(os.environ["FABRIC_TRIAL"])
    run = FabricRun(trial, traced=True)
    while not run.done:
        run.step()
    found = run.results()
    assert not any(found[name] for name in WRONG), found
    for chip, (inputs, outputs) in zip(run.chips, run.traces, strict=True):
        bench = Lockstep(dut, Chip(config), Replay(chip.inputs, chip.outputs, outputs), QUALIFIED)
        await bench.reset()
        for row in inputs:
            bench.inputs[:] = row
            await bench.step()
