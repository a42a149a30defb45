"""Classifier of an ingress: header check, route, framing."""

import enum

from amaranth import C, Cat, Module, Mux, Shape, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from models.config import SwitchConfig
from models.packet import Broken, Drop, Operation
from rtl.backlog import AnnounceSignature
from rtl.buffer import PushSignature, RoomSignature
from rtl.comparison import exceeds
from rtl.packet import AxisLayout, HeaderLayout, length_shape
from rtl.table import Table

__all__ = [
    "PARTITIONS",
    "BrokenSignature",
    "Classifier",
    "DropSignature",
    "ProgramSignature",
]

PARTITIONS = 256


class Phase(enum.IntEnum):
    """What the flit in the last stage is to the packet under way: one of four bits."""

    IDLE = 1  # the head of the next one
    BODY = 2  # the next flit
    PAD = 4  # nothing: the packet is broken, padding is pushed
    EAT = 8  # what is left of a stream that was dropped or broken


class DropSignature(wiring.Signature):
    """A packet that was not accepted: a reason of ``models.packet.Drop`` and its header."""

    def __init__(self):
        super().__init__({"valid": Out(1), "reason": Out(range(len(Drop))), "header": Out(64)})


class BrokenSignature(wiring.Signature):
    """An accepted packet was ended with an error: a reason of ``models.packet.Broken``."""

    def __init__(self):
        super().__init__({"valid": Out(1), "reason": Out(range(len(Broken)))})


class ProgramSignature(wiring.Signature):
    """Replace an entry of the partition table (``partition`` high) or the forwarding table.

    As with a stream, ``valid`` and all else stay until ``ready``.
    """

    def __init__(self, ports: int):
        super().__init__(
            {
                "valid": Out(1),
                "ready": In(1),
                "partition": Out(1),
                "address": Out(16),
                "mask": Out(ports),
            }
        )


def alone(bits):
    """Whether exactly one bit is set."""
    pairs = [(bit, ~bit) for bit in bits]  # of a group of bits: one of them is set, none is
    while len(pairs) > 1:
        halves = zip(pairs[::2], pairs[1::2], strict=False)
        merged = [((a & d) | (b & c), b & d) for (a, b), (c, d) in halves]
        pairs = merged + (pairs[-1:] if len(pairs) % 2 else [])
    return pairs[0][0]


class Classifier(wiring.Component):
    """Check the header of each packet, find its queue, and make its flits fit its header.

    Latency: 4 cycles from ``i`` to ``push``. Throughput: 1 flit per cycle.
    Backpressure: ``i.ready`` is combinational in registers; the controls act a cycle late.
    Four stages move together; the first holds a flit as it came, the second what its fields say if
    it is a head, the third its queue or why it is refused. Only the last knows which flits are
    heads. A packet that is accepted is pushed with as many flits as its header declares: where its
    stream breaks, a flit with ``last`` and ``error`` ends it, and padding follows.
    ``push``, ``offer``, ``announce`` and ``complete`` are combinational from registers: the memory
    of the buffer and the registers of the backlog follow at once.

    Parameters
    ----------
    config : SwitchConfig
        The configuration.

    Members
    -------
    port : In(range(ports))
        Number of this port, constant: an input, so that all ports are alike.
    i : In(stream.Signature(AxisLayout))
        Packets as they come.
    enable : In(1)
        Heads are looked at; packets under way go on without.
    drain : In(1)
        Heads wait, as without ``enable``.
    reset : In(1)
        Break the packet under way, discard what comes.
    enabled : In(ports)
        Output ports to which packets may go, as the head is in the second stage.
    program : In(ProgramSignature)
        Replace an entry of a table; in the next cycle ``i.ready`` is low, and so is ``ready``.
    admit, used_high : In(1)
        Registers of the buffer: there is room for the last ``offer``; its queue is congested, which
        marks the packet.
    push : Out(PushSignature)
        Flits of accepted packets; ``length`` counts with ``first``.
    offer : Out(RoomSignature)
        What enters the last stage, as if it were a head; of no length if it is none or refused.
    announce : Out(AnnounceSignature)
        Enough of a packet has been pushed, with this flit, that it may leave.
    complete : Out(1)
        With this flit all of a packet that was announced as partial has been pushed.
    accepted : Out(1)
        A packet was accepted in the cycle before.
    drop : Out(DropSignature)
        One was not, in the cycle before.
    broken : Out(BrokenSignature)
        An accepted one was ended with an error, in the cycle before.
    idle : Out(1)
        No packet is under way and none waits.
    """

    def __init__(self, config: SwitchConfig):
        self.config = config
        super().__init__(
            {
                "port": In(range(config.ports)),
                "i": In(stream.Signature(AxisLayout(config))),
                "enable": In(1),
                "drain": In(1),
                "reset": In(1),
                "enabled": In(config.ports),
                "program": In(ProgramSignature(config.ports)),
                "admit": In(1),
                "used_high": In(1),
                "push": Out(PushSignature(config)),
                "offer": Out(RoomSignature(config)),
                "announce": Out(AnnounceSignature(config)),
                "complete": Out(1),
                "accepted": Out(1),
                "drop": Out(DropSignature()),
                "broken": Out(BrokenSignature()),
                "idle": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        config, push, offer = self.config, self.push, self.offer
        groups = 4  # of bits of a word, for its parity
        count_width = (config.flit_bytes - 1).bit_length()
        length_width = Shape.cast(length_shape(config)).width

        # A stage is a register of these fields; see the stages below.
        every = {"full": 1, "data": 8 * config.flit_bytes, "last": 1, "error": 1}
        checked = {"tail": count_width, "ragged": 1, "length": length_width}
        raw = Signal(data.StructLayout(every | {"keep": config.flit_bytes}))
        read = Signal(
            data.StructLayout(
                every
                | checked
                | {"count": count_width, "odd": config.words * groups}
                | {"bad_length": 1, "bad_operation": 1, "bad_class": 1}
            )
        )
        routed = Signal(
            data.StructLayout(
                every
                | checked
                | {"count": count_width, "odd": config.words}
                | {"good": 1, "causes": len(Drop), "queue": range(config.queues)}
                | {"low": length_width + 9, "high": length_width + 9}
            )
        )
        head = Signal(
            data.StructLayout(
                every
                | {"tail": count_width, "odd": config.words}
                | {"good": 1, "refused": 1, "reason": range(len(Drop))}
                | {"single": 1, "double": 1, "wrong": 1, "bad": 1, "bad_body": 1}
                | {"start": length_width, "announces": 1, "start_two": 1, "early": 1}
            )
        )
        phase = Signal(len(Phase), init=Phase.IDLE)
        first, in_body, in_padding, in_rest = phase
        go = Signal()  # all stages move

        def follow(stage, before):
            return [stage[name].eq(before[name]) for name in every]

        # Into the first stage: what is on the stream, a flit or not.
        coming = data.View(HeaderLayout(), self.i.payload.data[: HeaderLayout().size])
        gap = Signal()  # a table is written, and not read
        writes = self.program.valid & self.program.ready
        enters = self.i.valid & ~gap
        m.d.comb += [
            self.i.ready.eq(go & ~gap),
            self.idle.eq(first & ~(raw.full | read.full | routed.full | head.full)),
        ]
        with m.If(go):
            m.d.sync += [
                raw.full.eq(enters),
                raw.data.eq(self.i.payload.data),
                raw.keep.eq(self.i.payload.keep),
                raw.last.eq(self.i.payload.last & enters),
                raw.error.eq(self.i.payload.user[0]),
            ]

        # Tables.
        m.submodules.routes = routes = Table(config.ports, entries=config.endpoints, identity=True)
        m.submodules.partitions = partitions = Table(
            config.ports, entries=PARTITIONS, identity=False
        )
        m.d.sync += gap.eq(writes)
        m.d.comb += [
            self.program.ready.eq(~gap & routes.ready & partitions.ready),
            routes.lookup.address.eq(coming.destination),
            partitions.lookup.address.eq(coming.partition),
            routes.write.valid.eq(writes & ~self.program.partition),
            partitions.write.valid.eq(writes & self.program.partition),
        ]
        for table in routes, partitions:
            m.d.comb += [
                table.lookup.valid.eq(self.i.ready),
                table.take.eq(go),
                table.write.address.eq(self.program.address),
                table.write.mask.eq(self.program.mask),
            ]

        # First to second stage: what the fields say.
        header = data.View(HeaderLayout(), raw.data[: HeaderLayout().size])
        class_width = (config.classes - 1).bit_length()
        keep, length = raw.keep, header.length
        with m.If(go):
            m.d.sync += [
                follow(read, raw),
                read.length.eq((length >> count_width) + length[:count_width].any()),
                read.tail.eq(length[:count_width] - 1),
                # Wrong for whatever length; and with the lowest bytes kept, bit n of the count of
                # bytes less one is the parity of how many multiples of 2**n are among them.
                read.ragged.eq(
                    Mux(raw.last, ~keep[0] | (~keep[:-1] & keep[1:]).any(), ~keep.all())
                ),
                read.count.eq(Cat(keep[1 << n :: 1 << n].xor() for n in range(count_width))),
                read.odd.eq(
                    Cat(
                        raw.data.word_select(n, 64 // groups).xor()
                        for n in range(config.words * groups)
                    )
                ),
                read.bad_length.eq(
                    exceeds(length, config.max_packet_bytes)
                    | ~exceeds(length, config.min_packet_bytes - 1)
                ),
                read.bad_operation.eq(header.operation != Operation.UNICAST),
                read.bad_class.eq(header.traffic_class[class_width:].any()),
            ]

        # Second to third stage: where to, or why not; first sums of SwitchConfig.start_flits().
        header = data.View(HeaderLayout(), read.data[: HeaderLayout().size])
        route, members = routes.mask, partitions.mask
        output = Cat(
            Cat(route[n] for n in range(config.ports) if n >> place & 1).any()
            for place in range((config.ports - 1).bit_length())
        )
        causes = Signal(len(Drop))
        for drop, refuses in {
            Drop.LENGTH: read.bad_length,
            Drop.OPERATION: read.bad_operation,
            Drop.TRAFFIC_CLASS: read.bad_class,
            Drop.NO_ROUTE: ~alone(route),
            Drop.PARTITION: ~(members.bit_select(self.port, 1) & (members & route).any()),
            Drop.DISABLED: ~(self.enabled & route).any(),
        }.items():
            m.d.comb += causes[drop].eq(refuses)
        scale = config.start_scale
        with m.If(go):
            m.d.sync += [
                follow(routed, read),
                *(routed[name].eq(read[name]) for name in (*checked, "count")),
                routed.odd.eq(
                    Cat(read.odd.word_select(n, groups).xor() for n in range(config.words))
                ),
                routed.good.eq(read.full & (causes == 0)),
                routed.causes.eq(causes),
                routed.queue.eq(Cat(header.traffic_class[:class_width], output)),
                routed.low.eq(
                    sum((read.length << n for n in range(4) if scale >> n & 1), C(255, 8))
                ),
                routed.high.eq(
                    sum((read.length << n for n in range(4, 9) if scale >> n & 1), C(0, 1))
                ),
            ]

        # Third to last stage: the offer, the first of the reasons, and comparisons with constants.
        queue, length = Signal.like(offer.queue), Signal.like(offer.length)  # of the last stage
        start = Signal(length_width)
        expected = Signal(count_width)  # valid bytes of the packet under way on its end, less one
        misfit = routed.ragged | (routed.last & (routed.count != routed.tail))
        m.d.comb += [
            offer.valid.eq(go),
            offer.queue.eq(routed.queue),
            offer.length.eq(Mux(routed.good, routed.length, 0)),
            start.eq((routed.low + routed.high) >> 8),
        ]
        with m.If(go):
            m.d.sync += [
                follow(head, routed),
                queue.eq(offer.queue),
                length.eq(offer.length),
                head.tail.eq(routed.tail),
                head.odd.eq(routed.odd),
                head.good.eq(routed.good),
                head.refused.eq(routed.full & ~routed.good),
                head.single.eq(routed.length == 1),
                head.double.eq(routed.length == 2),
                head.wrong.eq(routed.error | misfit | (routed.last != (routed.length == 1))),
                head.bad.eq(misfit),
                head.bad_body.eq(routed.ragged | (routed.last & (routed.count != expected))),
                head.start.eq(start),
                head.announces.eq(routed.good & (start == 1 if scale else C(1, 1))),
                head.start_two.eq(routed.good & (start == 2)),
                head.early.eq(start != routed.length),
            ]

            for drop in reversed(Drop):
                with m.If(routed.causes[drop]):
                    m.d.sync += head.reason.eq(drop)

        # The packet under way. What it takes from its head is loaded again and again before it.
        packet = Signal(
            data.StructLayout(
                {"queue": range(config.queues), "length": length_width, "tail": count_width}
                | {"mark": 1, "early": 1}
                | {"left": length_width, "final": 1}  # flits to push; the next is the last
                | {"lead": length_width, "due": 1}  # the same up to that which announces it
            )
        )
        over = Signal()  # the stream of the broken packet has ended
        at_end = Mux(first, head.single, packet.final)
        m.d.comb += expected.eq(Mux(first, head.tail, packet.tail))
        with m.If(first):
            m.d.sync += [
                packet.queue.eq(queue),
                packet.length.eq(length),
                packet.tail.eq(head.tail),
                packet.mark.eq(self.used_high),
                packet.early.eq(head.early),
                packet.left.eq(length),
                packet.final.eq(head.double),
                packet.lead.eq(head.start),
                packet.due.eq(head.start_two),
            ]
        with m.Elif(push.valid):
            m.d.sync += [
                packet.left.eq(packet.left - 1),
                packet.final.eq(packet.left == 3),
                packet.lead.eq(packet.lead - 1),
                packet.due.eq(packet.lead == 3),
            ]

        # What happens in this cycle.
        may_begin, waits, resets = Signal(), Signal(), Signal()  # the controls, a cycle late: of
        m.d.sync += [  # the three at most one is high, so that `go` takes little time
            may_begin.eq(self.enable & ~self.drain & ~self.reset),
            waits.eq(~(self.enable & ~self.drain) & ~self.reset),
            resets.eq(self.reset),
        ]
        patience = Signal(range(-1, config.stall_cycles - 1), init=config.stall_cycles - 2)
        accepts, drops = Signal(), Signal()
        takes = Signal()  # a flit of the stream is pushed, if any is
        goes_on = Signal()  # the packet under way is pushed on, or padding
        interrupted, broken, fault = Signal(), Signal(), Signal(range(len(Broken)))
        wrong = Mux(first, head.wrong, head.error | head.bad_body | (head.last != packet.final))
        m.d.comb += [
            accepts.eq(first & head.good & self.admit & may_begin),
            drops.eq(first & head.refused & may_begin),
            takes.eq(first | (in_body & head.full & ~resets)),
            interrupted.eq(in_body & (resets | (~head.full & (patience < 0)))),
            broken.eq(interrupted | (takes & wrong)),
            goes_on.eq((in_body & (head.full | resets | (patience < 0))) | in_padding),
        ]
        stays = Mux(
            first,
            waits | (head.good & may_begin & ~self.admit),
            in_padding | (in_body & resets),
        )
        m.d.comb += go.eq(~(head.full & stays))
        with m.If(in_body & ~head.full):
            m.d.sync += patience.eq(patience - 1)
        with m.Else():
            m.d.sync += patience.eq(patience.init)
        for cause, breaks in reversed(
            {
                Broken.RESET: resets,
                Broken.STALL: ~head.full,
                Broken.INPUT: head.error,
                Broken.SHORT: head.last & ~at_end,
                Broken.KEEP: Mux(first, head.bad, head.bad_body),
                Broken.LONG: C(1, 1),
            }.items()
        ):
            with m.If(breaks):
                m.d.comb += fault.eq(cause)

        # The flit, and what follows it.
        flit, ends = push.flit, Signal()
        stream_over = Mux(in_padding, over, takes & head.last)
        count = Mux(ends, expected, config.flit_bytes - 1)
        m.d.comb += [
            ends.eq(takes & ~wrong & at_end),
            push.valid.eq(Mux(first, accepts, goes_on)),
            push.first.eq(first),
            push.queue.eq(Mux(first, queue, packet.queue)),
            push.length.eq(length),
            # What is no flit shows nothing of what was on the stream: the end of a packet that
            # stalls is seen outside.
            flit.data.eq(Mux(head.full, head.data, 0)),
            flit.first.eq(first),
            flit.last.eq(broken | ends),
            flit.error.eq(broken),
            flit.count.eq(count),
            flit.mark.eq(Mux(first, self.used_high, packet.mark)),
            # Of last and error, just one is high if the packet ends well, both or none else.
            flit.parity.eq(Mux(head.full, head.odd, 0) ^ first ^ flit.mark ^ ends ^ count.xor()),
        ]
        with m.If(push.valid):
            m.d.sync += over.eq(stream_over)
            with m.If(at_end):
                m.d.sync += phase.eq(Mux(stream_over, Phase.IDLE, Phase.EAT))
            with m.Elif(broken | in_padding):
                m.d.sync += phase.eq(Phase.PAD)
            with m.Else():
                m.d.sync += phase.eq(Phase.BODY)
        with m.Elif(drops):
            m.d.sync += phase.eq(Mux(head.last, Phase.IDLE, Phase.EAT))
        with m.Elif(in_rest & (resets | head.last)):
            m.d.sync += phase.eq(Phase.IDLE)

        # Announcement, written so that little comes between the registers and the backlog. A packet
        # that may leave with its first flit needs no counter.
        announces, early = first & head.announces & self.admit & may_begin, C(1, 1)
        if scale:
            # A packet is under way if `due` is high: it stays low behind a head that is refused.
            later = packet.due & (in_padding | head.full | resets | (patience < 0))
            announces, early = Mux(first, announces, later), packet.early
            announced_queue, announced = push.queue, Mux(first, length, packet.length)
        else:
            announced_queue, announced = queue, length
        m.d.comb += [
            self.announce.valid.eq(announces),
            self.announce.queue.eq(announced_queue),
            self.announce.length.eq(announced),
            self.announce.partial.eq(~at_end),
            self.complete.eq(goes_on & packet.final & early),
        ]

        # Events.
        m.d.sync += [
            self.accepted.eq(accepts),
            self.drop.valid.eq(drops),
            self.drop.reason.eq(head.reason),
            self.drop.header.eq(head.data[:64]),
            self.broken.valid.eq(push.valid & broken),
            self.broken.reason.eq(fault),
        ]
        return m
