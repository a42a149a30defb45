"""Golden models: what the RTL must do, in every clock cycle.

A notebook finds here what it needs first: ``from models import NODE, Trial, measure``.

Compiled loops are cached under ``build/numba``, in a folder named after the source of all models:
numba itself looks at the file of a function only, not at those of the functions it calls, and
would go on using a compiled switch after one of its leaves has changed. ``NUMBA_BOUNDSCHECK=1``
has them look at every index, and is kept apart.
"""

import hashlib
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numba

if TYPE_CHECKING:
    from models.config import LINGYUN, NODE, PROTO, RACK, TINY, SwitchConfig
    from models.trial import Run, Trial, measure

__all__ = [
    "LINGYUN",
    "NODE",
    "PROTO",
    "RACK",
    "TINY",
    "Run",
    "SwitchConfig",
    "Trial",
    "measure",
]

_FOLDER = Path(__file__).resolve().parent
_SOURCES = sorted(_FOLDER.rglob("*.py"))
_DIGEST = hashlib.sha256(b"".join(path.read_bytes() for path in _SOURCES)).hexdigest()[:16]
_CHECKED = "-checked" if numba.config.BOUNDSCHECK else ""  # type: ignore[attr-defined]
numba.config.CACHE_DIR = str(  # type: ignore[attr-defined]
    _FOLDER.parent / "build" / "numba" / f"{_DIGEST}{_CHECKED}"
)

# The loops are short, over the words of a flit or the classes of a port: nothing to gain from
# vectors, and the search for them is a part of the time to compile.
numba.config.LOOP_VECTORIZE = 0  # type: ignore[attr-defined]
numba.config.SLP_VECTORIZE = 0  # type: ignore[attr-defined]


def __getattr__(name: str) -> Any:
    """A name of ``__all__``, when it is asked for: whoever needs one model does not load all."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = "models.trial" if name in ("Run", "Trial", "measure") else "models.config"
    return getattr(import_module(home), name)
