"""What rtl.egress must satisfy, given a scheduler that reserves only room that there is."""

from amaranth import Array, Cat, Module, Mux, Signal
from amaranth.hdl import Assert, Assume
from amaranth.lib import wiring

from models.config import SwitchConfig
from rtl.egress import Egress

__all__ = ["EgressProof"]


class EgressProof(wiring.Component):
    """Room is kept, ``o`` obeys the stream law and carries whole packets.

    Members are those of :class:`Egress`, its inputs are free variables, except that
    ``i.flit.data`` is replaced by the class and the flit's position in its packet, and that
    ``i.flit.parity`` has a bit set for each word whose parity is wrong.

    Parameters
    ----------
    config : SwitchConfig
        As for the component.
    contents : bool
        Assert what is stored in the memory, too: packets leave complete, from the first flit on,
        one at a time, and nothing is left behind. Only a bounded check can show that; the rest is
        inductive.
    """

    def __init__(self, config: SwitchConfig, *, contents: bool):
        self.config, self.contents = config, contents
        self.dut = Egress(config)
        super().__init__(self.dut.signature)

    def elaborate(self, platform):
        m = Module()
        config = self.config
        m.submodules.dut = dut = self.dut
        wiring.connect(m, wiring.flipped(self.o), dut.o)
        for outer, inner in zip(self.reserve, dut.reserve, strict=True):
            wiring.connect(m, wiring.flipped(outer), inner)
        m.d.comb += dut.reset.eq(self.reset)

        running = Signal()  # one clock edge since reset
        m.d.sync += running.eq(1)

        # Legal reservations: for whole packets, at most the room there is.
        pending = Array(Signal(range(config.egress_depth + 1)) for _ in range(config.classes))
        arrives = Signal(config.classes)
        m.d.comb += arrives.eq(self.i.valid << self.i.traffic_class)
        for c in range(config.classes):
            lengths = sum(
                Mux(reserve.valid & (reserve.traffic_class == c), reserve.length, 0)
                for reserve in self.reserve
            )
            m.d.comb += Assume(lengths <= dut.room[c])
            m.d.sync += pending[c].eq(pending[c] + lengths - arrives[c])
        for reserve in self.reserve:
            m.d.comb += Assume((reserve.length >= 1) & (reserve.length <= config.max_packet_flits))

        # Legal arrivals: of what was reserved before, packet by packet, each with an end.
        position, current = Signal(2), Signal.like(self.i.traffic_class)
        ended = Signal(init=1)  # the packet that arrives has had its end
        flit, count_full = self.i.flit, config.flit_bytes - 1
        index = Mux(self.i.first, 0, position)
        ends = flit.last | flit.parity.any() | (ended & ~self.i.first)
        data = Cat(self.i.traffic_class, index)
        right = data.xor() ^ Cat(flit.count, flit.last, flit.error, flit.mark).xor()
        m.d.comb += [
            dut.i.valid.eq(self.i.valid),
            dut.i.first.eq(self.i.first),
            dut.i.traffic_class.eq(self.i.traffic_class),
            dut.i.flit.eq(flit),
            dut.i.flit.data.eq(data),
            dut.i.flit.parity.eq(flit.parity ^ right),
        ]
        with m.If(self.i.valid):
            m.d.comb += [
                Assume(pending[self.i.traffic_class] != 0),
                Assume((pending[self.i.traffic_class] != 1) | ends),
                Assume(Mux(self.i.first, ended, self.i.traffic_class == current)),
                Assume(flit.last | ((flit.count == count_full) & ~flit.error)),
                Assume(~flit.error | (flit.count == count_full)),
            ]
            m.d.sync += [
                position.eq(index + 1),
                current.eq(self.i.traffic_class),
                ended.eq(ends),
            ]

        # Room: it and what is stored or pending is the depth, so neither overflows.
        for c in range(config.classes):
            m.d.comb += Assert(dut.room[c] + dut.stored[c] + pending[c] == config.egress_depth)
        m.d.comb += Assert(dut.occupancy == sum(dut.stored) + sum(pending))
        m.d.comb += Assert(~dut.idle | ~dut.o.valid)

        # Stream law, but for reset.
        stalled, payload = Signal(), Signal.like(dut.o.payload.as_value())
        m.d.sync += [
            stalled.eq(dut.o.valid & ~dut.o.ready),
            payload.eq(dut.o.payload.as_value()),
        ]
        kept = dut.o.valid & (dut.o.payload.as_value() == payload)
        m.d.comb += Assert(~(running & stalled) | self.reset | kept)
        m.d.comb += Assert(~self.reset | ~dut.o.valid)

        if self.contents:
            self.packets_are_whole(m)
        return m

    def packets_are_whole(self, m):
        """Positions on ``o`` count from 0 in every packet, and all are of one class."""
        dut = self.dut
        o = dut.o.payload
        owner, place = Signal.like(self.i.traffic_class), Signal(2)
        number = Cat(owner, place)
        within = Signal()
        taken = dut.o.valid & dut.o.ready
        with m.If(dut.o.valid):
            with m.If(within):
                m.d.comb += Assert(o.data == number)
            with m.Else():
                m.d.comb += Assert(o.data >> len(owner) == 0)
            m.d.comb += [
                Assert(o.keep.any() & ((o.keep & (o.keep + 1)) == 0)),
                Assert(o.last | ~o.user[0]),
                Assert((o.last & ~o.user[0]) | o.keep.all()),
            ]
        with m.If(taken):
            m.d.sync += [owner.eq(o.data), place.eq((o.data >> len(owner)) + 1), within.eq(~o.last)]
        with m.If(self.reset):
            m.d.sync += within.eq(0)
        m.d.comb += Assert(~dut.idle | ~(dut.in_packet | dut.sending))
