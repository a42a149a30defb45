"""cocotb bench of rtl.generator: lockstep with the golden model, and what its packets are."""

import os

import cocotb
import numpy as np

from models.config import SwitchConfig
from models.generator import GeneratorModel
from models.packet import Header
from rtl.generator import Generator
from verif.lockstep import Lockstep, bench_config

CYCLES = int(os.environ.get("BENCH_CYCLES", "4000"))


def check_packet(config: SwitchConfig, port: int, header: Header, size: int) -> None:
    """A header that the switch accepts, of a packet of ``size`` bytes."""
    assert header.length == size
    assert config.min_packet_bytes <= size <= config.max_packet_bytes
    assert header.source == port and header.destination < config.ports
    assert header.traffic_class < config.classes
    assert header.operation == header.partition == 0


@cocotb.test()
@cocotb.parametrize(ready=[0.3, 1.0])
async def matches_model(dut, ready: float) -> None:
    config = bench_config()
    port, shaped = config.ports - 1, os.environ["GENERATOR_SHAPED"] == "1"
    rng = np.random.default_rng(cocotb.RANDOM_SEED)
    model = GeneratorModel(config, port=port, shaped=shaped)
    bench = Lockstep(dut, Generator(config, port=port, shaped=shaped), model)
    await bench.reset()

    i, packets, flits, waits = model.inputs, 0, 0, 0
    clearing, enabled, header, size = config.queues, True, None, 0
    for _ in range(CYCLES):
        if not clearing and rng.random() < 2 / CYCLES:
            clearing = config.queues + 20  # the packet under way goes on
        i.clear[0], i.flow[0] = clearing > 0, clearing % config.queues
        clearing = max(0, clearing - 1)
        if rng.random() < 0.01:
            enabled = rng.random() < 0.8
        i.enable[0] = enabled
        i.o_ready[0] = rng.random() < ready
        outputs = await bench.step()
        waits += outputs.o_valid[0] and not i.o_ready[0]
        if outputs.o_valid[0] and i.o_ready[0]:
            flits += 1
            header = header or Header.unpack(int(outputs.o_payload_data[0, 0]) & (1 << 64) - 1)
            size += sum(int(word).bit_count() for word in outputs.o_payload_keep.view(np.uint64)[0])
            if outputs.o_payload_last[0]:
                check_packet(config, port, header, size)
                packets, header, size = packets + 1, None, 0
    assert packets > 3 and flits > 0.1 * CYCLES
    assert waits or ready == 1
