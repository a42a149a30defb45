"""A buffer behind a link, as the ingress of a switch is one: what comes in, and how it drains.

Only flits are counted; what is in them goes to the sinks as it comes. A packet takes as many as the
length in its header has from its first flit on, whether all of them come or not: a switch fills
up what is missing.
"""

from collections import namedtuple
from collections.abc import Iterable

import numpy as np

from models.compiled import compiled, inner
from models.link.config import LinkConfig
from models.record import allocate

__all__ = ["Reader", "reader_clock", "reader_drive"]

# `stored` flits of each channel, the `most` of them there ever were, the same `in_all` channels;
# `turn` is the channel that was served last, `random` the state of the random numbers.
ReaderState = namedtuple(
    "ReaderState", "stored most in_all most_in_all in_packet accepted turn random"
)
Parameters = namedtuple("Parameters", "channels flit_bytes max_packet_bytes chance stopped")


@compiled
def reader_drive(p, s, inputs, n):
    """Verdict and release of this cycle, onto the inputs of a link."""
    inputs.accepted[n] = s.accepted[n]
    inputs.released_valid[n] = 0
    s.random[n] = s.random[n] * 0x5851F42D4C957F2D + 0x14057B7EF767814F
    drains = (s.random[n] >> 32 & 0x7FFFFFFF) < p.chance
    for k in range(1, p.channels + 1):
        c = (s.turn[n] + k) % p.channels
        if drains and s.stored[n, c] > 0 and not p.stopped[n] >> c & 1:
            inputs.released_valid[n] = 1
            inputs.released_channel[n] = s.turn[n] = c
            break


@inner
def flits_of(p, length):
    """Flits of a packet of ``length`` bytes."""
    return (min(length, p.max_packet_bytes) + p.flit_bytes - 1) // p.flit_bytes


@compiled
def reader_clock(p, s, inputs, outputs, n):
    """The clock edge: what was released has left, what is on ``o`` comes in."""
    if inputs.released_valid[n]:
        s.stored[n, inputs.released_channel[n]] -= 1
        s.in_all[n] -= 1
    s.accepted[n] = 0
    if outputs.o_valid[n] and inputs.o_ready[n]:
        if not s.in_packet[n]:
            c = outputs.o_channel[n]
            flits = flits_of(p, outputs.o_payload_data[n, 0] >> 32 & 0xFFFF)
            s.stored[n, c] += flits
            s.in_all[n] += flits
            s.most[n, c] = max(s.most[n, c], s.stored[n, c])
            s.most_in_all[n] = max(s.most_in_all[n], s.in_all[n])
            s.accepted[n] = 1
        s.in_packet[n] = not outputs.o_payload_last[n]


class Reader:
    """Buffers behind ``instances`` ends of links.

    Parameters
    ----------
    config : LinkConfig
        The link.
    drain : float
        Probability that a flit leaves in a cycle, if there is one; channels take turns.
    seed : int
        Of that.
    stopped : list of (int, int) pairs
        Ends, and a channel of each of which no flit ever leaves.
    """

    def __init__(
        self,
        config: LinkConfig,
        *,
        drain: float,
        seed: int,
        instances: int = 2,
        stopped: Iterable[tuple[int, int]] = (),
    ):
        masks = np.zeros(instances, dtype=np.int64)
        for end, channel in stopped:
            masks[end] |= 1 << channel
        self.p = Parameters(
            config.channels,
            config.flit_bytes,
            config.max_packet_bytes,
            round(drain * (1 << 31)),
            masks,
        )
        shapes: dict[str, tuple[int, ...]] = dict.fromkeys(ReaderState._fields, (instances,))
        shapes["stored"] = shapes["most"] = (instances, config.channels)
        self.state = allocate(ReaderState, shapes)
        self.state.random[:] = np.random.default_rng([seed, 2]).integers(1 << 62, size=instances)
