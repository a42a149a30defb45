"""Tables, results.json and the picture say what happened; the save file finds every port."""

import io
import json

import numpy as np
import pytest
from rich.console import Console

from models.config import NODE, TINY
from models.ideal import ideal
from models.traffic import Sinks, Sources, generate
from models.workload import expand, load
from sim.report import Recorder, plot, show, summary, write
from sim.wave import signals, write_save_file
from tests.test_traffic import Fabric


def run(config, table, cycles=None, program=None, fabric=None):
    sources, sinks, fabric = Sources(config, table), Sinks(config, table), fabric or Fabric(config)
    recorder, cycle = Recorder(config, 100), 0
    while not program.done if program else cycle < cycles:
        fabric.step(sources, sinks, cycle)
        if program:
            program.advance(sinks, cycle)
        cycle += 1
        if cycle % 100 == 0:
            held = np.array([[len(x) for x in y] for y in (fabric.arriving, fabric.leaving)])
            recorder.sample(cycle, sources, sinks, *held)
    recorder.sample(cycle, sources, sinks, *np.zeros((2, config.ports)))
    return sources, sinks, recorder, cycle


def printed(results) -> str:
    console = Console(width=90, record=True, file=io.StringIO())
    show(results, console)
    return console.export_text()


def test_workload_report(tmp_path):
    program = expand(NODE, load("moe-ep8"), scale=2048)
    sources, sinks, recorder, cycles = run(NODE, program.packets, program=program)
    records = [{"workload": "moe-ep8"} | record for record in program.results()]
    results = summary(
        NODE,
        sources,
        sinks,
        cycles=cycles,
        seed=7,
        complete=True,
        cycles_compared=cycles,
        collectives=records,
        engine="model",
    )
    write(tmp_path / "results.json", results)
    assert list(tmp_path.iterdir()) == [tmp_path / "results.json"], "no draft is left"
    stored = json.loads((tmp_path / "results.json").read_text())
    totals, count = stored["totals"], program.packets.cycle.size
    assert totals["offered"] == totals["delivered"] == count
    assert totals["offered_bytes"] == totals["delivered_bytes"] == program.packets.length.sum()
    assert totals["cycles_compared"] == totals["cycles"] == cycles
    wrong = ("lost", "reordered", "duplicated", "dropped", "errored", "corrupted", "mismatches")
    assert all(totals[name] == 0 for name in wrong)
    assert stored["seed"] == 7 and stored["complete"] is True and stored["engine"] == "model"
    assert stored["config"]["name"] == "NODE" and "numba" in stored["versions"]
    assert stored["collectives"] == records
    ports = stored["ports"]
    wire = sum(port["wire_gbps"] for port in ports) / 8e-3 / NODE.clock_mhz * cycles
    assert wire == pytest.approx(totals["delivered_bytes"] + 20 * count, abs=8)
    assert all(0 < port["line_share"] <= 1 for port in ports)
    text = printed(results)
    assert "dispatch" in text and "moe-ep8" in text and f"{count:,}" in text
    plot(tmp_path / "a.png", NODE, recorder, sinks, collectives=records)
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_load_report(tmp_path):
    table = generate(NODE, cycles=1500, load=0.8, mix="eight", seed=2)
    sources, sinks, recorder, cycles = run(NODE, table, 2500)
    results = summary(NODE, sources, sinks, cycles=cycles, seed=2, complete=True)
    delays = table.departed - table.cycle
    shown = results["delay"]["generation"]
    assert shown["cycles"]["max"] == delays.max()
    assert shown["cycles"]["p50"] == np.median(delays)
    assert shown["ns"]["mean"] == pytest.approx(delays.mean() / 1.5)
    assert results["delay"]["injection"]["cycles"]["max"] <= delays.max()
    wait = ideal(NODE, table).departed - table.cycle
    plot(tmp_path / "a.png", NODE, recorder, sinks, ideal=wait)
    assert recorder.cycles[-1] == cycles
    given = np.diff(np.array(recorder.given), axis=0) / np.diff(recorder.cycles)[:, None]
    allowed = sinks.line.gain + (2 * 64 + 20) * 65536 / 100
    assert given.max() <= allowed, "no sample shows more than the line takes"


def test_bad_run_is_seen():
    """One packet vanishes; the run was cut short, so what is still inside is not lost."""
    table = generate(NODE, cycles=600, load=0.5, mix="eight", seed=3)
    seen = iter(range(1 << 20))
    fabric = Fabric(NODE, lambda flits: [] if next(seen) == 20 else [flits])
    sources, sinks, _, cycles = run(NODE, table, 580, fabric=fabric)
    cut = summary(NODE, sources, sinks, cycles=cycles, seed=3, complete=False)["totals"]
    assert cut["lost"] == 1 and cut["offered"] > cut["delivered"] + 1
    full = summary(NODE, sources, sinks, cycles=cycles, seed=3, complete=True)
    assert full["totals"]["lost"] == cut["offered"] - cut["delivered"]
    assert "not complete" not in printed(full)


def test_nothing_happened(tmp_path):
    """No clock, no packet: dashes, not a crash."""
    table = generate(TINY, cycles=100, load=0.5, seed=1)
    sources, sinks = Sources(TINY, table), Sinks(TINY, table)
    results = summary(TINY, sources, sinks, cycles=1, seed=1, complete=False)
    write(tmp_path / "r.json", results)
    assert "not complete" in printed(results)
    assert results["delay"]["generation"] == {"cycles": None, "ns": None}
    recorder = Recorder(TINY, 10)
    recorder.sample(1, sources, sinks, np.zeros(2), np.zeros(2))
    plot(tmp_path / "a.png", TINY, recorder, sinks)


def test_many_ports_are_shown_as_a_range():
    config = NODE.with_(ports=32, ingress_flits=4096, limit_flits=80)
    table = generate(config, cycles=200, load=0.5, seed=1)
    sources, sinks, _, cycles = run(config, table, 300)
    text = printed(summary(config, sources, sinks, cycles=cycles, seed=1, complete=True))
    assert "\n  least " in text and "\n  most " in text and "\n  31 " not in text


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "results.json"
    write(path, {"totals": 1})
    with pytest.raises(TypeError):
        write(path, {"totals": object()})
    assert json.loads(path.read_text()) == {"totals": 1}


HEADER = """$version Generated by VerilatedVcd $end
$timescale 1ps $end
 $scope module top $end
  $var wire 1 # clk $end
  $scope module dut $end
   $var wire 1 # clk $end
   $scope module dut $end
    $var wire 1 # clk $end
    $var wire 8 $ i__0__payload [7:0] $end
    $var wire 1 % i__10__valid $end
    $var wire 1 & $12 $end
    $scope module crossbar $end
     $var wire 4 ' select [3:0] $end
    $upscope $end
   $upscope $end
  $upscope $end
 $upscope $end
$enddefinitions $end
#0
"""


def test_save_file_of_vcd(tmp_path):
    dump = tmp_path / "dump.vcd"
    dump.write_text(HEADER)
    lines = write_save_file(dump).read_text().splitlines()
    assert lines.count("top.clk") == 1 and not any("$12" in line for line in lines)
    for group, member in (
        ("-dut port 0", "top.dut.dut.i__0__payload[7:0]"),
        ("-dut port 10", "top.dut.dut.i__10__valid"),
        ("-dut.crossbar", "top.dut.dut.crossbar.select[3:0]"),
    ):
        first, last = (n for n, line in enumerate(lines) if line == group)
        assert first < lines.index(member) < last


def test_signals_of_fst(tmp_path):
    """The hierarchy of an FST, stored as one LZ4 block of literals and a match."""
    variables = (b"\x10\x00" + name + b" [7:0]\0\x08\0" for name in (b"a", b"b"))
    scope, inner = b"\xfe\x00top\0\0", b"\xfe\x00dut\0\0"
    tree = scope + inner + next(variables) + b"\xff" + next(variables) + b"\xff"
    repeat = tree.index(b" [7:0]", 20)
    back = repeat - tree.index(b" [7:0]")
    head, tail = tree[:repeat], tree[repeat + 6 :]
    block = bytes([0xF0 | 6 - 4, len(head) - 15]) + head + bytes([back, 0])
    block += bytes([len(tail) << 4]) + tail
    content = len(tree).to_bytes(8, "big") + block
    dump = tmp_path / "dump.fst"
    header = b"\x00" + (329).to_bytes(8, "big") + bytes(321)
    dump.write_bytes(header + b"\x06" + (len(content) + 8).to_bytes(8, "big") + content)
    assert signals(dump) == [(("top", "dut"), "a[7:0]"), (("top",), "b[7:0]")]
    with pytest.raises(ValueError, match=r"waves must be a \.vcd or \.fst file"):
        signals(tmp_path / "dump.txt")
