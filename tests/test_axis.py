# amaranth: UnusedElaboratable=no
import pytest

from models.config import NODE, PROTO, TINY
from models.packet import Broken, Drop
from rtl.axis import AxisSwitch
from sim.verilator import run_bench


def test_ports_have_the_names_of_axi4_stream():
    names = set(AxisSwitch(TINY).signature.members)
    for n in range(TINY.ports):
        for name in ("tdata", "tkeep", "tvalid", "tready", "tlast", "tuser"):
            assert {f"s{n}_axis_{name}", f"m{n}_axis_{name}"} <= names
        assert {f"s{n}_dropped_{reason.name.lower()}" for reason in Drop} <= names
        assert {f"s{n}_errored_{reason.name.lower()}" for reason in Broken} <= names


@pytest.mark.verilator
@pytest.mark.parametrize("config", [TINY, PROTO], ids=lambda config: config.name)
def test_switch_conforms_to_axi4_stream(config):
    run_bench("axis", AxisSwitch(config), config, packed=False)


@pytest.mark.verilator
@pytest.mark.slow
def test_node_conforms_to_axi4_stream():
    run_bench("axis", AxisSwitch(NODE), NODE, packed=False)
