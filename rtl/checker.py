"""Checker: tell what is wrong with the test packets that come out of one port."""

from amaranth import Cat, Const, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from models.config import SwitchConfig
from models.packet import Wrong
from rtl.generator import SEQUENCE_WIDTH, following, sequence_after
from rtl.packet import AxisLayout, HeaderLayout

__all__ = ["Checker"]


class Checker(wiring.Component):
    """Hold every flit against what :class:`rtl.generator.Generator` sends.

    A word must follow from the word before it, a header must be one for this port, a packet must
    end where its header says, and carry the next sequence number of its flow (source and class).
    So a packet that is wrong, lost, repeated, overtaken, cut or led astray is seen, the last at
    both ports. Packets of 8 bytes show no number: that one was lost or repeated is seen at the next
    longer packet of the flow. Loss of the last of a flow, or of a multiple of 255 in a row, shows
    in ``received`` only. A bit error in byte 8 may read as a wrong sequence number.

    Latency: 4 cycles from ``i`` to all other outputs. Throughput: 1 flit per cycle.
    Backpressure: ``i.ready`` is constant, or with ``pauses`` from registers: low in a quarter of
    the cycles, as a PRBS of x^15 + x^14 + 1 has it.

    Parameters
    ----------
    config : SwitchConfig
        Uses ports, classes, and the packet and flit sizes.
    port : int
        ``destination`` of the packets.
    pauses : bool
        Do not take a flit in every cycle.

    Members
    -------
    clear : In(1)
        All outputs but ``i.ready`` are zero, flits are taken without a verdict, the sequence number
        of ``flow`` becomes 0. Clear every flow after a reset; and not while packets are under way.
    flow : In(range(queues))
        ``source * classes + class``; meaningful with ``clear``.
    i : In(stream.Signature(AxisLayout))
        Packets.
    received : Out(32)
        Packets, right or wrong, modulo ``2**32``.
    linked : Out(1)
        The first packet of every flow has come; nothing was wrong until then.
    error : Out(1)
        Something was wrong.
    reason : Out(Wrong)
        What was wrong first; of one flit, the lowest of ``models.packet.Wrong``. Zero without
        ``error``.
    """

    def __init__(self, config: SwitchConfig, *, port: int, pauses: bool = False):
        if not 0 <= port < config.ports:
            raise ValueError(f"port must be 0 to {config.ports - 1}, not {port!r}")
        self.config, self.port, self.pauses = config, port, pauses
        super().__init__(
            {
                "clear": In(1),
                "flow": In(range(config.queues)),
                "i": In(stream.Signature(AxisLayout(config))),
                "received": Out(32),
                "linked": Out(1),
                "error": Out(1),
                "reason": Out(range(len(Wrong))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        config = self.config
        flit_bytes, payload = config.flit_bytes, self.i.payload
        length_width = config.max_packet_bytes.bit_length()
        shift = (flit_bytes - 1).bit_length()  # from bytes to flits
        m.d.comb += self.i.ready.eq(self.ready(m))

        # Stage 1: what each word should have been.
        taken, last, marked = Signal(), Signal(), Signal()
        first, second = Signal(), Signal()  # place of the flit in the packet
        starting, next_second = Signal(init=1), Signal()
        keep, difference = Signal(flit_bytes), Signal(8 * flit_bytes)
        header, previous = Signal(HeaderLayout()), Signal(64)
        words = [payload.data.word_select(n, 64) for n in range(config.words)]
        transfer = self.i.valid & self.i.ready
        m.d.sync += taken.eq(transfer)
        with m.If(transfer):
            m.d.sync += [
                Cat(first, second).eq(Cat(starting, next_second)),
                Cat(starting, next_second).eq(Cat(payload.last, starting & ~payload.last)),
                last.eq(payload.last),
                marked.eq(payload.user[0]),
                keep.eq(payload.keep),
                header.eq(words[0]),
                previous.eq(words[-1]),
                difference.eq(
                    Cat(
                        word ^ following(before)
                        for before, word in zip([previous, *words], words, strict=False)
                    )
                ),
            ]

        # Stage 2: byte by byte, and what the header says.
        wrong_bytes, wrong_keep, was_marked = Signal(flit_bytes), Signal(), Signal()
        is_first, astray, odd = Signal(), Signal(), Signal(2)
        checked, ends, stamped, stamp = Signal(), Signal(), Signal(), Signal(SEQUENCE_WIDTH)
        flow = Signal(
            data.StructLayout({"class": range(config.classes), "port": range(config.ports)})
        )
        length, whole, rest = Signal(length_width), Signal(length_width - shift), Signal(shift)

        place = 0 if config.words == 1 else 8  # of the sequence number in its flit
        in_flit = (second if config.words == 1 else first) & keep[place]
        excluded = [first & (n < 8) | in_flit & (n == place) for n in range(flit_bytes)]
        gap = ~keep[0] | (keep[1:] & ~keep[:-1]).any() | (~last & ~keep[-1])
        odd_rest = (
            self.beyond(header.traffic_class, config.classes)
            | header.length[length_width:].any()
            | Cat(header.operation, header.partition).any()
        )
        m.d.sync += [
            checked.eq(taken),
            ends.eq(last),
            stamped.eq(in_flit),
            stamp.eq(difference.word_select(place, 8)),
            was_marked.eq(marked),
            wrong_keep.eq(gap),
            wrong_bytes.eq(
                Cat(
                    difference.word_select(n, 8).any() & keep[n] & ~excluded[n]
                    for n in range(flit_bytes)
                )
            ),
            is_first.eq(first),
            # A thermometer of n ones: bit b of n is the parity of every (1 << b)th of them.
            rest.eq(Cat(keep[(1 << b) - 1 :: 1 << b].xor() for b in range(shift))),
        ]
        with m.If(taken):
            m.d.sync += whole.eq(Mux(first, 0, whole) + keep[-1])
            with m.If(first):
                m.d.sync += [
                    astray.eq(header.destination != self.port),
                    odd.eq(Cat(self.beyond(header.source, config.ports), odd_rest)),
                    flow.eq(Cat(header.traffic_class[: len(flow["class"])], header.source)),
                    length.eq(header.length),
                ]

        # Stage 3: the flit against its packet and its flow.
        layout = data.StructLayout({"sequence": SEQUENCE_WIDTH, "seen": 1})
        m.submodules.flows = memory = Memory(shape=layout, depth=config.queues, init=[])
        read, write = memory.read_port(domain="comb"), memory.write_port()
        mine = Signal()
        m.d.comb += [
            mine.eq(~astray & (odd == 0)),
            read.addr.eq(flow),
            write.en.eq((checked & ends & mine) | self.clear),
            write.addr.eq(Mux(self.clear, self.flow, read.addr)),
            write.data.sequence.eq(Mux(self.clear, 0, sequence_after(read.data.sequence))),
            write.data.seen.eq(~self.clear),
        ]
        wrong, ended, opening = Signal(Wrong.ORDER), Signal(), Signal()
        order = Signal(SEQUENCE_WIDTH // 2)  # wrong if any is high; the rest of it in stage 4
        verdicts = {
            Wrong.MARKED: was_marked,
            Wrong.KEEP: wrong_keep,
            Wrong.PORT: is_first & astray,
            Wrong.HEADER: is_first & (odd != 0),
            Wrong.LENGTH: ends & ~wrong_keep & (Cat(rest, whole) != length),
            Wrong.PAYLOAD: wrong_bytes.any(),
        }
        counts = checked & ~self.clear
        numbered = counts & stamped & mine
        differs = stamp ^ read.data.sequence
        m.d.sync += [
            wrong.eq(Cat(verdict & counts for _, verdict in sorted(verdicts.items()))),
            order.eq(Cat(differs.word_select(n, 2).any() & numbered for n in range(len(order)))),
            ended.eq(counts & ends),
            opening.eq(counts & ends & mine & ~read.data.seen),
        ]

        # Stage 4: what is told.
        any_wrong = wrong.any() | order.any()
        flows = Signal(range(config.queues + 1))
        m.d.comb += self.linked.eq(flows == config.queues)
        with m.If(self.clear):
            m.d.sync += [
                Cat(self.error, self.reason).eq(0),
                self.received.eq(0),
                flows.eq(0),
            ]
        with m.Else():
            with m.If(ended):
                m.d.sync += self.received.eq(self.received + 1)
            with m.If(~self.error):
                m.d.sync += self.error.eq(any_wrong)
                with m.If(any_wrong):
                    m.d.sync += self.reason.eq(Wrong.ORDER)
                for reason in reversed(range(len(wrong))):
                    with m.If(wrong[reason]):
                        m.d.sync += self.reason.eq(reason)
                with m.If(opening & ~any_wrong):
                    m.d.sync += flows.eq(flows + 1)
        return m

    def ready(self, m):
        """High in the cycles in which a flit is taken."""
        if not self.pauses:
            return Const(1)
        random = Signal(15, init=self.port + 1)  # the latest bit is the highest
        serial = list(random)
        for n in range(15, 17):
            serial.append(serial[n - 15] ^ serial[n - 14])
        m.d.sync += random.eq(Cat(serial[2:]))
        return ~random[:2].all()

    def beyond(self, value, limit: int):
        """``value`` is ``limit`` or more."""
        if limit & (limit - 1) == 0:
            return value[limit.bit_length() - 1 :].any()
        return value >= limit
