"""256b/257b: four blocks of 64b/66b without what forward error correction makes superfluous."""

from amaranth import C, Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from rtl.serdes.block_coder import CONTROL, DATA, FORMATS, BlocksSignature

__all__ = ["ReverseTranscoder", "TranscodedSignature", "Transcoder"]

BLOCKS = 4
NIBBLE = 4  # what is left out: the upper half of a type, as the lower tells which it is
NO_BLOCK = 0b11  # a header


class TranscodedSignature(wiring.Signature):
    """A transcoded block in a cycle, if ``valid``, bit 0 first on the line; nobody can stop it."""

    def __init__(self):
        super().__init__({"valid": Out(1), "block": Out(1 + 64 * BLOCKS)})


class Transcoder(wiring.Component):
    """Make one block of 257 bits of four of 66.

    Bit 0 tells that all four are data. Else four bits tell which are, and the first that is not
    lacks the upper half of its type. One with a header that is none makes all four so: there are
    four data blocks then, and bit 0 denies it.
    Latency: 1 cycle. Throughput: one per cycle. Backpressure: none.
    Source: IEEE 802.3-2018, 91.5.2.5, without the last step: these blocks are not scrambled.

    Members
    -------
    i : In(BlocksSignature(4))
        Four blocks.
    o : Out(TranscodedSignature)
        What is made of them.
    """

    def __init__(self):
        super().__init__({"i": In(BlocksSignature(BLOCKS)), "o": Out(TranscodedSignature())})

    def elaborate(self, platform):
        m = Module()
        blocks = self.i.blocks
        is_data, is_control = (
            Cat(block.header == header for block in blocks) for header in (DATA, CONTROL)
        )
        right = (is_data | is_control).all()
        payloads = Cat(block.payload for block in blocks)
        coded = Signal(1 + 64 * BLOCKS)
        with m.If(is_data.all()):
            m.d.comb += coded.eq(Cat(C(1, 1), payloads))
        with m.Else():
            kinds = Mux(right, is_data, (1 << BLOCKS) - 1)
            for n in reversed(range(BLOCKS)):  # the first that is no data comes last, and wins
                begin = 64 * n + NIBBLE
                with m.If(~is_data[n] & right if n else ~is_data[n] | ~right):
                    rest = Cat(payloads[:begin], payloads[begin + NIBBLE :])
                    m.d.comb += coded.eq(Cat(C(0, 1), kinds, rest))
        m.d.sync += [self.o.valid.eq(self.i.valid), self.o.block.eq(coded)]
        return m


class ReverseTranscoder(wiring.Component):
    """Make four blocks of 66 bits of one of 257.

    If there is no such block, or it is ``bad``, all four have a header that is none; so has the one
    that lacks half of its type, if there is no such type.
    Latency: 1 cycle. Throughput: one per cycle. Backpressure: none.
    Source: IEEE 802.3-2018, 91.5.3.5.

    Members
    -------
    i : In(TranscodedSignature)
        A transcoded block.
    bad : In(1)
        It is part of a codeword with more errors than could be corrected.
    o : Out(BlocksSignature(4))
        The blocks that it was made of.
    """

    def __init__(self):
        super().__init__(
            {
                "i": In(TranscodedSignature()),
                "bad": In(1),
                "o": Out(BlocksSignature(BLOCKS)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        all_data, kinds, rest = self.i.block[0], self.i.block[1 : 1 + BLOCKS], self.i.block[5:]
        right = all_data | ~kinds.all()
        payloads, is_data = Signal(64 * BLOCKS), Signal(BLOCKS)
        no_type = Signal(BLOCKS)
        m.d.comb += [payloads.eq(self.i.block[1:]), is_data.eq(kinds)]
        with m.If(all_data):
            m.d.comb += is_data.eq((1 << BLOCKS) - 1)
        with m.Else():
            for n in reversed(range(BLOCKS)):
                begin = 64 * n + NIBBLE
                with m.If(~kinds[n] | (kinds.all() if n == 0 else 0)):
                    upper = Signal(NIBBLE, name=f"upper_{n}")
                    m.d.comb += no_type.eq(1 << n)
                    with m.Switch(rest[64 * n : begin]):
                        for kind in dict(FORMATS):
                            with m.Case(kind & 15):
                                m.d.comb += [upper.eq(kind >> 4), no_type.eq(0)]
                    m.d.comb += payloads.eq(Cat(rest[:begin], upper, rest[begin:]))
        m.d.sync += self.o.valid.eq(self.i.valid)
        for n, block in enumerate(self.o.blocks):
            header = Mux(is_data[n], DATA, CONTROL)
            wrong = self.bad | ~right | no_type[n]
            m.d.sync += [
                block.payload.eq(payloads.word_select(n, 64)),
                block.header.eq(Mux(wrong, NO_BLOCK, header)),
            ]
        return m
