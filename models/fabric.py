"""Chips, hosts and the cables between them: the models of chips as their test bed.

A host is the end of a link with a source and a reader behind it. With one chip, host ``n`` is at
its port ``n``. With two, a cable joins their ports 0, and the other ports have hosts, those of the
first chip first.
"""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.channel import ChannelModel, channel_clock, channel_outputs
from models.chip import ChipModel
from models.chip_config import TIMEOUT_BITS, ChipConfig
from models.compiled import compiled
from models.config import SwitchConfig
from models.lines import Cable, Harm, check_lines
from models.link.config import DownPolicy, SenderState
from models.link.link import LinkModel, links_clock, links_outputs
from models.link.reader import Reader, reader_clock, reader_drive
from models.link.wire import COUNTED, CREDIT_COUNTER_BITS
from models.program import Program
from models.record import flat
from models.serdes.config import TEST_WORD_BITS, LanesConfig, Prbs
from models.serdes.lane_test import Mode, Result
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
from models.workload import expand, load

__all__ = ["WRONG", "FabricRun", "FabricTrial"]

SMALLEST = 16  # bytes of a packet with room for its sequence number
WATCHDOG = 400  # cycles without credits that are told of
RESET = 400  # cycles of a reset, at least
MOST_PACKETS = 1_000_000
LOST, DISCARDED = COUNTED.index("lost"), COUNTED.index("tx_discard")
WRONG = ("lost", "waiting", "duplicated", "reordered", "corrupted", "parity", "given_up")


@dataclass(frozen=True, kw_only=True)
class FabricTrial:
    """What is to be run; wrong values raise ``ValueError``.

    Parameters
    ----------
    config : ChipConfig
        Of each chip, and of the links of hosts.
    chips : int
        1, or 2 with a cable between them.
    frames, gap : int
        Packets of each host, so many cycles one behind the other; with 0 as fast as its link takes
        them.
    flows : tuple of (int, int, int) triples
        Source, destination and class of packets, those of a host by turns; hosts that are no source
        are silent. If there are none, each host sends to the others, in all classes, at random.
    sizes : tuple of int
        Bytes of a packet, each as likely as the others; 16 or more, so that it has room for its
        number.
    workload : str or None
        A workload (``models.workload``) instead of ``frames``, ``flows`` and ``sizes``: its ranks
        are hosts, those of even number at the first of two chips.
    scale, packet_bytes
        Of the workload, see ``models.workload.expand``.
    ber, burst, drop, duplicate
        Of all cables both ways, see ``models.channel.ChannelModel``. With lanes ``ber`` and
        ``burst`` are those of each, see ``models.lines.Lines``, and words are neither lost nor
        doubled.
    skew : int
        With lanes: bits that one may be later than another. Each is as late as it happens, and they
        are swapped.
    ppm : int or None
        With lanes: so many parts per million are the clocks of the lines off, one way and the
        other, see ``models.lines.Cable``. None: all have the clock of the chips.
    swapped_wires : bool
        With lanes: of each the two wires are swapped or not, as it happens, and the chips are told
        which.
    self_test : int
        With lanes and two chips: so many words of each lane between them are tested first, with
        PRBS31 both ways; 0 leaves it out.
    modes : tuple of (int, int, int, int, int) tuples
        With lanes: a chip, a port of it, a mode of its ``lane_test``, and the cycles in which it
        has it, first one and the one after the last.
    harm : tuple of (int, str, int, int) tuples
        With lanes: a cable, in which way it is bad (:class:`models.lines.Harm`), and the cycles.
    restarts : tuple of (int, int, int) triples
        A host, and the cycles in which it is not there: its link is not enabled, its cable is cut.
        They should be more than ``pcs_lost_cycles`` of the link, or the chip does not know of it.
        Packets that pass by its port may be lost.
    down : tuple of (int, int, int) triples
        A cable (that of host ``n`` is cable ``n``, that between two chips the last), and the
        cycles in which it is cut, first one and the one after the last.
    drain : float
        Probability that a flit leaves the buffer of a host in a cycle. That has the credits of a
        chip.
    stopped : tuple of (int, int) pairs
        Hosts, and a class of each of which no flit ever leaves the buffer.
    resets : tuple of (int, int, int) triples
        A chip, a port of it, and the cycle from which it is not enabled and in reset, until it is
        idle. What is on its way through that port may be lost, and nothing else.
    dead_output_timeout : int
        Of ports with a host, in cycles; that of a port with another chip is twice as long. With 0
        no output ever dies.
    revives : tuple of (int, int, int) triples
        A chip, a port of it, and the cycle in which its output is revived.
    seed : int
        Of packets, errors and hosts.
    """

    config: ChipConfig
    chips: int = 1
    frames: int = 100
    gap: int = 0
    flows: tuple[tuple[int, int, int], ...] = ()
    sizes: tuple[int, ...] = ()
    workload: str | None = None
    scale: float = 1.0
    packet_bytes: int = 256
    ber: float = 0.0
    burst: int = 1
    drop: float = 0.0
    duplicate: float = 0.0
    skew: int = 0
    ppm: int | None = None
    swapped_wires: bool = False
    self_test: int = 0
    modes: tuple[tuple[int, int, int, int, int], ...] = ()
    harm: tuple[tuple[int, str, int, int], ...] = ()
    restarts: tuple[tuple[int, int, int], ...] = ()
    down: tuple[tuple[int, int, int], ...] = ()
    drain: float = 1.0
    stopped: tuple[tuple[int, int], ...] = ()
    resets: tuple[tuple[int, int, int], ...] = ()
    dead_output_timeout: int = 0
    revives: tuple[tuple[int, int, int], ...] = ()
    seed: int = 1

    def __post_init__(self) -> None:
        link = self.config.link
        least = max(SMALLEST, link.min_packet_bytes)
        object.__setattr__(self, "sizes", tuple(self.sizes) or (least, link.max_packet_bytes))
        if self.chips not in (1, 2):
            raise ValueError(f"chips must be 1 or 2, not {self.chips}")
        for size in self.sizes:
            if not least <= size <= link.max_packet_bytes:
                raise ValueError(f"sizes must be {least} to {link.max_packet_bytes}, not {size}")
        if not 1 <= self.frames <= MOST_PACKETS // self.hosts:
            raise ValueError(f"frames must be 1 to {MOST_PACKETS // self.hosts}, not {self.frames}")
        if self.gap < 0:
            raise ValueError(f"gap must be 0 or more, not {self.gap}")
        if not 0 < self.drain <= 1:
            raise ValueError(f"drain must be above 0, at most 1, not {self.drain}")
        classes = self.config.switch.classes
        for source, destination, traffic_class in self.flows:
            ends = {source, destination} <= set(range(self.hosts)) and source != destination
            if not (ends and 0 <= traffic_class < classes):
                raise ValueError(
                    f"flows must have two hosts of 0 to {self.hosts - 1}, and a class, 0 to "
                    f"{classes - 1}, not {(source, destination, traffic_class)}"
                )
        for host, traffic_class in self.stopped:
            if not (0 <= host < self.hosts and 0 <= traffic_class < classes):
                raise ValueError(
                    f"stopped must have a host, 0 to {self.hosts - 1}, and a class, 0 to "
                    f"{classes - 1}, not {(host, traffic_class)}"
                )
        for cable, start, end in self.down:
            if not (0 <= cable < self.cables and 0 <= start < end):
                raise ValueError(
                    f"down must have a cable, 0 to {self.cables - 1}, a first cycle and a later "
                    f"one, not {(cable, start, end)}"
                )

        lanes = self.config.lanes
        if lanes and (self.drop or self.duplicate):
            raise ValueError("drop and duplicate are of words, not of lanes: leave them 0")
        check_lines(lanes, self.skew, self.ppm)

        ports, most = self.config.switch.ports, (1 << TIMEOUT_BITS - 1) - 1
        if not lanes and (self.swapped_wires or self.self_test or self.modes or self.harm):
            raise ValueError(
                "swapped_wires, self_test, modes and harm are of lanes: give lanes, too"
            )
        for cable, harm, start, end in self.harm:
            if not (0 <= cable < self.cables and harm in list(Harm) and 0 <= start < end):
                raise ValueError(
                    f"harm must have a cable, 0 to {self.cables - 1}, one of {', '.join(Harm)}, "
                    f"a first cycle and a later one, not {(cable, harm, start, end)}"
                )
        for host, start, end in self.restarts:
            if not (0 <= host < self.hosts and 0 <= start < end):
                raise ValueError(
                    f"restarts must have a host, 0 to {self.hosts - 1}, a first cycle and a later "
                    f"one, not {(host, start, end)}"
                )
        if not 0 <= self.self_test < 1 << TEST_WORD_BITS:
            raise ValueError(
                f"self_test must be 0 to {(1 << TEST_WORD_BITS) - 1} words, not {self.self_test}"
            )
        if self.self_test and self.chips == 1:
            raise ValueError("self_test is of the cable between two chips: give 2 chips")
        for chip, port, mode, start, end in self.modes:
            good = 0 <= chip < self.chips and 0 <= port < ports and 0 <= start < end
            if not (good and mode in list(Mode)):
                raise ValueError(
                    f"modes must have a chip, 0 to {self.chips - 1}, a port, 0 to {ports - 1}, a "
                    f"mode, 0 to {max(Mode)}, a first cycle and a later one, "
                    f"not {(chip, port, mode, start, end)}"
                )
        for name in ("resets", "revives"):
            for chip, port, start in getattr(self, name):
                if not (0 <= chip < self.chips and 0 <= port < ports and start >= 0):
                    raise ValueError(
                        f"{name} must have a chip, 0 to {self.chips - 1}, a port, 0 to "
                        f"{ports - 1}, and a cycle, not {(chip, port, start)}"
                    )
        if not 0 <= self.dead_output_timeout <= most:
            raise ValueError(
                f"dead_output_timeout must be 0 to {most}, not {self.dead_output_timeout}"
            )

    def dump(self) -> str:
        """All of it as JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def parse(cls, text: str) -> "FabricTrial":
        """Inverse of :meth:`dump`."""
        values = json.loads(text)
        values |= {"config": ChipConfig.of(values["config"]), "sizes": tuple(values["sizes"])}
        for name in ("flows", "modes", "harm", "restarts", "down", "stopped", "resets", "revives"):
            values[name] = tuple(tuple(entry) for entry in values[name])
        return cls(**values)

    @property
    def hosts(self) -> int:
        """Hosts of all chips."""
        ports = self.config.switch.ports
        return ports if self.chips == 1 else 2 * (ports - 1)

    @property
    def host_ports(self) -> SwitchConfig:
        """A port for the source and the sink of each host; no switch has these."""
        switch, link = self.config.switch, self.config.link
        flits = (2 * link.max_packet_flits + 64) * switch.classes * self.hosts
        return SwitchConfig(
            name="hosts",
            ports=self.hosts,
            flit_bytes=switch.flit_bytes,
            classes=switch.classes,
            ingress_flits=flits,
            egress_flits=2 * flits,
            min_packet_bytes=switch.min_packet_bytes,
            max_packet_bytes=switch.max_packet_bytes,
        )

    @property
    def cables(self) -> int:
        """Cables, that between the chips included."""
        return self.hosts + self.chips - 1

    @property
    def start(self) -> int:
        """Cycle of the first packets: by then all tables are swept and written."""
        switch = self.config.switch
        written = switch.endpoints + 256 + 4 * self.hosts * switch.ports + switch.queues
        lanes = self.config.lanes
        if not lanes:
            return written
        # By then all ports are up: links do not wait for ever for a PCS.
        tests = self.self_test + self.test_patience if self.self_test else 0
        return tests + max(written, 2 * lanes.period_cycles + 4 * lanes.latency_cycles)

    @property
    def test_patience(self) -> int:
        """Cycles that a self-test waits for the pattern from the other chip."""
        return 2 * self.config.link.wire_cycles + self.skew

    def place(self, host: int) -> tuple[int, int]:
        """Chip and port of a host."""
        if self.chips == 1:
            return 0, host
        if self.workload:
            return host % 2, host // 2 + 1
        chip, number = divmod(host, self.config.switch.ports - 1)
        return chip, number + 1

    def port(self, chip: int, host: int) -> int:
        """The port by which a chip reaches a host."""
        at, port = self.place(host)
        return port if at == chip else 0

    def draw(self, rng: np.random.Generator) -> NDArray[np.int64]:
        """Sources, destinations and classes of all packets."""
        if self.flows:
            rows = []
            for host in range(self.hosts):
                mine = [flow for flow in self.flows if flow[0] == host]
                rows += [mine[n % len(mine)] for n in range(self.frames) if mine]
            return np.array(rows).T
        source = np.repeat(np.arange(self.hosts), self.frames)
        destination = (source + rng.integers(1, self.hosts, source.size)) % self.hosts
        return np.array(
            [source, destination, rng.integers(self.config.switch.classes, size=source.size)]
        )

    def route(self, source: int, destination: int) -> set[tuple[int, int]]:
        """Chips and ports through which packets pass."""
        chip, other = self.place(source)[0], self.place(destination)[0]
        ports = {self.place(source), self.place(destination)}
        if chip != other:
            ports |= {(chip, self.port(chip, destination)), (other, self.port(other, source))}
        return ports


class Group:
    """Ends of links in one model, and the rows of the channel model by which words come and go.

    Row ``2 * cable`` leads from a host to a chip, or from chip 0 to chip 1; the next one back.
    """

    def __init__(self, model: LinkModel, rows: list[tuple[int, int]]):
        self.model = model
        self.comes, self.goes = np.array(rows).T

    def hear(self, channel: Any) -> None:
        """What comes from the cables in this cycle."""
        i = self.model.inputs
        i.from_pcs_valid[:] = channel.valid[self.comes]
        i.from_pcs_words_data[:] = channel.data[self.comes]
        i.from_pcs_words_control[:] = channel.control[self.comes]
        i.to_pcs_ready[:] = channel.ready[self.goes]
        i.pcs_up[:] = channel.up[self.comes] & channel.up[self.goes]

    def speak(self, channel: Any) -> None:
        """What goes into the cables in this cycle."""
        channel.data[self.goes] = self.model.outputs.to_pcs_payload_data
        channel.control[self.goes] = self.model.outputs.to_pcs_payload_control


@compiled
def fabric_drive(wires, cycle):
    """Packets and readers of the hosts, and what comes out of the cables."""
    p, line, table, source, sink, i, _, reader, channel, channels = wires
    sources_drive(
        p, line, table, source, 0, cycle, i.i_valid, i.i_payload_data, i.i_payload_keep,
        i.i_payload_last, i.i_payload_user,
    )  # fmt: skip
    sinks_drive(p, line, sink, i.o_ready)
    for n in range(p.ports):
        header = i.i_payload_data[n, 0]  # or any other flit, whose channel means nothing
        destination, traffic_class = header & 0xFFFF, header >> 48 & 0xF
        i.channel[n] = 0
        if i.i_valid[n] and destination < p.ports and traffic_class < p.classes:
            i.channel[n] = channels[n, destination, traffic_class]
        reader_drive(reader[0], reader[1], i, n)
    for n in range(channel[0].place.size):
        channel_outputs(channel[0], channel[2], channel[3], n)


@compiled
def fabric_settle(wires, cycle):
    """The clock edge of hosts and cables."""
    p, line, table, source, sink, i, o, reader, channel, _ = wires
    sources_taken(p, line, table, source, cycle, o.i_ready)
    sinks_taken(
        p, line, table, sink, cycle, o.o_valid, o.o_payload_data, o.o_payload_keep,
        o.o_payload_last, o.o_payload_user,
    )  # fmt: skip
    for n in range(p.ports):
        reader_clock(reader[0], reader[1], i, o, n)
    for n in range(channel[0].place.size):
        channel_clock(channel[0], channel[1], channel[2], n)


class FabricRun:
    """A trial under way in the models.

    :meth:`step` is a cycle of all. A bench whose chips are RTL, with clocks of their own, calls its
    parts: each cycle of a chip is :meth:`operate` before and :meth:`account` after its outputs, one
    of the hosts :meth:`show_hosts` and :meth:`clock_hosts`, and what is on the lines is for the
    bench to pass on.

    Parameters
    ----------
    trial : FabricTrial
        What is run.
    traced : bool
        Keep inputs and outputs of each chip in each cycle, for a bench to replay.

    Attributes
    ----------
    cycle : int
        The next cycle of the hosts.
    chips : list of ChipModel
        The chips.
    traces : list of (list, list)
        Of each chip the flat inputs and outputs of all cycles.
    """

    def __init__(self, trial: FabricTrial, *, traced: bool = False):
        self.trial, self.traced, self.cycle, self.quiet = trial, traced, 0, 0
        self.gone = 0  # packets delivered or discarded
        config, link, hosts = trial.config, trial.config.link, trial.hosts
        rng = np.random.default_rng([trial.seed, 1])
        ports = trial.host_ports
        self.workload: Program | None = None
        if trial.workload:
            self.workload = expand(
                ports,
                load(trial.workload),
                scale=trial.scale,
                packet_bytes=trial.packet_bytes,
                start=trial.start,
            )
            self.packets = self.workload.packets
        else:
            source, destination, traffic_class = trial.draw(rng)
            number = np.arange(source.size) - np.searchsorted(source, source)
            self.packets = packets(
                ports,
                cycle=trial.start + trial.gap * number,
                source=source,
                destination=destination,
                traffic_class=traffic_class,
                length=rng.choice(trial.sizes, source.size),
            )
        line = line_of(ports, shaped=False)
        self.sources = Sources(ports, self.packets, line=line)
        self.sinks = Sinks(ports, self.packets, line=line, repeats=True, seed=trial.seed)
        self.reader = Reader(
            link, drain=trial.drain, seed=trial.seed, instances=hosts, stopped=trial.stopped
        )
        self.hosts = LinkModel(link, instances=hosts)
        self.chips = [ChipModel(config) for _ in range(trial.chips)]
        self.traces: list[tuple[list, list]] = [([], []) for _ in self.chips]
        self.channel = ChannelModel(
            link,
            seeds=[]
            if config.lanes
            else [2 * trial.seed * trial.cables + n for n in range(2 * trial.cables)],
            ber=trial.ber,
            burst=trial.burst,
            drop=trial.drop,
            duplicate=trial.duplicate,
        )
        self.cables: list[Cable] = []
        self.pcs: list[MultilanePcsModel] = []  # of hosts, then of each chip
        self.symbols = np.zeros(2, dtype=np.int64)  # corrected, and codewords that could not be
        self.tests: dict[int, dict[str, Any]] = {}  # what self-tests of each chip have found
        if config.lanes:
            self.join_lanes(config.lanes)
        self.groups = [Group(self.hosts, [(2 * n + 1, 2 * n) for n in range(hosts)])]
        for number, chip in enumerate(self.chips):
            rows = [(2 * n, 2 * n + 1) for n in range(hosts) if trial.place(n)[0] == number]
            if trial.chips == 2:
                rows.insert(0, (2 * hosts + (number == 0), 2 * hosts + number))
            self.groups.append(Group(chip.links, rows))
        self.operators = [self.program(n) for n in range(trial.chips)]
        self.told: dict[str, int] = dict.fromkeys(("dropped", "broken", "discarded", "parity"), 0)
        self.dead = np.zeros((trial.chips, config.switch.ports), dtype=np.int64)
        self.counts = np.zeros((trial.chips + 1, len(COUNTED)), dtype=np.int64)
        for model in (self.hosts, *(chip.links for chip in self.chips)):
            i = model.inputs
            i.enable[:] = 1
            i.policy[:] = DownPolicy.BLOCK
            i.credit_lossless[:] = (1 << link.channels) - 1
            i.credit_update_cycles[:] = link.update_cycles
            i.credit_refresh_cycles[:] = link.refresh_cycles
            i.credit_report_cycles[:] = link.report_cycles
            i.credit_watchdog_cycles[:] = WATCHDOG
            i.credit_port_limit[:] = (1 << CREDIT_COUNTER_BITS) - 1
        for chip in self.chips:
            chip.inputs.enable[:] = (1 << config.switch.ports) - 1
            chip.inputs.dead_output_timeout[:] = trial.dead_output_timeout
        self.hosts.inputs.credit_port_limit[:] = config.port_credits
        if trial.chips == 2:
            for chip in self.chips:
                chip.inputs.credit_port_limit[0, 0] = config.port_credits
                chip.inputs.dead_output_timeout[0, 0] = 2 * trial.dead_output_timeout
        channel = self.channel
        self.wires = (
            self.sources.parameters,
            line,
            self.packets,
            self.sources.state,
            self.sinks.state,
            self.hosts.inputs,
            self.hosts.outputs,
            (self.reader.p, self.reader.state),
            (channel.state, channel.rates, channel.inputs, channel.outputs),
            self.channels(),
        )

    def join_lanes(self, lanes: LanesConfig) -> None:
        """A PCS at each host, and the lines of all cables, in their order."""
        trial, config = self.trial, self.trial.config
        rng = np.random.default_rng([trial.seed, 4])
        self.pcs = [pcs_of_links(lanes, self.hosts)]
        self.pcs += [chip.pcs for chip in self.chips if chip.pcs]
        ends = [
            (self.pcs[0].line_end(host), self.chips[chip].line_end(port))
            for host, (chip, port) in enumerate(map(trial.place, range(trial.hosts)))
        ]
        if trial.chips == 2:
            ends.append((self.chips[0].line_end(0), self.chips[1].line_end(0)))
        self.cables = [
            Cable(
                lanes,
                pair,
                rng,
                cycles=config.link.wire_cycles - lanes.latency_cycles,
                skew=trial.skew,
                error_rate=trial.ber,
                burst=trial.burst,
                swapped_wires=trial.swapped_wires,
                ppm=trial.ppm,
            )
            for pair in ends
        ]
        for chip in self.chips:
            chip.inputs.lane_test_pattern[:] = Prbs.PRBS31
        if trial.swapped_wires:
            self.tell_swapped_wires()

    def tell_swapped_wires(self) -> None:
        """Chips turn round what comes to them, and what goes to hosts, which cannot."""
        trial = self.trial
        for number, cable in enumerate(self.cables):
            there, back = (lines for lines, _, _ in cable.ways)
            to_host = number < trial.hosts
            chip, port = trial.place(number) if to_host else (1, 0)
            inputs = self.chips[chip].inputs
            inputs.lane_test_invert_rx[0, port, list(there.polarity)] = 1
            if to_host:
                order = back.order or range(there.config.lanes)
                found = [to in back.polarity for to in order]
                inputs.lane_test_invert_tx[0, port] = found
            else:
                self.chips[0].inputs.lane_test_invert_rx[0, 0, list(back.polarity)] = 1

    def channels(self) -> NDArray[np.int64]:
        """Channel by host, destination and class: the queue that it will be in at the chip."""
        trial, classes = self.trial, self.trial.config.switch.classes
        found = np.zeros((trial.hosts, trial.hosts, classes), dtype=np.int64) + np.arange(classes)
        if trial.config.per_output:
            for host in range(trial.hosts):
                chip, _ = trial.place(host)
                ports = np.array([trial.port(chip, other) for other in range(trial.hosts)])
                found[host] += classes * ports[:, None]
        return found

    def program(self, chip: int) -> Iterator[None]:
        """What the operator of a chip writes to its tables and maps, entry by entry."""
        trial, i, o = self.trial, self.chips[chip].inputs, self.chips[chip].outputs
        for host in range(trial.hosts):
            i.program_valid[0], i.program_address[0] = 1, host
            i.program_mask[0] = 0
            port = trial.port(chip, host)
            i.program_mask[0, port >> 6] = np.array(1 << (port & 63), np.uint64).astype(np.int64)
            yield
            while not o.program_ready[0]:
                yield
        i.program_valid[0] = 0
        # Behind the links to hosts all is one output.
        for link in range(trial.config.switch.ports):
            between = trial.chips == 2 and link == 0
            for host in range(trial.hosts):
                i.map_valid[0], i.map_link[0], i.map_address[0] = 1, link, host
                i.map_port[0] = trial.port(1 - chip, host) if between else 0
                yield
                while not o.map_ready[0]:
                    yield
        i.map_valid[0] = 0
        while True:
            yield

    def limit(self, links: LinkModel, cycle: int) -> None:
        """Limits of the credits, of one channel in each of the first cycles."""
        config, i = self.trial.config, links.inputs
        channel = min(cycle, config.channels - 1)
        i.credit_sender_limit_valid[:] = cycle < config.channels
        i.credit_receiver_limit_valid[:] = cycle < config.channels
        i.credit_sender_limit_channel[:] = i.credit_receiver_limit_channel[:] = channel
        credits = config.channel_credits
        i.credit_sender_limit_limit[:] = i.credit_receiver_limit_limit[:] = credits

    def reset(self, number: int, cycle: int) -> None:
        """Resets of a chip that begin or end in this cycle, and outputs that are revived."""
        i, o = self.chips[number].inputs, self.chips[number].outputs
        for chip, port, start in self.trial.resets:
            if chip != number:
                continue
            word, bit = port >> 6, 1 << (port & 63)
            if cycle == start:
                i.reset[0, word] |= bit
                i.enable[0, word] &= ~bit
            elif i.reset[0, word] & bit and cycle >= start + RESET and o.idle[0, word] & bit:
                i.reset[0, word] &= ~bit
                i.enable[0, word] |= bit
        for chip, port, start in self.trial.revives:
            if chip == number and cycle in (start, start + 1):
                i.revive[0, port >> 6] ^= 1 << (port & 63)

    def restart(self, host: int, start: int, end: int) -> None:
        """A host is not there for a while. When both ends are up again they reset their credits."""
        chip, port = self.trial.place(host)
        ends = (self.hosts, host), (self.chips[chip].links, port)
        self.hosts.inputs.enable[host] = not start <= self.cycle < end
        for links, n in ends:
            if self.cycle == start:
                links.inputs.credit_reset[n] = 1
        outputs = [(links.outputs.sender_state[n], links.outputs.drained[n]) for links, n in ends]
        if self.cycle > end and outputs == [(SenderState.ADVANCE, 1)] * 2:
            for links, n in ends:
                links.inputs.credit_reset[n] = 0

    def test_lanes(self, number: int, cycle: int) -> None:
        """Modes of lanes of a chip that begin or end in this cycle, and the self-test.

        While that runs, the link to the other chip is not enabled.
        """
        trial, i, o = self.trial, self.chips[number].inputs, self.chips[number].outputs
        for chip, port, mode, start, end in trial.modes:
            if chip == number and cycle in (start, end):
                i.lane_test_mode[0, port] = mode if cycle == start else Mode.NORMAL
        if not trial.self_test:
            return
        assert trial.config.lanes
        i.lane_test_start[0, 0] = cycle == 0
        i.lane_test_words[0, 0], i.lane_test_patience[0, 0] = trial.self_test, trial.test_patience
        if cycle == 0:
            i.link_enable[0, 0] = 0
        elif o.lane_test_done[0, 0]:
            i.link_enable[0, 0] = 1
            self.tests[number] = {
                "result": Result(o.lane_test_result[0, 0]).name,
                "bits": trial.self_test * trial.config.lanes.lane_bits,
                "errors": o.lane_test_errors[0, 0].tolist(),
            }

    def operate(self, number: int, cycle: int) -> None:
        """What the operator of a chip does in a cycle of it, knowing its outputs before that."""
        chip, config = self.chips[number], self.trial.config
        self.limit(chip.links, cycle)
        self.reset(number, cycle)
        self.test_lanes(number, cycle)
        link, event = divmod(cycle, len(config.counted))  # reads one counter after the other
        chip.inputs.counter_link[0] = link % config.switch.ports
        chip.inputs.counter_event[0] = event
        next(self.operators[number])

    def account(self, number: int) -> None:
        """Take down what a chip tells of in this cycle."""
        outputs = self.chips[number].outputs
        self.told["dropped"] += int(outputs.drop_valid.sum())
        self.told["broken"] += int(outputs.broken_valid.sum())
        self.dead[number] |= outputs.dead[0]
        for event in ("discarded", "parity"):
            self.told[event] += int(getattr(outputs, event)[0, 0]).bit_count()
        self.count(1 + number)

    def count(self, number: int) -> None:
        """Count the events of a group, and what its PCS corrected."""
        outputs = self.groups[number].model.outputs
        events = [getattr(outputs, f"events_{name}") for name in COUNTED]
        self.counts[number] += np.array(events).sum(axis=1)
        if self.pcs:
            outputs = self.pcs[number].outputs
            came = outputs.corrected_valid
            self.symbols += came @ outputs.corrected, came @ outputs.bad

    def harm(self, cycle: int) -> dict[int, Harm]:
        """Cables that are bad in a cycle, and in which way."""
        trial = self.trial
        found = {cable: Harm.CUT for cable, start, end in trial.down if start <= cycle < end}
        found |= {host: Harm.CUT for host, start, end in trial.restarts if start <= cycle < end}
        bad = [(cable, Harm(kind)) for cable, kind, *span in trial.harm if cycle in range(*span)]
        return found | dict(bad)

    def show_hosts(self) -> None:
        """What hosts send in this cycle; of a cable of words also what comes out of it."""
        self.limit(self.hosts, self.cycle)
        fabric_drive(self.wires, self.cycle)
        for pcs in self.pcs[:1]:
            multilane_pcs_outputs(pcs.numbers, pcs.parts, pcs.outputs)
        if not self.cables:
            for group in self.groups:
                group.hear(self.channel.outputs)
        links_outputs(self.hosts.blocks, self.hosts.inputs, self.hosts.outputs)

    def clock_hosts(self) -> None:
        """The clock edge of the hosts, and of cables of words."""
        fabric_settle(self.wires, self.cycle)
        self.count(0)
        links_clock(self.hosts.blocks)
        for pcs in self.pcs[:1]:
            multilane_pcs_clock(pcs.numbers, pcs.parts, pcs.inputs)
        if self.workload:
            self.workload.advance(self.sinks, self.cycle)
        self.cycle += 1
        gone = self.delivered + self.told["discarded"]
        self.quiet = 0 if gone > self.gone else self.quiet + 1
        self.gone = gone

    def step(self) -> None:
        """One cycle of all."""
        harm = self.harm(self.cycle)
        self.channel.inputs.down[:] = 0
        for cable in harm:
            self.channel.inputs.down[2 * cable : 2 * cable + 2] = 1
        for n in range(len(self.chips)):
            self.operate(n, self.cycle)
        for host, start, end in self.trial.restarts:
            self.restart(host, start, end)
        self.show_hosts()
        for chip in self.chips:
            chip.show()
        if not self.cables:
            for group in self.groups:
                group.speak(self.channel.inputs)
        for number, cable in enumerate(self.cables):
            cable.pass_on(harm.get(number))
        for n, chip in enumerate(self.chips):
            inputs = flat(chip.inputs).copy() if self.traced else None
            chip.clock()
            if self.traced:
                self.traces[n][0].append(inputs)
                self.traces[n][1].append(flat(chip.outputs).copy())
            self.account(n)
        self.clock_hosts()

    @property
    def offered(self) -> int:
        """Packets of all hosts."""
        return self.packets.cycle.size

    @property
    def delivered(self) -> int:
        """Packets that have come out in one piece."""
        return self.sinks.totals()["delivered"]

    @property
    def patience(self) -> int:
        """Cycles after which nothing comes any more, if nothing was delivered or discarded."""
        cut = max((end - start for _, start, end in self.trial.down), default=0)
        config = self.trial.config
        timers = config.link.replay_timer_cycles + self.trial.dead_output_timeout
        search = config.lanes.search_cycles if config.lanes else 0
        computes = int(self.workload.nodes.time.max()) if self.workload else 0
        spans = (*self.trial.modes, *self.trial.harm, *self.trial.restarts)
        cut = max([cut, *(end - start for *_, start, end in spans)])
        waits = self.trial.gap + 2 * cut + search + computes
        return self.trial.start + 4 * timers + waits

    @property
    def done(self) -> bool:
        """All has come, or nothing comes any more."""
        finished = self.workload.done if self.workload else self.delivered == self.offered
        if finished or self.quiet <= self.patience:
            return finished
        # A sender whose credits were lost on the way waits for the partner to tell them again.
        waits = self.missing()["waiting"] + self.missing()["lost"]
        return not waits or self.quiet > self.patience + self.trial.config.link.refresh_cycles

    def met_a_dead_output(self, packet: Any) -> bool:
        """Whether an output by which a packet goes was dead for its class at some time."""
        trial, destination = self.trial, int(packet["destination"])
        chips = {trial.place(int(packet["source"]))[0], trial.place(destination)[0]}
        outputs = [(chip, trial.port(chip, destination)) for chip in chips]
        return any(self.dead[at] >> packet["traffic_class"] & 1 for at in outputs)

    def missing(self) -> Counter[str]:
        """Packets that have not come out, by what has become of them: see :meth:`results`."""
        trial, found = self.trial, Counter()
        reset = {(chip, port) for chip, port, _ in trial.resets}
        reset |= {trial.place(host) for host, _, _ in trial.restarts}
        for row in self.packets.rows[self.packets.completed < 0]:
            source, destination = int(row["source"]), int(row["destination"])
            if (destination, int(row["traffic_class"])) in trial.stopped:
                found["stopped"] += 1
            elif row["injected"] < 0:
                found["waiting"] += 1
            elif self.met_a_dead_output(row):
                found["dead"] += 1
            else:
                found["reset" if trial.route(source, destination) & reset else "lost"] += 1
        return found

    def results(self) -> dict[str, Any]:
        """What came of it.

        ``lost`` were taken and never delivered, but for those that a ``reset`` may have taken, or
        the restart of a host, and those for an output that was ``dead``; ``waiting`` were never
        taken. Of both those to a ``stopped`` buffer are counted apart.
        With lanes ``bits_hit`` were wrong on them, ``symbols_corrected`` of codewords, and
        ``codewords_bad`` could not be; ``self_tests`` tells of each chip what came to it: the
        result, bits of each lane, and those that were wrong.
        ``given_up`` are frames and packets that links have reported as lost, of which some may have
        come.
        """
        totals, missing = self.sinks.totals(), self.missing()
        return {
            "offered": self.offered,
            "delivered": totals["delivered"],
            **{name: missing[name] for name in ("lost", "waiting", "reset", "dead", "stopped")},
            "given_up": int(self.counts[:, [LOST, DISCARDED]].sum()),
            "duplicated": totals["duplicated"],
            "reordered": totals["reordered"],
            "corrupted": totals["corrupted"],
            **self.told,
            "bits_hit": sum(cable.hits for cable in self.cables),
            "symbols_corrected": int(self.symbols[0]),
            "codewords_bad": int(self.symbols[1]),
            "self_tests": [self.tests[n] for n in sorted(self.tests)],
            "cycles": self.cycle,
            "collectives": self.workload.results() if self.workload else [],
            "counters": {
                name: dict(zip(COUNTED, row.tolist(), strict=True))
                for name, row in zip(
                    ["hosts", *(f"chip {n}" for n in range(self.trial.chips))],
                    self.counts,
                    strict=True,
                )
            },
        }
