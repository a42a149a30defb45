"""The page: one HTML file that needs nothing else, neither network nor server."""

import html
import json
from collections.abc import Mapping
from pathlib import Path
from string import Template
from typing import Any

from plotly.offline import get_plotlyjs

__all__ = ["document"]

HERE = Path(__file__).parent


def document(data: Mapping[str, Any]) -> str:
    """The page of ``data``, as ``sim.page.main`` gathers it."""

    def part(name: str) -> str:
        return (HERE / name).read_text(encoding="utf-8")

    # No name in the data may look like a tag: it would end the script that carries it.
    embedded = json.dumps(data, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
    return Template(part("page.html")).substitute(
        title=html.escape(data["title"]),
        style=part("page.css"),
        data=embedded,
        plotly=get_plotlyjs(),
        script=part("page.js"),
    )
