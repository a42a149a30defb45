"""Queueing delay of single flits against the ideal switch, lines slower than the fabric."""

from models.config import NODE, RACK
from models.trial import Trial, measure
from sim.bench.check import Check
from sim.bench.runner import Runner, middle

__all__ = ["delay"]

PATTERNS = ("uniform", "quasi-diagonal", "log-diagonal", "diagonal", "bursts")
LOADS = (0.5, 0.8, 0.9)
SPEEDUPS = {1.25: 1.3, 1.5: 1.2}  # speedup: most times the ideal delay
CYCLES = {"NODE": 20_000, "RACK": 12_000}


def delay(runner: Runner) -> list[Check]:
    """Mean delay beyond zero-load latency, over that of the ideal switch; NODE is the RTL.

    Senders keep to their shares, as those of an accelerator do.
    """
    cases = [
        (speedup, pattern, load)
        for speedup in SPEEDUPS
        for pattern in PATTERNS
        for load in LOADS
        if not runner.quick or load != 0.8
    ]
    trials = {
        config.name: [
            Trial(
                config=config,
                speedup=speedup,
                cycles=runner.cycles(CYCLES[config.name]),
                pattern=pattern,
                load=load,
                seed=seed,
                shares=True,
            )
            for speedup, pattern, load in cases
            for seed in runner.seeds
        ]
        for config in (NODE, RACK)
    }
    # The start rule is the only other place of the line rate, and a single flit needs none.
    found = {
        "NODE, RTL": runner.rtl(NODE, trials["NODE"]),
        "RACK": runner.spread(measure, trials["RACK"]),
    }
    checks = []
    for name, results in found.items():
        lost = sum(result["offered"] - result["delivered"] for result in results)
        checks.append(Check(f"{name}, packets not delivered, all runs", lost, "==", 0))
        for n, (speedup, pattern, load) in enumerate(cases):
            seeds = len(runner.seeds)
            result = middle(results[n * seeds : (n + 1) * seeds])
            what = f"{name}, speedup {speedup:g}, {pattern}, load {load:g}"
            note = f"{result['delay']:.3f} against {result['ideal']:.3f} flit times"
            if load == 0.5 and speedup == 1.25:
                checks.append(Check(f"{what}, flits more", result["excess"], "<=", 0.25, note))
            else:
                limit = SPEEDUPS[speedup]
                checks.append(Check(f"{what}, times ideal", result["ratio"], "<=", limit, note))
    return checks
