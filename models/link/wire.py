"""What is on the wire: bytes of preambles, control words and their meaning, in one place.

Words are 64 bits with 8 control bits, as in XGMII: bit ``n`` of the control bits tells that byte
``n`` (byte 0 in the lowest bits, first in time) is a control character. A frame is a preamble, the
bytes of a packet, 4 bytes of frame check sequence (CRC-32 of IEEE 802.3, lowest byte first) and a
terminate character; it begins in byte 0 of a word, and idles fill the word in which it ends.

Follows the public rendering of Ultra Ethernet 1.0 (LLR: frames with SFD 0xDD have a 20-bit sequence
number in the preamble; ordered sets of type 0x4B, O-code 0x6, D1 = type). Where the specification
itself was not at hand, bits were placed by us and are named here: the bytes of the preamble but the
first and the last, the character of O-code 0x6, the types from 0x10 on, and D2 .. D7 of CF_Update.
"""

from enum import IntEnum

__all__ = [
    "CC_UPDATE_FIELDS",
    "CHECK_BITS",
    "CHECK_POLYNOMIAL",
    "COUNTED",
    "COUNT_BITS",
    "CREDIT_BITS",
    "CREDIT_COUNTER_BITS",
    "CREDIT_TIMER_BITS",
    "ERROR",
    "FCS_POLYNOMIAL",
    "FILLER",
    "FRAME_CHANNEL_BITS",
    "FRAME_OVERHEAD_BYTES",
    "FRAME_SFD",
    "IDLE",
    "IN_FRAME_BYTES",
    "LLR_SFD",
    "MAX_CHANNELS",
    "ORDERED_SET",
    "OWN_CHANNEL",
    "PREAMBLE_FIELDS",
    "REFRESH_BYTES",
    "REPORT_NS",
    "SEQUENCE_BITS",
    "START",
    "TERMINATE",
    "UPDATE_BYTES",
    "UPDATE_FIELDS",
    "Control",
    "credits_of",
    "frame_words",
]

IDLE, START, TERMINATE, ERROR = 0x07, 0xFB, 0xFD, 0xFE
ORDERED_SET = 0x5C  # the character that stands for O-code 0x6
FRAME_SFD, LLR_SFD = 0xD5, 0xDD
SEQUENCE_BITS = 20
MAX_CHANNELS = 32
CREDIT_BITS = 15  # of a channel in CF_Update
IN_FRAME_BYTES = 256  # no control word before so many bytes of a frame, its preamble included

# Virtual channels are 0 to 31; 32 is the link itself, which sends its CC_Updates as frames.
FRAME_CHANNEL_BITS = 6
OWN_CHANNEL = MAX_CHANNELS

# The first word of a frame, first field in the lowest bits. The sequence number is written with its
# highest bits first, as in D2 .. D4 of a control word: bits 19..12, then 11..4, then 3..0 in the
# upper half of a byte.
PREAMBLE_FIELDS = {
    "start": 8,
    "channel": FRAME_CHANNEL_BITS,
    "reserved": 2,
    "sequence_high": 8,
    "sequence_middle": 8,
    "padding": 4,
    "sequence_low": 4,
    "check": 8,
    "filler": 8,  # 0x55
    "sfd": 8,
}
FILLER = 0x55

# The header check: CRC-8 (AUTOSAR's 0x2F, Hamming distance 4 up to 119 bits) over byte 7 of the
# preamble, the 8 bytes of the header, then bytes 1 to 4 of the preamble, each lowest bit first as
# on the line; register preset to ones, not inverted. It gates routing. In this order the check
# itself, byte 5, comes right behind what comes before it on the line: so every burst of up to 8
# bits is detected, also one that begins in byte 4. Byte 6 is compared as it is.
CHECK_BITS = 8
CHECK_POLYNOMIAL = 0x2F
FCS_POLYNOMIAL = 0x04C11DB7  # CRC-32 of IEEE 802.3


class Control(IntEnum):
    """D1 of a control word. D2 .. D4 hold a sequence number as the preamble does.

    D7 is the check of D1 .. D6, of the same polynomial and preset as the header check. That is our
    own: the public facts have no check, and one wrong bit would turn an ACK into an INIT, or free
    credits that are in use. At least four wrong bits, or a burst of more than eight, can pass.
    """

    FILL = 0x00  # means nothing: keeps the line busy within a frame
    ACK = 0x01
    NACK = 0x02
    INIT = 0x03  # D5, D6: a number that INIT_ECHO returns
    INIT_ECHO = 0x04
    CF_UPDATE = 0x10  # to 0x1F: credits freed of two channels


# What a link counts: the 22 of link-level retry in the order of SAI, then our own. ``flushed`` is
# how often all was given up, ``lost`` the frames of it; ``rx_overrun`` a flit that found no room
# behind the receiver, ``overrun`` words that found none in the deframer; ``malformed`` control
# words in places that mean nothing, ``unknown`` those of types that do. Of credits: a CC_Update
# brought some back; an update that cannot be; more came than there was room for, or left than there
# was; a channel has waited too long.
COUNTED = (
    *("tx_init", "tx_init_echo", "tx_ack", "tx_nack", "tx_discard", "tx_ok", "tx_poisoned"),
    *("tx_replay", "rx_init", "rx_init_echo", "rx_ack", "rx_nack", "rx_ack_nack_seq_error"),
    *("rx_ok", "rx_poisoned", "rx_bad", "rx_expected_seq_good", "rx_expected_seq_poisoned"),
    *("rx_expected_seq_bad", "rx_missing_seq", "rx_duplicate_seq", "rx_replay"),
    *("flushed", "lost", "rx_overrun", "overrun", "malformed", "unknown"),
    *("credit_healed", "credit_excess", "credit_overrun", "credit_underrun", "credit_stall"),
)
COUNT_BITS = 48  # of each: two days of an event in each cycle of 1.5 GHz


def frame_words(size: int) -> int:
    """64-bit words on the line of the frame of a packet of ``size`` bytes, least gap included."""
    return 1 + -(-(size + 4 + 1) // 8)


# Credits. A packet takes some for its bytes and those of its frame: preamble, check sequence, gap.
FRAME_OVERHEAD_BYTES = 16
CREDIT_COUNTER_BITS = 20  # of a channel's counters at both ends, in CC_Update too
CREDIT_TIMER_BITS = 24  # cycles between updates and the like
UPDATE_BYTES = 6400  # of the line between two CF_Updates, by default
REFRESH_BYTES = 1 << 16  # and between two that say nothing new
REPORT_NS = 256_000  # between two CC_Updates

# CF_Update has two of these, first field in the lowest bits. Of the first entry, lowest bits first,
# 16 are in D2 and D3, and 4 in the lower half of D1; of the second, 4 in the upper half of D4,
# and 16 in D5 and D6. The lower half of D4 is not free: in a block of 64b/66b the O-code is there.
# Both count: where there is one channel to tell of, the second repeats the first.
UPDATE_FIELDS = {"freed": CREDIT_BITS, "channel": 5}

# The first word of a CC_Update, a frame on OWN_CHANNEL; first field in the lowest bits.
CC_UPDATE_FIELDS = {
    "consumed": CREDIT_COUNTER_BITS,
    "channel": 5,
    "reserved": 7,
    "length": 16,  # where the header of a packet has it
    "filler": 16,
}


def credits_of(size: int, credit_bytes: int) -> int:
    """Credits that a packet of ``size`` bytes takes."""
    return -(-(size + FRAME_OVERHEAD_BYTES) // credit_bytes)
