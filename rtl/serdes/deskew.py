"""Symbols of several lanes in the order in which they were dealt."""

from amaranth import Array, Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from models.serdes.config import SYMBOL_BITS, LanesConfig
from rtl.serdes.codeword import GroupSignature
from rtl.serdes.lane_receiver import MAX_LANES, RowSignature

__all__ = ["Deskew"]


class Deskew(wiring.Component):
    """Let the rows of early lanes wait for late ones, and put lanes in order.

    Each lane begins with the first row behind a marker, so the oldest ones that wait are of the
    same time, with markers that are less than ``skew_rows`` - 1 apart. All begins again if a lane
    has no lock, and with each of the three faults.
    Latency: 2 cycles from the row of the last lane to its first group. Throughput: a group per
    cycle. Backpressure: none.
    Source: IEEE 802.3-2018, 82.2.13 and 82.2.14.

    Parameters
    ----------
    config : LanesConfig
        Lanes and symbols, and the skew that there may be.

    Members
    -------
    i : In(RowSignature).array(lanes)
        Rows of each lane.
    locked, number : In(1), In(3); of each lane, as ``lane``
        Of its receiver.
    o : Out(GroupSignature)
        Groups of frames.
    aligned : Out(1)
        All lanes have locks, and rows that wait belong together.
    disordered : Out(1)
        Event: two lanes have one number, or one has none of ours. In each cycle in which they do.
    skewed : Out(1)
        Event: a lane comes too long before another.
    slipped : Out(1)
        Event: markers that were of the same time no longer are.
    """

    def __init__(self, config: LanesConfig):
        self.config = config
        super().__init__(
            {
                "i": In(RowSignature(config)).array(config.lanes),
                "locked": In(1).array(config.lanes),
                "number": In(range(MAX_LANES)).array(config.lanes),
                "o": Out(GroupSignature(config.frame)),
                "aligned": Out(1),
                "disordered": Out(1),
                "skewed": Out(1),
                "slipped": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        config = self.config
        lanes, depth = config.lanes, config.skew_rows

        everyone, ordered, full, waits, agree = (Signal() for _ in range(5))
        numbers = [Cat(self.number[lane] == n for lane in range(lanes)) for n in range(lanes)]
        m.d.comb += [
            everyone.eq(Cat(*self.locked).all()),
            ordered.eq(Cat(number.any() for number in numbers).all()),
        ]
        # Of each lane: where the next row goes. All are read at one place.
        read = Signal(range(depth))
        fulls, empty, firsts, waiting = [], [], [], []
        restarts, takes, goes = Signal(), Signal(), Signal()
        for lane in range(lanes):
            port = self.i[lane]
            m.submodules[f"rows_{lane}"] = rows = Memory(
                shape=config.row_bits + 1, depth=depth, init=[]
            )
            written, shown = rows.write_port(), rows.read_port(domain="comb")
            write, left = Signal(range(depth)), Signal(range(depth + 1))
            begun, come = Signal(), Signal()
            m.d.comb += [
                come.eq(port.valid & (begun | port.first)),
                written.en.eq(come),
                written.addr.eq(write),
                written.data.eq(Cat(port.first, port.symbols)),
                shown.addr.eq(read),
            ]
            with m.If(restarts):
                m.d.sync += [begun.eq(0), write.eq(0), left.eq(0)]
            with m.Else():
                m.d.sync += left.eq(left + come - takes)
                with m.If(come):
                    m.d.sync += [begun.eq(1), write.eq(Mux(write == depth - 1, 0, write + 1))]
            fulls.append(come & (left == depth))
            empty.append(left == 0)
            firsts.append(shown.data[0])
            waiting.append(shown.data[1:])
        m.d.comb += [
            full.eq(Cat(*fulls).any()),
            waits.eq(~Cat(*empty).any()),
            agree.eq(Cat(*firsts).all() | ~Cat(*firsts).any()),
        ]
        turn = Signal(range(config.row_groups))
        right = everyone & ordered & ~full
        m.d.comb += [
            takes.eq((turn == 0) & waits & right),
            restarts.eq(~right | (takes & ~agree)),
            goes.eq(right & Mux(turn == 0, waits & agree, 1)),
        ]
        m.d.sync += [
            self.disordered.eq(everyone & ~ordered),
            self.skewed.eq(everyone & ordered & full),
            self.slipped.eq(takes & ~agree),
            self.o.valid.eq(goes),
        ]
        with m.If(restarts):
            m.d.sync += [self.aligned.eq(0), turn.eq(0), read.eq(0)]
        with m.Elif(goes):
            m.d.sync += [
                self.aligned.eq(1),
                turn.eq(Mux(turn == config.row_groups - 1, 0, turn + 1)),
            ]
            with m.If(takes):
                m.d.sync += read.eq(Mux(read == depth - 1, 0, read + 1))

        # Symbol k of the lane with number n was dealt as symbol k * lanes + n of the row.
        dealt = []
        for n in range(lanes):
            row = Signal(config.row_bits, name=f"row_{n}")
            for lane in range(lanes):
                with m.If(numbers[n][lane]):
                    m.d.comb += row.eq(waiting[lane])
            dealt.append(row)
        row = Cat(
            dealt[n].word_select(k, SYMBOL_BITS)
            for k in range(config.row_symbols)
            for n in range(lanes)
        )
        kept = Signal(len(row))
        groups = [kept.word_select(k, config.group_bits) for k in range(config.row_groups)]
        group, next_group = Signal(range(config.frame.groups)), Signal(range(config.frame.groups))
        m.d.comb += group.eq(Mux(takes & firsts[0], 0, next_group))
        with m.If(goes):
            m.d.sync += [
                self.o.payload.symbols.eq(
                    Mux(takes, row[: config.group_bits], Array(groups)[turn])
                ),
                self.o.payload.first.eq(group == 0),
                next_group.eq(Mux(group == config.frame.groups - 1, 0, group + 1)),
            ]
            with m.If(takes):
                m.d.sync += kept.eq(row)
        return m
