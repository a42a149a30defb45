"""The main job: workloads through the switch, by the model alone or model and RTL in lockstep.

The model runs ahead, a chunk of cycles at a time with its sources and sinks in one compiled loop,
and keeps what its ports did. The RTL is then given the same inputs, cycle by cycle, and each of its
outputs is held against the model's. That is lockstep all the same, because sources and sinks see
only outputs that were found equal, and it takes most of Python out of each cycle.
"""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from models.config import SwitchConfig
from models.record import allocate, flat
from models.rig import Rig
from models.switch import SwitchInputs, SwitchOutputs, switch_shapes
from models.traffic import line_of
from models.workload import expand, load
from sim.report import Recorder, plot, summary

__all__ = ["CHUNK", "Job", "Order", "Replay", "run_model"]

CHUNK = 256  # cycles that the model runs ahead
SAMPLES = 256  # cycles between two samples of throughput and occupancy
DRAIN = 2000  # cycles after the last delivery, in which nothing more may come out


@dataclass(frozen=True)
class Order:
    """What is to be run, in a form that passes through the environment of a bench."""

    workloads: tuple[str, ...]
    seed: int
    scale: float
    packet_bytes: int
    unshaped: bool
    engine: str
    output: str

    def dump(self) -> str:
        """JSON of this order."""
        return json.dumps(self.__dict__)

    @classmethod
    def parse(cls, text: str) -> "Order":
        """Inverse of :meth:`dump`."""
        values = json.loads(text)
        return cls(**values | {"workloads": tuple(values["workloads"])})


class Replay:
    """Stands in for the model in a lockstep: its inputs and outputs are those of a trace."""

    def __init__(self, config: SwitchConfig):
        inputs, outputs = switch_shapes(config)
        self.inputs = allocate(SwitchInputs, inputs)
        self.outputs = allocate(SwitchOutputs, outputs)
        self.flats = flat(self.inputs), flat(self.outputs)
        self.row = np.zeros(0, dtype=np.int64)

    def reset(self) -> None:
        """Nothing to do: the trace begins after a reset."""

    def load(self, inputs: np.ndarray, outputs: np.ndarray) -> None:
        """Take the next cycle from the trace."""
        self.flats[0][:] = inputs
        self.row = outputs

    def step(self) -> SwitchOutputs:
        """Outputs of this cycle."""
        self.flats[1][:] = self.row
        return self.outputs


class Job:
    """One workload on one switch, in chunks; results, progress and picture go to ``folder``."""

    def __init__(self, config: SwitchConfig, order: Order, workload: str, *, trace: bool):
        self.config, self.order = config, order
        self.folder = Path(order.output)
        self.workload = load(workload)
        self.program = expand(
            config, self.workload, scale=order.scale, packet_bytes=order.packet_bytes
        )
        self.rig = Rig(
            config,
            self.program.packets,
            line=line_of(config, shaped=not order.unshaped),
            limit=config.limit,
            seed=order.seed,
            trace=CHUNK if trace else 0,
        )
        self.recorder = Recorder(config, SAMPLES)
        self.compared = self.mismatches = 0
        self.drained_at: int | None = None
        self.began = time.monotonic()

    @property
    def done(self) -> bool:
        """All is delivered and the switch has been quiet since."""
        return self.drained_at is not None and self.rig.cycle >= self.drained_at

    def advance(self) -> int:
        """Run the model for up to a chunk; return how many cycles were run."""
        start = self.rig.cycle
        # To where a compute time is over, so that what follows it is released in its cycle.
        ran = self.rig.run(min(CHUNK - start % CHUNK, self.program.due + 1 - start))
        self.program.advance(self.rig.sinks, self.rig.cycle - 1)
        self.sample()
        return ran

    def sample(self) -> None:
        """Record throughput and occupancy, now and then, and notice the end."""
        if self.rig.cycle % SAMPLES == 0:
            self.record()
        if self.program.done and self.drained_at is None:
            self.drained_at = self.rig.cycle + DRAIN

    def record(self) -> None:
        """Record throughput and occupancy."""
        outputs = self.rig.outputs
        self.recorder.sample(
            self.rig.cycle,
            self.rig.sources,
            self.rig.sinks,
            outputs.ingress_occupancy[0],
            outputs.egress_occupancy[0],
        )

    def progress(self) -> dict[str, Any]:
        """How far this job is."""
        return {
            "workload": self.workload.name,
            "packets": self.rig.delivered,
            "of": int(self.program.packets.cycle.size),
            "cycle": self.rig.cycle,
        }

    def results(self) -> dict[str, Any]:
        """Everything measured so far; draws the picture."""
        dropped, broken, parity = map(int, self.rig.events)
        collectives = [
            record | {"workload": self.workload.name} for record in self.program.results()
        ]
        if self.rig.cycle:
            self.record()
            picture = self.folder / f"{self.workload.name}.png"
            plot(picture, self.config, self.recorder, self.rig.sinks, collectives=collectives)
        return summary(
            self.config,
            self.rig.sources,
            self.rig.sinks,
            cycles=self.rig.cycle,
            seed=self.order.seed,
            complete=self.done,
            dropped=dropped,
            cycles_compared=self.compared,
            mismatches=self.mismatches,
            collectives=collectives,
            times=self.program.times(),
            notes=list(self.workload.notes),
            workload=self.workload.name,
            seconds=time.monotonic() - self.began,
            broken=broken,
            parity=parity,
        )


def run_model(
    config: SwitchConfig, order: Order, watch: Callable[[dict[str, Any]], None]
) -> list[dict[str, Any]]:
    """All workloads of ``order`` by the model alone; the results of each.

    ``watch`` is told the progress now and then. An interrupt ends the run with what there is.
    """
    found: list[dict[str, Any]] = []
    for workload in order.workloads:
        job = Job(config, order, workload, trace=False)
        try:
            while not job.done:
                job.advance()
                if job.rig.cycle % (16 * CHUNK) == 0:
                    watch(job.progress())
        except KeyboardInterrupt:
            return [*found, job.results()]
        found.append(job.results())
    return found
