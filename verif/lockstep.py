"""Run a design and its golden model side by side, one clock cycle at a time.

One wire has three spellings: ``component.i[2].payload.data``, the path
``("i", 2, "payload", "data")``, and ``model.inputs.i_payload_data[0, 2]``. The names of a path make
the field, its numbers follow the instance (0) as index; an array with one axis more than that holds
64-bit words, low word first. All inputs of a cycle form one vector of bits, all outputs another:
members in the order of the signature, the first in the lowest bits.

:mod:`sim.verilator` makes the other end of the transport.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from amaranth import Const, Shape
from amaranth.lib import data, wiring
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, RisingEdge
from numba import njit
from numpy.typing import NDArray

from models.chip_config import ChipConfig
from models.config import SwitchConfig, named
from models.link.config import LinkConfig
from models.record import flat
from models.serdes.config import FecConfig, LaneConfig, LanesConfig

__all__ = [
    "Lockstep",
    "Plan",
    "Wire",
    "bench_chip",
    "bench_config",
    "bench_fec",
    "bench_lane",
    "bench_lanes",
    "bench_link",
    "pack",
    "unpack",
    "wires",
]


def bench_chip() -> ChipConfig:
    """The configuration that :func:`sim.verilator.run_bench` asked for, that of a chip."""
    return ChipConfig.of(json.loads(os.environ["BENCH_CONFIG"]))


def bench_fec() -> FecConfig:
    """The configuration that :func:`sim.verilator.run_bench` asked for, that of a code."""
    return FecConfig(**json.loads(os.environ["BENCH_CONFIG"]))


def bench_lane() -> LaneConfig:
    """The configuration that :func:`sim.verilator.run_bench` asked for, that of a lane."""
    return LaneConfig(**json.loads(os.environ["BENCH_CONFIG"]))


def bench_lanes() -> LanesConfig:
    """The configuration that :func:`sim.verilator.run_bench` asked for, that of several lanes."""
    return LanesConfig(**json.loads(os.environ["BENCH_CONFIG"]))


def bench_link() -> LinkConfig:
    """The configuration that :func:`sim.verilator.run_bench` asked for, that of a link."""
    return LinkConfig(**json.loads(os.environ["BENCH_CONFIG"]))


def bench_config() -> SwitchConfig:
    """The configuration that :func:`sim.verilator.run_bench` asked for."""
    text = os.environ["BENCH_CONFIG"]
    if not text.startswith("{"):
        return named(text)
    return SwitchConfig(**json.loads(text))


@dataclass(frozen=True)
class Wire:
    """A field at the end of a port path: ``width`` bits from bit ``offset`` of the vector."""

    path: tuple[str | int, ...]
    offset: int
    width: int

    @property
    def field(self) -> str:
        """Name of the model's array."""
        return "_".join(step for step in self.path if isinstance(step, str))

    @property
    def index(self) -> tuple[int, ...]:
        """Index in the model's array, after the instance."""
        return tuple(step for step in self.path if isinstance(step, int))

    def __str__(self) -> str:
        return ".".join(map(str, self.path))


@dataclass(frozen=True)
class Port(Wire):
    """A member of the signature, a vector in the Verilog; ``shape`` may have fields.

    It is ``init`` where nothing drives it.
    """

    shape: Any
    init: int = 0

    def wires(self) -> Iterator[Wire]:
        def expand(path, shape, offset) -> Iterator[Wire]:
            if isinstance(shape, data.Layout):
                for name, field in shape:
                    yield from expand((*path, name), field.shape, offset + field.offset)
                return
            if Shape.cast(shape).signed:
                raise ValueError(f"{'.'.join(map(str, path))} is signed; a wire is unsigned")
            yield Wire(path, offset, Shape.cast(shape).width)

        yield from expand(self.path, self.shape, self.offset)


def ports(component: wiring.Component, flow: wiring.Flow) -> list[Port]:
    """Inputs or outputs of ``component``, in the order of the vector."""
    found, offset = [], 0
    for path, member, _ in component.signature.flatten(component):
        if member.flow is flow:
            width, init = Shape.cast(member.shape).width, Const.cast(member.init or 0).value
            found.append(Port(path, offset, width, member.shape, init))
            offset += width
    return found


def wires(component: wiring.Component, flow: wiring.Flow) -> list[Wire]:
    """Inputs or outputs of ``component``, layouts expanded into their fields."""
    return [wire for port in ports(component, flow) for wire in port.wires()]


class Plan:
    """Where each integer of a model's record lies in the vector of a component's wires.

    Attributes
    ----------
    slots : int64 array (slots, 3)
        Position in the flat array of the record, first bit in the vector, bits (1 to 64).
    owners : list of Wire
        The wire of each slot.

    Raises
    ------
    ValueError
        If the fields or shapes of the record are not those of the wires.
    """

    def __init__(self, wires: list[Wire], record: Any):
        fields = {wire.field for wire in wires}
        if fields != set(record._fields):
            raise ValueError(
                f"{type(record).__name__} lacks the wires {sorted(fields - set(record._fields))} "
                f"and has {sorted(set(record._fields) - fields)}, which are none"
            )
        rows: list[tuple[int, int, int]] = []
        self.owners: list[Wire] = []
        start = flat(record).ctypes.data
        for wire in wires:
            array, index = getattr(record, wire.field), (0, *wire.index)
            words = -(-wire.width // 64)
            if array.ndim == len(index) + 1 and array.shape[-1] >= words:
                entries = [(*index, word) for word in range(words)]
            elif array.ndim == len(index) and wire.width < 64:
                entries = [index][:words]
            else:
                raise ValueError(f"{wire} has {wire.width} bits; {wire.field} is {array.shape}")
            for word, entry in enumerate(entries):
                position = (array.ctypes.data - start) // 8
                position += int(np.ravel_multi_index(entry, array.shape))
                rows.append((position, wire.offset + 64 * word, min(64, wire.width - 64 * word)))
                self.owners.append(wire)
        self.slots = np.array(rows, dtype=np.int64).reshape(-1, 3)

    def valid_slots(self, qualified: dict[str, str]) -> NDArray[np.int64]:
        """For each slot, the slot that must be non-zero for it to count, or -1: always.

        ``qualified`` names fields (or what they begin with) and the field that makes them count.
        The payload of a stream counts while its ``valid`` is high.

        Raises
        ------
        ValueError
            If there is no such field.
        """
        slot_of = {wire.path: n for n, wire in reversed(list(enumerate(self.owners)))}
        by_field = {(wire.field, wire.index): n for n, wire in enumerate(self.owners)}
        used = set()

        def valid_slot(wire: Wire) -> int:
            for prefix, valid in qualified.items():
                if wire.field == prefix or wire.field.startswith(f"{prefix}_"):
                    used.add(prefix)
                    for axes in range(len(wire.index), -1, -1):
                        if (valid, wire.index[:axes]) in by_field:
                            return by_field[valid, wire.index[:axes]]
                    raise ValueError(f"{wire} is qualified by {valid}, which is no output")
            if "payload" in wire.path:
                stream = wire.path[: wire.path.index("payload")]
                return slot_of.get((*stream, "valid"), -1)
            return -1

        slots = np.array([valid_slot(wire) for wire in self.owners], dtype=np.int64)
        if unknown := set(qualified) - used:
            raise ValueError(f"no output begins with {sorted(unknown)}")
        return slots


@njit(cache=True)
def pack(values, slots, vector):
    """Lay ``values`` (a flat record) into the 64-bit words of ``vector``.

    Returns the first slot whose value does not fit its bits, or -1.
    """
    vector[:] = 0
    for n in range(slots.shape[0]):
        value, word, shift, width = (
            values[slots[n, 0]],
            slots[n, 1] >> 6,
            slots[n, 1] & 63,
            slots[n, 2],
        )
        if width < 64 and (value < 0 or value >> width):
            return n
        vector[word] |= value << shift
        if shift + width > 64:
            vector[word + 1] |= (value >> (64 - shift)) & ((1 << shift) - 1)
    return -1


@njit(cache=True)
def extract(vector, offset, width):
    """``width`` bits (at most 64) from bit ``offset`` of ``vector``."""
    word, shift = offset >> 6, offset & 63
    value = vector[word] >> shift
    if shift:
        value &= (1 << (64 - shift)) - 1  # the shift of a signed word repeats its sign
        if shift + width > 64:
            value |= vector[word + 1] << (64 - shift)
    if width < 64:
        value &= (1 << width) - 1
    return value


@njit(cache=True)
def unpack(vector, slots, values):
    """Inverse of :func:`pack`."""
    for n in range(slots.shape[0]):
        values[slots[n, 0]] = extract(vector, slots[n, 1], slots[n, 2])


@njit(cache=True)
def differs(vector, slots, valid_slots, values):
    """First slot in which ``vector`` is not what ``values`` says and that counts, or -1."""
    for n in range(slots.shape[0]):
        if extract(vector, slots[n, 1], slots[n, 2]) != values[slots[n, 0]] and (
            valid_slots[n] < 0 or values[slots[valid_slots[n], 0]]
        ):
            return n
    return -1


def words_for(bits: int) -> int:
    return -(-bits // 64)


@cache
def bench_memory(words: int) -> NDArray[np.int64]:
    """Memory that the simulation reads and writes; never freed, as its clock runs on."""
    return np.zeros(words, dtype=np.int64)


class PackedPorts:
    """Exchange both vectors through the memory of this process; one wake-up a cycle.

    The simulation fetches ``i`` after the rising edge (reset is the bit above the inputs) and
    stores ``o`` at the falling edge. Vectors through VPI would cost more than all the rest.
    """

    def __init__(self, dut, i_ports: list[Port], o_ports: list[Port]):
        self.dut = dut
        self.widths = [max(1, sum(port.width for port in side)) for side in (i_ports, o_ports)]
        i_words, o_words = words_for(self.widths[0] + 1), words_for(self.widths[1])
        memory = bench_memory(i_words + o_words)
        self.address = memory.ctypes.data
        self.i, self.o = memory[:i_words], memory[i_words:]
        self.settled = FallingEdge(dut.clk)

    async def start(self) -> None:
        await self.settled
        widths = [int(self.dut.i_width.value), int(self.dut.o_width.value)]
        if widths != self.widths:
            raise ValueError(f"the bench has {self.widths} bits each way, the design {widths}")
        self.dut.memory.value = self.address

    async def cycle(self) -> None:
        await self.settled


class SinglePorts:
    """Drive and read every port of an unpacked top by itself; slow, the yardstick."""

    def __init__(self, dut, i_ports: list[Port], o_ports: list[Port]):
        self.dut = dut
        self.i_ports = [(getattr(dut, "__".join(map(str, p.path))), p) for p in i_ports]
        self.o_ports = [(getattr(dut, "__".join(map(str, p.path))), p) for p in o_ports]
        self.reset_bit = max(1, sum(port.width for port in i_ports))
        self.i = np.zeros(words_for(self.reset_bit + 1), dtype=np.int64)
        self.o = np.zeros(words_for(max(1, sum(port.width for port in o_ports))), dtype=np.int64)

    async def start(self) -> None:
        Clock(self.dut.clk, 2, unit="step").start()

    async def cycle(self) -> None:
        await RisingEdge(self.dut.clk)
        vector = int.from_bytes(self.i.tobytes(), "little")
        self.dut.rst.value = vector >> self.reset_bit
        for handle, port in self.i_ports:
            handle.value = vector >> port.offset & ((1 << port.width) - 1)
        await FallingEdge(self.dut.clk)
        vector = 0
        for handle, port in self.o_ports:
            vector |= int(handle.value) << port.offset
        self.o[:] = np.frombuffer(vector.to_bytes(8 * self.o.size, "little"), dtype=np.int64)


class Lockstep:
    """Drive a cycle's inputs into both sides; fail on the first output that differs.

    Parameters
    ----------
    dut
        cocotb's handle of the top.
    component : wiring.Component
        One like the design, for its signature.
    model
        Has records ``inputs`` and ``outputs``, ``reset()`` and ``step()``.
    qualified : dict
        Output fields, or what they begin with, that mean nothing while another output is zero:
        ``{"select_input": "select_valid"}``. Payloads of streams need no mention.
    packed : bool or None
        How the top was built; None asks ``BENCH_PACKED`` of the environment.
    transport
        Takes the place of ``dut``: vectors ``i`` and ``o``, and coroutines ``start`` and ``cycle``.
    """

    def __init__(
        self,
        dut,
        component: wiring.Component,
        model: Any,
        qualified: dict[str, str] | None = None,
        packed: bool | None = None,
        transport: Any = None,
    ):
        self.model, self.cycle, self.first = model, 0, True
        if packed is None:
            packed = os.environ.get("BENCH_PACKED", "1") != "0"
        sides = ports(component, wiring.In), ports(component, wiring.Out)
        self.transport = transport or (PackedPorts if packed else SinglePorts)(dut, *sides)
        self.driven = Plan(wires(component, wiring.In), model.inputs)
        self.seen = Plan(wires(component, wiring.Out), model.outputs)
        self.valid_slots = self.seen.valid_slots(qualified or {})
        self.inputs, self.outputs = flat(model.inputs), flat(model.outputs)
        reset_bit = max(1, sum(port.width for port in sides[0]))
        self.reset_mask = np.zeros_like(self.transport.i)
        self.reset_mask[reset_bit >> 6] = np.uint64(1 << (reset_bit & 63)).astype(np.int64)
        idle = sum(port.init << port.offset for port in sides[0])
        self.idle = np.frombuffer(idle.to_bytes(self.reset_mask.nbytes, "little"), dtype=np.int64)

    async def reset(self) -> None:
        """Reset both sides; the next :meth:`step` is cycle 0, right after the reset.

        The inputs are then what they are where nothing drives them.

        With ``BENCH_POWER_UP=1`` the first reset is that of power-up: the design has just its
        initial values, and runs from there.
        """
        by_itself = self.first and os.environ.get("BENCH_POWER_UP", "0") != "0"
        self.transport.i[:] = self.idle if by_itself else self.reset_mask
        self.first = False
        await self.transport.start()
        if not by_itself:
            for _ in range(3):
                await self.transport.cycle()
        self.model.reset()
        self.inputs[:] = 0
        unpack(self.idle, self.driven.slots, self.inputs)
        if by_itself:  # an edge has passed as the transport began, one brings the inputs of cycle 0
            for _ in range(2):
                self.model.step()
        self.cycle = 0

    async def step(self) -> Any:
        """Run one cycle with ``model.inputs`` and return ``model.outputs``, found equal.

        Raises
        ------
        ValueError
            If an input does not fit its wire.
        AssertionError
            If an output of the design is not the model's.
        """
        bad = pack(self.inputs, self.driven.slots, self.transport.i)
        if bad >= 0:
            value = self.inputs[self.driven.slots[bad, 0]]
            raise ValueError(f"cycle {self.cycle}: {self.driven.owners[bad]} cannot be {value}")
        self.model.step()
        await self.transport.cycle()
        bad = differs(self.transport.o, self.seen.slots, self.valid_slots, self.outputs)
        if bad >= 0:
            raise AssertionError(self.mismatch(self.seen.owners[bad]))
        self.cycle += 1
        return self.model.outputs

    def mismatch(self, wire: Wire) -> str:
        """What to say about an output that differs."""
        actual = int.from_bytes(self.transport.o.tobytes(), "little") >> wire.offset
        actual &= (1 << wire.width) - 1
        slots = [n for n, owner in enumerate(self.seen.owners) if owner is wire]
        words = self.outputs[self.seen.slots[slots, 0]]
        wanted = int.from_bytes(words.tobytes(), "little", signed=wire.width < 64)
        return f"cycle {self.cycle}: {wire} is {actual:#x}, not {wanted:#x}"
