"""Generator: random test packets of one port, so that a checker can tell what is wrong."""

from amaranth import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from models.config import SwitchConfig
from models.packet import TEST_SALT
from rtl.packet import AxisLayout, HeaderLayout

__all__ = ["SEQUENCE_WIDTH", "Generator", "fold", "following", "sequence_after"]

SEQUENCE_WIDTH = 8
GAP_WIDTH = 5
RATE_WIDTH = 8


def following(word):
    """The word of payload after ``word``, 64 bits each.

    The next 64 bits of the sequence x^58 + x^39 + 1 (the scrambler of 64b/66b), with the bits of
    ``TEST_SALT`` inverted. The first in time is bit 58 of a word, then come 59 .. 63 and 0 .. 57.
    So no bit depends on more than 4 others, those that do lie where a header has constants, and
    bits 0 .. 57 all matter to the word that follows.
    """
    serial = [word[(n + 58) % 64] for n in range(64)]
    for n in range(64, 128):
        serial.append(serial[n - 58] ^ serial[n - 39])
    return Cat(serial[64 + (n + 6) % 64] for n in range(64)) ^ Const(TEST_SALT, 64)


def sequence_after(sequence):
    """The next of 255 numbers, in the order of x^8 + x^6 + x^5 + x^4 + 1, inverted: 0 is one.

    A sum of 8 bits would take too long, between a read of the memory and the write that follows.
    """
    return Cat(~(sequence[7] ^ sequence[5] ^ sequence[4] ^ sequence[3]), sequence[:7])


def fold(value, limit: int):
    """``value``, of as many bits as ``limit``, without its top bit if it is beyond ``limit``."""
    top = max(0, limit.bit_length() - 1)
    return Cat(value[:top], value[top:] & (value <= limit))


class Generator(wiring.Component):
    """Send packets of random size to random ports in random classes.

    A packet is a header, then 64-bit words, each of which follows from the one before it (see
    :func:`following`); byte 8, if the packet has one, is XORed with the sequence number of the
    flow (destination and class) before the third word follows from it. A packet of 8 bytes has a
    sequence number too, but shows none: what is wrong with its order is seen at the next longer
    packet of its flow. Sequence numbers begin with 0 and follow :func:`sequence_after`.

    Choices come from a PRBS of x^31 + x^28 + 1, 28 steps a packet, so they do not depend on
    ``o.ready``; each port has its own seed. Half of the packets are short (at most 15 bytes over
    the smallest), the others of any size. Half of them follow without a gap, the others after 1
    to 16 cycles.

    Latency: 2 cycles from ``enable`` to ``o.valid``, if no gap is due; ``sent`` counts 2 cycles
    after a last flit is taken. Throughput: ``line_flits_per_cycle`` of the configuration, each
    flit counted as a full one; 1 flit per cycle if that is 1 or not ``shaped``. Within a packet of
    a shaped generator flits wait for their turn, at most 256 cycles.
    Backpressure: ``o`` leaves registers, which load in the cycle in which ``o.ready`` is high.

    Parameters
    ----------
    config : SwitchConfig
        Uses ports, classes, the packet and flit sizes and the line rate.
    port : int
        ``source`` of the packets.
    shaped : bool
        Keep to the line rate.

    Members
    -------
    enable : In(1)
        A packet may begin. One that has begun goes on to its end.
    clear : In(1)
        No packet begins from the next cycle on; ``sent`` is zero, the sequence number of ``flow``
        becomes 0. After a reset, clear every flow before the first packet.
    flow : In(range(queues))
        ``destination * classes + class``; meaningful with ``clear``.
    o : Out(stream.Signature(AxisLayout))
        Packets.
    sent : Out(32)
        Packets whose last flit was taken, modulo ``2**32``.

    Attributes
    ----------
    starting : Signal(1)
        State: the next flit is a header. Proofs read it.
    turn : Signal(1)
        State: the line can take a flit. Proofs read it.
    """

    def __init__(self, config: SwitchConfig, *, port: int, shaped: bool = True):
        if not 0 <= port < config.ports:
            raise ValueError(f"port must be 0 to {config.ports - 1}, not {port!r}")
        self.config, self.port, self.shaped = config, port, shaped
        self.starting = Signal(init=1)
        self.turn = Signal()
        super().__init__(
            {
                "enable": In(1),
                "clear": In(1),
                "flow": In(range(config.queues)),
                "o": Out(stream.Signature(AxisLayout(config))),
                "sent": Out(32),
            }
        )

    def elaborate(self, platform):
        m = Module()
        config = self.config
        shift = (config.flit_bytes - 1).bit_length()  # from bytes to flits
        free, load, take = Signal(), Signal(), Signal()

        # Two packets are chosen ahead: what is drawn, and the same with its length worked out.
        span = config.max_packet_bytes - config.min_packet_bytes
        ends = signed(config.max_packet_bytes.bit_length() + 1)
        flow = {"traffic_class": range(config.classes), "destination": range(config.ports)}
        chosen = Signal(data.StructLayout(flow | {"extra": range(span + 1)}))
        first = {"length": config.min_packet_bytes, "end": self.end_of(0)}
        packet = Signal(data.StructLayout(flow | {"length": 16, "end": ends}), init=first)
        random, draw = self.random(m, take)
        drawn_gap = Signal(GAP_WIDTH)
        with m.If(take):
            m.d.sync += [
                drawn_gap.eq(random[-GAP_WIDTH:]),
                chosen.eq(draw),
                packet.traffic_class.eq(chosen.traffic_class),
                packet.destination.eq(chosen.destination),
                packet.length.eq(chosen.extra + config.min_packet_bytes),
                packet.end.eq(self.end_of(chosen.extra)),
            ]

        # When the next flit goes into the output register. Little may stand between `o.ready` and
        # what it moves, so all conditions for a header are gathered in the cycle before, for a
        # packet that is taken in it and for none.
        starting, turn = self.starting, self.turn
        begins, goes, took = Signal(), Signal(), Signal()
        gap, counted = Signal(GAP_WIDTH), Signal(GAP_WIDTH, init=1 << (GAP_WIDTH - 1))
        may_follow, may_begin = Signal(), Signal()
        next_turn = self.next_turn(m)
        may = next_turn & self.enable & ~self.clear
        m.d.sync += [
            turn.eq(next_turn),
            took.eq(take),
            may_follow.eq(may & random[-1]),
            may_begin.eq(may & (gap[-1] | (starting & gap[:-1].all()))),
        ]
        m.d.comb += [
            begins.eq(Mux(took, may_follow, may_begin)),
            gap.eq(Mux(took, drawn_gap, counted)),  # counts up to the top bit
            free.eq(~self.o.valid | self.o.ready),
            goes.eq(Mux(starting, begins, turn)),
            load.eq(free & goes),
            take.eq(free & starting & begins),
        ]
        m.d.sync += counted.eq(gap + (starting & ~gap[-1]))
        with m.If(free):
            m.d.sync += self.o.valid.eq(goes)

        # Where it ends: `after` is the number of flits behind this one, less one.
        left, rest = Signal(signed(len(packet.end) - shift)), Signal(shift)
        after, bytes_less_one = Signal.like(left), Signal(shift)
        last = after[-1]
        m.d.comb += [
            after.eq(Mux(starting, packet.end >> shift, left - 1)),
            bytes_less_one.eq(Mux(starting, packet.end[:shift], rest)),
        ]

        # What it carries.
        sequence = self.sequence(m, packet, take)
        header = Signal(HeaderLayout())
        m.d.comb += [
            header.destination.eq(packet.destination),
            header.source.eq(self.port),
            header.length.eq(packet.length),
            header.traffic_class.eq(packet.traffic_class),
        ]
        payload = self.o.payload
        words = [Signal(64, name=f"word_{n}") for n in range(config.words)]
        stamp = Signal(SEQUENCE_WIDTH)
        if config.words == 1:  # the sequence number is in the second flit
            with m.If(load):
                m.d.sync += stamp.eq(Mux(starting, sequence, 0))
            m.d.comb += words[0].eq(
                Mux(starting, header.as_value(), following(payload.data) ^ stamp)
            )
        else:
            m.d.comb += [
                stamp.eq(Mux(starting, sequence, 0)),
                words[0].eq(Mux(starting, header.as_value(), following(payload.data[-64:]))),
                words[1].eq(following(words[0]) ^ stamp),
                *(words[n].eq(following(words[n - 1])) for n in range(2, config.words)),
            ]

        with m.If(load):
            m.d.sync += [
                starting.eq(last),
                left.eq(after),
                rest.eq(bytes_less_one),
                payload.data.eq(Cat(words)),
                payload.keep.eq(
                    Cat(~last | (bytes_less_one >= n) for n in range(len(payload.keep)))
                ),
                payload.last.eq(last),
            ]

        ended = Signal()
        m.d.sync += ended.eq(self.o.valid & self.o.ready & payload.last)
        with m.If(self.clear):
            m.d.sync += self.sent.eq(0)
        with m.Elif(ended):
            m.d.sync += self.sent.eq(self.sent + 1)
        return m

    def end_of(self, extra):
        """Bytes of a packet, less one and less a flit: the flits behind its second, bytes below."""
        return extra + (self.config.min_packet_bytes - 1 - self.config.flit_bytes)

    def random(self, m, take):
        """The register of the PRBS, and what it draws for a packet."""
        config = self.config
        seed = (self.port + 1) * 0x9E3779B1 % ((1 << 31) - 1)
        random = Signal(31, init=seed)  # the latest bit is the highest
        serial = list(random)
        for n in range(31, 59):
            serial.append(serial[n - 31] ^ serial[n - 28])
        with m.If(take):
            m.d.sync += random.eq(Cat(serial[28:]))

        def bits(limit: int):
            nonlocal used
            used += limit.bit_length()
            return random[used - limit.bit_length() : used]

        span, used = config.max_packet_bytes - config.min_packet_bytes, 0
        destination = fold(bits(config.ports - 1), config.ports - 1)
        traffic_class, long = bits(config.classes - 1), bits(1)
        extra = fold(bits(span), span)
        extra = Cat(extra[:4], extra[4:] & long.replicate(len(extra[4:])))
        return random, Cat(traffic_class, destination, extra)

    def next_turn(self, m):
        """Whether the line can take a flit in the next cycle."""
        rate = max(1, int(self.config.line_flits_per_cycle * (1 << RATE_WIDTH)))
        if not self.shaped or rate >= 1 << RATE_WIDTH:
            return Const(1)
        credit = Signal(RATE_WIDTH)
        total = credit + rate
        m.d.sync += credit.eq(total)
        return total[RATE_WIDTH]

    def sequence(self, m, packet, take):
        """The next sequence number of the flow of ``packet``; it moves on with ``take``."""
        m.submodules.sequences = memory = Memory(
            shape=SEQUENCE_WIDTH, depth=self.config.queues, init=[]
        )
        read, write = memory.read_port(domain="comb"), memory.write_port()
        m.d.comb += [
            read.addr.eq(Cat(packet.traffic_class, packet.destination)),
            write.en.eq(take | self.clear),
            write.addr.eq(Mux(self.clear, self.flow, read.addr)),
            write.data.eq(Mux(self.clear, 0, sequence_after(read.data))),
        ]
        return read.data
