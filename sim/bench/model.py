"""How fast the golden model runs by itself, how that grows with ports, and how soon it starts."""

import subprocess
import sys
import tempfile
import time
from statistics import median

from models.config import NODE, RACK, SwitchConfig
from models.trial import Run, Trial
from sim import ROOT
from sim.bench.check import Check
from sim.bench.runner import Runner

__all__ = ["model"]

PORTS = (8, 16, 32, 64, 128)
ITERATIONS = (1, 4)
WORK = 1 << 20  # port cycles of a measurement
REPEATS = 3
TARGETS = {NODE.name: 1_500_000, RACK.name: 200_000}  # cycles per second of CPU time
COLD, CACHED = 15, 3  # seconds until the first cycle, numba's cache empty and not

START = """
import sys, time
began = time.process_time()
import models
from numba import config
config.CACHE_DIR = sys.argv[1]
from models.config import NODE
from models.trial import Run, Trial
Run(Trial(config=NODE, cycles=100)).rig.run(1)
print(time.process_time() - began)
"""


def cycles_per_second(config: SwitchConfig, cycles: int) -> float:
    """Cycles per second of CPU time; single flits, uniform, at 0.9 of the line rate."""
    speeds = []
    for seed in range(1, REPEATS + 1):
        run = Run(Trial(config=config, cycles=cycles, load=0.9, seed=seed))
        run.rig.run(cycles // 10)  # compiles, fills the queues
        began = time.process_time()
        done = run.rig.run(cycles - run.rig.cycle)
        speeds.append(done / (time.process_time() - began))
    return median(speeds)


def start(folder: str) -> float:
    """Seconds of CPU time of a new process up to the first cycle, with its cache in ``folder``."""
    command = [sys.executable, "-c", START, folder]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return float(run.stdout)


def model(runner: Runner) -> list[Check]:
    """Cycles per second of CPU time, delays of all packets noted, and the time until they begin."""
    runner.expect(2 + len(PORTS) * len(ITERATIONS) + 2)
    checks = []

    def measure(config: SwitchConfig, what: str) -> None:
        runner.tell(what)
        speed = cycles_per_second(config, runner.cycles(WORK // config.ports))
        target = TARGETS.get(config.name)
        port = f"{1e9 / speed / config.ports:.0f} ns per port and cycle"
        checks.append(Check(what, speed, ">=" if target else "", target or 0, port))
        runner.progress.advance(runner.task)

    for config in (NODE, RACK):
        measure(config, f"{config.name}, cycles/s")
    for iterations in ITERATIONS:
        for ports in PORTS:
            name = f"N={ports}, {iterations} iteration{'s' * (iterations > 1)}"
            config = RACK.with_(name=name, ports=ports, iterations=iterations)
            measure(config, f"{name}, cycles/s")
    with tempfile.TemporaryDirectory() as folder:
        for what, limit in (("cold", COLD), ("cached", CACHED)):
            runner.tell(f"start, {what}")
            checks.append(Check(f"start, {what}, s", start(folder), "<=", limit))
            runner.progress.advance(runner.task)
    return checks
