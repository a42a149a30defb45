# amaranth: UnusedElaboratable=no
import numpy as np
import pytest

from models.config import NODE, RACK, TINY
from models.link.config import link_of
from models.serdes.start_aligner import StartAlignerModel
from rtl.serdes.start_aligner import StartAligner
from sim.verilator import run_bench

LINKS = [link_of(config) for config in (TINY, NODE, RACK)]
IDLES = ("0707070707070707", 0xFF)


@pytest.mark.verilator
@pytest.mark.parametrize("link", LINKS, ids=lambda link: link.name)
def test_rtl_matches_model(link):
    cycles = 2000 // link.words_per_cycle
    run_bench("start_aligner", StartAligner(link), link, cycles=cycles)


def aligned(words: list[tuple[str, int]]) -> list[tuple[str, int]]:
    """What the model makes of words, one a cycle."""
    model, found = StartAlignerModel(link_of(TINY)), []
    for word, control in [*words, IDLES]:
        model.inputs.i_valid[0] = 1
        model.inputs.i_words_data[0, 0] = np.frombuffer(bytes.fromhex(word), dtype=np.int64)[0]
        model.inputs.i_words_control[0, 0] = control
        o = model.step()
        found.append((o.o_words_data[0, 0].tobytes().hex(), int(o.o_words_control[0, 0])))
    return found[1:]


def test_frame_in_byte_0_stays():
    words = [
        IDLES,
        ("fb555555555555d5", 0x01),
        ("0011223344556677", 0),
        ("fd07070707070707", 0xFF),
        ("5c01abcde0000042", 0x01),  # a control word
    ]
    assert aligned(words) == words


def test_frame_in_byte_4_is_moved_back_and_the_next_one_is_not():
    assert aligned(
        [
            IDLES,
            ("07070707fb555555", 0x1F),
            ("555555d500112233", 0),
            ("445566fd07070707", 0xF8),
            ("fb555555555555d5", 0x01),
        ]
    ) == [
        IDLES,
        ("0707070707070707", 0xFF),
        ("fb555555555555d5", 0x01),
        ("00112233445566fd", 0x80),
        ("fb555555555555d5", 0x01),
    ]
