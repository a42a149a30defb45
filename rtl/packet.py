"""Layouts of header and flit, and of the small records that pass between blocks."""

from amaranth.lib import data

from models.config import SwitchConfig
from models.packet import HEADER_FIELDS

__all__ = ["AxisLayout", "FlitLayout", "HeaderLayout", "length_shape"]


class HeaderLayout(data.StructLayout):
    """The first 8 bytes of a packet, see ``models.packet``."""

    def __init__(self):
        super().__init__(dict(HEADER_FIELDS))


class AxisLayout(data.StructLayout):
    """What an AXI4-Stream port moves in one cycle.

    Fields
    ------
    data : unsigned(8 * flit_bytes)
        Byte 0 in the lowest bits.
    keep : unsigned(flit_bytes)
        Bytes that count, contiguous from bit 0, full except with ``last``, never zero.
    last : unsigned(1)
        Last flit of its packet.
    user : unsigned(2)
        Bit 0: error. Bit 1: congestion mark, on outputs only.
    """

    def __init__(self, config: SwitchConfig):
        super().__init__(
            {"data": 8 * config.flit_bytes, "keep": config.flit_bytes, "last": 1, "user": 2}
        )


class FlitLayout(data.StructLayout):
    """A flit inside the switch.

    Fields
    ------
    data : unsigned(8 * flit_bytes)
        Payload.
    count : range(flit_bytes)
        Bytes that count, less one; ``flit_bytes - 1`` unless last of an unbroken packet.
    first : unsigned(1)
        The packet begins here. Behind its end, up to the next first, is padding.
    last : unsigned(1)
        The packet ends here.
    error : unsigned(1)
        The packet is broken; only together with ``last``.
    mark : unsigned(1)
        The packet met congestion.
    parity : unsigned(flit_bytes / 8)
        Even parity of each 64-bit word of ``data``; bit 0 covers the other fields too.
    """

    def __init__(self, config: SwitchConfig):
        super().__init__(
            {
                "data": 8 * config.flit_bytes,
                "count": range(config.flit_bytes),
                "first": 1,
                "last": 1,
                "error": 1,
                "mark": 1,
                "parity": config.words,
            }
        )


def length_shape(config: SwitchConfig) -> range:
    """Shape of a packet length in flits."""
    return range(config.max_packet_flits + 1)
