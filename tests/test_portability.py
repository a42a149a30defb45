# amaranth: UnusedElaboratable=no
"""The generated Verilog in the hands of other tools."""

import os
from collections import Counter

import numpy as np
import pytest

from models.config import LINGYUN, NAMED, PROTO, TINY
from models.switch import SwitchModel
from rtl.switch import Switch
from sim.cxxrtl import CxxrtlPorts, build_cxxrtl, run_coroutine
from sim.export import write_verilog_file
from sim.portability import FAMILIES, elaborate, lint, utilisation
from sim.verilator import ToolMissingError, Top
from verif.bench.switch import QUALIFIED, long_scenario, play
from verif.lockstep import Lockstep

NARROW = LINGYUN.with_(name="LINGYUN-8", flit_bytes=8, min_packet_bytes=8, max_packet_bytes=264)
MEMORIES = {"ice40": "SB_RAM40_4K", "xilinx": "RAM64M"}
QUICK, SLOW = pytest.param("TINY"), pytest.param("PROTO", marks=pytest.mark.slow)
LATCH = "always @* if (clk) planted = {rst, rst};"


def planted(text: str, line: str, noun: str = "") -> str:
    """The Verilog of a switch with another line in its top module, or in the first of a noun."""
    place = text.index("endmodule", text.index(f"module lingyun_switch{noun}"))
    return f"{text[:place]}  reg [1:0] planted;\n  {line}\n{text[place:]}"


@pytest.mark.verilator
@pytest.mark.parametrize(
    "config",
    [
        TINY,
        PROTO,
        NAMED["NODE"],
        pytest.param(NAMED["RACK"], marks=pytest.mark.slow),
        pytest.param(NARROW, marks=pytest.mark.slow),
    ],
    ids=lambda config: config.name,
)
def test_file_lints_clean(tmp_path, config):
    assert lint(write_verilog_file(config, tmp_path)) == ""


@pytest.mark.verilator
@pytest.mark.parametrize("noun", ["", "_ingress", "_classifier"])  # stands once, 4 times, in those
def test_lint_sees_a_latch(tmp_path, noun):
    path = write_verilog_file(PROTO, tmp_path)
    path.write_text(planted(path.read_text(), LATCH, noun))
    assert "%Warning-LATCH" in lint(path)


@pytest.mark.parametrize("name", ["TINY", "PROTO"])
def test_file_elaborates_in_icarus(tmp_path, name):
    path = write_verilog_file(NAMED[name], tmp_path)
    try:
        assert elaborate(path) == ""
    except ToolMissingError as missing:
        if "REQUIRE_TOOLS" in os.environ:
            pytest.fail(str(missing))
        pytest.skip(str(missing))
    path.write_text(planted(path.read_text(), "unknown_module part();"))
    assert elaborate(path)


@pytest.mark.verilator
@pytest.mark.parametrize(
    "name, family",
    [
        pytest.param(name, family, marks=[pytest.mark.slow] * (name != "TINY" or family == "ice40"))
        for name in ("TINY", "PROTO")
        for family in FAMILIES
    ],
)
def test_yosys_synthesises_the_file_for(tmp_path, name, family):
    """And its packets lie in memories, not in flip-flops."""
    cells = utilisation(write_verilog_file(NAMED[name], tmp_path), family)
    print(name, family, cells)
    assert cells[MEMORIES[family]]


@pytest.mark.verilator
def test_a_file_that_yosys_refuses_is_an_error(tmp_path):
    path = tmp_path / "wrong.v"
    path.write_text("module lingyun_switch(); unknown_module part(); endmodule\n")
    with pytest.raises(OSError, match="unknown_module"):
        utilisation(path, "ice40")


def plays(name: str, cycles: int, verilog: str | None = None) -> Counter:
    """The long scenario of the switch's bench in CXXRTL, in lockstep with the golden model."""
    config = NAMED[name].with_(stall_cycles=32)  # short, so that the bench sees them
    design = Switch(config)
    library = build_cxxrtl(design, config.name, verilog=verilog)
    ports = CxxrtlPorts(library, Switch(config))
    bench = Lockstep(None, Switch(config), SwitchModel(config), QUALIFIED, transport=ports)
    seen: Counter = Counter()
    scenario = long_scenario(config, np.random.default_rng(cycles), cycles)
    run_coroutine(play(bench, config, scenario, seen))
    assert bench.cycle > cycles
    assert seen["delivered"] and seen["dropped"] and seen["errored"] and seen["output waits"]
    return seen


@pytest.mark.verilator
@pytest.mark.parametrize("name", [QUICK, SLOW])
def test_second_simulator_agrees_with_the_model(name):
    plays(name, cycles=5000)


@pytest.mark.verilator
def test_second_simulator_sees_a_difference():
    """One bit of an output, in the Verilog that only CXXRTL reads."""
    text = Top(Switch(TINY.with_(stall_cycles=32))).packed()
    wrong = text.replace(".idle(o[", ".idle(unused[", 1)
    assert wrong != text
    place = wrong.index(".idle(unused[") + len(".idle(unused")
    bits = wrong[place : wrong.index("]", place) + 1]
    header = "module packed_top("
    start = wrong.index(";", wrong.index(header)) + 1
    fix = f"\n  wire [65535:0] unused; assign o{bits} = ~unused{bits};\n"
    wrong = wrong[:start] + fix + wrong[start:]
    with pytest.raises(AssertionError, match="cycle 0: idle is 0x0, not 0x3"):
        plays("TINY", cycles=100, verilog=wrong)
