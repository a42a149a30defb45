"""cocotb bench of rtl.link.arrivals: lockstep with the golden model, to each its verdict."""

import os
from collections import Counter

import cocotb
import numpy as np

from models.link.arrivals import ArrivalsModel
from models.link.config import MAX_WAITING, EndKind
from rtl.link.arrivals import Arrivals
from verif.lockstep import Lockstep

CYCLES = int(os.environ.get("BENCH_CYCLES", "4000"))
PHASE = 200
QUALIFIED = {
    f"{port}_{field}": f"{port}_valid"
    for port, fields in {
        "arrival": ("channel", "length", "stores"),
        "copy": ("channel", "length"),
        "told": ("channel", "consumed"),
    }.items()
    for field in fields
}
# What must have been seen, whatever the seed.
WANTED = {
    *("arrival stored", "arrival dropped", "copy", "copy vanishes", "told"),
    *("verdict first", "verdict last", "told waits", "idle"),
    *("overrun of ends", "overrun of verdicts", "two verdicts"),
}


class Pairs:
    """Ends and verdicts of a real switch: none is lost, and what must come of them is known.

    Parameters
    ----------
    rate : float
        How often one comes that may.
    """

    def __init__(self, rng, rate: float):
        self.rng, self.rate = rng, rate
        self.ends, self.verdicts, self.came = [], [], []
        self.waiting = 0  # ends since all had their verdicts

    def drive(self, i, t: int, seen: Counter) -> None:
        """One cycle: verdicts late at first, then early; at the end each gets the other."""
        rng = self.rng
        packets = sum(kind != EndKind.TOLD for kind, _, _ in self.ends)
        lag = packets - len(self.verdicts)
        self.waiting = self.waiting if lag > 0 else 0
        late, early, ends = t < 60, 60 <= t < 70, t < PHASE - 60
        room = self.waiting < MAX_WAITING - 1
        if (ends and not early and room and rng.random() < self.rate) or (not ends and lag < 0):
            # In turn: each kind with each verdict.
            kind = EndKind(len(self.ends) % 3)
            self.ends.append((kind, int(rng.integers(32)), int(rng.integers(1 << 20))))
            i.end_valid[0] = 1
            i.end_kind[0], i.end_channel[0], i.end_value[0] = self.ends[-1]
            self.waiting += 1
            seen["told waits"] += kind == EndKind.TOLD and lag > 0
        # A verdict comes before the end of its packet, but not before the end of the one before.
        full = self.waiting == MAX_WAITING - 1
        least = 2 if late and not full else 0 if ends and not late else 1
        if lag >= least and (early or rng.random() < self.rate):
            good = len(self.verdicts) // 2 % 2 == 0
            self.verdicts.append(good)
            i.accepted[0], i.dropped[0] = good, not good
            seen["verdict first"] += lag <= 0 and not i.end_valid[0]
            seen["verdict last"] += lag > 0

    def watch(self, o) -> None:
        if o.arrival_valid[0]:
            fields = o.arrival_channel[0], o.arrival_length[0], o.arrival_stores[0]
            self.came.append((EndKind.PACKET, *map(int, fields)))
        if o.copy_valid[0]:
            self.came.append((EndKind.BROKEN, int(o.copy_channel[0]), int(o.copy_length[0]), 1))
        if o.told_valid[0]:
            self.came.append((EndKind.TOLD, int(o.told_channel[0]), int(o.told_consumed[0]), 0))

    def check(self, seen: Counter) -> None:
        """All has come, in order, each with its verdict."""
        wanted, verdicts = [], iter(self.verdicts)
        for kind, channel, value in self.ends:
            good = 0 if kind == EndKind.TOLD else int(next(verdicts))
            if kind != EndKind.BROKEN or good:
                length = value if kind == EndKind.TOLD else value & 0xFFFF
                wanted.append((kind, channel, length, good))
            else:
                seen["copy vanishes"] += 1
        assert self.came == wanted


def wild(i, rng, phase: str, t: int) -> None:
    """Anything; first for long only ends, or only verdicts, then one side lacks the other."""
    ends, verdicts = {"ends": (0.8, 0.1), "verdicts": (0.1, 0.8), "any": (0.5, 0.3)}[phase]
    only = t < 2 * MAX_WAITING
    i.end_valid[0] = phase != "verdicts" if only else rng.random() < ends
    i.end_kind[0] = t % 3 if only else rng.integers(4)
    i.end_channel[0], i.end_value[0] = rng.integers(32), rng.integers(1 << 20)
    i.accepted[0] = phase != "ends" if only else rng.random() < verdicts
    i.dropped[0] = 0 if only else rng.random() < verdicts / 2
    if t == 3 * MAX_WAITING - 1:
        i.accepted[0] = i.dropped[0] = phase == "any"
    elif 2 * MAX_WAITING <= t < 3 * MAX_WAITING:
        i.end_valid[0] *= phase != "verdicts"
        i.accepted[0] *= phase != "ends"
        i.dropped[0] *= phase != "ends"


def empty(i, s) -> None:
    """What waits gets what it lacks: each end a verdict, each verdict an end."""
    lacks = s.asked[0] - s.judged[0]
    i.accepted[0], i.end_valid[0] = lacks > 0, lacks < 0


@cocotb.test()
@cocotb.parametrize(rate=[0.3, 1.0])
async def matches_model(dut, rate: float) -> None:
    rng = np.random.default_rng(cocotb.RANDOM_SEED)
    model = ArrivalsModel()
    bench = Lockstep(dut, Arrivals(), model, qualified=QUALIFIED)
    await bench.reset()
    i, s, seen = model.inputs, model.state, Counter()
    pairs = Pairs(rng, rate)
    for cycle in range(max(CYCLES, 4 * PHASE) // PHASE * PHASE):
        phase, t = ("pairs", "ends", "verdicts", "any")[cycle // PHASE % 4], cycle % PHASE
        for field in i:
            field[0] = 0
        if phase == "pairs":
            pairs = Pairs(rng, rate) if t == 0 else pairs
            pairs.drive(i, t, seen)
        elif t >= PHASE - 4 * MAX_WAITING:
            empty(i, s)
        else:
            wild(i, rng, phase, t)
        ends, verdicts = s.came[0] - s.left[0], s.judged[0] - s.used[0]
        both = i.accepted[0] and i.dropped[0]
        seen["two verdicts"] += both
        seen["overrun of ends"] += i.end_valid[0] and ends == MAX_WAITING
        seen["overrun of verdicts"] += i.accepted[0] and verdicts == MAX_WAITING
        o = await bench.step()
        seen["idle"] += o.idle[0]
        seen["arrival stored"] += o.arrival_valid[0] and o.arrival_stores[0]
        seen["arrival dropped"] += o.arrival_valid[0] and not o.arrival_stores[0]
        seen["copy"] += o.copy_valid[0]
        seen["told"] += o.told_valid[0]
        if phase == "pairs":
            pairs.watch(o)
            assert not o.overrun[0]
            if t == PHASE - 1:
                pairs.check(seen)
        assert o.idle[0] or t < PHASE - 1
    assert {name for name, count in seen.items() if count} >= WANTED, seen
