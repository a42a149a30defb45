import pytest

from models.config import PROTO, TINY
from rtl.tested_switch import TestedSwitch
from sim.verilator import run_bench


@pytest.mark.verilator
@pytest.mark.parametrize("config", [TINY, PROTO], ids=lambda config: config.name)
def test_selftest_passes_through_the_switch_and_can_fail(config):
    run_bench("tested_switch", TestedSwitch(config), config, cycles=20000, packed=False)


@pytest.mark.verilator
@pytest.mark.slow
@pytest.mark.parametrize("shaped", [False, True])
def test_selftest_passes_through_a_switch_that_must_wait(shaped):
    """Inputs block, as outputs take a flit in three cycles of four only."""
    dut = TestedSwitch(PROTO, shaped=shaped, pauses=True)
    run_bench("tested_switch", dut, PROTO, cycles=200000, packed=False)
