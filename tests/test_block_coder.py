# amaranth: UnusedElaboratable=no
import numpy as np
import pytest

from models.config import NODE, RACK, TINY
from models.link.config import link_of
from models.serdes.block_coder import FORMATS, BlockDecoderModel, BlockEncoderModel
from rtl.serdes.block_coder import BlockDecoder, BlockEncoder
from sim.verilator import run_bench

LINKS = [link_of(config) for config in (TINY, NODE, RACK)]


@pytest.mark.verilator
@pytest.mark.parametrize("link", LINKS, ids=lambda link: link.name)
@pytest.mark.parametrize("noun, kind", [("encoder", BlockEncoder), ("decoder", BlockDecoder)])
def test_rtl_matches_model(noun, kind, link):
    run_bench(
        f"block_{noun}",
        kind(link),
        link,
        module="verif.bench.block_coder",
        testcase=f"{noun}_matches_model",
        cycles=2000 // link.words_per_cycle,
    )


def block_of(word: bytes, control: int) -> tuple[int, bytes]:
    """Header and payload that the model makes of a word."""
    model = BlockEncoderModel(link_of(TINY))
    model.inputs.i_words_data[0, 0] = np.frombuffer(word, dtype=np.int64)[0]
    model.inputs.i_words_control[0, 0] = control
    model.step()
    o = model.step()
    return int(o.o_blocks_header[0, 0]), o.o_blocks_payload[0, 0].tobytes()


def word_of(header: int, payload: bytes) -> tuple[bytes, int]:
    """Word and control bits that the model makes of a block."""
    model = BlockDecoderModel(link_of(TINY))
    model.inputs.i_blocks_header[0, 0] = header
    model.inputs.i_blocks_payload[0, 0] = np.frombuffer(payload, dtype=np.int64)
    model.step()
    o = model.step()
    return o.o_words_data[0, 0].tobytes(), int(o.o_words_control[0, 0])


@pytest.mark.parametrize(
    "word, control, block",
    [  # by hand, from the figure
        ("0707070707070707", 0xFF, "1e00000000000000"),
        ("fb555555555555d5", 0x01, "78555555555555d5"),
        ("07070707fb555555", 0x1F, "3300000000555555"),
        ("fd07070707070707", 0xFF, "8700000000000000"),
        ("112233fd07070707", 0xF8, "b411223300000000"),
        ("11223344556677fd", 0x80, "ff11223344556677"),
        ("9c0000019c000002", 0x11, "5500000100000002"),
        ("9c00000107070707", 0xF1, "4b00000100000000"),  # local fault
        ("5c1122339c445566", 0x11, "551122330f445566"),
        ("fefefefefefefefe", 0xFF, "1e1e8fc7e3f1783c"),
        ("5c01abcde0000042", 0x01, "4b01abcde6000042"),  # a control word: O-code 6
        ("5c01abcde1000042", 0x01, "1e1e8fc7e3f1783c"),  # no place for that bit
        ("fb11fb1111111111", 0x05, "1e1e8fc7e3f1783c"),
    ],
)
def test_blocks_are_those_of_the_standard(word, control, block):
    assert block_of(bytes.fromhex(word), control) == (1, bytes.fromhex(block))
    if block != "1e1e8fc7e3f1783c":
        assert word_of(1, bytes.fromhex(block)) == (bytes.fromhex(word), control)


def test_data_passes_as_it_is():
    assert block_of(b"abcdefgh", 0) == (2, b"abcdefgh")
    assert word_of(2, b"abcdefgh") == (b"abcdefgh", 0)


@pytest.mark.parametrize(
    "header, block",
    [
        (0, "1e00000000000000"),
        (3, "1e00000000000000"),
        (1, "0000000000000000"),  # no type
        (1, "1e01000000000000"),  # no code
        (1, "4b0000010100000f"),  # no O-code
    ],
)
def test_what_is_no_block_is_an_error(header, block):
    assert word_of(header, bytes.fromhex(block)) == (b"\xfe" * 8, 0xFF)


def test_types_are_four_bits_apart():
    """Of any two: so no three wrong bits in it make another type. And none has a data header."""
    kinds = {kind for kind, _, _ in FORMATS}
    assert min((a ^ b).bit_count() for a in kinds for b in kinds if a != b) == 4
