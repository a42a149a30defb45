"""Wavefront: a maximal matching, diagonal by diagonal of the request matrix."""

from amaranth import C, Cat, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from models.config import SwitchConfig
from rtl.scheduler.matching import Matching
from rtl.scheduler.pipeline import delayed
from rtl.vector import Vector

__all__ = ["Diagonals", "Wavefront"]


class Diagonals(wiring.Component):
    """Match ``ports`` inputs and outputs, all pairs of one wrapped diagonal at a time.

    Pairs of a diagonal share neither input nor output. Diagonal ``d`` holds the pairs of input
    ``n`` and output ``(n + d * stride) % ports``: so neighbours, whose traffic often belongs
    together, do not follow each other, which would nearly always prefer the first of two.

    Latency: 0 cycles; the path is ``ports`` diagonals long.

    Parameters
    ----------
    ports : int
        Inputs, and outputs.
    stride : int
        Outputs from one diagonal to the next; has no divisor in common with ``ports``.

    Members
    -------
    request : In(ports).array(ports)
        Per output: requesting inputs.
    start : In(range(ports))
        The diagonal that goes first.
    grant : Out(ports).array(ports)
        Per output: its input, one-hot, or zero.
    """

    def __init__(self, ports: int, stride: int):
        self.ports, self.stride = ports, stride
        super().__init__(
            {
                "request": In(ports).array(ports),
                "start": In(range(ports)),
                "grant": Out(ports).array(ports),
            }
        )

    def turn(self, diagonals: Value, steps: Value) -> Value:
        """Move diagonal ``steps`` to the front, the ones behind it following in circular order."""
        for place in range(len(steps)):
            turned = diagonals.rotate_right(self.ports << place)
            diagonals = Mux(steps[place], turned, diagonals)
        return diagonals

    def elaborate(self, platform):
        m = Module()
        ports = range(self.ports)

        requests = Signal(Vector(self.ports, self.ports))
        diagonals = Cat(
            self.request[(n + d * self.stride) % self.ports][n] for d in ports for n in ports
        )
        m.d.comb += requests.eq(self.turn(diagonals, self.start))

        # Bit n of `outputs` is the output that input n meets on the diagonal at hand.
        inputs, outputs, matches = ~C(0, self.ports), ~C(0, self.ports), []
        for d in ports:
            match = Signal(self.ports, name=f"match_{d}")
            free_inputs = Signal(self.ports, name=f"inputs_{d}")
            free_outputs = Signal(self.ports, name=f"outputs_{d}")
            m.d.comb += [
                match.eq(requests[d] & inputs & outputs),
                free_inputs.eq(inputs & ~match),
                free_outputs.eq((outputs & ~match).rotate_right(self.stride)),
            ]
            inputs, outputs = free_inputs, free_outputs
            matches.append(match)

        back = Signal(range(self.ports))
        with m.If(self.start != 0):
            m.d.comb += back.eq(self.ports - self.start)
        matched = Signal(Vector(self.ports, self.ports))
        m.d.comb += matched.eq(self.turn(Cat(matches), back))
        step = pow(self.stride, -1, self.ports)  # diagonals from one output to the next
        for n in ports:
            diagonal = [(n - i) * step % self.ports for i in ports]
            m.d.comb += self.grant[n].eq(Cat(matched[d][i] for i, d in enumerate(diagonal)))
        return m


class Wavefront(Matching):
    """Find one maximal matching per stage, in one cycle: the grants of a stage share no input.

    Fairness: the diagonal that goes first moves on by one in every cycle; stage ``k`` is ``k``
    ahead. That alone would let an input starve when connections last as long as a round of
    diagonals, or a multiple: so each output serves connections in rounds, and of those that want
    one, who has had it in the round of the class makes way for who has not.
    Source: Tamir and Chi, "Symmetric crossbar arbiters for VLSI communication switches", IEEE
    Transactions on Parallel and Distributed Systems 4(1), 1993.

    Attributes
    ----------
    passed : list of Signal(ports)
        Per output: inputs that ask in stage 0 in vain, as another comes first. Proofs read it.
    """

    def __init__(self, config: SwitchConfig):
        super().__init__(config)
        self.passed = [Signal(config.ports, name=f"passed_{n}") for n in range(config.ports)]

    def elaborate(self, platform):
        m = Module()
        ports = self.config.ports
        start = Signal(range(ports))
        with m.If(start == ports - 1):
            m.d.sync += start.eq(0)
        with m.Else():
            m.d.sync += start.eq(start + 1)

        for k in range(self.config.iterations):
            m.submodules[f"diagonals_{k}"] = diagonals = Diagonals(ports, self.config.stride)
            ahead = start + k % ports
            m.d.comb += diagonals.start.eq(Mux(ahead < ports, ahead, ahead - ports))
            for n in range(ports):
                request = passed = 0
                for c in range(self.config.classes):
                    chosen = self.chosen[n][k][c].replicate(ports)
                    request |= self.request[n][k][c] & chosen
                    if k == 0:
                        passed |= self.makes_way(m, n, c) & chosen
                if k == 0:
                    m.d.comb += self.passed[n].eq(passed)
                    request &= ~self.passed[n]
                m.d.comb += diagonals.request[n].eq(request)
                barred = self.barred if k == 0 else C(0, ports)
                for c in range(self.config.classes):
                    chosen = self.chosen[n][k][c].replicate(ports)
                    m.d.sync += self.grant[n][k][c].eq(diagonals.grant[n] & chosen & ~barred)
        return m

    def makes_way(self, m: Module, output: int, c: int) -> Value:
        """Inputs that may not connect to ``output`` in class ``c``, as another comes first."""
        served = Signal(self.config.ports, name=f"served_{output}_{c}")
        begins = self.claim[output][0] & self.barred
        granted_class = delayed(m, self.chosen[output][0][c])
        with m.If(begins.any() & granted_class):
            m.d.sync += served.eq(Mux((served & begins).any(), begins, served | begins))
        whole = self.request[output][0][c] & self.many[output][c]
        return whole & served & (whole & ~served).any().replicate(self.config.ports)
