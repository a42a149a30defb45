"""cocotb bench of verif.chip_pair: packets from host to host, by chips whose clocks all differ.

Hosts are models, and what they send and check is that of :mod:`models.fabric`. Chips and crossings
are RTL. Nothing is compared cycle by cycle, for no two runs of real clocks are alike: packets and
counters are. That each chip does what its model does is what the bench of the chip is for.
"""

import os
from collections import deque
from functools import partial
from typing import Any

import cocotb
import numpy as np
from amaranth.lib.wiring import In, Out
from cocotb.triggers import Timer

from models.chip import chip_counts_lanes
from models.fabric import WRONG, FabricRun, FabricTrial
from models.lines import Lines
from models.link.wire import COUNTED
from models.record import flat
from rtl.chip import Chip
from verif.clock import Clock
from verif.coverage import Coverage
from verif.lockstep import Plan, bench_chip, pack, unpack, wires

# Steps of the clocks: 1 is 100 ppm. All that send or receive are up to 100 ppm too fast or too
# slow; lines are 300 ppm slower than cores.
NOMINAL = 10_000
FAST, SLOW = -1, 1
LINE = 3
JITTER = 0.05
STRETCH = 256  # cycles after which each clock has another period
LEAST = 16  # stretches, at least
UNDER_WAY = 3  # words on a line, from an end to the recovered clock of the other
DEPTH = 8  # words of the queues of a host
DRIFT = 4  # words by which a queue may be fuller at one time than at another
MISSING = 10  # packets that are named, at most


class Core:
    """A chip, its operator, and what it tells."""

    def __init__(self, dut, number: int, run: FabricRun, rng: np.random.Generator):
        config = bench_chip()
        chip, self.model = Chip(config), run.chips[number]
        lanes: Any = config.lanes
        self.number, self.run, self.lanes = number, run, lanes.lanes
        self.driven = Plan(wires(chip, In), self.model.inputs)
        self.seen = Plan(wires(chip, Out), self.model.outputs)
        self.i, self.o, self.told = (
            getattr(dut, f"{name}__{number}") for name in ("i", "o", "told")
        )
        self.vectors = [np.zeros(-(-len(wire) // 64), dtype=np.int64) for wire in (self.i, self.o)]
        ports = config.switch.ports
        self.tally = np.zeros((ports, len(config.counted)), dtype=np.int64)
        self.events, self.asked = np.zeros_like(self.tally), 0
        self.wrong, self.cycle = 0, -1  # in reset
        self.taken = np.zeros(ports, dtype=np.int64)
        self.came = np.zeros((ports, self.lanes), dtype=np.int64)
        self.clock = Clock(
            getattr(dut, f"core_{number}_clk"), NOMINAL, rng, jitter=JITTER, rises=self.see,
            falls=self.drive,
        )  # fmt: skip
        self.reset = getattr(dut, f"core_{number}_rst")

    def drive(self) -> None:
        """The operator of the chip, once there is no reset."""
        if int(self.reset.value):
            return
        self.cycle += 1
        self.run.operate(self.number, self.cycle)
        vector = self.vectors[0]
        before = vector.tobytes()
        assert pack(flat(self.model.inputs), self.driven.slots, vector) < 0
        if (now := vector.tobytes()) != before:
            self.i.value = int.from_bytes(now, "little")

    def see(self) -> None:
        """What the chip shows at its edge."""
        if self.cycle < 0:
            return
        vector = self.vectors[1]
        vector[:] = np.frombuffer(int(self.o.value).to_bytes(vector.nbytes, "little"), np.int64)
        unpack(vector, self.seen.slots, flat(self.model.outputs))
        self.run.account(self.number)
        self.compare_counter()
        told = int(self.told.value)
        self.wrong += told & 1
        for port in range(self.taken.size):
            self.taken[port] += told >> 1 + port & 1
            for lane in range(self.lanes):
                place = port * self.lanes + lane
                self.came[port, lane] += told >> 1 + self.taken.size + place & 1

    def compare_counter(self) -> None:
        """What is read is what had happened when it was asked for."""
        model = self.model
        count = int(model.outputs.counter_count[0])
        assert count == self.asked, (
            f"cycle {self.cycle}: a counter of chip {self.number} is {count}, not {self.asked}"
        )
        self.asked = int(self.tally[model.inputs.counter_link[0], model.inputs.counter_event[0]])
        for place, events in enumerate(model.parts.events):
            self.events[:, place] = events
        lanes = model.config.lanes
        assert lanes
        chip_counts_lanes(model.outputs, self.events, len(COUNTED), lanes.interleave)
        self.tally += self.events


class Level:
    """How full a queue is, but for a constant, and how far that changes."""

    def __init__(self):
        self.levels: set[int] = set()

    def note(self, level: int) -> None:
        """It is so full now."""
        self.levels.add(level)

    @property
    def drift(self) -> int:
        """Words from the emptiest to the fullest."""
        return max(self.levels) - min(self.levels)


class Port:
    """The lines of a port of a chip."""

    def __init__(self, dut, core: Core, port: int):
        config = bench_chip()
        place, self.core, self.port = f"{core.number}_{port}", core, port
        self.name = f"chip {core.number} port {port}"
        lanes: Any = config.lanes
        each, self.width = range(lanes.lanes), lanes.lane_bits
        path = f"{core.number}__{port}"
        self.tx, self.rx = getattr(dut, f"line_tx__{path}"), getattr(dut, f"line_rx__{path}")
        self.ok = [getattr(dut, f"line_ok__{path}__{lane}") for lane in each]
        domains = [f"tx_{place}", *(f"rx_{place}_{lane}" for lane in each)]
        self.tx_clock, *self.rx_clocks = [getattr(dut, f"{domain}_clk") for domain in domains]
        self.resets = [getattr(dut, f"{domain}_rst") for domain in domains]
        self.line = [0 for _ in each]
        self.sent, self.brought = 0, [0 for _ in each]
        self.levels = [Level() for _ in range(1 + len(each))]

    def send(self) -> list[int]:
        """A word of each lane, for the lines."""
        self.sent += 1
        word = int(self.tx.value)
        return [word >> n * self.width & (1 << self.width) - 1 for n in range(len(self.line))]

    def bring(self, lane: int, word: int) -> None:
        """A word of the lines."""
        self.brought[lane] += 1
        self.line[lane] = word
        self.rx.value = sum(word << n * self.width for n, word in enumerate(self.line))

    def signal(self, is_ok: bool) -> None:
        """The lanes have a signal, or none."""
        for wire in self.ok:
            wire.value = int(is_ok)

    def note(self) -> None:
        """How full the queues are."""
        core, port = self.core, self.port
        self.levels[0].note(int(core.taken[port]) - self.sent)
        for lane, brought in enumerate(self.brought):
            self.levels[1 + lane].note(brought - int(core.came[port, lane]))


class Host:
    """The lines of a host, whose crossing is a queue."""

    def __init__(self, pcs: Any, number: int):
        self.pcs, self.number, self.name = pcs, number, f"host {number}"
        lanes, words = pcs.outputs.tx.shape[1:]
        self.bytes = 8 * words
        self.tx_clock, self.rx_clocks = None, [None] * lanes
        self.sending: deque[list[int]] = deque()
        self.coming: list[deque[int]] = [deque() for _ in range(lanes)]
        self.begun, self.is_ok, self.wrong = False, True, 0

    def send(self) -> list[int]:
        """A word of each lane, for the lines."""
        self.begun |= len(self.sending) > DEPTH // 2
        if self.begun and self.sending:
            return self.sending.popleft()
        self.wrong += self.begun
        return [0 for _ in self.coming]

    def bring(self, lane: int, word: int) -> None:
        """A word of the lines."""
        self.wrong += len(self.coming[lane]) >= DEPTH
        self.coming[lane].append(word)

    def signal(self, is_ok: bool) -> None:
        """The lanes have a signal, or none."""
        self.is_ok = is_ok

    def cross(self) -> None:
        """A cycle of the host, whose outputs are there."""
        i, tx, n = self.pcs.inputs, self.pcs.outputs.tx, self.number
        i.tx_ready[n] = len(self.sending) < DEPTH
        if i.tx_ready[n]:
            self.sending.append([int.from_bytes(row.tobytes(), "little") for row in tx[n]])
        for lane, words in enumerate(self.coming):
            i.signal_ok[n, lane], i.rx_valid[n, lane] = self.is_ok, bool(words)
            if words:
                word = words.popleft().to_bytes(self.bytes, "little")
                i.rx[n, lane] = np.frombuffer(word, dtype=np.int64)


class Way:
    """The lines from an end to another: the clock that sends, and those recovered from it."""

    def __init__(self, lines: Lines, sender: Any, receiver: Any, rng: np.random.Generator):
        self.lines, self.sender, self.receiver = lines, sender, receiver
        self.name = f"{sender.name} to {receiver.name}"
        self.begun = [False for _ in receiver.rx_clocks]
        tx = Clock(sender.tx_clock, NOMINAL + LINE, rng, jitter=JITTER, rises=self.send)
        self.clocks = [tx]
        for lane, handle in enumerate(receiver.rx_clocks):
            falls = partial(self.bring, lane)
            self.clocks.append(Clock(handle, NOMINAL + LINE, rng, jitter=JITTER, falls=falls))

    def send(self) -> None:
        """A word of each lane sets out."""
        size = self.lines.width + 63 >> 6 << 3
        words = [
            np.frombuffer(word.to_bytes(size, "little"), np.int64) for word in self.sender.send()
        ]
        self.lines.take(np.array(words))

    def bring(self, lane: int) -> None:
        """The next word of a lane, at its recovered clock."""
        words = self.lines.coming[lane]
        self.begun[lane] |= len(words) > UNDER_WAY
        if self.begun[lane]:
            self.receiver.bring(lane, words.popleft())

    def cut(self, is_cut: bool) -> None:
        """The cable is cut, or whole again."""
        self.lines.dead = set(range(len(self.begun))) if is_cut else set()
        self.receiver.signal(not is_cut)


class Pair:
    """Chips, hosts, all lines and all clocks."""

    def __init__(self, dut, run: FabricRun, rng: np.random.Generator):
        self.run = run
        trial = run.trial
        self.cores = [Core(dut, n, run, rng) for n in range(2)]
        self.ports = [
            [Port(dut, core, n) for n in range(trial.config.switch.ports)] for core in self.cores
        ]
        self.hosts = [Host(run.pcs[0], n) for n in range(trial.hosts)]
        self.clock = Clock(None, NOMINAL, rng, jitter=JITTER, rises=self.step)
        self.ways: list[list[Way]] = []  # of each cable
        for number, cable in enumerate(run.cables):
            first, second = self.ends(number)
            there, back = (lines for lines, _, _ in cable.ways)
            self.ways.append([Way(there, first, second, rng), Way(back, second, first, rng)])
        self.down: set[int] = set()

    def ends(self, cable: int) -> tuple[Host | Port, Port]:
        """What a cable joins: a host and its chip, or both chips."""
        if cable == len(self.hosts):
            return self.ports[0][0], self.ports[1][0]
        chip, port = self.run.trial.place(cable)
        return self.hosts[cable], self.ports[chip][port]

    def step(self) -> None:
        """A cycle of the hosts."""
        run = self.run
        down = set(run.harm(run.cycle))
        for cable in down ^ self.down:
            for way in self.ways[cable]:
                way.cut(cable in down)
        self.down = down
        run.show_hosts()
        for host in self.hosts:
            host.cross()
        run.clock_hosts()

    async def start(self) -> None:
        """All clocks tick; the resets end."""
        ports = [port for ports in self.ports for port in ports]
        resets = [core.reset for core in self.cores]
        resets += [reset for port in ports for reset in port.resets]
        for reset in resets:
            reset.value = 1
        for core in self.cores:
            core.i.value = 0
        for port in ports:
            port.signal(True)
        for clock in (self.clock, *(core.clock for core in self.cores), *self.line_clocks):
            cocotb.start_soon(clock.run())
        await Timer(10 * NOMINAL, unit="step")
        for reset in resets:
            reset.value = 0

    @property
    def line_clocks(self) -> list[Clock]:
        """Those of all lines, at both of their ends."""
        return [clock for cable in self.ways for way in cable for clock in way.clocks]

    def turn(self, stretch: int) -> list[str]:
        """Give each clock another period: in four stretches each core and each of its lines are
        slow and fast at a time, and one against the other. Returns what is so now."""
        found = []
        for n, clock in enumerate([self.clock, *(core.clock for core in self.cores)]):
            clock.period = NOMINAL + (SLOW if (stretch >> 1) + n & 1 else FAST)
        for n, way in enumerate(way for cable in self.ways for way in cable):
            late = SLOW if stretch + n & 1 else FAST
            for clock in way.clocks:
                clock.period = NOMINAL + LINE + late
            for end, what in ((way.sender, "from"), (way.receiver, "to")):
                if isinstance(end, Port):
                    core = "slow" if end.core.clock.period > NOMINAL else "fast"
                    line = "slow" if late > 0 else "fast"
                    found.append(f"{line} lines {what} {end.name}, {core} core")
        return found

    def note(self) -> None:
        """How full all queues are."""
        for ports in self.ports:
            for port in ports:
                port.note()

    @property
    def drift(self) -> int:
        """Of the queue that is fuller at one time than at another by most."""
        return max(level.drift for ports in self.ports for port in ports for level in port.levels)


def missing(run: FabricRun) -> str:
    """Which packets have not come."""
    rows = run.packets.rows[run.packets.completed < 0]
    names = [
        f"host {row['source']} to {row['destination']}, class {row['traffic_class']}, "
        f"number {row['sequence']}"
        for row in rows[:MISSING]
    ]
    names += [f"{rows.size - MISSING} more"] if rows.size > MISSING else []
    return f"{rows.size} packets have not come in {run.cycle} cycles: {'; '.join(names)}"


@cocotb.test()
async def packets_pass(dut) -> None:
    """Each comes once, whole, in order; no queue runs over or dry; counters tell what happened."""
    rng = np.random.default_rng(cocotb.RANDOM_SEED)
    trial = FabricTrial.parse(os.environ["FABRIC_TRIAL"])
    noisy = os.environ["PAIR_NOISY"] == "1"  # more wrong symbols than the code corrects
    run = FabricRun(trial)
    pair = Pair(dut, run, rng)
    await pair.start()
    goals = {"packets": run.offered, "symbols corrected": 100}
    goals |= {"swapped lanes": 1, "lanes a word apart": 1}
    goals |= {"codewords lost": 3, "retries": 3} if noisy else {}
    goals |= {kind: 2 for turn in range(4) for kind in pair.turn(turn)}
    seen = Coverage(goals)
    for cable in run.cables:
        for lines, _, _ in cable.ways:
            delays = lines.delays or [0]
            seen["swapped lanes"] += lines.order not in (None, sorted(lines.order or []))
            seen["lanes a word apart"] += max(delays) - min(delays) >= lines.width
    for stretch in seen.steps(LEAST):
        seen.update(pair.turn(stretch))
        for _ in range(STRETCH):
            await Timer(NOMINAL, unit="step")
            if stretch:
                pair.note()
        found = run.results()
        seen["packets"], seen["symbols corrected"] = found["delivered"], found["symbols_corrected"]
        seen["codewords lost"] = found["codewords_bad"]
        seen["retries"] = sum(counters["tx_replay"] for counters in found["counters"].values())
        if run.quiet > run.patience and found["delivered"] < found["offered"]:
            break
    found = run.results()
    assert found["delivered"] == found["offered"], missing(run)
    assert not any(found[name] for name in WRONG) and not found["dropped"], found
    copies, hosts = run.sinks.totals()["errored"], found["counters"]["hosts"]
    told = hosts["rx_expected_seq_poisoned"] + hosts["rx_expected_seq_bad"]
    assert copies <= told, f"{copies} poisoned copies came, of which links told {told}"
    if not noisy:
        assert not found["codewords_bad"] and not found["broken"] and not copies, found
    for core in pair.cores:
        assert not core.wrong, f"a queue of chip {core.number} ran over or dry"
        for event in ("pcs_starved", "pcs_overrun"):
            place = list(trial.config.counted).index(event)
            assert not core.tally[:, place].any(), f"chip {core.number}: {event}"
        assert (core.tally[:, : len(COUNTED)].sum(axis=0) == run.counts[1 + core.number]).all()
    assert not sum(host.wrong for host in pair.hosts)
    assert pair.drift <= DRIFT, f"a queue was {pair.drift} words fuller than at another time"
    cocotb.log.info("%s", {name: found[name] for name in ("cycles", "delivered", "codewords_bad")})
