"""Schedulers in cell mode, one per file, to be run by ``models.cell_mode``."""

import inspect
from collections.abc import Callable

from models.cell_mode import Policy
from models.policy.buffered_crossbar import BufferedCrossbar
from models.policy.islip import Islip
from models.policy.longest_queue import LongestQueue
from models.policy.maximum_weight import MaximumWeight
from models.policy.output_queued import OutputQueued
from models.policy.wavefront import Wavefront

__all__ = ["POLICIES", "policy"]

POLICIES: dict[str, Callable[..., Policy]] = {
    "islip": Islip,
    "wavefront": Wavefront,
    "longest-queue": LongestQueue,
    "buffered-crossbar": BufferedCrossbar,
    "maximum-weight": MaximumWeight,
    "output-queued": OutputQueued,
}


def policy(name: str, ports: int, iterations: int) -> Policy:
    """The policy ``name``; of ``iterations``, if it has any."""
    make = POLICIES[name]
    iterated = "iterations" in inspect.signature(make).parameters
    return make(ports, **({"iterations": iterations} if iterated else {}))
