"""cocotb bench of rtl.serdes.block_lock: lockstep with the golden model, up to the last header."""

import os

import cocotb
import numpy as np

from models.serdes.block_lock import BlockLockModel
from models.serdes.config import HIGH_BER_HEADERS, LOCK_HEADERS, LOST_HEADERS
from rtl.serdes.block_lock import BlockLock
from verif.coverage import Coverage
from verif.lockstep import Lockstep, bench_lane

CYCLES = int(os.environ.get("BENCH_CYCLES", "8000"))
GOOD, BAD = (1, 2), (0, 3)
# How headers come: good ones; bad ones here and there; as many bad ones as a window allows; one
# more, as its last; the 64th header bad; bad ones in the time of the BER monitor, as many as it
# allows, and one more in its last cycle; by turns 16 and one in its last cycle, and 15; noise; a
# signal that fails, often as it slips.
PLANS = ("good", "some", "allowed", "last", "64th", "high", "turns", "noise", "signal")


@cocotb.test()
@cocotb.parametrize(load=[0.6, 1.0])
async def matches_model(dut, load: float) -> None:
    config = bench_lane()
    rng, window = np.random.default_rng(cocotb.RANDOM_SEED), config.ber_window_cycles
    bench = Lockstep(dut, BlockLock(config), BlockLockModel(config))
    await bench.reset()
    i, o = bench.model.inputs, bench.model.outputs
    wanted = {"locked", "64th bad", "15 bad in a window", "lost with the last of a window", "lost"}
    wanted |= {"high", "15 bad in the time", "high with the last cycle", "low again", "ignored"}
    wanted |= {"low behind a bad last cycle", "high and lost", "signal lost"}
    wanted |= {"signal lost as it slips"}
    seen, plan, quick = Coverage(wanted), "good", False
    place = bad = time = count = 0  # headers of the window, and cycles of the time, and bad ones
    lock = high = slipping = 0
    after = tail = 0  # the time before had 16, and another one in its last cycle
    for cycle in seen.steps(CYCLES):
        if cycle % 400 == 0:
            plan, quick = PLANS[cycle // 400 % len(PLANS)], rng.random() < 0.5
        last, end = place == LOCK_HEADERS - 1, time == window - 1
        i.slip_done[0] = quick or rng.random() < 0.3
        i.valid[0] = rng.random() < load or (plan in ("high", "turns") and end)
        spare = bad < LOST_HEADERS - 1  # one more is allowed in this window
        spoils = {
            "some": rng.random() < 0.1,
            "allowed": lock and spare and rng.random() < 0.5,
            "last": lock and (spare or last),
            "64th": last and not lock and rng.random() < 0.9,
            "high": lock and spare and (count < HIGH_BER_HEADERS - 1 or end) and rng.random() < 0.9,
            "turns": lock and spare and (count < HIGH_BER_HEADERS - after or (end and not after)),
            "noise": rng.random() < 0.5,
            "signal": not lock and place < 3 and rng.random() < 0.5,
        }.get(plan, False)
        fails = 0.3 if slipping or spoils else 0.01
        i.signal_ok[0] = not (plan == "signal" and rng.random() < fails)
        i.header[0] = rng.choice(BAD if spoils else GOOD)
        tested = i.valid[0] and not slipping
        await bench.step()

        # What the next cycle must show, from what this one did.
        assert (o.block_lock[0], o.hi_ber[0]) == (lock, high)
        spoilt, slips = tested and spoils, False
        if tested:
            place, bad = place + 1, bad + spoils
            slips = spoilt and (not lock or bad == LOST_HEADERS)
            full = place == LOCK_HEADERS
            seen["64th bad"] += slips and not lock and full
            seen["lost with the last of a window"] += slips and lock and full
            seen["15 bad in a window"] += lock and full and bad == LOST_HEADERS - 1
        full_before = count == HIGH_BER_HEADERS
        count += bool(spoilt) and not full_before
        time += 1
        was_high, was_lock = high, lock
        if not lock:
            time = count = high = 0
        elif count == HIGH_BER_HEADERS:
            seen["high with the last cycle"] += time == window and not high
            high = 1
        elif time == window:
            seen["15 bad in the time"] += count == HIGH_BER_HEADERS - 1
            seen["low again"] += high
            seen["low behind a bad last cycle"] += tail and count == HIGH_BER_HEADERS - 1
            high = 0
        if time == window:
            after, tail = int(count == HIGH_BER_HEADERS), spoilt and full_before
            time = count = 0
        seen["high"] += high and not was_high
        seen["ignored"] += slipping and i.valid[0] and spoils
        if not i.signal_ok[0]:
            seen["signal lost"] += lock
            seen["signal lost as it slips"] += slips
            lock = place = bad = slipping = 0
            continue
        if slipping:
            slipping = int(not i.slip_done[0])
        elif slips:
            lock, slipping, place, bad = 0, 1, 0, 0
            seen["lost"] += was_lock
            seen["high and lost"] += was_lock and was_high
        elif place == LOCK_HEADERS:
            seen["locked"] += not bad and not lock
            lock, place, bad = int(lock or not bad), 0, 0
