"""What the queue of rtl.serdes.lane_crossing must do, whichever of its two clocks ticks when."""

from functools import reduce
from operator import xor

from amaranth import Cat, Module, ResetSignal, Signal
from amaranth.hdl import Assert, Assume, DomainRenamer, EnableInserter, Fragment
from amaranth.lib import wiring
from amaranth.lib.fifo import AsyncFIFO
from amaranth.lib.wiring import In

__all__ = ["LaneCrossingProof"]


def gray(value: Signal):
    """Gray code of a number."""
    return value ^ value >> 1


def number(code: Signal) -> Cat:
    """The number of a Gray code."""
    return Cat(reduce(xor, code[k:]) for k in range(len(code)))


def register(fragment, name: str) -> Signal:
    """A register of Amaranth's queue, which has no public name."""
    found = {
        signal.name: signal
        for statements in fragment.statements.values()
        for statement in statements
        for signal in statement._lhs_signals()
    }
    return found[name]


class Synchronizer(wiring.Component):
    """The two flip-flops of Amaranth's ``FFSynchronizer``, with names, in their place."""

    def __init__(self, inner, domain: str):
        self.inner, self.domain = inner, domain
        self.first, self.second = (Signal.like(inner.i, name=name) for name in ("first", "second"))
        super().__init__({})

    def elaborate(self, platform):
        m = Module()
        m.d[self.domain] += [self.first.eq(self.inner.i), self.second.eq(self.first)]
        m.d.comb += self.inner.o.eq(self.second)
        return m


class LaneCrossingProof(wiring.Component):
    """Words come out in order, unchanged, each once; pointers change by a bit; no more than fit.

    Both domains of the queue have one clock here, and each moves on in any cycle or does not, as
    the solver likes: so they tick in every order, together too, and a flip-flop sees a pointer just
    before or just after it changes. As one bit of it changes at a time, there is nothing between.

    Parameters
    ----------
    queue : AsyncFIFO
        That of a crossing.
    write, read : str
        Its domains.

    Members
    -------
    write_ticks, read_ticks : In(1)
        Clocks tick; free, as all that follows.
    w_data : In(width)
    w_en, r_en : In(1)
    watch : In(1)
        Follow the word that is written in this cycle, if none is followed.
    """

    def __init__(self, queue: AsyncFIFO, write: str, read: str):
        self.queue, self.write, self.read = queue, write, read
        super().__init__(
            {
                "write_ticks": In(1),
                "read_ticks": In(1),
                "w_data": In(queue.width),
                "w_en": In(1),
                "r_en": In(1),
                "watch": In(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        queue, depth = self.queue, self.queue.depth
        inside = queue.elaborate(None)
        produce, consume = inside.submodules.produce_cdc, inside.submodules.consume_cdc
        storage = inside.submodules.storage
        look = storage.read_port(domain="comb")
        shadows = []
        for synchronizer, domain in (produce, self.read), (consume, self.write):
            shadow = Synchronizer(synchronizer, domain)
            synchronizer.elaborate = shadow.elaborate
            shadows.append(shadow)
        fragment = Fragment.get(inside, None)
        w, r = register(fragment, "produce_w_bin"), register(fragment, "consume_r_bin")
        ticks = {self.write: self.write_ticks, self.read: self.read_ticks}
        renamed = DomainRenamer({self.write: "sync", self.read: "sync"})
        m.submodules.queue = renamed(EnableInserter(ticks)(fragment))
        m.d.comb += [
            queue.w_data.eq(self.w_data),
            queue.w_en.eq(self.w_en),
            queue.r_en.eq(self.r_en),
        ]
        writes, reads = Signal(), Signal()
        m.d.comb += [
            Assume(~ResetSignal()),  # resets are a matter of the bench
            writes.eq(self.write_ticks & queue.w_en & queue.w_rdy),
            reads.eq(self.read_ticks & queue.r_en & queue.r_rdy),
        ]

        # The reader has seen the writer where it was, and the writer the reader; each lags twice.
        bits = len(w)
        places = {
            "level": w - r,
            "came": number(shadows[0].second) - r,
            "comes": number(shadows[0].first) - r,
            "went": w - number(shadows[1].second),
            "goes": w - number(shadows[1].first),
        }
        at = {name: Signal(bits, name=name) for name in places}
        m.d.comb += [at[name].eq(value) for name, value in places.items()]
        m.d.comb += [
            Assert(produce.i == gray(w)),
            Assert(consume.i == gray(r)),
            Assert(at["came"] <= at["comes"]),
            Assert(at["comes"] <= at["level"]),
            Assert(at["level"] <= at["goes"]),
            Assert(at["goes"] <= at["went"]),
            Assert(at["went"] <= depth),
            Assert(~queue.r_rdy | (at["came"] != 0)),
            Assert(~queue.w_rdy | (at["went"] != depth)),
        ]
        # No flip-flop sees more than one bit of a pointer change.
        for pointer in produce.i, consume.i:
            was, changes = Signal.like(pointer, name="was"), Signal.like(pointer, name="changes")
            m.d.sync += was.eq(pointer)
            m.d.comb += [
                changes.eq(was ^ pointer),
                Assert((changes & (changes - 1)) == 0),
            ]

        # One word, any, on its way.
        held, place, word = Signal(), Signal(bits), Signal(len(self.w_data))
        with m.If(self.watch & writes & ~held):
            m.d.sync += [held.eq(1), place.eq(w), word.eq(self.w_data)]
        ahead, leaves = Signal(bits), Signal()
        m.d.comb += [
            ahead.eq(place - r),
            leaves.eq(held & reads & (ahead == 0)),
            look.addr.eq(place[:-1]),
            Assert(~held | (ahead < at["level"])),
            Assert(~held | (look.data == word)),
            Assert(~(held & queue.r_rdy & (ahead == 0)) | (queue.r_data == word)),
        ]
        with m.If(leaves):
            m.d.sync += held.eq(0)
        return m
