"""Output registers of block RAMs: which flip-flops they take over, and which they must not."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from sim.output_register import fold_output_registers

CLOCK, ENABLE, OTHER, LATCHES, HELD = 2, 3, 4, (10, 11), (20, 21)
Module = dict[str, Any]


def cell(kind: str, outputs: str, parameters: dict[str, str], **pins: int | str) -> Module:
    """A cell as yosys writes it; ``outputs``: how the names of its output pins begin."""
    return {
        "type": kind,
        "parameters": parameters,
        "port_directions": {pin: "output" if pin.startswith(outputs) else "input" for pin in pins},
        "connections": {pin: [bit] for pin, bit in pins.items()},
    }


def example(*, width: int) -> Module:
    """A block RAM of which two bits are read, and flip-flops behind them."""
    pins = ("DOA0", "DOB0") if width == 36 else ("DOB0", "DOB1")
    cells = {
        "ram": cell(
            "DP16KD",
            "DO",
            {
                "DATA_WIDTH_A": f"{width:032b}",
                "REGMODE_A": "NOREG",
                "REGMODE_B": "NOREG",
                "CLKAMUX": "CLKA",
                "CLKBMUX": "CLKB",
            },
            **dict.fromkeys(("CLKA", "CLKB"), CLOCK),
            **dict.fromkeys(("RSTA", "RSTB", "OCEA"), "0"),
            **dict(zip(pins, LATCHES, strict=True)),
            OCEB="1",
            DOB17=12,  # read by nobody
        )
    }
    for n, (latch, held) in enumerate(zip(LATCHES, HELD, strict=True)):
        parameters = {"CEMUX": "CE", "CLKMUX": "CLK", "LSRMUX": "LSR", "REGSET": "RESET"}
        cells[f"register_{n}"] = cell(
            "TRELLIS_FF", "Q", parameters, CLK=CLOCK, CE=ENABLE, LSR="0", DI=latch, Q=held
        )
    return {
        "ports": {"o": {"direction": "output", "bits": list(HELD)}},
        "cells": cells,
        "netnames": {
            "output": {"bits": [*LATCHES]},
            "both": {"bits": [LATCHES[0], HELD[0], "0"]},
            "held": {"bits": [*HELD]},
        },
    }


@pytest.mark.parametrize("width, ports", [(18, "B"), (36, "AB")])
@pytest.mark.parametrize(
    "mux, bit, inverted", [("CE", ENABLE, False), ("INV", ENABLE, True), ("1 ", "1", False)]
)
def test_registers_of_a_port_are_folded(width, ports, mux, bit, inverted):
    module = example(width=width)
    for n in range(2):
        module["cells"][f"register_{n}"]["parameters"]["CEMUX"] = mux
    fold_output_registers(module)
    assert list(module["cells"]) == ["ram"]
    ram = module["cells"]["ram"]
    for port in "AB":
        taken = port in ports
        assert ram["parameters"][f"REGMODE_{port}"] == ("OUTREG" if taken else "NOREG")
        assert not taken or ram["connections"][f"OCE{port}"] == [bit]
        assert not taken or (ram["parameters"][f"OCE{port}MUX"] == "INV") == inverted
    shown = [ram["connections"][pin] for pin in ram["connections"] if pin.startswith("DO")]
    assert shown == [[HELD[0]], [HELD[1]], [12]]
    assert module["netnames"] == {
        "both": {"bits": ["x", HELD[0], "0"]},
        "held": {"bits": [*HELD]},
    }


def put(name: str, group: str, key: str, value: Any) -> Callable[[Module], None]:
    """The change of one thing."""

    def change(module: Module) -> None:
        module["cells"][name][group][key] = value

    return change


def reader(pin: str) -> Callable[[Module], None]:
    """A cell that reads a bit of the memory, too."""

    def change(module: Module) -> None:
        kind = "TRELLIS_FF" if pin == "DI" else "LUT4"
        module["cells"]["other"] = cell(kind, "Q", {}, **{pin: LATCHES[0]})

    return change


def way_in(module: Module) -> None:
    """Not the input that the clock takes over."""
    module["cells"]["register_1"]["connections"] |= {"M": [LATCHES[1]], "DI": [OTHER]}
    module["cells"]["register_1"]["port_directions"]["M"] = "input"


def gate(module: Module) -> None:
    """One between the memory and a flip-flop."""
    module["cells"]["gate"] = cell("LUT4", "Z", {}, A=LATCHES[1], Z=OTHER)
    module["cells"]["register_1"]["connections"]["DI"] = [OTHER]


def shown(module: Module) -> None:
    """A pin of the module shows a bit of the memory."""
    module["ports"]["o"]["bits"].append(LATCHES[1])


UNLIKE = {
    "enable": put("register_1", "connections", "CE", [OTHER]),
    "enable of another level": put("register_1", "parameters", "CEMUX", "INV"),
    "enable of one only": put("register_1", "parameters", "CEMUX", "1 "),
    "clock": put("register_1", "connections", "CLK", [OTHER]),
    "edge": put("register_1", "parameters", "CLKMUX", "INV"),
    "clock of the memory": put("ram", "connections", "CLKB", [OTHER]),
    "edge of the memory": put("ram", "parameters", "CLKBMUX", "INV"),
    "reset": put("register_1", "connections", "LSR", [OTHER]),
    "reset that is low": put("register_1", "parameters", "LSRMUX", "INV"),
    "reset of the memory": put("ram", "connections", "RSTB", [OTHER]),
    "one at power-up": put("register_1", "parameters", "REGSET", "SET"),
    "kind": lambda module: module["cells"]["register_1"].update(type="TRELLIS_DPR16X4"),
    "way in": way_in,
    "gate between": gate,
    "gate beside": reader("A"),
    "second register": reader("DI"),
    "pin": shown,
}


@pytest.mark.parametrize("width", [18, 36])
@pytest.mark.parametrize("unlike", UNLIKE)
def test_all_of_a_port_are_kept_if_one_is_unlike(unlike, width):
    module = example(width=width)
    UNLIKE[unlike](module)
    before = copy.deepcopy(module)
    fold_output_registers(module)
    assert module == before


@pytest.mark.parametrize("change", [("CLKA", OTHER), ("RSTA", OTHER)])
def test_the_port_that_writes_counts_only_if_both_read(change):
    pin, bit = change
    for width, kept in ((18, 0), (36, 2)):
        module = example(width=width)
        module["cells"]["ram"]["connections"][pin] = [bit]
        fold_output_registers(module)
        assert len(module["cells"]) == 1 + kept
