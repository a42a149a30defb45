# amaranth: UnusedElaboratable=no
import numpy as np
import pytest
from amaranth.sim import Simulator

from models.config import NODE, PROTO, TINY
from models.generator import GeneratorModel, following, sequence_after
from models.packet import TEST_SALT, Header
from rtl.generator import Generator
from sim.solver import prove
from sim.verilator import run_bench
from verif.proof.generator import GeneratorProof

THREE = TINY.with_(name="TINY-3", ports=3, classes=1, ingress_flits=37, max_packet_bytes=35)


def send(config, cycles, *, port=0, ready=1.0, shaped=True):
    """Packets of the model as bytes, and the cycles in which a flit was taken."""
    model = GeneratorModel(config, port=port, shaped=shaped)
    rng, packets, packet, taken = np.random.default_rng(1), [], b"", []
    model.inputs.enable[0] = 1
    for cycle in range(cycles):
        model.inputs.o_ready[0] = rng.random() < ready
        o = model.step()
        if o.o_valid[0] and model.inputs.o_ready[0]:
            taken.append(cycle)
            kept = np.bitwise_count(o.o_payload_keep[0].view(np.uint64)).sum()
            packet += o.o_payload_data[0].tobytes()[:kept]
            if o.o_payload_last[0]:
                packets.append(packet)
                packet = b""
    return packets, taken


def header_of(packet: bytes) -> Header:
    return Header.unpack(int.from_bytes(packet[:8], "little"))


def test_payload_is_the_scrambler_sequence():
    """Bit by bit: each is the sum of those 58 and 39 before it in time."""

    def in_time(word):
        return [word >> (n + 58) % 64 & 1 for n in range(64)]

    word = 0x0123456789ABCDEF
    after = int(following(word)) % (1 << 64) ^ TEST_SALT
    bits = in_time(word) + in_time(after)
    assert all(bits[n] == bits[n - 58] ^ bits[n - 39] for n in range(64, 128))


def test_sequence_numbers_repeat_after_255():
    number, numbers = 0, []
    for _ in range(255):
        numbers.append(number)
        number = int(sequence_after(number))
    assert number == 0 and len(set(numbers)) == 255


def test_packets_do_not_depend_on_back_pressure():
    fast, slow = (send(PROTO, 20000, ready=ready)[0] for ready in (1.0, 0.3))
    assert slow == fast[: len(slow)] and len(slow) > 20


@pytest.mark.parametrize("config", [TINY, THREE, PROTO, NODE], ids=lambda config: config.name)
def test_model_sends_every_flow_and_all_kinds_of_sizes(config):
    port = config.ports - 1
    packets, _ = send(config, 100_000, port=port, shaped=False)
    sequences, sizes = {}, set()
    for packet in packets:
        header = header_of(packet)
        assert header.source == port and header.length == len(packet)
        flow = header.destination, header.traffic_class
        sequence = sequences.get(flow, 0)
        second = int(following(int.from_bytes(packet[:8], "little", signed=True))) ^ sequence
        assert packet[8:16] == (second % (1 << 64)).to_bytes(8, "little")[: len(packet) - 8]
        sequences[flow] = sequence_after(sequence)
        sizes.add(len(packet))
    assert len(sequences) == config.queues
    smallest, largest = config.min_packet_bytes, config.max_packet_bytes
    assert min(sizes) == smallest and max(sizes) > 0.98 * largest and max(sizes) <= largest
    assert {size % config.flit_bytes for size in sizes} == set(range(config.flit_bytes))


def test_model_keeps_to_the_line_rate_and_uses_it():
    _, taken = send(PROTO, 50_000)
    assert 0.8 < len(taken) / 50_000 / PROTO.line_flits_per_cycle <= 1
    window = np.searchsorted(taken, np.arange(50_000 - 256) + 256) - np.searchsorted(
        taken, np.arange(50_000 - 256)
    )
    assert window.max() == 160 and window.min() < 160  # flits in 256 cycles: there are gaps


def test_wrong_port_is_named():
    with pytest.raises(ValueError, match="port must be 0 to 1, not 2"):
        Generator(TINY, port=2)


def test_rtl_latency_is_two_cycles():
    dut = Generator(TINY, port=1)

    async def bench(ctx):
        ctx.set(dut.enable, 1)
        ctx.set(dut.o.ready, 1)
        for _ in range(2):
            assert not ctx.get(dut.o.valid)
            await ctx.tick()
        assert ctx.get(dut.o.valid) and ctx.get(dut.o.payload.last)
        assert Header.unpack(ctx.get(dut.o.payload.data)) == Header(
            destination=0, source=1, length=8
        )
        assert ctx.get(dut.sent) == 0
        await ctx.tick().repeat(2)
        assert ctx.get(dut.sent) == 1

    simulator = Simulator(dut)
    simulator.add_clock(1e-9)
    simulator.add_testbench(bench)
    simulator.run()


def matches_model(config, shaped=True):
    run_bench(
        "generator",
        Generator(config, port=config.ports - 1, shaped=shaped),
        config,
        cycles=6000,
        extra_env={"GENERATOR_SHAPED": str(int(shaped))},
    )


@pytest.mark.verilator
@pytest.mark.parametrize("config", [TINY, THREE, PROTO, NODE], ids=lambda config: config.name)
def test_rtl_matches_model(config):
    matches_model(config)


@pytest.mark.verilator
@pytest.mark.slow
def test_rtl_matches_model_without_shaping():
    matches_model(PROTO, shaped=False)


@pytest.mark.formal
def test_stream_law_is_proven():
    prove(GeneratorProof(TINY, port=1), "generator", depth=5)
