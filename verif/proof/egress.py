"""What rtl.egress must satisfy, given a scheduler that grants only what it accepts."""

from itertools import pairwise

from amaranth import Cat, Module, Mux, Signal
from amaranth.hdl import Assert, Assume
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from models.config import SwitchConfig
from rtl.egress import Egress

__all__ = ["EgressProof"]


class EgressProof(wiring.Component):
    """No queue overflows, ``o`` obeys the stream law and carries whole packets, permitted ones.

    Members are those of :class:`Egress`, its inputs are free variables, and ``grant``: a
    connection of up to ``limit`` flits of ``granted_class`` is decided on, whose first flit comes
    in ``2 K + 4`` cycles or later. Of the inputs, ``i.flit.data`` is replaced by the class and the
    flit's position in its packet, and that
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
        members = {"grant": In(1), "granted_class": In(range(config.classes))}
        super().__init__(dict(self.dut.signature.members) | members)

    def elaborate(self, platform):
        m = Module()
        config = self.config
        m.submodules.dut = dut = self.dut
        wiring.connect(m, wiring.flipped(self.o), dut.o)
        m.d.comb += [
            dut.permit.eq(self.permit),
            dut.flush.eq(self.flush),
            dut.reset.eq(self.reset),
        ]

        running = Signal()  # one clock edge since reset
        m.d.sync += running.eq(1)

        # Legal grants: of a class that is accepted. They begin when all before them has come.
        delay = 2 * config.iterations + 4
        grants = [Signal(name=f"grants_{n}") for n in range(delay)]
        classes = [Signal.like(self.granted_class, name=f"classes_{n}") for n in range(delay)]
        left = Signal(range(config.limit + 1))  # flits that the connection may still have
        begins = grants[-1]
        m.d.comb += Assume(~self.grant | dut.accepts.bit_select(self.granted_class, 1))
        m.d.sync += Cat(grants).eq(Cat(self.grant, grants[:-1]))
        m.d.sync += [b.eq(a) for a, b in pairwise([self.granted_class, *classes])]
        room = Mux(begins, config.limit, left)
        m.d.sync += left.eq(room - self.i.valid)

        # Legal arrivals: of the connection under way, packet by packet, each with an end.
        position, current = Signal(2), Signal.like(self.i.traffic_class)
        ended = Signal(init=1)  # the packet that arrives has had its end
        flit, count_full = self.i.flit, config.flit_bytes - 1
        index = Mux(flit.first, 0, position)
        ends = flit.last | flit.parity.any() | (ended & ~flit.first)
        data = Cat(self.i.traffic_class, index)
        right = data.xor() ^ Cat(flit.count, flit.first, flit.last, flit.error, flit.mark).xor()
        m.d.comb += [
            dut.i.valid.eq(self.i.valid),
            dut.i.traffic_class.eq(self.i.traffic_class),
            dut.i.flit.eq(flit),
            dut.i.flit.data.eq(data),
            dut.i.flit.parity.eq(flit.parity ^ right),
        ]
        with m.If(self.i.valid):
            m.d.comb += [
                Assume(room != 0),
                Assume((room != 1) | ends),
                Assume(~flit.first | ended),
                Assume(self.i.traffic_class == Mux(begins, classes[-1], current)),
                Assume(flit.last | ((flit.count == count_full) & ~flit.error)),
                Assume(~flit.error | (flit.count == count_full)),
            ]
            m.d.sync += [
                position.eq(index + 1),
                ended.eq(ends),
            ]
        with m.If(begins):
            m.d.comb += Assume(ended & (~self.i.valid | flit.first))
            m.d.sync += current.eq(classes[-1])

        # Room: for what is stored, in the check stage and has yet to come, there is always enough,
        # and a slot for the flit that was issued.
        for c in range(config.classes):
            stored = dut.stored[c] + (dut.checked & (dut.checked_class == c))
            for age, (grant, granted) in enumerate(zip(grants, classes, strict=True)):
                before = delay - 1 - age  # flits of other connections that may come first
                fits = stored + before + config.limit < config.egress_depth
                m.d.comb += Assert(~(grant & (granted == c)) | fits)
            m.d.comb += [
                Assert(~dut.accepts[c] | (dut.stored[c] <= config.accept_flits + 1)),
                Assert((current != c) | (stored + left < config.egress_depth)),
                *(Assert(more == (dut.stored[c] > n)) for n, more in enumerate(dut.level[c])),
                Assert(dut.stored[c] < config.egress_depth),
            ]
        stored = Signal.like(dut.occupancy)  # in the cycle before
        m.d.sync += stored.eq(sum(dut.stored))
        m.d.comb += [
            Assert(dut.occupancy == stored),
            Assert((dut.owner & (dut.owner - 1)) == 0),
        ]
        m.d.comb += Assert(~dut.idle | ~dut.o.valid)

        # A packet begins to leave only with its permit, in a flush or in a reset, a cycle before.
        permitted = Signal(config.classes, init=-1 % (1 << config.classes))
        m.d.sync += permitted.eq(self.permit | self.flush | self.reset.replicate(config.classes))
        m.d.comb += Assert((dut.begins & ~permitted) == 0)

        # Stream law, but for reset, which acts in the cycle after.
        stalled, payload = Signal(), Signal.like(dut.o.payload.as_value())
        was_reset = Signal()
        m.d.sync += [
            was_reset.eq(self.reset),
            stalled.eq(dut.o.valid & ~dut.o.ready),
            payload.eq(dut.o.payload.as_value()),
        ]
        kept = dut.o.valid & (dut.o.payload.as_value() == payload)
        m.d.comb += Assert(~(running & stalled) | was_reset | kept)
        m.d.comb += Assert(~was_reset | ~dut.o.valid)

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
        ever = Signal(self.config.classes)  # classes that have had a permit when not flushed
        permitted = self.permit | self.reset.replicate(len(ever))
        m.d.sync += ever.eq(ever | (permitted & ~self.flush))
        taken = dut.o.valid & dut.o.ready
        with m.If(dut.o.valid):
            with m.If(within):
                m.d.comb += Assert(o.data == number)
            with m.Else():
                m.d.comb += Assert(o.data >> len(owner) == 0)
                m.d.comb += Assert(ever.bit_select(o.data[: len(owner)], 1))
            m.d.comb += [
                Assert(o.keep.any() & ((o.keep & (o.keep + 1)) == 0)),
                Assert(o.last | ~o.user[0]),
                Assert((o.last & ~o.user[0]) | o.keep.all()),
            ]
        with m.If(taken):
            m.d.sync += [owner.eq(o.data), place.eq((o.data >> len(owner)) + 1), within.eq(~o.last)]
        with m.If(self.reset):
            m.d.sync += within.eq(0)
