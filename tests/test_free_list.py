import pytest
from amaranth.sim import Simulator

from rtl.free_list import FreeList
from sim.solver import prove
from verif.proof.free_list import FreeListProof


def test_slot_given_back_is_free_in_the_next_cycle():
    dut, taken = FreeList(3), []

    async def bench(ctx):
        ctx.set(dut.take, 1)
        for _ in range(3):
            taken.append(ctx.get(dut.slot))
            await ctx.tick()
        ctx.set(dut.take, 0)
        ctx.set(dut.give.valid, 1)
        ctx.set(dut.give.slot, 1)
        await ctx.tick()
        ctx.set(dut.take, 1)
        ctx.set(dut.give.slot, 2)  # one out, one in, none spare
        for _ in range(2):
            taken.append(ctx.get(dut.slot))
            await ctx.tick()

    simulator = Simulator(dut)
    simulator.add_clock(1e-9)
    simulator.add_testbench(bench)
    simulator.run()
    assert taken == [0, 1, 2, 1, 2]


@pytest.mark.formal
@pytest.mark.parametrize("first", [0, 1])
def test_proof_bounded(first):
    prove(FreeListProof(3, first=first), f"free_list-{first}", depth=9, mode="bmc")
