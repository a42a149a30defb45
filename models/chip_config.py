"""Parameters of a chip: those of its switch and of its links, and the credits that follow."""

from dataclasses import dataclass, replace
from typing import Any

from models.config import SwitchConfig
from models.link.config import LinkConfig, link_of
from models.link.wire import COUNTED, CREDIT_BITS, CREDIT_COUNTER_BITS, MAX_CHANNELS
from models.serdes.config import LanesConfig, link_over

__all__ = ["TIMEOUT_BITS", "ChipConfig", "chip_of"]

TIMEOUT_BITS = 24  # of dead_output_timeout, in cycles


@dataclass(frozen=True, kw_only=True)
class ChipConfig:
    """Parameters of one chip build; wrong values raise ``ValueError``.

    Virtual channel ``output * classes + class`` of a link is the queue of that number in the
    ingress behind it, if there are 32 or fewer; else channel ``class`` is for all outputs.

    Parameters
    ----------
    switch : SwitchConfig
        What lies behind the links. Its buffers must have room for the credits of
        ``link.permit_credits``, or no class would ever be permitted at the other end.
    link : LinkConfig
        Of all ports.
    lanes : LanesConfig or None
        Of the PCS of all ports, which the link sees as a longer cable (:func:`link_over`). With
        None the words of the links are pins, for another PCS.
    """

    switch: SwitchConfig
    link: LinkConfig
    lanes: LanesConfig | None = None

    def __post_init__(self) -> None:
        sizes = ("flit_bytes", "min_packet_bytes", "max_packet_bytes")
        for name in (*sizes, "line_gbps", "clock_mhz"):
            mine, its = getattr(self.switch, name), getattr(self.link, name)
            if mine != its:
                raise ValueError(
                    f"{name} of the link must be that of the switch, {mine}, not {its}"
                )
        if self.link.channels != self.channels:
            raise ValueError(
                f"channels of the link must be {self.channels} with {self.switch.ports} ports and "
                f"{self.switch.classes} classes, not {self.link.channels}"
            )
        if self.link.credit_bytes < self.link.flit_bytes:
            raise ValueError(
                f"credit_bytes must be {self.link.flit_bytes} (flit_bytes) or more, "
                f"not {self.link.credit_bytes}"
            )
        if self.lanes:
            self.check_lanes(self.lanes)
        least = self.room_for(self.link.permit_credits)
        if self.switch.limit < least:
            raise ValueError(
                f"limit_flits must be {least} or more (permit_credits of the link, and a largest "
                f"packet that has no credits), not {self.switch.limit}"
            )
        if self.port_credits < self.link.permit_credits:
            raise ValueError(
                f"ingress_flits must leave {self.link.permit_credits} credits or more to all "
                f"queues together (permit_credits of the link), not {self.port_credits}"
            )

    def check_lanes(self, lanes: LanesConfig) -> None:
        """Refuse lanes that do not fit the link."""
        if lanes.words_per_cycle != self.link.words_per_cycle:
            raise ValueError(
                f"lanes must have {self.link.words_per_cycle} words_per_cycle, as the link, "
                f"not {lanes.words_per_cycle}"
            )
        if self.link.wire_cycles < lanes.latency_cycles:
            least = lanes.cable_m(self.link.mhz)
            raise ValueError(
                f"length_m of the link must be {least:.4g} or more, the latency of the PCS, "
                f"not {self.link.length_m:g}"
            )

    @classmethod
    def of(cls, values: dict[str, Any]) -> "ChipConfig":
        """Inverse of ``dataclasses.asdict``."""
        return cls(
            switch=SwitchConfig(**values["switch"]),
            link=LinkConfig(**values["link"]),
            lanes=LanesConfig(**values["lanes"]) if values["lanes"] else None,
        )

    @property
    def name(self) -> str:
        """How results and messages call it."""
        return self.switch.name

    @property
    def counted(self) -> dict[str, int]:
        """Events that each port counts, in the order of their places among its counters, and how
        often each may happen in a cycle."""
        found = dict.fromkeys(COUNTED, 1) | {"lost": self.link.window}
        return found | (self.lanes.counted if self.lanes else {})

    @property
    def per_output(self) -> bool:
        """Each queue has a channel of its own."""
        return self.switch.queues <= MAX_CHANNELS

    @property
    def channels(self) -> int:
        """Virtual channels of a link."""
        return self.switch.queues if self.per_output else self.switch.classes

    @property
    def credit_flits(self) -> int:
        """Flits that a credit stands for."""
        return self.link.credit_bytes // self.link.flit_bytes

    def room_for(self, credits: int) -> int:
        """Flits that a queue must be able to hold for so many credits, and a copy without."""
        return credits * self.credit_flits + self.link.max_packet_flits

    @property
    def channel_credits(self) -> int:
        """Credits of a channel: its queue has room for them and for a packet without.

        That packet is the broken copy of one whose replay follows, of which there is one at most.
        """
        free = self.switch.limit - self.link.max_packet_flits
        return min(free // self.credit_flits, (1 << CREDIT_BITS) - 1)

    @property
    def port_credits(self) -> int:
        """Credits of all channels together: whatever they hold, the buffer admits it.

        Queues take from what they share only what exceeds their reserve. So the fewest flits that
        use all of it are those of queues at their limit, and one that has the rest.
        """
        switch, most = self.switch, (1 << CREDIT_COUNTER_BITS) - 1
        beyond = switch.limit - switch.reserve
        full = switch.shared_flits // beyond if beyond else switch.queues
        if full >= switch.queues:
            return most
        flits = switch.shared_flits + (full + 1) * switch.reserve
        return min((flits - self.link.max_packet_flits) // self.credit_flits, most)


def chip_of(config: SwitchConfig, lanes: LanesConfig | None = None, **changes: Any) -> ChipConfig:
    """The chip of a switch; ``changes`` are those of ``link_of``.

    If buffers are too small for the credits with which a channel carries the full rate, they become
    the smallest powers of two that are not, with the shares that follow.
    """
    link = link_over(config, lanes, **changes) if lanes else link_of(config, **changes)
    credits = max(link.full_rate_credits, link.permit_credits)
    least = credits * (link.credit_bytes // link.flit_bytes) + link.max_packet_flits
    if config.limit < least:
        queues, classes, ingress = config.queues, config.classes, config.ingress_flits
        while (limit := ingress // 2 // queues + ingress // 2 // (2 * classes)) < least:
            ingress *= 2
        egress = config.egress_flits
        while egress // classes < 2 * limit:
            egress *= 2
        derived: dict[str, object] = {"reserve_flits": None, "limit_flits": None}
        config = replace(config, ingress_flits=ingress, egress_flits=egress, **derived)
    return ChipConfig(switch=config, link=link, lanes=lanes)
