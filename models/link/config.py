"""Build-time parameters of a link: with :mod:`models.link.wire` all that models and RTL share."""

from dataclasses import dataclass, replace
from enum import IntEnum
from math import ceil

from models.config import FRONT_FLITS, SwitchConfig
from models.link.wire import (
    FRAME_OVERHEAD_BYTES,
    IN_FRAME_BYTES,
    MAX_CHANNELS,
    REFRESH_BYTES,
    REPORT_NS,
    SEQUENCE_BITS,
    UPDATE_BYTES,
    credits_of,
    frame_words,
)

__all__ = [
    "NS_PER_METRE",
    "PERMITTED_FLITS",
    "DownPolicy",
    "EndKind",
    "LinkConfig",
    "ReceiverState",
    "SenderState",
    "link_of",
]

MAX_METRES = 100_000
NS_PER_METRE = 5  # copper and fibre alike, within 5 %
# Between the choice of a packet in an egress and the gate of the link: those that the egress has
# yet to hand over, and those that passed while the permit went to the egress by two registers.
PERMITTED_FLITS = FRONT_FLITS + 1 + 3
# Cycles from a flit at one end of an idle link of no length to the same flit at the other end, in
# cut-through, besides those in which its words arrive. A control word goes the same way.
HOP_CYCLES = 6
TOLD_CYCLES = 12  # from a last flit to the CF_Update: verdict, release, count, a look at a pair
# Ends of packets, and verdicts, that wait for each other. The ingress judges a head within 5 cycles
# of its coming, so no more than 6 packets of one flit lie between the two, and a CC_Update or two.
MAX_WAITING = 8


class SenderState(IntEnum):
    """What the sender of link-level retry does."""

    OFF = 0  # packets go without numbers
    INIT = 1  # asks the partner to take its first number
    ADVANCE = 2  # sends new packets
    REPLAY = 3  # repeats what is not acknowledged
    FLUSH = 4  # has given up what was not acknowledged


class ReceiverState(IntEnum):
    """What the receiver of link-level retry does."""

    OFF = 0  # not wanted, or no INIT has come
    SEND_ACKS = 1
    SEND_NACK = 2  # a frame was lost; the NACK has to go yet
    NACK_SENT = 3  # waits for the frame that it asked for


class DownPolicy(IntEnum):
    """What becomes of packets while the sender is in INIT or FLUSH; 3 is BLOCK, too."""

    DISCARD = 0
    BLOCK = 1
    BEST_EFFORT = 2  # they go without numbers


class EndKind(IntEnum):
    """What has ended, in the order of a line; 3 is nothing."""

    PACKET = 0  # received: it counts
    BROKEN = 1  # a copy, given away before it proved broken
    TOLD = 2  # no packet, but a CC_Update that came behind those before it


@dataclass(frozen=True, kw_only=True)
class LinkConfig:
    """Parameters of one link, alike at both of its ends; wrong values raise ``ValueError``.

    Parameters
    ----------
    name : str
        How results and messages call it.
    flit_bytes : int
        Bytes that one flit carries, a power of two, 8 to 128.
    words_per_cycle : int
        64-bit words that pass to and from the PCS in one cycle, 1 to ``flit_bytes / 16 + 1``.
    line_gbps : float or None
        Line rate in Gbit/s each way; None stands for ``words_per_cycle`` in every cycle.
    clock_mhz : float or None
        Clock; None stands for 1000, so that a cycle is a nanosecond.
    min_packet_bytes, max_packet_bytes : int
        Smallest and largest packet, header included.
    length_m : float
        Longest cable, for which buffers and timers are sized.
    store_and_forward : bool
        The receiver gives a packet away only when its frame has come in without error.
    ack_bytes : int
        Bytes that are received between two acknowledgements.
    replay_flits, window_frames : int or None
        Flits and frames that the sender keeps until they are acknowledged. ``window_frames`` is a
        power of two. None derives them from the round trip (:attr:`round_trip_cycles`): what is
        sent in it at full rate, and one frame more; so the line never waits for either.
    replay_timer_ns : int or None
        Time without progress after which the sender repeats, below 65536. None derives it: a round
        trip and two frames, the least that is allowed.
    replay_count_max : int
        Replays in a row, without progress, before all is given up (FLUSH).
    pcs_lost_ns : int
        So long may the PCS be down before all is given up.
    data_age_ns : int or None
        So long may data be unacknowledged before all is given up. None derives it: two
        timers for each replay and for two more, at least 24 us.
    channels : int
        Virtual channels of credit-based flow control, 1 to 32.
    credit_bytes : int
        Bytes of a credit, a power of two.
    first_sequence : int
        Number of the first frame after reset; one near the end of all numbers soon starts anew.
    """

    name: str = "custom"
    flit_bytes: int
    words_per_cycle: int
    line_gbps: float | None = None
    clock_mhz: float | None = None
    min_packet_bytes: int = 64
    max_packet_bytes: int
    length_m: float = 5
    store_and_forward: bool = False
    ack_bytes: int = 2048
    replay_flits: int | None = None
    window_frames: int | None = None
    replay_timer_ns: int | None = None
    replay_count_max: int = 8
    pcs_lost_ns: int = 50_000
    data_age_ns: int | None = None
    channels: int = 1
    credit_bytes: int = 128
    first_sequence: int = 0

    def __post_init__(self) -> None:
        def check(good: bool, name: str, rule: str) -> None:
            if not good:
                raise ValueError(f"{name} must be {rule}, not {getattr(self, name)!r}")

        def power_of_two(value: int) -> bool:
            return value > 0 and value & (value - 1) == 0

        check(
            power_of_two(self.flit_bytes) and 8 <= self.flit_bytes <= 128,
            "flit_bytes",
            "a power of two from 8 to 128",
        )
        most = most_words(self.flit_bytes)  # or a packet one byte over a flit slows the line down
        check(
            1 <= self.words_per_cycle <= most,
            "words_per_cycle",
            f"1 to {most} with flits of {self.flit_bytes} bytes",
        )
        check(self.clock_mhz is None or self.clock_mhz > 0, "clock_mhz", "a positive frequency")
        check(self.line_gbps is None or self.line_gbps > 0, "line_gbps", "a positive rate or None")
        check(
            self.line_gbps is None or self.line_gbps * 1e3 <= 64 * self.words_per_cycle * self.mhz,
            "words_per_cycle",
            f"enough for {self.line_gbps} Gbit/s at {self.mhz:g} MHz: "
            f"{ceil((self.line_gbps or 0) * 1e3 / (64 * self.mhz))} or more",
        )
        check(self.min_packet_bytes >= 8, "min_packet_bytes", "8 or more: a packet has a header")
        check(
            self.min_packet_bytes <= self.max_packet_bytes < 1 << 16,
            "max_packet_bytes",
            f"{self.min_packet_bytes} (min_packet_bytes) to 65535",
        )
        check(0 <= self.length_m <= MAX_METRES, "length_m", f"0 to {MAX_METRES}")
        check(1 <= self.channels <= MAX_CHANNELS, "channels", f"1 to {MAX_CHANNELS}")
        check(power_of_two(self.credit_bytes), "credit_bytes", "a power of two")
        check(self.ack_bytes >= 1, "ack_bytes", "1 or more")
        most = (1 << SEQUENCE_BITS) - 1
        check(0 <= self.first_sequence <= most, "first_sequence", f"0 to {most}")
        check(1 <= self.replay_count_max < 256, "replay_count_max", "1 to 255")
        for name, least in (
            ("replay_flits", self.least_replay_flits),
            ("window_frames", 1 << (self.least_window_frames - 1).bit_length()),
            ("replay_timer_ns", ceil(self.least_replay_timer_cycles * 1e3 / self.mhz)),
        ):
            if getattr(self, name) is None:
                object.__setattr__(self, name, least)
        check(
            self.replay >= self.max_packet_flits,
            "replay_flits",
            f"{self.max_packet_flits} or more: a largest packet",
        )
        check(
            power_of_two(self.window) and 2 <= self.window <= 1 << (SEQUENCE_BITS - 1),
            "window_frames",
            f"a power of two from 2 to {1 << (SEQUENCE_BITS - 1)}, half of the numbers",
        )
        check(
            self.replay_timer_cycles >= self.least_replay_timer_cycles
            and self.cycles(self.replay_timer_ns or 0) < 1 << 17
            and (self.replay_timer_ns or 0) < 1 << 16,
            "replay_timer_ns",
            f"{ceil(self.least_replay_timer_cycles * 1e3 / self.mhz)} (a round trip of "
            f"{self.length_m:g} m and two frames) to 65535",
        )
        check(self.pcs_lost_ns >= 1, "pcs_lost_ns", "1 or more")
        if self.data_age_ns is None:
            # A replay lasts for a round trip at most, and then the timer runs.
            every = 2 * (self.replay_count_max + 2) * (self.replay_timer_ns or 0)
            object.__setattr__(self, "data_age_ns", max(24_000, every))
        check(
            (self.data_age_ns or 0) >= (self.replay_timer_ns or 0),
            "data_age_ns",
            f"{self.replay_timer_ns} (replay_timer_ns) or more",
        )

    @property
    def mhz(self) -> float:
        """Clock in MHz."""
        return 1000.0 if self.clock_mhz is None else self.clock_mhz

    def cycles(self, nanoseconds: float) -> int:
        """Cycles that take at least so long."""
        return ceil(nanoseconds * self.mhz / 1e3 - 1e-9)

    @property
    def words(self) -> int:
        """64-bit words in one flit."""
        return self.flit_bytes // 8

    @property
    def max_packet_flits(self) -> int:
        """Flits of a largest packet."""
        return ceil(self.max_packet_bytes / self.flit_bytes)

    @property
    def line_words_per_cycle(self) -> float:
        """64-bit words that the line moves per cycle, at most ``words_per_cycle``."""
        if self.line_gbps is None:
            return float(self.words_per_cycle)
        return self.line_gbps * 1e3 / (64 * self.mhz)

    @property
    def wire_cycles(self) -> int:
        """Cycles that a word is in the cable."""
        return self.cycles(self.length_m * NS_PER_METRE)

    @property
    def frame_cycles(self) -> int:
        """Cycles of a largest frame on the line."""
        return ceil(frame_words(self.max_packet_bytes) / self.line_words_per_cycle)

    @property
    def ack_cycles(self) -> int:
        """Cycles in which the line brings ``ack_bytes``: so long may an acknowledgement wait."""
        return ceil((self.ack_bytes / 8 + 1) / self.line_words_per_cycle)

    @property
    def round_trip_cycles(self) -> int:
        """Cycles from the first word of a frame until its acknowledgement has come, at the most.

        There and back again through both ends; the frame itself, and ``ack_bytes`` that may be
        awaited behind it; and a frame the other way, that the acknowledgement waits for.
        """
        return 2 * (self.wire_cycles + HOP_CYCLES + 2) + 2 * self.frame_cycles + self.ack_cycles

    @property
    def least_replay_flits(self) -> int:
        """Flits sent in a round trip at full rate, and one frame."""
        # A packet one byte over a flit takes the most flits for the words of its frame.
        beyond = range(1, self.max_packet_bytes + 1, self.flit_bytes)
        sizes = [self.min_packet_bytes, *(size for size in beyond if size > self.min_packet_bytes)]
        flits = max(ceil(size / self.flit_bytes) / frame_words(size) for size in sizes)
        words = self.round_trip_cycles * self.line_words_per_cycle
        return ceil(words * flits) + self.max_packet_flits

    @property
    def least_window_frames(self) -> int:
        """Smallest frames sent in a round trip at full rate, and one."""
        words = self.round_trip_cycles * self.line_words_per_cycle
        return ceil(words / frame_words(self.min_packet_bytes)) + 1

    @property
    def least_replay_timer_cycles(self) -> int:
        """A round trip and two frames."""
        return self.round_trip_cycles + 2 * self.frame_cycles

    @property
    def replay(self) -> int:
        """Flits that the sender keeps."""
        assert self.replay_flits is not None
        return self.replay_flits

    @property
    def window(self) -> int:
        """Frames that the sender keeps."""
        assert self.window_frames is not None
        return self.window_frames

    @property
    def replay_timer_cycles(self) -> int:
        """Cycles without progress after which the sender repeats."""
        assert self.replay_timer_ns is not None
        return self.cycles(self.replay_timer_ns)

    @property
    def pcs_lost_cycles(self) -> int:
        """Cycles that the PCS may be down."""
        return self.cycles(self.pcs_lost_ns)

    @property
    def data_age_cycles(self) -> int:
        """Cycles without progress, replays included, after which all is given up."""
        assert self.data_age_ns is not None
        return self.cycles(self.data_age_ns)

    @property
    def full_rate_credits(self) -> int:
        """Credits with which a channel carries the full rate over a buffer that drains at once.

        What is sent in a round trip and one frame, in the packets that take the most credits for
        the words of their frame; a third more, as a quarter may be free and not told yet. The round
        trip: there and back again, the frame itself, a control word's wait behind the beginning of
        one the other way, and the cycles until freed credits are told of.
        """
        beyond = range(self.credit_bytes - FRAME_OVERHEAD_BYTES + 1, self.max_packet_bytes + 1)
        sizes = [self.min_packet_bytes, *beyond[:: self.credit_bytes]]
        most = max(credits_of(size, self.credit_bytes) / frame_words(size) for size in sizes)
        waits = IN_FRAME_BYTES / 8 / self.line_words_per_cycle + TOLD_CYCLES + self.channels
        cycles = 2 * (self.wire_cycles + HOP_CYCLES) + self.frame_cycles + waits
        in_flight = ceil(cycles * self.line_words_per_cycle * most * 4 / 3)
        return in_flight + credits_of(self.max_packet_bytes, self.credit_bytes)

    @property
    def update_cycles(self) -> int:
        """Cycles between two CF_Updates, by default."""
        return ceil(UPDATE_BYTES / 8 / self.line_words_per_cycle)

    @property
    def refresh_cycles(self) -> int:
        """Cycles between two CF_Updates that say nothing new, by default."""
        return ceil(REFRESH_BYTES / 8 / self.line_words_per_cycle)

    @property
    def permit_credits(self) -> int:
        """Credits that a channel has with its permit: a largest packet, and those on their way.

        A packet that was chosen for its permit comes behind up to ``PERMITTED_FLITS`` flits that
        were chosen before it and are not counted yet: whole packets of at most so many flits, as
        behind a longer one nothing is chosen before its head has passed.
        """
        packets = max(1, PERMITTED_FLITS // ceil(self.min_packet_bytes / self.flit_bytes))
        size = PERMITTED_FLITS * self.flit_bytes + packets * FRAME_OVERHEAD_BYTES
        under_way = packets + size // self.credit_bytes
        return credits_of(self.max_packet_bytes, self.credit_bytes) + under_way

    @property
    def report_cycles(self) -> int:
        """Cycles between two CC_Updates, by default."""
        return self.cycles(REPORT_NS)

    def with_(self, **changes: object) -> "LinkConfig":
        """A copy with ``changes``; buffers and timer that were derived are derived again."""
        derived: dict[str, object] = {}
        for name in ("replay_flits", "window_frames", "replay_timer_ns", "data_age_ns"):
            if getattr(self, name) == getattr(replace(self, **{name: None}), name):
                derived[name] = None
        return replace(self, **(derived | changes))  # type: ignore[arg-type]


def most_words(flit_bytes: int) -> int:
    """Words per cycle that are never fewer than those of a frame per flit of it."""
    return flit_bytes // 16 + 1


def link_of(config: SwitchConfig, **changes: object) -> LinkConfig:
    """The link at each port of a switch."""
    gbps, mhz = config.line_gbps, config.clock_mhz
    most = most_words(config.flit_bytes)
    words = most if gbps is None or mhz is None else ceil(gbps * 1e3 / (64 * mhz))
    link = LinkConfig(
        name=config.name,
        flit_bytes=config.flit_bytes,
        words_per_cycle=words,
        line_gbps=gbps,
        clock_mhz=mhz,
        min_packet_bytes=config.min_packet_bytes,
        max_packet_bytes=config.max_packet_bytes,
        store_and_forward=config.store_and_forward,
        channels=config.queues if config.queues <= MAX_CHANNELS else config.classes,
    )
    return link.with_(**changes)
