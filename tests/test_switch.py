import numpy as np
import pytest

from models.config import CLASS_POLICIES, NAMED, NODE, PROTO, RACK, SCHEDULERS, TINY
from models.packet import HEADER_BYTES, Header
from models.switch import SwitchModel
from rtl.switch import Switch
from sim.verilator import run_bench

# Stalls are short, so that a bench sees them.
CONFIGS = [config.with_(stall_cycles=32) for config in (TINY, PROTO, NODE)]

# Buffers are small, so that they fill, and so that the memories of 64 ports stay small.
SMALL = RACK.with_(
    name="RACK-SMALL", ingress_flits=1024, limit_flits=36, egress_flits=208, stall_cycles=32
)
NARROW = SMALL.with_(name="RACK-NARROW", flit_bytes=8, min_packet_bytes=8, max_packet_bytes=264)


@pytest.mark.parametrize("name", ["TINY", "NODE", "RACK"])
def test_model_latency_is_that_of_the_configuration(name):
    """A packet of one flit, from each of some ports to another."""
    config = NAMED[name]
    model = SwitchModel(config)
    i = model.inputs
    i.enable[:] = -1 if config.ports == 64 else (1 << config.ports) - 1
    i.o_ready[:] = 1
    for _ in range(config.queues + 2):  # the buffers are swept
        model.step()
    length = max(HEADER_BYTES, config.min_packet_bytes)
    for source in (0, config.ports - 1):
        destination = config.ports - 1 - source
        header = Header(destination=destination, source=source, length=length)
        i.i_payload_data[0, source, 0] = np.array(header.pack(), np.uint64).astype(np.int64)
        i.i_payload_keep[0, source] = 0
        keep = np.array((1 << min(64, length)) - 1, np.uint64).astype(np.int64)
        i.i_payload_keep[0, source, 0] = keep
        i.i_payload_last[0, source] = 1
        for cycle in range(config.latency + 1):
            i.i_valid[0, source] = cycle == 0
            outputs = model.step()
            assert outputs.o_valid[0, destination] == (cycle == config.latency)
        assert outputs.o_payload_user[0, destination] == 0


@pytest.mark.verilator
@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.name)
def test_rtl_matches_model(config):
    run_bench("switch", Switch(config), config, cycles=1000)


VARIANTS = [
    (scheduler, policy, iterations)
    for scheduler in SCHEDULERS
    for policy in CLASS_POLICIES
    for iterations in (1, 2, 4)
]
QUICK = [("islip", "weighted", 1), ("islip", "weighted", 4), ("wavefront", "weighted", 2)]


def matches_model(variant, cycles):
    scheduler, policy, iterations = variant
    config = TINY.with_(scheduler=scheduler, class_policy=policy, iterations=iterations)
    if iterations == 4:  # a claim takes longer: a flow needs a larger share to fill its line
        config = config.with_(ingress_flits=128, limit_flits=32, egress_flits=128)
    run_bench("switch", Switch(config), config, cycles=cycles)


@pytest.mark.verilator
@pytest.mark.parametrize("variant", QUICK, ids=lambda variant: "-".join(map(str, variant)))
def test_rtl_matches_model_with_other_policies(variant):
    matches_model(variant, cycles=1000)


@pytest.mark.verilator
@pytest.mark.slow
@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: "-".join(map(str, variant)))
def test_rtl_matches_model_with_all_policies(variant):
    matches_model(variant, cycles=5000)


@pytest.mark.verilator
@pytest.mark.slow
@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.name)
def test_rtl_matches_model_for_long(config):
    run_bench("switch", Switch(config), config, cycles=10000, extra_env={"BENCH_EXAMPLES": "1000"})


@pytest.mark.verilator
def test_64_ports_match_model():
    run_bench("switch", Switch(NARROW), NARROW, testcase="uses_every_queue")


@pytest.mark.verilator
@pytest.mark.slow
def test_rack_matches_model():
    run_bench("switch", Switch(SMALL), SMALL, cycles=20000, testcase="uses_every_queue")
    run_bench("switch", Switch(SMALL), SMALL, cycles=1000, testcase="carries|keeps")
