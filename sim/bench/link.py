"""The link: what it carries, without errors and with, beside theory."""

from dataclasses import replace
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.config import NODE, PROTO, RACK
from models.link.config import LinkConfig, link_of
from models.link.trial import LinkRun, LinkTrial
from models.link.wire import frame_words
from sim.bench.check import Check
from sim.bench.runner import FOLDER, Runner, middle

__all__ = ["link"]

CLOSE = 0.005  # of theory, without errors
NEAR = 0.05  # and with
HOP = 6  # cycles
LENGTHS = (5, 500)
CLEAN = [link_of(config, channels=1) for config in (PROTO, NODE, RACK)]
CREDITS = [link_of(config) for config in (PROTO, NODE, RACK)]
BAD = link_of(NODE, channels=1)
SIZES = (64, 256, 1024, 4160)
RATES = (1e-8, 1e-7, 1e-6, 1e-5)
WRONG = ("lost", "duplicated", "reordered", "corrupted", "overflown")
FRAMES = 20_000


def hop(config: LinkConfig) -> int:
    """Cycles that a hop adds in cut-through, beyond the cable and those in which words come.

    A flit needs its preamble, its words and the one behind them.
    """
    config = config.with_(line_gbps=None, length_m=0)
    size = max(config.min_packet_bytes, config.flit_bytes)
    run = LinkRun(LinkTrial(config=config, frames=1, sizes=(max(16, size),)))
    while not run.done:
        run.advance()
    words = -(-(2 + config.words) // config.words_per_cycle)
    took = run.packets.departed - run.packets.injected
    return int(took.max()) - run.channel.delay - (words - 1)


def cost(config: LinkConfig, size: int) -> tuple[int, int]:
    """Most cycles by which a packet comes later because of one error, and how many it may be.

    That is a round trip, and what the sender may have sent without an acknowledgement. A word is
    cut out of both directions, at each of some places in full traffic. The replay timer is too long
    to be of help.
    """
    patient = config.with_(replay_timer_ns=60_000)
    trial = LinkTrial(config=patient, frames=400, sizes=(size,))

    def completed(down: tuple[tuple[int, int], ...]) -> NDArray[np.int64]:
        run = LinkRun(replace(trial, down=down))
        while not run.done:
            run.advance()
        return run.packets.completed.copy()

    clean = completed(())
    starts = int(np.median(clean)) + 7 * np.arange(8)
    worst = max(int((completed(((n, n + 1),)) - clean).max()) for n in starts.tolist())
    kept = min(config.window, config.replay * config.flit_bytes // size)
    window = ceil(kept * frame_words(size) / config.line_words_per_cycle)
    return worst, config.round_trip_cycles + window


def outcome(trial: LinkTrial) -> dict[str, Any]:
    """The numbers that the checks want."""
    run = LinkRun(trial)
    while not run.done:
        run.advance()
    found = run.results()
    counted = {name: found[name] for name in ("replays", "given_up", "goodput")}
    return counted | {"wrong": sum(found[name] for name in WRONG)}


def link(runner: Runner) -> list[Check]:
    """Goodput of both directions full, and whether anything was lost in silence."""
    frames = runner.cycles(FRAMES)
    clean = [
        LinkTrial(
            config=config,
            frames=frames // (2 if config.channels > 1 else 10),  # CC_Updates are seldom
            sizes=(size,),
            credits=config.full_rate_credits if config.channels > 1 else 0,
        )
        for length in LENGTHS
        for config in (link.with_(length_m=length) for link in (*CLEAN, *CREDITS))
        for size in sorted({64, 65, 257, config.flit_bytes + 1, config.max_packet_bytes})
        if size >= config.min_packet_bytes
    ]
    bad = [
        LinkTrial(config=BAD, frames=frames, sizes=(size,), ber=ber)
        for size in SIZES
        for ber in RATES
    ]
    trials = [replace(trial, seed=seed) for trial in [*clean, *bad] for seed in runner.seeds]
    results, seeds = runner.spread(outcome, trials), len(runner.seeds)
    checks, wrong, curve = [], 0, []
    for n, trial in enumerate([*clean, *bad]):
        rows = results[n * seeds : (n + 1) * seeds]
        found = middle(rows)
        wrong += sum(row["wrong"] for row in rows)
        theory, config = trial.theory, trial.config
        off = (found["goodput"] or 0.0) / theory - 1
        note = f"goodput {found['goodput']:.4f}, theory {theory:.4f}"
        if trial.ber:
            what = f"{config.name}, BER {trial.ber:g}, {trial.sizes[0]} B, off theory"
            note += f", replays {found['replays']:.0f}, given up {found['given_up']:.0f}"
            curve.append((trial, found["goodput"]))
        else:
            what = f"{config.name}, {config.length_m:g} m, {trial.sizes[0]} B, off theory"
            if trial.credits:
                what += ", with credits"
                note += f", {trial.credits} credits"
        checks.append(Check(what, abs(off), "<=", NEAR if trial.ber else CLOSE, note))
    for config in CLEAN:
        what = f"{config.name}, cycles that a hop adds in cut-through"
        checks.append(Check(what, hop(config), "<=", HOP))
    for config in CLEAN:
        for size in (max(16, config.min_packet_bytes), config.max_packet_bytes):
            what = f"{config.name}, {size} B, cycles that one error costs"
            worst, most = cost(config, size)
            checks.append(Check(what, worst, "<=", most, "a round trip and a window"))
    held = BAD.with_(store_and_forward=True)
    checks.append(
        Check(f"{BAD.name}, the same in store-and-forward, a packet of a flit", hop(held))
    )
    checks.append(Check("packets lost, duplicated or reordered in silence", wrong, "==", 0))
    draw(curve)
    return checks


def draw(curve: list[tuple[LinkTrial, float]]) -> None:
    """Goodput against bit error rate, measured points on the lines of theory."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
    for size in SIZES:
        rates = np.logspace(-8, -5, 61)
        line = [LinkTrial(config=BAD, sizes=(size,), ber=float(rate)).theory for rate in rates]
        (drawn,) = axes.semilogx(rates, line, label=f"{size:,} B")
        points = [(trial.ber, goodput) for trial, goodput in curve if trial.sizes == (size,)]
        axes.plot(*zip(*points, strict=True), "o", color=drawn.get_color())
    axes.set(
        xlabel="bit error rate",
        ylabel="goodput, of the line rate",
        ylim=(0, 1),
        title=f"{BAD.name}, {BAD.length_m:g} m: lines are theory, points the model",
    )
    axes.grid(alpha=0.3)
    axes.legend(title="packet")
    FOLDER.mkdir(parents=True, exist_ok=True)
    figure.savefig(FOLDER / "link.png", dpi=120)
    plt.close(figure)
