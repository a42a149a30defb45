"""cocotb bench of ``lingyun link``: both ends in lockstep with the model, or by themselves."""

import os

import cocotb

from models.link.link import LinkInputs, LinkOutputs
from models.link.trial import LinkRun, link_drive, link_settle
from models.record import flat
from sim.link import CHUNK, Watch, parse
from verif.link_pair import LinkPair
from verif.lockstep import Lockstep, bench_link, pack, unpack


class Replay:
    """Stands in for the model in a lockstep: its inputs and outputs are those of a trace."""

    def __init__(self, run: LinkRun):
        # Of the bench's one instance the ends are an axis.
        self.inputs = LinkInputs(*(field[None] for field in run.model.inputs))
        self.outputs = LinkOutputs(*(field[None] for field in run.model.outputs))
        self.flats, self.row = run.flats, run.flats[1]

    def reset(self) -> None:
        """Nothing to do: the trace begins after a reset."""

    def load(self, inputs, outputs) -> None:
        """Take the next cycle from the trace."""
        self.flats[0][:], self.row = inputs, outputs

    def step(self) -> LinkOutputs:
        """Outputs of this cycle."""
        self.flats[1][:] = self.row
        return self.outputs


async def in_lockstep(run: LinkRun, bench: Lockstep, watch: Watch) -> None:
    """Give the RTL what the model was given, and compare all outputs in every cycle."""
    while not run.done and not watch.wants_end(run):
        ran = run.advance()
        kept = [side.copy() for side in run.flats]  # as the model goes on from here
        for n in range(ran):
            bench.model.load(run.traces[0][n], run.traces[1][n])
            try:
                await bench.step()
            except AssertionError:
                watch.mismatches += 1
                raise
            watch.compared += 1
        for side, values in zip(run.flats, kept, strict=True):
            side[:] = values


async def alone(run: LinkRun, bench: Lockstep, watch: Watch) -> None:
    """Sources, channel and sinks see the RTL; the model is not run."""
    while not run.done and not watch.wants_end(run):
        before = run.delivered
        for cycle in range(run.cycle, run.cycle + CHUNK):
            link_drive(run.wires, cycle)
            pack(run.flats[0], bench.driven.slots, bench.transport.i)
            await bench.transport.cycle()
            unpack(bench.transport.o, bench.seen.slots, run.flats[1])
            link_settle(run.wires, cycle)
        run.passed(CHUNK, before)


@cocotb.test()
async def carries_packets(dut) -> None:
    """One trial, from reset."""
    config, (trial, engine, folder) = bench_link(), parse(os.environ["LINK_TRIAL"])
    run, watch = LinkRun(trial, trace=CHUNK), Watch(folder)
    bench = Lockstep(dut, LinkPair(config), Replay(run))
    assert bench.inputs is flat(run.model.inputs)
    controls = bench.inputs.copy()
    await bench.reset()
    bench.inputs[:] = controls  # the reset has cleared them
    try:
        await (in_lockstep if engine == "both" else alone)(run, bench, watch)
    finally:
        watch.write(run)
