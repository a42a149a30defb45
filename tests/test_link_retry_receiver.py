# amaranth: UnusedElaboratable=no
import pytest
from amaranth.sim import Simulator

from models.config import NODE
from models.link.config import LinkConfig, ReceiverState, link_of
from models.link.retry_receiver import RetryReceiverModel
from rtl.link.retry_receiver import RetryReceiver
from sim.verilator import run_bench

SMALL = LinkConfig(
    name="SMALL",
    flit_bytes=8,
    words_per_cycle=1,
    min_packet_bytes=8,
    max_packet_bytes=24,
    length_m=0,
    ack_bytes=64,
)
WIDE = link_of(NODE, max_packet_bytes=256, length_m=0, ack_bytes=64)


@pytest.mark.verilator
@pytest.mark.parametrize("config", [SMALL, WIDE], ids=lambda config: config.name)
def test_rtl_matches_model(config):
    run_bench("link_retry_receiver", RetryReceiver(config), config, cycles=4000)


def simulate(dut, bench):
    simulator = Simulator(dut)
    simulator.add_clock(1e-9)
    simulator.add_testbench(bench)
    simulator.run()


def test_rtl_latency_is_one_cycle():
    """To ``o``, the echo and the NACK; the ACK waits for as long as the line brings its bytes."""
    dut = RetryReceiver(SMALL)

    async def bench(ctx):
        def arrive(sequence, bad):
            ctx.set(dut.i.valid, 1)
            numbered = {"first": 1, "last": 1, "check": 1, "llr": 1}
            ctx.set(dut.i.payload, numbered | {"sequence": sequence, "bad": bad, "count": 7})

        ctx.set(dut.enable, 1)
        ctx.set(dut.o.ready, 1)
        ctx.set(dut.init.valid, 1)
        ctx.set(dut.init.sequence, 5)
        await ctx.tick()
        ctx.set(dut.init.valid, 0)
        assert ctx.get(dut.init_echo.valid) and ctx.get(dut.init_echo.payload.sequence) == 5

        arrive(5, bad=0)
        await ctx.tick()
        assert ctx.get(dut.o.valid) and ctx.get(dut.o.payload.keep) == 0xFF
        assert ctx.get(dut.rx_ok) and ctx.get(dut.rx_expected_seq_good)
        ctx.set(dut.i.valid, 0)
        for _ in range(SMALL.ack_cycles - 1):
            assert not ctx.get(dut.ack.valid)
            await ctx.tick()
        assert ctx.get(dut.ack.valid) and ctx.get(dut.ack.payload.sequence) == 5

        arrive(6, bad=1)
        await ctx.tick()
        assert ctx.get(dut.o.valid) and ctx.get(dut.o.payload.user) == 1
        assert ctx.get(dut.nack.valid) and ctx.get(dut.nack.payload.sequence) == 5
        assert not ctx.get(dut.ack.valid) and ctx.get(dut.state) == ReceiverState.SEND_NACK

    simulate(dut, bench)


def test_one_nack_for_many_losses_and_an_ack_for_a_duplicate():
    """Once it is sent, only the frame that was asked for ends it, or a new one if that is bad."""
    model = RetryReceiverModel(SMALL)
    i = model.inputs
    i.enable[0] = i.o_ready[0] = i.nack_ready[0] = i.ack_ready[0] = 1
    i.init_valid[0], i.init_sequence[0] = 1, 10
    model.step()
    i.init_valid[0] = 0

    def frame(sequence, *, bad=0, check=1):
        i.i_valid[0] = i.i_payload_first[0] = i.i_payload_last[0] = i.i_payload_llr[0] = 1
        i.i_payload_sequence[0], i.i_payload_bad[0] = sequence, bad
        i.i_payload_check[0] = check
        model.step()
        i.i_valid[0] = 0
        said = []
        for _ in range(5):
            o = model.step()
            said += [("nack", int(o.nack_payload_sequence[0]))] * int(o.nack_valid[0])
            said += [("ack", int(o.ack_payload_sequence[0]))] * int(o.ack_valid[0])
        return said

    assert frame(10) == []
    assert frame(12) == [("nack", 10)]
    assert frame(13, bad=1) == frame(14) == frame(3, check=0) == []
    assert frame(9) == [("ack", 10)]
    assert frame(11, bad=1) == [("nack", 10)]
    assert frame(11) == []
    assert frame(11) == [("ack", 11)]
    assert frame(0, check=0) == [("nack", 11)]
