"""Golden model of sim/cells/dp16kd.v, the block RAM of ECP5, bit by bit; several of them at once.

Source: as in that file: what yosys and nextpnr take it for, not held against silicon.
"""

from collections import namedtuple
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from models.record import allocate

__all__ = ["WIDE", "BlockRam", "BlockRamInputs", "BlockRamModel", "BlockRamOutputs"]

WORDS, WIDTH, BYTE = 1024, 18, 9
WIDE = 36  # bits of a write, pseudo-dual-port mode

BlockRamInputs = namedtuple(
    "BlockRamInputs", "data address enable write reset register_enable select"
)
BlockRamOutputs = namedtuple("BlockRamOutputs", "data_out")


@dataclass(frozen=True, kw_only=True)
class BlockRam:
    """How one block RAM is configured; pairs are of port A and port B.

    Parameters
    ----------
    widths : pair of int
        1, 2, 4, 9 or 18 bits. If that of A is 36, A only writes and B, which may have 36, reads.
    modes : pair of str
        What a port reads as it writes: NORMAL, WRITETHROUGH or READBEFOREWRITE.
    registered : pair of bool
        The output has a register.
    asynchronous : bool
        Its reset does not wait for the clock.
    selects : pair of int
        The chip select to which the port answers.
    """

    widths: tuple[int, int] = (WIDTH, WIDTH)
    modes: tuple[str, str] = ("NORMAL", "NORMAL")
    registered: tuple[bool, bool] = (False, False)
    asynchronous: bool = False
    selects: tuple[int, int] = (0, 0)

    @property
    def wide(self) -> bool:
        """A writes, B reads."""
        return self.widths[0] == WIDE


def initial_word(n: int) -> int:
    """What word ``n`` holds at power-up."""
    return (n * 0x2F0B5 ^ n >> 3) & ((1 << WIDTH) - 1)


def places(width: int, address: int) -> list[int]:
    """The bits of the memory, of all in a row, that a port reaches, the lowest first."""
    if width > BYTE:
        first = address // 16 // (width // WIDTH) * width
    elif width == BYTE:
        first = address // 8 * BYTE
    else:
        first = address // 8 * BYTE + address % 8 // width * width
    return list(range(first, first + width))


class BlockRamModel:
    """Block RAMs with the same inputs; a read takes 1 cycle, through a register 2.

    Indices of the inputs are 0 (A) and 1 (B); ``data_out`` has the memory before that.
    """

    def __init__(self, rams: Sequence[BlockRam]):
        self.rams = tuple(rams)
        self.inputs = allocate(BlockRamInputs, dict.fromkeys(BlockRamInputs._fields, (1, 2)))
        self.outputs = allocate(BlockRamOutputs, {"data_out": (1, len(rams), 2)})
        self.reset()

    def reset(self) -> None:
        """The state at power-up."""
        words = [initial_word(n) >> np.arange(WIDTH) & 1 for n in range(WORDS)]
        self.bits = [np.concatenate(words) for _ in self.rams]
        self.latches = np.zeros((len(self.rams), 2), dtype=np.int64)
        self.registers = np.zeros((len(self.rams), 2), dtype=np.int64)

    def step(self) -> BlockRamOutputs:
        """Outputs of this cycle, then the clock edge."""
        for k, ram in enumerate(self.rams):
            for port in range(2):
                if ram.asynchronous and self.inputs.reset[0, port]:
                    self.latches[k, port] = self.registers[k, port] = 0
            self.show(k, ram)
            self.clock(k, ram)
        return self.outputs

    def show(self, k: int, ram: BlockRam) -> None:
        """Outputs of memory ``k``."""
        shown = [int((self.registers if ram.registered[n] else self.latches)[k, n]) for n in (0, 1)]
        if ram.wide:  # B's value; only all 36 bits reach A's pins
            low, high = shown[1] & ((1 << WIDTH) - 1), shown[1] >> WIDTH
            shown = [low, high] if ram.widths[1] == WIDE else [0, low]
        self.outputs.data_out[0, k] = shown

    def written(self, ram: BlockRam, port: int) -> Iterator[tuple[int, int]]:
        """Places and values of the bits that ``port`` writes in this cycle."""
        i, width = self.inputs, ram.widths[port]
        idle = not (i.enable[0, port] and i.write[0, port]) or i.reset[0, port]
        if idle or i.select[0, port] != ram.selects[port] or (ram.wide and port == 1):
            return
        address, value = int(i.address[0, port]), int(i.data[0, port])
        if ram.wide:
            value |= int(i.data[0, 1]) << WIDTH
        for n, place in enumerate(places(width, address)):
            if width < WIDTH or address >> n // BYTE & 1:
                yield place, value >> n & 1

    def clock(self, k: int, ram: BlockRam) -> None:
        """The clock edge of memory ``k``."""
        i, bits = self.inputs, self.bits[k]
        writes = [dict(self.written(ram, port)) for port in range(2)]
        for port in range(2):
            if i.reset[0, port]:
                self.latches[k, port] = self.registers[k, port] = 0
                continue
            if i.register_enable[0, port]:
                self.registers[k, port] = self.latches[k, port]
            on = i.enable[0, port] and i.select[0, port] == ram.selects[port]
            writing = i.write[0, port] and not (ram.wide and port == 1)
            if not on or (writing and ram.modes[port] == "NORMAL"):
                continue
            value = 0
            for n, place in enumerate(places(ram.widths[port], int(i.address[0, port]))):
                bit = int(bits[place])
                if place in writes[1 - port]:
                    bit ^= 1  # undefined
                if ram.modes[port] == "WRITETHROUGH":
                    bit = writes[port].get(place, bit)
                value |= bit << n
            self.latches[k, port] = value
        for write in writes:  # if both write a bit, B's: undefined, too
            for place, value in write.items():
                bits[place] = value
