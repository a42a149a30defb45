"""Hold: packets pass at once, or are given away only when all has come in and is not broken."""

from amaranth import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from models.link.config import LinkConfig
from rtl.link.frame import DeliveredLayout

__all__ = ["Hold"]


class Hold(wiring.Component):
    """Let packets through, or store them until they are whole and forget broken copies.

    How a packet goes is decided in the cycle in which its first flit is offered, taken or not, and
    stays so to its end. It is stored if ``holds`` is high in that cycle, or if anything is stored
    in it: so none overtakes another. Else it passes, broken or not.

    Latency: 0 cycles for a packet that passes; 2 cycles from the last flit of a stored packet to
    its first one on ``o``. Throughput: 1 flit per cycle; packets follow each other without a gap,
    whichever way they go.
    Backpressure: ``i.ready`` is ``o.ready`` while a packet passes, or could. Else it is low while
    two largest packets are stored. So a packet under way always ends: what lies before it can
    leave.
    ``o`` of a packet that passes is ``i``, not a register: the receiver of retry has one, and a
    second would cost each hop a cycle.

    Parameters
    ----------
    config : LinkConfig
        Uses the sizes of flit and packet.

    Members
    -------
    i : In(stream.Signature(DeliveredLayout))
        Packets of at most ``max_packet_flits``.
    o : Out(stream.Signature(DeliveredLayout))
        The same without stored broken copies. A poisoned packet is not broken: it goes out with its
        ``user``.
    holds : In(1)
        A packet that begins is to be stored. ``i.ready`` and ``o`` depend on it in the same cycle.
    dropped : Out(1)
        Event: a stored packet has ended and is broken. 1 cycle after its last flit.
    idle : Out(1)
        Nothing is stored, and no packet has been offered whose last flit is not taken.
    """

    def __init__(self, config: LinkConfig):
        self.config = config
        packets = stream.Signature(DeliveredLayout(config))
        bits = {"holds": In(1), "dropped": Out(1), "idle": Out(1)}
        super().__init__({"i": In(packets), "o": Out(packets)} | bits)

    def elaborate(self, platform):
        m = Module()
        i, o, depth = self.i, self.o, 2 * self.config.max_packet_flits
        names = [name for name, _ in i.payload.shape() if name != "broken"]
        stored = data.StructLayout({name: i.payload[name].shape() for name in names})
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
        full, shows = Signal(), Signal()

        # From the first offer of a packet on, `passed` keeps what was decided.
        passes, under_way, passed = Signal(), Signal(), Signal()
        m.d.comb += [
            passes.eq(Mux(under_way, passed, ~self.holds & (count == 0))),
            self.idle.eq((count == 0) & ~under_way),
        ]
        with m.If(i.valid):
            m.d.sync += [under_way.eq(~(i.ready & i.payload.last)), passed.eq(passes)]

        m.d.comb += [
            i.ready.eq(Mux(passes, o.ready, ~full)),
            takes.eq(i.valid & ~full & ~passes),
            gives.eq(shows & o.ready),
            ends.eq(takes & i.payload.last),
            broken.eq(ends & i.payload.broken),
            write.en.eq(takes),
            write.addr.eq(tail),
            *(write.data[name].eq(i.payload[name]) for name in names),
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
            shows.eq(kept != gives),
        ]
        with m.If(ends & ~broken):
            m.d.sync += whole.eq(after(tail))

        m.d.comb += [
            read.en.eq(1),
            read.addr.eq(following),
            o.valid.eq(shows | (passes & i.valid)),
            *(o.payload[name].eq(Mux(passes, i.payload[name], read.data[name])) for name in names),
            o.payload.broken.eq(passes & i.payload.broken),
        ]
        return m
