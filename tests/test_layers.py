"""Imports point one way: models <- rtl <- verif <- sim <- tests."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LAYERS = {  # folder: what it may import of this project
    "models": {"models"},
    "rtl": {"rtl", "models.config", "models.packet"},
    "verif": {"verif", "rtl", "models"},
    "sim": {"sim", "verif", "rtl", "models"},
}
FORBIDDEN = {  # folder: what else it must not import
    "models": {"amaranth", "cocotb", "cocotbext", "subprocess"},
    "rtl": {"cocotb", "cocotbext", "numba", "subprocess"},
    "verif": {"subprocess"},  # only sim runs tools
    "sim": set(),
}
FILES = [path for layer in LAYERS for path in sorted((ROOT / layer).rglob("*.py"))]


def violations(layer: str, source: str) -> list[str]:
    """Imports of ``source`` that a file in the folder ``layer`` may not have."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom):
            if node.level:
                found.append(f"line {node.lineno}: relative import")
            if any(alias.name == "*" for alias in node.names):
                found.append(f"line {node.lineno}: star import")
            module = node.module or ""
            # `from models import config` names a module too.
            names = [f"{module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        for name in names:
            top = name.split(".")[0]
            inside = top in LAYERS or top == "tests"
            allowed = any(f"{name}.".startswith(f"{ok}.") for ok in LAYERS[layer])
            if (inside and not allowed) or top in FORBIDDEN[layer]:
                found.append(f"line {node.lineno}: {name}")
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_down(path):
    assert not violations(path.relative_to(ROOT).parts[0], path.read_text())


@pytest.mark.parametrize(
    "layer, source",
    [
        ("models", "import amaranth.lib.data"),
        ("models", "from rtl.packet import HeaderLayout"),
        ("rtl", "from models.egress import EgressModel"),
        ("rtl", "from models import egress"),
        ("rtl", "import models"),
        ("verif", "from sim import ROOT"),
        ("verif", "def run():\n    import subprocess"),
        ("sim", "from tests import conftest"),
        ("models", "from .config import NAMED"),
        ("models", "from models.config import *"),
    ],
)
def test_wrong_import_is_found(layer, source):
    assert violations(layer, source)


@pytest.mark.parametrize(
    "layer, source",
    [
        ("models", "import numba\nfrom models.config import NAMED"),
        ("rtl", "from models import packet\nfrom models.config import NAMED"),
        ("verif", "import models.egress\nfrom rtl.egress import Egress"),
        ("sim", "import subprocess\nfrom verif.lockstep import Lockstep"),
    ],
)
def test_right_import_passes(layer, source):
    assert not violations(layer, source)
