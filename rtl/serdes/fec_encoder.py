"""Encoder of a Reed-Solomon code."""

from amaranth import Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from models.serdes.config import SYMBOL_BITS, FecConfig
from rtl.serdes.codeword import GroupSignature
from rtl.serdes.field import combination, power, times

__all__ = ["FecEncoder"]


def remainders(parity: int, count: int) -> list[list[int]]:
    """Of x^``parity`` and the next powers, divided by the product of all x - 2^j, j < ``parity``.

    Each has ``parity`` coefficients, that of the highest power first.
    """
    product = [1]
    for j in range(parity):
        by_root = [times(power(2, j), coefficient) for coefficient in product]
        product = [a ^ b for a, b in zip([*product, 0], [0, *by_root], strict=True)]
    found = [product[1:]]
    while len(found) < count:
        highest, *rest = found[-1]
        shifted = zip([*rest, 0], found[0], strict=True)
        found.append([low ^ times(highest, back) for low, back in shifted])
    return found


class FecEncoder(wiring.Component):
    """Put parity behind the symbols of a message.

    Parity is the remainder of the message by the generator polynomial. A register has that of what
    has come; a group moves it up by ``symbols_per_cycle`` powers. Steps are laid so that the
    message ends with a whole one: each takes what the last has left of its group, and so much of
    this one. Zeros before the first symbol change nothing.

    Latency: 1 cycle. Throughput: a group per cycle. Backpressure: none.
    Source: Lin and Costello, "Error Control Coding", 1983, section 6.3; IEEE 802.3, clause 91.5.2.

    Parameters
    ----------
    config : FecConfig
        The code.

    Members
    -------
    i : In(GroupSignature)
        Codewords, with anything in the places of parity. One begins with ``first``, or behind the
        last group of another.
    o : Out(GroupSignature)
        The same with parity, each with ``first``.
    """

    def __init__(self, config: FecConfig):
        self.config = config
        super().__init__({"i": In(GroupSignature(config)), "o": Out(GroupSignature(config))})

    def elaborate(self, platform):
        m = Module()
        config, i, o = self.config, self.i.payload, self.o.payload
        wide, parity = config.symbols_per_cycle, 2 * config.correctable
        end = (config.message_symbols - 1) // wide  # the group in which the message ends
        head = config.message_symbols - end * wide  # symbols of it there
        zero = Const(0, SYMBOL_BITS)

        next_group, group, shown = (Signal(range(config.groups)) for _ in range(3))
        raw = Signal.like(i.symbols)
        m.d.comb += group.eq(Mux(i.first, 0, next_group))
        m.d.sync += self.o.valid.eq(self.i.valid)
        with m.If(self.i.valid):
            m.d.sync += [
                next_group.eq(Mux(group == config.groups - 1, 0, group + 1)),
                shown.eq(group),
                raw.eq(i.symbols),
            ]

        # Symbol k of the remainder is that of the power parity - 1 - k.
        remainder = [Signal(SYMBOL_BITS, name=f"remainder_{k}") for k in range(parity)]
        starts = group == 0
        waiting = [Mux(starts, 0, raw[s]) for s in range(head, wide)]
        coming = [*waiting, *(i.symbols[s] for s in range(head))]
        before = [Mux(starts, 0, symbol) for symbol in remainder]
        # Powers that the step moves out of the remainder, the highest first.
        beyond = [Signal(SYMBOL_BITS, name=f"beyond_{s}") for s in range(wide)]
        m.d.comb += [
            beyond[s].eq(coming[s] ^ (before[s] if s < parity else zero)) for s in range(wide)
        ]
        back = remainders(parity, wide)
        with m.If(self.i.valid & (group <= end)):
            for k in range(parity):
                stays = before[k + wide] if k + wide < parity else zero
                factors = [back[wide - 1 - s][k] for s in range(wide)]
                m.d.sync += remainder[k].eq(stays ^ combination(beyond, factors))

        m.d.comb += o.first.eq(shown == 0)
        for s in range(wide):
            m.d.comb += o.symbols[s].eq(raw[s])
            for g in range(end, config.groups):
                place = g * wide + s - config.message_symbols
                if place >= 0:
                    with m.If(shown == g):
                        m.d.comb += o.symbols[s].eq(remainder[place])
        return m
