"""What rtl.serdes.block_lock must do with all headers, at any time."""

from amaranth import Module, Mux, Signal
from amaranth.hdl import Assert
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from models.serdes.config import LOCK_HEADERS, LOST_HEADERS, LaneConfig
from rtl.serdes.block_lock import BlockLock

__all__ = ["BlockLockProof"]


class BlockLockProof(wiring.Component):
    """A lock, its end and a slip have their reasons, and lock and end never fail to come.

    Members are the inputs of :class:`BlockLock`; they are free variables.

    Parameters
    ----------
    config : LaneConfig
        As for the component.
    """

    def __init__(self, config: LaneConfig):
        self.dut = BlockLock(config)
        inputs = {name: m for name, m in self.dut.signature.members.items() if m.flow is In}
        super().__init__(inputs)

    def elaborate(self, platform):
        m = Module()
        m.submodules.dut = dut = self.dut
        for name in self.signature.members:
            m.d.comb += getattr(dut, name).eq(getattr(self, name))

        # From a slip until it is done headers mean nothing.
        pending, ignores, tested, good = Signal(), Signal(), Signal(), Signal()
        m.d.comb += [
            ignores.eq(dut.slip | pending),
            tested.eq(self.valid & ~ignores),
            good.eq((self.header == 1) | (self.header == 2)),
        ]
        m.d.sync += pending.eq(ignores & ~self.slip_done & self.signal_ok)
        m.d.comb += Assert(ignores == dut.slipping)
        m.d.comb += Assert(~(dut.slip & pending))  # one at a time

        # Headers of a kind in a row, up to as many as matter; and of the window of the lock.
        most_bad = 2 * LOST_HEADERS - 1
        good_row, bad_row = Signal(range(LOCK_HEADERS + 1)), Signal(range(most_bad + 1))
        place, bad = Signal(range(LOCK_HEADERS)), Signal(range(LOST_HEADERS + 1))
        locked, was_bad, signal_lost = Signal(), Signal(), Signal(init=1)
        m.d.sync += [locked.eq(dut.block_lock), was_bad.eq(tested & ~good)]
        m.d.sync += signal_lost.eq(~self.signal_ok)
        with m.If(tested):
            m.d.sync += [
                good_row.eq(Mux(good, good_row + (good_row != LOCK_HEADERS), 0)),
                bad_row.eq(Mux(good, 0, bad_row + (bad_row != most_bad))),
            ]
        with m.If(~dut.block_lock):
            m.d.sync += [place.eq(0), bad.eq(0)]
        with m.Elif(tested):
            ends = place == LOCK_HEADERS - 1
            full = bad + ~good == LOST_HEADERS
            m.d.sync += [
                place.eq(Mux(ends, 0, place + 1)),
                bad.eq(Mux(ends & ~full, 0, bad + ~good)),
            ]
        with m.If(~self.signal_ok):
            m.d.sync += [good_row.eq(0), bad_row.eq(0)]

        m.d.comb += [
            # It locks with the 64th good header in a row, and only then.
            Assert(dut.block_lock | (good_row < LOCK_HEADERS)),
            Assert(~dut.block_lock | locked | (good_row == LOCK_HEADERS)),
            # It is lost with 16 bad ones in a window, or without a signal, and only then; so with
            # 31 in a row at the latest.
            Assert(~locked | dut.block_lock | signal_lost | (bad == LOST_HEADERS)),
            Assert(~dut.block_lock | (bad < LOST_HEADERS)),
            Assert(~dut.block_lock | (bad_row < most_bad)),
            # It slips with a bad header that leaves no lock, and only then.
            Assert(dut.slip == (was_bad & ~dut.block_lock & ~signal_lost)),
            # The rate is high in a lock only; for a cycle more.
            Assert(~dut.hi_ber | locked),
        ]
        # Why the induction holds.
        with m.If(dut.block_lock):
            m.d.comb += [
                Assert((dut.headers == place) & (dut.invalid == bad)),
                Assert(bad <= place),
                Assert((bad_row <= bad) | ((bad == place) & (bad_row < bad + LOST_HEADERS))),
            ]
        with m.Else():
            m.d.comb += Assert((dut.headers == good_row) & (dut.invalid == 0))
        return m
