"""Decoder of a Reed-Solomon code."""

from amaranth import Array, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from models.serdes.config import SYMBOL_BITS, FecConfig
from rtl.serdes.codeword import DecodedSignature, GroupSignature, symbols
from rtl.serdes.error_search import ErrorSearch
from rtl.serdes.field import combination, power
from rtl.serdes.key_equation import KeyEquation

__all__ = ["FecDecoder"]


class FecDecoder(wiring.Component):
    """Correct codewords of up to t wrong symbols, and mark those of more.

    A codeword waits in a memory until its fate is known. One without errors goes on at once, one
    with errors when they have been found; all in their order, so that one without may have to wait
    for one before it. It catches up if ``i`` has pauses.

    Latency: from the last group of a codeword to its first on ``o``, ``clean_cycles`` if all
    syndromes are zero, else ``solve_cycles``, but not before the end of the codeword in front. One
    that is told ``late`` takes ``solve_cycles`` in any case, so that decoders of codewords that
    came together, each with the ``wrong`` of the others, give them together, too.
    Throughput: a group per cycle, whatever is wrong. Backpressure: none.
    Errors: more than t wrong symbols are found out, unless they make another codeword's of t or
    less; the codeword leaves as it came, ``bad``. One that is cut short by the ``first`` of another
    vanishes.
    Source: Lin and Costello, "Error Control Coding", 1983, section 6.5; and see the two parts.

    Parameters
    ----------
    config : FecConfig
        The code.

    Members
    -------
    i : In(GroupSignature)
        Codewords. One begins with ``first``, or behind the last group of another.
    o : Out(DecodedSignature)
        The same, corrected, parity and all.
    wrong : Out(1)
        Event: the codeword whose last group came in the cycle before has errors.
    late : In(1)
        In that cycle: treat it as one with errors. Combinational to no output.
    """

    def __init__(self, config: FecConfig):
        self.config = config
        super().__init__(
            {
                "i": In(GroupSignature(config)),
                "o": Out(DecodedSignature(config)),
                "wrong": Out(1),
                "late": In(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        config, i, o = self.config, self.i.payload, self.o.payload
        wide, groups, slots = config.symbols_per_cycle, config.groups, config.slots
        places = range(slots * groups)  # of groups in the memories, a slot after the other

        def moves_on(slot, base):
            """To the next slot, and to where it begins."""
            last = slot == slots - 1
            return [slot.eq(Mux(last, 0, slot + 1)), base.eq(Mux(last, 0, base + groups))]

        # In.
        next_group, group = Signal(range(groups)), Signal(range(groups))
        slot, base = Signal(range(slots)), Signal(places)
        came, came_slot, ends = Signal(), Signal(range(slots)), Signal()
        m.submodules.received = received = Memory(shape=symbols(config), depth=len(places), init=[])
        write = received.write_port()
        m.d.comb += [
            group.eq(Mux(i.first, 0, next_group)),
            ends.eq(self.i.valid & (group == groups - 1)),
            write.en.eq(self.i.valid),
            write.addr.eq(base + group),
            write.data.eq(i.symbols),
        ]
        m.d.sync += [came.eq(ends), came_slot.eq(slot)]
        with m.If(self.i.valid):
            m.d.sync += next_group.eq(Mux(ends, 0, group + 1))
        with m.If(ends):
            m.d.sync += moves_on(slot, base)

        # Syndromes: the codeword at each root, by Horner's scheme.
        m.submodules.equation = equation = KeyEquation(config, slots)
        m.submodules.search = search = ErrorSearch(config, slots)
        syndromes = equation.syndromes
        sums, coming = Signal.like(syndromes), [i.symbols[s] for s in range(wide)]
        for j in range(2 * config.correctable):
            so_far = Signal(SYMBOL_BITS, name=f"so_far_{j}")
            m.d.comb += so_far.eq(Mux(group == 0, 0, sums[j]))
            with m.If(self.i.valid):
                factors = [power(2, j * (wide - s)) for s in range(wide + 1)]
                m.d.sync += sums[j].eq(combination([so_far, *coming], factors))
        clean = Signal()
        m.d.comb += [
            syndromes.eq(sums),
            self.wrong.eq(came & (sums.as_value() != 0)),
            clean.eq(came & ~self.wrong & ~self.late),
            # Of syndromes that are zero it finds no errors, in the same time.
            equation.load.eq(came & ~clean),
            equation.slot.eq(came_slot),
            search.load.eq(equation.done),
            search.solution.eq(equation.solution),
        ]
        m.submodules.errors = errors = Memory(shape=symbols(config), depth=len(places), init=[])
        note = errors.write_port()
        noted = Signal(range(groups))  # behind the first group
        m.d.comb += [
            note.en.eq(search.valid),
            note.addr.eq(
                Array(k * groups for k in range(slots))[search.slot] + Mux(search.first, 0, noted)
            ),
            note.data.eq(search.errors),
        ]
        m.d.sync += noted.eq(Mux(search.first, 1, noted + 1))

        # Fates.
        known, bad = Signal(slots), Signal(slots)
        corrected = [Signal.like(o.corrected, name=f"corrected_{k}") for k in range(slots)]
        out_slot, out_base, out_group = Signal(range(slots)), Signal(places), Signal(range(groups))
        out_ends, goes = Signal(), Signal()
        for k in range(slots):
            with m.If(clean & (came_slot == k)):
                m.d.sync += [known[k].eq(1), bad[k].eq(0), corrected[k].eq(0)]
            with m.If(search.done & (search.slot == k)):
                m.d.sync += [
                    known[k].eq(1),
                    bad[k].eq(search.bad),
                    corrected[k].eq(search.corrected),
                ]
            with m.If(out_ends & (out_slot == k)):
                m.d.sync += known[k].eq(0)

        # Out.
        read, mend = received.read_port(), errors.read_port()
        m.d.comb += [
            goes.eq(known.bit_select(out_slot, 1)),
            out_ends.eq(goes & (out_group == groups - 1)),
            read.en.eq(goes),
            mend.en.eq(goes),
            read.addr.eq(out_base + out_group),
            mend.addr.eq(out_base + out_group),
        ]
        m.d.sync += self.o.valid.eq(goes)
        with m.If(goes):
            m.d.sync += [
                out_group.eq(Mux(out_ends, 0, out_group + 1)),
                o.first.eq(out_group == 0),
                o.bad.eq(bad.bit_select(out_slot, 1)),
                o.corrected.eq(Array(corrected)[out_slot]),
            ]
        with m.If(out_ends):
            m.d.sync += moves_on(out_slot, out_base)
        fixes = o.corrected != 0
        m.d.comb += [
            o.symbols[s].eq(read.data[s] ^ Mux(fixes, mend.data[s], 0)) for s in range(wide)
        ]
        return m
