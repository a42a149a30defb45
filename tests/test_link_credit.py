# amaranth: UnusedElaboratable=no
"""Both ends of credits together: models, what lies between them, and the proof."""

from collections import deque

import numpy as np
import pytest

from models.config import NODE
from models.link.config import LinkConfig, link_of
from models.link.credit_receiver import CreditReceiverModel
from models.link.credit_sender import CreditSenderModel
from models.link.wire import CREDIT_COUNTER_BITS, CREDIT_TIMER_BITS, credits_of
from sim.solver import prove
from verif.proof.link_credit import LinkCreditProof

LINK = link_of(NODE, name="NODE-4", channels=4)
NUMBERS = 1 << CREDIT_COUNTER_BITS
SIZES = [size + n for size in (64, 128, 256, 512, 1518, 2048, 4096) for n in (-1, 0, 1)]


class Rig:
    """A sender, a receiver with its buffer, and ``delay`` cycles of cable each way.

    Packets are offered in turn of channels that ``wanted`` names: those with ``permit``, or of all
    if not ``obedient``. Their flits come one by one, and leave the buffer in the same way, a flit
    in a cycle in which :meth:`step` is told so, but from no channel of ``blocked``; in cut-through,
    if ``early``. Of packets a part is lost on the way (``frame_loss``), refused (``refusal``), or
    comes as a broken copy first (``breakage``) whose replay follows. Every cycle it is checked that
    no more is in use than the limits allow, and no more stored than has credits, but for a copy.
    """

    def __init__(
        self,
        config: LinkConfig = LINK,
        *,
        limit: int,
        port_limit: int = NUMBERS - 1,
        delay: int = 30,
        seed: int = 1,
        size: int | None = None,
    ):
        self.config, self.limit, self.port_limit, self.delay = config, limit, port_limit, delay
        self.rng, self.size = np.random.default_rng(seed), size
        self.sender, self.receiver = CreditSenderModel(config), CreditReceiverModel(config)
        channels = range(config.channels)
        self.wanted, self.blocked, self.obedient = set(channels), set(), True
        self.frame_loss = self.update_loss = self.refusal = self.breakage = 0.0
        self.early, self.coming, self.fate = True, deque(), ""  # flits of the packet that comes
        self.copies = self.refused = 0
        self.forward, self.back = deque(), deque()
        self.buffer = [0 for _ in channels]  # flits
        self.received = [0 for _ in channels]  # flits that have left the buffer
        self.packet, self.turn, self.drain_turn, self.cycle, self.lost = None, 0, 0, 0, 0
        self.report, self.told = [], deque()
        self.events = {"excess": 0, "overrun": 0, "underrun": 0, "healed": 0}
        s, r = self.sender.inputs, self.receiver.inputs
        s.lossless[0], s.port_limit[0] = (1 << config.channels) - 1, port_limit
        s.consumed_ready[0] = r.update_ready[0] = s.o_ready[0] = 1
        s.report_cycles[0], r.update_cycles[0], r.refresh_cycles[0] = 2000, 100, 500
        for side in s, r:
            for c in channels:
                side.limit_valid[0], side.limit_channel[0], side.limit_limit[0] = 1, c, limit
                self.sender.step() if side is s else self.receiver.step()
            side.limit_valid[0] = 0

    @property
    def used(self):
        """Credits in use of each channel, as the sender knows."""
        return (self.sender.state.consumed[0] - self.sender.state.freed[0]) % NUMBERS

    def choose(self) -> None:
        """The next packet, if there is one."""
        permit = int(self.sender.outputs.permit[0])
        for n in range(self.config.channels):
            c = (self.turn + n) % self.config.channels
            if c in self.wanted and (not self.obedient or permit >> c & 1):
                size = self.size or int(self.rng.integers(64, self.config.max_packet_bytes + 1))
                flits = -(-size // self.config.flit_bytes)
                self.packet, self.turn = [c, size, flits, flits], c + 1
                return

    def step(self, drains: bool = True) -> None:
        s, r, now = self.sender.inputs, self.receiver.inputs, self.cycle
        if self.packet is None:
            self.choose()
        s.i_valid[0] = self.packet is not None
        if self.packet:
            s.channel[0], s.i_payload_data[0, 0] = self.packet[0], self.packet[1] << 32
            s.i_payload_last[0] = self.packet[3] == 1
        s.update_valid[0] = 0
        if self.back and self.back[0][0] <= now:
            _, entries = self.back.popleft()
            if self.rng.random() >= self.update_loss:
                s.update_valid[0] = 1
                s.update_channel[0], s.update_freed[0] = entries
        o = self.sender.step()
        if o.consumed_valid[0]:
            self.report.append(int(o.consumed_payload_consumed[0]))
            if len(self.report) == self.config.channels:
                self.forward.append((now + self.delay, "told", list(enumerate(self.report))))
                self.report = []
        if o.o_valid[0]:
            c, size, flits, left = self.packet
            if left == flits:  # its flits follow without a gap
                self.forward.append((now + self.delay, "packet", (c, size, flits)))
            self.packet[3] -= 1
            if left == 1:
                self.packet = None
        self.events["excess"] += int(o.excess[0] != 0)

        self.receive(now)
        r.told_valid[0] = bool(self.told) and not r.arrival_valid[0]
        if r.told_valid[0]:
            r.told_channel[0], r.told_consumed[0] = self.told.popleft()
        self.release(drains)
        o = self.receiver.step()
        if o.update_valid[0]:
            channels, freed = o.update_payload_entry_channel[0], o.update_payload_entry_freed[0]
            self.back.append((now + self.delay, (channels.copy(), freed.copy())))
        for name in "overrun", "underrun":
            self.events[name] += int(getattr(o, name)[0])
        self.events["healed"] += int(o.healed[0])
        self.cycle += 1
        used, per_credit = self.used, self.config.credit_bytes // self.config.flit_bytes
        assert (used <= self.limit).all() and used.sum() <= self.port_limit
        over = [
            max(0, flits - credits * per_credit)
            for flits, credits in zip(self.buffer, used, strict=True)
        ]
        assert sum(over) <= (self.copies > 0) * self.config.max_packet_flits

    def receive(self, now: int) -> None:
        """A flit of a packet comes to the buffer, or a CC_Update."""
        r = self.receiver.inputs
        copying = self.receiver.outputs.copying[0] or r.copy_valid[0]
        r.arrival_valid[0] = r.copy_valid[0] = 0
        if not self.coming:
            if not self.forward or self.forward[0][0] > now:
                return
            _, kind, what = self.forward[0]
            if self.rng.random() < self.frame_loss:
                self.forward.popleft()
                self.lost += kind == "packet"
                return
            if kind == "told":
                self.forward.popleft()
                self.told.extend(what)
                return
            chance = self.rng.random()
            self.fate = "stored"
            if chance < self.breakage and not copying:
                self.fate = "copy"
            elif chance > 1 - self.refusal:
                self.fate = "refused"
            self.coming.extend([what] * what[2])
        c, size, _ = self.coming.popleft()
        self.buffer[c] += self.fate != "refused"
        if self.coming:
            return
        if self.fate == "copy":  # the packet is still in front of all others
            self.copies += 1
            r.copy_valid[0], r.copy_channel[0], r.copy_length[0] = 1, c, size
            return
        self.forward.popleft()
        self.refused += self.fate == "refused"
        r.arrival_valid[0], r.arrival_channel[0], r.arrival_length[0] = 1, c, size
        r.arrival_stores[0] = self.fate == "stored"

    def release(self, drains: bool) -> None:
        """A flit of the next channel that may leaves the buffer."""
        r = self.receiver.inputs
        r.released_valid[0] = 0
        for n in range(self.config.channels):
            c = (self.drain_turn + n) % self.config.channels
            if drains and self.buffer[c] > self.held(c) and c not in self.blocked:
                self.drain_turn = c + 1
                self.buffer[c] -= 1
                self.received[c] += 1
                r.released_valid[0], r.released_channel[0] = 1, c
                return

    def held(self, c: int) -> int:
        """Flits of a channel that must not leave: their packet has yet to end."""
        if self.early or not self.coming or self.coming[0][0] != c or self.fate == "refused":
            return 0
        return self.coming[0][2] - len(self.coming)

    def run(self, cycles: int, drain: float = 1.0) -> float:
        """Flits that left the buffer in a cycle."""
        before = sum(self.received)
        for _ in range(cycles):
            self.step(self.rng.random() < drain)
        return (sum(self.received) - before) / cycles


def largest(config: LinkConfig = LINK) -> int:
    return credits_of(config.max_packet_bytes, config.credit_bytes)


def room(packets: int, config: LinkConfig = LINK) -> int:
    """Credits with which so many largest packets are chosen one after the other."""
    return (packets - 1) * largest(config) + config.permit_credits


def test_defaults_are_those_of_the_specification():
    """6,400 bytes at 400 Gbit/s are 128 ns, CC_Updates are 256 us apart."""
    assert LINK.update_cycles / LINK.mhz == pytest.approx(0.128, rel=0.01)
    assert LINK.refresh_cycles / LINK.mhz == pytest.approx(1.311, rel=0.01)
    assert LINK.report_cycles == 256 * LINK.mhz < 1 << CREDIT_TIMER_BITS


@pytest.mark.parametrize("size", SIZES)
def test_packet_takes_the_same_credits_at_both_ends(size):
    """As many as it and its frame take bytes, and all come back when it has left."""
    config = link_of(NODE, channels=1, max_packet_bytes=4097)
    rig = Rig(config, limit=room(1, config), size=size)
    for _ in range(2):  # permit is seen in the second cycle
        rig.step(drains=False)
    rig.wanted.clear()
    expected = (size + 16 + 127) // 128
    assert rig.used[0] == expected
    rig.run(150, drain=0)
    assert rig.receiver.state.come[0, 0] == expected
    rig.run(2000)
    assert rig.used[0] == 0 and not any(rig.buffer)


@pytest.mark.parametrize("seed", range(3))
def test_lost_updates_and_frames_heal(seed):
    rig = Rig(limit=room(2), seed=seed)
    rig.frame_loss, rig.update_loss = 0.1, 0.3
    rate = rig.run(12_000)
    assert rig.lost > 5 and rig.events["healed"] > 0 and rate > 0.3
    rig.wanted.clear()
    rig.frame_loss = 0.0
    rig.run(6000)
    assert not rig.used.any() and not any(rig.buffer)
    assert rig.events["excess"] == rig.events["overrun"] == rig.events["underrun"] == 0


@pytest.mark.parametrize("early", [True, False])
@pytest.mark.parametrize("seed", range(2))
def test_broken_copies_and_refused_packets_take_no_credit_for_good(early, seed):
    """What a copy has of the buffer is a largest packet at most, and no credits come of it."""
    rig = Rig(limit=room(2), seed=seed)
    rig.early, rig.breakage, rig.refusal, rig.frame_loss = early, 0.3, 0.2, 0.03
    rig.run(12_000, 0.7)
    assert rig.copies > 20 and rig.refused > 20
    rig.wanted.clear()
    rig.breakage = rig.frame_loss = 0.0
    rig.run(8000)
    assert not rig.used.any() and not any(rig.buffer) and rig.receiver.outputs.drained[0]
    assert rig.events["excess"] == rig.events["overrun"] == rig.events["underrun"] == 0


def test_without_reports_lost_frames_stop_the_link_and_the_watchdog_tells():
    rig = Rig(limit=room(2))
    rig.sender.inputs.report_cycles[0] = 0
    rig.sender.inputs.watchdog_cycles[0] = 1000
    rig.frame_loss, rig.obedient, rig.wanted = 0.2, False, {2}
    rig.run(8000)
    assert rig.run(2000) == 0 and rig.used[2] > largest()
    assert rig.sender.outputs.stalled[0] == 1 << 2


def test_blocked_channel_holds_up_no_other():
    rig = Rig(limit=room(3))
    rig.blocked.add(1)
    rig.run(3000)
    assert rig.run(3000) > 0.95
    assert rig.used[1] > 2 * largest() - 3 and rig.buffer[1]


def test_blocked_channel_holds_up_all_that_ignore_permit():
    rig = Rig(limit=room(3))
    rig.blocked.add(1)
    rig.obedient = False
    rig.run(3000)
    assert rig.run(1000) == 0


@pytest.mark.parametrize("drain", [1.0, 0.5, 0.0])
def test_rate_is_that_of_the_drain(drain):
    rig = Rig(limit=room(2))
    rig.run(1000, drain)
    assert abs(rig.run(4000, drain) - drain) <= 0.05
    assert drain or (rig.used > largest()).all()


@pytest.mark.parametrize("size", [64, NODE.max_packet_bytes])
@pytest.mark.parametrize("part", [0.5, 1.0])
def test_limit_of_a_round_trip_is_the_line_rate(size, part):
    """500 m there and back: with credits for half of it, half of the rate."""
    config = link_of(NODE, name="NODE-1", channels=1, length_m=500)
    flits, credits = -(-size // config.flit_bytes), credits_of(size, config.credit_bytes)
    # A quarter of the limit may be untold, and largest packets come back when they have left.
    cycles = 2 * config.wire_cycles + 200
    limit = int(part * (cycles / flits * credits * 4 / 3)) + room(1, config)
    rig = Rig(config, limit=limit, delay=config.wire_cycles, size=size)
    rig.run(8000)
    rate = rig.run(8000)
    assert rate > 0.95 if part == 1 else 0.4 < rate < 0.75


def test_port_limit_holds_all_channels():
    rig = Rig(limit=room(10), port_limit=room(4))
    rig.blocked |= {0, 1, 2, 3}
    rig.run(3000)
    assert 3 * largest() <= rig.used.sum() <= room(4)
    rig.blocked.clear()
    rig.wanted.clear()
    rig.run(3000)
    assert not rig.used.any()


def test_many_to_one_loses_nothing():
    """Four links whose packets leave by one output."""
    rigs = [Rig(limit=room(2), seed=seed) for seed in range(4)]
    for cycle in range(6000):
        for n, rig in enumerate(rigs):
            rig.step(drains=cycle % 4 == n)
    received = [sum(rig.received) for rig in rigs]
    assert min(received) > 0.95 * 1500
    for rig in rigs:
        assert rig.events == dict.fromkeys(rig.events, 0)


def test_packets_follow_without_a_gap_and_an_update_lets_the_next_go():
    rig = Rig(limit=room(3), size=64)
    for _ in range(30):
        rig.step(drains=False)
        assert rig.sender.outputs.o_valid[0]
    sender = CreditSenderModel(LINK)
    i = sender.inputs
    i.lossless[0], i.port_limit[0], i.o_ready[0] = 1, largest(), 1
    i.limit_valid[0], i.limit_limit[0] = 1, largest()
    sender.step()
    i.limit_valid[0], i.i_valid[0], i.i_payload_last[0] = 0, 1, 1
    i.i_payload_data[0, 0] = LINK.max_packet_bytes << 32
    assert sender.step().o_valid[0]
    assert not sender.step().o_valid[0]
    i.update_valid[0], i.update_freed[0] = 1, largest()  # channel 0 is told of twice
    assert not sender.step().o_valid[0]
    i.update_valid[0] = 0
    assert not sender.step().permit[0] & 1  # the port counts them for a cycle more
    assert sender.step().o_valid[0]


def test_release_is_told_in_four_cycles():
    config = link_of(NODE, channels=1)
    receiver = CreditReceiverModel(config)
    i = receiver.inputs
    i.arrival_valid[0], i.arrival_length[0], i.arrival_stores[0], i.update_ready[0] = 1, 64, 1, 1
    receiver.step()
    i.arrival_valid[0] = 0
    for _ in range(10):
        assert not receiver.step().update_valid[0]
    i.released_valid[0] = 1
    valid = []
    for _ in range(6):
        valid.append(int(receiver.step().update_valid[0]))
        i.released_valid[0] = 0
    assert valid == [0, 0, 0, 0, 1, 0]


@pytest.mark.formal
def test_credits_are_conserved_whatever_is_lost():
    config = LinkConfig(
        flit_bytes=16, words_per_cycle=2, min_packet_bytes=8, max_packet_bytes=48, credit_bytes=32
    )
    prove(LinkCreditProof(config, counter_bits=5, credit_bits=3, places=2), "link_credit", depth=2)
