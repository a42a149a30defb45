"""The lanes of a port between the clock of the core and those of the lines."""

from functools import reduce
from operator import xor

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.fifo import AsyncFIFO
from amaranth.lib.wiring import In, Out

from models.serdes.config import LanesConfig

__all__ = ["LaneCrossing", "ReceiveCrossing", "TransmitCrossing"]

COUNT_BITS = 16
STEPS = 4  # bits of a counter that crosses: so many events may come while the core's clock is slow
SETTLING = 16  # cycles of a recovered clock behind its reset, in which the queue gets ready


def check_depth(depth: int) -> int:
    """Queues need as many words as there are under way, from one clock to the other and back."""
    if depth < 8 or depth & depth - 1:
        raise ValueError(f"depth must be a power of two, 8 or more, not {depth}")
    return depth


def tell(m: Module, domain: str, happens: Signal, event: Signal, count: Signal) -> None:
    """In each cycle of ``domain`` in which it ``happens``, one more; ``event`` tells the core.

    What crosses is a Gray counter, so none is missed. It goes through no reset, nor does what the
    core has seen of it, so that neither tells what never was.
    """
    number, gray = (Signal(STEPS, reset_less=True, name=name) for name in ("number", "gray"))
    now = Signal(STEPS)
    m.d.comb += now.eq(number + happens)
    m.d[domain] += [number.eq(now), gray.eq(now ^ now >> 1)]
    came, seen = Signal(STEPS), Signal(STEPS, reset_less=True)
    m.submodules.told = FFSynchronizer(gray, came, o_domain="sync")
    there, more = Signal(STEPS), Signal(STEPS)
    m.d.comb += [
        there.eq(Cat(reduce(xor, came[k:]) for k in range(STEPS))),
        more.eq(there - seen),
    ]
    total = Signal(len(count) + 1)
    m.d.comb += total.eq(count + more)
    m.d.sync += [
        seen.eq(there),
        event.eq(more != 0),
        count.eq(Mux(total[-1], (1 << len(count)) - 1, total)),
    ]


class TransmitCrossing(wiring.Component):
    """Hand words from the core to a line clock that is slower, and never lacks one.

    As the core is faster, the queue is full but for what is under way.
    Latency: ``depth`` - 2 to ``depth`` - 1 cycles of the line's clock, and a part of one of the
    core; ``depth`` for a line that is far slower. From the edge that takes a word to the one at
    which the line sees it, as below. Throughput: a word in each cycle of the line's clock.
    Backpressure: ``ready``, from a register.
    Reset: that of the core empties the queue; the line's domain needs none. A line clock that stops
    holds up the core; when it comes back it goes on.
    Source: Cummings, "Simulation and synthesis techniques for asynchronous FIFO design", SNUG 2002,
    style 2, which Amaranth's queue is.

    Parameters
    ----------
    width : int
        Bits of a word.
    depth : int
        Words of the queue: a power of two, 8 or more.

    Members
    -------
    word : In(width)
        In each cycle, there is one.
    ready : Out(1)
        It is taken.
    line : Out(width)
        Domain ``tx``: a word in each cycle; zero until the queue is half full at first, and with
        each underflow.
    underflow : Out(1)
        Event: there was no word for the line, whose clock is faster than that of the core. Some
        cycles later. Then words wait until the queue is half full again.
    underflows : Out(16)
        How often; stays at the most that it can be.
    """

    def __init__(self, width: int, depth: int = 8):
        self.width, self.depth = width, check_depth(depth)
        self.queue = AsyncFIFO(  # named for the proof
            width=width, depth=depth, r_domain="tx", w_domain="sync", exact_depth=True
        )
        super().__init__(
            {
                "word": In(width),
                "ready": Out(1),
                "line": Out(width),
                "underflow": Out(1),
                "underflows": Out(COUNT_BITS),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.queue = queue = self.queue
        begun, lacked, lacks = Signal(), Signal(), Signal()
        m.d.comb += [
            queue.w_data.eq(self.word),
            queue.w_en.eq(1),
            self.ready.eq(queue.w_rdy),
            queue.r_en.eq(begun),
            lacks.eq(lacked & ~queue.r_rst),  # not if the core has been reset
        ]
        m.d.tx += [
            self.line.eq(Mux(begun & queue.r_rdy, queue.r_data, 0)),
            lacked.eq(begun & ~queue.r_rdy),
        ]
        with m.If(begun & ~queue.r_rdy):
            m.d.tx += begun.eq(0)
        with m.Elif(queue.r_level >= self.depth // 2):
            m.d.tx += begun.eq(1)
        tell(m, "tx", lacks, self.underflow, self.underflows)
        return m


class ReceiveCrossing(wiring.Component):
    """Hand words of a recovered clock to the core, whose clock is faster.

    Latency: 2 to 3 cycles of the core, and one more where jitter brings two words in a cycle.
    Throughput: a word in each cycle of the recovered clock. Backpressure: none. ``valid`` and
    ``word`` are from registers, but for a comparison of two.
    Reset: that of the line's domain empties the queue, and takes ``signal_ok`` for a cycle of the
    core or more, so that receivers begin again. It is to last for four cycles of the recovered
    clock, which may stop before and during it; words of the first 16 behind it are dropped. That of
    the core changes nothing here. A clock that just stops and comes back needs no reset.
    Source: as of :class:`TransmitCrossing`.

    Parameters
    ----------
    domain : str
        That of the recovered clock.
    width : int
        Bits of a word.
    depth : int
        Words of the queue: a power of two, 8 or more.

    Members
    -------
    line : In(width)
        Domain of the recovered clock: a word in each cycle.
    line_ok : In(1)
        At any time: there is a signal.
    word : Out(width)
        A word in the core, if ``valid``.
    valid : Out(1)
        It comes in this cycle.
    signal_ok : Out(1)
        ``line_ok``, 2 to 3 cycles later.
    overflow : Out(1)
        Event: there was no room for a word. The recovered clock is faster than that of the core.
        Some cycles later, and once for several words that are lost in a row.
    overflows : Out(16)
        Words that are lost; stays at the most that it can be.
    """

    def __init__(self, domain: str, width: int, depth: int = 8):
        self.domain, self.width, self.depth = domain, width, check_depth(depth)
        self.queue = AsyncFIFO(  # named for the proof
            width=width, depth=depth, r_domain="sync", w_domain=domain, exact_depth=True
        )
        super().__init__(
            {
                "line": In(width),
                "line_ok": In(1),
                "word": Out(width),
                "valid": Out(1),
                "signal_ok": Out(1),
                "overflow": Out(1),
                "overflows": Out(COUNT_BITS),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.queue = queue = self.queue
        left, drops, is_ok = Signal(range(SETTLING), init=SETTLING - 1), Signal(), Signal()
        m.d.comb += [
            queue.w_data.eq(self.line),
            queue.w_en.eq(left == 0),
            drops.eq(queue.w_en & ~queue.w_rdy),
            queue.r_en.eq(1),
            self.word.eq(queue.r_data),
            self.valid.eq(queue.r_rdy),
            self.signal_ok.eq(is_ok & ~queue.r_rst),
        ]
        with m.If(left != 0):
            m.d[self.domain] += left.eq(left - 1)
        m.submodules.signal = FFSynchronizer(self.line_ok, is_ok, o_domain="sync")
        tell(m, self.domain, drops, self.overflow, self.overflows)
        return m


class LaneCrossing(wiring.Component):
    """Take the lanes of a port from the core's clock to those of the lines, and back.

    The clock of the core, domain ``sync``, must be faster than each of the others; what it is
    faster by is what :class:`rtl.serdes.multilane_pcs.MultilanePcs` pauses. Whatever breaks this is
    told. All lanes are sent with one clock, domain ``tx``; each comes with its own, ``rx_0`` and so
    on, which is recovered from it.
    Latency, throughput and resets: those of :class:`TransmitCrossing` and :class:`ReceiveCrossing`.
    There is no model of it, cycle by cycle: in which cycle a word crosses is for the clocks to say,
    at random. Its bench and its proof are about words and their order.

    Parameters
    ----------
    config : LanesConfig
        Lanes, and their bits in a cycle.
    depth : int
        Words of each queue: a power of two, 8 or more.

    Members
    -------
    tx, tx_ready, rx, rx_valid, signal_ok : In, Out, Out, Out, Out
        Core: those of the PCS.
    line_tx : Out(ArrayLayout(lane_bits, lanes))
        Domain ``tx``: a word of each lane in each cycle.
    line_rx : In(ArrayLayout(lane_bits, lanes))
        Of each lane, in its domain: a word in each cycle.
    line_ok : In(1).array(lanes)
        Of each lane, at any time: it has a signal.
    underflow, underflows : Out(1), Out(16)
        Core: as of :class:`TransmitCrossing`. Lanes have one queue, so one of these.
    overflow, overflows : Out(1), Out(16); of each lane, as ``lane``
        Core: as of :class:`ReceiveCrossing`.
    """

    def __init__(self, config: LanesConfig, depth: int = 8):
        self.config, self.depth = config, check_depth(depth)
        line, count = data.ArrayLayout(config.lane_bits, config.lanes), config.lanes
        super().__init__(
            {
                "tx": In(line),
                "tx_ready": Out(1),
                "rx": Out(line),
                "rx_valid": Out(1).array(count),
                "signal_ok": Out(1).array(count),
                "line_tx": Out(line),
                "line_rx": In(line),
                "line_ok": In(1).array(count),
                "underflow": Out(1),
                "underflows": Out(COUNT_BITS),
                "overflow": Out(1).array(count),
                "overflows": Out(COUNT_BITS).array(count),
            }
        )

    def elaborate(self, platform):
        m = Module()
        config, depth = self.config, self.depth
        m.submodules.transmit = sender = TransmitCrossing(config.lanes * config.lane_bits, depth)
        m.d.comb += [
            sender.word.eq(self.tx),
            self.tx_ready.eq(sender.ready),
            self.line_tx.eq(sender.line),
            self.underflow.eq(sender.underflow),
            self.underflows.eq(sender.underflows),
        ]
        for lane in range(config.lanes):
            receiver = ReceiveCrossing(f"rx_{lane}", config.lane_bits, depth)
            m.submodules[f"receive_{lane}"] = receiver
            m.d.comb += [
                receiver.line.eq(self.line_rx[lane]),
                receiver.line_ok.eq(self.line_ok[lane]),
                self.rx[lane].eq(receiver.word),
                self.rx_valid[lane].eq(receiver.valid),
                self.signal_ok[lane].eq(receiver.signal_ok),
                self.overflow[lane].eq(receiver.overflow),
                self.overflows[lane].eq(receiver.overflows),
            ]
        return m
