# amaranth: UnusedElaboratable=no
import numpy as np
import pytest

from models.serdes.block_gearbox import BlockGearboxModel
from models.serdes.config import LanesConfig
from rtl.serdes.block_gearbox import BlockGearbox
from sim.verilator import run_bench

# Of one word per cycle, five and nine; each way.
SIZES = [(1, 4), (4, 1), (5, 8), (8, 5), (9, 20), (20, 9), (4, 4)]


@pytest.mark.verilator
@pytest.mark.parametrize("take, give", SIZES)
def test_rtl_matches_model(take, give):
    run_bench(
        f"block_gearbox_{take}_{give}",
        BlockGearbox(take, give),
        LanesConfig(name="lanes"),
        module="verif.bench.block_gearbox",
        extra_env={"BENCH_TAKE": str(take), "BENCH_GIVE": str(give)},
    )


def test_five_words_a_cycle_are_eight_blocks_in_five_cycles_of_eight():
    model, came = BlockGearboxModel(5, 8), []
    model.inputs.i_valid[0] = 1
    for cycle in range(17):
        model.inputs.i_blocks_payload[0, :, 0] = np.arange(5 * cycle, 5 * cycle + 5)
        o = model.step()
        assert o.ready[0]
        if o.o_valid[0]:
            came.append(cycle)
            first = 8 * (len(came) - 1)
            assert o.o_blocks_payload[0, :, 0].tolist() == list(range(first, first + 8))
    assert came == [2, 4, 5, 7, 8, 10, 12, 13, 15, 16]
