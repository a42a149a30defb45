"""What a notebook imports: all of it is there, and importing it costs nothing until it is used."""

import subprocess
import sys

import pytest

import models
from sim import ROOT


def test_every_name_is_there():
    for name in models.__all__:
        assert getattr(models, name) is not None


def test_no_other_name_is():
    with pytest.raises(ImportError, match="Trail"):
        from models import Trail  # noqa: F401


def test_import_loads_no_model():
    script = "import sys, models; print([name for name in sys.modules if name[:7] == 'models.'])"
    command = [sys.executable, "-c", script]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"
