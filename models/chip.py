"""Golden model of rtl.chip: the models of switch, links, isolators and maps, composed."""

from collections import namedtuple
from typing import Any

import numpy as np

from models.chip_config import ChipConfig
from models.compiled import compiled
from models.event_counters import (
    EventCountersModel,
    event_counters_clock,
    event_counters_outputs,
)
from models.isolator import IsolatorModel, isolator_clock, isolator_outputs
from models.lines import LineEnd
from models.link.channel_map import ChannelMapModel, channel_map_clock, channel_map_outputs
from models.link.link import CREDIT, LinkModel, links_clock, links_outputs
from models.link.wire import COUNTED
from models.output_watchdog import (
    OutputWatchdogModel,
    output_watchdog_clock,
    output_watchdog_outputs,
)
from models.record import allocate
from models.serdes.config import LanesConfig
from models.serdes.lane_test import (
    LaneTestInputs,
    LaneTestModel,
    LaneTestOutputs,
    lane_test_clock,
    lane_test_outputs,
    lane_test_sends,
    lane_test_shapes,
)
from models.serdes.multilane_pcs import (
    MultilanePcsModel,
    MultilanePcsOutputs,
    multilane_pcs_clock,
    multilane_pcs_outputs,
    multilane_pcs_shapes,
    pcs_of_links,
)
from models.switch import SwitchModel, switch_clock, switch_outputs

__all__ = ["ChipModel"]

# Pins of a port without lanes, and with them.
WORD_INPUTS = [
    *("from_pcs_valid", "from_pcs_words_data", "from_pcs_words_control", "to_pcs_ready", "pcs_up")
]
WORD_OUTPUTS = ["to_pcs_valid", "to_pcs_payload_data", "to_pcs_payload_control"]
LINES = ["tx_ready", "rx", "rx_valid", "signal_ok"]
STATUS = [name for name in MultilanePcsOutputs._fields if not name.startswith(("i_", "o_", "tx"))]
TOLD, TELLS = (
    [name for name in kind._fields if not name.startswith(("pcs_", "line_"))]
    for kind in (LaneTestInputs, LaneTestOutputs)
)
LINE_INPUTS = [*LINES, *(f"lane_test_{name}" for name in TOLD)]
LINE_OUTPUTS = ["tx", *(f"pcs_{name}" for name in STATUS)]
LINE_OUTPUTS += [f"lane_test_{name}" for name in TELLS]
LINK_INPUTS = ["policy", "reconfigure", *(f"credit_{name}" for name in CREDIT)]
LINK_OUTPUTS = [
    *("drained", "stalled", "sender_state", "receiver_state"),
    *(f"events_{name}" for name in COUNTED),
]
PROGRAM = [f"program_{name}" for name in ("valid", "partition", "address", "mask")]
SWITCH_INPUTS = ["enable", "drain", "reset", "inject", *PROGRAM]
SWITCH_OUTPUTS = [
    *("program_ready", "drop_valid", "drop_reason", "drop_header", "broken_valid"),
    *("broken_reason", "accepted", "delivered", "errored", "discarded", "parity", "idle"),
    *("ingress_occupancy", "egress_occupancy"),
]
MAP = [f"map_{name}" for name in ("valid", "link", "address", "port")]
WATCHDOG = ["dead_output_timeout", "revive"]
COUNTER = ["counter_link", "counter_event"]
INPUTS = [*LINK_INPUTS, "link_enable", *SWITCH_INPUTS, *WATCHDOG, *MAP, *COUNTER]
OUTPUTS = [*LINK_OUTPUTS, *SWITCH_OUTPUTS, "dead", "map_ready", "counter_count"]
# Of chips without lanes, and with them.
ChipInputs = namedtuple("ChipInputs", [*WORD_INPUTS, *INPUTS])
ChipOutputs = namedtuple("ChipOutputs", [*WORD_OUTPUTS, *OUTPUTS])
LanesChipInputs = namedtuple("LanesChipInputs", [*LINE_INPUTS, *INPUTS])
LanesChipOutputs = namedtuple("LanesChipOutputs", [*LINE_OUTPUTS, *OUTPUTS])
# Axis 0 of what a switch has is its instance, of which there is one; of all others the port.
Parts = namedtuple(
    "Parts",
    "switch_p switch_i switch_o switch links_i links_o isolator isolator_i isolator_o "
    "watchdog watchdog_i watchdog_o map map_i map_o counters counters_i counters_o events asked "
    "flit_bytes classes per_output",
)


@compiled
def chip_offers(inputs, parts):
    """What the switch shows, and what of it comes to the links."""
    switch_outputs(parts.switch_p, parts.switch_o, parts.switch)
    for n in range(parts.isolator.size):
        parts.isolator_i.reset[n] = inputs.reset[0, n >> 6] >> (n & 63) & 1
        output_watchdog_outputs(parts.watchdog, parts.watchdog_o, n)
        dead = parts.switch_i.flush[0, n] = parts.watchdog_o.dead[n]
        parts.isolator_i.flush[n] = dead == (1 << parts.classes) - 1
        parts.isolator_i.accepted[n] = parts.switch_o.accepted[0, n >> 6] >> (n & 63) & 1
        isolator_outputs(parts.flit_bytes, parts.isolator, parts.isolator_i, parts.isolator_o, n)
        link, header = parts.links_i, parts.links_i.i_payload_data[n, 0]
        released = parts.switch_o.released_traffic_class[0, n]
        parts.map_i.destination[n] = header & 0xFFFF
        channel_map_outputs(parts.map, parts.map_i, parts.map_o, n)
        link.channel[n] = (header >> 48) % parts.classes
        link.waiting[n] = waiting = parts.switch_o.waiting[0, n]
        if parts.per_output:
            link.channel[n] += parts.map_o.port[n] * parts.classes
            released += parts.switch_o.released_output[0, n] * parts.classes
            for _ in range(1, parts.switch_p.ports):
                link.waiting[n] = link.waiting[n] << parts.classes | waiting
        if not link.i_valid[n]:
            link.channel[n] = 0
        link.released_channel[n] = released


@compiled
def chip_settles(inputs, outputs, parts):
    """What the links show comes to the switch; then the clock edge of all but the links."""
    mask = (1 << parts.classes) - 1
    for n in range(parts.isolator.size):
        isolator_outputs(parts.flit_bytes, parts.isolator, parts.isolator_i, parts.isolator_o, n)
        permit = parts.links_o.permit[n]
        permits = permit & mask
        if parts.per_output:
            for output in range(1, parts.switch_p.ports):
                permits &= permit >> output * parts.classes
        parts.switch_i.permit[0, n] = permits
        watchdog = parts.watchdog_i
        watchdog.waiting[n], watchdog.permit[n] = parts.switch_o.waiting[0, n], permits
        watchdog.offered[n] = parts.isolator_o.to_link_valid[n]
        watchdog.taken[n] = parts.isolator_i.to_link_ready[n]
        watchdog.revive[n] = inputs.revive[0, n >> 6] >> (n & 63) & 1
        idle = parts.switch_o.idle[0, n >> 6] >> (n & 63) & 1
        if idle and not parts.isolator_o.idle[n]:
            parts.switch_o.idle[0, n >> 6] ^= 1 << (n & 63)
        parts.map_i.write_valid[n] = inputs.map_valid[0] and inputs.map_link[0] == n
        parts.map_i.write_address[n] = inputs.map_address[0]
        parts.map_i.write_port[n] = inputs.map_port[0]
    outputs.counter_count[0] = 0
    if parts.asked[0] < parts.counters_o.count.size:
        event_counters_outputs(parts.counters, parts.counters_o, parts.asked[0])
        outputs.counter_count[0] = parts.counters_o.count[parts.asked[0]]
    parts.asked[0] = inputs.counter_link[0]
    outputs.map_ready[0] = parts.map_o.write_ready[0] if parts.per_output else 1
    switch_clock(parts.switch_p, parts.switch_i, parts.switch_o, parts.switch)
    for n in range(parts.isolator.size):
        isolator_clock(parts.isolator, parts.isolator_i, parts.isolator_o, n)
        output_watchdog_clock(parts.watchdog, parts.watchdog_i, n)
        parts.counters_i.address[n] = inputs.counter_event[0]
        for event in range(len(parts.events)):
            parts.counters_i.events[n, event] = parts.events[event][n]
        event_counters_clock(parts.counters, parts.counters_i, n)
        channel_map_clock(parts.map, parts.map_i, parts.map_o, n)


@compiled
def chip_counts_lanes(o, events, first, codewords):
    """What the PCS of each port has to count, at ``first`` and behind it; so many codewords leave
    its decoder together."""
    for n in range(events.shape[0]):
        events[n, first] = o.pcs_lost[0, n]
        events[n, first + 1] = o.pcs_expired[0, n]
        events[n, first + 2] = o.pcs_condemned[0, n]
        events[n, first + 3] = o.pcs_disordered[0, n]
        events[n, first + 4] = o.pcs_skewed[0, n]
        events[n, first + 5] = o.pcs_slipped[0, n]
        events[n, first + 6] = o.pcs_starved[0, n]
        events[n, first + 7] = o.pcs_overrun[0, n]
        came = o.pcs_corrected_valid[0, n]
        events[n, first + 8] = codewords if came else 0
        events[n, first + 9] = o.pcs_bad[0, n] if came else 0
        place = first + 10
        for lane in range(o.pcs_marker_wrong.shape[2]):
            events[n, place] = o.pcs_marker_wrong[0, n, lane]
            events[n, place + 1] = o.pcs_parity_wrong[0, n, lane]
            place += 2
        events[n, place] = o.pcs_corrected[0, n] if came else 0


class ChipModel:
    """The whole chip.

    Its parts are compiled one by one, and Python calls them in turn: outputs in the order in which
    they hang on each other, then the clock edges. Wires that join two parts are one array.
    """

    def __init__(self, config: ChipConfig):
        self.config = config
        ports = config.switch.ports
        self.switch = SwitchModel(config.switch)
        self.links = LinkModel(config.link, ports)
        self.isolator = IsolatorModel(config.switch, ports)
        self.watchdog = OutputWatchdogModel(config.switch, ports)
        self.map = ChannelMapModel(config.switch, ports)
        self.counters = EventCountersModel(list(config.counted.values()), ports)
        kinds = (LanesChipInputs, LanesChipOutputs) if config.lanes else (ChipInputs, ChipOutputs)
        self.inputs = self._record(kinds[0], self.switch.inputs, self.links.inputs)
        self.outputs = self._record(kinds[1], self.switch.outputs, self.links.outputs)
        self._join()
        self.pcs: MultilanePcsModel | None = None
        self.lane_test: LaneTestModel | None = None
        if config.lanes:
            self._join_lines(config.lanes)
        self.reset()

    def _record(self, kind: Any, switch: Any, links: Any) -> Any:
        """Inputs or outputs of the chip, of the shapes that its parts have."""
        shapes: dict[str, tuple[int, ...]] = dict.fromkeys(kind._fields, (1,))
        ports, lanes = self.config.switch.ports, self.config.lanes
        for name in kind._fields:
            if name in (*SWITCH_INPUTS, *SWITCH_OUTPUTS):
                shapes[name] = getattr(switch, name).shape
            elif name in links._fields:
                shapes[name] = (1, *getattr(links, name).shape)
        if lanes:
            for side in multilane_pcs_shapes(lanes, self.config.link, ports):
                found = {f"pcs_{name}": shape for name, shape in side.items() if name in STATUS}
                found |= {name: side[name] for name in ("tx", *LINES) if name in side}
                shapes |= {pin: (1, *found[pin]) for pin in found.keys() & shapes.keys()}
            for side in lane_test_shapes(lanes, ports):
                found = {f"lane_test_{name}": shape for name, shape in side.items()}
                shapes |= {pin: (1, *found[pin]) for pin in found.keys() & shapes.keys()}
        for name in ("link_enable", "dead_output_timeout", "dead"):
            if name in shapes:
                shapes[name] = (1, ports)
        if "revive" in shapes:
            shapes["revive"] = switch.reset.shape
        return allocate(kind, shapes)

    def _join(self) -> None:
        """Make one array of what is one wire."""
        i, o, s, n = self.inputs, self.outputs, self.switch, self.links
        s.inputs = s.inputs._replace(**{name: getattr(i, name) for name in SWITCH_INPUTS})
        s.outputs = s.outputs._replace(**{name: getattr(o, name) for name in SWITCH_OUTPUTS})
        lanes = self.config.lanes
        pins = LINK_INPUTS if lanes else [*WORD_INPUTS, *LINK_INPUTS]
        n.inputs = n.inputs._replace(
            **{name: getattr(i, name)[0] for name in pins},
            enable=i.link_enable[0],
            released_valid=s.outputs.released_valid[0],
        )
        pins = LINK_OUTPUTS if lanes else [*WORD_OUTPUTS, *LINK_OUTPUTS]
        n.outputs = n.outputs._replace(**{name: getattr(o, name)[0] for name in pins})
        watchdog = self.watchdog
        watchdog.inputs = watchdog.inputs._replace(timeout=i.dead_output_timeout[0])
        watchdog.outputs = watchdog.outputs._replace(dead=o.dead[0])
        flit = ("payload_data", "payload_keep", "payload_last", "payload_user")
        port = self.isolator
        for name in ("valid", *flit):
            link, into = getattr(n.outputs, f"o_{name}"), getattr(s.inputs, f"i_{name}")[0]
            out, back = getattr(s.outputs, f"o_{name}")[0], getattr(n.inputs, f"i_{name}")
            port.inputs = port.inputs._replace(
                **{f"from_link_{name}": link, f"from_switch_{name}": out}
            )
            port.outputs = port.outputs._replace(
                **{f"to_switch_{name}": into, f"to_link_{name}": back}
            )
        port.inputs = port.inputs._replace(
            to_switch_ready=s.outputs.i_ready[0],
            to_link_ready=n.outputs.i_ready,
            dropped=s.outputs.drop_valid[0],
        )
        port.outputs = port.outputs._replace(
            from_link_ready=n.inputs.o_ready,
            from_switch_ready=s.inputs.o_ready[0],
            stored=n.inputs.accepted,
            refused=n.inputs.dropped,
        )

    def _join_lines(self, lanes: LanesConfig) -> None:
        """The same of the pins of lanes."""
        i, o = self.inputs, self.outputs
        self.links.inputs = self.links.inputs._replace(pcs_up=o.pcs_up[0])
        pcs = self.pcs = pcs_of_links(lanes, self.links)
        test = self.lane_test = LaneTestModel(lanes, self.config.switch.ports)
        test.inputs = test.inputs._replace(
            pcs_tx=pcs.outputs.tx,
            **{f"line_{name}": getattr(i, name)[0] for name in LINES},
            **{name: getattr(i, f"lane_test_{name}")[0] for name in TOLD},
        )
        test.outputs = test.outputs._replace(
            line_tx=o.tx[0], **{name: getattr(o, f"lane_test_{name}")[0] for name in TELLS}
        )
        pcs.inputs = pcs.inputs._replace(
            **{name: getattr(test.outputs, f"pcs_{name}") for name in LINES}
        )
        pcs.outputs = pcs.outputs._replace(
            **{name: getattr(o, f"pcs_{name}")[0] for name in STATUS}
        )

    def reset(self) -> None:
        """The state after reset."""
        for part in (
            self.switch,
            self.links,
            self.isolator,
            self.watchdog,
            self.map,
            self.counters,
            *([self.pcs] if self.pcs else []),
            *([self.lane_test] if self.lane_test else []),
        ):
            part.reset()
        self.parts = Parts(
            switch_p=self.switch.p,
            switch_i=self.switch.inputs,
            switch_o=self.switch.outputs,
            switch=self.switch.parts,
            links_i=self.links.inputs,
            links_o=self.links.outputs,
            isolator=self.isolator.state,
            isolator_i=self.isolator.inputs,
            isolator_o=self.isolator.outputs,
            watchdog=self.watchdog.state,
            watchdog_i=self.watchdog.inputs,
            watchdog_o=self.watchdog.outputs,
            map=self.map.state,
            map_i=self.map.inputs,
            map_o=self.map.outputs,
            counters=self.counters.state,
            counters_i=self.counters.inputs,
            counters_o=self.counters.outputs,
            events=tuple(getattr(self.links.outputs, f"events_{name}") for name in COUNTED),
            asked=np.zeros(1, dtype=np.int64),
            flit_bytes=self.config.link.flit_bytes,
            classes=self.config.switch.classes,
            per_output=self.config.per_output,
        )

    def step(self) -> Any:
        """Outputs of this cycle, then the clock edge."""
        self.show()
        self.clock()
        return self.outputs

    def show(self) -> None:
        """What the links send in this cycle; the inputs that hang on it may come after."""
        if pcs := self.pcs:
            multilane_pcs_outputs(pcs.numbers, pcs.parts, pcs.outputs)
        if test := self.lane_test:
            lane_test_sends(test.numbers, test.parts, test.inputs, test.outputs)
        chip_offers(self.inputs, self.parts)
        links_outputs(self.links.blocks, self.links.inputs, self.links.outputs)

    def clock(self) -> None:
        """The rest of the outputs, then the clock edge."""
        if self.pcs:
            codewords = self.pcs.lanes.interleave
            chip_counts_lanes(self.outputs, self.counters.inputs.events, len(COUNTED), codewords)
        chip_settles(self.inputs, self.outputs, self.parts)
        links_clock(self.links.blocks)
        if test := self.lane_test:
            lane_test_outputs(test.numbers, test.parts, test.inputs, test.outputs)
            lane_test_clock(test.numbers, test.parts, test.inputs)
        if pcs := self.pcs:
            multilane_pcs_clock(pcs.numbers, pcs.parts, pcs.inputs)

    def line_end(self, port: int) -> LineEnd:
        """Of the lines of a port, if the configuration has lanes."""
        return LineEnd.of(self.inputs, self.outputs, (0, port))
