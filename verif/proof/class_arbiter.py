"""What rtl.class_arbiter must satisfy for every request, at any time."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.hdl import Assert, Assume
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from models.config import SwitchConfig
from rtl.class_arbiter import ClassArbiter

__all__ = ["ClassArbiterProof"]


class ClassArbiterProof(wiring.Component):
    """Safety, priority and bounded deficits of :class:`ClassArbiter`.

    Members are those of :class:`ClassArbiter`; its inputs are free variables. ``flits`` is one
    more: what the grant of this cycle stands for, if it is honest.

    Parameters
    ----------
    config : SwitchConfig
        As for the component.
    picks : int
        As for the component.
    honest : bool
        Assume that a class is charged for at most ``limit`` flits, one at a time, for each grant
        that is used, and prove that debts then stay smaller than that, so that nothing is ever
        forgiven. Needs one pick: several may grant the same class from the same deficit.
    """

    def __init__(self, config: SwitchConfig, *, picks: int, honest: bool = False):
        if honest and picks != 1:
            raise ValueError(f"picks must be 1 with honest, not {picks}")
        self.config, self.honest = config, honest
        self.dut = ClassArbiter(config, picks=picks)
        members = dict(self.dut.signature.members) | {"flits": In(range(config.limit + 1))}
        super().__init__(members)

    def elaborate(self, platform):
        m = Module()
        m.submodules.dut = dut = self.dut
        m.d.comb += [dut.refill.eq(self.refill), dut.charge.eq(self.charge)]
        m.d.comb += [inner.eq(o) for inner, o in zip(dut.request, self.request, strict=True)]
        weighted = self.config.class_policy == "weighted"
        limit = self.config.limit
        positive = Cat(deficit > 0 for deficit in dut.deficit) if weighted else 0

        for request, grant in zip(dut.request, dut.grant, strict=True):
            preferred = request & positive
            candidates = Mux(preferred.any(), preferred, request) if weighted else request
            m.d.comb += [
                Assert((grant & (grant - 1)) == 0),  # at most one
                Assert((grant & ~candidates) == 0),  # only to a candidate
                Assert(grant.any() == request.any()),  # never idle under load
                Assert((candidates & ~grant) <= grant),  # none is more urgent
            ]

        for deficit, quantum in zip(dut.deficit, dut.quanta, strict=True):
            m.d.comb += Assert((deficit >= -dut.debt) & (deficit <= quantum))

        if self.honest:
            # The first flit goes with the grant, the others follow while no grant is used.
            left, owner = Signal(range(limit)), Signal(self.config.classes)
            starts = dut.charge.any() & (left == 0)
            m.d.comb += [
                Assume((dut.charge == 0) | (dut.charge == Mux(starts, dut.grant[0], owner))),
                Assume(dut.refill == (starts & dut.spent[0])),
            ]
            with m.If(starts):
                m.d.sync += [owner.eq(dut.grant[0]), left.eq(self.flits - 1)]
                m.d.comb += Assume((self.flits >= 1) & (self.flits <= limit))
            with m.Elif(dut.charge.any()):
                m.d.sync += left.eq(left - 1)
            m.d.comb += Assert((left == 0) | owner.any())
            for c, deficit in enumerate(dut.deficit):
                m.d.comb += Assert(deficit > Mux(owner[c], left, 0) - limit)

        if weighted:
            # A refill gives up to a quantum to all, else each pays its charge down to the floor.
            started, refilled = Signal(), Signal()
            charged = Signal(self.config.classes)
            m.d.sync += [started.eq(1), refilled.eq(dut.refill), charged.eq(dut.charge)]
            for c, (deficit, quantum) in enumerate(zip(dut.deficit, dut.quanta, strict=True)):
                before = Signal.like(deficit, name=f"before_{c}")
                m.d.sync += before.eq(deficit)
                full = before + Mux(refilled, quantum, 0)
                due = Mux(refilled & (full > quantum), quantum, full) - charged[c]
                m.d.comb += Assert(~started | (deficit == Mux(due < -dut.debt, -dut.debt, due)))
        for k, request in enumerate(dut.request):
            spent = request.any() & ~(request & positive).any() if weighted else 0
            m.d.comb += Assert(dut.spent[k] == spent)
        return m
