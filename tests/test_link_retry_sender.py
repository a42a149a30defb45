# amaranth: UnusedElaboratable=no
import pytest
from amaranth.sim import Simulator

from models.config import NODE
from models.link.config import DownPolicy, LinkConfig, SenderState, link_of
from models.link.retry_sender import RetrySenderModel
from rtl.link.retry_sender import RetrySender
from sim.verilator import run_bench

SMALL = LinkConfig(
    name="SMALL",
    flit_bytes=8,
    words_per_cycle=1,
    min_packet_bytes=8,
    max_packet_bytes=24,
    length_m=0,
    ack_bytes=64,
    replay_flits=7,
    window_frames=4,
    replay_count_max=2,
    pcs_lost_ns=60,
    data_age_ns=150,
)
WIDE = link_of(
    NODE,
    max_packet_bytes=256,
    length_m=0,
    ack_bytes=64,
    replay_flits=13,
    window_frames=8,
    replay_count_max=3,
    pcs_lost_ns=60,
    data_age_ns=200,
    first_sequence=(1 << 20) - 6,  # soon they begin anew
)


@pytest.mark.verilator
@pytest.mark.parametrize("config", [SMALL, WIDE], ids=lambda config: config.name)
def test_rtl_matches_model(config):
    run_bench("link_retry_sender", RetrySender(config), config, cycles=4000)


def simulate(dut, bench):
    simulator = Simulator(dut)
    simulator.add_clock(1e-9)
    simulator.add_testbench(bench)
    simulator.run()


def test_rtl_latency_is_one_cycle_and_a_nack_is_answered_in_five():
    dut = RetrySender(SMALL)

    async def bench(ctx):
        for wire in (dut.pcs_up, dut.o.ready, dut.i.valid, dut.channel):
            ctx.set(wire, 1)
        ctx.set(dut.i.payload, {"data": 0x1234, "keep": 3, "last": 1, "user": 1})
        assert ctx.get(dut.i.ready)
        await ctx.tick()
        assert ctx.get(dut.o.valid) and not ctx.get(dut.o.payload.llr)  # OFF

        ctx.set(dut.enable, 1)
        ctx.set(dut.policy, DownPolicy.BLOCK)
        await ctx.tick()
        assert ctx.get(dut.state) == SenderState.INIT and ctx.get(dut.init.valid)
        assert not ctx.get(dut.i.ready)
        ctx.set(dut.init_echo.valid, 1)
        ctx.set(dut.init_echo.value, ctx.get(dut.init.payload.value))
        await ctx.tick()
        assert ctx.get(dut.state) == SenderState.ADVANCE and not ctx.get(dut.o.valid)
        await ctx.tick()
        o = dut.o.payload
        assert ctx.get(dut.o.valid) and ctx.get(o.llr) and ctx.get(o.sequence) == 0
        assert (ctx.get(o.count), ctx.get(o.last), ctx.get(o.poison)) == (1, 1, 1)
        ctx.set(dut.i.valid, 0)
        await ctx.tick()

        ctx.set(dut.nack.valid, 1)
        ctx.set(dut.nack.sequence, (1 << 20) - 1)
        for _ in range(5):
            assert not ctx.get(dut.o.valid)
            await ctx.tick()
            ctx.set(dut.nack.valid, 0)
        assert ctx.get(dut.o.valid) and ctx.get(o.sequence) == 0 and ctx.get(o.data) == 0x1234
        assert (ctx.get(o.count), ctx.get(o.poison), ctx.get(o.channel)) == (1, 1, 1)

    simulate(dut, bench)


def begin(model):
    """Into ADVANCE, with packets of two flits on ``i``."""
    i = model.inputs
    i.enable[0] = i.pcs_up[0] = i.o_ready[0] = i.init_ready[0] = 1
    i.policy[0] = DownPolicy.BLOCK
    model.step()
    i.init_echo_valid[0] = i.init_echo_value[0] = 1
    model.step()
    i.init_echo_valid[0] = 0
    i.i_valid[0], i.i_payload_keep[0, 0] = 1, 0xFF


def test_no_cycle_is_lost_between_frames_and_two_at_a_replay():
    model = RetrySenderModel(SMALL.with_(replay_flits=64, window_frames=32))
    begin(model)
    i, sent = model.inputs, []
    for cycle in range(60):
        i.i_payload_last[0] = cycle & 1
        i.nack_valid[0], i.nack_sequence[0] = cycle == 21, 3
        i.i_valid[0] = model.state.next[0] < 12
        o = model.step()
        sent.append(int(o.o_payload_sequence[0]) if o.o_valid[0] else None)
    first, replay = sent[1:25], sent[27:]
    assert first == [n for n in range(12) for _ in range(2)]
    assert sent[25:27] == [None, None]
    assert replay[:16] == [n for n in range(4, 12) for _ in range(2)]


def test_nack_of_the_frame_under_way_is_answered_as_it_ends():
    """All before it is acknowledged, and it is broken at the other end before its end is sent."""
    model = RetrySenderModel(SMALL)
    begin(model)
    i, sent = model.inputs, []
    for cycle in range(12):
        i.i_payload_last[0] = cycle == 2
        i.i_valid[0] = model.state.next[0] == 0
        i.nack_valid[0], i.nack_sequence[0] = cycle == 1, (1 << 20) - 1
        o = model.step()
        sent.append(int(o.o_payload_last[0]) if o.o_valid[0] else None)
    assert sent == [None, 0, 0, 1, None, None, 0, 0, 1, None, None, None]


def test_window_and_room_are_used_to_the_last():
    """One-flit packets stop at the window, packets of three with less room than a largest one."""
    for flits, frames in ((1, 4), (3, 2)):
        model = RetrySenderModel(SMALL)
        begin(model)
        taken = 0
        for _ in range(40):
            model.inputs.i_payload_last[0] = taken % flits == flits - 1
            taken += int(model.step().i_ready[0])
        assert taken == flits * frames
        model.inputs.ack_valid[0] = 1
        for _ in range(10):
            model.inputs.i_payload_last[0] = taken % flits == flits - 1
            taken += int(model.step().i_ready[0])
            model.inputs.ack_valid[0] = 0
        assert taken > flits * frames


@pytest.mark.parametrize("cause", ["timer", "age", "pcs"])
def test_gives_up_in_time(cause):
    """Cycle by cycle: replays at each timer, then FLUSH; or the age; or the PCS was down."""
    changes = {"timer": 400, "age": 100, "pcs": 400}
    config = SMALL.with_(data_age_ns=changes[cause], pcs_lost_ns=60)
    model = RetrySenderModel(config)
    begin(model)
    model.inputs.i_payload_last[0] = 1
    model.step()
    model.inputs.i_valid[0] = 0
    model.inputs.pcs_up[0] = cause != "pcs"
    cycle, o = 0, model.step()
    while not o.flushed[0]:
        cycle, o = cycle + 1, model.step()
    timer = config.replay_timer_cycles
    wanted = {
        # Each timer runs from the cycle in which a replay has ended.
        "timer": 3 * timer + 2 * 4 + 1,
        "age": config.data_age_cycles + 1,
        "pcs": config.pcs_lost_cycles + 1,
    }
    assert (cycle, o.lost[0]) == (wanted[cause], 1)
