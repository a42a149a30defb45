# amaranth: UnusedElaboratable=no
import numpy as np
import pytest

from models.config import NODE
from models.lines import Lines
from models.link.config import link_of
from models.serdes.config import LOOP_WORDS, LanesConfig, Prbs
from models.serdes.lane_test import LaneTestModel, Mode, Result
from models.serdes.multilane_pcs import (
    MultilanePcsModel,
    multilane_pcs_clock,
    multilane_pcs_outputs,
)
from rtl.serdes.lane_test import LaneTest, LaneTestMode, LaneTestResult
from sim.verilator import run_bench

ONE = LanesConfig(name="1-1")
FOUR = LanesConfig(name="5-4", words_per_cycle=5, lanes=4, marker_codewords=4, skew_rows=6)


@pytest.mark.verilator
@pytest.mark.parametrize("config", [ONE, FOUR], ids=lambda config: config.name)
def test_rtl_matches_model(config):
    run_bench("lane_test", LaneTest(config), config)
