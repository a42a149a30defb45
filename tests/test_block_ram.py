"""The block RAM of netlist simulations, against a model that reads and writes bit by bit."""

import re

import pytest

from models.block_ram import WIDE, BlockRam, BlockRamModel, places
from models.config import TINY
from sim.primitives import CELLS, cell_models
from sim.verilator import Top, run_bench
from verif.bench.block_ram import BlockRams

FAULTS = {  # what is broken: text, and what stands there instead
    "byte enables": ("DATA_WIDTH_A < 18 ? ~18'h0", "DATA_WIDTH_A < 36 ? ~18'h0"),
    "halves of a wide read": ("outb[17:0] : WIDE ?", "outb[35:18] : WIDE ?"),
    "initial values": ("INIT[20*n +: 18]", "INIT[18*n +: 18]"),
    "collision": ("ada[13:5] == adb[13:5] ? maskb", "1'b0 ? maskb"),
    "register that waits": ("else if (oceb) registerb", "else registerb"),
    "register of a wide read": ("outb = REGMODE_B ==", "outb = !WIDE && REGMODE_B =="),
    "enable of the register": ('OCEBMUX == "INV" ? !OCEB', 'OCEBMUX == "INV" ? OCEB'),
    "write that reset holds off": ("onb && web && !rstb", "onb && web"),
}


class Cells(Top):
    """A top whose component has primitives in it; ``fault`` of ``FAULTS`` breaks our model."""

    fault: tuple[str, str] = ("", "")

    def verilog(self) -> str:
        models = cell_models()
        old, new = self.fault
        assert not old or models.count(old) == 1
        return "\n".join([models.replace(old, new) if old else models, super().verilog()])


def test_addresses_of_all_widths():
    assert places(1, 0b10_1_101) == [2 * 18 + 9 + 5]
    assert places(2, 0b10_1_101) == [2 * 18 + 9 + 4, 2 * 18 + 9 + 5]
    assert places(4, 0b10_1_101) == list(range(2 * 18 + 9 + 4, 2 * 18 + 9 + 8))
    assert places(9, 0b10_1_101) == list(range(2 * 18 + 9, 2 * 18 + 18))
    assert places(18, 0b10_1_101) == list(range(2 * 18, 3 * 18))
    assert places(WIDE, 0b11_1_101) == list(range(2 * 18, 4 * 18))


def test_model_reads_after_one_cycle():
    model = BlockRamModel([BlockRam(), BlockRam(registered=(True, False))])
    i = model.inputs
    i.enable[0] = i.register_enable[0] = 1
    i.write[0, 0], i.data[0, 0], i.address[0, 0] = 1, 0x2A5A5, 0b101_0011  # both bytes
    model.step()
    i.write[0, 0] = 0
    shown = [model.step().data_out[0, :, 0].tolist() for _ in range(3)]
    assert shown == [[0, 0], [0x2A5A5, 0], [0x2A5A5, 0x2A5A5]]


def test_ports_are_those_of_yosys():
    """A port or parameter that yosys writes and we lack would stop a build."""
    ours = (CELLS / "dp16kd.v").read_text()
    names = set(re.findall(r"\b[A-Z]+[AB]?\d*\b", ours[ours.index("module DP16KD") :]))
    for port in "AB":
        assert {f"DI{port}{n}" for n in range(18)} <= names
        assert {f"DO{port}{n}" for n in range(18)} <= names
        assert {f"AD{port}{n}" for n in range(14)} <= names


@pytest.mark.verilator
def test_cell_matches_model():
    run_bench("block_ram", BlockRams(), TINY, top=Cells(BlockRams()))


@pytest.mark.verilator
@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
def test_a_wrong_cell_is_caught(fault):
    top = Cells(BlockRams())
    top.fault = FAULTS[fault]
    with pytest.raises(AssertionError, match=r"cycle \d+: data_out"):
        run_bench("block_ram", BlockRams(), TINY, top=top)
