"""Every property of verif/plan.toml names a test that exists; every bench and proof has a plan."""

import ast
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ROWS = tomllib.loads((ROOT / "verif" / "plan.toml").read_text())["property"]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['noun']}: {row['name']}")
def test_property_has_its_test(row):
    assert set(row) == {"noun", "name", "stage", "test"}
    assert row["stage"] in {"V1", "V2", "V3"}
    module, name = row["test"].split(".")
    tree = ast.parse((ROOT / "tests" / f"{module}.py").read_text())
    assert name in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("kind", ["bench", "proof"])
def test_every_noun_has_a_plan(kind):
    nouns = {path.stem for path in (ROOT / "verif" / kind).glob("[a-z]*.py")}
    assert nouns <= {row["noun"] for row in ROWS}
