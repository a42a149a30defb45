"""The switch: ingresses, scheduler, crossbar and egresses of all ports."""

from amaranth import Cat, Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from models.config import SwitchConfig
from rtl.classifier import CountersSignature, DropSignature, ProgramSignature
from rtl.crossbar import Crossbar
from rtl.egress import Egress, EgressCountersSignature
from rtl.ingress import Ingress
from rtl.packet import AxisLayout, length_shape
from rtl.scheduler import Scheduler

__all__ = ["Switch", "SwitchReleasedSignature"]


class SwitchReleasedSignature(wiring.Signature):
    """Room in the queue of ``output`` and ``traffic_class`` that a sender may use again.

    Members
    -------
    valid : Out(1)
        There is some.
    output : Out(range(ports))
        Output of the queue.
    traffic_class : Out(range(classes))
        Class of the queue.
    flits : Out(length_shape)
        How much. Of each accepted packet as many as its declared length takes.
    """

    def __init__(self, config: SwitchConfig):
        super().__init__(
            {
                "valid": Out(1),
                "output": Out(range(config.ports)),
                "traffic_class": Out(range(config.classes)),
                "flits": Out(length_shape(config)),
            }
        )


class Switch(wiring.Component):
    """Bring packets from any port to any port: lossless, in order, without head-of-line blocking.

    Latency: ``config.latency`` cycles from head in to head out, for a packet of one flit in an idle
    switch; a longer one may wait for ``config.start_flits`` of it first. Throughput: 1 flit per
    cycle and port each way. Backpressure: ``i[n].ready`` is combinational in the control inputs
    only; ``o[n].ready`` reaches registers.
    Source: docs/microarchitecture.md.

    Parameters
    ----------
    config : SwitchConfig
        The configuration.

    Members
    -------
    i : In(stream.Signature(AxisLayout)).array(ports)
        Packets of the lines, see ``models.packet``.
    o : Out(stream.Signature(AxisLayout)).array(ports)
        Packets to the lines. One that ends with ``user[0]`` is broken and not delivered.
    enable : In(ports)
        A port that is not enabled takes no new packets, and packets for it are dropped.
    drain : In(ports)
        A port takes no new packets, but sends what comes for it.
    reset : In(ports)
        Break the packet under way into the port, discard all that comes from its line and all
        that is queued for it, clear its counters of the ingress. Hold it until ``idle``.
    inject : In(ports)
        Flip a bit of each flit that is stored at the port, to try the parity check.
    program : In(ProgramSignature)
        Replace an entry of the forwarding or partition table, for packets whose head comes later.
    released : Out(SwitchReleasedSignature).array(ports)
        Per input port: room in its queues that is free again.
    drop : Out(DropSignature).array(ports)
        Per input port: a packet was not accepted, and why.
    idle : Out(ports)
        The port holds no packet, in its ingress or in its egress.
    ingress_occupancy : Out(range(ingress_flits + 1)).array(ports)
        Flits held or promised.
    egress_occupancy : Out(range(egress_flits + 1)).array(ports)
        Flits held or reserved.
    ingress_counters, egress_counters : Out(CountersSignature).array(ports)
        Packets; see :class:`rtl.classifier.CountersSignature` and
        :class:`rtl.egress.EgressCountersSignature`.
    """

    def __init__(self, config: SwitchConfig):
        self.config = config
        ports = config.ports
        packets = stream.Signature(AxisLayout(config))
        super().__init__(
            {
                "i": In(packets).array(ports),
                "o": Out(packets).array(ports),
                "enable": In(ports),
                "drain": In(ports),
                "reset": In(ports),
                "inject": In(ports),
                "program": In(ProgramSignature(ports)),
                "released": Out(SwitchReleasedSignature(config)).array(ports),
                "drop": Out(DropSignature()).array(ports),
                "idle": Out(ports),
                "ingress_occupancy": Out(range(config.ingress_flits + 1)).array(ports),
                "egress_occupancy": Out(range(config.egress_flits + 1)).array(ports),
                "ingress_counters": Out(CountersSignature()).array(ports),
                "egress_counters": Out(EgressCountersSignature()).array(ports),
            }
        )

    def elaborate(self, platform):
        m = Module()
        config = self.config
        ports = range(config.ports)
        ingresses = [Ingress(config) for _ in ports]
        egresses = [Egress(config) for _ in ports]
        m.submodules.scheduler = scheduler = Scheduler(config)
        m.submodules.crossbar = crossbar = Crossbar(config)

        for n, ingress in enumerate(ingresses):
            m.submodules[f"ingress_{n}"] = ingress
            connect(m, flipped(self.i[n]), ingress.i)
            connect(m, flipped(self.program), ingress.program)
            connect(m, ingress.drop, flipped(self.drop[n]))
            connect(m, ingress.counters, flipped(self.ingress_counters[n]))
            connect(m, ingress.o, crossbar.i[n])
            m.d.comb += [
                ingress.port.eq(n),
                ingress.enable.eq(self.enable[n]),
                ingress.drain.eq(self.drain[n]),
                ingress.reset.eq(self.reset[n]),
                ingress.enabled.eq(self.enable),
                ingress.inject.eq(self.inject[n]),
                ingress.pop.valid.eq(scheduler.match[n].valid),
                ingress.pop.queue.eq(scheduler.match[n].queue),
                scheduler.longs[n].eq(ingress.longs),
                scheduler.partial[n].eq(ingress.partial),
                scheduler.length[n].eq(ingress.length),
                scheduler.complete[n].valid.eq(ingress.complete.valid),
                scheduler.complete[n].flits.eq(ingress.complete.flits),
                self.released[n].valid.eq(ingress.released.valid),
                Cat(self.released[n].traffic_class, self.released[n].output).eq(
                    ingress.released.queue
                ),
                self.released[n].flits.eq(ingress.released.flits),
                self.ingress_occupancy[n].eq(ingress.occupancy),
            ]
            for k in range(config.iterations):
                m.d.comb += [
                    scheduler.singles[n][k].eq(ingress.singles[k]),
                    ingress.claim[k].valid.eq(scheduler.claim[n][k].valid),
                    ingress.claim[k].queue.eq(scheduler.claim[n][k].queue),
                ]

        for n, egress in enumerate(egresses):
            m.submodules[f"egress_{n}"] = egress
            connect(m, egress.o, flipped(self.o[n]))
            connect(m, egress.counters, flipped(self.egress_counters[n]))
            connect(m, crossbar.o[n], egress.i)
            select = scheduler.select[n]
            m.d.comb += [
                crossbar.select[n].valid.eq(select.valid),
                crossbar.select[n].input.eq(select.input),
                crossbar.select[n].traffic_class.eq(select.traffic_class),
                crossbar.select[n].first.eq(select.first),
                egress.reset.eq(self.reset[n]),
                self.egress_occupancy[n].eq(egress.occupancy),
                self.idle[n].eq(ingresses[n].idle & egress.idle),
            ]
            for c in range(config.classes):
                m.d.comb += scheduler.room[n][c].eq(egress.room[c])
            for k, reserve in enumerate(egress.reserve):
                m.d.comb += [
                    reserve.valid.eq(scheduler.reserve[n][k].valid),
                    reserve.traffic_class.eq(scheduler.reserve[n][k].traffic_class),
                    reserve.length.eq(scheduler.reserve[n][k].length),
                ]
        return m
