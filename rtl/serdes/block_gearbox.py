"""A gearbox between numbers of blocks that pass in one cycle."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from models.serdes.config import HEADER_BITS, PAYLOAD_BITS
from rtl.link.shifter import shift_down
from rtl.serdes.block_coder import BlocksSignature

__all__ = ["BlockGearbox"]

BLOCK_BITS = HEADER_BITS + PAYLOAD_BITS


class BlockGearbox(wiring.Component):
    """Take ``take`` blocks at a time and give ``give``, in the same order.

    Latency: 1 cycle from those with the last one of a group. Throughput: a group per cycle, of the
    larger ones.
    Backpressure: ``ready``, always high with ``take`` up to ``give``.

    Parameters
    ----------
    take, give : int
        Blocks of a group, each way.

    Members
    -------
    i : In(BlocksSignature(take))
        Blocks. Only while ``ready`` is high.
    ready : Out(1)
        There is room; from a register.
    o : Out(BlocksSignature(give))
        The same blocks.
    """

    def __init__(self, take: int, give: int):
        self.take, self.give = take, give
        super().__init__(
            {"i": In(BlocksSignature(take)), "ready": Out(1), "o": Out(BlocksSignature(give))}
        )

    def elaborate(self, platform):
        m = Module()
        take, give = self.take, self.give
        room = max(take, give) - 1
        past, left = Signal(room * BLOCK_BITS), Signal(range(room + 1))  # those at its end wait
        line, wait, over = (
            Cat(past, self.i.blocks),
            Signal(range(room + take + 1)),
            Signal.like(left),
        )
        goes = Signal()
        m.d.comb += [
            self.ready.eq(left < give if take > give else 1),
            over.eq(room - left),
            wait.eq(left + Mux(self.i.valid, take, 0)),
            goes.eq(wait >= give),
        ]
        group = shift_down(m, line, over, unit=BLOCK_BITS, width=give * BLOCK_BITS, name="line")
        m.d.sync += [left.eq(wait - Mux(goes, give, 0)), self.o.valid.eq(goes)]
        with m.If(goes):
            m.d.sync += self.o.blocks.eq(group)
        with m.If(self.i.valid):
            m.d.sync += past.eq(line[len(line) - len(past) :])
        return m
