"""Block lock: find where the blocks of 64b/66b begin, and tell if many are bad."""

from amaranth import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from models.serdes.config import HIGH_BER_HEADERS, LOCK_HEADERS, LOST_HEADERS, LaneConfig

__all__ = ["BlockLock"]


class BlockLock(wiring.Component):
    """Watch sync headers: lock onto 64 good ones, slip a bit where they are bad.

    A header is good if its two bits differ. Without a lock each bad one asks for a slip, and the
    64th good one in a row locks. With a lock headers are counted in windows of 64, one after the
    other; 16 bad ones in a window end it, at once, and ask for a slip.

    A bit error rate is high with 16 bad headers in a window of ``ber_window_cycles``, the first of
    which begins with the lock; and until a window ends that has fewer.

    Latency: 1 cycle from a header to what it does; ``hi_ber`` falls 1 cycle after ``block_lock``.
    Throughput: a header per cycle. Backpressure: none.
    Source: IEEE 802.3-2018, 49.2.9 and 49.2.13, the state diagrams of lock and BER monitor
    (figures 49-12 and 49-13).

    Parameters
    ----------
    config : LaneConfig
        Uses ``ber_window_cycles``.

    Members
    -------
    signal_ok : In(1)
        While it is low there is no lock, and all begins anew.
    valid : In(1)
        There is a header.
    header : In(2)
        The first two bits of a block.
    slip_done : In(1)
        Headers of the cycles to come are those behind the slip. Those from ``slip`` on to this
        cycle, both included, are not looked at. May be high for ever.
    block_lock : Out(1)
        Blocks begin where they should.
    slip : Out(1)
        Event: the beginning of blocks is to be moved by a bit.
    hi_ber : Out(1)
        The bit error rate is high.
    """

    def __init__(self, config: LaneConfig):
        self.config = config
        # Public because the proof reads them: headers of the window, bad ones of them, and whether
        # a slip is under way.
        self.headers = Signal(range(LOCK_HEADERS))
        self.invalid = Signal(range(LOST_HEADERS))
        self.slipping = Signal()
        super().__init__(
            {
                "signal_ok": In(1),
                "valid": In(1),
                "header": In(2),
                "slip_done": In(1),
                "block_lock": Out(1),
                "slip": Out(1),
                "hi_ber": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        headers, invalid, slipping = self.headers, self.invalid, self.slipping
        tested, bad, slips, ends = Signal(), Signal(), Signal(), Signal()
        m.d.comb += [
            tested.eq(self.valid & ~slipping),
            bad.eq(self.header[0] == self.header[1]),
            slips.eq(tested & bad & (~self.block_lock | (invalid == LOST_HEADERS - 1))),
            ends.eq(headers == LOCK_HEADERS - 1),
        ]
        m.d.sync += self.slip.eq(slips & self.signal_ok)
        with m.If(tested):
            m.d.sync += [
                headers.eq(Mux(slips | ends, 0, headers + 1)),
                invalid.eq(Mux(slips | ends, 0, invalid + bad)),
            ]
        with m.If(~self.signal_ok):
            m.d.sync += [self.block_lock.eq(0), headers.eq(0), invalid.eq(0), slipping.eq(0)]
        with m.Elif(slips):
            m.d.sync += [self.block_lock.eq(0), slipping.eq(1)]
        with m.Elif(tested & ends):  # without a lock all were good, or there had been a slip
            m.d.sync += self.block_lock.eq(1)
        with m.Elif(self.slip_done):
            m.d.sync += slipping.eq(0)

        # The BER monitor.
        window = self.config.ber_window_cycles
        time, count = Signal(range(window)), Signal(range(HIGH_BER_HEADERS + 1))
        counted, high, over = Signal.like(count), Signal(), Signal()
        m.d.comb += [
            counted.eq(count + (tested & bad & (count != HIGH_BER_HEADERS))),
            high.eq(counted == HIGH_BER_HEADERS),
            over.eq(time == window - 1),
        ]
        with m.If(~self.block_lock):
            m.d.sync += [time.eq(0), count.eq(0), self.hi_ber.eq(0)]
        with m.Else():
            m.d.sync += [
                time.eq(Mux(over, 0, time + 1)),
                count.eq(Mux(over, 0, counted)),
                self.hi_ber.eq(high | (self.hi_ber & ~over)),
            ]
        return m
