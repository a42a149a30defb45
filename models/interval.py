"""Sets of cycles, as rows of first cycle and the cycle after the last: their length and overlap."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["exposed", "length", "merged"]

Ints = NDArray[np.int64]


def merged(intervals: Ints) -> Ints:
    """The same cycles as intervals in order that do not touch."""
    intervals = np.asarray(intervals, dtype=np.int64).reshape(-1, 2)
    intervals = intervals[intervals[:, 1] > intervals[:, 0]]
    if not intervals.size:
        return intervals
    intervals = intervals[np.argsort(intervals[:, 0], kind="stable")]
    reached = np.maximum.accumulate(intervals[:, 1])
    fresh = np.concatenate(([True], intervals[1:, 0] > reached[:-1]))
    last = np.concatenate((np.flatnonzero(fresh)[1:] - 1, [len(intervals) - 1]))
    return np.stack((intervals[fresh, 0], reached[last]), axis=1)


def length(intervals: Ints) -> int:
    """Cycles in the union of ``intervals``."""
    union = merged(intervals)
    return int((union[:, 1] - union[:, 0]).sum())


def exposed(intervals: Ints, cover: Ints) -> int:
    """Cycles in the union of ``intervals`` that are in none of ``cover``."""
    union, hidden = merged(intervals), merged(cover)
    if not hidden.size:
        return length(union)
    ends = np.cumsum(hidden[:, 1] - hidden[:, 0])
    before = np.stack((np.concatenate(([0], ends[:-1])), ends), axis=1)  # hidden up to each bound
    covered = np.interp(union, hidden.ravel(), before.ravel())
    return length(union) - round(float((covered[:, 1] - covered[:, 0]).sum()))
