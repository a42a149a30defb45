"""Key equation of a Reed-Solomon code: from syndromes to where the errors are."""

from amaranth import Const, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from models.serdes.config import SYMBOL_BITS, FecConfig
from rtl.serdes.field import product

__all__ = ["KeyEquation", "SolutionLayout"]


class SolutionLayout(data.StructLayout):
    """What is known of the errors of a codeword.

    Fields
    ------
    locator : ArrayLayout(10, t + 1)
        Coefficients of the error locator polynomial, that of x^0 first.
    evaluator : ArrayLayout(10, t)
        Those of the high-order error evaluator, times the same factor.
    count : range(2 * t + 1)
        Errors, if there are t or fewer.
    slot : range(slots)
        Place of the codeword.
    """

    def __init__(self, config: FecConfig, slots: int):
        t = config.correctable
        super().__init__(
            {
                "locator": data.ArrayLayout(SYMBOL_BITS, t + 1),
                "evaluator": data.ArrayLayout(SYMBOL_BITS, t),
                "count": range(2 * t + 1),
                "slot": range(slots),
            }
        )


class Step(wiring.Component):
    """Some of the 2t iterations, one per cycle, for one codeword at a time.

    The registers of a step are those of the algorithm; it takes over those of the step before it.
    ``o`` is taken over when ``done`` is high, in the cycle after its last iteration.
    """

    def __init__(self, layout: data.StructLayout, iterations: int):
        self.iterations = iterations
        super().__init__(
            {
                "load": In(1),
                "i": In(layout),
                "done": Out(1),
                "o": Out(layout),
            }
        )

    def elaborate(self, platform):
        m = Module()
        o, left = self.o, Signal(range(self.iterations + 1))
        places = len(o.delta)
        runs, lengthens, head = Signal(), Signal(), o.delta[0]
        m.d.comb += [
            runs.eq(left != 0),
            lengthens.eq((head != 0) & (o.excess >= 0)),
        ]
        m.d.sync += self.done.eq(left == 1)
        with m.If(self.load):
            m.d.sync += [o.eq(self.i), left.eq(self.iterations)]
        with m.Elif(runs):
            m.d.sync += [
                left.eq(left - 1),
                o.excess.eq(Mux(lengthens, -o.excess - 1, o.excess + 1)),
            ]
            with m.If(lengthens):
                m.d.sync += o.factor.eq(head)
            for n in range(places):
                above = o.delta[n + 1] if n + 1 < places else Const(0, SYMBOL_BITS)
                with m.If(lengthens):
                    m.d.sync += o.theta[n].eq(above)
                m.d.sync += o.delta[n].eq(
                    product(m, o.factor, above) ^ product(m, head, o.theta[n])
                )
        return m


class KeyEquation(wiring.Component):
    """Find the error locator and evaluator from the syndromes, by Berlekamp and Massey.

    Reformulated without inversions, so that each iteration is a product, a product and a sum for
    each of 3t + 1 places: 2t iterations in all, one per cycle. They are shared out among
    ``solvers`` steps, each with a codeword of its own, so that codewords may follow one another.

    Latency: ``2 * t + solvers`` cycles. Throughput: a codeword in ``groups`` cycles.
    Source: Sarwate and Shanbhag, "High-speed architectures for Reed-Solomon decoders", IEEE
    Transactions on VLSI Systems 9(5), 2001 (riBM).

    Parameters
    ----------
    config : FecConfig
        The code.
    slots : int
        Codewords that are told apart.

    Members
    -------
    load : In(1)
        There are syndromes.
    syndromes : In(ArrayLayout(10, 2 * t))
        They, that of x^0 first; if all are zero there are no errors.
    slot : In(range(slots))
        Place of their codeword.
    done : Out(1)
        There is a solution.
    solution : Out(SolutionLayout)
        It.
    """

    def __init__(self, config: FecConfig, slots: int):
        self.config = config
        self.syndromes_layout = data.ArrayLayout(SYMBOL_BITS, 2 * config.correctable)
        super().__init__(
            {
                "load": In(1),
                "syndromes": In(self.syndromes_layout),
                "slot": In(range(slots)),
                "done": Out(1),
                "solution": Out(SolutionLayout(config, slots)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        t, solvers = self.config.correctable, self.config.solvers
        places = 3 * t + 1
        layout = data.StructLayout(
            {
                "delta": data.ArrayLayout(SYMBOL_BITS, places),
                "theta": data.ArrayLayout(SYMBOL_BITS, places),
                "factor": SYMBOL_BITS,
                "excess": signed((2 * t).bit_length() + 1),
                "slot": self.slot.shape(),
            }
        )
        state, loads = Signal(layout), self.load
        for polynomial in (state.delta, state.theta):
            m.d.comb += [polynomial[j].eq(self.syndromes[j]) for j in range(2 * t)]
            m.d.comb += polynomial[places - 1].eq(1)
        m.d.comb += [state.factor.eq(1), state.slot.eq(self.slot)]
        for n in range(solvers):
            share = 2 * t * (n + 1) // solvers - 2 * t * n // solvers
            m.submodules[f"step_{n}"] = step = Step(layout, share)
            m.d.comb += [step.load.eq(loads), step.i.eq(state)]
            state, loads = step.o, step.done
        solution = self.solution
        m.d.comb += [
            self.done.eq(loads),
            *(solution.locator[j].eq(state.delta[t + j]) for j in range(t + 1)),
            *(solution.evaluator[j].eq(state.delta[j]) for j in range(t)),
            # The excess is 2t less twice the length.
            solution.count.eq((2 * t - state.excess) >> 1),
            solution.slot.eq(state.slot),
        ]
        return m
