# amaranth: UnusedElaboratable=no
import numpy as np
import pytest

from models.serdes.config import LanesConfig
from models.serdes.lane_receiver import LaneReceiverModel
from models.serdes.lane_transmitter import LaneTransmitterModel
from rtl.serdes.lane_receiver import LaneReceiver
from sim.verilator import run_bench

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
        (1, 8, "rs272"),
        (5, 4, "rs272"),
        (5, 8, "none"),
    )
]


@pytest.mark.verilator
@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.name)
def test_rtl_matches_model(config):
    run_bench("lane_receiver", LaneReceiver(config), config)


def locked_after(config: LanesConfig, cycles: int, lost: slice) -> list[bool]:
    """Whether there is a lock, in each cycle; words of the line in ``lost`` are zero."""
    sender, receiver, found = LaneTransmitterModel(config), LaneReceiverModel(config), []
    receiver.inputs.signal_ok[0] = receiver.inputs.rx_valid[0] = sender.inputs.tx_ready[0] = 1
    for cycle in range(cycles):
        sender.inputs.i_valid[0] = (
            sender.state.row[0] >= sender.rows.marker
            and sender.state.left[0, 0] <= sender.rows.limit
        )
        sender.inputs.i_payload_symbols[:] = np.arange(config.frame.symbols_per_cycle)
        receiver.inputs.rx[0] = sender.step().tx[0, 0]
        if lost.start <= cycle < lost.stop:
            receiver.inputs.rx[:] = 0
        found.append(bool(receiver.step().locked[0]))
    return found


def test_a_lane_that_tells_nothing_is_lost_with_the_fourth_marker():
    config = LanesConfig(name="x", words_per_cycle=5, lanes=4, marker_codewords=8)
    period = (config.data_rows + config.marker_rows) * 2  # cycles
    found = locked_after(config, 12 * period, slice(4 * period, 12 * period))
    first, last = found.index(True), len(found) - found[::-1].index(True)
    assert period < first < 2 * period + 20
    assert 7 * period <= last <= 8 * period + 20
