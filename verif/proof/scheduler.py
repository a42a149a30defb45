"""What rtl.scheduler must satisfy for every input, at any time."""

from amaranth import Module
from amaranth.hdl import Assert, Assume
from amaranth.lib import wiring

from models.config import SwitchConfig
from rtl.scheduler import POLICIES, Scheduler

__all__ = ["MatchingProof", "SchedulerProof"]


def one_hot_or_zero(value):
    return (value & (value - 1)) == 0


class MatchingProof(wiring.Component):
    """Every stage's matching is legal, and as large as its policy promises.

    The inputs are those of :class:`rtl.scheduler.matching.Matching`, all free; the state is, too.
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

        for k in range(self.config.iterations):
            fits = [[self.length[o][k][n] <= self.limit[o][k] for n in ports] for o in ports]
            for o in ports:
                m.d.comb += Assume(self.traffic_class[o][k] < self.config.classes)
                m.d.comb += [
                    Assert(one_hot_or_zero(dut.grant[o][k])),
                    Assert(one_hot_or_zero(dut.accept[o][k])),
                    Assert((dut.grant[o][k] & ~self.request[o][k]) == 0),  # only to a requester
                ]
                for n in ports:
                    matched = dut.grant[o][k][n]
                    m.d.comb += [
                        Assert(matched == dut.accept[n][k][o]),  # both sides agree
                        Assert(~matched | fits[o][n]),
                        Assert(~matched | (dut.granted_length[o][k] == self.length[o][k][n])),
                    ]

            # Nobody's packet is too long: iSLIP matches a pair if any, the wavefront all it can.
            roomy = [sum(self.request[o][k][n] & ~fits[o][n] for n in ports) == 0 for o in ports]
            wanted = sum(self.request[o][k].any() & roomy[o] for o in ports)
            if self.config.scheduler == "islip":
                matches = sum(dut.grant[o][k].any() for o in ports)
                m.d.comb += Assert((wanted == 0) | (matches > 0))
            else:
                for o in ports:
                    for n in ports:
                        missed = (
                            self.request[o][k][n]
                            & roomy[o]
                            & ~dut.grant[o][k].any()
                            & ~dut.accept[n][k].any()
                        )
                        m.d.comb += Assert(~missed)
        return m


class SchedulerProof(wiring.Component):
    """Inputs and outputs agree on every slot, so nobody is booked twice.

    The inputs are those of :class:`rtl.scheduler.Scheduler`, free but for what the ingress
    promises: a queue shows a packet of several flits or singles, and ``length`` says which.
    """

    def __init__(self, config: SwitchConfig):
        self.config = config
        self.dut = Scheduler(config)
        members = self.dut.signature.members.items()
        super().__init__({name: member for name, member in members if member.flow is wiring.In})

    def elaborate(self, platform):
        m = Module()
        m.submodules.dut = dut = self.dut
        classes = self.config.classes
        driven = {path: value for path, _, value in dut.signature.flatten(dut)}
        m.d.comb += [driven[path].eq(value) for path, _, value in self.signature.flatten(self)]
        for n in range(self.config.ports):
            for queue in range(self.config.queues):
                several = self.length[n][queue] > 1
                m.d.comb += Assume(self.longs[n][queue] == several)
                for singles in self.singles[n]:
                    m.d.comb += Assume(~(singles[queue] & several))

        def same(booking, n, output, selection):
            """The input's booking is for this output, and the output's for this input."""
            expected = output * classes + selection.traffic_class
            return (booking.queue == expected) & (selection.input == n)

        for n, i in enumerate(dut.inputs):
            holding = i.opened | i.remaining.any()
            m.d.comb += Assert(~(i.opened & i.remaining.any()))
            for k in range(self.config.iterations + 1):
                last = k == self.config.iterations
                booking = dut.match[n] if last else i.booked[k]
                valid = booking.valid if k else holding
                both = []
                for o, output in enumerate(dut.outputs):
                    selection = dut.select[o] if last else output.booked[k]
                    agree = selection.valid & same(booking, n, o, selection)
                    both.append(agree)
                    mine = selection.valid & (selection.input == n)
                    if k:
                        m.d.comb += Assert(~mine | (valid & agree))
                    else:  # the output learns one cycle later that a connection is over
                        m.d.comb += Assert(~(mine & valid) | agree)
                m.d.comb += Assert(~valid | (sum(both) == 1))
        return m
