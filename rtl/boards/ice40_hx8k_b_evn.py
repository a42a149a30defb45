"""iCE40-HX8K breakout board: pins and clock."""

from amaranth import Elaboratable, Module

from rtl.boards.lights import show
from rtl.boards.prototype import Prototype

__all__ = ["Ice40Hx8kBEvn"]


class Ice40Hx8kBEvn(Elaboratable):
    """The prototype on an oscillator of 12 MHz, its clock; see :func:`rtl.boards.lights.show`."""

    MHZ = 12

    def __init__(self, prototype: Prototype):
        if prototype.mhz != self.MHZ:
            raise ValueError(
                f"this board has a clock of {self.MHZ} MHz and no PLL in use, {prototype.mhz:g} "
                f"MHz is {abs(prototype.mhz - self.MHZ):g} off: leave clock_mhz out"
            )
        self.prototype = prototype

    def elaborate(self, platform):
        m = Module()
        prototype = self.prototype
        m.submodules.prototype = prototype
        show(m, platform, prototype)
        return m
