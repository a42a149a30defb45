"""The packet: header fields, and why a packet is dropped or broken."""

from dataclasses import dataclass
from enum import IntEnum

__all__ = [
    "HEADER_BYTES",
    "HEADER_FIELDS",
    "TEST_SALT",
    "Broken",
    "Drop",
    "Header",
    "Operation",
    "Wrong",
]

HEADER_BYTES = 8
HEADER_FIELDS = {  # name: bits, first field in the lowest bits
    "destination": 16,
    "source": 16,
    "length": 16,
    "traffic_class": 4,
    "operation": 4,
    "partition": 8,
}

TEST_SALT = 0x9E3779B97F4A7C15  # inverts bits of each word of a test packet, see rtl.generator


class Operation(IntEnum):
    """What a packet asks of the switch; only unicast is served so far."""

    UNICAST = 0
    MULTICAST = 1
    REDUCE = 2
    ALL_REDUCE = 3


class Drop(IntEnum):
    """Why a packet was not accepted; the first that applies is reported."""

    LENGTH = 0  # declared length outside min_packet_bytes .. max_packet_bytes
    OPERATION = 1  # not unicast
    TRAFFIC_CLASS = 2  # no such class
    NO_ROUTE = 3  # destination beyond the table, or entry without exactly one output
    PARTITION = 4  # ingress or output port is not a member
    DISABLED = 5  # output port is not enabled


class Broken(IntEnum):
    """Why an accepted packet was ended with an error; the first that applies is counted."""

    INPUT = 0  # error flag on the input
    KEEP = 1  # tkeep not full before the last flit, or not as the length says on it
    SHORT = 2  # tlast before the declared length
    LONG = 3  # no tlast at the declared length
    STALL = 4  # no flit for stall_cycles
    RESET = 5  # the port was reset in the middle


class Wrong(IntEnum):
    """What is wrong with a test packet; the first that applies to a flit is reported."""

    MARKED = 0  # error flag
    KEEP = 1  # tkeep zero, with gaps, or not full before the last flit
    PORT = 2  # for another port
    HEADER = 3  # no generator sends such a header
    LENGTH = 4  # tlast, or tkeep with it, not where the header says
    PAYLOAD = 5  # a word does not follow from the word before it
    ORDER = 6  # not the next sequence number: a packet was lost, repeated or overtaken


@dataclass(frozen=True, kw_only=True)
class Header:
    """The first 8 bytes of a packet; a field that does not fit raises ``ValueError``."""

    destination: int
    source: int
    length: int
    traffic_class: int = 0
    operation: int = Operation.UNICAST
    partition: int = 0

    def __post_init__(self) -> None:
        for name, bits in HEADER_FIELDS.items():
            value = getattr(self, name)
            if not 0 <= value < 1 << bits:
                raise ValueError(f"{name} must be 0 to {(1 << bits) - 1}, not {value}")

    def pack(self) -> int:
        """The header as a 64-bit integer."""
        word, shift = 0, 0
        for name, bits in HEADER_FIELDS.items():
            word |= int(getattr(self, name)) << shift
            shift += bits
        return word

    @classmethod
    def unpack(cls, word: int) -> "Header":
        """The header in the low 64 bits of ``word``."""
        values, shift = {}, 0
        for name, bits in HEADER_FIELDS.items():
            values[name] = word >> shift & ((1 << bits) - 1)
            shift += bits
        return cls(**values)
