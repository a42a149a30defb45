"""Crossbar: brings each output the flits of the input that it was matched with."""

from amaranth import Array, Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from models.config import SwitchConfig
from rtl.packet import FlitLayout

__all__ = ["ArrivalSignature", "Crossbar", "SelectSignature"]


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
        flits = Array(i.flit.as_value() for i in self.i)

        for n, (select, o) in enumerate(zip(self.select, self.o, strict=True)):
            listens = SelectSignature(config).create(path=("listens", str(n)))
            valid = Signal(name=f"valid_{n}")
            m.d.comb += valid.eq(listens.valid & valids.bit_select(listens.input, 1))
            m.d.sync += [
                listens.valid.eq(select.valid),
                listens.input.eq(select.input),
                listens.traffic_class.eq(select.traffic_class),
                listens.first.eq(select.first),
                o.valid.eq(valid),
            ]
            with m.If(valid):
                m.d.sync += [
                    o.first.eq(listens.first),
                    o.traffic_class.eq(listens.traffic_class),
                    o.flit.eq(flits[listens.input]),
                ]

        return m
