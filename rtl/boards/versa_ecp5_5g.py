"""Versa with an LFE5UM5G-45F: pins and clock."""

from amaranth import ClockDomain, Elaboratable, Module
from amaranth.build import DiffPairs, Resource, Subsignal
from amaranth.lib import io

from rtl.boards.pll import Ecp5Pll
from rtl.boards.prototype import Prototype

__all__ = ["SERDES", "VersaEcp55g"]


def _lane(number: int, rx: tuple[str, str], tx: tuple[str, str]) -> Resource:
    return Resource(
        "serdes",
        number,
        Subsignal("rx", DiffPairs(*rx, dir="i")),
        Subsignal("tx", DiffPairs(*tx, dir="o")),
    )


# Dedicated pins of the two DCUs that no other resource has: channel 0 of DCU 0 is at the edge
# connector, its channel 1 at the SMA sockets; the channels of DCU 1 are `eth_sgmii` of the board.
# Nothing asks for them yet: they belong to the SerDes of the links.
SERDES = [
    _lane(0, ("Y5", "Y6"), ("W4", "W5")),
    _lane(1, ("Y7", "Y8"), ("W8", "W9")),
    Resource("serdes_clock", 0, DiffPairs("Y11", "Y12", dir="i")),
    Resource("serdes_clock", 1, DiffPairs("Y19", "W20", dir="i")),
]


class VersaEcp55g(Elaboratable):
    """The prototype on its oscillator of 100 MHz and its lights.

    LED 0 blinks: the clock runs. LED 1: all flows in order. LED 2: an error was seen.
    """

    MHZ = 100

    def __init__(self, prototype: Prototype):
        self.prototype = prototype

    def elaborate(self, platform):
        m = Module()
        platform.add_resources(SERDES)
        prototype = self.prototype
        m.domains.sync = ClockDomain()
        m.submodules.clock = clock = io.Buffer("i", platform.request("clk100", dir="-"))
        m.submodules.pll = Ecp5Pll(clock.i, self.MHZ, prototype.mhz)
        m.submodules.prototype = prototype
        for n, light in enumerate((prototype.alive, prototype.linked, prototype.error)):
            m.submodules[f"light_{n}"] = led = io.Buffer("o", platform.request("led", n, dir="-"))
            m.d.comb += led.o.eq(light)
        return m
