"""What the area table measures: which components, in which configurations."""

from collections.abc import Collection
from dataclasses import dataclass

from models.config import SwitchConfig
from sim.placement import Part

__all__ = ["MHZ", "NOUNS", "PART", "Point", "choose"]

# The part and the conditions that the peers were measured with.
PART = Part(
    "ECP5-85F, speed grade 6",
    "ecp5",
    ("--85k", "--package", "CABGA756", "--speed", "6", "--lpf-allow-unconstrained"),
)
MHZ = 200

NOUNS = ("switch", "scheduler", "arbiter")
DEFAULT = {  # noun: (ports, classes) of the whole table
    "switch": [(ports, classes) for ports in (4, 8, 16) for classes in (1, 4)],
    "scheduler": [(ports, 1) for ports in (8, 16, 32, 64)],
    "arbiter": [(ports, 1) for ports in (8, 16, 32, 64)],
}
MOST_PLACED = 32  # ports; larger ones are only synthesised


@dataclass(frozen=True)
class Point:
    """One line of the table.

    Parameters
    ----------
    noun : str
        One of ``NOUNS``.
    ports, classes : int
        Size. An arbiter has no classes.
    """

    noun: str
    ports: int
    classes: int

    def __str__(self) -> str:
        classes = "" if self.noun == "arbiter" else f", {self.classes} classes"
        return f"{self.noun}, {self.ports} ports{classes.replace('1 classes', '1 class')}"

    @property
    def placed(self) -> bool:
        """It is placed, not only synthesised."""
        return self.ports <= MOST_PLACED

    @property
    def config(self) -> SwitchConfig:
        """The configuration of the switch, or of that which the scheduler is for.

        Raises
        ------
        ValueError
            If there is none of this size.
        """
        # A part of the buffer for each queue, one iteration: the smallest that carries its load.
        queues = self.ports * self.classes
        share = min(128, 2048 // queues)
        depth = 1 << (share + 8).bit_length()
        return SwitchConfig(
            name=f"{self.ports}x64x{self.classes}",
            ports=self.ports,
            classes=self.classes,
            flit_bytes=8,
            iterations=1,
            ingress_flits=share * queues,
            reserve_flits=share,
            limit_flits=share,
            egress_flits=depth * self.classes,
            min_packet_bytes=8,
            max_packet_bytes=min(512, 8 * share),
        )


def choose(
    nouns: Collection[str] = (), ports: Collection[int] = (), classes: Collection[int] = ()
) -> list[Point]:
    """The lines of the table with these ``nouns``, ``ports`` and ``classes``; empty: its own.

    Raises
    ------
    ValueError
        If there is no switch of such a size.
    """
    points = []
    for noun in nouns or NOUNS:
        sizes = DEFAULT[noun]
        for n in ports or dict.fromkeys(n for n, _ in sizes):
            for c in (
                classes if classes and noun != "arbiter" else dict.fromkeys(c for _, c in sizes)
            ):
                points.append(Point(noun, n, c))
                _ = points[-1].config  # which checks its size
    return points
