"""Sender and receiver of link-level retry on a line that loses and breaks frames and words."""

from collections import Counter, deque

import numpy as np
import pytest

from models.config import NODE
from models.link.config import DownPolicy, LinkConfig, ReceiverState, SenderState, link_of
from models.link.retry_receiver import EVENTS as RECEIVER_EVENTS
from models.link.retry_receiver import RetryReceiverModel
from models.link.retry_sender import EVENTS as SENDER_EVENTS
from models.link.retry_sender import RetrySenderModel
from sim.solver import prove
from verif.proof.link_retry import HastyLink, RetryProof

SMALL = LinkConfig(
    name="SMALL",
    flit_bytes=8,
    words_per_cycle=1,
    min_packet_bytes=8,
    max_packet_bytes=40,
    length_m=0,
    ack_bytes=64,
    replay_count_max=255,
    data_age_ns=60_000,
    pcs_lost_ns=200,
)
WIDE = link_of(
    NODE,
    max_packet_bytes=512,
    ack_bytes=256,
    window_frames=32,
    replay_count_max=255,
    data_age_ns=60_000,
    pcs_lost_ns=200,
)
WAY = 6  # cycles on the line, each way
WORDS = ("init_echo", "ack", "nack")


class Loop:
    """Sender model, line, receiver model.

    A frame may lose itself, its header, its CRC or its end with probability ``loss``, and so may a
    control word; ``o`` of the receiver stands still for up to ``stall`` cycles at times.
    """

    def __init__(self, config, *, loss=0.0, stall=0, load=1.0, seed=1):
        self.config, self.loss, self.stall, self.load = config, loss, stall, load
        self.rng = np.random.default_rng(seed)
        self.sender, self.receiver = RetrySenderModel(config), RetryReceiverModel(config)
        self.line, self.back = deque([None] * WAY), deque([{}] * WAY)
        self.seen, self.states = Counter(), Counter()
        self.offered = None  # flits of the packet on i that are to be taken yet
        self.accepted, self.delivered, self.packets, self.broken = [], [], 0, 0
        self.got, self.first, self.fate, self.header, self.standing = b"", True, "", 0, 0
        self.dead = False  # nothing that begins gets through
        self.sender.inputs.policy[0] = DownPolicy.BLOCK
        self.sender.inputs.enable[0] = self.sender.inputs.pcs_up[0] = 1
        self.receiver.inputs.enable[0] = 1

    def offer(self):
        """The next flit of a packet, if one is due; each packet begins with its number."""
        i, rng = self.sender.inputs, self.rng
        if self.offered is None and rng.random() < self.load:
            size = int(rng.integers(8, self.config.max_packet_bytes + 1))
            packet = self.packets.to_bytes(8, "little") + rng.bytes(size - 8)
            self.packets += 1
            self.offered = [packet, 0, int(rng.random() < 0.05)]
        i.i_valid[0] = self.offered is not None
        if self.offered is not None:
            packet, start, broken = self.offered
            flit = packet[start : start + self.config.flit_bytes]
            i.i_payload_last[0] = start + len(flit) == len(packet)
            i.i_payload_user[0] = broken and i.i_payload_last[0]
            i.i_payload_keep[0, 0] = -1 if len(flit) == 64 else (1 << len(flit)) - 1
            padded = flit.ljust(self.config.flit_bytes, b"\0")
            i.i_payload_data[0] = np.frombuffer(padded, dtype=np.int64)

    def taken(self, outputs):
        """Note what the sender took from ``i``."""
        if self.sender.inputs.i_valid[0] and outputs.i_ready[0]:
            packet, start, broken = self.offered
            start += self.config.flit_bytes
            self.offered = [packet, start, broken]
            if start >= len(packet):
                self.offered = None
                if not broken:
                    self.accepted.append(packet)
                self.broken += broken

    def damage(self, flit):
        """What the line makes of a flit of a frame."""
        if self.first:
            fates = ["lost", "header", "crc", "cut"]
            broken = self.rng.random() < self.loss
            self.fate = str(self.rng.choice(fates)) if broken else ""
            if self.dead:
                self.fate = "lost"
        flit |= {"first": self.first, "check": self.fate != "header", "bad": 0}
        if self.first and self.fate == "header":
            self.header = int(self.rng.integers(1 << 20))
        if self.fate == "header":
            flit["sequence"] = self.header
        if self.fate == "crc" and flit["last"]:
            flit["bad"], flit["poison"] = 1, 0
        if self.fate == "cut" and self.first:
            flit |= {"last": 1, "bad": 1, "poison": 0}
        hidden = self.fate == "lost" or (self.fate == "cut" and not self.first)
        self.first = bool(flit["end"])
        return None if hidden else flit

    def step(self):
        """One cycle."""
        s, rng = self.sender, self.rng
        self.offer()
        s.inputs.o_ready[0] = rng.random() < 0.95
        s.inputs.init_ready[0] = 1
        for name in WORDS:
            getattr(s.inputs, f"{name}_valid")[0] = 0
        for name, said in self.back.popleft().items():
            getattr(s.inputs, f"{name}_valid")[0] = 1
            for field, value in said.items():
                getattr(s.inputs, f"{name}_{field}")[0] = value
        o = s.step()
        self.taken(o)
        flit = None
        if o.o_valid[0] and s.inputs.o_ready[0]:
            names = ("count", "last", "poison", "llr", "sequence", "channel")
            flit = {name: int(getattr(o, f"o_payload_{name}")[0]) for name in names}
            flit["data"], flit["end"] = o.o_payload_data[0].copy(), flit["last"]
            flit = self.damage(flit)
        init = None
        if o.init_valid[0] and not self.dead and rng.random() >= self.loss:
            init = int(o.init_payload_sequence[0]), int(o.init_payload_value[0])
        self.line.append((flit, init))
        for name in SENDER_EVENTS:
            self.seen[f"sender {name}"] += int(getattr(o, name)[0])
        self.states[SenderState(o.state[0])] += 1
        self.receive(self.line.popleft() or (None, None))

    def receive(self, arrival):
        """The receiver's side of the cycle."""
        r, rng = self.receiver, self.rng
        flit, init = arrival
        r.inputs.i_valid[0], r.inputs.init_valid[0] = flit is not None, init is not None
        if init is not None:
            r.inputs.init_sequence[0], r.inputs.init_value[0] = init
        for name, value in (flit or {}).items():
            if name != "end":
                getattr(r.inputs, f"i_payload_{name}")[0] = value
        self.standing = max(0, self.standing - 1)
        if self.stall and rng.random() < 0.002:
            self.standing = int(rng.integers(1, self.stall + 1))
        r.inputs.o_ready[0] = not self.standing
        for name in WORDS:
            getattr(r.inputs, f"{name}_ready")[0] = rng.random() < 0.7
        o = r.step()
        words = {}
        for name in WORDS:
            taken = getattr(o, f"{name}_valid")[0] and getattr(r.inputs, f"{name}_ready")[0]
            if taken and not words and not self.dead and rng.random() >= self.loss:
                fields = ("sequence", "value") if name == "init_echo" else ("sequence",)
                words[name] = {f: int(getattr(o, f"{name}_payload_{f}")[0]) for f in fields}
        self.back.append(words)
        for name in RECEIVER_EVENTS:
            self.seen[f"receiver {name}"] += int(getattr(o, name)[0])
        self.states[ReceiverState(o.state[0])] += 1
        if o.o_valid[0] and r.inputs.o_ready[0]:
            kept = int(np.bitwise_count(o.o_payload_keep[0].view(np.uint64)).sum())
            self.got += o.o_payload_data[0].tobytes()[:kept]
            if o.o_payload_last[0]:
                if not o.o_payload_user[0]:
                    self.delivered.append(self.got)
                self.got = b""

    def run(self, cycles, load=None):
        """Some cycles; with another load from here on, if it is given."""
        self.load = self.load if load is None else load
        for _ in range(cycles):
            self.step()

    def drain(self):
        """Send no more packets, and wait until all is acknowledged."""
        self.loss, self.stall = 0.0, 0
        self.run(20 * self.config.replay_timer_cycles, load=0)
        s = self.sender.state
        assert s.oldest[0] == s.next[0] and s.state[0] == SenderState.ADVANCE


@pytest.mark.parametrize("config", [SMALL, WIDE], ids=lambda config: config.name)
@pytest.mark.parametrize("loss, stall", [(0, 0), (0.02, 0), (0.2, 0), (0.02, 60), (0, 60)])
def test_every_packet_arrives_once_and_in_order(config, loss, stall):
    loop = Loop(config, loss=loss, stall=stall)
    loop.run(6000)
    loop.drain()
    assert loop.delivered == loop.accepted and len(loop.delivered) > 100
    assert loop.seen["receiver rx_expected_seq_poisoned"] == loop.broken > 0
    assert loop.seen["sender flushed"] == 0
    assert bool(loop.seen["sender tx_replay"]) == bool(loss or stall)
    assert bool(loop.seen["receiver rx_overrun"]) == bool(stall)


def in_order(some, of) -> bool:
    """``some`` are of ``of``, in its order, each once."""
    rest = iter(of)
    return all(any(packet == other for other in rest) for packet in some)


@pytest.mark.parametrize("policy", [DownPolicy.DISCARD, DownPolicy.BLOCK, DownPolicy.BEST_EFFORT])
def test_link_recovers_from_a_dead_line_and_loses_what_it_says(policy):
    config = SMALL.with_(replay_count_max=3)
    loop = Loop(config, loss=0.01)
    loop.sender.inputs.policy[0] = policy
    loop.run(1000)
    for _ in range(4):
        loop.dead = True
        loop.run(8 * config.replay_timer_cycles)
        loop.dead = False
        loop.run(1000)
    loop.drain()
    assert loop.seen["sender flushed"] >= 4
    gone = len(loop.accepted) - len(loop.delivered)
    assert in_order(loop.delivered, loop.accepted)
    if policy == DownPolicy.BLOCK:
        assert 0 < gone <= loop.seen["sender lost"]
    if policy == DownPolicy.DISCARD:
        # Those that were broken are not in `accepted`.
        assert 0 < gone <= loop.seen["sender lost"] + loop.seen["sender tx_discard"]
    assert bool(loop.seen["sender tx_discard"]) == (policy == DownPolicy.DISCARD)


def test_reconfiguration_loses_nothing():
    """Whatever the policy is: what was taken is acknowledged first, then packets wait."""
    loop = Loop(SMALL, loss=0.05)
    loop.sender.inputs.policy[0] = DownPolicy.DISCARD
    while loop.sender.state.state[0] != SenderState.ADVANCE:
        loop.run(1, load=0)
    for _ in range(5):
        loop.run(500, load=1)
        loop.sender.inputs.reconfigure[0] = 1
        while loop.sender.state.state[0] != SenderState.FLUSH:
            loop.run(1)
        loop.run(50)
        assert loop.sender.state.state[0] == SenderState.FLUSH
        loop.sender.inputs.reconfigure[0] = 0
        while loop.sender.state.state[0] != SenderState.ADVANCE:
            loop.run(1)
    loop.drain()
    assert loop.delivered == loop.accepted and len(loop.delivered) > 100
    assert (loop.seen["sender flushed"], loop.seen["sender lost"]) == (5, 0)
    assert loop.seen["sender tx_discard"] == 0


def test_every_state_and_event_is_reached():
    loop = Loop(SMALL.with_(replay_count_max=3), loss=0.05, stall=60)
    loop.sender.inputs.policy[0] = DownPolicy.DISCARD
    for _ in range(4):
        loop.run(2000)
        loop.back[0] = {"ack": {"sequence": 1 << 19}}
        loop.run(10)
        loop.dead = True
        loop.run(8 * loop.config.replay_timer_cycles)
        loop.dead = False
        loop.receiver.inputs.enable[0] = loop.sender.inputs.enable[0] = 0
        loop.run(20)
        loop.receiver.inputs.enable[0] = loop.sender.inputs.enable[0] = 1
    assert set(loop.states) == {*SenderState, *ReceiverState}
    events = {f"sender {name}" for name in SENDER_EVENTS}
    events |= {f"receiver {name}" for name in RECEIVER_EVENTS}
    assert events == set(+loop.seen)


TINY = HastyLink(
    flit_bytes=8,
    words_per_cycle=1,
    min_packet_bytes=8,
    max_packet_bytes=16,
    length_m=0,
    replay_flits=4,
    window_frames=2,
    replay_count_max=255,
)


@pytest.mark.formal
def test_numbers_are_proven():
    prove(RetryProof(TINY, contents=False), "link_retry", depth=1)


@pytest.mark.formal
def test_delivery_is_proven():
    """For packets of one flit, which leave no place for a cut, but all for the rest."""
    config = TINY.with_(max_packet_bytes=8, replay_flits=2)
    prove(RetryProof(config, contents=True), "link_retry", depth=1)
