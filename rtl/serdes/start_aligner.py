"""Frames of a standard partner, which may begin in the middle of a word."""

from amaranth import C, Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from models.link.config import LinkConfig
from models.link.wire import IDLE, START
from rtl.link.frame import WordsSignature

__all__ = ["StartAligner"]


class StartAligner(wiring.Component):
    """Move frames that begin in byte 4 of a word back by half a word, so that all begin in byte 0.

    The gap before such a frame gets half a word of idles, that before the next one which begins in
    byte 0 loses as much: what was there is idle, as a gap has five bytes at least (IEEE 802.3-2018,
    46.2.1, 46.3.1.4). Between two frames of ours, which begin in byte 0, nothing changes.

    Latency: 1 cycle, and half a word where a frame has been moved. Throughput:
    ``words_per_cycle`` words per cycle. Backpressure: none.

    Parameters
    ----------
    config : LinkConfig
        Uses ``words_per_cycle``.

    Members
    -------
    i : In(WordsSignature)
        Words from the partner. While ``valid`` is low the state stays.
    o : Out(WordsSignature)
        As many.
    """

    def __init__(self, config: LinkConfig):
        self.config = config
        words = WordsSignature(config)
        super().__init__({"i": In(words), "o": Out(words)})

    def elaborate(self, platform):
        m = Module()
        idles = Cat(C(IDLE, 8).replicate(4), C(0xF, 4))
        moved, rest = Signal(), Signal(36)  # rest: the half word that the next one goes behind
        moves, held, placed = moved, rest, []
        for k in range(self.config.words_per_cycle):
            data = self.i.words.data.word_select(k, 64)
            control = self.i.words.control.word_select(k, 8)
            first, second = (
                Cat(data.word_select(n, 32), control.word_select(n, 4)) for n in range(2)
            )
            starts = [control[n] & (data[8 * n :][:8] == START) for n in (0, 4)]
            goes_on, begins = Signal(name=f"goes_on_{k}"), Signal(name=f"begins_{k}")
            m.d.comb += [goes_on.eq(moves & ~starts[0]), begins.eq(~moves & starts[1])]
            low, high = Signal(36, name=f"low_{k}"), Signal(36, name=f"high_{k}")
            m.d.comb += [
                low.eq(Mux(goes_on, held, first)),
                high.eq(Mux(goes_on, first, Mux(begins, idles, second))),
            ]
            placed.append((low, high))
            moves, held = goes_on | begins, second
        m.d.sync += self.o.valid.eq(self.i.valid)
        with m.If(self.i.valid):
            m.d.sync += [
                moved.eq(moves),
                rest.eq(held),
                self.o.words.data.eq(Cat(half[:32] for word in placed for half in word)),
                self.o.words.control.eq(Cat(half[32:] for word in placed for half in word)),
            ]
        return m
