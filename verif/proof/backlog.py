"""What rtl.backlog must show of any one queue, for every legal use."""

from amaranth import Module, Mux, Signal
from amaranth.hdl import Assert, Assume
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from models.config import SwitchConfig
from rtl.backlog import AnnounceSignature, Backlog, ClaimSignature

__all__ = ["BacklogProof"]


class BacklogProof(wiring.Component):
    """A watched queue shows what a plain list of its packets shows.

    Members
    -------
    announce, complete, claim
        As in :class:`Backlog`.
    watched : In(range(queues))
        The queue whose list is kept; any one, but constant.
    """

    def __init__(self, config: SwitchConfig):
        self.config = config
        super().__init__(
            {
                "announce": In(AnnounceSignature(config)),
                "complete": In(1),
                "claim": In(ClaimSignature(config)).array(config.iterations),
                "watched": In(range(config.queues)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        config, announce, watched = self.config, self.announce, self.watched
        m.submodules.dut = dut = Backlog(config)
        wiring.connect(m, wiring.flipped(announce), dut.announce)
        for outer, inner in zip(self.claim, dut.claim, strict=True):
            wiring.connect(m, wiring.flipped(outer), inner)
        m.d.comb += dut.complete.eq(self.complete)

        # Announcements that fit into the buffer; a partial packet comes in before the next one.
        arriving, arriving_queue = Signal(), Signal.like(announce.queue)
        flits = [Signal(range(config.limit + 1), name=f"flits_{q}") for q in range(config.queues)]
        m.d.comb += [
            Assume(announce.queue < config.queues),
            Assume((announce.length != 0) & (announce.length <= config.max_packet_flits)),
            Assume(~announce.valid | ~arriving),
            Assume(~announce.partial | (announce.length > 1)),
            Assume(~self.complete | arriving),
            Assume(~announce.valid | (sum(flits) + announce.length <= config.ingress_flits)),
        ]
        with m.If(self.complete):
            m.d.sync += arriving.eq(0)
        with m.If(announce.valid):
            m.d.sync += [arriving.eq(announce.partial), arriving_queue.eq(announce.queue)]

        # Claims of what is shown only: one long at most, and no single twice.
        before = []
        for claim in self.claim:
            index = sum(other.valid & (other.queue == claim.queue) for other in before)
            longs = sum(other.valid & dut.longs.bit_select(other.queue, 1) for other in before)
            single = Signal()
            for n, singles in enumerate(dut.singles):
                with m.If(index == n):
                    m.d.comb += single.eq(singles.bit_select(claim.queue, 1))
            long = dut.longs.bit_select(claim.queue, 1) & (longs == 0)
            m.d.comb += Assume(claim.queue < config.queues)
            m.d.comb += Assume(~claim.valid | single | long)
            before.append(claim)
        for q, used in enumerate(flits):
            here = announce.valid & (announce.queue == q)
            m.d.comb += Assume(~here | (used + announce.length <= config.limit))
            gone = sum(Mux(c.valid & (c.queue == q), dut.length[q], 0) for c in self.claim)
            m.d.sync += used.eq(used + Mux(here, announce.length, 0) - gone)

        started, previous = Signal(), Signal.like(watched)
        m.d.sync += [started.eq(1), previous.eq(watched)]
        m.d.comb += [Assume(watched < config.queues), Assume(~started | (watched == previous))]

        # The list, the head in the lowest bits.
        width = len(announce.length)
        lengths, count = Signal(width * config.limit), Signal(range(config.limit + 1))
        hidden = Signal()
        claims = sum(claim.valid & (claim.queue == watched) for claim in self.claim)
        joins = announce.valid & (announce.queue == watched)
        behind = Mux(joins, announce.length << width * (count - claims)[: len(count)], 0)
        m.d.sync += [
            lengths.eq((lengths >> width * claims) | behind),
            count.eq(count - claims + joins),
        ]

        head = lengths[:width]
        shown_long = (head > 1) & ~hidden
        open_head = arriving & (arriving_queue == watched) & (count == 1)
        m.d.sync += hidden.eq(shown_long & (claims != 0))
        m.d.comb += [
            Assert(dut.length[watched] == Mux(hidden, 0, head)),
            Assert(dut.longs.bit_select(watched, 1) == shown_long),
            Assert(dut.partial.bit_select(watched, 1) == (shown_long & open_head)),
        ]
        run = ~hidden
        for n, singles in enumerate(dut.singles):
            run = run & (lengths[n * width : (n + 1) * width] == 1)
            m.d.comb += Assert(singles.bit_select(watched, 1) == run)
        return m
