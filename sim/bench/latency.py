"""Zero-load latency, and what one flow alone can carry."""

from models.config import NODE, RACK, TINY
from models.trial import Trial, measure
from sim.bench.check import Check
from sim.bench.runner import Runner

__all__ = ["latency"]

LIMIT = 6  # cycles, head in to head out


def latency(runner: Runner) -> list[Check]:
    """Head in to head out of an idle switch; flits per cycle of one flow of unshaped lines."""
    configs = [TINY, NODE] if runner.quick else [TINY, NODE, RACK, NODE.with_(iterations=4)]
    trials = [
        Trial(config=config, cycles=64 * config.ports**2, pattern="solitary") for config in configs
    ]
    flows = [
        Trial(config=config, cycles=4000, speedup=1, pattern="flow", mix=mix)
        for config in (TINY, NODE)
        for mix in ("single", "eight")
    ]
    found = runner.spread(measure, [*trials, *flows])
    of_rtl = {
        config.name: runner.rtl(
            config, [trial for trial in [*trials, *flows] if trial.config == config]
        )
        for config in (TINY, NODE)
    }
    checks = []

    def latency_of(result: dict, config, where: str) -> None:
        least, most = result["latency"]
        formula = config.latency if least == config.latency else -1
        what = f"latency, {config.name} x{config.iterations}, {where}"
        note = f"{result['delivered']} packets, all pairs"
        checks.append(Check(f"{what}, most, cycles", most, "<=", LIMIT, note))
        checks.append(Check(f"{what}, as the formula", most, "==", formula, "least = most"))

    for trial, result in zip(trials, found, strict=False):
        latency_of(result, trial.config, "model")
    for config in (TINY, NODE):
        latency_of(of_rtl[config.name][0], config, "RTL")
    for n, flow in enumerate(flows):
        name = flow.config.name
        for where, result in (
            ("model", found[len(trials) + n]),
            ("RTL", of_rtl[name][1 + n % 2]),
        ):
            rate = result["carried"] * flow.config.ports
            checks.append(
                Check(f"one flow, {flow.mix}, {name}, {where}, flits/cycle", rate, "==", 1.0)
            )
    return checks
