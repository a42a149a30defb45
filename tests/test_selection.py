import numpy as np
import pytest
from amaranth import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.sim import Simulator

from rtl.selection import First


class Search(wiring.Component):
    """``First`` with ports."""

    def __init__(self, width: int):
        members = {name: In(width) for name in ("request", "preferred", "marked")}
        super().__init__({**members, "place": Out(width), "within": Out(1)})

    def elaborate(self, platform):
        m = Module()
        first = First(m, self.request, self.preferred)
        m.d.comb += [self.place.eq(first.place), self.within.eq(first.within(self.marked))]
        return m


@pytest.mark.parametrize("width", [1, 2, 3, 5, 8])
def test_first_is_the_first_in_circular_order(width):
    search, rng, found = Search(width), np.random.default_rng(width), 0

    async def bench(ctx):
        nonlocal found
        for pointer in range(width):
            # A pointer of 0 is a mask of none: there is no place above the last one.
            ctx.set(search.preferred, (1 << width) - (1 << pointer) if pointer else 0)
            order = [(pointer + n) % width for n in range(width)]
            for request in range(1 << width):
                place = next((1 << n for n in order if request >> n & 1), 0)
                marked = int(rng.integers(1 << width))
                ctx.set(search.request, request)
                ctx.set(search.marked, marked)
                assert ctx.get(search.place) == place, (pointer, request)
                assert ctx.get(search.within) == bool(place & marked), (pointer, request, marked)
                found += place > 0

    simulator = Simulator(search)
    simulator.add_testbench(bench)
    simulator.run()
    assert found == width * ((1 << width) - 1)
