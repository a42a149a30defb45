"""The framer: what is on the line, told by a decoder that shares nothing with it."""

# amaranth: UnusedElaboratable=no
import zlib
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import pytest
from amaranth.sim import Simulator

from models.config import NODE, PROTO, RACK, TINY
from models.link.config import LinkConfig, link_of
from models.link.framer import FramerModel
from models.link.wire import frame_words
from rtl.link.framer import Framer
from sim.verilator import run_bench

LINKS = [link_of(config) for config in (TINY, PROTO, NODE, RACK)]
IDLES, FILLS = (bytes([7] * 8), 0xFF), (bytes([0x5C, *6 * [0], 6]), 1)


def name(link: LinkConfig) -> str:
    return link.name


@dataclass(frozen=True)
class Frame:
    packet: bytes
    poison: bool = False
    llr: bool = True
    sequence: int = 0
    channel: int = 0
    start: int = 0  # the word in which it begins


def frames_of(sizes, seed=1) -> list[Frame]:
    """Random frames with packets of these sizes."""
    rng = np.random.default_rng(seed)
    return [
        Frame(
            rng.bytes(size),
            bool(rng.random() < 0.2),
            bool(rng.integers(2)),
            int(rng.integers(1 << 20)),
            int(rng.integers(32)),
        )
        for size in sizes
    ]


def transmit(link, frames, *, controls=0, load=1.0, ready=1.0, seed=2):
    """Words (bytes and control bits) that the model makes of ``frames``.

    With ``controls`` a control word is always waiting, and its number is in its last bytes.
    """
    rng, model = np.random.default_rng(seed), FramerModel(link)
    i, words, sent, end = model.inputs, [], 0, 0
    flits = [(frame, at) for frame in frames for at in range(0, len(frame.packet), link.flit_bytes)]
    while flits or end < 20:
        end += not flits
        if flits and not i.i_valid[0] and rng.random() < load:
            frame, at = flits[0]
            part = frame.packet[at : at + link.flit_bytes]
            i.i_payload_data[0] = np.frombuffer(part.ljust(link.flit_bytes, b"\xa5"), np.int64)
            i.i_payload_count[0] = len(part) - 1
            i.i_payload_last[0] = at + len(part) == len(frame.packet)
            for field in ("poison", "llr", "sequence", "channel"):
                getattr(i, f"i_payload_{field}")[0] = getattr(frame, field)
            i.i_valid[0] = 1
        i.control_valid[0], i.control_payload_type[0] = sent < controls, 0x10
        i.control_payload_value[0] = sent
        i.o_ready[0] = rng.random() < ready
        o = model.step()
        if i.i_valid[0] and o.i_ready[0]:
            i.i_valid[0] = 0
            flits.pop(0)
        sent += i.control_valid[0] and o.control_ready[0]
        if i.o_ready[0]:
            marks = o.o_payload_control[0].tobytes()
            for k in range(link.words_per_cycle):
                words.append((o.o_payload_data[0, k].tobytes(), marks[k]))
    return words


def header_check(message: bytes) -> int:
    """Bit by bit, the lowest of a byte first: x^8 + x^5 + x^3 + x^2 + x + 1, preset to ones."""
    register = 0xFF  # the highest power in bit 7
    for byte in message:
        for n in range(8):
            feedback = (register >> 7) ^ (byte >> n & 1)
            register = (register << 1 & 0xFF) ^ (0x2F if feedback else 0)
    return int(f"{register:08b}"[::-1], 2)


def decode(link, words):
    """Frames, and the places and numbers of control words; all between them is idle or fill."""
    frames, controls, inside, start = [], [], b"", -1
    for n, (data, control) in enumerate(words):
        if start < 0 and control == 1 and data[0] == 0xFB:
            inside, start = data, n
        elif control == 1 and data[0] == 0x5C and data[1]:
            assert start < 0 or len(inside) >= 256
            controls.append((n, int.from_bytes(data[5:7], "little")))
        elif start < 0:
            assert (data, control) == IDLES
        elif (data, control) != FILLS:
            end = 8 if control == 0 else f"{control:08b}"[::-1].index("1")
            inside += data[:end]
            if control:
                assert control == 0xFF << end & 0xFF
                assert data[end:] == bytes([0xFD, *(7 - end) * [7]])
                frames.append(parse(inside, start))
                inside, start = b"", -1
    assert start < 0
    places = [place for place, _ in controls]
    assert all(np.diff(places) >= link.words_per_cycle)
    return frames, controls


def parse(inside: bytes, start: int) -> Frame:
    """The frame of these bytes, terminate left out."""
    preamble, packet, check = inside[:8], inside[8:-4], int.from_bytes(inside[-4:], "little")
    assert preamble[5] == header_check(preamble[7:] + packet[:8] + preamble[1:5])
    assert preamble[6] == 0x55 and preamble[7] in (0xDD, 0xD5) and preamble[4] & 15 == 0
    poison = check != zlib.crc32(packet)
    assert check == zlib.crc32(packet) ^ (0xFFFFFFFF if poison else 0)
    sequence = preamble[2] << 12 | preamble[3] << 4 | preamble[4] >> 4
    return Frame(packet, poison, preamble[7] == 0xDD, sequence, preamble[1], start)


def sizes_of(link) -> list[int]:
    """Smallest and largest, and all around whole flits."""
    whole = range(0, link.max_packet_bytes + 1, max(link.flit_bytes, link.max_packet_bytes // 8))
    sizes = {size + k for size in whole for k in range(-9, 10)}
    sizes |= set(range(link.min_packet_bytes, link.min_packet_bytes + 2 * link.flit_bytes))
    return [s for s in sorted(sizes) if link.min_packet_bytes <= s <= link.max_packet_bytes]


@pytest.mark.parametrize("link", LINKS, ids=name)
@pytest.mark.parametrize("load, ready", [(1.0, 0.6), (0.5, 0.9)])
def test_every_size_is_decoded(link, load, ready):
    frames = frames_of(sizes_of(link))
    words = transmit(link, frames, load=load, ready=ready, controls=50)
    found, controls = decode(link, words)
    assert [replace(frame, start=0) for frame in found] == frames
    assert [number for _, number in controls] == list(range(50))


@pytest.mark.parametrize("link", LINKS, ids=name)
def test_every_word_of_the_line_is_used(link):
    """Frames of each size one behind the other: each begins right behind the one before."""
    sizes = {link.min_packet_bytes, link.flit_bytes, 3 * link.flit_bytes + 1, link.max_packet_bytes}
    sizes |= {link.flit_bytes + 1, 65, 2 * link.flit_bytes + 1, 2 * link.flit_bytes - 4}
    for size in sorted(sizes):
        if link.min_packet_bytes <= size <= link.max_packet_bytes:
            found, _ = decode(link, transmit(link, frames_of(20 * [size])))
            starts = [frame.start for frame in found]
            assert np.diff(starts).tolist() == 19 * [frame_words(size)], size
    rng = np.random.default_rng(3)
    sizes = rng.integers(link.min_packet_bytes, link.max_packet_bytes + 1, 60).tolist()
    starts = [frame.start for frame in decode(link, transmit(link, frames_of(sizes)))[0]]
    assert np.diff(starts).tolist() == [frame_words(size) for size in sizes[:-1]]


@pytest.mark.parametrize("link", LINKS, ids=name)
def test_control_word_costs_one_word_and_is_not_late(link):
    """The line is full of frames, and a control word always waits."""
    size = min(link.max_packet_bytes, 1500)
    found, controls = decode(link, transmit(link, frames_of(20 * [size]), controls=10**9))
    starts = [frame.start for frame in found]
    places = [place for place, _ in controls]
    between = [sum(a <= place < b for place in places) for a, b in pairwise(starts)]
    assert np.diff(starts).tolist() == [frame_words(size) + count for count in between]
    quiet = -(-248 // link.flit_bytes)
    flits = -(-size // link.flit_bytes)
    assert all(count == 1 + max(0, flits - quiet) for count in between)


def test_idle_line_takes_a_control_word_every_second_cycle():
    _, controls = decode(LINKS[2], transmit(LINKS[2], [], controls=10**9))
    assert set(np.diff([place for place, _ in controls])) == {10}


def test_rtl_latency_is_one_cycle():
    dut = Framer(link_of(NODE))

    async def bench(ctx):
        ctx.set(dut.o.ready, 1)
        ctx.set(dut.i.valid, 1)
        ctx.set(dut.i.payload.count, NODE.flit_bytes - 1)
        assert ctx.get(dut.i.ready) and ctx.get(dut.o.valid)
        assert ctx.get(dut.o.payload.control) == (1 << 40) - 1  # idle
        await ctx.tick()
        assert ctx.get(dut.o.payload.data) & 0xFF == 0xFB
        assert ctx.get(dut.o.payload.control) == 1

    simulator = Simulator(dut)
    simulator.add_clock(1e-9)
    simulator.add_testbench(bench)
    simulator.run()


@pytest.mark.verilator
@pytest.mark.parametrize("link", LINKS, ids=name)
def test_rtl_matches_model(link):
    run_bench("link_framer", Framer(link), link)
