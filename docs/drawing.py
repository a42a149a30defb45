"""Drawings of the documentation, as SVG inside its pages: blocks, waves and matchings.

The directive ``drawing`` names one of ``DRAWINGS``; its content is the caption. Blocks are drawn by
hand. Waves, matchings and curves are what the models do when the pages are built: they cannot lie.
"""

import io
import re
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from string import ascii_uppercase
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import schemdraw
from docutils import nodes
from schemdraw import elements, flow, logic
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from models.cell_mode import Queues
from models.config import TINY
from models.policy import POLICIES
from models.rig import Rig
from models.traffic import Packets, packets

__all__ = ["DRAWINGS", "Waves", "crossing", "examples", "matching", "setup", "stream"]

schemdraw.use("svg")

LIMIT = 100  # cycles of a wave: a model that is wrong might lose the packet
STYLE = {"fontsize": 12, "lw": 1.2}
BLOCK, MEMORY, CHOSEN = "rgba(110,150,220,0.2)", "rgba(230,170,60,0.25)", "rgba(60,170,90,0.45)"
Waves = dict[str, list[int]]  # of each wire, in each cycle


class Blocks(schemdraw.Drawing):
    """A block diagram, in the units of schemdraw: half an inch, upwards."""

    def __init__(self):
        super().__init__(show=False, **STYLE)

    def block(
        self, x: float, y: float, label: str, w: float = 2.6, h: float = 1.2, fill: str = BLOCK
    ) -> Any:
        """A block, whose anchors N, E, S and W wires begin and end at."""
        return self.add(flow.Box(w=w, h=h).at((x, y)).anchor("center").label(label).fill(fill))

    def wire(self, start: Any, end: Any, shape: str = "-", bend: float = 1) -> None:
        """A wire with an arrow; ``shape`` and ``bend`` as in ``schemdraw.elements.Wire``."""
        self.add(elements.Wire(shape, k=bend, arrow="->").at(start).to(end))

    def note(self, x: float, y: float, text: str) -> None:
        """Text without a block, above the place."""
        self.add(elements.Label().at((x, y)).theta(0).label(text, fontsize=10))

    def frame(self, left: float, top: float, right: float, bottom: float, text: str) -> None:
        """Dashes around what is there more than once, with ``text`` at the top."""
        self.add(elements.Rect(corner1=(left, top), corner2=(right, bottom), ls="--", lw=0.8))
        self.note((left + right) / 2, top - 0.35, text)


def core() -> schemdraw.Drawing:
    """The switch: one input, one output, and what all share."""
    d = Blocks()
    d.frame(-1.7, 1.7, 6.1, -3.5, "ingress, one per port")
    classifier = d.block(0, 0, "classifier")
    buffer = d.block(4.4, 0, "buffer", fill=MEMORY)
    backlog = d.block(4.4, -2.4, "backlog")
    scheduler = d.block(9.2, -2.4, "scheduler")
    crossbar = d.block(9.2, 0, "crossbar")
    d.frame(12.1, 1.7, 15.9, -1.1, "egress, one per port")
    egress = d.block(14, 0, "check, queues,\nclass arbiter", fill=MEMORY)
    d.wire((-3.4, 0), classifier.W)
    d.note(-2.6, 0.15, "i")
    d.wire(classifier.E, buffer.W)
    d.note(2.2, 0.15, "push")
    d.wire(classifier.S, backlog.W, shape="|-")
    d.note(1.5, -2.2, "announce")
    d.wire((5.7, -2.2), (7.9, -2.2))
    d.note(6.8, -2.0, "waits, many")
    d.wire((7.9, -2.6), (5.7, -2.6))
    d.note(6.8, -3.2, "claim")
    d.wire((8.4, -1.8), (5.1, -0.6), shape="n", bend=0.6)
    d.note(6.8, -1.1, "match")
    d.wire(scheduler.N, crossbar.S)
    d.note(9.9, -1.4, "select")
    d.wire(buffer.E, crossbar.W)
    d.note(7, 0.15, "flit")
    d.wire(crossbar.E, egress.W)
    d.note(11.4, 0.15, "flit")
    d.wire(egress.E, (17.2, 0))
    d.note(16.4, 0.15, "o")
    d.wire(egress.S, scheduler.E, shape="|-")
    d.note(12.2, -2.2, "accepts")
    d.wire(buffer.N, (4.4, 2.4))
    d.note(5.9, 2.1, "released: credit")
    return d


def ingress() -> schemdraw.Drawing:
    """From the line into the buffer."""
    d = Blocks()
    d.frame(-1.7, 1.7, 11.9, -3.5, "classifier: four stages that move together")
    stages = [
        d.block(x, 0, label)
        for x, label in (
            (0, "look up"),
            (3.4, "judge"),
            (6.8, "route, queue,\nparity"),
            (10.2, "packet\nautomaton"),
        )
    ]
    d.block(1.7, -2.4, "forwarding and\npartition tables", w=3.6, fill=MEMORY)
    buffer = d.block(15.4, 0, "buffer", fill=MEMORY)
    room = d.block(15.4, -2.4, "room of each\nqueue")
    backlog = d.block(15.4, 2.6, "backlog")
    d.wire((-3.4, 0), stages[0].W)
    d.note(-2.6, 0.15, "i")
    for left, right in pairwise(stages):
        d.wire(left.E, right.W)
    d.wire((0.4, -0.6), (0.4, -1.8))
    d.wire((3, -1.8), (3, -0.6))
    d.wire(stages[3].E, buffer.W)
    d.note(12.8, 0.15, "push")
    d.wire(stages[2].S, (14.1, -2.7), shape="|-")
    d.note(12.8, -3.2, "offer")
    d.wire((14.1, -2.1), stages[3].S, shape="-|")
    d.note(12.8, -2.0, "admit")
    d.wire(room.N, buffer.S)
    d.wire(stages[3].N, backlog.W, shape="|-")
    d.note(12.2, 2.7, "announce, complete")
    d.wire(backlog.E, (19.4, 2.6))
    d.note(18.1, 2.8, "waits, many, taken")
    d.wire((16.7, 0.2), (19.4, 0.2))
    d.note(18.1, 0.4, "flit, released")
    d.wire((19.4, -0.3), (16.7, -0.3))
    d.note(18.1, -0.9, "pop")
    return d


def scheduler() -> schemdraw.Drawing:
    """One stage of the matching, and what all stages make of a slot."""
    d = Blocks()
    d.frame(-2.6, 1.9, 9.6, -1.1, "one of K stages, two cycles each")
    grant = d.block(0, 0, "grant, each output:\nclass, then input", w=4)
    accept = d.block(7, 0, "accept, each input:\none of its grants", w=4)
    slots = d.block(14, 0, "slots,\nconnections", w=3)
    pointers = d.block(3.5, -2.4, "pointers")
    d.wire((-5, 0), grant.W)
    d.note(-3.8, 0.15, "waits, many")
    d.wire((-0.8, 2.6), (-0.8, 0.6))
    d.note(0.5, 2.2, "accepts (egress)")
    d.wire(grant.E, accept.W)
    d.note(3.5, 0.15, "grants")
    d.wire(accept.E, slots.W)
    d.note(11, 0.15, "claim")
    d.wire(slots.E, (18.4, 0))
    d.note(16.9, 0.15, "match, select")
    d.wire(pointers.W, grant.S, shape="-|")
    d.wire(accept.S, pointers.E, shape="|-")
    d.wire((14, 2.6), slots.N)
    d.note(15.9, 2.2, "taken, complete, lost")
    d.wire(slots.S, (-1.2, -0.6), shape="n", bend=-3)
    d.note(6.4, -4.1, "matched in the slot, or busy")
    return d


def egress() -> schemdraw.Drawing:
    """From the crossbar to the line."""
    d = Blocks()
    check = d.block(0, 0, "check:\nparity, ends")
    queues = d.block(4.4, 0, "queues, one\nper class", fill=MEMORY)
    steps = [
        d.block(x, 0, label, w=2)
        for x, label in (
            (8.8, "issued"),
            (11.8, "memory"),
            (14.8, "fetch"),
            (17.8, "front"),
            (20.8, "o"),
        )
    ]
    arbiter = d.block(8.8, -2.2, "class arbiter", w=3)
    d.wire((-2.8, 0), check.W)
    d.note(-2.1, 0.15, "flit")
    d.wire(check.E, queues.W)
    d.note(2.2, 0.15, "store")
    d.wire(queues.E, steps[0].W)
    d.note(6.7, 0.15, "read")
    for left, right in pairwise(steps):
        d.wire(left.E, right.W)
    d.wire(steps[4].E, (23.4, 0))
    d.note(22.6, 0.15, "o")
    d.wire(queues.S, arbiter.W, shape="|-")
    d.wire(arbiter.N, steps[0].S)
    d.wire(check.N, steps[3].N, shape="n", bend=0.8)
    d.note(9, 1.7, "nothing in queues and memory: pass by")
    d.wire((3.8, -0.6), (3.8, -2.2))
    d.note(3, -2, "accepts")
    return d


def recorded(table: Packets, wires: dict[str, Callable[[Rig], Any]], **sinks: Any) -> Waves:
    """``wires`` of TINY from the cycle in which the first head goes in to that of the last tail."""
    rig = Rig(TINY, table, **sinks)
    waves: Waves = {name: [] for name in wires}
    while rig.delivered < table.cycle.size and rig.cycle < LIMIT:
        rig.run(1)
        for name, read in wires.items():
            waves[name].append(int(read(rig)))
    return {name: values[int(table.injected[0]) :] for name, values in waves.items()}


def crossing() -> Waves:
    """A packet of one flit from port 0 to port 1 of an empty switch."""
    start = 2 * TINY.queues  # counts are swept first
    table = packets(
        TINY, cycle=start, source=0, destination=1, traffic_class=0, length=TINY.flit_bytes
    )
    return recorded(
        table,
        {
            "classifier i": lambda rig: rig.model.inputs.i_valid[0, 0],
            "classifier offer": lambda rig: rig.model.parts.ingress.classifier_out.offer_length[0],
            "classifier push": lambda rig: rig.model.parts.ingress.classifier_out.push_valid[0],
            "classifier announce": lambda rig: (
                rig.model.parts.ingress.classifier_out.announce_valid[0]
            ),
            "scheduler match": lambda rig: rig.model.parts.scheduler_out.match_valid[0, 0],
            "buffer o": lambda rig: rig.model.parts.ingress.buffer_out.o_valid[0],
            "crossbar o": lambda rig: rig.model.parts.crossbar_out.o_valid[0, 1],
            "egress o": lambda rig: rig.outputs.o_valid[0, 1],
        },
    )


def stream() -> Waves:
    """Three packets at an output whose line is not always ready."""
    table = packets(
        TINY, cycle=2 * TINY.queues, source=0, destination=1, traffic_class=0, length=[16, 8, 16]
    )
    waves = recorded(
        table,
        {
            "valid": lambda rig: rig.outputs.o_valid[0, 1],
            "ready": lambda rig: rig.model.inputs.o_ready[0, 1],
            "payload": lambda rig: rig.outputs.o_payload_data[0, 1, 0],
            "last": lambda rig: rig.outputs.o_payload_last[0, 1],
        },
        ready=0.5,
        seed=21,  # shows all that can happen
    )
    first = waves["valid"].index(1) - 1
    return {name: values[first:] for name, values in waves.items()}


def timing(waves: Waves) -> schemdraw.Drawing:
    """Waves as a timing diagram, under the numbers of their cycles."""
    shown = []
    for name, values in waves.items():
        cells = [(str(min(value, 1)), 0) for value in values]
        if name == "payload":
            cells = [
                ("=", word) if valid else ("x", 0)
                for word, valid in zip(values, waves["valid"], strict=True)
            ]
        wave = "".join(
            "." if cell == before else cell[0] for before, cell in pairwise([None, *cells])
        )
        shown.append({"name": name, "wave": wave, "data": list(ascii_uppercase)})
    d = schemdraw.Drawing(show=False, **STYLE)
    d.add(
        logic.TimingDiagram(
            {"signal": shown, "head": {"tock": 0}},
            namecolor="black",
            tickcolor="black",
            gridcolor="#999999",
        )
    )
    return d


# Cells that wait in a switch of four ports, from each input (row) to each output.
WAITING = np.array([[6, 2, 1, 0], [0, 9, 3, 1], [2, 0, 1, 7], [4, 1, 0, 5]])
SLOT = 3  # in which they do: policies that remember start all alike, and differ by then


def matching(policy: str) -> np.ndarray:
    """The input of each output in slot ``SLOT``, if ``WAITING`` cells wait in every one."""
    age = WAITING * np.arange(WAITING.size).reshape(WAITING.shape)  # any will do
    queues = Queues(WAITING.copy(), head=-age, tail=-age, after=np.zeros((1, 4), np.int32))
    input_of = np.empty(4, np.int64)
    scheduler = POLICIES[policy](4)
    for _ in range(SLOT):
        scheduler.match(queues, input_of)
    return input_of


def matrix(policy: str) -> schemdraw.Drawing:
    """``WAITING`` as a table, with the queues that ``policy`` serves marked."""
    d = schemdraw.Drawing(show=False, unit=1, **STYLE)
    served = matching(policy)
    for n, output in np.ndindex(4, 4):
        chosen = served[output] == n
        cell = flow.Box(w=1.1, h=0.8).at((1.1 * output, -0.8 * n)).anchor("center")
        cell = cell.label(str(WAITING[n, output] or ""))
        d.add(cell.fill(CHOSEN) if chosen else cell)
    for k in range(4):
        d.add(elements.Label().at((-1.5, -0.8 * k - 0.15)).label(f"input {k}", fontsize=10))
        d.add(elements.Label().at((1.1 * k, 0.65)).label(f"output {k}", fontsize=10))
    return d


def notebook() -> str:
    """What the first example of the page on notebooks draws."""
    page = Path(__file__).with_name("notebook.md").read_text(encoding="utf-8")
    plt.switch_backend("agg")
    exec(examples(page)[0], {})
    file = io.StringIO()
    plt.savefig(file, format="svg", transparent=True)
    plt.close()
    svg = file.getvalue()
    return svg[svg.index("<svg") :].replace("#000000", "currentColor")


def examples(page: str) -> list[str]:
    """The Python of a page, block by block."""
    return re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)


def svg(drawing: schemdraw.Drawing) -> str:
    """Of the colour and in the letters of the page, be it light or dark."""
    text = drawing.get_imagedata("svg").decode()
    return text.replace("black", "currentColor").replace('font-family="sans"', "")


DRAWINGS: dict[str, Callable[[], str]] = {
    "core": lambda: svg(core()),
    "ingress": lambda: svg(ingress()),
    "scheduler": lambda: svg(scheduler()),
    "egress": lambda: svg(egress()),
    "crossing": lambda: svg(timing(crossing())),
    "stream": lambda: svg(timing(stream())),
    "notebook": notebook,
    **{policy: lambda policy=policy: svg(matrix(policy)) for policy in POLICIES},
}


class DrawingDirective(SphinxDirective):
    """A figure: the drawing that the argument names, and the content as its caption."""

    required_arguments = 1
    has_content = True

    def run(self) -> list[nodes.Node]:
        """The nodes of the figure."""
        name = self.arguments[0]
        if name not in DRAWINGS:
            raise self.error(f"no drawing {name!r}; there are {', '.join(DRAWINGS)}")
        caption = nodes.caption("", "", *self.parse_inline(" ".join(self.content))[0])
        picture = nodes.raw("", DRAWINGS[name](), format="html")
        return [nodes.figure("", picture, caption, align="center")]


def setup(app: Sphinx) -> dict[str, bool]:
    """For Sphinx."""
    app.add_directive("drawing", DrawingDirective)
    return {"parallel_read_safe": True}
