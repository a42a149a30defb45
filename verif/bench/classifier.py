"""cocotb bench of rtl.classifier: lockstep with the golden model under good and bad packets."""

import os
from collections import deque
from dataclasses import dataclass, field

import cocotb
import numpy as np

from models.classifier import ClassifierModel
from models.config import SwitchConfig
from models.packet import Broken, Drop, Header
from rtl.classifier import PARTITIONS, Classifier
from verif.coverage import Coverage
from verif.lockstep import Lockstep, bench_config

CYCLES = int(os.environ.get("BENCH_CYCLES", "2000"))
WORD = np.iinfo(np.int64)
# Numbers of the two kinds overlap, names do not.
REASONS = [reason.name for reason in (*Drop, *Broken)]


def words(value: int, count: int) -> np.ndarray:
    """``value`` as ``count`` 64-bit words, low word first."""
    return np.frombuffer(value.to_bytes(8 * count, "little"), dtype=np.int64)


@dataclass
class StreamFlit:
    data: np.ndarray
    keep: int
    last: bool = False
    error: bool = False
    gap: int = 0  # cycles without a flit before it


@dataclass
class Packet:
    header: Header
    flits: list[StreamFlit] = field(default_factory=list)


class PacketSource:
    """Random packets, of which a part is wrong in one way, as a stream.

    Parameters
    ----------
    load : float
        Probability of a flit in a cycle; within a packet it comes before half of a stall is over.
    faults : float
        Part of the packets that are wrong.
    """

    def __init__(
        self, config: SwitchConfig, rng: np.random.Generator, *, load: float, faults: float
    ):
        self.config, self.rng, self.load, self.faults = config, rng, load, faults
        self.flits: deque[StreamFlit] = deque()
        self.gap = 0
        self.waited = 0  # cycles by chance without a flit
        self.ended = False  # set it, and no other packet begins
        self.full = (1 << config.flit_bytes) - 1

    def drive(self, inputs, ready: bool) -> Packet | None:
        """Set ``i_*`` after a cycle with ``i_ready`` as ``ready``; return a packet that begins."""
        if inputs.i_valid[0]:
            if not ready:
                return None
            self.flits.popleft()
            self.gap = self.flits[0].gap if self.flits else 0
        packet = None
        inputs.i_valid[0] = 0
        if self.gap:
            self.gap -= 1
        elif (self.flits or not self.ended) and self.comes():
            if not self.flits:
                packet = self.packet()
                self.flits.extend(packet.flits)
            flit = self.flits[0]
            inputs.i_valid[0] = 1
            inputs.i_payload_data[0] = flit.data
            inputs.i_payload_keep[0] = words(flit.keep, inputs.i_payload_keep.shape[1])
            inputs.i_payload_last[0] = flit.last
            inputs.i_payload_user[0] = flit.error + 2 * self.rng.integers(2)
        return packet

    def comes(self) -> bool:
        """Whether there is a flit in this cycle: stalls are faults, and not left to chance."""
        late = self.flits and self.waited >= self.config.stall_cycles // 2
        self.waited = 0 if late or self.rng.random() < self.load else self.waited + 1
        return self.waited == 0

    def packet(self) -> Packet:
        config, rng = self.config, self.rng
        shortest, longest, size = (
            config.min_packet_bytes,
            config.max_packet_bytes,
            config.flit_bytes,
        )
        usual = min(longest, max(shortest, 8 * size))
        length = rng.choice([shortest, int(rng.integers(shortest, usual + 1)), usual])
        fields = {
            "destination": rng.integers(config.ports),
            "source": rng.integers(1 << 16),
            "length": length if rng.random() < 0.95 else rng.choice([longest, longest // 2]),
            "traffic_class": rng.integers(config.classes),
            "partition": rng.integers(16) if rng.random() < 0.9 else rng.integers(256),
        }
        wrong = rng.random() < self.faults
        if wrong and rng.random() < 0.4:
            fields |= {
                0: {"length": rng.choice([0, 7, shortest - 1, longest + 1, 65535])},
                1: {"operation": rng.integers(1, 16)},
                2: {"traffic_class": rng.integers(16)},
                3: {"destination": rng.choice([config.endpoints, int(rng.integers(1 << 16))])},
                4: {"destination": rng.integers(config.endpoints)},
            }[int(rng.integers(5))]
            wrong = False
        header = Header(**{name: int(value) for name, value in fields.items()})
        count = max(1, -(-min(header.length, longest) // size))
        packet = Packet(header, [self.flit() for _ in range(count)])
        packet.flits[0].data[0] = words(header.pack(), 1)[0]
        tail = (header.length - 1) % size + 1
        packet.flits[-1].last, packet.flits[-1].keep = True, (1 << tail) - 1
        if wrong:
            self.spoil(packet)
        return packet

    def flit(self) -> StreamFlit:
        data = self.rng.integers(WORD.min, WORD.max, size=self.config.words)
        return StreamFlit(data, self.full)

    def spoil(self, packet: Packet) -> None:
        flits, n = packet.flits, int(self.rng.integers(len(packet.flits)))
        match int(self.rng.integers(5)):
            case 0:
                flits[n].error = True
            case 1:
                flits[n].keep = flits[n].keep >> 1 or self.full
            case 2:
                del flits[n + 1 :]
                flits[n].last = True
            case 3:
                flits[-1].last = False
                flits[-1].keep = self.full
                flits.extend(self.flit() for _ in range(n + 1))
                flits[-1].last = True
            case 4:
                flits[n].gap = self.config.stall_cycles + int(self.rng.integers(-1, 4))


class Operator:
    """Random resets, drains, disabled ports and table entries."""

    def __init__(self, config: SwitchConfig, rng: np.random.Generator):
        self.config, self.rng = config, rng

    def mask(self, density: float) -> int:
        return sum(1 << n for n in range(self.config.ports) if self.rng.random() < density)

    def drive(self, inputs, ready: bool) -> None:
        """Set the controls after a cycle with ``program_ready`` as ``ready``."""
        config, rng = self.config, self.rng
        mask_words = inputs.enabled.shape[1]
        inputs.port[0] = config.ports - 1
        inputs.reset[0] = rng.random() < (0.5 if inputs.reset[0] else 0.004)
        inputs.enable[0] = rng.random() < 0.95
        inputs.drain[0] = rng.random() < 0.03
        if rng.random() < 0.02 or not inputs.enabled.any():
            inputs.enabled[0] = words(self.mask(0.9), mask_words)
        if inputs.program_valid[0] and not ready:
            return
        inputs.program_valid[0] = rng.random() < 0.05
        inputs.program_partition[0] = rng.random() < 0.5
        if inputs.program_partition[0]:
            address, mask = rng.integers(rng.choice([16, 260])), self.mask(0.8)
        else:
            address = rng.integers(config.endpoints + 2)
            mask = 1 << int(rng.integers(config.ports)) if rng.random() < 0.8 else self.mask(0.5)
        inputs.program_address[0] = address
        inputs.program_mask[0] = words(mask, mask_words)


def count_events(seen: Coverage, outputs) -> None:
    """Add what the events tell of the cycle before."""
    if outputs.drop_valid[0]:
        seen[Drop(int(outputs.drop_reason[0])).name] += 1
    if outputs.broken_valid[0]:
        seen[Broken(int(outputs.broken_reason[0])).name] += 1
    seen["accepted"] += int(outputs.accepted[0])


@cocotb.test()
@cocotb.parametrize(load=[0.3, 1.0], admits=[0.3, 1.0])
async def matches_model(dut, load: float, admits: float) -> None:
    config = bench_config()
    model = ClassifierModel(config)
    qualified = {f"push_{name}": "push_valid" for name in ("first", "queue", "flit")}
    qualified |= {"push_length": "push_first", "offer_queue": "offer_length"}
    qualified |= {f"announce_{n}": "announce_valid" for n in ("queue", "length", "partial")}
    qualified |= {f"drop_{name}": "drop_valid" for name in ("reason", "header")}
    qualified |= {"broken_reason": "broken_valid"}
    bench = Lockstep(dut, Classifier(config), model, qualified=qualified)

    goals = dict.fromkeys(REASONS, 1)
    goals |= {"pushed": CYCLES // 10 + 1, "announced": 1, "accepted": 1}
    goals |= {"programmed": 1, "programming waits for the sweep": 1, "idle": 1}
    if not config.store_and_forward:
        goals |= {"complete": 1}
    seen, i, o = Coverage(goals), model.inputs, model.outputs
    sweep = max(config.endpoints, PARTITIONS)
    for run in range(2):
        await bench.reset()
        rng = np.random.default_rng([cocotb.RANDOM_SEED, run])
        source = PacketSource(config, rng, load=load, faults=0.5)
        operator = Operator(config, rng)
        for cycle in seen.steps(CYCLES // 2):
            source.drive(i, bool(o.i_ready[0]))
            operator.drive(i, bool(o.program_ready[0]))
            i.admit[0], i.used_high[0] = rng.random() < admits, rng.random() < 0.3
            await bench.step()
            count_events(seen, o)
            seen["pushed"] += int(o.push_valid[0])
            seen["announced"] += int(o.announce_valid[0])
            seen["complete"] += int(o.complete[0])
            seen["idle"] += int(o.idle[0])
            seen["programmed"] += int(i.program_valid[0] and o.program_ready[0])
            waits = i.program_valid[0] and not o.program_ready[0]
            seen["programming waits for the sweep"] += int(waits and cycle < sweep)
