"""A handle: many arrays in, one cheap argument to a compiled function.

numba looks at every array of its arguments in every call, 0.1 to 0.4 us each, which a model that is
stepped from Python pays once per cycle. A handle is one argument however much it holds.
"""

from typing import Any

from numba import types
from numba.experimental import structref

__all__ = ["Handle"]


@structref.register
class HandleType(types.StructRef):
    """Type of a ``Handle`` in compiled code: one member, ``value``."""

    def preprocess_fields(self, fields: Any) -> Any:
        return tuple((name, types.unliteral(kind)) for name, kind in fields)


class Handle(structref.StructRefProxy):
    """Hold ``value``, a (nested) tuple of arrays and numbers, for compiled functions.

    In the function ``handle.value`` is that tuple; its arrays are the caller's own, so both sides
    see what either writes. Build it once per run: that compiles.
    """

    def __new__(cls, value: Any) -> "Handle":
        return structref.StructRefProxy.__new__(cls, value)


structref.define_proxy(Handle, HandleType, ["value"])
