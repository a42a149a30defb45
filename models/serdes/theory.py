"""What a Reed-Solomon code is worth, by formula."""

from math import comb, expm1, log1p

from scipy.stats import binom

from models.serdes.config import (
    SCRAMBLER_TAPS,
    SYMBOL_BITS,
    TRANSCODED_BITS,
    TRANSCODED_BLOCKS,
    FecConfig,
    LanesConfig,
)

__all__ = ["bad_words", "ber_after", "frames_hit", "miscorrected_words", "symbol_errors"]


def bad_words(config: FecConfig, symbol_errors: float) -> float:
    """Part of the codewords with more wrong symbols than can be corrected.

    ``symbol_errors`` is the probability that a symbol is wrong, each by itself.
    """
    return float(binom.sf(config.correctable, config.symbols, symbol_errors))


def miscorrected_words(config: FecConfig) -> float:
    """Part of all words that are within t symbols of some codeword.

    Of words with many errors it is the part that is taken for another codeword: the spheres around
    all codewords, over all words. Source: McEliece and Swanson, "On the decoder error probability
    for Reed-Solomon codes", IEEE Transactions on Information Theory 32(5), 1986.
    """
    size, t = 1 << SYMBOL_BITS, config.correctable
    sphere = sum(comb(config.symbols, k) * (size - 1) ** k for k in range(t + 1))
    return sphere / size ** (2 * t)


def symbol_errors(ber: float) -> float:
    """Probability that a symbol is wrong if each of its bits is with ``ber``, by itself."""
    return -expm1(SYMBOL_BITS * log1p(-ber))


def ber_after(lanes: LanesConfig, ber: float) -> float:
    """Part of the bits that are wrong behind the code: ``ber`` without one.

    A bit stays wrong if at least t other symbols of its codeword are wrong. Such a codeword leaves
    as it came, and is known to be bad.
    """
    if lanes.fec == "none":
        return ber
    code = lanes.code
    return ber * float(binom.sf(code.correctable - 1, code.symbols - 1, symbol_errors(ber)))


def frames_hit(lanes: LanesConfig, words: int, ber: float) -> float:
    """Part of the frames of ``words`` words of 64 bits that errors hit, so that they are resent.

    Without a code a wrong bit hits those behind it, too, as far as the descrambler reaches. With
    one all words of codewords that take turns are lost if one of them is bad, and those of the
    transcoders' first unit behind them.
    """
    carried = TRANSCODED_BLOCKS * (lanes.message_bits // TRANSCODED_BITS)  # words of these
    if lanes.fec == "none":
        bits = words * lanes.code.symbols * SYMBOL_BITS / carried + SCRAMBLER_TAPS[-1]
        return -expm1(bits * log1p(-ber))
    lost = carried + TRANSCODED_BLOCKS * lanes.transcoders
    bad = lanes.interleave * bad_words(lanes.code, symbol_errors(ber))
    return min(1.0, bad * (words + lost - 1) / carried)
