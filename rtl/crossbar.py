"""Crossbar: brings each output the flits of the input that it was matched with."""

from amaranth import Array, Cat, Const, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from models.config import SwitchConfig
from rtl.packet import FlitLayout

__all__ = ["ArrivalSignature", "Crossbar", "CrossbarSlice", "SelectSignature"]

SLICE_WIDTH = 64


class SelectSignature(wiring.Signature):
    """What an output does in one slot.

    Members
    -------
    valid : Out(1)
        The output is matched.
    input : Out(range(ports))
        With this input.
    traffic_class : Out(range(classes))
        Class of the packet.
    first : Out(1)
        The packet's first slot.
    """

    def __init__(self, config: SwitchConfig):
        super().__init__(
            {
                "valid": Out(1),
                "input": Out(range(config.ports)),
                "traffic_class": Out(range(config.classes)),
                "first": Out(1),
            }
        )


class ArrivalSignature(wiring.Signature):
    """A flit on its way to an output port, which has room for it.

    Members
    -------
    valid : Out(1)
        There is one.
    first : Out(1)
        First flit of its packet.
    traffic_class : Out(range(classes))
        Class of its packet.
    flit : Out(FlitLayout)
        The flit.
    """

    def __init__(self, config: SwitchConfig):
        super().__init__(
            {
                "valid": Out(1),
                "first": Out(1),
                "traffic_class": Out(range(config.classes)),
                "flit": Out(FlitLayout(config)),
            }
        )


class CrossbarSlice(wiring.Component):
    """A crossbar for ``width`` bits of the flits; combinational, the register is outside.

    Latency: 0 cycles from ``i`` and ``listens`` to ``o``. Slices are alike,
    so that a tool need handle only one of them, and narrow enough for one word of the simulator.

    Parameters
    ----------
    ports : int
        Number of inputs and of outputs.
    width : int
        Bits of each.

    Members
    -------
    i : In(ports * width)
        Bits of all inputs, input 0 lowest.
    listens : In(range(ports)).array(ports)
        Input that output ``n`` shows.
    o : Out(width).array(ports)
        Bits of the outputs.
    """

    def __init__(self, ports: int, width: int):
        self.ports, self.width = ports, width
        super().__init__(
            {
                "i": In(ports * width),
                "listens": In(range(ports)).array(ports),
                "o": Out(width).array(ports),
            }
        )

    def elaborate(self, platform):
        m = Module()
        # A part select would become a shift of all of ``i``, which simulates slowly.
        words = Array(self.i.word_select(n, self.width) for n in range(self.ports))
        for listens, o in zip(self.listens, self.o, strict=True):
            m.d.comb += o.eq(words[listens])
        return m


class Crossbar(wiring.Component):
    """Forward to each output the flit of the input that it selects; several may share an input.

    Latency: 1 cycle from ``i`` to ``o``, 2 from ``select``. Throughput: 1 flit per output and
    cycle. Backpressure: none; who selects has reserved room.

    Parameters
    ----------
    config : SwitchConfig
        Uses ``ports``, ``classes`` and ``flit_bytes``.

    Members
    -------
    select : In(SelectSignature).array(ports)
        What output ``n`` does with the flits of the next cycle.
    i : In({valid, flit}).array(ports)
        Flits of the inputs, one cycle after they were selected.
    o : Out(ArrivalSignature).array(ports)
        Flits of the outputs. Without one, all but ``valid`` keep their values.
    """

    def __init__(self, config: SwitchConfig):
        self.config = config
        flits = wiring.Signature({"valid": Out(1), "flit": Out(FlitLayout(config))})
        super().__init__(
            {
                "select": In(SelectSignature(config)).array(config.ports),
                "i": In(flits).array(config.ports),
                "o": Out(ArrivalSignature(config)).array(config.ports),
            }
        )

    def elaborate(self, platform):
        m = Module()
        config = self.config

        valids = Signal(config.ports)
        m.d.comb += valids.eq(Cat(i.valid for i in self.i))
        listens = [
            SelectSignature(config).create(path=("listens", str(n))) for n in range(config.ports)
        ]

        slices = []
        for start in range(0, FlitLayout(config).size, SLICE_WIDTH):
            part = CrossbarSlice(config.ports, SLICE_WIDTH)  # the last one is not full
            m.submodules[f"slice_{len(slices)}"] = part
            slices.append(part)
            bits = (i.flit.as_value()[start : start + SLICE_WIDTH] for i in self.i)
            m.d.comb += part.i.eq(
                Cat(Cat(word, Const(0, SLICE_WIDTH - len(word))) for word in bits)
            )
            m.d.comb += [
                source.eq(select.input)
                for source, select in zip(part.listens, listens, strict=True)
            ]

        for n, (select, selected, o) in enumerate(zip(self.select, listens, self.o, strict=True)):
            valid = Signal(name=f"valid_{n}")
            m.d.comb += valid.eq(selected.valid & valids.bit_select(selected.input, 1))
            m.d.sync += [
                selected.valid.eq(select.valid),
                selected.input.eq(select.input),
                selected.traffic_class.eq(select.traffic_class),
                selected.first.eq(select.first),
                o.valid.eq(valid),
            ]
            with m.If(valid):
                m.d.sync += [
                    o.first.eq(selected.first),
                    o.traffic_class.eq(selected.traffic_class),
                    o.flit.eq(Cat(part.o[n] for part in slices)),
                ]

        return m
