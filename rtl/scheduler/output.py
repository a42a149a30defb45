"""One output: the class that it picks, and its connection."""

from functools import reduce
from operator import or_

from amaranth import Array, C, Cat, Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from models.config import SwitchConfig
from rtl.class_arbiter import ClassArbiter
from rtl.scheduler.pipeline import delayed
from rtl.selection import encode

__all__ = ["Output"]


class Output(wiring.Component):
    """Pick a class in every stage, and listen to the input that claims.

    Latency: 0 cycles from ``show`` to ``chosen``; 1 cycle from ``claim`` of the oldest stage to
    ``select``, two more for each younger one.

    Members
    -------
    show : In(ports).array(iterations, classes)
        Per class: inputs whose queue shows, if the egress has room for a connection.
    many : In(ports).array(classes)
        Per class: inputs whose queue shows two flits or more.
    grant : In(ports).array(classes)
        Per class: the input that is granted in stage 0, one-hot, or zero.
    claim : In(ports).array(iterations)
        The input that has claimed in the last cycle, one-hot, or zero.
    keeps, books, holds : In(ports)
        Per input: :class:`rtl.scheduler.input.Input`.
    free : Out(1).array(iterations - 1)
        Of stages 1, 2, ..: the slot is not given away yet.
    chosen : Out(classes).array(iterations)
        The class that is picked, one-hot, or zero.
    select : Out({valid, input, traffic_class})
        In this cycle the output listens to the input. Registered.
    active : Out(1)
        The output listens now, will in a slot under way, or has a connection.
    """

    def __init__(self, config: SwitchConfig):
        self.config = config
        ports, classes, stages = config.ports, config.classes, config.iterations
        self.select_layout = data.StructLayout(
            {"valid": 1, "input": range(ports), "traffic_class": range(classes)}
        )
        super().__init__(
            {
                "show": In(ports).array(stages, classes),
                "many": In(ports).array(classes),
                "grant": In(ports).array(classes),
                "claim": In(ports).array(stages),
                "keeps": In(ports),
                "books": In(ports),
                "holds": In(ports),
                "free": Out(1).array(stages - 1),
                "chosen": Out(classes).array(stages),
                "select": Out(self.select_layout),
                "active": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        ports, classes, stages = self.config.ports, self.config.classes, self.config.iterations
        granted_class = [delayed(m, chosen) for chosen in self.chosen]  # of the claims

        # The connection. The input may have slots for it until two cycles after it has let go.
        holder = Signal(ports)  # the input that has it, one-hot, or zero
        connection = Signal(
            data.StructLayout({"input": range(ports), "traffic_class": range(classes)})
        )
        lingers = Signal(2)
        lasts = holder.any() | lingers.any()
        # It begins if what was granted showed many, and was claimed.
        of_class = zip(self.many, self.grant, strict=True)
        several = reduce(or_, (many & grants for many, grants in of_class)).any()
        several_before = Signal()
        begins = several_before & self.claim[0].any()
        m.d.sync += [
            several_before.eq(several),
            holder.eq((self.claim[0] & several_before.replicate(ports)) | (holder & self.keeps)),
            lingers.eq(Cat(holder.any(), lingers)),
        ]
        with m.If(begins):
            m.d.sync += [
                connection.input.eq(encode(self.claim[0])),
                connection.traffic_class.eq(encode(granted_class[0])),
            ]

        # Grants. What is granted now, if it shows many, may become a connection: no other grant
        # in stage 0 then.
        held = [Signal(name=f"held_{k}") for k in range(stages)]  # of the slot that stage k grants
        m.d.comb += held[0].eq(begins | holder.any() | several)
        m.d.comb += [free.eq(~slot) for free, slot in zip(self.free, held[1:], strict=True)]
        m.submodules.arbiter = arbiter = ClassArbiter(self.config, picks=stages)
        refills = Signal(stages)
        for k in range(stages):
            wanted = C(1, 1)
            if classes > 1:  # else the one class is picked in vain if nobody shows it
                wanted = Cat(show.any() for show in self.show[k])
            spent = [Signal(name=f"spent_{k}_{j}") for j in range(2)]
            m.d.comb += [
                arbiter.request[k].eq(wanted),
                self.chosen[k].eq(arbiter.grant[k] & ~held[k].replicate(classes)),
                refills[k].eq(spent[1] & self.claim[k].any()),
            ]
            m.d.sync += [
                spent[0].eq(arbiter.spent[k]),
                spent[1].eq(spent[0]),
            ]
        m.d.comb += [
            arbiter.refill.eq(refills.any()),
            arbiter.charge.eq(self.select.valid << self.select.traffic_class),
        ]

        # Slots on their way to the selection: what stage k claimed joins two cycles after its
        # grant.
        slot, taken = Signal(self.select_layout), lasts & Array(self.holds)[connection.input]
        m.d.comb += [
            slot.valid.eq(lasts & Array(self.books)[connection.input]),
            slot.input.eq(connection.input),
            slot.traffic_class.eq(connection.traffic_class),
        ]
        under_way = [self.select.valid]
        for k in range(stages):
            joined = Signal(self.select_layout, name=f"joined_{k}")
            m.d.comb += joined.eq(slot)
            with m.If(self.claim[k].any()):
                m.d.comb += [
                    joined.valid.eq(1),
                    joined.input.eq(encode(self.claim[k])),
                    joined.traffic_class.eq(encode(granted_class[k])),
                ]
            under_way.append(joined.valid)
            if k == stages - 1:
                m.d.sync += self.select.eq(joined)
            else:
                m.d.comb += held[k + 1].eq(taken | self.claim[k].any())
                passing = Signal(self.select_layout, name=f"passing_{k}")
                slot = Signal(self.select_layout, name=f"slot_{k + 1}")
                m.d.sync += [passing.eq(joined), slot.eq(passing)]
                under_way.append(passing.valid)
                taken = delayed(m, held[k + 1])
        m.d.comb += self.active.eq(holder.any() | Cat(under_way).any())
        return m
