"""Gearboxes between the blocks of 64b/66b and the words of 64 bits of a line."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from models.serdes.config import HEADER_BITS, PAYLOAD_BITS, WORD_BITS
from rtl.link.shifter import shift_down
from rtl.serdes.block_coder import BlockLayout

__all__ = ["ReceiveGearbox", "TransmitGearbox"]

BLOCK_BITS = HEADER_BITS + PAYLOAD_BITS


class TransmitGearbox(wiring.Component):
    """Lay blocks of 66 bits end to end and cut the line into words of 64.

    What is left of the blocks so far is the end of the last one, 2 bits more with each block. After
    32 blocks it is a whole word, for which none is taken.

    Latency: 1 cycle. Throughput: a word per cycle, and so 32 blocks in 33 cycles.
    Backpressure: ``ready`` comes from registers, and waits for nothing: a block is always there.
    Source: IEEE 802.3-2018, 49.2.7 and figure 49-5 (order of the bits).

    Parameters
    ----------
    ahead : int
        Cycles from ``ready`` to ``block``, up to 32: those that the block takes to come.

    Members
    -------
    block : In(BlockLayout)
        A block.
    ready : Out(1)
        What is there ``ahead`` cycles later is taken then.
    word : Out(64)
        Bits of the line, bit 0 first.
    """

    def __init__(self, ahead: int = 0):
        self.ahead = ahead
        super().__init__({"block": In(BlockLayout()), "ready": Out(1), "word": Out(WORD_BITS)})

    def elaborate(self, platform):
        m = Module()
        past = Signal(WORD_BITS)  # of the last block; what is left of it is at its end
        line = Cat(past, self.block)
        pairs = WORD_BITS // HEADER_BITS
        over = Signal(range(pairs + 1), init=pairs)  # pairs of bits of it that have been sent
        takes = over != 0
        m.d.comb += self.ready.eq(over != self.ahead)
        m.d.sync += [
            self.word.eq(shift_down(m, line, over, unit=HEADER_BITS, width=WORD_BITS, name="line")),
            over.eq(Mux(takes, over - 1, pairs)),
        ]
        with m.If(takes):
            m.d.sync += past.eq(line[-WORD_BITS:])
        return m


class ReceiveGearbox(wiring.Component):
    """Lay words of 64 bits end to end and cut the line into blocks of 66.

    Where the first block begins is any place; :class:`rtl.serdes.block_lock.BlockLock` moves it.

    Latency: 1 cycle from the word with the last bit of a block. Throughput: a word per cycle, and
    so 32 blocks in 33 cycles. Backpressure: none.
    Source: IEEE 802.3-2018, 49.2.9.

    Members
    -------
    word : In(64)
        Bits of the line, bit 0 first, in each cycle.
    slip : In(1)
        Event: the blocks that are cut from the next cycle on begin a bit later.
    slip_done : Out(1)
        The first of these is shown in the next cycle, or later. 1 cycle after ``slip``.
    valid : Out(1)
        There is a block.
    block : Out(BlockLayout)
        It; means nothing while ``valid`` is low.
    """

    def __init__(self):
        super().__init__(
            {
                "word": In(WORD_BITS),
                "slip": In(1),
                "slip_done": Out(1),
                "valid": Out(1),
                "block": Out(BlockLayout()),
            }
        )

    def elaborate(self, platform):
        m = Module()
        past = Signal(BLOCK_BITS - 1)  # with a bit more there would have been a block
        line = Cat(past, self.word)
        # Bits of the line that are over; with a slip, even one that has not come.
        over, fits = Signal(range(BLOCK_BITS + 1), init=len(past)), Signal()
        m.d.comb += fits.eq(over <= len(line) - BLOCK_BITS)  # 63
        m.d.sync += [
            past.eq(line[-len(past) :]),
            over.eq(over + Mux(fits, BLOCK_BITS - WORD_BITS, -WORD_BITS) + self.slip),
            self.slip_done.eq(self.slip),
            self.valid.eq(fits),
            self.block.eq(shift_down(m, line, over[:6], unit=1, width=BLOCK_BITS, name="line")),
        ]
        return m
