"""The lockstep machine itself: it finds what differs, and packs bits where they belong."""

import os
import re
from collections import namedtuple

import cocotb
import numpy as np
import pytest
from amaranth import Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from hypothesis import given
from hypothesis import strategies as st

from models.config import TINY
from models.record import allocate, flat
from sim import verilator
from sim.verilator import run_bench
from verif.lockstep import Lockstep, Plan, pack, unpack, wires

FAULT_CYCLE, FAULT_BIT = 7, 70
LANE = data.StructLayout({"data": 100, "tag": 3})

EchoInputs = namedtuple("EchoInputs", "i_valid i_payload_data i_payload_tag o_ready")
EchoOutputs = namedtuple("EchoOutputs", "o_valid o_payload_data o_payload_tag i_ready age")


class Echo(wiring.Component):
    """Two lanes through one register each; ``broken`` turns one bit over in one cycle."""

    _MustUse__silence = True  # some are made for their signature only

    def __init__(self, *, broken: bool = False):
        self.broken = broken
        lanes = stream.Signature(LANE)
        super().__init__({"i": In(lanes).array(2), "o": Out(lanes).array(2), "age": Out(70)})

    def elaborate(self, platform):
        m = Module()
        fault = Signal(LANE["data"].width)
        m.d.sync += self.age.eq(self.age + 1)
        for i, o in zip(self.i, self.o, strict=True):
            m.d.comb += i.ready.eq(~o.valid | o.ready)
            with m.If(i.ready):
                m.d.sync += [o.valid.eq(i.valid), o.payload.eq(i.payload)]
        if self.broken:
            m.d.comb += fault.eq((self.age == FAULT_CYCLE - 1) << FAULT_BIT)
            o, i = self.o[1], self.i[1]
            with m.If(i.ready):
                m.d.sync += o.payload.data.eq(i.payload.data ^ fault)
        return m


class EchoModel:
    """Keeps the payload only while it is valid: lockstep must not look at it otherwise."""

    def __init__(self):
        wide = {"valid": (1, 2), "payload_data": (1, 2, 2), "payload_tag": (1, 2)}
        shapes = {f"i_{name}": shape for name, shape in wide.items()}
        self.inputs = allocate(EchoInputs, shapes | {"o_ready": (1, 2)})
        shapes = {f"o_{name}": shape for name, shape in wide.items()}
        self.outputs = allocate(EchoOutputs, shapes | {"i_ready": (1, 2), "age": (1, 2)})
        self.reset()

    def reset(self) -> None:
        self.age, self.held = 0, [None, None]

    def step(self) -> None:
        i, o = self.inputs, self.outputs
        o.age[0] = self.age, 0
        self.age += 1
        for n in range(2):
            held = self.held[n]
            o.o_valid[0, n] = held is not None
            o.o_payload_data[0, n], o.o_payload_tag[0, n] = held or ((1, 2), 3)
            o.i_ready[0, n] = held is None or i.o_ready[0, n]
            if o.i_ready[0, n]:
                offer = tuple(i.i_payload_data[0, n]), int(i.i_payload_tag[0, n])
                self.held[n] = offer if i.i_valid[0, n] else None


@cocotb.test()
async def echoes(dut) -> None:
    """The bench that sim.verilator runs; it sends the cycle in the upper word of each lane."""
    model = EchoModel()
    bench = Lockstep(dut, Echo(), model)
    for _ in range(2):  # a reset in the middle starts all over
        await bench.reset()
        for cycle in range(40):
            model.inputs.i_payload_data[0] = [[-1, cycle], [5, cycle]]
            model.inputs.i_payload_tag[0] = cycle % 8
            model.inputs.i_valid[0] = cycle % 4 != 3
            model.inputs.o_ready[0] = 1, cycle % 5 != 0
            await bench.step()


@cocotb.test()
async def refuses_what_does_not_fit(dut) -> None:
    model = EchoModel()
    bench = Lockstep(dut, Echo(), model)
    await bench.reset()
    model.inputs.i_payload_tag[0, 1] = 8
    with pytest.raises(ValueError, match=re.escape("i.1.payload.tag cannot be 8")):
        await bench.step()


def run_echo(component: Echo, **options) -> str:
    return run_bench("echo", component, TINY, module="tests.test_lockstep", **options)


@pytest.mark.verilator
@pytest.mark.parametrize("options", [{}, {"random_start": True}, {"packed": False}], ids=str)
def test_what_agrees_passes(options):
    assert "PASS=2" in run_echo(Echo(), **options)


@pytest.mark.verilator
@pytest.mark.parametrize("packed", [True, False])
def test_what_differs_is_named(packed):
    with pytest.raises(AssertionError) as failure:
        run_echo(Echo(broken=True), packed=packed, seed=42)
    wanted = (FAULT_CYCLE - 1) << 64 | 5  # what was sent a cycle earlier
    actual = wanted ^ 1 << FAULT_BIT
    message = f"cycle {FAULT_CYCLE}: o.1.payload.data is {actual:#x}, not {wanted:#x}"
    assert message in str(failure.value)
    assert "BENCH_SEED=42" in str(failure.value)
    assert os.environ["PYTEST_CURRENT_TEST"].split(" ")[0] in str(failure.value)


@pytest.mark.verilator
def test_seed_is_the_same_each_time_unless_it_is_to_be_drawn(monkeypatch):
    seeds = []
    for asked in (None, None, "0", "0"):
        monkeypatch.delenv("BENCH_SEED", raising=False)
        if asked:
            monkeypatch.setenv("BENCH_SEED", asked)
        with pytest.raises(AssertionError) as failure:
            run_echo(Echo(broken=True))
        seeds.append(re.search(r"BENCH_SEED=(\d+)", str(failure.value))[1])
    assert seeds[:2] == ["1", "1"] and len(set(seeds)) == 3


@pytest.mark.verilator
def test_another_component_is_refused():
    class Wider(wiring.Component):
        def __init__(self):
            super().__init__({**Echo().signature.members, "more": Out(1)})

        def elaborate(self, platform):
            return Module()

    with pytest.raises(AssertionError, match="bits each way"):
        run_echo(Wider(), testcase="echoes")


@pytest.mark.verilator
def test_a_run_of_nothing_fails():
    with pytest.raises(AssertionError, match="no test case ran"):
        run_echo(Echo(), testcase="no_such_case")


@pytest.mark.verilator
def test_waves_are_recorded(monkeypatch, tmp_path):
    monkeypatch.setattr(verilator, "BUILD", tmp_path)
    run_echo(Echo(), waves=True, testcase="echoes")
    (wave,) = tmp_path.glob("sim/echo-TINY/run-*/dump.*")
    assert wave.stat().st_size > 0


def test_a_missing_compiler_is_named(monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(verilator.ToolMissingError, match=r"g\+\+ is needed .* `apt install"):
        run_echo(Echo())


class Wired(wiring.Component):
    _MustUse__silence = True  # made for its signature only

    def __init__(self, shape):
        super().__init__({"i": In(shape)})

    def elaborate(self, platform):
        return Module()


widths = st.integers(1, 200)
layouts = st.recursive(
    widths,
    lambda shapes: (
        st.lists(shapes, min_size=1, max_size=4).map(
            lambda shapes: data.StructLayout({f"f{n}": shape for n, shape in enumerate(shapes)})
        )
        | st.tuples(shapes, st.integers(1, 3)).map(lambda pair: data.ArrayLayout(*pair))
    ),
    max_leaves=8,
)


def walk(shape, path=()):
    """Path and width of each leaf, first field first; written without lockstep's help."""
    if isinstance(shape, data.StructLayout):
        for name, inner in shape.members.items():
            yield from walk(inner, (*path, name))
    elif isinstance(shape, data.ArrayLayout):
        for n in range(shape.length):
            yield from walk(shape.elem_shape, (*path, n))
    else:
        yield path, shape


@given(layouts, st.randoms(use_true_random=False))
def test_words_are_packed_where_the_layout_puts_them(shape, random):
    component = Wired(shape)
    shapes: dict[str, tuple[int, ...]] = {}
    vector, offset, expected = 0, 0, {}
    for path, width in walk(shape):
        field = "_".join(["i", *(step for step in path if isinstance(step, str))])
        index = tuple(step for step in path if isinstance(step, int))
        words = -(-width // 64)
        # One word may be one integer or an axis of one word, by what its array says.
        axis = (words,) if width > 63 or len(field) % 2 else ()
        sizes = tuple(n + 1 for n in index)
        old = shapes.get(field, (1, *sizes, *axis))
        shapes[field] = tuple(max(pair) for pair in zip(old, (1, *sizes, *axis), strict=True))
        value = random.getrandbits(width)
        expected[field, index] = value
        vector |= value << offset
        offset += width

    record = allocate(namedtuple("WiredInputs", shapes), shapes)
    plan = Plan(wires(component, wiring.In), record)
    for (field, index), value in expected.items():
        array = getattr(record, field)
        words = value.to_bytes(
            8 * (array.shape[-1] if array.ndim > len(index) + 1 else 1), "little"
        )
        array[(0, *index)] = np.frombuffer(words, dtype=np.int64).reshape(array[(0, *index)].shape)
    values = flat(record).copy()
    packed = np.zeros(-(-offset // 64), dtype=np.int64)
    assert pack(values, plan.slots, packed) == -1
    assert int.from_bytes(packed.tobytes(), "little") == vector

    flat(record)[:] = 0
    unpack(packed, plan.slots, flat(record))
    assert np.array_equal(flat(record), values)


def test_every_offset_and_width_is_packed():
    values, vector = np.zeros(1, dtype=np.int64), np.zeros(3, dtype=np.int64)
    for offset in range(66):
        for width in range(1, 65):
            ones = (1 << width) - 1
            values[0] = np.uint64(ones).astype(np.int64)
            slots = np.array([[0, offset, width]])
            assert pack(values, slots, vector) == -1
            assert int.from_bytes(vector.tobytes(), "little") == ones << offset
            vector[:] = ~vector  # around a field of zeros, all is ones
            unpack(vector, slots, values)
            assert values[0] == 0


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        ({"i_a": (1,), "i_b": (1,)}, "lacks the wires"),
        ({"i_data": (1,)}, "100 bits"),
        ({"i_data": (1, 1)}, "100 bits"),
        ({"i_data": (1, 2, 2)}, "100 bits"),
    ],
)
def test_a_record_of_another_shape_is_refused(shapes, message):
    component = Wired(data.StructLayout({"data": 100}))
    with pytest.raises(ValueError, match=message):
        Plan(wires(component, wiring.In), allocate(namedtuple("Inputs", shapes), shapes))


def test_qualifiers_are_found():
    outputs = EchoModel().outputs
    component = Echo()
    plan = Plan(wires(component, wiring.Out), outputs)
    with pytest.raises(ValueError, match="no output begins with"):
        plan.valid_slots({"nothing": "o_valid"})
    with pytest.raises(ValueError, match="which is no output"):
        plan.valid_slots({"age": "nothing"})
    valid = plan.valid_slots({"o_payload_tag": "i_ready"})
    named = {
        str(wire): None if slot < 0 else str(plan.owners[slot])
        for wire, slot in zip(plan.owners, valid, strict=True)
    }
    assert named == {
        "i.0.ready": None,
        "i.1.ready": None,
        "o.0.payload.data": "o.0.valid",
        "o.0.payload.tag": "i.0.ready",
        "o.0.valid": None,
        "o.1.payload.data": "o.1.valid",
        "o.1.payload.tag": "i.1.ready",
        "o.1.valid": None,
        "age": None,
    }
