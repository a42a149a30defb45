"""One point of a sweep: what it runs, by what it is known, and what comes of it."""

import hashlib
import json
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.metadata import version
from typing import Any

import numpy as np

from models.exchange import Exchange
from models.traffic import destinations
from models.trial import Run, Trial
from sim import ROOT
from sim.cell_run import CellRun
from sim.report import commit, versions
from sim.sweep.profile import profile
from sim.sweep.statistics import grows, interval, joined, mser5

__all__ = ["Point", "canonical", "run_point"]

BATCHES = 32  # means of so many parts of the run, before neighbours are joined
SAMPLES = 16  # of the queues, in the second half of a run
QUANTILES = {"p50": 50, "p99": 99, "p99.9": 99.9, "max": 100}
FULL = 0.9999  # offered to an output, as part of its line: rounding is not a difference
SOURCES = [
    *sorted((ROOT / "models").rglob("*.py")),
    ROOT / "sim" / "cell_run.py",
    *(ROOT / "sim" / "sweep" / name for name in ("point.py", "profile.py", "statistics.py")),
]
# Read once, when this process loads them: a file that is changed during a sweep changes no result.
CODE = {
    "sources": hashlib.sha256(b"".join(path.read_bytes() for path in SOURCES)).hexdigest()[:16],
    **{package: version(package) for package in ("numba", "numpy", "scipy")},
}


def canonical(value: object) -> str:
    """``value`` as JSON, the same characters for equal values."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


@dataclass(frozen=True)
class Point:
    """One run of a sweep.

    Parameters
    ----------
    trial : Trial
        What it runs.
    settings : tuple of (str, value)
        The fields in which the points of its sweep differ: how messages call it.
    """

    trial: Trial
    settings: tuple[tuple[str, Any], ...] = ()

    def __str__(self) -> str:
        return ", ".join(f"{name} = {value}" for name, value in self.settings) or "the only point"

    @cached_property
    def identity(self) -> str:
        """Digest of all that the result depends on: the trial, the sources of models and
        statistics, and the versions of the packages that draw and compute numbers.
        """
        return hashlib.sha256(canonical({"trial": self.trial.dump()} | CODE).encode()).hexdigest()[
            :16
        ]

    @property
    def cost(self) -> int:
        """About how long it takes, in units of its own."""
        return self.trial.cycles * self.trial.config.ports

    def dump(self) -> str:
        """One line of text, for ``parse``."""
        settings = [[name, value] for name, value in self.settings]
        return canonical(
            {"identity": self.identity, "trial": self.trial.dump(), "settings": settings}
        )

    @classmethod
    def parse(cls, text: str) -> "Point":
        """Inverse of ``dump``.

        Raises
        ------
        ValueError
            If that is no point, or was written with other sources or versions.
        """
        try:
            values = json.loads(text)
            settings = tuple((name, value) for name, value in values["settings"])
            point = cls(Trial.parse(values["trial"]), settings)
            identity = values["identity"]
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(
                f"this is no point that `lingyun sweep --print-commands` has printed: "
                f"{type(error).__name__}: {error}"
            ) from None
        if identity != point.identity:
            raise ValueError(
                f"the point was planned as {identity} and is {point.identity} here: sources of the "
                "models, or versions of numpy, numba or scipy, differ; plan the sweep again"
            )
        return point


@cache
def _origin() -> dict[str, Any]:
    return {"versions": versions(), "commit": commit()}


def run_point(point: Point) -> dict[str, Any]:
    """Run ``point``; the record of it, which depends on nothing but code and versions.

    Raises
    ------
    RuntimeError
        If the switch lost, damaged or reordered a packet.
    """
    run = CellRun(point.trial) if point.trial.policy else Run(point.trial)
    while not run.done:
        run.advance()
    if wrong := [f"{count} {name}" for name, count in run.faults().items() if count]:
        raise RuntimeError(f"the switch went wrong: packets {', '.join(wrong)}")
    return {
        "identity": point.identity,
        "trial": json.loads(canonical(point.trial.dump())),
        "result": _result(run),
        **_origin(),
    }


def _result(run: Run | CellRun) -> dict[str, Any]:
    """Delays beyond the zero-load latency in flit times of the line, rates as parts of its rate."""
    trial, table = run.trial, run.packets
    order = np.flatnonzero(table.completed >= 0)
    order = order[np.argsort(table.cycle[order], kind="stable")]
    cut = mser5((table.departed - table.cycle)[order].astype(float))
    warmup = trial.cycles // 2 if cut is None else int(table.cycle[order[cut]])
    saturation = _saturation(run)
    time = (trial.cycles - warmup) * trial.config.ports * trial.rate
    found: dict[str, Any] = {
        "cycles": run.cycle,
        "warmup": warmup,
        "settled": cut is not None,
        "saturation": saturation,
        "offered_packets": table.cycle.size,
        "delivered_packets": run.delivered,
    }
    for name, cycle in (
        ("offered", table.cycle),
        ("carried", table.completed),
        ("ideal_carried", run.best.completed),
    ):
        window = (cycle >= warmup) & (cycle < trial.cycles)
        found[name] = float(table.flits[window].sum() / time)
    found |= dict.fromkeys(("delay", "half_width", "batches", "ideal_delay", "ratio", "latency"))
    seen = (table.completed >= 0) & (table.cycle >= warmup)
    if not saturation and seen.any():
        found |= _delays(run, seen, warmup)
    if run.exchange:
        found["round_trip"] = _round_trips(run.exchange, warmup, trial.cycles)
    found["profile"] = profile(run, warmup, steady=not saturation)
    return found


def _round_trips(exchange: Exchange, warmup: int, end: int) -> dict[str, Any]:
    """Of the requests that were generated since ``warmup``, in cycles; ``rate`` is how many come
    back per cycle and port that asks.
    """
    trips = exchange.round_trips()
    seen = trips.start >= warmup
    times = (trips.end - trips.start)[seen]
    batches = joined(_batches(trips.start[seen], times, np.ones(times.size), warmup, end))
    tail = np.percentile(times, [*QUANTILES.values()]).tolist()
    askers = np.count_nonzero(exchange.state.issued)
    back = np.count_nonzero((trips.end >= warmup) & (trips.end < end))
    return {
        "mean": float(times.mean()),
        "half_width": interval(batches).half_width,
        **dict(zip(QUANTILES, tail, strict=True)),
        "rate": back / (end - warmup) / askers,
    }


def _delays(run: Run | CellRun, seen: Any, warmup: int) -> dict[str, Any]:
    """Of the packets ``seen``; ``latency`` is from generation to the last flit out, in cycles."""
    table = run.packets
    flits, delays, latency = (
        values[seen] for values in (table.flits, run.delays(), table.completed - table.cycle)
    )
    batches = joined(_batches(table.cycle[seen], delays, flits, warmup, run.trial.cycles))
    mean = float(np.average(delays, weights=flits))
    best = float(np.average(run.ideal_delays()[seen], weights=flits))
    tail = np.percentile(latency, [*QUANTILES.values()]).tolist()
    return {
        "delay": mean,
        "half_width": interval(batches).half_width,
        "batches": batches.size,
        "ideal_delay": best,
        "ratio": mean / best if best > 0 else None,
        "latency": dict(zip(QUANTILES, tail, strict=True)),
    }


def _batches(cycle: Any, values: Any, weights: Any, begin: int, end: int) -> Any:
    """Means of ``values`` in equal parts of the time from ``begin`` to ``end`` that have any."""
    edges = np.linspace(begin, end, BATCHES + 1)
    part = np.searchsorted(edges, cycle, side="right") - 1
    counts = np.bincount(part, weights=weights, minlength=BATCHES)
    sums = np.bincount(part, weights=values * weights, minlength=BATCHES)
    return sums[counts > 0] / counts[counts > 0]


def _saturation(run: Run | CellRun) -> str:
    """Why there is no steady state, or nothing if there is one, as always in an exchange.

    Either the traffic itself fills a line, or the switch falls behind: in the second half of the
    run what waits for it, less what waits in the ideal switch at the same time, grows, in total or
    at one of its ports. The ideal switch has the same arrivals, so chance in them counts little.
    """
    trial, table = run.trial, run.packets
    if run.exchange:
        return ""
    ports = trial.config.ports
    shares = destinations(trial.pattern, ports, trial.seed).sum(axis=0)
    if trial.load * shares.max() >= FULL:
        return f"output {int(shares.argmax())} is offered {trial.load * shares.max():.2f} of a line"
    if run.delivered < table.cycle.size:
        return "packets were still waiting long after the last was sent"
    times = np.linspace(trial.cycles // 2, trial.cycles, SAMPLES + 1).round().astype(np.int64)
    left = [np.searchsorted(times, c, side="right") for c in (run.best.completed, table.completed)]
    late = (table.cycle >= times[0]) & (table.cycle < times[-1])
    for side, port in (("input", table.source), ("output", table.destination)):
        # Flits of each port that have left before each of the times.
        best, own = (
            np.bincount(place * ports + port, weights=table.flits, minlength=(SAMPLES + 2) * ports)
            .reshape(-1, ports)
            .cumsum(axis=0)[: times.size]
            for place in left
        )
        behind = best - own
        arrivals = np.bincount(port[late], weights=table.flits[late], minlength=ports)
        if grows(behind.sum(axis=1), arrivals.sum()):
            return "the switch falls behind"
        for n in range(ports):
            if grows(behind[:, n], arrivals[n]):
                return f"the switch falls behind at {side} {n}"
    return ""
