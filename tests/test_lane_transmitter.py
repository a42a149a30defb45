# amaranth: UnusedElaboratable=no
import numpy as np
import pytest

from models.serdes.config import LanesConfig
from models.serdes.lane_transmitter import LaneTransmitterModel
from rtl.serdes.lane_transmitter import LaneTransmitter
from sim.verilator import run_bench

# A row of one group, of two and of four; a marker of one row and of several.
CONFIGS = [
    LanesConfig(
        name=f"{words}-{lanes}-{fec}",
        words_per_cycle=words,
        lanes=lanes,
        fec=fec,
        marker_codewords=lanes,
    )
    for words, lanes, fec in (
        (1, 1, "rs272"),
        (1, 4, "rs272"),
        (1, 8, "none"),
        (1, 8, "rs272"),
        (5, 2, "none"),
        (5, 4, "rs272"),
        (9, 8, "rs544"),
    )
]


@pytest.mark.verilator
@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.name)
def test_rtl_matches_model(config):
    run_bench("lane_transmitter", LaneTransmitter(config), config)


@pytest.mark.parametrize("gaps", [0.0, 0.01, 0.5])
@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.name)
def test_lines_never_wait_for_a_sender_that_does_not(config, gaps):
    model, started = LaneTransmitterModel(config), 0
    rng = np.random.default_rng(1)
    for _ in range(20 * config.frame.groups):
        rows = model.rows
        model.inputs.tx_ready[0] = rng.random() >= gaps
        ready = model.state.row[0] >= rows.marker and model.state.left[0, 0] <= rows.limit
        model.inputs.i_valid[0] = ready
        model.inputs.i_payload_symbols[:] = 1023
        o = model.step()
        assert o.ready[0] == ready and not o.starved[0]
        assert model.state.started[0] or not started
        started += model.state.started[0]
    assert started > 19 * config.frame.groups - 30
