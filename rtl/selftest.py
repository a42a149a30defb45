"""Self-test: traffic for all ports of a switch, made and checked in the hardware."""

from amaranth import Cat, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from models.config import SwitchConfig
from models.packet import Wrong
from rtl.checker import Checker
from rtl.generator import Generator
from rtl.packet import AxisLayout

__all__ = ["SelfTest"]


class SelfTest(wiring.Component):
    """Send test packets into every port of a switch, and check what comes out of it.

    Latency: 1 cycle from ``clear`` to the first cycle of clearing, which goes on for ``queues``
    cycles after it has fallen, and after a reset; 5 cycles from ``i`` to ``error`` and ``linked``.
    Throughput: that of :class:`rtl.generator.Generator` into each port.
    Backpressure: that of :class:`rtl.checker.Checker`.

    Parameters
    ----------
    config : SwitchConfig
        That of the switch.
    shaped : bool
        Keep to the line rate.
    pauses : bool
        Do not take a flit in every cycle.

    Members
    -------
    enable : In(1)
        Packets may begin.
    clear : In(1)
        Start over: counters and sequence numbers from zero, no error, not linked. Hold it until
        what is under way has arrived, or it will read as an error.
    o : Out(stream.Signature(AxisLayout)).array(ports)
        To ``i`` of the switch.
    i : In(stream.Signature(AxisLayout)).array(ports)
        From ``o`` of the switch.
    sent, received : Out(32).array(ports)
        Packets into and out of the switch at each port.
    port_linked : Out(ports)
        Per port: the first packet from every port in every class has come out of it.
    linked : Out(1)
        Out of all of them.
    error : Out(1)
        Something was wrong with a packet.
    reason : Out(Wrong)
        What (``models.packet.Wrong``), where it was seen first; zero without ``error``.
    port : Out(range(ports))
        At which port, the lowest if it was seen at several in one cycle.
    """

    def __init__(self, config: SwitchConfig, *, shaped: bool = True, pauses: bool = False):
        self.config, self.shaped, self.pauses = config, shaped, pauses
        packets, ports = stream.Signature(AxisLayout(config)), config.ports
        super().__init__(
            {
                "enable": In(1),
                "clear": In(1),
                "o": Out(packets).array(ports),
                "i": In(packets).array(ports),
                "sent": Out(32).array(ports),
                "received": Out(32).array(ports),
                "port_linked": Out(ports),
                "linked": Out(1),
                "error": Out(1),
                "reason": Out(range(len(Wrong))),
                "port": Out(range(ports)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        config = self.config
        clearing, flow = Signal(init=1), Signal(range(config.queues))
        with m.If(self.clear):
            m.d.sync += [clearing.eq(1), flow.eq(0)]
        with m.Elif(clearing):
            at_end = flow == config.queues - 1
            m.d.sync += [clearing.eq(~at_end), flow.eq(flow + 1)]
            with m.If(at_end):
                m.d.sync += flow.eq(0)

        checkers = []
        for n in range(config.ports):
            generator = Generator(config, port=n, shaped=self.shaped)
            checker = Checker(config, port=n, pauses=self.pauses)
            m.submodules[f"generator_{n}"] = generator
            m.submodules[f"checker_{n}"] = checker
            checkers.append(checker)
            connect(m, generator.o, flipped(self.o[n]))
            connect(m, flipped(self.i[n]), checker.i)
            m.d.comb += [
                generator.enable.eq(self.enable),
                self.sent[n].eq(generator.sent),
                self.received[n].eq(checker.received),
                self.port_linked[n].eq(checker.linked),
            ]
            for part in generator, checker:
                m.d.comb += [part.clear.eq(clearing), part.flow.eq(flow)]

        m.d.sync += self.linked.eq(self.port_linked.all())
        with m.If(clearing):
            m.d.sync += Cat(self.error, self.reason, self.port).eq(0)
        with m.Elif(~self.error):
            for n, checker in reversed(list(enumerate(checkers))):
                with m.If(checker.error):
                    m.d.sync += [self.error.eq(1), self.reason.eq(checker.reason), self.port.eq(n)]
        return m
