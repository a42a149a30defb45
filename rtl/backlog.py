"""Backlog of an ingress: the flits that wait to be claimed."""

from amaranth import C, Cat, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from models.config import SINGLES, SwitchConfig
from rtl.packet import length_shape
from rtl.selection import one_more
from rtl.sweep import Sweep
from rtl.tally import Tally

__all__ = ["AnnounceSignature", "Backlog", "TakenLayout"]


class AnnounceSignature(wiring.Signature):
    """A packet that may be claimed from the next cycle on.

    Members
    -------
    valid : Out(1)
        There is one.
    queue : Out(range(queues))
        Its queue.
    length : Out(length_shape)
        Its flits, 1 or more.
    partial : Out(1)
        Some of them have still to come.
    """

    def __init__(self, config: SwitchConfig):
        super().__init__(
            {
                "valid": Out(1),
                "queue": Out(range(config.queues)),
                "length": Out(length_shape(config)),
                "partial": Out(1),
            }
        )


class TakenLayout(data.StructLayout):
    """What a claim takes that connects.

    Fields
    ------
    valid : unsigned(1)
        There is one.
    flits : range(limit + 1)
        Its flits, 2 or more.
    open : unsigned(1)
        Some of them, of its last packet, have still to come.
    """

    def __init__(self, config: SwitchConfig):
        super().__init__({"valid": 1, "flits": range(config.limit + 1), "open": 1})


class Backlog(wiring.Component):
    """Count the flits of each queue that wait, and show which queues have some.

    Latency: 1 cycle from ``announce`` and ``claim`` to ``waits`` and ``many``; 0 cycles from
    ``claim`` to ``taken``, which is read from distributed memory and subtracted. After reset counts
    are swept: nothing may be announced for ``queues`` cycles.
    Throughput: 1 packet in and ``iterations`` claims per cycle.

    Parameters
    ----------
    config : SwitchConfig
        Uses ``queues``, ``iterations``, ``limit`` and ``max_packet_flits``.

    Members
    -------
    announce : In(AnnounceSignature)
        A packet joins the end of its queue.
    complete : In(1)
        The packet that was announced as partial has come in.
    claim : In(queues).array(iterations)
        Per stage: the queue that it claims, one-hot, or zero. A claim takes one flit, unless it
        ``connects``. It has been decided in the last cycle: of a queue that was shown then, or in
        the cycle before for stages other than 0; of one that showed ``many`` only if it connects.
        No queue is claimed more often than it was shown to have flits.
    claim_queue : In(range(queues)).array(iterations)
        Per stage: the number of the queue that it claims; means nothing if it claims none.
    connects : In(1)
        The claim of stage 0, of a queue that showed ``many`` in the last cycle, takes all that had
        been announced before that.
    waits : Out(queues).array(SINGLES)
        Bit ``q`` of ``waits[0]``: flits wait in queue ``q``. Of ``waits[j]``: more than ``j`` do,
        and can be claimed one by one. Registered.
    many : Out(queues)
        Bit ``q``: what waits in queue ``q`` is claimed together, as it is ``SINGLES + 2`` flits or
        was, or not every flit is a packet of its own. Registered.
    taken : Out(TakenLayout)
        What the claim takes if it connects; meaningful while ``valid``. Combinational.
    """

    def __init__(self, config: SwitchConfig):
        self.config = config
        super().__init__(
            {
                "announce": In(AnnounceSignature(config)),
                "complete": In(1),
                "claim": In(config.queues).array(config.iterations),
                "claim_queue": In(range(config.queues)).array(config.iterations),
                "connects": In(1),
                "waits": Out(config.queues).array(SINGLES),
                "many": Out(config.queues),
                "taken": Out(TakenLayout(config)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        config, announce, many = self.config, self.announce, self.many
        queues, stages = config.queues, range(config.iterations)

        # What was announced in the last cycle: it shows by now, but no connection takes it.
        joined, completed = AnnounceSignature(config).create(path=("joined",)), Signal()
        m.d.sync += completed.eq(self.complete)
        for name in announce.signature.members:
            m.d.sync += getattr(joined, name).eq(getattr(announce, name))

        # What shows: of each queue a thermometer, whose bit j tells that more than j flits wait.
        # Only its lowest bit is set while they have to be claimed together.
        joins, rest, whole = (Signal(queues, name=n) for n in ("joins", "rest", "whole"))
        several, rest_several = announce.length != 1, joined.length != 1
        m.d.comb += [
            joins.eq(announce.valid << announce.queue),
            rest.eq(joined.valid << joined.queue),
            whole.eq(self.claim[0] & self.connects.replicate(queues)),
        ]
        claimed = [C(0, queues)] * min(SINGLES, config.iterations)
        for singles in (self.claim[0] & ~whole, *self.claim[1:]):
            claimed = one_more(m, claimed, singles)
        for q in range(queues):
            level = Signal(SINGLES + 1, name=f"level_{q}")
            left, left_many = Signal.like(level, name=f"left_{q}"), Signal(name=f"left_many_{q}")
            m.d.comb += [left.eq(level), left_many.eq(many[q])]
            with m.If(whole[q]):
                m.d.comb += [left.eq(rest[q]), left_many.eq(rest[q] & rest_several)]
            with m.Elif(~many[q]):
                for count, claims in enumerate(claimed, 1):
                    with m.If(claims[q]):
                        m.d.comb += left.eq(level >> count)
            together = Signal(name=f"together_{q}")
            m.d.comb += together.eq(left_many | (joins[q] & (several | left[SINGLES])))
            # No reset of flip-flops, which would be slower than a gate.
            m.d.sync += [
                many[q].eq(together),
                level[0].eq(joins[q] | left[0]),
                level[1:].eq(Mux(joins[q], left[:-1], left[1:]) & ~together.replicate(SINGLES)),
            ]
            m.d.comb += [self.waits[j][q].eq(level[j]) for j in range(SINGLES)]

        # How much: the flits announced, less those claimed, counted for each stage by itself, so
        # that each memory has one write port. Claims are counted a cycle late.
        m.submodules.sweep = sweep = Sweep(queues)

        def tally(name, reads):
            """A tally that reads these queues."""
            m.submodules[name] = tally = Tally(queues, limit=config.limit, reads=len(reads))
            m.d.comb += [port.eq(queue) for port, queue in zip(tally.queue, reads, strict=True)]
            m.d.comb += [tally.sweep.eq(sweep.entry), tally.swept.eq(sweep.done)]
            return tally

        announced = tally("announced", [joined.queue, self.claim_queue[0]])
        m.d.comb += [
            announced.target.eq(joined.queue),
            announced.write.eq(joined.valid),
            announced.value.eq(announced.count[0] + joined.length),
        ]
        left = announced.count[1]
        for k in stages[::-1]:
            reads = [self.claim_queue[k], self.claim_queue[0]] if k else [self.claim_queue[0]]
            claims = tally(f"claimed_{k}", reads)
            # The claim of the last cycle is not counted yet: it is the carry of these sums, so that
            # nobody waits for a comparison. What is subtracted needs no gates to invert it.
            before = Signal(queues, name=f"before_{k}")
            m.d.sync += before.eq(self.claim[k])
            again, taken = (self.claim[n] & before for n in (k, 0))
            value = Signal.like(claims.value, name=f"value_{k}")
            m.d.sync += [
                claims.target.eq(self.claim_queue[k]),
                claims.write.eq(self.claim[k].any()),
                value.eq((Cat(again.any(), claims.count[0]) + 3)[1:]),  # one, and the carry
            ]
            if k:
                m.d.comb += claims.value.eq(value)
                left = left - (self.claim[k] & self.claim[0]).any()
            else:
                connected, everything = Signal(), Signal.like(claims.value)  # of the last cycle
                m.d.sync += [connected.eq(self.connects), everything.eq(left)]
                m.d.comb += claims.value.eq(Mux(connected, everything, value))
            left = Cat(C(0, 1), left) - Cat(taken.any(), claims.count[-1])
            left = left[1 : len(claims.value) + 1]
        m.d.comb += [self.taken.valid.eq(self.connects), self.taken.flits.eq(left)]

        # The one packet that is still arriving.
        arriving, arriving_queue = Signal(), Signal(range(queues))
        with m.If(joined.valid):
            m.d.sync += [arriving.eq(joined.partial), arriving_queue.eq(joined.queue)]
        with m.Elif(completed):
            m.d.sync += arriving.eq(0)
        m.d.comb += self.taken.open.eq(arriving & (arriving_queue == self.claim_queue[0]))
        return m
