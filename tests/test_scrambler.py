# amaranth: UnusedElaboratable=no
import numpy as np
import pytest
from amaranth.sim import Simulator

from models.serdes.config import LaneConfig
from models.serdes.scrambler import DescramblerModel, ScramblerModel
from rtl.serdes.scrambler import Descrambler, Scrambler
from sim.verilator import run_bench

# A bit; between the taps; a block; more than two blocks, which are no whole ones.
WIDTHS = [1, 40, 64, 131]
LANE = LaneConfig(name="lane-64")
# The sample vectors of 64b/66b: blocks of idles behind ones. The first is the published one; a
# free implementation has them all (OCaml, Hardcaml).
IDLE = 0x1E
SCRAMBLED = [0x7BFFF0800000001E, 0x85CFF0FFFFF8401E, 0x85D84F0118079EE1, 0x85D815FEE8479EE9]


def lane(width: int) -> LaneConfig:
    return LaneConfig(name=f"lane-{width}", width=width)


def through(model, words: list[int]) -> list[int]:
    """What comes out of words of 64 bits, each given in a cycle with a pause behind it."""
    found = []
    for cycle in range(2 * len(words) + 1):
        model.inputs.i_valid[0] = cycle % 2 == 0 and cycle < 2 * len(words)
        if model.inputs.i_valid[0]:
            model.inputs.i_payload.view(np.uint64)[0, 0] = words[cycle // 2]
        o = model.step()
        assert o.o_valid[0] == cycle % 2
        if o.o_valid[0]:
            found.append(int(o.o_payload.view(np.uint64)[0, 0]))
    return found


@pytest.mark.verilator
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("side", [Scrambler, Descrambler])
def test_rtl_matches_model(side, width):
    noun = side.__name__.lower()
    run_bench(
        noun,
        side(lane(width)),
        lane(width),
        module="verif.bench.scrambler",
        testcase=rf"\b{noun}_matches_model",  # the one has the name of the other in it
    )


def test_model_makes_the_sample_vectors_and_takes_them_back():
    assert through(ScramblerModel(LANE), 4 * [IDLE]) == SCRAMBLED
    assert through(DescramblerModel(LANE), SCRAMBLED) == 4 * [IDLE]


def test_width_is_only_how_many_at_a_time():
    rng = np.random.default_rng(1)
    bits = rng.integers(0, 2, 7 * 64 * 5)
    lines = []
    for width in (5, 7, 64):
        model, line = ScramblerModel(lane(width)), []
        model.inputs.i_valid[0] = 1
        for some in [*bits.reshape(-1, width), np.zeros(width, dtype=np.int64)]:
            word = sum(int(bit) << k for k, bit in enumerate(some))
            model.inputs.i_payload.view(np.uint64)[0, 0] = word
            o = model.step()
            payload = int(o.o_payload.view(np.uint64)[0, 0])
            line += [payload >> k & 1 for k in range(width)] if o.o_valid[0] else []
        lines.append(line)
    assert lines[0] == lines[1] == lines[2] and len(lines[0]) == bits.size


def test_a_wrong_bit_makes_two_more_and_a_descrambler_heals_itself():
    rng = np.random.default_rng(2)
    words = rng.integers(0, 1 << 63, 8).tolist()
    line = through(ScramblerModel(LANE), words)
    line[2] ^= 1 << 5
    found = through(DescramblerModel(LANE), line)
    wrong = [a ^ b for a, b in zip(words, found, strict=True)]
    assert wrong == [0, 0, 1 << 5 | 1 << 44 | 1 << 63, 0, 0, 0, 0, 0]
    # One that begins in the middle has 58 bits that may be wrong.
    found = through(DescramblerModel(LANE), line[5:])
    assert found[1:] == words[6:] and found[0] >> 58 == words[5] >> 58 and found[0] != words[5]


@pytest.mark.parametrize("side", [Scrambler, Descrambler])
def test_rtl_latency_is_one_cycle(side):
    dut = side(LANE)
    sent, due = (IDLE, SCRAMBLED[0])[:: 1 if side is Scrambler else -1]

    async def bench(ctx):
        ctx.set(dut.i.valid, 1)
        ctx.set(dut.i.payload, sent)
        assert not ctx.get(dut.o.valid)
        await ctx.tick()
        assert ctx.get(dut.o.valid) and ctx.get(dut.o.payload) == due

    simulator = Simulator(dut)
    simulator.add_clock(1e-9)
    simulator.add_testbench(bench)
    simulator.run()


def test_wrong_value_is_named():
    with pytest.raises(ValueError, match="width must be 1 or more, not 0"):
        lane(0)
