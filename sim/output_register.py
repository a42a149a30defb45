"""Take flip-flops behind block RAMs of ECP5 into them: each port has a register at its output.

yosys never uses it, though the data of a DP16KD comes late in the cycle without, and each bit costs
a flip-flop.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping
from typing import Any

__all__ = ["fold_output_registers"]

Cell = Mapping[str, Any]
Signal = tuple[int | str, bool]  # a bit, and whether it is inverted
WIDE = 36  # bits of the mode in which port A only writes, and B reads with the pins of both


def fold_output_registers(module: Mapping[str, Any]) -> None:
    """Let block RAMs of ``module`` hold what the flip-flops behind them do.

    All bits of a port that anything reads must go into one flip-flop each and nowhere else. These
    have the clock of the port, all the same enable, no reset, and are zero at power-up. A port with
    a reset keeps them: it would clear the register, too.
    """
    readers = _readers(module)
    gone: set[int] = set()
    for ram in [cell for cell in module["cells"].values() if cell["type"] == "DP16KD"]:
        wide = int(ram["parameters"]["DATA_WIDTH_A"], 2) == WIDE
        for ports in ["AB"] if wide else ["A", "B"]:
            outputs = tuple(f"DO{port}" for port in ports)
            read = {
                pin: bits[0]
                for pin, bits in ram["connections"].items()
                if pin.startswith(outputs) and readers[bits[0]]
            }
            registers = {pin: _register(module, readers[bit]) for pin, bit in read.items()}
            enable = _enable(module, ram, ports, registers.values())
            if enable is None:
                continue
            # Which of the ports it is that counts when the pins are of both need not be known.
            bit, inverted = enable
            for port in ports:
                ram["connections"][f"OCE{port}"] = [bit]
                ram["parameters"][f"OCE{port}MUX"] = "INV" if inverted else f"OCE{port}"
                ram["parameters"][f"REGMODE_{port}"] = "OUTREG"
            for pin, name in registers.items():
                ram["connections"][pin] = module["cells"].pop(name)["connections"]["Q"]
            gone.update(read.values())
    _forget(module["netnames"], gone)


def _readers(module: Mapping[str, Any]) -> dict[int, list[tuple[str, str]]]:
    """The cells and their pins that read a bit; those of the module have no cell."""
    readers = defaultdict(list)
    for name, cell in module["cells"].items():
        for pin, bits in cell["connections"].items():
            if cell["port_directions"][pin] != "output":
                for bit in bits:
                    readers[bit].append((name, pin))
    for pin, port in module["ports"].items():
        for bit in port["bits"]:
            readers[bit].append(("", pin))
    return readers


def _register(module: Mapping[str, Any], readers: list[tuple[str, str]]) -> str:
    """The flip-flop that ``readers`` are; the empty string if they are anything else."""
    name, pin = readers[0]
    alone = len(readers) == 1 and pin == "DI"
    return name if alone and module["cells"][name]["type"] == "TRELLIS_FF" else ""


def _enable(
    module: Mapping[str, Any], ram: Cell, ports: str, registers: Collection[str]
) -> Signal | None:
    """What enables all ``registers``; None if they cannot be those of ``ports``."""
    if not all(registers):
        return None
    clocks = {_signal(ram, f"CLK{port}") for port in ports}
    resets = {_signal(ram, f"RST{port}") for port in ports}
    enables, values = set(), set()
    for register in map(module["cells"].get, registers):
        always = register["parameters"]["CEMUX"].strip() == "1"
        clocks.add(_signal(register, "CLK"))
        resets.add(_signal(register, "LSR"))
        enables.add(("1", False) if always else _signal(register, "CE"))
        values.add(register["parameters"]["REGSET"])
    same = len(clocks) == len(enables) == 1
    return enables.pop() if same and resets == {("0", False)} and values == {"RESET"} else None


def _signal(cell: Cell, pin: str) -> Signal:
    """What is at ``pin``, and whether the cell inverts it."""
    return cell["connections"][pin][0], cell["parameters"].get(f"{pin}MUX") == "INV"


def _forget(nets: dict[str, Any], gone: set[int]) -> None:
    """Take the bits that are ``gone`` out of the names."""
    for name in [name for name, net in nets.items() if gone.intersection(net["bits"])]:
        bits = ["x" if bit in gone else bit for bit in nets[name]["bits"]]
        nets[name]["bits"] = bits
        if all(isinstance(bit, str) for bit in bits):
            del nets[name]
