"""cocotb bench of rtl.switch: lockstep with the golden model, and a scoreboard beside it."""

import os
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field

import cocotb
import numpy as np
from cocotb.task import bridge, resume
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from models.config import SwitchConfig
from models.egress import EMPTY, EXTRA
from models.packet import HEADER_BYTES, Broken, Drop, Header, Operation
from models.switch import SwitchModel
from models.traffic import Sinks, Sources, generate, line_of
from rtl.switch import Switch
from verif.bench.classifier import REASONS, words
from verif.coverage import Coverage
from verif.lockstep import Lockstep, bench_config
from verif.scoreboard import Scoreboard

__all__ = ["QUALIFIED"]

CYCLES = int(os.environ.get("BENCH_CYCLES", "2000"))
EXAMPLES = int(os.environ.get("BENCH_EXAMPLES", "60"))
QUALIFIED = {
    "released_output": "released_valid",
    "released_traffic_class": "released_valid",
    "drop_reason": "drop_valid",
    "drop_header": "drop_valid",
    "broken_reason": "broken_valid",
}

BROKEN = (Broken.INPUT, Broken.KEEP, Broken.SHORT, Broken.LONG, Broken.STALL)
DROPS = (Drop.LENGTH, Drop.OPERATION, Drop.TRAFFIC_CLASS, Drop.NO_ROUTE)
ACTIONS = ("disable", "drain", "reset", "inject", "stop", "hold", "hold")
ACTIONS += ("route", "unroute", "expel", "admit", "flush", "flush all")
BY_CONTROLS = {Drop.NO_ROUTE, Drop.PARTITION, Drop.DISABLED}  # how a good frame can be dropped
PARTITIONS = 4


@dataclass(frozen=True)
class Frame:
    """One packet as its sender puts it on the line.

    ``fault`` is a reason of ``Drop`` or ``Broken``, or None. Destination ``d`` and ``d + ports``
    are the same output, but the latter has no route at first. The length is ``flits`` whole flits
    and ``edge`` bytes, as far as the configuration allows.
    """

    fault: Drop | Broken | None = None
    destination: int = 0
    traffic_class: int = 0
    partition: int = 0
    flits: int = 1
    edge: int = 0
    gap: int = 0  # cycles between flits


@dataclass(frozen=True)
class Event:
    """Something that the operator does at ``port`` in ``cycle``, and undoes after ``cycles``.

    ``hold`` takes the permit of the class ``cycle % classes``, and ``flush`` has it discarded.
    """

    action: str
    port: int
    cycle: int
    cycles: int = 1


@dataclass(frozen=True)
class Scenario:
    """All that happens between two resets of the switch."""

    frames: list[list[Frame]]  # per port
    events: list[Event]
    ready: list[float]  # per port
    seed: int = 0
    swept: bool = True  # wait until the tables can be programmed


@dataclass
class Flit:
    data: np.ndarray
    keep: int
    last: bool
    error: bool = False
    gap: int = 0


def stream(
    config: SwitchConfig, source: int, frame: Frame, rng: np.random.Generator
) -> tuple[bytes, list[Flit], bool]:
    """Bytes and flits of a frame, and whether it must not arrive as good."""
    size, fault = config.flit_bytes, frame.fault
    length = frame.flits * size + frame.edge
    length = min(max(length, config.min_packet_bytes), config.max_packet_bytes)
    fields = {
        "destination": frame.destination,
        "source": source,
        "length": length,
        "traffic_class": frame.traffic_class,
        "partition": frame.partition,
    }
    if isinstance(fault, Drop):
        fields |= {
            Drop.LENGTH: {"length": config.max_packet_bytes + 1 if frame.edge else 7},
            Drop.OPERATION: {"operation": Operation.MULTICAST},
            Drop.TRAFFIC_CLASS: {"traffic_class": config.classes},
            Drop.NO_ROUTE: {"destination": config.endpoints + frame.destination},
        }[fault]
    head = Header(**fields).pack().to_bytes(HEADER_BYTES, "little")
    packet = head + rng.bytes(length - HEADER_BYTES)

    full = (1 << size) - 1
    flits = []
    for start in range(0, length, size):
        part = packet[start : start + size]
        data = np.frombuffer(part.ljust(size, b"\0"), dtype=np.int64)
        last = start + size >= length
        flits.append(Flit(data, (1 << len(part)) - 1, last, gap=frame.gap if start else 0))
    spoilt = isinstance(fault, Broken)
    place = int(rng.integers(len(flits)))
    if not spoilt:
        pass
    elif fault == Broken.INPUT:
        flits[place].error = True
    elif fault == Broken.KEEP:
        flits[place].keep = flits[place].keep >> 1 or full
    elif fault == Broken.LONG:
        flits[-1].last, flits[-1].keep = False, full
        flits.append(Flit(np.zeros(config.words, dtype=np.int64), full, True))
    elif len(flits) == 1:
        spoilt = False  # cannot be cut, nor stall
    elif fault == Broken.SHORT:
        del flits[max(1, place) :]
        flits[-1].last = True
    else:
        flits[max(1, place)].gap = config.stall_cycles + 2
        spoilt = place > 4  # while the head waits in the last stage, three behind it, one has time
    return packet, flits, spoilt


@dataclass
class Source:
    """The sender at a port."""

    frames: deque
    flits: deque = field(default_factory=deque)
    gap: int = 0
    head: tuple | None = None  # packet and fault, while the head waits to be taken
    undecided: deque = field(default_factory=deque)  # tickets and faults of heads, in order


def held(config: SwitchConfig, model: SwitchModel, port: int) -> int:
    """Classes that have no permit while a packet of theirs waits for one, and others go on."""
    slots, line = config.egress_depth + EXTRA, model.parts.egress.lines[port]
    stored = model.parts.egress.queues["stored"][port]
    waiting = sum(1 << c for c in range(config.classes) if stored[c])
    waiting &= ~(line["permitted"] | line["flushed"])
    gone = line["issued"]
    if gone == EMPTY or waiting >> (gone // slots) & 1:
        return 0
    return int(waiting)


class World:
    """Everything around the switch, and the account of what becomes of each packet."""

    def __init__(self, config: SwitchConfig, scenario: Scenario, model: SwitchModel, seen: Counter):
        self.config, self.scenario, self.model, self.seen = config, scenario, model, seen
        self.rng = np.random.default_rng(scenario.seed)
        self.board = Scoreboard()
        self.sources = [Source(deque(frames)) for frames in scenario.frames]
        self.partial = [bytearray() for _ in range(config.ports)]
        self.spoilt: set[bytes] = set()
        self.held = 0  # mask of ports that the operator wants in reset
        self.resets: set[int] = set()  # ports in reset: also until they are idle
        self.starting: set[int] = set()  # ports whose reset begins in this cycle
        # Ports and classes of which what was under way may have been discarded.
        self.touched: set[tuple[int, int]] = set()
        self.programs: deque[tuple[int, int, int]] = deque()  # not taken yet
        self.told = Counter()  # events of the egresses
        self.injects = any(event.action == "inject" for event in scenario.events)
        self.horizon = max((event.cycle + event.cycles for event in scenario.events), default=0)

    @property
    def done(self) -> bool:
        idle = int(self.model.outputs.idle[0, 0]) == (1 << self.config.ports) - 1
        idle &= not self.model.inputs.i_valid.any()  # `idle` does not know yet of what is taken now
        return idle and not any(source.frames or source.flits for source in self.sources)

    def drive(self, cycle: int) -> None:
        """Inputs of this cycle."""
        config, i = self.config, self.model.inputs
        masks, closed, flushed = Counter(), [0] * config.ports, [0] * config.ports
        self.starting.clear()
        for event in self.scenario.events:
            if event.cycle <= cycle < event.cycle + event.cycles:
                masks[event.action] |= 1 << event.port
                if event.action == "hold":
                    closed[event.port] |= 1 << event.cycle % config.classes
                elif event.action == "flush":
                    flushed[event.port] |= 1 << event.cycle % config.classes
                elif event.action == "flush all":
                    flushed[event.port] = (1 << config.classes) - 1
            if event.cycle != cycle:
                continue
            if event.action == "reset":
                self.starting.add(event.port)
            elif event.action in ("route", "unroute"):
                mask = 1 << event.port if event.action == "route" else 0
                self.programs.append((0, config.ports + event.port, mask))
            elif event.action in ("expel", "admit"):
                everyone = (1 << config.ports) - 1
                mask = everyone & ~(1 << event.port) if event.action == "expel" else everyone
                self.programs.append((1, event.port % PARTITIONS, mask))
        self.starting -= self.resets
        for port in self.starting:
            self.resets.add(port)
            self.touched |= {(port, c) for c in range(config.classes)}
            source = self.sources[port]
            self.seen["reset in a packet"] += bool(source.flits)
            source.flits.clear()  # its link went down: the rest of the frame never comes
        i.enable[0, 0] = (1 << config.ports) - 1 & ~masks["disable"]
        i.drain[0, 0] = masks["drain"]
        i.reset[0, 0] = sum(1 << port for port in self.resets)
        i.inject[0, 0] = masks["inject"] if self.rng.random() < 0.2 else 0
        self.held = masks["reset"]
        i.program_valid[0] = bool(self.programs)
        if self.programs:
            partition, address, mask = self.programs[0]
            i.program_partition[0], i.program_address[0] = partition, address
            i.program_mask[0, 0] = mask
        for n, source in enumerate(self.sources):
            ready = n in self.resets or self.rng.random() < self.scenario.ready[n]
            i.o_ready[0, n] = (ready or cycle > self.horizon) and not masks["stop"] >> n & 1
            i.permit[0, n] = ~closed[n] & ((1 << config.classes) - 1)
            i.flush[0, n] = flushed[n]
            self.touched |= {(n, c) for c in range(config.classes) if flushed[n] >> c & 1}
            self.send(n, source)

    def send(self, n: int, source: Source) -> None:
        i = self.model.inputs
        i.i_valid[0, n] = 0
        if n in self.resets:
            return
        if not source.flits:
            if not source.frames:
                return
            frame = source.frames.popleft()
            packet, flits, spoilt = stream(self.config, n, frame, self.rng)
            source.flits.extend(flits)
            source.gap = frame.gap
            source.head = packet, frame.fault
            if spoilt and len(packet) > 2 * HEADER_BYTES:  # long enough to be told from others
                self.spoilt.add(packet)
        if source.gap:
            source.gap -= 1
            return
        flit = source.flits[0]
        i.i_valid[0, n] = 1
        i.i_payload_data[0, n] = flit.data
        i.i_payload_keep[0, n] = words(flit.keep, i.i_payload_keep.shape[2])
        i.i_payload_last[0, n] = flit.last
        i.i_payload_user[0, n] = flit.error

    def take(self) -> None:
        """Account for what happened in this cycle."""
        i, o, board, seen = self.model.inputs, self.model.outputs, self.board, self.seen
        if i.program_valid[0] and o.program_ready[0]:
            self.programs.popleft()
            seen["programmed in a packet"] += any(source.flits for source in self.sources)
        for n, source in enumerate(self.sources):
            seen["held while another went on"] += held(self.config, self.model, n) > 0
            if int(o.accepted[0, 0]) >> n & 1:
                _, fault = source.undecided.popleft()
                assert not isinstance(fault, Drop), f"accepted in spite of {fault!r}"
            if o.drop_valid[0, n]:
                ticket, fault = source.undecided.popleft()
                reason = Drop(int(o.drop_reason[0, n]))
                allowed = {fault} if isinstance(fault, Drop) else BY_CONTROLS
                assert reason in allowed, f"a frame with fault {fault!r} is dropped for {reason!r}"
                board.drop(ticket)
                seen[reason.name] += 1
            if o.broken_valid[0, n]:
                seen[Broken(int(o.broken_reason[0, n])).name] += 1
            if i.i_valid[0, n] and o.i_ready[0, n]:
                if source.head is not None:
                    packet, fault = source.head
                    source.undecided.append((board.offer(packet), fault))
                    source.head = None
                source.flits.popleft()
                source.gap = source.flits[0].gap if source.flits else 0
            else:
                seen["input waits"] += int(i.i_valid[0, n])
            if o.o_valid[0, n]:
                seen["output waits"] += not i.o_ready[0, n]
                if i.o_ready[0, n]:
                    self.receive(n)
            everything = int(i.flush[0, n]) == (1 << self.config.classes) - 1
            if n in self.starting or everything:  # the rest of what is on the line is discarded
                self.partial[n].clear()
            discards = int(o.discarded[0, 0]) >> n & 1
            seen["flushed"] += discards and n not in self.resets and not everything
            seen["all flushed"] += discards and n not in self.resets and everything
            if n in self.resets and not self.held >> n & 1 and int(o.idle[0, 0]) >> n & 1:
                for ticket, _ in source.undecided:
                    board.drop(ticket)
                source.undecided.clear()
                self.resets.discard(n)
                seen["reset"] += 1
        for event in ("delivered", "errored", "discarded", "parity"):
            happened = int(getattr(o, event)[0, 0]).bit_count()
            self.told[event] += happened
            if event in ("discarded", "parity"):
                seen[event] += happened
        assert self.told["delivered"] == board.counts.delivered
        assert self.told["errored"] == board.counts.errored
        board.check()

    def receive(self, n: int) -> None:
        o = self.model.outputs
        keep = sum(
            (int(word) & (1 << 64) - 1) << 64 * k for k, word in enumerate(o.o_payload_keep[0, n])
        )
        last, user = int(o.o_payload_last[0, n]), int(o.o_payload_user[0, n])
        assert keep and keep & (keep + 1) == 0, f"tkeep {keep:#x} of output {n} has gaps"
        assert last or keep == (1 << self.config.flit_bytes) - 1
        assert last or not user & 1
        self.partial[n] += o.o_payload_data[0, n].tobytes()[: keep.bit_length()]
        self.seen["marked"] += user >> 1
        if not last:
            return
        packet, error = bytes(self.partial[n]), bool(user & 1)
        self.partial[n].clear()
        if error and self.injects and (packet[0] ^ n) & 1:  # the fault is in the header itself
            packet = bytes([packet[0] ^ 1]) + packet[1:]
        header = Header.unpack(int.from_bytes(packet[:HEADER_BYTES], "little"))
        assert header.destination % self.config.ports == n, f"{header} came out of output {n}"
        assert error or packet not in self.spoilt, "a broken packet arrived as good"
        self.board.deliver(packet, error=error)

    def finish(self) -> None:
        """All that is still under way must have been taken by a reset or flush of its output."""
        discarded = self.told["discarded"]
        if not self.touched:
            assert discarded == 0
        missing = [
            ticket
            for flow in self.board.flows.values()
            for ticket in [*flow.overtaken, *flow.waiting]
        ]
        for ticket in missing:
            header = Header.unpack(self.board.flow_of_ticket[ticket])
            if (header.destination % self.config.ports, header.traffic_class) in self.touched:
                self.board.drop(ticket)
        assert len(missing) == discarded, f"{len(missing)} packets missing, {discarded} discarded"
        counts = self.board.finish()
        assert counts.offered == counts.delivered + counts.dropped + counts.errored
        self.seen["delivered"] += counts.delivered
        self.seen["dropped"] += counts.dropped
        self.seen["errored"] += counts.errored


async def play(bench: Lockstep, config: SwitchConfig, scenario: Scenario, seen: Counter) -> None:
    """Run a scenario from reset until the switch is empty."""
    await bench.reset()
    if scenario.swept:
        for _ in range(max(config.endpoints, 256)):
            await bench.step()
    world = World(config, scenario, bench.model, seen)
    frames = sum(map(len, scenario.frames))
    flits = sum(frame.flits + 1 for port in scenario.frames for frame in port)
    limit = world.horizon + 200 + 20 * flits + (config.stall_cycles + 40) * (frames + 1)
    for cycle in range(limit):
        world.drive(cycle)
        await bench.step()
        world.take()
        if cycle > world.horizon and world.done:
            break
    assert world.done, f"not empty after {limit} cycles"
    world.finish()


def scenarios(config: SwitchConfig) -> st.SearchStrategy[Scenario]:
    """What hypothesis shrinks: first the number of frames and events, then each of them."""
    ports = config.ports
    usual = max(2, min(config.max_packet_flits, 10))
    frame = st.builds(
        Frame,
        fault=st.none() | st.sampled_from([*DROPS, *BROKEN]),
        destination=st.integers(0, ports - 1) | st.integers(0, 2 * ports - 1),
        traffic_class=st.integers(0, config.classes - 1),
        partition=st.integers(0, PARTITIONS - 1),
        flits=st.integers(1, usual),
        edge=st.integers(-1, 1),
        gap=st.sampled_from([0, 0, 0, 1, 3]),
    )
    event = st.builds(
        Event,
        action=st.sampled_from(ACTIONS),
        port=st.integers(0, ports - 1),
        cycle=st.integers(0, 150),
        cycles=st.integers(1, 80),
    )
    ready = st.sampled_from([1.0, 0.5, 0.1])
    return st.builds(
        Scenario,
        frames=st.lists(st.lists(frame, max_size=8), min_size=ports, max_size=ports),
        events=st.lists(event, max_size=5),
        ready=st.lists(ready, min_size=ports, max_size=ports),
        seed=st.integers(0, 3),
        swept=st.booleans(),
    )


def long_scenario(config: SwitchConfig, rng: np.random.Generator, cycles: int) -> Scenario:
    """Frames for about ``cycles`` cycles, with everything that can go wrong, in random order."""
    ports, faults = config.ports, [*DROPS, *BROKEN]
    least = -(-config.min_packet_bytes // config.flit_bytes)
    usual = max(2, min(config.max_packet_flits, least + 8))
    hot = int(rng.integers(ports))

    def frame() -> Frame:
        return Frame(
            fault=faults[rng.integers(len(faults))] if rng.random() < 0.2 else None,
            destination=hot if rng.random() < 0.4 else int(rng.integers(2 * ports)),
            traffic_class=int(rng.integers(config.classes)),
            partition=int(rng.integers(PARTITIONS)),
            flits=int(rng.integers(least, usual + 1)),
            edge=int(rng.integers(-1, 2)),
            gap=int(rng.choice([0, 0, 0, 0, 0, 1, 3])),
        )

    events = [
        Event(
            ACTIONS[rng.integers(len(ACTIONS))],
            int(rng.integers(ports)),
            int(rng.integers(cycles)),
            int(rng.integers(1, 80)),
        )
        for _ in range(max(20, cycles // 60))
    ]
    # Long enough for one class after the other that each meets packets of its own and of others.
    events += [
        Event("hold", hot, config.classes * (c * cycles // config.classes**2) + c, cycles // 3)
        for c in range(config.classes)
    ]
    # And long enough that packets of a class come meanwhile, and of all.
    for c in range(config.classes):
        start = config.classes * ((c * cycles + cycles // 2) // config.classes**2) + c
        events.append(Event("flush", (hot + 1) % ports, start, cycles // 8))
    events.append(Event("flush all", (hot + 1) % ports, cycles // 4, cycles // 8))
    count = max(8, cycles // (least + 5))
    return Scenario(
        frames=[[frame() for _ in range(count)] for _ in range(ports)],
        events=events,
        ready=[float(rng.choice([1.0, 0.6])) for _ in range(ports)],
        seed=int(rng.integers(1 << 31)),
    )


def lockstep(dut, config: SwitchConfig) -> Lockstep:
    return Lockstep(dut, Switch(config), SwitchModel(config), QUALIFIED)


@cocotb.test()
async def survives_anything(dut) -> None:
    """Bad frames, stopped outputs, resets, tables that change: small cases that shrink."""
    config = bench_config()
    bench, seen = lockstep(dut, config), Counter()

    @seed(cocotb.RANDOM_SEED)
    @settings(
        deadline=None,
        max_examples=EXAMPLES,
        database=None,
        derandomize=False,
        suppress_health_check=list(HealthCheck),  # pyright: ignore[reportArgumentType]
    )
    @given(scenarios(config))
    def check(scenario: Scenario) -> None:
        resume(play)(bench, config, scenario, seen)

    await bridge(check)()
    assert seen["delivered"]
    assert seen["dropped"]
    assert seen["errored"]


@cocotb.test()
async def meets_every_case(dut) -> None:
    """One long run of everything; ends with the list of what it must have met."""
    config = bench_config()
    wanted = [*REASONS, "delivered", "errored", "output waits", "reset", "discarded"]
    wanted += ["parity", "reset in a packet", "programmed in a packet", "all flushed"]
    wanted += ["held while another went on", "flushed"] * (config.classes > 1)
    if config.limit < CYCLES // 16:
        wanted += ["input waits", "marked"]
    bench, seen = lockstep(dut, config), Coverage(wanted)
    rng = np.random.default_rng(cocotb.RANDOM_SEED)
    for _ in seen.steps(3):
        await play(bench, config, long_scenario(config, rng, CYCLES), seen)


class Permits:
    """``permit`` of all outputs: first one class is held after the other, then each comes and goes.

    A class that is held for good fills its queues, and may keep all inputs waiting.

    A class is without for some 40 cycles, now and then for some 400, and has it for most of the
    time.
    """

    STEP = 8  # cycles
    TURN = 64  # cycles, of a class that is held first

    def __init__(self, config: SwitchConfig, rng: np.random.Generator):
        self.rng, self.weights = rng, 1 << np.arange(config.classes)
        self.left = np.zeros((config.ports, config.classes), dtype=np.int64)

    def next(self, cycle: int, *, chance: bool) -> np.ndarray:
        """Masks of this cycle; without ``chance`` one class has none."""
        if not chance:
            turn = cycle // self.TURN % len(self.weights)
            return np.full(len(self.left), self.weights.sum() - self.weights[turn])
        if cycle % self.STEP == 0:
            self.left = np.maximum(0, self.left - self.STEP)
            for mean, often in ((40, 0.02), (400, 0.001)):
                length = self.rng.geometric(1 / mean, self.left.shape)
                self.left += (self.rng.random(self.left.shape) < often) * length
        return (self.left == 0) @ self.weights


async def carry(
    dut,
    rng: np.random.Generator,
    mix: str,
    load: float,
    ready: float,
    *,
    shaped: bool,
    cycles: int = CYCLES,
    done: Callable[[Sinks], bool] = lambda sinks: True,
) -> tuple[Sinks, np.ndarray]:
    """Run legal traffic of so many cycles, and on until ``done``, for 8 times as long at most.

    Returns the sinks, and for each output the cycles in which it waits.
    """
    config = bench_config()
    traffic_seed = int(rng.integers(1 << 31))
    line = line_of(config, shaped=shaped)
    shares = tuple([1 / config.classes] * config.classes)
    packets = generate(
        config, cycles=cycles, load=load, mix=mix, class_shares=shares, seed=traffic_seed, line=line
    )
    sources = Sources(config, packets, line=line)
    sinks = Sinks(config, packets, line=line, ready=ready, seed=traffic_seed)
    bench = lockstep(dut, config)
    await bench.reset()
    i, o = bench.model.inputs, bench.model.outputs
    i.enable[0] = words((1 << config.ports) - 1, i.enable.shape[1])
    streams = ("valid", "payload_data", "payload_keep", "payload_last", "payload_user")
    driven = [getattr(i, f"i_{name}")[0] for name in streams]
    seen = [getattr(o, f"o_{name}")[0] for name in streams]
    waits = np.zeros(config.ports, dtype=np.int64)
    permits, seen_held = Permits(config, rng), False
    for cycle in range(8 * cycles):
        if cycle >= cycles and done(sinks):
            break
        sources.drive(cycle, *driven)
        sinks.drive(cycle, i.o_ready[0])
        i.permit[0] = permits.next(cycle, chance=seen_held or config.classes == 1)
        await bench.step()
        seen_held = seen_held or any(held(config, bench.model, n) for n in range(config.ports))
        sources.taken(cycle, o.i_ready[0])
        sinks.taken(cycle, *seen)
        waits += (o.o_valid[0] != 0) & (i.o_ready[0] == 0)
    assert seen_held or config.classes == 1, "no class was held while another went on"
    totals = sinks.totals()
    assert totals["corrupted"] == totals["reordered"] == totals["duplicated"] == 0, totals
    assert sinks.lost(drained=False) == 0
    assert totals["delivered"] > 0, "nothing was delivered"
    return sinks, waits


@cocotb.test()
@cocotb.parametrize(mix=["single", "eight", "even"], load=[0.6, 1.0], ready=[0.4, 1.0])
async def carries_traffic(dut, mix: str, load: float, ready: float) -> None:
    """At line rate or unshaped: all outputs equal, all packets delivered."""
    rng = np.random.default_rng(cocotb.RANDOM_SEED)
    await carry(dut, rng, mix, load, ready, shaped=bool(rng.integers(2)))


@cocotb.test()
async def uses_every_queue(dut) -> None:
    """Legal traffic with a packet from each queue of each input, and a wait of each output."""
    rng = np.random.default_rng(cocotb.RANDOM_SEED)
    config = bench_config()
    # Some 20 packets for each queue: one without any in 16,384 would be seen once in 10,000 runs.
    cycles = 32 * config.queues * -(-config.min_packet_bytes // config.flit_bytes)
    # What waits behind others as the last has come is given the time to leave.
    sinks, waits = await carry(
        dut,
        rng,
        "single",
        0.6,
        0.8,
        shaped=False,
        cycles=max(CYCLES, cycles),
        done=lambda sinks: bool((sinks.state.expected > 0).all()),
    )
    assert waits.all(), f"outputs {np.flatnonzero(waits == 0)} never waited"
    unused = np.flatnonzero(sinks.state.expected == 0)
    assert not unused.size, f"{unused.size} of {sinks.state.expected.size} queues not used"


def smallest(config: SwitchConfig, flits: int) -> bytes:
    """A packet from port 0 to port 1 of so many flits, or as many as the smallest has."""
    length = max(config.min_packet_bytes, flits * config.flit_bytes)
    header = Header(destination=1, source=0, length=length)
    return header.pack().to_bytes(HEADER_BYTES, "little").ljust(length, b"\1")


@cocotb.test()
@cocotb.parametrize(flits=[1, 8])
async def keeps_its_latency_and_rate(dut, flits: int) -> None:
    """One flow: ``config.latency`` for a packet of one flit; soon one flit in every cycle."""
    config = bench_config()
    bench = lockstep(dut, config)
    await bench.reset()
    i, o = bench.model.inputs, bench.model.outputs
    i.enable[0] = words((1 << config.ports) - 1, i.enable.shape[1])
    i.o_ready[0] = 1
    for _ in range(config.queues):  # the counts are swept, and nothing is admitted
        await bench.step()
    packet = smallest(config, min(flits, config.limit // 4))  # its share is not what limits it
    size = config.flit_bytes
    parts = [packet[start : start + size] for start in range(0, len(packet), size)]
    i.i_payload_keep[0, 0] = words((1 << size) - 1, i.i_payload_keep.shape[2])
    moved, cycles = [], 40 * len(parts) + 40
    for cycle in range(cycles):
        part = parts[cycle % len(parts)]
        i.i_valid[0, 0] = 1
        i.i_payload_data[0, 0] = np.frombuffer(part, dtype=np.int64)
        i.i_payload_last[0, 0] = cycle % len(parts) == len(parts) - 1
        await bench.step()
        assert o.i_ready[0, 0], "a single flow is held back"
        if o.o_valid[0, 1]:
            moved.append(cycle)
    start = config.start_flits(len(parts)) - 1
    if len(parts) > 1:
        start += 2 * (config.iterations - 1)  # claimed in the first iteration only
    assert moved[0] == config.latency + start, f"head out in cycle {moved[0]}"
    # The flits behind the first are claimed together, and later: a few slots stay empty.
    steady = moved[0] + 16
    assert [cycle for cycle in moved if cycle >= steady] == list(range(steady, cycles))
