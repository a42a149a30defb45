"""Golden model of rtl.link.arrivals: ends and verdicts are numbered.

Where the RTL has two lines whose heads meet, each end is told as it comes which verdict is its own;
it leaves as soon as so many have come. Totals, since reset, and nothing is moved.
"""

from collections import namedtuple

from models.compiled import compiled, inner
from models.link.config import MAX_WAITING, EndKind
from models.record import allocate

__all__ = [
    "ArrivalsInputs",
    "ArrivalsModel",
    "ArrivalsOutputs",
    "arrivals_clock",
    "arrivals_outputs",
    "arrivals_state",
]

ArrivalsInputs = namedtuple(
    "ArrivalsInputs", "end_valid end_kind end_channel end_value accepted dropped"
)
ArrivalsOutputs = namedtuple(
    "ArrivalsOutputs",
    "arrival_valid arrival_channel arrival_length arrival_stores copy_valid copy_channel "
    "copy_length told_valid told_channel told_consumed pending idle overrun",
)
# `came`, `left`: ends; `asked`: verdicts that ends which came want; `judged`: verdicts that came,
# `used`: that left with an end. Of each end its `kind`, `channel`, `value` and the number of its
# verdict (`wants`); of each verdict whether it is `good`. Then what is shown.
ArrivalsState = namedtuple(
    "ArrivalsState",
    "came left asked judged used kind channel value wants good shown shown_channel shown_value "
    "shown_good pending overrun",
)
PLACES = 2 * MAX_WAITING  # one more than wait would do
NOTHING = -1
PACKET, BROKEN, TOLD = (int(kind) for kind in EndKind)


def arrivals_state(instances: int) -> ArrivalsState:
    """Nothing waits."""
    shapes: dict[str, tuple[int, ...]] = dict.fromkeys(ArrivalsState._fields, (instances,))
    for name in ("kind", "channel", "value", "wants", "good"):
        shapes[name] = (instances, PLACES)
    state = allocate(ArrivalsState, shapes)
    state.shown[:] = NOTHING
    return state


@compiled
def arrivals_outputs(s, outputs, n):
    """What the registers show."""
    outputs.arrival_valid[n] = s.shown[n] == PACKET
    outputs.copy_valid[n] = s.shown[n] == BROKEN and s.shown_good[n]
    outputs.told_valid[n] = s.shown[n] == TOLD
    outputs.arrival_channel[n] = s.shown_channel[n]
    outputs.copy_channel[n] = s.shown_channel[n]
    outputs.told_channel[n] = s.shown_channel[n]
    outputs.arrival_length[n] = outputs.copy_length[n] = s.shown_value[n] & 0xFFFF
    outputs.told_consumed[n] = s.shown_value[n]
    outputs.arrival_stores[n] = s.shown_good[n]
    outputs.pending[n] = s.pending[n]
    tells = outputs.arrival_valid[n] or outputs.copy_valid[n] or outputs.told_valid[n]
    outputs.idle[n] = s.left[n] == s.came[n] and s.used[n] == s.judged[n] and not tells
    outputs.overrun[n] = s.overrun[n]


@inner
def number(s, inputs, n):
    """Give what comes its numbers, if it finds room."""
    room = s.came[n] - s.left[n] < MAX_WAITING
    room_for_verdict = s.judged[n] - s.used[n] < MAX_WAITING
    verdicts = inputs.accepted[n] + inputs.dropped[n]
    s.overrun[n] = verdicts == 2
    if inputs.end_valid[n] and inputs.end_kind[n] <= TOLD:
        if room:
            place = s.came[n] % PLACES
            s.kind[n, place] = inputs.end_kind[n]
            s.channel[n, place] = inputs.end_channel[n]
            s.value[n, place] = inputs.end_value[n]
            if inputs.end_kind[n] != TOLD:
                s.asked[n] += 1
            s.wants[n, place] = s.asked[n]  # so many must have come
            s.came[n] += 1
        else:
            s.overrun[n] = 1
    if verdicts:
        if room_for_verdict:
            s.judged[n] += 1
            s.good[n, s.judged[n] % PLACES] = inputs.accepted[n]
        else:
            s.overrun[n] = 1


@compiled
def arrivals_clock(s, inputs, n):
    """The clock edge."""
    s.shown[n] = NOTHING
    s.pending[n] = 0
    number(s, inputs, n)
    for end in range(s.left[n], s.came[n]):
        s.pending[n] |= s.kind[n, end % PLACES] == BROKEN
    place = s.left[n] % PLACES
    # What a CC_Update wants has come and left with the ends before it.
    if s.left[n] < s.came[n] and s.wants[n, place] <= s.judged[n]:
        s.shown[n] = s.kind[n, place]
        s.shown_channel[n] = s.channel[n, place]
        s.shown_value[n] = s.value[n, place]
        s.shown_good[n] = s.good[n, s.wants[n, place] % PLACES]
        s.used[n] = s.wants[n, place]
        s.left[n] += 1


@compiled
def arrivals_step(s, inputs, outputs):
    """One cycle of all instances."""
    for n in range(s.came.size):
        arrivals_outputs(s, outputs, n)
        arrivals_clock(s, inputs, n)


class ArrivalsModel:
    """``instances`` of it."""

    def __init__(self, instances: int = 1):
        self.instances = instances
        self.inputs, self.outputs = (
            allocate(kind, dict.fromkeys(kind._fields, (instances,)))
            for kind in (ArrivalsInputs, ArrivalsOutputs)
        )
        self.reset()

    def reset(self) -> None:
        """The state after reset."""
        self.state = arrivals_state(self.instances)

    def step(self) -> ArrivalsOutputs:
        """Outputs of this cycle, then the clock edge."""
        arrivals_step(self.state, self.inputs, self.outputs)
        return self.outputs
