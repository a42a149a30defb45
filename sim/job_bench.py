"""cocotb bench of the main job: the RTL in lockstep with the model, or by itself."""

import os
import signal
import time

import cocotb

from rtl.switch import Switch
from sim.job import CHUNK, Job, Order, Replay
from sim.report import write
from verif.bench.switch import QUALIFIED
from verif.lockstep import Lockstep, bench_config, pack, unpack


class Watch:
    """The other process: it reads how far the job is, and asks to stop with a file."""

    def __init__(self, job: Job):
        self.job, self.told = job, 0.0

    def wants_end(self) -> bool:
        """Tell the progress; True if the job is to be stopped."""
        if time.monotonic() - self.told > 0.2:
            self.told = time.monotonic()
            write(self.job.folder / "progress.json", self.job.progress())
        return (self.job.folder / "stop").exists()


async def in_lockstep(job: Job, bench: Lockstep, model: Replay, watch: Watch) -> None:
    """Give the RTL what the model was given, and compare all outputs in every cycle."""
    while not job.done and not watch.wants_end():
        ran = job.advance()
        inputs, outputs = job.rig.traces
        for n in range(ran):
            model.load(inputs[n], outputs[n])
            try:
                await bench.step()
            except AssertionError:
                job.mismatches += 1
                raise
            job.compared += 1


async def alone(job: Job, bench: Lockstep, model: Replay, watch: Watch) -> None:
    """Sources and sinks see the RTL; the model is not run."""
    rig, i, o = job.rig, model.inputs, model.outputs
    model.flats[0][:] = rig.flats[0]  # control inputs
    while not job.done and not watch.wants_end():
        for _ in range(CHUNK):
            rig.sources.drive(rig.cycle, *(field[0] for field in i[:5]))
            rig.sinks.drive(rig.cycle, i.o_ready[0])
            pack(model.flats[0], bench.driven.slots, bench.transport.i)
            await bench.transport.cycle()
            unpack(bench.transport.o, bench.seen.slots, model.flats[1])
            rig.sources.taken(rig.cycle, o.i_ready[0])
            rig.sources.released(
                o.released_valid[0],
                o.released_output[0],
                o.released_traffic_class[0],
            )
            rig.take_note(o)
            rig.sinks.taken(rig.cycle, *(field[0] for field in o[1:6]))
            rig.cycle += 1
            job.program.advance(rig.sinks, rig.cycle - 1)
        rig.flats[1][:] = model.flats[1]
        job.sample()


@cocotb.test()
async def runs_workloads(dut) -> None:
    """All workloads of the order, one after another, each from reset."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the watching process says when to stop
    config, order = bench_config(), Order.parse(os.environ["JOB_ORDER"])
    drive = in_lockstep if order.engine == "both" else alone
    found = []
    for workload in order.workloads:
        job = Job(config, order, workload, trace=order.engine == "both")
        model, watch = Replay(config), Watch(job)
        bench = Lockstep(dut, Switch(config), model, QUALIFIED)
        await bench.reset()
        try:
            await drive(job, bench, model, watch)
        finally:
            found.append(job.results())
            write(job.folder / "parts.json", {"parts": found})
        if watch.wants_end():
            break
