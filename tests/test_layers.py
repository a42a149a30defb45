"""Imports point one way: models <- rtl <- verif <- sim <- tests.

And what only compiled functions may call is called by nothing else.
"""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LAYERS = {  # folder: what it may import of this project
    "models": {"models"},
    "rtl": {"rtl", "models.config", "models.chip_config", "models.packet", "models.link.config"}
    | {"models.link.wire", "models.serdes.config"},
    "verif": {"verif", "rtl", "models"},
    "sim": {"sim", "verif", "rtl", "models"},
}
FORBIDDEN = {  # folder: what else it must not import
    "models": {"amaranth", "cocotb", "cocotbext", "subprocess"},
    "rtl": {"cocotb", "cocotbext", "numba", "subprocess"},
    "verif": {"subprocess"},  # only sim runs tools
    "sim": set(),
}
COMPILED = {"compiled", "inner", "njit"}  # decorators
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
        ("rtl", "from models.link.framer import FramerModel"),
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


def functions(source: str, decorators: set[str]) -> list[ast.FunctionDef]:
    """Functions of a file that have one of these decorators."""
    return [
        node
        for node in ast.parse(source).body
        if isinstance(node, ast.FunctionDef)
        and any(name.id in decorators for d in node.decorator_list for name in [decorator(d)])
    ]


def decorator(node: ast.expr) -> ast.Name:
    """Its name, with or without arguments."""
    node = node.func if isinstance(node, ast.Call) else node
    return node if isinstance(node, ast.Name) else ast.Name("")


INNER = {
    f"models.{path.stem}": {function.name for function in functions(path.read_text(), {"inner"})}
    for path in FILES
    if path.parent == ROOT / "models"
}


def called_from_python(module: str, source: str) -> list[str]:
    """Inner functions that something else than a compiled function names; that would crash."""
    tree = ast.parse(source)
    inner = set(INNER.get(module, ()))
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            inner |= {alias.name for alias in node.names} & INNER.get(node.module or "", set())
    compiled = {function.lineno for function in functions(source, COMPILED)}
    rest = [node for node in tree.body if getattr(node, "lineno", None) not in compiled]
    return [
        f"line {node.lineno}: {node.func.id}"
        for part in rest
        for node in ast.walk(part)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in inner
    ]


@pytest.mark.parametrize(
    "path",
    [*FILES, *sorted((ROOT / "tests").glob("*.py"))],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_python_calls_no_inner_function(path):
    module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    assert not called_from_python(module, path.read_text())


def test_call_of_an_inner_function_is_found():
    called = "from models.egress import egress_clock\n\ndef step(p):\n    egress_clock(p)\n"
    assert called_from_python("sim.run", called)
    assert called_from_python("models.word", "def f():\n    return odd(3)")
    assert not called_from_python("sim.run", called.replace("def", "@compiled\ndef"))
