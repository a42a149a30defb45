"""cocotb bench of rtl.serdes.pcs: lockstep on a line to itself, and what is sent comes back."""

import os
from collections import deque

import cocotb
import numpy as np

from models.config import TINY
from models.link.config import link_of
from models.link.wire import IDLE, ORDERED_SET, START, TERMINATE
from models.serdes.config import WORD_BITS
from models.serdes.pcs import PcsModel
from rtl.serdes.pcs import Pcs
from verif.coverage import Coverage
from verif.lockstep import Lockstep, bench_lane

CYCLES = int(os.environ.get("BENCH_CYCLES", "5000"))
IDLES = (int.from_bytes(bytes([IDLE] * 8), "little"), 0xFF)
Word = tuple[int, int]  # data, control bits


class Sender:
    """Frames, control words and idles."""

    def __init__(self, rng: np.random.Generator):
        self.rng = rng
        self.words: deque[Word] = deque()

    def word(self) -> Word:
        """The next one."""
        rng = self.rng
        if not self.words:
            match rng.integers(3):
                case 0:
                    self.words.append(IDLES)
                case 1:  # D4 with its lower half zero
                    body = bytearray(rng.bytes(8))
                    body[0], body[4] = ORDERED_SET, body[4] & 0xF0
                    self.words.append((int.from_bytes(body, "little"), 1))
                case _:
                    first = bytes([START]) + rng.bytes(7)
                    self.words.append((int.from_bytes(first, "little"), 1))
                    for _ in range(rng.integers(8)):
                        self.words.append((int.from_bytes(rng.bytes(8), "little"), 0))
                    size = int(rng.integers(8))
                    last = rng.bytes(size) + bytes([TERMINATE]) + bytes([IDLE] * (7 - size))
                    marks = 0xFF & ~((1 << size) - 1)
                    self.words.append((int.from_bytes(last, "little"), marks))
        return self.words.popleft()


class Line:
    """Bits from ``tx`` to ``rx``, some words later and with blocks that begin anywhere."""

    def __init__(self, rng: np.random.Generator):
        self.rng = rng
        self.past, self.words = 0, 4
        self.begin()

    def begin(self) -> None:
        """Blocks begin in another place."""
        self.offset = int(self.rng.integers(WORD_BITS * (self.words - 1)))

    def pass_on(self, tx: int, error_rate: float) -> int:
        """The next word for ``rx``."""
        self.past = (self.past >> WORD_BITS) | tx << WORD_BITS * (self.words - 1)
        word = self.past >> self.offset & (1 << WORD_BITS) - 1
        for _ in range(self.rng.binomial(WORD_BITS, error_rate)):
            word ^= 1 << int(self.rng.integers(WORD_BITS))
        return word


def unsigned(number: np.int64) -> int:
    return int(number) & (1 << 64) - 1


@cocotb.test()
async def matches_model(dut) -> None:
    lane, link = bench_lane(), link_of(TINY)
    rng = np.random.default_rng(cocotb.RANDOM_SEED)
    bench = Lockstep(dut, Pcs(lane, link), PcsModel(lane, link))
    i, o = bench.model.inputs, bench.model.outputs
    await bench.reset()
    sender, line = Sender(rng), Line(rng)
    goals = {"up": 4, "errors": 20, "high": 1, "slipped": 2, "no signal": 2, "came back": 500}
    seen = Coverage(goals)
    sent: deque[Word] = deque()  # that were taken and have not come back, idles left out
    word, quiet, up = sender.word(), 0, False  # quiet: cycles since the line was last disturbed
    error_rate, signal, tx = 0.0, True, 0
    for cycle in seen.steps(CYCLES):
        phase = cycle % 1000
        if phase == 300:  # a disturbance, long enough for a window of the BER monitor
            kind = rng.choice(["errors", "slipped", "no signal", "high"])
            seen[kind] += kind in ("slipped", "no signal")
            if kind == "slipped":
                line.begin()
            error_rate = {"errors": 1e-3, "high": 0.06}.get(kind, 0.0)
            signal = kind != "no signal"
        elif phase == 620:
            error_rate, signal = 0.0, True
        disturbed = error_rate > 0 or not signal or phase == 300
        quiet = 0 if disturbed else quiet + 1

        i.i_valid[0] = rng.random() < 0.9
        i.i_payload_data[0, 0] = np.array(word[0], dtype=np.uint64).view(np.int64)
        i.i_payload_control[0] = word[1]
        i.rx[0, 0] = np.array(line.pass_on(tx, error_rate), dtype=np.uint64).view(np.int64)
        i.signal_ok[0] = signal
        await bench.step()
        tx = unsigned(o.tx[0, 0])

        # After a while without a disturbance what comes back is what was sent, all of it.
        came = unsigned(o.o_words_data[0, 0]), int(o.o_words_control[0, 0])
        seen["up"] += bool(o.up[0]) and not up
        seen["high"] += bool(o.block_lock[0] and o.hi_ber[0])
        up = bool(o.up[0])
        if up and o.o_valid[0]:
            seen["errors"] += came[0] == 0xFEFEFEFEFEFEFEFE
            # Words that are alike do not tell where in what was sent it is.
            finds = seen["in step"] or sent.count(came) == 1
            if quiet > 100 and came != IDLES and finds:
                while sent and sent[0] != came:  # sent while the line was disturbed
                    assert seen["in step"] == 0, f"cycle {cycle}: lost {sent[0]}"
                    sent.popleft()
                assert sent, f"cycle {cycle}: {came} was never sent"
                sent.popleft()
                seen["came back"] += 1
                seen["in step"] = 1
        if not up or quiet <= 100:
            seen["in step"] = 0
        if o.i_ready[0] and i.i_valid[0]:
            if word != IDLES:
                sent.append(word)
            word = sender.word()
