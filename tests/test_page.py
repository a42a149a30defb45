"""The report: what its lines hold, and that a browser shows them with nothing but the page."""

import json
import os
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from click.testing import CliRunner

from models.config import NODE, TINY
from models.trial import Run as TrialRun
from models.trial import Trial
from sim import ROOT, cli
from sim.page import gather, main
from sim.page.curve import axes, curves, tail
from sim.page.document import document
from sim.page.figure import label, steady_load
from sim.page.source import Run, Sweep, read
from sim.sweep import main as run_sweep
from sim.sweep.point import Point, run_point
from sim.sweep.profile import OCTAVE, histogram, joined_ports, profile, waiting

FULL = "the switch falls behind"


def row(load=0.5, seed=1, delay=2.0, saturation="", config=NODE, cycles=1000, **settings) -> dict:
    """A made-up line of results.jsonl."""
    traffic = {name: value for name, value in settings.items() if hasattr(Trial, name)}
    switch = {name: value for name, value in settings.items() if name not in traffic}
    trial = Trial(config=config.with_(**switch), cycles=cycles, load=load, seed=seed, **traffic)
    known = not saturation
    result = {
        "settled": True,
        "saturation": saturation,
        "carried": load if known else 0.6,
        "ideal_carried": load,
        "delay": delay if known else None,
        "half_width": 0.25 if known else None,
        "ideal_delay": delay / 2 if known else None,
        "latency": {"p99": 30.0} if known else None,
        "profile": {
            "latency": [[13, 90], [14, 9], [20, 1]] if known else None,
            "ideal_latency": [[13, 100]] if known else None,
            "pairs": {
                "joined": 1,
                "packets": [[90, 0], [10, 0]],
                "carried": [[load, 0.0], [0.0, load]],
                "latency": [[13.0, None], [14.0, None]] if known else None,
            },
            "waiting": {"switch": [0, 4, 8], "sender": [0, 0, 3], "ideal": [0, 1, 1]},
        },
    }
    return {
        "identity": "0123456789abcdef",
        "settings": {"load": load, "seed": seed} | settings,
        "trial": json.loads(json.dumps(trial.dump())),
        "result": result,
        "versions": {"lingyun": "0.1.0", "numba": "1", "amaranth": "2"},
        "commit": "0123456789abcdef0123456789abcdef01234567-dirty",
    }


def sweep(*rows: dict, name: str = "made-up") -> Sweep:
    return Sweep(name, f"lingyun sweep {name}", rows)


SCHEDULERS, PATTERNS = ("islip", "wavefront"), ("uniform", "diagonal")
LOADS, SEEDS = (0.5, 0.8, 0.9), (1, 2, 3)


def grid() -> Sweep:
    """Two schedulers under two patterns; wavefront saturates at 0.9 under diagonal traffic."""
    return sweep(
        *(
            row(
                load,
                seed,
                10 * load + seed + 5 * (scheduler == "wavefront"),
                FULL if (scheduler, pattern, load) == ("wavefront", "diagonal", 0.9) else "",
                pattern=pattern,
                scheduler=scheduler,
            )
            for seed in SEEDS
            for load in reversed(LOADS)
            for pattern in PATTERNS
            for scheduler in SCHEDULERS
        )
    )


COLLECTIVE = {"algorithm": "ring", "bytes": 1000, "workload": "dense", "cycles": 3000}
RUN = Run(
    "one",
    "lingyun sim --config NODE",
    {
        "config": {"name": "NODE", "ports": 8, "scheduler": "islip", "iterations": 2}
        | {"clock_mhz": 1500.0, "line_gbps": 400.0},
        "order": {"packet_bytes": 256, "scale": 64.0, "seed": 1, "unshaped": False},
        "collectives": [
            COLLECTIVE | {"name": "gather", "bus_gbps": 300.0, "bus_bytes_per_cycle": 25.0},
            COLLECTIVE | {"name": "cut", "cycles": None, "bus_gbps": None},
        ],
        "seed": 1,
        "versions": {},
        "commit": None,
    },
)


# What a point of a sweep keeps


def test_histogram_is_fine_and_can_be_added():
    values = np.concatenate((np.arange(200), np.array([5000, 5001, 10**6])))
    found = np.array(histogram(values))
    assert found[:, 1].sum() == values.size
    lasts = found[:, 0]
    assert lasts[: 2 * OCTAVE].tolist() == [*range(2 * OCTAVE)], "small ones have their own"
    for last, count in found[:-3]:
        assert count == ((values <= last) & (values > last - count)).sum(), "no gap, no overlap"
    for value in values[1:]:
        last = lasts[np.searchsorted(lasts, value)]
        assert value <= last < value * (1 + 1 / OCTAVE)
    halves = histogram(values[::2]), histogram(values[1::2])
    assert tail(halves) == tail([histogram(values)])


def test_what_waits_is_what_has_come_and_not_gone():
    flits, since, until = np.array([1, 8, 2]), np.array([0, 5, -1]), np.array([10, -1, -1])
    assert waiting(flits, since, until, np.array([0, 1, 5, 6, 11])) == [0, 1, 1, 9, 8]


def test_ports_are_joined_when_there_are_many():
    matrix = np.arange(25).reshape(5, 5)
    assert joined_ports(matrix, 5).tolist() == matrix.tolist()
    small = joined_ports(matrix, 3)
    assert small.shape == (3, 3) and small.sum() == matrix.sum()
    assert small[0, 0] == 0 + 1 + 5 + 6 and small[2, 2] == 24


def test_profile_agrees_with_the_result():
    one = Trial(config=TINY.with_(speedup=1.25), cycles=4000, load=0.6)
    result = run_point(Point(one))["result"]
    found = result["profile"]
    packets = np.array(found["pairs"]["packets"])
    assert packets.sum() == sum(count for _, count in found["latency"]) > 1000
    assert np.sum(found["pairs"]["carried"]) / 2 == pytest.approx(result["carried"], rel=1e-3)
    assert found["latency"][-1][0] >= result["latency"]["max"]
    assert found["ideal_latency"][0][0] == found["latency"][0][0] == TINY.latency
    means = np.array(found["pairs"]["latency"])
    assert TINY.latency < means.min() and means.max() < result["latency"]["p99"]
    held = found["waiting"]
    assert len(held["switch"]) == len(held["ideal"]) == 201 and held["switch"][0] == 0
    # Little's law: what waits is the rate times the time that it waits.
    mean = (packets * means).sum() / packets.sum()
    rate = result["carried"] * 2 / 1.25
    inside = np.mean(held["switch"][40:]) + np.mean(held["sender"][40:])
    assert inside == pytest.approx(rate * mean, rel=0.15)


def test_profile_leaves_out_the_warm_up_and_counts_senders():
    run = TrialRun(Trial(config=TINY, cycles=2000, load=1.0))
    while not run.done:
        run.advance()
    table, found = run.packets, profile(run, 500, steady=True)
    delivered = table.completed >= 0
    late = (delivered & (table.cycle >= 500)).sum()
    assert 0 < late < delivered.sum()
    assert sum(count for _, count in found["latency"]) == late
    assert np.sum(found["pairs"]["packets"]) == late
    sender, switch = (found["waiting"][name][-1] for name in ("sender", "switch"))
    assert sender == table.flits[table.injected < 0].sum() > 10, "full lines fall behind"
    assert switch == table.flits[(table.injected >= 0) & ~delivered].sum()
    assert profile(run, 500, steady=False)["latency"] is None


# Lines


def test_points_are_grouped_by_all_that_differs_but_load_and_seed():
    data = gather([grid()])
    assert [axis["name"] for axis in data["axes"]] == ["pattern", "scheduler"]
    assert [axis["traffic"] for axis in data["axes"]] == [True, False]
    assert {tuple(line["settings"].values()) for line in data["lines"]} == {
        (pattern, scheduler) for pattern in PATTERNS for scheduler in SCHEDULERS
    }
    for line in data["lines"]:
        assert [point["load"] for point in line["points"]] == list(LOADS)
        assert [point["runs"] for point in line["points"]] == [len(SEEDS)] * len(LOADS)
        slow = 5 * (line["settings"]["scheduler"] == "wavefront")
        assert line["points"][0]["delay"]["mean"] == pytest.approx(10 * 0.5 + 2 + slow)
    assert {(line["traffic"], line["switch"]) for line in data["lines"]} == {
        (traffic, switch) for traffic in (0, 1) for switch in (0, 1)
    }
    uniform = [line for line in data["lines"] if line["traffic"] == 0]
    assert [label(data, line, uniform) for line in uniform] == list(SCHEDULERS)
    assert label(data, uniform[0], data["lines"]) == "uniform, islip"
    assert steady_load(data, uniform) == 0.9
    assert steady_load(data, data["lines"]) == 0.8


def test_mean_and_interval_over_the_seeds():
    (line,) = curves([sweep(*(row(seed=s, delay=d) for s, d in ((1, 1.0), (2, 2.0), (3, 3.0))))])[
        "lines"
    ]
    delay = line["points"][0]["delay"]
    assert delay["mean"] == pytest.approx(2)
    assert delay["half_width"] == pytest.approx(4.3027 / 3**0.5, rel=1e-4)  # Student's t, 2 degrees
    assert line["points"][0]["carried"] == {"mean": 0.5, "half_width": 0}
    (alone,) = curves([sweep(row())])["lines"]
    assert alone["points"][0]["delay"] == {"mean": 2.0, "half_width": 0.25}, "its own batches"


def test_one_saturated_seed_saturates_the_point():
    data = curves([sweep(row(seed=1), row(seed=2, saturation=FULL), row(0.4), row(0.4, 2))])
    good, full = data["lines"][0]["points"]
    assert (good["load"], full["load"]) == (0.4, 0.5)
    assert good["saturated"] == 0 and good["delay"] and good["tail"] and good["p99"] == 30
    assert (full["saturated"], full["runs"], full["why"]) == (1, 2, FULL)
    assert full["delay"] is full["tail"] is full["p99"] is full["pairs"]["latency"] is None
    assert full["carried"]["mean"] == pytest.approx(0.55)
    assert [point["load"] for point in data["ideals"][0]] == [0.4]


def test_ideal_is_one_for_all_switches_with_the_same_traffic():
    data = curves([grid()])
    assert len(data["ideals"]) == len(PATTERNS)
    for line in data["lines"]:
        assert line["ideal"] == line["traffic"]
    assert data["ideals"][0][0] == {"load": 0.5, "delay": pytest.approx((7 + 12) / 2 / 2)}
    ports = curves([sweep(row(ports=4), row(ports=8))])
    assert len(ports["ideals"]) == 2, "other ports have other arrivals"


def test_schedulers_of_cells_are_shown_together():
    rows = [row(load, policy=name) for name in ("islip", "longest-queue") for load in LOADS]
    data = gather([sweep(*rows)])
    assert [(axis["name"], axis["traffic"]) for axis in data["axes"]] == [("policy", False)]
    assert len(data["lines"]) == 2 and len(data["ideals"]) == 1
    assert data["cycle"] == "", "a slot has no time"
    assert gather([grid()])["cycle"] == " of 0.667 ns"


def test_tail_is_the_part_that_takes_longer():
    found = tail([[[1, 1], [4, 1]], [[4, 2]]])
    assert found == {"x": [1, 1, 4], "y": [1.0, 0.75, 0.125]}


def test_pairs_are_means_over_packets():
    one, two = row(seed=1), row(seed=2)
    two["result"]["profile"]["pairs"] |= {
        "packets": [[10, 0], [10, 5]],
        "latency": [[33.0, None], [16.0, 20.0]],
    }
    pairs = curves([sweep(one, two)])["lines"][0]["points"][0]["pairs"]
    assert pairs["latency"] == [[15.0, None], [15.0, 20.0]]
    assert pairs["carried"] == [[0.5, 0.0], [0.0, 0.5]]


def test_several_sweeps_lie_side_by_side():
    one = sweep(row(iterations=1), row(iterations=2))
    two = sweep(row(config=NODE.with_(ports=4)), name="other")
    assert [axis["name"] for axis in axes([one, two])] == ["sweep", "iterations"]
    data = curves([one, two])
    assert len(data["lines"]) == 3
    assert {"sweep": "other", "iterations": "1"} in [line["settings"] for line in data["lines"]]
    assert data["axes"][1]["called"] == ["iterations 1", "iterations 2"]


def test_header_says_what_made_it():
    (origin, other) = gather([grid(), RUN])["origins"]
    assert origin["command"] == "lingyun sweep made-up"
    for fact in ("36 points of 1,000 cycles", "seeds 1 to 3", "0123456789ab-dirty", "numba 1"):
        assert fact in origin["facts"]
    assert "amaranth" not in origin["facts"]
    assert other["command"] == RUN.command and "commit unknown" in other["facts"]


def test_collective_that_did_not_end_has_no_bar():
    (group,) = gather([RUN])["collectives"]
    assert group["run"] == "NODE islip x2" and group["names"] == ["gather, ring"]
    assert group["time"] == [2.0] and group["bus"] == [300.0] and group["line"] == 400.0
    twice = gather([RUN, RUN])["collectives"]
    assert [group["run"] for group in twice] == ["NODE islip x2 (one)"] * 2


# Files


def written(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def lines_of(found: Sweep) -> str:
    return "".join(f"{json.dumps(line)}\n" for line in found.rows)


@pytest.mark.parametrize(
    "text, says",
    [
        ("", "is empty: run its sweep again"),
        ("\n", "is empty"),
        ("<html>", "is cut short, or no results at all"),
        (lines_of(grid())[:-30], "is cut short, or no results at all"),
        ("[]", "holds other things than results"),
        ("3", "holds other things than results"),
        ('{"point": 1}\n{"point": 2}', "holds other things than results"),
        (lines_of(grid()).replace('"profile"', '"p"'), "is of an older `lingyun sweep`"),
        (lines_of(grid()) + "[]\n", "holds other things than results"),
        ('{"complete": false, "config": "NODE", "seed": 1}', "is of a run that did not end"),
        ('{"collectives": [], "totals": {}, "config": {}, "order": {}}', "holds no collective"),
    ],
    ids=lambda value: value[:24].strip() if isinstance(value, str) else "",
)
def test_foreign_file_is_one_sentence(text, says, tmp_path):
    path = written(tmp_path / "results.jsonl", text)
    answer = CliRunner().invoke(cli.main, ["report", str(path), "--output", str(tmp_path / "o")])
    assert answer.exit_code == 2
    assert answer.output.startswith("Error: ") and len(answer.output.splitlines()) == 1
    assert says in answer.output and str(path) in answer.output


def test_nothing_to_report_is_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr("sim.page.source.SWEEPS", tmp_path / "sweep")
    monkeypatch.setattr("sim.page.source.RUNS", tmp_path / "sim")
    for arguments in ([], ["absent"]):
        answer = CliRunner().invoke(cli.main, ["report", *arguments])
        assert answer.exit_code == 2 and "run `lingyun sweep iterations`" in answer.output
    for name in ("old", "new"):
        written(tmp_path / "sweep" / name / "results.jsonl", lines_of(grid()))
    os.utime(tmp_path / "sweep" / "old" / "results.jsonl", (1, 1))
    main((), tmp_path / "out", ["html"])
    assert "<h1>Lingyun: new</h1>" in (tmp_path / "out" / "report.html").read_text()
    main(("old",), tmp_path / "out", ["html"])
    assert "<h1>Lingyun: old</h1>" in (tmp_path / "out" / "report.html").read_text()


def test_report_of_a_real_sweep(tmp_path):
    """From the file of a sweep to all files of its report; the same bytes each time."""
    plan = 'base = "TINY"\ncycles = 1000\nspeedup = 1.25\n[axes]\nload = [0.3, 0.6]\nseed = [1, 2]'
    path, folder = written(tmp_path / "it.toml", plan), tmp_path / "swept"
    assert run_sweep(path, workers=1, output=folder) == 0
    found = read(folder / "results.jsonl")
    assert isinstance(found, Sweep)
    assert found.name == "swept" and found.command == f"lingyun sweep {path}"
    answers = []
    for name in ("one", "two"):
        arguments = ["report", str(folder), "--output", str(tmp_path / name)]
        assert CliRunner().invoke(cli.main, arguments).exit_code == 0
        answers.append({file.name: file.read_bytes() for file in (tmp_path / name).iterdir()})
    assert answers[0] == answers[1]
    charts = {"delay", "saturation", "tail", "waiting", "pairs"}
    assert set(answers[0]) == {"report.html"} | {
        f"{chart}.{form}" for chart in charts for form in ("png", "svg")
    }


def test_pictures_of_all_charts(tmp_path):
    written(tmp_path / "in" / "results.jsonl", lines_of(grid()))
    text = json.dumps(RUN.results | {"totals": {}})
    text = text.replace('"order": {', '"order": {"workloads": ["dense"], "engine": "model", ')
    path = written(tmp_path / "run" / "results.json", text)
    main((str(tmp_path / "in"), str(path)), tmp_path / "out", ["svg"])
    names = {file.stem for file in (tmp_path / "out").iterdir()}
    charts = ("delay", "saturation", "tail", "waiting", "pairs")
    assert names == {f"{c}-{pattern}" for c in charts for pattern in PATTERNS} | {"collectives"}
    for file in (tmp_path / "out").iterdir():
        ElementTree.parse(file)


# The page


class Loads(HTMLParser):
    """Collects what a page would fetch."""

    def __init__(self):
        super().__init__()
        self.found: list[str] = []
        self.policy = ""

    def handle_starttag(self, tag, attributes):
        facts = dict(attributes)
        self.found += [f"{tag} {name}" for name in ("src", "href", "srcset") if name in facts]
        if tag in ("iframe", "object", "embed", "link", "base"):
            self.found.append(tag)
        if facts.get("http-equiv") == "Content-Security-Policy":
            self.policy = facts["content"]


def fetched(page: str) -> list[str]:
    parser = Loads()
    parser.feed(page)
    found = parser.found if "default-src 'none'" in parser.policy else ["no policy"]
    for part in ("page.js", "page.css"):
        text = (ROOT / "sim" / "page" / part).read_text()
        found += re.findall(r"https?:|//\w+\.|fetch\(|import\b|XMLHttp|url\(", text)
    return found


def test_page_needs_nothing_else():
    page = document(gather([grid(), RUN]))
    assert fetched(page) == []
    assert page.count("plotly.js v") == 1, "inlined once"
    for bad in ('<script src="p.js"></script>', '<link rel="stylesheet" href="p.css">'):
        assert fetched(page.replace("</head>", f"{bad}</head>"))
    assert fetched(page.replace("default-src 'none'", "default-src *")) == ["no policy"]


def test_no_name_breaks_out_of_the_data():
    name = '</script><script>alert("&")</script>'
    page = document(gather([sweep(row(), name=name)]))
    assert page.count("<script>alert") == 0
    assert "&lt;/script&gt;&lt;script&gt;alert(&quot;&amp;&quot;)" in page
    embedded = page.partition('id="data">')[2].partition("</script>")[0]
    assert json.loads(embedded)["title"] == f"Lingyun: {name}"


@pytest.fixture
def browse(tmp_path):
    """Opens a page in a browser without a window; what it then holds, and what its console says."""
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
    if program is None:
        message = "chromium is missing: install it (Debian, Ubuntu: apt install chromium)"
        if "REQUIRE_TOOLS" in os.environ:
            pytest.fail(message)
        pytest.skip(message)

    def open_page(page: str, fragment: str = "", then: str = "") -> tuple[str, list[str]]:
        """``then`` is run when the page is drawn."""
        if then:
            page = page.replace("</body>", f"<script>{then}</script></body>")
        path = written(tmp_path / "page.html", page)
        options = ["--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr"]
        options += ["--window-size=1280,2000", "--dump-dom"]
        options += [f"--user-data-dir={tmp_path / 'profile'}", "--virtual-time-budget=20000"]
        found = subprocess.run(
            [program, *options, f"{path.as_uri()}{fragment}"],
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        )
        said = [line for line in found.stderr.splitlines() if ":CONSOLE" in line]
        # What is drawn, without the data and the scripts that draw it.
        return re.sub(r"<script.*?</script>", "", found.stdout, flags=re.DOTALL), said

    return open_page


def chart(dom: str, name: str) -> str:
    """The section ``name`` of a page."""
    return dom.partition(f'id="section-{name}"')[2].partition("</section>")[0]


def legend(dom: str, name: str) -> list[str]:
    return re.findall(r'class="legendtext"[^>]*>([^<]*)<', chart(dom, name))


def rows_of(dom: str, table: str) -> list[list[str]]:
    body = dom.partition(f'id="{table}"')[2].partition("<tbody>")[2].partition("</tbody>")[0]
    return [
        [re.sub("<[^>]*>", "", cell) for cell in re.findall(r"<td>(.*?)</td>", line)]
        for line in body.split("<tr>")[1:]
    ]


def test_browser_shows_every_chart(browse):
    dom, said = browse(document(gather([grid(), RUN])))
    assert said == []
    assert 'id="failure" hidden' in dom
    both = [*SCHEDULERS, "ideal switch"]
    for name in ("delay", "tail", "waiting"):
        assert legend(dom, name) == both, name
    assert chart(dom, "delay").count('class="errorbar"') == len(SCHEDULERS) * len(LOADS)
    assert chart(dom, "delay").count('class="yerror"') == len(SCHEDULERS) * len(LOADS)
    for name in ("latency", "carried"):
        assert 'class="hm"' in chart(dom, name), name
    for name in ("time", "bus"):
        assert legend(dom, name) == ["NODE islip x2"]
        assert len(re.findall(r'class="point[ "]', chart(dom, name))) == 1
    assert rows_of(dom, "saturation") == [
        [name, "0.9", "0.900 ± 0.000", "0.900", "not seen"] for name in SCHEDULERS
    ]
    assert rows_of(dom, "steady")[0] == ["islip", "11.000 ± 2.484", "2.00", "30"]
    for title in (
        "offered load, part of the line rate",
        "delay, flit times",
        "latency, cycles of 0.667 ns",
        "part that takes longer",
        "flits that wait",
        "mean latency, cycles",
        "time, µs",
        "bus bandwidth, Gbit/s",
        "lingyun sweep made-up",
        "lingyun sim --config NODE",
        "0123456789ab-dirty",
    ):
        assert title in dom, title


def test_filters_are_kept_in_the_address(browse):
    page = document(gather([grid()]))
    dom, said = browse(page, "#pattern=diagonal")
    assert said == []
    assert rows_of(dom, "saturation")[1] == ["wavefront", "0.9", "0.600 ± 0.000", "0.900", "0.9"]
    assert rows_of(dom, "steady")[0][1] == "10.000 ± 2.484", "at load 0.8, the highest steady"
    points = len(SCHEDULERS) * len(LOADS)
    high = re.findall(r'class="point[ "][^>]*translate\([^,]*,([^)]*)\)', chart(dom, "delay"))
    assert len(high) == points
    assert sum(float(y) < 25 for y in high) == 1, "that of the saturated load, at the top edge"
    assert chart(dom, "delay").count('class="errorbar"') == points - 1
    assert "hidden" in dom.partition('id="section-bus"')[2][:20], "no run, no collectives"

    dom, _ = browse(page, "#pattern=diagonal&scheduler=wavefront&load=0.9")
    assert [line[0] for line in rows_of(dom, "steady")] == ["wavefront"]
    assert rows_of(dom, "steady")[0][1] == "saturated"
    assert "saturated: no steady state" in chart(dom, "tail")

    some = sweep(row(), row(0.9, 1, saturation=FULL), row(0.9, 2))
    dom, _ = browse(document(gather([some])))
    assert rows_of(dom, "saturation")[0][4] == "0.9 (1 of 2)"

    dom, said = browse(page, "#pattern=none&other=1")
    assert said == [] and rows_of(dom, "saturation")[1][4] == "not seen", "as without a fragment"


def test_filters_work_by_hand(browse):
    change = """
        const select = document.getElementById("filter-pattern");
        select.value = "all";
        select.dispatchEvent(new Event("change"));
        document.title = location.hash;
    """
    dom, said = browse(document(gather([grid()])), then=change)
    assert said == []
    assert [line[0] for line in rows_of(dom, "saturation")] == [
        f"{pattern}, {scheduler}" for pattern in PATTERNS for scheduler in SCHEDULERS
    ]
    assert len(legend(dom, "delay")) == 5
    assert "<title>#pattern=all</title>" in dom


def test_broken_page_says_so(browse):
    """What the other tests look at is there to be seen."""
    page = document(gather([grid()]))
    dom, said = browse(page.replace("drawDelay(lines);", "drawDelays(lines);"))
    assert any("drawDelays is not defined" in line for line in said)
    assert "This page is not complete" in dom and 'id="failure" hidden' not in dom
    _, said = browse(page.replace("</head>", '<script src="other.js"></script></head>'))
    assert any("Content Security Policy" in line for line in said)


def test_page_without_sweeps(browse):
    dom, said = browse(document(gather([RUN])))
    assert said == []
    assert legend(dom, "time") == ["NODE islip x2"] and rows_of(dom, "saturation") == []
