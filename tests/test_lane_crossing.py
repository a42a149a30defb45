# amaranth: UnusedElaboratable=no
import os
import subprocess
import sys

import amaranth.lib.fifo
import pytest

from models.serdes.config import LanesConfig
from rtl.serdes.lane_crossing import LaneCrossing, ReceiveCrossing, TransmitCrossing
from sim import ROOT
from sim.solver import prove
from sim.verilator import run_bench
from verif.proof.lane_crossing import LaneCrossingProof

CONFIG = LanesConfig(name="1-2", lanes=2, fec="none", marker_codewords=2)


@pytest.mark.verilator
def test_words_cross():
    run_bench("lane_crossing", LaneCrossing(CONFIG), CONFIG, packed=False, cycles=8000)


def proof_of(direction: str) -> LaneCrossingProof:
    if direction == "receive":
        return LaneCrossingProof(ReceiveCrossing("rx_0", 2).queue, "rx_0", "sync")
    return LaneCrossingProof(TransmitCrossing(2).queue, "sync", "tx")


@pytest.mark.formal
@pytest.mark.parametrize("direction", ["transmit", "receive"])
def test_proof(direction):
    prove(proof_of(direction), "lane_crossing", depth=4)


@pytest.mark.formal
def test_proof_sees_pointers_of_which_several_bits_change(monkeypatch):
    for name in ("_gray_encode", "_gray_decode"):
        monkeypatch.setattr(amaranth.lib.fifo, name, lambda number: number)
    with pytest.raises(AssertionError, match="lane_crossing is not proven"):
        prove(proof_of("receive"), "lane_crossing", depth=4)


@pytest.mark.parametrize("depth", [4, 12])
def test_depth_that_is_none_is_named(depth):
    with pytest.raises(ValueError, match=f"depth must be a power of two, 8 or more, not {depth}"):
        LaneCrossing(CONFIG, depth=depth)


def test_verilog_of_several_domains_is_the_same_in_each_process():
    """Else its simulation would be built again in each run."""
    program = (
        "from models.serdes.config import LanesConfig; from sim.verilator import Top; "
        "from rtl.serdes.lane_crossing import LaneCrossing; "
        "print(Top(LaneCrossing(LanesConfig(name='1-2', lanes=2))).unpacked())"
    )
    texts = {
        subprocess.run(
            [sys.executable, "-c", program],
            cwd=ROOT,
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(texts) == 1
