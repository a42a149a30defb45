"""Registers between the stages of the scheduler."""

from amaranth import Module, Signal

__all__ = ["delayed"]


def delayed(m: Module, value):
    """``value`` as it was two cycles ago: an iteration takes two."""
    for _ in range(2):
        later = Signal.like(value)
        m.d.sync += later.eq(value)
        value = later
    return value
