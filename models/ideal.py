"""The ideal output-queued switch: what no switch can beat, for the same arrivals and lines."""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from models.config import SwitchConfig
from models.traffic import Line, Packets, flit_cost, line_level, line_of

__all__ = ["Ideal", "flit_delay", "ideal", "serve", "uniform_wait"]

Ints = NDArray[np.int64]


class Ideal(NamedTuple):
    """Cycle in which the ideal switch takes the head, gives the head, gives the tail of each
    packet; rows and meaning as in ``Packets``.
    """

    injected: Ints
    departed: Ints
    completed: Ints


@njit(cache=True)
def next_turn(line, sent, tokens, arrival):
    """First cycle from ``arrival`` on in which the line can move a flit, and its tokens then.

    ``tokens`` are what the flit of cycle ``sent`` has left.
    """
    tokens = line_level(line, tokens, True)
    cycle = sent + 1
    if tokens < 0:
        wait = (line.gain - 1 - tokens) // line.gain
        tokens += wait * line.gain
        cycle += wait
    if cycle < arrival:  # idle: what is more than a fraction of a cycle is gone
        tokens = min(tokens + (arrival - cycle) * line.gain, line.gain - 1)
        cycle = arrival
    return cycle, tokens


@njit(cache=True)
def serve(line, flit_bytes, ports, length, first, arrival, server, order):
    """Cycle of each flit: packets in ``order``, each in one piece, on the line of its ``server``.

    Packet ``row`` has the flits ``first[row]`` to before ``first[row + 1]``; ``arrival`` says from
    which cycle on each can be moved.
    """
    cycle = np.empty(arrival.size, np.int64)
    sent, tokens = np.full(ports, -1), np.full(ports, -1)
    for row in order:
        n = server[row]
        left = length[row]
        for flit in range(first[row], first[row + 1]):
            sent[n], level = next_turn(line, sent[n], tokens[n], arrival[flit])
            tokens[n] = level - flit_cost(line, min(left, flit_bytes), flit == first[row])
            left -= flit_bytes
            cycle[flit] = sent[n]
    return cycle


def ideal(config: SwitchConfig, packets: Packets, *, line: Line | None = None) -> Ideal:
    """Pass ``packets`` through an output-queued switch of infinite fabric rate and no latency.

    Its lines are those of ``Sources`` and ``Sinks``, whole cycles and all. A packet waits for the
    line of its source, then for the line of its destination behind all packets whose heads came
    before its own (equal: lower source first), whatever their class. It cuts through: a flit can
    leave in the cycle in which it comes. Ignoring classes does not change the mean delay of a flit,
    only how it is shared out.

    Parameters
    ----------
    packets : Packets
        Every ``cycle`` is known (``generate``); the packets of a closed-loop workload are not.
    line : Line or None
        Of both sides; None stands for ``line_of(config)``.
    """
    line = line or line_of(config)
    first = np.concatenate(([0], np.cumsum(packets.flits)))

    def pass_line(arrival: Ints, server: Ints, order: Ints) -> Ints:
        return serve(
            line, config.flit_bytes, config.ports, packets.length, first, arrival, server, order
        )

    rows = np.arange(packets.cycle.size)
    taken = pass_line(np.repeat(packets.cycle, packets.flits), packets.source, rows)
    injected = taken[first[:-1]]
    given = pass_line(taken, packets.destination, np.lexsort((packets.source, injected)))
    return Ideal(injected=injected, departed=given[first[:-1]], completed=given[first[1:] - 1])


def flit_delay(
    config: SwitchConfig,
    packets: Packets,
    departed: Ints,
    completed: Ints,
    *,
    line: Line | None = None,
) -> NDArray[np.float64]:
    """Mean delay of the flits of each packet since its generation, in cycles.

    Not counted is what the line itself takes for the flits before it in the packet. The mean over
    a packet is taken to be that of its head and its tail. A real switch has its zero-load latency
    in it, the ideal none.
    """
    line = line or line_of(config)
    full = line.flit_cost + line.byte_cost * config.flit_bytes
    spread = (packets.flits > 1) * ((packets.flits - 1) * full + line.frame_cost) / line.gain
    return (departed + completed - spread) / 2 - packets.cycle


def uniform_wait(ports: int, load: float) -> float:
    """Mean wait of single flits in an ideal switch, in flit times, for uniform Bernoulli arrivals.

    Source: Karol, Hluchyj and Morgan, "Input versus output queueing on a space-division packet
    switch", IEEE Transactions on Communications 35(12), 1987.
    """
    return (ports - 1) / ports * load / (2 * (1 - load))
