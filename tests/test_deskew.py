# amaranth: UnusedElaboratable=no
import pytest

from models.serdes.config import LanesConfig
from rtl.serdes.deskew import Deskew
from sim.verilator import run_bench

CONFIGS = [
    LanesConfig(
        name=f"{words}-{lanes}-{fec}",
        words_per_cycle=words,
        lanes=lanes,
        fec=fec,
        marker_codewords=lanes,
        skew_rows=skew,
    )
    for words, lanes, fec, skew in (
        (1, 1, "rs272", 4),
        (1, 2, "rs272", 8),
        (1, 8, "rs272", 5),
        (5, 4, "rs272", 6),
        (5, 8, "none", 6),
    )
]


@pytest.mark.verilator
@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.name)
def test_rtl_matches_model(config):
    run_bench("deskew", Deskew(config), config)
