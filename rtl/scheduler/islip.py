"""iSLIP: every output grants one input, every input accepts one output, in circular order."""

from amaranth import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from models.config import SwitchConfig
from rtl.packet import length_shape
from rtl.scheduler.matching import Matching
from rtl.scheduler.selection import encode, first
from rtl.scheduler.transpose import Transpose
from rtl.vector import Vector

__all__ = ["Accept", "Grant", "Islip"]


class Grant(wiring.Component):
    """Grant one input, per stage, on behalf of one output.

    The pick is strict: if its packet does not fit, nobody is granted, so that long packets are not
    starved by short ones.

    Latency: 0 cycles from ``request`` to ``grant``.
    Fairness: the pointer of a class moves to one past the input whose packet is claimed; if stages
    claim for one class in the same cycle, the youngest moves it.

    Members
    -------
    request : In(ports).array(iterations)
        Inputs with a packet of the class that the output has picked.
    traffic_class : In(range(classes)).array(iterations)
        That class.
    length : In(Vector(length_shape, ports)).array(iterations)
        Flits of the packet of each requesting input.
    limit : In(range(egress_depth + 1)).array(iterations)
        Flits of the longest packet that fits.
    claimed : In(iterations)
        The grant is accepted, and not cancelled.
    grant : Out(ports).array(iterations)
        One-hot, or zero.
    granted_length : Out(length_shape).array(iterations)
        Flits of the granted packet; meaningless without a grant.

    Attributes
    ----------
    above : Signal(Vector(ports, classes))
        Inputs at or after the pointer of each class.
    """

    def __init__(self, config: SwitchConfig):
        self.config = config
        self.above = Signal(Vector(config.ports, config.classes))
        lengths = Vector(length_shape(config), config.ports)
        stages = config.iterations
        super().__init__(
            {
                "request": In(config.ports).array(stages),
                "traffic_class": In(range(config.classes)).array(stages),
                "length": In(lengths).array(stages),
                "limit": In(range(config.egress_depth + 1)).array(stages),
                "claimed": In(stages),
                "grant": Out(config.ports).array(stages),
                "granted_length": Out(length_shape(config)).array(stages),
            }
        )

    def elaborate(self, platform):
        m = Module()
        for k in reversed(range(self.config.iterations)):  # the youngest stage writes last
            pick = Signal(self.config.ports)
            m.d.comb += [
                pick.eq(first(self.request[k], self.above[self.traffic_class[k]])),
                self.granted_length[k].eq(self.length[k][encode(pick)]),
            ]
            with m.If(self.granted_length[k] <= self.limit[k]):
                m.d.comb += self.grant[k].eq(pick)
            with m.If(self.claimed[k]):
                m.d.sync += self.above[self.traffic_class[k]].eq(~((pick << 1) - 1))
        return m


class Accept(wiring.Component):
    """Accept one grant, per stage, on behalf of one input.

    Latency: 0 cycles from ``grant`` to ``accept``.
    Fairness: among grants of the highest class (``strict``) or of any (``weighted``) the first
    output at or after the pointer; that moves to one past the output that is claimed from, by the
    youngest stage if there are several.

    Members
    -------
    grant : In(ports).array(iterations)
        Outputs that grant this input.
    traffic_class : In(Vector(ports, classes)).array(iterations)
        Per class: outputs that have picked it; the same for all inputs.
    claimed : In(iterations)
        The accepted grant is not cancelled.
    accept : Out(ports).array(iterations)
        One-hot, or zero.

    Attributes
    ----------
    above : Signal(ports)
        Outputs at or after the pointer.
    """

    def __init__(self, config: SwitchConfig):
        self.config = config
        self.above = Signal(config.ports)
        masks = Vector(config.ports, config.classes)
        stages = config.iterations
        super().__init__(
            {
                "grant": In(config.ports).array(stages),
                "traffic_class": In(masks).array(stages),
                "claimed": In(stages),
                "accept": Out(config.ports).array(stages),
            }
        )

    def elaborate(self, platform):
        m = Module()
        for k in reversed(range(self.config.iterations)):  # the youngest stage writes last
            candidates = Signal(self.config.ports)
            m.d.comb += candidates.eq(self.grant[k])
            if self.config.class_policy == "strict":
                for c in range(self.config.classes):  # the highest writes last
                    urgent = self.grant[k] & self.traffic_class[k][c]
                    with m.If(urgent.any()):
                        m.d.comb += candidates.eq(urgent)
            m.d.comb += self.accept[k].eq(first(candidates, self.above))
            with m.If(self.claimed[k]):
                m.d.sync += self.above.eq(~((self.accept[k] << 1) - 1))
        return m


class Islip(Matching):
    """Match inputs and outputs by one iteration of iSLIP per stage.

    All stages share the pointers of :class:`Grant` and :class:`Accept`.

    Source: McKeown, "The iSLIP scheduling algorithm for input-queued switches", IEEE/ACM
    Transactions on Networking 7(2), 1999.
    """

    def elaborate(self, platform):
        m = Module()
        ports, stages = range(self.config.ports), range(self.config.iterations)
        grants = [Grant(self.config) for _ in ports]
        accepts = [Accept(self.config) for _ in ports]

        for k in stages:
            picked = Signal(Vector(self.config.ports, self.config.classes))
            for c in range(self.config.classes):
                m.d.comb += picked[c].eq(Cat(self.traffic_class[n][k] == c for n in ports))
            offers, answers = (Transpose(len(ports), len(ports)) for _ in range(2))
            m.submodules[f"offers_{k}"], m.submodules[f"answers_{k}"] = offers, answers
            for n in ports:
                grant, accept = grants[n], accepts[n]
                m.d.comb += [
                    grant.request[k].eq(self.request[n][k]),
                    grant.traffic_class[k].eq(self.traffic_class[n][k]),
                    grant.length[k].eq(self.length[n][k]),
                    grant.limit[k].eq(self.limit[n][k]),
                    grant.claimed[k].eq(self.claimed[k][n]),
                    offers.i[n].eq(grant.grant[k]),
                    accept.grant[k].eq(offers.o[n]),
                    accept.traffic_class[k].eq(picked),
                    accept.claimed[k].eq(self.claiming[k][n]),
                    self.accept[n][k].eq(accept.accept[k]),
                    answers.i[n].eq(accept.accept[k]),
                    self.grant[n][k].eq(answers.o[n]),
                    self.granted_length[n][k].eq(grant.granted_length[k]),
                ]
        for n in ports:
            m.submodules[f"grant_{n}"] = grants[n]
            m.submodules[f"accept_{n}"] = accepts[n]
        return m
