"""How fast simulations run; alone on the machine, so nothing here is spread over cores."""

from collections.abc import Callable
from statistics import median

from models.config import NODE
from models.trial import Trial
from sim.bench.check import Check
from sim.bench.runner import Runner

__all__ = ["speed"]

LOCKSTEP = 10_000  # least cycles per second, RTL and model compared in every cycle
TIMES = 3  # that of a bench that drives port by port
ALONE = 100_000  # the RTL in a loop of C++
REPEATS = 3


def speed(runner: Runner) -> list[Check]:
    """Cycles per second of lockstep and RTL, uniform traffic at 0.9 of the line rate."""
    from rtl.switch import Switch
    from sim.verilator import build_loop, run_loop

    def typical(measured: Callable[[], float]) -> float:
        return median(measured() for _ in range(REPEATS))

    def lockstep(cycles: int, packed: bool) -> float:
        trials = [
            Trial(config=NODE, cycles=runner.cycles(cycles), load=0.9) for _ in range(1 + REPEATS)
        ]
        results = runner.rtl(NODE, trials, packed=packed)
        return median(result["cycles_per_second"] for result in results[1:])  # the first warms up

    packed, single = lockstep(40_000, True), lockstep(4000, False)
    runner.tell("RTL alone")
    program = build_loop(Switch(NODE), f"switch-{NODE.name}")
    busy, still = (
        typical(lambda random=random: run_loop(program, runner.cycles(200_000), random=random))
        for random in (True, False)
    )
    return [
        Check("lockstep, NODE, cycles/s", packed, ">=", LOCKSTEP),
        Check(
            "lockstep over port by port", packed / single, ">=", TIMES, f"{single:,.0f} cycles/s"
        ),
        Check("RTL alone, NODE, random inputs, cycles/s", busy, ">=", ALONE),
        Check("RTL alone, NODE, constant inputs, cycles/s", still),
    ]
