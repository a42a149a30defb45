"""cocotb bench of rtl.serdes.fec_encoder: lockstep with the golden model, and it is a codeword."""

import os

import cocotb
import numpy as np

from models.serdes.fec_decoder import decode, scratch
from models.serdes.fec_encoder import FecEncoderModel
from rtl.serdes.fec_encoder import FecEncoder
from verif.coverage import Coverage
from verif.lockstep import Lockstep, bench_fec

CYCLES = int(os.environ.get("BENCH_CYCLES", "2000"))


@cocotb.test()
@cocotb.parametrize(load=[0.6, 1.0])
async def matches_model(dut, load: float) -> None:
    config = bench_fec()
    rng = np.random.default_rng(cocotb.RANDOM_SEED)
    bench = Lockstep(dut, FecEncoder(config), FecEncoderModel(config))
    i, o = bench.model.inputs, bench.model.outputs
    await bench.reset()
    seen = Coverage({"codeword": 5, "cut": 2, "begun by itself": 2})
    wide = config.symbols_per_cycle
    group, word, room = 0, [], scratch(config)  # of the next group of i; what came out
    for _ in seen.steps(CYCLES):
        i.i_valid[0] = rng.random() < load
        cuts = group and rng.random() < 0.1 / config.groups
        i.i_payload_first[0] = cuts or (group == 0 and rng.random() < 0.7)
        # Zeros and ones at the beginning, too.
        few = rng.random() < 0.1
        i.i_payload_symbols[0] = rng.choice([0, 1023]) if few else rng.integers(0, 1024, wide)
        await bench.step()
        if i.i_valid[0]:
            seen["cut"] += bool(cuts)
            seen["begun by itself"] += group == 0 and not i.i_payload_first[0]
            group = 1 if i.i_payload_first[0] else group + 1
            group %= config.groups
        if o.o_valid[0]:
            if o.o_payload_first[0]:
                word = []
            word += o.o_payload_symbols[0].tolist()
            if len(word) == config.symbols:
                assert decode(np.array(word), config.correctable, room) == 0
                seen["codeword"] += 1
