"""Crossbar: brings each output the flits of the input that it was matched with."""

from amaranth import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from models.config import SwitchConfig
from rtl.packet import FlitLayout
from rtl.vector import Vector

__all__ = ["ArrivalSignature", "Crossbar", "CrossbarSlice", "SelectSignature"]


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
    """

    def __init__(self, config: SwitchConfig):
        super().__init__(
            {
                "valid": Out(1),
                "input": Out(range(config.ports)),
                "traffic_class": Out(range(config.classes)),
            }
        )


class ArrivalSignature(wiring.Signature):
    """A flit on its way to an output port, which has room for it.

    Members
    -------
    valid : Out(1)
        There is one.
    traffic_class : Out(range(classes))
        Class of its packet.
    flit : Out(FlitLayout)
        The flit.
    """

    def __init__(self, config: SwitchConfig):
        super().__init__(
            {
                "valid": Out(1),
                "traffic_class": Out(range(config.classes)),
                "flit": Out(FlitLayout(config)),
            }
        )


class CrossbarSlice(wiring.Component):
    """Some bits of every flit on their way from all inputs to all outputs.

    Latency: 1 cycle from ``i``, 2 from ``valid`` and ``source``: for every ``REACH`` bits there is
    a register of them, as a wire to all multiplexers of an output would be long and crowded.

    Parameters
    ----------
    ports : int
        Inputs and outputs.
    width : int
        Bits of each flit.

    Members
    -------
    valid : In(ports)
        Output ``n`` takes from an input; else it keeps its value.
    source : In(Vector(range(ports), ports))
        From this one.
    i : In(Vector(width, ports))
        From the inputs.
    o : Out(Vector(width, ports))
        To the outputs.
    """

    REACH = 16

    def __init__(self, ports: int, width: int):
        self.ports, self.width = ports, width
        super().__init__(
            {
                "valid": In(ports),
                "source": In(Vector(range(ports), ports)),
                "i": In(Vector(width, ports)),
                "o": Out(Vector(width, ports)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        for start in range(0, self.width, self.REACH):
            bits = slice(start, min(start + self.REACH, self.width))
            # Synthesis would make one of those that are alike.
            valid = Signal.like(self.valid, name=f"valid_{start}", attrs={"keep": 1})
            source = Signal.like(self.source, name=f"source_{start}", attrs={"keep": 1})
            m.d.sync += [valid.eq(self.valid), source.eq(self.source)]
            inputs = Cat(self.i[n][bits] for n in range(self.ports))
            for n in range(self.ports):
                with m.If(valid[n]):
                    chosen = inputs.word_select(source[n], bits.stop - start)
                    m.d.sync += self.o[n][bits].eq(chosen)
        return m


class Crossbar(wiring.Component):
    """Forward to each output the flit of the input that it selects; several may share an input.

    Latency: 1 cycle from ``i`` to ``o``, 3 from ``select``. Throughput: 1 flit per output and
    cycle. Backpressure: none; who selects knows that there is room.

    Parameters
    ----------
    config : SwitchConfig
        Uses ``ports``, ``classes`` and ``flit_bytes``.

    Members
    -------
    select : In(SelectSignature).array(ports)
        What output ``n`` does with the flits of two cycles later.
    i : In({valid, flit}).array(ports)
        Flits of the inputs, two cycles after they were selected.
    o : Out(ArrivalSignature).array(ports)
        Flits of the outputs. Without one, only ``valid`` means something.
    moving : Out(ports)
        Bit ``n`` is high while a flit that output ``n`` has selected in an earlier cycle may be on
        its way: in the three cycles after ``select``, the last of which has it on ``o`` (there only
        if it came).
    """

    def __init__(self, config: SwitchConfig):
        self.config = config
        flits = wiring.Signature({"valid": Out(1), "flit": Out(FlitLayout(config))})
        super().__init__(
            {
                "select": In(SelectSignature(config)).array(config.ports),
                "i": In(flits).array(config.ports),
                "o": Out(ArrivalSignature(config)).array(config.ports),
                "moving": Out(config.ports),
            }
        )

    def elaborate(self, platform):
        m = Module()
        config = self.config
        ports = range(config.ports)

        inputs_valid = Signal(config.ports)
        m.d.comb += inputs_valid.eq(Cat(i.valid for i in self.i))
        waiting = []
        for n, (select, o) in enumerate(zip(self.select, self.o, strict=True)):
            waits, listen = (
                SelectSignature(config).create(path=(name, str(n))) for name in ("waits", "listens")
            )
            waiting.append(waits)
            for later, sooner in (waits, select), (listen, waits):
                for name in select.signature.members:
                    m.d.sync += getattr(later, name).eq(getattr(sooner, name))
            m.d.sync += o.valid.eq(listen.valid & inputs_valid.bit_select(listen.input, 1))
            with m.If(listen.valid):
                m.d.sync += o.traffic_class.eq(listen.traffic_class)
            m.d.comb += self.moving[n].eq(waits.valid | listen.valid | o.valid)

        # A slice for each word: one wide crossbar would be the largest cell of the chip, and the
        # slowest to convert, to simulate and to place. All alike, the last one filled up. A flit
        # that is not valid crosses, too: an enable that waited for it would be late, and wide.
        flit_width = len(self.i[0].flit.as_value())
        width = min(64, flit_width)
        for start in range(0, flit_width, width):
            m.submodules[f"slice_{start // width}"] = part = CrossbarSlice(config.ports, width)
            m.d.comb += part.valid.eq(Cat(waits.valid for waits in waiting))
            for n in ports:
                m.d.comb += [
                    part.source[n].eq(waiting[n].input),
                    part.i[n].eq(self.i[n].flit.as_value()[start : start + width]),
                    self.o[n].flit.as_value()[start : start + width].eq(part.o[n]),
                ]

        return m
