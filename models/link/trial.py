"""Two ends of a link and the cable between them, packets both ways: the model as its test bed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.channel import ChannelModel, channel_clock, channel_outputs
from models.compiled import compiled, inner
from models.config import SwitchConfig
from models.lines import Cable, Harm, check_lines
from models.link.config import DownPolicy, LinkConfig
from models.link.link import LinkModel, link_clock, link_outputs, move
from models.link.reader import Reader, reader_clock, reader_drive
from models.link.theory import error_free, go_back_n
from models.link.wire import (
    COUNTED,
    CREDIT_BITS,
    CREDIT_COUNTER_BITS,
    CREDIT_TIMER_BITS,
    credits_of,
)
from models.record import flat
from models.serdes.config import LanesConfig
from models.serdes.multilane_pcs import (
    MultilanePcsModel,
    multilane_pcs_clock,
    multilane_pcs_outputs,
    pcs_of_links,
)
from models.traffic import (
    Sinks,
    Sources,
    line_of,
    packets,
    sinks_drive,
    sinks_taken,
    sources_drive,
    sources_taken,
)

__all__ = ["LinkRun", "LinkTrial", "link_drive", "link_settle"]

START = 8  # cycle of the first packet: in the first ones of all retry is off
SMALLEST = 16  # bytes of a packet with room for its sequence number
MOST_FRAMES = 10_000_000  # some 200 bytes of memory each
LAST_CYCLE = 1_000_000_000
LOST, DISCARDED = COUNTED.index("lost"), COUNTED.index("tx_discard")
MOST_CLASSES = 16
CHUNK = 1 << 12  # cycles between two looks at whether all has come


@dataclass(frozen=True, kw_only=True)
class LinkTrial:
    """What is to be run; wrong values raise ``ValueError``.

    Parameters
    ----------
    config : LinkConfig
        Both ends.
    frames : int
        Packets each way, as fast as the link takes them.
    sizes : tuple of int
        Bytes of a packet, each as likely as the others; 16 or more, so that it has room for its
        number.
    ber, burst, drop, duplicate
        Of the channel both ways, see ``models.channel.ChannelModel``.
    down : tuple of (int, int) pairs
        Cycles in which the cable is cut, first one and the one after the last.
    poison : float
        Part of the packets that end with an error as they are sent; of these none is delivered, but
        each is passed on once. The last one each way is sound.
    ready : float
        Probability that a reader takes a flit.
    credits : int
        Credits of each channel, packets being of the first channels by turns, 16 at most; 0 for
        none: then there is no flow control, and nothing behind the
        link but a reader.
    port_credits : int or None
        Credits of all channels together; None for no such limit.
    best_effort : tuple of int
        Channels that take no credits.
    drain : float
        With credits, the probability that a flit leaves the buffer behind the link in a cycle.
    report_cycles : int or None
        Cycles between two CC_Updates; None for those of the configuration.
    resets : tuple of (int, int, int) triples
        Cycles in which credits are reset: the first, and the one after the last at each end.
    policy : DownPolicy
        What becomes of packets while the link is not up.
    lanes : LanesConfig or None
        A PCS of several lanes at each end, as models, with symbols on the cable: ``ber`` and
        ``burst`` are those of its lanes, and ``config`` has a cable that is longer by
        ``lanes.latency_cycles``. Words are neither lost nor doubled.
    skew : int
        With lanes: bits that one may be later than another. Each is as late as it happens, and they
        are swapped.
    ppm : int or None
        With lanes: the clock of the lines from end 0 is so many parts per million faster than it
        should be, that of those from end 1 so many slower, 0 to 100. The clock of both ends is 300
        faster, and each lane has a phase of its own. None: all have the clock of the ends.
    seed : int
        Of sizes, errors and readers.
    """

    config: LinkConfig
    frames: int = 1000
    sizes: tuple[int, ...] = ()
    ber: float = 0.0
    burst: int = 1
    drop: float = 0.0
    duplicate: float = 0.0
    down: tuple[tuple[int, ...], ...] = ()
    poison: float = 0.0
    ready: float = 1.0
    credits: int = 0
    port_credits: int | None = None
    best_effort: tuple[int, ...] = ()
    drain: float = 1.0
    report_cycles: int | None = None
    resets: tuple[tuple[int, int, int], ...] = ()
    policy: DownPolicy = DownPolicy.BLOCK
    lanes: LanesConfig | None = None
    skew: int = 0
    ppm: int | None = None
    seed: int = 1

    def __post_init__(self) -> None:
        least = max(SMALLEST, self.config.min_packet_bytes)
        most = self.config.max_packet_bytes
        object.__setattr__(self, "sizes", tuple(self.sizes) or (least, most))
        for size in self.sizes:
            if not least <= size <= most:
                raise ValueError(f"sizes must be {least} to {most} bytes, not {size}")
        if not 1 <= self.frames <= MOST_FRAMES:
            raise ValueError(f"frames must be 1 to {MOST_FRAMES}, not {self.frames}")
        if self.credits and self.ready < 1:
            raise ValueError(f"ready must be 1 with credits, not {self.ready}: choose drain")
        least = credits_of(self.config.max_packet_bytes, self.config.credit_bytes)
        if self.credits and not least <= self.credits < 1 << CREDIT_BITS:
            raise ValueError(
                f"credits must be 0, or {least} (a largest packet) to {(1 << CREDIT_BITS) - 1}, "
                f"not {self.credits}"
            )
        if self.port_credits is not None and not least <= self.port_credits:
            raise ValueError(f"port_credits must be {least} or more, not {self.port_credits}")
        if not 0 <= self.poison <= 1:
            raise ValueError(f"poison must be 0 to 1, not {self.poison}")
        for channel in self.best_effort:
            if not 0 <= channel < self.config.channels:
                raise ValueError(
                    f"best_effort must be channels 0 to {self.config.channels - 1}, not {channel}"
                )
        if not 0 <= self.drain <= 1:
            raise ValueError(f"drain must be 0 to 1, not {self.drain}")
        for start, end in self.down:
            if not 0 <= start < end <= LAST_CYCLE:
                raise ValueError(
                    f"down must have a first cycle and a later one, to {LAST_CYCLE}, "
                    f"not {start}:{end}"
                )
        for start, *ends in self.resets:
            if not (len(ends) == 2 and 0 <= start < min(ends) and max(ends) <= LAST_CYCLE):
                raise ValueError(
                    "resets must have a first cycle and a later one for each end, to "
                    f"{LAST_CYCLE}, not {(start, *ends)}"
                )
        if self.lanes and self.lanes.words_per_cycle != self.config.words_per_cycle:
            raise ValueError(
                f"lanes must have {self.config.words_per_cycle} words_per_cycle, "
                f"not {self.lanes.words_per_cycle}"
            )
        if self.lanes and (self.drop or self.duplicate):
            raise ValueError("drop and duplicate are of words, not of lanes: leave them 0")
        check_lines(self.lanes, self.skew, self.ppm)
        if self.report_cycles is not None and not 0 <= self.report_cycles < 1 << CREDIT_TIMER_BITS:
            raise ValueError(
                f"report_cycles must be 0 to {(1 << CREDIT_TIMER_BITS) - 1}, "
                f"not {self.report_cycles}"
            )

    @property
    def ports(self) -> SwitchConfig:
        """Two ports for sources and sinks: port 0 sends to port 1, and the other way round."""
        classes = 1
        if self.credits:
            classes = min(1 << self.config.channels.bit_length() - 1, MOST_CLASSES)
        flits = (2 * self.config.max_packet_flits + 64) * classes
        return SwitchConfig(
            name=self.config.name,
            ports=2,
            flit_bytes=self.config.flit_bytes,
            classes=classes,
            ingress_flits=2 * flits,
            egress_flits=4 * flits,
            min_packet_bytes=self.config.min_packet_bytes,
            max_packet_bytes=self.config.max_packet_bytes,
        )

    @property
    def theory(self) -> float:
        """Part of the line rate that packets of these sizes can take: go-back-N."""
        credits = self.credits > 0
        return self._mean(
            [go_back_n(self.config, s, self.ber, self.burst, credits) for s in self.sizes]
        )

    @property
    def error_free(self) -> float:
        """The same without errors."""
        return self._mean([error_free(self.config, size, self.credits > 0) for size in self.sizes])

    def _mean(self, parts: Sequence[float]) -> float:
        times = [size / part for size, part in zip(self.sizes, parts, strict=True) if part]
        return sum(self.sizes) / sum(times) if len(times) == len(parts) else 0.0


@inner
def cut(down, cycle):
    """The cable is cut in this cycle."""
    found = False
    for n in range(down.shape[0]):
        found |= down[n, 0] <= cycle < down[n, 1]
    return found


@inner
def connect(i, channel, n):
    """The words that have come from the other end, and whether the line takes some."""
    other = 1 - n
    i.to_pcs_ready[n] = channel.ready[n]
    i.from_pcs_valid[n] = channel.valid[other]
    for w in range(channel.data.shape[1]):
        i.from_pcs_words_data[n, w] = channel.data[other, w]
    for w in range(channel.control.shape[1]):
        i.from_pcs_words_control[n, w] = channel.control[other, w]
    i.pcs_up[n] = channel.up[n] and channel.up[other]


@inner
def in_reset(resets, n, cycle):
    """The credits of end ``n`` are reset in this cycle."""
    found = False
    for k in range(resets.shape[0]):
        found |= resets[k, 0] <= cycle < resets[k, 1 + n]
    return found


@inner
def credits_drive(reader, i, cycle):
    """Limits, a channel a cycle, and the buffers behind both ends."""
    p, s, credits, port, resets = reader
    for n in range(2):
        i.channel[n] = i.i_payload_data[n, 0] >> 48 & 0xF if credits else 0
        i.credit_reset[n] = credits == 0 or in_reset(resets, n, cycle)
        i.credit_port_limit[n] = port
        for limit in (
            (
                i.credit_sender_limit_valid,
                i.credit_sender_limit_channel,
                i.credit_sender_limit_limit,
            ),
            (
                i.credit_receiver_limit_valid,
                i.credit_receiver_limit_channel,
                i.credit_receiver_limit_limit,
            ),
        ):
            limit[0][n] = cycle < p.channels
            limit[1][n] = min(cycle, p.channels - 1)
            limit[2][n] = credits
        reader_drive(p, s, i, n)


@compiled
def link_drive(wires, cycle):
    """Inputs of both ends in ``cycle``."""
    p, line, table, source, sink, i, _, channel, down, reader, _, poisoned = wires
    state, _, channel_i, channel_o = channel
    sources_drive(
        p, line, table, source, 0, cycle, i.i_valid, i.i_payload_data, i.i_payload_keep,
        i.i_payload_last, i.i_payload_user,
    )  # fmt: skip
    for n in range(2):
        if i.i_valid[n] and i.i_payload_last[n]:
            i.i_payload_user[n] = poisoned[source.active[n]]
    sinks_drive(p, line, sink, i.o_ready)
    credits_drive(reader, i, cycle)
    for n in range(2):
        channel_i.down[n] = cut(down, cycle)
        channel_outputs(state, channel_i, channel_o, n)
    for n in range(2):
        connect(i, channel_o, n)


@compiled
def link_settle(wires, cycle):
    """The clock edge of all but the links, whose outputs of ``cycle`` are there.

    ``counted`` is a view on the events of a cycle, their sums, and a log of what was given up: end,
    cycle, and how many frames, or 0 for a packet that was discarded; and how long that is.
    """
    p, line, table, source, sink, i, o, channel, _, reader, counted, _ = wires
    state, rates, channel_i, _ = channel
    sources_taken(p, line, table, source, cycle, o.i_ready)
    sinks_taken(
        p, line, table, sink, cycle, o.o_valid, o.o_payload_data, o.o_payload_keep,
        o.o_payload_last, o.o_payload_user,
    )  # fmt: skip
    events, counts, log, logged = counted
    for n in range(2):
        reader_clock(reader[0], reader[1], i, o, n)
        move(channel_i.data, o.to_pcs_payload_data, n)
        move(channel_i.control, o.to_pcs_payload_control, n)
        channel_clock(state, rates, channel_i, n)
        for k in range(events.shape[0]):
            counts[n, k] += events[k, n]
        if events[LOST, n] or events[DISCARDED, n]:
            log[logged[0], 0], log[logged[0], 1] = n, cycle
            log[logged[0], 2] = events[LOST, n]
            logged[0] += 1


@compiled
def link_cycles(wires, blocks, flats, traces, start, end):
    """Run from cycle ``start`` to before ``end``.

    ``flats`` are the flat arrays under inputs and outputs; row n of each of ``traces`` becomes what
    they were in the n-th cycle (traces of no rows: nothing is kept).
    """
    i, o = wires[5], wires[6]
    for cycle in range(start, end):
        link_drive(wires, cycle)
        for n in range(2):
            link_outputs(blocks, i, o, n)
        if traces[0].shape[0]:
            for side in range(2):
                for k in range(flats[side].size):
                    traces[side][cycle - start, k] = flats[side][k]
        link_settle(wires, cycle)
        for n in range(2):
            link_clock(blocks, n)


class LinkRun:
    """A trial under way in the model.

    Parameters
    ----------
    trial : LinkTrial
        What is run.
    trace : int
        Cycles of one :meth:`advance`, whose inputs and outputs are kept for a bench to replay;
        0 for ``CHUNK``, of which nothing is kept.

    Attributes
    ----------
    cycle : int
        The next cycle.
    counts : int64 array (2, events)
        Of each end, the events ``models.link.wire.COUNTED``.
    """

    def __init__(self, trial: LinkTrial, trace: int = 0):
        self.trial, self.cycle, self.chunk = trial, 0, trace or CHUNK
        config, ports = trial.config, trial.ports
        source = np.repeat([0, 1], trial.frames)
        self.packets = packets(
            ports,
            cycle=START,
            source=source,
            destination=1 - source,
            traffic_class=np.arange(source.size) % ports.classes,
            length=np.random.default_rng([trial.seed, 1]).choice(trial.sizes, source.size),
        )
        line = line_of(ports, shaped=False)
        self.poisoned = np.random.default_rng([trial.seed, 3]).random(source.size) < trial.poison
        self.poisoned[[trial.frames - 1, -1]] = False
        self.sources = Sources(ports, self.packets, line=line)
        self.sinks = Sinks(
            ports, self.packets, line=line, ready=trial.ready, repeats=True, seed=trial.seed
        )
        self.model = LinkModel(config, instances=2)
        self.model.inputs.enable[:] = 1
        self.model.inputs.policy[:] = trial.policy
        if trial.credits:
            lossless = set(range(config.channels)) - set(trial.best_effort)
            self.model.inputs.credit_lossless[:] = sum(1 << c for c in lossless)
            self.model.inputs.credit_update_cycles[:] = config.update_cycles
            self.model.inputs.credit_refresh_cycles[:] = config.refresh_cycles
            cycles = trial.report_cycles
            self.model.inputs.credit_report_cycles[:] = (
                config.report_cycles if cycles is None else cycles
            )
        self.reader = Reader(config, drain=trial.drain, seed=trial.seed)
        self.channel = ChannelModel(
            config,
            seeds=[2 * trial.seed, 2 * trial.seed + 1],
            ber=0.0 if trial.lanes else trial.ber,  # then it is not looked at
            burst=trial.burst,
            drop=trial.drop,
            duplicate=trial.duplicate,
        )
        self.pcs: MultilanePcsModel | None = None  # of both ends
        self.cable: Cable | None = None
        self.symbols = np.zeros(2, dtype=np.int64)  # corrected, and codewords that could not be
        if trial.lanes:
            self.join_lanes(trial.lanes)
        self.flats = flat(self.model.inputs), flat(self.model.outputs)
        self.traces = tuple(np.zeros((trace, side.size), dtype=np.int64) for side in self.flats)
        self.counts = np.zeros((2, len(COUNTED)), dtype=np.int64)
        # A packet is discarded once at most, and a FLUSH that gives up frames has taken one before.
        self.log = np.zeros((2 * source.size, 3), dtype=np.int64)
        self.logged = np.zeros(1, dtype=np.int64)
        self.quiet = 0  # cycles since something was delivered
        channel = self.channel
        port_credits = trial.port_credits
        if port_credits is None:
            port_credits = (1 << CREDIT_COUNTER_BITS) - 1
        self.wires = (
            self.sources.parameters,
            line,
            self.packets,
            self.sources.state,
            self.sinks.state,
            self.model.inputs,
            self.model.outputs,
            (channel.state, channel.rates, channel.inputs, channel.outputs),
            np.array(trial.down, dtype=np.int64).reshape(-1, 2),
            (
                self.reader.p,
                self.reader.state,
                trial.credits,
                port_credits,
                np.array(trial.resets, dtype=np.int64).reshape(-1, 3),
            ),
            (
                self.flats[1][-2 * len(COUNTED) :].reshape(len(COUNTED), 2),
                self.counts,
                self.log,
                self.logged,
            ),
            self.poisoned,
        )

    def join_lanes(self, lanes: LanesConfig) -> None:
        """A PCS at each end, and the lines from it."""
        trial = self.trial
        self.pcs = pcs_of_links(lanes, self.model)
        self.cable = Cable(
            lanes,
            (self.pcs.line_end(0), self.pcs.line_end(1)),
            np.random.default_rng([trial.seed, 4]),
            cycles=max(0, trial.config.wire_cycles - lanes.latency_cycles),
            skew=trial.skew,
            error_rate=trial.ber,
            burst=trial.burst,
            ppm=trial.ppm,
        )

    def advance(self) -> int:
        """Run a chunk of cycles in the model; return how many."""
        before, end = self.delivered, self.cycle + self.chunk
        if self.pcs and self.cable:
            for cycle in range(self.cycle, end):
                self.cycle_of_lanes(self.pcs, self.cable, cycle)
        else:
            link_cycles(self.wires, self.model.blocks, self.flats, self.traces, self.cycle, end)
        self.passed(self.chunk, before)
        return self.chunk

    def cycle_of_lanes(self, pcs: MultilanePcsModel, cable: Cable, cycle: int) -> None:
        """One cycle of everything, with a PCS at each end in the place of the channel."""
        link_drive(self.wires, cycle)
        multilane_pcs_outputs(pcs.numbers, pcs.parts, pcs.outputs)
        came = pcs.outputs.corrected_valid
        self.symbols += came @ pcs.outputs.corrected, came @ pcs.outputs.bad
        self.model.step()
        for side, trace in zip(self.flats, self.traces, strict=True):
            if len(trace):
                trace[cycle - self.cycle] = side
        cut = any(start <= cycle < end for start, end in self.trial.down)
        cable.pass_on(Harm.CUT if cut else None)
        multilane_pcs_clock(pcs.numbers, pcs.parts, pcs.inputs)
        link_settle(self.wires, cycle)

    def passed(self, cycles: int, before: int) -> None:
        """So many cycles have passed, ``before`` which so many packets had been delivered."""
        self.cycle += cycles
        self.quiet = self.quiet + cycles if self.delivered == before else 0

    @property
    def offered(self) -> int:
        """Packets both ways."""
        return self.packets.cycle.size

    @property
    def delivered(self) -> int:
        """Packets that have come out in one piece."""
        return self.sinks.totals()["delivered"]

    @property
    def patience(self) -> int:
        """Cycles after which whatever is not delivered never will be."""
        config = self.trial.config
        longest = max(config.data_age_cycles, config.pcs_lost_cycles)
        longest = max(longest, (config.replay_count_max + 2) * config.replay_timer_cycles)
        lanes = self.trial.lanes
        if lanes:  # until there is a lock
            longest += 3 * lanes.period_cycles
        return 2 * longest + 2 * CHUNK + max((end for _, end in self.trial.down), default=0)

    @property
    def done(self) -> bool:
        """All has come, or nothing comes any more."""
        sound = self.offered - int(self.poisoned.sum())
        return self.delivered == sound or self.quiet > self.patience

    @property
    def stored(self) -> int:
        """Flits of a lossless channel behind an end of the link, where there were most."""
        most = self.reader.state.most.max(axis=0)
        return max(
            (int(n) for c, n in enumerate(most) if c not in self.trial.best_effort), default=0
        )

    @property
    def room(self) -> int:
        """Flits that a channel's credits stand for, and those of a largest packet."""
        config = self.trial.config
        per_credit = config.credit_bytes // config.flit_bytes
        return self.trial.credits * per_credit + config.max_packet_flits

    def goodput(self) -> float | None:
        """Part of the line rate that packets took, from a tenth of those each way to nine tenths.

        With lanes, of the words of all cycles.

        Packets that never came count nothing. None if fewer than 20 have come each way.
        """
        parts = []
        for end in range(2):
            rows = self.packets.source == end
            completed, length = self.packets.completed[rows], self.packets.length[rows]
            came = np.flatnonzero(completed >= 0)
            if came.size < 20:
                return None
            first, last = came[came.size // 10], came[came.size - came.size // 10 - 1]
            moved = length[came[(came > first) & (came <= last)]].sum()
            parts.append(moved / 8 / (completed[last] - completed[first]))
        config = self.trial.config
        words = config.words_per_cycle if self.pcs else config.line_words_per_cycle
        return float(np.mean(parts)) / words

    def extra_delays(self) -> NDArray[np.floating]:
        """Nanoseconds from the first flit taken to the last given, beyond the least of its size."""
        seen = self.packets.completed >= 0
        delay = (self.packets.completed - self.packets.injected)[seen]
        _, size = np.unique(self.packets.length[seen], return_inverse=True)
        least = np.full(size.max(initial=0) + 1, np.iinfo(np.int64).max)
        np.minimum.at(least, size, delay)
        return (delay - least[size]) * 1e3 / self.trial.config.mhz

    def told(self) -> NDArray[np.bool_]:
        """Packets that the link has reported as discarded, or as perhaps lost in a FLUSH.

        A FLUSH tells how many frames it gives up: the last that the sender has begun.
        """
        table, told = self.packets, np.zeros(self.offered, dtype=bool)
        for end in range(2):
            rows = np.flatnonzero((table.source == end) & (table.injected >= 0))
            begun = table.injected[rows]
            for _, cycle, frames in self.log[: self.logged[0]][
                self.log[: self.logged[0], 0] == end
            ]:
                last = int(np.searchsorted(begun, cycle))
                told[rows[max(0, last - max(1, int(frames))) : last]] = True
        return told

    def results(self) -> dict[str, Any]:
        """What came of it, as JSON has it.

        ``lost`` are packets that nothing accounts for; ``waiting`` were never taken; ``poisoned``
        were sent with an error; ``overflown`` are flits for which the buffer behind the link would
        have had no room.
        """
        totals = self.sinks.totals()
        counts = dict(zip(COUNTED, self.counts.sum(axis=0).tolist(), strict=True))
        waiting = int(np.count_nonzero(self.packets.injected < 0))
        missing = (self.packets.completed < 0) & (self.packets.injected >= 0) & ~self.poisoned
        given_up = int(np.count_nonzero(missing & self.told()))
        extra = self.extra_delays()
        edges = [0.0, *(2.0**n for n in range(3, 18)), np.inf]
        histogram = np.histogram(extra, edges)[0].tolist()
        return {
            "offered": self.offered,
            "delivered": totals["delivered"],
            "lost": int(np.count_nonzero(missing)) - given_up,
            "given_up": given_up,
            "waiting": waiting,
            "duplicated": totals["duplicated"],
            "reordered": totals["reordered"],
            "corrupted": totals["corrupted"],
            "poisoned": int(self.poisoned.sum()),
            "broken_copies": totals["errored"] - counts["rx_expected_seq_poisoned"],
            "overflown": max(0, self.stored - self.room) if self.trial.credits else 0,
            "goodput": self.goodput(),
            "theory": None if self.pcs else self.trial.theory,
            "error_free": None if self.pcs else self.trial.error_free,
            "replays": counts["tx_replay"],
            "extra_delay_ns": {
                f"below {edge:g}": count for edge, count in zip(edges[1:], histogram, strict=True)
            },
            "bits_hit": self.cable.hits if self.cable else int(self.channel.state.errors.sum()),
            "symbols_corrected": int(self.symbols[0]),
            "codewords_bad": int(self.symbols[1]),
            "cycles": self.cycle,
            "counters": {
                f"end {n}": dict(zip(COUNTED, row.tolist(), strict=True))
                for n, row in enumerate(self.counts)
            },
        }
