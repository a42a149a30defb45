"""Placement: how fast, which path limits it, and what is short."""

import pytest

from rtl.arbiter import Arbiter
from sim.area.point import PART
from sim.harness import Harness
from sim.netlist import Netlist
from sim.placement import Part, PartTooSmallError, Placement, clock_name, place, timing_path
from sim.synthesis import TOP, Synthesis, synthesise

SMALL = Part("iCE40LP384", "ice40", ("--lp384", "--package", "qn32"))


def netlist_of(ports: int, folder, family: str) -> Synthesis:
    netlist = Netlist("test")
    netlist.add(Harness(Arbiter(ports), "arbiter"), TOP)
    return synthesise("\n".join(netlist.modules.values()), folder, family)


@pytest.mark.fpga
def test_worst_path_has_our_names(tmp_path):
    synthesis = netlist_of(16, tmp_path, PART.family)
    folder = tmp_path / "seed"
    folder.mkdir()
    placement = place(synthesis, folder, PART, seed=1, mhz=200)
    path = placement.worst["clk"]
    assert placement.mhz["clk"] == pytest.approx(1e3 / path.ns, rel=1e-3)
    assert placement.target_mhz == {"clk": 200}
    assert path.ns == pytest.approx(path.logic_ns + path.routing_ns, abs=2e-3)
    assert path.start.startswith(("arbiter.above[", "arbiter.request[", "scanned_"))
    assert path.end.startswith(("arbiter.above[", "captured_grant["))
    assert placement.used["TRELLIS_FF"] == (synthesis.resources.flip_flops, 83640)
    assert placement.used["Total LUT4s"][0] == synthesis.resources.luts
    assert Placement.load(folder) == placement


@pytest.mark.fpga
def test_small_part_is_named_with_what_it_lacks(tmp_path):
    synthesis = netlist_of(128, tmp_path, "ice40")
    sentence = (
        r"iCE40LP384 is too small: it has 384 ICESTORM_LC, and the design takes \d+, \d+ more"
    )
    with pytest.raises(PartTooSmallError, match=sentence):
        place(synthesis, tmp_path, SMALL, seed=1, mhz=12)


@pytest.mark.parametrize(
    "name",
    [
        "posedge $glbnet$clk$TRELLIS_IO_IN",
        "$glbnet$clk",
        "posedge clk",
        "cd_sync.clk$SB_IO_IN_$glb_clk",
    ],
)
def test_clock_is_called_as_in_the_design(name):
    assert clock_name(name) == "clk"


def test_path_of_a_report():
    def step(kind, delay, start, end, **more):
        return {"type": kind, "delay": delay, "from": {"cell": start}, "to": {"cell": end}} | more

    steps = [
        step("clk-to-q", 0.5, "m_TRELLIS_FF_Q_4", "m_TRELLIS_FF_Q_4"),
        step("routing", 1.0, "m_TRELLIS_FF_Q_4", "a", net="s.match[4]"),
        step("logic", 0.25, "a", "a"),
        step("routing", 2.0, "a", "b", net="e.ended_LUT4_Z_D"),
        step("logic", 0.25, "b", "b"),
        step("routing", 0.5, "b", "i.memory.0.12", net="i.admit"),
        step("setup", 0.25, "i.memory.0.12$RAMW", "i.memory.0.12$RAMW"),
    ]
    path = timing_path(steps, {"m_TRELLIS_FF_Q_4": "s.match[4]"})
    assert str(path) == "s.match[4] -> i.memory, 4.75 ns (1.25 logic in 2 levels, 3.50 routing)"
    assert path.through == ["i.admit"]
