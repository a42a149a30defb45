"""The deframer: what was sent comes back, and nothing else, whatever the line does."""

# amaranth: UnusedElaboratable=no
from dataclasses import dataclass

import numpy as np
import pytest
from amaranth.sim import Simulator

from models.link.deframer import DeframerModel
from rtl.link.deframer import Deframer
from sim.verilator import run_bench
from tests.test_link_framer import LINKS, Frame, frames_of, name, sizes_of, transmit

IDLES = bytes(8 * [7])


@dataclass
class Received:
    frame: Frame
    check: int = 1
    bad: int = 0


def line_of(link, frames, **how) -> tuple[bytearray, bytearray]:
    """Bytes and control bits of :func:`transmit`."""
    words = transmit(link, frames, **how)
    return bytearray(b"".join(data for data, _ in words)), bytearray(marks for _, marks in words)


def receive(link, data, marks, *, offset=0, down=-1):
    """Frames that the model finds behind ``offset`` idle words, and the events it counts.

    In cycle ``down`` the PCS is, before the words of that cycle come.

    First and last alternate; what is constant in a frame is.
    """
    model, per_cycle = DeframerModel(link), link.words_per_cycle
    data, marks = offset * IDLES + data, offset * b"\xff" + marks
    idle = (-len(marks) % per_cycle) + 8 * per_cycle
    data, marks = data + idle * IDLES, marks + idle * b"\xff"
    words = np.frombuffer(data, np.int64).reshape(-1, per_cycle)
    bits = np.zeros((len(words), 8 * model.inputs.i_words_control.shape[1]), np.uint8)
    bits[:, :per_cycle] = np.frombuffer(marks, np.uint8).reshape(-1, per_cycle)
    bits = bits.view(np.int64)
    frames, events = [], {"control": 0, "malformed": 0, "overrun": 0}
    fields, packet = None, b""
    model.inputs.i_valid[0] = 1
    for k in range(len(words)):
        if k == down:
            model.inputs.up[0] = 0
            assert not model.step().o_valid[0]
            model.inputs.up[0] = 1
        model.inputs.i_words_data[0], model.inputs.i_words_control[0] = words[k], bits[k]
        o = model.step()
        events["control"] += int(o.control_valid[0])
        events["malformed"] += int(o.malformed[0])
        events["overrun"] += int(o.overrun[0])
        if not o.o_valid[0]:
            continue
        assert o.o_payload_first[0] == (fields is None)
        shown = {
            field: int(getattr(o, f"o_payload_{field}")[0])
            for field in ("llr", "sequence", "channel", "check")
        }
        fields = fields or shown
        assert fields == shown
        packet += o.o_payload_data[0].tobytes()[: o.o_payload_count[0] + 1]
        bad, poison = bool(o.o_payload_bad[0]), bool(o.o_payload_poison[0])
        if o.o_payload_last[0]:
            check = fields.pop("check")
            frames.append(Received(Frame(packet, poison, **fields), check, bad))
            fields, packet = None, b""
        else:
            assert not bad and not poison
    return frames, events


@pytest.mark.parametrize("link", LINKS, ids=name)
@pytest.mark.parametrize("load", [1.0, 0.5])
def test_what_the_framer_sends_comes_back(link, load):
    frames = frames_of(sizes_of(link))
    data, marks = line_of(link, frames, load=load, controls=30)
    found, events = receive(link, data, marks, offset=1)
    assert found == [Received(frame) for frame in frames]
    assert events == {"control": 30, "malformed": 0, "overrun": 0}


@pytest.mark.parametrize("link", LINKS, ids=name)
def test_frame_does_not_go_on_as_another_behind_a_pcs_that_was_down(link):
    """Of the same header: with the rest of another frame behind it, the CRC would be right."""
    size = max(2 * link.flit_bytes, link.min_packet_bytes)
    packets = (bytes(range(8)) + bytes([n]) * (size - 8) for n in (1, 2))
    one, other = (Frame(packet, sequence=n) for n, packet in enumerate(packets))
    first, second = (line_of(link, [frame]) for frame in (one, other))
    at = first[1].index(1) + 2  # behind the preamble and the header
    data, marks = first[0][: 8 * at] + second[0][8 * at :], first[1][:at] + second[1][at:]
    offset = -at % link.words_per_cycle
    down = (offset + at) // link.words_per_cycle
    mixed = Received(Frame(other.packet, sequence=one.sequence))
    assert receive(link, data, marks, offset=offset)[0] == [mixed]
    found, events = receive(link, data, marks, offset=offset, down=down)
    assert [frame.bad for frame in found] == [1] and events["malformed"] == 0
    # Nor behind idles, which are not between the words of a frame.
    data, marks = data[: 8 * at] + IDLES + data[8 * at :], marks[:at] + b"\xff" + marks[at:]
    for offset in range(link.words_per_cycle):
        found, events = receive(link, data, marks, offset=offset)
        assert [frame.bad for frame in found] == [1] and events["malformed"] == 0


@pytest.mark.parametrize("link", LINKS, ids=name)
def test_full_line_does_not_overrun(link):
    """Frames of one size one behind the other, in every alignment; and of any size."""
    flit = link.flit_bytes
    sizes = {link.min_packet_bytes, flit, flit + 1, 65, 2 * flit - 4, 2 * flit + 1, 3 * flit + 1}
    lines = [20 * [s] for s in sorted(sizes) if link.min_packet_bytes <= s <= link.max_packet_bytes]
    least, most = link.min_packet_bytes, min(link.max_packet_bytes, 3 * flit + 64)
    lines.append(np.random.default_rng(4).integers(least, most + 1, 200).tolist())
    for line in lines:
        frames = frames_of(line)
        data, marks = line_of(link, frames)
        for offset in range(link.words_per_cycle):
            found, events = receive(link, data, marks, offset=offset)
            assert found == [Received(frame) for frame in frames] and not events["overrun"]


def flip(data: bytearray, place: int, pattern: int) -> bytearray:
    """``data`` with the bits of ``pattern`` inverted, from bit ``place``."""
    number = int.from_bytes(data[place // 8 : place // 8 + 8], "little") ^ pattern << place % 8
    return data[: place // 8] + number.to_bytes(8, "little") + data[place // 8 + 8 :]


def test_no_burst_of_eight_bits_passes_the_header_check():
    """Each burst in the preamble, behind its first byte, and in the header."""
    link = LINKS[2]
    sent = Frame(np.random.default_rng(5).bytes(64), sequence=0x9A5C3, channel=21)
    data, marks = line_of(link, [sent])
    start = marks.index(1)
    line, controls, count = bytearray(), bytearray(), 0
    for place in range(8, 128):
        for pattern in range(1, 256, 2):
            if place + pattern.bit_length() <= 128:
                line += flip(data[8 * start : 8 * start + 80], place, pattern)
                controls += marks[start : start + 10]
                count += 1
    found, _ = receive(link, line, controls)
    assert len(found) == count > 14_000
    assert all(frame.bad and not frame.check for frame in found)


@pytest.mark.parametrize("link", LINKS, ids=name)
def test_no_burst_makes_a_good_frame_of_other_bytes(link):
    """Bursts of up to 32 bits anywhere; up to 8 bits do not give a wrong header or number."""
    rng = np.random.default_rng(6)
    sizes = rng.integers(link.min_packet_bytes, min(link.max_packet_bytes, 300) + 1, 1500)
    frames = frames_of(sizes.tolist())
    data, marks = line_of(link, frames)
    sent = {frame.packet: frame for frame in frames}
    by_header = {(f.packet[:8], f.sequence, f.channel, f.llr) for f in frames}
    for most in (8, 32):
        line, flips = bytearray(data), 0
        for place in range(0, 8 * len(data) - 1600, 1600):  # about every second frame
            length = int(rng.integers(1, most + 1))
            pattern = 1 | int(rng.integers(1 << length)) | 1 << length - 1
            at = (place + int(rng.integers(1500))) // 8
            number = int.from_bytes(line[at : at + 8], "little") ^ pattern << int(rng.integers(8))
            line[at : at + 8] = number.to_bytes(8, "little")
            flips += 1
        found, _ = receive(link, line, marks)
        good = [received.frame for received in found if not received.bad]
        assert flips > 100 and len(frames) // 10 < len(good) < len(frames)
        for frame in good:
            assert frame.packet in sent and sent[frame.packet].poison == frame.poison
        if most == 8:
            assert all(sent[frame.packet] == frame for frame in good)
            for frame in (received.frame for received in found if received.check):
                header = frame.packet[:8], frame.sequence, frame.channel, frame.llr
                assert header in by_header


@pytest.mark.parametrize("link", LINKS, ids=name)
def test_nothing_hangs_on_random_words(link):
    """Then frames come through again."""
    rng = np.random.default_rng(7)
    count = 4000
    characters = np.array([0x07, 0xFB, 0xFD, 0xFE, 0x5C, 0x9C, 0x55, 0x00], np.uint8)
    noise = rng.choice(characters, (count, 8))
    kinds = rng.choice(np.array([0, 1, 0xFF, 0xF0, 0x80, 0x3C], np.uint8), count)
    data, marks = line_of(link, frames_of([link.max_packet_bytes]))
    frames, events = receive(link, noise.tobytes() + bytes(data), kinds.tobytes() + bytes(marks))
    assert all(frame.bad for frame in frames[:-1]) and not frames[-1].bad
    assert len(frames) > 50 and events["malformed"] > 50 and events["control"] > 5
    assert (events["overrun"] > 0) == (link.words_per_cycle > 1)


def words_of(*words: tuple[str, int]) -> tuple[bytes, bytes]:
    """Words written as hexadecimal bytes, with their control bits."""
    return b"".join(bytes.fromhex(text) for text, _ in words), bytes(c for _, c in words)


def test_ways_in_which_a_frame_is_cut():
    link = LINKS[0].with_(min_packet_bytes=16, max_packet_bytes=20)
    good, marks = line_of(link, [Frame(bytes(range(16)))])
    first = marks.index(1)
    good, marks = good[8 * first : 8 * first + 32], marks[first : first + 4]
    start, end = (good[:8], marks[:1]), (good[24:], marks[3:])
    body = good[8:24], marks[1:3]

    def sizes(*parts):
        line = b"".join(bytes(part[0]) for part in parts)
        return [
            (len(received.frame.packet), received.bad)
            for received in receive(link, line, b"".join(bytes(part[1]) for part in parts))[0]
        ]

    stop = words_of(("07fdfe5cfb550000", 0xFF))  # no word that there is
    assert sizes(start, body, end) == [(16, 0)]
    assert sizes(start, body, start, body, end) == [(16, 1), (16, 0)]
    assert sizes(start, start, body, end) == [(8, 1), (16, 0)]
    assert sizes(end, body, start, body, end) == [(16, 0)]
    assert sizes(start, end, body, end, start, body, end) == [(8, 1), (16, 0)]  # less than a CRC
    assert sizes(start, body, stop, body, end, start, body, end) == [(16, 1), (16, 0)]
    assert sizes(start, body, body, body, end, start, body, end) == [(24, 1), (16, 0)]  # too long
    assert sizes(start, (body[0][:8], marks[1:2]), end)[0][1]  # too short


def test_two_control_words_in_a_cycle_are_reported():
    link = LINKS[2]
    one, two = (bytes([0x5C, kind, *6 * [kind]]) for kind in (1, 0x77))
    fill = bytes([0x5C, *7 * [0]])
    for words, malformed, kind in (
        ([one, fill, two], 1, 0x77),
        ([two, fill], 0, 0x77),
        ([fill, fill], 0, None),
    ):
        model = DeframerModel(link)
        model.inputs.i_valid[0] = 1
        model.inputs.i_words_data[0, : len(words)] = np.frombuffer(b"".join(words), np.int64)
        model.inputs.i_words_data[0, len(words) :] = np.frombuffer(IDLES, np.int64)
        marks = b"\x01" * len(words) + b"\xff" * (5 - len(words))
        model.inputs.i_words_control[0, 0] = int.from_bytes(marks, "little")
        model.step()
        o = model.step()
        assert o.malformed[0] == malformed and o.control_valid[0] == (kind is not None)
        assert kind is None or o.control_payload_type[0] == kind


def test_rtl_latency_is_three_cycles():
    dut = Deframer(LINKS[2])
    data, marks = line_of(LINKS[2], [Frame(bytes(range(64)))])
    first = marks.index(1)

    async def bench(ctx):
        ctx.set(dut.i.valid, 1)
        for cycle in range(2):
            at = first + 5 * cycle
            ctx.set(dut.i.words.data, int.from_bytes(data[8 * at : 8 * at + 40], "little"))
            ctx.set(dut.i.words.control, int.from_bytes(marks[at : at + 5], "little"))
            await ctx.tick()
        ctx.set(dut.i.valid, 0)
        for _ in range(2):
            assert not ctx.get(dut.o.valid)
            await ctx.tick()
        assert ctx.get(dut.o.valid) and ctx.get(dut.o.payload.last)
        assert ctx.get(dut.o.payload.check) and not ctx.get(dut.o.payload.bad)
        assert ctx.get(dut.o.payload.data) == int.from_bytes(bytes(range(64)), "little")

    simulator = Simulator(dut)
    simulator.add_clock(1e-9)
    simulator.add_testbench(bench)
    simulator.run()


@pytest.mark.verilator
@pytest.mark.parametrize("link", LINKS, ids=name)
def test_rtl_matches_model(link):
    run_bench("link_deframer", Deframer(link), link)
