# amaranth: UnusedElaboratable=no
from itertools import combinations

import pytest

from models.link.config import LinkConfig
from models.link.control_words import WORD, ControlWordsModel
from rtl.link.control_words import ControlWords
from sim.verilator import run_bench

LINK = LinkConfig(flit_bytes=8, words_per_cycle=1, max_packet_bytes=64)
KINDS = {"ack": 0x01, "nack": 0x02, "init": 0x03, "init_echo": 0x04}  # as Ultra Ethernet has them
BYTES = {"padding": 4, "sequence_low": 4, "value": 16}  # bits; the others have 8


def check(body: bytes) -> int:
    """CRC-8 of AUTOSAR's polynomial, lowest bit first, preset to ones; bit by bit."""
    register = 0xFF
    for byte in body:
        register ^= byte
        for _ in range(8):
            register = register >> 1 ^ (0xF4 if register & 1 else 0)
    return register


def checked(body: int) -> int:
    """D1 .. D7 of D1 .. D6."""
    return body | check(body.to_bytes(6, "little")) << 48


def word_of(outputs) -> int:
    """D1 .. D7 of what goes to the framer, D1 in the lowest bits."""
    word, shift = 0, 0
    for field in WORD.split():
        word |= int(getattr(outputs, f"o_payload_{field}")[0]) << shift
        shift += BYTES.get(field, 8)
    assert shift == 56
    return word


def receive(model, word: int):
    """Outputs for a word from the deframer."""
    model.inputs.i_valid[0] = 1
    for field in WORD.split():
        bits = BYTES.get(field, 8)
        getattr(model.inputs, f"i_payload_{field}")[0] = word & ((1 << bits) - 1)
        word >>= bits
    return model.step()


@pytest.mark.parametrize("kind", KINDS)
def test_word_has_its_bytes_in_order_and_is_understood(kind):
    model = ControlWordsModel()
    getattr(model.inputs, f"send_{kind}_valid")[0] = 1
    getattr(model.inputs, f"send_{kind}_payload_sequence")[0] = 0xABCDE
    value = 0
    if "init" in kind:
        value = 0x1234
        getattr(model.inputs, f"send_{kind}_payload_value")[0] = value
    word = word_of(model.step())
    body = bytes([KINDS[kind], 0xAB, 0xCD, 0xE0, value & 0xFF, value >> 8])
    assert word.to_bytes(7, "little") == body + bytes([check(body)])

    outputs = receive(model, word)
    assert {k: int(getattr(outputs, f"{k}_valid")[0]) for k in KINDS} == {
        k: k == kind for k in KINDS
    }
    assert getattr(outputs, f"{kind}_sequence")[0] == 0xABCDE and not outputs.unknown[0]


@pytest.mark.parametrize("kind", KINDS)
def test_any_bit_that_must_be_zero_makes_a_word_unknown(kind):
    free = {*range(8, 24), *range(28, 32)} | ({*range(32, 48)} if "init" in kind else set())
    for bit in range(8, 48):
        outputs = receive(ControlWordsModel(), checked(KINDS[kind] | 1 << bit))
        assert bool(outputs.unknown[0]) == (bit not in free)
        assert bool(getattr(outputs, f"{kind}_valid")[0]) == (bit in free)


@pytest.mark.parametrize("kind", [0, *KINDS.values()])
@pytest.mark.parametrize("number", [0, 0xABCDE, 0x55555])
def test_word_with_a_few_wrong_bits_says_nothing(kind, number):
    """Fills do not become words, nor words others."""
    word = checked(kind | (number >> 12) << 8 | (number >> 4 & 255) << 16 | (number & 15) << 28)
    says_nothing(word, [f"{k}_valid" for k in (*KINDS, "credit")])


@pytest.mark.parametrize("entries", [(3, 4711, 4, 815), (31, 0x7FFF, 0, 1), (0, 0, 0, 0)])
def test_update_has_its_bits_in_order_and_is_understood(entries):
    model = ControlWordsModel()
    model.inputs.send_credit_valid[0] = 1
    model.inputs.send_credit_payload_entry_channel[0] = entries[::2]
    model.inputs.send_credit_payload_entry_freed[0] = entries[1::2]
    word = word_of(model.step())
    assert word == update(*entries)
    outputs = receive(model, word)
    assert outputs.credit_valid[0] and not outputs.unknown[0]
    assert tuple(outputs.credit_channel[0]) == entries[::2]
    assert tuple(outputs.credit_freed[0]) == entries[1::2]


@pytest.mark.parametrize("entries", [(3, 4711, 4, 815), (31, 0x7FFF, 0, 1), (0, 0, 0, 0)])
def test_update_with_a_few_wrong_bits_says_nothing(entries):
    """It would free what is in use, and the other end would be sent more than it has room for."""
    says_nothing(update(*entries), [f"{k}_valid" for k in (*KINDS, "credit")])


def update(channel: int, freed: int, other: int, freed_of_other: int) -> int:
    """D1 .. D7 of a CF_Update."""
    first, second = freed | channel << 15, freed_of_other | other << 15
    high, low = divmod(first, 1 << 16)
    return checked(0x10 | high | low << 8 | second << 28)


def says_nothing(word: int, meanings: list[str]) -> None:
    """With up to three wrong bits, or a burst of up to eight, a word has none of these meanings."""
    model, bits = ControlWordsModel(), [1 << n for n in range(56)]
    few = [a ^ b ^ c for a, b, c in combinations([0, 0, *bits], 3)]
    bursts = [(2 * inner | 1 | 1 << 7) << n for n in range(49) for inner in range(64)]
    for wrong in {*few, *bursts} - {0}:
        outputs = receive(model, word ^ wrong)
        assert not any(getattr(outputs, meaning)[0] for meaning in meanings)


def test_unknown_types_are_told_and_fills_are_not():
    unknown = {n for n in range(256) if receive(ControlWordsModel(), checked(n)).unknown[0]}
    assert unknown == set(range(256)) - {*range(5), *range(0x10, 0x20)}


def test_most_urgent_word_goes_first():
    model, order = ControlWordsModel(), ["init", "init_echo", "nack", "ack", "credit"]
    model.inputs.o_ready[0] = 1
    for kind in order:
        getattr(model.inputs, f"send_{kind}_valid")[0] = 1
    for kind in order:
        outputs = model.step()
        taken = [k for k in order if getattr(outputs, f"send_{k}_ready")[0]]
        assert taken == [kind] and outputs.o_valid[0]
        getattr(model.inputs, f"send_{kind}_valid")[0] = 0
    assert not model.step().o_valid[0]


@pytest.mark.verilator
def test_rtl_matches_model():
    run_bench("link_control_words", ControlWords(), LINK, cycles=2000)
