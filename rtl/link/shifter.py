"""Shifts by a variable number of units, in steps of powers of two."""

from amaranth import Mux, Signal

__all__ = ["shift_down", "shift_up"]


def shift_down(m, value, amount, *, unit: int, width: int, name: str):
    """The lowest ``width`` bits of ``value``, without its ``amount`` lowest units of bits."""
    for n in reversed(range(len(amount))):
        before = value
        # What lies higher than the steps to come can reach is not needed.
        value = Signal(min(len(before), width + unit * ((1 << n) - 1)), name=f"{name}_{n}")
        m.d.comb += value.eq(Mux(amount[n], before.shift_right(unit << n), before))
    return value[:width]


def shift_up(m, value, amount, *, unit: int, width: int, name: str):
    """``value`` with ``amount`` units of zeros below it, ``width`` bits."""
    for n in range(len(amount)):
        before, value = value, Signal(width, name=f"{name}_{n}")
        m.d.comb += value.eq(Mux(amount[n], before.shift_left(unit << n), before))
    return value
