"""One of many, as one-hot vectors."""

from amaranth import Cat, Mux, Value

__all__ = ["encode", "first"]


def first(request: Value, above: Value) -> Value:
    """The lowest set bit of ``request`` among those of the mask ``above``, else of all: one-hot.

    Source: Gupta and McKeown, "Designing and implementing a fast crossbar scheduler", IEEE Micro
    19(1), 1999: thermometer-masked priority encoder.
    """
    preferred = request & above
    candidates = Mux(preferred.any(), preferred, request)
    return (candidates & -candidates)[: len(request)]


def encode(one_hot: Value) -> Value:
    """Index of the set bit of ``one_hot``; 0 if there is none."""
    places = range((len(one_hot) - 1).bit_length())
    masks = [sum(1 << n for n in range(len(one_hot)) if n >> place & 1) for place in places]
    return Cat((one_hot & mask).any() for mask in masks)
