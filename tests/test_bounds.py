"""Compiled models look at no index; here they do."""

import os
import subprocess
import sys

import pytest

from sim import ROOT

FILES = sorted(path.name for path in (ROOT / "tests").glob("test_*.py"))
# Of models alone, or nearly: what these run is compiled once more.
NAMES = ("switch", "egress", "ingress", "buffer", "scheduler", "link", "chip")
CHOSEN = [name for name in FILES if name.removeprefix("test_").split(".")[0].startswith(NAMES)]
KINDS = "not slow and not verilator and not formal and not fpga"


@pytest.mark.slow
def test_models_stay_within_their_arrays():
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:xdist", "-m", KINDS]
    run = subprocess.run(
        [*command, *(f"tests/{name}" for name in CHOSEN)],
        cwd=ROOT,
        env=os.environ | {"NUMBA_BOUNDSCHECK": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-4000:]
