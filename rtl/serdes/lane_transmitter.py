"""Symbols of codewords on several lanes, with markers."""

from functools import reduce
from operator import xor

from amaranth import C, Cat, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from models.serdes.config import MARKER, MARKER_BITS, MARKER_SYMBOLS, SYMBOL_BITS, LanesConfig
from rtl.link.shifter import shift_down
from rtl.serdes.codeword import GroupSignature

__all__ = ["LaneTransmitter"]

FILLER = 0x155  # of a marker, behind what it tells


class LaneTransmitter(wiring.Component):
    """Deal symbols to the lanes, one after another, and put a marker before each period of them.

    A row, as many symbols on one lane as on another, waits with others for the lines, whose words
    are of another size. Lines are zero until there is no room for one row more, and again if they
    had to wait for one.
    Latency: 1 cycle from a row into an empty line. Throughput: ``lane_bits`` of each lane per
    cycle with ``tx_ready``.
    Backpressure: ``ready``, low in front of a marker, too; not combinational in ``tx_ready``.
    Source: IEEE 802.3-2018, 82.2.7 and 119.2.4.4, whose markers tell the same.

    Parameters
    ----------
    config : LanesConfig
        Lanes, symbols and markers.

    Members
    -------
    i : In(GroupSignature)
        Groups of frames, only while ``ready`` is high; ``first`` is not looked at.
    ready : Out(1)
        A group may come; from registers.
    tx : Out(ArrayLayout(lane_bits, lanes))
        Bits of each line, bit 0 first. They stay until they are taken.
    tx_ready : In(1)
        The lines, all of one clock, take the word on ``tx`` in this cycle.
    starved : Out(1)
        Event: the lines took a word and had to wait for a row. 1 cycle.
    """

    def __init__(self, config: LanesConfig):
        self.config = config
        super().__init__(
            {
                "i": In(GroupSignature(config.frame)),
                "ready": Out(1),
                "tx": Out(data.ArrayLayout(config.lane_bits, config.lanes)),
                "tx_ready": In(1),
                "starved": Out(1),
            }
        )

    def markers(self, m: Module, lane: int, parity: Signal) -> list:
        """Rows of the marker of a lane."""
        config = self.config
        symbols = [C(MARKER >> at & 1023, SYMBOL_BITS) for at in range(0, MARKER_BITS, SYMBOL_BITS)]
        symbols += [C(lane | (lane ^ 31) << 5, SYMBOL_BITS), parity]
        wide = config.row_symbols
        symbols += [C(FILLER, SYMBOL_BITS)] * (config.marker_rows * wide - MARKER_SYMBOLS)
        return [Cat(*symbols[at : at + wide]) for at in range(0, len(symbols), wide)]

    def elaborate(self, platform):
        m = Module()
        config = self.config
        lanes, limit = config.lanes, config.line_rows * config.row_bits
        rows = config.marker_rows + config.data_rows
        room = limit + config.row_bits  # bits that wait at most

        row, left = Signal(range(rows)), Signal(range(room + 1))
        fits, marks, dealt, ends = Signal(), Signal(), Signal(), Signal()
        m.d.comb += [
            fits.eq(left <= limit),
            marks.eq(row < config.marker_rows),
            self.ready.eq(~marks & fits),
            ends.eq(Mux(marks, fits, dealt)),
        ]
        with m.If(ends):
            m.d.sync += row.eq(Mux(row == rows - 1, 0, row + 1))
        if config.row_groups == 1:
            come = self.i.payload.symbols.as_value()
            m.d.comb += dealt.eq(self.i.valid)
        else:
            earlier = Signal((config.row_groups - 1) * len(self.i.payload.symbols.as_value()))
            turn = Signal(range(config.row_groups))
            come = Cat(earlier, self.i.payload.symbols)
            m.d.comb += dealt.eq(self.i.valid & (turn == config.row_groups - 1))
            with m.If(self.i.valid & ~marks):
                m.d.sync += [
                    earlier.eq(come[-len(earlier) :]),
                    turn.eq(Mux(dealt, 0, turn + 1)),
                ]

        # Bits that wait are at the end of what came last, and as many on each lane.
        wait, over = Signal(range(room + 1)), Signal.like(left)
        started, goes, sends = Signal(), Signal(), Signal()
        m.d.comb += [
            wait.eq(left + Mux(ends, config.row_bits, 0)),
            over.eq(room - left),
            goes.eq(started & self.tx_ready),
            sends.eq(goes & (wait >= config.lane_bits)),
        ]
        after = Signal.like(wait)
        m.d.comb += after.eq(wait - Mux(sends, config.lane_bits, 0))
        m.d.sync += [
            left.eq(after),
            self.starved.eq(goes & ~sends),
            started.eq((started & (sends | ~self.tx_ready)) | (after > limit)),
        ]
        for lane in range(lanes):
            parity = Signal(SYMBOL_BITS, name=f"parity_{lane}")
            places = range(lane, lanes * config.row_symbols, lanes)
            symbols = [come.word_select(k, SYMBOL_BITS) for k in places]
            new = Signal(config.row_bits, name=f"new_{lane}")
            m.d.comb += new.eq(Cat(*symbols))
            with m.If(dealt & ~marks):
                since = Mux(row == config.marker_rows, 0, parity)
                m.d.sync += parity.eq(reduce(xor, symbols, since))
            with m.Switch(row):
                for number, marker in enumerate(self.markers(m, lane, parity)):
                    with m.Case(number):
                        m.d.comb += new.eq(marker)
            past = Signal(room, name=f"past_{lane}")
            line = Cat(past, new)
            bits = shift_down(m, line, over, unit=1, width=config.lane_bits, name=f"line_{lane}")
            with m.If(self.tx_ready):
                m.d.sync += self.tx[lane].eq(Mux(sends, bits, 0))
            with m.If(ends):
                m.d.sync += past.eq(line[config.row_bits :])
        return m
