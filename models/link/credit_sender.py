"""Golden model of rtl.link.credit_sender: two running totals for each channel.

The RTL keeps what is in use, of which an update tells all bits, and a sum for the port. Here freed
walks ahead, credit by credit, until its low bits are those of the update; what is in use is always
worked out anew.
"""

from collections import namedtuple
from math import ceil

from models.compiled import compiled, inner
from models.link.config import LinkConfig
from models.link.wire import CREDIT_BITS, CREDIT_COUNTER_BITS, FRAME_OVERHEAD_BYTES
from models.record import allocate

__all__ = [
    "CreditParameters",
    "CreditSenderInputs",
    "CreditSenderModel",
    "CreditSenderOutputs",
    "credit_parameters",
    "credit_sender_clock",
    "credit_sender_outputs",
    "credit_sender_shapes",
    "credit_sender_state",
    "credits_in",
    "tick",
]

CreditParameters = namedtuple(
    "CreditParameters", "channels words flit_bytes credit_bytes max_packet_bytes permit_credits"
)
CreditSenderInputs = namedtuple(
    "CreditSenderInputs",
    "i_valid i_payload_data i_payload_keep i_payload_last i_payload_user channel lossless waiting "
    "update_valid update_channel update_freed limit_valid limit_channel limit_limit port_limit "
    "report_cycles watchdog_cycles reset o_ready consumed_ready",
)
CreditSenderOutputs = namedtuple(
    "CreditSenderOutputs",
    "i_ready o_valid o_payload_data o_payload_keep o_payload_last o_payload_user o_channel permit "
    "consumed_valid consumed_payload_channel consumed_payload_consumed excess stalls stalled",
)
# `back` are credits that came back in the last cycle, `ticks` those of the watchdog that a channel
# has waited for, `report` the channel that is on `consumed`, or -1.
CreditSenderState = namedtuple(
    "CreditSenderState",
    "consumed freed limit ticks back in_packet current offered report report_value "
    "watchdog_elapsed report_elapsed stalls stalled",
)

NUMBERS = 1 << CREDIT_COUNTER_BITS
UPDATE_NUMBERS = 1 << CREDIT_BITS


def credit_parameters(config: LinkConfig) -> CreditParameters:
    """The numbers of a configuration, in the form compiled model loops take."""
    return CreditParameters(*(getattr(config, name) for name in CreditParameters._fields))


def credit_sender_shapes(config: LinkConfig, instances: int) -> tuple[dict, dict]:
    """Shapes of the inputs and of the outputs."""
    wide: dict[str, tuple[int, ...]] = {"update_channel": (2,), "update_freed": (2,)}
    for side in "i", "o":
        wide |= {f"{side}_payload_data": (config.words,)}
        wide |= {f"{side}_payload_keep": (ceil(config.flit_bytes / 64),)}
    kinds = CreditSenderInputs, CreditSenderOutputs
    inputs, outputs = (
        {field: (instances, *wide.get(field, ())) for field in kind._fields} for kind in kinds
    )
    return inputs, outputs


def credit_sender_state(config: LinkConfig, instances: int) -> CreditSenderState:
    """State after reset."""
    shapes: dict[str, tuple[int, ...]] = dict.fromkeys(CreditSenderState._fields, (instances,))
    for name in ("consumed", "freed", "limit", "ticks"):
        shapes[name] = (instances, config.channels)
    state = allocate(CreditSenderState, shapes)
    state.report[:] = -1
    return state


@inner
def credits_in(p, length):
    """Credits of a packet whose header tells ``length``."""
    left, credits = min(length, p.max_packet_bytes) + FRAME_OVERHEAD_BYTES, 0
    while left > 0:
        left -= p.credit_bytes
        credits += 1
    return credits


@inner
def tick(elapsed, cycles, n):
    """Whether ``cycles`` have passed since the last tick; counts on."""
    if cycles == 0:
        elapsed[n] = 0
        return False
    elapsed[n] += 1
    if elapsed[n] < cycles:
        return False
    elapsed[n] = 0
    return True


@inner
def in_use(s, n, c):
    """Credits of a channel that are not free."""
    return (s.consumed[n, c] - s.freed[n, c]) % NUMBERS


@inner
def port_in_use(p, s, n):
    """Credits of all channels; what has just come back is still counted."""
    credits = s.back[n]
    for c in range(p.channels):
        credits += in_use(s, n, c)
    return credits


@inner
def freed_after(s, n, c, value):
    """Credits freed, up to the next number that ends like ``value``; -1 if that was never used."""
    freed = s.freed[n, c]
    while freed % UPDATE_NUMBERS != value:
        if freed == s.consumed[n, c]:
            return -1
        freed = (freed + 1) % NUMBERS
    return freed


@inner
def counts(inputs, n, k):
    """Whether an entry of an update counts: not the first of two of the same channel."""
    repeated = k == 0 and inputs.update_channel[n, 0] == inputs.update_channel[n, 1]
    return inputs.update_valid[n] != 0 and not repeated and not inputs.reset[n]


@inner
def gated(p, inputs, n):
    """The channel of the head, if it is one that needs credits, else -1."""
    c = inputs.channel[n]
    return c if c < p.channels and inputs.lossless[n] >> c & 1 else -1


@inner
def passes_unweighed(p, s, port_room, n, c):
    """A largest packet would fit."""
    return min(s.limit[n, c] - in_use(s, n, c), port_room) >= credits_in(p, p.max_packet_bytes)


@compiled
def credit_sender_outputs(p, s, inputs, outputs, n):
    """What comes out in this cycle."""
    port_room = inputs.port_limit[n] - port_in_use(p, s, n)
    outputs.permit[n] = 0
    for c in range(p.channels):
        room = min(s.limit[n, c] - in_use(s, n, c), port_room)
        fits = room >= p.permit_credits and not inputs.reset[n]
        outputs.permit[n] |= (fits or not inputs.lossless[n] >> c & 1) << c

    c = gated(p, inputs, n)
    goes = s.in_packet[n] or s.offered[n] or c < 0
    if c >= 0 and not inputs.reset[n]:
        goes |= passes_unweighed(p, s, port_room, n, c)
    outputs.o_valid[n] = inputs.i_valid[n] and goes
    outputs.i_ready[n] = inputs.o_ready[n] and goes
    outputs.o_channel[n] = s.current[n] if s.in_packet[n] else inputs.channel[n]
    for word in range(p.words):
        outputs.o_payload_data[n, word] = inputs.i_payload_data[n, word]
    for word in range(outputs.o_payload_keep.shape[1]):
        outputs.o_payload_keep[n, word] = inputs.i_payload_keep[n, word]
    outputs.o_payload_last[n] = inputs.i_payload_last[n]
    outputs.o_payload_user[n] = inputs.i_payload_user[n]

    outputs.excess[n] = 0
    for k in range(2):
        c = inputs.update_channel[n, k]
        if counts(inputs, n, k) and (
            c >= p.channels or freed_after(s, n, c, inputs.update_freed[n, k]) < 0
        ):
            outputs.excess[n] |= 1 << k

    outputs.consumed_valid[n] = s.report[n] >= 0
    outputs.consumed_payload_channel[n] = max(s.report[n], 0)
    outputs.consumed_payload_consumed[n] = s.report_value[n]
    outputs.stalls[n] = s.stalls[n]
    outputs.stalled[n] = s.stalled[n]


@inner
def watch(p, s, inputs, outputs, passed, n):
    """What has waited, and for how long; ``passed`` is the channel of a head that goes."""
    ticks = tick(s.watchdog_elapsed, inputs.watchdog_cycles[n], n)
    held = gated(p, inputs, n) if inputs.i_valid[n] and not outputs.o_valid[n] else -1
    s.stalls[n] = 0
    for c in range(p.channels):
        blocked = inputs.lossless[n] & inputs.waiting[n] & ~outputs.permit[n]
        if c != held and (c == passed or not blocked >> c & 1):
            s.ticks[n, c] = 0
            continue
        s.ticks[n, c] += ticks
        if ticks and s.ticks[n, c] > 1:
            s.stalls[n] |= 1 << c
    s.stalled[n] |= s.stalls[n]


@inner
def report(p, s, inputs, n):
    """One channel after the other shows what it has consumed."""
    due = tick(s.report_elapsed, inputs.report_cycles[n], n)
    if s.report[n] < 0:
        s.report[n] = 0 if due else -1
    elif not inputs.consumed_ready[n]:
        pass
    elif s.report[n] == p.channels - 1:
        s.report[n] = -1
    else:
        s.report[n] += 1
    if s.report[n] >= 0:
        s.report_value[n] = s.consumed[n, s.report[n]]


@compiled
def credit_sender_clock(p, s, inputs, outputs, n):
    """The clock edge."""
    length = inputs.i_payload_data[n, 0] >> 32 & 0xFFFF
    credits, c = credits_in(p, length), gated(p, inputs, n)
    head = inputs.i_valid[n] and not s.in_packet[n]
    transfer = outputs.o_valid[n] and inputs.o_ready[n]
    passed = c if head and transfer else -1
    if head and not transfer:
        fits = outputs.o_valid[n]
        if c >= 0 and not inputs.reset[n] and in_use(s, n, c) + credits <= s.limit[n, c]:
            fits |= port_in_use(p, s, n) + credits <= inputs.port_limit[n]
        s.offered[n] = fits
    else:
        s.offered[n] = 0
    if transfer:
        s.current[n] = outputs.o_channel[n]
        s.in_packet[n] = not inputs.i_payload_last[n]
    watch(p, s, inputs, outputs, passed, n)
    report(p, s, inputs, n)

    used = port_in_use(p, s, n) - s.back[n]
    for k in range(2):
        if counts(inputs, n, k) and not outputs.excess[n] >> k & 1:
            back = inputs.update_channel[n, k]
            s.freed[n, back] = freed_after(s, n, back, inputs.update_freed[n, k])
    s.back[n] = 0
    s.back[n] = used - port_in_use(p, s, n)
    if passed >= 0:
        s.consumed[n, passed] = (s.consumed[n, passed] + credits) % NUMBERS
    if inputs.limit_valid[n] and inputs.limit_channel[n] < p.channels:
        s.limit[n, inputs.limit_channel[n]] = inputs.limit_limit[n]
    if inputs.reset[n]:
        for c in range(p.channels):
            s.consumed[n, c] = s.freed[n, c] = s.ticks[n, c] = 0
        s.back[n] = s.stalls[n] = s.stalled[n] = 0
        s.report[n] = -1


@compiled
def credit_sender_step(p, s, inputs, outputs):
    """Outputs of this cycle, then the clock edge, of all instances."""
    for n in range(s.report.size):
        credit_sender_outputs(p, s, inputs, outputs, n)
        credit_sender_clock(p, s, inputs, outputs, n)


class CreditSenderModel:
    """``instances`` gates."""

    def __init__(self, config: LinkConfig, instances: int = 1):
        self.config, self.instances = config, instances
        self.p = credit_parameters(config)
        inputs, outputs = credit_sender_shapes(config, instances)
        self.inputs = allocate(CreditSenderInputs, inputs)
        self.outputs = allocate(CreditSenderOutputs, outputs)
        self.reset()

    def reset(self) -> None:
        """The state after reset."""
        self.state = credit_sender_state(self.config, self.instances)

    def step(self) -> CreditSenderOutputs:
        """Outputs of this cycle, then the clock edge."""
        credit_sender_step(self.p, self.state, self.inputs, self.outputs)
        return self.outputs
