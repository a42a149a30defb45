"""CSV of AICB: what one rank does in a training step, an operation per line.

    [rank0 ~ rank127]
    comm_type,comm_group,comm_group_size,msg_size,stage,dst,src,additional,_elapsed_time,algbw,busbw,count
    CommType.all_gather,CommGroup.tp_group,8,20971520,forward.MegatronColumnLinear,None,None,,None,None,None,1

The first line may be absent; it says how many ranks there are, otherwise they are tp * dp * pp. The
second names the columns, in any order:

- ``comm_type``: all_reduce, all_gather (or all_gather_into_tensor), reduce_scatter (or
  reduce_scatter_tensor), all_to_all, broadcast, isend, irecv, barrier, computation, epoch_end
- ``comm_group``: tp_group, dp_group, ep_group, pp_group, ep_dp_group (replicas of an expert),
  ep_tp_group, embedding_group (not supported), all_nodes
- ``comm_group_size``: ranks of a group, the same in each line of a kind
- ``msg_size``: bytes of the whole tensor, of all_to_all what a rank sends; a computation has the
  shapes of its operands in parentheses here, which are not used
- ``stage``: what it belongs to, for its name
- ``additional``: of isend send_next or send_prev; irecv waits with the isend of the other side
- ``_elapsed_time``: of a computation its time in nanoseconds, None for none
- ``src``, ``dst``, ``algbw``, ``busbw`` and ``count`` are not used; the root of a broadcast is the
  first rank of the group, as when AICB runs the file

All ranks do the same, one line after another, and each goes on when its own part of a line is done;
a barrier waits for all. AICB writes a part that sets the model up, epoch_end, and then steps with
epoch_end after each: the first step is taken, or the only part.

Source: ``log_analyzer/log.py``, ``workload_applyer.py`` and ``utils/utils.py`` of AICB.
"""

import re

from models.collective import Collective, Compute, Workload
from models.formats.file import File
from models.parallel import Parallel

__all__ = ["KIND", "read", "recognises"]

KIND: str = "AICB CSV with comm_type,comm_group,..."
OPERATIONS = {  # name: operation, algorithm
    "all_reduce": ("all-reduce", "ring"),
    "all_gather": ("all-gather", "ring"),
    "all_gather_into_tensor": ("all-gather", "ring"),
    "reduce_scatter": ("reduce-scatter", "ring"),
    "reduce_scatter_tensor": ("reduce-scatter", "ring"),
    "all_to_all": ("all-to-all", "direct"),
    "broadcast": ("broadcast", "tree"),
    "isend": ("send", "chain"),
}
QUIET = ("irecv", "barrier", "computation", "epoch_end")
GROUPS = {  # name: group, class
    "tp_group": ("tp", 1),
    "dp_group": ("dp", 0),
    "ep_group": ("ep", 2),
    "pp_group": ("pp", 1),
    "ep_dp_group": ("dp_ep", 0),
    "ep_tp_group": ("ep_tp", 2),
    "all_nodes": ("all", 0),
}
NEEDED = ("comm_type", "comm_group", "comm_group_size", "msg_size")
Row = tuple[int, dict[str, str]]  # line, column: value


def recognises(file: File) -> bool:
    """By the column comm_type in one of the first two lines."""
    return any("comm_type" in file.line(number) for number in (1, 2))


def read(file: File) -> Workload:
    """The workload in the file; raises WorkloadError if it is malformed."""
    ranks, rows = _rows(file)
    parallel = _parallel(file, ranks, rows)
    steps: list[Collective | Compute] = []
    after: tuple[int, ...] | None = ()
    for number, row in _first_step(rows):
        kind = row["comm_type"]
        step = None
        if kind == "barrier":
            after = None
        elif kind == "computation":
            step = _compute(file, number, row, after)
        elif kind in OPERATIONS:
            step = _collective(file, number, row, parallel, after)
        if step:
            steps.append(step)
            after = (len(steps) - 1,)
    return Workload(
        name=file.path.stem,
        description=f"tp {parallel.tp}, ep {parallel.ep}, dp {parallel.dp}, pp {parallel.pp}",
        ranks=parallel.ranks,
        model=file.path.stem,
        source="AICB CSV",
        steps=tuple(steps),
    )


def _rows(file: File) -> tuple[int, list[Row]]:
    """How many ranks the file states (0 if it does not), and its lines below the header."""
    lines = file.lines()
    ranks = 0
    if "comm_type" not in lines[0][1]:
        found = re.fullmatch(r"\[rank0 ~ rank(\d+)\]", lines[0][1].strip())
        if not found:
            raise file.error(1, "[rank0 ~ rankN] or the names of the columns", file.line(1))
        ranks = file.integer(1, "the last rank", found[1]) + 1
        lines = lines[1:]
    number, header = lines[0]
    columns = [column.strip() for column in header.split(",")]
    for column in NEEDED:
        if column not in columns:
            raise file.error(number, f"a column {column}", header[:60])
    rows = []
    for number, line in lines[1:]:
        values = _split(line)
        if len(values) != len(columns):
            raise file.error(number, f"{len(columns)} columns", f"{len(values)}: {line[:60]}")
        row = dict(zip(columns, values, strict=True))
        for column in ("comm_type", "comm_group"):
            row[column] = row[column].rpartition(".")[2]
        if row["comm_type"] not in (*OPERATIONS, *QUIET):
            expected = f"comm_type {', '.join((*OPERATIONS, *QUIET))}"
            raise file.error(number, expected, row["comm_type"])
        if row["comm_type"] in (*OPERATIONS, "irecv") and row["comm_group"] not in GROUPS:
            raise file.error(number, f"comm_group {', '.join(GROUPS)}", row["comm_group"])
        rows.append((number, row))
    return ranks, rows


def _split(line: str) -> list[str]:
    """Columns of a line; AICB does not quote the commas between parentheses."""
    values, depth = [""], 0
    for letter in line:
        depth += (letter in "([") - (letter in ")]")
        if letter == "," and not depth:
            values.append("")
        else:
            values[-1] += letter
    return [value.strip() for value in values]


def _first_step(rows: list[Row]) -> list[Row]:
    """The first training step: behind the first epoch_end if there is something, else before."""
    parts: list[list[Row]] = [[]]
    for row in rows:
        if row[1]["comm_type"] == "epoch_end":
            parts.append([])
        else:
            parts[-1].append(row)
    return next((part for part in parts[1:] if part), parts[0])


def _parallel(file: File, ranks: int, rows: list[Row]) -> Parallel:
    """Sizes of the groups; they have to agree."""
    sizes: dict[str, int] = {}
    last = 1
    for number, row in rows:
        if row["comm_type"] not in (*OPERATIONS, "irecv"):
            continue
        last, group = number, GROUPS[row["comm_group"]][0]
        size = file.integer(number, "comm_group_size", row["comm_group_size"], 1)
        if sizes.setdefault(group, size) != size:
            raise file.error(number, f"{row['comm_group']} of {sizes[group]} ranks as before", size)
    tp, ep, pp = (sizes.get(group, 1) for group in ("tp", "ep", "pp"))
    dp = sizes.get("dp", ranks // (tp * pp) if ranks else ep * sizes.get("dp_ep", 1))
    if ranks and ranks != tp * dp * pp:
        raise file.error(1, f"tp * dp * pp = {tp} * {dp} * {pp} ranks", ranks)
    if dp % ep:
        raise file.error(last, f"an ep_group that divides the {dp} ranks of dp_group", ep)
    parallel = Parallel(tp=tp, ep=ep, dp=dp, pp=pp)
    for group, size in (("dp_ep", dp // ep), ("ep_tp", ep * tp), ("all", parallel.ranks)):
        if sizes.get(group, size) != size:
            raise file.error(last, f"groups {group} of {size} ranks", sizes[group])
    return parallel


def _compute(
    file: File, number: int, row: dict[str, str], after: tuple[int, ...] | None
) -> Compute | None:
    time = row.get("_elapsed_time", "None")
    if time in ("None", ""):
        return None
    try:
        nanoseconds = float(time)
    except ValueError:
        nanoseconds = -1.0
    if not 0 <= nanoseconds < 1e15:
        raise file.error(number, "_elapsed_time in nanoseconds, or None", time)
    name = f"{number} {row.get('stage') or 'computation'}"
    return Compute(name=name, nanoseconds=nanoseconds, after=after) if nanoseconds else None


def _collective(
    file: File,
    number: int,
    row: dict[str, str],
    parallel: Parallel,
    after: tuple[int, ...] | None,
) -> Collective | None:
    size = file.integer(number, "msg_size", row["msg_size"])
    kind, (group, traffic_class) = row["comm_type"], GROUPS[row["comm_group"]]
    groups = parallel.groups(group)
    if kind == "isend":
        way = row.get("additional", "")
        if way not in ("send_next", "send_prev"):
            raise file.error(number, "additional send_next or send_prev", way)
        if way == "send_prev":
            groups = tuple(ranks[::-1] for ranks in groups)
    if not groups or not size:
        return None
    operation, algorithm = OPERATIONS[kind]
    return Collective(
        name=f"{number} {row.get('stage') or kind}",
        operation=operation,
        algorithm=algorithm,
        bytes=size,
        traffic_class=traffic_class,
        groups=groups,
        after=after,
    )
