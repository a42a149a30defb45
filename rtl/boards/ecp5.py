"""What boards with an ECP5 have in common: an oscillator, a PLL behind it, lights."""

from amaranth import ClockDomain, Elaboratable, Module
from amaranth.lib import io

from rtl.boards.lights import show
from rtl.boards.pll import Ecp5Pll
from rtl.boards.prototype import Prototype

__all__ = ["Ecp5Board"]


class Ecp5Board(Elaboratable):
    """The prototype on the clock that a PLL makes of the board's oscillator; the boards derive.

    Attributes
    ----------
    CLOCK : str
        What ``amaranth_boards`` calls the oscillator.
    MHZ : float
        Its frequency.
    """

    CLOCK: str
    MHZ: float

    def __init__(self, prototype: Prototype):
        self.prototype = prototype

    def elaborate(self, platform):
        m = Module()
        prototype = self.prototype
        m.domains.sync = ClockDomain()
        m.submodules.clock = clock = io.Buffer("i", platform.request(self.CLOCK, dir="-"))
        m.submodules.pll = Ecp5Pll(clock.i, self.MHZ, prototype.mhz)
        m.submodules.prototype = prototype
        show(m, platform, prototype)
        return m
