"""Groups of symbols of a codeword, as they pass between the blocks of forward error correction."""

from amaranth.lib import data, wiring
from amaranth.lib.wiring import Out

from models.serdes.config import SYMBOL_BITS, FecConfig, FrameConfig

__all__ = ["DecodedLayout", "DecodedSignature", "GroupLayout", "GroupSignature", "symbols"]


def symbols(config: FecConfig | FrameConfig) -> data.ArrayLayout:
    """The symbols of a group, the first on the line in the lowest bits."""
    return data.ArrayLayout(SYMBOL_BITS, config.symbols_per_cycle)


class GroupLayout(data.StructLayout):
    """Some symbols of a codeword, or of a frame of codewords.

    Fields
    ------
    symbols : ArrayLayout(10, symbols_per_cycle)
        Symbol 0 is first on the line.
    first : unsigned(1)
        The first group of it; the others follow.
    """

    def __init__(self, config: FecConfig | FrameConfig):
        super().__init__({"symbols": symbols(config), "first": 1})


class GroupSignature(wiring.Signature):
    """A group in one cycle, if ``valid``; nobody can stop it."""

    def __init__(self, config: FecConfig | FrameConfig):
        super().__init__({"valid": Out(1), "payload": Out(GroupLayout(config))})


class DecodedLayout(data.StructLayout):
    """Some symbols of a codeword whose fate is known.

    Fields
    ------
    symbols, first
        As in :class:`GroupLayout`.
    bad : unsigned(1)
        The codeword has more errors than can be corrected, and is as it came. The same in each of
        its groups, as is ``corrected``.
    corrected : range(t + 1)
        Symbols of the codeword that were wrong, and are right now.
    """

    def __init__(self, config: FecConfig):
        super().__init__(
            {"symbols": symbols(config), "first": 1, "bad": 1}
            | {"corrected": range(config.correctable + 1)}
        )


class DecodedSignature(wiring.Signature):
    """A group in one cycle, if ``valid``; those of a codeword come in cycles one after another."""

    def __init__(self, config: FecConfig):
        super().__init__({"valid": Out(1), "payload": Out(DecodedLayout(config))})
