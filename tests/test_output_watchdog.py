# amaranth: UnusedElaboratable=no
import pytest

from models.config import PROTO, TINY
from models.output_watchdog import OutputWatchdogModel
from rtl.output_watchdog import OutputWatchdog
from sim.verilator import run_bench

ONE = TINY.with_(name="TINY-one", classes=1, ingress_flits=16, reserve_flits=8, limit_flits=8)


@pytest.mark.verilator
@pytest.mark.parametrize("config", [ONE, TINY, PROTO], ids=lambda config: config.name)
def test_rtl_matches_model(config):
    run_bench("output_watchdog", OutputWatchdog(config), config, cycles=4000)


def test_model_kills_what_waits_and_only_that():
    """A class without a permit; then all, as a flit is not taken; the count is of a row."""
    model = OutputWatchdogModel(TINY)
    i, o = model.inputs, model.outputs
    i.timeout[0], i.waiting[0] = 3, 0b11
    dead = []
    for cycle in range(16):
        i.permit[0] = 0b01 if cycle != 2 else 0b11  # the second has it once
        i.offered[0], i.taken[0] = cycle >= 7, cycle == 9
        i.revive[0] = cycle == 14
        model.step()
        dead.append(int(o.dead[0]))
    assert dead == 6 * [0] + 7 * [0b10] + 2 * [0b11] + [0]
