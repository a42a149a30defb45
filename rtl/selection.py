"""One of many, as one-hot vectors."""

from amaranth import Cat, Mux, Value

__all__ = ["above", "encode", "first", "lowest"]


def smeared(vector: Value) -> Value:
    """Every bit at or above the lowest set one, in a logarithmic number of steps."""
    width, step = len(vector), 1
    while step < width:
        vector = vector | (vector << step)[:width]
        step *= 2
    return vector[:width]


def lowest(vector: Value) -> Value:
    """The lowest set bit: one-hot, or zero."""
    return vector & ~(smeared(vector) << 1)[: len(vector)]


def first(request: Value, preferred: Value) -> Value:
    """The lowest set bit of ``request`` among those of the mask ``preferred``, else of all.

    One-hot, or zero without a request. Source: Gupta and McKeown, "Designing and implementing a
    fast crossbar scheduler", IEEE Micro 19(1), 1999: thermometer-masked priority encoder.
    """
    among = request & preferred
    return Mux(among.any(), lowest(among), lowest(request))


def above(one_hot: Value) -> Value:
    """Mask of all places above the set bit, a thermometer code; zero if there are none."""
    return (smeared(one_hot) << 1)[: len(one_hot)]


def encode(one_hot: Value) -> Value:
    """Index of the set bit of ``one_hot``; 0 if there is none."""
    places = range((len(one_hot) - 1).bit_length())
    masks = [sum(1 << n for n in range(len(one_hot)) if n >> place & 1) for place in places]
    return Cat((one_hot & mask).any() for mask in masks)
