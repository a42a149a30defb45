import pytest
from amaranth.lib import data
from hypothesis import given
from hypothesis import strategies as st

from models.config import NAMED
from models.packet import HEADER_BYTES, HEADER_FIELDS, Header
from rtl.packet import AxisLayout, FlitLayout, HeaderLayout, length_shape

headers = st.builds(
    Header, **{name: st.integers(0, (1 << bits) - 1) for name, bits in HEADER_FIELDS.items()}
)


@given(headers)
def test_header_survives_packing(header):
    assert Header.unpack(header.pack()) == header
    assert header.pack() < 1 << (8 * HEADER_BYTES)


@given(st.integers(0, (1 << 64) - 1), st.integers(0, (1 << 64) - 1))
def test_only_the_low_word_is_the_header(word, rest):
    assert Header.unpack(word).pack() == word
    assert Header.unpack(rest << 64 | word) == Header.unpack(word)


def test_header_is_little_endian_with_destination_first():
    header = Header(
        destination=0x1122,
        source=0x3344,
        length=0x5566,
        traffic_class=0x7,
        operation=0x8,
        partition=0x99,
    )
    assert header.pack().to_bytes(8, "little").hex() == "2211" + "4433" + "6655" + "87" + "99"


@pytest.mark.parametrize("name", HEADER_FIELDS)
@pytest.mark.parametrize("beyond", [False, True])
def test_field_that_does_not_fit_is_named(name, beyond):
    value = 1 << HEADER_FIELDS[name] if beyond else -1
    good = {"destination": 0, "source": 0, "length": 64}
    with pytest.raises(ValueError, match=rf"^{name} must be .*, not {value}$"):
        Header(**good | {name: value})


@given(headers)
def test_layout_agrees_with_the_model(header):
    layout = HeaderLayout()
    assert layout.size == 8 * HEADER_BYTES
    seen = data.Const(layout, header.pack())
    assert {name: seen[name] for name in HEADER_FIELDS} == {
        name: getattr(header, name) for name in HEADER_FIELDS
    }


def places(layout: data.StructLayout) -> dict[str, tuple[int, int]]:
    return {name: (field.offset, field.width) for name, field in layout}


@pytest.mark.parametrize("config", NAMED.values(), ids=NAMED)
def test_flit_and_stream_are_laid_out_as_specified(config):
    bytes_, words = config.flit_bytes, config.flit_bytes // 8
    count = bytes_.bit_length() - 1
    assert places(AxisLayout(config)) == {
        "data": (0, 8 * bytes_),
        "keep": (8 * bytes_, bytes_),
        "last": (9 * bytes_, 1),
        "user": (9 * bytes_ + 1, 2),
    }
    assert places(FlitLayout(config)) == {
        "data": (0, 8 * bytes_),
        "count": (8 * bytes_, count),
        "first": (8 * bytes_ + count, 1),
        "last": (8 * bytes_ + count + 1, 1),
        "error": (8 * bytes_ + count + 2, 1),
        "mark": (8 * bytes_ + count + 3, 1),
        "parity": (8 * bytes_ + count + 4, words),
    }
    assert config.max_packet_flits in length_shape(config)
