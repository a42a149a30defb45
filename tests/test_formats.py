"""Workload files of others become the same steps as ours, or are refused with their line."""

from pathlib import Path

import pytest

from models.collective import ALGORITHMS
from models.config import LINGYUN, NODE, RACK
from models.formats import FORMATS
from models.formats.file import File
from models.parallel import KINDS, Parallel
from models.workload import BUILT_IN, Collective, Compute, WorkloadError, expand, load
from tests.test_program import run as run_without_switch

ROOT = Path(__file__).resolve().parent.parent
SAMPLES = ROOT.parent / "shared" / "workloads"


def sample(name: str) -> Path:
    """A file from the projects that write them; they are not part of this one."""
    path = SAMPLES / name
    if not path.is_file():
        pytest.skip(f"no sample {name} beside this project")
    return path


def written(tmp_path, name: str, text: str) -> Path:
    path = tmp_path / name
    path.write_text(text)
    return path


def collectives(steps) -> list[Collective]:
    return [step for step in steps if isinstance(step, Collective)]


AICB = """HYBRID_TRANSFORMER_FWD_IN_BCKWD model_parallel_NPU_group: 2 ep: 2 pp: 1 all_gpus: 8
3
embedding\t-1\t10\tBROADCAST\t64\t1\tNONE\t0\t5\tREDUCESCATTER\t800\t3
attention -1 20 ALLREDUCE 4096 40 ALLREDUCE 2048 30 ALLGATHER_DP_EP 512 0
moe       -1 0  ALLTOALL_EP 1024 60 ALLTOALL_EP 1024 0 ALLREDUCE 256 0
"""
CSV = """[rank0 ~ rank7]
comm_type,comm_group,comm_group_size,msg_size,stage,dst,src,additional,_elapsed_time
CommType.broadcast,CommGroup.tp_group,2,64,init,None,0,,None
CommType.epoch_end,None,None,0,,None,None,,None
CommType.computation,CommGroup.all_nodes,1,((4, 8), (8, 2)),forward,None,None,,1500
CommType.all_gather,CommGroup.tp_group,2,4096,forward,None,None,,None
CommType.isend,CommGroup.pp_group,2,128,forward,None,None,send_next,None
CommType.irecv,CommGroup.pp_group,2,128,forward,None,None,recv_prev,None
CommType.isend,CommGroup.pp_group,2,96,backward,None,None,send_prev,None
CommType.barrier,None,None,0,,None,None,,None
CommType.all_reduce,CommGroup.dp_group,2,512,backward,None,None,,None
CommType.epoch_end,None,None,0,,None,None,,None
CommType.all_reduce,CommGroup.dp_group,2,1024,again,None,None,,None
"""
CONNECTIONS = """# two flows, then a third
Nodes 4
Connections 3
Triggers 1
0->3 id 1 start 0 size 4000 send_done_trigger 7
1->3 id 2 start 2000000 size 600 recv_done_trigger 7

trigger id 7 barrier count 2
3->0 id 3 trigger 7 size 128
"""
CHAKRA = """{
  "ngpus": 4,
  "workload_graph": [
    {"Id": 9, "Name": "reduce", "NodeType": 7, "data_deps": [3], "ctrlDeps": [77],
     "comm_type": 0, "comm_size": 4096, "runtime": 5, "is_cpu_op": false},
    {"Id": 3, "Name": "gemm", "NodeType": 4, "data_deps": [], "runtime": 2, "is_cpu_op": false},
    {"Id": 4, "Name": "norm", "NodeType": 4, "data_deps": [], "runtime": 1, "is_cpu_op": false},
    {"Id": 5, "Name": "call", "NodeType": 7, "data_deps": [], "runtime": 3, "is_cpu_op": true},
    {"Id": 6, "Name": "recv", "NodeType": 6, "data_deps": [], "comm_src": 0, "comm_dst": 2,
     "comm_tag": 1, "comm_size": 256},
    {"Id": 7, "Name": "send", "NodeType": 5, "data_deps": [9], "comm_src": 0, "comm_dst": 2,
     "comm_tag": 1, "comm_size": 256},
    {"Id": 8, "Name": "opt", "NodeType": 4, "data_deps": [6], "runtime": 1, "is_cpu_op": false}
  ]
}
"""
JSONIZED = """{ "version": "0.0.4", "attr": [{"name": "world_size", "int32Val": 4}] }
{ "id": "1", "name": "gemm", "type": "COMP_NODE", "durationMicros": "7",
  "attr": [{"name": "is_cpu_op", "boolVal": false}] }
{ "id": "2", "name": "gather", "type": "COMM_COLL_NODE", "dataDeps": ["1"],
  "attr": [{"name": "comm_type", "int64Val": "2"}, {"name": "comm_size", "int64Val": "4096"}] }
"""


def test_aicb_text(tmp_path):
    workload = load(written(tmp_path, "step.txt", AICB))
    assert workload.ranks == 8 and not workload.notes
    parallel = Parallel(tp=2, ep=2, dp=4)
    seen = [
        (s.name, s.nanoseconds)
        if isinstance(s, Compute)
        else (s.name, s.operation, s.bytes, s.groups)
        for s in workload.steps
    ]
    tp, ep, dp, dp_ep = (parallel.groups(kind) for kind in ("tp", "ep", "dp", "dp_ep"))
    assert seen == [
        ("0 embedding forward", 10),
        ("0 embedding forward", "broadcast", 64, tp),
        ("0 embedding update", 3),
        ("1 attention forward", 20),
        ("1 attention forward", "all-reduce", 4096, tp),
        ("2 moe forward", "all-to-all", 1024, ep),
        ("2 moe input gradient", 60),
        ("2 moe input gradient", "all-to-all", 1024, ep),
        ("2 moe weight gradient", "all-reduce", 256, dp),
        ("1 attention input gradient", 40),
        ("1 attention input gradient", "all-reduce", 2048, tp),
        ("1 attention weight gradient", 30),
        ("1 attention weight gradient", "all-gather", 512, dp_ep),
        ("0 embedding input gradient", 1),
        ("0 embedding weight gradient", 5),
        ("0 embedding weight gradient", "reduce-scatter", 800, dp),
        ("0 embedding update", 3),
    ]
    after = [step.after for step in workload.steps]
    assert after[:9] == [(), (0,), (1,), (2,), (3,), (4,), (5,), (6,), (7,)]
    # Nobody waits for gradients of weights but the next of them.
    assert after[9:] == [(7,), (9,), (10,), (11, 8), (11,), (13,), (14, 12), (15,)]


def test_aicb_pipeline_and_checkpoints(tmp_path):
    text = AICB.replace("pp: 1", "pp: 2 pp_comm: 640 checkpoints: 1 0 checkpoint_initiates: 1 2")
    workload = load(written(tmp_path, "step.txt", text))
    assert workload.ranks == 8
    names = [step.name for step in workload.steps]
    assert names.count("stage 0 to 1") == names.count("stage 1 to 0") == 1
    forth, back = (workload.steps[names.index(name)] for name in ("stage 0 to 1", "stage 1 to 0"))
    assert forth.groups == ((0, 4), (1, 5), (2, 6), (3, 7)) and forth.bytes == 640
    assert back.groups == ((4, 0), (5, 1), (6, 2), (7, 3))
    assert workload.steps[names.index("stage 0 to 1") + 1].after == (names.index("stage 0 to 1"),)
    # Forward once, and once more from layer 0 to before layer 2; in both stages.
    assert names.count("0 embedding forward") == names.count("1 attention forward") == 2 * 2 * 2
    assert names.count("2 moe forward") == 2
    program = expand(NODE, workload, scale=0.05)
    run_without_switch(program, NODE)
    records = {record["name"]: record for record in program.results()}
    first = [record for record in program.results() if record["name"] == "0 embedding forward"]
    assert first[1]["start"] > records["stage 0 to 1"]["end"]


def test_aicb_old_header_leaves_replicas_out(tmp_path):
    workload = load(written(tmp_path, "step.txt", AICB.replace("ep: 2 pp: 1 all_gpus: 8", "")))
    assert workload.ranks == 2
    assert workload.notes == (
        "step.txt states no all_gpus: what goes between replicas is left out",
    )
    assert {step.operation for step in collectives(workload.steps)} == {"broadcast", "all-reduce"}


def test_aicb_csv(tmp_path):
    workload = load(written(tmp_path, "step.csv", CSV))
    assert workload.ranks == 8
    compute, gather, forth, back, reduce = workload.steps
    assert isinstance(compute, Compute) and compute.nanoseconds == 1500 and compute.after == ()
    parallel = Parallel(tp=2, dp=2, pp=2)
    assert gather.groups == parallel.groups("tp") == ((0, 1), (2, 3), (4, 5), (6, 7))
    assert gather.bytes == 4096 and gather.after == (0,) and gather.name == "6 forward"
    assert forth.groups == ((0, 4), (1, 5), (2, 6), (3, 7)) and forth.operation == "send"
    assert back.groups == ((4, 0), (5, 1), (6, 2), (7, 3)) and back.bytes == 96
    assert reduce.after is None, "behind the barrier"
    assert reduce.groups == ((0, 2), (1, 3), (4, 6), (5, 7)) and reduce.bytes == 512
    run_without_switch(expand(NODE, workload, scale=0.1), NODE)


def test_connections(tmp_path):
    workload = load(written(tmp_path, "three.cm", CONNECTIONS))
    assert workload.ranks == 4
    assert [(s.name, s.bytes, s.after, s.delay_ns) for s in workload.steps] == [
        ("0->3", 4000, (), 0),
        ("1->3", 600, (), 2000),
        ("3->0", 128, (0, 1), 0),
    ]
    program = expand(NODE, workload)
    run_without_switch(program, NODE)
    first, second, third = program.results()
    assert first["start"] == 0 and second["start"] == 3000  # 2 us at 1.5 GHz
    assert third["start"] == max(first["end"], second["end"]) + 1
    assert program.times()["compute_cycles"] == 0


def test_chakra(tmp_path):
    workload = load(written(tmp_path, "trace.json", CHAKRA))
    assert workload.ranks == 4 and not workload.notes
    seen = [(s.name, s.after) for s in workload.steps]
    assert seen == [
        ("3 gemm", ()),
        ("9 reduce", (0,)),
        ("4 norm", (0,)),
        ("5 call", ()),
        ("7 send", (1,)),
        ("8 opt", (1, 4, 2)),
    ]
    assert workload.steps[0].nanoseconds == 2000
    assert workload.steps[4].groups == ((0, 2),)
    run_without_switch(expand(NODE, workload, scale=4), NODE)


def test_chakra_as_the_jsonizer_writes_it(tmp_path):
    workload = load(written(tmp_path, "trace.json", JSONIZED))
    gemm, gather = workload.steps
    assert workload.ranks == 4 and gemm.nanoseconds == 7000
    assert (gather.operation, gather.bytes, gather.after) == ("all-gather", 4096, (0,))


MALFORMED = [
    # format, what is replaced, by what, line, message
    (AICB, "_FWD_IN_BCKWD", "_AND_MORE", 1, "expected HYBRID_TRANSFORMER or .*not 'HYBRID_TRANS"),
    (AICB, "group: 2", "group: two", 1, "expected the value of model_parallel_NPU_group .*'two'"),
    (AICB, "ep: 2", "ep: 0", 1, "expected ep: 1 or more, not 0"),
    (AICB, "pp: 1", "pp: 2", 1, "expected pp_comm: and the bytes between stages"),
    (AICB, "pp: 1", "checkpoints: 2 0", 1, "expected a layer of checkpoints .*'all_gpus:'"),
    (AICB, "pp: 1", "checkpoint_initiates: 1 3", 1, "expected layers from 0 to 2, not 3"),
    (AICB, "all_gpus: 8", "all_gpus: 6", 1, r"expected all_gpus: a multiple of .* = 4, not 6"),
    (AICB, "\n3\n", "\n4\n", 2, "expected the number of layers that follow, 3, not 4"),
    (AICB, "\n3\n", "\nmany\n", 2, "expected the number of layers .*not 'many'"),
    (AICB, "\t3\n", "\n", 3, "expected 12 columns, not '11: embedding"),
    (AICB, "20 ALL", "2.5 ALL", 4, "expected the compute time of forward .*not '2.5'"),
    (AICB, "ALLREDUCE 2048", "ALLREDUCE -1", 4, "expected the bytes of input gradient .*not '-1'"),
    (AICB, "ALLGATHER_DP_EP", "ALLGATHER_PP", 4, "expected NONE or one of .*not 'ALLGATHER_PP'"),
    (AICB, "ALLREDUCE 256 0", "ALLREDUCE 256 x", 5, "expected the update time .*not 'x'"),
    (AICB, "moe       -1", "moe  none", 5, "expected the dependency .*not 'none'"),
    (CSV, "[rank0 ~ rank7]", "[rank0]", 1, r"expected \[rank0 ~ rankN\] or the names"),
    (CSV, "rank7", "rank5", 1, r"expected tp \* dp \* pp = 2 \* 2 \* 2 ranks, not 6"),
    (CSV, "msg_size", "size", 2, "expected a column msg_size, not 'comm_type"),
    (CSV, "64,init,", "64,", 3, "expected 9 columns, not '8: "),
    (CSV, "CommType.broadcast", "CommType.gossip", 3, "expected comm_type .*not 'gossip'"),
    (CSV, "None,,1500", "None,,soon", 5, "expected _elapsed_time in nanoseconds.*'soon'"),
    (
        CSV,
        "CommGroup.tp_group,2,4096",
        "CommGroup.tp_group,4,4096",
        6,
        "of 2 ranks as before, not 4",
    ),
    (
        CSV,
        "CommGroup.tp_group,2,4096",
        "CommGroup.embedding_group,2,4096",
        6,
        "comm_group tp_group",
    ),
    (CSV, "2,4096", "2,4k", 6, "expected msg_size .*not '4k'"),
    (CSV, "send_next", "send_up", 7, "expected additional send_next or send_prev, not 'send_up'"),
    (CONNECTIONS, "Nodes 4", "Nodes four", 2, "expected a number after Nodes .*'four'"),
    (CONNECTIONS, "Nodes 4\n", "", 4, "expected Nodes before the first flow, not '0->3'"),
    (CONNECTIONS, "Connections 3", "Connections 4", 3, "expected Connections 3, as many as follow"),
    (CONNECTIONS, "Triggers 1", "Failures 1", 1, "expected Triggers 1, as many as follow, not 0"),
    (CONNECTIONS, "Triggers 1", "Triggers 1\nFailures 2", 5, "expected Failures 0"),
    (CONNECTIONS, "0->3", "0->4", 5, r"expected a port \(an integer from 0 to 3\), not '4'"),
    (CONNECTIONS, "0->3", "0->x", 5, "expected source->destination, not '0->x'"),
    (CONNECTIONS, "0->3", "3->3", 5, "expected two different ports, not '3->3'"),
    (CONNECTIONS, "size 4000", "bytes 4000", 5, "expected each of id, .*not 'bytes'"),
    (CONNECTIONS, "size 4000", "size 0", 5, "expected a number after size .*not '0'"),
    (CONNECTIONS, "size 4000", "", 5, "expected size and the bytes of the flow"),
    (CONNECTIONS, "start 0", "", 5, "expected either start or trigger"),
    (CONNECTIONS, "start 2000000", "start soon", 6, "expected a number after start .*'soon'"),
    (CONNECTIONS, "count 2", "count 3", 8, "expected a trigger of 3 flows that fire it, not 2"),
    (CONNECTIONS, "barrier count 2", "multishot", 8, "expected trigger id T oneshot, or"),
    (CONNECTIONS, "trigger id", "hammer id", 8, "expected Nodes, .*a flow such as 0->1"),
    (CONNECTIONS, "3->0 id 3 trigger 7", "3->0 trigger 8", 9, "expected a trigger that has a line"),
    (CHAKRA, '"ngpus": 4,', "", 1, "expected ngpus or world_size in the metadata .*not nothing"),
    (CHAKRA, '"comm_type": 0', '"comm_type": 3', 4, "expected comm_type .*not 3"),
    (CHAKRA, '"comm_type": 0,', "", 4, "expected comm_type, not nothing"),
    (CHAKRA, '"Id": 3', '"Id": 9', 6, "expected an Id that is not taken, not 9"),
    (CHAKRA, '"Id": 3', '"Id": "x"', 6, "expected Id .*not 'x'"),
    (CHAKRA, '"NodeType": 4', '"NodeType": "GEMM"', 6, "expected NodeType .*not 'GEMM'"),
    (CHAKRA, '"runtime": 2', '"runtime": -2', 6, "expected runtime .*not -2"),
    (CHAKRA, '4, "data_deps": []', '4, "data_deps": 3', 6, "expected a list as data_deps, not 3"),
    (
        CHAKRA,
        '4, "data_deps": []',
        '4, "data_deps": [9]',
        4,
        "expected dependencies without a circ",
    ),
    (CHAKRA, '"comm_dst": 2', '"comm_dst": 4', 9, "expected comm_dst below 4, not 4"),
    (CHAKRA, '"runtime": 3, ', '"runtime": 3 ', 8, "expected JSON, not .*delimiter.* in column"),
    (JSONIZED, '"COMP_NODE"', '"GEMM_NODE"', 2, "expected NodeType .*not 'GEMM_NODE'"),
    (JSONIZED, '{ "id": "2"', '7 { "id": "2"', 4, r"expected an object \{\.\.\.\}, not 7"),
    (JSONIZED, '"2", "name"', '"1", "name"', 4, "expected an Id that is not taken, not 1"),
]


@pytest.mark.parametrize(("text", "old", "new", "line", "message"), MALFORMED)
def test_malformed_file_names_its_line(tmp_path, text, old, new, line, message):
    load(written(tmp_path, "good", text))
    assert old in text
    path = written(tmp_path, "bad", text.replace(old, new, 1))
    with pytest.raises(WorkloadError, match=message) as error:
        load(path)
    assert str(error.value).startswith(f"{path}:{line}: expected ")


def test_a_circle_of_triggers_is_refused(tmp_path):
    text = "Nodes 2\nConnections 1\nTriggers 1\n0->1 trigger 1 size 8 send_done_trigger 1\n"
    path = written(tmp_path, "circle.cm", text + "trigger id 1 oneshot\n")
    with pytest.raises(WorkloadError, match=r"circle\.cm:4: expected a trigger that fires without"):
        load(path)


@pytest.mark.parametrize("text", ["", "hello\n", "\n\nfoo bar\n", "12 13\n"])
def test_unknown_format(tmp_path, text):
    with pytest.raises(WorkloadError, match=r"w:1: expected the beginning of a workload \(TOML"):
        load(written(tmp_path, "w", text))


@pytest.mark.parametrize("text", [AICB, CSV, CONNECTIONS, CHAKRA, JSONIZED])
def test_each_file_is_of_one_format(tmp_path, text):
    file = File(tmp_path / "w", text)
    assert sum(form.recognises(file) for form in FORMATS) == 1
    for name in BUILT_IN:
        path = ROOT / "models" / "workloads" / f"{name}.toml"
        assert FORMATS[0].recognises(File(path, path.read_text()))


def test_the_page_names_all_that_there_is():
    page = (ROOT / "docs" / "workloads.md").read_text()
    names = {name for pair in ALGORITHMS.items() for name in (pair[0], *pair[1])}
    readers = {f"models/formats/{form.__name__.rpartition('.')[2]}.py" for form in FORMATS}
    assert all(f"`{name}`" in page for name in names | readers | set(BUILT_IN))


@pytest.mark.parametrize("cut", range(1, 7))
def test_a_file_that_ends_early_is_refused_or_whole(tmp_path, cut):
    """No prefix of a file is taken for one with less in it, nor breaks the reader."""
    for text in (AICB, CONNECTIONS, CHAKRA):
        lines = text.splitlines(keepends=True)
        with pytest.raises(WorkloadError):
            load(written(tmp_path, "short", "".join(lines[: len(lines) * cut // 8])))


@pytest.mark.parametrize("kind", KINDS)
def test_parallel_groups_part_the_ranks(kind):
    parallel = Parallel(tp=2, ep=2, dp=6, pp=3)
    groups = parallel.groups(kind)
    sizes = {"tp": 2, "ep": 2, "dp": 6, "pp": 3, "dp_ep": 3, "ep_tp": 4, "all": 36}
    assert sorted(rank for group in groups for rank in group) == list(range(36))
    assert {len(group) for group in groups} == {sizes[kind]}
    first = {"tp": 1, "ep": 2, "dp": 2, "pp": 12, "dp_ep": 4, "ep_tp": 1, "all": 1}
    assert groups[0][:2] == (0, first[kind]), "tensor-parallel ranks are neighbours"
    if kind != "pp":
        stages = [group for stage in range(3) for group in parallel.groups(kind, stage)]
        assert kind == "all" or sorted(stages) == sorted(groups)


def test_too_many_ranks_for_the_switch(tmp_path):
    workload = load(written(tmp_path, "step.txt", AICB.replace("all_gpus: 8", "all_gpus: 16")))
    with pytest.raises(ValueError, match=r"16 ranks and needs as many ports; NODE has 8: choose"):
        expand(NODE, workload)


@pytest.mark.parametrize(
    ("name", "config", "ranks", "count", "packets"),
    [
        ("aicb_gpt13b_tp8.txt", NODE, 8, 173, True),
        ("aicb_llama7b_tp2.txt", NODE, 2, 141, True),
        ("aicb_gpt13b_tp8_sp.csv", LINGYUN, 128, 412, False),
        ("simai_micro_allreduce.txt", NODE, 8, 2, True),
        ("incast.cm", RACK, 16, 15, True),
        ("perm_16n_16c_2MB.cm", RACK, 16, 16, True),
    ],
)
def test_samples(name, config, ranks, count, packets):
    workload = load(sample(name))
    assert workload.ranks == ranks
    assert len(collectives(workload.steps)) == count
    if packets:  # of the largest, 400,000 take too long here
        program = expand(config, workload, scale=1e6)
        assert len(program.results()) == len(collectives(workload.steps))
        assert program.times()["cycles"] == 0


def test_sample_of_a_trace_that_states_no_sizes():
    workload = load(sample("chakra_small.json"))
    assert workload.ranks == 8 and len(workload.steps) == 7
    assert sum(step.nanoseconds for step in workload.steps) == 1000 * (
        318 + 28 + 4 + 85 + 79 + 28 + 153
    )
    with pytest.raises(ValueError, match=r"sends nothing .1 communications of chakra_small"):
        expand(NODE, workload)
