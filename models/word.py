"""Words of 64 bits, as signed integers: what Python and numba have no function for."""

from numba.cpython.unsafe.numbers import trailing_zeros

from models.compiled import inner

__all__ = ["low_bits", "odd", "place"]


@inner
def low_bits(bits):
    """A word whose ``bits`` low bits are set, 0 to 64; more or less is cut."""
    if bits >= 64:
        return -1
    return (1 << max(bits, 0)) - 1


@inner
def odd(word):
    """1 if the number of ones in ``word`` is odd."""
    for shift in (32, 16, 8, 4, 2, 1):
        word ^= word >> shift  # the sign comes in from above, but never reaches bit 0
    return word & 1


@inner
def place(power):
    """Exponent of a power of two, taken as an unsigned number."""
    return trailing_zeros(power)  # pyright: ignore[reportCallIssue]  # an intrinsic
