"""What rtl.class_arbiter must satisfy for every request, at any time."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.hdl import Assert, Assume
from amaranth.lib import wiring

from models.config import SwitchConfig
from rtl.class_arbiter import ClassArbiter

__all__ = ["ClassArbiterProof"]


class ClassArbiterProof(wiring.Component):
    """Safety, priority and bounded deficits of :class:`ClassArbiter`.

    Members are those of :class:`ClassArbiter`; its inputs are free variables.

    Parameters
    ----------
    config : SwitchConfig
        As for the component.
    picks : int
        As for the component.
    honest : bool
        Assume that a class is charged at most one largest packet for each grant that is used, and
        prove that debts then stay smaller than that, so that nothing is ever forgiven.
        Needs one pick: several may grant the same class from the same deficit.
    """

    def __init__(self, config: SwitchConfig, *, picks: int, honest: bool = False):
        if honest and picks != 1:
            raise ValueError(f"picks must be 1 with honest, not {picks}")
        self.config, self.honest = config, honest
        self.dut = ClassArbiter(config, picks=picks)
        super().__init__(self.dut.signature)

    def elaborate(self, platform):
        m = Module()
        m.submodules.dut = dut = self.dut
        wiring.connect(m, wiring.flipped(self), dut)
        weighted = self.config.class_policy == "weighted"
        largest = self.config.max_packet_flits
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
            for c, deficit in enumerate(dut.deficit):
                used = dut.grant[0][c] & dut.advance[0]
                m.d.comb += Assume(dut.charge[c] <= Mux(used, largest, 0))
                m.d.comb += Assert(deficit > -largest)

        if weighted:
            # All gain at once, and only if a grant was used that found no deficit left.
            before = [Signal.like(deficit) for deficit in dut.deficit]
            spent, started = Signal(), Signal()
            m.d.sync += [
                started.eq(1),
                *(old.eq(deficit) for old, deficit in zip(before, dut.deficit, strict=True)),
                spent.eq(
                    Cat(
                        dut.advance[k] & request.any() & ~(request & positive).any()
                        for k, request in enumerate(dut.request)
                    ).any()
                ),
            ]
            grown = Cat(new > old for new, old in zip(dut.deficit, before, strict=True))
            m.d.comb += Assert(~started | spent | ~grown.any())
        return m
