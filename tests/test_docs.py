"""The documentation: its pages are whole, its examples run, and its pictures show the models."""

import re
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import drawing
import matplotlib.pyplot as plt
import pytest
from click.testing import CliRunner

from models.config import TINY
from models.policy import POLICIES
from sim import BUILD, ROOT, cli, doctor
from sim.validate import choose

DOCS = ROOT / "docs"
PAGES = [*sorted(ROOT.glob("*.md")), *sorted(DOCS.rglob("*.md"))]
CURVE, *OTHERS = drawing.examples((DOCS / "notebook.md").read_text())
LOADED = {"script": "src", "img": "src", "link": "href"}  # what a browser fetches by itself


class Page(HTMLParser):
    """Where a page can be gone to, where it leads, and what it loads."""

    def __init__(self, path: Path):
        super().__init__()
        self.anchors, self.links, self.loaded = set(), set(), set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.anchors.add(attributes.get("id"))
        if tag == "a" and attributes.get("href"):
            self.links.add(attributes["href"])
        if address := attributes.get(LOADED.get(tag)):
            self.loaded.add(address)


def test_pages_are_built_and_lead_somewhere(capfd):
    assert CliRunner().invoke(cli.main, ["docs"]).exit_code == 0
    assert not capfd.readouterr().err
    folder = BUILD / "docs"
    built = {path: Page(path) for path in folder.rglob("*.html")}
    for source in DOCS.rglob("*.md"):
        assert folder / source.relative_to(DOCS).with_suffix(".html") in built
    for path, page in built.items():
        for address in page.links | page.loaded:
            if address in page.loaded:
                assert not re.match(r"(https?:)?//", address), f"{path} loads {address}"
            if not re.match(r"https?:", address):
                target, _, anchor = address.partition("#")
                target = (path.parent / target.partition("?")[0]).resolve() if target else path
                assert target.exists(), f"{path} leads to {address}"
                assert not anchor or anchor in built[target].anchors, f"{path} leads to {address}"


def test_curve_of_the_notebook_takes_ten_lines():
    plt.switch_backend("agg")
    exec(CURVE, {})
    islip, wavefront, ideal = (line.get_ydata() for line in plt.gca().lines)
    plt.close()
    assert len([line for line in CURVE.splitlines() if line]) == 10
    for delays in (islip, wavefront):
        assert all(delays > ideal) and list(delays) == sorted(delays)


@pytest.mark.parametrize("example", OTHERS, ids=lambda example: example.splitlines()[0])
def test_examples_of_the_notebook_run(example, capsys):
    exec(example, {})
    assert capsys.readouterr().out


def test_packet_crosses_as_the_contract_says():
    waves = drawing.crossing()
    cycles = [values.index(1) for values in waves.values()]
    assert cycles == sorted(cycles) and cycles[0] == 0 and cycles[-1] == TINY.latency
    assert all(sum(values) == 1 for values in waves.values())
    contract = (DOCS / "microarchitecture.md").read_text()
    life = contract[contract.index("## Life of a packet") : contract.index("## Scheduling")]
    assert re.findall(r"^\| (\d+) \|", life, re.MULTILINE) == [*map(str, range(TINY.latency + 1))]


def test_stream_shows_its_law():
    waves = drawing.stream()
    rows = [dict(zip(waves, values, strict=True)) for values in zip(*waves.values(), strict=True)]
    held = [(a, b) for a, b in pairwise(rows) if a["valid"] and not a["ready"]]
    assert held and any(row["ready"] and not row["valid"] for row in rows)
    for before, after in held:
        assert after["valid"] and after["payload"] == before["payload"]
    assert sum(row["valid"] and row["ready"] for row in rows) == 5


def test_every_scheduler_has_its_page():
    for policy in POLICIES:
        page = (DOCS / "policy" / f"{policy}.md").read_text()
        assert f"```{{drawing}} {policy}\n" in page
        assert "\n## Source\n" in page and f"lingyun validate --points {policy}" in page


def test_reference_has_every_model():
    listed = re.findall(r"automodule:: (\S+)", (DOCS / "models.md").read_text())
    modules = (path.relative_to(ROOT).with_suffix("") for path in (ROOT / "models").rglob("*.py"))
    names = {".".join(module.parts).removesuffix(".__init__") for module in modules} - {"models"}
    assert sorted(listed) == sorted(names)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_of_the_sources_lead_somewhere(page):
    """As they are read on GitHub; what is an anchor, the pages that are built tell."""
    text = re.sub(r"```.*?```|`[^`\n]*`", "", page.read_text(), flags=re.DOTALL)
    for link in re.findall(r"(?<!\\)\[[^][]*\]\(([^)#]+)", text):
        assert re.match(r"https?:", link) or (page.parent / link).exists(), link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_of_the_sources_exist(page):
    text = page.read_text()
    for verb in re.findall(r"(?:bin/|`|^    )lingyun ([a-z][a-z-]*)", text, re.MULTILINE):
        assert verb in cli.main.commands
    choose(False, re.findall(r"--points ([\w-]+)", text))


def test_missing_sphinx_is_named(monkeypatch):
    def fail():
        raise LookupError("missing")

    check = doctor.Check("Sphinx", fail, "run make setup")
    monkeypatch.setattr(doctor, "CHECKS", (check,))
    answer = CliRunner().invoke(cli.main, ["docs"])
    assert (answer.exit_code, answer.output) == (2, "Error: Sphinx is missing: run make setup.\n")
