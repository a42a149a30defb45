"""Vector: many small values side by side."""

from amaranth import Format, Value
from amaranth.lib import data

__all__ = ["Vector"]


class Vector(data.ArrayLayout):
    """An array whose elements have no names in the Verilog.

    Amaranth gives each element of an ``ArrayLayout`` a wire to look at, in every module that it
    passes. For the lengths of 256 queues in each of 64 ports that is two thirds of the text.
    """

    def format(self, value, format_spec):
        return Format(f"{{:{format_spec}}}", Value.cast(value))
