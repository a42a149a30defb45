"""Table of port masks: where packets go, and who belongs to a partition."""

from amaranth import Cat, Module, Mux, Signal
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

    Latency: 2 cycles from ``lookup`` to ``mask``, if ``take`` is high in the second: a block RAM,
    and a register that nothing is in front of. Throughput: 1 lookup or 1 write per cycle.
    After reset it shows the default of entry 0.
    Then each entry gets its default, one per cycle; until ``entries`` cycles have passed lookups
    get defaults, and writes are ignored.

    Parameters
    ----------
    ports : int
        Width of a mask.
    entries : int
        A power of two. Addresses from ``entries`` on have no entry: their writes are ignored.
    identity : bool
        By default entry ``d`` is port ``d`` alone (no port if there is none), else all ports.

    Members
    -------
    write : In(WriteSignature(ports))
        Replace an entry, in the next cycle. Later lookups see it.
    ready : Out(1)
        Writes are not ignored; stays high.
    lookup : In(LookupSignature())
        Ask for an entry; not in the cycle after a write that was not ignored, as memories differ
        in what they read where they are written.
    take : In(1)
        Show what was asked for last, not counting this cycle, from the next cycle on.
    mask : Out(ports)
        Entry that was taken last; zero if there is no such entry.
    valid : Out(1)
        Its address has an entry.
    """

    def __init__(self, ports: int, *, entries: int, identity: bool):
        if not 2 <= entries <= 1 << 16 or entries & (entries - 1):
            raise ValueError(f"entries must be a power of two from 2 to 65536, not {entries!r}")
        self.ports, self.entries, self.identity = ports, entries, identity
        super().__init__(
            {
                "write": In(WriteSignature(ports)),
                "ready": Out(1),
                "lookup": In(LookupSignature()),
                "take": In(1),
                "mask": Out(ports),
                "valid": Out(1, init=1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        large = self.entries > 64
        m.submodules.memory = memory = Memory(
            shape=self.ports,
            depth=self.entries,
            init=[],
            attrs={"no_rw_check": 1} | ({"ram_style": "block"} if large else {}),
        )
        put, get = memory.write_port(), memory.read_port(domain="comb")
        width, port_width = (self.entries - 1).bit_length(), (self.ports - 1).bit_length()

        # Writes, or defaults: all that the memory sees is registers.
        writes = Signal(init=1)
        address, content = Signal(width), Signal(self.ports, init=1 if self.identity else ~0)
        following, swept = Signal(width), Signal()
        m.d.comb += [
            Cat(following, swept).eq(address + 1),
            put.addr.eq(address),
            put.data.eq(content),
            put.en.eq(writes),
        ]
        m.d.sync += [
            address.eq(Mux(self.ready, self.write.address, following)),
            writes.eq(
                Mux(self.ready, self.write.valid & ~self.write.address[width:].any(), ~swept)
            ),
            self.ready.eq(self.ready | swept),
        ]
        if self.identity:
            m.d.sync += content.eq(Mux(self.ready, self.write.mask, content << 1))
        else:
            m.d.sync += content.eq(self.write.mask)
            with m.If(~self.ready):  # like this it is the set of flip-flops, not gates
                m.d.sync += content.eq(~0)

        # What was asked for last; while the memory is swept the answer does not count. The register
        # is that of the block RAM.
        answer = Signal(self.ports, reset_less=True)
        m.d.comb += get.addr.eq(self.lookup.address)
        exists, stored = Signal(init=1), Signal()
        with m.If(self.lookup.valid):
            m.d.sync += [
                answer.eq(get.data),
                exists.eq(~self.lookup.address[width:].any()),
                stored.eq(~self.lookup.address[width:].any() & self.ready),
            ]

        # What is shown. A register without reset, and without logic before it, is one of the block
        # RAM.
        shown, known = Signal(self.ports, reset_less=True), Signal()
        with m.If(self.take):
            m.d.sync += [self.valid.eq(exists), shown.eq(answer), known.eq(stored)]
        if not self.identity:
            default = ~known.replicate(self.ports)
            m.d.comb += self.mask.eq((shown | default) & self.valid.replicate(self.ports))
            return m

        # The default of a port, as row and column.
        half = port_width // 2
        low, asked = Signal(init=1), Signal(port_width)
        row, column = Signal(1 << (port_width - half), init=1), Signal(1 << half, init=1)
        with m.If(self.lookup.valid):
            m.d.sync += [
                low.eq(~self.lookup.address[port_width:].any()),
                asked.eq(self.lookup.address),
            ]
        with m.If(self.take):
            m.d.sync += [
                row.eq(Mux(low & ~stored, 1 << asked[half:], 0)),
                column.eq(1 << asked[:half]),
            ]
        default = Cat(row[n >> half] & column[n & (1 << half) - 1] for n in range(self.ports))
        m.d.comb += self.mask.eq((shown & known.replicate(self.ports)) | default)
        return m
