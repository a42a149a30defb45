"""Sources, switch and sinks joined in one compiled loop: the model as its own test bed."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.compiled import compiled
from models.config import SwitchConfig
from models.exchange import IDLE, Exchange, exchange_step
from models.record import flat
from models.switch import SwitchModel, switch_cycle
from models.traffic import (
    OVERHEAD_BYTES,
    Line,
    Packets,
    Sinks,
    Sources,
    sinks_drive,
    sinks_taken,
    sources_drive,
    sources_released,
    sources_taken,
)

__all__ = ["Rig"]


@compiled
def rig_events(p, events, drop_valid, broken_valid, parity):
    """Count packets dropped and broken, and flits of wrong parity, of one cycle."""
    for n in range(p.ports):
        events[0] += drop_valid[n]
        events[1] += broken_valid[n]
        events[2] += parity[n >> 6] >> (n & 63) & 1


@compiled
def rig_cycles(wires, start, end):
    """Run from cycle ``start`` to before ``end``, or until a workload step has finished.

    ``flats`` are the flat arrays under ``inputs`` and ``outputs``; row n of each of ``traces``
    becomes what they were in the n-th cycle (traces of no rows: nothing is kept). Returns the
    next cycle.
    """
    p, i_line, o_line, limit, packets, exchange, source, sink, ports, flats, traces, events = wires
    i, o, parts = ports
    finishes = sink.finishes[0]
    for cycle in range(start, end):
        sources_drive(
            p,
            i_line,
            packets,
            source,
            limit,
            cycle,
            i.i_valid[0],
            i.i_payload_data[0],
            i.i_payload_keep[0],
            i.i_payload_last[0],
            i.i_payload_user[0],
        )
        sinks_drive(p, o_line, sink, i.o_ready[0])
        switch_cycle(p, i, o, parts)
        sources_taken(p, i_line, packets, source, cycle, o.i_ready[0])
        sources_released(
            p,
            source,
            o.released_valid[0],
            o.released_output[0],
            o.released_traffic_class[0],
        )
        sinks_taken(
            p,
            o_line,
            packets,
            sink,
            cycle,
            o.o_valid[0],
            o.o_payload_data[0],
            o.o_payload_keep[0],
            o.o_payload_last[0],
            o.o_payload_user[0],
        )
        if exchange.rules[0] > 0:
            exchange_step(p, packets, exchange, sink, cycle)
        rig_events(p, events, o.drop_valid[0], o.broken_valid[0], o.parity[0])
        if traces[0].shape[0]:
            for side in range(2):
                for k in range(flats[side].size):
                    traces[side][cycle - start, k] = flats[side][k]
        if sink.finishes[0] != finishes:
            return cycle + 1
    return end


class Rig:
    """A switch model whose ports are driven by ``Sources`` and emptied by ``Sinks``.

    Parameters
    ----------
    packets : Packets
        What is sent; delays are filled in.
    exchange : Exchange or None
        What generates these packets on the way, if something does.
    line : Line or None
        Of sources and sinks; None stands for ``line_of(config)``.
    i_line : Line or None
        Of the sources, where it differs.
    limit : int
        Share of each queue that the sources respect, in flits; 0 ignores shares.
    payload : bool
        False moves of each flit the header and the sequence number only, and looks at no more.
    trace : int
        Cycles of inputs and outputs that are kept for a bench to replay, 0 for none.

    Attributes
    ----------
    cycle : int
        The next cycle.
    events : int64 array (3,)
        Packets dropped, packets broken, flits of wrong parity.
    """

    def __init__(
        self,
        config: SwitchConfig,
        packets: Packets,
        *,
        exchange: Exchange | None = None,
        line: Line | None = None,
        i_line: Line | None = None,
        limit: int = 0,
        ready: float = 1.0,
        seed: int = 0,
        payload: bool = True,
        trace: int = 0,
    ):
        self.config, self.packets = config, packets
        self.model = SwitchModel(config)
        self.sources = Sources(config, packets, line=i_line or line, limit=limit)
        self.sinks = Sinks(config, packets, line=line, ready=ready, seed=seed)
        self.flats = flat(self.model.inputs), flat(self.model.outputs)
        self.traces: tuple[NDArray[np.int64], ...] = tuple(
            np.zeros((trace, memory.size), dtype=np.int64) for memory in self.flats
        )
        self.cycle = 0
        self.events = np.zeros(3, dtype=np.int64)
        words = config.words if payload else min(config.words, OVERHEAD_BYTES // 8)
        self.wires = (
            self.model.p._replace(words=words),
            self.sources.line,
            self.sinks.line,
            limit,
            packets,
            exchange.state if exchange else IDLE,
            self.sources.state,
            self.sinks.state,
            (self.model.inputs, self.model.outputs, self.model.parts),
            self.flats,
            self.traces,
            self.events,
        )
        everyone = (1 << config.ports) - 1
        for word in range(self.model.inputs.enable.shape[1]):
            bits = everyone >> 64 * word & (1 << 64) - 1
            self.model.inputs.enable[0, word] = np.array(bits, np.uint64).astype(np.int64)

    @property
    def outputs(self) -> Any:
        """Outputs of the last cycle."""
        return self.model.outputs

    def take_note(self, outputs: Any) -> None:
        """Count the events of a cycle that something else than the model has run."""
        o = outputs
        rig_events(self.model.p, self.events, o.drop_valid[0], o.broken_valid[0], o.parity[0])

    def run(self, cycles: int) -> int:
        """Run for ``cycles``, or less if a workload step finishes; return how many were run.

        A call costs about a tenth of a millisecond, whatever it runs: numba looks at each array.
        """
        start = self.cycle
        self.cycle = rig_cycles(self.wires, start, start + cycles)
        return self.cycle - start

    @property
    def delivered(self) -> int:
        """Packets delivered so far."""
        return self.sinks.totals()["delivered"]
