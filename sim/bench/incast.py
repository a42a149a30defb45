"""A flow that shares its input with an incast: what the limits of queues keep for it."""

from typing import Any

from models.config import NODE
from models.trial import Run, Trial
from sim.bench.check import Check
from sim.bench.runner import Runner, middle

__all__ = ["incast", "victim"]

LIMITED = NODE.with_(ports=16, egress_flits=4096)  # room behind a queue that may take all
SHARED = LIMITED.reserve + LIMITED.shared_flits
POOL = LIMITED.ingress_flits - LIMITED.queues + 1  # each other queue owns one flit: less cannot be
SWITCHES = {
    "with limits": LIMITED,
    "reserves alone": LIMITED.with_(limit_flits=SHARED),
    "one pool": LIMITED.with_(reserve_flits=1, limit_flits=POOL),
}
LOAD = 0.8
KEPT = 0.99  # least part of what it offers that the victim gets
CYCLES = 100_000  # the pool of an input is full after a fifth of them


def victim(trial: Trial) -> dict[str, Any]:
    """What becomes of the flow to the last output in the second half of ``trial``.

    Keys: ``kept``, what is carried over what is offered; ``delay``, mean of a flit beyond the
    zero-load latency, in flit times, infinite if nothing that was sent in that time has come out.
    """
    run = Run(trial)
    while not run.done:
        run.advance()
    table, start = run.packets, trial.cycles // 2
    flow = table.destination == trial.config.ports - 1

    def flits(cycle: Any) -> int:
        return int(table.flits[flow & (cycle >= start) & (cycle < trial.cycles)].sum())

    out = flow & (table.cycle >= start) & (table.completed >= 0)
    delays = run.delays()[out]
    return {
        "kept": flits(table.completed) / flits(table.cycle),
        "delay": float(delays.mean()) if delays.size else float("inf"),
    }


def incast(runner: Runner) -> list[Check]:
    """15 senders to one output of 16, and one of them sends as much to an output of its own.

    Three switches: as it is; without the limit, so that a queue may take all that is shared; and
    one that shares its whole buffer. Two kinds of senders: one that knows its share of each queue
    and passes by what must wait, as an accelerator does, and a plain queue in front of the switch.
    """
    cases = [
        (name, mix, shares)
        for shares in (True, False)
        for mix in ("eight", "single")
        for name in SWITCHES
    ]
    trials = [
        Trial(
            config=SWITCHES[name],
            speedup=1.25,
            cycles=runner.cycles(CYCLES),
            pattern="victim",
            load=LOAD,
            mix=mix,
            seed=seed,
            shares=shares,
        )
        for name, mix, shares in cases
        for seed in runner.seeds
    ]
    results = runner.spread(victim, trials)
    checks = []
    seeds = len(runner.seeds)
    for n, (name, mix, shares) in enumerate(cases):
        result = middle(results[n * seeds : (n + 1) * seeds])
        wanted = shares and name == "with limits"
        senders = "shares kept" if shares else "shares ignored"
        # Of a flow that falls behind a delay says how long the run was.
        steady = result["kept"] >= KEPT
        note = f"delay {result['delay']:.1f} flit times" if steady else "falls behind"
        what = f"victim, {mix}, {senders}, {name}, kept"
        checks.append(Check(what, result["kept"], ">=" if wanted else "", KEPT, note))
    return checks
