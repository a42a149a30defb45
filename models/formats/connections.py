"""Connection matrices of htsim: flows from one port to another.

    Nodes 16
    Connections 2
    0->15 id 1 start 0 size 2000000
    3->7 id 2 start 1000000 size 4096

``Nodes`` are the ranks, ``Connections`` the lines with an arrow. Of a flow: ``start``, in
picoseconds; ``size``, in bytes; ``id`` and ``prio`` are not used. A line that begins with # is a
comment.

Instead of ``start`` a flow may state ``trigger T``, and others ``send_done_trigger T`` or
``recv_done_trigger T``: it begins when they have been delivered. Each trigger has a line ``trigger
id T oneshot`` (one flow fires it) or ``trigger id T barrier count C`` (C flows do), and their
number stands in ``Triggers``. Flows that begin together share the line of their source packet by
packet; a source sends what began earlier first.

Source: ``connection_matrix.cpp`` of htsim, which reads these files. Not used are its ``Failures``
(this switch has no links of its own) and multi-shot triggers.
"""

import re
from dataclasses import dataclass

from models.collective import Collective, Workload
from models.formats.file import File

__all__ = ["KIND", "read", "recognises"]

KIND: str = "htsim connection matrix with Nodes"
COUNTS = ("Nodes", "Connections", "Triggers", "Failures")
KEYS = ("id", "start", "size", "trigger", "send_done_trigger", "recv_done_trigger", "prio")
RANKS = 1 << 16  # at most


@dataclass
class _Flow:
    """One line with an arrow; numbers that it does not state are absent from ``values``."""

    line: int
    source: int
    target: int
    values: dict[str, int]


def recognises(file: File) -> bool:
    """By the first word that is no comment."""
    words = [line.split()[0] for _, line in file.lines() if not line.lstrip().startswith("#")]
    return bool(words) and (words[0] in COUNTS or "->" in words[0])


def read(file: File) -> Workload:
    """The workload in the file; raises WorkloadError if it is malformed."""
    counts: dict[str, tuple[int, int]] = {}
    flows: list[_Flow] = []
    triggers: dict[int, tuple[int, int]] = {}  # line, and how many flows fire it
    for number, line in file.lines():
        words = line.split()
        if words[0].startswith("#"):
            continue
        if words[0] in COUNTS:
            value = file.integer(number, f"a number after {words[0]}", "".join(words[1:]))
            counts[words[0]] = number, value
        elif "->" in words[0]:
            flows.append(_flow(file, number, words, counts))
        elif words[0] == "trigger":
            trigger, fired = _trigger(file, number, words)
            if trigger in triggers:
                raise file.error(number, "a trigger id that is not taken", trigger)
            triggers[trigger] = number, fired
        else:
            expected = f"{', '.join(COUNTS)}, a flow such as 0->1 or a trigger"
            raise file.error(number, expected, line.strip()[:60])
    if "Nodes" not in counts:
        raise file.error(1, "Nodes and their number", file.line(1))
    for name, found in (("Connections", len(flows)), ("Triggers", len(triggers)), ("Failures", 0)):
        number, value = counts.get(name, (1, 0 if name != "Connections" else -1))
        if value != found:
            raise file.error(number, f"{name} {found}, as many as follow", max(value, 0))
    return Workload(
        name=file.path.stem,
        description=f"{len(flows)} flows between {counts['Nodes'][1]} ports",
        ranks=counts["Nodes"][1],
        model="none",
        source="htsim connection matrix",
        steps=_steps(file, flows, triggers),
    )


def _flow(file: File, number: int, words: list[str], counts: dict[str, tuple[int, int]]) -> _Flow:
    if "Nodes" not in counts:
        raise file.error(number, "Nodes before the first flow", words[0])
    last = counts["Nodes"][1] - 1
    ends = re.fullmatch(r"(\d+)->(\d+)", words[0])
    if not ends:
        raise file.error(number, "source->destination", words[0])
    source, target = (file.integer(number, "a port", end, 0, last) for end in ends.groups())
    if source == target:
        raise file.error(number, "two different ports", words[0])
    values: dict[str, int] = {}
    for key, value in zip(words[1::2], [*words[2::2], ""], strict=False):
        if key not in KEYS or key in values:
            raise file.error(number, f"each of {', '.join(KEYS)} at most once", key)
        low = 0 if key in ("start", "prio") else 1
        values[key] = file.integer(number, f"a number after {key}", value, low, 1 << 62)
    if "size" not in values:
        raise file.error(number, "size and the bytes of the flow", " ".join(words))
    if ("start" in values) == ("trigger" in values):
        raise file.error(number, "either start or trigger", " ".join(words))
    return _Flow(number, source, target, values)


def _trigger(file: File, number: int, words: list[str]) -> tuple[int, int]:
    """Its number, and how many flows fire it."""
    match words[1:]:
        case ["id", trigger, "oneshot"]:
            return file.integer(number, "a trigger id", trigger, 1), 1
        case ["id", trigger, "barrier", "count", count] | [
            "id",
            trigger,
            "count",
            count,
            "barrier",
        ]:
            return (
                file.integer(number, "a trigger id", trigger, 1),
                file.integer(number, "a count", count, 1),
            )
        case _:
            raise file.error(
                number, "trigger id T oneshot, or trigger id T barrier count C", " ".join(words)
            )


def _steps(
    file: File, flows: list[_Flow], triggers: dict[int, tuple[int, int]]
) -> tuple[Collective, ...]:
    """The flows, each behind those that trigger it, and otherwise by their start."""
    firing: dict[int, list[_Flow]] = {trigger: [] for trigger in triggers}
    for flow in flows:
        for key in ("trigger", "send_done_trigger", "recv_done_trigger"):
            if flow.values.get(key, None) not in (None, *triggers):
                raise file.error(flow.line, f"a {key} that has a line", flow.values[key])
            if key != "trigger" and key in flow.values:
                firing[flow.values[key]].append(flow)
    for trigger, (line, count) in triggers.items():
        if len(firing[trigger]) != count:
            raise file.error(line, f"a trigger of {count} flows that fire it", len(firing[trigger]))
    places: dict[int, int] = {}  # line of a flow: its step
    steps: list[Collective] = []
    waiting = sorted(flows, key=lambda flow: flow.values.get("start", 0))
    while waiting:
        ready = [
            flow
            for flow in waiting
            if all(f.line in places for f in firing.get(flow.values.get("trigger", 0), []))
        ]
        if not ready:
            raise file.error(waiting[0].line, "a trigger that fires without this flow", "a circle")
        for flow in ready:
            causes = firing.get(flow.values.get("trigger", 0), [])
            places[flow.line] = len(steps)
            steps.append(
                Collective(
                    name=f"{flow.source}->{flow.target}",
                    operation="send",
                    algorithm="chain",
                    bytes=flow.values["size"],
                    groups=((flow.source, flow.target),),
                    after=tuple(places[cause.line] for cause in causes),
                    delay_ns=flow.values.get("start", 0) * 1e-3,
                )
            )
        waiting = [flow for flow in waiting if flow.line not in places]
    return tuple(steps)
