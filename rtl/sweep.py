"""Sweep: every address of a small memory once after reset."""

from amaranth import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import Out

__all__ = ["Sweep"]


class Sweep(wiring.Component):
    """Count up to ``entries`` after reset, so that memories can be cleared one entry per cycle.

    Parameters
    ----------
    entries : int
        Entries of the memories.

    Members
    -------
    entry : Out(range(entries))
        The entry to clear in this cycle. Registered.
    done : Out(1)
        All entries have been: high from cycle ``entries`` on, the first after reset being 0.
        Registered.
    """

    def __init__(self, entries: int):
        self.entries = entries
        super().__init__({"entry": Out(range(entries)), "done": Out(1)})

    def elaborate(self, platform):
        m = Module()
        with m.If(~self.done):
            m.d.sync += [
                self.entry.eq(self.entry + 1),
                self.done.eq(self.entry == self.entries - 1),
            ]
        return m
