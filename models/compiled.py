"""How the inner loops of models are compiled."""

from typing import Any

from numba import njit

__all__ = ["compiled", "inner"]

# Without numba's reference counts: a model allocates nothing while it runs, and counting each array
# of each record in each call took three quarters of the time. Inlined, for the same reason: an
# argument with many arrays is copied, array by array, in each call.
OPTIONS: dict[str, Any] = {"cache": True, "_nrt": False, "forceinline": True}

compiled = njit(**OPTIONS)

# Only other compiled functions call it: what takes it apart and together for Python is left out,
# and with many arrays takes longer to compile than the function.
inner = njit(**OPTIONS, no_cpython_wrapper=True, no_cfunc_wrapper=True)  # pyright: ignore[reportCallIssue]
