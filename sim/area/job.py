"""The work behind one line of the table, in pieces that run in processes of their own.

Each piece is kept under ``build/area`` by all that it depends on, and found there the next time.
"""

import json
import signal
import warnings
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from amaranth.hdl import UnusedElaboratable
from amaranth.lib import wiring

from models.trial import Trial, measure
from rtl.arbiter import Arbiter
from rtl.scheduler import Scheduler
from rtl.switch import Switch
from sim import BUILD, ROOT
from sim.area.point import MHZ, PART, Point
from sim.cache import kept
from sim.harness import Harness, harness_resources
from sim.netlist import Netlist
from sim.placement import PLACERS, ROUNDS, Placement, place
from sim.synthesis import TOP, Resources, Synthesis, ingredients, synthesise, synthesise_blocks
from sim.yowasp import tool_version

__all__ = ["FOLDER", "Synthesised", "begin", "carry_job", "place_job", "synthesise_job"]

FOLDER = BUILD / "area"
CYCLES = 20_000
MODELS = sorted((ROOT / "models").glob("*.py"))


@dataclass(frozen=True)
class Synthesised:
    """A component after synthesis, that of the harness taken off.

    Parameters
    ----------
    folder : Path
        Its netlist, in the harness.
    component, harness : Resources
        What they take.
    blocks : dict
        What the parts take, by path; empty unless it was asked for.
    """

    folder: Path
    component: Resources
    harness: Resources
    blocks: dict[str, Resources]


def begin() -> None:
    """Prepare a process for jobs: an interrupt ends it without a word, as does what fails."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    warnings.simplefilter("ignore", UnusedElaboratable)  # of a design that did not elaborate


def component_of(point: Point) -> wiring.Component:
    """The component of ``point``."""
    if point.noun == "arbiter":
        return Arbiter(point.ports)
    return {"switch": Switch, "scheduler": Scheduler}[point.noun](point.config)


def synthesise_job(point: Point, blocks: bool) -> Synthesised:
    """Synthesise ``point`` in its harness; ``blocks``: by block too."""
    netlist = Netlist("lingyun")
    harness = Harness(component_of(point), point.noun)
    netlist.add(harness, TOP)
    text = "\n".join(netlist.modules.values())
    made_of = text, *ingredients(PART.family)

    def fill(folder: Path) -> None:
        synthesis = synthesise(text, folder, PART.family)
        taken = harness_resources(harness, synthesis.module(), synthesis.names)
        (folder / "harness.json").write_text(json.dumps(taken.record()))

    folder = kept(FOLDER / point.noun, made_of, fill)
    taken = Resources.parse(json.loads((folder / "harness.json").read_text()))
    parts = {}
    if blocks:

        def fill_blocks(folder: Path) -> None:
            synthesise_blocks(text, folder, PART.family)

        found = kept(FOLDER / point.noun, ("blocks", *made_of), fill_blocks)
        records = json.loads((found / "blocks.json").read_text())
        parts = {path: Resources.parse(record) for path, record in records.items()}
    total = Synthesis.load(folder).resources
    return Synthesised(folder, total - taken, taken, parts)


def place_job(folder: Path, seed: int, router: str) -> Placement:
    """Place the netlist in ``folder``."""
    synthesis = Synthesis.load(folder)

    def fill(inside: Path) -> None:
        place(synthesis, inside, PART, seed=seed, mhz=MHZ, router=router)

    made_of = PART, MHZ, seed, PLACERS[PART.family], ROUNDS, router, tool_version(PART.tool)
    return Placement.load(kept(folder, made_of, fill))


def carry_job(point: Point, mix: str) -> float:
    """Flits per cycle and port of the golden model, every input always full, uniform.

    Senders send in order and wait when the switch has no room.
    """
    trial = Trial(config=point.config, cycles=CYCLES, speedup=1, mix=mix)
    models = sha256(b"".join(file.read_bytes() for file in MODELS)).hexdigest()

    def fill(folder: Path) -> None:
        carried: dict[str, Any] = {"carried": measure(trial)["carried"]}
        (folder / "carried.json").write_text(json.dumps(carried))

    folder = kept(FOLDER / "throughput", (trial, models), fill)
    return json.loads((folder / "carried.json").read_text())["carried"]
