"""What a Reed-Solomon code is worth, by formula."""

from math import comb

from scipy.stats import binom

from models.serdes.config import SYMBOL_BITS, FecConfig

__all__ = ["bad_words", "miscorrected_words"]


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
