"""GF(2^10) by tables of powers and logarithms."""

import numpy as np

from models.compiled import inner
from models.serdes.config import FIELD_POLYNOMIAL, SYMBOL_BITS

__all__ = ["LOGARITHM", "ORDER", "POWER", "product", "quotient"]

ORDER = (1 << SYMBOL_BITS) - 1  # of the multiplicative group


def powers() -> np.ndarray:
    """x^0, x^1, ... twice over, so that the sum of two logarithms is an index."""
    found, element = [], 1
    for _ in range(2 * ORDER):
        found.append(element)
        element <<= 1
        if element >> SYMBOL_BITS:
            element ^= FIELD_POLYNOMIAL
    return np.array(found, dtype=np.int64)


POWER = powers()
LOGARITHM = np.zeros(ORDER + 1, dtype=np.int64)  # that of zero means nothing
LOGARITHM[POWER[:ORDER]] = np.arange(ORDER)


@inner
def product(a, b):
    """The product."""
    if a == 0 or b == 0:
        return 0
    return POWER[LOGARITHM[a] + LOGARITHM[b]]


@inner
def quotient(a, b):
    """The quotient; ``b`` is not zero."""
    if a == 0:
        return 0
    return POWER[LOGARITHM[a] + ORDER - LOGARITHM[b]]
