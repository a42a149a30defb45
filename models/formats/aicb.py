"""Workload text of AICB, SimAI and ASTRA-sim: one training step, a layer per line.

    HYBRID_TRANSFORMER_FWD_IN_BCKWD model_parallel_NPU_group: 8 ep: 1 pp: 1 all_gpus: 16
    2
    attention_layer -1 752000 ALLREDUCE 20971520 752000 ALLREDUCE 20971520 752000 NONE 0 100
    mlp_layer -1 750000 ALLREDUCE 20971520 750000 ALLREDUCE 20971520 750000 NONE 0 100

First line: the policy, then ``name: value`` pairs. ``model_parallel_NPU_group`` is tp; ``ep`` and
``pp`` are 1 if absent; ``all_gpus`` are all ranks, so dp is ``all_gpus / (tp * pp)``. Without
``all_gpus``, as in older files, dp is ``ep``, and what goes between replicas is left out.
``pp_comm`` are the bytes between two pipeline stages. ``checkpoints`` and ``checkpoint_initiates``
are a count and so many layers, counted from 0. ``vpp`` and ``ga`` are not used. Second line: the
number of layers. Then 12 columns a layer:

- 1: name
- 2: dependency, not used (nor is it in ASTRA-sim)
- 3: forward: compute time, in nanoseconds
- 4: forward: collective
- 5: forward: its bytes, the whole tensor; of ALLTOALL what a rank sends
- 6 to 8: the same for the gradient of the input
- 9 to 11: the same for the gradient of the weights
- 12: time after each collective of the layer, in nanoseconds, until its result is taken in

Collectives: ALLREDUCE, ALLGATHER, REDUCESCATTER, ALLTOALL and BROADCAST among tensor-parallel
ranks, for the gradient of the weights among data-parallel ones; with ``_EP`` among expert-parallel
ranks, with ``_DP_EP`` among the replicas of an expert; NONE. All but ALLTOALL and BROADCAST go
around a ring.

Order, in each rank: forward through all layers, compute then collective, each waited for. Then
backward, from the last layer: compute the gradient of the input, its collective, waited for;
compute the gradient of the weights, and begin its collective, which follows that of the layer
before and which nobody waits for until the end of the step. If the layer is one of
``checkpoint_initiates``, the layers from the last of ``checkpoints`` up to it go forward again
first. With ``pp`` stages the layers are those of one stage: a stage begins when the one before it
has sent its ``pp_comm`` bytes, all micro-batches at once, and backward likewise.

Source: ``Workload.cc`` and ``Layer.cc`` of SimAI and ASTRA-sim, which wait in that order; AICB,
which writes these files. Unlike SimAI, BROADCAST is not taken for NONE.
"""

from typing import NamedTuple

from models.collective import Collective, Compute, Workload
from models.formats.file import File
from models.parallel import Parallel

__all__ = ["KIND", "read", "recognises"]

KIND: str = "AICB text with HYBRID_TRANSFORMER"
POLICIES = ("HYBRID_TRANSFORMER", "HYBRID_TRANSFORMER_FWD_IN_BCKWD")
OTHERS = ("DATA", "MODEL", "MICRO", "DISTRIBUTED_INFERENCE")  # of ASTRA-sim, besides HYBRID_...
OPERATIONS = {  # name: operation, algorithm
    "ALLREDUCE": ("all-reduce", "ring"),
    "ALLGATHER": ("all-gather", "ring"),
    "REDUCESCATTER": ("reduce-scatter", "ring"),
    "ALLTOALL": ("all-to-all", "direct"),
    "BROADCAST": ("broadcast", "tree"),
}
GROUPS = {"": "tp", "_EP": "ep", "_DP_EP": "dp_ep"}
CLASSES = {"tp": 1, "ep": 2, "dp": 0, "dp_ep": 0}  # gradients of weights have time
PASSES = ("forward", "input gradient", "weight gradient")


class Pass(NamedTuple):
    """Compute time in nanoseconds, and a collective (its operation is empty for none)."""

    nanoseconds: int
    operation: str
    algorithm: str
    group: str
    bytes: int


class Layer(NamedTuple):
    """One line: forward, gradient of the input, gradient of the weights."""

    name: str
    passes: tuple[Pass, ...]
    update: int  # nanoseconds


def recognises(file: File) -> bool:
    """By the policy in the first line."""
    first, *_ = file.line(1).split() or [""]
    return first.startswith("HYBRID_") or first in OTHERS


def read(file: File) -> Workload:
    """The workload in the file; raises WorkloadError if it is malformed."""
    header = _header(file)
    lines = file.lines()
    if len(lines) < 2:
        raise file.error(2, "the number of layers", "")
    number, text = lines[1]
    count = file.integer(number, "the number of layers", text.strip(), 1)
    layers = [_layer(file, *line) for line in lines[2:]]
    if len(layers) != count:
        raise file.error(number, f"the number of layers that follow, {len(layers)}", count)
    for layer in (*header["checkpoints"], *header["checkpoint_initiates"]):
        if layer >= count:
            raise file.error(1, f"layers from 0 to {count - 1}", layer)
    parallel, notes = _parallel(file, header)
    size = _single(header, "pp_comm", 0)
    if parallel.pp > 1 and not size:
        raise file.error(1, "pp_comm: and the bytes between stages, as pp is above 1", "")
    step = _Step(parallel, layers, header["checkpoints"], header["checkpoint_initiates"], size)
    return Workload(
        name=file.path.stem,
        description=f"{count} layers, tp {parallel.tp}, ep {parallel.ep}, dp {parallel.dp}, "
        f"pp {parallel.pp}",
        ranks=parallel.ranks,
        model=file.path.stem,
        source="AICB text",
        steps=tuple(step.steps),
        notes=notes,
    )


def _header(file: File) -> dict[str, list[int]]:
    policy, *words = file.text.splitlines()[0].split()
    if policy not in POLICIES:
        raise file.error(1, " or ".join(POLICIES), policy)
    header: dict[str, list[int]] = {"checkpoints": [], "checkpoint_initiates": []}
    while words:
        name = words.pop(0).removesuffix(":")
        if name.lstrip("-").isdigit():
            raise file.error(1, "a name before each value", name)
        value = file.integer(1, f"the value of {name}", words.pop(0) if words else "")
        if name in ("checkpoints", "checkpoint_initiates"):
            listed, words = words[:value], words[value:]
            if len(listed) < value:
                raise file.error(1, f"{value} layers after {name}", " ".join(listed))
            header[name] = [file.integer(1, f"a layer of {name}", word) for word in listed]
        else:
            header[name] = [value]
    return header


def _single(header: dict[str, list[int]], name: str, default: int) -> int:
    return header.get(name, [default])[0]


def _parallel(file: File, header: dict[str, list[int]]) -> tuple[Parallel, tuple[str, ...]]:
    """Sizes of the groups, and what was left out."""
    tp, ep, pp = (_single(header, key, 1) for key in ("model_parallel_NPU_group", "ep", "pp"))
    for name, value in (("model_parallel_NPU_group", tp), ("ep", ep), ("pp", pp)):
        if value < 1:
            raise file.error(1, f"{name}: 1 or more", value)
    if "all_gpus" not in header:
        notes = f"{file.path.name} states no all_gpus: what goes between replicas is left out"
        return Parallel(tp=tp, ep=ep, dp=ep, pp=pp), (notes,)
    ranks = _single(header, "all_gpus", 0)
    if ranks % (tp * ep * pp) or not ranks:
        expected = f"all_gpus: a multiple of model_parallel_NPU_group * ep * pp = {tp * ep * pp}"
        raise file.error(1, expected, ranks)
    return Parallel(tp=tp, ep=ep, dp=ranks // (tp * pp), pp=pp), ()


def _layer(file: File, number: int, text: str) -> Layer:
    words = text.split()
    if len(words) != 12:
        raise file.error(number, "12 columns", f"{len(words)}: {text.strip()[:60]}")
    file.integer(number, "the dependency", words[1], -1)
    passes = []
    for k, name in enumerate(PASSES):
        time, kind, size = words[2 + 3 * k : 5 + 3 * k]
        nanoseconds = file.integer(number, f"the compute time of {name}", time)
        length = file.integer(number, f"the bytes of {name}", size)
        if kind == "NONE":
            passes.append(Pass(nanoseconds, "", "", "", 0))
            continue
        base, mark, rest = kind.partition("_")
        if base not in OPERATIONS or mark + rest not in GROUPS:
            expected = f"NONE or one of {', '.join(OPERATIONS)}, perhaps with _EP or _DP_EP"
            raise file.error(number, expected, kind)
        group = GROUPS[mark + rest]
        if group == "tp" and name == "weight gradient":
            group = "dp"
        passes.append(Pass(nanoseconds, *OPERATIONS[base], group, length))
    update = file.integer(number, "the update time", words[11])
    return Layer(words[0], tuple(passes), update)


class _Step:
    """One training step; ``steps`` grows in an order in which each waits for earlier ones."""

    def __init__(
        self,
        parallel: Parallel,
        layers: list[Layer],
        checkpoints: list[int],
        initiates: list[int],
        size: int,
    ):
        self.parallel, self.layers = parallel, layers
        self.steps: list[Collective | Compute] = []
        self.now: tuple[int, ...] = ()  # what the ranks of the stage wait for
        ends: list[tuple[int, ...]] = []
        for stage in range(parallel.pp):
            for n in range(len(layers)):
                self.run(n, 0, stage)
            ends.append(self.now)
            if stage + 1 < parallel.pp:
                self.now = self.send(stage, stage + 1, size)
        for stage in reversed(range(parallel.pp)):
            gradients: tuple[int, ...] = ()
            for n in reversed(range(len(layers))):
                if n in initiates:
                    first = max((c for c in checkpoints if c < n), default=n)
                    for k in range(first, n):
                        self.run(k, 0, stage)
                self.run(n, 1, stage)
                self.now = self.compute(n, 2, stage)
                gradients = self.collect(n, 2, stage, (*self.now, *gradients), gradients)
            if stage:
                self.now = (*self.send(stage, stage - 1, size), *ends[stage - 1])

    def run(self, n: int, which: int, stage: int) -> None:
        """Layer n computes, then communicates, and is waited for."""
        self.now = self.compute(n, which, stage)
        self.now = self.collect(n, which, stage, self.now, self.now)

    def compute(self, n: int, which: int, stage: int) -> tuple[int, ...]:
        """Time of a pass; what to wait for after it."""
        return self.busy(
            n, PASSES[which], self.layers[n].passes[which].nanoseconds, stage, self.now
        )

    def busy(
        self, n: int, what: str, nanoseconds: int, stage: int, after: tuple[int, ...]
    ) -> tuple[int, ...]:
        if not nanoseconds:
            return after
        self.steps.append(
            Compute(
                name=f"{n} {self.layers[n].name} {what}",
                nanoseconds=nanoseconds,
                ranks=self.parallel.stage(stage),
                after=after,
            )
        )
        return (len(self.steps) - 1,)

    def collect(
        self, n: int, which: int, stage: int, after: tuple[int, ...], otherwise: tuple[int, ...]
    ) -> tuple[int, ...]:
        """Collective of a pass, after ``after``; what to wait for to have it, if there is one."""
        layer, one = self.layers[n], self.layers[n].passes[which]
        groups = self.parallel.groups(one.group, stage) if one.operation and one.bytes else ()
        if not groups:
            return otherwise
        self.steps.append(
            Collective(
                name=f"{n} {layer.name} {PASSES[which]}",
                operation=one.operation,
                algorithm=one.algorithm,
                bytes=one.bytes,
                traffic_class=CLASSES[one.group],
                groups=groups,
                after=after,
            )
        )
        return self.busy(n, "update", layer.update, stage, (len(self.steps) - 1,))

    def send(self, stage: int, target: int, size: int) -> tuple[int, ...]:
        """Activations or gradients to the same ranks of another stage."""
        pairs = zip(self.parallel.stage(stage), self.parallel.stage(target), strict=True)
        self.steps.append(
            Collective(
                name=f"stage {stage} to {target}",
                operation="send",
                algorithm="chain",
                bytes=size,
                groups=tuple(pairs),
                after=self.now,
            )
        )
        return (len(self.steps) - 1,)
