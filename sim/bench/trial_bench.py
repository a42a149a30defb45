"""cocotb bench of trials: the RTL in lockstep with the model, every output in every cycle."""

import json
import os
import time
from pathlib import Path

import cocotb

from models.trial import Run, Trial
from rtl.switch import Switch
from sim.job import CHUNK, Replay
from sim.report import write
from verif.bench.switch import QUALIFIED
from verif.lockstep import Lockstep, bench_config


@cocotb.test()
async def runs_trials(dut) -> None:
    """The trials of the order, one after another, each from reset."""
    config = bench_config()
    path = Path(os.environ["TRIALS"])
    found = []
    for values in json.loads(path.read_text())["trials"]:
        run = Run(Trial.parse(values), trace=CHUNK)
        model = Replay(config)
        bench = Lockstep(dut, Switch(config), model, QUALIFIED)
        await bench.reset()
        inputs, outputs = run.rig.traces
        began = time.perf_counter()
        while not run.done:
            for n in range(run.advance()):
                model.load(inputs[n], outputs[n])
                await bench.step()
        seconds = time.perf_counter() - began
        found.append(run.result() | {"cycles_per_second": run.rig.cycle / seconds})
    write(path, {"results": found})
