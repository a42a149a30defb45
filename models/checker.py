"""Golden model of rtl.checker: a flit is judged as it comes, and the verdict told 4 cycles later.

The RTL spreads the checks over a pipeline; here a flit is judged at once, but for its place in the
order of its flow, and the verdict waits in a queue.
"""

from collections import namedtuple

from models.compiled import compiled, inner
from models.config import SwitchConfig
from models.generator import bits_in, following, sequence_after
from models.packet import HEADER_BYTES, Wrong
from models.parameters import parameters
from models.record import allocate

__all__ = [
    "CheckerInputs",
    "CheckerModel",
    "CheckerOutputs",
    "checker_clock",
    "checker_outputs",
    "checker_shapes",
    "checker_state",
]

CheckerInputs = namedtuple(
    "CheckerInputs",
    "clear flow i_valid i_payload_data i_payload_keep i_payload_last i_payload_user",
)
CheckerOutputs = namedtuple("CheckerOutputs", "i_ready received linked error reason")
# What was found out of the last flits; the latest is in place 0 of the last axis.
VERDICT = ("wrong", "ended", "flow", "stamp", "opening")
CheckerState = namedtuple(
    "CheckerState",
    (
        *("port", "pauses", "random", "place", "word", "length", "taken_bytes", "owner"),
        *VERDICT,
        *("sequences", "seen", "flows", "received", "error", "reason"),
    ),
)

NOTHING = -1
WRAP = (1 << 32) - 1
MARKED, KEEP, PORT, HEADER, LENGTH, PAYLOAD, ORDER = (1 << int(reason) for reason in Wrong)


def checker_shapes(config: SwitchConfig, instances: int) -> tuple[dict, dict]:
    """Shapes of the inputs and of the outputs."""
    wide = {
        "i_payload_data": (instances, config.words),
        "i_payload_keep": (instances, (config.flit_bytes + 63) // 64),
    }
    kinds = CheckerInputs, CheckerOutputs
    inputs, outputs = ({f: wide.get(f, (instances,)) for f in kind._fields} for kind in kinds)
    return inputs, outputs


def checker_state(config: SwitchConfig, ports: list[int], pauses: bool) -> CheckerState:
    """State after reset of one checker at each of ``ports``."""
    instances = len(ports)
    shapes: dict[str, tuple[int, ...]] = dict.fromkeys(CheckerState._fields, (instances,))
    shapes |= dict.fromkeys(VERDICT, (instances, 3))
    shapes["sequences"] = shapes["seen"] = (instances, config.queues)
    state = allocate(CheckerState, shapes)
    state.port[:] = ports
    state.pauses[:] = pauses
    state.random[:] = [port + 1 for port in ports]
    for name in ("owner", "flow", "stamp"):
        getattr(state, name)[:] = NOTHING
    return state


@inner
def kept(keep, k):
    """Whether byte ``k`` counts."""
    return keep[k >> 6] >> (k & 63) & 1


@inner
def judge_header(p, s, header, n):
    """What is wrong with a header; sets the flow that owns the packet."""
    destination, source = header & 0xFFFF, header >> 16 & 0xFFFF
    length, traffic_class = header >> 32 & 0xFFFF, header >> 48 & 0xF
    s.length[n], s.taken_bytes[n], s.owner[n] = length, 0, NOTHING
    wrong = 0
    if destination != s.port[n]:
        wrong |= PORT
    if source >= p.ports or traffic_class >= p.classes or header >> 52 & 0xFFF:
        wrong |= HEADER
    if length >> bits_in(p.max_packet_bytes):
        wrong |= HEADER
    if wrong == 0:
        s.owner[n] = source * p.classes + traffic_class
    return wrong


@inner
def judge_keep(p, s, keep, last, n):
    """What is wrong with ``tkeep``, and with where the packet ends."""
    count = 0
    while count < p.flit_bytes and kept(keep, count):
        count += 1
    gap = count == 0
    for k in range(count, p.flit_bytes):
        gap |= kept(keep, k) == 1
    full = kept(keep, p.flit_bytes - 1)
    s.taken_bytes[n] += p.flit_bytes * full
    if gap or (count < p.flit_bytes and not last):
        return KEEP
    if last:
        total = s.taken_bytes[n] + (0 if full else count)
        if (total ^ s.length[n]) & ((1 << bits_in(p.max_packet_bytes)) - 1):
            return LENGTH
    return 0


@inner
def judge_words(p, s, data, keep, n):
    """What is wrong with the payload; and the sequence number, if it is in this flit."""
    wrong, stamp = 0, NOTHING
    for w in range(p.words):
        place = s.place[n] * p.flit_bytes + 8 * w
        difference = data[w] ^ following(s.word[n])
        for k in range(8):
            byte = difference >> 8 * k & 0xFF
            if place == 0 or not kept(keep, 8 * w + k):
                continue
            if place + k == HEADER_BYTES:
                stamp = byte
            elif byte:
                wrong = PAYLOAD
        s.word[n] = data[w]
    return wrong, stamp


@inner
def arrive(p, s, inputs, n):
    """Judge the flit that is taken in this cycle; the verdict goes into place 0."""
    s.wrong[n, 0], s.ended[n, 0], s.flow[n, 0], s.stamp[n, 0] = 0, 0, NOTHING, NOTHING
    if not inputs.i_valid[n] or (s.pauses[n] and s.random[n] & 3 == 3):
        return
    data, keep = inputs.i_payload_data[n], inputs.i_payload_keep[n]
    last = inputs.i_payload_last[n]
    wrong = MARKED if inputs.i_payload_user[n] & 1 else 0
    if s.place[n] == 0:
        wrong |= judge_header(p, s, data[0], n)
    wrong |= judge_keep(p, s, keep, last, n)
    payload, stamp = judge_words(p, s, data, keep, n)
    s.wrong[n, 0], s.stamp[n, 0] = wrong | payload, stamp
    s.ended[n, 0], s.flow[n, 0] = last, s.owner[n]
    s.place[n] = 0 if last else min(s.place[n] + 1, 2)


@inner
def look_up(s, inputs, n):
    """Hold the flit in place 1 against what its flow expects; it goes into place 2."""
    flow = s.flow[n, 1]
    s.wrong[n, 2], s.ended[n, 2], s.opening[n, 2] = s.wrong[n, 1], s.ended[n, 1], 0
    if inputs.clear[n]:
        s.wrong[n, 2] = s.ended[n, 2] = 0
        s.sequences[n, inputs.flow[n]] = s.seen[n, inputs.flow[n]] = 0
    elif flow != NOTHING:
        expected = s.sequences[n, flow]
        if s.stamp[n, 1] != NOTHING and s.stamp[n, 1] != expected:
            s.wrong[n, 2] |= ORDER
        if s.ended[n, 1]:
            s.opening[n, 2] = not s.seen[n, flow]
            s.seen[n, flow] = 1
            s.sequences[n, flow] = sequence_after(expected)


@inner
def tell(s, inputs, n):
    """The verdict in place 2 reaches the outputs."""
    wrong = s.wrong[n, 2]
    if inputs.clear[n]:
        s.received[n] = s.flows[n] = s.error[n] = s.reason[n] = 0
        return
    s.received[n] = (s.received[n] + s.ended[n, 2]) & WRAP
    if not s.error[n] and not wrong:
        s.flows[n] += s.opening[n, 2]
    if not s.error[n] and wrong:
        s.error[n] = 1
        while not wrong >> s.reason[n] & 1:
            s.reason[n] += 1


@compiled
def checker_outputs(p, s, outputs, n):
    """What the registers show."""
    outputs.i_ready[n] = not (s.pauses[n] and s.random[n] & 3 == 3)
    outputs.received[n] = s.received[n]
    outputs.linked[n] = s.flows[n] == p.queues
    outputs.error[n], outputs.reason[n] = s.error[n], s.reason[n]


@compiled
def checker_clock(p, s, inputs, n):
    """The clock edge."""
    tell(s, inputs, n)
    look_up(s, inputs, n)
    s.wrong[n, 1], s.ended[n, 1] = s.wrong[n, 0], s.ended[n, 0]
    s.flow[n, 1], s.stamp[n, 1] = s.flow[n, 0], s.stamp[n, 0]
    arrive(p, s, inputs, n)
    for _ in range(2):
        random = s.random[n]
        s.random[n] = random >> 1 | ((random ^ random >> 1) & 1) << 14


class CheckerModel:
    """The checker of one port."""

    def __init__(self, config: SwitchConfig, *, port: int, pauses: bool = False):
        self.config, self.port, self.pauses = config, port, pauses
        self.p = parameters(config)
        inputs, outputs = checker_shapes(config, 1)
        self.inputs = allocate(CheckerInputs, inputs)
        self.outputs = allocate(CheckerOutputs, outputs)
        self.reset()

    def reset(self) -> None:
        """The state after reset."""
        self.state = checker_state(self.config, [self.port], self.pauses)

    def step(self) -> CheckerOutputs:
        """Outputs of this cycle, then the clock edge."""
        checker_outputs(self.p, self.state, self.outputs, 0)
        checker_clock(self.p, self.state, self.inputs, 0)
        return self.outputs
