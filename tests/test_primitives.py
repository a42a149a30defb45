# amaranth: UnusedElaboratable=no
"""What a bitstream is made of, primitives of ECP5, under the benches of the RTL."""

from typing import Any

import pytest

from models.config import NODE, PROTO, TINY
from rtl.arbiter import Arbiter
from rtl.buffer import Buffer
from rtl.crossbar import Crossbar
from rtl.egress import Egress
from rtl.switch import Switch
from sim.primitives import Primitives
from sim.verilator import run_bench

QUICK = TINY.with_(stall_cycles=32)
# Small enough for its memories to be one block RAM deep: no multiplexer is behind them.
BLOCKS = PROTO.with_(
    ingress_flits=1024, reserve_flits=64, limit_flits=64, max_packet_bytes=512, name="BLOCKS"
)
EIGHT = TINY.with_(name="EIGHT", ports=8, ingress_flits=128, egress_flits=256)
MAKERS = {
    "arbiter": lambda config: Arbiter(config.ports),
    "buffer": Buffer,
    "crossbar": Crossbar,
    "egress": Egress,
    "switch": Switch,
}


def matches(noun: str, config, fault=None, **options: Any) -> Primitives:
    """Run the bench of ``noun`` on its netlist."""
    make = MAKERS[noun]
    top = Primitives(make(config), fault)
    run_bench(noun, make(config), config, top=top, **options)
    return top


def flip(cells: dict[str, Any], kind: str, parameter: str, old: str, new: str) -> None:
    """Change ``parameter`` of the first cell of a kind in which it is, or ends in, ``old``."""
    for cell in cells.values():
        value = cell["parameters"].get(parameter, "")
        if cell["type"] == kind and value.endswith(old):
            cell["parameters"][parameter] = value[: len(value) - len(old)] + new
            return
    raise LookupError(f"no {kind} has {parameter} {old}")


FAULTS = {
    "bit of a table": ("LUT4", "INIT", "0", "1"),
    "value after reset": ("TRELLIS_FF", "REGSET", "RESET", "SET"),
    "reset that waits for enable": ("TRELLIS_FF", "LSRMUX", "LSR", "INV"),
    "carry": ("CCU2C", "INJECT1_0", "NO", "YES"),
}
QUICK_FAULTS = ("bit of a table", "value after reset")
SLOW_FAULTS = tuple(fault for fault in FAULTS if fault not in QUICK_FAULTS)


@pytest.mark.verilator
@pytest.mark.parametrize("noun", ["arbiter", "egress"])
def test_netlist_of_a_leaf_matches_model(noun):
    top = matches(noun, NODE if noun == "arbiter" else QUICK, cycles=1000)
    assert top.cells["LUT4"] and top.cells["TRELLIS_FF"]


@pytest.mark.verilator
@pytest.mark.parametrize(
    "fault", [*QUICK_FAULTS, *(pytest.param(f, marks=pytest.mark.slow) for f in SLOW_FAULTS)]
)
def test_fault_in_the_netlist_is_caught(fault):
    change = FAULTS[fault]
    with pytest.raises(AssertionError, match=r"cycle \d+: grant is"):
        matches("arbiter", NODE, lambda module: flip(module["cells"], *change), cycles=1000)


def registered(module: dict[str, Any]) -> list[dict[str, Any]]:
    """Block RAMs whose read port has its output register in use."""
    return [
        cell
        for cell in module["cells"].values()
        if cell["type"] == "DP16KD" and cell["parameters"]["REGMODE_B"] == "OUTREG"
    ]


@pytest.mark.verilator
def test_netlist_of_wide_multiplexers_matches_model():
    top = matches("crossbar", EIGHT, cycles=1000)
    assert top.cells["L6MUX21"]


@pytest.mark.verilator
def test_fault_in_a_wide_multiplexer_is_caught():
    def swap(module: dict[str, Any]) -> None:
        cell = next(cell for cell in module["cells"].values() if cell["type"] == "PFUMX")
        pins = cell["connections"]
        pins["ALUT"], pins["BLUT"] = pins["BLUT"], pins["ALUT"]

    with pytest.raises(AssertionError, match=r"cycle \d+: o\."):
        matches("crossbar", EIGHT, swap, cycles=1000)


@pytest.mark.verilator
@pytest.mark.slow
@pytest.mark.parametrize("noun", ["buffer", "egress"])
def test_netlist_of_block_rams_matches_model(noun):
    """Flits lie in block RAMs, which hold what was read, too."""
    top = matches(noun, BLOCKS, cycles=1000)
    assert registered(top.module)


@pytest.mark.verilator
@pytest.mark.slow
def test_fault_in_a_block_ram_is_caught():
    """Its initial values are not seen, as room is not: what the bytes of a write are is."""

    def swap(module: dict[str, Any]) -> None:
        cell = next(cell for cell in module["cells"].values() if cell["type"] == "DP16KD")
        pins = cell["connections"]
        pins["DOB0"], pins["DOB1"] = pins["DOB1"], pins["DOB0"]

    with pytest.raises(AssertionError, match=r"cycle \d+: "):
        matches("egress", PROTO, swap, cycles=1000)


@pytest.mark.verilator
@pytest.mark.slow
@pytest.mark.parametrize(
    "noun, name, value", [("buffer", "REGMODE_B", "NOREG"), ("egress", "OCEBMUX", "INV")]
)
def test_fault_in_an_output_register_is_caught(noun, name, value):
    """One that is left out, and one whose enable is the wrong way round."""

    def change(module: dict[str, Any]) -> None:
        registered(module)[0]["parameters"][name] = value

    with pytest.raises(AssertionError, match=r"cycle \d+: "):
        matches(noun, BLOCKS, change, cycles=1000)


@pytest.mark.verilator
@pytest.mark.slow
def test_netlist_of_the_switch_matches_model():
    matches("switch", QUICK, cycles=1000)


@pytest.mark.verilator
@pytest.mark.slow
def test_netlist_powers_up_as_after_reset():
    matches("switch", QUICK, cycles=1000, testcase="meets_every_case", power_up=True)


@pytest.mark.verilator
@pytest.mark.slow
def test_netlist_of_the_prototype_matches_model():
    top = matches("switch", PROTO.with_(stall_cycles=32), cycles=1000)
    assert top.cells["DP16KD"]
