"""Who gets what when there is too much, or when an output has stopped."""

from dataclasses import dataclass

import numpy as np

from models.config import NODE, RACK, SwitchConfig
from models.rig import Rig
from models.traffic import Packets, generate, packets
from sim.bench.check import Check
from sim.bench.runner import Runner

__all__ = ["Overload", "Stop", "fairness", "overloaded", "stopped"]

KEPT = 0.99  # least part of its throughput that a flow keeps
EQUAL = 1.05  # most over least served input
WEIGHTS = 0.02  # most that the share of a class is off


@dataclass(frozen=True, kw_only=True)
class Stop:
    """Uniform traffic of all classes; after a tenth of ``cycles`` output 0 stops for good."""

    config: SwitchConfig
    cycles: int
    load: float
    mix: str


@dataclass(frozen=True, kw_only=True)
class Overload:
    """Every input sends all it can to output 0, in ``classes``, packets of ``flits``."""

    config: SwitchConfig
    cycles: int
    flits: int
    classes: tuple[int, ...] = (0,)

    def arrivals(self) -> Packets:
        """More than the output can take, so every input always has packets of every class."""
        config = self.config
        # The most loaded class of an input gets at most the whole output.
        rows = self.cycles * len(self.classes) // self.flits // config.ports * 2 + 100
        return packets(
            config,
            cycle=np.zeros(config.ports * rows, np.int64),
            source=np.repeat(np.arange(config.ports), rows),
            destination=0,
            traffic_class=np.resize(self.classes, config.ports * rows),
            length=self.flits * config.flit_bytes,
        )


def stopped(stop: Stop) -> float:
    """Least part of its packets that a flow to another output has kept.

    Counted are packets generated after the stop, but for those so late that they may be under way
    at the end in any case; against the same run without the stop.
    """
    config = stop.config
    delivered = []
    for blocked in (False, True):
        shares = tuple([1 / config.classes] * config.classes)
        table = generate(
            config, cycles=stop.cycles, load=stop.load, mix=stop.mix, class_shares=shares, seed=5
        )
        rig = Rig(config, table, limit=config.limit)
        rig.run(stop.cycles // 10)
        rig.sinks.block(0, blocked)
        rig.run(stop.cycles - rig.cycle)
        counted = (table.completed >= 0) & (table.destination > 0)
        counted &= (table.cycle > stop.cycles // 10) & (table.cycle < stop.cycles * 9 // 10)
        flow = (table.source * config.ports + table.destination) * config.classes
        flow += table.traffic_class
        flows = config.ports * config.queues
        delivered.append(np.bincount(flow[counted], minlength=flows))
    before, after = delivered
    return float((after[before > 0] / before[before > 0]).min())


def overloaded(overload: Overload) -> tuple[float, list[float]]:
    """Most over least served input, and the share of each class, in flits."""
    config, table = overload.config, overload.arrivals()
    rig = Rig(config, table, limit=config.limit)
    rig.run(overload.cycles)
    counted = table.completed >= overload.cycles // 10
    inputs = np.bincount(table.source[counted], minlength=config.ports)
    classes = np.bincount(table.traffic_class[counted], minlength=config.classes)
    return float(inputs.max() / max(inputs.min(), 1e-9)), (classes / classes.sum()).tolist()


def fairness(runner: Runner) -> list[Check]:
    """An output that has stopped, an output that all inputs want, classes with weights."""
    checks = []
    stops = [
        Stop(config=NODE, cycles=runner.cycles(80_000), load=0.9, mix="single"),
        Stop(config=NODE, cycles=runner.cycles(80_000), load=0.9, mix="short"),
        Stop(config=RACK, cycles=runner.cycles(20_000), load=0.9, mix="single"),
    ]
    for stop, kept in zip(stops, runner.spread(stopped, stops), strict=True):
        what = f"output 0 stopped, {stop.config.name}, {stop.mix}, load {stop.load:g}, "
        note = f"least of {stop.config.ports * (stop.config.queues - stop.config.classes)} flows"
        checks.append(Check(what + "kept", kept, ">=", KEPT, note))

    overloads = [
        Overload(config=config, cycles=runner.cycles(cycles), flits=flits)
        for config, cycles in ((NODE, 100_000), (RACK, 40_000))
        for flits in (1, 8)
    ]
    for overload, (most, _) in zip(overloads, runner.spread(overloaded, overloads), strict=True):
        what = f"output 0 overloaded, {overload.config.name}, {overload.flits} flits, most / least"
        note = f"{overload.config.ports} inputs"
        checks.append(Check(what, most, "<=", EQUAL, note))

    weighted = NODE.with_(class_policy="weighted")
    shared = [
        Overload(config=weighted, cycles=runner.cycles(400_000), flits=flits, classes=(0, 1, 2, 3))
        for flits in (1, 8)
    ]
    for overload, (_, shares) in zip(shared, runner.spread(overloaded, shared), strict=True):
        wanted = np.array(weighted.class_weights) / sum(weighted.class_weights)
        off = float(np.abs(shares / wanted - 1).max())
        what = f"weights 1:2:4:8, NODE, {overload.flits} flits, share off by"
        note = "shares " + " ".join(f"{share:.4f}" for share in shares)
        checks.append(Check(what, off, "<=", WEIGHTS, note))
    return checks
