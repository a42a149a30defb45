# amaranth: UnusedElaboratable=no
import numpy as np
import pytest
from amaranth import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.sim import Simulator

from models.serdes.block_lock import BlockLockModel, block_lock_clock, block_lock_outputs
from models.serdes.config import LaneConfig
from models.serdes.gearbox import (
    ReceiveGearboxModel,
    TransmitGearboxModel,
    receive_gearbox_clock,
    receive_gearbox_outputs,
)
from models.serdes.scrambler import DescramblerModel, ScramblerModel
from rtl.serdes.block_lock import BlockLock
from rtl.serdes.gearbox import ReceiveGearbox, TransmitGearbox
from sim.verilator import run_bench

LANE = LaneConfig(name="lane-64")
CONTROL, IDLES = 0b01, 0x1E  # a block of idles: its sync header is 10 on the line


@pytest.mark.verilator
@pytest.mark.parametrize("side", [TransmitGearbox, ReceiveGearbox])
def test_rtl_matches_model(side):
    end = side.__name__.removesuffix("Gearbox").lower()
    run_bench(
        f"gearbox_{end}",
        side(),
        LANE,
        module="verif.bench.gearbox",
        testcase=f"{end}_matches_model",
    )


def test_header_is_first_on_the_line_and_32_blocks_are_33_words():
    model, line, taken = TransmitGearboxModel(), 0, []
    for cycle in range(67):
        model.inputs.block_header[0] = 0b10
        model.inputs.block_payload[0, 0] = len(taken) << 4 | 0b1001
        o = model.step()
        line |= int(o.word.view(np.uint64)[0, 0]) << 64 * cycle
        if o.ready[0]:
            taken.append(cycle)
    assert taken == [cycle for cycle in range(67) if cycle % 33 != 32]
    line >>= 64  # a word later, as the latency is 1
    blocks = [line >> 66 * k & (1 << 66) - 1 for k in range(64)]
    assert blocks == [(k << 4 | 0b1001) << 2 | 0b10 for k in range(64)]


def scrambled(count: int) -> list[int]:
    """Payloads of blocks of idles as they are on the line."""
    model, found = ScramblerModel(LANE), []
    model.inputs.i_valid[0], model.inputs.i_payload[0, 0] = 1, IDLES
    for _ in range(count + 1):
        found.append(int(model.step().o_payload.view(np.uint64)[0, 0]))
    return found[1:]


def descrambled(payloads: list[int]) -> list[int]:
    """The inverse, but for what came before the first."""
    model, found = DescramblerModel(LANE), []
    model.inputs.i_valid[0] = 1
    for payload in [*payloads, 0]:
        model.inputs.i_payload.view(np.uint64)[0, 0] = payload
        found.append(int(model.step().o_payload.view(np.uint64)[0, 0]))
    return found[1:]


CYCLES = 1200
PAYLOADS = scrambled(CYCLES)


def received(offset: int) -> tuple[int, list[tuple[int, int]]]:
    """Slips, and blocks behind the lock, of a line with so many bits before the first word."""
    transmit, receive, lock = TransmitGearboxModel(), ReceiveGearboxModel(), BlockLockModel(LANE)
    payloads, line, slips, blocks = iter(PAYLOADS), 0, 0, []
    transmit.inputs.block_header[0] = CONTROL
    transmit.inputs.block_payload.view(np.uint64)[0, 0] = next(payloads)
    lock.inputs.signal_ok[0] = 1
    for _ in range(CYCLES):
        o = transmit.step()
        line = line >> 64 | int(o.word.view(np.uint64)[0, 0]) << 128
        if o.ready[0]:
            transmit.inputs.block_payload.view(np.uint64)[0, 0] = next(payloads)
        receive_gearbox_outputs(receive.state, receive.outputs, 0)
        block_lock_outputs(lock.state, lock.outputs, 0)
        receive.inputs.word.view(np.uint64)[0, 0] = line >> 128 - offset & (1 << 64) - 1
        receive.inputs.slip[0] = lock.outputs.slip[0]
        lock.inputs.valid[0] = receive.outputs.valid[0]
        lock.inputs.header[0] = receive.outputs.block_header[0]
        lock.inputs.slip_done[0] = receive.outputs.slip_done[0]
        slips += int(lock.outputs.slip[0])
        if lock.outputs.block_lock[0] and receive.outputs.valid[0]:
            payload = int(receive.outputs.block_payload.view(np.uint64)[0, 0])
            blocks.append((int(receive.outputs.block_header[0]), payload))
        assert lock.outputs.block_lock[0] or not blocks  # it is never lost
        receive_gearbox_clock(receive.state, receive.inputs, 0)
        block_lock_clock(LANE.ber_window_cycles, lock.state, lock.inputs, 0)
    return slips, blocks


@pytest.mark.parametrize("offset", range(66))
def test_boundary_is_found_from_every_offset(offset):
    """The first block begins behind the offset and a word, as the latency is 1."""
    slips, blocks = received(offset)
    assert slips % 66 == (64 + offset) % 66 and slips <= 66
    assert len(blocks) > 300 and {header for header, _ in blocks} == {CONTROL}
    assert set(descrambled([payload for _, payload in blocks])[1:]) == {IDLES}


class Line(wiring.Component):
    """Both gearboxes and the lock; so many bits before the first word."""

    payload: In(64)
    ready: Out(1)
    block_lock: Out(1)
    slip: Out(1)
    valid: Out(1)
    received: Out(64)

    def __init__(self, offset: int):
        self.offset = offset
        super().__init__()

    def elaborate(self, platform):
        m = Module()
        m.submodules.transmit = transmit = TransmitGearbox()
        m.submodules.receive = receive = ReceiveGearbox()
        m.submodules.lock = lock = BlockLock(LANE)
        past = Signal(128)
        line = Cat(past, transmit.word)
        m.d.sync += past.eq(line[64:])
        m.d.comb += [
            transmit.block.header.eq(CONTROL),
            transmit.block.payload.eq(self.payload),
            receive.word.eq(line[128 - self.offset :][:64]),
            receive.slip.eq(lock.slip),
            lock.signal_ok.eq(1),
            lock.valid.eq(receive.valid),
            lock.header.eq(receive.block.header),
            lock.slip_done.eq(receive.slip_done),
            self.ready.eq(transmit.ready),
            self.block_lock.eq(lock.block_lock),
            self.slip.eq(lock.slip),
            self.valid.eq(receive.valid),
            self.received.eq(receive.block.payload),
        ]
        return m


@pytest.mark.parametrize("offset", [0, 2, 65])
def test_rtl_finds_the_same_blocks_with_as_many_slips(offset):
    dut, slips, found = Line(offset), 0, []

    async def bench(ctx):
        nonlocal slips
        payloads = iter(PAYLOADS)
        ctx.set(dut.payload, next(payloads))
        for _ in range(CYCLES):
            slips += ctx.get(dut.slip)
            if ctx.get(dut.block_lock) and ctx.get(dut.valid):
                found.append((CONTROL, ctx.get(dut.received)))
            ready = ctx.get(dut.ready)
            await ctx.tick()
            if ready:
                ctx.set(dut.payload, next(payloads))

    simulator = Simulator(dut)
    simulator.add_clock(1e-9)
    simulator.add_testbench(bench)
    simulator.run()
    assert (slips, found) == received(offset)
