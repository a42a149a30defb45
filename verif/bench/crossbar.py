"""cocotb bench of rtl.crossbar: lockstep with the golden model under random selections."""

import os
from collections import deque

import cocotb
import numpy as np

from models.crossbar import CrossbarModel
from models.record import flat
from rtl.crossbar import Crossbar
from verif.lockstep import Lockstep, bench_config

CYCLES = int(os.environ.get("BENCH_CYCLES", "2000"))


@cocotb.test()
@cocotb.parametrize(matched=[0.2, 1.0], load=[0.3, 1.0], multicast=[False, True])
async def matches_model(dut, matched: float, load: float, multicast: bool) -> None:
    """Each output is matched with probability ``matched``, each input has a flit with ``load``."""
    config = bench_config()
    ports, size = config.ports, config.flit_bytes
    rng = np.random.default_rng(cocotb.RANDOM_SEED)
    model = CrossbarModel(config)
    qualified = {"o_traffic_class": "o_valid", "o_flit": "o_valid"}
    bench = Lockstep(dut, Crossbar(config), model, qualified=qualified)
    await bench.reset()

    inputs, outputs = model.inputs, model.outputs
    earlier: deque[tuple] = deque(maxlen=2)  # selections whose flits are not yet here
    moved = np.zeros((ports, ports), dtype=np.int64)  # flits from each input to each output
    shared = empty = 0
    for cycle in range(CYCLES):
        expected = None
        if len(earlier) == 2:
            valid, source, traffic_class = earlier[0]
            has_flit = valid & (inputs.i_valid[0][source] != 0)
            expected = has_flit, inputs.i_flit_data[0][source], traffic_class
            np.add.at(moved, (source[has_flit], np.flatnonzero(has_flit)), 1)
            empty += int((valid & ~has_flit).sum())
            shared += len(set(source[has_flit])) < has_flit.sum()
        selected = tuple(
            array[0].copy().astype(kind)
            for array, kind in (
                (inputs.select_valid, bool),
                (inputs.select_input, int),
                (inputs.select_traffic_class, int),
            )
        )

        earlier.append(selected)

        inputs.select_valid[0] = rng.random(ports) < matched
        inputs.select_input[0] = (
            rng.integers(ports, size=ports) if multicast else rng.permutation(ports)
        )
        inputs.select_traffic_class[0] = rng.integers(config.classes, size=ports)
        inputs.i_valid[0] = rng.random(ports) < load
        inputs.i_flit_data[0] = rng.integers(-(1 << 63), 1 << 63, (ports, config.words))
        inputs.i_flit_count[0] = rng.integers(size, size=ports)
        for name in ("first", "last", "error", "mark"):
            getattr(inputs, f"i_flit_{name}")[0] = rng.integers(2, size=ports)
        inputs.i_flit_parity[0, :, 0] = rng.integers(1 << config.words, size=ports)
        await bench.step()

        moving = np.any([valid for valid, *_ in earlier], axis=0) | (outputs.o_valid[0] != 0)
        assert cycle == 0 or outputs.moving[0] == moving @ (1 << np.arange(ports))
        if expected is not None:  # the same, without the model
            has_flit, data, traffic_class = expected
            assert np.array_equal(outputs.o_valid[0] != 0, has_flit)
            assert np.array_equal(outputs.o_flit_data[0][has_flit], data[has_flit])
            assert np.array_equal(outputs.o_traffic_class[0][has_flit], traffic_class[has_flit])

    assert np.all(moved > 0) or moved.sum() < 20 * ports * ports  # every pair, if it had a chance
    assert moved.any() and flat(outputs).any()
    assert (shared > 0) == multicast
    assert (empty > 0) == (load < 1)
