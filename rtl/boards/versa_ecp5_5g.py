"""Versa with an LFE5UM5G-45F: pins and clock."""

from amaranth.build import DiffPairs, Resource, Subsignal

from rtl.boards.ecp5 import Ecp5Board

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


class VersaEcp55g(Ecp5Board):
    """The prototype on an oscillator of 100 MHz; see :func:`rtl.boards.lights.show`."""

    CLOCK, MHZ = "clk100", 100

    def elaborate(self, platform):
        platform.add_resources(SERDES)
        return super().elaborate(platform)
