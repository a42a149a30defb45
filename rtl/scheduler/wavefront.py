"""Wavefront: a maximal matching, diagonal by diagonal of the request matrix."""

from amaranth import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from models.config import SwitchConfig
from rtl.packet import length_shape
from rtl.scheduler.matching import Matching
from rtl.scheduler.selection import encode
from rtl.vector import Vector

__all__ = ["Diagonals", "Fit", "Wavefront"]


class Fit(wiring.Component):
    """Let the requests to one output through, per stage, if every requesting packet fits.

    Otherwise nobody is matched, so that long packets are not starved by short ones.

    Latency: 0 cycles.

    Members
    -------
    request, length, limit
        As in :class:`rtl.scheduler.matching.Matching`, of one output.
    fitting : Out(ports).array(iterations)
        ``request``, or zero.
    """

    def __init__(self, config: SwitchConfig):
        self.config = config
        lengths = Vector(length_shape(config), config.ports)
        stages = config.iterations
        super().__init__(
            {
                "request": In(config.ports).array(stages),
                "length": In(lengths).array(stages),
                "limit": In(range(config.egress_depth + 1)).array(stages),
                "fitting": Out(config.ports).array(stages),
            }
        )

    def elaborate(self, platform):
        m = Module()
        for k in range(self.config.iterations):
            longer = Cat(self.length[k][n] > self.limit[k] for n in range(self.config.ports))
            with m.If(~(self.request[k] & longer).any()):
                m.d.comb += self.fitting[k].eq(self.request[k])
        return m


class Diagonals(wiring.Component):
    """Match ``ports`` inputs and outputs, all pairs of one wrapped diagonal at a time.

    Pairs of a diagonal share neither input nor output. Diagonal ``d`` holds the pairs of input
    ``n`` and output ``(n + d) % ports``.

    Latency: 0 cycles; the path is ``ports`` diagonals long.

    Parameters
    ----------
    ports : int
        Inputs, and outputs.

    Members
    -------
    request : In(ports).array(ports)
        Per output: requesting inputs.
    start : In(range(ports))
        The diagonal that goes first.
    grant : Out(ports).array(ports)
        Per output: its input, one-hot, or zero.
    accept : Out(ports).array(ports)
        Per input: its output, one-hot, or zero.
    """

    def __init__(self, ports: int):
        self.ports = ports
        super().__init__(
            {
                "request": In(ports).array(ports),
                "start": In(range(ports)),
                "grant": Out(ports).array(ports),
                "accept": Out(ports).array(ports),
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
        diagonals = Cat(self.request[(n + d) % self.ports][n] for d in ports for n in ports)
        m.d.comb += requests.eq(self.turn(diagonals, self.start))

        # Bit n of `outputs` is the output that input n meets on the diagonal at hand.
        inputs, outputs, matches = ~Const(0, self.ports), ~Const(0, self.ports), []
        for d in ports:
            match = Signal(self.ports, name=f"match_{d}")
            free_inputs = Signal(self.ports, name=f"inputs_{d}")
            free_outputs = Signal(self.ports, name=f"outputs_{d}")
            m.d.comb += [
                match.eq(requests[d] & inputs & outputs),
                free_inputs.eq(inputs & ~match),
                free_outputs.eq((outputs & ~match).rotate_right(1)),
            ]
            inputs, outputs = free_inputs, free_outputs
            matches.append(match)

        back = Signal(range(self.ports))
        with m.If(self.start != 0):
            m.d.comb += back.eq(self.ports - self.start)
        matched = Signal(Vector(self.ports, self.ports))
        m.d.comb += matched.eq(self.turn(Cat(matches), back))
        for n in ports:
            m.d.comb += [
                self.grant[n].eq(Cat(matched[(n - i) % self.ports][i] for i in ports)),
                self.accept[n].eq(Cat(matched[(o - n) % self.ports][n] for o in ports)),
            ]
        return m


class Wavefront(Matching):
    """Find one maximal matching per stage.

    Fairness: the diagonal that goes first moves on by one in every cycle; stage ``k`` is ``k - 1``
    ahead. There is no state that claims would move.
    Source: Tamir and Chi, "Symmetric crossbar arbiters for VLSI communication switches", IEEE
    Transactions on Parallel and Distributed Systems 4(1), 1993.
    """

    def elaborate(self, platform):
        m = Module()
        ports = range(self.config.ports)
        fits = [Fit(self.config) for _ in ports]
        for n in ports:
            m.submodules[f"fit_{n}"] = fits[n]

        start = Signal(range(self.config.ports))
        with m.If(start == self.config.ports - 1):
            m.d.sync += start.eq(0)
        with m.Else():
            m.d.sync += start.eq(start + 1)

        for k in range(self.config.iterations):
            m.submodules[f"diagonals_{k}"] = diagonals = Diagonals(self.config.ports)
            ahead = start + k % self.config.ports
            wrapped = Mux(ahead < self.config.ports, ahead, ahead - self.config.ports)
            m.d.comb += diagonals.start.eq(wrapped)
            for n in ports:
                m.d.comb += [
                    fits[n].request[k].eq(self.request[n][k]),
                    fits[n].length[k].eq(self.length[n][k]),
                    fits[n].limit[k].eq(self.limit[n][k]),
                    diagonals.request[n].eq(fits[n].fitting[k]),
                    self.grant[n][k].eq(diagonals.grant[n]),
                    self.granted_length[n][k].eq(self.length[n][k][encode(diagonals.grant[n])]),
                    self.accept[n][k].eq(diagonals.accept[n]),
                ]
        return m
