"""cocotb bench of rtl.link.retry_sender: lockstep with the golden model, a partner with whims."""

import os
from collections import Counter

import cocotb
import numpy as np

from models.link.config import DownPolicy, LinkConfig, SenderState
from models.link.retry_sender import EVENTS, RetrySenderModel
from models.link.wire import SEQUENCE_BITS
from rtl.link.retry_sender import RetrySender
from verif.coverage import Coverage
from verif.lockstep import Lockstep, bench_link

CYCLES = int(os.environ.get("BENCH_CYCLES", "8000"))
UP, QUIET, DOWN = 1300, 1600, 2400  # cycles: answered, then not, then switched off
ANSWERED = 400  # cycle from which on an INIT may be answered
NUMBERS = 1 << SEQUENCE_BITS
UNDER_WAY = "NACK of the frame under way and of no other"


class Packets:
    """Packets of random sizes; the same flit is offered until it is taken."""

    def __init__(self, config: LinkConfig, rng: np.random.Generator, load: float):
        self.config, self.rng, self.load = config, rng, load
        self.left = 0

    def offer(self, i, taken: bool) -> None:
        """A flit, or none, onto ``i``."""
        config, rng = self.config, self.rng
        if i.i_valid[0] and not taken:
            return
        i.i_valid[0] = rng.random() < self.load
        if not i.i_valid[0]:
            return
        if self.left == 0:
            long = (
                config.max_packet_flits if rng.random() < 0.3 else min(3, config.max_packet_flits)
            )
            self.left = int(rng.integers(1, long + 1))
        i.channel[0] = rng.integers(0, 64)  # counts with the first flit only
        self.left -= 1
        last = self.left == 0
        size = int(rng.integers(1, config.flit_bytes + 1)) if last else config.flit_bytes
        i.i_payload_keep[0, 0] = -1 if size == 64 else (1 << size) - 1
        i.i_payload_last[0] = last
        i.i_payload_user[0] = rng.integers(0, 4) if last else 0
        i.i_payload_data[0, :] = rng.integers(-(1 << 63), 1 << 63, config.words)


class Partner:
    """What may come from the other end: mostly right, and about frames that were sent."""

    def __init__(self, rng: np.random.Generator, errors: float):
        self.rng, self.errors = rng, errors
        self.sent, self.asked = 0, (0, 0)

    def watch(self, outputs, i) -> None:
        """Look at the frames and INITs that go out."""
        if outputs.o_valid[0] and i.o_ready[0] and outputs.o_payload_last[0]:
            self.sent = int(outputs.o_payload_sequence[0])
        if outputs.init_valid[0] and i.init_ready[0]:
            self.asked = int(outputs.init_payload_sequence[0]), int(outputs.init_payload_value[0])

    def answer(self, i) -> None:
        """Words for the next cycle."""
        rng = self.rng
        i.ack_valid[0] = rng.random() < 0.1
        i.nack_valid[0] = rng.random() < self.errors
        for name in ("ack", "nack"):
            wrong = rng.random() < 0.1
            # Ahead, too: frames that are just being taken, or not yet.
            back = rng.integers(0, NUMBERS) if wrong else rng.integers(-2, 3)
            getattr(i, f"{name}_sequence")[0] = (self.sent - int(back)) % NUMBERS
        self.echo(i, rng.random() < 0.1)
        i.init_echo_sequence[0] ^= rng.random() < 0.2
        i.init_echo_value[0] ^= rng.random() < 0.2

    def echo(self, i, valid: bool) -> None:
        """The answer to the last INIT."""
        i.init_echo_valid[0] = valid
        i.init_echo_sequence[0], i.init_echo_value[0] = self.asked


@cocotb.test()
@cocotb.parametrize(errors=[0.002, 0.06], load=[0.5, 1.0], ready=[0.5, 1.0])
async def matches_model(dut, errors: float, load: float, ready: float) -> None:
    config = bench_link()
    rng = np.random.default_rng(cocotb.RANDOM_SEED)
    model = RetrySenderModel(config)
    bench = Lockstep(dut, RetrySender(config), model)
    await bench.reset()

    i, packets, partner = model.inputs, Packets(config, rng, load), Partner(rng, errors)
    goals = [*EVENTS, *([UNDER_WAY] if errors > 0.01 else [])]
    seen, states, flits, taken, silent = Coverage(goals), Counter(), 0, False, 0
    i.pcs_up[0], i.policy[0] = 1, DownPolicy.DISCARD
    for cycle in seen.steps(CYCLES):
        packets.offer(i, taken)
        partner.answer(i)
        if cycle < ANSWERED:  # until then packets are discarded
            i.init_echo_valid[0] = 0
        silent = max(0, silent - 1)
        if rng.random() < 0.003:
            silent = int(rng.integers(0, 2 * config.replay_timer_cycles))
        if silent:  # nothing comes: timers run
            i.ack_valid[0] = i.nack_valid[0] = i.init_echo_valid[0] = 0
        i.o_ready[0], i.init_ready[0] = rng.random() < ready, rng.random() < 0.5
        i.enable[0] = rng.random() < (0.999 if i.enable[0] else 0.05)
        i.pcs_up[0] = rng.random() < (0.998 if i.pcs_up[0] else 0.01)
        i.reconfigure[0] = rng.random() < (0.9 if i.reconfigure[0] else 0.002)
        if cycle >= ANSWERED and rng.random() < 0.03:
            i.policy[0] = rng.integers(0, 4)
        if UP <= cycle < DOWN:  # once in each case for certain: a NACK, and frames given up
            i.enable[0], i.pcs_up[0], i.reconfigure[0] = 1, 1, 0
            partner.echo(i, cycle < QUIET)
            i.ack_valid[0], i.nack_valid[0] = 0, cycle == QUIET
        elif DOWN <= cycle < DOWN + 300:
            i.enable[0] = 0
        s = model.state
        alone = s.in_frame[0] and s.next[0] == s.oldest[0] and s.state[0] == SenderState.ADVANCE
        seen[UNDER_WAY] += int(alone and s.nacked[0])
        outputs = await bench.step()
        taken = bool(i.i_valid[0] and outputs.i_ready[0])
        partner.watch(outputs, i)
        for name in EVENTS:
            seen[name] += int(getattr(outputs, name)[0])
        states[int(outputs.state[0])] += 1
        flits += int(outputs.o_valid[0] and i.o_ready[0])
    assert set(states) == set(SenderState) and flits > 0.05 * CYCLES, (states, flits)
