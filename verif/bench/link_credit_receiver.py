"""cocotb bench of rtl.link.credit_receiver: lockstep with the golden model."""

import os

import cocotb
import numpy as np

from models.link.credit_receiver import CreditReceiverModel
from models.link.wire import CREDIT_BITS, CREDIT_COUNTER_BITS, credits_of
from rtl.link.credit_receiver import CreditReceiver
from verif.lockstep import Lockstep, bench_link

CYCLES = int(os.environ.get("BENCH_CYCLES", "3000"))
MOST = (1 << CREDIT_BITS) - 1
FLOOD_CYCLES = 1500  # more would take the bench too long


class Buffer:
    """Packets that come flit by flit, as a switch stores and releases them in cut-through.

    Some it refuses, of which no flit is stored; some prove broken, and are copies.

    Parameters
    ----------
    load, drain : float
        Part of the cycles in which a flit comes, and in which one leaves if there is any.
    """

    def __init__(self, config, rng):
        self.config, self.rng = config, rng
        self.load, self.drain = 0.9, 0.5
        self.flits = np.zeros(config.channels, dtype=np.int64)
        self.channel = self.length = self.left = 0
        self.fate = "stored"

    def events(self, i, copying: bool) -> None:
        rng, config = self.rng, self.config
        i.arrival_valid[0] = i.copy_valid[0] = i.released_valid[0] = 0
        present = np.flatnonzero(self.flits)
        if present.size and rng.random() < self.drain:
            c = rng.choice(present)
            i.released_valid[0], i.released_channel[0] = 1, c
            self.flits[c] -= 1
        if self.left == 0:
            self.channel = rng.integers(config.channels)
            self.length = rng.integers(1, config.max_packet_bytes + 1)
            if rng.random() < 0.5:
                self.length = rng.integers(1, min(4 * config.flit_bytes, self.length) + 1)
            self.left = -(-self.length // config.flit_bytes)
            self.fate = rng.choice(["stored", "refused", "copy"], p=[0.6, 0.15, 0.25])
        waits = self.fate == "copy" and self.left == 1 and copying
        if rng.random() < self.load and not waits:
            self.left -= 1
            self.flits[self.channel] += self.fate != "refused"
            if self.left == 0:
                name = "copy" if self.fate == "copy" else "arrival"
                getattr(i, f"{name}_valid")[0] = 1
                getattr(i, f"{name}_channel")[0] = self.channel
                getattr(i, f"{name}_length")[0] = self.length
                i.arrival_stores[0] = self.fate == "stored"


def anything(i, rng, config, drain: float) -> None:
    """Events of what is not there, of channels that do not exist, of lengths beyond all."""
    for name, load in ("arrival", 0.04), ("copy", 0.04), ("released", drain):
        getattr(i, f"{name}_valid")[0] = rng.random() < load
        channels = 32 if rng.random() < 0.1 else min(config.channels, 3)
        getattr(i, f"{name}_channel")[0] = rng.integers(channels)
    for name in "arrival", "copy":
        short = rng.random() < 0.5
        length = rng.integers(4 * config.flit_bytes if short else 1 << 16)
        getattr(i, f"{name}_length")[0] = length
    i.arrival_stores[0] = rng.random() < 0.8
    if i.copy_valid[0] and rng.random() < 0.2:
        i.arrival_valid[0] = 1


class Directed:
    """What must be seen, one event in a cycle, on the last channel; its model is asked."""

    def __init__(self, bench, model, config):
        self.bench, self.model, self.config = bench, model, config
        self.c = config.channels - 1
        self.per_credit = config.credit_bytes // config.flit_bytes

    async def step(self, cycles: int = 1, **fields: int) -> set:
        """So many cycles with these inputs; outputs that were high in any of them."""
        i, seen = self.model.inputs, set()
        for name in "arrival", "copy", "released", "told", "limit":
            getattr(i, f"{name}_valid")[0] = 0
            getattr(i, f"{name}_channel")[0] = self.c
        i.arrival_stores[0], i.reset[0], i.update_ready[0] = 1, 0, 1
        for name, value in fields.items():
            getattr(i, name)[0] = value
        for _ in range(cycles):
            o = await self.bench.step()
            seen |= {name for name in o._fields if getattr(o, name)[0].any()}
        return seen

    async def settle(self) -> set:
        return await self.step(2 * self.config.channels + 8)

    async def release(self, flits: int) -> set:
        seen = await self.step(flits, released_valid=1) if flits else set()
        return seen | await self.step(4)

    async def arrive(self, flits: int, **fields: int) -> set:
        length = flits * self.config.flit_bytes
        seen = await self.step(arrival_valid=1, arrival_length=length, **fields)
        return seen | await self.step(4)

    async def copy(self, flits: int, **fields: int) -> set:
        length = flits * self.config.flit_bytes
        await self.step(copy_valid=1, copy_length=length, **fields)
        seen = await self.step()
        assert "copying" in seen or fields
        return seen | await self.step(3)

    def stored(self) -> int:
        s = self.model.state
        return int(s.come[0, self.c]) * self.per_credit - int(s.free[0, self.c])

    def freed(self) -> int:
        """What an update would tell."""
        come, stored = int(self.model.state.come[0, self.c]), self.stored()
        return come + -max(0, stored) // self.per_credit

    async def limit(self, credits: int) -> None:
        await self.step(limit_valid=1, limit_limit=credits)

    async def all(self) -> None:
        await self.limit(MOST)
        self.model.inputs.refresh_cycles[0] = 1
        assert "update_valid" in await self.settle()
        self.model.inputs.refresh_cycles[0] = 0
        await self.packets()
        await self.copies()
        await self.mistakes()
        await self.lost()
        await self.link_down()

    async def packets(self) -> None:
        most = self.config.max_packet_flits
        await self.arrive(1, arrival_stores=0)  # refused: all of it is free
        assert self.stored() == 0 and self.freed() == self.model.state.come[0, self.c] > 0
        seen = await self.release(most)  # as early as may be
        assert self.stored() == -most and "underrun" not in seen and "drained" in seen
        before = self.freed()
        seen = await self.settle()
        assert "drained" not in seen
        await self.arrive(most)
        assert self.stored() == 0 and self.freed() > before and "drained" in await self.step()
        await self.arrive(most)
        assert self.stored() == most
        await self.release(most)

    async def copies(self) -> None:
        most = self.config.max_packet_flits
        before = self.freed()
        await self.copy(most)  # nothing before it
        await self.release(most - 1)
        assert "drained" not in await self.settle()
        assert "copying" in await self.step()
        await self.release(1)
        assert "copying" not in await self.step() and self.freed() == before
        await self.release(most - 1)  # all but one have left when its last one comes
        await self.copy(most)
        assert self.stored() == 0 and "copying" in await self.step()
        await self.release(1)
        assert "copying" not in await self.step() and self.freed() == before
        await self.release(most)  # all of them
        await self.copy(most)
        assert self.stored() == 0 and "copying" not in await self.step()
        assert self.freed() == before and "drained" in await self.step()
        await self.step(most, released_valid=1)  # one of its flits leaves with its last one
        await self.step(copy_valid=1, copy_length=most * self.config.flit_bytes, released_valid=1)
        await self.settle()
        await self.arrive(most)  # packets before it and behind it
        come = self.freed() + -(-most // self.per_credit)
        await self.copy(1)
        assert self.stored() == most
        await self.arrive(most)
        assert self.stored() == 2 * most
        await self.release(most)
        assert self.stored() == most and "copying" in await self.step() and self.freed() >= come
        await self.release(1)
        assert self.stored() == most and "copying" not in await self.step()
        await self.release(most)
        assert "drained" in await self.step()

    async def mistakes(self) -> None:
        most, other = self.config.max_packet_flits, self.config.channels
        assert "underrun" in await self.release(most + 1)  # nothing can have come
        assert self.stored() == -most
        assert "underrun" in await self.copy(most - 1)  # more left than it had
        assert self.stored() == 0 and "copying" not in await self.step()
        await self.copy(2)
        assert "overrun" in await self.copy(most)  # another
        await self.release(2)
        assert "copying" not in await self.step()
        seen = await self.arrive(1, copy_valid=1, copy_length=most * self.config.flit_bytes)
        assert "overrun" in seen and "copying" not in seen
        await self.release(1)
        if other < 32:
            assert "overrun" in await self.arrive(1, arrival_channel=other)
            assert "overrun" in await self.copy(1, copy_channel=other)
            seen = await self.step(released_valid=1, released_channel=other) | await self.step()
            assert "underrun" in seen
        await self.limit(0)
        assert "overrun" in await self.arrive(1)
        await self.limit(MOST)
        await self.release(1)

    async def lost(self) -> None:
        def told(credits: int) -> dict:
            consumed = int(self.model.state.come[0, self.c]) + credits
            return {"told_valid": 1, "told_consumed": consumed % (1 << CREDIT_COUNTER_BITS)}

        seen = await self.step(**told(3)) | await self.step()
        assert "healed" in seen and "excess" not in seen
        seen = await self.step(**told(-1)) | await self.step()
        assert not seen & {"healed", "excess"}
        come = self.model.state.come[0, self.c]
        await self.arrive(1, arrival_stores=0)
        one = self.model.state.come[0, self.c] - come
        await self.arrive(1, arrival_stores=0, **told(3))  # both in one cycle
        assert self.model.state.come[0, self.c] == come + 2 * one + 3
        seen = await self.step(**told(MOST + 1)) | await self.step()
        assert "excess" in seen and "healed" not in seen

    async def link_down(self) -> None:
        most = self.config.max_packet_flits
        await self.release(1)
        assert "drained" not in await self.step(8, reset=1) or self.stored() == 0
        assert self.stored() == -1 and self.freed() == 0
        await self.step(reset=1, arrival_valid=1, arrival_length=most * self.config.flit_bytes)
        await self.step(4, reset=1)
        assert self.stored() == most - 1
        await self.step(most - 1, reset=1, released_valid=1)
        await self.step(4, reset=1)
        assert "drained" in await self.step(reset=1) and self.model.state.come[0, self.c] == 0
        await self.copy(1, reset=1)
        assert "drained" not in await self.step(4, reset=1)
        await self.step(reset=1, released_valid=1)
        await self.step(4, reset=1)
        assert "drained" in await self.step(reset=1)
        await self.arrive(1, reset=1)  # in the last cycle of it
        assert self.model.state.come[0, self.c] == 0 and self.stored() == 1
        await self.release(1)

    async def flood(self) -> None:
        """More packets than the counters have room for."""
        most = ((MOST + 1) * self.per_credit) - 1
        cycles = most // self.config.max_packet_flits + 2
        if cycles > FLOOD_CYCLES:
            return
        length = self.config.max_packet_flits * self.config.flit_bytes
        await self.step(cycles, arrival_valid=1, arrival_length=length)
        assert "overrun" in await self.step(2) and self.stored() == most
        await self.copy(1)
        await self.release(2)
        assert self.stored() == most - 2


def a_channel(config, rng) -> int:
    """Mostly one that there is, now and then any that five bits can name."""
    return rng.integers(32 if rng.random() < 0.1 else config.channels)


@cocotb.test()
async def does_what_must_be_seen(dut) -> None:
    config = bench_link()
    model = CreditReceiverModel(config)
    bench = Lockstep(dut, CreditReceiver(config), model)
    await bench.reset()
    directed = Directed(bench, model, config)
    await directed.all()
    await directed.flood()


@cocotb.test()
@cocotb.parametrize(ready=[0.2, 1.0], wild=[False, True])
async def matches_model(dut, ready: float, wild: bool) -> None:
    config = bench_link()
    rng = np.random.default_rng(cocotb.RANDOM_SEED)
    model = CreditReceiverModel(config)
    bench = Lockstep(dut, CreditReceiver(config), model)
    await bench.reset()
    i, o, buffer = model.inputs, model.outputs, Buffer(config, rng)
    largest = credits_of(config.max_packet_bytes, config.credit_bytes)

    for cycle in range(CYCLES):
        i.limit_valid[0] = cycle < config.channels or rng.random() < 0.01
        i.limit_channel[0] = cycle if cycle < config.channels else a_channel(config, rng)
        i.limit_limit[0] = rng.integers(0, rng.choice((2, 20)) * largest)
        if cycle % 200 == 0:
            i.update_cycles[0] = rng.integers(0, 100)
            i.refresh_cycles[0] = rng.integers(0, 50)
            buffer.drain, buffer.load = rng.random(2)
        if wild:
            anything(i, rng, config, buffer.drain)
        else:
            buffer.events(i, o.copying[0] or i.copy_valid[0])
        come = model.state.come[0, rng.integers(config.channels)]
        i.told_valid[0] = rng.random() < 0.1
        i.told_channel[0] = a_channel(config, rng)
        if rng.random() < 0.8 and i.told_channel[0] < config.channels:
            come = model.state.come[0, i.told_channel[0]] + rng.integers(-5, 3 * largest)
        i.told_consumed[0] = come % (1 << CREDIT_COUNTER_BITS)
        i.reset[0] = rng.random() < 0.003
        i.update_ready[0] = rng.random() < ready
        o = await bench.step()
        assert wild or not o.underrun[0]
