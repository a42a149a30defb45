"""cocotb bench of rtl.scheduler: lockstep with the golden model, and the promises by themselves."""

import os
from collections import deque
from dataclasses import dataclass

import cocotb
import numpy as np

from models.config import SwitchConfig
from models.scheduler import SchedulerInputs, SchedulerModel, SchedulerOutputs
from rtl.scheduler import Scheduler
from verif.lockstep import Lockstep, bench_config

CYCLES = int(os.environ.get("BENCH_CYCLES", "2000"))

QUALIFIED = {
    "claim_queue": "claim_valid",
    "reserve_traffic_class": "reserve_valid",
    "reserve_length": "reserve_valid",
    "match_queue": "match_valid",
    "select_input": "select_valid",
    "select_traffic_class": "select_valid",
    "select_first": "select_valid",
}


@dataclass(eq=False)
class Packet:
    """A packet in a queue: flits in all, come in, and popped so far."""

    length: int
    came: int = 0
    popped: int = 0


class Ingress:
    """One input: queues of packets, of which one may still be arriving.

    Attributes
    ----------
    waiting, claimed : list of deque of Packet
        Per queue, packets that show and packets that have slots, the oldest first.
    """

    def __init__(self, config: SwitchConfig, rng: np.random.Generator, lengths: list[int]):
        self.config, self.rng, self.lengths = config, rng, lengths
        self.waiting = [deque() for _ in range(config.queues)]
        self.claimed = [deque() for _ in range(config.queues)]
        self.hidden = -1  # queue whose long packet was claimed in the cycle before
        self.arriving: tuple[int, Packet, int] | None = None  # queue, packet, flits to announce
        self.complete = -1  # queue whose partial packet got its last flit in the cycle before
        self.serving: int | None = None  # queue that keeps the input until its packet is over
        self.line = float(rng.choice([0.3, 0.7, 1.0]))  # flits that arrive per cycle
        self.used = [0] * config.queues  # flits that were admitted to the queue and not popped
        self.served, self.opened, self.lost = 0, 0, 0  # packets, claimed partial; slots

    def flits(self, queue: int) -> int:
        """Flits of the queue in the buffer."""
        packets = [*self.claimed[queue], *self.waiting[queue]]
        if self.arriving and self.arriving[0] == queue and self.arriving[1] not in packets:
            packets.append(self.arriving[1])
        return sum(packet.came - packet.popped for packet in packets)

    def drive(self, inputs: SchedulerInputs, n: int) -> None:
        """Show what the registers of the backlog hold."""
        singles, long, partial = [0] * self.config.iterations, 0, 0
        inputs.length[0, n] = 0
        for queue, packets in enumerate(self.waiting):
            if not packets or queue == self.hidden:
                continue
            inputs.length[0, n, queue] = packets[0].length
            if packets[0].length > 1:
                long |= 1 << queue
                partial |= (packets[0].came < packets[0].length) << queue
                continue
            for j, packet in zip(range(self.config.iterations), packets, strict=False):
                if packet.length > 1:
                    break
                singles[j] |= 1 << queue
        vectors = [*inputs.singles[0, n], inputs.longs[0, n], inputs.partial[0, n]]
        for words, value in zip(vectors, [*singles, long, partial], strict=True):
            words[:] = np.frombuffer(value.to_bytes(words.nbytes, "little"), dtype=np.int64)
        inputs.complete_valid[0, n] = self.complete >= 0
        inputs.complete_flits[0, n] = self.flits(self.complete) if self.complete >= 0 else 0

    def claim(self, outputs: SchedulerOutputs, n: int) -> None:
        """Give packets to the claims; each must be one that shows."""
        shown: dict[int, int] = {}
        self.hidden, hidden = -1, self.hidden
        for k in reversed(range(self.config.iterations)):  # the earliest slot first
            if not outputs.claim_valid[0, n, k]:
                continue
            queue = int(outputs.claim_queue[0, n, k])
            assert self.waiting[queue] and queue != hidden, "a claim of nothing"
            packet = self.waiting[queue].popleft()
            self.claimed[queue].append(packet)
            assert queue not in shown or shown[queue] == packet.length == 1, "more than shows"
            shown[queue] = packet.length
            self.opened += packet.came < packet.length
            if packet.length > 1:
                assert self.hidden < 0, "two long packets of one input"
                self.hidden = queue

    def pop(self, match: int | None, first: bool) -> bool:
        """Take a flit of the matched queue; True if there is one."""
        if self.serving is not None:
            assert match == self.serving, "the slots of a packet are not in a row"
        if match is None:
            return False
        assert self.claimed[match], "a slot for nobody"
        packet = self.claimed[match][0]
        assert first == (packet.popped == 0), "first is not on the first flit of a packet"
        there = packet.came > packet.popped
        assert there or packet.came < packet.length
        packet.popped += there
        self.used[match] -= there
        self.lost += not there
        self.serving = match if packet.popped < packet.length else None
        if self.serving is None:
            self.claimed[match].popleft()
            self.served += 1
        return there

    def arrive(self, load: float) -> None:
        """Let flits and packets come in, to be seen in the next cycle."""
        self.complete = -1
        if self.arriving and self.rng.random() < self.line:
            queue, packet, start = self.arriving
            packet.came += 1
            if packet.came == start:
                self.waiting[queue].append(packet)
            if packet.came == packet.length:
                self.arriving = None
                self.complete = queue if start < packet.length else -1
        elif not self.arriving and (packet := self.admit(queue := self.choose_queue(), load)):
            self.arriving = (
                queue,
                packet,
                int(self.rng.integers(self.rng.integers(packet.length) + 1)) + 1,
            )
        # Others come whole, so that there is a choice; none behind one that is arriving.
        queue = self.choose_queue()
        busy = self.arriving[0] if self.arriving else self.complete
        if queue != busy and (packet := self.admit(queue, load)):
            packet.came = packet.length
            self.waiting[queue].append(packet)

    def choose_queue(self) -> int:
        """A queue; the low outputs are popular, so that they and their rooms are fought for."""
        return int(self.rng.integers(self.rng.integers(1, self.config.queues + 1)))

    def admit(self, queue: int, load: float) -> Packet | None:
        """A new packet for ``queue``, perhaps."""
        length = int(self.rng.choice(self.lengths))
        if self.rng.random() >= load or self.used[queue] + length > self.config.limit:
            return None
        self.used[queue] += length
        return Packet(length)


class Surroundings:
    """Ingress and egress of all ports; asserts the promises on what the scheduler says."""

    def __init__(
        self, config: SwitchConfig, seed: int, *, load: float, drain: float, lengths: list[int]
    ):
        self.config, self.load, self.drain = config, load, drain
        self.rng = np.random.default_rng(seed)
        self.ingress = [Ingress(config, self.rng, lengths) for _ in range(config.ports)]
        self.room = np.full((config.ports, config.classes), config.egress_depth)
        self.held = np.zeros_like(self.room)

    def drive(self, inputs: SchedulerInputs) -> None:
        """Write the inputs of this cycle."""
        for n, ingress in enumerate(self.ingress):
            ingress.drive(inputs, n)
        inputs.room[0] = self.room

    def clock(self, outputs: SchedulerOutputs) -> None:
        """Check the outputs of this cycle, then move on."""
        self.check_claims(outputs)
        self.move_flits(outputs)
        for n, ingress in enumerate(self.ingress):
            ingress.claim(outputs, n)
            ingress.arrive(self.load)

    def check_claims(self, o: SchedulerOutputs) -> None:
        """Every claim has its reservation, and there is room."""
        config = self.config
        for k in range(config.iterations):
            claims, reservations = {}, {}
            for n in range(config.ports):
                if o.claim_valid[0, n, k]:
                    output, traffic_class = divmod(int(o.claim_queue[0, n, k]), config.classes)
                    assert output not in claims, "two claims of one output in a stage"
                    claims[output] = traffic_class
                if o.reserve_valid[0, n, k]:
                    reservations[n] = int(o.reserve_traffic_class[0, n, k])
                    self.room[n, reservations[n]] -= o.reserve_length[0, n, k]
            assert claims == reservations
        assert (self.room >= 0).all(), "more is reserved than there is room"

    def move_flits(self, o: SchedulerOutputs) -> None:
        """Pop the matched queues; let egresses forward flits."""
        classes = self.config.classes
        sources = {}
        for n in range(self.config.ports):
            if o.match_valid[0, n]:
                output, traffic_class = divmod(int(o.match_queue[0, n]), classes)
                assert output not in sources, "two inputs of one output"
                sources[output] = n, traffic_class
        for output in range(self.config.ports):
            if o.select_valid[0, output]:
                selected = o.select_input[0, output], o.select_traffic_class[0, output]
                assert sources[output] == selected
            else:
                assert output not in sources
        for n, ingress in enumerate(self.ingress):
            match = int(o.match_queue[0, n]) if o.match_valid[0, n] else None
            output, traffic_class = divmod(match or 0, classes)
            if ingress.pop(match, bool(o.select_first[0, output])):
                self.held[output, traffic_class] += 1
        for output in range(self.config.ports):
            traffic_class = self.rng.integers(classes)
            if self.held[output, traffic_class] and self.rng.random() < self.drain:
                self.held[output, traffic_class] -= 1
                self.room[output, traffic_class] += 1


@cocotb.test()
@cocotb.parametrize(load=[0.1, 1.0], drain=[0.2, 1.0], lengths=["singles", "mixed", "long"])
async def matches_model(dut, load: float, drain: float, lengths: str) -> None:
    config = bench_config()
    longest = config.max_packet_flits
    mix = {
        "singles": [1],
        "mixed": [1, 1, 1, 2, 3, longest],
        "long": [2, min(longest, 12)],
    }[lengths]
    bench = Lockstep(dut, Scheduler(config), SchedulerModel(config), qualified=QUALIFIED)
    around = Surroundings(config, cocotb.RANDOM_SEED, load=load, drain=drain, lengths=mix)
    await bench.reset()
    for _ in range(CYCLES):
        around.drive(bench.model.inputs)
        around.clock(await bench.step())

    # The run was not vacuous.
    assert all(ingress.served > 0 for ingress in around.ingress)
    if drain == 1 and lengths != "singles":
        assert sum(ingress.opened for ingress in around.ingress) > 0
