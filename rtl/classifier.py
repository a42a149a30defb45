"""Classifier of an ingress: header check, route, framing."""

import enum

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from models.config import SwitchConfig
from models.packet import Broken, Drop, Operation
from rtl.backlog import AnnounceSignature
from rtl.buffer import PushSignature
from rtl.packet import AxisLayout, HeaderLayout, length_shape
from rtl.table import Table

__all__ = [
    "PARTITIONS",
    "Classifier",
    "CountersSignature",
    "DropSignature",
    "OfferSignature",
    "ProgramSignature",
]

PARTITIONS = 256


class Phase(enum.Enum):
    """What the flit in the stage register is to the packet under way."""

    IDLE = 0  # the head of the next one
    BODY = 1  # the next flit
    PAD = 2  # nothing: the packet is broken, padding is pushed
    EAT = 3  # what is left of a stream that was dropped or broken


class OfferSignature(wiring.Signature):
    """The packet whose head waits to be admitted; meaningful while ``valid``."""

    def __init__(self, config: SwitchConfig):
        super().__init__(
            {
                "valid": Out(1),
                "queue": Out(range(config.queues)),
                "length": Out(length_shape(config)),
            }
        )


class DropSignature(wiring.Signature):
    """A packet that was not accepted: a reason of ``models.packet.Drop`` and its header."""

    def __init__(self):
        super().__init__({"valid": Out(1), "reason": Out(range(len(Drop))), "header": Out(64)})


class ProgramSignature(wiring.Signature):
    """Replace an entry of the partition table (``partition`` high) or the forwarding table."""

    def __init__(self, ports: int):
        super().__init__(
            {"valid": Out(1), "partition": Out(1), "address": Out(16), "mask": Out(ports)}
        )


class CountersSignature(wiring.Signature):
    """Packets accepted, dropped by reason, and ended as broken by reason; modulo ``2**32``."""

    def __init__(self):
        super().__init__(
            {
                "accepted": Out(32),
                "dropped": Out(32).array(len(Drop)),
                "errored": Out(32).array(len(Broken)),
            }
        )


def odd(flit):
    """Parity of a flit, see ``FlitLayout``."""
    words = Cat(flit.data.word_select(n, 64).xor() for n in range(len(flit.data) // 64))
    return words ^ Cat(flit.count, flit.last, flit.error, flit.mark).xor()


class Classifier(wiring.Component):
    """Check the header of each packet, find its queue, and make its flits fit its header.

    Latency: 1 cycle from ``i`` to ``push``. Throughput: 1 flit per cycle.
    Backpressure: ``i.ready`` is combinational in ``admit``, ``reset`` and the controls, never in
    ``i.valid``. A packet that is accepted is pushed with as many flits as its header declares:
    where its stream breaks, a flit with ``last`` and ``error`` ends it, and padding follows.
    All outputs but the counters are combinational from registers, ``admit``, ``used_high`` and the
    controls: the memory of the buffer and the registers of the backlog follow at once.

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
        Break the packet under way, discard what comes, clear the counters.
    enabled : In(ports)
        Output ports to which packets may go.
    program : In(ProgramSignature)
        Replace an entry of a table.
    admit, used_high : In(1)
        The buffer has room for ``offer``; its queue is congested, which marks the packet.
    push : Out(PushSignature)
        Flits of accepted packets.
    offer : Out(OfferSignature)
        A good head waits for ``admit``.
    announce : Out(AnnounceSignature)
        Enough of a packet has been pushed, with this flit, that it may leave.
    complete : Out(1)
        With this flit all of a packet that was announced as partial has been pushed.
    drop : Out(DropSignature)
        A packet is not accepted, for one cycle.
    idle : Out(1)
        No packet is under way and none waits.
    counters : Out(CountersSignature)
        Counts since reset.
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
                "offer": Out(OfferSignature(config)),
                "announce": Out(AnnounceSignature(config)),
                "complete": Out(1),
                "drop": Out(DropSignature()),
                "idle": Out(1),
                "counters": Out(CountersSignature()),
            }
        )

    def elaborate(self, platform):
        m = Module()
        config, push, offer, counters = self.config, self.push, self.offer, self.counters
        phase = Signal(Phase)
        flit_width = (config.flit_bytes - 1).bit_length()

        # Stage register, and the tables beside it.
        full, advance = Signal(), Signal()
        stage = Signal(AxisLayout(config))
        header = data.View(HeaderLayout(), stage.data[: HeaderLayout().size])
        coming = data.View(HeaderLayout(), self.i.payload.data[: HeaderLayout().size])
        m.submodules.routes = routes = Table(config.ports, entries=config.endpoints, identity=True)
        m.submodules.partitions = partitions = Table(
            config.ports, entries=PARTITIONS, identity=False
        )
        m.d.comb += [
            self.i.ready.eq(~full | advance),
            routes.lookup.address.eq(coming.destination),
            partitions.lookup.address.eq(coming.partition),
            routes.write.valid.eq(self.program.valid & ~self.program.partition),
            partitions.write.valid.eq(self.program.valid & self.program.partition),
            self.idle.eq(~full & (phase == Phase.IDLE)),
        ]
        for table in routes, partitions:
            m.d.comb += [
                table.lookup.valid.eq(self.i.valid & self.i.ready),
                table.write.address.eq(self.program.address),
                table.write.mask.eq(self.program.mask),
            ]
        with m.If(self.i.ready):
            m.d.sync += full.eq(self.i.valid)
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += stage.eq(self.i.payload)

        # Header check.
        route, members = routes.mask, partitions.mask
        places = range((config.ports - 1).bit_length())
        output = Cat(
            (route & sum(1 << n for n in range(config.ports) if n >> place & 1)).any()
            for place in places
        )
        refused, reason = Signal(), Signal(range(len(Drop)))
        for drop, refuses in reversed(
            {
                Drop.LENGTH: (header.length < config.min_packet_bytes)
                | (header.length > config.max_packet_bytes),
                Drop.OPERATION: header.operation != Operation.UNICAST,
                Drop.TRAFFIC_CLASS: header.traffic_class >= config.classes,
                Drop.NO_ROUTE: (route == 0) | (route & (route - 1)).any(),
                Drop.PARTITION: ~(members.bit_select(self.port, 1) & (members & route).any()),
                Drop.DISABLED: ~(self.enabled & route).any(),
            }.items()
        ):
            with m.If(refuses):
                m.d.comb += [refused.eq(1), reason.eq(drop)]
        class_width = (config.classes - 1).bit_length()
        m.d.comb += [
            offer.queue.eq(Cat(header.traffic_class[:class_width], output)),
            offer.length.eq((header.length + config.flit_bytes - 1) >> flit_width),
            self.drop.reason.eq(reason),
            self.drop.header.eq(header),
        ]

        # The packet under way.
        first = phase == Phase.IDLE
        queue, length, mark = Signal.like(offer.queue), Signal.like(offer.length), Signal()
        last_count = Signal(flit_width)  # valid bytes of its last flit, less one
        sent, stalled = Signal.like(offer.length), Signal(range(config.stall_cycles))
        over = Signal()  # the stream of the broken packet has ended
        number = sent + 1  # of the flit that is pushed in this cycle
        count = Mux(first, (header.length - 1)[:flit_width], last_count)
        at_end = Signal()
        m.d.comb += [
            push.first.eq(first),
            push.queue.eq(Mux(first, offer.queue, queue)),
            push.length.eq(Mux(first, offer.length, length)),
            at_end.eq(number == push.length),
        ]
        with m.If(push.valid):
            m.d.sync += [
                queue.eq(push.queue),
                length.eq(push.length),
                last_count.eq(count),
                mark.eq(push.flit.mark),
                sent.eq(Mux(at_end, 0, number)),
                stalled.eq(0),
            ]

        # What happens in this cycle.
        takes = Signal()  # the flit in the stage register is pushed
        broken, fault = Signal(), Signal(range(len(Broken)))
        with m.Switch(phase):
            with m.Case(Phase.IDLE):
                with m.If(self.reset):
                    m.d.comb += advance.eq(full)
                with m.Elif(full & self.enable & ~self.drain):
                    with m.If(refused):
                        m.d.comb += [self.drop.valid.eq(1), advance.eq(1)]
                        m.d.sync += phase.eq(Mux(stage.last, Phase.IDLE, Phase.EAT))
                    with m.Else():
                        m.d.comb += [offer.valid.eq(1), takes.eq(self.admit)]
            with m.Case(Phase.BODY):
                with m.If(self.reset):
                    m.d.comb += [broken.eq(1), fault.eq(Broken.RESET)]
                with m.Elif(full):
                    m.d.comb += takes.eq(1)
                with m.Elif(stalled == config.stall_cycles - 1):
                    m.d.comb += [broken.eq(1), fault.eq(Broken.STALL)]
                with m.Else():
                    m.d.sync += stalled.eq(stalled + 1)
            with m.Case(Phase.PAD):
                m.d.comb += push.valid.eq(1)
            with m.Case(Phase.EAT):
                m.d.comb += advance.eq(full)
                with m.If(self.reset | (full & stage.last)):
                    m.d.sync += phase.eq(Phase.IDLE)
        with m.If(takes):
            m.d.comb += advance.eq(1)
            for cause, breaks in reversed(
                {
                    Broken.INPUT: stage.user[0],
                    Broken.KEEP: Mux(
                        stage.last,
                        at_end & (stage.keep != ((2 << count) - 1)[: config.flit_bytes]),
                        ~stage.keep.all(),
                    ),
                    Broken.SHORT: stage.last & ~at_end,
                    Broken.LONG: ~stage.last & at_end,
                }.items()
            ):
                with m.If(breaks):
                    m.d.comb += [broken.eq(1), fault.eq(cause)]

        # The flit, and what follows it.
        flit, ends = push.flit, takes & stage.last
        stream_over = Mux(phase == Phase.PAD, over, ends)
        with m.If(takes | broken):
            m.d.comb += push.valid.eq(1)
        m.d.comb += [
            flit.data.eq(Mux(takes, stage.data, 0)),
            flit.last.eq(broken | (takes & at_end)),
            flit.error.eq(broken),
            flit.count.eq(Mux(takes & at_end & ~broken, count, config.flit_bytes - 1)),
            flit.mark.eq(Mux(first, self.used_high, mark)),
            flit.parity.eq(odd(flit)),
        ]
        with m.If(push.valid):
            m.d.sync += over.eq(stream_over)
            with m.If(at_end):
                m.d.sync += phase.eq(Mux(stream_over, Phase.IDLE, Phase.EAT))
            with m.Elif(broken | (phase == Phase.PAD)):
                m.d.sync += phase.eq(Phase.PAD)
            with m.Else():
                m.d.sync += phase.eq(Phase.BODY)

        # Announcement: as SwitchConfig.start_flits().
        raw, start = Signal.like(push.length), Signal.like(push.length)
        m.d.comb += [
            raw.eq((push.length * config.start_scale + 255) >> 8),
            start.eq(Mux(raw == 0, 1, raw)),
            self.announce.valid.eq(push.valid & (number == start)),
            self.announce.queue.eq(push.queue),
            self.announce.length.eq(push.length),
            self.announce.partial.eq(~at_end),
            self.complete.eq(push.valid & at_end & (start != push.length)),
        ]

        # Counters.
        def step(counter, event):
            with m.If(event):
                m.d.sync += counter.eq(counter + 1)
            with m.If(self.reset):
                m.d.sync += counter.eq(0)

        step(counters.accepted, push.valid & push.first)
        for counted, event, why in (
            (counters.dropped, self.drop.valid, self.drop.reason),
            (counters.errored, broken, fault),
        ):
            for n, counter in enumerate(counted):
                step(counter, event & (why == n))
        return m
