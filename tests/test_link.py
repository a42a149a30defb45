# amaranth: UnusedElaboratable=no
"""Two links and a bad cable between them."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from models.config import NODE, PROTO, RACK, TINY
from models.link.config import HOP_CYCLES, DownPolicy, LinkConfig, SenderState, link_of
from models.link.trial import LinkRun, LinkTrial
from sim import cli
from sim.bench.link import cost, hop
from sim.link import WRONG, dump, numbers, parse, run

# Small enough for a simulation: windows and timers follow from the sizes.
SMALL = link_of(NODE).with_(name="NODE-260", max_packet_bytes=260)
LINKS = [link_of(config) for config in (TINY, PROTO, NODE, RACK)]
WRAPS = link_of(TINY, name="TINY-wraps", first_sequence=(1 << 20) - 100)  # numbers begin anew


def by_name(config: LinkConfig) -> str:
    return config.name


def results(config: LinkConfig, **trial) -> dict:
    going = LinkRun(LinkTrial(config=config, **trial))
    while not going.done:
        going.advance()
    return going.results()


def unharmed(found: dict) -> bool:
    return not any(found[name] for name in WRONG if name != "mismatches")


@pytest.mark.parametrize("config", LINKS, ids=by_name)
@pytest.mark.parametrize("place", ["least", "flit", "beyond", "most"])
def test_goodput_without_errors_is_that_of_theory(config, place):
    least = max(16, config.min_packet_bytes)
    flit = max(least, 2 * config.flit_bytes)
    size = {"least": least, "flit": flit, "beyond": flit + 1, "most": config.max_packet_bytes}[
        place
    ]
    found = results(config, frames=400, sizes=(size,))
    assert unharmed(found) and found["delivered"] == 800 and found["replays"] == 0
    assert found["goodput"] == pytest.approx(found["error_free"], rel=0.005)


@pytest.mark.parametrize("length_m", [0, 500])
def test_any_length_of_cable_carries_the_full_rate(length_m):
    config = link_of(NODE, length_m=length_m)
    found = results(config, frames=6000, sizes=(65,))
    assert found["goodput"] == pytest.approx(found["error_free"], rel=0.005)


@pytest.mark.parametrize("config", LINKS, ids=by_name)
@pytest.mark.parametrize(
    "bad",
    [
        {"ber": 1e-5},
        {"ber": 1e-4, "burst": 32},
        {"drop": 1e-3, "duplicate": 1e-3},
        {"ber": 1e-5, "ready": 0.5},
        {"ber": 1e-5, "down": ((3000, 5000), (9000, 9001))},
    ],
    ids=["bits", "bursts", "words", "slow reader", "cuts"],
)
def test_nothing_is_lost_in_silence(config, bad):
    sizes = tuple(s for s in (16, 64, 65, 128, 257) if config.min_packet_bytes <= s)
    sizes = tuple(s for s in sizes if s <= config.max_packet_bytes)
    found = results(config, frames=1500, sizes=sizes, **bad)
    assert unharmed(found)
    assert found["delivered"] + found["given_up"] == found["offered"]
    counters = found["counters"]["end 0"]
    assert found["replays"] > 0 or counters["rx_init"] > 1


def test_cut_for_longer_than_allowed_is_told():
    """All that was kept is given up, is counted, and what comes after it passes."""
    config = SMALL.with_(pcs_lost_ns=1000)
    found = results(config, frames=2000, down=((4000, 8000),), policy=DownPolicy.BLOCK)
    counters = found["counters"]["end 0"]
    assert unharmed(found) and counters["flushed"] == 1 and counters["tx_init"] >= 2
    assert 0 < found["given_up"] < 200 and found["delivered"] > 3800


def test_what_comes_while_the_link_is_down_is_discarded_or_waits():
    config = SMALL.with_(pcs_lost_ns=1000)
    cut = {"frames": 2000, "down": ((4000, 9000),)}
    waits = results(config, policy=DownPolicy.BLOCK, **cut)
    goes = results(config, policy=DownPolicy.DISCARD, **cut)
    assert unharmed(waits) and unharmed(goes)
    assert goes["given_up"] > 10 * waits["given_up"]
    assert goes["counters"]["end 0"]["tx_discard"] > 0 == waits["counters"]["end 0"]["tx_discard"]


def test_loss_that_nobody_told_is_lost():
    """Packets that vanish behind the link, of which some were given up as well."""
    going = LinkRun(
        LinkTrial(config=SMALL.with_(pcs_lost_ns=1000), frames=2000, down=((4000, 8000),))
    )
    while not going.done:
        going.advance()
    found, told = going.results(), going.told()
    assert found["given_up"] > 0 == found["lost"]
    delivered = np.flatnonzero(~told)[:17]
    going.packets.completed[delivered] = -1
    assert going.results()["lost"] == 17 and going.results()["given_up"] == found["given_up"]


def test_latency_is_that_of_the_docstring():
    assert {hop(config) for config in LINKS} == {HOP_CYCLES}
    held = [link_of(config, store_and_forward=True) for config in (NODE, RACK)]  # a flit, a packet
    assert {hop(config) for config in held} == {HOP_CYCLES + 2}


def test_trial_survives_the_way_to_the_bench(tmp_path):
    trial = LinkTrial(config=SMALL, sizes=(64, 65), down=((3, 5),), ber=1e-6)
    assert parse(dump(trial, "both", tmp_path)) == (trial, "both", tmp_path)


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"sizes": (63,)}, "sizes must be 64 to 260 bytes, not 63"),
        ({"sizes": (64, 261)}, "sizes must be 64 to 260 bytes, not 261"),
        ({"frames": 0}, "frames must be 1 to 10000000, not 0"),
        ({"down": ((0, 1 << 70),)}, "down must have a first cycle and a later one, to "),
        ({"down": ((7, 7),)}, "down must have a first cycle and a later one, .* not 7:7"),
        ({"resets": ((5, 9, 5),)}, "resets must have a first cycle and a later one .* .5, 9, 5."),
        ({"report_cycles": 1 << 24}, "report_cycles must be 0 to 16777215, not 16777216"),
        ({"best_effort": (64,)}, "best_effort must be channels 0 to .*, not 64"),
        ({"poison": 2}, "poison must be 0 to 1, not 2"),
    ],
)
def test_wrong_trial_is_named(changes, message):
    with pytest.raises(ValueError, match=message):
        LinkTrial(config=SMALL, **changes)


@pytest.mark.parametrize(
    "option, text, arguments",
    [("--sizes", "64,x", (",",)), ("--down", "7", (":", 2)), ("--down", "1:2:3", (":", 2))],
)
def test_wrong_numbers_are_named(option, text, arguments):
    with pytest.raises(ValueError, match=f"{option} must be numbers as in .*, not '{text}'"):
        numbers(option, text, *arguments)


def test_command_prints_json(tmp_path):
    options = [
        "link",
        "--frames",
        "300",
        "--sizes",
        "64,257",
        "--ber",
        "1e-5",
        "--json",
        "--output",
    ]
    asked = CliRunner().invoke(cli.main, [*options, str(tmp_path)])
    assert asked.exit_code == 0, asked.output
    found = json.loads(asked.stdout)
    assert found == json.loads((tmp_path / "results.json").read_text())
    assert found["offered"] == found["delivered"] == 600 and found["good"]
    assert found["lost"] == found["duplicated"] == found["reordered"] == 0


def test_hopeless_line_is_told(tmp_path):
    asked = CliRunner().invoke(
        cli.main, ["link", "--frames", "20", "--ber", "0.5", "--output", str(tmp_path)]
    )
    assert asked.exit_code == 1 and "packets wait that the link never took" in asked.output
    found = json.loads((tmp_path / "results.json").read_text())
    assert found["theory"] == 0 and found["goodput"] is None and found["delivered"] == 0
    assert found["waiting"] == 40 and found["lost"] == 0


def test_command_shows_tables(tmp_path):
    asked = CliRunner().invoke(cli.main, ["link", "--frames", "100", "--output", str(tmp_path)])
    assert asked.exit_code == 0
    assert "theory, go-back-N" in asked.output and "tx_ok" in asked.output


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--sizes", "64;65"], "--sizes must be numbers"),
        (["--sizes", "9999"], "sizes must be 64 to 4160 bytes, not 9999"),
        (["--down", "5"], "--down must be numbers as in 5000:9000, not '5'"),
        (["--length-m", "50000"], "replay_timer_ns must be"),
        (["--credits", "5"], "credits must be 0, or 33 (a largest packet) to 32767, not 5"),
        (["--credits", "99", "--ready", "0.5"], "ready must be 1 with credits, not 0.5"),
        (["--drain", "0.5"], "--drain is of the buffer that --credits fills: give both"),
        (["--skew", "9"], "--skew is of lanes: give --lanes, too"),
        (["--lanes", "2", "--skew", "9999"], "skew must be 0 to 2380 bits, not 9999"),
        (["--interleave", "2"], "--interleave is of lanes: give --lanes, too"),
        (
            ["--lanes", "2", "--fec", "none", "--interleave", "2"],
            "interleave must be 1 without a code, not 2: choose one with fec",
        ),
        (["--ppm", "9"], "--ppm is of the clocks of lanes: give --lanes, too"),
        (["--lanes", "2", "--ppm", "101"], "ppm must be 0 to 100, for which the core's clock has"),
        (["--lanes", "2", "--drop", "0.1"], "drop and duplicate are of words, not of lanes"),
        (["--lanes", "2", "--engine", "rtl"], "--engine rtl has no lanes: choose model or both"),
        (["--length-m", "inf"], "length_m must be 0 to 100000, not inf"),
    ],
)
def test_command_refuses_in_one_sentence(arguments, message):
    asked = CliRunner().invoke(cli.main, ["link", *arguments])
    assert asked.exit_code == 2 and message in asked.output
    assert "Traceback" not in asked.output


@pytest.mark.parametrize("config", LINKS, ids=by_name)
@pytest.mark.parametrize("place", ["least", "most"])
def test_one_error_costs_a_round_trip_and_a_window_at_most(config, place):
    least = max(16, config.min_packet_bytes)
    worst, most = cost(config, least if place == "least" else config.max_packet_bytes)
    assert config.wire_cycles < worst <= most


@pytest.mark.parametrize("off", [1, 20_000])
def test_end_that_is_switched_off_and_on_comes_back(off):
    """What was under way is given up, each way, and counted; what comes after it passes."""
    going = LinkRun(LinkTrial(config=link_of(TINY), frames=800, sizes=(16, 64)))
    while going.cycle < 3000:
        going.advance()
    going.model.inputs.enable[0] = 0
    until = going.cycle + off
    while going.cycle < until:
        going.advance()
    assert going.model.outputs.sender_state[0] == SenderState.OFF and not going.done
    going.model.inputs.enable[0] = 1
    while not going.done:
        going.advance()
    found = going.results()
    assert unharmed(found) and found["delivered"] + found["given_up"] == found["offered"] == 1600
    assert 0 < found["given_up"] < 200
    ends = found["counters"].values()
    assert all(end["flushed"] == 1 and end["rx_init"] == 2 for end in ends)


@pytest.mark.slow
@pytest.mark.parametrize("ber", [1e-7, 1e-6, 1e-5])
def test_ten_million_frames(ber):
    """A third of them for each error rate."""
    for seed in range(1, 4):
        found = results(link_of(NODE), frames=560_000, sizes=(64, 65, 256), ber=ber, seed=seed)
        assert unharmed(found) and found["delivered"] == found["offered"]
        assert found["goodput"] == pytest.approx(found["theory"], rel=0.05)


@pytest.mark.verilator
@pytest.mark.parametrize(
    "config",
    [WRAPS, SMALL, SMALL.with_(name="NODE-260-hold", store_and_forward=True)],
    ids=by_name,
)
def test_rtl_of_both_ends_is_the_model(config, tmp_path):
    """In every cycle, with errors, lost words, a slow reader, and a cable that is cut."""
    trial = LinkTrial(
        config=config,
        frames=600,
        sizes=(max(16, config.min_packet_bytes), min(65, config.max_packet_bytes)),
        ber=1e-4,
        burst=8,
        drop=1e-4,
        ready=0.8,
        down=((4000, 6000),),
    )
    assert run(trial, engine="both", output=tmp_path) == 0
    found = json.loads((tmp_path / "results.json").read_text())
    assert found["cycles_compared"] == found["cycles"] > 5000
    assert found["replays"] > 3 and not found["lost"]
    if config == WRAPS:
        assert all(end["rx_ok"] > 400 for end in found["counters"].values())


# Four channels whose limits are reached.
CREDITS = [
    link_of(TINY, name="TINY-credits", credit_bytes=16),
    SMALL.with_(name="NODE-credits", channels=4),
    link_of(TINY, name="TINY-hold", credit_bytes=16, store_and_forward=True),
]


def settled(going: LinkRun) -> None:
    """Both ends have counted the same, and nothing is left of it."""
    for report_cycles in (1000, 0):  # what was delivered last is still in the buffer
        going.model.inputs.credit_report_cycles[:] = report_cycles
        until = going.cycle + 4000
        while going.cycle < until:
            going.advance()
    blocks = going.model.blocks
    sent = blocks.credit_sender_s.consumed % (1 << 20)
    assert (sent == blocks.credit_receiver_s.come[::-1] % (1 << 20)).all()
    assert going.model.outputs.drained.all() and not going.reader.state.stored.any()
    assert (blocks.arrivals_s.came == blocks.arrivals_s.left).all()


def credits_used(found: dict) -> dict[str, int]:
    """What the link counted of credits that should never be."""
    ends = found["counters"].values()
    names = ("credit_excess", "credit_overrun", "credit_underrun", "credit_stall", "rx_overrun")
    return {name: sum(end[name] for end in ends) for name in names}


@pytest.mark.parametrize("config", CREDITS, ids=by_name)
@pytest.mark.parametrize("drain", [1.0, 0.3])
@pytest.mark.parametrize("ber", [0.0, 2e-4])
def test_credits_leave_room_for_all_that_is_sent(config, drain, ber):
    """Nothing is repeated because a reader is slow, and it is as fast as it can be."""
    trial = LinkTrial(config=config, frames=1500, credits=48, drain=drain, ber=ber, burst=4)
    going = LinkRun(trial)
    while not going.done:
        going.advance()
    settled(going)
    found = going.results()
    assert unharmed(found) and found["delivered"] == found["offered"]
    assert not any(credits_used(found).values())
    assert (found["replays"] > 0) == (ber > 0)
    assert (found["broken_copies"] > 0) == (ber > 0 and not config.store_and_forward)
    if not ber:
        flits = {s: -(-s // config.flit_bytes) for s in (max(16, config.min_packet_bytes),)}
        flits[config.max_packet_bytes] = config.max_packet_flits
        most = drain * sum(flits) / sum(flits.values()) / 8 / config.line_words_per_cycle
        assert found["goodput"] == pytest.approx(min(found["error_free"], most), rel=0.05)


@pytest.mark.parametrize("length_m", [0, 500])
def test_credits_of_the_formula_carry_the_full_rate(length_m):
    """And half of what is sent in a round trip does not."""
    config = link_of(NODE, channels=1, length_m=length_m)
    for size, frames in ((113, 12_000), (4160, 2000)):
        trial = {"frames": frames, "sizes": (size,), "credits": config.full_rate_credits}
        found = results(config, **trial)
        assert unharmed(found)
        assert found["goodput"] == pytest.approx(found["error_free"], rel=0.005)
    assert length_m == 0 or results(config, **trial | {"credits": 1000})["goodput"] < 0.6


@pytest.mark.parametrize("ber", [0.0, 2e-4])
def test_port_limit_holds_all_channels_together(ber):
    """But for a broken copy: one, of all channels."""
    config = CREDITS[1]
    trial = LinkTrial(
        config=config, frames=600, credits=48, port_credits=20, drain=0.2, ber=ber, burst=4
    )
    going = LinkRun(trial)
    while not going.done:
        going.advance()
    assert unharmed(going.results())
    per_credit = config.credit_bytes // config.flit_bytes
    most = 20 * per_credit + (config.max_packet_flits if ber else 0)
    assert 10 * per_credit < going.reader.state.most_in_all.max() <= most
    settled(going)


def test_credits_lost_in_a_flush_come_back():
    """What was given up had taken credits; the next CC_Update brings them."""
    lost = CREDITS[0].with_(pcs_lost_ns=5000)
    trial = LinkTrial(
        config=lost, frames=3000, credits=48, report_cycles=1000, down=((4000, 12_000),)
    )
    going = LinkRun(trial)
    while not going.done:
        going.advance()
    found = going.results()
    counters = found["counters"]
    assert unharmed(found) and found["delivered"] + found["given_up"] == found["offered"]
    assert sum(end["flushed"] for end in counters.values()) and found["given_up"]
    assert sum(end["credit_healed"] for end in counters.values())
    settled(going)
    assert credits_used(found)["credit_excess"] == 0


@pytest.mark.parametrize("config", CREDITS, ids=by_name)
@pytest.mark.parametrize("later", [0, 300])
def test_credits_are_reset_under_traffic(config, later):
    """The gates close, all drains, and then nothing is left of the counts of before.

    An end whose reset falls later does not count what has come: the next CC_Update tells of it.
    """
    start, end = 4000, 8000
    trial = LinkTrial(
        config=config,
        frames=1500,
        credits=48,
        drain=0.3,
        ber=2e-4,
        burst=4,
        report_cycles=1000,
        resets=((start, end, end + later),),
    )
    going = LinkRun(trial, trace=50)
    drained, delivered = [], {}
    while not going.done:
        delivered[going.cycle] = going.delivered
        going.advance()
        if start < going.cycle <= end:
            drained.append(bool(going.model.outputs.drained.all()))
    assert not drained[0] and drained[-1] and sum(drained) > 10
    assert 0 < delivered[start] < delivered[end] < going.offered
    assert delivered[end] == delivered[end - 500]
    found = going.results()
    assert unharmed(found) and found["delivered"] == found["offered"]
    used = credits_used(found)
    assert later or not any(used.values())
    assert not used["credit_overrun"] and not used["credit_underrun"]
    healed = sum(end["credit_healed"] for end in found["counters"].values())
    assert (healed > 0) == (later > 0)
    settled(going)


def test_packets_of_best_effort_are_not_counted():
    """Nor held, at either end; of the others all is."""
    config = CREDITS[1]
    trial = LinkTrial(
        config=config, frames=600, credits=48, best_effort=(1, 3), ber=2e-4, burst=4, drain=0.5
    )
    going = LinkRun(trial)
    while not going.done:
        going.advance()
    found = going.results()
    assert unharmed(found) and found["delivered"] == found["offered"]
    assert not any(credits_used(found).values()) and found["broken_copies"]
    settled(going)
    come = going.model.blocks.credit_receiver_s.come
    assert (come[:, [0, 2]] > 100).all() and not come[:, [1, 3]].any()


@pytest.mark.verilator
@pytest.mark.parametrize("config", CREDITS, ids=by_name)
def test_rtl_of_both_ends_is_the_model_with_credits(config, tmp_path):
    trial = LinkTrial(
        config=config,
        frames=400,
        ber=2e-4,
        burst=4,
        drop=1e-4,
        credits=48,
        drain=0.6,
        down=((6500, 6700),),
        resets=((1000, 6000, 6000),),
    )
    assert run(trial, engine="both", output=tmp_path) == 0
    found = json.loads((tmp_path / "results.json").read_text())
    assert found["cycles_compared"] == found["cycles"] > 5000
    assert found["replays"] > 3 and not any(credits_used(found).values())


@pytest.mark.verilator
@pytest.mark.slow
@pytest.mark.parametrize("config", LINKS[1:], ids=by_name)
def test_rtl_of_full_size_is_the_model(config, tmp_path):
    """A hundred thousand frames, a third of them at each port."""
    trial = LinkTrial(config=config, frames=17_000, sizes=(64, 129, 1024), ber=1e-6, burst=3)
    assert run(trial, engine="both", output=tmp_path) == 0


@pytest.mark.verilator
def test_rtl_alone_does_what_the_model_does(tmp_path):
    trial = LinkTrial(config=SMALL, frames=200, ber=1e-4)
    found = []
    for engine in ("rtl", "both"):
        assert run(trial, engine=engine, output=tmp_path / engine) == 0
        found.append(json.loads((tmp_path / engine / "results.json").read_text()))
    assert found[0]["cycles_compared"] == 0
    assert found[0]["counters"] == found[1]["counters"]
