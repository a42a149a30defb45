"""The chip with its lanes: how long a packet is on its way through it, layer by layer."""

from statistics import median

import numpy as np

from models.chip_config import ChipConfig, chip_of
from models.config import NODE
from models.fabric import FabricRun, FabricTrial
from models.link.config import HOP_CYCLES, link_of
from models.serdes.config import lanes_of
from models.serdes.multilane_pcs import word_cycles
from sim.bench.check import Check
from sim.bench.runner import Runner

__all__ = ["chip"]

# Two ports are enough: no layer takes longer with more.
CONFIG = NODE.with_(name="NODE-2", ports=2, egress_flits=1024)
LANES = 4
CODES = ("none", "rs272", "rs544")
FRAMES = 60
GAP = 150  # cycles between packets: each is alone
TARGET_NS = 150  # wanted of 25 Tbit/s; the fastest chip on sale has 250
OFF = 1  # cycles: medians of what varies with the place among codewords


def layers(config: ChipConfig) -> dict[str, float]:
    """Cycles of each layer from the pins of a chip to its pins, in the median."""
    assert config.lanes
    pcs = float(median(word_cycles(config.lanes, config.link)))
    return {"PCS": pcs, "link": HOP_CYCLES, "switch": config.switch.latency}


def measured(fec: str) -> tuple[dict[str, float], float, float]:
    """Layers; cycles from a host to another through the chip; and the same by layers."""
    link = link_of(CONFIG)
    lanes = lanes_of(link, LANES, fec, marker_codewords=40)
    config = chip_of(CONFIG, lanes)
    trial = FabricTrial(
        config=config, chips=1, frames=FRAMES, gap=GAP, flows=((0, 1, 0),), sizes=(64,)
    )
    run = FabricRun(trial)
    while not run.done:
        run.step()
    delays = np.array(run.packets.departed) - np.array(run.packets.injected)
    found, cable = layers(config), config.link.wire_cycles - lanes.latency_cycles
    sums = 2 * (found["PCS"] + found["link"] + cable) + found["switch"]
    return found, float(np.median(delays)), sums


def chip(runner: Runner) -> list[Check]:
    """From pin to pin without load, for each code."""
    checks = []
    for fec, (found, through, sums) in zip(CODES, runner.spread(measured, CODES), strict=True):
        name, ns = f"NODE, {LANES} lanes, {fec}", 1e3 / link_of(NODE).mhz
        for layer, cycles in found.items():
            checks.append(Check(f"{name}: {layer}, ns", cycles * ns, note=f"{cycles:g} cycles"))
        whole = sum(found.values())
        checks += [
            Check(f"{name}: pin to pin, ns", whole * ns, "<=", TARGET_NS, f"{whole:g} cycles"),
            Check(
                f"{name}: host to host through a chip, cycles off the sum of layers",
                abs(through - sums),
                "<=",
                OFF,
                f"{through:g} cycles, {through * ns:.0f} ns, with 2 cables of 5 m",
            ),
        ]
    return checks
