"""What the fabric itself can carry, lines as fast as it."""

from typing import Any

from models.cell_mode import cell_mode
from models.config import NODE, RACK
from models.policy.islip import Islip
from models.trial import Trial, measure
from sim.bench.check import Check
from sim.bench.runner import Runner, middle
from sim.reference import MARGIN, SW_QPS

__all__ = ["saturation"]

UNIFORM = 0.98  # least flits per cycle, uniform, four iterations
CYCLES = {"NODE": 40_000, "RACK": 12_000}
SLOTS = 100_000


def of_islip(job: dict[str, Any]) -> float:
    """Throughput of the published algorithm, in %."""
    return 100 * cell_mode(Islip(64, iterations=6), load=0.9999, **job).throughput


def saturation(runner: Runner) -> list[Check]:
    """Flits per cycle and port with every input always busy, and iSLIP as it was published."""
    cases = [(NODE, 4, "uniform"), (RACK, 4, "uniform"), (NODE, 2, "uniform")]
    cases += [(RACK, 2, "uniform"), *((RACK, 6, pattern) for pattern in SW_QPS)]
    trials = [
        Trial(
            config=config.with_(iterations=iterations),
            speedup=1,
            cycles=runner.cycles(CYCLES[config.name]),
            pattern=pattern,
            load=0.9999 if iterations == 6 else 1.0,
            seed=seed,
        )
        for config, iterations, pattern in cases
        for seed in runner.seeds
    ]
    results = runner.spread(measure, trials)
    seeds = len(runner.seeds)
    carried = [middle(results[n * seeds : (n + 1) * seeds])["carried"] for n in range(len(cases))]
    checks = []
    for (config, iterations, pattern), value in zip(cases, carried, strict=True):
        if iterations != 6:
            checks.append(
                Check(
                    f"{config.name}, {pattern}, {iterations} iterations, flits/cycle",
                    value,
                    ">=" if iterations == 4 else "",
                    UNIFORM,
                )
            )
    slots = SLOTS // 2 if runner.quick else SLOTS
    jobs = [{"pattern": pattern, "slots": slots} for pattern in SW_QPS]
    of_cells = runner.spread(of_islip, jobs)
    of_switch = dict(zip(SW_QPS, carried[-len(SW_QPS) :], strict=True))
    for (pattern, published), value in zip(SW_QPS.items(), of_cells, strict=True):
        what = f"iSLIP in cells, {pattern}, points off the published"
        note = f"{value:.2f} against {published:.2f} %; our pipelined one at RACK: "
        note += f"{100 * of_switch[pattern]:.2f} %"
        checks.append(Check(what, abs(value - published), "<=", MARGIN, note))
    return checks
