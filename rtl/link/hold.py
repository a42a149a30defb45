"""Hold: give a packet away only when all of it has come in without error."""

from amaranth import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from models.link.config import LinkConfig
from rtl.packet import AxisLayout

__all__ = ["Hold"]


class Hold(wiring.Component):
    """Store packets, and forget those that end with an error: store-and-forward of a link.

    Latency: 2 cycles from the last flit of a packet to its first one on ``o``. Throughput: 1 flit
    per cycle. Backpressure: ``i.ready`` comes from a register; it is low while two largest packets
    are stored. So a packet under way always ends: what lies before it can leave.

    Parameters
    ----------
    config : LinkConfig
        Uses the sizes of flit and packet.

    Members
    -------
    i : In(stream.Signature(AxisLayout))
        Packets of at most ``max_packet_flits``; ``user[0]`` with the last flit of a broken one.
    o : Out(stream.Signature(AxisLayout))
        Those that are not broken; ``user`` is 0.
    dropped : Out(1)
        Event: a broken packet has ended. 1 cycle after its last flit.
    """

    def __init__(self, config: LinkConfig):
        self.config = config
        packets = stream.Signature(AxisLayout(config))
        super().__init__({"i": In(packets), "o": Out(packets), "dropped": Out(1)})

    def elaborate(self, platform):
        m = Module()
        i, o, depth = self.i, self.o, 2 * self.config.max_packet_flits
        stored = data.StructLayout(
            {name: i.payload[name].shape() for name in ("data", "keep", "last")}
        )
        m.submodules.memory = memory = Memory(shape=stored, depth=depth, init=[])
        read, write = memory.read_port(), memory.write_port()

        def after(place):
            """The next place of the memory."""
            return Mux(place == depth - 1, 0, place + 1)

        # Flits up to `whole` belong to packets that have come in without error, those up to `tail`
        # to one under way.
        head, whole, tail = (Signal(range(depth), name=n) for n in ("head", "whole", "tail"))
        count, kept = (Signal(range(depth + 1), name=n) for n in ("count", "kept"))
        takes, gives = Signal(), Signal()
        ends, broken = Signal(), Signal()
        full = Signal()
        m.d.comb += [
            i.ready.eq(~full),
            takes.eq(i.valid & ~full),
            gives.eq(o.valid & o.ready),
            ends.eq(takes & i.payload.last),
            broken.eq(ends & i.payload.user[0]),
            write.en.eq(takes),
            write.addr.eq(tail),
            *(write.data[name].eq(i.payload[name]) for name in ("data", "keep", "last")),
        ]
        counted, following = Signal.like(count), Signal.like(head)
        m.d.comb += [
            counted.eq(Mux(broken, kept, count + takes) - gives),
            following.eq(Mux(gives, after(head), head)),
        ]
        m.d.sync += [
            count.eq(counted),
            kept.eq(Mux(ends & ~broken, count + 1, kept) - gives),
            tail.eq(Mux(broken, whole, Mux(takes, after(tail), tail))),
            full.eq(counted == depth),
            head.eq(following),
            self.dropped.eq(broken),
            o.valid.eq(kept != gives),
        ]
        with m.If(ends & ~broken):
            m.d.sync += whole.eq(after(tail))

        m.d.comb += [
            read.en.eq(1),
            read.addr.eq(following),
            *(o.payload[name].eq(read.data[name]) for name in ("data", "keep", "last")),
        ]
        return m
