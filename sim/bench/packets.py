"""Packets of several flits that arrive at the rate of the line, against the ideal switch."""

from models.config import NODE, RACK
from models.trial import Trial, measure
from sim.bench.check import Check
from sim.bench.runner import Runner, middle

__all__ = ["packets"]

SPEEDUP = 1.25
RATIO = 1.3  # most times the ideal delay, at load 0.9
CARRIED = 0.99  # least part of what the ideal switch carries, at load 1
CYCLES = {"NODE": 30_000, "RACK": 12_000}


def packets(runner: Runner) -> list[Check]:
    """Delay of a flit, and throughput, for packets of 8 flits and for a mix of 1, 4 and 33.

    A packet may leave when so much of it is in that it will not starve on its way. Beside that
    rule: what waiting for the whole packet would do, and not waiting at all. Senders keep to their
    shares, as those of an accelerator do; last, what a plain queue in front of the switch costs.
    """
    rules = {}  # (configuration, rule): configuration with it
    for config in (NODE, RACK):
        shaped = config.with_(speedup=SPEEDUP)
        rules[config.name, "as it is"] = shaped
        rules[config.name, "whole packet first"] = shaped.with_(store_and_forward=True)
        rules[config.name, "start at once"] = config.with_(speedup=1)
        rules[config.name, "shares ignored"] = shaped
    cases = [
        (name, rule, mix, load)
        for name, rule in rules
        for mix in ("eight", "even")
        for load in (0.9, 1.0)
        if not runner.quick or rule == "as it is"
    ]
    results = runner.spread(
        measure,
        [
            Trial(
                config=rules[name, rule],
                speedup=SPEEDUP,
                cycles=runner.cycles(CYCLES[name]),
                mix=mix,
                load=load,
                seed=seed,
                shares=rule != "shares ignored",
            )
            for name, rule, mix, load in cases
            for seed in runner.seeds
        ],
    )
    checks = []
    seeds = len(runner.seeds)
    for n, (name, rule, mix, load) in enumerate(cases):
        result = middle(results[n * seeds : (n + 1) * seeds])
        what = f"{name}, {rule}, {mix}, load {load:g}"
        wanted = rule == "as it is"
        if load == 1.0:
            part = result["carried"] / result["ideal_carried"]
            note = f"{result['carried']:.4f} against {result['ideal_carried']:.4f} of the line"
            relation = ">=" if wanted else ""
            checks.append(Check(f"{what}, carried, of ideal", part, relation, CARRIED, note))
            continue
        missing = result["offered"] - result["delivered"]
        note = f"{result['delay']:.3f} against {result['ideal']:.3f} flit times"
        if missing:
            note += f", {missing:.0f} packets not delivered"
        value = float("inf") if missing else result["ratio"]
        checks.append(
            Check(f"{what}, delay, times ideal", value, "<=" if wanted else "", RATIO, note)
        )
    return checks
