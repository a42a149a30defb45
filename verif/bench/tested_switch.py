"""cocotb bench of rtl.tested_switch: the self-test passes through the switch, and can fail."""

import os

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, FallingEdge

from models.packet import Wrong
from verif.lockstep import bench_config

CYCLES = int(os.environ.get("BENCH_CYCLES", "20000"))


@cocotb.test()
async def links_counts_and_fails(dut) -> None:
    config = bench_config()

    def packets(name: str) -> int:
        return sum(int(getattr(dut, f"{name}__{n}").value) for n in range(config.ports))

    async def arrive() -> None:
        """Wait for all that is under way."""
        dut.enable.value = 0
        received = -1
        while received != packets("received"):
            received = packets("received")
            await ClockCycles(dut.clk, 4 * config.max_packet_flits + 200)

    for name in ("enable", "clear", "inject"):
        getattr(dut, name).value = 0
    dut.rst.value = 1
    Clock(dut.clk, 2, unit="ns").start()
    await ClockCycles(dut.clk, 5)
    dut.rst.value = 0
    for _ in range(2):
        dut.enable.value = 1
        for _ in range(CYCLES):
            await FallingEdge(dut.clk)
            if int(dut.linked.value):
                break
        assert int(dut.linked.value) and int(dut.port_linked.value) == (1 << config.ports) - 1
        await ClockCycles(dut.clk, CYCLES // 4)
        await arrive()
        assert not int(dut.error.value) and packets("sent") == packets("received") > 0

        dut.clear.value = 1  # begin again
        await ClockCycles(dut.clk, 5)
        assert not int(dut.linked.value) and packets("sent") == packets("received") == 0
        dut.clear.value = 0

    dut.enable.value = 1
    await ClockCycles(dut.clk, CYCLES // 4)
    assert not int(dut.error.value)
    dut.inject.value = 1
    await ClockCycles(dut.clk, 2 * config.max_packet_flits + 100)
    assert int(dut.error.value) and Wrong(int(dut.reason.value)) is Wrong.MARKED
    dut.inject.value = 0
    await arrive()
    assert int(dut.error.value)
    dut.clear.value = 1
    await ClockCycles(dut.clk, 5)
    dut.clear.value, dut.enable.value = 0, 1
    await ClockCycles(dut.clk, CYCLES // 4)
    assert not int(dut.error.value) and packets("received")
