"""Round-robin arbiter."""

from amaranth import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["Arbiter"]


class Arbiter(wiring.Component):
    """Grant one of ``ports`` requests, in circular order after the last winner.

    Latency: 0 cycles from ``request`` to ``grant`` (combinational). Throughput: 1 grant per cycle.
    Fairness: a request that stays high waits for at most ``ports - 1`` other grants.
    Source: Gupta and McKeown, "Designing and implementing a fast crossbar scheduler",
    IEEE Micro 19(1), 1999: thermometer-masked priority encoder.

    Parameters
    ----------
    ports : int
        Number of requesters, 1 or more.

    Members
    -------
    request : In(ports)
        Bit ``n`` is high while requester ``n`` wants the resource.
    advance : In(1)
        The grant is used in this cycle; the winner becomes the lowest priority.
    grant : Out(ports)
        One-hot, or zero if nothing requests.

    Attributes
    ----------
    above : Signal(ports)
        State: requesters above the last winner, a thermometer code. Proofs read it.
    """

    def __init__(self, ports: int):
        if ports < 1:
            raise ValueError(f"ports must be 1 or more, not {ports}")
        self.ports = ports
        self.above = Signal(ports)
        super().__init__({"request": In(ports), "advance": In(1), "grant": Out(ports)})

    def elaborate(self, platform):
        m = Module()

        preferred = Signal(self.ports)
        m.d.comb += preferred.eq(self.request & self.above)

        candidates = Mux(preferred.any(), preferred, self.request)
        m.d.comb += self.grant.eq(candidates & -candidates)  # lowest set bit

        with m.If(self.advance & self.request.any()):
            m.d.sync += self.above.eq(~((self.grant << 1) - 1))

        return m
