"""cocotb bench of rtl.serdes.message_mapper: both ways in lockstep with their models."""

import os

import cocotb
import numpy as np

from models.serdes.config import SYMBOL_BITS
from models.serdes.message_mapper import MessageDemapperModel, MessageMapperModel
from rtl.serdes.message_mapper import MessageDemapper, MessageMapper
from verif.coverage import Coverage
from verif.lockstep import Lockstep, bench_lanes

CYCLES = int(os.environ.get("BENCH_CYCLES", "1000"))


def some_bits(rng: np.random.Generator, count: int) -> int:
    return int.from_bytes(rng.bytes(-(-count // 8)), "little") & (1 << count) - 1


def to_words(bits: int, words: int) -> np.ndarray:
    return np.frombuffer(bits.to_bytes(8 * words, "little"), dtype=np.int64)


def number(values, width: int) -> int:
    """Values of ``width`` bits as one number, the first in its lowest bits."""
    mask = (1 << width) - 1
    return sum((int(value) & mask) << width * k for k, value in enumerate(values))


@cocotb.test()
async def mapper_matches_model(dut) -> None:
    """Groups tell the units in order, with zeros behind each message."""
    rng, config = np.random.default_rng(cocotb.RANDOM_SEED), bench_lanes()
    bench = Lockstep(dut, MessageMapper(config), MessageMapperModel(config))
    await bench.reset()
    i, o = bench.model.inputs, bench.model.outputs
    seen = Coverage({"codeword": 5, "waits": 20, "lacks": 20, "in a row": 20})
    line, came, begin, before = 0, 0, 0, False  # bits that came; the first of the group to come
    load = 0.5
    for cycle in seen.steps(CYCLES):
        if cycle % 100 == 0:
            load = rng.choice([0.3, 1.0])
        unit, ready = (
            some_bits(rng, config.unit_bits),
            bench.model.state.left[0] <= config.mapper_limit,
        )
        i.i_valid[0] = ready and rng.random() < load
        i.i_payload[0] = to_words(unit, i.i_payload.shape[1])
        await bench.step()
        if o.o_valid[0]:
            assert o.o_payload_first[0] == (begin == 0)
            count = min(max(config.message_bits - begin, 0), config.group_bits)
            expected, line = line & (1 << count) - 1, line >> count
            assert number(o.o_payload_symbols[0], SYMBOL_BITS) == expected
            came -= count
            assert came >= 0
            begin = (begin + config.group_bits) % (config.frame.symbols * SYMBOL_BITS)
            seen["codeword"] += begin == 0
        seen["waits"] += not o.ready[0]
        seen["lacks"] += not o.o_valid[0] and cycle > 0
        seen["in a row"] += before and o.o_valid[0]
        before = bool(o.o_valid[0])
        if i.i_valid[0]:
            assert o.ready[0]
            line |= unit << came
            came += config.unit_bits


@cocotb.test()
async def demapper_matches_model(dut) -> None:
    """Units of whole codewords are those of the mapper; some are cut by the next."""
    rng, config = np.random.default_rng(cocotb.RANDOM_SEED), bench_lanes()
    bench = Lockstep(dut, MessageDemapper(config), MessageDemapperModel(config))
    await bench.reset()
    i, o = bench.model.inputs, bench.model.outputs
    seen = Coverage({"unit": 20, "bad": 5, "cut": 5, "pause": 20, "of itself": 5})
    groups, wide = config.frame.groups, config.group_bits
    group, line, left, bad, due = groups, 0, 0, False, None
    for _ in seen.steps(CYCLES):
        i.i_valid[0] = rng.random() < 0.8
        if i.i_valid[0]:
            i.i_payload_first[0] = group == groups
            if group == groups and group and rng.random() < 0.2:
                i.i_payload_first[0] = 0  # the next codeword begins behind the last all the same
                seen["of itself"] += 1
            cut = group != groups and rng.random() < 0.1 / groups
            seen["cut"] += cut
            i.i_payload_first[0] |= cut
            if group == groups or cut:
                group, line, left, bad = 0, 0, 0, rng.random() < 0.3
        bits = some_bits(rng, wide)
        i.i_payload_symbols[0] = [
            bits >> SYMBOL_BITS * k & 1023 for k in range(wide // SYMBOL_BITS)
        ]
        i.bad[0] = bad
        await bench.step()
        assert o.o_valid[0] == (due is not None)
        if due is not None:
            assert (number(o.o_payload[0], 64), bool(o.o_bad[0])) == due
            seen["unit"] += 1
            seen["bad"] += due[1]
        due = None
        if not i.i_valid[0]:
            seen["pause"] += 1
            continue
        count = min(max(config.message_bits - group * wide, 0), wide)
        line |= (bits & (1 << count) - 1) << left
        left, group = left + count, group + 1
        if left >= config.unit_bits:
            due = line & (1 << config.unit_bits) - 1, bool(bad)
            line, left = line >> config.unit_bits, left - config.unit_bits
