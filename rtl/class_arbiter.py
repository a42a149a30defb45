"""Arbiter of traffic classes: strict priority or deficit-weighted sharing."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from models.config import SwitchConfig
from rtl.selection import lowest

__all__ = ["ClassArbiter"]


class ClassArbiter(wiring.Component):
    """Choose a traffic class, the most urgent first or by weight; ``picks`` times in a cycle.

    Latency: 0 cycles from ``request`` to ``grant`` (combinational). Throughput: ``picks`` grants
    per cycle, all from the same state.
    Fairness: none under ``strict``. Under ``weighted``, classes that always request share the
    charged flits by their weights, to within a quantum and a connection.
    Source: Shreedhar and Varghese, "Efficient fair queueing using deficit round robin", IEEE/ACM
    Transactions on Networking 4(3), 1996; here charged after the fact, and the most urgent class
    with a deficit goes first.

    Parameters
    ----------
    config : SwitchConfig
        Uses ``classes``, ``class_policy``, ``class_weights`` and ``limit`` (a largest packet fits).
    picks : int
        Independent choices per cycle, 1 or more.

    Members
    -------
    request : In(classes).array(picks)
        Bit ``c`` is high while class ``c`` wants to be chosen by this pick.
    refill : In(1)
        Every class gains its quantum in this cycle. Not read if strict.
    charge : In(classes)
        Bit ``c`` is high if class ``c`` sends one flit; it is paid after the refill. Not read if
        strict.
    grant : Out(classes).array(picks)
        One-hot, or zero if nothing requests.
    spent : Out(picks)
        Bit ``k`` is high if pick ``k`` has requests, and none of a class with a positive deficit;
        if such a grant is used, ``refill`` is due. Never if strict.

    Attributes
    ----------
    deficit : list of Signal
        State: flits that each class may still send before others have their turn; from
        ``-2 * limit``, where it saturates, to its quantum. Proofs read it.
    """

    def __init__(self, config: SwitchConfig, *, picks: int):
        if picks < 1:
            raise ValueError(f"picks must be 1 or more, not {picks}")
        self.config, self.picks = config, picks
        self.debt = 2 * config.limit
        self.quanta = [weight * config.limit for weight in config.class_weights]
        self.deficit = [
            Signal(range(-self.debt, quantum + 1), init=quantum, name=f"deficit_{c}")
            for c, quantum in enumerate(self.quanta)
        ]
        super().__init__(
            {
                "request": In(config.classes).array(picks),
                "refill": In(1),
                "charge": In(config.classes),
                "grant": Out(config.classes).array(picks),
                "spent": Out(picks),
            }
        )

    def elaborate(self, platform):
        m = Module()
        weighted = self.config.class_policy == "weighted"

        positive = Signal(self.config.classes)
        if weighted:
            m.d.comb += positive.eq(Cat(deficit > 0 for deficit in self.deficit))

        for k in range(self.picks):
            preferred = self.request[k] & positive
            candidates = Mux(preferred.any(), preferred, self.request[k])
            m.d.comb += self.grant[k].eq(lowest(candidates[::-1])[::-1])
            if weighted:
                m.d.comb += self.spent[k].eq(self.request[k].any() & ~preferred.any())

        if weighted:
            for c, (deficit, quantum) in enumerate(zip(self.deficit, self.quanta, strict=True)):
                refilled = Mux(positive[c], quantum, deficit + quantum)
                pays = self.charge[c] & (self.refill | (deficit != -self.debt))
                m.d.sync += deficit.eq(Mux(self.refill, refilled, deficit) - pays)

        return m
