"""cocotb bench of rtl.axis: AXI4-Stream conformance against the sources and sinks of cocotbext-axi.

The peers come from another project, so what we believe of AXI4-Stream is not on both sides.
"""

import itertools
import logging
import os
from collections import Counter, deque

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, FallingEdge, RisingEdge
from cocotbext.axi import AxiStreamBus, AxiStreamFrame, AxiStreamSink, AxiStreamSource

from models.config import SwitchConfig
from models.packet import HEADER_BYTES, Drop, Header, Operation
from verif.lockstep import bench_config
from verif.scoreboard import Scoreboard

FRAMES = int(os.environ.get("BENCH_FRAMES", "120"))  # per port
BAD = {  # reasons that a header alone can give; DISABLED and PARTITION need the controls
    Drop.LENGTH: lambda config: {"length": config.max_packet_bytes + 1},
    Drop.OPERATION: lambda config: {"operation": Operation.ALL_REDUCE},
    Drop.TRAFFIC_CLASS: lambda config: {"traffic_class": config.classes},
    Drop.NO_ROUTE: lambda config: {"destination": config.endpoints},
}


class Stimulus:
    """Random frames of one port, and why each is dropped, or None."""

    def __init__(self, config: SwitchConfig, source: int, rng: np.random.Generator):
        self.config, self.source, self.rng = config, source, rng

    def frame(self) -> tuple[bytes, Drop | None]:
        config, rng = self.config, self.rng
        longest = min(config.max_packet_bytes, max(config.min_packet_bytes, 9 * config.flit_bytes))
        length = int(rng.integers(config.min_packet_bytes, longest + 1))
        if rng.random() < 0.3:  # at the edge of a flit
            length += int(rng.integers(-1, 2)) - length % config.flit_bytes
        if rng.random() < 0.02:
            length = config.max_packet_bytes
        fields = {
            "destination": int(rng.integers(config.ports)),
            "source": self.source,
            "length": min(max(length, config.min_packet_bytes), config.max_packet_bytes),
            "traffic_class": int(rng.integers(config.classes)),
        }
        size, reason = fields["length"], None
        if rng.random() < 0.15:
            reason = list(BAD)[int(rng.integers(len(BAD)))]
            fields |= BAD[reason](config)
        head = Header(**fields).pack().to_bytes(HEADER_BYTES, "little")
        return head + rng.bytes(size - HEADER_BYTES), reason


def pauses(rng: np.random.Generator, chance: float):
    """Independent cycles of pause."""
    return (bool(rng.random() < chance) for _ in itertools.count())


async def watch_stream(dut, config: SwitchConfig, port: int, seen: Counter) -> None:
    """Assert the law of AXI4-Stream on an output: what is shown stays, and ``tkeep`` is packed."""
    names = ("tvalid", "tready", "tdata", "tkeep", "tlast", "tuser")
    valid, ready, *payload = (getattr(dut, f"m{port}_axis_{name}") for name in names)
    full, waiting = (1 << config.flit_bytes) - 1, None
    while True:
        await FallingEdge(dut.clk)
        if not int(valid.value):
            assert waiting is None, f"m{port}: tvalid fell before tready"
            continue
        shown = [int(signal.value) for signal in payload]
        assert waiting is None or shown == waiting, f"m{port}: the payload changed before tready"
        _, keep, last, _ = shown
        assert keep, f"m{port}: tkeep is zero"
        assert keep & (keep + 1) == 0, f"m{port}: tkeep {keep:#x} has gaps"
        assert last or keep == full, f"m{port}: tkeep {keep:#x} before the last flit"
        waiting = None if int(ready.value) else shown
        seen["output waits"] += waiting is not None
        seen["output moves"] += waiting is None


async def watch_drops(dut, port: int, expected: deque, board: Scoreboard, seen: Counter) -> None:
    """Hold each report of a drop against the frames that have a bad header, in their order."""
    while True:
        await FallingEdge(dut.clk)
        seen["input waits"] += int(getattr(dut, f"s{port}_axis_tvalid").value) and not int(
            getattr(dut, f"s{port}_axis_tready").value
        )
        if int(getattr(dut, f"s{port}_drop_valid").value):
            assert expected, f"s{port}: a good packet was dropped"
            ticket, head, reason = expected.popleft()
            assert int(getattr(dut, f"s{port}_drop_reason").value) == reason
            assert int(getattr(dut, f"s{port}_drop_header").value) == head
            board.drop(ticket)


async def collect(config: SwitchConfig, port: int, sink: AxiStreamSink, board: Scoreboard) -> None:
    while True:
        frame = await sink.recv(compact=False)
        packet = bytes(byte for byte, kept in zip(frame.tdata, frame.tkeep, strict=True) if kept)
        header = Header.unpack(int.from_bytes(packet[:HEADER_BYTES], "little"))
        assert header.destination == port, f"{header} came out of port {port}"
        board.deliver(packet, error=bool(frame.tuser[-1] & 1))


@cocotb.test()
@cocotb.parametrize(source_pause=[0.0, 0.4], sink_pause=[0.0, 0.5])
async def conforms(dut, source_pause: float, sink_pause: float) -> None:
    """Every good frame arrives intact and in order of its flow; bad ones are dropped, counted."""
    config = bench_config()
    for name in ("cocotb.top", "cocotb"):
        logging.getLogger(name).setLevel(logging.WARNING)
    Clock(dut.clk, 2, unit="ns").start()
    ports, rng = range(config.ports), np.random.default_rng(cocotb.RANDOM_SEED)
    sources = [
        AxiStreamSource(AxiStreamBus.from_prefix(dut, f"s{n}_axis"), dut.clk, dut.rst)
        for n in ports
    ]
    sinks = [
        AxiStreamSink(AxiStreamBus.from_prefix(dut, f"m{n}_axis"), dut.clk, dut.rst) for n in ports
    ]
    for name in ("drain", "port_reset", "inject", "program_valid"):
        getattr(dut, name).value = 0
    dut.enable.value = (1 << config.ports) - 1
    dut.rst.value = 1
    await ClockCycles(dut.clk, 3)
    dut.rst.value = 0
    await RisingEdge(dut.clk)

    board, seen, drops = Scoreboard(), Counter(), Counter()
    expected = [deque() for _ in ports]
    tasks = [cocotb.start_soon(watch_stream(dut, config, n, seen)) for n in ports]
    tasks += [cocotb.start_soon(watch_drops(dut, n, expected[n], board, seen)) for n in ports]
    tasks += [cocotb.start_soon(collect(config, n, sinks[n], board)) for n in ports]
    for n, source in enumerate(sources):
        source.set_pause_generator(
            pauses(np.random.default_rng(rng.integers(1 << 31)), source_pause)
        )
        sinks[n].set_pause_generator(
            pauses(np.random.default_rng(rng.integers(1 << 31)), sink_pause)
        )
        stimulus = Stimulus(config, n, rng)
        for _ in range(FRAMES):
            packet, reason = stimulus.frame()
            ticket = board.offer(packet)
            if reason is not None:
                head = int.from_bytes(packet[:HEADER_BYTES], "little")
                expected[n].append((ticket, head, reason))
                drops[n, reason] += 1
            source.send_nowait(AxiStreamFrame(packet, tuser=0))

    for _ in range(100):
        await ClockCycles(dut.clk, FRAMES)
        if not board.in_flight:
            break
    await ClockCycles(dut.clk, 20)
    for task in tasks:
        assert not task.done(), task.exception()
        task.cancel()
    counts = board.finish()
    assert int(dut.idle.value) == (1 << config.ports) - 1

    def total(side: str, name: str) -> int:
        return sum(int(getattr(dut, f"{side}{n}_{name}").value) for n in ports)

    assert counts.offered == config.ports * FRAMES
    assert counts.delivered == total("m", "delivered") == total("s", "accepted") > 0
    assert counts.errored == total("m", "errored") == total("m", "parity") == 0
    for n, reason in itertools.product(ports, Drop):
        counter = getattr(dut, f"s{n}_dropped_{reason.name.lower()}")
        assert int(counter.value) == drops[n, reason], f"s{n}: {reason!r}"
    assert {reason for _, reason in drops} == set(BAD)
    assert seen["output moves"]
    assert seen["output waits"] or not sink_pause
    if config.ingress_flits < FRAMES:  # else the buffer takes all there is
        assert seen["input waits"] or not sink_pause
