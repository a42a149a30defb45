"""The symbols of one lane, found by its markers."""

from functools import reduce
from operator import xor

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import data, enum, wiring
from amaranth.lib.wiring import In, Out

from models.serdes.config import (
    MARKER,
    MARKER_BITS,
    MARKER_LOST,
    MARKER_SYMBOLS,
    SYMBOL_BITS,
    LanesConfig,
)
from rtl.link.shifter import shift_down

__all__ = ["LaneReceiver", "RowSignature"]

MAX_LANES = 8


class RowSignature(wiring.Signature):
    """A row of one lane in a cycle, if ``valid``: ``row_symbols`` symbols, and whether it is the
    ``first`` behind a marker."""

    def __init__(self, config: LanesConfig):
        row = data.ArrayLayout(SYMBOL_BITS, config.row_symbols)
        super().__init__({"valid": Out(1), "first": Out(1), "symbols": Out(row)})


class Found(enum.Enum, shape=2):
    """How far the search for markers is."""

    NOTHING = 0
    MAYBE = 1  # 40 bits as a marker begins with
    ONCE = 2  # one, and the next must be in its place
    LOCKED = 3


class LaneReceiver(wiring.Component):
    """Find the marker of a lane, cut the line behind it into rows, and watch the next ones.

    The beginning of a marker is looked for at each bit of the line at once. There is a lock with
    the second marker in its place, and none with the fourth wrong one in a row, or without
    ``signal_ok``. Without ``rx_valid`` nothing moves, but ``signal_ok`` is looked at in each cycle.
    Latency: 1 cycle from the word with the last bit of a row. Throughput: ``lane_bits`` per cycle.
    Backpressure: none.
    Source: IEEE 802.3-2018, 119.2.5.1 and figure 119-12, for two good ones.

    Parameters
    ----------
    config : LanesConfig
        Lanes, symbols and markers.

    Members
    -------
    rx : In(lane_bits)
        Bits of the line, bit 0 first.
    rx_valid : In(1)
        A word comes in this cycle.
    signal_ok : In(1)
        There is a signal on the line.
    o : Out(RowSignature)
        Rows of symbols, none of markers, while there is a lock.
    locked : Out(1)
        There is a lock.
    number : Out(3)
        The number of the lane at the other end, by its markers. Means nothing without a lock.
    marker_wrong : Out(1)
        Event: a marker is not as it should be. 1 cycle behind its last bit, as is ``parity_wrong``.
    parity_wrong : Out(1)
        Event: the parity of what came since the marker before is not that of what was sent.
    """

    def __init__(self, config: LanesConfig):
        self.config = config
        super().__init__(
            {
                "rx": In(config.lane_bits),
                "rx_valid": In(1),
                "signal_ok": In(1),
                "o": Out(RowSignature(config)),
                "locked": Out(1),
                "number": Out(range(MAX_LANES)),
                "marker_wrong": Out(1),
                "parity_wrong": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        config = self.config
        lane_bits, row_bits = config.lane_bits, config.row_bits
        before = MARKER_BITS - 1  # bits that a marker may have begun with
        room = max(before + lane_bits, row_bits - 1)
        past, left = Signal(room), Signal(range(room + 1))  # those at its end wait
        line = Cat(past, self.rx)
        with m.If(self.rx_valid):
            m.d.sync += past.eq(line[lane_bits:])

        found, begins, begin = Signal(Found), Signal(lane_bits), Signal(range(lane_bits))
        window = line[room - before :]
        for k in range(lane_bits):
            m.d.comb += begins[k].eq(window[k : k + MARKER_BITS] == MARKER)
        for k in reversed(range(lane_bits)):
            with m.If(begins[k]):
                m.d.comb += begin.eq(k)

        wait, over, cut = Signal(range(room + lane_bits + 1)), Signal(range(room + 1)), Signal()
        searches = found == Found.NOTHING
        m.d.comb += [
            wait.eq(left + lane_bits),
            over.eq(room - left),
            cut.eq(self.rx_valid & self.signal_ok & ~searches & (wait >= row_bits)),
        ]
        bits = Signal(row_bits)
        m.d.comb += bits.eq(shift_down(m, line, over, unit=1, width=row_bits, name="line"))
        symbols = [bits.word_select(k, SYMBOL_BITS) for k in range(config.row_symbols)]
        with m.If(searches):
            m.d.sync += left.eq(before + lane_bits - begin)
        with m.Elif(self.rx_valid):
            m.d.sync += left.eq(wait - Mux(cut, row_bits, 0))

        row, rows = Signal(range(config.marker_rows + config.data_rows)), config.marker_rows
        parity, misses = Signal(SYMBOL_BITS), Signal(range(MARKER_LOST))
        right, right_before = Signal(), Signal(init=1)
        is_locked = found == Found.LOCKED
        m.d.comb += self.locked.eq(is_locked)
        m.d.sync += [
            self.o.valid.eq(cut & is_locked & (row >= rows)),
            self.marker_wrong.eq(0),
            self.parity_wrong.eq(0),
        ]
        with m.If(cut):
            m.d.sync += [
                row.eq(Mux(row == rows + config.data_rows - 1, 0, row + 1)),
                self.o.symbols.eq(bits),
            ]
            with m.If(row >= rows):
                m.d.sync += [
                    self.o.first.eq(row == rows),
                    parity.eq(reduce(xor, symbols, parity)),
                ]
        m.d.comb += right.eq(right_before)
        with m.Switch(row):
            for number in range(rows):
                with m.Case(number):
                    self.read(m, number, symbols, found, (right, right_before), cut, parity)
        with m.If(cut & (row == rows - 1)):
            m.d.sync += right_before.eq(1)
            with m.If(is_locked):
                m.d.sync += [
                    self.marker_wrong.eq(~right),
                    misses.eq(Mux(right, 0, misses + 1)),
                ]
                with m.If(~right & (misses == MARKER_LOST - 1)):
                    m.d.sync += found.eq(Found.NOTHING)
            with m.Else():
                m.d.sync += [
                    misses.eq(0),
                    found.eq(
                        Mux(
                            right,
                            Mux(found == Found.MAYBE, Found.ONCE, Found.LOCKED),
                            Found.NOTHING,
                        )
                    ),
                ]
        with m.If(~self.signal_ok):
            m.d.sync += found.eq(Found.NOTHING)
        with m.Elif(self.rx_valid & searches & begins.any()):
            m.d.sync += [found.eq(Found.MAYBE), row.eq(0), right_before.eq(1)]
        return m

    def read(self, m: Module, number: int, symbols: list, found, right: tuple, cut, parity) -> None:
        """Compare what row ``number`` of a marker tells."""
        now, before = right
        good = before
        told = MARKER_BITS // SYMBOL_BITS
        for k, symbol in enumerate(symbols):
            place = number * len(symbols) + k
            if place < told:
                good = good & (symbol == MARKER >> SYMBOL_BITS * place & 1023)
            elif place == told:
                lane, complement = symbol[:5], symbol[5:]
                maybe = found == Found.MAYBE
                known = Mux(maybe, lane < MAX_LANES, lane == self.number)
                good = good & (complement == ~lane) & known
                with m.If(cut & maybe):
                    m.d.sync += self.number.eq(lane)
            elif place == MARKER_SYMBOLS - 1:
                with m.If(cut):
                    m.d.sync += [
                        self.parity_wrong.eq((found == Found.LOCKED) & (symbol != parity)),
                        parity.eq(0),
                    ]
        m.d.comb += now.eq(good)
        with m.If(cut):
            m.d.sync += before.eq(good)
