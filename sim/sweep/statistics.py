"""What a simulated series says: where its transient ends, how sure its mean is, whether it grows.

**Warm-up**: MSER-5. White, Cobb and Spratt, "A comparison of five steady-state truncation
heuristics for simulation", Winter Simulation Conference 2000.
**Interval**: batch means, neighbours joined until they are no longer correlated. Fishman,
"Grouping observations in digital simulation", Management Science 24(5), 1978; that 10 to 30 batches
are enough: Schmeiser, "Batch size effects in the analysis of simulation output", Operations
Research 30(3), 1982.
**Saturation**: a queue whose trend is upwards, see ``grows``. Decision.
"""

from math import sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm, t

__all__ = ["CONFIDENCE", "Interval", "grows", "interval", "joined", "mser5"]

CONFIDENCE = 0.95
BATCH = 5  # observations; the 5 of MSER-5
REST = 5  # batches of 5 that are never cut: of fewer, chance makes the error small
BATCHES = 8  # no fewer are left by joining
GROWTH = 0.01  # of what arrives
CERTAINTY = 5  # standard errors: of 10,000 sound queues one looks so by chance

Floats = NDArray[np.float64]


class Interval(NamedTuple):
    """A mean, and ``half_width`` on both sides of it with a confidence of 95 %.

    ``half_width`` is None if one value is all there is.
    """

    mean: float
    half_width: float | None


def mser5(series: Floats) -> int | None:
    """How many observations at the beginning of ``series`` are transient, a multiple of 5.

    Of all truncations the one whose rest has the smallest standard error. None if that is in the
    second half: the series is too short to tell.
    """
    batches = series[: series.size // BATCH * BATCH].reshape(-1, BATCH).mean(axis=1)
    if batches.size < 2 * REST:
        return None
    left = np.arange(batches.size, 0, -1)
    centred = batches - batches.mean()  # so that the difference of sums loses no digits
    sums, squares = np.cumsum(centred[::-1])[::-1], np.cumsum(centred[::-1] ** 2)[::-1]
    errors = (squares - sums**2 / left) / left**2
    cut = int(np.argmin(errors[: 1 - REST]))
    return cut * BATCH if cut <= batches.size // 2 else None


def joined(batches: Floats) -> Floats:
    """The means of ``batches``, neighbours joined until they look independent; 8 at least.

    Independent means: the correlation of neighbours is not above 0 with a confidence of 95 %.
    """
    while batches.size >= 2 * BATCHES:
        centred = batches - batches.mean()
        variance = (centred**2).sum()
        correlation = (centred[1:] * centred[:-1]).sum() / variance if variance else 0.0
        if correlation <= norm.ppf(CONFIDENCE) / sqrt(batches.size):
            break
        batches = batches[: batches.size // 2 * 2].reshape(-1, 2).mean(axis=1)
    return batches


def interval(values: Floats) -> Interval:
    """Mean of independent ``values`` with its interval, by Student's t."""
    mean, count = float(values.mean()), values.size
    if count < 2:
        return Interval(mean, None)
    quantile = float(t.ppf((1 + CONFIDENCE) / 2, count - 1))
    return Interval(mean, quantile * float(values.std(ddof=1)) / sqrt(count))


def grows(queue: Floats, arrivals: float) -> bool:
    """True if ``queue``, sampled at equal distances, grows.

    That is: its regression line rises over the samples by more than 1 % of the ``arrivals`` in that
    time, and by more than 5 standard errors. So neither a queue that is long nor one that
    happens to be longer at the end counts.
    """
    time = np.arange(queue.size) - (queue.size - 1) / 2
    slope = float((time * queue).sum() / (time**2).sum())
    rest = queue - queue.mean() - slope * time
    error = sqrt((rest**2).sum() / (queue.size - 2) / (time**2).sum())
    return slope * (queue.size - 1) > GROWTH * arrivals and slope > CERTAINTY * error
