# amaranth: UnusedElaboratable=no
import re

import pytest
from amaranth.lib import wiring

from models.config import NAMED, SCHEDULERS, TINY
from rtl.axis import AxisSwitch
from rtl.scheduler.input import Input
from rtl.scheduler.islip import Grant
from rtl.scheduler.output import Output
from sim.export import TOP, write_verilog_file
from sim.netlist import Netlist, key_of


def test_file_is_complete(tmp_path, capsys):
    path = write_verilog_file(TINY, tmp_path)
    assert path == tmp_path / "TINY.v"
    assert list(tmp_path.iterdir()) == [path]
    assert re.fullmatch(r"TINY: .* MB, \d+ modules, .* s\n", capsys.readouterr().out)


@pytest.mark.verilator
@pytest.mark.slow
def test_rack_is_written_in_a_minute(tmp_path, capsys):
    write_verilog_file(NAMED["RACK"], tmp_path)
    assert float(capsys.readouterr().out.split()[-2]) < 60


@pytest.mark.parametrize("component", [Input, Output, Grant])
def test_an_expression_is_written_once(component):
    """Amaranth writes an expression wherever it is used; for 64 ports that can take gigabytes."""
    netlist = Netlist(TOP)
    netlist.add(component(NAMED["RACK"]))
    assert sum(map(len, netlist.modules.values())) < 2e6


def test_top_has_the_ports_of_axis_switch(tmp_path):
    text = write_verilog_file(TINY, tmp_path).read_text()
    ports = re.search(rf"^module {TOP}\((.*?)\);", text, re.MULTILINE | re.DOTALL)
    assert ports
    names = {name.strip() for name in ports[1].split(",")}
    assert names == {*AxisSwitch(TINY).signature.members, "clk", "rst"}


@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_no_name_is_a_word_of_systemverilog(scheduler):
    """Ports of modules are written as they are: a tool reads the file as SystemVerilog, too."""
    netlist = Netlist(TOP)
    netlist.add(AxisSwitch(TINY.with_(scheduler=scheduler)))
    headers = re.findall(r"^module .*?;$", netlist.verilog(), re.MULTILINE | re.DOTALL)
    assert len(headers) > 15
    assert not [header for header in headers if "\\" in header]


@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_components_that_share_a_module_convert_alike(scheduler):
    """What ``key_of`` does not see makes no difference, for every component of the switch."""
    texts: dict[str, set[str]] = {}

    class Unshared(Netlist):
        def convert(self, component: wiring.Component, name: str) -> str:
            key = key_of(component)
            self.names.pop(key, None)
            name = super().convert(component, "module")
            text = re.sub(r"lingyun_switch_\w+", "module", self.modules[name])
            texts.setdefault(key, set()).add(text)
            return name

    Unshared(TOP).add(AxisSwitch(TINY.with_(scheduler=scheduler)))
    assert len(texts) > 15
    assert not [key for key, variants in texts.items() if len(variants) > 1]
