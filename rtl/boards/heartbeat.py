"""A light that blinks while the clock runs."""

from math import ceil, log2

from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import Out

__all__ = ["Heartbeat"]


class Heartbeat(wiring.Component):
    """Blink about once a second.

    Parameters
    ----------
    mhz : float
        Clock.

    Members
    -------
    alive : Out(1)
        High for half of a period of ``2 ** ceil(log2(mhz * 1e6))`` cycles: 1 to 2 seconds.
    """

    def __init__(self, mhz: float):
        self.width = ceil(log2(mhz * 1e6))
        super().__init__({"alive": Out(1)})

    def elaborate(self, platform):
        m = Module()
        cycle = Signal(self.width)
        m.d.sync += cycle.eq(cycle + 1)
        m.d.comb += self.alive.eq(cycle[-1])
        return m
