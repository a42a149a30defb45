"""Table of port masks: where packets go, and who belongs to a partition."""

from amaranth import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

__all__ = ["LookupSignature", "Table", "WriteSignature"]


class WriteSignature(wiring.Signature):
    """Replace one entry of a table."""

    def __init__(self, ports: int):
        super().__init__({"valid": Out(1), "address": Out(16), "mask": Out(ports)})


class LookupSignature(wiring.Signature):
    """Ask for one entry of a table."""

    def __init__(self):
        super().__init__({"valid": Out(1), "address": Out(16)})


class Table(wiring.Component):
    """Look up a mask of ports by a 16-bit address.

    Latency: 1 cycle from ``lookup`` to ``mask`` (registered). Throughput: 1 lookup and 1 write per
    cycle; a lookup sees the writes of earlier cycles. Reset restores the default contents at once:
    an entry counts only once it has been written.

    Parameters
    ----------
    ports : int
        Width of a mask.
    entries : int
        Addresses from ``entries`` on have no entry: their writes are ignored.
    identity : bool
        By default entry ``d`` is port ``d`` alone (no port if there is none), else all ports.

    Members
    -------
    write : In(WriteSignature(ports))
        Replace an entry.
    lookup : In(LookupSignature())
        Ask for an entry.
    mask : Out(ports)
        Entry of the last lookup, held until the next; zero if there is no such entry.
    valid : Out(1)
        The address of the last lookup has an entry.
    """

    def __init__(self, ports: int, *, entries: int, identity: bool):
        if not 1 <= entries <= 1 << 16:
            raise ValueError(f"entries must be 1 to 65536, not {entries!r}")
        self.ports, self.entries, self.identity = ports, entries, identity
        super().__init__(
            {
                "write": In(WriteSignature(ports)),
                "lookup": In(LookupSignature()),
                "mask": Out(ports),
                "valid": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.memory = memory = Memory(shape=self.ports, depth=self.entries, init=[])
        write, read = memory.write_port(), memory.read_port()
        stored = Signal(self.entries)  # entries that have been written
        from_memory, default = Signal(), Signal(self.ports)

        m.d.comb += [
            write.addr.eq(self.write.address),
            write.data.eq(self.write.mask),
            write.en.eq(self.write.valid & (self.write.address < self.entries)),
            read.addr.eq(self.lookup.address),
            read.en.eq(self.lookup.valid),
            self.mask.eq(Mux(self.valid, Mux(from_memory, read.data, default), 0)),
        ]
        with m.If(write.en):
            # Not bit_select: tools would make a case of every entry of it.
            m.d.sync += stored.eq(stored | (1 << write.addr))
        with m.If(self.lookup.valid):
            m.d.sync += [
                self.valid.eq(self.lookup.address < self.entries),
                from_memory.eq(stored.bit_select(read.addr, 1)),
                default.eq(self.default(self.lookup.address)),
            ]
        return m

    def default(self, address):
        if not self.identity:
            return ~0
        index = address[: (self.ports - 1).bit_length()]
        return Mux(address < self.ports, 1 << index, 0)
