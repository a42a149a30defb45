"""Tests of the lines of a port, between its PCS and them: patterns, loopbacks, and a self-test."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import enum, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from models.serdes.config import LOOP_WORDS, TEST_WORD_BITS, LanesConfig, Prbs
from rtl.serdes.lane import LinesSignature
from rtl.serdes.prbs import PrbsChecker, PrbsGenerator

__all__ = ["LaneTest", "LaneTestMode", "LaneTestResult", "LaneTestSignature"]


class LaneTestMode(enum.Enum, shape=2):
    """What goes where."""

    NORMAL = 0  # PCS and lines are joined
    NEAR = 1  # what the PCS sends comes back to it, and goes to the lines too
    FAR = 2  # what comes from a line goes back to it
    PATTERN = 3  # lines get a test pattern, and are checked for one


class LaneTestResult(enum.Enum, shape=3):
    """What a self-test ended in."""

    NONE = 0  # none has ended since the last start, or reset
    GOOD = 1  # all words of all lanes have been checked
    NO_LOCK = 2  # not all lanes had a lock in time
    LOST = 3  # a lane has lost its lock
    STOPPED = 4


class LaneTestSignature(wiring.Signature):
    """What a test of lanes is told, and what it tells, as in :class:`LaneTest`."""

    def __init__(self, config: LanesConfig):
        each, count = Out(1).array(config.lanes), In(config.test_lane.error_bits)
        super().__init__(
            {
                "mode": Out(LaneTestMode),
                "pattern": Out(Prbs),
                "invert": Out(1),
                "invert_tx": each,
                "invert_rx": each,
                "inject": each,
                "clear": Out(1),
                "start": Out(1),
                "words": Out(TEST_WORD_BITS),
                "patience": Out(TEST_WORD_BITS),
                "stop": Out(1),
                "locked": each.flip(),
                "error_count": count.array(config.lanes),
                "slipped": each.flip(),
                "running": In(1),
                "done": In(1),
                "result": In(LaneTestResult),
                "errors": count.array(config.lanes),
                "held": each.flip(),
            }
        )


class LaneTest(wiring.Component):
    """Join a PCS and its lines, or test the lines.

    - ``NORMAL``: joined.
    - ``NEAR``: what the PCS sends comes back to it as it was sent, and goes to the lines too. The
      lines give the pace, and need do nothing else.
    - ``FAR``: what comes from a line goes back to it. Between the two paces is a store of
      ``LOOP_WORDS`` words for each lane, which sends from the time when it is half full. If a word
      is wanted and there is none, or one comes for which there is no room, the lane slips: it loses
      all words of the store, and the one that comes. Till it sends again the lane repeats the word
      that it sent last.
    - ``PATTERN``: each lane has a generator and a checker of its own; all send the same. A checker
      takes the words of a line that has a signal; without one it loses its lock.

    In the last two the PCS sees no signal, and what it sends is lost. It has the pace of the lines
    in all of them.

    A self-test, from ``start`` to ``done``, is in ``PATTERN``, whatever is asked for. It waits for
    the locks of all lanes, at most ``patience`` cycles, and clears the counters. Of each lane it
    checks ``words`` words, from the first on that comes in the cycle before the one in which
    ``locked`` is high for all, or later. So the bit error rate of a lane is ``errors / (words *
    lane_bits)``. It ends at once if one of those that it still counts loses its lock.

    A lock may be that of a pattern that is still under way from before. Where that ends, it is
    lost: so a self-test behind another, or behind other patterns, begins when lines have had time
    to bring what is on them.

    Latency: between PCS and lines none, the polarity and the mode are gates; ``FAR``, with the
    same pace both ways, ``LOOP_WORDS // 2 + 1`` cycles, from line to line. From a line to
    ``error_count`` and ``locked`` as of :class:`rtl.serdes.prbs.PrbsChecker`.
    Throughput: a word of each lane per cycle. Backpressure: ``pcs.tx_ready`` is that of the lines.
    Source: decision.

    Parameters
    ----------
    config : LanesConfig
        Lanes and their bits.

    Members
    -------
    mode : In(LaneTestMode)
        While no self-test runs.
    pattern, invert : In(Prbs), In(1)
        As of :class:`rtl.serdes.prbs.PrbsGenerator`, for generators and checkers.
    invert_tx, invert_rx : In(1).array(lanes)
        All bits to, from a line are inverted, in each mode: its two wires are swapped.
    inject : In(1).array(lanes)
        Event: bit 0 of the next word of the generator is wrong. Means nothing but in ``PATTERN``;
        those that come before the word are one.
    clear : In(1)
        Event: as of :class:`rtl.serdes.prbs.PrbsChecker`, for all lanes. Means nothing while a
        self-test runs.
    start : In(1)
        Event: a self-test begins. Means nothing while one runs.
    words : In(32)
        Words of each lane that it checks, from ``start``; 0 is taken for 1.
    patience : In(32)
        Cycles that it waits for locks, from ``start``.
    stop : In(1)
        Event: it ends, if it does not by itself in this cycle.
    pcs : In(LinesSignature)
        To the PCS.
    line : Out(LinesSignature)
        To the lines.
    locked : Out(1).array(lanes)
        The checker of a lane is in step with the pattern.
    error_count : Out(error_bits).array(lanes)
        Wrong bits of a lane, from ``clear``; with any mode, those that were counted till then.
    slipped : Out(1).array(lanes)
        Event, a cycle later: the store of ``FAR`` was empty, or full.
    running : Out(1)
        A self-test runs.
    done : Out(1)
        Event: it has ended, a cycle ago. What is below holds from then to the next ``start``.
    result : Out(LaneTestResult)
        What it ended in; ``NONE`` while it runs.
    errors : Out(error_bits).array(lanes)
        Wrong bits of each lane of which all words were checked, else 0.
    held : Out(1).array(lanes)
        Lanes of which all words were checked, or that had their locks as it ended.
    """

    def __init__(self, config: LanesConfig):
        self.config = config
        lines = LinesSignature(config.lane_bits, config.lanes)
        super().__init__(
            {
                **LaneTestSignature(config).flip().members,
                "pcs": In(lines),
                "line": Out(lines),
            }
        )

    def elaborate(self, platform):
        m = Module()
        mode, clears = Signal(LaneTestMode), Signal()
        normal, near, far, tests = Signal(), Signal(), Signal(), Signal()
        m.d.comb += [
            mode.eq(Mux(self.running, LaneTestMode.PATTERN, self.mode)),
            normal.eq(mode == LaneTestMode.NORMAL),
            near.eq(mode == LaneTestMode.NEAR),
            far.eq(mode == LaneTestMode.FAR),
            tests.eq(mode == LaneTestMode.PATTERN),
            self.pcs.tx_ready.eq(self.line.tx_ready),
        ]
        counted = []
        for n in range(self.config.lanes):
            came, comes = Signal(self.config.lane_bits), Signal()
            sent = Signal(self.config.lane_bits)
            m.d.comb += [
                came.eq(self.line.rx[n] ^ self.invert_rx[n].replicate(len(came))),
                comes.eq(self.line.rx_valid[n] & self.line.signal_ok[n]),
                self.pcs.rx[n].eq(Mux(near, self.pcs.tx[n], came)),
                self.pcs.rx_valid[n].eq(Mux(near, self.line.tx_ready, self.line.rx_valid[n])),
                self.pcs.signal_ok[n].eq(near | (normal & self.line.signal_ok[n])),
            ]
            made, counts = self.check(m, n, tests, clears, came, comes)
            looped = self.loop(m, n, far, came, comes)
            m.d.comb += [
                sent.eq(Mux(tests, made, Mux(far, looped, self.pcs.tx[n]))),
                self.line.tx[n].eq(sent ^ self.invert_tx[n].replicate(len(sent))),
            ]
            counted.append(counts)
        self.test(m, clears, counted)
        return m

    def check(self, m: Module, n: int, tests, clears, came, comes):
        """Generator and checker of a lane: the word to send, and whether one is counted."""
        lane = self.config.test_lane
        m.submodules[f"generator_{n}"] = generator = PrbsGenerator(lane)
        m.submodules[f"checker_{n}"] = checker = PrbsChecker(lane)
        listens, heard, due = Signal(), Signal(Prbs), Signal()
        compared, counted = Signal(), Signal()
        m.d.comb += [
            generator.pattern.eq(self.pattern),
            generator.invert.eq(self.invert),
            generator.inject.eq(self.inject[n] | due),
            generator.enable.eq(tests & self.line.tx_ready),
            listens.eq(tests & self.line.signal_ok[n]),
            # Another pattern than the last one takes the lock, and leaves the count.
            checker.pattern.eq(Mux(listens, self.pattern, heard ^ 1)),
            checker.invert.eq(self.invert),
            checker.i.valid.eq(tests & comes),
            checker.i.payload.eq(came),
            checker.clear.eq(clears),
            self.locked[n].eq(checker.locked),
            self.error_count[n].eq(checker.error_count),
        ]
        m.d.sync += [
            due.eq(tests & ~self.line.tx_ready & (self.inject[n] | due)),
            compared.eq(tests & comes),
            counted.eq(compared),
        ]
        with m.If(listens):
            m.d.sync += heard.eq(self.pattern)
        return generator.o.payload, counted

    def loop(self, m: Module, n: int, far, came, comes):
        """The store of a lane for ``FAR``: the word to send."""
        m.submodules[f"store_{n}"] = store = Memory(shape=len(came), depth=LOOP_WORDS, init=[])
        write, read = store.write_port(), store.read_port(domain="comb")
        level, flowing = Signal(range(LOOP_WORDS + 1)), Signal()
        flows, goes, slips, looped = Signal(), Signal(), Signal(), Signal.like(came)
        m.d.comb += [
            flows.eq(flowing | (level >= LOOP_WORDS // 2)),
            goes.eq(flows & self.line.tx_ready),
            slips.eq(Mux(goes, level == 0, comes & (level == LOOP_WORDS))),
            write.en.eq(far & comes),
            write.data.eq(came),
        ]
        m.d.sync += self.slipped[n].eq(far & slips)
        with m.If(~far | slips):
            m.d.sync += [level.eq(0), flowing.eq(0), write.addr.eq(0), read.addr.eq(0)]
        with m.Else():
            m.d.sync += [
                level.eq(level + comes - goes),
                flowing.eq(flows),
                write.addr.eq(write.addr + comes),
                read.addr.eq(read.addr + goes),
            ]
            with m.If(goes):
                m.d.sync += looped.eq(read.data)
        return looped

    def test(self, m: Module, clears, counted: list) -> None:
        """The self-test: wait for locks, clear, count."""
        counting, fresh, asked = Signal(), Signal(), Signal.like(self.words)
        waits, locked, begins, expired = Signal.like(self.patience), Signal(), Signal(), Signal()
        m.d.comb += [
            locked.eq(Cat(*self.locked).all()),
            begins.eq(self.running & ~counting & locked),
            expired.eq(self.running & ~counting & ~locked & (waits == 0)),
            clears.eq(Mux(self.running, fresh, self.clear)),
        ]
        m.d.sync += [fresh.eq(begins), waits.eq(waits - 1)]

        takes, loses = Signal(self.config.lanes), Signal(self.config.lanes)
        good, lost, ends = Signal(), Signal(), Signal()
        m.d.comb += [
            lost.eq(loses.any()),
            good.eq(counting & (Cat(*self.held) | takes).all()),
            ends.eq(self.running & (good | lost | expired | self.stop)),
        ]
        for n, counts in enumerate(counted):
            left = Signal.like(self.words)
            active = counting & ~self.held[n]
            m.d.comb += [
                loses[n].eq(active & ~self.locked[n]),
                takes[n].eq(active & self.locked[n] & (left == 0)),
            ]
            with m.If(begins):
                m.d.sync += left.eq(asked)
            with m.Elif(counts & (left != 0)):
                m.d.sync += left.eq(left - 1)
            with m.If(takes[n]):
                m.d.sync += self.errors[n].eq(self.error_count[n])
            with m.If(takes[n] | (ends & self.locked[n])):
                m.d.sync += self.held[n].eq(1)

        m.d.sync += self.done.eq(ends)
        with m.If(begins):
            m.d.sync += counting.eq(1)
        with m.If(ends):
            m.d.sync += [self.running.eq(0), counting.eq(0)]
            with m.If(good):
                m.d.sync += self.result.eq(LaneTestResult.GOOD)
            with m.Elif(lost):
                m.d.sync += self.result.eq(LaneTestResult.LOST)
            with m.Elif(expired):
                m.d.sync += self.result.eq(LaneTestResult.NO_LOCK)
            with m.Else():
                m.d.sync += self.result.eq(LaneTestResult.STOPPED)
        with m.If(self.start & ~self.running):
            m.d.sync += [
                self.running.eq(1),
                self.result.eq(LaneTestResult.NONE),
                asked.eq(self.words | (self.words == 0)),
                waits.eq(self.patience),
            ]
            m.d.sync += [self.errors[n].eq(0) for n in range(self.config.lanes)]
            m.d.sync += [self.held[n].eq(0) for n in range(self.config.lanes)]
