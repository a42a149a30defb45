"""Backlog of an ingress: the flits that wait to be claimed."""

from functools import reduce
from operator import or_

from amaranth import C, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from models.config import SwitchConfig
from rtl.packet import length_shape
from rtl.selection import encode
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

    Latency: 1 cycle from ``announce`` and ``claim`` to ``one`` and ``many``; 0 cycles from
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
        Per stage: the queue that it claims, one-hot, or zero; no queue twice, nor one that was
        claimed in one of the last two cycles. A claim takes one flit, of a queue that showed
        ``one`` and not ``many`` in the last cycle, or in the one before that for stages other than
        0; unless it ``connects``.
    connects : In(1)
        The claim of stage 0, of a queue that showed ``many`` in the last cycle, takes all that had
        been announced before that.
    one, many : Out(queues)
        Bit ``q``: at least one flit, at least two flits wait in queue ``q``. Registered.
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
                "connects": In(1),
                "one": Out(config.queues),
                "many": Out(config.queues),
                "taken": Out(TakenLayout(config)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        config, announce, one, many = self.config, self.announce, self.one, self.many
        queues, stages = config.queues, range(config.iterations)

        # What was announced in the last cycle: it shows by now, but no claim takes it. Nor does
        # that of an older stage take what was announced a cycle earlier.
        joined, completed = AnnounceSignature(config).create(path=("joined",)), Signal()
        m.d.sync += completed.eq(self.complete)
        for name in announce.signature.members:
            m.d.sync += getattr(joined, name).eq(getattr(announce, name))
        earlier, earlier_several = Signal(queues), Signal()

        # What shows.
        joins, rest = Signal(queues), Signal(queues)
        several, rest_several = announce.length != 1, joined.length != 1
        m.d.comb += [
            joins.eq(announce.valid << announce.queue),
            rest.eq(joined.valid << joined.queue),
        ]
        m.d.sync += [earlier.eq(rest), earlier_several.eq(rest_several)]
        older = reduce(or_, self.claim[1:], C(0, queues))
        claimed = self.claim[0] | older
        for q in range(queues):
            behind = older[q] & earlier[q]
            rest_many = (rest[q] & rest_several) | (behind & (earlier_several | rest[q]))
            left_one = Mux(claimed[q], rest[q] | behind, one[q])
            left_many = Mux(claimed[q], rest_many, many[q])
            m.d.sync += [
                one[q].eq(left_one | joins[q]),
                many[q].eq(left_many | (joins[q] & (left_one | several))),
            ]

        # How much: the flits announced, less those claimed, counted for each stage by itself, so
        # that each memory has one write port. Claims are counted a cycle late: no queue is claimed
        # in two cycles that follow each other.
        m.submodules.sweep = sweep = Sweep(queues)

        def tally(name, reads):
            """A tally that reads these queues."""
            m.submodules[name] = tally = Tally(queues, limit=config.limit, reads=len(reads))
            m.d.comb += [port.eq(queue) for port, queue in zip(tally.queue, reads, strict=True)]
            m.d.comb += [tally.sweep.eq(sweep.entry), tally.swept.eq(sweep.done)]
            return tally

        of_stage = [encode(claim) for claim in self.claim]
        announced = tally("announced", [joined.queue, of_stage[0]])
        m.d.comb += [
            announced.target.eq(joined.queue),
            announced.write.eq(joined.valid),
            announced.value.eq(announced.count[0] + joined.length),
        ]
        left = announced.count[1]
        for k in stages[::-1]:
            claims = tally(f"claimed_{k}", [of_stage[k], of_stage[0]] if k else [of_stage[0]])
            value = claims.count[0] + 1
            if k == 0:
                value = Mux(self.connects, left, value)
            m.d.sync += [
                claims.target.eq(of_stage[k]),
                claims.write.eq(self.claim[k].any()),
                claims.value.eq(value),
            ]
            left = left - claims.count[-1]
        m.d.comb += [self.taken.valid.eq(self.connects), self.taken.flits.eq(left)]

        # The one packet that is still arriving.
        arriving, arriving_queue = Signal(), Signal(range(queues))
        with m.If(joined.valid):
            m.d.sync += [arriving.eq(joined.partial), arriving_queue.eq(joined.queue)]
        with m.Elif(completed):
            m.d.sync += arriving.eq(0)
        m.d.comb += self.taken.open.eq(arriving & (arriving_queue == of_stage[0]))
        return m
