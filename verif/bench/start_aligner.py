"""cocotb bench of rtl.serdes.start_aligner: lockstep, and frames come out whole, each in byte 0."""

import os
from collections import deque

import cocotb
import numpy as np

from models.link.wire import IDLE, START, TERMINATE
from models.serdes.start_aligner import StartAlignerModel
from rtl.serdes.start_aligner import StartAligner
from verif.coverage import Coverage
from verif.lockstep import Lockstep, bench_link

CYCLES = int(os.environ.get("BENCH_CYCLES", "2000"))
Character = tuple[int, int]  # a byte, and whether it is a control character


class Partner:
    """Frames of random lengths, begun in byte 0 or 4, with gaps as short as they may be."""

    def __init__(self, rng: np.random.Generator):
        self.rng = rng
        self.line: deque[Character] = deque()
        self.sent = 0  # characters

    def word(self) -> list[Character]:
        """The next eight characters."""
        while len(self.line) < 8:
            frame = self.rng.integers(0, 256, self.rng.integers(8, 40)).tolist()
            self.line += [(START, 1), *((byte, 0) for byte in frame), (TERMINATE, 1)]
            # The terminate counts: five at least, and up to the next half word.
            gap = int(self.rng.choice([4, 4, 8, 20]))
            end = self.sent + len(self.line) + gap
            self.line += [(IDLE, 1)] * (gap + -end % 4)
        self.sent += 8
        return [self.line.popleft() for _ in range(8)]


class Frames:
    """Frames among characters, each with the place of its start in a word."""

    def __init__(self):
        self.whole: list[tuple[int, list[int]]] = []
        self.open: tuple[int, list[int]] | None = None

    def take(self, place: int, character: Character) -> None:
        byte, control = character
        if control and byte == START:
            assert self.open is None
            self.open = place, []
        elif control and byte == TERMINATE and self.open:
            self.whole.append(self.open)
            self.open = None
        elif self.open:
            assert not control
            self.open[1].append(byte)


def characters(data: np.int64, control: int) -> list[Character]:
    """Those of a word."""
    return [(int(data) >> 8 * k & 255, control >> k & 1) for k in range(8)]


@cocotb.test()
async def matches_model(dut) -> None:
    """Frames of a partner that keeps the rules."""
    config = bench_link()
    rng = np.random.default_rng(cocotb.RANDOM_SEED)
    bench = Lockstep(dut, StartAligner(config), StartAlignerModel(config))
    i, o = bench.model.inputs, bench.model.outputs
    await bench.reset()
    partner, sent, came = Partner(rng), Frames(), Frames()
    seen = Coverage({"in byte 0": 20, "in byte 4": 20, "whole": 40})
    for _ in seen.steps(CYCLES):
        i.i_valid[0] = rng.random() < 0.8
        if i.i_valid[0]:
            i.i_words_control[:] = 0
            for k in range(config.words_per_cycle):
                word = partner.word()
                data = sum(byte << 8 * n for n, (byte, _) in enumerate(word))
                control = sum(mark << n for n, (_, mark) in enumerate(word))
                i.i_words_data[0, k] = np.uint64(data).astype(np.int64)
                i.i_words_control[0, k // 8] |= np.int64(control) << 8 * (k % 8)
                for place, character in enumerate(word):
                    seen[f"in byte {place}"] += character == (START, 1)
                    sent.take(place, character)
        await bench.step()
        if o.o_valid[0]:
            for k in range(config.words_per_cycle):
                control = int(o.o_words_control[0, k // 8]) >> 8 * (k % 8) & 255
                for place, character in enumerate(characters(o.o_words_data[0, k], control)):
                    came.take(place, character)
            seen["whole"] = len(came.whole)
        assert all(place == 0 for place, _ in came.whole)
        assert [frame for _, frame in came.whole] == [
            frame for _, frame in sent.whole[: len(came.whole)]
        ]
    assert len(sent.whole) - len(came.whole) <= config.words_per_cycle + 1


@cocotb.test()
async def noise_matches_model(dut) -> None:
    """Starts anywhere, control characters anywhere."""
    config = bench_link()
    rng = np.random.default_rng(cocotb.RANDOM_SEED)
    bench = Lockstep(dut, StartAligner(config), StartAlignerModel(config))
    i = bench.model.inputs
    await bench.reset()
    for _ in range(CYCLES // 2):
        i.i_valid[0] = rng.random() < 0.8
        i.i_words_control[:] = 0
        for k in range(config.words_per_cycle):
            word = rng.integers(0, 256, 8).astype(np.uint8)
            word[rng.random(8) < 0.3] = START
            i.i_words_data[0, k] = word.view(np.int64)[0]
            control = np.int64(rng.integers(0, 256))
            i.i_words_control[0, k // 8] |= control << 8 * (k % 8)
        await bench.step()
