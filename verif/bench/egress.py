"""cocotb bench of rtl.egress: lockstep with the golden model under legal traffic, and a scoreboard.

The stimulus reserves room for whole packets, up to one per stage of the scheduler and cycle, and
sends their flits later in the same order, packet by packet.
"""

import os
from collections import Counter, deque
from dataclasses import dataclass

import cocotb
import numpy as np
from numpy.typing import NDArray

from models.config import SwitchConfig
from models.egress import EMPTY, EgressModel
from rtl.egress import Egress
from verif.lockstep import Lockstep, bench_config

CYCLES = int(os.environ.get("BENCH_CYCLES", "2000"))


@dataclass
class Flit:
    """A flit on its way to the egress; ``parity`` has one bit for each word."""

    data: NDArray[np.int64]
    count: int
    last: int = 0
    error: int = 0
    mark: int = 0
    parity: int = 0

    def seal(self) -> None:
        """Give it the right parity."""
        odd = np.bitwise_count(self.data.view(np.uint64)) & 1
        self.parity = sum(int(bit) << n for n, bit in enumerate(odd))
        self.parity ^= (self.count.bit_count() + self.last + self.error + self.mark) & 1


@dataclass
class Packet:
    """Flits from its first to its reserved end, and what the line must see of them."""

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
        flits[-1].last, flits[-1].count = 1, int(rng.integers(size))
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
            sound = Flit(flit.data, flit.count, flit.last, flit.error, flit.mark)
            sound.seal()
            wrong = sound.parity != flit.parity
            last, error = flit.last | wrong, flit.error | wrong
            valid_bytes = flit.count + 1 if last and not wrong else size
            expected.append((flit.data.tobytes(), valid_bytes, last, error + 2 * flit.mark))
            if last:
                break
        return Packet(traffic_class, bool(rng.random() < 0.3), flits, expected)

    def damage(self, flit: Flit) -> None:
        """Flip one bit, in any of the fields."""
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
    """Packets leave whole, in the order of their class; only a reset makes one disappear."""

    def __init__(self, classes: int):
        self.waiting: list[deque[Packet]] = [deque() for _ in range(classes)]
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
        for queue in self.waiting:
            for n, packet in enumerate(queue):
                if packet.expected[0] == flit:
                    assert n == 0 or self.resets, "a packet was lost or overtaken"
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


@cocotb.test()
@cocotb.parametrize(
    load=[0.2, 1.0], ready=["always", "random", "bursts"], longest=[1, 20], resets=[False, True]
)
async def matches_model(dut, load: float, ready: str, longest: int, resets: bool) -> None:
    config = bench_config()
    rng = np.random.default_rng(cocotb.RANDOM_SEED)
    model = EgressModel(config)
    bench = Lockstep(dut, Egress(config), model)
    outputs = model.outputs
    await bench.reset()

    traffic = Traffic(config, rng, min(longest, config.max_packet_flits))
    scoreboard, pattern = Scoreboard(config.classes), ready_pattern(ready, rng)
    upcoming = [traffic.packet(c) for c in range(config.classes)]
    reserved: deque[Packet] = deque()
    current: Packet | None = None
    sent, rest_of_reset, refilling, seen = 0, 0, False, Counter()
    inputs, state = model.inputs, model.state
    drain = 2 * config.egress_flits + 4 * config.max_packet_flits  # cycles, at most
    for cycle in range(CYCLES + drain):
        active = cycle < CYCLES

        # A packet begins to arrive only in a later cycle than it was reserved.
        inputs.i_valid[0] = inputs.i_first[0] = 0
        if current is None and reserved and (not active or rng.random() < load):
            current = reserved.popleft()
            inputs.i_first[0] = 1
            scoreboard.waiting[current.traffic_class].append(current)
        going = inputs.i_first[0] or not active or (current and not current.open)
        if current and (going or rng.random() < 0.5):
            flit = current.flits.pop(0)
            inputs.i_valid[0] = 1
            inputs.i_traffic_class[0] = current.traffic_class
            inputs.i_flit_data[0] = flit.data
            inputs.i_flit_count[0], inputs.i_flit_last[0] = flit.count, flit.last
            inputs.i_flit_error[0], inputs.i_flit_mark[0] = flit.error, flit.mark
            inputs.i_flit_parity[0, 0] = flit.parity
            if not current.flits:
                current = None

        room = state.room[0].copy()
        inputs.reserve_valid[0] = 0
        refilling = active and len(reserved) < (8 if refilling else 2)
        for k, c in enumerate(rng.integers(config.classes, size=config.iterations)):
            length = len(upcoming[c].flits)
            if refilling and length <= room[c]:
                room[c] -= length
                inputs.reserve_valid[0, k] = 1
                inputs.reserve_traffic_class[0, k] = c
                inputs.reserve_length[0, k] = length
                reserved.append(upcoming[c])
                upcoming[c] = traffic.packet(int(c))
                sent += 1
        seen["reservations of one cycle"] += inputs.reserve_valid[0].sum() > 1

        if resets and active and not rest_of_reset and rng.random() < 0.02:
            rest_of_reset = int(rng.integers(1, 20))
            seen["reset within a packet"] += state.sending[0]
            scoreboard.reset()
        inputs.reset[0] = rest_of_reset > 0
        rest_of_reset = max(0, rest_of_reset - 1)
        inputs.o_ready[0] = next(pattern) if active else 1

        # What happens to a flit that arrives.
        c = inputs.i_traffic_class[0]
        slot = c * (config.egress_depth + 2) + state.tail[0, c]
        discarded = inputs.i_valid[0] and state.ended[0] and not inputs.i_first[0]
        arrived = inputs.i_valid[0] and not discarded
        before = state.in_packet[0], state.owner[0]
        await bench.step()
        seen["passed by"] += arrived and state.o[0] == slot
        seen["read as it was written"] += arrived and state.fetch[0] == slot
        seen["stayed in memory"] += arrived and slot not in (state.o[0], state.fetch[0])
        seen["ran empty within a packet"] += before[0] and state.stored[0, before[1]] == 0
        seen["padding"] += bool(discarded)
        seen["stalled with a flit behind"] += state.fetch[0] != EMPTY and not inputs.o_ready[0]
        seen[f"class {state.owner[0]}"] += 1
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
        if not active and outputs.idle[0]:
            break

    # All of it has left, is accounted for, and its room is back.
    assert outputs.idle[0] and outputs.occupancy[0] == 0
    assert np.all(outputs.room[0] == config.egress_depth)
    errored, discards = outputs.counters_errored[0], outputs.counters_discarded[0]
    assert outputs.counters_delivered[0] + errored == scoreboard.finished
    lost = scoreboard.lost + sum(map(len, scoreboard.waiting))
    assert discards == lost and scoreboard.finished + lost == sent
    assert resets or lost == 0

    # The run was not vacuous.
    expected = {f"class {c}" for c in range(config.classes)}
    if load < 1 or ready == "always":
        expected |= {"passed by"}
    if config.iterations > 1:
        expected |= {"reservations of one cycle"}
    if longest > 1:
        expected |= {"padding", "ran empty within a packet"}
    if ready != "always":
        expected |= {"read as it was written", "stalled with a flit behind"}
        if load == 1:
            expected |= {"stayed in memory"}
    assert expected <= {name for name, times in seen.items() if times}, seen
    assert errored and outputs.counters_delivered[0] and outputs.counters_parity[0]
    assert not resets or discards
    dut._log.info("%d packets, %s", sent, dict(seen))
