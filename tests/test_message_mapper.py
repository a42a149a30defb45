# amaranth: UnusedElaboratable=no
import numpy as np
import pytest

from models.serdes.config import LanesConfig
from models.serdes.message_mapper import MessageDemapperModel, MessageMapperModel
from rtl.serdes.message_mapper import MessageDemapper, MessageMapper
from sim.verilator import run_bench

CONFIGS = [
    LanesConfig(name=f"{fec}-{words}", words_per_cycle=words, fec=fec)
    for words, fec in ((1, "rs272"), (5, "rs272"), (5, "rs544"), (5, "none"), (9, "rs272"))
]


@pytest.mark.verilator
@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.name)
@pytest.mark.parametrize("kind", [MessageMapper, MessageDemapper])
def test_rtl_matches_model(config, kind):
    noun = kind.__name__.removeprefix("Message").lower()
    run_bench(
        f"message_{noun}",
        kind(config),
        config,
        module="verif.bench.message_mapper",
        testcase=f"\\b{noun}_matches_model",
    )


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.name)
def test_units_come_back(config):
    """From the one to the other, without a pause but where the mapper asks for it."""
    rng = np.random.default_rng(1)
    mapper, demapper = MessageMapperModel(config), MessageDemapperModel(config)
    sent, came, ready = [], [], True
    for _ in range(10 * config.frame.groups):
        mapper.inputs.i_valid[0] = ready
        mapper.inputs.i_payload.view(np.uint64)[:] = rng.integers(0, 1 << 64, dtype=np.uint64)
        rest = config.unit_bits % 64
        mapper.inputs.i_payload[0, -1] &= (1 << rest) - 1
        o = mapper.step()
        if mapper.inputs.i_valid[0]:
            sent.append(mapper.inputs.i_payload[0].tolist())
        demapper.inputs.i_valid[0] = o.o_valid[0]
        demapper.inputs.i_payload_symbols[:] = o.o_payload_symbols
        demapper.inputs.i_payload_first[0] = o.o_payload_first[0]
        ready = mapper.state.left[0] <= config.mapper_limit
        o = demapper.step()
        if o.o_valid[0]:
            came.append(o.o_payload[0].tolist())
    assert came == sent[: len(came)]
    # The last groups of a codeword may have no message, and what is under way is a unit or two.
    assert len(came) >= len(sent) - 3 and len(sent) > 9 * config.message_bits // config.unit_bits
