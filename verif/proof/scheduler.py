"""What rtl.scheduler must satisfy for every input, at any time."""

from functools import reduce
from itertools import pairwise
from operator import or_

from amaranth import C, Cat, Module, Signal
from amaranth.hdl import Assert, Assume
from amaranth.lib import wiring

from models.config import SINGLES, SwitchConfig
from rtl.scheduler import POLICIES, Scheduler
from rtl.selection import encode

__all__ = ["MatchingProof", "SchedulerProof"]


def one_hot_or_zero(value):
    return (value & (value - 1)) == 0


class MatchingProof(wiring.Component):
    """Every stage grants who asked, and as much as its policy promises.

    The inputs are those of :class:`rtl.scheduler.matching.Matching`, all free but that an output
    picks one class at most; the state is free, too, but that pointers are thermometers.
    """

    def __init__(self, config: SwitchConfig):
        self.config = config
        self.dut = POLICIES[config.scheduler](config)
        members = self.dut.signature.members.items()
        super().__init__({name: member for name, member in members if member.flow is wiring.In})

    def elaborate(self, platform):
        m = Module()
        m.submodules.dut = dut = self.dut
        ports = range(self.config.ports)
        driven = {path: value for path, _, value in dut.signature.flatten(dut)}
        m.d.comb += [driven[path].eq(value) for path, _, value in self.signature.flatten(self)]

        if self.config.scheduler == "islip":  # by induction: the search relies on it
            for output in dut.outputs:
                for mask in (mask for pointers in output.pointers for mask in pointers):
                    m.d.comb += Assert(((mask << 1) & ~mask)[: self.config.ports] == 0)
        started, barred = Signal(), Signal(self.config.ports)
        m.d.sync += [started.eq(1), barred.eq(self.barred)]
        for k in range(self.config.iterations):
            asked = [Signal(self.config.ports, name=f"asked_{k}_{o}") for o in ports]
            of_class = [Signal(self.config.queues, name=f"of_class_{k}_{o}") for o in ports]
            passed = [Signal(self.config.ports, name=f"passed_{k}_{o}") for o in ports]
            bars = barred if k == 0 else C(0, self.config.ports)
            for o in ports:
                m.d.comb += Assume(one_hot_or_zero(self.chosen[o][k]))
                chosen = [c.replicate(self.config.ports) for c in self.chosen[o][k]]
                wants = [r & c for r, c in zip(self.request[o][k], chosen, strict=True)]
                wanted = reduce(or_, wants)
                m.d.sync += [asked[o].eq(wanted), of_class[o].eq(Cat(wants))]
                if k == 0 and self.config.scheduler == "wavefront":
                    # It takes connections in rounds: who makes way has asked, and somebody has not.
                    m.d.comb += [
                        Assert((dut.passed[o] & ~wanted) == 0),
                        Assert((dut.passed[o] == 0) | (wanted & ~dut.passed[o]).any()),
                    ]
                    m.d.sync += passed[o].eq(dut.passed[o])
                grant = reduce(or_, dut.grant[o][k])
                with m.If(started):
                    m.d.comb += [
                        Assert(one_hot_or_zero(Cat(dut.grant[o][k]))),
                        Assert((Cat(dut.grant[o][k]) & ~of_class[o]) == 0),  # only to who asked
                        Assert((grant & bars) == 0),
                    ]
                    if self.config.scheduler == "islip":
                        found = (asked[o] & bars).any()  # perhaps one that is barred
                        m.d.comb += Assert((grant.any() == asked[o].any()) | found)
            if self.config.scheduler == "wavefront":
                with m.If(started):
                    for n in ports:
                        granted = [reduce(or_, dut.grant[o][k])[n] for o in ports]
                        m.d.comb += Assert(sum(granted) <= 1)
                        for o in ports:
                            alone = ~reduce(or_, dut.grant[o][k]).any() & (sum(granted) == 0)
                            missed = asked[o][n] & ~passed[o][n] & alone
                            found = bars[n] | (asked[o] & bars).any()
                            m.d.comb += Assert(~missed | found)
        return m


class SchedulerProof(wiring.Component):
    """Inputs and outputs agree on every slot, so nobody is matched twice. Bounded.

    The inputs are those of :class:`rtl.scheduler.Scheduler`, free but for what the ingress
    promises: what shows stays until the cycle after its claim; what a connection takes is two flits
    or more, and only an open connection loses slots.
    """

    def __init__(self, config: SwitchConfig):
        self.config = config
        self.dut = Scheduler(config)
        members = self.dut.signature.members.items()
        super().__init__({name: member for name, member in members if member.flow is wiring.In})

    def elaborate(self, platform):
        m = Module()
        m.submodules.dut = dut = self.dut
        ports, classes = range(self.config.ports), self.config.classes
        driven = {path: value for path, _, value in dut.signature.flatten(dut)}
        m.d.comb += [driven[path].eq(value) for path, _, value in self.signature.flatten(self)]

        for n in ports:
            opened = Signal(name=f"opened_{n}")
            opens = dut.connects[n] & self.taken[n].open
            m.d.sync += opened.eq((opened | opens) & ~self.complete[n])
            m.d.comb += [
                Assume(self.taken[n].valid == dut.connects[n]),
                Assume(self.taken[n].flits >= 2),
                Assume(self.taken[n].flits <= self.config.limit),
                Assume(~self.lost[n] | (opened & dut.match[n].valid)),
            ]
            match = dut.match[n]
            served = [dut.select[o].valid & (dut.select[o].input == n) for o in ports]
            m.d.comb += Assert(sum(served) == match.valid)
            for o in ports:
                queue = o * classes + dut.select[o].traffic_class
                m.d.comb += Assert(~served[o] | (match.queue == queue))
            self.claims_what_is_there(m, n)
        return m

    def claims_what_is_there(self, m, n: int) -> None:
        """No queue of input ``n`` is claimed more often than it has shown flits.

        What shows is free, but what nobody has claimed still shows. A claim was granted two cycles
        before, when the claims of that cycle and of the next did not show yet.
        """
        claims, queues = self.dut.claim[n], self.config.queues
        whole, was_whole = Signal(queues, name=f"whole_{n}"), Signal(queues, name=f"was_whole_{n}")
        m.d.comb += whole.eq(claims[0] & self.dut.connects[n].replicate(queues))
        m.d.sync += was_whole.eq(whole)
        m.d.comb += [Assert(one_hot_or_zero(claim)) for claim in claims]
        m.d.comb += [
            Assert(number == encode(claim))
            for number, claim in zip(self.dut.claim_queue[n], claims, strict=True)
        ]
        for q in range(queues):
            shows, many, count = (
                sum(w[q] for w in self.waits[n]),
                self.many[n][q],
                sum(c[q] for c in claims),
            )
            showed = [Signal(range(SINGLES + 1), name=f"showed_{n}_{q}_{age}") for age in (1, 2)]
            together = [Signal(name=f"together_{n}_{q}_{age}") for age in (1, 2)]
            counts = [Signal(range(len(claims) + 1), name=f"count_{n}_{q}_{age}") for age in (1, 2)]
            for now, (before, earlier) in (shows, showed), (many, together), (count, counts):
                m.d.sync += [before.eq(now), earlier.eq(before)]
            # A thermometer, of which only the lowest bit is set while all is claimed together.
            for waits, more in pairwise(self.waits[n]):
                m.d.comb += Assume(~more[q] | (waits[q] & ~many))
            m.d.comb += [
                Assume(~many | self.waits[n][0][q]),
                Assume(many | was_whole[q] | ~together[0]),
                Assume(many | together[0] | (shows + counts[0] >= showed[0])),
                Assert((count == 0) | (count + counts[0] + counts[1] <= showed[1])),
                Assert(whole[q] == (claims[0][q] & together[0])),
                Assert((count == 0) | ~together[1] | whole[q]),
            ]
