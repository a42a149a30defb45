"""cocotb bench of rtl.link.hold: lockstep with the golden model, and a list of what must come."""

import os
from collections import Counter
from itertools import product

import cocotb
import numpy as np

from models.link.hold import HoldModel
from rtl.link.hold import Hold
from verif.lockstep import Lockstep, bench_link

CYCLES = int(os.environ.get("BENCH_CYCLES", "3000"))
FIELDS = "data", "keep", "last", "user", "channel", "broken"
ENDINGS = "good", "poisoned", "broken"
# What must have been seen, whatever the seed: how packets went and ended, and what lay before them.
WANTED = {
    *(f"{ending} {way}" for ending, way in product(ENDINGS, ("passes", "stored"))),
    "stored behind one that passes",
    "stored to keep the order",
    "passes behind one forgotten",
    "holds rises before a first flit is taken",
    "holds rises within a packet that passes",
    "full",
    "waits",
}


class Packets:
    """Packets for ``i``, first those that bring about all of ``WANTED``.

    Parameters
    ----------
    load : float
        How often a flit follows at once, later on.
    """

    def __init__(self, config, rng, load: float):
        self.config, self.rng, self.load = config, rng, load
        most = config.max_packet_flits
        # Flits, ending, `holds` with the first of them, and whether all has to leave before.
        self.script = [
            *((most, ending, holds, True) for ending, holds in product(ENDINGS, (0, 1))),
            *((1, ending, holds, True) for ending, holds in product(ENDINGS, (0, 1))),
            *((2, "good", holds, False) for holds in (0, 1, 0)),
            *((2, "broken", 1, True), (1, "good", 0, False), (2, "broken", 0, False)),
            *((most, "good", 1, False),) * 3,
        ]
        self.length = self.place = 0
        self.free = False  # packets are no longer those of the script
        self.ending, self.holds = "good", 0

    @property
    def under_way(self) -> bool:
        return self.place < self.length

    @property
    def scripted(self) -> bool:
        return bool(self.script) or not self.free

    def offer(self, i, cycle: int, empty: bool) -> None:
        """Put the next flit on ``i``, if it is time for one."""
        rng = self.rng
        if not self.under_way:
            if self.script:
                if self.script[0][3] and not empty:
                    return
                self.length, self.ending, self.holds, _ = self.script.pop(0)
            elif rng.random() < self.load:
                self.free = True
                most = self.config.max_packet_flits
                self.length = most if cycle & 512 else rng.integers(1, most + 1)
                self.ending = rng.choice(ENDINGS, p=(0.5, 0.2, 0.3))
                # In turn: packets pass, are stored, and any.
                self.holds = (0, 1, rng.random() < 0.3)[cycle // 128 % 3]
            else:
                return
            self.place = 0
        elif self.free and rng.random() >= self.load:
            return
        last = self.place == self.length - 1
        i.i_payload_data[0] = rng.integers(-(1 << 63), 1 << 63, i.i_payload_data.shape[1])
        i.i_payload_keep[0] = rng.integers(1 << 8, size=i.i_payload_keep.shape[1])
        i.i_payload_last[0] = last
        # Bit 0 of `user`, and `broken`, mean nothing before the last flit.
        i.i_payload_user[0] = 2 * rng.integers(2) + (self.ending != "good" if last else 0)
        i.i_payload_broken[0] = self.ending == "broken" if last else rng.integers(2)
        if not self.place:
            i.i_payload_channel[0] = rng.integers(33)
        i.i_valid[0] = 1
        self.place += 1


def payload(side, name: str) -> list:
    return [getattr(side, f"{name}_payload_{field}")[0].tolist() for field in FIELDS]


@cocotb.test()
@cocotb.parametrize(load=[0.5, 1.0], ready=[0.3, 1.0])
async def matches_model(dut, load: float, ready: float) -> None:
    config = bench_link()
    rng = np.random.default_rng(cocotb.RANDOM_SEED)
    bench = Lockstep(dut, Hold(config), HoldModel(config))
    await bench.reset()
    i, o, seen = bench.model.inputs, bench.model.outputs, Counter()
    packets = Packets(config, rng, load)
    whole, part = [], []  # flits that are to come, and those of a packet under way
    way = before = None  # how the packet goes that is offered, and how the last one went
    forgets = False

    for cycle in range(CYCLES + 2 * config.max_packet_flits + 200):
        if not i.i_valid[0] and (cycle < CYCLES or packets.under_way):
            packets.offer(i, cycle, not whole)
        first = i.i_valid[0] and way is None
        if first:
            i.holds[0], way = packets.holds, "stored" if packets.holds or whole else "passes"
            seen["stored behind one that passes"] += way == "stored" and before == "passes"
            seen["stored to keep the order"] += way == "stored" and not packets.holds
            seen["passes behind one forgotten"] += way == "passes" and before == "forgotten"
        else:  # an opposite `holds` must change nothing
            i.holds[0] = not packets.holds if packets.scripted else rng.random() < 0.5
        if packets.scripted:  # a first flit that is to pass waits for a cycle, what fills the hold
            filling = not packets.script and not seen["full"]
            i.o_ready[0] = not first and not filling
        else:
            i.o_ready[0] = rng.random() < (ready if cycle % 600 < 400 else 0.02)
        if cycle >= CYCLES:
            i.o_ready[0] = 1
        await bench.step()

        assert o.dropped[0] == forgets
        if way == "passes":
            assert o.i_ready[0] == i.o_ready[0] and o.o_valid[0] == i.i_valid[0]
            assert not i.i_valid[0] or payload(o, "o") == payload(i, "i")
            name = "before a first flit is taken" if not part else "within a packet that passes"
            seen[f"holds rises {name}"] += i.i_valid[0] and i.holds[0] and not first
        elif o.o_valid[0] and i.o_ready[0]:
            assert payload(o, "o") == whole.pop(0)
        seen["waits"] += o.o_valid[0] and not i.o_ready[0]
        seen["full"] += way == "stored" and not o.i_ready[0]
        forgets, idle = False, not i.i_valid[0]
        if i.i_valid[0] and o.i_ready[0]:
            i.i_valid[0] = 0
            part.append([*payload(i, "i")[:-1], 0])
            if i.i_payload_last[0]:
                forgets = way == "stored" and bool(i.i_payload_broken[0])
                whole += part if way == "stored" and not forgets else []
                seen[f"{packets.ending} {way}"] += 1
                before, way, part = "forgotten" if forgets else way, None, []
        elif idle and way is None:
            before = None
    assert not whole and not part, "a packet was not given away"
    assert {name for name, count in seen.items() if count} >= WANTED, seen
