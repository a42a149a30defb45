"""How the inner loops of models are compiled."""

from numba import njit

__all__ = ["compiled"]

# Without numba's reference counts: a model allocates nothing while it runs, and counting each array
# of each record in each call took three quarters of the time.
compiled = njit(cache=True, _nrt=False)  # pyright: ignore[reportCallIssue]
