"""What every board carries: a switch, traffic on each of its ports, and lights."""

from amaranth import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import Out

from models.config import SwitchConfig
from rtl.boards.heartbeat import Heartbeat
from rtl.tested_switch import TestedSwitch

__all__ = ["Prototype"]


class Prototype(wiring.Component):
    """:class:`rtl.tested_switch.TestedSwitch`, always enabled, and a heartbeat; wires only.

    Parameters
    ----------
    config : SwitchConfig
        The configuration.
    mhz : float
        Clock, for the heartbeat.

    Members
    -------
    alive : Out(1)
        Blinks while the clock runs.
    linked : Out(1)
        Packets of all flows have come out, in order.
    error : Out(1)
        Something was wrong with one; stays.
    """

    def __init__(self, config: SwitchConfig, mhz: float):
        self.config, self.mhz = config, mhz
        super().__init__({"alive": Out(1), "linked": Out(1), "error": Out(1)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.heartbeat = heartbeat = Heartbeat(self.mhz)
        m.submodules.tested = tested = TestedSwitch(self.config)
        m.d.comb += [
            tested.enable.eq(1),
            self.alive.eq(heartbeat.alive),
            self.linked.eq(tested.linked),
            self.error.eq(tested.error),
        ]
        return m
