"""ULX3S with an LFE5U-85F: pins and clock."""

from amaranth import ClockDomain, Elaboratable, Module
from amaranth.lib import io

from rtl.boards.pll import Ecp5Pll
from rtl.boards.prototype import Prototype

__all__ = ["Ulx3s"]


class Ulx3s(Elaboratable):
    """The prototype on its oscillator of 25 MHz and its lights.

    LED 0 blinks: the clock runs. LED 1: all flows in order. LED 2: an error was seen.
    """

    MHZ = 25

    def __init__(self, prototype: Prototype):
        self.prototype = prototype

    def elaborate(self, platform):
        m = Module()
        prototype = self.prototype
        m.domains.sync = ClockDomain()
        m.submodules.clock = clock = io.Buffer("i", platform.request("clk25", dir="-"))
        m.submodules.pll = Ecp5Pll(clock.i, self.MHZ, prototype.mhz)
        m.submodules.prototype = prototype
        for n, light in enumerate((prototype.alive, prototype.linked, prototype.error)):
            m.submodules[f"light_{n}"] = led = io.Buffer("o", platform.request("led", n, dir="-"))
            m.d.comb += led.o.eq(light)
        return m
