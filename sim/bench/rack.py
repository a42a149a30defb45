"""The large switch at full width: what its Verilog and its simulation cost."""

import os
import resource
import shutil
import time

from models.config import RACK
from sim import BUILD
from sim.bench.check import Check
from sim.bench.runner import FOLDER, Runner

__all__ = ["rack"]

WRITTEN = 60  # seconds
BUILT = 300
MEMORY = 16.0  # GiB


def rack(runner: Runner) -> list[Check]:
    """Time to write RACK as Verilog, and to build its simulation; nothing is cached."""
    from rtl.switch import Switch
    from sim.export import write_verilog_file
    from sim.verilator import build_loop, run_loop

    runner.expect(2)
    runner.tell("Verilog")
    began = time.perf_counter()
    source = write_verilog_file(RACK, FOLDER)
    written = time.perf_counter() - began
    runner.progress.advance(runner.task)

    runner.tell("Verilator")
    name = "switch-RACK"
    shutil.rmtree(BUILD / "sim" / f"loop-{name}", ignore_errors=True)
    os.environ["CCACHE_DISABLE"] = "1"
    began = time.perf_counter()
    program = build_loop(Switch(RACK), name)
    took = time.perf_counter() - began
    del os.environ["CCACHE_DISABLE"]
    memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / (1 << 20)
    runner.progress.advance(runner.task)
    size = source.stat().st_size / 1e6
    return [
        Check("RACK, Verilog written, s", written, "<=", WRITTEN, f"{size:.1f} MB"),
        Check("RACK, built with Verilator, s", took, "<=", BUILT, "conversion included"),
        Check("RACK, memory of the build, GiB", memory, "<=", MEMORY, "largest process"),
        Check("RTL alone, RACK, random inputs, cycles/s", run_loop(program, 1000)),
    ]
