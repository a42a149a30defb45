# amaranth: UnusedElaboratable=no
"""Chips with links: by themselves, and two of them with a bad cable between them."""

import numpy as np
import pytest

from models.chip_config import ChipConfig, chip_of
from models.config import NODE, PROTO, RACK, TINY, SwitchConfig
from models.fabric import WRONG, FabricRun, FabricTrial
from models.lines import Harm
from models.link.config import link_of
from models.link.theory import error_free
from models.serdes.config import lanes_of, link_over
from models.serdes.lane_test import Mode
from rtl.chip import Chip
from sim.verilator import run_bench

# Few enough errors that no link ever gives up.
BAD = {"ber": 2e-5, "burst": 20, "sizes": (16, 40, 64)}
WORSE = BAD | {"sizes": (64, 65, 300)}
FEW = ChipConfig(  # the fewest credits that there can be
    switch=TINY.with_(name="TINY-few", ingress_flits=1024, egress_flits=1024), link=link_of(TINY)
)
SHORT = PROTO.with_(name="PROTO-512", max_packet_bytes=512)  # its own buffers suffice for these
MANY = SwitchConfig(  # 48 queues
    name="TINY-16",
    ports=3,
    flit_bytes=8,
    classes=16,
    ingress_flits=1024,
    egress_flits=16 * 544,
    min_packet_bytes=8,
    max_packet_bytes=64,
    reserve_flits=1,
    limit_flits=512,
    endpoints=8,
)
CLASSES = ChipConfig(switch=MANY, link=link_of(MANY))
FEW_LANES = {"marker_codewords": 8, "skew_rows": 6}


def with_lanes(switch: SwitchConfig, lanes: int, fec: str, interleave: int = 1) -> ChipConfig:
    """A chip whose pins are symbols on lanes; its buffers suffice for the fewest credits."""
    found = lanes_of(link_of(switch), lanes, fec, interleave, **FEW_LANES)
    return ChipConfig(switch=switch, link=link_over(switch, found), lanes=found)


# Errors before the code: some codewords have more than it corrects.
NOISY = [
    (with_lanes(FEW.switch, 2, "rs272"), {"ber": 1.5e-3, "skew": 60, "sizes": (16, 40, 64)}),
    (with_lanes(SHORT, 4, "rs272"), {"ber": 1.5e-3, "skew": 20, "sizes": (64, 65, 300)}),
    (with_lanes(FEW.switch, 2, "rs272", 2), {"ber": 1.5e-3, "skew": 60, "sizes": (16, 40, 64)}),
]
SLOW = [pytest.param(*case, marks=pytest.mark.slow) for case in NOISY[1:]]
WIDE = lanes_of(link_of(NODE), 4, "none")
CASES = [(FEW, BAD), (ChipConfig(switch=SHORT, link=link_of(SHORT)), WORSE)]


def results(config: ChipConfig, **trial) -> dict:
    run = FabricRun(FabricTrial(config=config, **trial))
    while not run.done:
        run.step()
    return run.results()


def replay(config: ChipConfig, **trial) -> None:
    """The trial in RTL; the bench keeps its books."""
    env = {"FABRIC_TRIAL": FabricTrial(config=config, **trial).dump()}
    run_bench("chip", Chip(config), config, extra_env=env)


@pytest.mark.parametrize("config, bad", CASES, ids=["TINY-few", "PROTO-512"])
@pytest.mark.parametrize("chips", [1, 2])
def test_model_loses_nothing_on_bad_cables(config, bad, chips):
    found = results(config, chips=chips, frames=60, **bad)
    assert not any(found[name] for name in WRONG), found
    assert found["delivered"] == found["offered"] and not found["dropped"]
    assert sum(counters["tx_replay"] for counters in found["counters"].values())


@pytest.mark.parametrize("port", [0, 1])
def test_model_of_a_reset_port_harms_no_other(port):
    """That between the chips, and one to a host: what does not pass there comes."""
    config, bad = CASES[1]
    start = FabricTrial(config=config, chips=2).start
    found = results(config, chips=2, frames=60, resets=((0, port, start + 900),), **bad)
    assert not any(found[name] for name in WRONG), found
    assert found["delivered"] + found["reset"] == found["offered"]
    assert 0 < found["reset"] < found["offered"] / 2


@pytest.mark.verilator
@pytest.mark.parametrize("config, bad", CASES, ids=["TINY-few", "PROTO-512"])
def test_rtl_of_two_chips_does_what_the_models_do(config, bad):
    start = FabricTrial(config=config, chips=2).start
    replay(config, chips=2, frames=40, drain=0.2, resets=((1, 0, start + 700),), **bad)


@pytest.mark.verilator
@pytest.mark.parametrize(
    "config, noisy", [NOISY[0], *SLOW], ids=["TINY-few", "PROTO-512", "TINY-few x2"]
)
def test_rtl_with_lanes_does_what_the_models_do(config, noisy):
    """Every pin in every cycle: lanes late, swapped and noisy, a cable that is cut, a reset.

    Wires are swapped, too; the lanes between the chips are tested first, and ports hear themselves,
    send back what comes, or send a pattern for a while.
    """
    trial = {"chips": 2, "frames": 20, **noisy, "ppm": 100, "swapped_wires": True, "self_test": 200}
    start = FabricTrial(config=config, **trial).start
    trial |= {"resets": ((1, 1, start + 700),), "down": ((0, start + 400, start + 500),)}
    far, pattern = (Mode.FAR, start + 500, start + 560), (Mode.PATTERN, start + 100, start + 150)
    trial["modes"] = ((0, 1, *far), (1, 0, *pattern), (1, 1, Mode.NEAR, 0, 600))
    found = results(config, **trial)
    assert not any(found[name] for name in WRONG), found
    assert found["delivered"] + found["reset"] == found["offered"]
    lanes = config.lanes
    for test in found["self_tests"]:
        assert test["result"] == "GOOD" and test["bits"] == 200 * lanes.lane_bits
        assert sum(test["errors"]) == pytest.approx(
            noisy["ber"] * test["bits"] * lanes.lanes, rel=0.5
        )
    assert len(found["self_tests"]) == 2
    assert found["symbols_corrected"] > 100 and found["codewords_bad"] > 3
    assert sum(counters["tx_replay"] for counters in found["counters"].values())
    replay(config, **trial)


PAIRS = ((0, 1, 0), (1, 0, 0), (2, 3, 0), (3, 2, 0))  # hosts 0 and 1 send to each other, 2 and 3
LOST = {"pcs_lost"}
SPOILT = LOST | {"codewords_bad", "lane_0_marker_wrong", "lane_0_parity_wrong"}
TOLD = {
    Harm.CUT: LOST,
    Harm.DEAD: LOST,
    Harm.FLAPS: LOST,
    Harm.ZEROS: SPOILT,  # zeros are a codeword: markers tell
    Harm.ONES: SPOILT | {"pcs_condemned"},
    Harm.NOISE: SPOILT | {"pcs_condemned"},
    Harm.ERRORS: SPOILT | {"pcs_condemned"},
    Harm.LATE: SPOILT | {"pcs_skewed"},
    Harm.TWICE: LOST | {"codewords_bad", "pcs_disordered", "lane_3_marker_wrong"},
}


def spoilt(config: ChipConfig = NOISY[1][0], **trial) -> tuple[FabricRun, dict[str, int]]:
    """Two pairs of hosts at a chip, and what the port of the first one has counted."""
    trial = {"config": config, "flows": PAIRS, "frames": 20, "sizes": (300,)} | trial
    run = FabricRun(FabricTrial(**trial, skew=20, ppm=100))
    while not run.done:
        run.step()
    counts = run.chips[0].counters.state.counts
    assert not counts[2:, list(config.counted).index("pcs_lost")].any()
    return run, dict(zip(config.counted, counts[0].tolist(), strict=True))


def passed(run: FabricRun) -> list[int]:
    """When the packets of the second pair of hosts came."""
    return run.packets.completed[run.packets.source >= 2].tolist()


def test_bad_lanes_are_named_and_harm_no_other_port():
    """In each way in which lanes may be bad: told and counted by name, recovered, nothing lost."""
    clean, counts = spoilt()
    assert not any(count for name, count in counts.items() if name.startswith(("pcs", "lane")))
    start = clean.trial.start + 300
    for harm, names in TOLD.items():
        run, counts = spoilt(harm=((0, harm, start, start + 1200),))
        found = run.results()
        assert not any(found[name] for name in WRONG), (harm, found)
        assert found["delivered"] == found["offered"] == 80, harm
        assert all(counts[name] for name in names), (harm, counts)
        assert counts["tx_replay"] and passed(run) == passed(clean), harm
        assert run.pcs[1].outputs.up.all() and run.pcs[0].outputs.up.all(), harm
    assert TOLD.keys() == set(Harm)


def test_host_that_restarts_harms_no_other_port():
    """It is gone in the midst of frames: the link gives up what it kept, and begins again."""
    lanes = NOISY[1][0].lanes
    link = link_over(SHORT, lanes, pcs_lost_ns=8000)
    config = ChipConfig(switch=SHORT, link=link, lanes=lanes)
    clean, _ = spoilt(config)
    start = clean.trial.start + 450
    run, counts = spoilt(config, restarts=((0, start, start + 1500),))
    found = run.results()
    assert counts["pcs_lost"] == 1 and counts["flushed"] == 1 and counts["lost"]
    assert not found["waiting"] and not found["lost"] and 0 < found["reset"] < 10
    assert found["delivered"] + found["reset"] == 80
    assert run.packets.completed[run.packets.source < 2].max() > start + 1500
    assert passed(run) == passed(clean)


@pytest.mark.verilator
@pytest.mark.slow
@pytest.mark.parametrize("config", [TINY, PROTO], ids=lambda config: config.name)
def test_rtl_with_buffers_for_the_full_rate(config):
    replay(chip_of(config), chips=2, frames=200, **(BAD if config is TINY else WORSE))


@pytest.mark.verilator
def test_channels_of_classes():
    """With more queues than channels a channel is for all outputs; the maps mean nothing."""
    assert not CLASSES.per_output and CLASSES.channels == 16
    trial = {"chips": 2, "frames": 60, "drain": 0.5, **BAD}
    found = results(CLASSES, **trial)
    assert not any(found[name] for name in WRONG) and found["delivered"] == 240
    replay(CLASSES, **trial)


@pytest.mark.verilator
def test_dead_class_of_an_output_harms_no_other():
    """Host 3 does not read the first class: in time the channel that it shares is free again."""
    trial = {"chips": 2, "frames": 120, "sizes": (64,), "stopped": ((3, 0),)}
    trial["flows"] = ((0, 3, 0), (1, 2, 0))
    held = results(CLASSES, **trial)
    assert held["lost"] + held["waiting"] > 60 and not held["discarded"]
    trial["dead_output_timeout"] = 600
    found = results(CLASSES, **trial)
    assert not any(found[name] for name in WRONG), found
    assert 0 < found["stopped"] == found["discarded"]
    assert found["delivered"] + found["discarded"] == found["offered"] == 240
    replay(CLASSES, **trial)


def carried(chips: int = 2, **trial) -> tuple[FabricRun, dict]:
    """A trial of chips of four ports, in the model and then in RTL, which must do the same."""
    config, _ = CASES[1]
    trial |= {"chips": chips}
    run = FabricRun(FabricTrial(config=config, **trial))
    while not run.done:
        run.step()
    found = run.results()
    assert not any(found[name] for name in WRONG), found
    assert not found["dropped"]
    # No end has counted what it was not told, or has less room than it told of.
    for counters in found["counters"].values():
        assert not any(counters[f"credit_{n}"] for n in ("healed", "excess", "overrun", "underrun"))
    for chip, counts in zip(run.chips, run.counts[1:], strict=True):
        assert (chip.counters.state.counts.sum(axis=0) == counts).all()
    replay(config, **trial)
    return run, found


@pytest.mark.verilator
def test_a_cable_that_is_cut_harms_no_other():
    """Two hosts go on while the cable of another is cut; then what waited for that comes, too."""
    flows = ((0, 1, 0), (1, 0, 0), (2, 3, 0), (3, 2, 0))
    config, _ = CASES[1]
    start = FabricTrial(config=config).start + 300
    end = start + 5000  # less than ``pcs_lost_ns``, more than 40 packets take
    down = ((0, start, end),)
    run, found = carried(chips=1, flows=flows, frames=40, sizes=(512,), down=down)
    assert found["delivered"] == found["offered"] == 160
    completed = {n: run.packets.completed[run.packets.source == n] for n in range(4)}
    assert max(completed[2].max(), completed[3].max()) < end < completed[1].max()


@pytest.mark.verilator
def test_dead_output_is_discarded_until_it_is_revived():
    """A host is not there at first: what is for it is discarded, then all comes as before."""
    config, _ = CASES[1]
    start = FabricTrial(config=config).start
    run, found = carried(
        chips=1,
        flows=((0, 1, 0), (1, 0, 0), (2, 3, 0), (3, 2, 0), (2, 0, 1), (3, 0, 0)),
        frames=40,
        sizes=(512,),
        down=((0, 0, start + 1500),),
        dead_output_timeout=500,
        revives=((0, 0, start + 2000),),
    )
    assert run.dead.tolist() == [[0b1111, 0, 0, 0]]  # the link took nothing, whatever the class
    assert 0 < found["dead"] == found["discarded"] < 60
    assert found["delivered"] + found["dead"] == found["offered"] == 160


@pytest.mark.verilator
def test_packet_on_its_way_out_of_an_output_that_dies_ends_poisoned():
    """The timeout is less than the line may make a flit wait; outputs are revived now and then."""
    config, _ = CASES[1]
    start = FabricTrial(config=config).start
    _, found = carried(
        chips=1,
        flows=((0, 1, 0), (1, 0, 0), (2, 3, 0), (3, 2, 0)),
        frames=40,
        sizes=(512,),
        dead_output_timeout=3,
        revives=tuple((0, n, start + 400 * k + 37 * n) for n in range(4) for k in range(1, 6)),
    )
    assert 0 < found["dead"] == found["discarded"] < 160
    assert found["delivered"] + found["dead"] == found["offered"] == 160
    assert found["counters"]["chip 0"]["tx_poisoned"] > 0


@pytest.mark.verilator
def test_mapping():
    """Each packet has the channel of the queue that it comes to, by way of both chips' maps."""
    flows = tuple((n, m, c) for n in range(6) for m in range(6) for c in range(4) if m != n)
    run, found = carried(flows=flows, frames=40, sizes=(64,))
    assert found["delivered"] == found["offered"] == 240
    for chip in run.chips:  # with credits on a wrong channel, some would be in use for ever
        assert not chip.outputs.stalled.any()
        assert (chip.links.outputs.permit == (1 << chip.config.channels) - 1).all()


@pytest.mark.verilator
def test_isolation_of_channels():
    """A class that a host does not read: others to it, and its own to other outputs, go on."""
    flows = ((0, 3, 0), (1, 3, 1), (2, 1, 0), (4, 3, 2), (5, 4, 0), (3, 5, 0))
    run, found = carried(flows=flows, frames=60, sizes=(512,), stopped=((3, 0),))
    assert found["stopped"] > 0
    packets = run.packets
    others = (packets.destination != 3) | (packets.traffic_class != 0)
    assert (packets.completed[others] >= 0).all()
    assert run.chips[1].outputs.stalled.tolist() == [[0, 1, 0, 0]]  # at port 1, the first class


@pytest.mark.verilator
def test_incast():
    """Five hosts send to one, as fast as they can: its line is full, and nothing is dropped."""
    flows = tuple((n, 0, 1) for n in range(1, 6))
    run, found = carried(flows=flows, frames=40, sizes=(512,))
    assert found["delivered"] == found["offered"] == 200
    completed = np.sort(run.packets.completed)
    first, last = completed[20], completed[-20]
    words = 64 * (completed.size - 40) / (last - first)
    link = run.trial.config.link
    theory = error_free(link, 512, True) * link.line_words_per_cycle
    assert words == pytest.approx(theory, rel=0.05)


@pytest.mark.parametrize(
    "config, flits", [(TINY, 4096), (PROTO, 16_384), (NODE, 8192), (RACK, 8192)]
)
def test_buffers_carry_the_full_rate_and_a_copy(config, flits):
    """Each queue has room for its credits and a packet; all together have what they can use."""
    chip = chip_of(config)
    link, switch = chip.link, chip.switch
    assert switch.ingress_flits == flits
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
        ({"link": link_of(TINY, clock_mhz=500)}, "clock_mhz of the link must be .* None, not 500"),
        ({"lanes": WIDE}, "lanes must have 1 words_per_cycle, as the link, not 5"),
        ({"lanes": NOISY[0][0].lanes}, "length_m of the link must be 15.4 or more, .*, not 5"),
        ({"link": link_of(TINY, credit_bytes=4)}, "credit_bytes must be 8 .flit_bytes. or more, "),
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
        (
            {"flows": ((0, 0, 1),)},
            "flows must have two hosts of 0 to 1, and a class.* not .0, 0, 1.",
        ),
        ({"stopped": ((0, 2),)}, "stopped must have a host, 0 to 1, and a class, .* not .0, 2."),
        ({"resets": ((1, 0, 9),)}, "resets must have a chip, 0 to 0, a port, .* not .1, 0, 9."),
        ({"revives": ((0, 2, 9),)}, "revives must have a chip, 0 to 0, a port, .* not .0, 2, 9."),
        ({"gap": -1}, "gap must be 0 or more, not -1"),
        ({"skew": 1}, "skew must be 0 to 0 bits, not 1"),
        ({"ppm": 1}, "ppm is of the clocks of lanes: give lanes, too"),
        ({"config": NOISY[0][0], "ppm": 101}, "ppm must be 0 to 100, .*, not 101"),
        ({"config": NOISY[0][0], "skew": 9999}, "skew must be 0 to 160 bits, not 9999"),
        (
            {"self_test": 9},
            "swapped_wires, self_test, modes and harm are of lanes: give",
        ),
        (
            {"config": NOISY[0][0], "chips": 1, "self_test": 9},
            "self_test is of the cable between two chips: give 2 chips",
        ),
        (
            {"config": NOISY[0][0], "harm": ((0, "rain", 1, 2),)},
            "harm must have a cable, 0 to 1, one of cut, dead, .*, not .0, 'rain', 1, 2.",
        ),
        ({"restarts": ((2, 1, 2),)}, "restarts must have a host, 0 to 1, a first .* not .2, 1, 2."),
        (
            {"config": NOISY[0][0], "self_test": -1},
            "self_test must be 0 to 4294967295 words, not -1",
        ),
        (
            {"config": NOISY[0][0], "modes": ((0, 0, 4, 1, 2),)},
            "modes must have a chip, 0 to 0, a port, 0 to 1, a mode, 0 to 3, .* .0, 0, 4, 1, 2.",
        ),
        ({"config": NOISY[0][0], "drop": 0.1}, "drop and duplicate are of words, not of lanes"),
        ({"dead_output_timeout": -1}, "dead_output_timeout must be 0 to 8388607, not -1"),
        ({"down": ((2, 0, 5),)}, "down must have a cable, 0 to 1, .* not .2, 0, 5."),
    ],
)
def test_wrong_trial_is_named(changes, message):
    with pytest.raises(ValueError, match=message):
        FabricTrial(**{"config": chip_of(TINY)} | changes)


def test_trial_survives_the_way_to_the_bench():
    trial = FabricTrial(
        config=chip_of(PROTO),
        chips=2,
        sizes=(64, 65),
        flows=((0, 1, 2),),
        down=((1, 3, 5),),
        stopped=((0, 1),),
        dead_output_timeout=9,
        revives=((1, 2, 3),),
    )
    assert FabricTrial.parse(trial.dump()) == trial
    lanes = {
        "skew": 3,
        "ppm": 4,
        "swapped_wires": True,
        "self_test": 5,
        "modes": ((1, 0, 2, 3, 4),),
        "harm": ((0, "late", 5, 6),),
        "restarts": ((1, 7, 8),),
    }
    trial = FabricTrial(config=NOISY[0][0], chips=2, gap=5, workload="x", scale=6, **lanes)
    assert FabricTrial.parse(trial.dump()) == trial
