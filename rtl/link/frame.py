"""What passes between the blocks of a link: words, flits of frames, control words."""

from amaranth.lib import data, wiring
from amaranth.lib.wiring import Out

from models.link.config import LinkConfig
from models.link.wire import (
    CREDIT_BITS,
    FRAME_CHANNEL_BITS,
    MAX_CHANNELS,
    SEQUENCE_BITS,
    UPDATE_FIELDS,
)

__all__ = [
    "AckSignature",
    "ControlLayout",
    "ControlSignature",
    "DeliveredLayout",
    "FrameLayout",
    "InitLayout",
    "InitSignature",
    "ReceivedLayout",
    "ReceivedSignature",
    "SequenceLayout",
    "UpdateLayout",
    "UpdateSignature",
    "WordsLayout",
    "WordsSignature",
]


class WordsLayout(data.StructLayout):
    """What passes to or from the PCS in one cycle.

    Fields
    ------
    data : unsigned(64 * words_per_cycle)
        Byte 0, first in time, in the lowest bits.
    control : unsigned(8 * words_per_cycle)
        Bit ``n`` tells that byte ``n`` is a control character.
    """

    def __init__(self, config: LinkConfig):
        words = config.words_per_cycle
        super().__init__({"data": 64 * words, "control": 8 * words})


class FrameLayout(data.StructLayout):
    """A flit on its way to the framer.

    Fields
    ------
    data : unsigned(8 * flit_bytes)
        Byte 0 in the lowest bits.
    count : range(flit_bytes)
        Bytes that count, less one; full unless ``last``.
    last : unsigned(1)
        Last flit of its frame.
    poison : unsigned(1)
        With ``last``: the packet is broken, so the CRC is complemented.
    llr : unsigned(1)
        The frame has a sequence number.
    sequence : unsigned(20)
        The number.
    channel : unsigned(6)
        Virtual channel, or 32 of the link itself. ``llr``, ``sequence`` and ``channel`` are the
        same in each flit of a frame.
    """

    def __init__(self, config: LinkConfig):
        super().__init__(
            {
                "data": 8 * config.flit_bytes,
                "count": range(config.flit_bytes),
                "last": 1,
                "poison": 1,
                "llr": 1,
                "sequence": SEQUENCE_BITS,
                "channel": FRAME_CHANNEL_BITS,
            }
        )


class ReceivedLayout(data.StructLayout):
    """A flit from the deframer.

    Fields
    ------
    data : unsigned(8 * flit_bytes)
        Byte 0 in the lowest bits.
    count : range(flit_bytes)
        Bytes that count, less one; full unless ``last``.
    first, last : unsigned(1)
        First and last flit of its frame; each first is followed by one last.
    bad : unsigned(1)
        With ``last``: the CRC is wrong and not the complement, or the frame was cut short or
        malformed.
    poison : unsigned(1)
        With ``last``: the CRC is the complement.
    check : unsigned(1)
        The header check is right.
    llr : unsigned(1)
        The frame has a sequence number.
    sequence : unsigned(20)
        The number.
    channel : unsigned(6)
        Virtual channel, or 32 of the link itself. ``check``, ``llr``, ``sequence`` and ``channel``
        are the same in each flit of a frame.
    """

    def __init__(self, config: LinkConfig):
        super().__init__(
            {
                "data": 8 * config.flit_bytes,
                "count": range(config.flit_bytes),
                "first": 1,
                "last": 1,
                "bad": 1,
                "poison": 1,
                "check": 1,
                "llr": 1,
                "sequence": SEQUENCE_BITS,
                "channel": FRAME_CHANNEL_BITS,
            }
        )


class DeliveredLayout(data.StructLayout):
    """A flit of a packet that a link has received.

    Fields
    ------
    data : unsigned(8 * flit_bytes)
        Byte 0 in the lowest bits.
    keep : unsigned(flit_bytes)
        Bytes that count, full except with ``last``.
    last : unsigned(1)
        Last flit of its packet.
    user : unsigned(2)
        Bit 0 with ``last``: the packet is broken or poisoned.
    channel : unsigned(6)
        Virtual channel, the same in each flit; 32 is a frame of the link itself.
    broken : unsigned(1)
        With ``last``: this copy is not received, it counts for nothing; its replay may come later.
    """

    def __init__(self, config: LinkConfig):
        super().__init__(
            {"data": 8 * config.flit_bytes, "keep": config.flit_bytes, "last": 1, "user": 2}
            | {"channel": FRAME_CHANNEL_BITS, "broken": 1}
        )


class ControlLayout(data.StructLayout):
    """A control word without its first character: D1, in the lowest bits, to D7."""

    def __init__(self):
        super().__init__(
            {
                "type": 8,
                "sequence_high": 8,
                "sequence_middle": 8,
                "padding": 4,
                "sequence_low": 4,
                "value": 16,
                "rest": 8,
            }
        )


class SequenceLayout(data.StructLayout):
    """What an ACK or NACK says: the last good sequence number."""

    def __init__(self):
        super().__init__({"sequence": SEQUENCE_BITS})


class InitLayout(data.StructLayout):
    """What an INIT or INIT_ECHO says: the first sequence number, and which INIT it is."""

    def __init__(self):
        super().__init__({"sequence": SEQUENCE_BITS, "value": 16})


class UpdateLayout(data.StructLayout):
    """What a CF_Update says: the credits freed of two channels, or twice of one.

    Fields
    ------
    entry : array of 2
        ``freed``, the low 15 bits of the credits freed since reset, and ``channel``.
    """

    def __init__(self, credit_bits: int = CREDIT_BITS):
        entry = data.StructLayout(UPDATE_FIELDS | {"freed": credit_bits})
        super().__init__({"entry": data.ArrayLayout(entry, 2)})


class WordsSignature(wiring.Signature):
    """Words from the PCS, which does not wait."""

    def __init__(self, config: LinkConfig):
        super().__init__({"valid": Out(1), "words": Out(WordsLayout(config))})


class ReceivedSignature(wiring.Signature):
    """A flit from the deframer, which cannot wait."""

    def __init__(self, config: LinkConfig):
        super().__init__({"valid": Out(1), "payload": Out(ReceivedLayout(config))})


class UpdateSignature(wiring.Signature):
    """A CF_Update has come: the low bits of the credits freed of two channels, or twice of one."""

    def __init__(self, credit_bits: int = CREDIT_BITS):
        super().__init__(
            {
                "valid": Out(1),
                "channel": Out(range(MAX_CHANNELS)).array(2),
                "freed": Out(credit_bits).array(2),
            }
        )


class ControlSignature(wiring.Signature):
    """A control word has come."""

    def __init__(self):
        super().__init__({"valid": Out(1), "payload": Out(ControlLayout())})


class InitSignature(wiring.Signature):
    """An INIT or INIT_ECHO has come."""

    def __init__(self):
        super().__init__({"valid": Out(1), "sequence": Out(SEQUENCE_BITS), "value": Out(16)})


class AckSignature(wiring.Signature):
    """An ACK or NACK has come."""

    def __init__(self):
        super().__init__({"valid": Out(1), "sequence": Out(SEQUENCE_BITS)})
