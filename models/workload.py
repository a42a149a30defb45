"""Workloads: what accelerators compute and exchange, as closed-loop traffic.

``load`` reads a workload from one of the formats in ``models/formats``, ``expand`` turns it into
packets and *nodes*, the steps that wait for each other (``models/program.py``).

The collectives of the built-in files run one after another with a barrier of all ranks in between,
so that each is measured on its own. Where a file tells what waits for what, each rank goes on by
itself. A source sends what was released first in the order of the steps, packets of one step to
different ranks in turn; from one rank to another in one class that order is never left.

Data travels in class 1, or in the class that the file names (``dispatch`` of the built-in file: 2);
a class that the switch does not have becomes its highest.
"""

from dataclasses import replace
from math import ceil
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.collective import (
    ROUTED,
    Collective,
    Compute,
    Routing,
    Workload,
    WorkloadError,
)
from models.config import SwitchConfig
from models.formats import FORMATS
from models.formats.file import File
from models.plan import Plan
from models.program import Measured, Program, program_advance
from models.traffic import NEVER, OVERHEAD_BYTES, Packets, packets

__all__ = [
    "BUILT_IN",
    "Collective",
    "Compute",
    "Program",
    "Routing",
    "Workload",
    "WorkloadError",
    "expand",
    "load",
    "program_advance",
]

Ints = NDArray[np.int64]

FOLDER = Path(__file__).with_name("workloads")
BUILT_IN = tuple(sorted(path.stem for path in FOLDER.glob("*.toml")))


def load(name: str | Path) -> Workload:
    """The built-in workload called ``name``, or the one in the file ``name``.

    Raises
    ------
    WorkloadError
        If there is no such workload, or the file is malformed.
    """
    path = FOLDER / f"{name}.toml" if name in BUILT_IN else Path(name)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise WorkloadError(
            f"no workload {str(name)!r}: there are {', '.join(BUILT_IN)}, or the path of a file "
            f"({error})"
        ) from error
    file = File(path, text)
    for form in FORMATS:
        if form.recognises(file):
            return form.read(file)
    kinds = "; ".join(form.KIND for form in FORMATS)
    raise file.error(1, f"the beginning of a workload ({kinds})", file.line(1))


class _Expansion:
    """Steps that become nodes; who waits for whom, rank by rank."""

    def __init__(self, config: SwitchConfig, workload: Workload, scale: float):
        self.config, self.workload, self.scale = config, workload, scale
        self.everyone = tuple(range(workload.ranks))
        self.plan = Plan()
        self.measured: list[Measured] = []
        self.computes: dict[int, int] = {}
        self.ends: list[dict[int, list[int]]] = []  # nodes that end each step at each rank
        self.barriers = [0, -1]  # nodes before the next, and the last one
        # Stage in which the last step began, and when, if it was a `send`.
        self.order: tuple[int, tuple[object, ...] | None] = 0, None

    def cycles(self, nanoseconds: float) -> int:
        """A time on this switch, at this scale."""
        if not nanoseconds:
            return 0
        assert self.config.clock_mhz is not None
        return round(nanoseconds * self.config.clock_mhz * 1e-3 / self.scale)

    def barrier(self) -> list[int]:
        """A node after all that there are, or the last such, if it is that already."""
        first, last = self.barriers
        if first < len(self.plan.waits):
            last = self.plan.node([*range(first, len(self.plan.waits))])
            self.barriers = [len(self.plan.waits), last]
        return [] if last < 0 else [last]

    def before(self, step: Collective | Compute, ranks: tuple[int, ...]) -> dict[int, list[int]]:
        """What each rank waits for before ``step``."""
        if step.after is None:
            barrier = self.barrier()
            return dict.fromkeys(ranks, barrier)
        return {
            rank: [*dict.fromkeys(node for k in step.after for node in self.ended(k, rank))]
            for rank in ranks
        }

    def ended(self, step: int, rank: int) -> list[int]:
        """The nodes that end ``step`` at ``rank``; one node stands for many."""
        ends = self.ends[step].get(rank, [])
        if len(ends) > 1:
            self.ends[step][rank] = ends = [self.plan.node(ends)]
        return ends

    def compute(self, step: Compute) -> None:
        """Add a time in which ranks compute."""
        ranks, cycles = step.ranks or self.everyone, self.cycles(step.nanoseconds)
        before = self.before(step, ranks)
        ends = before
        if cycles:
            ends = {rank: [self.plan.node(before[rank], cycles)] for rank in ranks}
            self.computes |= {nodes[0]: rank for rank, nodes in ends.items()}
        self.ends.append(dict(ends))

    def collective(self, step: Collective) -> None:
        """Add the transfers of a collective, group by group."""
        plan = self.plan
        groups = step.groups or (self.everyone,)
        members = tuple(rank for group in groups for rank in group)
        before = self.before(step, members)
        if delay := self.cycles(step.delay_ns):
            before = {rank: [plan.node(before[rank], delay)] for rank in members}
        ends = {rank: [*before[rank]] for rank in members}
        self.ends.append(ends)
        size, routed = self.size(step, len(groups[0]))
        # Sends that begin together share the line packet by packet.
        order = (step.after, step.delay_ns) if step.operation == "send" else None
        if order and order == self.order[1]:
            plan.stage = self.order[0]
        self.order = plan.stage, order
        first, sends = len(plan.waits), len(plan.sends)
        stage = plan.stage
        for group in groups:
            plan.stage = stage
            plan.collective(step, group, size, [before[rank] for rank in group], routed)
        last = len(plan.waits)
        for send in plan.sends[sends:]:
            ends[send.source].append(send.node)
            ends[send.destination].append(send.node)
        if last > first:
            self.measured.append(Measured(replace(step, bytes=size), groups, first, last))

    def size(self, step: Collective, ranks: int) -> tuple[int, Ints]:
        """Bytes of a collective at this scale, and those between ranks if tokens are routed."""
        if step.operation not in ROUTED:
            return max(ranks, ceil(step.bytes / self.scale)), np.zeros((0, 0), dtype=np.int64)
        assert self.workload.routing is not None
        tokens = max(1, round(self.workload.tokens / self.scale))
        routed = self.workload.routing.tokens(ranks, tokens) * step.token_bytes
        return int(routed.sum()) // ranks, routed

    def packets(self, packet_bytes: int) -> Packets:
        """The table: sends of one stage in turn, packet by packet, next rank first."""
        columns = np.array(self.plan.sends, dtype=np.int64).reshape(-1, 7).T
        node, source, destination, _, size, traffic_class, stage = columns
        count = -(-size // packet_bytes)
        send = np.repeat(np.arange(size.size), count)
        place = np.arange(send.size) - np.repeat(np.cumsum(count) - count, count)
        turn = (destination - source)[send] % self.workload.ranks
        order = np.lexsort((turn, place, stage[send], source[send]))
        send, place = send[order], place[order]
        payload = np.minimum(packet_bytes, size[send] - place * packet_bytes)
        return packets(
            self.config,
            cycle=NEVER,
            source=source[send],
            destination=destination[send],
            traffic_class=np.minimum(traffic_class[send], self.config.classes - 1),
            length=np.maximum(payload + OVERHEAD_BYTES, self.config.min_packet_bytes),
            node=node[send],
        )


def expand(
    config: SwitchConfig,
    workload: Workload,
    *,
    scale: float = 1,
    packet_bytes: int = 256,
    start: int = 0,
) -> Program:
    """The packets of ``workload`` on ``config``, ready to run.

    Parameters
    ----------
    scale : float
        Divides the sizes (the bytes of a tensor, or the tokens of a rank) and the times, so that
        their ratio stays. Times are rounded to cycles; a shorter one takes none.
    packet_bytes : int
        Payload of a packet; header and sequence number add 16. The last packet of a chunk is
        shorter, but not below ``min_packet_bytes``.
    start : int
        Cycle in which it begins.

    Raises
    ------
    ValueError
        If the workload has more ranks than the switch ports, or times and the switch no clock, or
        nothing to send, or a number does not fit.
    """
    if workload.ranks > config.ports:
        raise ValueError(
            f"workload {workload.name} has {workload.ranks} ranks and needs as many ports; "
            f"{config.name} has {config.ports}: choose a configuration with more, or a smaller "
            "parallelism in the file"
        )
    if scale <= 0:
        raise ValueError(f"scale must be above 0, not {scale}")
    largest = config.max_packet_bytes - OVERHEAD_BYTES
    if not 1 <= packet_bytes <= largest:
        raise ValueError(
            f"packet_bytes must be 1 to {largest} (max_packet_bytes of {config.name} less "
            f"{OVERHEAD_BYTES}), not {packet_bytes}"
        )
    if workload.computes and config.clock_mhz is None:
        raise ValueError(
            f"workload {workload.name} states times in nanoseconds and {config.name} no clock: "
            "choose a configuration with clock_mhz"
        )
    expansion = _Expansion(config, workload, scale)
    for step in workload.steps:
        if isinstance(step, Compute):
            expansion.compute(step)
        else:
            expansion.collective(step)
    expansion.barrier()
    if not expansion.plan.sends:
        reasons = " ".join(f"({note})" for note in workload.notes)
        raise ValueError(f"workload {workload.name} sends nothing {reasons}".rstrip())
    return Program(
        config,
        workload,
        expansion.measured,
        expansion.packets(packet_bytes),
        expansion.plan,
        expansion.computes,
        start,
    )
