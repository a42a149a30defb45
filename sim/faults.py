"""Faults on purpose: break the RTL in a known place, and see that the check meant for it notices.

A fault is one small change in one file of ``rtl/``. It is made in a copy, ``build/faults/<fault>``,
and the bench or proof that must catch it runs there in a process of its own. The copy holds
``rtl/`` and ``sim/``, which builds in the folder above itself; ``models/`` and ``verif/`` are those
of the project: they do not change, and compiled models are cached by their path.

The same check must pass on the sources as they are, with the same seed: else a catch means nothing.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table as Rows

from models.chip_config import ChipConfig, chip_of
from models.config import NODE, PROTO, TINY
from models.fabric import FabricTrial
from models.link.config import LinkConfig, link_of
from models.link.trial import LinkTrial
from models.serdes.config import FecConfig, LaneConfig, LanesConfig, link_over
from models.serdes.lane_test import Mode
from rtl.backlog import Backlog
from rtl.buffer import Buffer
from rtl.checker import Checker
from rtl.chip import Chip
from rtl.class_arbiter import ClassArbiter
from rtl.classifier import Classifier
from rtl.counters import Counters
from rtl.egress import Egress
from rtl.event_counters import EventCounters
from rtl.generator import Generator
from rtl.ingress import Ingress
from rtl.isolator import Isolator
from rtl.link.arrivals import Arrivals
from rtl.link.channel_map import ChannelMap
from rtl.link.control_words import ControlWords
from rtl.link.credit_frame import CreditFrameReceiver, CreditFrameSender
from rtl.link.credit_receiver import CreditReceiver
from rtl.link.credit_sender import CreditSender
from rtl.link.deframer import Deframer
from rtl.link.framer import Framer
from rtl.link.hold import Hold
from rtl.link.retry_receiver import RetryReceiver
from rtl.link.retry_sender import RetrySender
from rtl.output_watchdog import OutputWatchdog
from rtl.scheduler import Scheduler
from rtl.serdes.block_coder import BlockDecoder, BlockEncoder
from rtl.serdes.block_gearbox import BlockGearbox
from rtl.serdes.block_lock import BlockLock
from rtl.serdes.deskew import Deskew
from rtl.serdes.fec_decoder import FecDecoder
from rtl.serdes.fec_encoder import FecEncoder
from rtl.serdes.frame_coder import FrameDecoder, FrameEncoder
from rtl.serdes.gearbox import ReceiveGearbox, TransmitGearbox
from rtl.serdes.lane_crossing import LaneCrossing
from rtl.serdes.lane_receiver import LaneReceiver
from rtl.serdes.lane_test import LaneTest
from rtl.serdes.lane_transmitter import LaneTransmitter
from rtl.serdes.message_mapper import MessageDemapper, MessageMapper
from rtl.serdes.multilane_pcs import MultilanePcs
from rtl.serdes.pcs import Pcs
from rtl.serdes.prbs import PrbsChecker, PrbsGenerator
from rtl.serdes.scrambler import Descrambler, Scrambler
from rtl.serdes.start_aligner import StartAligner
from rtl.serdes.training import Training
from rtl.serdes.transcoder import ReverseTranscoder, Transcoder
from rtl.switch import Switch
from rtl.table import Table
from sim import BUILD, ROOT
from sim.link import dump
from sim.solver import prove
from sim.verilator import run_bench
from verif.chip_pair import ChipPair
from verif.link_pair import LinkPair
from verif.proof.arbiter import ArbiterProof
from verif.proof.block_lock import BlockLockProof
from verif.proof.class_arbiter import ClassArbiterProof
from verif.proof.crossbar import CrossbarProof
from verif.proof.egress import EgressProof
from verif.proof.free_list import FreeListProof
from verif.proof.generator import GeneratorProof
from verif.proof.link_credit import LinkCreditProof
from verif.proof.link_retry import HastyLink, RetryProof
from verif.proof.scheduler import MatchingProof, SchedulerProof
from verif.proof.training import TrainingProof

__all__ = ["CHECKS", "FAULTS", "Fault", "Result", "main"]

SEED = os.environ.get("BENCH_SEED", "1")
AT_ONCE = 2
NOT_PASSED = 3  # exit status of a check that ran and failed
WEIGHTED = TINY.with_(class_policy="weighted")
DEEP = TINY.with_(name="TINY-4", iterations=4, class_policy="weighted")
QUEUES = TINY.with_(  # small enough for a proof of the egress
    max_packet_bytes=24, ingress_flits=6, reserve_flits=1, limit_flits=3, iterations=1
).with_(egress_flits=26)
THREE = TINY.with_(name="TINY-3", ports=3, classes=1, ingress_flits=37)  # shared room runs out
STATIC = TINY.with_(name="TINY-static", reserve_flits=8, limit_flits=8)
WAVEFRONT = TINY.with_(ports=3, iterations=1, scheduler="wavefront")
RETRY = LinkConfig(
    name="RETRY",
    flit_bytes=8,
    words_per_cycle=1,
    min_packet_bytes=8,
    max_packet_bytes=24,
    length_m=0,
    ack_bytes=64,
    replay_flits=7,
    window_frames=4,
    replay_count_max=2,
    pcs_lost_ns=60,
    data_age_ns=150,
)
LINK = link_of(NODE, channels=4)
CREDITS = LinkConfig(
    flit_bytes=16, words_per_cycle=2, min_packet_bytes=8, max_packet_bytes=48, credit_bytes=32
)
HASTY = HastyLink(
    flit_bytes=8,
    words_per_cycle=1,
    min_packet_bytes=8,
    max_packet_bytes=16,
    length_m=0,
    replay_flits=4,
    window_frames=2,
    replay_count_max=255,
)
FRAMES = LinkConfig(
    name="FRAMES", flit_bytes=16, words_per_cycle=2, min_packet_bytes=16, max_packet_bytes=600
)
CODE = FecConfig(name="RS24-18", symbols=24, message_symbols=18, symbols_per_cycle=8)
LANE = LaneConfig(name="lane-64")
LANES = LanesConfig(name="5-4", words_per_cycle=5, lanes=4, marker_codewords=4, skew_rows=6)
SHORT_LANE = LanesConfig(name="proof", lanes=1, words_per_cycle=9, marker_codewords=1)
TWO_LANES = LanesConfig(name="1-2", lanes=2, fec="none", marker_codewords=8, skew_rows=6)
TWO_CODED_LANES = LanesConfig(name="1-2", lanes=2, marker_codewords=8, skew_rows=6)
CODED_LANE = LanesConfig(name="1-1", lanes=1, fec="rs272", marker_codewords=8, skew_rows=6)
FRAMES_OF_TWO = LanesConfig(name="1-8x2", lanes=8, interleave=2)  # groups end inside a turn
TURNS = LanesConfig(name="1-2x2", lanes=2, interleave=2, marker_codewords=8, skew_rows=6)
WATCH = LaneConfig(name="lane-300", ber_window_ns=300)
LINK_OF_A_WORD = link_of(TINY)

CABLE = LinkTrial(
    config=link_of(TINY),
    frames=200,
    sizes=(16, 40, 64),
    ber=2e-4,
    burst=4,
    ready=0.8,
    down=((900, 1300),),
)
GRANTED = replace(
    CABLE,
    config=link_of(TINY, name="TINY-credits", credit_bytes=16),
    ready=1.0,
    credits=48,
    drain=0.4,
    down=(),
)
CHIP = FabricTrial(
    config=ChipConfig(  # with the fewest credits that there can be
        switch=TINY.with_(name="TINY-few", ingress_flits=1024, egress_flits=1024),
        link=link_of(TINY),
    ),
    chips=2,
    frames=60,
    sizes=(16, 40, 64),
    ber=2e-5,
    burst=20,
    drain=0.3,
)
# Of three ports, as the first packets are under way.
CHIP = replace(
    CHIP, resets=tuple((n, p, CHIP.start + k) for n, p, k in ((0, 0, 40), (0, 1, 150), (1, 1, 30)))
)
DEAD = FabricTrial(  # host 0 is not there at first
    config=CHIP.config,
    flows=((0, 1, 0), (0, 1, 1), (1, 0, 0), (1, 0, 1)),
    frames=40,
    sizes=(64,),
    down=((0, 0, CHIP.start + 1500),),
    dead_output_timeout=500,
    revives=((0, 0, CHIP.start + 2000),),
)
NOISY = FabricTrial(  # on lanes, with more errors than the code corrects
    config=ChipConfig(
        switch=CHIP.config.switch,
        link=link_over(TINY, TWO_CODED_LANES),
        lanes=TWO_CODED_LANES,
    ),
    chips=1,
    swapped_wires=True,
    modes=((0, 1, Mode.PATTERN, 1000, 1200),),
    frames=40,
    sizes=(16, 40, 64),
    ber=1.5e-3,
    skew=30,
    ppm=100,
    down=((0, CHIP.start + 1500, CHIP.start + 1600),),
)
PAIR = FabricTrial(  # clocks of their own, and no more errors than the code corrects
    config=chip_of(TINY, TWO_CODED_LANES),
    chips=2,
    frames=40,
    sizes=(16, 40, 64),
    ber=2e-4,
    skew=90,
)
PROTO_512 = PROTO.with_(name="PROTO-512", max_packet_bytes=512)
CUT = FabricTrial(  # outputs die in the midst of packets
    config=ChipConfig(switch=PROTO_512, link=link_of(PROTO_512)),
    flows=((0, 1, 0), (1, 0, 0), (2, 3, 0), (3, 2, 0)),
    frames=40,
    sizes=(512,),
    dead_output_timeout=3,
)
REVIVALS = tuple((0, n, CUT.start + 400 * k + 37 * n) for n in range(4) for k in range(1, 6))
CUT = replace(CUT, revives=REVIVALS)
HOLDS = replace(CABLE, config=CABLE.config.with_(name="TINY-hold", store_and_forward=True))


def check_cable(trial: LinkTrial) -> None:
    """Both ends of a link in lockstep with the model."""
    folder = BUILD / "link" / trial.config.name
    folder.mkdir(parents=True, exist_ok=True)
    run_bench(
        "link_pair",
        LinkPair(trial.config),
        trial.config,
        module="sim.link_bench",
        extra_env={"LINK_TRIAL": dump(trial, "both", folder)},
    )


CHECKS: dict[str, Callable[[], object]] = {
    "arbiter proof": lambda: prove(ArbiterProof(3), "arbiter", depth=2),
    "class_arbiter proof": lambda: prove(
        ClassArbiterProof(TINY, picks=2), "class_arbiter", depth=2
    ),
    "class_arbiter bench, weighted": lambda: run_bench(
        "class_arbiter", ClassArbiter(WEIGHTED, picks=WEIGHTED.iterations), WEIGHTED
    ),
    "table bench": lambda: run_bench(
        "table",
        Table(TINY.ports, entries=TINY.endpoints, identity=True),
        TINY,
        extra_env={"TABLE_IDENTITY": "1"},
    ),
    "free_list proof": lambda: prove(FreeListProof(3, first=1), "free_list", depth=9, mode="bmc"),
    "buffer bench": lambda: run_bench("buffer", Buffer(TINY), TINY),
    "buffer bench, rings": lambda: run_bench("buffer", Buffer(STATIC), STATIC),
    "buffer bench, 3 ports": lambda: run_bench("buffer", Buffer(THREE), THREE),
    "backlog bench": lambda: run_bench("backlog", Backlog(TINY), TINY),
    "classifier bench": lambda: run_bench("classifier", Classifier(TINY), TINY, cycles=8000),
    "counters bench": lambda: run_bench("counters", Counters(), TINY),
    "ingress bench": lambda: run_bench("ingress", Ingress(TINY), TINY),
    "scheduler bench": lambda: run_bench("scheduler", Scheduler(TINY), TINY, cycles=1500),
    "scheduler bench, 4 stages": lambda: run_bench("scheduler", Scheduler(DEEP), DEEP, cycles=1500),
    "scheduler bench, wavefront": lambda: run_bench(
        "scheduler", Scheduler(WAVEFRONT), WAVEFRONT, cycles=1500
    ),
    "scheduler proof": lambda: prove(
        SchedulerProof(TINY.with_(classes=1)), "scheduler", depth=9, mode="bmc"
    ),
    "wavefront proof": lambda: prove(MatchingProof(WAVEFRONT), "wavefront", depth=2),
    "crossbar proof": lambda: prove(CrossbarProof(TINY), "crossbar", depth=4),
    "egress proof": lambda: prove(
        EgressProof(QUEUES, contents=False), "egress", depth=12, mode="bmc"
    ),
    "egress bench": lambda: run_bench("egress", Egress(TINY), TINY, cycles=1000),
    "generator proof": lambda: prove(GeneratorProof(TINY, port=1), "generator", depth=5),
    "generator bench": lambda: run_bench(
        "generator", Generator(TINY, port=1), TINY, extra_env={"GENERATOR_SHAPED": "1"}
    ),
    "checker bench": lambda: run_bench(
        "checker", Checker(TINY, port=1), TINY, extra_env={"CHECKER_PAUSES": "0"}
    ),
    "switch bench": lambda: run_bench("switch", Switch(TINY), TINY, cycles=1000),
    "retry_receiver bench": lambda: run_bench(
        "link_retry_receiver", RetryReceiver(RETRY), RETRY, cycles=4000
    ),
    "retry_sender bench": lambda: run_bench(
        "link_retry_sender", RetrySender(RETRY), RETRY, cycles=4000
    ),
    "control_words bench": lambda: run_bench(
        "link_control_words", ControlWords(), RETRY, cycles=1000
    ),
    "link_credit_sender bench": lambda: run_bench("link_credit_sender", CreditSender(LINK), LINK),
    "link_credit_receiver bench": lambda: run_bench(
        "link_credit_receiver", CreditReceiver(LINK), LINK
    ),
    "link_credit proof": lambda: prove(
        LinkCreditProof(CREDITS, counter_bits=5, credit_bits=3, places=1),
        "link_credit",
        depth=12,  # the induction knows less: that it fails is no counterexample
        mode="bmc",
    ),
    "isolator bench": lambda: run_bench("isolator", Isolator(TINY), TINY, cycles=4000),
    "channel_map bench": lambda: run_bench("link_channel_map", ChannelMap(TINY), TINY),
    "chip bench": lambda: run_bench(
        "chip", Chip(CHIP.config), CHIP.config, extra_env={"FABRIC_TRIAL": CHIP.dump()}
    ),
    "chip bench, dead output": lambda: run_bench(
        "chip", Chip(CHIP.config), CHIP.config, extra_env={"FABRIC_TRIAL": DEAD.dump()}
    ),
    "chip bench, cut packets": lambda: run_bench(
        "chip", Chip(CUT.config), CUT.config, extra_env={"FABRIC_TRIAL": CUT.dump()}
    ),
    "chip bench, lanes": lambda: run_bench(
        "chip", Chip(NOISY.config), NOISY.config, extra_env={"FABRIC_TRIAL": NOISY.dump()}
    ),
    "chip_pair bench": lambda: run_bench(
        "chip_pair",
        ChipPair(PAIR.config),
        PAIR.config,
        packed=False,
        extra_env={"FABRIC_TRIAL": PAIR.dump(), "PAIR_NOISY": "0"},
    ),
    "event_counters bench": lambda: run_bench(
        "event_counters",
        EventCounters([1, 1, 9, 1, 1]),
        TINY,
        extra_env={"EVENTS_MOST": "[1, 1, 9, 1, 1]"},
    ),
    "output_watchdog bench": lambda: run_bench(
        "output_watchdog", OutputWatchdog(TINY), TINY, cycles=4000
    ),
    "hold bench": lambda: run_bench("link_hold", Hold(CABLE.config), CABLE.config, cycles=3000),
    "arrivals bench": lambda: run_bench("link_arrivals", Arrivals(), RETRY, cycles=1600),
    "credit_frame bench": lambda: run_bench(
        "link_credit_frame_sender",
        CreditFrameSender(FRAMES),
        FRAMES,
        module="verif.bench.link_credit_frame",
        testcase="sender_matches_model",
    ),
    "credit_frame bench, receiver": lambda: run_bench(
        "link_credit_frame_receiver",
        CreditFrameReceiver(FRAMES),
        FRAMES,
        module="verif.bench.link_credit_frame",
        testcase="receiver_matches_model",
    ),
    "link bench": lambda: check_cable(CABLE),
    "link bench, credits": lambda: check_cable(GRANTED),
    "link bench, store and forward": lambda: check_cable(HOLDS),
    # Proven by induction; that what is broken is no longer is told by a run that goes wrong.
    "retry proof": lambda: prove(
        RetryProof(HASTY, contents=False), "link_retry", depth=9, mode="bmc"
    ),
    "retry proof, contents": lambda: prove(
        RetryProof(HASTY.with_(max_packet_bytes=8, replay_flits=2), contents=True),
        "link_retry",
        depth=10,
        mode="bmc",
    ),
    "block_encoder bench": lambda: run_bench(
        "block_encoder",
        BlockEncoder(LINK),
        LINK,
        module="verif.bench.block_coder",
        testcase="encoder_matches_model",
    ),
    "block_decoder bench": lambda: run_bench(
        "block_decoder",
        BlockDecoder(LINK),
        LINK,
        module="verif.bench.block_coder",
        testcase="decoder_matches_model",
    ),
    "transcoder bench": lambda: run_bench(
        "transcoder-transcoder",
        Transcoder(),
        LINK,
        module="verif.bench.transcoder",
        testcase="transcoder_matches_model",
    ),
    "reverse transcoder bench": lambda: run_bench(
        "transcoder-reverse",
        ReverseTranscoder(),
        LINK,
        module="verif.bench.transcoder",
        testcase="reverse_matches_model",
    ),
    "pcs bench": lambda: run_bench("pcs", Pcs(WATCH, LINK_OF_A_WORD), WATCH),
    "start_aligner bench": lambda: run_bench("start_aligner", StartAligner(LINK), LINK),
    "fec_encoder bench": lambda: run_bench("fec_encoder", FecEncoder(CODE), CODE),
    "fec_decoder bench": lambda: run_bench("fec_decoder", FecDecoder(CODE), CODE),
    "scrambler bench": lambda: run_bench(
        "scrambler", Scrambler(LANE), LANE, testcase=r"\bscrambler_matches_model"
    ),
    "descrambler bench": lambda: run_bench(
        "descrambler",
        Descrambler(LANE),
        LANE,
        module="verif.bench.scrambler",
        testcase=r"\bdescrambler_matches_model",
    ),
    "prbs_generator bench": lambda: run_bench(
        "prbs_generator",
        PrbsGenerator(LANE),
        LANE,
        module="verif.bench.prbs",
        testcase="generator_matches_model",
    ),
    "prbs_checker bench": lambda: run_bench(
        "prbs_checker",
        PrbsChecker(LANE),
        LANE,
        module="verif.bench.prbs",
        testcase="checker_matches_model",
    ),
    "block_lock bench": lambda: run_bench("block_lock", BlockLock(WATCH), WATCH, cycles=8000),
    "block_lock proof": lambda: prove(BlockLockProof(WATCH), "block_lock", depth=2),
    "gearbox bench, transmit": lambda: run_bench(
        "gearbox_transmit",
        TransmitGearbox(),
        LANE,
        module="verif.bench.gearbox",
        testcase="transmit_matches_model",
    ),
    "gearbox bench, receive": lambda: run_bench(
        "gearbox_receive",
        ReceiveGearbox(),
        LANE,
        module="verif.bench.gearbox",
        testcase="receive_matches_model",
    ),
    "block_gearbox bench": lambda: run_bench(
        "block_gearbox_8_5",
        BlockGearbox(8, 5),
        LANES,
        module="verif.bench.block_gearbox",
        extra_env={"BENCH_TAKE": "8", "BENCH_GIVE": "5"},
    ),
    "message_mapper bench": lambda: run_bench(
        "message_mapper", MessageMapper(LANES), LANES, testcase=r"\bmapper_matches_model"
    ),
    "message_demapper bench": lambda: run_bench(
        "message_demapper",
        MessageDemapper(LANES),
        LANES,
        module="verif.bench.message_mapper",
        testcase="demapper_matches_model",
    ),
    "lane_transmitter bench": lambda: run_bench("lane_transmitter", LaneTransmitter(LANES), LANES),
    "lane_receiver bench": lambda: run_bench("lane_receiver", LaneReceiver(LANES), LANES),
    "deskew bench": lambda: run_bench("deskew", Deskew(LANES), LANES),
    "training bench": lambda: run_bench("training", Training(LANES), LANES),
    "training proof": lambda: prove(TrainingProof(SHORT_LANE), "training", depth=30),
    "lane_test bench": lambda: run_bench("lane_test", LaneTest(LANES), LANES),
    "multilane_pcs bench": lambda: run_bench(
        "multilane_pcs", MultilanePcs(TWO_LANES, LINK_OF_A_WORD), TWO_LANES
    ),
    "frame_encoder bench": lambda: run_bench(
        "frame_encoder",
        FrameEncoder(FRAMES_OF_TWO.frame),
        FRAMES_OF_TWO,
        module="verif.bench.frame_coder",
        testcase="encoder_matches_model",
    ),
    "frame_decoder bench": lambda: run_bench(
        "frame_decoder",
        FrameDecoder(FRAMES_OF_TWO.frame),
        FRAMES_OF_TWO,
        module="verif.bench.frame_coder",
        testcase="decoder_matches_model",
    ),
    "multilane_pcs bench, turns": lambda: run_bench(
        "multilane_pcs", MultilanePcs(TURNS, LINK_OF_A_WORD), TURNS
    ),
    "multilane_pcs bench, code": lambda: run_bench(
        "multilane_pcs", MultilanePcs(CODED_LANE, LINK_OF_A_WORD), CODED_LANE
    ),
    "lane_crossing bench": lambda: run_bench(
        "lane_crossing", LaneCrossing(TWO_LANES), TWO_LANES, packed=False, cycles=8000
    ),
    "link_framer bench": lambda: run_bench("link_framer", Framer(FRAMES), FRAMES),
    "link_deframer bench": lambda: run_bench("link_deframer", Deframer(FRAMES), FRAMES),
}


@dataclass(frozen=True, kw_only=True)
class Fault:
    """A change of the RTL, and the check that must catch it.

    Parameters
    ----------
    name : str
        What it is called on the command line.
    meaning : str
        The mistake that it stands for.
    file : str
        Where it is, from the root of the project.
    old, new : str
        Text, exactly once in the file, and what stands there instead.
    check : str
        Which of ``CHECKS``.
    """

    name: str
    meaning: str
    file: str
    old: str
    new: str
    check: str

    def source(self) -> str:
        """The file as it is.

        Raises
        ------
        ValueError
            If the fault is stale: the old text is not there, or more than once.
        """
        text = (ROOT / self.file).read_text(encoding="utf-8")
        if (times := text.count(self.old)) != 1:
            raise ValueError(
                f"fault {self.name} is stale: {self.file} has {self.old!r} {times} times, not once"
            )
        return text

    @property
    def where(self) -> str:
        """File and line."""
        text = self.source()
        return f"{self.file}:{text.count(chr(10), 0, text.index(self.old)) + 1}"

    def plant(self, tree: Path) -> None:
        """Make ``tree`` a copy of the project with this fault; what was built there stays."""
        text = self.source().replace(self.old, self.new)
        for folder in ("rtl", "sim"):
            shutil.rmtree(tree / folder, ignore_errors=True)
            shutil.copytree(
                ROOT / folder, tree / folder, ignore=shutil.ignore_patterns("__pycache__")
            )
        (tree / self.file).write_text(text, encoding="utf-8")


FAULTS = (
    Fault(
        name="arbiter-pointer",
        meaning="the winner stays first instead of becoming last",
        file="rtl/arbiter.py",
        old="self.above.eq(~((self.grant << 1) - 1))",
        new="self.above.eq(~(self.grant - 1))",
        check="arbiter proof",
    ),
    Fault(
        name="grant-pointer",
        meaning="the claim of one set of pointers moves another",
        file="rtl/scheduler/islip.py",
        old="self.pointers[0][c].eq(above(self.claim[k]))",
        new="self.pointers[1][c].eq(above(self.claim[k]))",
        check="scheduler bench",
    ),
    Fault(
        name="barred",
        meaning="an input that connects is granted in the cycle after its claim",
        file="rtl/scheduler/islip.py",
        old="self.grant[k][c].eq(pick & chosen & ~barred)",
        new="self.grant[k][c].eq(pick & chosen)",
        check="scheduler bench",
    ),
    Fault(
        name="accept-order",
        meaning="the accept pointer is not looked at",
        file="rtl/scheduler/input.py",
        old="First(m, grants, pointers[0])",
        new="First(m, grants, grants)",
        check="scheduler bench",
    ),
    Fault(
        name="earlier-slot",
        meaning="a flit shows in two slots at once",
        file="rtl/scheduler/input.py",
        old="taken = one_more(m, taken, gives[k].replicate(ports) & self.free[k - 1])",
        new="pass",
        check="scheduler proof",
    ),
    Fault(
        name="pending",
        meaning="a flit shows although it is granted and not answered yet",
        file="rtl/scheduler/input.py",
        old="pending = one_more(m, pending, grants[c])",
        new="pass",
        check="scheduler bench",
    ),
    Fault(
        name="claimed-flit",
        meaning="a flit shows although it is claimed and not counted yet",
        file="rtl/scheduler/input.py",
        old="pending = one_more(m, pending, claim[c::classes])",
        new="pass",
        check="scheduler bench",
    ),
    Fault(
        name="overtaking",
        meaning="a flit gets a slot before the connection that it follows",
        file="rtl/scheduler/input.py",
        old="recent[: max(0, 2 * k - 2)].any()",
        new="C(0, 1)",
        check="scheduler bench, 4 stages",
    ),
    Fault(
        name="hold",
        meaning="a connection lets go one slot too early",
        file="rtl/scheduler/input.py",
        old="Cat(more_than[2:5])",
        new="Cat(more_than[3:])",
        check="scheduler bench",
    ),
    Fault(
        name="kept",
        meaning="an open connection without flits lets others in between",
        file="rtl/scheduler/input.py",
        old="self.holds.eq(self.connects | waiting | opened)",
        new="self.holds.eq(self.connects | waiting)",
        check="scheduler bench",
    ),
    Fault(
        name="lost",
        meaning="a slot that found no flit is not given again",
        file="rtl/scheduler/input.py",
        old="with m.Elif(waiting != self.lost):",
        new="with m.Elif(waiting & ~self.lost):",
        check="scheduler bench",
    ),
    Fault(
        name="second-grant",
        meaning="an output grants again while a connection may begin",
        file="rtl/scheduler/output.py",
        old="begins | holder.any() | several",
        new="begins | holder.any()",
        check="scheduler proof",
    ),
    Fault(
        name="lingering",
        meaning="an output forgets the slots that its last connection still has",
        file="rtl/scheduler/output.py",
        old="lasts = holder.any() | lingers.any()",
        new="lasts = holder.any() | lingers[0]",
        check="scheduler bench",
    ),
    Fault(
        name="wavefront-output",
        meaning="a matched output is still free on the next diagonal",
        file="rtl/scheduler/wavefront.py",
        old="free_outputs.eq((outputs & ~match).rotate_right(self.stride))",
        new="free_outputs.eq(outputs.rotate_right(self.stride))",
        check="wavefront proof",
    ),
    Fault(
        name="round",
        meaning="an input connects again before others have had their turn",
        file="rtl/scheduler/wavefront.py",
        old="Mux((served & begins).any(), begins, served | begins)",
        new="begins",
        check="scheduler bench, wavefront",
    ),
    Fault(
        name="class-order",
        meaning="strict priority upside down: the least urgent class goes first",
        file="rtl/class_arbiter.py",
        old="self.grant[k].eq(lowest(candidates[::-1])[::-1])",
        new="self.grant[k].eq(lowest(candidates))",
        check="class_arbiter proof",
    ),
    Fault(
        name="class-quantum",
        meaning="a class that saves its turn up is paid more than its quantum",
        file="rtl/class_arbiter.py",
        old="refilled = Mux(positive[c], quantum, deficit + quantum)",
        new="refilled = deficit + quantum",
        check="class_arbiter bench, weighted",
    ),
    Fault(
        name="table-end",
        meaning="the table has an entry too many",
        file="rtl/table.py",
        old="exists.eq(~self.lookup.address[width:].any())",
        new="exists.eq(~self.lookup.address[width + 1 :].any())",
        check="table bench",
    ),
    Fault(
        name="free-list",
        meaning="the same slot is handed out twice in a row",
        file="rtl/free_list.py",
        old="read.addr.eq(Mux(from_ring, after(head), head))",
        new="read.addr.eq(head)",
        check="free_list proof",
    ),
    Fault(
        name="reset-value",
        meaning="slots in use from the start are free after reset",
        file="rtl/free_list.py",
        old="self.unused = Signal(range(slots + 1), init=first)",
        new="self.unused = Signal(range(slots + 1))",
        check="free_list proof",
    ),
    Fault(
        name="queue-limit",
        meaning="a queue may hold a flit more than its limit",
        file="rtl/linked_list.py",
        old="(offered <= config.limit)",
        new="(offered <= config.limit + 1)",
        check="buffer bench",
    ),
    Fault(
        name="shared-limit",
        meaning="flits that queues share are promised although they are used up",
        file="rtl/linked_list.py",
        old="shared + extra <= config.shared_flits",
        new="shared <= config.shared_flits",
        check="buffer bench, 3 ports",
    ),
    Fault(
        name="list-order",
        meaning="the link to a flit is lost if the last one leaves as it comes",
        file="rtl/linked_list.py",
        old="linked.eq(popping & ((held_pop > 1) | (stores & (stored_queue == pop.queue))))",
        new="linked.eq(popping & (held_pop > 1))",
        check="buffer bench",
    ),
    Fault(
        name="released",
        meaning="the room of a broken packet's end is not given back to the sender",
        file="rtl/buffer.py",
        old="self.released.valid.eq(self.o.valid)",
        new="self.released.valid.eq(self.o.valid & ~self.o.flit.error)",
        check="buffer bench",
    ),
    Fault(
        name="congestion-mark",
        meaning="packets are marked a flit too late",
        file="rtl/linked_list.py",
        old="used_offer > config.mark_flits",
        new="used_offer >= config.mark_flits",
        check="buffer bench",
    ),
    Fault(
        name="ring-room",
        meaning="a packet that waits is judged by what is free for the one before it",
        file="rtl/ring.py",
        old="ready & stayed & (left >= 0)",
        new="ready & (left >= 0)",
        check="buffer bench, rings",
    ),
    Fault(
        name="ring-short",
        meaning="a pop in the cycle in which a packet of its queue begins is not counted",
        file="rtl/ring.py",
        old="also_popped.eq(pops & same)",
        new="also_popped.eq(0)",
        check="buffer bench, rings",
    ),
    Fault(
        name="ring-promise",
        meaning="a packet right behind another of its queue overwrites it",
        file="rtl/ring.py",
        old="begun_asked.eq(begins &",
        new="begun_asked.eq(0 & begins &",
        check="buffer bench, rings",
    ),
    Fault(
        name="ring-uncounted",
        meaning="a queue whose packet begins right before a pop is not marked as high",
        file="rtl/ring.py",
        old="uncounted.eq(began &",
        new="uncounted.eq(0 & began &",
        check="buffer bench, rings",
    ),
    Fault(
        name="claim-number",
        meaning="a claim has the number of a queue of another class",
        file="rtl/scheduler/input.py",
        old="+ encode(accept_class)",
        new="+ 0",
        check="scheduler bench",
    ),
    Fault(
        name="ring-end",
        meaning="a flit leaves its queue before it came in",
        file="rtl/ring.py",
        old="front[:-1] == newest, spent",
        new="spent, spent",
        check="buffer bench, rings",
    ),
    Fault(
        name="joined",
        meaning="of a packet that joins a queue of one flit only one flit shows",
        file="rtl/backlog.py",
        old="left_many.eq(rest[q] & rest_several)",
        new="left_many.eq(0)",
        check="backlog bench",
    ),
    Fault(
        name="taken",
        meaning="what older stages have claimed is taken again",
        file="rtl/backlog.py",
        old="left = Cat(C(0, 1), left)",
        new="left = Cat(C(0, 1), announced.count[1])",
        check="backlog bench",
    ),
    Fault(
        name="uncounted",
        meaning="of two claims in a row of the same queue only one is counted",
        file="rtl/backlog.py",
        old="Cat(again.any(), claims.count[0])",
        new="Cat(again.any() & 0, claims.count[0])",
        check="backlog bench",
    ),
    Fault(
        name="same-cycle",
        meaning="a connection takes a flit that an older stage claims in the same cycle",
        file="rtl/backlog.py",
        old="left = left - (self.claim[k] & self.claim[0]).any()",
        new="pass",
        check="backlog bench",
    ),
    Fault(
        name="drop-accounting",
        meaning="a bad packet is counted in every cycle in which it waits, not once",
        file="rtl/classifier.py",
        old="self.drop.valid.eq(drops)",
        new="self.drop.valid.eq(first & head.refused)",
        check="classifier bench",
    ),
    Fault(
        name="partition",
        meaning="a packet leaves its partition: the output need not be a member",
        file="rtl/classifier.py",
        old="~(members.bit_select(self.port, 1) & (members & route).any())",
        new="~members.bit_select(self.port, 1)",
        check="classifier bench",
    ),
    Fault(
        name="stall-timeout",
        meaning="a stalled packet is ended a cycle too early",
        file="rtl/classifier.py",
        old="init=config.stall_cycles - 2)",
        new="init=config.stall_cycles - 3)",
        check="classifier bench",
    ),
    Fault(
        name="padding",
        meaning="padding stops after one flit",
        file="rtl/classifier.py",
        old="with m.Elif(broken | in_padding):",
        new="with m.Elif(broken):",
        check="classifier bench",
    ),
    Fault(
        name="offer",
        meaning="a packet that will be refused is offered with its length",
        file="rtl/classifier.py",
        old="offer.length.eq(Mux(routed.good, routed.length, 0)),",
        new="offer.length.eq(routed.length),",
        check="classifier bench",
    ),
    Fault(
        name="counters-clear",
        meaning="an event in the cycle of a clear is kept",
        file="rtl/counters.py",
        old="m.d.sync += count.eq(0)",
        new="m.d.sync += count.eq(event)",
        check="counters bench",
    ),
    Fault(
        name="complete",
        meaning="the end of an open packet is told a cycle before its flits are counted",
        file="rtl/ingress.py",
        old="self.complete.eq(arrived),",
        new="self.complete.eq(classifier.complete),",
        check="ingress bench",
    ),
    Fault(
        name="crossbar-input",
        meaning="a flit comes from the input that was selected a cycle later",
        file="rtl/crossbar.py",
        old="part.source[n].eq(waiting[n].input)",
        new="part.source[n].eq(self.select[n].input)",
        check="crossbar proof",
    ),
    Fault(
        name="tail-keep",
        meaning="tkeep of the last flit lacks a byte",
        file="rtl/egress.py",
        old="exceeds(shown.count, n) for n",
        new="exceeds(shown.count, n + 1) for n",
        check="egress bench",
    ),
    Fault(
        name="parity",
        meaning="bit errors pass that leave every word even",
        file="rtl/egress.py",
        old="wrong.eq((words ^ side) != flit.parity)",
        new="wrong.eq(words.any() & ((words ^ side) != flit.parity))",
        check="egress bench",
    ),
    Fault(
        name="egress-padding",
        meaning="padding is sent to the line",
        file="rtl/egress.py",
        old="store.eq(self.checked & (first | ~ended))",
        new="store.eq(self.checked)",
        check="egress bench",
    ),
    Fault(
        name="egress-room",
        meaning="a queue accepts a connection that may not fit by a flit",
        file="rtl/egress.py",
        old="for n in (len(level), config.accept_flits)",
        new="for n in (len(level), config.accept_flits + 1)",
        check="egress bench",
    ),
    Fault(
        name="interleaving",
        meaning="a more urgent packet breaks into one under way",
        file="rtl/egress.py",
        old="chosen.eq(Mux(in_packet, owner, arbiter.grant[0]))",
        new="chosen.eq(arbiter.grant[0])",
        check="egress bench",
    ),
    Fault(
        name="front-room",
        meaning="a flit goes on its way right behind the last one for which there is room",
        file="rtl/egress.py",
        old="room = ~promised[-1]",
        new="room = ~(promised[-1] & ~issued)",
        check="egress bench",
    ),
    Fault(
        name="front-order",
        meaning="a flit passes by another that is being read",
        file="rtl/egress.py",
        old="~waits & ~issued & ~behind & room",
        new="~waits & ~issued & ~fetched & room",
        check="egress bench",
    ),
    Fault(
        name="stream-law",
        meaning="a flit is taken back although the line was not ready",
        file="rtl/egress.py",
        old="o_free.eq(~full | self.o.ready | discarding | doomed)",
        new="o_free.eq(1)",
        check="egress bench",
    ),
    Fault(
        name="egress-ends",
        meaning="the end of a flit that comes fourth is not kept",
        file="rtl/egress.py",
        old="with m.Elif(fourth & (put_place == n)):",
        new="with m.Elif(fourth & fetches[0][c] & (put_place == n)):",
        check="egress bench",
    ),
    Fault(
        name="permit-passes",
        meaning="a packet passes by the queue without its permit",
        file="rtl/egress.py",
        old="& room & (in_packet | may_pass)",
        new="& room",
        check="egress bench",
    ),
    Fault(
        name="permit-queue",
        meaning="a packet leaves the queue without its permit",
        file="rtl/egress.py",
        old="requests[c].eq(holds & (permitted[c] | self.flush[c]))",
        new="requests[c].eq(holds)",
        check="egress proof",
    ),
    Fault(
        name="permit-cuts",
        meaning="a packet under way stops where its permit ends",
        file="rtl/egress.py",
        old="gets.eq(chosen & held & room.replicate(config.classes))",
        new="gets.eq(chosen & requests & room.replicate(config.classes))",
        check="egress bench",
    ),
    Fault(
        name="permit-flush",
        meaning="a reset leaves what has no permit in the queue",
        file="rtl/egress.py",
        old="permitted = self.permit | self.reset.replicate(config.classes)",
        new="permitted = self.permit",
        check="egress bench",
    ),
    Fault(
        name="flush-permit",
        meaning="a class that is flushed waits for its permit",
        file="rtl/egress.py",
        old="requests[c].eq(holds & (permitted[c] | self.flush[c]))",
        new="requests[c].eq(holds & permitted[c])",
        check="egress bench",
    ),
    Fault(
        name="flush-cuts",
        meaning="a packet on its way out is cut where the flush of its class begins",
        file="rtl/egress.py",
        old="Mux(begun, (owner & flushed[1]).any(), was_doomed)",
        new="(owner & flushed[1]).any()",
        check="egress bench",
    ),
    Fault(
        name="flush-passes",
        meaning="a packet that is flushed passes by the queue, and its head is sent",
        file="rtl/egress.py",
        old="passing = permitted & ~self.flush",
        new="passing = permitted",
        check="egress bench",
    ),
    Fault(
        name="flush-rest",
        meaning="what passes by of a packet that is flushed is sent",
        file="rtl/egress.py",
        old="Mux(fetched, doomed_in_fetch, in_packet & dooms)",
        new="fetched & doomed_in_fetch",
        check="egress bench",
    ),
    Fault(
        name="flush-wiring",
        meaning="all outputs are flushed as the first",
        file="rtl/switch.py",
        old="egress.flush.eq(self.flush[n])",
        new="egress.flush.eq(self.flush[0])",
        check="switch bench",
    ),
    Fault(
        name="flush-all",
        meaning="a flush of all classes leaves the packet on its way out where it is",
        file="rtl/switch.py",
        old="egress.reset.eq(self.reset[n] | self.flush[n].all())",
        new="egress.reset.eq(self.reset[n])",
        check="switch bench",
    ),
    Fault(
        name="permit-wiring",
        meaning="all outputs have the permits of the first",
        file="rtl/switch.py",
        old="egress.permit.eq(self.permit[n])",
        new="egress.permit.eq(self.permit[0])",
        check="switch bench",
    ),
    Fault(
        name="wiring",
        meaning="output and class of released room are swapped",
        file="rtl/switch.py",
        old="Cat(self.released[n].traffic_class, self.released[n].output)",
        new="Cat(self.released[n].output, self.released[n].traffic_class)",
        check="switch bench",
    ),
    Fault(
        name="generator-withdraws",
        meaning="a flit that was not taken goes away",
        file="rtl/generator.py",
        old="""\
        with m.If(free):
            m.d.sync += self.o.valid.eq(goes)""",
        new="""\
        m.d.sync += self.o.valid.eq(goes)""",
        check="generator proof",
    ),
    Fault(
        name="generator-stamp",
        meaning="the sequence number is in every flit of a packet",
        file="rtl/generator.py",
        old="m.d.sync += stamp.eq(Mux(starting, sequence, 0))",
        new="m.d.sync += stamp.eq(sequence)",
        check="generator bench",
    ),
    Fault(
        name="checker-order",
        meaning="any sequence number will do",
        file="rtl/checker.py",
        old="differs = stamp ^ read.data.sequence",
        new="differs = stamp ^ stamp",
        check="checker bench",
    ),
    Fault(
        name="checker-tail",
        meaning="bytes behind the end of a packet are held against the payload",
        file="rtl/checker.py",
        old=".any() & keep[n] & ~excluded[n]",
        new=".any() & ~excluded[n]",
        check="checker bench",
    ),
    Fault(
        name="retry-unchecked",
        meaning="a frame whose header check is wrong is delivered by its number",
        file="rtl/link/retry_receiver.py",
        old="with m.Elif(~flit.check):",
        new="with m.Elif(0):",
        check="retry_receiver bench",
    ),
    Fault(
        name="retry-bad-received",
        meaning="an expected frame counts as received though its CRC was wrong",
        file="rtl/link/retry_receiver.py",
        old="received.eq(expected & ~wrong)",
        new="received.eq(expected & ~fails)",
        check="retry_receiver bench",
    ),
    Fault(
        name="retry-overrun",
        meaning="a packet that lost a flit ends without an error",
        file="rtl/link/retry_receiver.py",
        old="[waiting.last.eq(1), waiting.user.eq(1), waiting.broken.eq(1)]",
        new="[waiting.last.eq(1), waiting.broken.eq(1)]",
        check="retry_receiver bench",
    ),
    Fault(
        name="retry-overrun-received",
        meaning="a frame that found no room counts as received",
        file="rtl/link/retry_receiver.py",
        old="fails.eq(overrun | (failed & ~flit.first))",
        new="fails.eq(overrun)",
        check="retry_receiver bench",
    ),
    Fault(
        name="retry-silence",
        meaning="no ACK for a duplicate once a NACK was sent",
        file="rtl/link/retry_receiver.py",
        old="with m.If(duplicate & (self.state != ReceiverState.SEND_NACK)):",
        new="with m.If(duplicate & (self.state == ReceiverState.SEND_ACKS)):",
        check="retry_receiver bench",
    ),
    Fault(
        name="retry-init-frame",
        meaning="a frame in the midst of which an INIT comes counts by its old number",
        file="rtl/link/retry_receiver.py",
        old="with m.If(starts | stops):  # what",
        new="with m.If(stops):  # what",
        check="retry_receiver bench",
    ),
    Fault(
        name="retry-ack-age",
        meaning="what comes as an ACK goes out is not acknowledged in time",
        file="rtl/link/retry_receiver.py",
        old="[repeat.eq(0), age.eq(received)]",
        new="[repeat.eq(0), age.eq(0)]",
        check="retry_receiver bench",
    ),
    Fault(
        name="retry-room",
        meaning="a packet begins though its last flit may find no room",
        file="rtl/link/retry_sender.py",
        old="room.eq(Mux(numbered, used < spare, used <= spare))",
        new="room.eq(used <= spare)",
        check="retry_sender bench",
    ),
    Fault(
        name="retry-window",
        meaning="one frame more than the window is kept",
        file="rtl/link/retry_sender.py",
        old="advance & room & ~full & ~self",
        new="advance & room & ~self",
        check="retry_sender bench",
    ),
    Fault(
        name="retry-stale-end",
        meaning="an ACK as its frame ends frees to where an older one ended",
        file="rtl/link/retry_sender.py",
        old="table.read_port(transparent_for=[ends])",
        new="table.read_port()",
        check="retry_sender bench",
    ),
    Fault(
        name="retry-timer-twice",
        meaning="the replay timer counts for the replay that it has begun",
        file="rtl/link/retry_sender.py",
        old="(nacked | (advance & expired)) & ~empty",
        new="(nacked | expired) & ~empty",
        check="retry_sender bench",
    ),
    Fault(
        name="retry-overtaken",
        meaning="frames that are acknowledged in the midst of a replay are sent to its end",
        file="rtl/link/retry_sender.py",
        old="behind.eq(~in_frame & (left > kept))",
        new="behind.eq(0)",
        check="retry_sender bench",
    ),
    Fault(
        name="retry-cut",
        meaning="a NACK cuts the frame under way",
        file="rtl/link/retry_sender.py",
        old="between.eq((advance | replay) & ~in_frame)",
        new="between.eq(advance | replay)",
        check="retry_sender bench",
    ),
    Fault(
        name="retry-under-way",
        meaning="a NACK of the frame under way is forgotten",
        file="rtl/link/retry_sender.py",
        old="with m.If(starts | (empty & ~numbering)):",
        new="with m.If(starts | empty):",
        check="retry_sender bench",
    ),
    Fault(
        name="retry-under-way-unheard",
        meaning="a NACK of the frame under way asks for nothing",
        file="rtl/link/retry_sender.py",
        old="| (latest & (numbering | ~empty))",
        new="| (latest & ~empty)",
        check="retry_sender bench",
    ),
    Fault(
        name="retry-unsent",
        meaning="an ACK of a frame that was never sent is believed",
        file="rtl/link/retry_sender.py",
        old="known.eq(distance < kept)",
        new="known.eq(distance <= kept)",
        check="retry_sender bench",
    ),
    Fault(
        name="retry-echo",
        meaning="the echo of an older INIT is taken for that of this one",
        file="rtl/link/retry_sender.py",
        old=" & (self.init_echo.value == value)",
        new="",
        check="retry_sender bench",
    ),
    Fault(
        name="retry-reconfigure",
        meaning="packets are discarded while the link is configured again",
        file="rtl/link/retry_sender.py",
        old="rests.eq(waits & ~self.reconfigure & ~held)",
        new="rests.eq(waits)",
        check="retry_sender bench",
    ),
    Fault(
        name="retry-progress",
        meaning="replays that help count as replays in a row",
        file="rtl/link/retry_sender.py",
        old="tail.eq(end.data), replays.eq(0)]",
        new="tail.eq(end.data)]",
        check="retry_sender bench",
    ),
    Fault(
        name="retry-lap",
        meaning="the replay memory wraps without a change of lap",
        file="rtl/link/retry_sender.py",
        old="(~place.lap) << len(after.address)",
        new="place.lap << len(after.address)",
        check="retry_sender bench",
    ),
    Fault(
        name="control-order",
        meaning="an ACK goes before a NACK",
        file="rtl/link/control_words.py",
        old="with m.Elif(self.send_nack.valid):",
        new="with m.Elif(self.send_nack.valid & ~self.send_ack.valid):",
        check="control_words bench",
    ),
    Fault(
        name="control-nibble",
        meaning="the lowest bits of the number are read from the wrong half of D4",
        file="rtl/link/control_words.py",
        old="sequence = Cat(word.sequence_low,",
        new="sequence = Cat(word.padding,",
        check="control_words bench",
    ),
    Fault(
        name="control-dirty",
        meaning="a word with bits set that must be zero is believed",
        file="rtl/link/control_words.py",
        old="clean.eq(right & ~word.padding.any())",
        new="clean.eq(right)",
        check="control_words bench",
    ),
    Fault(
        name="control-bare",
        meaning="an ACK with a value is believed",
        file="rtl/link/control_words.py",
        old="bare = clean & ~word.value.any()",
        new="bare = clean",
        check="control_words bench",
    ),
    Fault(
        name="control-update",
        meaning="a CF_Update with a wrong check is believed",
        file="rtl/link/control_words.py",
        old="self.credit.valid.eq(valid & clean)",
        new="self.credit.valid.eq(valid)",
        check="control_words bench",
    ),
    Fault(
        name="control-unknown",
        meaning="a word of no known type is not told",
        file="rtl/link/control_words.py",
        old="m.d.comb += self.unknown.eq(valid)\n",
        new="m.d.comb += self.unknown.eq(0)\n",
        check="control_words bench",
    ),
    Fault(
        name="hold-broken",
        meaning="a broken packet stays where it was written",
        file="rtl/link/hold.py",
        old="tail.eq(Mux(broken, whole, Mux(takes, after(tail), tail)))",
        new="tail.eq(Mux(takes, after(tail), tail))",
        check="hold bench",
    ),
    Fault(
        name="hold-early",
        meaning="a packet counts as whole though it was broken",
        file="rtl/link/hold.py",
        old="kept.eq(Mux(ends & ~broken, count + 1, kept) - gives)",
        new="kept.eq(Mux(ends, count + 1, kept) - gives)",
        check="hold bench",
    ),
    Fault(
        name="hold-full",
        meaning="a flit too many is taken",
        file="rtl/link/hold.py",
        old="full.eq(counted == depth)",
        new="full.eq(0)",
        check="hold bench",
    ),
    Fault(
        name="hold-poisoned",
        meaning="a poisoned packet is forgotten like a broken copy",
        file="rtl/link/hold.py",
        old="broken.eq(ends & i.payload.broken)",
        new="broken.eq(ends & i.payload.user[0])",
        check="hold bench",
    ),
    Fault(
        name="hold-way",
        meaning="holds changes how a packet goes that has begun",
        file="rtl/link/hold.py",
        old="Mux(under_way, passed, ~self.holds & (count == 0))",
        new="Mux(under_way & passed, ~self.holds, ~self.holds & (count == 0))",
        check="hold bench",
    ),
    Fault(
        name="hold-offer",
        meaning="how a packet goes is open until its first flit is taken",
        file="rtl/link/hold.py",
        old="with m.If(i.valid):",
        new="with m.If(i.valid & i.ready):",
        check="hold bench",
    ),
    Fault(
        name="hold-order",
        meaning="a packet passes those that are stored",
        file="rtl/link/hold.py",
        old="~self.holds & (count == 0)",
        new="~self.holds",
        check="hold bench",
    ),
    Fault(
        name="arrivals-told",
        meaning="a CC_Update takes the verdict of the packet behind it",
        file="rtl/link/arrivals.py",
        old="needs.eq(end.kind != EndKind.TOLD)",
        new="needs.eq(1)",
        check="arrivals bench",
    ),
    Fault(
        name="arrivals-early",
        meaning="a verdict that comes with the end of its packet is not its own",
        file="rtl/link/arrivals.py",
        old="first.eq(Mux(count == 0, entry, read.data.entry))",
        new="first.eq(read.data.entry)",
        check="arrivals bench",
    ),
    Fault(
        name="arrivals-vanish",
        meaning="a copy is told of though the switch has dropped it",
        file="rtl/link/arrivals.py",
        old="leaves & (end.kind == EndKind.BROKEN) & stores",
        new="leaves & (end.kind == EndKind.BROKEN)",
        check="arrivals bench",
    ),
    Fault(
        name="arrivals-pending",
        meaning="a copy is pending from a cycle late on",
        file="rtl/link/arrivals.py",
        old="(copies != 0) | another",
        new="copies != 0",
        check="arrivals bench",
    ),
    Fault(
        name="arrivals-full",
        meaning="what finds no room takes the place of what waits",
        file="rtl/link/arrivals.py",
        old="enters.eq(comes & (count != MAX_WAITING))",
        new="enters.eq(comes)",
        check="arrivals bench",
    ),
    Fault(
        name="arrivals-idle",
        meaning="a verdict that waits is forgotten in what is idle",
        file="rtl/link/arrivals.py",
        old="ends.any() | verdicts.any() | tells",
        new="ends.any() | tells",
        check="arrivals bench",
    ),
    Fault(
        name="control-check",
        meaning="a control word means something though its check is wrong",
        file="rtl/link/control_words.py",
        old="clean.eq(right & ~word.padding.any())",
        new="clean.eq(~word.padding.any())",
        check="control_words bench",
    ),
    Fault(
        name="link-stuck",
        meaning="a frame does not end while the PCS is down",
        file="rtl/link/link.py",
        old="framer.o.ready.eq(self.to_pcs.ready | ~self.pcs_up)",
        new="framer.o.ready.eq(self.to_pcs.ready)",
        check="link bench",
    ),
    Fault(
        name="link-nack",
        meaning="a NACK of the partner is not heard",
        file="rtl/link/link.py",
        old="connect(m, words.nack, sender.nack)",
        new="m.d.comb += sender.nack.valid.eq(0)",
        check="link bench",
    ),
    Fault(
        name="link-drained",
        meaning="what waits to be acknowledged is forgotten",
        file="rtl/link/link.py",
        old="                & sender.idle\n",
        new="",
        check="link bench, credits",
    ),
    Fault(
        name="link-best-effort",
        meaning="the receiver counts a channel of best effort",
        file="rtl/link/link.py",
        old="event.valid & self.credit.lossless.bit_select(event.channel, 1)",
        new="event.valid",
        check="link bench",
    ),
    Fault(
        name="link-hold",
        meaning="packets pass the hold by",
        file="rtl/link/link.py",
        old="hold.holds.eq(1)",
        new="hold.holds.eq(0)",
        check="link bench, store and forward",
    ),
    Fault(
        name="hold-idle",
        meaning="a packet that passes is not in the hold",
        file="rtl/link/hold.py",
        old="self.idle.eq((count == 0) & ~under_way)",
        new="self.idle.eq(count == 0)",
        check="hold bench",
    ),
    Fault(
        name="deframer-poison-short",
        meaning="a poisoned frame that is shorter than a packet is bad, and repeated for ever",
        file="rtl/link/deframer.py",
        old="stands = ~flit.short | complement",
        new="stands = ~flit.short",
        check="link_deframer bench",
    ),
    Fault(
        name="deframer-stub",
        meaning="a poisoned frame without a whole header counts as received",
        file="rtl/link/deframer.py",
        old="flit.broken.eq(cut | long | (ends & stub))",
        new="flit.broken.eq(cut | long | (ends & tiny))",
        check="link_deframer bench",
    ),
    Fault(
        name="isolator-verdict",
        meaning="what the switch forgot in a reset has no verdict",
        file="rtl/isolator.py",
        old="refuses.eq(closed & late & ~judged & (owed != 0))",
        new="refuses.eq(0)",
        check="isolator bench",
    ),
    Fault(
        name="isolator-early",
        meaning="verdicts of the switch are overtaken as a reset begins",
        file="rtl/isolator.py",
        old="refuses.eq(closed & late & ~judged & (owed != 0))",
        new="refuses.eq(closed & ~judged & (owed != 0))",
        check="isolator bench",
    ),
    Fault(
        name="isolator-rest",
        meaning="the rest of a packet that a reset has cut goes into the switch",
        file="rtl/isolator.py",
        old="o.valid.eq(i.valid & ~(self.reset | closed | cut))",
        new="o.valid.eq(i.valid & ~(self.reset | closed))",
        check="isolator bench",
    ),
    Fault(
        name="isolator-end",
        meaning="a packet that a reset cuts on its way out never ends",
        file="rtl/isolator.py",
        old="ends.eq((self.reset | self.flush | ends) & sends)",
        new="ends.eq(0)",
        check="isolator bench",
    ),
    Fault(
        name="isolator-hasty-end",
        meaning="the end of a packet is withdrawn as the reset is over",
        file="rtl/isolator.py",
        old="ends.eq((self.reset | self.flush | ends) & sends)",
        new="ends.eq((self.reset | self.flush) & sends)",
        check="isolator bench",
    ),
    Fault(
        name="isolator-flush",
        meaning="a packet that a flush cuts on its way out never ends",
        file="rtl/isolator.py",
        old="ends.eq((self.reset | self.flush | ends) & sends)",
        new="ends.eq((self.reset | ends) & sends)",
        check="isolator bench",
    ),
    Fault(
        name="watchdog-row",
        meaning="cycles count that are not in a row",
        file="rtl/output_watchdog.py",
        old="Mux(wait & ~self.revive, waited + (waited != most), 0)",
        new="Mux(self.revive, 0, waited + (wait & (waited != most)))",
        check="output_watchdog bench",
    ),
    Fault(
        name="watchdog-off",
        meaning="a timeout of 0 is over at once",
        file="rtl/output_watchdog.py",
        old="(self.timeout != 0) & (waited + 1 >= self.timeout)",
        new="waited + 1 >= self.timeout",
        check="output_watchdog bench",
    ),
    Fault(
        name="watchdog-revive",
        meaning="what dies as it is revived stays dead",
        file="rtl/output_watchdog.py",
        old="self.dead.eq(Mux(self.revive, 0, dead))",
        new="self.dead.eq(dead & ~Mux(self.revive, self.dead, 0))",
        check="output_watchdog bench",
    ),
    Fault(
        name="chip-dead-offer",
        meaning="an output that takes no flit does not die",
        file="rtl/chip.py",
        old="watchdog.offered.eq(link.i.valid)",
        new="watchdog.offered.eq(0)",
        check="chip bench, dead output",
    ),
    Fault(
        name="chip-dead-flush",
        meaning="what is dead is not discarded",
        file="rtl/chip.py",
        old="switch.flush[n].eq(watchdog.dead)",
        new="switch.flush[n].eq(0)",
        check="chip bench, dead output",
    ),
    Fault(
        name="chip-dead-cut",
        meaning="a packet that is cut as its output dies has no end",
        file="rtl/chip.py",
        old="isolator.flush.eq(watchdog.dead.all())",
        new="isolator.flush.eq(0)",
        check="chip bench, cut packets",
    ),
    Fault(
        name="bubble-data",
        meaning="the end of a packet that stalls shows what was on the stream",
        file="rtl/classifier.py",
        old="flit.data.eq(Mux(head.full, head.data, 0))",
        new="flit.data.eq(head.data)",
        check="classifier bench",
    ),
    Fault(
        name="drop-order",
        meaning="the last reason to drop a packet is told, not the first",
        file="rtl/classifier.py",
        old="for drop in reversed(Drop):",
        new="for drop in Drop:",
        check="classifier bench",
    ),
    Fault(
        name="bubble-last",
        meaning="what was on the stream without a flit ends a packet",
        file="rtl/classifier.py",
        old="raw.last.eq(self.i.payload.last & enters)",
        new="raw.last.eq(self.i.payload.last)",
        check="classifier bench",
    ),
    Fault(
        name="chip-revive",
        meaning="an output is revived with the one before it",
        file="rtl/chip.py",
        old="watchdog.revive.eq(self.revive[n])",
        new="watchdog.revive.eq(self.revive[n - 1])",
        check="chip bench, dead output",
    ),
    Fault(
        name="event-counters-turn",
        meaning="an event that comes in the turn of its count is lost",
        file="rtl/event_counters.py",
        old="recent[n].eq(Mux(turn == n, 0, recent[n]) + event)",
        new="recent[n].eq(Mux(turn == n, 0, recent[n] + event))",
        check="event_counters bench",
    ),
    Fault(
        name="event-counters-old",
        meaning="counts go on from before a reset",
        file="rtl/event_counters.py",
        old="Mux(first_round, 0, own.data)",
        new="own.data",
        check="event_counters bench",
    ),
    Fault(
        name="event-counters-recent",
        meaning="who reads does not get what came since the last turn",
        file="rtl/event_counters.py",
        old="Mux(known, read.data, 0) + Array(recent)[self.address]",
        new="Mux(known, read.data, 0)",
        check="event_counters bench",
    ),
    Fault(
        name="chip-counter",
        meaning="the counters of the first link are those of all",
        file="rtl/chip.py",
        old="counts.append(Mux(asked == n, counters.count, 0))",
        new="counts.append(Mux(n == 0, counters.count, 0))",
        check="chip bench",
    ),
    Fault(
        name="chip-lines",
        meaning="a port hears the lines of the one before it",
        file="rtl/chip.py",
        old="test.line.rx.eq(self.rx[n])",
        new="test.line.rx.eq(self.rx[n - 1])",
        check="chip bench, lanes",
    ),
    Fault(
        name="chip-lane-test",
        meaning="a port is told what the lane test of the one before it should do",
        file="rtl/chip.py",
        old="self.lane_test[n], test),",
        new="self.lane_test[n - 1], test),",
        check="chip bench, lanes",
    ),
    Fault(
        name="chip-test-signal",
        meaning="the PCS has a signal although its lines are in a test",
        file="rtl/chip.py",
        old="Cat(*pcs.signal_ok).eq(Cat(*test.pcs.signal_ok))",
        new="Cat(*pcs.signal_ok).eq(Cat(*self.signal_ok[n]))",
        check="chip bench, lanes",
    ),
    Fault(
        name="chip-pcs-up",
        meaning="a link does not see that its PCS is down",
        file="rtl/chip.py",
        old="link.pcs_up.eq(pcs.up)",
        new="link.pcs_up.eq(1)",
        check="chip bench, lanes",
    ),
    Fault(
        name="chip-pace",
        meaning="a PCS sends a word in each cycle, whether its lines take it or not",
        file="rtl/chip.py",
        old="pcs.tx_ready.eq(test.pcs.tx_ready)",
        new="pcs.tx_ready.eq(1)",
        check="chip_pair bench",
    ),
    Fault(
        name="chip-words",
        meaning="a word of each lane counts as come as soon as the first lane has one",
        file="rtl/chip.py",
        old="Cat(*pcs.rx_valid).eq(Cat(*test.pcs.rx_valid))",
        new="Cat(*pcs.rx_valid).eq(test.pcs.rx_valid[0].replicate(lanes.lanes))",
        check="chip_pair bench",
    ),
    Fault(
        name="crossing-pace",
        meaning="the crossing takes a word for the lines that it has no room for",
        file="rtl/serdes/lane_crossing.py",
        old="self.ready.eq(queue.w_rdy)",
        new="self.ready.eq(1)",
        check="chip_pair bench",
    ),
    Fault(
        name="chip-counted",
        meaning="codewords and bad ones change places among the counters",
        file="rtl/chip.py",
        old="found += [Mux(came, count, 0), Mux(came, pcs.bad, 0)]",
        new="found += [Mux(came, pcs.bad, 0), Mux(came, count, 0)]",
        check="chip bench, lanes",
    ),
    Fault(
        name="retry-never-sent",
        meaning="an ACK for a frame that was never sent frees what is kept",
        file="rtl/link/retry_sender.py",
        old="known.eq(distance < kept)",
        new="known.eq(~latest)",
        check="retry proof",
    ),
    Fault(
        name="retry-wrong-echo",
        meaning="an echo of another INIT is taken for the right one",
        file="rtl/link/retry_sender.py",
        old="(self.init_echo.sequence == self.next) & (self.init_echo.value == value)",
        new="self.init_echo.sequence == self.next",
        check="retry_sender bench",
    ),
    Fault(
        name="channel-map-sweep",
        meaning="before an entry is swept the table says what was in it",
        file="rtl/link/channel_map.py",
        old="own = Mux(self.write.ready, read.data, self.destination)",
        new="own = read.data",
        check="channel_map bench",
    ),
    Fault(
        name="channel-map-beyond",
        meaning="a destination beyond the table is written to an entry of it",
        file="rtl/link/channel_map.py",
        old="(self.write.valid & (self.write.address < entries))",
        new="self.write.valid",
        check="channel_map bench",
    ),
    Fault(
        name="chip-permit",
        meaning="a class may leave while any output of the partner has room for it",
        file="rtl/chip.py",
        old="switch.permit[n].eq(reduce(and_, permits))",
        new="switch.permit[n].eq(reduce(lambda a, b: a | b, permits))",
        check="chip bench",
    ),
    Fault(
        name="chip-channel",
        meaning="packets take the channel of their class, whatever the output of the partner",
        file="rtl/chip.py",
        old="Cat(header.traffic_class[:class_bits], map_.port)",
        new="header.traffic_class[:class_bits]",
        check="chip bench",
    ),
    Fault(
        name="chip-released",
        meaning="room of any output is told as that of the first",
        file="rtl/chip.py",
        old="Cat(released.traffic_class[:class_bits], released.output)",
        new="released.traffic_class[:class_bits]",
        check="chip bench",
    ),
    Fault(
        name="chip-verdict",
        meaning="packets that are dropped count as stored",
        file="rtl/chip.py",
        old="link.accepted.eq(isolator.stored)",
        new="link.accepted.eq(isolator.stored | isolator.refused)",
        check="chip bench",
    ),
    Fault(
        name="chip-map",
        meaning="the maps of all links are written at once",
        file="rtl/chip.py",
        old="self.map.valid & (self.map.link == n)",
        new="self.map.valid",
        check="chip bench",
    ),
    Fault(
        name="chip-waiting",
        meaning="the watchdog of a link does not see what waits in the egress",
        file="rtl/chip.py",
        old="link.waiting.eq(Cat(switch.waiting[n] for _ in parts))",
        new="link.waiting.eq(0)",
        check="chip bench",
    ),
    Fault(
        name="chip-idle",
        meaning="a port is idle though a packet of its link has no verdict",
        file="rtl/chip.py",
        old="self.idle[n].eq(switch.idle[n] & isolator.idle)",
        new="self.idle[n].eq(switch.idle[n])",
        check="chip bench",
    ),
    Fault(
        name="deframer-idle",
        meaning="a frame goes on behind an idle",
        file="rtl/link/deframer.py",
        old="Mux(keeps[k], 0, lost | (idle & valid))",
        new="Mux(keeps[k], 0, lost)",
        check="link_deframer bench",
    ),
    Fault(
        name="deframer-up",
        meaning="a frame goes on with what comes behind a PCS that was down",
        file="rtl/link/deframer.py",
        old="lost.eq(~fits | ~self.up | missing)",
        new="lost.eq(~fits | missing)",
        check="link_deframer bench",
    ),
    Fault(
        name="retry-idle",
        meaning="the sender is idle while a packet is under way",
        file="rtl/link/retry_sender.py",
        old="self.idle.eq(empty & ~in_frame & ~replay & ~o.valid)",
        new="self.idle.eq(empty & ~replay & ~o.valid)",
        check="retry_sender bench",
    ),
    Fault(
        name="retry-copy",
        meaning="a packet that lost a flit counts as received behind the link",
        file="rtl/link/retry_receiver.py",
        old="[waiting.last.eq(1), waiting.user.eq(1), waiting.broken.eq(1)]",
        new="[waiting.last.eq(1), waiting.user.eq(1)]",
        check="retry_receiver bench",
    ),
    Fault(
        name="link-copies",
        meaning="a second broken copy may lie in the switch",
        file="rtl/link/link.py",
        old="hold.holds.eq(credit_receiver.copying | arrivals.pending)",
        new="hold.holds.eq(0)",
        check="link bench, credits",
    ),
    Fault(
        name="credit-frame-idle",
        meaning="an update is forgotten in what is idle",
        file="rtl/link/credit_frame.py",
        old="self.idle.eq((phase == Phase.PACKETS) & ~in_packet)",
        new="self.idle.eq(~in_packet)",
        check="credit_frame bench",
    ),
    Fault(
        name="credit-frame-cut",
        meaning="a CC_Update cuts a packet in two",
        file="rtl/link/credit_frame.py",
        old="Mux(i.valid, o.ready & i.payload.last, ~in_packet)",
        new="Mux(i.valid, o.ready, ~in_packet)",
        check="credit_frame bench",
    ),
    Fault(
        name="credit-frame-early",
        meaning="a CC_Update does not know of the packet before it",
        file="rtl/link/credit_frame.py",
        old="phase.eq(Phase.PAUSE)",
        new="phase.eq(Phase.LOAD)",
        check="credit_frame bench",
    ),
    Fault(
        name="credit-frame-broken",
        meaning="a broken CC_Update is believed",
        file="rtl/link/credit_frame.py",
        old="(flit.channel == OWN_CHANNEL) & ~flit.broken & ~flit.user[0]",
        new="(flit.channel == OWN_CHANNEL)",
        check="credit_frame bench, receiver",
    ),
    Fault(
        name="credit-overhead",
        meaning="a packet pays for its bytes, not for its frame",
        file="rtl/link/credit_sender.py",
        old="length + (FRAME_OVERHEAD_BYTES + config.credit_bytes - 1)",
        new="length + (config.credit_bytes - 1)",
        check="link_credit_sender bench",
    ),
    Fault(
        name="credit-closed",
        meaning="a packet begins while credits are reset",
        file="rtl/link/credit_sender.py",
        old="closed = Mux(self.reset, self.lossless, 0)",
        new="closed = Mux(self.reset, 0, 0)",
        check="link_credit_sender bench",
    ),
    Fault(
        name="credit-late-update",
        meaning="an update that comes in the reset of credits is an excess",
        file="rtl/link/credit_sender.py",
        old="valid = update.valid & ~self.reset",
        new="valid = update.valid",
        check="link_credit_sender bench",
    ),
    Fault(
        name="credit-weighed",
        meaning="a head is weighed in the reset of credits, and passes behind it",
        file="rtl/link/credit_sender.py",
        old="(goes | (fits_now & ~self.reset))",
        new="(goes | fits_now)",
        check="link_credit_sender bench",
    ),
    Fault(
        name="credit-fits",
        meaning="a head is weighed against the channel only",
        file="rtl/link/credit_sender.py",
        old="fits_now.eq(channel_room & (self.port_used + credits <= self.port_limit))",
        new="fits_now.eq(channel_room)",
        check="link_credit_sender bench",
    ),
    Fault(
        name="credit-held",
        meaning="a head that was offered is taken back",
        file="rtl/link/credit_sender.py",
        old="(goes | (fits_now & ~self.reset))",
        new="(fits_now & ~self.reset)",
        check="link_credit_sender bench",
    ),
    Fault(
        name="credit-excess",
        meaning="credits that were never used come back",
        file="rtl/link/credit_sender.py",
        old="right[n].eq(counts[n] & named.any() & (left <= before))",
        new="right[n].eq(counts[n] & named.any())",
        check="link_credit_sender bench",
    ),
    Fault(
        name="credit-twice",
        meaning="two updates of one channel both count for the port",
        file="rtl/link/credit_sender.py",
        old="valid & (update.channel[0] != update.channel[1])",
        new="valid",
        check="link_credit_sender bench",
    ),
    Fault(
        name="credit-best-effort",
        meaning="a best-effort channel pays",
        file="rtl/link/credit_sender.py",
        old="takes.eq(transfer & starting & (mine & self.lossless).any())",
        new="takes.eq(transfer & starting & mine.any())",
        check="link_credit_sender bench",
    ),
    Fault(
        name="credit-watchdog",
        meaning="the watchdog does not ask whether a packet has waited all the time",
        file="rtl/link/credit_sender.py",
        old="late.eq(starved & waited & tick",
        new="late.eq(starved & tick",
        check="link_credit_sender bench",
    ),
    Fault(
        name="credit-refund",
        meaning="an update while a packet passes forgets the packet",
        file="rtl/link/credit_sender.py",
        old="used[c].eq(remains + more)",
        new="used[c].eq(Mux(right.any(), remains, remains + more))",
        check="link_credit proof",
    ),
    Fault(
        name="credit-permit",
        meaning="a packet passes with a credit too few",
        file="rtl/link/credit_sender.py",
        old="(used + credits <= limit)",
        new="(used + credits <= limit + 1)",
        check="link_credit proof",
    ),
    Fault(
        name="credit-part",
        meaning="a part of a credit's flits is free already",
        file="rtl/link/credit_receiver.py",
        old="(flits + (self.flits_per_credit - 1)) >>",
        new="flits >>",
        check="link_credit proof",
    ),
    Fault(
        name="credit-healed",
        meaning="a CC_Update that is old counts",
        file="rtl/link/credit_receiver.py",
        old="is_ahead = ahead.any() & ~ahead[-1]",
        new="is_ahead = ahead.any()",
        check="link_credit proof",
    ),
    Fault(
        name="credit-heals-twice",
        meaning="a packet that comes with a CC_Update is lost",
        file="rtl/link/credit_receiver.py",
        old="consumed[c].eq(before + Mux(came[c], credits, 0))",
        new="consumed[c].eq(Mux(heals & heard[c], before, before + Mux(came[c], credits, 0)))",
        check="link_credit_receiver bench",
    ),
    Fault(
        name="credit-too-much",
        meaning="a CC_Update brings more than the limit",
        file="rtl/link/credit_receiver.py",
        old="fits.eq(ahead <= of_channel(limits, heard))",
        new="fits.eq(1)",
        check="link_credit_receiver bench",
    ),
    Fault(
        name="credit-underrun",
        meaning="more flits leave early than a packet can have",
        file="rtl/link/credit_receiver.py",
        old="kept = Mux(under[c], -most, total)",
        new="kept = total",
        check="link_credit_receiver bench",
    ),
    Fault(
        name="credit-reset",
        meaning="flits that come during a reset are credits after it",
        file="rtl/link/credit_receiver.py",
        old="credits.eq(Mux(self.reset, 0, credits_for(config, self.arrival.length)))",
        new="credits.eq(credits_for(config, self.arrival.length))",
        check="link_credit_receiver bench",
    ),
    Fault(
        name="credit-early",
        meaning="flits that leave before their packet counts are forgotten",
        file="rtl/link/credit_receiver.py",
        old="kept = Mux(under[c], -most, total)",
        new="kept = Mux(total[-1], 0, total)",
        check="link_credit proof",
    ),
    Fault(
        name="credit-refused",
        meaning="a packet that the switch has refused is stored",
        file="rtl/link/credit_receiver.py",
        old="Mux(self.arrival.stores, flits_for(self.arrival.length), 0)",
        new="flits_for(self.arrival.length)",
        check="link_credit_receiver bench",
    ),
    Fault(
        name="credit-copy",
        meaning="the flits of a broken copy free credits as they leave",
        file="rtl/link/credit_receiver.py",
        old="leaves = left[c] & ~(leaves_copy & self.copy_channel[c])",
        new="leaves = left[c]",
        check="link_credit_receiver bench",
    ),
    Fault(
        name="credit-copy-first",
        meaning="a broken copy leaves before what was stored when it came",
        file="rtl/link/credit_receiver.py",
        old="leaves_copy.eq(remaining.any() & ~ahead.any())",
        new="leaves_copy.eq(remaining.any())",
        check="link_credit_receiver bench",
    ),
    Fault(
        name="credit-copy-whole",
        meaning="all of a broken copy has yet to leave, though some has",
        file="rtl/link/credit_receiver.py",
        old="remaining.eq(Mux(before[-1], Mux(rest[-1], 0, rest), self.flits_copied))",
        new="remaining.eq(self.flits_copied)",
        check="link_credit proof",
    ),
    Fault(
        name="credit-copy-again",
        meaning="a copy that comes too early takes the place of the one before",
        file="rtl/link/credit_receiver.py",
        old="self.copy.valid & ~self.copying & ~self.arrival.valid",
        new="self.copy.valid & ~self.arrival.valid",
        check="link_credit_receiver bench",
    ),
    Fault(
        name="credit-copy-drained",
        meaning="a link is drained while a copy is stored",
        file="rtl/link/credit_receiver.py",
        old="came.any() | self.copying | arrives",
        new="came.any() | arrives",
        check="link_credit_receiver bench",
    ),
    Fault(
        name="credit-urgent",
        meaning="an update waits until its turn, however much is free",
        file="rtl/link/credit_receiver.py",
        old="(ready & urgent.any()) | (on_turn",
        new="(on_turn",
        check="link_credit_receiver bench",
    ),
    Fault(
        name="credit-refresh",
        meaning="nothing is told again",
        file="rtl/link/credit_receiver.py",
        old="(on_turn & news.any()) | renews",
        new="(on_turn & news.any())",
        check="link_credit_receiver bench",
    ),
    Fault(
        name="credit-odd",
        meaning="the last channel of an odd number is told of as if another came behind it",
        file="rtl/link/credit_receiver.py",
        old="lane & ~pair[-1]",
        new="C(lane, 1)",
        check="link_credit proof",
    ),
    Fault(
        name="credit-turn",
        meaning="the first pair with news always comes first",
        file="rtl/link/credit_receiver.py",
        old="m.d.sync += turn.eq(turn.rotate_left(1))",
        new="m.d.sync += turn.eq(turn)",
        check="link_credit_receiver bench",
    ),
    Fault(
        name="retry-cut-received",
        meaning="a frame that was cut short counts as received",
        file="rtl/link/retry_receiver.py",
        old="received.eq(expected & ~wrong)",
        new="received.eq(expected)",
        check="retry proof",
    ),
    Fault(
        name="retry-generous",
        meaning="an ACK names the frame that has yet to come",
        file="rtl/link/retry_receiver.py",
        old="[good.eq(self.expected), self",
        new="[good.eq(self.expected + 1), self",
        check="retry proof",
    ),
    Fault(
        name="retry-first-flit",
        meaning="a frame can be acknowledged once its first flit is sent",
        file="rtl/link/retry_sender.py",
        old="            with m.If(i.payload.last):\n                m.d.sync += self.next",
        new="            with m.If(~in_frame):\n                m.d.sync += self.next",
        check="retry proof",
    ),
    Fault(
        name="retry-window-proof",
        meaning="one frame more than the window is kept",
        file="rtl/link/retry_sender.py",
        old="advance & room & ~full & ~self",
        new="advance & room & ~self",
        check="retry proof",
    ),
    Fault(
        name="retry-place",
        meaning="a replay begins with the frame behind the oldest",
        file="rtl/link/retry_sender.py",
        old="reading.eq(tail)",
        new="reading.eq(self.following(tail))",
        check="retry proof, contents",
    ),
    Fault(
        name="block-ordered",
        meaning="data of an ordered set is taken for control characters",
        file="rtl/serdes/block_coder.py",
        old='(0x4B, "WDDDHDDD"),',
        new='(0x4B, "WDDDCCCC"),',
        check="block_encoder bench",
    ),
    Fault(
        name="block-terminate",
        meaning="data of the last word of a frame has its place in the payload a byte too low",
        file="rtl/serdes/block_coder.py",
        old='8 * n + 8 * ("T" in characters), 8',
        new="8 * n, 8",
        check="block_decoder bench",
    ),
    Fault(
        name="block-header",
        meaning="a block with a header that is none is decoded",
        file="rtl/serdes/block_coder.py",
        old="[payload[:8] == kind, block.header == CONTROL], []",
        new="[payload[:8] == kind, block.header != DATA], []",
        check="block_decoder bench",
    ),
    Fault(
        name="block-code",
        meaning="a control character that has no code is sent as another",
        file="rtl/serdes/block_coder.py",
        old='"C": (is_control & has_code, code),',
        new='"C": (is_control, code),',
        check="block_encoder bench",
    ),
    Fault(
        name="transcoder-flags",
        meaning="a block that is none among four of data is sent as data",
        file="rtl/serdes/transcoder.py",
        old="~is_data[n] | ~right):",
        new="~is_data[n]):",
        check="transcoder bench",
    ),
    Fault(
        name="transcoder-first",
        meaning="the last block that is no data lacks half of its type, not the first",
        file="rtl/serdes/transcoder.py",
        old="for n in reversed(range(BLOCKS)):  # the",
        new="for n in range(BLOCKS):  # the",
        check="transcoder bench",
    ),
    Fault(
        name="transcoder-bad",
        meaning="what could not be corrected is taken for blocks",
        file="rtl/serdes/transcoder.py",
        old="wrong = self.bad | ~right",
        new="wrong = ~right",
        check="reverse transcoder bench",
    ),
    Fault(
        name="transcoder-type",
        meaning="half a type that no type has is taken for one",
        file="rtl/serdes/transcoder.py",
        old="no_type.eq(1 << n)",
        new="no_type.eq(0)",
        check="reverse transcoder bench",
    ),
    Fault(
        name="aligner-back",
        meaning="a frame in its place is moved, as one before it was",
        file="rtl/serdes/start_aligner.py",
        old="goes_on.eq(moves & ~starts[0])",
        new="goes_on.eq(moves)",
        check="start_aligner bench",
    ),
    Fault(
        name="aligner-idles",
        meaning="what goes into the gap before a frame that is moved are no idles",
        file="rtl/serdes/start_aligner.py",
        old="Mux(begins, idles, second)",
        new="second",
        check="start_aligner bench",
    ),
    Fault(
        name="pcs-header",
        meaning="a sync header goes with the block behind its own",
        file="rtl/serdes/pcs.py",
        old="gearbox.block.header.eq(header),",
        new="gearbox.block.header.eq(coded.header),",
        check="pcs bench",
    ),
    Fault(
        name="pcs-early",
        meaning="the gearbox asks for a word as it takes one, and what comes then is lost",
        file="rtl/serdes/pcs.py",
        old="TransmitGearbox(ahead=2)",
        new="TransmitGearbox(ahead=1)",
        check="pcs bench",
    ),
    Fault(
        name="pcs-up",
        meaning="a line with many errors is said to be up",
        file="rtl/serdes/pcs.py",
        old="lock.block_lock & ~lock.hi_ber",
        new="lock.block_lock",
        check="pcs bench",
    ),
    Fault(
        name="fec-remainder",
        meaning="the highest symbols of the remainder are not folded back",
        file="rtl/serdes/fec_encoder.py",
        old="coming[s] ^ (before[s] if s < parity else zero)",
        new="coming[s]",
        check="fec_encoder bench",
    ),
    Fault(
        name="fec-waiting",
        meaning="what the last step has left of a codeword that is over begins the next",
        file="rtl/serdes/fec_encoder.py",
        old="waiting = [Mux(starts, 0, raw[s]) for",
        new="waiting = [raw[s] for",
        check="fec_encoder bench",
    ),
    Fault(
        name="fec-syndrome",
        meaning="a syndrome begins with that of the codeword before",
        file="rtl/serdes/fec_decoder.py",
        old="so_far.eq(Mux(group == 0, 0, sums[j]))",
        new="so_far.eq(sums[j])",
        check="fec_decoder bench",
    ),
    Fault(
        name="fec-key-length",
        meaning="the key equation is never lengthened at no excess",
        file="rtl/serdes/key_equation.py",
        old="(o.excess >= 0)",
        new="(o.excess > 0)",
        check="fec_decoder bench",
    ),
    Fault(
        name="fec-key-factor",
        meaning="the factor of the last discrepancy is forgotten",
        file="rtl/serdes/key_equation.py",
        old="m.d.sync += o.factor.eq(head)",
        new="pass",
        check="fec_decoder bench",
    ),
    Fault(
        name="fec-search-start",
        meaning="the search begins with the last symbol",
        file="rtl/serdes/error_search.py",
        old="start = -(config.symbols - 1)",
        new="start = 0",
        check="fec_decoder bench",
    ),
    Fault(
        name="fec-search-roots",
        meaning="fewer errors than the key equation says are good",
        file="rtl/serdes/error_search.py",
        old="right = (total == end.count) & (end.count <= t)",
        new="right = (total <= end.count) & (end.count <= t)",
        check="fec_decoder bench",
    ),
    Fault(
        name="fec-search-many",
        meaning="the roots of the codeword before are counted, too",
        file="rtl/serdes/error_search.py",
        old="Mux(steps[2].first, 0, total)",
        new="total",
        check="fec_decoder bench",
    ),
    Fault(
        name="fec-conjugate",
        meaning="the errors are divided by themselves",
        file="rtl/serdes/error_search.py",
        old="product(m, value, mate)",
        new="product(m, value, odd)",
        check="fec_decoder bench",
    ),
    Fault(
        name="fec-order",
        meaning="a codeword's fate is taken for that of another",
        file="rtl/serdes/fec_decoder.py",
        old="with m.If(search.done & (search.slot == k)):",
        new="with m.If(search.done & (came_slot == k)):",
        check="fec_decoder bench",
    ),
    Fault(
        name="fec-late",
        meaning="a codeword without errors does not wait for that of another decoder",
        file="rtl/serdes/fec_decoder.py",
        old="clean.eq(came & ~self.wrong & ~self.late)",
        new="clean.eq(came & ~self.wrong)",
        check="fec_decoder bench",
    ),
    Fault(
        name="fec-slots",
        meaning="a place for codewords too few",
        file="rtl/serdes/fec_decoder.py",
        old="slots = config.symbols_per_cycle, config.groups, config.slots",
        new="slots = config.symbols_per_cycle, config.groups, config.slots - 1",
        check="fec_decoder bench",
    ),
    Fault(
        name="fec-cut",
        meaning="a codeword that is cut takes a place",
        file="rtl/serdes/fec_decoder.py",
        old="group.eq(Mux(i.first, 0, next_group))",
        new="group.eq(next_group)",
        check="fec_decoder bench",
    ),
    Fault(
        name="frame-turn",
        meaning="the codewords of a frame do not change places, so that a lane has one of them",
        file="rtl/serdes/frame_coder.py",
        old="return chunk // chunks % min(config.interleave, config.lanes)",
        new="return 0",
        check="frame_decoder bench",
    ),
    Fault(
        name="frame-deal",
        meaning="the message is dealt to codewords from the last one on",
        file="rtl/serdes/frame_coder.py",
        old="for s in range(k, len(i.symbols), count))",
        new="for s in range(count - 1 - k, len(i.symbols), count))",
        check="frame_encoder bench",
    ),
    Fault(
        name="frame-turn-pause",
        meaning="turns go on in a pause",
        file="rtl/serdes/frame_coder.py",
        old="with m.If(valid):\n            m.d.sync += next_turn.eq(turn + 1)",
        new="m.d.sync += next_turn.eq(turn + 1)",
        check="frame_decoder bench",
    ),
    Fault(
        name="frame-late",
        meaning="that a codeword is late is not told to the others of its frame",
        file="rtl/serdes/frame_coder.py",
        old="decoder.late.eq(wrong)",
        new="decoder.late.eq(decoder.wrong)",
        check="frame_decoder bench",
    ),
    Fault(
        name="lanes-frame-bad",
        meaning="of a frame only the first codeword tells that it is bad",
        file="rtl/serdes/multilane_pcs.py",
        old="demapper.bad.eq(decode.bad.any())",
        new="demapper.bad.eq(decode.bad[0])",
        check="multilane_pcs bench, turns",
    ),
    Fault(
        name="scrambler-pause",
        meaning="the scrambler goes on in a pause",
        file="rtl/serdes/scrambler.py",
        old="with m.If(self.i.valid):\n            m.d.sync += past.eq(line[-len(past) :])",
        new="m.d.sync += past.eq(line[-len(past) :])",
        check="scrambler bench",
    ),
    Fault(
        name="scrambler-near",
        meaning="bits more than 39 behind the first of a word are added to the last word's",
        file="rtl/serdes/scrambler.py",
        old="line = Cat(line, some)",
        new="line = Cat(line, bits[k : k + NEAR])",
        check="scrambler bench",
    ),
    Fault(
        name="descrambler-feedback",
        meaning="the descrambler goes on from what it puts out, so that errors stay",
        file="rtl/serdes/scrambler.py",
        old="past.eq(line[-FAR:])",
        new="past.eq(Cat(past, self.i.payload ^ near ^ far)[-FAR:])",
        check="descrambler bench",
    ),
    Fault(
        name="prbs-begin",
        meaning="a pattern goes on from the bits of another, which may all be zero",
        file="rtl/serdes/prbs.py",
        old="past.eq(Mux(self.pattern == running, register, -1))",
        new="past.eq(register)",
        check="prbs_generator bench",
    ),
    Fault(
        name="prbs-invert",
        meaning="the inversion stays in the register",
        file="rtl/serdes/prbs.py",
        old="register.eq(Cat(past, word)[-ORDER:])",
        new="register.eq(Cat(past, word ^ self.invert.replicate(width))[-ORDER:])",
        check="prbs_generator bench",
    ),
    Fault(
        name="prbs-blank",
        meaning="a dead line is a perfect pattern",
        file="rtl/serdes/prbs.py",
        old="good.eq(~wrong.any() & ~blank)",
        new="good.eq(~wrong.any())",
        check="prbs_checker bench",
    ),
    Fault(
        name="prbs-threefold",
        meaning="each wrong bit counts three times",
        file="rtl/serdes/prbs.py",
        old="Mux(self.locked | wins, expected, came)",
        new="came",
        check="prbs_checker bench",
    ),
    Fault(
        name="prbs-wins",
        meaning="a wrong bit behind the word that completes the lock is taken for the pattern",
        file="rtl/serdes/prbs.py",
        old="Mux(self.locked | wins, expected, came)",
        new="Mux(self.locked, expected, came)",
        check="prbs_checker bench",
    ),
    Fault(
        name="prbs-window",
        meaning="wrong bits of all windows add up, so that a noisy line loses its lock",
        file="rtl/serdes/prbs.py",
        old="in_window.eq(Mux(ends, 0, window))",
        new="in_window.eq(Mux(loses, 0, window))",
        check="prbs_checker bench",
    ),
    Fault(
        name="lock-slip",
        meaning="it slips without a signal",
        file="rtl/serdes/block_lock.py",
        old="self.slip.eq(slips & self.signal_ok)",
        new="self.slip.eq(slips)",
        check="block_lock proof",
    ),
    Fault(
        name="lock-pending",
        meaning="headers of the old boundary count after a slip",
        file="rtl/serdes/block_lock.py",
        old="tested.eq(self.valid & ~slipping)",
        new="tested.eq(self.valid)",
        check="block_lock bench",
    ),
    Fault(
        name="lock-window",
        meaning="bad headers of all windows add up, so that a lock is lost with few of them",
        file="rtl/serdes/block_lock.py",
        old="invalid.eq(Mux(slips | ends, 0, invalid + bad))",
        new="invalid.eq(Mux(slips, 0, invalid + bad))",
        check="block_lock bench",
    ),
    Fault(
        name="lock-ber-end",
        meaning="the bad header in the last cycle of the time does not count",
        file="rtl/serdes/block_lock.py",
        old="self.hi_ber.eq(high | (self.hi_ber & ~over))",
        new="self.hi_ber.eq((high | self.hi_ber) & ~over)",
        check="block_lock bench",
    ),
    Fault(
        name="gearbox-turn",
        meaning="a block is taken where a whole word is left, and lost",
        file="rtl/serdes/gearbox.py",
        old="takes = over != 0",
        new="takes = over >= 0",
        check="gearbox bench, transmit",
    ),
    Fault(
        name="gearbox-past",
        meaning="the last bit before a word is forgotten, which matters only after a slip",
        file="rtl/serdes/gearbox.py",
        old="past.eq(line[-len(past) :])",
        new="past.eq(line[-len(past) :] & ~1)",
        check="gearbox bench, receive",
    ),
    Fault(
        name="gearbox-slip",
        meaning="a slip is lost where there is no block",
        file="rtl/serdes/gearbox.py",
        old="-WORD_BITS) + self.slip)",
        new="-WORD_BITS) + (self.slip & fits))",
        check="gearbox bench, receive",
    ),
    Fault(
        name="block-gearbox-room",
        meaning="a gearbox that takes more than it gives has room when it has none",
        file="rtl/serdes/block_gearbox.py",
        old="left < give if take > give else 1",
        new="left < give + 1 if take > give else 1",
        check="block_gearbox bench",
    ),
    Fault(
        name="block-gearbox-past",
        meaning="blocks that wait are replaced by those of a cycle without any",
        file="rtl/serdes/block_gearbox.py",
        old="        with m.If(self.i.valid):\n            m.d.sync += past",
        new="        with m.If(1):\n            m.d.sync += past",
        check="block_gearbox bench",
    ),
    Fault(
        name="mapper-short",
        meaning="a group tells bits of the next message in the places of parity",
        file="rtl/serdes/message_mapper.py",
        old="m.d.sync += self.o.payload.symbols.eq(bits[:short])",
        new="m.d.sync += self.o.payload.symbols.eq(bits)",
        check="message_mapper bench",
    ),
    Fault(
        name="demapper-first",
        meaning="a codeword that is cut leaves its bits in the next",
        file="rtl/serdes/message_mapper.py",
        old="before.eq(Mux(self.i.payload.first, 0, left))",
        new="before.eq(left)",
        check="message_demapper bench",
    ),
    Fault(
        name="marker-parity",
        meaning="a marker tells the parity of all time",
        file="rtl/serdes/lane_transmitter.py",
        old="since = Mux(row == config.marker_rows, 0, parity)",
        new="since = parity",
        check="lane_transmitter bench",
    ),
    Fault(
        name="marker-number",
        meaning="every lane says that it is the first",
        file="rtl/serdes/lane_transmitter.py",
        old="C(lane | (lane ^ 31) << 5, SYMBOL_BITS)",
        new="C(31 << 5, SYMBOL_BITS)",
        check="lane_transmitter bench",
    ),
    Fault(
        name="lane-lost",
        meaning="a lock is lost with the third wrong marker",
        file="rtl/serdes/lane_receiver.py",
        old="with m.If(~right & (misses == MARKER_LOST - 1)):",
        new="with m.If(~right & (misses == MARKER_LOST - 2)):",
        check="lane_receiver bench",
    ),
    Fault(
        name="lane-window",
        meaning="a marker that begins with the last bits of a word is overlooked",
        file="rtl/serdes/lane_receiver.py",
        old="begins[k].eq(window[k : k + MARKER_BITS] == MARKER)",
        new="begins[k].eq((k < lane_bits - 1) & (window[k : k + MARKER_BITS] == MARKER))",
        check="lane_receiver bench",
    ),
    Fault(
        name="lane-again",
        meaning="another lane's number in the second marker makes a lock all the same",
        file="rtl/serdes/lane_receiver.py",
        old="known = Mux(maybe, lane < MAX_LANES, lane == self.number)",
        new="known = lane < MAX_LANES",
        check="lane_receiver bench",
    ),
    Fault(
        name="deskew-begin",
        meaning="a lane begins with any row",
        file="rtl/serdes/deskew.py",
        old="come.eq(port.valid & (begun | port.first))",
        new="come.eq(port.valid)",
        check="deskew bench",
    ),
    Fault(
        name="deskew-order",
        meaning="lanes are dealt as they come",
        file="rtl/serdes/deskew.py",
        old="with m.If(numbers[n][lane]):",
        new="with m.If(n == lane):",
        check="deskew bench",
    ),
    Fault(
        name="deskew-slip",
        meaning="lanes that slipped against each other are not told",
        file="rtl/serdes/deskew.py",
        old="agree.eq(Cat(*firsts).all() | ~Cat(*firsts).any())",
        new="agree.eq(1)",
        check="deskew bench",
    ),
    Fault(
        name="lanes-front",
        meaning="words are taken while a unit waits for the mapper",
        file="rtl/serdes/multilane_pcs.py",
        old="front.eq(~scrambler.o.valid | (mapper.ready & taken))",
        new="front.eq(~scrambler.o.valid | mapper.ready)",
        check="multilane_pcs bench",
    ),
    Fault(
        name="lanes-bad",
        meaning="what the descrambler spoils behind a bad codeword passes as good",
        file="rtl/serdes/multilane_pcs.py",
        old="is_bad.eq(demapper.o_bad | was_bad)",
        new="is_bad.eq(demapper.o_bad)",
        check="multilane_pcs bench, code",
    ),
    Fault(
        name="lanes-queue",
        meaning="a unit that comes as another goes is not counted",
        file="rtl/serdes/multilane_pcs.py",
        old="waiting.eq(waiting + write.en - goes)",
        new="waiting.eq(Mux(goes, waiting - 1, waiting + write.en))",
        check="multilane_pcs bench, code",
    ),
    Fault(
        name="pace-send",
        meaning="words go whether the lines take them or not",
        file="rtl/serdes/lane_transmitter.py",
        old="goes.eq(started & self.tx_ready)",
        new="goes.eq(started)",
        check="lane_transmitter bench",
    ),
    Fault(
        name="pace-rows",
        meaning="rows of a lane are cut in cycles without a word, too",
        file="rtl/serdes/lane_receiver.py",
        old="cut.eq(self.rx_valid & self.signal_ok",
        new="cut.eq(self.signal_ok",
        check="lane_receiver bench",
    ),
    Fault(
        name="pace-signal",
        meaning="a lane without words keeps its lock without a signal",
        file="rtl/serdes/lane_receiver.py",
        old="with m.If(~self.signal_ok):",
        new="with m.If(~self.signal_ok & self.rx_valid):",
        check="lane_receiver bench",
    ),
    Fault(
        name="pace-lanes",
        meaning="all lanes have words when the first one has",
        file="rtl/serdes/multilane_pcs.py",
        old="receiver.rx_valid.eq(self.rx_valid[lane])",
        new="receiver.rx_valid.eq(self.rx_valid[0])",
        check="multilane_pcs bench",
    ),
    Fault(
        name="crossing-lanes",
        meaning="lanes come out swapped",
        file="rtl/serdes/lane_crossing.py",
        old="self.rx[lane].eq(receiver.word)",
        new="self.rx[config.lanes - 1 - lane].eq(receiver.word)",
        check="lane_crossing bench",
    ),
    Fault(
        name="crossing-signal",
        meaning="the signal of a lane comes without a flip-flop between",
        file="rtl/serdes/lane_crossing.py",
        old='m.submodules.signal = FFSynchronizer(self.line_ok, is_ok, o_domain="sync")',
        new="m.d.comb += is_ok.eq(self.line_ok)",
        check="lane_crossing bench",
    ),
    Fault(
        name="crossing-reset",
        meaning="words that a reset takes are missed, and nothing is told",
        file="rtl/serdes/lane_crossing.py",
        old="self.signal_ok.eq(is_ok & ~queue.r_rst)",
        new="self.signal_ok.eq(is_ok)",
        check="lane_crossing bench",
    ),
    Fault(
        name="crossing-overflow",
        meaning="words without room are lost in silence",
        file="rtl/serdes/lane_crossing.py",
        old="drops.eq(queue.w_en & ~queue.w_rdy)",
        new="drops.eq(0)",
        check="lane_crossing bench",
    ),
    Fault(
        name="crossing-underflow",
        meaning="a line that lacks a word is not told",
        file="rtl/serdes/lane_crossing.py",
        old="lacked.eq(begun & ~queue.r_rdy)",
        new="lacked.eq(0)",
        check="lane_crossing bench",
    ),
    Fault(
        name="training-good",
        meaning="a port is ready before a codeword is good",
        file="rtl/serdes/training.py",
        old="proves = (proven & self.aligned) | good if",
        new="proves = self.aligned if",
        check="training bench",
    ),
    Fault(
        name="training-row",
        meaning="a good codeword between bad ones is not seen",
        file="rtl/serdes/training.py",
        old="with m.If(~self.aligned | good | again):",
        new="with m.If(~self.aligned | again):",
        check="training bench",
    ),
    Fault(
        name="training-stuck",
        meaning="a search that ends in nothing never begins again",
        file="rtl/serdes/training.py",
        old="expired.eq(searches & (left == 0))",
        new="expired.eq(0)",
        check="training proof",
    ),
    Fault(
        name="training-lock",
        meaning="locks of before a search make a port ready",
        file="rtl/serdes/training.py",
        old="Cat(*self.locked).all() & ~self.search",
        new="Cat(*self.locked).all()",
        check="training proof",
    ),
    Fault(
        name="lane-test-pace",
        meaning="a generator goes on while the lines take nothing",
        file="rtl/serdes/lane_test.py",
        old="generator.enable.eq(tests & self.line.tx_ready)",
        new="generator.enable.eq(tests)",
        check="lane_test bench",
    ),
    Fault(
        name="lane-test-valid",
        meaning="what is on a line that brings no word is checked",
        file="rtl/serdes/lane_test.py",
        old="checker.i.valid.eq(tests & comes)",
        new="checker.i.valid.eq(tests & self.line.signal_ok[n])",
        check="lane_test bench",
    ),
    Fault(
        name="lane-test-polarity",
        meaning="the polarity of a lane is that of another",
        file="rtl/serdes/lane_test.py",
        old="self.invert_rx[n].replicate",
        new="self.invert_rx[n - 1].replicate",
        check="lane_test bench",
    ),
    Fault(
        name="lane-test-word",
        meaning="a self-test counts a word too many",
        file="rtl/serdes/lane_test.py",
        old="left.eq(asked)",
        new="left.eq(asked + 1)",
        check="lane_test bench",
    ),
    Fault(
        name="lane-test-fresh",
        meaning="errors of the word before the first one count",
        file="rtl/serdes/lane_test.py",
        old="Mux(self.running, fresh, self.clear)",
        new="Mux(self.running, begins, self.clear)",
        check="lane_test bench",
    ),
    Fault(
        name="lane-test-stale",
        meaning="a lock of before, on the neighbour of the pattern, is taken for one of now",
        file="rtl/serdes/lane_test.py",
        old="Mux(listens, self.pattern, heard ^ 1)",
        new="Mux(listens, self.pattern, self.pattern ^ 1)",
        check="lane_test bench",
    ),
    Fault(
        name="lane-test-swap",
        meaning="a loop sends what came to another lane",
        file="rtl/serdes/lane_test.py",
        old="came.eq(self.line.rx[n] ^",
        new="came.eq(self.line.rx[n ^ 1] ^",
        check="lane_test bench",
    ),
    Fault(
        name="lane-test-full",
        meaning="a loop writes over what it has not sent",
        file="rtl/serdes/lane_test.py",
        old="comes & (level == LOOP_WORDS)))",
        new="0))",
        check="lane_test bench",
    ),
    Fault(
        name="lane-test-held",
        meaning="a self-test does not see that a lane has lost its lock",
        file="rtl/serdes/lane_test.py",
        old="lost.eq(loses.any())",
        new="lost.eq(loses.all())",
        check="lane_test bench",
    ),
    Fault(
        name="framer-register",
        meaning="what a short flit does not reach of the CRC is forgotten",
        file="rtl/link/framer.py",
        old="remainder(aligned, FCS_POLYNOMIAL, 32) ^ beyond",
        new="remainder(aligned, FCS_POLYNOMIAL, 32)",
        check="link_framer bench",
    ),
    Fault(
        name="framer-poison",
        meaning="a broken packet goes out with a right CRC",
        file="rtl/link/framer.py",
        old="(i.last & ~i.poison).replicate(32)",
        new="i.last.replicate(32)",
        check="link_framer bench",
    ),
    Fault(
        name="framer-room",
        meaning="a flit with a control word goes where there is room for the flit",
        file="rtl/link/framer.py",
        old="held + frame_words < depth",
        new="held + frame_words <= depth",
        check="link_framer bench",
    ),
    Fault(
        name="framer-spill",
        meaning="the word into which the end of a frame spills is not counted",
        file="rtl/link/framer.py",
        old="whole + 1 + rest[2]",
        new="whole + 1",
        check="link_framer bench",
    ),
    Fault(
        name="framer-check-room",
        meaning="behind a control word the CRC is a word too early",
        file="rtl/link/framer.py",
        old="place = stays + sends + first",
        new="place = stays + first",
        check="link_framer bench",
    ),
    Fault(
        name="framer-check-rest",
        meaning="what the CRC has in the next word is lost if that stays",
        file="rtl/link/framer.py",
        old="Mux(self.o.ready, moves, window[k])",
        new="Mux(self.o.ready, moves, room[k])",
        check="link_framer bench",
    ),
    Fault(
        name="framer-distance",
        meaning="control words come too close",
        file="rtl/link/framer.py",
        old="moved = Mux(sends, 0, distance",
        new="moved = Mux(0, 0, distance",
        check="link_framer bench",
    ),
    Fault(
        name="framer-quiet",
        meaning="a control word comes in the first 256 bytes of a frame",
        file="rtl/link/framer.py",
        old="flits.eq(Mux(first, 1,",
        new="flits.eq(Mux(first, 2,",
        check="link_framer bench",
    ),
    Fault(
        name="framer-padding",
        meaning="behind the first flit of a frame the line is idle",
        file="rtl/link/framer.py",
        old="Mux(Mux(goes, ~i.last, within), FILLS, IDLES)",
        new="Mux(within, FILLS, IDLES)",
        check="link_framer bench",
    ),
    Fault(
        name="deframer-spill",
        meaning="the bytes of the CRC behind a full flit are not looked at",
        file="rtl/link/deframer.py",
        old="rest = summed ^ flit.spill",
        new="rest = summed",
        check="link_deframer bench",
    ),
    Fault(
        name="deframer-end",
        meaning="a flit whose CRC ends with the word behind it is not the last",
        file="rtl/link/deframer.py",
        old="at[words] & is_end & (place > 4)",
        new="at[words] & is_end & (place > 3)",
        check="link_deframer bench",
    ),
    Fault(
        name="deframer-lost",
        meaning="a frame goes on behind words that were lost",
        file="rtl/link/deframer.py",
        old="lost & (kind != BEGIN), WRONG",
        new="0, WRONG",
        check="link_deframer bench",
    ),
    Fault(
        name="deframer-start",
        meaning="the start that ends another frame begins none",
        file="rtl/link/deframer.py",
        old="index + (kind != BEGIN)",
        new="index + 1",
        check="link_deframer bench",
    ),
    Fault(
        name="deframer-long",
        meaning="a frame of too many flits is not cut",
        file="rtl/link/deframer.py",
        old="last = ends | cut | (whole & at_most)",
        new="last = ends | cut",
        check="link_deframer bench",
    ),
    Fault(
        name="deframer-check",
        meaning="a frame with a wrong header check is good if its CRC is",
        file="rtl/link/deframer.py",
        old="flit.broken | ~check |",
        new="flit.broken |",
        check="link_deframer bench",
    ),
    Fault(
        name="deframer-filler",
        meaning="a burst in the preamble's filler is not seen",
        file="rtl/link/deframer.py",
        old="& (preamble.filler == FILLER)",
        new="& (preamble.filler == preamble.filler)",
        check="link_deframer bench",
    ),
    Fault(
        name="deframer-control",
        meaning="two control words in a cycle are not reported",
        file="rtl/link/deframer.py",
        old="(controls & (controls - 1)).any() | wrong.any()",
        new="wrong.any()",
        check="link_deframer bench",
    ),
)


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What a check said.

    Parameters
    ----------
    passed : bool or None
        None: it could not be built or run, or a proof came to no answer.
    case : str
        The case of a bench, or the assertion of a proof, that failed first.
    cycle : int or None
        Cycles after reset at which it saw the failure, if it said so.
    message : str
        Why it did not pass.
    """

    passed: bool | None
    case: str = ""
    cycle: int | None = None
    message: str = ""


@dataclass(frozen=True, kw_only=True)
class Result:
    """What became of a fault: ``caught``, ``survived``, ``not built`` or ``no baseline``."""

    fault: Fault
    outcome: str
    seconds: float
    verdict: Verdict = field(default_factory=lambda: Verdict(passed=None))


def last_line(text: str) -> str:
    return text.strip().rpartition("\n")[2]


def read_bench(message: str) -> Verdict:
    """The first failure in the message of :func:`sim.verilator.run_bench`."""
    case, _, why = message.splitlines()[0].partition(": ")
    if " " in case:  # a sentence: no case came to a verdict
        return Verdict(passed=None, message=message.splitlines()[0])
    cycle = re.search(r"\bcycle (\d+): ", why)
    return Verdict(passed=False, case=case, cycle=int(cycle[1]) if cycle else None, message=why)


def read_proof(log: str) -> Verdict:
    """What SymbiYosys found; only a counterexample is a failure, not an induction that fails."""
    end = last_line(log)
    steps = re.findall(r"engine_0(?:\.basecase)?: .* Checking assertions in step (\d+)", log)
    failed = re.search(r"failed assertion \S+ at \S*?(\w+\.py:\d+)", log)
    if "DONE (FAIL" not in end or not steps or not failed:
        return Verdict(passed=None, message=end)
    return Verdict(passed=False, case=failed[1], cycle=int(steps[-1]), message=end)


def examine(check: str, tree: Path) -> Verdict:
    """Run ``check`` in a process that finds the RTL and the tools of ``tree``."""
    path = [str(tree), str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    run = subprocess.run(
        [sys.executable, "-c", f"from sim.faults import run_check; run_check({check!r})"],
        cwd=tree,
        env=os.environ | {"BENCH_SEED": SEED, "PYTHONPATH": os.pathsep.join(path)},
        capture_output=True,
        text=True,
        check=False,
    )
    if run.returncode == 0:
        return Verdict(passed=True)
    if run.returncode != NOT_PASSED:
        return Verdict(passed=None, message=last_line(run.stderr))
    if proof := re.match(r"\S+ is not proven, see (\S+):\n", run.stdout):
        return read_proof((Path(proof[1]) / "top" / "logfile.txt").read_text(encoding="utf-8"))
    return read_bench(run.stdout)


def run_check(check: str) -> None:
    """Run ``check`` here; if it fails, print why and exit with ``NOT_PASSED``."""
    try:
        CHECKS[check]()
    except AssertionError as error:
        print(error)
        sys.exit(NOT_PASSED)


def try_fault(fault: Fault, baseline: "Future[Verdict]") -> Result:
    """Run the check of ``fault`` where it is planted, once it has passed where it is not."""
    before = baseline.result()
    if not before.passed:
        return Result(fault=fault, outcome="no baseline", seconds=0, verdict=before)
    start, tree = time.monotonic(), BUILD / "faults" / fault.name
    fault.plant(tree)
    verdict = examine(fault.check, tree)
    outcome = {True: "survived", False: "caught", None: "not built"}[verdict.passed]
    return Result(fault=fault, outcome=outcome, seconds=time.monotonic() - start, verdict=verdict)


def select(names: Iterable[str]) -> list[Fault]:
    """The faults called ``names``, or all.

    Raises
    ------
    ValueError
        If there is no such fault.
    """
    known = {fault.name: fault for fault in FAULTS}
    for name in names:
        if name not in known:
            raise ValueError(f"no fault {name!r}; there are {', '.join(known)}")
    return [known[name] for name in names] or list(FAULTS)


def show(results: list[Result], console: Console) -> None:
    """Print a row for each fault, and a line for each that was not caught."""
    rows = Rows(box=box.SIMPLE_HEAD)
    for column in ("fault", "where", "caught by"):
        rows.add_column(column, overflow="fold")
    for column in ("cycles", "seconds"):
        rows.add_column(column, justify="right")
    for result in results:
        fault, verdict = result.fault, result.verdict
        caught = result.outcome == "caught"
        rows.add_row(
            fault.name,
            fault.where.removeprefix("rtl/"),
            f"{fault.check}: {verdict.case}" if caught else result.outcome,
            "" if verdict.cycle is None else str(verdict.cycle),
            f"{result.seconds:.1f}",
            style=None if caught else "bold red",
        )
    console.print(rows)
    for result in results:
        if result.outcome != "caught":
            reason = f": {result.verdict.message}" if result.verdict.message else ""
            console.print(
                f"{result.fault.name} ({result.fault.meaning}), {result.fault.check}: "
                f"{result.outcome}{reason}",
                style="red",
                markup=False,
                highlight=False,
            )


def main(names: list[str]) -> int:
    """Try the faults called ``names``, or all; 0 if each is caught, else 1.

    Results go to ``build/faults/results.json`` too.

    Raises
    ------
    ValueError
        If there is no such fault, or one is stale; nothing has been run then.
    """
    faults = select(names)
    for fault in faults:
        fault.source()

    console = Console()
    columns = [TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()]
    with (
        Progress(*columns, TimeElapsedColumn(), console=console, transient=True) as progress,
        ThreadPoolExecutor(AT_ONCE) as pool,
    ):
        # Every baseline begins before any fault, so that none waits for one that never comes.
        checks = dict.fromkeys(fault.check for fault in faults)
        baselines = {check: pool.submit(examine, check, ROOT) for check in checks}
        tries = [pool.submit(try_fault, fault, baselines[fault.check]) for fault in faults]
        for label, futures in {"unbroken": baselines.values(), "faults": tries}.items():
            task = progress.add_task(label, total=len(futures))
            for future in futures:
                future.add_done_callback(lambda _, task=task: progress.advance(task))
        results = [future.result() for future in tries]

    show(results, console)
    caught = sum(result.outcome == "caught" for result in results)
    console.print(f"{caught} of {len(results)} faults caught, seed {SEED}")
    document = {
        "good": caught == len(results),
        "seed": int(SEED),
        "faults": [asdict(result) | {"where": result.fault.where} for result in results],
    }
    folder = BUILD / "faults"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "results.json").write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    return 0 if document["good"] else 1
