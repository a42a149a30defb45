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

    Latency: 2 cycles from ``lookup`` to ``mask``, if ``take`` is high in the second: a block RAM,
    and a register that nothing is in front of. Throughput: 1 lookup or 1 write per cycle.
    After reset each entry gets its default, one per cycle; until ``entries`` cycles have passed
    lookups get defaults, and writes are ignored.

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
        Replace an entry. Lookups of later cycles see it; one of the same cycle is not done: memories
        differ in what they read where they are written.
    ready : Out(1)
        Writes are not ignored; stays high.
    lookup : In(LookupSignature())
        Ask for an entry.
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
                "valid": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.memory = memory = Memory(shape=self.ports, depth=self.entries, init=[])
        write, read = memory.write_port(), memory.read_port(domain="comb")
        width, port_width = (self.entries - 1).bit_length(), (self.ports - 1).bit_length()

        def known(address):
            return ~address[width:].any()

        # Writes, or defaults.
        swept = Signal(width + 1)  # entries that have got their default
        fresh = Signal(self.ports, init=1 if self.identity else ~0)  # default of entry `swept`
        looks = self.lookup.valid & ~self.write.valid
        m.d.comb += [
            self.ready.eq(swept[width]),
            write.addr.eq(Mux(self.ready, self.write.address, swept)),
            write.data.eq(Mux(self.ready, self.write.mask, fresh)),
            write.en.eq(~self.ready | (self.write.valid & known(self.write.address))),
            read.addr.eq(self.lookup.address),
        ]
        with m.If(~self.ready):
            m.d.sync += swept.eq(swept + 1)
        if self.identity:
            m.d.sync += fresh.eq(fresh << 1)

        # What was asked for last. Written like this, yosys takes the register into the block RAM and
        # sees that it does not read what is written: no logic comes between.
        answer = Signal(self.ports, reset_less=True)
        with m.If(looks & self.ready):
            m.d.sync += answer.eq(read.data)
        exists, stored = Signal(), Signal()
        asked = Signal(range(self.ports))
        with m.If(looks):
            m.d.sync += [
                exists.eq(known(self.lookup.address)),
                stored.eq(known(self.lookup.address) & self.ready),
                asked.eq(self.lookup.address),
            ]

        # What is shown.
        content, default = Signal(self.ports), Signal(self.ports)
        usual = exists & ~stored
        if self.identity:
            low = Signal()  # the address is that of a port
            with m.If(looks):
                m.d.sync += low.eq(~self.lookup.address[port_width:].any())
            chosen = Mux(usual & low, 1 << asked, 0)
        else:
            chosen = usual.replicate(self.ports)
        with m.If(self.take):
            m.d.sync += [self.valid.eq(exists), content.eq(answer), default.eq(chosen)]
        with m.If(self.take & ~stored):  # like this it is the reset of a flip-flop, not a gate
            m.d.sync += content.eq(0)
        m.d.comb += self.mask.eq(content | default)
        return m
