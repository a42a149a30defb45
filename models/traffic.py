"""Traffic at the ports: packets, the sources that send them, the sinks that check them.

``packets`` or ``generate`` gives the table of what is sent; ``Sources`` turns it into AXI4-Stream
flits, cycle by cycle, and ``Sinks`` takes the flits that come out and holds them against the same
table. The payload is a function of source, destination, class, sequence number and place, so every
word is checked and none is stored. The classes wrap compiled functions (``sources_drive``,
``sources_taken``, ``sinks_drive``, ``sinks_taken``) that a compiled loop calls directly.
"""

from math import ceil
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from models.compiled import compiled, inner
from models.config import SwitchConfig
from models.packet import HEADER_BYTES
from models.parameters import Parameters, parameters
from models.record import records
from models.word import low_bits

__all__ = [
    "COLUMNS",
    "COUNTS",
    "FRAME_BYTES",
    "MIXES",
    "NEVER",
    "OVERHEAD_BYTES",
    "PATTERNS",
    "SCALE",
    "Line",
    "Packets",
    "SinkState",
    "Sinks",
    "SourceState",
    "Sources",
    "burst_of",
    "destinations",
    "flow_of",
    "generate",
    "line_of",
    "packet_cycles",
    "packets",
    "sinks_drive",
    "sinks_taken",
    "sizes_of",
    "sources_drive",
    "sources_released",
    "sources_taken",
]

Ints = NDArray[np.int64]

FRAME_BYTES = 20  # preamble and gap of an Ethernet frame
OVERHEAD_BYTES = 2 * HEADER_BYTES  # header, and the word with the sequence number of the flow
NEVER = 1 << 62  # generation cycle of a packet that is not released yet
SCALE = 1 << 16  # tokens per byte

PATTERNS = (
    "uniform",
    "quasi-diagonal",
    "log-diagonal",
    "diagonal",
    "permutation",
    "hotspot",
    "incast",
    "victim",
    "bursts",
)
MIXES = {  # name: ((flits, share of the packets), ...)
    "single": ((1, 1.0),),
    "eight": ((8, 1.0),),
    "even": ((1, 1 / 3), (4, 1 / 3), (33, 1 / 3)),
    "short": ((1, 0.5), (4, 0.3), (32, 0.2)),
}


class Line(NamedTuple):
    """Token bucket of a line, in 1/65536 byte.

    It earns ``gain`` a cycle. A flit moves while the level is 0 or more, and costs ``flit_cost +
    byte_cost * bytes``, the first of a packet ``frame_cost`` more. An idle line saves nothing but
    the fraction of a cycle. A busy one may save up to ``surplus``, because a short last flit takes
    less than a cycle of the line, and the fabric moves only one flit in a cycle.
    """

    gain: int
    surplus: int
    flit_cost: int
    byte_cost: int
    frame_cost: int


def line_of(config: SwitchConfig, *, shaped: bool = True, framed: bool | None = None) -> Line:
    """The line of one port.

    Parameters
    ----------
    config : SwitchConfig
        Its ``line_flits_per_cycle`` is the rate.
    shaped : bool
        False stands for one flit per cycle (fabric saturation).
    framed : bool or None
        A packet occupies its bytes and 20 more, as an Ethernet frame does, so that a short last
        flit takes less time than a full one. Otherwise each flit, full or not, takes the time of a
        full one. None frames if the configuration states a line rate in Gbit/s.
    """
    if framed is None:
        framed = config.line_gbps is not None and config.speedup is None
    flit = config.flit_bytes * SCALE
    if not shaped:
        return Line(gain=flit, surplus=0, flit_cost=flit, byte_cost=0, frame_cost=0)
    gain = int(config.line_flits_per_cycle * flit)
    if framed:
        frame = FRAME_BYTES * SCALE
        return Line(gain=gain, surplus=flit, flit_cost=0, byte_cost=SCALE, frame_cost=frame)
    return Line(gain=gain, surplus=0, flit_cost=flit, byte_cost=0, frame_cost=0)


COLUMNS = (
    "cycle source destination traffic_class length flits node sequence injected departed completed"
)


class Packets(NamedTuple):
    """One row per packet, sorted by source and in the order in which the source sends.

    Python sees the columns of ``rows`` as attributes; compiled code takes a row.

    Columns
    -------
    cycle : (packets,)
        Generated (or released) in this cycle; never decreases along the rows of a source, but that
        workloads release packets (till then ``NEVER``) in another order.
    source, destination, traffic_class : (packets,)
        Ports, and class.
    length, flits : (packets,)
        Bytes, header included; flits.
    node : (packets,)
        Step of a workload that it belongs to, or -1.
    sequence : (packets,)
        Place in its flow (source, destination, class), from 0.
    injected, departed, completed : (packets,)
        Cycle in which the switch took the head, gave the head, gave the tail; -1 before that.

    Fields
    ------
    rows : (packets,)
        Records of these columns: what is known of a packet lies together.
    first : (ports + 1,)
        Row of the first packet of each source.
    flow_first : (ports * queues + 1,)
        Place in ``flow_rows`` of the first packet of each flow ``source * queues + queue``.
    flow_rows : (packets,)
        Rows, flow by flow, in sequence.
    releases : (1,)
        How often a workload has released packets.
    """

    rows: NDArray[Any]
    first: Ints
    flow_first: Ints
    flow_rows: Ints
    releases: Ints

    def __getattr__(self, column: str) -> Ints:
        if column not in COLUMNS.split():
            raise AttributeError(column)
        return self.rows[column]


def packets(
    config: SwitchConfig,
    *,
    cycle: ArrayLike,
    source: ArrayLike,
    destination: ArrayLike,
    traffic_class: ArrayLike,
    length: ArrayLike,
    node: ArrayLike = -1,
) -> Packets:
    """The table of packets with these columns; scalars are repeated. Rows of one source keep
    their order.

    Raises
    ------
    ValueError
        If a value does not fit the configuration, or ``cycle`` decreases along a source.
    """
    columns = np.broadcast_arrays(
        *(
            np.asarray(column, dtype=np.int64)
            for column in (np.atleast_1d(source), cycle, destination, traffic_class, length, node)
        )
    )
    order = np.argsort(columns[0], kind="stable")
    source, cycle, destination, traffic_class, length, node = (c[order] for c in columns)
    for name, column, low, high in (
        ("source", source, 0, config.ports - 1),
        ("destination", destination, 0, config.ports - 1),
        ("traffic_class", traffic_class, 0, config.classes - 1),
        ("length", length, config.min_packet_bytes, config.max_packet_bytes),
    ):
        outside = column[(column < low) | (column > high)]
        if outside.size:
            raise ValueError(f"{name} must be {low} to {high}, not {outside[0]}")
    if np.any((np.diff(cycle) < 0) & (np.diff(source) == 0)):
        raise ValueError("cycle must not decrease along the packets of a source")
    flow = source * config.queues + destination * config.classes + traffic_class
    flow_rows = np.argsort(flow, kind="stable").astype(np.int64)
    flows = np.bincount(flow, minlength=config.ports * config.queues)
    flow_first = np.concatenate(([0], np.cumsum(flows))).astype(np.int64)
    sequence = np.empty_like(flow_rows)
    sequence[flow_rows] = np.arange(flow.size) - flow_first[flow[flow_rows]]
    ports = np.bincount(source, minlength=config.ports)
    rows = records(COLUMNS, cycle.size)
    for name, column in (
        ("cycle", cycle),
        ("source", source),
        ("destination", destination),
        ("traffic_class", traffic_class),
        ("length", length),
        ("flits", -(-length // config.flit_bytes)),
        ("node", node),
        ("sequence", sequence),
    ):
        rows[name] = column
    for name in ("injected", "departed", "completed"):
        rows[name] = -1
    return Packets(
        rows=rows,
        first=np.concatenate(([0], np.cumsum(ports))).astype(np.int64),
        flow_first=flow_first,
        flow_rows=flow_rows,
        releases=np.zeros(1, dtype=np.int64),
    )


def destinations(pattern: str, ports: int, seed: int = 0) -> NDArray[np.float64]:
    """Share of its traffic that each source (row) sends to each destination (column).

    ``uniform`` includes the own port. ``quasi-diagonal`` puts 1/2 on the own number and spreads
    the rest; ``log-diagonal`` halves from output to output; ``diagonal`` puts 2/3 and 1/3 on two.
    ``permutation`` gives each source its own destination (drawn from ``seed``). ``hotspot`` gives
    output 0 twice the share of any other. ``incast`` sends everything to output 0, which itself
    is silent: its row is zero. ``victim`` is incast, but source 1 sends half of its traffic to the
    last output, where nobody else sends. ``bursts`` is uniform, see ``generate``.

    Raises
    ------
    ValueError
        If there is no such pattern.
    """
    identity = np.eye(ports)
    match pattern:
        case "uniform" | "bursts":
            matrix = np.ones((ports, ports))
        case "quasi-diagonal":
            matrix = 1 + (ports - 2) * identity
        case "log-diagonal":
            matrix = np.array([np.roll(0.5 ** np.arange(ports), n) for n in range(ports)])
        case "diagonal":
            matrix = 2 * identity + np.roll(identity, 1, axis=1)
        case "permutation":
            matrix = identity[np.random.default_rng(seed).permutation(ports)]
        case "hotspot":
            matrix = np.ones((ports, ports)) + np.eye(1, ports)
        case "incast" | "victim":
            matrix = np.repeat(np.eye(1, ports), ports, axis=0)
            matrix[0] = 0
            if pattern == "victim":
                matrix[1, -1] = 1
        case _:
            raise ValueError(f"pattern must be one of {', '.join(PATTERNS)}, not {pattern!r}")
    total = matrix.sum(axis=1, keepdims=True)
    return np.divide(matrix, total, out=np.zeros_like(matrix), where=total > 0)


def generate(
    config: SwitchConfig,
    *,
    cycles: int,
    load: float,
    pattern: str = "uniform",
    mix: str | int = "single",
    burst: float | None = None,
    class_shares: tuple[float, ...] = (1.0,),
    seed: int = 0,
    line: Line | None = None,
) -> Packets:
    """Random arrivals at all ports, reproducible from ``seed``.

    A source alternates: packets back to back at the rate of its line, then idle for a geometric
    number of flit times, so that the line is busy for ``load`` of the time. With single flits and
    no bursts that is a Bernoulli process.

    Parameters
    ----------
    cycles : int
        Packets are generated in cycles 0 to ``cycles - 1``.
    load : float
        Part of the line rate that each source offers, above 0, at most 1.
    pattern : str
        One of ``PATTERNS``.
    mix : str or int
        One of ``MIXES``, or the bytes of every packet. Sizes of a mix are full flits, brought
        into ``min_packet_bytes`` .. ``max_packet_bytes``.
    burst : float or None
        Mean packets (geometric) of one burst; all go to one destination in one class. None stands
        for 16 with ``bursts``, else 1.
    class_shares : tuple of float
        Share of the bursts in class 0, 1, ...; sum 1.
    line : Line or None
        None stands for ``line_of(config)``.

    Raises
    ------
    ValueError
        If an argument has a value that is not listed here.
    """
    if not 0 < load <= 1:
        raise ValueError(f"load must be above 0, at most 1, not {load}")
    burst = burst_of(config, pattern, burst, class_shares)
    line = line or line_of(config)
    sizes, shares = sizes_of(config, mix)
    times = np.array([packet_cycles(config, line, int(size)) for size in sizes])
    slot = (line.flit_cost + line.byte_cost * config.flit_bytes) / line.gain
    busy = burst * (times @ shares)
    end_of_gap = 1 / (1 + busy / slot * (1 - load) / load)
    matrix = destinations(pattern, config.ports, seed)

    columns = []
    for source in np.flatnonzero(matrix.sum(axis=1)):
        rng = np.random.default_rng([seed, int(source)])
        starts, chosen, targets, classes, now = [], [], [], [], rng.random() * times[0]
        while not starts or now < cycles:  # in pieces, until the time is full
            count = ceil(max(0, cycles - now) / busy * load) + 16
            sent = rng.geometric(1 / burst, count)
            of_burst = np.repeat(np.arange(count), sent)
            size = rng.choice(sizes.size, of_burst.size, p=shares)
            gap = np.zeros(of_burst.size)
            gap[np.cumsum(sent) - 1] = (rng.geometric(end_of_gap, count) - 1) * slot
            ends = now + np.cumsum(times[size] + gap)
            starts.append(np.concatenate(([now], ends[:-1])))
            chosen.append(size)
            targets.append(rng.choice(config.ports, count, p=matrix[source])[of_burst])
            classes.append(rng.choice(len(class_shares), count, p=class_shares)[of_burst])
            now = ends[-1]
        cycle = np.concatenate(starts).astype(np.int64)
        kept = cycle < cycles
        columns.append(
            [c[kept] for c in (cycle, np.full(cycle.size, source))]
            + [np.concatenate(c)[kept] for c in (targets, classes, chosen)]
        )
    cycle, source, target, traffic_class, size = map(np.concatenate, zip(*columns, strict=True))
    return packets(
        config,
        cycle=cycle,
        source=source,
        destination=target,
        traffic_class=traffic_class,
        length=sizes[size],
    )


def burst_of(
    config: SwitchConfig, pattern: str, burst: float | None, class_shares: tuple[float, ...]
) -> float:
    """Mean packets of a burst, see ``generate``, if that and ``class_shares`` can be."""
    if burst is None:
        burst = 16 if pattern == "bursts" else 1
    if burst < 1:
        raise ValueError(f"burst must be 1 or more packets, not {burst}")
    if len(class_shares) > config.classes or abs(sum(class_shares) - 1) > 1e-9:
        raise ValueError(
            f"class_shares must be at most {config.classes} shares of sum 1, not {class_shares}"
        )
    return burst


def sizes_of(config: SwitchConfig, mix: str | int) -> tuple[Ints, NDArray[np.float64]]:
    """Bytes of the packets of ``mix``, see ``generate``, and the share of each size."""
    if not isinstance(mix, str):
        return np.array([mix], dtype=np.int64), np.ones(1)
    if mix not in MIXES:
        raise ValueError(f"mix must be one of {', '.join(MIXES)} or bytes, not {mix!r}")
    flits, shares = np.array(MIXES[mix]).T
    sizes = np.clip(flits * config.flit_bytes, config.min_packet_bytes, config.max_packet_bytes)
    return sizes.astype(np.int64), shares


def packet_cycles(config: SwitchConfig, line: Line, length: int) -> float:
    """Cycles that a packet of ``length`` bytes takes on the line."""
    flits = ceil(length / config.flit_bytes)
    return (flits * line.flit_cost + length * line.byte_cost + line.frame_cost) / line.gain


@inner
def line_level(line, tokens, moved):
    """Tokens in the next cycle; ``moved``: a flit was taken in this one."""
    return min(tokens + line.gain, line.gain - 1 + (line.surplus if moved else 0))


@inner
def flit_cost(line, bytes_, first):
    """Tokens that a flit of ``bytes_`` costs."""
    return line.flit_cost + line.byte_cost * bytes_ + (line.frame_cost if first else 0)


@inner
def flow_of(p, packet):
    """Flow of a packet: ``source * queues + queue``."""
    return packet.source * p.queues + packet.destination * p.classes + packet.traffic_class


@inner
def header_word(packet):
    """First word of a packet, see ``models.packet``: unicast in partition 0."""
    return (
        packet.destination | packet.source << 16 | packet.length << 32 | packet.traffic_class << 48
    )


@inner
def payload_word(flow, sequence, index):
    """Word ``index`` (2 and up) of a packet: a mix in which every bit of the arguments counts."""
    word = flow * 0x1D8E4E27C47D124F + sequence * 0x2545F4914F6CDD1D + index * 0x369DEA0F31A53F85
    word ^= word >> 31
    word *= 0x5851F42D4C957F2D
    return word ^ word >> 29


@inner
def packet_word(p, packet, index):
    """Word ``index`` of a packet."""
    if index == 0:
        return header_word(packet)
    if index == 1:
        return packet.sequence
    return payload_word(flow_of(p, packet), packet.sequence, index)


class SourceState(NamedTuple):
    """Where each source is.

    Fields
    ------
    oldest : (ports,)
        No earlier row of the source is unsent.
    looked : (ports,)
        ``releases`` of the packets when nothing that was released was left to send, else -1.
    sent : (ports * queues,)
        Packets of each flow that were begun.
    active, flit : (ports,)
        Row under way or -1, and the flit of it that is shown next.
    tokens : (ports,)
        Level of the token bucket.
    valid, moved : (ports,)
        A flit is shown in this cycle; one was taken in the last.
    outstanding : (ports * queues,)
        Flits sent into each queue (or about to be, up to the end of the packet), not released yet.
    packets, flits, bytes, spent : (ports,)
        Taken by the switch so far: whole packets, flits, bytes of the packets, tokens for the line.
    """

    oldest: Ints
    looked: Ints
    sent: Ints
    active: Ints
    flit: Ints
    tokens: Ints
    valid: Ints
    moved: Ints
    outstanding: Ints
    packets: Ints
    flits: Ints
    bytes: Ints
    spent: Ints


@inner
def source_pick(p, packets, state, limit, cycle, n):
    """Row that source ``n`` begins now, or -1: the oldest that its share lets through."""
    oldest, end = state.oldest[n], packets.first[n + 1]
    rows = packets.rows
    while oldest < end and rows[oldest].sequence < state.sent[flow_of(p, rows[oldest])]:
        oldest += 1
    state.oldest[n] = oldest
    if oldest == end:
        return -1
    packet = rows[oldest]
    if packet.cycle > cycle:
        # In a workload, a later step of another flow may be ahead.
        if packet.cycle != NEVER or state.looked[n] == packets.releases[0]:
            return -1
    elif limit == 0:
        return oldest
    else:
        if state.outstanding[flow_of(p, packet)] + packet.flits <= limit:
            return oldest
    pick, waiting = -1, False
    for flow in range(n * p.queues, (n + 1) * p.queues):
        place = packets.flow_first[flow] + state.sent[flow]
        if place < packets.flow_first[flow + 1]:
            row = packets.flow_rows[place]
            if rows[row].cycle <= cycle and (pick < 0 or row < pick):
                if limit == 0 or state.outstanding[flow] + rows[row].flits <= limit:
                    pick = row
                else:
                    waiting = True
    state.looked[n] = -1 if waiting or pick >= 0 else packets.releases[0]
    return pick


@compiled
def sources_drive(p, line, packets, state, limit, cycle, valid, data, keep, last, user):
    """Show what each source sends in this cycle; call once per cycle."""
    for n in range(p.ports):
        state.tokens[n] = line_level(line, state.tokens[n], state.moved[n])
        if state.active[n] < 0 and state.tokens[n] >= 0:
            row = source_pick(p, packets, state, limit, cycle, n)
            if row >= 0:
                flow = flow_of(p, packets.rows[row])
                state.sent[flow] += 1
                state.outstanding[flow] += packets.rows[row].flits
                state.active[n] = row
                state.flit[n] = 0
        valid[n] = state.valid[n] = state.active[n] >= 0 and state.tokens[n] >= 0
        if valid[n]:
            packet = packets.rows[state.active[n]]
            first = state.flit[n] * p.words
            size = packet.length - state.flit[n] * p.flit_bytes
            for w in range(p.words):
                word = packet_word(p, packet, first + w)
                data[n, w] = word & low_bits(8 * (size - 8 * w))
            for w in range(keep.shape[1]):
                keep[n, w] = low_bits(min(size, p.flit_bytes) - 64 * w)
            last[n] = size <= p.flit_bytes
            user[n] = 0


@compiled
def sources_taken(p, line, packets, state, cycle, ready):
    """Clock edge of the sources: a flit that was shown is gone where ``ready`` was high."""
    for n in range(p.ports):
        state.moved[n] = state.valid[n] and ready[n]
        if state.moved[n]:
            packet = packets.rows[state.active[n]]
            first = state.flit[n] == 0
            if first:
                packet.injected = cycle
            size = min(packet.length - state.flit[n] * p.flit_bytes, p.flit_bytes)
            cost = flit_cost(line, size, first)
            state.tokens[n] -= cost
            state.spent[n] += cost
            state.flits[n] += 1
            state.flit[n] += 1
            if state.flit[n] == packet.flits:
                state.packets[n] += 1
                state.bytes[n] += packet.length
                state.active[n] = -1


@compiled
def sources_released(p, state, valid, output, traffic_class):
    """Give back the flit that the switch has released, per port."""
    for n in range(p.ports):
        if valid[n]:
            queue = output[n] * p.classes + traffic_class[n]
            state.outstanding[n * p.queues + queue] -= 1


class Sources:
    """Send the packets of a table into the ports.

    A source has an infinite queue: a packet waits from its generation until the line has time for
    it. Without shares the queue is one FIFO. With shares a packet is sent only if the flits of its
    switch queue that are not released stay within ``limit``, and meanwhile the oldest packet of
    another queue goes first. So it does while a workload has not released the oldest packet. A flit
    is shown until it is taken.

    Parameters
    ----------
    packets : Packets
        ``injected`` is filled in.
    line : Line or None
        None stands for ``line_of(config)``. A window of T cycles never takes more than the line
        brings in T cycles, one flit (with its frame) and ``Line.surplus``.
    limit : int
        Share of each queue, in flits (``config.limit``); 0 ignores shares.
    """

    def __init__(
        self,
        config: SwitchConfig,
        packets: Packets,
        *,
        line: Line | None = None,
        limit: int = 0,
    ):
        if limit and limit < config.max_packet_flits:
            raise ValueError(f"limit must be 0 or {config.max_packet_flits} or more, not {limit}")
        self.parameters: Parameters = parameters(config)
        self.line = line or line_of(config)
        self.packets = packets
        self.limit = limit
        ports, flows = config.ports, config.ports * config.queues
        shapes = {"sent": flows, "outstanding": flows}
        self.state = SourceState(
            **{f: np.zeros(shapes.get(f, ports), dtype=np.int64) for f in SourceState._fields}
        )
        self.state.oldest[:] = packets.first[:-1]
        self.state.active[:] = -1
        self.state.looked[:] = -1

    def drive(
        self, cycle: int, valid: Ints, data: Ints, keep: Ints, last: Ints, user: Ints
    ) -> None:
        """Write what is shown in ``cycle``; payload is written only where valid.

        Shapes: valid, last, user (ports,); data (ports, words) and keep (ports, words of keep) in
        64-bit words, low word first.
        """
        sources_drive(
            self.parameters, self.line, self.packets, self.state, self.limit, cycle, valid, data,
            keep, last, user,
        )  # fmt: skip

    def taken(self, cycle: int, ready: Ints) -> None:
        """Clock edge; ``ready`` (ports,) is what the switch answered in ``cycle``."""
        sources_taken(self.parameters, self.line, self.packets, self.state, cycle, ready)

    def released(self, valid: Ints, output: Ints, traffic_class: Ints) -> None:
        """Take note of room that the switch gave back; all (ports,)."""
        sources_released(self.parameters, self.state, valid, output, traffic_class)

    @property
    def done(self) -> bool:
        """All packets of the table are in the switch."""
        return int(self.state.packets.sum()) == self.packets.cycle.size


class SinkState(NamedTuple):
    """Where each sink is, and what it has seen.

    Fields
    ------
    tokens, ready, moved : (ports,)
        Level of the token bucket; what is shown in this cycle; a flit was taken in the last.
    blocked : (ports,)
        Set to 1 by the user: never ready.
    repeats : (ports,)
        What is errored comes again.
    chance : (ports,)
        Ready with this probability, in 1/2^31, when the line has time.
    random : (ports,)
        State of the random numbers.
    header, flow, row, flit, head : (ports,)
        Packet under way: first word, flow or -1, row or -1, flits seen, cycle of the head.
    wrong : (ports,)
        The packet under way differs from what was sent.
    expected : (ports * queues,)
        Sequence number that comes next in each flow.
    remaining : (nodes,)
        Packets of each workload step that are not delivered yet.
    finished, finishes : (nodes,), (1,)
        Steps in the order in which they were delivered, and how many.
    spent : (ports,)
        Tokens for the line so far.
    counts : (ports, len(COUNTS))
        Columns as in ``COUNTS``.
    """

    tokens: Ints
    ready: Ints
    moved: Ints
    blocked: Ints
    repeats: Ints
    chance: Ints
    random: Ints
    header: Ints
    flow: Ints
    row: Ints
    flit: Ints
    head: Ints
    wrong: Ints
    expected: Ints
    remaining: Ints
    finished: Ints
    finishes: Ints
    spent: Ints
    counts: Ints


COUNTS = (
    "delivered",
    "errored",
    "corrupted",
    "reordered",
    "duplicated",
    "marked",
    "flits",
    "bytes",
)
DELIVERED, ERRORED, CORRUPTED, REORDERED, DUPLICATED, MARKED, FLITS, BYTES = range(len(COUNTS))


@compiled
def sinks_drive(p, line, state, ready):
    """Show whether each sink takes a flit in this cycle; call once per cycle."""
    for n in range(p.ports):
        state.tokens[n] = line_level(line, state.tokens[n], state.moved[n])
        willing = state.tokens[n] >= 0 and state.blocked[n] == 0
        if willing and state.chance[n] < 1 << 31:
            state.random[n] = state.random[n] * 0x5851F42D4C957F2D + 0x14057B7EF767814F
            willing = (state.random[n] >> 32 & 0x7FFFFFFF) < state.chance[n]
        ready[n] = state.ready[n] = willing


@inner
def sink_head(p, packets, state, n, header):
    """A packet begins at sink ``n`` with this first word: which flow is it of?"""
    destination, source = header & 0xFFFF, header >> 16 & 0xFFFF
    traffic_class = header >> 48 & 0xF
    state.header[n] = header
    state.row[n] = -1
    state.flow[n] = -1
    state.wrong[n] = destination != n or source >= p.ports or traffic_class >= p.classes
    if not state.wrong[n]:
        flow = source * p.queues + n * p.classes + traffic_class
        state.flow[n] = flow
        if (header >> 32 & 0xFFFF) < OVERHEAD_BYTES:  # no room for a whole sequence number
            sink_sequence(packets, state, n, state.expected[flow])


@inner
def sink_sequence(packets, state, n, sequence):
    """The packet under way at sink ``n`` has this sequence number: which row is it?"""
    flow = state.flow[n]
    if 0 <= sequence < packets.flow_first[flow + 1] - packets.flow_first[flow]:
        row = packets.flow_rows[packets.flow_first[flow] + sequence]
        if packets.rows[row].injected >= 0:
            state.row[n] = row
            state.wrong[n] |= state.header[n] != header_word(packets.rows[row])


@inner
def sink_tail(packets, state, n, cycle, user):
    """A packet has ended at sink ``n``: count it."""
    flow, row = state.flow[n], state.row[n]
    packet = packets.rows[row]  # if there is one
    if user & 1:
        state.counts[n, ERRORED] += 1
        if row >= 0 and not state.repeats[n]:
            state.expected[flow] = max(state.expected[flow], packet.sequence + 1)
    elif row < 0 or state.wrong[n] or state.flit[n] != packet.flits:
        state.counts[n, CORRUPTED] += 1
    elif packet.completed >= 0:
        state.counts[n, DUPLICATED] += 1
    else:
        if packet.sequence < state.expected[flow]:
            state.counts[n, REORDERED] += 1
        state.expected[flow] = max(state.expected[flow], packet.sequence + 1)
        packet.departed = state.head[n]
        packet.completed = cycle
        state.counts[n, DELIVERED] += 1
        state.counts[n, BYTES] += packet.length
        state.counts[n, MARKED] += user >> 1 & 1
        if packet.node >= 0:
            state.remaining[packet.node] -= 1
            if state.remaining[packet.node] == 0:
                state.finished[state.finishes[0]] = packet.node
                state.finishes[0] += 1
    state.flit[n] = 0


@compiled
def sinks_taken(p, line, packets, state, cycle, valid, data, keep, last, user):
    """Clock edge of the sinks: take and check the flit where ``valid`` met ready."""
    for n in range(p.ports):
        state.moved[n] = valid[n] and state.ready[n]
        if not state.moved[n]:
            continue
        first = state.flit[n] == 0
        if first:
            sink_head(p, packets, state, n, data[n, 0])
            state.head[n] = cycle
        start = state.flit[n] * p.words
        if start <= 1 < start + p.words and state.flow[n] >= 0 and state.row[n] < 0:
            sink_sequence(packets, state, n, data[n, 1 - start])
        row = state.row[n]
        size = p.flit_bytes
        if row >= 0:
            size = packets.rows[row].length - state.flit[n] * p.flit_bytes
        if not user[n] & 1:  # a broken end is not worth a look
            wrong = row >= 0 and last[n] != (size <= p.flit_bytes)
            if row >= 0:
                for w in range(p.words):
                    word = packet_word(p, packets.rows[row], start + w)
                    wrong |= (data[n, w] ^ word) & low_bits(8 * (size - 8 * w)) != 0
            for w in range(keep.shape[1]):
                wrong |= keep[n, w] != low_bits(min(size, p.flit_bytes) - 64 * w)
            state.wrong[n] |= wrong
        cost = flit_cost(line, max(min(size, p.flit_bytes), 0), first)
        state.tokens[n] -= cost
        state.spent[n] += cost
        state.flit[n] += 1
        state.counts[n, FLITS] += 1
        if last[n]:
            sink_tail(packets, state, n, cycle, user[n])


class Sinks:
    """Take what comes out of the ports and hold it against the table of packets.

    A packet is *delivered* if every byte, ``keep`` and ``last`` are as sent and ``user[0]`` is low;
    *errored* if it ends with ``user[0]``; *corrupted* if it differs and nothing says so, or is at
    the wrong port; *reordered* (and delivered) if a later one of its flow came before it;
    *duplicated* if it was delivered already. What is missing at the end of a drained run is lost.

    Parameters
    ----------
    packets : Packets
        ``departed`` and ``completed`` are filled in.
    line : Line or None
        None stands for ``line_of(config)``.
    ready : float
        Probability of ``ready`` in a cycle in which the line has time.
    repeats : bool
        What is errored comes again, as it does from a link: it is not overtaken by what follows.
    """

    def __init__(
        self,
        config: SwitchConfig,
        packets: Packets,
        *,
        line: Line | None = None,
        ready: float = 1.0,
        repeats: bool = False,
        seed: int = 0,
    ):
        if not 0 < ready <= 1:
            raise ValueError(f"ready must be above 0, at most 1, not {ready}")
        self.parameters: Parameters = parameters(config)
        self.line = line or line_of(config)
        self.packets = packets
        remaining = np.bincount(packets.node[packets.node >= 0]).astype(np.int64)
        shapes = {
            "expected": config.ports * config.queues,
            "remaining": remaining.size,
            "finished": remaining.size,
            "finishes": 1,
            "counts": (config.ports, len(COUNTS)),
        }
        self.state = SinkState(
            **{f: np.zeros(shapes.get(f, config.ports), np.int64) for f in SinkState._fields}
        )
        self.state.remaining[:] = remaining
        self.state.repeats[:] = repeats
        self.state.chance[:] = round(ready * (1 << 31))
        self.state.random[:] = np.random.default_rng([seed, 1]).integers(1 << 62, size=config.ports)

    def drive(self, cycle: int, ready: Ints) -> None:
        """Write what is shown in ``cycle``; ``ready`` is (ports,)."""
        sinks_drive(self.parameters, self.line, self.state, ready)

    def taken(
        self, cycle: int, valid: Ints, data: Ints, keep: Ints, last: Ints, user: Ints
    ) -> None:
        """Clock edge; shapes as in ``Sources.drive``."""
        sinks_taken(
            self.parameters, self.line, self.packets, self.state, cycle, valid, data, keep, last,
            user,
        )  # fmt: skip

    def block(self, port: int, blocked: bool = True) -> None:
        """Stop the sink of ``port``, or let it go on."""
        self.state.blocked[port] = blocked

    def totals(self) -> dict[str, int]:
        """Sum over the ports of each count in ``COUNTS``."""
        return dict(zip(COUNTS, self.state.counts.sum(axis=0).tolist(), strict=True))

    def lost(self, *, dropped: int = 0, drained: bool = True) -> int:
        """Packets that the switch took and that nothing accounts for.

        Not ``drained``: only those behind which a later one of their flow has come out.
        """
        table = self.packets
        flow = (
            table.source * self.parameters.queues
            + table.destination * self.parameters.classes
            + table.traffic_class
        )
        missing = (table.injected >= 0) & (table.completed < 0)
        if not drained:
            missing &= table.sequence < self.state.expected[flow]
        totals = self.totals()
        return max(0, int(missing.sum()) - dropped - totals["errored"] - totals["corrupted"])

    def delays(self, since: str = "cycle", warmup: int = 0) -> Ints:
        """Head-out delay of every delivered packet, in cycles.

        ``since`` is ``cycle`` (generation, so waiting in the source counts) or ``injected``;
        packets generated before cycle ``warmup`` are left out.
        """
        seen = (self.packets.completed >= 0) & (self.packets.cycle >= warmup)
        return (self.packets.departed - getattr(self.packets, since))[seen]
