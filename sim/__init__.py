"""Everything that runs tools. Importing it sets the environment that they need.

- ``PATH``: what pip installed stands beside the interpreter, also where the virtual environment is
  not activated.
- ``AMARANTH_USE_YOSYS``: Amaranth prefers whatever yosys the machine has; ours comes from pip, in
  the version that was tested.
"""

import os
import sys
from pathlib import Path

__all__ = ["BUILD", "ROOT"]

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build"


def _set_environment() -> None:
    scripts = str(Path(sys.executable).parent)
    path = os.environ.get("PATH", os.defpath).split(os.pathsep)
    if scripts not in path:
        os.environ["PATH"] = os.pathsep.join([scripts, *path])
    os.environ.setdefault("AMARANTH_USE_YOSYS", "builtin")


_set_environment()
