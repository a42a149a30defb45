"""One of many, as one-hot vectors."""

from collections.abc import Sequence

from amaranth import C, Cat, Module, Mux, Signal, Value

__all__ = ["First", "above", "encode", "lowest", "one_more", "stepped"]


def halves(vector: Value) -> tuple[Value, Value]:
    """The even places and the odd ones."""
    return vector[0::2], vector[1::2]


def smeared(vector: Value) -> Value:
    """Every bit at or above the lowest set one, in a logarithmic number of steps."""
    width, step = len(vector), 1
    while step < width:
        vector = vector | (vector << step)[:width]
        step *= 2
    return vector[:width]


def one_more(m: Module, level: Sequence[Value], value: Value) -> list[Signal]:
    """A thermometer of counts, bit by bit, after those of ``value`` have been added.

    Bit ``i`` of ``level[n]`` tells that more than ``n`` have been counted for ``i``. Signals, as
    an expression that is used twice in each step would double with each.
    """
    more = [Signal(len(value), name=f"more_than_{n}") for n in range(len(level))]
    m.d.comb += [
        count.eq(before | (below & value))
        for count, before, below in zip(more, level, [~C(0, len(value)), *level], strict=False)
    ]
    return more


def stepped(level: Value, up: Value, beyond: Value | int = 0) -> Value:
    """A thermometer of a count, one more with ``up``, else one less.

    It ends below the highest count if ``beyond`` tells that more than ``len(level)`` were counted.
    """
    return Mux(up, Cat(C(1, 1), level[:-1]), Cat(level[1:], beyond))


def lowest(vector: Value) -> Value:
    """The lowest set bit: one-hot, or zero."""
    return vector & ~(smeared(vector) << 1)[: len(vector)]


class First:
    """The lowest set bit of ``request`` among those of the mask ``preferred``, else of all.

    The mask is one of ``above``: a thermometer, whose lowest bit is never set, and is not looked
    at. Whether anybody comes before a pair of neighbours is found out for both values of the mask,
    and that of each place chooses last, when the place knows its neighbour.
    Source: Gupta and McKeown, "Designing and implementing a fast crossbar scheduler", IEEE Micro
    19(1), 1999: thermometer-masked priority encoder.

    Parameters
    ----------
    m : Module
        Where its gates go.
    request, preferred : Value
        As above, of one width.

    Attributes
    ----------
    place : Signal
        One-hot, or zero without a request.
    """

    def __init__(self, m: Module, request: Value, preferred: Value):
        width = len(request)
        requests, mask, among = (Signal(width, name=n) for n in ("requests", "mask", "among"))
        m.d.comb += [
            requests.eq(request),
            mask.eq(Cat(C(0, 1), preferred[1:])),
            among.eq(requests & mask),
        ]
        (even, odd), (mask_even, mask_odd) = halves(requests), halves(mask)
        self.masks = mask_even, mask_odd
        ahead_odd = Signal(width // 2)
        self.ahead = even, ahead_odd  # of their neighbours

        # Before whom the mask does not prefer comes who is preferred, even of the same pair. Each
        # step is a signal, as an expression is written out for every bit that is taken of it.
        pairs, pairs_among, before, before_among = (
            Signal(len(even), name=n) for n in ("pairs", "pairs_among", "before", "before_among")
        )
        m.d.comb += [
            ahead_odd.eq(odd & ~(even & (mask_even | ~mask_odd))),
            pairs.eq(even | odd),
            pairs_among.eq(among[0::2] | among[1::2]),
            before.eq(Cat(Cat(pairs[:n], pairs_among[n:]).any() for n in range(len(even)))),
            before_among.eq(Cat(pairs_among[:n].any() for n in range(len(even)))),
        ]
        self.before, self.before_among = before, before_among

        self.place = Signal(width)
        for place, ahead, mask in zip(halves(self.place), self.ahead, self.masks, strict=True):
            m.d.comb += place.eq(ahead & ~((mask & before_among) | (~mask & before)))

    def within(self, marked: Value) -> Value:
        """Whether it is one of the places ``marked``: known before ``place & marked`` would be."""
        found = [ahead & half for ahead, half in zip(self.ahead, halves(marked), strict=True)]
        among, others = (
            (found[0] & even) | (found[1] & odd)
            for even, odd in (self.masks, [~mask for mask in self.masks])
        )
        return ((among & ~self.before_among) | (others & ~self.before)).any()


def above(one_hot: Value) -> Value:
    """Mask of all places above the set bit, a thermometer code; zero if there are none."""
    return (smeared(one_hot) << 1)[: len(one_hot)]


def encode(one_hot: Value) -> Value:
    """Index of the set bit of ``one_hot``; 0 if there is none."""
    places = range((len(one_hot) - 1).bit_length())
    masks = [sum(1 << n for n in range(len(one_hot)) if n >> place & 1) for place in places]
    return Cat((one_hot & mask).any() for mask in masks)
