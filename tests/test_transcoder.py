# amaranth: UnusedElaboratable=no
import numpy as np
import pytest

from models.config import TINY
from models.link.config import link_of
from models.serdes.transcoder import ReverseTranscoderModel, TranscoderModel
from rtl.serdes.transcoder import ReverseTranscoder, Transcoder
from sim.verilator import run_bench

DATA, CONTROL = 2, 1


@pytest.mark.verilator
@pytest.mark.parametrize("noun, kind", [("transcoder", Transcoder), ("reverse", ReverseTranscoder)])
def test_rtl_matches_model(noun, kind):
    run_bench(
        f"transcoder-{noun}",
        kind(),
        link_of(TINY),
        module="verif.bench.transcoder",
        testcase=f"{noun}_matches_model",
    )


def transcoded(blocks: list[tuple[int, bytes]]) -> int:
    """The 257 bits that the model makes of four blocks."""
    model = TranscoderModel()
    model.inputs.i_blocks_header[0] = [header for header, _ in blocks]
    payloads = b"".join(payload for _, payload in blocks)
    model.inputs.i_blocks_payload[0, :, 0] = np.frombuffer(payloads, dtype=np.int64)
    model.step()
    return int.from_bytes(model.step().o_block[0].tobytes()[:33], "little")


def blocks_of(bits: int, bad: bool = False) -> list[tuple[int, bytes]]:
    """The four blocks that the model makes of 257 bits."""
    model = ReverseTranscoderModel()
    model.inputs.i_block[0] = np.frombuffer(bits.to_bytes(40, "little"), dtype=np.int64)
    model.inputs.bad[0] = bad
    model.step()
    o = model.step()
    payloads = [payload.tobytes() for payload in o.o_blocks_payload[0, :, 0]]
    return list(zip(o.o_blocks_header[0].tolist(), payloads, strict=True))


WORDS = [bytes(range(8 * n, 8 * n + 8)) for n in range(4)]
IDLES = bytes([0x1E, *7 * [0]])


def test_four_of_data_have_one_bit_before_them():
    blocks = [(DATA, word) for word in WORDS]
    assert transcoded(blocks) == 1 | int.from_bytes(b"".join(WORDS), "little") << 1
    assert blocks_of(transcoded(blocks)) == blocks


@pytest.mark.parametrize("first", range(4))
def test_first_that_is_no_data_lacks_half_of_its_type(first):
    """By hand: five bits, what is before the lower half of the type, then what is behind it."""
    blocks = [(DATA, WORDS[n]) if n < first else (CONTROL, IDLES) for n in range(4)]
    payloads = int.from_bytes(b"".join(payload for _, payload in blocks), "little")
    cut = 64 * first + 4
    rest = payloads & (1 << cut) - 1 | payloads >> cut + 4 << cut
    flags = sum(1 << n for n in range(first))
    assert transcoded(blocks) == flags << 1 | rest << 5
    assert blocks_of(transcoded(blocks)) == blocks


def test_block_that_is_none_makes_all_so():
    blocks = [(DATA, WORDS[0]), (3, WORDS[1]), (CONTROL, IDLES), (DATA, WORDS[3])]
    assert transcoded(blocks) & 31 == 0b11110
    assert [header for header, _ in blocks_of(transcoded(blocks))] == 4 * [3]


def test_what_could_not_be_corrected_is_no_block():
    blocks = [(DATA, word) for word in WORDS]
    assert [header for header, _ in blocks_of(transcoded(blocks), bad=True)] == 4 * [3]


def test_type_that_does_not_exist_is_no_block():
    blocks = [(DATA, WORDS[0]), (CONTROL, bytes(8)), (DATA, WORDS[2]), (DATA, WORDS[3])]
    assert [header for header, _ in blocks_of(transcoded(blocks))] == [DATA, 3, DATA, DATA]
