"""Bits of a lane, as they pass between the blocks of the SerDes interface."""

from amaranth.lib import wiring
from amaranth.lib.wiring import Out

__all__ = ["BitsSignature"]


class BitsSignature(wiring.Signature):
    """``width`` bits in one cycle, bit 0 first on the line, if ``valid``; nobody can stop them."""

    def __init__(self, width: int):
        super().__init__({"valid": Out(1), "payload": Out(width)})
