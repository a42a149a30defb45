"""Encoder and decoder of frames: Reed-Solomon codewords whose symbols take turns."""

from collections.abc import Callable
from math import gcd

from amaranth import Array, C, Cat, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from models.serdes.config import FrameConfig
from rtl.serdes.codeword import GroupSignature
from rtl.serdes.fec_decoder import FecDecoder
from rtl.serdes.fec_encoder import FecEncoder

__all__ = ["FrameDecoder", "FrameEncoder"]


def rotation(config: FrameConfig, chunk: int) -> int:
    """The codeword whose symbol is the first of a chunk of the frame."""
    chunks = max(1, config.lanes // config.interleave)  # until a lane has another codeword
    return chunk // chunks % min(config.interleave, config.lanes)


class Turns:
    """Which chunks of the group that is there in this cycle begin with which codeword.

    Parameters
    ----------
    m : Module
        Has a counter of groups, as far as they differ.
    config : FrameConfig
        The frame.
    valid, first : Value
        Of the groups.
    """

    def __init__(self, m: Module, config: FrameConfig, valid: Value, first: Value):
        wide = config.code.symbols_per_cycle
        period = config.lanes // gcd(config.lanes, wide)
        turn, next_turn = Signal(range(period)), Signal(range(period))
        m.d.comb += turn.eq(Mux(first, 0, next_turn))
        with m.If(valid):
            m.d.sync += next_turn.eq(turn + 1)  # a power of two
        every = range(period)
        self.rotations = [
            tuple(rotation(config, at * wide + chunk) for at in every) for chunk in range(wide)
        ]
        self.chosen: dict[tuple[int, ...], Signal] = {}
        for one in sorted(set(self.rotations)):
            if len(set(one)) > 1:
                self.chosen[one] = Signal(range(config.interleave), name=f"turn_{len(self.chosen)}")
                m.d.comb += self.chosen[one].eq(Array(map(C, one))[turn])

    def pick(self, chunk: int, of: Callable[[int], Value]) -> Value:
        """What ``of`` gives for the rotation of a chunk."""
        every = self.rotations[chunk]
        first, *others = sorted(set(every))
        found = of(first)
        for other in others:
            found = Mux(self.chosen[every] == other, of(other), found)
        return found


class FrameEncoder(wiring.Component):
    """Deal the symbols of a message to codewords in turn, encode them, and lay them on the line.

    Chunk c of a frame has symbol c of each codeword, in turn. The first is of codeword 0; with each
    symbol of a lane it is another's, so that each lane brings symbols of all codewords in turn.
    So ``interleave * t`` wrong symbols of a lane, one after another, are t of each codeword.

    Latency: 1 cycle. Throughput: a group per cycle. Backpressure: none.
    Source: IEEE 802.3-2018, 119.2.4, whose two codewords change places likewise.

    Parameters
    ----------
    config : FrameConfig
        The code, how many codewords, and lanes.

    Members
    -------
    i : In(GroupSignature)
        Frames: symbol n of the message is of codeword ``n % interleave``; anything is in the places
        of parity. One begins with ``first``, or behind the last group of another.
    o : Out(GroupSignature)
        The same with parity and as on the line, each with ``first``. Combinational behind the
        registers of the encoders.
    """

    def __init__(self, config: FrameConfig):
        self.config = config
        super().__init__({"i": In(GroupSignature(config)), "o": Out(GroupSignature(config))})

    def elaborate(self, platform):
        m = Module()
        config, count = self.config, self.config.interleave
        i, o = self.i.payload, self.o.payload
        coders = [FecEncoder(config.code) for _ in range(count)]
        for k, coder in enumerate(coders):
            m.submodules[f"codeword_{k}"] = coder
            m.d.comb += [
                coder.i.valid.eq(self.i.valid),
                coder.i.payload.first.eq(i.first),
                coder.i.payload.symbols.eq(
                    Cat(i.symbols[s] for s in range(k, len(i.symbols), count))
                ),
            ]
        sent = [coder.o.payload.symbols for coder in coders]
        m.d.comb += [self.o.valid.eq(coders[0].o.valid), o.first.eq(coders[0].o.payload.first)]
        turns = Turns(m, config, self.o.valid, o.first)
        for s in range(len(o.symbols)):
            chunk, place = divmod(s, count)
            symbol = turns.pick(chunk, lambda r, c=chunk, p=place: sent[(p + r) % count][c])
            m.d.comb += o.symbols[s].eq(symbol)
        return m


class FrameDecoder(wiring.Component):
    """Correct the codewords of frames, and put their symbols in the order of the message.

    If a codeword has errors all of its frame are late (:class:`rtl.serdes.fec_decoder.FecDecoder`),
    so that they leave together.

    Latency, throughput, backpressure: those of the decoder of a codeword.
    Errors: likewise; of a frame as many codewords are ``bad`` as have more than t wrong symbols.

    Parameters
    ----------
    config : FrameConfig
        The code, how many codewords, and lanes.

    Members
    -------
    i : In(GroupSignature)
        Frames as on the line. One begins with ``first``, or behind the last group of another.
    o : Out(GroupSignature)
        The same, corrected and in the order of the message, parity and all; those of a frame come
        in cycles one after another.
    bad : Out(range(interleave + 1))
        Codewords of the frame on ``o`` that have more errors than can be corrected, and are as they
        came. Holds until the next one, as does ``corrected``.
    corrected : Out(range(interleave * t + 1))
        Symbols of it that were wrong, and are right now.
    """

    def __init__(self, config: FrameConfig):
        self.config = config
        super().__init__(
            {
                "i": In(GroupSignature(config)),
                "o": Out(GroupSignature(config)),
                "bad": Out(range(config.interleave + 1)),
                "corrected": Out(range(config.correctable + 1)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        config, count = self.config, self.config.interleave
        i, o = self.i.payload, self.o.payload
        turns = Turns(m, config, self.i.valid, i.first)
        decoders = [FecDecoder(config.code) for _ in range(count)]
        wrong = Cat(decoder.wrong for decoder in decoders).any()
        for k, decoder in enumerate(decoders):
            m.submodules[f"codeword_{k}"] = decoder
            m.d.comb += [
                decoder.i.valid.eq(self.i.valid),
                decoder.i.payload.first.eq(i.first),
                decoder.late.eq(wrong),
            ]
            for chunk in range(config.code.symbols_per_cycle):
                m.d.comb += [
                    decoder.i.payload.symbols[chunk].eq(
                        turns.pick(
                            chunk,
                            lambda r, c=chunk, k=k: i.symbols[c * count + (k - r) % count],
                        )
                    ),
                    o.symbols[chunk * count + k].eq(decoder.o.payload.symbols[chunk]),
                ]
        m.d.comb += [
            self.o.valid.eq(decoders[0].o.valid),
            o.first.eq(decoders[0].o.payload.first),
            self.bad.eq(sum(decoder.o.payload.bad for decoder in decoders)),
            self.corrected.eq(sum(decoder.o.payload.corrected for decoder in decoders)),
        ]
        return m
