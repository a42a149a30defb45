"""iCE40-HX8K breakout board: pins and clock."""

from amaranth import Elaboratable, Module
from amaranth.lib import io

from rtl.boards.prototype import Prototype

__all__ = ["Ice40Hx8kBEvn"]


class Ice40Hx8kBEvn(Elaboratable):
    """The prototype on its oscillator of 12 MHz, which is its clock, and its lights.

    LED 0 blinks: the clock runs. LED 1: all flows in order. LED 2: an error was seen.
    """

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
        for n, light in enumerate((prototype.alive, prototype.linked, prototype.error)):
            m.submodules[f"light_{n}"] = led = io.Buffer("o", platform.request("led", n, dir="-"))
            m.d.comb += led.o.eq(light)
        return m
