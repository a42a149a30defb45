"""Untimed account of packets: each accepted one arrives once, intact, in order of its flow.

A flow is (source, destination, traffic class). Packets are known by their order in the flow, not by
what they carry. The scoreboard knows no cycle, so that a mistake in timing that model and RTL share
cannot hide a lost packet from it.
"""

from collections import defaultdict, deque
from dataclasses import dataclass

from models.packet import HEADER_BYTES, HEADER_FIELDS, Header

__all__ = ["Counts", "Scoreboard"]

HISTORY = 64  # packets of a flow that are remembered after delivery, to call a copy a copy
MESSAGES = 20  # that many violations are described, all are counted


def field_mask(*names: str) -> int:
    """Bits of the header that these fields take."""
    mask, shift = 0, 0
    for name, bits in HEADER_FIELDS.items():
        if name in names:
            mask |= ((1 << bits) - 1) << shift
        shift += bits
    return mask


FLOW = field_mask("source", "destination", "traffic_class")


def flow_of(packet: bytes) -> int:
    return int.from_bytes(packet[:HEADER_BYTES], "little") & FLOW


def flow_name(flow: int) -> str:
    header = Header.unpack(flow)
    return f"flow {header.source} to {header.destination}, class {header.traffic_class}"


@dataclass
class Counts:
    """Packets and bytes so far; the last four are violations."""

    offered: int = 0
    offered_bytes: int = 0
    delivered: int = 0
    delivered_bytes: int = 0
    dropped: int = 0
    dropped_bytes: int = 0
    errored: int = 0
    errored_bytes: int = 0
    lost: int = 0
    reordered: int = 0
    duplicated: int = 0
    corrupted: int = 0


class Flow:
    """Packets of one flow that are under way, by number, oldest first."""

    def __init__(self):
        self.waiting: dict[int, bytes] = {}  # a dict keeps the order and drops any packet in O(1)
        self.overtaken: dict[int, bytes] = {}  # a later one of the flow has arrived
        self.recent: deque[bytes] = deque(maxlen=HISTORY)


class Scoreboard:
    """Record what is offered and what becomes of it; every call is O(1) while all is well.

    Attributes
    ----------
    counts : Counts
        What happened so far.
    in_flight : int
        Packets offered of which nothing else is known yet.
    violations : list of str
        The first violations, in words.
    """

    def __init__(self):
        self.counts = Counts()
        self.violations: list[str] = []
        self.in_flight = 0
        self.flows: defaultdict[int, Flow] = defaultdict(Flow)
        self.flow_of_ticket: dict[int, int] = {}  # of packets in flight

    def offer(self, packet: bytes) -> int:
        """A source begins to send ``packet``, header first; returns its ticket for :meth:`drop`."""
        ticket, flow = self.counts.offered, flow_of(packet)
        self.counts.offered += 1
        self.counts.offered_bytes += len(packet)
        self.flows[flow].waiting[ticket] = packet
        self.flow_of_ticket[ticket] = flow
        self.in_flight += 1
        return ticket

    def drop(self, ticket: int) -> None:
        """The switch reports that it did not accept the packet of ``ticket``."""
        if ticket not in self.flow_of_ticket:
            self.violation("duplicated", f"packet {ticket} is dropped, but is not under way")
            return
        flow = self.flows[self.flow_of_ticket[ticket]]
        self.counts.dropped += 1
        self.counts.dropped_bytes += len(self.remove(flow, ticket))

    def deliver(self, packet: bytes, *, error: bool = False) -> None:
        """``packet`` has arrived, whole; with ``error`` the switch says that it is broken.

        Of a broken packet only the header must be right.
        """
        name = flow_of(packet)
        flow = self.flows[name]
        ticket = next(iter(flow.waiting), None)
        if ticket is None or not same(flow.waiting[ticket], packet, error):
            ticket = self.late_or_early(name, flow, packet, error)
            if ticket is None:
                return
        self.remove(flow, ticket)
        flow.recent.append(packet)
        if error:
            self.counts.errored += 1
            self.counts.errored_bytes += len(packet)
        else:
            self.counts.delivered += 1
            self.counts.delivered_bytes += len(packet)

    def late_or_early(self, name: int, flow: Flow, packet: bytes, error: bool) -> int | None:
        """Which packet arrived that is not the next of its flow; None if it is none of them."""
        # Of two that look alike it is the one in order: another reading would blame the switch for
        # a packet that a reset has taken.
        for ticket, other in flow.waiting.items():
            if same(other, packet, error):
                while (first := next(iter(flow.waiting))) != ticket:
                    flow.overtaken[first] = flow.waiting.pop(first)
                return ticket
        for ticket, other in flow.overtaken.items():
            if same(other, packet, error):
                self.violation("reordered", f"{flow_name(name)}: packet {ticket} was overtaken")
                return ticket
        if packet in flow.recent:
            self.violation("duplicated", f"{flow_name(name)}: a packet has arrived twice")
        elif flow.waiting:
            ticket = next(iter(flow.waiting))
            self.remove(flow, ticket)
            self.violation("corrupted", f"{flow_name(name)}: packet {ticket} arrived changed")
        else:
            self.violation("corrupted", f"{flow_name(name)}: a packet came that nobody sent")
        return None

    def remove(self, flow: Flow, ticket: int) -> bytes:
        del self.flow_of_ticket[ticket]
        self.in_flight -= 1
        return (flow.waiting if ticket in flow.waiting else flow.overtaken).pop(ticket)

    def violation(self, kind: str, message: str) -> None:
        setattr(self.counts, kind, getattr(self.counts, kind) + 1)
        if len(self.violations) < MESSAGES:
            self.violations.append(f"{kind}: {message}")

    def check(self) -> None:
        """Raise ``AssertionError`` with the first violations, if there are any so far.

        An overtaken packet is no violation yet: it may come late or be lost.
        """
        counts = self.counts
        settled = counts.delivered + counts.dropped + counts.errored
        if not self.violations and counts.offered != settled + self.in_flight:
            raise AssertionError(f"{counts} do not add up with {self.in_flight} in flight")
        if self.violations:
            raise AssertionError("\n".join([*self.violations, str(counts)]))

    def finish(self) -> Counts:
        """Count what is still under way as lost, then :meth:`check`; returns the counts.

        Raises
        ------
        AssertionError
            If anything was lost, reordered, duplicated or corrupted.
        """
        for name, flow in self.flows.items():
            for ticket in [*flow.overtaken, *flow.waiting]:
                self.remove(flow, ticket)
                self.violation("lost", f"{flow_name(name)}: packet {ticket} never arrived")
        self.check()
        return self.counts


def same(sent: bytes, received: bytes, error: bool) -> bool:
    return sent[:HEADER_BYTES] == received[:HEADER_BYTES] if error else sent == received
