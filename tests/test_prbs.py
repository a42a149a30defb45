# amaranth: UnusedElaboratable=no
from itertools import islice

import numpy as np
import pytest
from amaranth.sim import Simulator
from scipy.signal import max_len_seq

from models.serdes.config import LaneConfig, Prbs
from models.serdes.prbs import PrbsCheckerModel, PrbsGeneratorModel
from rtl.serdes.prbs import PrbsChecker, PrbsGenerator
from sim.verilator import run_bench

LANES = [
    LaneConfig(name="lane-7", width=7),  # many words to a lock
    LaneConfig(name="lane-64", error_bits=8),  # a counter that is soon at the most
    LaneConfig(name="lane-66", width=66),  # two words of the bench
]
LANE = LaneConfig(name="lane-64")
# Behind the ones with which the register begins. That of PRBS9 is the sequence of 511 bits of
# ITU-T O.150, without the first nine.
BEGINNINGS = {
    Prbs.PRBS7: "0000001000001100001010001111001000101100111010100111110100001110",
    Prbs.PRBS9: "0000011110111110001011100110010000010010100111011010001111001111",
    Prbs.PRBS15: "0000000000000010000000000000110000000000001010000000000011110000",
    Prbs.PRBS23: "0000000000000000001111100000000000001111111111000000001111100000",
    Prbs.PRBS31: "0000000000000000000000000000111000000000000000000000000011111100",
}


def by_name(config: LaneConfig) -> str:
    return config.name


def words(model: PrbsGeneratorModel):
    """Payloads of a generator that is always enabled, as numbers."""
    model.inputs.enable[0] = 1
    model.step()
    while True:
        yield int.from_bytes(model.step().o_payload[0].tobytes(), "little")


def bits(model: PrbsGeneratorModel, count: int) -> list[int]:
    """The first ones of it."""
    width = model.config.width
    some = islice(words(model), -(-count // width))
    return [word >> k & 1 for word in some for k in range(width)][:count]


def generator(prbs: Prbs, config: LaneConfig = LANE) -> PrbsGeneratorModel:
    model = PrbsGeneratorModel(config)
    model.inputs.pattern[0] = prbs
    return model


def check(words, prbs: Prbs, config: LaneConfig = LANE) -> list[tuple[int, int]]:
    """Lock and count of a checker, in each cycle and 4 more."""
    model, found = PrbsCheckerModel(config), []
    model.inputs.pattern[0] = prbs
    for word in [*words, *[None] * 4]:
        model.inputs.i_valid[0] = word is not None
        if word is not None:
            model.inputs.i_payload.view(np.uint64)[0, 0] = word
        o = model.step()
        found.append((int(o.locked[0]), int(o.error_count[0])))
    return found


@pytest.mark.verilator
@pytest.mark.parametrize("config", LANES, ids=by_name)
@pytest.mark.parametrize("side", [PrbsGenerator, PrbsChecker])
def test_rtl_matches_model(side, config):
    end = side.__name__.removeprefix("Prbs").lower()
    run_bench(
        f"prbs_{end}",
        side(config),
        config,
        module="verif.bench.prbs",
        testcase=f"{end}_matches_model",
    )


@pytest.mark.parametrize("prbs", Prbs)
def test_patterns_begin_as_they_must(prbs):
    assert bits(generator(prbs), 64) == [int(bit) for bit in BEGINNINGS[prbs]]


@pytest.mark.parametrize("prbs", Prbs)
def test_scipy_makes_the_same_patterns(prbs):
    """The whole of the shorter ones, and that they begin again behind it."""
    near, far = prbs.taps
    period = 2**far - 1
    count = min(40000, 2 * period)
    theirs, _ = max_len_seq(far, state=[1] * far, length=count + far, taps=[far - near])
    assert bits(generator(prbs), count) == theirs[far:].tolist()


@pytest.mark.parametrize("prbs", [Prbs.PRBS7, Prbs.PRBS9, Prbs.PRBS15])
def test_every_word_of_as_many_bits_comes_once_but_zero(prbs):
    order = max(prbs.taps)
    line = bits(generator(prbs), 2**order + order)
    value = int("".join(map(str, line)), 2)
    words = {value >> k & (1 << order) - 1 for k in range(2**order - 1)}
    assert words == set(range(1, 1 << order))


def test_inversion_is_that_of_the_standards():
    assert [prbs.inverted for prbs in Prbs] == [False, False, True, True, True]
    plain = bits(generator(Prbs.PRBS31), 200)
    model = generator(Prbs.PRBS31)
    model.inputs.invert[0] = 1
    assert bits(model, 200) == [1 - bit for bit in plain]


@pytest.mark.parametrize("prbs", Prbs)
def test_each_wrong_bit_counts_once(prbs):
    line = list(islice(words(generator(prbs)), 200))
    rng, wrong = np.random.default_rng(1), 0
    for k in range(10, 200):
        errors = int(rng.integers(4))
        for bit in rng.choice(64, errors, replace=False):
            line[k] ^= 1 << int(bit)
        wrong += errors
    assert check(line, prbs)[-1] == (1, wrong)


def test_lock_and_count_come_as_many_cycles_later_as_the_contract_says():
    """The first word has nothing before it; the second is as expected, and wins the lock."""
    line = list(islice(words(generator(Prbs.PRBS9)), 20))
    line[10] ^= 0b101
    found = check(line, Prbs.PRBS9)
    assert [locked for locked, _ in found] == 3 * [0] + 21 * [1]
    assert [count for _, count in found] == 13 * [0] + 11 * [2]


@pytest.mark.parametrize("prbs", Prbs)
@pytest.mark.parametrize("word", [0, 2**64 - 1], ids=["zeros", "ones"])
@pytest.mark.parametrize("invert", [0, 1])
def test_dead_line_gives_no_lock_and_takes_one(prbs, word, invert):
    source, model = generator(prbs), PrbsCheckerModel(LANE)
    model.inputs.pattern[0], model.inputs.i_valid[0] = prbs, 1
    model.inputs.invert[0] = source.inputs.invert[0] = invert
    line, locks = words(source), []
    for cycle in range(200):
        dead = not 50 <= cycle < 100
        model.inputs.i_payload.view(np.uint64)[0, 0] = word if dead else next(line)
        locks.append(int(model.step().locked[0]))
    assert not any(locks[:50]) and all(locks[60:100]) and not any(locks[140:])


def test_slip_is_found_and_a_burst_is_none():
    """Half of the bits behind a slip are wrong: 256 of them end the lock, and another is found."""
    line = int("".join(map(str, reversed(bits(generator(Prbs.PRBS23), 64 * 200)))), 2)
    before, after = line & (1 << 6400) - 1, line >> 6401
    slipped = before | after << 6400
    found = check([slipped >> 64 * k & 2**64 - 1 for k in range(190)], Prbs.PRBS23)
    assert found[102] == (1, 0)
    lost = [cycle for cycle, (locked, _) in enumerate(found) if cycle > 50 and not locked]
    assert 100 < lost[0] < 120 and lost[-1] < lost[0] + 4 and 256 <= found[-1][1] < 320
    burst = line ^ ((1 << 255) - 1 << 6400)
    found = check([burst >> 64 * k & 2**64 - 1 for k in range(190)], Prbs.PRBS23)
    assert all(locked for locked, _ in found[3:]) and found[-1][1] == 255


def test_counter_stays_at_the_most_and_a_clear_loses_nothing():
    config = LaneConfig(name="few", error_bits=3)
    line = list(islice(words(generator(Prbs.PRBS15)), 30))
    for k in range(5, 20):
        line[k] ^= 1
    counts = [count for _, count in check(line, Prbs.PRBS15, config)]
    assert counts[7:] == [0, 1, 2, 3, 4, 5, 6] + 20 * [7]
    model = PrbsCheckerModel(LANE)
    model.inputs.pattern[0], model.inputs.i_valid[0], sums, last = Prbs.PRBS15, 1, 0, 0
    for cycle, word in enumerate(line):
        model.inputs.i_payload.view(np.uint64)[0, 0] = word
        sums += last if model.inputs.clear[0] else 0
        model.inputs.clear[0] = cycle in (9, 10, 15)
        last = int(model.step().error_count[0])
    assert sums + last == 15


def test_rtl_latency_is_one_cycle_and_an_error_can_be_injected():
    dut = PrbsGenerator(LANE)

    async def bench(ctx):
        ctx.set(dut.pattern, Prbs.PRBS9)
        ctx.set(dut.enable, 1)
        ctx.set(dut.inject, 1)
        assert not ctx.get(dut.o.valid)
        await ctx.tick()
        assert ctx.get(dut.o.valid)
        right = int(BEGINNINGS[Prbs.PRBS9][::-1], 2)
        assert ctx.get(dut.o.payload) == right ^ 1

    simulator = Simulator(dut)
    simulator.add_clock(1e-9)
    simulator.add_testbench(bench)
    simulator.run()


@pytest.mark.parametrize("bits", [0, 64])
def test_wrong_value_is_named(bits):
    with pytest.raises(ValueError, match=f"error_bits must be 1 to 63, not {bits}"):
        LaneConfig(name="lane", error_bits=bits)
