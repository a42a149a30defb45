"""cocotb bench of rtl.selftest: lockstep with the golden model around a switch made of queues.

The bench takes packets to the ports in their headers, and damages some on the way.
"""

import os
from collections import Counter

import cocotb
import numpy as np

from models.config import SwitchConfig
from models.packet import Wrong
from models.selftest import SelfTestModel
from rtl.selftest import SelfTest
from verif.bench.classifier import words
from verif.damage import DAMAGES, Chance, Flit, Packet, header_of
from verif.lockstep import Lockstep, bench_config

CYCLES = int(os.environ.get("BENCH_CYCLES", "4000"))
HELD = 6  # packets that wait at each output, so that there are some to damage


class Loop:
    """Bench, model, and the packets between them."""

    def __init__(self, dut, config: SwitchConfig, rng: np.random.Generator, busy: float):
        self.config, self.rng, self.busy = config, rng, busy
        pauses = os.environ["SELFTEST_PAUSES"] == "1"
        model = SelfTestModel(config, pauses=pauses)
        self.bench = Lockstep(dut, SelfTest(config, pauses=pauses), model)
        self.inputs, self.outputs = model.inputs, model.outputs
        self.queues: list[list[Packet]] = [[] for _ in range(config.ports)]
        self.arriving: list[Packet] = [[] for _ in range(config.ports)]
        self.leaving: list[Packet] = [[] for _ in range(config.ports)]
        self.held = HELD

    def drive(self) -> None:
        """Inputs of this cycle."""
        i, chances = self.inputs, self.rng.random((2, self.config.ports)) < self.busy
        i.o_ready[0] = chances[0]
        for n, queue in enumerate(self.queues):
            if not self.leaving[n] and len(queue) > self.held:
                self.leaving[n] = list(queue.pop(0))
            if self.leaving[n] and not i.i_valid[0, n] and chances[1, n]:
                flit = self.leaving[n][0]
                i.i_valid[0, n] = 1
                i.i_payload_data[0, n] = words(flit.data, self.config.words)
                i.i_payload_keep[0, n] = words(flit.keep, i.i_payload_keep.shape[2])
                i.i_payload_last[0, n], i.i_payload_user[0, n] = flit.last, flit.user

    def take(self) -> None:
        """What was transferred in this cycle."""
        i, o = self.inputs, self.outputs
        for n in np.flatnonzero(o.o_valid[0] & i.o_ready[0]):
            data, keep = o.o_payload_data[0, n].tobytes(), o.o_payload_keep[0, n].tobytes()
            self.arriving[n].append(
                Flit(
                    int.from_bytes(data, "little"),
                    int.from_bytes(keep, "little"),
                    int(o.o_payload_last[0, n]),
                )
            )
            if self.arriving[n][-1].last:
                self.queues[header_of(self.arriving[n]).destination].append(self.arriving[n])
                self.arriving[n] = []
        for n in np.flatnonzero(i.i_valid[0] & o.i_ready[0]):
            del self.leaving[n][0]
            i.i_valid[0, n] = 0

    async def run(self, cycles: int) -> None:
        for _ in range(cycles):
            self.drive()
            await self.bench.step()
            self.take()

    async def drain(self) -> None:
        """End what is under way."""
        self.inputs.enable[0], self.held = 0, 0
        for _ in range(100):
            await self.run(self.config.max_packet_flits)
            if not any([*self.arriving, *self.leaving, *self.queues]):
                break
        await self.run(8)
        self.held = HELD

    async def clear(self) -> None:
        """Start over, once nothing is under way."""
        await self.drain()
        self.inputs.clear[0] = 1
        await self.run(1)
        self.inputs.clear[0] = 0
        await self.run(self.config.queues + 2)
        o = self.outputs
        assert not (o.sent.any() or o.received.any() or o.error[0] or o.linked[0])

    async def until(self, name: str, cycles: int) -> None:
        """Run until output ``name`` is high."""
        self.inputs.enable[0] = 1
        for _ in range(cycles):
            await self.run(1)
            if getattr(self.outputs, name)[0]:
                return
        raise AssertionError(f"no {name} in {cycles} cycles")

    def damage(self, kind) -> int | None:
        """Where it was done, or None."""
        for n in self.rng.permutation(self.config.ports):
            if len(self.queues[n]) >= HELD and kind(Chance(self.config, self.queues[n], self.rng)):
                return int(n)
        return None

    def lead_astray(self) -> tuple[int, int] | None:
        """A packet for one port comes out of another."""
        here, there = (int(n) for n in self.rng.permutation(self.config.ports)[:2])
        if not self.queues[here]:
            return None
        self.queues[there].insert(0, self.queues[here].pop(0))
        return here, there


@cocotb.test()
@cocotb.parametrize(busy=[0.5, 1.0])
async def links_and_counts(dut, busy: float) -> None:
    """Without damage all flows link, nothing is wrong, and what was sent is received."""
    config = bench_config()
    loop = Loop(dut, config, np.random.default_rng(cocotb.RANDOM_SEED), busy)
    await loop.bench.reset()
    o = loop.outputs
    for _ in range(2):
        await loop.until("linked", 20 * CYCLES)
        await loop.run(CYCLES)
        await loop.drain()
        assert not o.error[0] and o.linked[0]
        assert o.sent.sum() == o.received.sum() > config.ports * config.queues
        await loop.clear()


@cocotb.test()
async def names_what_is_wrong(dut) -> None:
    """Each kind of damage is seen, at its port, and not twice."""
    config = bench_config()
    loop = Loop(dut, config, np.random.default_rng(cocotb.RANDOM_SEED), 1.0)
    await loop.bench.reset()
    o, seen = loop.outputs, Counter()
    for kind, reason in DAMAGES.items():
        await loop.until("linked", 20 * CYCLES)
        while (port := loop.damage(kind)) is None:
            await loop.run(10)
        await loop.until("error", 20 * CYCLES)
        assert (Wrong(o.reason[0]), o.port[0]) == (reason, port), kind.__name__
        seen[reason] += 1
        await loop.run(50)
        await loop.clear()
        await loop.run(50)
        assert not o.error[0]

    loop.inputs.enable[0] = 1
    await loop.run(CYCLES)
    while (ports := loop.lead_astray()) is None:
        await loop.run(10)
    await loop.until("error", 20 * CYCLES)
    assert (Wrong(o.reason[0]), o.port[0]) in ((Wrong.ORDER, ports[0]), (Wrong.PORT, ports[1]))
    assert set(seen) == set(Wrong)


@cocotb.test()
async def names_the_lowest_port(dut) -> None:
    """What goes wrong at several ports in one cycle counts for the lowest."""
    config = bench_config()
    loop = Loop(dut, config, np.random.default_rng(cocotb.RANDOM_SEED), 1.0)
    await loop.bench.reset()
    i, o, ties = loop.inputs, loop.outputs, 0
    for _ in range(8):
        await loop.clear()
        i.i_payload_data[0], i.i_payload_keep[0] = 0, 0
        i.i_payload_data[0, :, 0] = 0xFFFF  # a destination that no port has
        i.i_payload_keep[0, :, 0] = (1 << config.flit_bytes) - 1
        i.i_payload_last[0], i.i_valid[0] = 1, 1
        earliest = None
        while i.i_valid.any():
            await loop.bench.step()
            taken = np.flatnonzero(i.i_valid[0] & o.i_ready[0])
            i.i_valid[0, taken] = 0
            if earliest is None and taken.size:
                earliest = taken
        await loop.run(6)
        assert o.error[0] and earliest is not None and o.port[0] == earliest[0]
        ties += earliest.size > 1
    assert ties
