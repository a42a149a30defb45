"""Schedulers in cell mode, one per file, to be run by ``models.cell_mode``."""

from collections.abc import Callable

from models.cell_mode import Policy
from models.policy.buffered_crossbar import BufferedCrossbar
from models.policy.islip import Islip
from models.policy.longest_queue import LongestQueue
from models.policy.maximum_weight import MaximumWeight
from models.policy.output_queued import OutputQueued
from models.policy.wavefront import Wavefront

__all__ = ["POLICIES"]

POLICIES: dict[str, Callable[..., Policy]] = {
    "islip": Islip,
    "wavefront": Wavefront,
    "longest-queue": LongestQueue,
    "buffered-crossbar": BufferedCrossbar,
    "maximum-weight": MaximumWeight,
    "output-queued": OutputQueued,
}
