"""Golden models: what the RTL must do, in every clock cycle.

Compiled loops are cached under ``build/numba``, in a folder named after the source of all models:
numba itself looks at the file of a function only, not at those of the functions it calls, and
would go on using a compiled switch after one of its leaves has changed.
"""

import hashlib
from pathlib import Path

import numba

_FOLDER = Path(__file__).resolve().parent
_SOURCES = sorted(_FOLDER.rglob("*.py"))
_DIGEST = hashlib.sha256(b"".join(path.read_bytes() for path in _SOURCES)).hexdigest()[:16]
numba.config.CACHE_DIR = str(_FOLDER.parent / "build" / "numba" / _DIGEST)  # type: ignore[attr-defined]
