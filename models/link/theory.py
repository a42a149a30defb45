"""What a link can carry at best: without errors, and with go-back-N."""

from models.channel import BLOCK_BITS
from models.link.config import HOP_CYCLES, LinkConfig
from models.link.wire import IN_FRAME_BYTES, frame_words

__all__ = ["error_free", "frame_error", "go_back_n"]


def told_of_credits(config: LinkConfig) -> float:
    """Part of the line that CF_Updates and CC_Updates take."""
    updates = 1 / config.update_cycles
    reports = config.channels * frame_words(config.min_packet_bytes) / config.report_cycles
    return (updates + reports) / config.line_words_per_cycle


def cycles_of(config: LinkConfig, size: int, credits: bool) -> float:
    """Cycles of the frame of a packet of ``size`` bytes on the line, its part of ACKs included.

    With ``credits`` its part of what is told of them, too.
    """
    frame = frame_words(size) / config.line_words_per_cycle
    if credits:
        frame /= 1 - told_of_credits(config)
    # An ACK, one word, waits for the first frame behind the last one, and then ``ack_cycles``.
    ack = 1 / config.line_words_per_cycle
    return frame * (1 + ack / (config.ack_cycles + frame))


def error_free(config: LinkConfig, size: int, credits: bool = False) -> float:
    """Part of the line rate that the bytes of packets of ``size`` bytes take, both ways full.

    Counted besides: preamble, check sequence, least gap, and the words of acknowledgements; with
    ``credits`` CF_Updates and CC_Updates.
    """
    return size / 8 / config.line_words_per_cycle / cycles_of(config, size, credits)


def frame_error(size: int, ber: float, burst: int = 1) -> float:
    """Probability that an error hits the frame of a packet of ``size`` bytes.

    Bits of its words and those before it in which an error of ``burst`` bits can begin that
    reaches it; errors begin independently with probability ``ber`` at each bit.
    """
    return 1 - (1 - ber) ** (BLOCK_BITS * frame_words(size) + burst - 1)


def go_back_n(
    config: LinkConfig, size: int, ber: float, burst: int = 1, credits: bool = False
) -> float:
    """As ``error_free``, with errors on the line, the same both ways.

    A frame that is hit costs what is sent from its beginning until its replay begins: itself, the
    way there and back, what the NACK waits for (a frame the other way has to end, or to be 256
    bytes old) and what is left of the frame then under way. A replay that is hit in turn costs the
    same, and a NACK that is hit a replay timer.

    Source: Lin and Costello, "Error Control Coding", 1983, section 15.1 (go-back-N), with the costs
    of this link.
    """
    frame = cycles_of(config, size, credits)
    p = frame_error(size, ber, burst)
    if p == 1:
        return 0.0
    nack_lost = 1 - (1 - ber) ** (BLOCK_BITS + burst - 1)
    quiet = min(1.0, IN_FRAME_BYTES / 8 / frame_words(size)) * frame  # no NACK in this part
    wait = quiet * quiet / (2 * frame)
    back = frame + 2 * (config.wire_cycles + HOP_CYCLES) + wait + frame / 2
    lost = p / (1 - p) * (back + nack_lost * config.replay_timer_cycles)
    return size / 8 / config.line_words_per_cycle / (frame + lost)
