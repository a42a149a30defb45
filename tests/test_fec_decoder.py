# amaranth: UnusedElaboratable=no
import numpy as np
import pytest

from models.serdes.config import RS272, RS544, FecConfig
from models.serdes.fec_decoder import FecDecoderModel, decode, scratch
from models.serdes.fec_encoder import encode
from rtl.serdes.fec_decoder import FecDecoder
from sim.verilator import run_bench

CODES = [RS272, RS544]
SMALL = FecConfig(name="RS24", symbols=24, message_symbols=16, symbols_per_cycle=8)  # 4 solvers
WIDTHS = [
    SMALL,
    FecConfig(name="RS12", symbols=12, message_symbols=6, symbols_per_cycle=6),  # 6 solvers
    RS272.with_(name="RS272-8", symbols_per_cycle=8),
    RS272,
    RS544.with_(name="RS544-16", symbols_per_cycle=16),
]


def by_name(config: FecConfig) -> str:
    return config.name


def words(config: FecConfig, count: int, seed: int):
    """Codewords, and the same with 0 to t + 2 errors, and how many."""
    rng, t = np.random.default_rng(seed), config.correctable
    for _ in range(count):
        right = encode(config, rng.integers(0, 1024, config.message_symbols))
        errors = int(rng.integers(0, t + 3))
        word = right.copy()
        word[rng.choice(config.symbols, errors, replace=False)] ^= rng.integers(1, 1024, errors)
        yield right, word, errors


@pytest.mark.verilator
@pytest.mark.parametrize("config", WIDTHS, ids=by_name)
def test_rtl_matches_model(config):
    run_bench("fec_decoder", FecDecoder(config), config, cycles=60 * config.groups)


@pytest.mark.verilator
@pytest.mark.slow
@pytest.mark.parametrize("config", CODES, ids=by_name)
def test_rtl_corrects_ten_thousand_words(config):
    """At 510 Gbit/s; four cases share them."""
    run_bench("fec_decoder", FecDecoder(config), config, cycles=4000 * config.groups)


@pytest.mark.parametrize("config", CODES, ids=by_name)
def test_up_to_t_errors_are_corrected_and_more_are_found_out(config):
    room, t = scratch(config), config.correctable
    for right, word, errors in words(config, 300, seed=1):
        came = word.copy()
        found = decode(word, t, room)
        assert found == (errors if errors <= t else -1)
        assert (word == (right if errors <= t else came)).all()


@pytest.mark.parametrize("config", CODES, ids=by_name)
def test_reedsolo_agrees(config):
    import reedsolo

    codec = reedsolo.RSCodec(
        2 * config.correctable, nsize=config.symbols, fcr=0, prim=0x409, generator=2, c_exp=10
    )
    room = scratch(config)
    for _, word, errors in words(config, 8, seed=2):
        came = word.tolist()
        found = decode(word, config.correctable, room)
        try:
            _, full, places = codec.decode(came)
        except reedsolo.ReedSolomonError:
            assert found == -1
        else:
            assert (list(full), len(places)) == (word.tolist(), found) and found == errors


@pytest.mark.parametrize("config", CODES, ids=by_name)
def test_galois_agrees(config):
    import galois

    field = galois.GF(2**10, irreducible_poly="x^10+x^3+1", primitive_element=2)
    parity = 2 * config.correctable
    code = galois.ReedSolomon(1023, 1023 - parity, field=field, c=0)  # these are shortened
    room = scratch(config)
    for right, word, errors in words(config, 20, seed=3):
        message = field(right[: config.message_symbols])
        assert (np.asarray(code.encode(message)) == right).all()
        decoded, count = code.decode(field(word), errors=True)
        assert count == decode(word, config.correctable, room) and (count == -1) == (
            errors > config.correctable
        )
        if count >= 0:
            assert (np.asarray(decoded) == word[: config.message_symbols]).all()


@pytest.mark.parametrize(
    "config, solve_cycles", [(SMALL, 21), (RS272, 30), (RS544, 54)], ids=["RS24", "RS272", "RS544"]
)
def test_latency_is_as_the_configuration_says(config, solve_cycles):
    """A codeword with errors, one without right behind it, and one after a pause."""
    groups, wide = config.groups, config.symbols_per_cycle
    word = np.zeros(config.symbols, dtype=np.int64)
    wrong = word.copy()
    wrong[-1] = 5
    pause = config.solve_cycles + 2 * groups
    line = [*wrong.reshape(-1, wide), *word.reshape(-1, wide), *[None] * pause]
    line += [*word.reshape(-1, wide), *[None] * pause]
    model, firsts = FecDecoderModel(config), []
    i = model.inputs
    for cycle, group in enumerate(line):
        i.i_valid[0] = group is not None
        if group is not None:
            i.i_payload_symbols[0] = group
        o = model.step()
        if o.o_valid[0] and o.o_payload_first[0]:
            firsts.append((cycle, int(o.o_payload_corrected[0])))
    solved = groups - 1 + config.solve_cycles
    assert (config.clean_cycles, config.solve_cycles) == (3, solve_cycles)
    assert firsts[:2] == [(solved, 1), (solved + groups, 0)]
    assert firsts[2:] == [(3 * groups + pause - 1 + config.clean_cycles, 0)]
