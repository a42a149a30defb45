import re
from dataclasses import FrozenInstanceError, fields
from math import ceil

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from models.config import LINGYUN, NAMED, NODE, PROTO, TINY, SwitchConfig, named
from models.parameters import parameters

# What the architecture promises, not what the code says.
SPECIFIED = {
    "TINY": (2, 8, None, None, 2, 64, 64, 8, 64),
    "PROTO": (4, 8, 5, 125, 4, 4096, 2048, 64, 2048),
    "NODE": (8, 64, 400, 1500, 4, 1024, 512, 64, 4160),
    "RACK": (64, 128, 800, 1500, 4, 2048, 512, 64, 4160),
    "LINGYUN": (128, 128, 800, 1500, 4, 2048, 512, 64, 4160),
}


def test_named_configurations_are_as_specified():
    assert {
        name: (
            config.ports,
            config.flit_bytes,
            config.line_gbps,
            config.clock_mhz,
            config.classes,
            config.ingress_flits,
            config.egress_flits,
            config.min_packet_bytes,
            config.max_packet_bytes,
        )
        for name, config in NAMED.items()
    } == SPECIFIED
    schedulers = {name: (c.scheduler, c.iterations) for name, c in NAMED.items()}
    assert schedulers == {
        "TINY": ("islip", 2),
        "PROTO": ("islip", 1),
        "NODE": ("wavefront", 1),
        "RACK": ("islip", 2),
        "LINGYUN": ("islip", 2),
    }
    assert all(name == config.name == named(name).name for name, config in NAMED.items())


def test_lingyun_moves_tens_of_terabytes_per_second():
    assert LINGYUN.ports * LINGYUN.line_gbps / 8 == 12_800  # GB/s each way


def test_unknown_name_is_answered_with_the_known_ones():
    with pytest.raises(ValueError, match=r"'NODES'.*TINY, PROTO, NODE, RACK, LINGYUN"):
        named("NODES")


@pytest.mark.parametrize(
    "changes",
    [
        {"ports": 1},
        {"ports": 129},
        {"flit_bytes": 4},
        {"flit_bytes": 24},
        {"flit_bytes": 256},
        {"line_gbps": 0},
        {"line_gbps": -5.0},
        {"clock_mhz": None},
        {"clock_mhz": 0},
        {"classes": 3},
        {"classes": 32},
        {"egress_flits": 63},
        {"egress_flits": 128},
        {"min_packet_bytes": 7},
        {"max_packet_bytes": 63},
        {"max_packet_bytes": 1 << 16},
        {"scheduler": "pim"},
        {"iterations": 0},
        {"iterations": 9},
        {"class_policy": "fair"},
        {"class_weights": (1, 2, 4)},
        {"class_weights": (1, 2, 4, 0)},
        {"reserve_flits": 0},
        {"reserve_flits": 33},
        {"limit_flits": 64},
        {"limit_flits": 1025},
        {"endpoints": 4},
        {"endpoints": 100},
        {"endpoints": 1 << 17},
        {"stall_cycles": 1},
        {"stall_cycles": 1 << 16},
        {"speedup": 0.5},
    ],
    ids=str,
)
def test_wrong_value_is_named(changes):
    ((name, value),) = changes.items()
    with pytest.raises(ValueError) as raised:
        NODE.with_(**changes)
    assert re.fullmatch(rf"{name} must be .*, not {re.escape(repr(value))}", str(raised.value))


@pytest.mark.parametrize("changes", [{"ingress_flits": 31}, {"min_packet_bytes": 5000}], ids=str)
def test_value_that_contradicts_another_is_named(changes):
    """The sentence may be about the other field: either can cure it."""
    ((_, value),) = changes.items()
    with pytest.raises(ValueError, match=rf"^\w+ must be .*\b{value}\b"):
        NODE.with_(**changes)


def test_unknown_field_is_named():
    with pytest.raises(ValueError, match=r"no configuration field 'port'.*'ports'"):
        NODE.with_(port=4)


def test_configuration_cannot_be_changed_in_place():
    with pytest.raises(FrozenInstanceError):
        NODE.ports = 4  # pyright: ignore[reportAttributeAccessIssue]


@st.composite
def configs(draw) -> SwitchConfig:
    """Any configuration that is accepted."""
    flit_bytes = draw(st.sampled_from([8, 16, 32, 64, 128]))
    classes = draw(st.sampled_from([1, 2, 4, 8]))
    line = draw(st.none() | st.floats(1, 1600))
    values = {
        "ports": draw(st.integers(2, 128)),
        "flit_bytes": flit_bytes,
        "classes": classes,
        "line_gbps": line,
        "clock_mhz": draw(st.floats(10, 3000)) if line else draw(st.none() | st.just(500)),
        "ingress_flits": draw(st.integers(16, 1 << 14)),
        "egress_flits": classes * draw(st.integers(1, 1 << 10)),
        "min_packet_bytes": draw(st.integers(8, 128)),
        "max_packet_bytes": draw(st.integers(64, 9000)),
        "endpoints": 1 << draw(st.integers(1, 16)),
        "store_and_forward": draw(st.booleans()),
        "speedup": draw(st.none() | st.floats(1, 4)),
    }
    try:
        return SwitchConfig(**values)
    except ValueError as error:
        assert re.fullmatch(r"(\w+) must be .*, not .*", str(error))
        assert str(error).split()[0] in {field.name for field in fields(SwitchConfig)}
        assume(False)
        raise


@given(configs())
def test_reserves_and_shares_fit_the_buffer(config):
    assert config.queues * config.reserve + config.shared_flits == config.ingress_flits
    assert 1 <= config.reserve <= config.limit <= config.reserve + config.shared_flits
    assert config.limit >= config.max_packet_flits
    assert config.egress_depth * config.classes == config.egress_flits
    assert config.egress_depth >= config.max_packet_flits
    assert 0 <= config.mark_flits < config.limit


@pytest.mark.parametrize("config", NAMED.values(), ids=NAMED)
def test_one_stopped_output_cannot_use_up_what_is_shared(config):
    beyond_reserve = config.classes * (config.limit - config.reserve)
    largest = config.max_packet_flits
    assert beyond_reserve < config.shared_flits or config.limit == largest


@given(configs(), st.data())
def test_started_packet_never_starves(config, data):
    """Flits come at line rate and leave at one per cycle: the rest is in when it is needed."""
    length = data.draw(st.integers(1, config.max_packet_flits))
    start = config.start_flits(length)
    assert 1 <= start <= length
    if config.store_and_forward:
        assert start == length
    gap = 1 / config.line_flits_per_cycle
    for k in range(start, length):  # flit k (0 first) is needed k cycles after flit 0
        assert (k - (start - 1)) * gap <= k + 1 + 1e-9


def test_line_rate_follows_clock_and_flit():
    assert NODE.line_flits_per_cycle == pytest.approx(400e9 / (1.5e9 * 512))
    assert PROTO.line_flits_per_cycle == pytest.approx(5e9 / (125e6 * 64))
    assert TINY.line_flits_per_cycle == 1
    assert NODE.with_(speedup=2).line_flits_per_cycle == 0.5


def test_what_is_derived_follows_what_is_changed():
    assert NODE.with_(ports=16).reserve == 1024 // 2 // 64
    assert NODE.with_(classes=2).class_weights == (1, 2)
    kept = NODE.with_(reserve_flits=4, limit_flits=100).with_(scheduler="wavefront")
    assert (kept.reserve, kept.limit) == (4, 100)


@pytest.mark.parametrize("config", NAMED.values(), ids=NAMED)
def test_parameters_are_integers(config):
    p = parameters(config)
    assert tuple(p.class_weights) == config.class_weights
    assert all(type(value) is int for value in p._replace(class_weights=0))
    assert (p.ports, p.queues, p.words) == (config.ports, config.queues, config.flit_bytes // 8)
    assert p.max_packet_flits == ceil(config.max_packet_bytes / config.flit_bytes)
    assert (p.weighted, p.wavefront) == (0, config.name == "NODE")
    other = parameters(config.with_(class_policy="weighted", scheduler="wavefront"))
    assert (other.weighted, other.wavefront) == (1, 1)
