"""Output watchdog: find out that an output of a chip, or a class of it, is dead."""

from amaranth import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from models.chip_config import TIMEOUT_BITS
from models.config import SwitchConfig

__all__ = ["OutputWatchdog"]


class OutputWatchdog(wiring.Component):
    """Declare classes of an output dead that wait for longer than the operator allows.

    A class waits while a packet of it has no permit to begin; all of them while the output offers a
    flit that is not taken. What has waited for ``timeout`` cycles in a row is dead in the cycle
    after, and until the operator revives it.

    Latency: 1 cycle.

    Parameters
    ----------
    config : SwitchConfig
        Uses ``classes``.

    Members
    -------
    timeout : In(TIMEOUT_BITS)
        In cycles; with 0 nothing dies.
    waiting, permit : In(classes)
        Classes of which a flit waits in the egress, and those that may begin a packet.
    offered, taken : In(1)
        The output offers a flit, and it is taken.
    revive : In(1)
        Nothing is dead, and nothing has waited, in the cycle after.
    dead : Out(classes)
        Registers.
    """

    def __init__(self, config: SwitchConfig):
        self.config = config
        super().__init__(
            {
                "timeout": In(TIMEOUT_BITS),
                "waiting": In(config.classes),
                "permit": In(config.classes),
                "offered": In(1),
                "taken": In(1),
                "revive": In(1),
                "dead": Out(config.classes),
            }
        )

    def elaborate(self, platform):
        m = Module()
        most, everything = (1 << TIMEOUT_BITS) - 1, (1 << self.config.classes) - 1
        starves = self.waiting & ~self.permit
        waits = [*(starves[c] for c in range(self.config.classes)), self.offered & ~self.taken]
        kills = [*(1 << c for c in range(self.config.classes)), everything]
        dead = self.dead
        for n, (wait, kill) in enumerate(zip(waits, kills, strict=True)):
            waited = Signal(TIMEOUT_BITS, name=f"waited_{n}")  # cycles before this one, in a row
            long_enough = (self.timeout != 0) & (waited + 1 >= self.timeout)
            m.d.sync += waited.eq(Mux(wait & ~self.revive, waited + (waited != most), 0))
            dead = dead | Mux(wait & long_enough, kill, 0)
        m.d.sync += self.dead.eq(Mux(self.revive, 0, dead))
        return m
