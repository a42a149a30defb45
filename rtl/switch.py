"""The switch: ingresses, scheduler, crossbar and egresses of all ports."""

from amaranth import Cat, Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from models.config import SINGLES, SwitchConfig
from rtl.classifier import BrokenSignature, DropSignature, ProgramSignature
from rtl.crossbar import Crossbar
from rtl.egress import Egress
from rtl.ingress import Ingress
from rtl.packet import AxisLayout
from rtl.scheduler import Scheduler

__all__ = ["Switch", "SwitchReleasedSignature"]


class SwitchReleasedSignature(wiring.Signature):
    """Room for a flit in the queue of ``output`` and ``traffic_class`` that is free again.

    Each accepted packet gives back as many as its declared length takes.
    """

    def __init__(self, config: SwitchConfig):
        super().__init__(
            {
                "valid": Out(1),
                "output": Out(range(config.ports)),
                "traffic_class": Out(range(config.classes)),
            }
        )


class Switch(wiring.Component):
    """Bring packets from any port to any port: lossless, in order, without head-of-line blocking.

    Latency: ``config.latency`` cycles from head in to head out, for a packet of one flit in an idle
    switch, ``2 * (iterations - 1)`` more for a longer one, which may also wait for
    ``config.start_flits`` of it first. Throughput: 1 flit per cycle and port each way.
    Backpressure: ``i[n].ready`` is combinational in registers only; ``o[n].ready`` reaches
    registers.
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
    permit : In(classes).array(ports)
        Per output port: classes whose packets may begin to leave, as in ``rtl.egress``; all of them
        if it is not connected.
    flush : In(classes).array(ports)
        Per output port: classes whose packets are discarded instead of beginning to leave, from the
        next cycle on, as in ``rtl.egress``. If all classes are, a packet on its way out is, too.
    waiting : Out(classes).array(ports)
        Per output port: classes of which a flit waits in its egress, for ``permit`` or its turn.
    enable : In(ports)
        A port that is not enabled takes no new packets, and packets for it are dropped.
    drain : In(ports)
        A port takes no new packets, but sends what comes for it.
    reset : In(ports)
        Break the packet under way into the port, discard all that comes from its line and all
        that is queued for it, from the next cycle on. Hold it until ``idle``.
    inject : In(ports)
        Flip a bit of each flit that is stored at the port, to try the parity check.
    program : In(ProgramSignature)
        Replace an entry of the forwarding or partition table, for packets whose head comes later.
        Not ready while the tables are swept after reset, and in the cycle after each.
    released : Out(SwitchReleasedSignature).array(ports)
        Per input port: room in its queues that is free again.
    drop : Out(DropSignature).array(ports)
        Per input port: a packet was not accepted, and why.
    idle : Out(ports)
        The port holds no packet, in its ingress or in its egress, and none is on its way to it.
    ingress_occupancy, egress_occupancy : Out(range(flits + 1)).array(ports)
        Flits held.
    accepted : Out(ports)
        Per input port: a packet was accepted.
    broken : Out(BrokenSignature).array(ports)
        Per input port: an accepted packet was ended with an error, and why.
    delivered, errored, discarded, parity : Out(ports)
        Per output port: a packet left, left with an error, was flushed; a flit was ended for wrong
        parity.
    """

    def __init__(self, config: SwitchConfig):
        self.config = config
        ports = config.ports
        packets = stream.Signature(AxisLayout(config))
        super().__init__(
            {
                "i": In(packets).array(ports),
                "o": Out(packets).array(ports),
                "permit": In(config.classes, init=-1 % (1 << config.classes)).array(ports),
                "flush": In(config.classes).array(ports),
                "waiting": Out(config.classes).array(ports),
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
                "accepted": Out(ports),
                "broken": Out(BrokenSignature()).array(ports),
                "delivered": Out(ports),
                "errored": Out(ports),
                "discarded": Out(ports),
                "parity": Out(ports),
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

        ready = []
        for n, ingress in enumerate(ingresses):
            m.submodules[f"ingress_{n}"] = ingress
            connect(m, flipped(self.i[n]), ingress.i)
            connect(m, ingress.drop, flipped(self.drop[n]))
            connect(m, ingress.broken, flipped(self.broken[n]))
            connect(m, ingress.o, crossbar.i[n])
            program, told = ingress.program, self.program
            ready.append(program.ready)
            m.d.comb += [
                program.valid.eq(told.valid),
                program.partition.eq(told.partition),
                program.address.eq(told.address),
                program.mask.eq(told.mask),
                ingress.port.eq(n),
                ingress.enable.eq(self.enable[n]),
                ingress.drain.eq(self.drain[n]),
                ingress.reset.eq(self.reset[n]),
                ingress.enabled.eq(self.enable),
                ingress.inject.eq(self.inject[n]),
                ingress.pop.valid.eq(scheduler.match[n].valid),
                ingress.pop.queue.eq(scheduler.match[n].queue),
                ingress.connects.eq(scheduler.connects[n]),
                scheduler.many[n].eq(ingress.many),
                scheduler.taken[n].eq(ingress.taken),
                scheduler.complete[n].eq(ingress.complete),
                scheduler.lost[n].eq(ingress.lost),
                self.released[n].valid.eq(ingress.released.valid),
                Cat(self.released[n].traffic_class, self.released[n].output).eq(
                    ingress.released.queue
                ),
                self.ingress_occupancy[n].eq(ingress.occupancy),
                self.accepted[n].eq(ingress.accepted),
            ]
            for k in range(config.iterations):
                m.d.comb += [
                    ingress.claim[k].eq(scheduler.claim[n][k]),
                    ingress.claim_queue[k].eq(scheduler.claim_queue[n][k]),
                ]
            for j in range(SINGLES):
                m.d.comb += scheduler.waits[n][j].eq(ingress.waits[j])
        # All ports are programmed alike, and all are ready together.
        m.d.comb += self.program.ready.eq(ready[0])

        for n, egress in enumerate(egresses):
            m.submodules[f"egress_{n}"] = egress
            connect(m, egress.o, flipped(self.o[n]))
            connect(m, crossbar.o[n], egress.i)
            select = scheduler.select[n]
            m.d.comb += [
                crossbar.select[n].valid.eq(select.valid),
                crossbar.select[n].input.eq(select.input),
                crossbar.select[n].traffic_class.eq(select.traffic_class),
                scheduler.accepts[n].eq(egress.accepts),
                egress.permit.eq(self.permit[n]),
                self.waiting[n].eq(egress.waiting),
                egress.flush.eq(self.flush[n]),
                egress.reset.eq(self.reset[n] | self.flush[n].all()),
                self.egress_occupancy[n].eq(egress.occupancy),
                self.delivered[n].eq(egress.delivered),
                self.errored[n].eq(egress.errored),
                self.discarded[n].eq(egress.discarded),
                self.parity[n].eq(egress.parity),
                self.idle[n].eq(
                    ingresses[n].idle & egress.idle & ~scheduler.active[n] & ~crossbar.moving[n]
                ),
            ]
        return m
