"""Transcoded blocks in the messages of frames of codewords, and out of them."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from models.serdes.config import LanesConfig
from rtl.link.shifter import shift_down
from rtl.serdes.codeword import GroupSignature
from rtl.serdes.lane import BitsSignature

__all__ = ["MessageDemapper", "MessageMapper"]


def messages(config: LanesConfig) -> list[int]:
    """Bits of transcoded blocks in each group of a frame."""
    starts = range(0, config.frame.groups * config.group_bits, config.group_bits)
    return [min(max(config.message_bits - start, 0), config.group_bits) for start in starts]


def select(m: Module, group: Signal, values: list[int], name: str) -> Signal:
    """The one of ``values`` that has the number ``group``; most are the first."""
    chosen = Signal(range(max(values) + 1), name=name)
    m.d.comb += chosen.eq(values[0])
    with m.Switch(group):
        for number, value in enumerate(values):
            if value != values[0]:
                with m.Case(number):
                    m.d.comb += chosen.eq(value)
    return chosen


class MessageMapper(wiring.Component):
    """Lay units of transcoded blocks end to end, and cut them into the groups of frames.

    Latency: 1 cycle from the unit with the last bit of a group. Throughput: a group per cycle.
    Backpressure: ``ready``.
    A message begins with a unit. What its last symbol has no bits for is zero, and so are the
    places of parity.

    Parameters
    ----------
    config : LanesConfig
        The code, and how wide a unit is.

    Members
    -------
    i : In(BitsSignature(unit_bits))
        Transcoded blocks, only while ``ready`` is high.
    ready : Out(1)
        No more bits wait than ``mapper_limit``; from a register.
    o : Out(GroupSignature)
        Groups for the encoder.
    """

    def __init__(self, config: LanesConfig):
        self.config = config
        super().__init__(
            {
                "i": In(BitsSignature(config.unit_bits)),
                "ready": Out(1),
                "o": Out(GroupSignature(config.frame)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        config, needs = self.config, messages(self.config)
        unit, group_bits = config.unit_bits, config.group_bits
        room = unit + config.mapper_limit
        past, left = Signal(room), Signal(range(room + 1))  # those at its end wait
        group = Signal(range(len(needs)))
        need, goes = select(m, group, needs, "need"), Signal()
        wait, over = Signal(range(room + 1)), Signal(range(room + 1))
        m.d.comb += [
            self.ready.eq(left <= config.mapper_limit),
            over.eq(room - left),
            wait.eq(left + Mux(self.i.valid, unit, 0)),
            goes.eq(wait >= need),
        ]
        line = Cat(past, self.i.payload)
        bits = shift_down(m, line, over, unit=1, width=group_bits, name="line")
        with m.If(self.i.valid):
            m.d.sync += past.eq(line[unit:])
        m.d.sync += [left.eq(wait - Mux(goes, need, 0)), self.o.valid.eq(goes)]
        with m.If(goes):
            m.d.sync += [
                group.eq(Mux(group == len(needs) - 1, 0, group + 1)),
                self.o.payload.first.eq(group == 0),
                self.o.payload.symbols.eq(bits),
            ]
            with m.Switch(need):
                for short in sorted(set(needs) - {group_bits}):
                    with m.Case(short):
                        m.d.sync += self.o.payload.symbols.eq(bits[:short])
        return m


class MessageDemapper(wiring.Component):
    """Find the units that a :class:`MessageMapper` has laid into frames.

    Latency: 1 cycle from the group with the last bit of a unit. Throughput: a group per cycle.
    Backpressure: none.

    Parameters
    ----------
    config : LanesConfig
        The code, and how wide a unit is.

    Members
    -------
    i : In(GroupSignature)
        Groups of frames; one begins with ``first``, even if another has not ended.
    bad : In(1)
        A codeword of the frame has more errors than could be corrected.
    o : Out(BitsSignature(unit_bits))
        Transcoded blocks.
    o_bad : Out(1)
        They are part of such a frame.
    """

    def __init__(self, config: LanesConfig):
        self.config = config
        super().__init__(
            {
                "i": In(GroupSignature(config.frame)),
                "bad": In(1),
                "o": Out(BitsSignature(config.unit_bits)),
                "o_bad": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        config, needs = self.config, messages(self.config)
        unit, group_bits = config.unit_bits, config.group_bits
        # Units are at least as wide as groups, so that one goes in a cycle at most, and leaves less
        # than a group: the end of the message is the end of a unit.
        past, left = Signal(unit - 1), Signal(range(unit))  # those at its end wait
        next_group, group = Signal(range(len(needs))), Signal(range(len(needs)))
        before = Signal.like(left)
        m.d.comb += [
            group.eq(Mux(self.i.payload.first, 0, next_group)),
            before.eq(Mux(self.i.payload.first, 0, left)),
        ]
        come = select(m, group, needs, "come")
        wait, over, goes = Signal(range(2 * unit)), Signal(range(unit)), Signal()
        m.d.comb += [
            wait.eq(before + come),
            over.eq(unit - 1 - before),
            goes.eq(self.i.valid & (wait >= unit)),
        ]
        line = Cat(past, self.i.payload.symbols)
        bits = shift_down(m, line, over, unit=1, width=unit, name="line")
        m.d.sync += self.o.valid.eq(goes)
        with m.If(goes):
            m.d.sync += [self.o.payload.eq(bits), self.o_bad.eq(self.bad)]
        with m.If(self.i.valid):
            m.d.sync += [
                past.eq(line[group_bits:]),
                left.eq(wait - Mux(goes, unit, 0)),
                next_group.eq(Mux(group == len(needs) - 1, 0, group + 1)),
            ]
        return m
