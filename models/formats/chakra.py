"""Chakra execution traces of MLCommons, as JSON.

One object with the list ``workload_graph``, as the JSON feeder of Chakra reads it::

    {"ngpus": 8, "workload_graph": [
      {"Id": 1, "Name": "gemm", "NodeType": 4, "data_deps": [], "runtime": 318, "is_cpu_op": false},
      {"Id": 2, "Name": "all_reduce", "NodeType": 7, "data_deps": [1], "comm_type": 0,
       "comm_size": 4194304, "is_cpu_op": false}]}

or one object after another, as ``chakra_jsonizer`` writes binary traces: first the metadata, then
the nodes, with ``type`` such as COMM_COLL_NODE, ``durationMicros`` and attributes in ``attr``.

Of a node: ``Id``; ``Name``; ``NodeType``, 4 computes (1 to 3 and above 7 do so, too, in what they
take), 5 sends, 6 receives, 7 is a collective; ``data_deps`` and ``ctrlDeps``, nodes that it waits
for; ``runtime``, in microseconds; ``is_cpu_op``; ``comm_type``, 0 all-reduce, 2 all-gather, 5
broadcast, 6 all-to-all, 7 reduce-scatter, 9 barrier; ``comm_size``, in bytes, of the whole tensor
(of an all-to-all, what a rank sends); ``comm_src``, ``comm_dst`` and ``comm_tag`` of 5 and 6.
``ngpus`` are the ranks; in metadata it may be called ``world_size``.

A trace is that of one rank, and all ranks do the same: each node takes place at all of them, a
collective among all. A send goes from comm_src to comm_dst; a receive is the same transfer as the
send of the same source, destination and tag, or one by itself if the file has none. A communication
on the CPU is only the call of the real one: it takes its runtime. So does one that states no
comm_size. CPU and GPU do one node at a time each, in the order of the file as far as dependencies
allow. A dependency on a node that is not in the file is taken as met.

Source: ``schema/protobuf/et_def.proto`` and ``src/feeder/JSONNode.cpp`` of Chakra; that all ranks
can share a trace and what the CPU does is as in ASTRA-sim.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush
from typing import Any

from models.collective import LARGEST, Collective, Compute, Workload
from models.formats.file import File

__all__ = ["KIND", "read", "recognises"]

KIND: str = "Chakra trace in JSON"
TYPES = {
    "METADATA_NODE": 1,
    "MEM_LOAD_NODE": 2,
    "MEM_STORE_NODE": 3,
    "COMP_NODE": 4,
    "COMM_SEND_NODE": 5,
    "COMM_RECV_NODE": 6,
    "COMM_COLL_NODE": 7,
    "STORAGE_NODE": 8,
    "BATCH_NODE": 9,
    "CHECKPOINT_NODE": 10,
}
SEND, RECEIVE, COLLECTIVE = 5, 6, 7
COLLECTIVES = {  # comm_type: operation, algorithm
    0: ("all-reduce", "ring"),
    2: ("all-gather", "ring"),
    5: ("broadcast", "tree"),
    6: ("all-to-all", "direct"),
    7: ("reduce-scatter", "ring"),
}
BARRIER = 9


@dataclass
class _Node:
    """One node of the trace, under the names of the feeder."""

    line: int
    id: int
    name: str
    type: int
    waits: list[int]
    nanoseconds: int
    cpu: bool
    numbers: dict[str, int] = field(default_factory=dict)

    @property
    def communicates(self) -> bool:
        """It moves bytes, as far as the trace tells."""
        return (
            not self.cpu
            and SEND <= self.type <= COLLECTIVE
            and ("comm_size" in self.numbers or self.numbers.get("comm_type") == BARRIER)
        )


def recognises(file: File) -> bool:
    """By its first letter."""
    return file.text.lstrip().startswith("{")


def read(file: File) -> Workload:
    """The workload in the file; raises WorkloadError if it is malformed."""
    metadata, listed = _objects(file)
    nodes: dict[int, _Node] = {}
    for line, values in listed:
        node = _node(file, line, values)
        if node.id in nodes:
            raise file.error(line, "an Id that is not taken", node.id)
        nodes[node.id] = node
    if not nodes:
        raise file.error(1, "nodes", "")
    ranks = _ranks(file, metadata, nodes)
    unknown = sum(
        SEND <= node.type <= COLLECTIVE and not node.cpu and not node.communicates
        for node in nodes.values()
    )
    notes = ()
    if unknown:
        notes = (f"{unknown} communications of {file.path.name} state no comm_size: time only",)
    return Workload(
        name=file.path.stem,
        description=f"{len(nodes)} nodes on {ranks} ranks",
        ranks=ranks,
        model=str(metadata.get("workload_name", file.path.stem)),
        source="Chakra trace",
        steps=_steps(file, nodes, ranks),
        notes=notes,
    )


def _objects(file: File) -> tuple[dict[str, Any], list[tuple[int, Any]]]:
    """Metadata, and the nodes with the lines in which they begin."""
    try:
        objects = [*_decoded(file.text, 0)]
        if len(objects) == 1 and "workload_graph" in objects[0][1]:
            metadata = objects[0][1]
            if not isinstance(metadata["workload_graph"], list):
                raise file.error(1, "a list as workload_graph", metadata["workload_graph"])
            begin = re.search(r'"workload_graph"\s*:\s*\[', file.text)
            assert begin is not None
            nodes = [*_decoded(file.text, begin.end())]
            return metadata, [(file.text.count("\n", 0, at) + 1, node) for at, node in nodes]
    except json.JSONDecodeError as error:
        raise file.error(error.lineno, "JSON", f"{error.msg} in column {error.colno}") from error
    metadata, nodes = {}, []
    for at, values in objects:
        if not isinstance(values, dict):
            raise file.error(file.text.count("\n", 0, at) + 1, "an object {...}", values)
        flat = _flat(values)
        if "type" in flat or "NodeType" in flat:
            nodes.append((file.text.count("\n", 0, at) + 1, flat))
        else:
            metadata |= flat
    return metadata, nodes


def _decoded(text: str, at: int) -> Iterator[tuple[int, Any]]:
    """Values from place ``at`` on, with commas or nothing between, up to the end of their list."""
    space = re.compile(r"[\s,]*")
    decoder = json.JSONDecoder()
    while True:
        at = space.match(text, at).end()  # type: ignore[union-attr]
        if at == len(text) or text[at] == "]":
            return
        value, end = decoder.raw_decode(text, at)
        yield at, value
        at = end


def _flat(values: dict[str, Any]) -> dict[str, Any]:
    """A node of ``chakra_jsonizer`` with its attributes beside its fields."""
    flat = dict(values)
    listed = flat.pop("attr", [])
    for one in listed if isinstance(listed, list) else []:
        if not isinstance(one, dict):
            continue
        found = [value for key, value in one.items() if key.endswith(("Val", "_val"))]
        if found and "name" in one:
            flat[one["name"]] = found[0]
    return flat


def _node(file: File, line: int, values: Any) -> _Node:
    if not isinstance(values, dict):
        raise file.error(line, "a node {...}", values)

    def value(*names: str) -> Any:
        return next((values[name] for name in names if name in values), None)

    def number(what: str, found: Any, low: int = 0) -> int:
        if isinstance(found, str) and found.isascii() and found.isdigit():
            found = int(found)  # protobuf writes 64 bits as text
        if type(found) is not int or not low <= found <= LARGEST:
            raise file.error(line, f"{what} (an integer from {low} to {LARGEST})", found)
        return found

    def numbers(*names: str) -> list[int]:
        listed = value(*names)
        if listed is not None and not isinstance(listed, list):
            raise file.error(line, f"a list as {names[0]}", listed)
        return [number(names[0], one) for one in listed or []]

    kind = value("NodeType", "type")
    duration = value("runtime", "durationMicros", "duration_micros")
    keys = ("comm_type", "comm_size", "comm_src", "comm_dst", "comm_tag")
    node = _Node(
        line=line,
        id=number("Id", value("Id", "id") if value("Id", "id") is not None else 0),
        name=str(value("Name", "name") or "node")[:40],
        type=number("NodeType", TYPES.get(str(kind), kind), 1),
        waits=numbers("data_deps", "dataDeps") + numbers("ctrlDeps", "ctrl_deps"),
        nanoseconds=1000 * number("runtime", duration or 0),
        cpu=bool(value("is_cpu_op")),
        numbers={key: number(key, values[key]) for key in keys if key in values},
    )
    if node.communicates:
        needed = {COLLECTIVE: ("comm_type",)}.get(node.type, ("comm_src", "comm_dst"))
        for key in needed:
            if key not in node.numbers:
                raise file.error(line, key, "")
        kinds = (*COLLECTIVES, BARRIER)
        if node.type == COLLECTIVE and node.numbers["comm_type"] not in kinds:
            raise file.error(line, f"comm_type {kinds}", node.numbers["comm_type"])
    return node


def _ranks(file: File, metadata: dict[str, Any], nodes: dict[int, _Node]) -> int:
    """Ranks that the metadata states; all sends are between them."""
    stated = metadata.get("ngpus", metadata.get("world_size"))
    text = str(stated if stated is not None else "")
    ranks = file.integer(1, "ngpus or world_size in the metadata", text, 2, 1 << 16)
    for node in nodes.values():
        for key in ("comm_src", "comm_dst"):
            if node.communicates and node.numbers.get(key, 0) >= ranks:
                raise file.error(node.line, f"{key} below {ranks}", node.numbers[key])
    return ranks


def _matched(nodes: dict[int, _Node]) -> set[int]:
    """Receives whose send is in the file; from now on they wait for it."""
    sends: dict[tuple[int, ...], list[int]] = {}
    matched: set[int] = set()
    for kind in (SEND, RECEIVE):
        for node in nodes.values():
            if node.type == kind and node.communicates:
                key = tuple(node.numbers.get(k, 0) for k in ("comm_src", "comm_dst", "comm_tag"))
                if kind == SEND:
                    sends.setdefault(key, []).append(node.id)
                elif sends.get(key):
                    node.waits.append(sends[key].pop(0))
                    matched.add(node.id)
    return matched


def _ordered(file: File, nodes: dict[int, _Node]) -> list[_Node]:
    """The nodes in the order of the file, but behind all that they wait for."""
    place = {key: n for n, key in enumerate(nodes)}
    waits = {key: {w for w in node.waits if w in nodes} for key, node in nodes.items()}
    waiters: dict[int, list[int]] = {key: [] for key in nodes}
    for key, waited in waits.items():
        for w in waited:
            waiters[w].append(key)
    ready = [place[key] for key, waited in waits.items() if not waited]
    heapify(ready)
    keys, order = list(nodes), []
    while ready:
        key = keys[heappop(ready)]
        order.append(nodes[key])
        for waiter in waiters[key]:
            waits[waiter].discard(key)
            if not waits[waiter]:
                heappush(ready, place[waiter])
    if len(order) < len(nodes):
        left = next(node for key, node in nodes.items() if waits[key])
        raise file.error(left.line, "dependencies without a circle", f"node {left.id}")
    return order


def _steps(file: File, nodes: dict[int, _Node], ranks: int) -> tuple[Collective | Compute, ...]:
    steps: list[Collective | Compute] = []
    ends: dict[int, tuple[int, ...]] = {}  # steps after which a node has ended
    last: dict[bool, tuple[int, ...]] = {True: (), False: ()}  # node of the CPU, of the GPU
    matched = _matched(nodes)
    for node in _ordered(file, nodes):
        after = tuple(dict.fromkeys(k for w in node.waits for k in ends.get(w, ())))
        if not node.communicates:
            after = tuple(dict.fromkeys((*after, *last[node.cpu])))
            ends[node.id] = after
            if node.nanoseconds:
                steps.append(
                    Compute(
                        name=f"{node.id} {node.name}", nanoseconds=node.nanoseconds, after=after
                    )
                )
                ends[node.id] = last[node.cpu] = (len(steps) - 1,)
            continue
        ends[node.id] = after
        size = node.numbers.get("comm_size", 0)
        operation, algorithm, groups = "send", "chain", ()
        if node.type == COLLECTIVE:
            if node.numbers["comm_type"] == BARRIER or not size:
                continue
            operation, algorithm = COLLECTIVES[node.numbers["comm_type"]]
        else:
            pair = node.numbers["comm_src"], node.numbers["comm_dst"]
            if node.id in matched or pair[0] == pair[1] or not size:
                continue
            groups = (pair,)
        steps.append(
            Collective(
                name=f"{node.id} {node.name}",
                operation=operation,
                algorithm=algorithm,
                bytes=size,
                groups=groups,
                after=after,
            )
        )
        # Ranks that a transfer leaves out have to wait for what came before it.
        ends[node.id] = (*(after if groups else ()), len(steps) - 1)
    return tuple(steps)
