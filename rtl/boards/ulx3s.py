"""ULX3S with an LFE5U-85F: pins and clock."""

from rtl.boards.ecp5 import Ecp5Board

__all__ = ["Ulx3s"]


class Ulx3s(Ecp5Board):
    """The prototype on an oscillator of 25 MHz; see :func:`rtl.boards.lights.show`."""

    CLOCK, MHZ = "clk25", 25
