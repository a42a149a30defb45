# amaranth: UnusedElaboratable=no
import pytest
from amaranth.sim import Simulator

from models.serdes.block_lock import BlockLockModel
from models.serdes.config import LaneConfig
from rtl.serdes.block_lock import BlockLock
from sim.solver import prove
from sim.verilator import run_bench
from verif.proof.block_lock import BlockLockProof

LANES = [
    LaneConfig(name="lane-300", ber_window_ns=300),
    LaneConfig(name="lane-10G", clock_mhz=161.1328125, ber_window_ns=1000),  # 162 cycles
]
LANE = LANES[0]
GOOD, BAD = 0b10, 0b11


def run(headers: list[int], config: LaneConfig = LANE) -> list[tuple[int, int, int]]:
    """Lock, slip and high bit error rate in each cycle; a slip is done at once."""
    model, found = BlockLockModel(config), []
    i = model.inputs
    i.signal_ok[0] = i.valid[0] = i.slip_done[0] = 1
    for header in headers:
        i.header[0] = header
        o = model.step()
        found.append((int(o.block_lock[0]), int(o.slip[0]), int(o.hi_ber[0])))
    return found


@pytest.mark.verilator
@pytest.mark.parametrize("config", LANES, ids=lambda config: config.name)
def test_rtl_matches_model(config):
    run_bench("block_lock", BlockLock(config), config, cycles=8000)


@pytest.mark.formal
def test_proof():
    prove(BlockLockProof(LaneConfig(name="proof", ber_window_ns=20)), "block_lock", depth=2)


@pytest.mark.parametrize("header", range(4))
def test_either_good_header_locks_and_no_other(header):
    found = run([header] * 66)
    assert [lock for lock, _, _ in found] == 64 * [0] + 2 * [int(header in (1, 2))]


def test_one_bad_header_of_64_slips():
    """The one behind the slip is not looked at; from the next on it takes 64."""
    found = run(63 * [GOOD] + [BAD] + 66 * [GOOD])
    assert [cycle for cycle, (_, slip, _) in enumerate(found) if slip] == [64]
    assert [cycle for cycle, (lock, _, _) in enumerate(found) if lock] == [129]


def test_16_bad_headers_of_a_window_lose_the_lock_and_15_do_not():
    lock, kept = 64 * [GOOD], 15 * [BAD] + 49 * [GOOD]
    assert run([*lock, *kept, *kept[::-1], *kept, GOOD])[-1][0]  # 30 in a row, of two windows
    found = run([*lock, *kept, *15 * [BAD], *48 * [GOOD], BAD, GOOD, GOOD])
    assert [cycle for cycle, (_, slip, _) in enumerate(found) if slip] == [192]
    assert [locked for locked, _, _ in found[64:]] == 128 * [1] + 2 * [0]


def test_bit_error_rate_is_high_with_16_bad_headers_in_the_time():
    """Windows of 300 cycles begin as the lock shows; the rate is low when one ends with fewer.

    The last header of a window counts there only, even if it is the 17th.
    """
    bad = {64 + 300 + 18 * k for k in range(16)} | {64 + 600 + 19 * k for k in range(15)}
    bad.add(64 + 599)
    found = run([BAD if cycle in bad else GOOD for cycle in range(64 + 1300)])
    high = [cycle - 64 for cycle, (_, _, hi_ber) in enumerate(found) if hi_ber]
    assert high == list(range(300 + 18 * 15 + 1, 900))
    assert all(lock for lock, _, _ in found[64:])


def test_window_is_that_of_the_standard():
    """125 us of blocks of 10 Gbit/s, and of words of 64 bits of 10.3125 Gbit/s."""
    assert LaneConfig(name="blocks", clock_mhz=156.25).ber_window_cycles == 19532
    assert LaneConfig(name="words", clock_mhz=161.1328125).ber_window_cycles == 20142


def test_rtl_latency_is_one_cycle():
    dut = BlockLock(LANE)

    async def bench(ctx):
        ctx.set(dut.signal_ok, 1)
        ctx.set(dut.valid, 1)
        ctx.set(dut.header, GOOD)
        for _ in range(63):
            await ctx.tick()
        assert not ctx.get(dut.block_lock)
        await ctx.tick()
        assert ctx.get(dut.block_lock) and not ctx.get(dut.slip)

    simulator = Simulator(dut)
    simulator.add_clock(1e-9)
    simulator.add_testbench(bench)
    simulator.run()


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"clock_mhz": 0}, "clock_mhz must be a positive frequency, not 0"),
        ({"ber_window_ns": 15}, "ber_window_ns must be 16 cycles of 1000 MHz or more, not 15"),
    ],
)
def test_wrong_value_is_named(changes, message):
    with pytest.raises(ValueError, match=message):
        LaneConfig(name="lane", **changes)
