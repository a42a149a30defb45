"""cocotb bench of rtl.link.deframer: lockstep with the golden model, on lines good and bad."""

import os
import zlib
from collections import deque

import cocotb
import numpy as np

from models.link.config import LinkConfig
from models.link.deframer import DeframerModel
from models.link.wire import frame_words
from rtl.link.deframer import Deframer
from verif.coverage import Coverage
from verif.lockstep import Lockstep, bench_link

CYCLES = int(os.environ.get("BENCH_CYCLES", "2000"))
IDLES, FILLS = (bytes(8 * [7]), 0xFF), (bytes([0x5C, *6 * [0], 6]), 1)


def header_check(message: bytes) -> int:
    """CRC-8 of polynomial 0x2F, each byte lowest bit first, preset to ones."""
    register = 0xFF
    for byte in message:
        register ^= byte
        for _ in range(8):
            register = register >> 1 ^ (0xF4 if register & 1 else 0)
    return register


class Line:
    """Words on a line, in frames and between them.

    With ``harm`` part of the frames are of wrong size, and any word may be lost, come twice, get a
    burst of errors, or give way to one that has no place there; but every other frame is short and
    whole, as of the long ones hardly any would be.
    """

    def __init__(self, config: LinkConfig, rng: np.random.Generator, longest: int, harm: float):
        self.config, self.rng, self.longest, self.harm = config, rng, longest, harm
        self.words: deque[tuple[bytes, int]] = deque()
        self.busy, self.since = True, 0

    def size(self, harm: float) -> int:
        rng, config = self.rng, self.config
        smallest, largest = config.min_packet_bytes, config.max_packet_bytes
        if rng.random() < harm:
            least = 0 if rng.random() < 0.5 else largest - 2
            return int(rng.integers(least, least + (12 if least else smallest + 8)))
        kind = rng.random()
        if kind < 0.3 or harm < self.harm:
            return smallest + int(rng.integers(min(16, largest + 1 - smallest)))
        if kind < 0.6:  # around whole flits
            flits = int(rng.integers(1, -(-self.longest // config.flit_bytes) + 1))
            around = flits * config.flit_bytes + int(rng.integers(-6, 7))
            return min(max(around, smallest), self.longest)
        return int(rng.integers(smallest, self.longest + 1))

    def cut(self, size: int) -> tuple[int, bool]:
        """What a switch may have left of a packet, in whole flits, and whether it did cut it."""
        flits = (self.config.min_packet_bytes - 1) // self.config.flit_bytes
        if not flits or self.rng.random() < 0.9:
            return size, False
        return int(self.rng.integers(1, flits + 1)) * self.config.flit_bytes, True

    def frame(self, harm: float) -> list[tuple[bytes, int]]:
        rng, (size, cut) = self.rng, self.cut(self.size(harm))
        packet = rng.bytes(size)
        sequence, sfd = int(rng.integers(1 << 20)), 0xDD if rng.random() < 0.7 else 0xD5
        numbers = bytes([rng.integers(32), sequence >> 12, sequence >> 4 & 255, sequence % 16 << 4])
        filler = 0x55
        if rng.random() < harm / 2:
            sfd = int(rng.integers(256))
        if rng.random() < harm / 4:
            filler = int(rng.integers(256))
        crc = zlib.crc32(packet) ^ (0xFFFFFFFF if cut or rng.random() < 0.3 else 0)
        inside = packet + crc.to_bytes(4, "little")
        # Of less than a header, too, it is over the bytes that stand where one would be.
        check = header_check(bytes([sfd]) + inside[:8].ljust(8, b"\0") + numbers)
        words = [(bytes([0xFB, *numbers, check, filler, sfd]), 1)]
        whole = len(inside) // 8
        words += [(inside[8 * k : 8 * k + 8], 0) for k in range(whole)]
        rest = inside[8 * whole :]
        words.append((rest + bytes([0xFD, *(7 - len(rest)) * [7]]), 0xFF << len(rest) & 0xFF))
        return words

    def control(self) -> tuple[bytes, int]:
        return bytes([0x5C, self.rng.integers(1, 256)]) + self.rng.bytes(6), 1

    def damaged(self, word: tuple[bytes, int]) -> list[tuple[bytes, int]]:
        rng, (data, control) = self.rng, word
        match rng.integers(9):
            case 0:  # a burst
                burst = int(rng.integers(1, 1 << rng.integers(1, 17))) << int(rng.integers(48))
                number = int.from_bytes(data, "little") ^ burst
                return [(number.to_bytes(8, "little"), control)]
            case 1:
                return [(data, int(rng.integers(256)))]
            case 2:
                return []
            case 3:
                return [word, word]
            case 4:
                return [(bytes(rng.choice([7, 0xFB, 0xFD, 0xFE, 0x5C, 0x9C], 8)), 0xFF), word]
            case 5:
                return [IDLES, word]
            case 6:  # ends, at once or at any place
                place = int(rng.integers(8))
                return [(data[:place] + bytes([0xFD, *(7 - place) * [7]]), 0xFF << place & 0xFF)]
            case 7:  # too close
                return [self.control(), self.control(), word]
            case _:
                return [(bytes([0xFB]) + rng.bytes(7), 1)] * int(rng.integers(1, 12))

    def refill(self) -> None:
        rng = self.rng
        if rng.random() < 0.03:
            self.busy = not self.busy
        if not self.busy and rng.random() < 0.7:
            self.words += [IDLES] * int(rng.integers(1, 20))
            return
        harm = self.harm * int(rng.integers(2))
        for word in self.frame(harm):
            self.since += 1
            if self.since > self.config.words_per_cycle and rng.random() < 0.05:
                self.words.append(self.control())
                self.since = 0
            if not self.busy and rng.random() < 0.1:
                self.words += [FILLS] * int(rng.integers(1, 12))
            harmed = rng.random() < harm / 16
            self.words += self.damaged(word) if harmed else [word]

    def next(self, i) -> None:
        """Put the words of a cycle on the inputs ``i``."""
        count = self.config.words_per_cycle
        while len(self.words) < count:
            self.refill()
        marks = bytearray(8 * i.i_words_control.shape[1])
        for k in range(count):
            data, marks[k] = self.words.popleft()
            i.i_words_data[0, k] = np.frombuffer(data, np.int64)[0]
        i.i_words_control[0] = np.frombuffer(marks, np.int64)


@cocotb.test()
@cocotb.parametrize(valid=[0.6, 1.0], harm=[0.0, 0.1, 0.5], long=[0, 1])
async def matches_model(dut, valid: float, harm: float, long: int) -> None:
    config = bench_link()
    rng = np.random.default_rng(cocotb.RANDOM_SEED)
    model = DeframerModel(config)
    bench = Lockstep(dut, Deframer(config), model)
    await bench.reset()

    smallest, largest = config.min_packet_bytes, config.max_packet_bytes
    longest = largest if long else min(largest, smallest + 2 * config.flit_bytes)
    line, i = Line(config, rng, longest, harm), model.inputs
    goals = {"good": 5, "poison": 1, "control": 1}
    if smallest > config.flit_bytes:
        goals |= {"short and poisoned": 1}
    if harm:
        goals |= {"down in a frame": 3}
        goals |= {"bad": 5, "bad check": 1, "malformed": 1, "cut in first flit": 1}
        if config.words_per_cycle > 1 and harm > 0.1:
            goals |= {"overrun": 1}
    seen, within, size = Coverage(goals), 0, 0
    falls = min(0.01, 0.2 * valid * config.words_per_cycle / frame_words(longest))  # of some frames
    for _ in seen.steps(CYCLES):
        i.up[0] = not harm or rng.random() < (1 - falls if i.up[0] else 0.3)
        seen["down in a frame"] += within and not i.up[0]
        i.i_valid[0] = rng.random() < valid
        line.next(i) if i.i_valid[0] else None
        o = await bench.step()
        seen["control"] += o.control_valid[0]
        seen["malformed"] += o.malformed[0]
        seen["overrun"] += o.overrun[0]
        if o.o_valid[0]:
            assert o.o_payload_first[0] != within
            size = size * within + int(o.o_payload_count[0]) + 1
            within = not o.o_payload_last[0]
            bad, poison = o.o_payload_bad[0], o.o_payload_poison[0]
            seen["good"] += o.o_payload_last[0] and not bad and not poison
            seen["poison"] += poison
            seen["short and poisoned"] += poison and size < smallest
            seen["bad"] += bad
            seen["bad check"] += not o.o_payload_check[0]
            seen["cut in first flit"] += o.o_payload_first[0] and bad
            assert not bad or (harm and not poison)
    assert harm or not (seen["overrun"] or seen["malformed"])
    dut._log.info("%s", dict(seen))
