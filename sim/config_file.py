"""Configurations in TOML files."""

import tomllib
from dataclasses import fields
from pathlib import Path
from typing import Any, get_args, get_origin

from models.config import NAMED, SwitchConfig, named

__all__ = ["fits", "read_config"]


def read_config(path: Path) -> SwitchConfig:
    """The configuration in a TOML file: the name of a ``base``, and what differs from it.

    Raises
    ------
    ValueError
        If the file is malformed, or a field is unknown or has a wrong value.
    OSError
        If the file cannot be read.
    """
    kinds = {field.name: field.type for field in fields(SwitchConfig)}
    try:
        changes = tomllib.loads(path.read_text())
        if "base" not in changes:
            raise ValueError(
                f'the line base = "NAME" is missing; NAME is one of {", ".join(NAMED)}'
            )
        base = named(changes.pop("base"))
        for name, value in changes.items():
            if isinstance(value, list):
                changes[name] = value = tuple(value)
            if name in kinds and not fits(value, kinds[name]):
                raise ValueError(f"{name} cannot be {value!r}")
        return base.with_(**{"name": path.stem} | changes)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def fits(value: object, kind: Any) -> bool:
    """True if ``value`` is of the type ``kind``; an integer is a float too."""
    if get_origin(kind) is tuple:
        inner = get_args(kind)[0]
        return isinstance(value, tuple) and all(fits(one, inner) for one in value)
    kinds = get_args(kind) or (kind,)
    return type(value) in kinds or (type(value) is int and float in kinds)
