"""Our own format: a TOML file that names a model, the sizes that matter, and its collectives.

name = "..."
description = "..."
ranks = 8                    # ports 0 to 7

[model]
name = "..."
source = "..."               # where the sizes are from

[model.sizes]                # names for `shape`
hidden = 6656
sequence = 2048

[[collective]]               # in order, each after the one before
name = "..."
operation = "all-reduce"     # and the others of models.collective.ALGORITHMS
algorithm = "ring"
shape = ["sequence", "hidden"]
element_bytes = 2            # its size is the product of these
traffic_class = 1            # and below: these may be left out
groups = [[0, 1], [2, 3]]    # that run at the same time; one of all ranks by default
compute_ns = 1000            # each of its ranks computes so long before
after = ["..."]              # a rank waits for its own part of these, not for everybody

[routing]                    # for `dispatch` and `combine`: models.collective.Routing
"""

import tomllib
from dataclasses import replace
from math import prod
from typing import Any

from models.collective import (
    ALGORITHMS,
    LARGEST,
    ROUTED,
    Collective,
    Compute,
    Routing,
    Workload,
    WorkloadError,
)
from models.formats.file import File

__all__ = ["KIND", "read", "recognises"]

KIND: str = "TOML with [[collective]]"
RANKS = 128  # at most


def recognises(file: File) -> bool:
    """By name, or by its list of collectives."""
    return file.path.suffix == ".toml" or "[[collective]]" in file.text


def read(file: File) -> Workload:
    """The workload in the file; raises WorkloadError if it is malformed."""
    try:
        return _workload(_Table(str(file.path), "", tomllib.loads(file.text)))
    except tomllib.TOMLDecodeError as error:
        raise WorkloadError(f"{file.path}: not TOML: {error}") from error


class _Table:
    """A TOML table that is read key by key; every complaint names file and key."""

    def __init__(self, file: str, prefix: str, values: Any):
        self.file, self.prefix, self.values = file, prefix, values
        if not isinstance(values, dict):
            raise WorkloadError(f"{file}: {prefix.rstrip('.')} must be a table, not {values!r}")

    def error(self, key: str, rule: str) -> WorkloadError:
        found = f"not {self.values[key]!r}" if key in self.values else "but is missing"
        return WorkloadError(f"{self.file}: {self.prefix}{key} must be {rule}, {found}")

    def known(self, *keys: str) -> None:
        for key in self.values:
            if key not in keys:
                raise WorkloadError(
                    f"{self.file}: unknown key {self.prefix}{key}; there are {', '.join(keys)}"
                )

    def text(self, key: str, among: tuple[str, ...] = ()) -> str:
        value = self.values.get(key)
        if not isinstance(value, str) or not value or (among and value not in among):
            raise self.error(key, f"one of {', '.join(among)}" if among else "a text")
        return value

    def integer(self, key: str, low: int, high: int, default: int | None = None) -> int:
        value = self.values.get(key, default)
        if type(value) is not int or not low <= value <= high:
            raise self.error(key, f"an integer from {low} to {high}")
        return value

    def table(self, key: str) -> "_Table":
        if key not in self.values:
            raise self.error(key, "a table")
        return _Table(self.file, f"{self.prefix}{key}.", self.values[key])


def _workload(top: _Table) -> Workload:
    top.known("name", "description", "ranks", "model", "routing", "collective")
    ranks = top.integer("ranks", 2, RANKS)
    model = top.table("model")
    model.known("name", "source", "sizes")
    sizes = model.table("sizes")
    values = {key: sizes.integer(key, 1, LARGEST) for key in sizes.values}
    listed = top.values.get("collective")
    if not isinstance(listed, list) or not listed:
        raise top.error("collective", "a list of one table or more")
    steps: list[Collective | Compute] = []
    for n, table in enumerate(listed):
        steps += _steps(_Table(top.file, f"collective[{n}].", table), values, ranks, steps)
    routing, tokens = None, 0
    if any(isinstance(s, Collective) and s.operation in ROUTED for s in steps):
        table = top.table("routing")
        table.known("experts", "top_k", "zipf", "seed")
        experts = table.integer("experts", ranks, 1 << 16)
        if experts % ranks:
            raise table.error("experts", f"a multiple of {ranks} (ranks)")
        zipf = table.values.get("zipf")
        if type(zipf) not in (int, float) or not 0 <= zipf <= 10:
            raise table.error("zipf", "a number from 0 to 10")
        routing = Routing(
            experts=experts,
            top_k=table.integer("top_k", 1, experts),
            zipf=float(zipf),
            seed=table.integer("seed", 0, LARGEST, default=0),
        )
        tokens = sizes.integer("tokens", 1, 1 << 16)
    return Workload(
        name=top.text("name"),
        description=top.text("description"),
        ranks=ranks,
        model=model.text("name"),
        source=model.text("source"),
        steps=tuple(steps),
        tokens=tokens,
        routing=routing,
    )


def _steps(
    table: _Table, sizes: dict[str, int], ranks: int, earlier: list[Collective | Compute]
) -> list[Collective | Compute]:
    """A collective, and before it what its ranks compute."""
    table.known(
        "name",
        "operation",
        "algorithm",
        "shape",
        "element_bytes",
        "traffic_class",
        "groups",
        "compute_ns",
        "after",
    )
    operation = table.text("operation", tuple(ALGORITHMS))
    shape = table.values.get("shape")
    if not isinstance(shape, list) or not shape or not all(s in sizes for s in map(str, shape)):
        raise table.error("shape", f"a list of names from model.sizes ({', '.join(sizes)})")
    routed = operation in ROUTED
    if routed and shape[0] != "tokens":
        raise table.error("shape", '"tokens" and then the dimensions of a token')
    element = table.integer("element_bytes", 1, 64)
    collective = Collective(
        name=table.text("name"),
        operation=operation,
        algorithm=table.text("algorithm", ALGORITHMS[operation]),
        bytes=0 if routed else prod(sizes[s] for s in shape) * element,
        token_bytes=prod(sizes[s] for s in shape[1:]) * element if routed else 0,
        traffic_class=table.integer("traffic_class", 0, 15, default=1),
        groups=_groups(table, ranks, routed),
        after=_after(table, earlier),
    )
    nanoseconds = table.integer("compute_ns", 0, LARGEST, default=0)
    if not nanoseconds:
        return [collective]
    compute = Compute(
        name=f"compute before {collective.name}",
        nanoseconds=nanoseconds,
        ranks=tuple(rank for group in collective.groups for rank in group),
        after=collective.after,
    )
    after = None if collective.after is None else (len(earlier),)
    return [compute, replace(collective, after=after)]


def _groups(table: _Table, ranks: int, routed: bool) -> tuple[tuple[int, ...], ...]:
    if "groups" not in table.values:
        return ()
    rule = f"lists of equally many ranks, 2 or more, each from 0 to {ranks - 1} and in one of them"
    groups = table.values["groups"]
    if routed or not isinstance(groups, list) or not all(isinstance(g, list) for g in groups):
        raise table.error("groups", "absent, as tokens go to all ranks" if routed else rule)
    members = [rank for group in groups for rank in group]
    fit = all(type(rank) is int and 0 <= rank < ranks for rank in members)
    if not fit or len(set(members)) < len(members):
        raise table.error("groups", rule)
    if not groups or len(groups[0]) < 2 or len({len(group) for group in groups}) > 1:
        raise table.error("groups", rule)
    return tuple(tuple(group) for group in groups)


def _after(table: _Table, earlier: list[Collective | Compute]) -> tuple[int, ...] | None:
    if "after" not in table.values:
        return None
    places = {step.name: n for n, step in enumerate(earlier) if isinstance(step, Collective)}
    names = table.values["after"]
    if not isinstance(names, list) or not all(name in places for name in map(str, names)):
        known = ", ".join(places) or "there is none"
        raise table.error("after", f"a list of names of earlier collectives ({known})")
    return tuple(places[str(name)] for name in names)
