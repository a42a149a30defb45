"""Bits of lanes, as they pass between the blocks of the SerDes interface."""

from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["BitsSignature", "LinesSignature"]


class BitsSignature(wiring.Signature):
    """``width`` bits in one cycle, bit 0 first on the line, if ``valid``; nobody can stop them."""

    def __init__(self, width: int):
        super().__init__({"valid": Out(1), "payload": Out(width)})


class LinesSignature(wiring.Signature):
    """The lines of a port, as the end sees them that sends ``tx``; words of ``lane_bits``.

    Members
    -------
    tx : Out(ArrayLayout(lane_bits, lanes))
        A word for each line, bit 0 first.
    tx_ready : In(1)
        All lines take their word in this cycle; while it is low the word stays.
    rx : In(ArrayLayout(lane_bits, lanes))
        A word of each line.
    rx_valid : In(1).array(lanes)
        It comes in this cycle.
    signal_ok : In(1).array(lanes)
        There is a signal on a line; without, what comes means nothing.
    """

    def __init__(self, lane_bits: int, lanes: int):
        line = data.ArrayLayout(lane_bits, lanes)
        super().__init__(
            {
                "tx": Out(line),
                "tx_ready": In(1),
                "rx": In(line),
                "rx_valid": In(1).array(lanes),
                "signal_ok": In(1).array(lanes),
            }
        )
