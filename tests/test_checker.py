# amaranth: UnusedElaboratable=no
import pytest
from amaranth.sim import Simulator

from models.config import NODE, PROTO, TINY
from models.packet import Header, Wrong
from rtl.checker import Checker
from sim.verilator import run_bench

THREE = TINY.with_(name="TINY-3", ports=3, classes=1, ingress_flits=37, max_packet_bytes=35)


def test_wrong_port_is_named():
    with pytest.raises(ValueError, match="port must be 0 to 1, not -1"):
        Checker(TINY, port=-1)


@pytest.mark.parametrize("destination", [0, 1])
def test_rtl_latency_is_four_cycles(destination):
    """One packet of 8 bytes, for this port or for the other one."""
    dut = Checker(TINY, port=0)

    async def bench(ctx):
        header = Header(destination=destination, source=1, length=8)
        ctx.set(dut.i.payload, {"data": header.pack(), "keep": 255, "last": 1})
        ctx.set(dut.i.valid, 1)
        assert ctx.get(dut.i.ready)
        await ctx.tick()
        ctx.set(dut.i.valid, 0)
        for _ in range(3):
            assert ctx.get(dut.received) == ctx.get(dut.error) == 0
            await ctx.tick()
        assert ctx.get(dut.received) == 1
        assert ctx.get(dut.error) == destination
        assert ctx.get(dut.reason) == (Wrong.PORT if destination else 0)

    simulator = Simulator(dut)
    simulator.add_clock(1e-9)
    simulator.add_testbench(bench)
    simulator.run()


def matches_model(config, pauses):
    run_bench(
        "checker",
        Checker(config, port=config.ports - 1, pauses=pauses),
        config,
        extra_env={"CHECKER_PAUSES": str(int(pauses))},
    )


@pytest.mark.verilator
@pytest.mark.parametrize(
    "config, pauses", [(TINY, True), (PROTO, False), (NODE, False)], ids=["TINY", "PROTO", "NODE"]
)
def test_rtl_matches_model_and_names_what_is_wrong(config, pauses):
    matches_model(config, pauses)


@pytest.mark.verilator
@pytest.mark.slow
@pytest.mark.parametrize(
    "config, pauses",
    [(TINY, False), (THREE, False), (PROTO, True)],
    ids=["TINY", "TINY-3", "PROTO"],
)
def test_rtl_matches_model_elsewhere(config, pauses):
    matches_model(config, pauses)
