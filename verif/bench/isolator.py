"""cocotb bench of rtl.isolator: lockstep with the golden model, and what a link must be told."""

import os
from collections import deque

import cocotb
import numpy as np

from models.config import MAX_OWED
from models.isolator import IsolatorModel
from rtl.isolator import Isolator
from verif.coverage import Coverage
from verif.lockstep import Lockstep, bench_config

CYCLES = int(os.environ.get("BENCH_CYCLES", "4000"))
# What must have been seen, whatever the seed.
WANTED = {
    *("stored", "dropped", "forgotten by the switch", "discarded", "as many owed as can be"),
    *("cut on the way in", "the rest comes after the reset", "a head waits until all is told"),
    *("cut on the way out", "the end waits for the link", "the end waits beyond the reset"),
    *("reset between two packets out", "last flit out as a reset begins"),
    *("cut by a flush", "a flush between two packets out", "a packet comes in during a flush"),
}


class Stream:
    """A sender of packets: each flit has the packet's number and its own.

    Parameters
    ----------
    name : str
        Of the port, among the fields of the inputs.
    """

    def __init__(self, name: str, rng):
        self.rng, self.number, self.left, self.place = rng, 0, 0, 0
        self.valid, self.data, self.keep, self.last, self.user = (
            name,
            *(
                f"{name.removesuffix('_valid')}_payload_{field}"
                for field in ("data", "keep", "last", "user")
            ),
        )

    def offer(self, i, load: float, most: int) -> None:
        """A flit, if there was none on offer and luck wills it."""
        if getattr(i, self.valid)[0] or self.rng.random() >= load:
            return
        if not self.left:
            self.number, self.place = self.number + 1, 0
            self.left = int(self.rng.integers(1, most + 1))
        getattr(i, self.valid)[0] = 1
        data, keep = getattr(i, self.data), getattr(i, self.keep)
        data[0] = self.rng.integers(-(1 << 63), 1 << 63, data.shape[1])
        data[0, 0] = self.number << 16 | self.place
        keep[0] = self.rng.integers(1 << 8, size=keep.shape[1])
        getattr(i, self.last)[0] = self.left == 1
        getattr(i, self.user)[0] = self.rng.integers(4)

    def taken(self, i) -> None:
        """The flit on offer is gone."""
        getattr(i, self.valid)[0] = 0
        self.place, self.left = self.place + 1, self.left - 1


@cocotb.test()
async def matches_model(dut) -> None:
    config = bench_config()
    rng = np.random.default_rng(cocotb.RANDOM_SEED)
    bench = Lockstep(dut, Isolator(config), IsolatorModel(config))
    await bench.reset()
    i, o, seen = bench.model.inputs, bench.model.outputs, Coverage(WANTED)
    into, out = Stream("from_link_valid", rng), Stream("from_switch_valid", rng)
    judging: deque[int] = deque()  # cycles in which the switch tells of what it has
    owed: list[str] = []  # what became of each packet that has no verdict yet
    in_packet = cut = discarding = ending = False
    since = 0  # cycles of reset
    reset_left, flush_left, length_out = 0, 0, 0

    for cycle in seen.steps(CYCLES):
        slow = cycle // 200 % 2  # by turns long packets at leisure, and single flits as they come
        if not reset_left and rng.random() < 0.02:
            reset_left = int(rng.integers(12, 60))  # as long as a port may take to be idle
        i.reset[0] = reset_left > 0
        if not flush_left and rng.random() < 0.01:
            flush_left = int(rng.integers(1, 4 if rng.random() < 0.5 else 60))
        flushed = bool(i.flush[0])
        i.flush[0] = flush_left > 0
        flush_left = max(0, flush_left - 1)
        since = since + 1 if i.reset[0] else 0
        # The switch: a verdict takes as many cycles as its stages and registers, or longer.
        told = judging and judging[0] <= cycle and since < 3 and (not slow or rng.random() < 0.5)
        i.accepted[0], i.dropped[0] = (1, 0) if rng.random() < 0.7 else (0, 1)
        i.accepted[0] &= bool(told)
        i.dropped[0] &= bool(told)
        if since >= 3:  # the switch has forgotten
            judging.clear()
            for n, state in enumerate(owed):
                owed[n] = "forgotten by the switch" if state == "passed" else state
        if discarding:  # nothing is offered, and packets are flushed
            i.from_switch_valid[0] = out.left = 0
        into.offer(i, 0.4 if slow else 1, 6 if slow else 1 + 2 * (cycle // 400 % 2))
        if not discarding:
            out.offer(i, 0.6 if slow else 1, 5)
        i.to_switch_ready[0] = len(judging) < MAX_OWED and (not slow or rng.random() < 0.7)
        i.to_link_ready[0] = rng.random() < (0.15 if slow else 0.9)
        await bench.step()

        # Inwards: a packet is passed on whole, or cut by a reset; its head is told of once.
        assert o.idle[0] == (not owed)
        if told:
            judging.popleft()
        if o.stored[0] or o.refused[0]:
            fate = owed.pop(0)
            if fate == "passed":
                assert told and (o.stored[0], o.refused[0]) == (i.accepted[0], i.dropped[0])
                fate = "stored" if o.stored[0] else "dropped"
            assert o.refused[0] or fate == "stored"
            seen[fate] += 1
        else:
            assert not told
        cut |= bool(i.reset[0]) and in_packet
        assert not o.to_switch_valid[0] or not (i.reset[0] or cut)
        if i.from_link_valid[0] and o.from_link_ready[0]:
            passed = bool(o.to_switch_valid[0])
            assert not passed or i.to_switch_ready[0]
            assert passed or i.reset[0] or cut
            if not in_packet:
                cut = not passed
                owed.append("passed" if passed else "discarded")
                if passed:
                    seen["a packet comes in during a flush"] += i.flush[0]
                    judging.append(cycle + 5)
            in_packet = not i.from_link_payload_last[0]
            seen["cut on the way in"] += cut and into.place > 0
            seen["the rest comes after the reset"] += cut and not i.reset[0] and not passed
            cut &= in_packet
            into.taken(i)
        else:
            waits = i.from_link_valid[0] and i.to_switch_ready[0] and not i.reset[0]
            seen["a head waits until all is told"] += bool(waits) and not o.idle[0]
        assert len(owed) <= MAX_OWED
        seen["as many owed as can be"] += len(owed) == MAX_OWED

        # Outwards: what has begun ends, with an error if the switch does not end it.
        if ending:
            assert o.to_link_valid[0] and o.to_link_payload_last[0] and o.to_link_payload_user[0]
            assert not o.from_switch_ready[0]
            seen["the end waits for the link"] += not i.to_link_ready[0]
            seen["the end waits beyond the reset"] += not (i.reset[0] or i.flush[0] or discarding)
        taken = bool(i.to_link_ready[0] and o.to_link_valid[0])
        if taken:
            assert length_out or ending or out.place == 0, "a packet begins without its head"
            length_out = 0 if o.to_link_payload_last[0] else length_out + 1
            if not ending:
                assert o.to_link_payload_data[0].tolist() == i.from_switch_payload_data[0].tolist()
                seen["last flit out as a reset begins"] += since == 1 and not length_out
                out.taken(i)
        seen["cut by a flush"] += bool(i.flush[0] and length_out) and not (ending or i.reset[0])
        ending = bool((i.reset[0] or i.flush[0] or ending) and length_out)
        seen["cut on the way out"] += ending and taken is False
        seen["a flush between two packets out"] += i.flush[0] and not (flushed or length_out)
        seen["reset between two packets out"] += since == 1 and not length_out
        discarding = bool(i.reset[0] or i.flush[0])
        reset_left -= reset_left > 1 or (reset_left == 1 and o.idle[0])
