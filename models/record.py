"""Records: named integer arrays that are views on one flat array.

A golden model reads its inputs from one record and writes its outputs to another. The names are the
wires of the component; the flat array lets a test bench pack all of them at once.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["allocate", "flat", "records"]


def allocate(kind: Any, shapes: dict[str, tuple[int, ...]]) -> Any:
    """A ``kind`` (a namedtuple class) of zeroed int64 arrays, laid end to end in one flat array.

    Parameters
    ----------
    kind : namedtuple class
        Its fields are the keys of ``shapes``, in the same order.
    shapes : dict
        Shape of each field; a scalar wire is ``(1,)``.

    Raises
    ------
    ValueError
        If the fields of ``kind`` are not those of ``shapes``.
    """
    if tuple(shapes) != kind._fields:
        raise ValueError(f"{kind.__name__} has fields {kind._fields}, not {tuple(shapes)}")
    sizes = {name: int(np.prod(shape)) for name, shape in shapes.items()}
    memory = np.zeros(sum(sizes.values()), dtype=np.int64)
    views, start = {}, 0
    for name, shape in shapes.items():
        views[name] = memory[start : start + sizes[name]].reshape(shape)
        start += sizes[name]
    return kind(**views)


def flat(record: Any) -> NDArray[np.int64]:
    """The flat array under ``record``."""
    base = record[0]
    while base.base is not None:
        base = base.base
    return base


def records(fields: str, shape: Any) -> NDArray[Any]:
    """An array of this shape of zeroed records, each with these int64 ``fields``.

    For state: what one port has lies together, and compiled code reaches all of it from one
    address.
    """
    return np.zeros(shape, dtype=np.dtype([(f, np.int64) for f in fields.split()], align=True))
