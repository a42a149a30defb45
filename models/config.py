"""Build-time parameters: the only facts that models and RTL share."""

from contextlib import suppress
from dataclasses import dataclass, fields, replace
from math import ceil, gcd

__all__ = [
    "FRONT_FLITS",
    "LINGYUN",
    "MAX_OWED",
    "NAMED",
    "NODE",
    "PROTO",
    "RACK",
    "SINGLES",
    "TINY",
    "SwitchConfig",
    "named",
]

# Flits of a queue that can be claimed one by one within its loop: granted, claimed and counted, a
# cycle each. With two more all of them are claimed together, at least two of which are then left.
SINGLES = 3
# Flits of an egress between the memory of its queues and the line. A flit that passes the memory by
# is at hand at once, else it takes four cycles more; so many flits last for longer than that.
FRONT_FLITS = 8
# Packets that a port has taken and not judged yet: of one flit each, one in every stage of the
# classifier, and one whose verdict is in a register.
MAX_OWED = 5

CLASS_POLICIES = ("strict", "weighted")
SCHEDULERS = ("islip", "wavefront")


def _power_of_two(value: int) -> bool:
    return value > 0 and value & (value - 1) == 0


@dataclass(frozen=True, kw_only=True)
class SwitchConfig:
    """Parameters of one switch build; wrong values raise ``ValueError``.

    Parameters
    ----------
    name : str
        How results and messages call it.
    ports : int
        Number of ports, 2 to 128.
    flit_bytes : int
        Bytes that one flit carries, a power of two, 8 to 128.
    line_gbps : float or None
        Line rate in Gbit/s each way; None stands for one flit per cycle.
    clock_mhz : float or None
        Clock of the fabric; None only together with ``line_gbps=None``.
    classes : int
        Traffic classes, 1, 2, 4, 8 or 16; a higher number is more urgent.
    ingress_flits, egress_flits : int
        Flits that the buffers of one port hold, shared by its queues.
    min_packet_bytes, max_packet_bytes : int
        Smallest and largest packet, header included.
    scheduler : str
        Matching policy, ``islip`` or ``wavefront``.
    iterations : int
        Iterations of the matching, one pipeline stage each, 1 to 8.
    class_policy : str
        ``strict`` priority or ``weighted`` sharing between classes.
    class_weights : tuple of int
        Share of each class under ``weighted``; empty stands for 1, 2, 4, ...
    reserve_flits, limit_flits : int or None
        Flits that each ingress queue owns, and the most it may hold: its share. None derives
        them: half of the buffer is reserved in equal parts, and the limit adds to the reserve a
        part of the other half, small enough that one stopped output cannot use it up (if a
        largest packet allows it).
    endpoints : int
        Entries of the forwarding table: destinations 0 to ``endpoints - 1`` can have a route.
    stall_cycles : int
        A packet whose next flit does not come for so many cycles is ended as broken.
    store_and_forward : bool
        Wait for the whole packet before it may leave.
    speedup : float or None
        Fabric rate over line rate; None derives it from clock, flit and line.
    """

    name: str = "custom"
    ports: int
    flit_bytes: int
    line_gbps: float | None = None
    clock_mhz: float | None = None
    classes: int = 4
    ingress_flits: int
    egress_flits: int
    min_packet_bytes: int = 64
    max_packet_bytes: int
    scheduler: str = "islip"
    iterations: int = 2
    class_policy: str = "strict"
    class_weights: tuple[int, ...] = ()
    reserve_flits: int | None = None
    limit_flits: int | None = None
    endpoints: int = 256
    stall_cycles: int = 1024
    store_and_forward: bool = False
    speedup: float | None = None

    def __post_init__(self) -> None:
        def check(good: bool, name: str, rule: str) -> None:
            if not good:
                raise ValueError(f"{name} must be {rule}, not {getattr(self, name)!r}")

        check(2 <= self.ports <= 128, "ports", "2 to 128")
        check(
            _power_of_two(self.flit_bytes) and 8 <= self.flit_bytes <= 128,
            "flit_bytes",
            "a power of two from 8 to 128",
        )
        check(self.classes in (1, 2, 4, 8, 16), "classes", "1, 2, 4, 8 or 16")
        check(self.scheduler in SCHEDULERS, "scheduler", f"one of {', '.join(SCHEDULERS)}")
        check(1 <= self.iterations <= 8, "iterations", "1 to 8")
        check(
            self.class_policy in CLASS_POLICIES,
            "class_policy",
            f"one of {', '.join(CLASS_POLICIES)}",
        )
        weights = tuple(self.class_weights) or tuple(1 << c for c in range(self.classes))
        object.__setattr__(self, "class_weights", weights)  # of a list, as files have it, too
        check(
            len(self.class_weights) == self.classes and min(self.class_weights) >= 1,
            "class_weights",
            f"{self.classes} integers of 1 or more",
        )
        check(self.min_packet_bytes >= 8, "min_packet_bytes", "8 or more: a packet has a header")
        check(
            self.min_packet_bytes <= self.max_packet_bytes < 1 << 16,
            "max_packet_bytes",
            f"{self.min_packet_bytes} (min_packet_bytes) to 65535",
        )
        check(self.line_gbps is None or self.line_gbps > 0, "line_gbps", "a positive rate or None")
        check(
            (self.clock_mhz is None and self.line_gbps is None)
            or (self.clock_mhz is not None and self.clock_mhz > 0),
            "clock_mhz",
            "a positive frequency (or None, if line_gbps is None)",
        )
        check(self.speedup is None or self.speedup >= 1, "speedup", "1 or more, or None")
        check(
            self.ports <= self.endpoints <= 1 << 16 and _power_of_two(self.endpoints),
            "endpoints",
            f"a power of two from {self.ports} (ports) to 65536",
        )
        check(2 <= self.stall_cycles < 1 << 16, "stall_cycles", "2 to 65535")
        check(
            self.ingress_flits >= self.queues - 1 + self.max_packet_flits,
            "ingress_flits",
            f"{self.queues - 1 + self.max_packet_flits} or more: a largest packet of "
            f"{self.max_packet_flits} flits in one queue and a flit in each of {self.queues - 1}",
        )
        if self.reserve_flits is None:
            reserve = max(1, self.ingress_flits // 2 // self.queues)
            object.__setattr__(self, "reserve_flits", reserve)
        check(
            self.reserve >= 1 and self.reserve * self.queues <= self.ingress_flits,
            "reserve_flits",
            f"1 to {self.ingress_flits // self.queues} ({self.ingress_flits} flits over "
            f"{self.queues} queues)",
        )
        if self.limit_flits is None:
            fair = self.reserve + self.shared_flits // (2 * self.classes)
            object.__setattr__(
                self,
                "limit_flits",
                min(max(fair, self.max_packet_flits), self.reserve + self.shared_flits),
            )
        check(
            self.max_packet_flits <= self.limit <= self.reserve + self.shared_flits,
            "limit_flits",
            f"{self.max_packet_flits} (a largest packet) to {self.reserve + self.shared_flits} "
            "(the reserve and all that is shared)",
        )
        check(
            self.egress_flits % self.classes == 0 and self.accept_flits >= 1,
            "egress_flits",
            f"a multiple of {self.classes} classes with room in each for what an ingress queue may "
            f"hold ({self.limit} flits) and what is under way: "
            f"{self.classes * (self.egress_depth - self.accept_flits + 1)} or more",
        )

    @property
    def queues(self) -> int:
        """Virtual output queues of one ingress; queue ``output * classes + class``."""
        return self.ports * self.classes

    @property
    def stride(self) -> int:
        """Outputs from one diagonal of the wavefront to the next: about half of them.

        So of two neighbouring outputs of an input each comes first about as often.
        """
        return max(s for s in range(1, self.ports // 2 + 1) if gcd(s, self.ports) == 1)

    @property
    def words(self) -> int:
        """64-bit words in one flit."""
        return self.flit_bytes // 8

    @property
    def max_packet_flits(self) -> int:
        """Flits of a largest packet."""
        return ceil(self.max_packet_bytes / self.flit_bytes)

    @property
    def egress_depth(self) -> int:
        """Flits in the egress queue of one class."""
        return self.egress_flits // self.classes

    @property
    def accept_flits(self) -> int:
        """An egress queue that holds no more has room for a connection, and for what is under way.

        A connection moves at most ``limit`` flits. A grant counts on what the queue held one cycle
        before; ``2 * iterations + 6`` slots lie between the flits counted then and its own. One
        slot is that of a flit which has left the queue and is not read yet.
        """
        return self.egress_depth - self.limit - 2 * self.iterations - 7

    @property
    def reserve(self) -> int:
        """Flits that each ingress queue owns."""
        assert self.reserve_flits is not None
        return self.reserve_flits

    @property
    def limit(self) -> int:
        """Flits that one ingress queue may hold: the share of a sender."""
        assert self.limit_flits is not None
        return self.limit_flits

    @property
    def shared_flits(self) -> int:
        """Flits of one ingress buffer that no queue owns."""
        return self.ingress_flits - self.reserve * self.queues

    @property
    def short_flits(self) -> int:
        """A packet that is no longer finds room at once, where queues share nothing.

        If its queue is not high, that is: what it may hold besides, and two flits that have begun
        since that was seen, must fit, too.
        """
        return max(0, min(self.limit // 4, self.limit - self.mark_flits - 2))

    @property
    def mark_flits(self) -> int:
        """A packet that finds more flits of its queue taken is marked for congestion."""
        return self.limit // 2

    @property
    def line_flits_per_cycle(self) -> float:
        """Full flits that the line moves per cycle of the fabric, at most 1."""
        if self.speedup is not None:
            return 1 / self.speedup
        if self.line_gbps is None or self.clock_mhz is None:
            return 1.0
        return min(1.0, self.line_gbps * 1e3 / (self.clock_mhz * self.flit_bytes * 8))

    @property
    def start_scale(self) -> int:
        """Part of a packet, in 1/256, that must be in before it may leave: 1 - line rate.

        The rest then arrives by the time it is needed.
        """
        return 256 if self.store_and_forward else ceil(256 * (1 - self.line_flits_per_cycle))

    def start_flits(self, length: int) -> int:
        """Flits of a packet of ``length`` that must be in before it may leave."""
        return max(1, (length * self.start_scale + 255) >> 8)

    @property
    def latency(self) -> int:
        """Cycles from head in to head out of an idle switch, for packets of one flit.

        A longer one takes ``2 * (iterations - 1)`` cycles more.
        """
        return 13

    def with_(self, **changes: object) -> "SwitchConfig":
        """A copy with ``changes``; what was derived from a changed value is derived again.

        Raises
        ------
        ValueError
            If a field has no such name, or its value does not fit.
        """
        known = {field.name for field in fields(self)}
        for name in changes:
            if name not in known:
                raise ValueError(f"no configuration field {name!r}; there are {sorted(known)}")
        # A share or weight that was chosen stays; one that follows from the rest follows again.
        derived: dict[str, object] = {}
        for name, unset in (("reserve_flits", None), ("limit_flits", None), ("class_weights", ())):
            with suppress(ValueError):  # what would follow does not fit: this was chosen
                if getattr(self, name) == getattr(replace(self, **{name: unset}), name):
                    derived[name] = unset
        return replace(self, **(derived | changes))  # type: ignore[arg-type]


TINY = SwitchConfig(
    name="TINY",
    ports=2,
    flit_bytes=8,
    classes=2,
    ingress_flits=64,
    egress_flits=64,
    min_packet_bytes=8,
    max_packet_bytes=64,
    endpoints=8,
    stall_cycles=32,
)
PROTO = SwitchConfig(
    name="PROTO",
    ports=4,
    flit_bytes=8,
    line_gbps=5,
    clock_mhz=125,
    ingress_flits=4096,
    egress_flits=2048,
    max_packet_bytes=2048,
    iterations=1,  # packets of 8 flits and more leave little for further ones to match
    reserve_flits=256,  # a part of the buffer for each queue: rings are small and fast in an FPGA
    limit_flits=256,
)
NODE = SwitchConfig(
    name="NODE",
    ports=8,
    flit_bytes=64,
    line_gbps=400,
    clock_mhz=1500,
    ingress_flits=1024,
    egress_flits=512,
    max_packet_bytes=4160,
    scheduler="wavefront",  # with few ports a maximal matching at once is better than a pipeline
    iterations=1,
)
RACK = SwitchConfig(
    name="RACK",
    ports=64,
    flit_bytes=128,
    line_gbps=800,
    clock_mhz=1500,
    ingress_flits=2048,
    egress_flits=512,
    max_packet_bytes=4160,
    limit_flits=64,
)
LINGYUN = RACK.with_(name="LINGYUN", ports=128)
NAMED = {config.name: config for config in (TINY, PROTO, NODE, RACK, LINGYUN)}


def named(name: str) -> SwitchConfig:
    """The configuration called ``name``.

    Raises
    ------
    ValueError
        If there is none.
    """
    try:
        return NAMED[name]
    except KeyError:
        raise ValueError(f"no configuration {name!r}; there are {', '.join(NAMED)}") from None
