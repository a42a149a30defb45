# amaranth: UnusedElaboratable=no
"""Two chips whose clocks all differ, end to end: see docs/chip.md."""

from dataclasses import replace

import pytest

from models.chip_config import chip_of
from models.config import TINY
from models.fabric import FabricTrial
from models.link.config import link_of
from models.serdes.config import lanes_of
from sim.verilator import run_bench
from verif.chip_pair import ChipPair

LANES = lanes_of(link_of(TINY), 2, "rs272", marker_codewords=8, skew_rows=6)
# Wrong symbols that the code corrects.
FEW_WRONG = FabricTrial(
    config=chip_of(TINY, LANES), chips=2, frames=160, sizes=(16, 40, 64), ber=2e-4, skew=90
)
START = FEW_WRONG.start
# More than it corrects, and a cable that is cut for a while, that between the chips.
NOISY = replace(FEW_WRONG, ber=1.5e-3, down=((2, START + 400, START + 500),))


@pytest.mark.verilator
@pytest.mark.parametrize("trial", [FEW_WRONG, NOISY], ids=["few-wrong", "noisy"])
def test_packets_pass_from_host_to_host(trial):
    """Chips behind crossings, 14 clocks; each packet comes once, whole, in order."""
    env = {"FABRIC_TRIAL": trial.dump(), "PAIR_NOISY": str(int(trial is NOISY))}
    run_bench("chip_pair", ChipPair(trial.config), trial.config, packed=False, extra_env=env)
