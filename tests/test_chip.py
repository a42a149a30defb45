# amaranth: UnusedElaboratable=no
"""Chips with links: by themselves, and two of them with a bad cable between them."""

import pytest

from models.chip_config import ChipConfig, chip_of
from models.config import NODE, PROTO, RACK, TINY
from models.fabric import WRONG, FabricRun, FabricTrial
from models.link.config import link_of
from rtl.chip import Chip
from sim.verilator import run_bench

# Few enough errors that no link ever gives up.
BAD = {"ber": 2e-5, "burst": 20, "sizes": (16, 40, 64)}
WORSE = BAD | {"sizes": (64, 65, 300)}
FEW = ChipConfig(  # the fewest credits that there can be
    switch=TINY.with_(name="TINY-few", ingress_flits=1024, egress_flits=1024), link=link_of(TINY)
)
CASES = [(FEW, BAD), (chip_of(PROTO), WORSE)]


def results(config: ChipConfig, **trial) -> dict:
    run = FabricRun(FabricTrial(config=config, **trial))
    while not run.done:
        run.step()
    return run.results()


def replay(config: ChipConfig, **trial) -> None:
    """The trial in RTL; the bench keeps its books."""
    env = {"FABRIC_TRIAL": FabricTrial(config=config, **trial).dump()}
    run_bench("chip", Chip(config), config, extra_env=env)


@pytest.mark.parametrize("config, bad", CASES, ids=["TINY-few", "PROTO"])
@pytest.mark.parametrize("chips", [1, 2])
def test_model_loses_nothing_on_bad_cables(config, bad, chips):
    found = results(config, chips=chips, frames=60, **bad)
    assert not any(found[name] for name in WRONG), found
    assert found["delivered"] == found["offered"] and not found["dropped"]
    assert sum(counters["tx_replay"] for counters in found["counters"].values())


@pytest.mark.parametrize("port", [0, 1])
def test_model_of_a_reset_port_harms_no_other(port):
    """A port to a host, and that between the chips: what does not pass there comes."""
    config, bad = CASES[1]
    port = port * (config.switch.ports - 1)
    start = FabricTrial(config=config, chips=2).start
    found = results(config, chips=2, frames=60, resets=((0, port, start + 900),), **bad)
    assert not any(found[name] for name in WRONG), found
    assert found["delivered"] + found["reset"] == found["offered"]
    assert 0 < found["reset"] < found["offered"] / 2


@pytest.mark.verilator
@pytest.mark.parametrize("config, bad", CASES, ids=["TINY-few", "PROTO"])
def test_rtl_of_two_chips_does_what_the_models_do(config, bad):
    start = FabricTrial(config=config, chips=2).start
    replay(config, chips=2, frames=40, drain=0.2, resets=((1, 0, start + 700),), **bad)


@pytest.mark.parametrize("config", [TINY, PROTO, NODE, RACK], ids=lambda config: config.name)
def test_buffers_carry_the_full_rate_and_a_copy(config):
    """Each queue has room for its credits and a packet; all together have what they can use."""
    chip = chip_of(config)
    link, switch = chip.link, chip.switch
    assert chip.channel_credits >= max(link.full_rate_credits, link.permit_credits)
    per_queue = chip.channel_credits * chip.credit_flits + switch.max_packet_flits
    assert per_queue <= switch.limit
    # The worst that the port's credits allow: queues at their limit, until credits run out.
    left = chip.port_credits * chip.credit_flits + switch.max_packet_flits
    beyond = 0
    for _ in range(switch.queues):
        stored = min(left, switch.limit)
        beyond, left = beyond + max(0, stored - switch.reserve), left - stored
    assert beyond <= switch.shared_flits


@pytest.mark.parametrize(
    "changes, message",
    [
        (
            {"switch": TINY},
            "limit_flits must be 248 or more .permit_credits of the link, .* not 16",
        ),
        ({"link": link_of(PROTO)}, "min_packet_bytes of the link must be that of the switch, 8, "),
        ({"link": link_of(TINY, channels=2)}, "channels of the link must be 4 with 2 ports and 2 "),
    ],
)
def test_wrong_chip_is_named(changes, message):
    good = chip_of(TINY)
    with pytest.raises(ValueError, match=message):
        ChipConfig(**{"switch": good.switch, "link": good.link} | changes)


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"chips": 3}, "chips must be 1 or 2, not 3"),
        ({"sizes": (65,)}, "sizes must be 16 to 64, not 65"),
        ({"frames": 0}, "frames must be 1 to 500000, not 0"),
        ({"drain": 0}, "drain must be above 0, at most 1, not 0"),
        ({"down": ((2, 0, 5),)}, "down must have a cable, 0 to 1, .* not .2, 0, 5."),
    ],
)
def test_wrong_trial_is_named(changes, message):
    with pytest.raises(ValueError, match=message):
        FabricTrial(config=chip_of(TINY), **changes)


def test_trial_survives_the_way_to_the_bench():
    trial = FabricTrial(config=chip_of(PROTO), chips=2, sizes=(64, 65), down=((1, 3, 5),))
    assert FabricTrial.parse(trial.dump()) == trial
