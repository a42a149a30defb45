"""The command ``lingyun``: one verb for everything that the project does.

Exit status: 0 all good; 1 a check failed; 2 the user or the machine must change something, and one
sentence says what.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, NoReturn

import click
from click.core import ParameterSource

from models.config import NAMED, SCHEDULERS, SwitchConfig, named
from sim import BUILD, ROOT
from sim.config_file import read_config
from sim.placement import ROUTERS

__all__ = ["main"]

WORKLOADS = tuple(sorted(file.stem for file in (ROOT / "models" / "workloads").glob("*.toml")))
SWEEPS = {file.stem: file for file in sorted((ROOT / "sim" / "sweeps").glob("*.toml"))}
CLUSTERS = ("slurm", "lsf", "sge", "pbs")
BOARDS = ("ulx3s", "versa_ecp5_5g", "ice40_hx8k_b_evn")
COMPILER = ("g++", "make", "perl", "Python's shared library")
DOCUMENTER = ("Sphinx", "MyST", "Furo", "Schemdraw")
PROVER = ("yosys for proofs and FPGAs", "SymbiYosys", "z3")


class Lingyun(click.Group):
    """A group whose errors are one sentence, and whose verbs are listed as they are written."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (ValueError, OSError) as error:
            if ctx.params["traceback"]:
                raise
            raise click.UsageError(str(error)) from None

    def main(self, *args: Any, **kwargs: Any) -> NoReturn:
        try:
            status = super().main(*args, **(kwargs | {"standalone_mode": False}))
        except click.exceptions.NoArgsIsHelpError as error:
            click.echo(error.format_message())
            status = 0
        except click.Abort:
            status = 130
        except click.ClickException as error:
            click.echo(f"Error: {error.format_message()}", err=True)
            status = 2
        sys.exit(status)


class Configuration(click.ParamType):
    """A named configuration, or a file for ``read_config``."""

    name = "NAME|FILE"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> SwitchConfig:
        if isinstance(value, SwitchConfig):
            return value
        try:
            return read_config(Path(value)) if value.endswith(".toml") else named(value)
        except (ValueError, OSError) as error:
            self.fail(f"{error}.", param, ctx)


class Workload(click.ParamType):
    """A built-in workload, as its name, or a file, as its path."""

    name = "NAME|FILE"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> str | Path:
        if value in WORKLOADS:
            return value
        if not Path(value).is_file():
            known = ", ".join(WORKLOADS)
            self.fail(f"no workload {value!r}: name one of {known}, or a file.", param, ctx)
        return Path(value)


class SweepFile(click.ParamType):
    """A sweep of ours, as its name, or a file."""

    name = "NAME|FILE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        if value in SWEEPS:
            return SWEEPS[value]
        if not Path(value).is_file():
            self.fail(
                f"no sweep {value!r}: name one of {', '.join(SWEEPS)}, or a file.", param, ctx
            )
        return Path(value)


class Folder(click.ParamType):
    """A folder that can be written; it is made if it is not there."""

    name = "FOLDER"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        try:
            Path(value).mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=value):
                pass
        except OSError as error:
            self.fail(f"cannot write to {value}: {error.strerror}; name another.", param, ctx)
        return Path(value)


def ready_sweeps() -> str:
    """The sweeps of ours, each with the comment that its file begins with."""
    first = {name: file.read_text().splitlines()[0] for name, file in SWEEPS.items()}
    lines = (f"  {name:<13}{line.removeprefix('# ')}" for name, line in first.items())
    return "\n".join(("\b", "Ready to run:", *lines))


def need(*names: str) -> None:
    """Stop unless the machine passes the checks ``names`` of ``sim.doctor``."""
    from sim.doctor import missing

    if check := missing(*names):
        raise click.UsageError(f"{check.name} is missing: {check.cure}.")


def run_tests(
    selection: str,
    arguments: tuple[str, ...],
    seed: int | None = None,
    waves: bool = False,
    every_tool: bool = False,
) -> int:
    """Run the tests that have the markers of ``selection``; the exit status of pytest.

    Tests of moderate size run side by side; one of full size may want all memory for itself. A test
    whose tool the machine lacks is skipped by name, or fails with ``every_tool``.
    """
    environment = {} if seed is None else {"BENCH_SEED": str(seed)}
    if waves:
        environment["BENCH_WAVES"] = "1"
    if every_tool:
        environment["REQUIRE_TOOLS"] = "1"
    command = [sys.executable, "-m", "pytest", "-m", selection, "--times", "-rs"]
    if "not slow" in selection:
        command += ["-n", "auto", "--maxprocesses", "4", "--dist", "worksteal"]
    return subprocess.run(
        [*command, *arguments], cwd=ROOT, env=os.environ | environment, check=False
    ).returncode


config_option = click.option(
    "--config",
    type=Configuration(),
    default="NODE",
    show_default=True,
    help=f"What to build: {', '.join(NAMED)}, or a TOML file with base = one of these and the "
    "fields that differ, such as ports = 16.",
)
fec_option = click.option(
    "--fec",
    type=click.Choice(["none", "rs272", "rs544"]),
    default="rs272",
    show_default=True,
    help="Code for forward error correction; error rates are those before it.",
)
interleave_option = click.option(
    "--interleave",
    type=click.Choice(["1", "2", "4"]),
    default="1",
    show_default=True,
    help="Codewords whose symbols take turns, so that a burst on a lane may be as many times as "
    "long; each waits for all.",
)
skew_option = click.option(
    "--skew",
    type=click.IntRange(min=0),
    default=0,
    help="With lanes: bits that one may be later than another; they are swapped, too.",
)
ppm_option = click.option(
    "--ppm",
    type=click.IntRange(min=0),
    help="With lanes: the clock of the lines from one end is so many parts per million too fast, "
    "that of those from the other too slow, 0 to 100; each lane has a phase of its own. By default "
    "all have the clock of the ends.",
)
config_option_of_links = click.option(
    "--config",
    type=Configuration(),
    default="NODE",
    show_default=True,
    help="Whose links: " + ", ".join(NAMED) + ", or a TOML file.",
)
test_seed_option = click.option(
    "--seed",
    type=click.IntRange(min=0),
    help="Seed of all benches; a failure prints the one it had. 0 draws one for each bench.",
)
test_waves_option = click.option(
    "--waves", is_flag=True, help="Record waves of each bench, in its folder under build/sim."
)
router_option = click.option(
    "--router",
    type=click.Choice(ROUTERS),
    default=ROUTERS[0],
    show_default=True,
    help="Router of nextpnr: router1 gives the faster design, router2 is done sooner.",
)
test_arguments = click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
passes_arguments = {"ignore_unknown_options": True}


@click.group(cls=Lingyun, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--traceback", is_flag=True, help="On an error, show where it came from.")
@click.version_option(package_name="lingyun")
def main(traceback: bool) -> None:
    """Lingyun, an open AI scale-up switch chip: RTL beside a golden model.

    Begin with `lingyun sim`: it sends the traffic of two AI workloads through model and RTL,
    compares them in every cycle, and shows what came of it. Everything generated lies under build/.

    Exit status: 0 all good, 1 a check failed, 2 something must be changed first; the message says
    what.
    """


@main.command("help")
@click.argument("verb", required=False)
@click.pass_context
def show_help(ctx: click.Context, verb: str | None) -> None:
    """Explain VERB, or list the verbs."""
    if verb is None:
        click.echo(main.get_help(ctx.find_root()))
        return
    command = main.get_command(ctx, verb)
    if command is None:
        raise click.UsageError(f"no verb {verb!r}; there are {', '.join(main.commands)}.")
    with click.Context(command, info_name=verb, parent=ctx.find_root()) as context:
        click.echo(command.get_help(context))


@main.command()
def setup() -> int:
    """Install again what pyproject.toml asks for, in the versions of constraints.txt."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    command += ["--constraint", "constraints.txt", "--editable", ".[dev]"]
    return subprocess.run(command, cwd=ROOT, check=False).returncode


@main.command()
def doctor() -> int:
    """Check the machine: what is there, in which version, and the cure for what is not.

    Needed things that are missing give exit status 2. Wanted ones only save time or space: ccache
    makes a rebuild quick, the headers of lz4 and zlib make waves small, GTKWave shows them.
    """
    from sim.doctor import examine

    return examine()


@main.command()
def lint() -> int:
    """Check style (ruff) and types (pyright)."""
    checks = (
        ("ruff", "check", "."),
        ("ruff", "format", "--check", "."),
        ("pyright", "--pythonpath", sys.executable),
    )
    results = [
        subprocess.run([sys.executable, "-m", *check], cwd=ROOT, check=False).returncode
        for check in checks
    ]
    return int(any(results))


@main.command(context_settings=passes_arguments)
@test_arguments
def unit(arguments: tuple[str, ...]) -> int:
    """Test models and tools, without a simulator; about two minutes.

    ARGUMENTS go to pytest.

    \b
    Examples:
      lingyun unit
      lingyun unit -x -k config      stop at the first failure, only tests about config
    """
    return run_tests("not verilator and not formal and not fpga and not slow", arguments)


@main.command()
@config_option
@click.option(
    "--workload",
    "workloads",
    type=Workload(),
    multiple=True,
    default=WORKLOADS,
    help=f"Traffic to run: {', '.join(WORKLOADS)}, or a file: TOML like those in models/workloads, "
    "workload text or CSV of AICB, a connection matrix of htsim, a Chakra trace in JSON. Repeat "
    "the option for several; all built-in ones by default.",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=1,
    show_default=True,
    help="Everything random comes from it: the same seed gives the same cycles, bit for bit.",
)
@click.option(
    "--scale",
    type=click.FloatRange(min=0, min_open=True),
    help="Divide the sizes of all transfers and all compute times by this, so that a run takes "
    "seconds and not hours; 1 is the real layer. By default a size that takes about two minutes.",
)
@click.option(
    "--packet-bytes",
    type=click.IntRange(min=1),
    default=256,
    show_default=True,
    help="Payload of one packet. Smaller packets weigh more headers and more scheduling decisions "
    "per byte.",
)
@click.option(
    "--scheduler",
    type=click.Choice(SCHEDULERS),
    help="How inputs and outputs are matched. islip: round-robin pointers, fair, cheap. wavefront: "
    "diagonals of the request matrix, a maximal matching. By default that of the configuration.",
)
@click.option(
    "--iterations",
    type=int,
    help="Iterations of the matching, 1 to 8: more find more pairs, and cost pipeline stages. By "
    "default that of the configuration.",
)
@click.option(
    "--engine",
    type=click.Choice(["rtl", "model", "both"]),
    default="both",
    show_default=True,
    help="both: RTL and golden model in lockstep, compared in every cycle. model: the golden model "
    "alone, faster, and no C++ compiler is needed. rtl: the RTL alone.",
)
@click.option(
    "--unshaped",
    is_flag=True,
    help="Send a flit per cycle, not what the line brings. Shows where the fabric saturates; a "
    "real line is slower.",
)
@click.option(
    "--waves", is_flag=True, help="Record waves of the RTL; see them with `lingyun wave`."
)
@click.option(
    "--output",
    type=Folder(),
    help="Folder for results.json, the plot and the waves. By default one under build/sim.",
)
def sim(
    config: SwitchConfig,
    workloads: tuple[str | Path, ...],
    seed: int,
    scale: float | None,
    packet_bytes: int,
    scheduler: str | None,
    iterations: int | None,
    engine: str,
    unshaped: bool,
    waves: bool,
    output: Path | None,
) -> int:
    """Run AI workloads through the switch, model against RTL, and show what came of it.

    Each collective (all-reduce, all-to-all, ...) is measured on its own. Every packet is checked:
    delivered once, intact, in order. The exit status is 1 if one was not, or if model and RTL
    differ in any cycle.

    \b
    Examples:
      lingyun sim                                    both workloads on NODE, 8 ports of 400 Gbit/s
      lingyun sim --workload moe-ep8 --seed 7        one of them, other random numbers
      lingyun sim --engine model --scale 16          a larger run, the model alone
      lingyun sim --workload step.txt --scale 5000   a training step that AICB wrote
      lingyun sim --scheduler wavefront --iterations 1
      lingyun sim --config mine.toml --waves         a switch of your own, with waves
    """
    changes = {"scheduler": scheduler, "iterations": iterations}
    config = config.with_(**{name: value for name, value in changes.items() if value is not None})
    if engine == "model" and waves:
        raise click.UsageError("--waves needs the RTL: use --engine both or --engine rtl.")
    if engine != "model":
        need(*COMPILER)
    from sim.run import run

    return run(
        config,
        workloads=list(workloads),
        seed=seed,
        scale=scale,
        packet_bytes=packet_bytes,
        engine=engine,
        unshaped=unshaped,
        waves=waves,
        output=output,
    )


@main.command()
@config_option_of_links
@click.option(
    "--length-m",
    type=click.FloatRange(min=0),
    default=5.0,
    show_default=True,
    help="Length of the cable, 5 ns a metre. Replay buffer, window and timer are sized for it.",
)
@click.option(
    "--ber",
    type=click.FloatRange(min=0, max=1, max_open=True),
    default=0.0,
    show_default=True,
    help="Probability that an error begins at a bit of the line.",
)
@click.option(
    "--reach",
    "metres",
    type=click.FloatRange(min=0),
    help="With --lanes, instead of --ber and --length-m: so many metres of copper, with the errors "
    "that `lingyun reach` finds for them.",
)
@click.option(
    "--burst",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Bits from the first to the last one that an error hits.",
)
@click.option(
    "--drop",
    type=click.FloatRange(min=0, max=1, max_open=True),
    default=0.0,
    help="Probability that a word of 64 bits is lost.",
)
@click.option(
    "--duplicate",
    type=click.FloatRange(min=0, max=1, max_open=True),
    default=0.0,
    help="Probability that a word comes twice.",
)
@click.option(
    "--down",
    "cuts",
    metavar="FIRST:END",
    multiple=True,
    help="The cable is cut from this cycle on until that one. Repeat the option for several.",
)
@click.option(
    "--frames",
    type=click.IntRange(min=1),
    default=10_000,
    show_default=True,
    help="Packets each way, as fast as the link takes them.",
)
@click.option(
    "--sizes",
    metavar="BYTES,...",
    help="Bytes of a packet, each as likely. By default the smallest and the largest.",
)
@click.option(
    "--ready",
    type=click.FloatRange(min=0, max=1, min_open=True),
    default=1.0,
    show_default=True,
    help="Probability that a reader takes a flit. One that does not in time has it sent again.",
)
@click.option(
    "--credits",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Credits of each virtual channel: nothing is sent that the other end has no room for. "
    "0 for none.",
)
@click.option(
    "--drain",
    type=click.FloatRange(min=0, max=1, min_open=True),
    default=1.0,
    show_default=True,
    help="With --credits, the probability that a flit leaves the buffer behind the link in a "
    "cycle.",
)
@click.option(
    "--lanes",
    type=click.Choice(["1", "2", "4", "8"]),
    help="Symbols on so many lanes, through a PCS at each end, instead of words. The PCS is the "
    "model, with each engine; some 1,000 cycles a second.",
)
@fec_option
@interleave_option
@skew_option
@ppm_option
@click.option(
    "--store-and-forward",
    is_flag=True,
    help="Give a packet away only when its check sequence is known to be right.",
)
@click.option(
    "--replays",
    type=click.IntRange(min=1, max=255),
    default=8,
    show_default=True,
    help="Replays in a row without progress before all is given up.",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=1,
    show_default=True,
    help="Everything random comes from it.",
)
@click.option(
    "--engine",
    type=click.Choice(["rtl", "model", "both"]),
    default="model",
    show_default=True,
    help="both: RTL and golden model in lockstep, compared in every cycle. model: the golden model "
    "alone, faster. rtl: the RTL alone.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the results as JSON, nothing else.")
@click.option("--output", type=Folder(), help="Folder for results.json.  [default: build/link]")
@click.pass_context
def link(
    ctx: click.Context,
    config: SwitchConfig,
    length_m: float,
    metres: float | None,
    cuts: tuple[str, ...],
    sizes: str | None,
    store_and_forward: bool,
    replays: int,
    engine: str,
    lanes: str | None,
    fec: str,
    interleave: str,
    as_json: bool,
    output: Path | None,
    **chances: Any,
) -> int:
    """Send packets over a bad cable, both ways, and show what came of them.

    Two ends of a link, with retry, and a cable that flips bits and loses words. Every packet is
    checked: delivered once, intact, in order. The exit status is 1 if one was not, or if model and
    RTL differ in any cycle. What the link itself reports as given up (FLUSH) is counted apart.

    \b
    Examples:
      lingyun link --ber 1e-6                            5 m between two ports of NODE
      lingyun link --config PROTO --ber 1e-5 --burst 32 --sizes 64,256,2048
      lingyun link --length-m 500 --sizes 65             full rate at any length
      lingyun link --credits 200 --drain 0.5             a reader at half speed, held by credits
      lingyun link --down 5000:9000 --engine both        cut, and joined again, RTL against model
      lingyun link --lanes 4 --ber 1e-5 --skew 200 --frames 300     symbols on lanes, with RS272
      lingyun link --lanes 4 --ppm 100 --frames 300      and lines that have clocks of their own
      lingyun link --lanes 4 --interleave 2 --ber 1e-6 --burst 100 --frames 300     long bursts
      lingyun link --lanes 4 --reach 2.5 --frames 300    errors as 2.5 m of copper make them
    """
    if metres is not None:
        for name in ("ber", "length_m"):
            if ctx.get_parameter_source(name) is not ParameterSource.DEFAULT:
                option = name.replace("_", "-")
                raise click.UsageError(f"--reach tells --{option}: leave one of the two out")
        if not lanes:
            raise click.UsageError("--reach is of lanes: give --lanes, too")
        length_m = metres
    if chances["skew"] and not lanes:
        raise click.UsageError("--skew is of lanes: give --lanes, too")
    if chances["ppm"] is not None and not lanes:
        raise click.UsageError("--ppm is of the clocks of lanes: give --lanes, too")
    if interleave != "1" and not lanes:
        raise click.UsageError("--interleave is of lanes: give --lanes, too")
    if lanes and engine == "rtl":
        raise click.UsageError("--engine rtl has no lanes: choose model or both")
    if chances["drain"] < 1 and not chances["credits"]:
        raise click.UsageError("--drain is of the buffer that --credits fills: give both")
    if engine != "model":
        need(*COMPILER)
    from models.link.config import link_of
    from models.link.trial import LinkTrial
    from models.serdes.config import lanes_of, link_over
    from models.serdes.reach import lane_gbps, line_of
    from sim.link import numbers, run

    options: dict[str, Any] = {
        "length_m": length_m,
        "store_and_forward": store_and_forward,
        "replay_count_max": replays,
    }
    if not chances["credits"]:
        options["channels"] = 1
    through, ends = None, link_of(config, **options)
    if lanes:
        through = lanes_of(ends, int(lanes), fec, int(interleave))
        ends = link_over(config, through, chances["skew"], **options)
        if metres is not None:
            chances["ber"] = line_of(lane_gbps(through, ends.mhz), metres=metres).ber
    trial = LinkTrial(
        config=ends,
        lanes=through,
        sizes=numbers("--sizes", sizes or "", ","),
        down=tuple(numbers("--down", cut, ":", 2) for cut in cuts),
        **chances,
    )
    return run(trial, engine=engine, as_json=as_json, output=output, metres=metres)


@main.command()
@config_option_of_links
@click.option(
    "--lanes",
    type=click.Choice(["1", "2", "4", "8"]),
    default="4",
    show_default=True,
    help="Lanes of a port, which share its words and what the code adds to them.",
)
@fec_option
@click.option(
    "--signalling",
    type=click.Choice(["nrz", "pam4"]),
    help="Two levels or four.  [default: nrz up to 30 Gbit/s a lane]",
)
@click.option(
    "--gbps",
    type=click.FloatRange(min=0, min_open=True),
    help="Gbit/s of a lane, as it is on the line, such as 106.25 for 802.3ck.  [default: what "
    "--config and --lanes need]",
)
@click.option(
    "--awg",
    type=click.IntRange(20, 36),
    help="Gauge of the cable: 24 is thick, 30 is thin.  [default: 26, for slow lanes 24]",
)
@click.option(
    "--metres",
    type=click.FloatRange(min=0),
    multiple=True,
    default=(0.5, 1, 1.5, 2, 3, 5),
    show_default=True,
    help="Length of the cable. Repeat the option for several.",
)
@click.option(
    "--ber",
    type=click.FloatRange(min=0, max=0.5, min_open=True),
    default=1e-4,
    show_default=True,
    help="Error rate before the code, whose longest cable is told. 1e-4 is what 802.3ck counts on.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the results as JSON, nothing else.")
def reach(
    config: SwitchConfig,
    lanes: str,
    fec: str,
    signalling: str | None,
    gbps: float | None,
    awg: int | None,
    metres: tuple[float, ...],
    ber: float,
    as_json: bool,
) -> int:
    """How long may a copper cable be: loss, signal to noise and error rates, by formula.

    A receiver has to hear all frequencies up to half of the symbol rate (Nyquist). A cable swallows
    more of them the higher they are and the longer it is; what is left stands against noise and
    crosstalk. That gives the error rate before the code; the code corrects what it can; and a frame
    in which wrong bits are left is sent again.

    The figures are a bound for planning, not a qualification: docs/serdes.md tells the formulas,
    where each constant comes from, and how far off it is for cables that there are.

    \b
    Examples:
      lingyun reach                                     NODE on 4 lanes, with RS272
      lingyun reach --config RACK --lanes 8 --fec rs544
      lingyun reach --config RACK --metres 0.5 --metres 0.75 --awg 24
      lingyun reach --config PROTO --lanes 1 --fec none --ber 1e-12
      lingyun reach --gbps 106.25 --metres 2            a lane of 802.3ck and its 2 m
    """
    from models.link.config import link_of
    from models.serdes.config import lanes_of
    from models.serdes.reach import lane_gbps, line_of
    from sim.reach import run

    ends = link_of(config)
    through = lanes_of(ends, int(lanes), fec)
    changes = {} if awg is None else {"awg": awg}
    line = line_of(gbps or lane_gbps(through, ends.mhz), signalling, **changes)
    return run(line, through, ends, metres=metres, ber=ber, as_json=as_json)


@main.command()
@config_option_of_links
@click.option(
    "--chips",
    type=click.Choice(["1", "2"]),
    default="2",
    show_default=True,
    help="Chips; two have a cable between them, at their ports 0.",
)
@click.option(
    "--ports",
    type=click.IntRange(min=2),
    help="Ports of each chip. By default as many as the ranks of the workload need, or those of "
    "the configuration.",
)
@click.option(
    "--workload",
    metavar="NAME|FILE",
    help="Workload whose ranks are the hosts, by turns at the one chip and the other, as in "
    "`lingyun sim`. Without it each host sends at random to the others.",
)
@click.option(
    "--scale",
    type=click.FloatRange(min=0, min_open=True),
    default=4096.0,
    show_default=True,
    help="Divides sizes and times of the workload.",
)
@click.option(
    "--frames",
    type=click.IntRange(min=1),
    default=100,
    show_default=True,
    help="Without a workload: packets of each host.",
)
@click.option(
    "--lanes",
    type=click.Choice(["none", "1", "2", "4", "8"]),
    default="4",
    show_default=True,
    help="Lanes of each port; none: words of the links are on the cables, without a PCS.",
)
@fec_option
@interleave_option
@click.option(
    "--ber",
    type=click.FloatRange(min=0, max=1, max_open=True),
    default=1e-5,
    show_default=True,
    help="Probability that an error begins at a bit of a lane, before the code.",
)
@skew_option
@ppm_option
@click.option(
    "--swapped-wires",
    is_flag=True,
    help="Of each lane the two wires are swapped or not, as it happens; the chips are told which.",
)
@click.option(
    "--self-test",
    metavar="WORDS",
    type=click.IntRange(min=0, max=(1 << 32) - 1),
    default=0,
    help="Test the lanes between two chips first, with PRBS31 both ways: so many words of each.",
)
@click.option(
    "--length-m",
    type=click.FloatRange(min=0),
    default=5.0,
    show_default=True,
    help="Length of each cable, 5 ns a metre.",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=1,
    show_default=True,
    help="Everything random comes from it.",
)
@click.option(
    "--engine",
    type=click.Choice(["model", "both"]),
    default="model",
    show_default=True,
    help="both: then the RTL of each chip gets what its model got, and all its pins are compared "
    "in every cycle.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the results as JSON, nothing else.")
@click.option("--output", type=Folder(), help="Folder for results.json.  [default: build/fabric]")
def fabric(
    config: SwitchConfig,
    chips: str,
    ports: int | None,
    lanes: str,
    fec: str,
    interleave: str,
    skew: int,
    length_m: float,
    engine: str,
    as_json: bool,
    output: Path | None,
    workload: str | None,
    **chances: Any,
) -> int:
    """Join chips and hosts by cables, send packets, and show what came of them.

    Each chip is a switch with a link and a PCS at each port; hosts have both, too. Every packet is
    checked: delivered once, intact, in order. The exit status is 1 if one was not, or if model and
    RTL differ in any cycle. Some hundred cycles a second with lanes, so take a large --scale.

    \b
    Examples:
      lingyun fabric --workload moe-ep8                    8 ranks at two chips, 4 lanes, RS272
      lingyun fabric --workload dense-tp8 --fec rs544 --ber 1e-4 --skew 200
      lingyun fabric --config TINY --lanes 2 --ber 1e-3 --engine both    RTL against it, every pin
      lingyun fabric --self-test 5000 --swapped-wires --ber 1e-4        error rate of each lane
      lingyun fabric --lanes none --frames 1000            words of the links on the cables
    """
    if engine != "model":
        need(*COMPILER)
    of_lanes = {"skew": skew, "swapped_wires": chances["swapped_wires"]}
    of_lanes |= {"ppm": chances["ppm"] is not None, "self_test": chances["self_test"]}
    of_lanes |= {"interleave": interleave != "1"}
    given = [name for name, value in of_lanes.items() if value]
    if lanes == "none" and given:
        name = given[0].replace("_", "-")
        raise click.UsageError(f"--{name} is of lanes: choose some with --lanes, too")
    if chips == "1" and chances["self_test"]:
        raise click.UsageError("--self-test is of the lanes between two chips: give --chips 2")
    from models.chip_config import chip_of
    from models.fabric import FabricTrial
    from models.link.config import link_of
    from models.serdes.config import lanes_of
    from models.workload import load
    from sim.fabric import run

    if workload and Path(workload).is_file():
        workload = str(Path(workload).resolve())  # a bench runs in another folder
    if workload and ports is None:
        # Port 0 of two chips is for the other.
        ranks = load(workload).ranks
        ports = max(2, ranks) if chips == "1" else -(-ranks // 2) + 1
    if ports not in (None, config.ports):
        # With fewer queues an ingress may hold more of each, for which an egress needs room.
        config = config.with_(
            name=f"{config.name}-{ports}", ports=ports, egress_flits=2 * config.egress_flits
        )
    through = None
    if lanes != "none":
        # With markers so near to each other ports are up soon.
        through = lanes_of(link_of(config), int(lanes), fec, int(interleave), marker_codewords=40)
        options = {"length_m": length_m, "skew": skew}
    else:
        options = {"length_m": length_m}
    trial = FabricTrial(
        config=chip_of(config, through, **options),
        chips=int(chips),
        workload=str(Path(workload).resolve())
        if workload and Path(workload).is_file()
        else workload,
        skew=skew,
        **chances,
    )
    return run(trial, engine=engine, as_json=as_json, output=output)


@main.command(epilog=ready_sweeps())
@click.argument("sweep", type=SweepFile(), metavar="NAME|FILE")
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    help="Points that are run at a time, in as many processes; by default one per core. With "
    "--cluster the jobs in its queue, by default as many as points are missing, at most 16.",
)
@click.option(
    "--dask",
    metavar="ADDRESS|local",
    help="Run on the workers of a dask scheduler, such as tcp://node1:8786, instead of processes; "
    "they need the same sources and one thread each. local: a dask of its own on this machine.",
)
@click.option(
    "--cluster",
    type=click.Choice(CLUSTERS),
    help="Run in the queue of a cluster, through dask-jobqueue. The table [cluster] of the sweep "
    "says what a job asks for: queue, cores, memory, walltime, and whatever else dask-jobqueue "
    "takes. Needs `pip install 'lingyun[cluster]'`.",
)
@click.option(
    "--print-commands",
    is_flag=True,
    help="Run nothing; print a command for each point that is missing, for any other scheduler. "
    "Each writes one file; run the sweep again afterwards, and it gathers them.",
)
@click.option("--output", type=Folder(), help="Folder of the results. By default build/sweep/NAME.")
def sweep(
    sweep: Path,
    workers: int | None,
    dask: str | None,
    cluster: str | None,
    print_commands: bool,
    output: Path | None,
) -> int:
    """Run the model over all combinations of loads, patterns, seeds and configuration fields.

    What is done is kept, point by point: an interrupted sweep goes on where it was, and one that
    has got more values runs only those. A point that fails is shown with a command that repeats it,
    and the others go on; the exit status is then 1. A delay is given only where there is one: a
    saturated switch is called so. results.jsonl has a line per point. docs/sweep.md explains all.

    \b
    Examples:
      lingyun sweep iterations
      lingyun sweep mine.toml --workers 8
      lingyun sweep mine.toml --cluster slurm --workers 20
      lingyun sweep mine.toml --print-commands | parallel
    """
    if sum((dask is not None, cluster is not None, print_commands)) > 1:
        raise click.UsageError("--dask, --cluster and --print-commands exclude each other.")
    from sim.sweep import main as run_sweep

    return run_sweep(
        sweep,
        workers=workers,
        dask=dask,
        cluster=cluster,
        print_commands=print_commands,
        output=output,
    )


@main.command()
@click.argument("point")
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File for the result, written whole or not at all. By default it is printed.",
)
def point(point: str, output: Path | None) -> int:
    """Run POINT, one of a sweep, as `lingyun sweep --print-commands` prints it.

    The exit status is 1 if it fails, and 2 if the sources are not those of the sweep.
    """
    from sim.sweep import run_one

    return run_one(point, output)


@main.command()
@click.argument("results", nargs=-1, metavar="[SWEEP|FILE]...")
@click.option(
    "--format",
    "formats",
    type=click.Choice(["html", "png", "svg"]),
    multiple=True,
    default=("html", "png", "svg"),
    help="html: one page for all, with filters, which needs nothing but a browser. png, svg: a "
    "file for each chart and traffic. Repeat the option for several; all by default.",
)
@click.option("--output", type=Folder(), help="Folder of the report. By default build/report.")
def report(results: tuple[str, ...], formats: tuple[str, ...], output: Path | None) -> int:
    """Show what sweeps and runs of `lingyun sim` found, as a page for a browser and as pictures.

    RESULTS are sweeps that were run, by name, or files: results.jsonl of a sweep, results.json of
    `lingyun sim`; by default the latest of each. Several sweeps are shown side by side.

    \b
    Examples:
      lingyun report                           the latest sweep and the latest run of lingyun sim
      lingyun report iterations --format html
      lingyun report mine other build/sim/*/results.json --output slides
    """
    from sim.page import main as write_report

    return write_report(results, output, formats)


@main.command()
@click.argument("run", required=False, type=click.Path(exists=True, path_type=Path))
def wave(run: Path | None) -> int:
    """Open the waves of RUN, a folder that `lingyun sim --waves` wrote; the latest by default."""
    from sim.run import open_wave

    return open_wave(run)


@main.command(context_settings=passes_arguments)
@test_seed_option
@test_waves_option
@test_arguments
def regress(seed: int | None, waves: bool, arguments: tuple[str, ...]) -> int:
    """Run every test, those of full size too; all that is random is drawn anew each time.

    A tool that is missing fails its tests here; `lingyun test` skips them.
    ARGUMENTS go to pytest.
    """
    need(*COMPILER, *PROVER)
    options = "--hypothesis-profile=explore", *arguments
    return run_tests("", options, seed or 0, waves, every_tool=True)


@main.command(context_settings=passes_arguments)
@test_arguments
def prove(arguments: tuple[str, ...]) -> int:
    """Run every proof, long ones too.

    ARGUMENTS go to pytest.

    \b
    Example:
      lingyun prove -k arbiter
    """
    need(*PROVER)
    return run_tests("formal", arguments)


@main.command()
@click.argument("names", nargs=-1)
def faults(names: tuple[str, ...]) -> int:
    """Break things on purpose (all, or only NAMES) and show that the checks notice."""
    need(*COMPILER)
    from sim.faults import main as run_faults

    return run_faults(list(names))


@main.command()
@config_option
def verilog(config: SwitchConfig) -> int:
    """Write the switch as Verilog to build/verilog/<CONFIG>.v, ports named as AXI4-Stream.

    \b
    Example:
      lingyun verilog --config PROTO
    """
    from sim.export import write_verilog_file

    click.echo(write_verilog_file(config, BUILD / "verilog"))
    return 0


@main.command()
@click.option(
    "--board",
    type=click.Choice(BOARDS),
    default=BOARDS[0],
    show_default=True,
    help="The board, as amaranth-boards calls it.",
)
@click.option(
    "--config",
    type=Configuration(),
    help=f"What to build: {', '.join(NAMED)}, or a TOML file. By default PROTO, and TINY on iCE40.",
)
@click.option(
    "--seed",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Where the placer begins; another may give a faster or a slower design.",
)
@router_option
def bitstream(board: str, config: SwitchConfig | None, seed: int, router: str) -> int:
    """Build the bits of a board: the switch, and traffic that is made and checked on every port.

    They lie in build/bitstream/<BOARD> with report.json (size, speed, worst paths) and a picture.
    The constraint is the clock of the configuration; if it is missed, there are no bits, and the
    exit status is 1. Lights: LED 0 blinks while the clock runs, LED 1 says that all flows arrive in
    order, LED 2 that an error was seen.

    \b
    Examples:
      lingyun bitstream --board ulx3s
      lingyun bitstream --board versa_ecp5_5g --config mine.toml --seed 2
    """
    need("yosys for proofs and FPGAs", "nextpnr for ECP5", "nextpnr for iCE40", "boards")
    from sim.bitstream import build

    return build(board, config, seed=seed, router=router)


@main.command()
@click.option("--quick", is_flag=True, help="Shorter runs: rougher numbers, in a few minutes.")
@click.argument("names", nargs=-1)
def bench(names: tuple[str, ...], quick: bool) -> int:
    """Measure (everything, or only NAMES) and compare with the references."""
    need(*COMPILER)
    from sim.bench import main as run_bench

    return run_bench(list(names), quick)


@main.command("bench-area")
@click.option(
    "--only",
    type=click.Choice(["switch", "scheduler", "arbiter"]),
    multiple=True,
    help="Measure this component only. Repeat the option for several.",
)
@click.option(
    "--ports",
    type=click.IntRange(min=1),
    multiple=True,
    help="Measure components of so many ports only. Repeat the option for several.",
)
@click.option(
    "--classes",
    type=click.IntRange(min=1),
    multiple=True,
    help="Measure switches and schedulers of so many traffic classes only.",
)
@click.option(
    "--seeds",
    type=click.IntRange(min=1),
    default=5,
    show_default=True,
    help="Placements of each; the clock is their median.",
)
@router_option
@click.option("--blocks", is_flag=True, help="Show what the blocks of each component take, too.")
def bench_area(
    only: tuple[str, ...],
    ports: tuple[int, ...],
    classes: tuple[int, ...],
    seeds: int,
    router: str,
    blocks: bool,
) -> int:
    """Place the switch on an FPGA and show its size and speed beside other open switches.

    What is done is kept under build/area: an interrupted run goes on where it was, and a second run
    is quick. The exit status is 1 if a component failed; its line says why.

    \b
    Examples:
      lingyun bench-area                                        the whole table, many hours
      lingyun bench-area --only scheduler --ports 16 --seeds 1  one line, roughly
    """
    need("yosys for proofs and FPGAs", "nextpnr for ECP5")
    from sim.area import main as run_area
    from sim.area.point import choose

    return run_area(choose(only, ports, classes), seeds=seeds, router=router, blocks=blocks)


@main.command()
@click.option("--quick", is_flag=True, help="Only the points that are done in seconds.")
@click.option(
    "--points",
    "names",
    metavar="TEXT",
    multiple=True,
    help="Only points with TEXT in their name, such as wavefront, bursts, wait or N=64. Repeat the "
    "option for several.",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=1,
    show_default=True,
    help="Where all arrivals come from; another seed is another sample, and must agree as well.",
)
@click.option("--json", "as_json", is_flag=True, help="Print results.json, not a table.")
def validate(quick: bool, names: tuple[str, ...], seed: int, as_json: bool) -> int:
    """Reproduce published figures of schedulers, and show how far off we are.

    Each point is one scheduler in a switch that moves cells slot by slot (docs/policies.md), with
    random arrivals. Its mean wait in slots, or its throughput in % of the line rate, stands beside
    the reference. "+-" is the 95 % confidence interval, by the means of 20 batches. A wait must be
    within 3 % of the reference, or within that interval if it is wider (but never more than 10 %);
    a throughput within 0.5 points. The exit status is 1 if one is not.

    \b
    Examples:
      lingyun validate                                 every point, minutes
      lingyun validate --quick                         some, in seconds
      lingyun validate --points maximum-weight --seed 7
    """
    from sim.validate import choose
    from sim.validate import main as run_validate

    return run_validate(choose(quick, names), seed=seed, as_json=as_json)


@main.command(context_settings=passes_arguments)
@test_seed_option
@test_waves_option
@test_arguments
def test(seed: int | None, waves: bool, arguments: tuple[str, ...]) -> int:
    """Run unit tests, benches and quick proofs, and show the time that each suite took.

    Without --seed two runs of one commit are the same; `lingyun regress` draws all anew.
    ARGUMENTS go to pytest.

    \b
    Examples:
      lingyun test
      lingyun test -k egress                 only tests with egress in their name
      lingyun test -k egress --seed 42 --waves   the seed that a failure printed, with waves
    """
    need(*COMPILER, *PROVER)
    return run_tests("not slow", arguments, seed, waves)


@main.command()
def docs() -> int:
    """Build the documentation, pages for a browser that need no network: build/docs/index.html.

    Waves, matchings and curves in it are what the models do at that time; models that have changed
    are compiled for it. The exit status is 1 if there is a warning.
    """
    need(*DOCUMENTER)
    click.echo("Building; models that have changed are compiled first, for a minute ...")
    pages = BUILD / "docs"
    command = [sys.executable, "-m", "sphinx", "--quiet", "--fail-on-warning", "--fresh-env"]
    command += ["--doctree-dir", str(BUILD / "doctrees"), str(ROOT / "docs"), str(pages)]
    if subprocess.run(command, cwd=ROOT, check=False).returncode:
        return 1
    click.echo(pages / "index.html")
    return 0


@main.command()
def clean() -> int:
    """Delete build/, where everything generated lies."""
    if BUILD.exists():
        shutil.rmtree(BUILD)
    return 0
