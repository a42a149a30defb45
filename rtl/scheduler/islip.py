"""iSLIP: every output grants one input, in circular order."""

from amaranth import C, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from models.config import SwitchConfig
from rtl.scheduler.matching import Matching
from rtl.scheduler.pipeline import delayed
from rtl.selection import First, above
from rtl.vector import Vector

__all__ = ["Grant", "Islip"]


class Grant(wiring.Component):
    """Grant one input, per stage, on behalf of one output.

    Latency: 1 cycle from ``request`` to ``grant``.
    Fairness: the pointer of a class moves to one past the input that claims; if stages claim for
    one class in the same cycle, the youngest moves it. Three sets of pointers take turns: what is
    granted with one in a cycle is claimed in the next and moves it in the one after that.

    Members
    -------
    request : In(ports).array(iterations, classes)
        Inputs that show a queue of the class.
    chosen : In(classes).array(iterations)
        The class that is picked, one-hot, or zero.
    claim : In(ports).array(iterations)
        The input that has claimed in the last cycle, one-hot, or zero.
    barred : In(ports)
        Inputs that stage 0 does not grant, though they are found first.
    grant : Out(ports).array(iterations, classes)
        One-hot, or zero, of the class that was chosen; zero of the others.

    Attributes
    ----------
    pointers : list of Signal(Vector(ports, classes))
        Inputs at or after the pointer of each class: of the set in use, of that whose grants are
        answered, and of that whose claims are known.
    """

    def __init__(self, config: SwitchConfig):
        self.config = config
        masks = Vector(config.ports, config.classes)
        self.pointers = [Signal(masks, name=f"pointers_{j}") for j in range(3)]
        stages = config.iterations
        super().__init__(
            {
                "request": In(config.ports).array(stages, config.classes),
                "chosen": In(config.classes).array(stages),
                "claim": In(config.ports).array(stages),
                "barred": In(config.ports),
                "grant": Out(config.ports).array(stages, config.classes),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.d.sync += [self.pointers[(j + 1) % 3].eq(self.pointers[j]) for j in range(3)]
        for k in reversed(range(self.config.iterations)):  # the youngest stage writes last
            granted_class = delayed(m, self.chosen[k])
            for c in range(self.config.classes):
                pick = Signal(self.config.ports, name=f"pick_{k}_{c}")
                m.d.comb += pick.eq(First(m, self.request[k][c], self.pointers[0][c]).place)
                barred = self.barred if k == 0 else C(0, self.config.ports)
                chosen = self.chosen[k][c].replicate(self.config.ports)
                m.d.sync += self.grant[k][c].eq(pick & chosen & ~barred)
                with m.If(self.claim[k].any() & granted_class[c]):
                    m.d.sync += self.pointers[0][c].eq(above(self.claim[k]))
        return m


class Islip(Matching):
    """One iteration of iSLIP per stage; all stages share the pointers of :class:`Grant`.

    Source: McKeown, "The iSLIP scheduling algorithm for input-queued switches", IEEE/ACM
    Transactions on Networking 7(2), 1999.

    Attributes
    ----------
    outputs : list of Grant
        Per output: whose pointers proofs read.
    """

    def __init__(self, config: SwitchConfig):
        super().__init__(config)
        self.outputs = [Grant(config) for _ in range(config.ports)]

    def elaborate(self, platform):
        m = Module()
        for n, grant in enumerate(self.outputs):
            m.submodules[f"grant_{n}"] = grant
            m.d.comb += grant.barred.eq(self.barred)
            for k in range(self.config.iterations):
                m.d.comb += [
                    grant.chosen[k].eq(self.chosen[n][k]),
                    grant.claim[k].eq(self.claim[n][k]),
                ]
                for c in range(self.config.classes):
                    m.d.comb += [
                        grant.request[k][c].eq(self.request[n][k][c]),
                        self.grant[n][k][c].eq(grant.grant[k][c]),
                    ]
        return m
