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
    """What the connection has that was claimed in the last cycle.

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

    Latency: 1 cycle from ``announce`` and ``claim`` to ``one``, ``many`` and ``taken``. After reset
    counts are swept: nothing may be announced for ``queues`` cycles.
    Throughput: 1 packet in and ``iterations`` claims per cycle. ``one`` and ``many`` are registers,
    ``taken`` is read by registers from distributed memory and subtracted.

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
        Per stage: the queue that it claims, one-hot, or zero; no queue twice. A claim takes one
        flit, in stage 0 only of a queue that shows ``one`` and not ``many``, in other stages of one
        that did so in the last cycle; unless it ``connects``.
    connects : In(1)
        The claim of stage 0, of a queue that shows ``many``, takes all that has been announced,
        in this cycle too.
    one, many : Out(queues)
        Bit ``q``: at least one flit, at least two flits wait in queue ``q``.
    taken : Out(TakenLayout)
        What a claim that connects has taken, a cycle later; meaningful while ``valid``.
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

        # What shows. A claim leaves what is announced in the same cycle; unless it takes all. If it
        # takes one flit of many, the rest is the packet that was announced in the last cycle.
        joins, several, joined_several = Signal(queues), Signal(), Signal()
        m.d.comb += [
            joins.eq(announce.valid << announce.queue),
            several.eq(announce.length != 1),
        ]
        m.d.sync += joined_several.eq(several)
        takes_one = reduce(or_, self.claim[1:], C(0, queues))  # even if many show
        claimed = self.claim[0] | takes_one
        for q in range(queues):
            rest = many[q] & takes_one[q]
            first = joins[q] & ~many[q]  # what joins is all that there is
            m.d.sync += [
                one[q].eq(Mux(claimed[q], rest | first, one[q] | joins[q])),
                many[q].eq(
                    Mux(
                        claimed[q],
                        (rest & (joined_several | joins[q])) | (first & several),
                        many[q] | (joins[q] & (one[q] | several)),
                    )
                ),
            ]

        # How much: the flits announced, less those claimed, counted for each stage by itself, so
        # that each memory has one write port. Claims are counted one cycle late.
        m.submodules.sweep = sweep = Sweep(queues)

        def tally(name, reads, write, value):
            """A tally that reads these queues, and gives that of the first its new value."""
            m.submodules[name] = tally = Tally(queues, limit=config.limit, reads=len(reads))
            m.d.comb += [port.eq(queue) for port, queue in zip(tally.queue, reads, strict=True)]
            m.d.comb += [
                tally.sweep.eq(sweep.entry),
                tally.swept.eq(sweep.done),
                tally.write.eq(write),
                tally.value.eq(value(tally.count[0])),
            ]
            return tally.count

        late = [Signal(queues, name=f"late_{k}") for k in stages]
        m.d.sync += [late[k].eq(self.claim[k]) for k in stages]
        of_stage = [encode(claim) for claim in late]
        announced = tally(
            "announced",
            [announce.queue, of_stage[0]],
            announce.valid,
            lambda count: count + announce.length,
        )
        left = announced[1]
        for k in stages[1:]:
            reads = [of_stage[k], of_stage[0]]
            left = left - tally(f"claimed_{k}", reads, late[k].any(), lambda count: count + 1)[1]
        claimed_all = self.taken.valid
        claims = tally(
            "claimed_0",
            [of_stage[0]],
            late[0].any(),
            lambda count: Mux(claimed_all, left, count + 1),
        )
        m.d.comb += self.taken.flits.eq(left - claims[0])
        m.d.sync += self.taken.valid.eq(self.connects)

        # The one packet that is still arriving.
        arriving, arriving_queue = Signal(), Signal(range(queues))
        with m.If(announce.valid):
            m.d.sync += [arriving.eq(announce.partial), arriving_queue.eq(announce.queue)]
        with m.Elif(self.complete):
            m.d.sync += arriving.eq(0)
        m.d.comb += self.taken.open.eq(arriving & (arriving_queue == of_stage[0]))
        return m
