"""Comparisons with constants, without chains of carries."""

from amaranth import C, Value

__all__ = ["exceeds"]


def exceeds(value: Value, bound: int) -> Value:
    """Whether ``value``, an unsigned number, is above ``bound``."""
    result = C(0, 1)
    for n, bit in enumerate(value):
        result = (bit & result) if bound >> n & 1 else (bit | result)
    return result
