"""Rows to columns."""

from amaranth import Cat, Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["Transpose"]


class Transpose(wiring.Component):
    """Turn what each port of one side says about all ports of the other side around. Wires only.

    A module of its own, so that a simulator compiles all this bit picking once.

    Latency: 0 cycles.

    Parameters
    ----------
    rows, columns : int
        Shape of the matrix.
    width : int
        Bits of an element.

    Members
    -------
    i : In(columns * width).array(rows)
        Rows, the first element in the lowest bits.
    o : Out(rows * width).array(columns)
        Columns, the same.
    """

    def __init__(self, rows: int, columns: int, *, width: int = 1):
        self.rows, self.columns, self.width = rows, columns, width
        super().__init__(
            {"i": In(columns * width).array(rows), "o": Out(rows * width).array(columns)}
        )

    def elaborate(self, platform):
        m = Module()
        for n, column in enumerate(self.o):
            element = slice(n * self.width, (n + 1) * self.width)
            m.d.comb += column.eq(Cat(row[element] for row in self.i))
        return m
