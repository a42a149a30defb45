"""Arrivals: what became of each packet that a link gave to the switch."""

from amaranth import Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from models.link.config import MAX_WAITING, EndKind
from models.link.wire import CREDIT_COUNTER_BITS, MAX_CHANNELS
from rtl.link.credit_receiver import ArrivalSignature, ConsumedSignature, PacketSignature

__all__ = ["Arrivals", "EndSignature"]

CHANNEL = range(MAX_CHANNELS)


class EndSignature(wiring.Signature):
    """Something has ended: of a packet ``value`` is the length, of a CC_Update what is consumed."""

    def __init__(self):
        super().__init__(
            {
                "valid": Out(1),
                "kind": Out(EndKind),
                "channel": Out(CHANNEL),
                "value": Out(CREDIT_COUNTER_BITS),
            }
        )


class Arrivals(wiring.Component):
    """Join each packet that a link has given away with the verdict of the switch, in order.

    The n-th verdict is that of the n-th packet or broken copy. A verdict may come before the end of
    its packet, in the same cycle, or after it; a CC_Update needs none, and waits for what ended
    before it. One event leaves in a cycle.

    ``MAX_WAITING`` ends and as many verdicts can wait. Whether there is room counts before what
    leaves in the same cycle.

    Latency: 1 cycle from the later of end and verdict, if nothing waits before it.
    Throughput: 1 event per cycle.
    Backpressure: none; what finds no room is ignored (``overrun``).
    Source: our decision: credits are counted where the verdict is known, as a packet that the
    switch drops stores nothing.

    Members
    -------
    end : In(EndSignature)
        The last flit of a packet or broken copy has left the link, or a CC_Update has come in.
        ``kind`` 3 is nothing.
    accepted, dropped : In(1)
        The verdict about the next packet or copy. Both in one cycle are one ``accepted``, and an
        ``overrun``.
    arrival : Out(ArrivalSignature)
        A packet has come and is judged.
    copy : Out(PacketSignature)
        A broken copy has come and was accepted; of one that was dropped nothing is told.
    told : Out(ConsumedSignature)
        A CC_Update, behind all that ended before it.
    pending : Out(1)
        A broken copy waits for its verdict, or is told of or has vanished in this cycle: from the
        cycle after its end on.
    idle : Out(1)
        Nothing waits, and nothing is told of in this cycle.
    overrun : Out(1)
        Event: an end or a verdict found no room, or there were two verdicts. 1 cycle after it.
    """

    def __init__(self):
        super().__init__(
            {
                "end": In(EndSignature()),
                "accepted": In(1),
                "dropped": In(1),
                "arrival": Out(ArrivalSignature()),
                "copy": Out(PacketSignature()),
                "told": Out(ConsumedSignature()),
                "pending": Out(1),
                "idle": Out(1, init=1),
                "overrun": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        fields = {"kind": EndKind, "channel": CHANNEL, "value": CREDIT_COUNTER_BITS}
        entry = Signal(data.StructLayout(fields))
        comes, judges, leaves = Signal(), Signal(), Signal()
        m.d.comb += [
            comes.eq(self.end.valid & (self.end.kind <= EndKind.TOLD)),
            *(entry[name].eq(getattr(self.end, name)) for name in fields),
            judges.eq(self.accepted | self.dropped),
        ]
        needs = Signal()  # the end is that of a packet or copy
        there, end, enters, ends = self.line(m, "ends", comes, entry, leaves)
        judged, stores, counts, verdicts = self.line(
            m, "verdicts", judges, self.accepted, leaves & needs
        )
        m.d.comb += [
            needs.eq(end.kind != EndKind.TOLD),
            leaves.eq(there & (judged | ~needs)),
        ]

        copies = Signal(range(MAX_WAITING + 1))  # broken ones that wait
        another = enters & (entry.kind == EndKind.BROKEN)
        m.d.sync += copies.eq(copies + another - (leaves & (end.kind == EndKind.BROKEN)))
        channel, value = Signal.like(end.channel), Signal.like(end.value)
        m.d.sync += [
            self.arrival.valid.eq(leaves & (end.kind == EndKind.PACKET)),
            self.copy.valid.eq(leaves & (end.kind == EndKind.BROKEN) & stores),
            self.told.valid.eq(leaves & (end.kind == EndKind.TOLD)),
            self.arrival.stores.eq(stores),
            channel.eq(end.channel),
            value.eq(end.value),
            self.pending.eq((copies != 0) | another),
            self.overrun.eq(
                (comes & ~enters) | (judges & ~counts) | (self.accepted & self.dropped)
            ),
        ]
        tells = self.arrival.valid | self.copy.valid | self.told.valid
        m.d.comb += [
            self.idle.eq(~(ends.any() | verdicts.any() | tells)),
            *(port.channel.eq(channel) for port in (self.arrival, self.copy, self.told)),
            *(port.length.eq(value) for port in (self.arrival, self.copy)),
            self.told.consumed.eq(value),
        ]
        return m

    def line(self, m, name, comes, entry, leaves):
        """What waits, and what comes, which may leave in the same cycle.

        Returns whether there is a first one, that one, whether what comes has room, and how many
        waited before.
        """
        shape = data.StructLayout({"entry": entry.shape()})
        m.submodules[name] = memory = Memory(shape=shape, depth=MAX_WAITING, init=[])
        write, read = memory.write_port(), memory.read_port(domain="comb")
        count = Signal(range(MAX_WAITING + 1), name=f"{name}_count")
        there, enters = Signal(name=f"{name}_there"), Signal(name=f"{name}_enters")
        first = Signal.like(entry, name=f"{name}_first")
        m.d.comb += [
            enters.eq(comes & (count != MAX_WAITING)),
            there.eq(comes | (count != 0)),
            first.eq(Mux(count == 0, entry, read.data.entry)),
            write.en.eq(enters),
            write.data.entry.eq(entry),
        ]
        m.d.sync += [
            count.eq(count + enters - leaves),
            write.addr.eq(write.addr + enters),
            read.addr.eq(read.addr + leaves),
        ]
        return there, first, enters, count
