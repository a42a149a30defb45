"""Forward error correction: what is corrected, what is found out, and what it costs in time."""

from dataclasses import dataclass
from math import sqrt

import numpy as np

from models.serdes.config import RS272, RS544, FecConfig
from models.serdes.fec_decoder import FecDecoderModel, decode, scratch
from models.serdes.fec_encoder import encode
from models.serdes.theory import bad_words, miscorrected_words
from rtl.serdes.fec_decoder import FecDecoder
from rtl.serdes.fec_encoder import FecEncoder
from sim.bench.check import Check
from sim.bench.runner import FOLDER, Runner
from sim.netlist import Netlist
from sim.synthesis import TOP, Resources, synthesise
from sim.yowasp import ToolError

__all__ = ["fec"]

CODES = (RS272, RS544)
WORDS = 100_000  # per code, about, in each of both ways of making errors
BATCH = 2_000
SIGMAS = 4  # of what is measured off theory
MHZ = 1500
NARROW = 8  # symbols a cycle of what is synthesised, 10 Gbit/s on the line at 125 MHz
PLACES = ("parity", "message", "both")
SYMBOL_ERRORS = {"RS272": (0.012, 0.017, 0.022), "RS544": (0.015, 0.019, 0.023)}


def error_places(config: FecConfig, rng: np.random.Generator, count: int, place: str):
    """Where so many errors are: among parity, the message or both, one of each at least."""
    parity = np.arange(config.message_symbols, config.symbols)
    message = np.arange(config.message_symbols)
    if place == "both" and count > 1:
        some = int(rng.integers(1, min(count, parity.size)))
        halves = (parity, some), (message, count - some)
        return np.concatenate([rng.choice(of, k, replace=False) for of, k in halves])
    return rng.choice(parity if place == "parity" else message, count, replace=False)


@dataclass(frozen=True)
class Batch:
    """Some words of one kind.

    Parameters
    ----------
    config : FecConfig
        The code.
    seed, words : int
        Of the random numbers, and how many.
    count, place : int, str
        Wrong symbols of each and where, see :func:`error_places`; count 0: at random.
    symbol_errors : float
        With count 0: the probability that a symbol is wrong.
    """

    config: FecConfig
    seed: int
    words: int = BATCH
    count: int = 0
    place: str = "both"
    symbol_errors: float = 0.0

    def wrong(self, rng: np.random.Generator):
        """Places of the errors of a word."""
        if self.count:
            return error_places(self.config, rng, self.count, self.place)
        return np.flatnonzero(rng.random(self.config.symbols) < self.symbol_errors)


@dataclass
class Found:
    """What became of words: right, marked as bad, or taken for another codeword."""

    right: int = 0
    bad: int = 0
    other: int = 0

    @property
    def all(self) -> int:
        return self.right + self.bad + self.other


def outcome(batch: Batch) -> Found:
    """Decode them all."""
    config, room, found = batch.config, scratch(batch.config), Found()
    rng = np.random.default_rng([batch.seed, batch.count, PLACES.index(batch.place)])
    for _ in range(batch.words):
        meant = encode(config, rng.integers(0, 1024, config.message_symbols))
        word, places = meant.copy(), batch.wrong(rng)
        word[places] ^= rng.integers(1, 1024, places.size)
        came = word.copy()
        corrected = decode(word, config.correctable, room)
        if (word == meant).all() and corrected == places.size:
            found.right += 1
        elif corrected < 0 and (word == came).all():
            found.bad += 1
        else:
            found.other += 1
    return found


def total(rows: list[Found]) -> Found:
    """All of them together."""
    return Found(*(sum(getattr(row, name) for row in rows) for name in ("right", "bad", "other")))


def latency(config: FecConfig, wrong: int) -> int:
    """Cycles from the first group of a codeword into the decoder to the first out, as measured."""
    model, wide = FecDecoderModel(config), config.symbols_per_cycle
    i, cycle = model.inputs, 0
    while not model.step().o_valid[0]:
        cycle += 1
        i.i_valid[0] = cycle <= config.groups
        i.i_payload_symbols[0] = np.arange(wide) + wide * (cycle - 1) < wrong
    return cycle - 1


def area(side: tuple[type[FecEncoder | FecDecoder], FecConfig]) -> Resources | None:
    """What encoder or decoder take of an ECP5; None if yosys fails, as its mapper does at times."""
    kind, config = side
    netlist = Netlist("lingyun")
    netlist.add(kind(config), TOP)
    folder = FOLDER / f"{kind.__name__}-{config.name}"
    folder.mkdir(parents=True, exist_ok=True)
    try:
        return synthesise("\n".join(netlist.modules.values()), folder, "ecp5").resources
    except ToolError:
        return None


def batches(config: FecConfig, words: int) -> list[tuple[str, list[Batch]]]:
    """Words with known numbers of errors, by what is to be seen."""
    t, each = config.correctable, max(1, words // BATCH)
    kinds = [(count, place) for count in (t, t + 1) for place in PLACES]
    named = []
    for count, place in kinds:
        share = [Batch(config, seed, count=count, place=place) for seed in range(each // 6 + 1)]
        named.append((f"{config.name}, {count} wrong, {place}", share))
    return named


def fec(runner: Runner) -> list[Check]:
    """Every pattern of t is corrected and every one of t + 1 marked; rates against theory."""
    words, checks = runner.cycles(WORDS), []
    for config in CODES:
        named = batches(config, words)
        rows = runner.spread(outcome, [batch for _, share in named for batch in share])
        for what, share in named:
            found, rows = total(rows[: len(share)]), rows[len(share) :]
            corrects = share[0].count <= config.correctable
            missed = found.all - (found.right if corrects else found.bad)
            fate = "not corrected" if corrects else "not found out"
            checks.append(Check(f"{what}: {fate}", missed, "==", 0, f"of {found.all:,} words"))
    for config in CODES:
        for rate in SYMBOL_ERRORS[config.name]:
            theory = bad_words(config, rate)
            what = f"{config.name}, symbol error rate {rate:g}: bad words off theory, sigmas"
            checks.append(spread_check(runner, config, rate, theory, what, words // 3))
    for t in (1, 2, 3):
        config = FecConfig(
            name=f"t = {t}", symbols=272, message_symbols=272 - 2 * t, symbols_per_cycle=34
        )
        theory = miscorrected_words(config)
        what = f"272 symbols, t = {t}, random words: taken for a codeword, off theory, sigmas"
        checks.append(spread_check(runner, config, 1.0, theory, what, words // 3))
    for config in CODES:
        theory = miscorrected_words(config)
        checks.append(Check(f"{config.name}, the same, by theory", theory))
    for config in CODES:
        serial = config.message_symbols / config.symbols_per_cycle
        for wrong, cycles in ((0, config.clean_cycles), (1, config.solve_cycles)):
            took = latency(config, wrong)
            what = f"{config.name}, {config.symbols_per_cycle} symbols a cycle, "
            what += "cycles of encoder and decoder, "
            what += "with errors" if wrong else "without errors"
            note = (
                f"{(took + 1) / MHZ * 1e3:.1f} ns at {MHZ} MHz, by formula {config.groups + cycles}"
            )
            if wrong:
                checks.append(Check(what, took + 1, "", 0, note))
            else:
                checks.append(Check(what, took + 1, "<=", 1.5 * serial, note))
    sides = [
        (kind, config.with_(symbols_per_cycle=NARROW))
        for config in CODES
        for kind in (FecEncoder, FecDecoder)
    ]
    for (kind, config), taken in zip(sides, runner.spread(area, sides), strict=True):
        what = f"{config.name}, {NARROW} symbols a cycle, LUT4 of {kind.__name__}"
        if taken is None:
            checks.append(Check(f"{what}: unknown, yosys ended without a result", 0))
            continue
        note = f"ECP5, {taken.flip_flops:,} flip-flops, {taken.block_rams} block RAMs"
        checks.append(Check(what, taken.luts, note=note))
    return checks


def spread_check(
    runner: Runner, config: FecConfig, rate: float, theory: float, what: str, words: int
) -> Check:
    """How far the part of words that are bad, or taken for others, is from theory."""
    share = [Batch(config, seed, symbol_errors=rate) for seed in range(max(1, words // BATCH))]
    found = total(runner.spread(outcome, share))
    hit = found.all - found.bad if rate == 1 else found.all - found.right
    sigma = sqrt(theory * (1 - theory) / found.all)
    note = f"{hit / found.all:.4g} of {found.all:,}, theory {theory:.4g}"
    return Check(what, abs(hit / found.all - theory) / sigma, "<=", SIGMAS, note)
