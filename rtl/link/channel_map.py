"""Channel map: to which output of the partner a packet will go."""

from amaranth import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from models.config import SwitchConfig

__all__ = ["ChannelMap", "MapWriteSignature"]


class MapWriteSignature(wiring.Signature):
    """Packets for the destination ``address`` leave the partner by its ``port``."""

    def __init__(self, config: SwitchConfig):
        super().__init__(
            {
                "valid": Out(1),
                "ready": In(1),
                "address": Out(16),
                "port": Out(range(config.ports)),
            }
        )


class ChannelMap(wiring.Component):
    """A table of the partner's outputs, by destination.

    After reset each destination is the output of that number, or output 0 if there is none; no
    entry can be replaced until a sweep has written all of them, in ``endpoints`` cycles.

    Latency: 0 cycles from ``destination`` to ``port``; 1 from ``write``.
    Throughput: a look-up and a write per cycle.

    Parameters
    ----------
    config : SwitchConfig
        Of both chips: uses ``ports`` and ``endpoints``.

    Members
    -------
    destination : In(16)
        That of a packet.
    port : Out(range(ports))
        Output of the partner; 0 if the destination is beyond the table.
    write : In(MapWriteSignature)
        Replace an entry, if there is such a one.
    """

    def __init__(self, config: SwitchConfig):
        self.config = config
        super().__init__(
            {
                "destination": In(16),
                "port": Out(range(config.ports)),
                "write": In(MapWriteSignature(config)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        ports, entries = self.config.ports, self.config.endpoints
        m.submodules.memory = memory = Memory(shape=range(ports), depth=entries, init=[])
        write, read = memory.write_port(), memory.read_port(domain="comb")
        place = Signal(range(entries + 1))  # of the sweep; ``entries``: it is over
        with m.If(~self.write.ready):
            m.d.sync += place.eq(place + 1)
        m.d.comb += [
            self.write.ready.eq(place == entries),
            write.en.eq(~self.write.ready | (self.write.valid & (self.write.address < entries))),
            write.addr.eq(Mux(self.write.ready, self.write.address, place)),
            write.data.eq(Mux(self.write.ready, self.write.port, Mux(place < ports, place, 0))),
            read.addr.eq(self.destination),
        ]
        known = self.destination < Mux(self.write.ready, entries, ports)
        own = Mux(self.write.ready, read.data, self.destination)
        m.d.comb += self.port.eq(Mux(known, own, 0))
        return m
