import pytest

from models.config import PROTO, TINY
from models.packet import Wrong
from models.selftest import SelfTestModel
from rtl.selftest import SelfTest
from sim.verilator import run_bench

SHORT = PROTO.with_(name="PROTO-SHORT", max_packet_bytes=136)  # more packets, sooner


def looped(config, cycles: int):
    """The model, each output of a generator at the input of the checker of the same port."""
    model = SelfTestModel(config)
    i = model.inputs
    i.enable[0] = i.o_ready[0] = 1
    for _ in range(cycles):
        o = model.step()
        i.i_valid[:] = o.o_valid
        for name in ("data", "keep", "last", "user"):
            getattr(i, f"i_payload_{name}")[:] = getattr(o, f"o_payload_{name}")
    return model


def test_model_sees_that_packets_come_back_to_their_sender():
    outputs = looped(TINY, 1000).outputs
    assert outputs.error[0] and Wrong(outputs.reason[0]) is Wrong.PORT and not outputs.linked[0]


@pytest.mark.verilator
@pytest.mark.parametrize(
    "config, pauses", [(TINY, True), (SHORT, False)], ids=lambda value: getattr(value, "name", "")
)
def test_rtl_matches_model_and_names_what_is_wrong(config, pauses):
    run_bench(
        "selftest",
        SelfTest(config, pauses=pauses),
        config,
        cycles=3000,
        extra_env={"SELFTEST_PAUSES": str(int(pauses))},
    )
