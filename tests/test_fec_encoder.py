# amaranth: UnusedElaboratable=no
import numpy as np
import pytest
from amaranth.sim import Simulator

from models.serdes.config import RS272, RS544, FecConfig
from models.serdes.fec_encoder import FecEncoderModel, encode, generator
from rtl.serdes.fec_encoder import FecEncoder
from sim.verilator import run_bench

CODES = [RS272, RS544]
WIDTHS = [  # a message that ends with a group, within one, and where parity fills several
    RS272,
    RS272.with_(name="RS272-8", symbols_per_cycle=8),
    RS544.with_(name="RS544-8", symbols_per_cycle=8),
    RS544,
    FecConfig(name="RS24", symbols=24, message_symbols=16, symbols_per_cycle=4),
]


def by_name(config: FecConfig) -> str:
    return config.name


@pytest.mark.verilator
@pytest.mark.parametrize("config", WIDTHS, ids=by_name)
def test_rtl_matches_model(config):
    run_bench("fec_encoder", FecEncoder(config), config, cycles=20 * config.groups)


def test_generators_are_those_of_ethernet():
    """Published: IEEE 802.3, table 91-1, and what two libraries find; that of x^0 first."""
    found = [generator(2 * code.correctable)[::-1].tolist() for code in CODES]
    assert found[0] == [432, 290, 945, 265, 592, 391, 614, 900, 925, 656, 32, 701, 6, 904]
    assert found[1][:10] == [523, 834, 128, 158, 185, 127, 392, 193, 610, 788]
    assert found[1][10:20] == [361, 883, 503, 942, 385, 495, 720, 94, 132, 593]
    assert found[1][20:] == [249, 282, 565, 108, 1, 552, 230, 187, 552, 575]


@pytest.mark.parametrize("config", CODES, ids=by_name)
def test_parity_is_that_of_reedsolo(config):
    import reedsolo

    codec = reedsolo.RSCodec(
        2 * config.correctable, nsize=config.symbols, fcr=0, prim=0x409, generator=2, c_exp=10
    )
    rng = np.random.default_rng(1)
    for _ in range(20):
        message = rng.integers(0, 1024, config.message_symbols)
        assert encode(config, message).tolist() == list(codec.encode(message.tolist()))


@pytest.mark.parametrize("config", CODES, ids=by_name)
def test_model_puts_out_the_codeword_a_cycle_later(config):
    rng, model = np.random.default_rng(2), FecEncoderModel(config)
    word = encode(config, rng.integers(0, 1024, config.message_symbols))
    junk = np.where(np.arange(config.symbols) < config.message_symbols, word, 77)
    i, found = model.inputs, []
    for cycle in range(config.groups + 1):
        i.i_valid[0] = cycle < config.groups
        i.i_payload_first[0] = cycle == 0
        i.i_payload_symbols[0] = np.resize(junk[cycle * config.symbols_per_cycle :], 34)
        o = model.step()
        assert o.o_valid[0] == (cycle > 0)
        found += o.o_payload_symbols[0].tolist() if cycle else []
    assert found == word.tolist()


def test_rtl_latency_is_one_cycle():
    config = RS272.with_(symbols_per_cycle=8)
    dut = FecEncoder(config)

    async def bench(ctx):
        ctx.set(dut.i.valid, 1)
        ctx.set(dut.i.payload.symbols[3], 55)
        assert not ctx.get(dut.o.valid)
        await ctx.tick()
        assert ctx.get(dut.o.valid) and ctx.get(dut.o.payload.first)
        assert ctx.get(dut.o.payload.symbols[3]) == 55

    simulator = Simulator(dut)
    simulator.add_clock(1e-9)
    simulator.add_testbench(bench)
    simulator.run()


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"symbols": 1024}, "symbols must be 3 to 1023, not 1024"),
        ({"message_symbols": 257}, "message_symbols must be even less than 272"),
        ({"symbols_per_cycle": 33}, "symbols_per_cycle must divide 272 and be less, not 33"),
        ({"symbols_per_cycle": 272}, "symbols_per_cycle must divide 272 and be less, not 272"),
    ],
)
def test_wrong_value_is_named(changes, message):
    with pytest.raises(ValueError, match=message):
        RS272.with_(**changes)
