"""Requests and responses: each port keeps so many requests unanswered, and generates no more.

``Exchange`` draws what each port will ask for, and gives the table of packets that ``Sources`` and
``Sinks`` share; ``exchange_step`` fills in its rows, in the cycle in which each is generated. A
port generates its next request in the cycle after a response has come, whichever that is; so it has
``outstanding`` of them all the time. Whoever gets a request generates the response in the cycle
after, or ``service`` cycles later: any number of requests is served at the same time.

A response travels in the class of its request. Sinks never wait for sources, so responses that wait
behind requests, in the same class, cannot stop the switch.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.compiled import compiled, inner
from models.config import SwitchConfig
from models.parameters import Parameters, parameters
from models.record import records
from models.traffic import (
    COLUMNS,
    NEVER,
    Line,
    Packets,
    burst_of,
    destinations,
    flow_of,
    line_of,
    packet_cycles,
    packets,
    sizes_of,
)

__all__ = ["IDLE", "Exchange", "ExchangeState", "RoundTrips", "exchange_begin", "exchange_step"]

Ints = NDArray[np.int64]


class ExchangeState(NamedTuple):
    """What will be asked for, and how far that is; requests are numbered, port by port.

    Fields
    ------
    rules : (3,)
        Requests outstanding per port (0: there is no exchange); cycles of service; the cycle from
        which on no request is generated.
    first : (ports + 1,)
        Number of the first request of each port.
    target, traffic_class, length, answer : (requests,)
        Port and class of each, bytes of the request, bytes of the response.
    issued : (ports,)
        Requests that each port has generated.
    request, response : (requests,)
        Rows of the table, or -1 as long as that packet is not generated.
    number : (rows,)
        Request that each row belongs to, or -1.
    filled : (ports,)
        Row that each source fills next.
    appended : (ports * queues,)
        Rows of each flow that are filled.
    served, counts : (requests,), (3,)
        Requests in the order of their delivery; how many were delivered, how many responses were
        generated, how many came back.
    """

    rules: Ints
    first: Ints
    target: Ints
    traffic_class: Ints
    length: Ints
    answer: Ints
    issued: Ints
    request: Ints
    response: Ints
    number: Ints
    filled: Ints
    appended: Ints
    served: Ints
    counts: Ints


IDLE = ExchangeState(*(np.zeros(3, dtype=np.int64) for _ in ExchangeState._fields))
DELIVERED, ANSWERED, RETURNED = range(3)


class RoundTrips(NamedTuple):
    """Of the requests that were answered, in no order.

    Fields
    ------
    start, end : (requests,)
        Cycle in which the request was generated, and the cycle after the tail of its response:
        the first in which the port may have another one in its place.
    """

    start: Ints
    end: Ints


@inner
def append(p, packets, state, source, destination, number, length, cycle):
    """Generate a packet in ``cycle``: fill the next row of ``source``, and return which it is."""
    row = state.filled[source]
    state.filled[source] += 1
    state.number[row] = number
    packet = packets.rows[row]
    packet.cycle = cycle
    packet.destination = destination
    packet.traffic_class = state.traffic_class[number]
    packet.length = length
    packet.flits = (length + p.flit_bytes - 1) // p.flit_bytes
    flow = flow_of(p, packet)
    packet.sequence = state.appended[flow]
    packets.flow_rows[packets.flow_first[flow] + state.appended[flow]] = row
    state.appended[flow] += 1
    return row


@inner
def ask(p, packets, state, n, cycle):
    """Port ``n`` generates its next request in ``cycle``, if it is not too late."""
    number = state.first[n] + state.issued[n]
    if cycle < state.rules[2] and number < state.first[n + 1]:
        state.issued[n] += 1
        target, length = state.target[number], state.length[number]
        state.request[number] = append(p, packets, state, n, target, number, length, cycle)


@compiled
def exchange_begin(p, packets, state):
    """Every port generates in cycle 0 what it may."""
    for n in range(p.ports):
        for _ in range(state.rules[0]):
            ask(p, packets, state, n, 0)


@compiled
def exchange_step(p, packets, state, sink, cycle):
    """Generate for ``cycle + 1`` what deliveries and servers of ``cycle`` let go.

    To be called in every cycle, after ``sinks_taken``; ``sink`` is its ``SinkState``.
    """
    for n in range(p.ports):
        row = sink.row[n]
        if sink.moved[n] and row >= 0 and packets.rows[row].completed == cycle:
            number = state.number[row]
            if row == state.request[number]:
                state.served[state.counts[DELIVERED]] = number
                state.counts[DELIVERED] += 1
            else:
                state.counts[RETURNED] += 1
                ask(p, packets, state, n, cycle + 1)
    # All are served for the same time, so in the order of their delivery.
    while state.counts[ANSWERED] < state.counts[DELIVERED]:
        number = state.served[state.counts[ANSWERED]]
        request = packets.rows[state.request[number]]
        if request.completed + state.rules[1] > cycle:
            break
        state.counts[ANSWERED] += 1
        server, asker = request.destination, request.source
        length = state.answer[number]
        state.response[number] = append(p, packets, state, server, asker, number, length, cycle + 1)


class Exchange:
    """Requests of all ports, their responses, and how far that has come.

    Parameters
    ----------
    outstanding : int
        Requests that each port keeps unanswered, 1 or more.
    service : int
        Cycles from the delivery of a request to its response, beyond the one that it takes anyway.
    cycles : int
        Requests are generated in cycles 0 to ``cycles - 1``.
    pattern, burst, class_shares, seed, line
        Whom each port asks, as in ``models.traffic.generate``; a burst is of requests. A port that
        sends nothing in ``pattern`` asks nobody.
    mix, response : str or int
        Sizes of requests and of responses, as ``mix`` in ``generate``.

    Raises
    ------
    ValueError
        If an argument has a value that is not listed here.

    Attributes
    ----------
    packets : Packets
        Room for all packets; ``cycle`` is ``NEVER``, and nothing else is known, until one is
        generated. To be read with ``sent``.
    """

    def __init__(
        self,
        config: SwitchConfig,
        *,
        outstanding: int,
        service: int = 0,
        cycles: int,
        pattern: str = "uniform",
        mix: str | int = "single",
        response: str | int = "single",
        burst: float | None = None,
        class_shares: tuple[float, ...] = (1.0,),
        seed: int = 0,
        line: Line | None = None,
    ):
        if outstanding < 1:
            raise ValueError(f"outstanding must be 1 or more requests, not {outstanding}")
        if service < 0:
            raise ValueError(f"service must be 0 or more cycles, not {service}")
        burst = burst_of(config, pattern, burst, class_shares)
        line = line or line_of(config)
        self.config = config
        asked, answered = sizes_of(config, mix), sizes_of(config, response)
        # No port generates more: its responses would not fit on its line, or come too soon.
        shortest = min(packet_cycles(config, line, int(size)) for size in answered[0])
        quickest = 2 * (config.latency + 1) + service
        most = min(outstanding * (cycles // quickest + 1), outstanding + int(cycles / shortest) + 2)
        matrix = destinations(pattern, config.ports, seed)
        askers = np.flatnonzero(matrix.sum(axis=1))
        columns = []
        for source in askers:
            rng = np.random.default_rng([seed, int(source)])
            sent = rng.geometric(1 / burst, most)
            of_burst = np.repeat(np.arange(most), sent)[:most]
            columns.append(
                (
                    rng.choice(config.ports, most, p=matrix[source])[of_burst],
                    rng.choice(len(class_shares), most, p=class_shares)[of_burst],
                    rng.choice(asked[0], most, p=asked[1]),
                    rng.choice(answered[0], most, p=answered[1]),
                )
            )
        target, traffic_class, length, answer = (
            np.concatenate(column) for column in zip(*columns, strict=True)
        )
        counts = np.zeros(config.ports, dtype=np.int64)
        counts[askers] = most
        asker = np.repeat(askers, most)
        rows = counts + np.bincount(target, minlength=config.ports)
        flows = np.zeros(config.ports * config.queues, dtype=np.int64)
        for source, destination in ((asker, target), (target, asker)):
            flow = source * config.queues + destination * config.classes + traffic_class
            flows += np.bincount(flow, minlength=flows.size)
        self.packets = room(rows, flows)
        self.parameters: Parameters = parameters(config)
        requests, first = target.size, self.packets.first
        self.state = ExchangeState(
            rules=np.array([outstanding, service, cycles], dtype=np.int64),
            first=starts(counts),
            target=target.astype(np.int64),
            traffic_class=traffic_class.astype(np.int64),
            length=length.astype(np.int64),
            answer=answer.astype(np.int64),
            issued=np.zeros(config.ports, dtype=np.int64),
            request=np.full(requests, -1, dtype=np.int64),
            response=np.full(requests, -1, dtype=np.int64),
            number=np.full(first[-1], -1, dtype=np.int64),
            filled=first[:-1].copy(),
            appended=np.zeros(flows.size, dtype=np.int64),
            served=np.zeros(requests, dtype=np.int64),
            counts=np.zeros(3, dtype=np.int64),
        )
        exchange_begin(self.parameters, self.packets, self.state)

    @property
    def done(self) -> bool:
        """Every request that was generated has its response."""
        return int(self.state.issued.sum()) == int(self.state.counts[RETURNED])

    def sent(self) -> Packets:
        """The table of the packets that were generated so far, and of no others."""
        table = self.packets
        known = table.cycle < NEVER
        columns = ("cycle", "source", "destination", "traffic_class", "length")
        found = packets(self.config, **{name: getattr(table, name)[known] for name in columns})
        for name in ("injected", "departed", "completed"):
            getattr(found, name)[:] = getattr(table, name)[known]
        return found

    def round_trips(self) -> RoundTrips:
        """Of all requests whose response has come."""
        table, state = self.packets, self.state
        request, response = state.request[state.response >= 0], state.response[state.response >= 0]
        back = table.completed[response] >= 0
        return RoundTrips(table.cycle[request[back]], table.completed[response[back]] + 1)


def room(rows: Ints, flows: Ints) -> Packets:
    """A table with so many ``rows`` of each source, and places of each flow, none of them filled.

    One more row, of no source, is never generated: places of flows that are not filled show it.
    """
    first = starts(rows)
    count = int(first[-1]) + 1
    table = records(COLUMNS, count)
    table["source"][:-1] = np.repeat(np.arange(rows.size), rows)
    for name in ("cycle", "sequence"):
        table[name] = NEVER
    for name in ("node", "injected", "departed", "completed"):
        table[name] = -1
    return Packets(
        rows=table,
        first=first,
        flow_first=starts(flows),
        flow_rows=np.full(int(flows.sum()), count - 1, dtype=np.int64),
        releases=np.zeros(1, dtype=np.int64),
    )


def starts(counts: Ints) -> Ints:
    """Where each of so many begins, one after another, and the end."""
    return np.concatenate(([0], np.cumsum(counts))).astype(np.int64)
