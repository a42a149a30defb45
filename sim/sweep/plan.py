"""What a sweep is to run: a TOML file, checked, as a list of points."""

import re
import tomllib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from difflib import get_close_matches
from itertools import product
from pathlib import Path
from typing import Any

from models.config import SwitchConfig, named
from models.policy import POLICIES
from models.traffic import MIXES, PATTERNS
from models.trial import Trial
from sim.config_file import fits, read_config
from sim.sweep.point import Point

__all__ = ["Plan", "read_plan"]

TABLES = ("name", "base", "axes", "variants", "cluster")
RULES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "cycles": (lambda value: value >= 1000, "1000 or more"),
    "pattern": (lambda value: value in PATTERNS, f"one of {', '.join(PATTERNS)}"),
    "load": (lambda value: 0 < value <= 1, "above 0, at most 1"),
    "mix": (
        lambda value: value in MIXES or type(value) is int,
        f"one of {', '.join(MIXES)}, or bytes",
    ),
    "burst": (lambda value: value >= 1, "1 packet or more"),
    "class_shares": (
        lambda value: value and min(value) >= 0 and abs(sum(value) - 1) < 1e-9,
        "shares of sum 1",
    ),
    "seed": (lambda value: value >= 0, "0 or more"),
    "policy": (lambda value: value in POLICIES, f"one of {', '.join(POLICIES)}"),
    "outstanding": (lambda value: value >= 1, "1 request or more"),
    "service": (lambda value: value >= 0, "0 cycles or more"),
    "response": (
        lambda value: value in MIXES or type(value) is int,
        f"one of {', '.join(MIXES)}, or bytes",
    ),
    "shares": (lambda value: True, "true or false"),
}
CELLS = (
    *("policy", "ports", "iterations", "cycles", "speedup", "pattern", "load", "burst", "seed"),
)
TRAFFIC = {field.name: field.type for field in fields(Trial) if field.name in RULES}
SWITCH = {field.name: field.type for field in fields(SwitchConfig) if field.name != "name"}
FIELDS = SWITCH | TRAFFIC


@dataclass(frozen=True)
class Plan:
    """A sweep.

    Parameters
    ----------
    name : str
        Names its folder.
    points : tuple of Point
        In the order of the results.
    cluster : dict
        What a cluster's queue is asked for, as dask-jobqueue takes it.
    """

    name: str
    points: tuple[Point, ...]
    cluster: dict[str, Any]


def read_plan(path: Path) -> Plan:
    """The sweep in a TOML file.

    ``base`` names a configuration or a file of one, beside this file. Any field of ``SwitchConfig``
    and of the traffic can stand at the top, for all points; in ``[axes]`` with a list of values, of
    which all combinations are run, the last axis first; or in ``[[variants]]``, where each
    table is run with each of these combinations.

    Raises
    ------
    ValueError
        If the file is malformed; the sentence names file, field, value, and what is allowed.
    OSError
        If the file cannot be read.
    """
    try:
        return _plan(tomllib.loads(path.read_text(encoding="utf-8")), path)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _plan(values: dict[str, Any], path: Path) -> Plan:
    name = values.get("name", path.stem)
    if not isinstance(name, str) or not re.fullmatch(r"\w[\w.-]*", name, re.ASCII):
        raise ValueError(f"name must be letters, digits, and . _ - between, not {name!r}")
    for table, kind, example in (
        ("axes", dict, "[axes] and lines such as load = [0.5, 0.9]"),
        ("variants", list, "[[variants]] and lines such as iterations = 2"),
        ("cluster", dict, '[cluster] and lines such as queue = "long"'),
    ):
        if not isinstance(values.get(table, kind()), kind):
            raise ValueError(f"{table} must be a table: {example}")
    common = {field: value for field, value in values.items() if field not in TABLES}
    axes: dict[str, Any] = values.get("axes", {})
    variants: list[Any] = values.get("variants", [{}])
    if not variants or not all(isinstance(variant, dict) for variant in variants):
        raise ValueError("variants must be tables, [[variants]], and at least one")
    common = _checked(common)
    variants = [_checked(variant) for variant in variants]
    for field, choices in axes.items():
        if not isinstance(choices, list) or not choices:
            raise ValueError(f"{field} in [axes] must be a list of values, not {choices!r}")
        for other, taken in (("at the top", common), *(("in [[variants]]", v) for v in variants)):
            if field in taken:
                raise ValueError(f"{field} is in [axes] and {other}: remove one")
    choices = [[_checked({axis: value})[axis] for value in axes[axis]] for axis in axes]
    settings = [
        variant | dict(zip(axes, combination, strict=True))
        for variant, combination in product(variants, product(*choices))
    ]
    base = _base(values, path)
    points = tuple(_point(base, common | setting, setting) for setting in settings)
    _refuse_twins(points)
    return Plan(name, points, values.get("cluster", {}))


def _base(values: dict[str, Any], path: Path) -> SwitchConfig:
    base = values.get("base")
    if base is None:
        raise ValueError('the line base = "NODE" is missing; it names a configuration or its file')
    if not isinstance(base, str):
        raise ValueError(f"base must be the name of a configuration or its file, not {base!r}")
    return read_config(path.parent / base) if base.endswith(".toml") else named(base)


def _checked(values: dict[str, Any]) -> dict[str, Any]:
    """``values`` with tuples for lists; each is known, and right as far as it is seen alone."""
    good = {}
    for name, value in values.items():
        if name not in FIELDS:
            near = get_close_matches(name, FIELDS, 1)
            hint = f" (do you mean {near[0]}?)" if near else ""
            raise ValueError(f"no field {name!r}{hint}; there are {', '.join(FIELDS)}")
        chosen = tuple(value) if isinstance(value, list) else value
        if not fits(chosen, FIELDS[name]):
            rule = f"; it must be {RULES[name][1]}" if name in RULES else ""
            raise ValueError(f"{name} cannot be {value!r}{rule}")
        if name in RULES and not RULES[name][0](chosen):
            raise ValueError(f"{name} must be {RULES[name][1]}, not {value!r}")
        good[name] = chosen
    return good


def _point(base: SwitchConfig, chosen: dict[str, Any], settings: dict[str, Any]) -> Point:
    """The point of these fields.

    Raises
    ------
    ValueError
        If they do not fit together.
    """
    switch = {name: value for name, value in chosen.items() if name in SWITCH}
    traffic = {name: value for name, value in chosen.items() if name in TRAFFIC}
    try:
        config = base.with_(**switch)
        trial = Trial(config, **traffic)
        if (shares := len(trial.class_shares)) > config.classes:
            raise ValueError(f"class_shares are {shares}, more than {config.classes} classes")
        low, high = config.min_packet_bytes, config.max_packet_bytes
        for name in ("mix", "response"):
            size = getattr(trial, name)
            if isinstance(size, int) and not low <= size <= high:
                raise ValueError(f"{name} must be {low} to {high} bytes, not {size}")
        _check_exchange(trial, chosen)
        _check_cells(trial, chosen)
    except ValueError as error:
        which = Point(Trial(base), tuple((settings or chosen).items()))
        raise ValueError(f"with {which}: {error}") from None
    return Point(trial, tuple(settings.items()))


def _check_exchange(trial: Trial, chosen: dict[str, Any]) -> None:
    """Refuse what means nothing without requests and responses, or with them."""
    if trial.outstanding is None:
        for name in ("service", "response"):
            if name in chosen:
                raise ValueError(f"{name} means nothing without outstanding: add outstanding = 1")
    elif "load" in chosen:
        raise ValueError("load means nothing with outstanding: remove one")


def _check_cells(trial: Trial, chosen: dict[str, Any]) -> None:
    """Refuse what means nothing in cell mode."""
    if trial.policy is not None:
        for name in chosen:
            if name not in CELLS:
                raise ValueError(
                    f"{name} means nothing to cells: remove it, or policy; there are "
                    f"{', '.join(CELLS)}"
                )


def _refuse_twins(points: Iterable[Point]) -> None:
    known: dict[str, Point] = {}
    for point in points:
        twin = known.setdefault(point.identity, point)
        if twin is not point:
            raise ValueError(f"the same would be run twice: {twin}; and {point}")
