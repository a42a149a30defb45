"""Arithmetic of GF(2^10), in logic and at build time.

Sums are XORs. A product by a constant, and a power whose exponent is a power of two, are linear:
each bit of the result is the sum of some bits of the operand.
"""

from functools import reduce
from operator import xor

from amaranth import Array, Cat, Const, Signal, Value

from models.serdes.config import FIELD_POLYNOMIAL, SYMBOL_BITS

__all__ = ["combination", "conjugate", "norm_inverse", "power", "product", "times"]

ORDER = (1 << SYMBOL_BITS) - 1  # of the multiplicative group
SUBFIELD_BITS = SYMBOL_BITS // 2
NORM = (1 << SUBFIELD_BITS) + 1  # the exponent that takes the field to its subfield GF(2^5)


def times(a: int, b: int) -> int:
    """The product of two numbers."""
    product = 0
    for n in range(SYMBOL_BITS):
        product ^= (a << n) * (b >> n & 1)
    for n in reversed(range(SYMBOL_BITS, 2 * SYMBOL_BITS - 1)):
        product ^= (FIELD_POLYNOMIAL << n - SYMBOL_BITS) * (product >> n & 1)
    return product


def power(base: int, exponent: int) -> int:
    """``base`` to any power, also a negative one."""
    result = 1
    for _ in range(exponent % ORDER):
        result = times(result, base)
    return result


def linear(bits: list, images: list[int]) -> Value:
    """The sum of the images of those bits that are set."""
    rows = range(SYMBOL_BITS)
    chosen = [
        [bit for bit, image in zip(bits, images, strict=True) if image >> r & 1] for r in rows
    ]
    return Cat(Cat(row).xor() for row in chosen)


def combination(values, factors) -> Value:
    """The sum of the products of signals by constants, one for each."""
    pairs = [(value, factor) for value, factor in zip(values, factors, strict=True) if factor]
    bits = [value[n] for value, _ in pairs for n in range(SYMBOL_BITS)]
    return linear(bits, [times(factor, 1 << n) for _, factor in pairs for n in range(SYMBOL_BITS)])


def product(m, a, b) -> Value:
    """The product of two signals."""
    total = Signal(2 * SYMBOL_BITS - 1)  # without carries, not reduced yet
    shifted = [(b & a[n].replicate(SYMBOL_BITS)) << n for n in range(SYMBOL_BITS)]
    m.d.comb += total.eq(reduce(xor, shifted))
    images = [1 << n for n in range(SYMBOL_BITS)]
    while len(images) < len(total):
        images.append(times(images[-1], 2))
    return linear([total[n] for n in range(len(total))], images)


def conjugate(value) -> Value:
    """``value`` to the 32nd power: times ``value``, that is its norm, an element of GF(2^5)."""
    bits = range(SYMBOL_BITS)
    return linear([value[n] for n in bits], [power(1 << n, NORM - 1) for n in bits])


def subfield() -> tuple[list[int], list[int]]:
    """Bits by which the elements of GF(2^5) differ, and the inverse of each, by those bits."""
    elements = [power(power(2, NORM), n) for n in range((1 << SUBFIELD_BITS) - 1)]
    bits: list[int] = []
    for bit in range(SYMBOL_BITS):  # leaving out those that are a sum of others
        found = {tuple(element >> n & 1 for n in [*bits, bit]) for element in [0, *elements]}
        if len(found) == 2 << len(bits):
            bits.append(bit)
    inverses = [0] * (1 << SUBFIELD_BITS)
    for element in elements:
        inverses[sum((element >> n & 1) << k for k, n in enumerate(bits))] = power(element, -1)
    return bits, inverses


def norm_inverse(norm) -> Value:
    """1 / ``norm``, an element of GF(2^5); of zero, zero.

    So 1 / a is the product of its conjugate and the inverse of its norm, with a table of 32
    entries. Source: Itoh and Tsujii, "A fast algorithm for computing multiplicative inverses in
    GF(2^m) using normal bases", Information and Computation 78(3), 1988.
    """
    bits, inverses = subfield()
    place = Cat(norm[bit] for bit in bits)
    return Array(Const(element, SYMBOL_BITS) for element in inverses)[place]
