"""Self-synchronous scrambler of 64b/66b, and its inverse."""

from amaranth import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from models.serdes.config import SCRAMBLER_TAPS, LaneConfig
from rtl.serdes.lane import BitsSignature

__all__ = ["Descrambler", "Scrambler"]

NEAR, FAR = SCRAMBLER_TAPS


class Scrambler(wiring.Component):
    """Add to each bit those that were sent 39 and 58 bits before it: x^58 + x^39 + 1.

    Of 64b/66b it takes the payload; sync headers go past it, with a register of their own.

    Latency: 1 cycle. Throughput: ``width`` bits per cycle. Backpressure: none.
    Source: IEEE 802.3-2018, 49.2.6 and figure 49-8, which leaves the first state open. Here it is
    ones, as in the sample vectors of 64b/66b (Walker, "64b/66b coding update", IEEE 802.3ae,
    July 2000).

    Parameters
    ----------
    config : LaneConfig
        Uses ``width``.

    Members
    -------
    i : In(BitsSignature(width))
        Bits to send. While ``valid`` is low the state stays.
    o : Out(BitsSignature(width))
        The same, scrambled.
    """

    def __init__(self, config: LaneConfig):
        self.config = config
        bits = BitsSignature(config.width)
        super().__init__({"i": In(bits), "o": Out(bits)})

    def elaborate(self, platform):
        m = Module()
        width, bits = self.config.width, self.i.payload

        # Bit k of a word is bit 58 + k of `line`: the one 39 bits before it is bit 19 + k, the one
        # 58 bits before it bit k. No bit needs one of the 38 before it, so 39 are found at once.
        past = Signal(max(width, FAR), init=-1)  # what was sent last; a word of it is the output
        line = past[-FAR:]
        for k in range(0, width, NEAR):
            some = Signal(min(NEAR, width - k), name=f"some_{k}")
            near, far = (line[k + FAR - tap :][: len(some)] for tap in SCRAMBLER_TAPS)
            m.d.comb += some.eq(bits[k : k + NEAR] ^ near ^ far)
            line = Cat(line, some)

        m.d.sync += self.o.valid.eq(self.i.valid)
        m.d.comb += self.o.payload.eq(past[-width:])
        with m.If(self.i.valid):
            m.d.sync += past.eq(line[-len(past) :])
        return m


class Descrambler(wiring.Component):
    """Undo what :class:`Scrambler` does.

    The state is what came, so a descrambler that begins anywhere, or that bits were lost before, is
    right again 58 bits later. A wrong bit makes two more, 39 and 58 bits behind it.

    Latency: 1 cycle. Throughput: ``width`` bits per cycle. Backpressure: none.
    Source: IEEE 802.3-2018, 49.2.10 and figure 49-10. The first state is ones, as the scrambler's.

    Parameters
    ----------
    config : LaneConfig
        Uses ``width``.

    Members
    -------
    i : In(BitsSignature(width))
        Scrambled bits. While ``valid`` is low the state stays.
    o : Out(BitsSignature(width))
        The bits themselves.
    """

    def __init__(self, config: LaneConfig):
        self.config = config
        bits = BitsSignature(config.width)
        super().__init__({"i": In(bits), "o": Out(bits)})

    def elaborate(self, platform):
        m = Module()
        width, past = self.config.width, Signal(FAR, init=-1)
        line = Cat(past, self.i.payload)  # as in the scrambler
        near, far = (line[FAR - tap :][:width] for tap in SCRAMBLER_TAPS)
        m.d.sync += self.o.valid.eq(self.i.valid)
        with m.If(self.i.valid):
            m.d.sync += [self.o.payload.eq(self.i.payload ^ near ^ far), past.eq(line[-FAR:])]
        return m
