"""cocotb bench of rtl.egress: lockstep with the golden model under legal traffic, and a scoreboard.

The stimulus does what a scheduler does: it decides on a connection of one class (up to ``limit``
flits, whole packets) only while the egress accepts that class, and sends its flits ``2 K + 4``
cycles later or more, after those of all connections before.
"""

import os
from collections import deque
from dataclasses import dataclass
from itertools import chain, repeat

import cocotb
import numpy as np
from numpy.typing import NDArray

from models.config import FRONT_FLITS, SwitchConfig
from models.egress import EMPTY, EXTRA, EgressModel
from rtl.egress import Egress
from verif.coverage import Coverage
from verif.lockstep import Lockstep, bench_config

CYCLES = int(os.environ.get("BENCH_CYCLES", "2000"))


@dataclass
class Flit:
    """A flit on its way to the egress; ``parity`` has one bit for each word."""

    data: NDArray[np.int64]
    count: int
    first: int = 0
    last: int = 0
    error: int = 0
    mark: int = 0
    parity: int = 0

    def seal(self) -> None:
        """Give it the right parity."""
        odd = np.bitwise_count(self.data.view(np.uint64)) & 1
        self.parity = sum(int(bit) << n for n, bit in enumerate(odd))
        self.parity ^= self.count.bit_count() & 1
        self.parity ^= self.first ^ self.last ^ self.error ^ self.mark


@dataclass
class Packet:
    """All flits that its header declares, and what the line must see of them."""

    traffic_class: int
    open: bool  # its flits may come with gaps between them
    flits: list[Flit]
    expected: list[tuple[bytes, int, int, int]]  # data, valid bytes, last, user


class Traffic:
    """Random packets: some broken with padding behind, some hit by a bit error on the way."""

    def __init__(self, config: SwitchConfig, rng: np.random.Generator, longest: int):
        self.config, self.rng, self.longest = config, rng, longest

    def packet(self, traffic_class: int) -> Packet:
        rng, size, length = self.rng, self.config.flit_bytes, self.length()
        mark = int(rng.random() < 0.2)
        words = rng.integers(-(1 << 63), 1 << 63, (length, self.config.words))
        flits = [Flit(data, size - 1, mark=mark) for data in words]
        flits[0].first = flits[-1].last = 1
        flits[-1].count = int(rng.integers(size))
        if rng.random() < 0.15:  # broken: the rest is padding
            flits[-1].last, flits[-1].count = 0, size - 1
            end = flits[rng.integers(length)]
            end.last, end.error, end.count = 1, 1, size - 1
        for flit in flits:
            flit.seal()
        if rng.random() < 0.15:
            self.damage(flits[rng.integers(length)])

        expected = []
        for flit in flits:
            sound = Flit(flit.data, flit.count, flit.first, flit.last, flit.error, flit.mark)
            sound.seal()
            wrong = sound.parity != flit.parity
            last, error = flit.last | wrong, flit.error | wrong
            valid_bytes = flit.count + 1 if last and not wrong else size
            expected.append((flit.data.tobytes(), valid_bytes, last, error + 2 * flit.mark))
            if last:
                break
        return Packet(traffic_class, bool(rng.random() < 0.3), flits, expected)

    def connection(self, traffic_class: int) -> list[Packet]:
        """Whole packets, now and then up to ``limit`` flits together."""
        packets, room = [], self.config.limit
        if self.rng.random() > min(0.2, 5 / room):
            room = int(self.rng.integers(1, min(room, 2 * self.longest) + 1))
        while len((packet := self.packet(traffic_class)).flits) <= room:
            packets.append(packet)
            room -= len(packet.flits)
        return packets

    def damage(self, flit: Flit) -> None:
        """Flip one bit, in any of the fields but ``first``, without which a packet is padding."""
        match self.rng.integers(5):
            case 0:
                flit.data[self.rng.integers(self.config.words)] ^= 1 << int(self.rng.integers(63))
            case 1:
                flit.count ^= 1
            case 2:
                flit.last ^= 1
            case 3:
                flit.mark ^= 1
            case 4:
                flit.parity ^= 1 << int(self.rng.integers(self.config.words))

    def length(self) -> int:
        if self.rng.random() < 0.5:
            return 1
        if self.longest > 1 and self.rng.random() < 0.02:
            return self.config.max_packet_flits
        return int(self.rng.integers(1, self.longest + 1))


class Scoreboard:
    """Packets leave whole, in the order of their class; only a reset or a flush takes one away.

    Parameters
    ----------
    flushable : int
        Bit ``c`` is set if class ``c`` is ever flushed.
    """

    def __init__(self, classes: int, flushable: int):
        self.waiting: list[deque[Packet]] = [deque() for _ in range(classes)]
        self.flushable = flushable
        self.sending: list[tuple[bytes, int, int, int]] = []
        self.finished = self.lost = self.resets = 0

    def reset(self) -> None:
        self.lost += bool(self.sending)
        self.sending, self.resets = [], self.resets + 1

    def taken(self, flit: tuple[bytes, int, int, int]) -> None:
        if not self.sending:
            self.sending = self.begin(flit)
        assert flit == self.sending.pop(0)
        self.finished += not self.sending

    def begin(self, flit: tuple[bytes, int, int, int]) -> list[tuple[bytes, int, int, int]]:
        for c, queue in enumerate(self.waiting):
            for n, packet in enumerate(queue):
                if packet.expected[0] == flit:
                    assert n == 0 or self.resets or self.flushable >> c & 1, (
                        "a packet was lost or overtaken"
                    )
                    for _ in range(n + 1):
                        queue.popleft()
                    self.lost += n
                    return list(packet.expected)
        raise AssertionError("the line has a flit that begins no packet")


def ready_pattern(name: str, rng: np.random.Generator):
    """Endless ``o.ready``: always, at random, or in bursts (with long stops)."""
    while True:
        if name == "always":
            yield 1
        elif name == "random":
            yield int(rng.random() < 0.6)
        else:
            for value in (1, 0):
                for _ in range(rng.integers(1, 40)):
                    yield value


class Permits:
    """``permit`` or ``flush``: each class comes and goes by itself, now and then for long."""

    def __init__(self, config: SwitchConfig, rng: np.random.Generator):
        self.everything = (1 << config.classes) - 1
        self.rng, self.mask, self.left = rng, self.everything, [0] * config.classes

    def next(self) -> int:
        for c, left in enumerate(self.left):
            if left:
                self.left[c] -= 1
                continue
            self.mask ^= 1 << c
            long = self.rng.random() < 0.2
            self.left[c] = int(self.rng.integers(100, 300) if long else self.rng.integers(1, 40))
        return self.mask


@cocotb.test()
@cocotb.parametrize(
    load=[0.2, 1.0], ready=["always", "random", "bursts"], longest=[1, 20], resets=[False, True]
)
async def matches_model(dut, load: float, ready: str, longest: int, resets: bool) -> None:
    await run(dut, load, ready, longest, resets=resets, permits=False)


@cocotb.test()
@cocotb.parametrize(ready=["always", "bursts"], longest=[1, 20], resets=[False, True])
async def holds_what_has_no_permit(dut, ready: str, longest: int, resets: bool) -> None:
    await run(dut, 1.0, ready, longest, resets=resets, permits=True)


@cocotb.test()
@cocotb.parametrize(ready=["always", "bursts"], longest=[1, 20], permits=[False, True])
async def discards_what_is_flushed(dut, ready: str, longest: int, permits: bool) -> None:
    load = 0.3 if ready == "always" else 1.0
    await run(dut, load, ready, longest, resets=False, permits=permits, flushes=True)


async def run(
    dut,
    load: float,
    ready: str,
    longest: int,
    *,
    resets: bool,
    permits: bool,
    flushes: bool = False,
) -> None:
    """One random case; without ``permits`` every class has its permit all the time.

    With ``flushes`` the highest class is flushed now and then; if lines are always ready, all are.
    """
    config = bench_config()
    rng = np.random.default_rng(cocotb.RANDOM_SEED)
    model = EgressModel(config)
    bench = Lockstep(dut, Egress(config), model)
    outputs = model.outputs
    await bench.reset()

    # What the run must have met.
    goals = {"delivered", "errored", "parity"}
    if ready == "always" or config.class_policy == "weighted":  # strict priority may starve
        goals |= {f"class {c}" for c in range(config.classes)}
    if permits:
        goals |= {"kept from passing by", "held"}
        if config.classes > 1:
            goals |= {"held while another went on"}
        if longest > 1 and config.max_packet_flits > 1:
            goals |= {"went on without its permit"}
        if resets:
            goals |= {"flushed without its permit"}
    elif load < 1 or ready == "always":
        goals |= {"passed by"}
        if longest > 1:
            goals |= {"ran empty within a packet"}
    if longest > 1:
        goals |= {"padding"}
    if ready != "always":
        goals |= {"stalled with flits behind", "stayed in memory"}
        if load == 1 and config.egress_depth <= CYCLES // 8:
            goals |= {"not accepted"}
        if load == 1 and config.classes > 1 and not permits:
            goals |= {"another class at full speed"}
    if resets or flushes:
        goals |= {"discarded"}
    if flushes:
        goals |= {"doomed after others of its class were sent"}
        if longest > 1 and config.max_packet_flits > 1:
            goals |= {"doomed beyond the flush", "went on in a flush"}
            if ready == "always" and not permits:
                goals |= {"doomed, passed by"}
        if permits:
            goals |= {"doomed without its permit"}
    seen = Coverage(goals)

    traffic = Traffic(config, rng, min(longest, config.max_packet_flits))
    permit, flush = Permits(config, rng), Permits(config, rng)
    highest = 1 << (config.classes - 1)
    flushable = (permit.everything if ready == "always" else highest) if flushes else 0
    scoreboard, pattern = Scoreboard(config.classes, flushable), ready_pattern(ready, rng)
    hold = "held while another went on" if config.classes > 1 else "held"
    delay = 2 * config.iterations + 4  # cycles from a decision to the first flit
    accepted: deque[int] = deque(maxlen=delay)  # what the egress accepted in these cycles
    connection: list[Packet] = []  # what is left of it
    current: Packet | None = None
    sent = rest_of_reset = next_class = 0
    first = -1  # class of the first connection
    inputs, state, line = model.inputs, model.state, model.state.lines[0]
    slots = config.egress_depth + EXTRA  # of a class
    drain = 2 * config.egress_flits + 4 * config.max_packet_flits  # cycles, at most
    for active in chain((True for _ in seen.steps(CYCLES)), repeat(False, drain)):
        # The connection that begins in this cycle was decided on when its class was accepted.
        inputs.i_valid[0], begins = 0, False
        if active and current is None and not connection and rng.random() < load:
            if len(accepted) == delay and accepted[0] >> next_class & 1:
                connection = traffic.connection(next_class)
                first = next_class if connection and first < 0 else first
                sent += len(connection)
            else:
                seen["not accepted"] += len(accepted) == delay
            skip = rng.integers(config.classes) if rng.random() < 0.3 else 0
            next_class = int(next_class + 1 + skip) % config.classes
        if current is None and connection:
            current = connection.pop(0)
            begins = True
            scoreboard.waiting[current.traffic_class].append(current)
        going = begins or not active or (current and not current.open)
        if current and (going or rng.random() < 0.5):
            flit = current.flits.pop(0)
            inputs.i_valid[0] = 1
            inputs.i_traffic_class[0] = current.traffic_class
            inputs.i_flit_data[0] = flit.data
            inputs.i_flit_count[0] = flit.count
            inputs.i_flit_first[0], inputs.i_flit_last[0] = flit.first, flit.last
            inputs.i_flit_error[0], inputs.i_flit_mark[0] = flit.error, flit.mark
            inputs.i_flit_parity[0, 0] = flit.parity
            if not current.flits:
                current = None

        # A reset lets go what is held, so none comes before something was.
        reset_may_come = resets and active and not rest_of_reset and (seen[hold] or not permits)
        if reset_may_come and rng.random() < 0.02:
            rest_of_reset = int(rng.integers(1, 20))
            seen["reset within a packet"] += line["sending"]
        begins_reset = rest_of_reset and not inputs.reset[0]
        inputs.reset[0] = rest_of_reset > 0
        rest_of_reset = max(0, rest_of_reset - 1)
        inputs.o_ready[0] = next(pattern) if active else 1
        inputs.permit[0] = permit.everything
        if permits and active and seen[hold]:
            inputs.permit[0] = permit.next()
        elif permits and active and first >= 0:  # the class that comes first is held
            inputs.permit[0] &= ~(1 << first)
        inputs.flush[0] = ~flush.next() & flushable if active and (seen[hold] or not permits) else 0

        # What happens to the flit in the check stage, and to the line.
        arrived = line["check"]
        discarded = arrived != EMPTY and line["ended"] and not line["check_first"]
        before = line["in_packet"], line["owner"]
        queued = state.queues["stored"][0].copy()
        permitted, flushed = int(line["permitted"]), int(line["flushed"])
        room, doomed = line["promised"] < FRONT_FLITS, bool(line["doomed"])
        moving = any(line[stage] != EMPTY for stage in ("issued", "memory", "fetch"))
        await bench.step()
        accepted.append(int(outputs.accepts[0]))
        stored = arrived != EMPTY and not discarded
        seen["passed by"] += stored and line["o"] == arrived
        seen["stayed in memory"] += stored and queued[arrived // slots] > 0
        seen["ran empty within a packet"] += before[0] and queued[before[1]] == 0
        seen["padding"] += bool(discarded)
        seen["stalled with flits behind"] += line["memory"] != EMPTY and not inputs.o_ready[0]
        seen["another class at full speed"] += (
            line["memory"] != EMPTY and queued.any() and line["owner"] != before[1]
        )
        seen[f"class {line['owner']}"] += 1
        # What a flit's class and permit had to do with its leaving.
        passed = stored and line["issued"] == EMPTY and not state.queues["stored"][0].any()
        passed = passed and not queued.any() and not moving and room
        went = int(line["issued"]) // slots if line["issued"] != EMPTY else -1
        if passed:
            went = int(arrived) // slots
        may = permitted | flushed
        lacks = [c for c in range(config.classes) if queued[c] and not may >> c & 1]
        assert went < 0 or before[0] or may >> went & 1, "begun without its permit"
        if before[0]:
            lacks = [c for c in lacks if c != before[1]]
            seen["went on without its permit"] += went >= 0 and not permitted >> went & 1
            seen["went on in a flush"] += went >= 0 and flushed >> went & 1 and not doomed
            seen["doomed beyond the flush"] += went >= 0 and doomed and not flushed >> went & 1
            seen["doomed, passed by"] += passed and doomed
        elif went >= 0 and flushed >> went & 1:
            seen["doomed without its permit"] += not permitted >> went & 1
            seen["doomed after others of its class were sent"] += seen[f"sent {went}"] > 0
        elif went >= 0:
            seen[f"sent {went}"] += 1
        seen["held"] += bool(lacks) and room
        seen["held while another went on"] += bool(lacks) and went >= 0 and went not in lacks
        seen["kept from passing by"] += (
            stored and not (queued.any() or moving or before[0] or passed) and room
        )
        seen["flushed without its permit"] += (
            inputs.reset[0] and went >= 0 and not inputs.permit[0] >> went & 1 and not before[0]
        )
        assert state.queues["stored"].max() < config.egress_depth  # an issued flit keeps its slot
        for event in ("delivered", "errored", "discarded", "parity"):
            seen[event] += getattr(outputs, event)[0]
        if outputs.o_valid[0] and inputs.o_ready[0]:
            keep = sum(int(word).bit_count() for word in outputs.o_payload_keep[0].view(np.uint64))
            scoreboard.taken(
                (
                    outputs.o_payload_data[0].tobytes(),
                    keep,
                    int(outputs.o_payload_last[0]),
                    int(outputs.o_payload_user[0]),
                )
            )
        if begins_reset:  # it acts in the next cycle
            scoreboard.reset()
        # `idle` does not know yet of what arrives in this cycle.
        coming = current or connection or inputs.i_valid[0]
        if not active and outputs.idle[0] and not coming:
            break

    # All of it has left and is accounted for.
    assert outputs.idle[0] and outputs.occupancy[0] == 0
    assert seen["delivered"] + seen["errored"] == scoreboard.finished
    lost = scoreboard.lost + sum(map(len, scoreboard.waiting))
    assert seen["discarded"] == lost and scoreboard.finished + lost == sent
    assert resets or flushes or lost == 0
    kept = [queue for c, queue in enumerate(scoreboard.waiting) if not flushable >> c & 1]
    assert resets or not any(kept), "lost without a flush"
    dut._log.info("%d packets, %s", sent, dict(seen))
