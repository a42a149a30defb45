"""Search for the errors of a codeword, once its key equation is solved."""

from itertools import pairwise

from amaranth import Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from models.serdes.config import SYMBOL_BITS, FecConfig
from rtl.serdes.codeword import symbols
from rtl.serdes.field import combination, conjugate, norm_inverse, power, product
from rtl.serdes.key_equation import SolutionLayout

__all__ = ["ErrorSearch"]

SUMS = ("even", "odd", "value")


class ErrorSearch(wiring.Component):
    """Look at each symbol of a codeword: is it wrong, and by what.

    A symbol is wrong if the locator is zero at the inverse of its power (Chien's search); the
    error is the quotient of evaluator and locator's derivative there (Forney). Registers hold the
    terms of both for the first symbol of a group; the others are constant multiples of these.

    Latency: 4 cycles from ``load`` to the first group. Throughput: a group per cycle; a codeword in
    ``groups`` cycles.
    Source: Chien, IEEE Transactions on Information Theory 10(4), 1964; Forney, the same 11(4),
    1965; with the high-order evaluator of Sarwate and Shanbhag (see ``rtl.serdes.key_equation``).

    Parameters
    ----------
    config : FecConfig
        The code.
    slots : int
        Codewords that are told apart.

    Members
    -------
    load : In(1)
        There is a solution.
    solution : In(SolutionLayout)
        It.
    valid : Out(1)
        ``errors`` are those of the next group, the first one first.
    errors : Out(ArrayLayout(10, symbols_per_cycle))
        What is to be added to the symbols; means nothing if the codeword is bad.
    first : Out(1)
        They are of the first group.
    slot : Out(range(slots))
        Place of the codeword.
    done : Out(1)
        With the last group: its fate is known.
    bad : Out(1)
        With ``done``: more than t symbols are wrong.
    corrected : Out(range(t + 1))
        With ``done``: so many are wrong; 0 if it is bad.
    """

    def __init__(self, config: FecConfig, slots: int):
        self.config = config
        super().__init__(
            {
                "load": In(1),
                "solution": In(SolutionLayout(config, slots)),
                "valid": Out(1),
                "errors": Out(symbols(config)),
                "first": Out(1),
                "slot": Out(range(slots)),
                "done": Out(1),
                "bad": Out(1),
                "corrected": Out(range(config.correctable + 1)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        config, solution = self.config, self.solution
        t, wide, groups = config.correctable, config.symbols_per_cycle, config.groups

        # Which group of which codeword is looked at, and those of the three cycles before.
        step = data.StructLayout(
            {
                "valid": 1,
                "first": 1,
                "last": 1,
                "slot": self.slot.shape(),
                "count": solution.count.shape(),
            }
        )
        steps = [Signal(step, name=f"step_{k}") for k in range(4)]
        left = Signal(range(groups + 1))
        now = steps[0]
        m.d.comb += [
            now.valid.eq(left != 0),
            now.first.eq(left == groups),
            now.last.eq(left == 1),
        ]
        slot, count = Signal.like(now.slot), Signal.like(now.count)
        m.d.comb += [now.slot.eq(slot), now.count.eq(count)]
        m.d.sync += [after.eq(before) for before, after in pairwise(steps)]

        # Terms: coefficients times powers of the place, a step further with each group.
        start = -(config.symbols - 1)  # the first symbol has the highest power
        exponents = [*range(t + 1), *range(2 * t, 3 * t)]
        coefficients = [
            *(solution.locator[j] for j in range(t + 1)),
            *(solution.evaluator[j] for j in range(t)),
        ]
        terms = [Signal(SYMBOL_BITS, name=f"term_{j}") for j in range(2 * t + 1)]
        with m.If(self.load):
            m.d.sync += [left.eq(groups), slot.eq(solution.slot), count.eq(solution.count)]
            for term, coefficient, e in zip(terms, coefficients, exponents, strict=True):
                m.d.sync += term.eq(combination([coefficient], [power(2, e * start)]))
        with m.Elif(now.valid):
            m.d.sync += left.eq(left - 1)
            for term, e in zip(terms, exponents, strict=True):
                m.d.sync += term.eq(combination([term], [power(2, e * wide)]))

        found, shares = Signal(wide), (slice(0, t + 1, 2), slice(1, t + 1, 2), slice(t + 1, None))
        for s in range(wide):
            # The derivative has the odd terms only.
            factors = [power(2, e * s) for e in exponents]
            even, odd, value = (Signal(SYMBOL_BITS, name=f"{name}_{s}") for name in SUMS)
            m.d.sync += [
                part.eq(combination(terms[share], factors[share]))
                for part, share in zip((even, odd, value), shares, strict=True)
            ]
            norm, scaled = Signal(SYMBOL_BITS, name=f"norm_{s}"), Signal.like(value)
            mate, divisor = Signal.like(odd), Signal.like(odd)
            m.d.comb += [
                found[s].eq(even == odd),
                mate.eq(conjugate(odd)),
                divisor.eq(norm_inverse(norm)),
            ]
            wrong = Signal(name=f"wrong_{s}")
            m.d.sync += [
                wrong.eq(found[s]),
                norm.eq(product(m, odd, mate)),
                scaled.eq(product(m, value, mate)),
                self.errors[s].eq(Mux(wrong, product(m, scaled, divisor), 0)),
            ]

        # Are there as many as the key equation says?
        roots, so_far, total = (Signal(range(config.symbols + 1)) for _ in range(3))
        m.d.sync += roots.eq(sum(found[s] for s in range(wide)))
        m.d.comb += so_far.eq(Mux(steps[2].first, 0, total) + roots)
        m.d.sync += total.eq(so_far)
        end = steps[3]
        right = (total == end.count) & (end.count <= t)
        m.d.comb += [
            self.valid.eq(end.valid),
            self.first.eq(end.first),
            self.slot.eq(end.slot),
            self.done.eq(end.valid & end.last),
            self.bad.eq(~right),
            self.corrected.eq(Mux(right, end.count, 0)),
        ]
        return m
