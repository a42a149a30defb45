# amaranth: UnusedElaboratable=no
import pytest

import sim.verilator
from models.config import NODE, PROTO, TINY
from models.packet import Broken, Drop
from rtl.axis import AxisSwitch
from sim.export import Netlist, replace
from sim.verilator import run_bench


def test_ports_have_the_names_of_axi4_stream():
    names = set(AxisSwitch(TINY).signature.members)
    for n in range(TINY.ports):
        for name in ("tdata", "tkeep", "tvalid", "tready", "tlast", "tuser"):
            assert {f"s{n}_axis_{name}", f"m{n}_axis_{name}"} <= names
        assert {f"s{n}_dropped_{reason.name.lower()}" for reason in Drop} <= names
        assert {f"s{n}_errored_{reason.name.lower()}" for reason in Broken} <= names


def conforms(config, monkeypatch):
    """Run the bench on the modules that ``sim.export`` writes."""
    netlist, component = Netlist(), AxisSwitch(config)
    replace(component, netlist.instance(component))
    convert = sim.verilator.to_verilog

    def with_modules(*top):
        return "\n".join([convert(*top), *netlist.modules.values()])

    monkeypatch.setattr(sim.verilator, "to_verilog", with_modules)
    run_bench("axis", component, config, packed=False)


@pytest.mark.verilator
@pytest.mark.parametrize("config", [TINY, PROTO], ids=lambda config: config.name)
def test_exported_switch_conforms_to_axi4_stream(config, monkeypatch):
    conforms(config, monkeypatch)


@pytest.mark.verilator
@pytest.mark.slow
def test_exported_node_conforms_to_axi4_stream(monkeypatch):
    conforms(NODE, monkeypatch)
