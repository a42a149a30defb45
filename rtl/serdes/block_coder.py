"""64b/66b: words with control characters, and blocks of 66 bits."""

from functools import reduce
from operator import and_

from amaranth import C, Cat, Module, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from models.link.config import LinkConfig
from models.link.wire import ERROR, IDLE, ORDERED_SET, START, TERMINATE
from rtl.link.frame import WordsSignature

__all__ = [
    "CONTROL",
    "DATA",
    "FORMATS",
    "BlockDecoder",
    "BlockEncoder",
    "BlockLayout",
    "BlocksSignature",
]

DATA, CONTROL = 0b10, 0b01  # headers, bit 0 first on the line

# Types of blocks, by what the bytes of their words are: D data, C a control character, O one that
# begins an ordered set, S start, T terminate; IEEE 802.3-2018, figure 49-7. The last is our own, a
# control word of the link: W its first character; H data of which the lower half is zero.
FORMATS = (
    (0x1E, "CCCCCCCC"),
    (0x2D, "CCCCODDD"),
    (0x33, "CCCCSDDD"),
    (0x66, "ODDDSDDD"),
    (0x55, "ODDDODDD"),
    (0x78, "SDDDDDDD"),
    (0x4B, "ODDDCCCC"),
    (0x87, "TCCCCCCC"),
    (0x99, "DTCCCCCC"),
    (0xAA, "DDTCCCCC"),
    (0xB4, "DDDTCCCC"),
    (0xCC, "DDDDTCCC"),
    (0xD2, "DDDDDTCC"),
    (0xE1, "DDDDDDTC"),
    (0xFF, "DDDDDDDT"),
    (0x4B, "WDDDHDDD"),
)
ERRORS = FORMATS[0]

# Control characters and their codes, table 49-1; of ordered sets the O-codes.
CODES = {IDLE: 0x00, 0x06: 0x06, ERROR: 0x1E, 0x1C: 0x2D, 0x3C: 0x33, 0x7C: 0x4B}
CODES |= {0xBC: 0x55, 0xDC: 0x66, 0xF7: 0x78}
ORDERED_CODES = {0x9C: 0x0, ORDERED_SET: 0xF}
CONTROL_WORD_CODE = 0x6


class BlockLayout(data.StructLayout):
    """A block.

    Fields
    ------
    header : unsigned(2)
        Sync header, bit 0 first on the line: 2 of data, 1 of what has control characters.
    payload : unsigned(64)
        Bit 0 first on the line; not scrambled.
    """

    def __init__(self):
        super().__init__({"header": 2, "payload": 64})


class BlocksSignature(wiring.Signature):
    """``count`` blocks in a cycle, if ``valid``, first on the line first; nobody can stop them."""

    def __init__(self, count: int):
        blocks = data.ArrayLayout(BlockLayout(), count)
        super().__init__({"valid": Out(1), "blocks": Out(blocks)})


def place(characters: str, n: int) -> slice:
    """Bits of the payload that tell of byte ``n`` of a word; of S and T, none.

    Each character has one place in all types that have it; data has another where a frame ends.
    """
    match characters[n]:
        case "D":
            begin, bits = 8 * n + 8 * ("T" in characters), 8
        case "C":
            begin, bits = 8 + 7 * n, 7
        case "O" | "W" | "H":
            begin, bits = 32 + n, 4
        case _:
            begin, bits = 0, 0
    return slice(begin, begin + bits)


def translate(m: Module, value: Value, table: dict[int, int], width: int) -> tuple[Signal, Signal]:
    """What ``table`` has for ``value``, of ``width`` bits, and whether it has something."""
    found, known = Signal(width), Signal()
    with m.Switch(value):
        for key, translation in table.items():
            with m.Case(key):
                m.d.comb += [found.eq(translation), known.eq(1)]
    return found, known


def inverse(table: dict[int, int]) -> dict[int, int]:
    """The same, the other way round."""
    return {value: key for key, value in table.items()}


class BlockEncoder(wiring.Component):
    """A block of each word.

    Latency: 1 cycle. Throughput: ``words_per_cycle`` words per cycle. Backpressure: none.
    A control word of the link is a block of an ordered set with O-code 6, as Ultra Ethernet has it;
    all else is as in a standard PCS. A word that no block can tell is sent as eight errors. What
    may follow what is left to the deframer of the other end.
    Source: IEEE 802.3-2018, 49.2.4.

    Parameters
    ----------
    config : LinkConfig
        Uses ``words_per_cycle``.

    Members
    -------
    i : In(WordsSignature)
        Words.
    o : Out(BlocksSignature)
        Their blocks.
    """

    def __init__(self, config: LinkConfig):
        self.config = config
        blocks = BlocksSignature(config.words_per_cycle)
        super().__init__({"i": In(WordsSignature(config)), "o": Out(blocks)})

    def elaborate(self, platform):
        m = Module()
        words, control = self.i.words.data, self.i.words.control
        m.d.sync += self.o.valid.eq(self.i.valid)
        for k, block in enumerate(self.o.blocks):
            self.encode(m, words.word_select(k, 64), control.word_select(k, 8), block)
        return m

    def encode(self, m: Module, word: Value, control: Value, block: data.View) -> None:
        """Make ``block`` that of ``word``, a cycle later."""
        # Of each byte, whether it may be a character of a kind, and what the payload has of it.
        may: list[dict[str, tuple[Value, Value]]] = []
        for n in range(8):
            byte, is_control = word.word_select(n, 8), control[n]
            code, has_code = translate(m, byte, CODES, 7)
            ordered_code, has_ordered_code = translate(m, byte, ORDERED_CODES, 4)
            may.append(
                {
                    "D": (~is_control, byte),
                    "C": (is_control & has_code, code),
                    "O": (is_control & has_ordered_code, ordered_code),
                    "S": (is_control & (byte == START), C(0, 0)),
                    "T": (is_control & (byte == TERMINATE), C(0, 0)),
                    "W": (is_control & (byte == ORDERED_SET), C(CONTROL_WORD_CODE, 4)),
                    "H": (~(is_control | byte[:4].any()), byte[4:]),
                }
            )

        header, payload = Signal(2), Signal(64)
        m.d.comb += [header.eq(CONTROL), payload.eq(ERRORS[0])]
        m.d.comb += [payload[place(ERRORS[1], n)].eq(CODES[ERROR]) for n in range(8)]
        for kind, characters in FORMATS:
            is_so, bits = zip(*(may[n][c] for n, c in enumerate(characters)), strict=True)
            with m.If(reduce(and_, is_so)):
                m.d.comb += payload.eq(kind)
                m.d.comb += [payload[place(characters, n)].eq(bits[n]) for n in range(8)]
        with m.If(~control.any()):
            m.d.comb += [header.eq(DATA), payload.eq(word)]
        m.d.sync += [block.header.eq(header), block.payload.eq(payload)]


class BlockDecoder(wiring.Component):
    """The word of each block: what :class:`BlockEncoder` has made a block of.

    Latency: 1 cycle. Throughput: ``words_per_cycle`` blocks per cycle. Backpressure: none.
    Of a block that is none, by its header, its type or the codes in it, comes a word of eight
    errors. Bits that a type does not use are ignored.
    Source: IEEE 802.3-2018, 49.2.4.

    Parameters
    ----------
    config : LinkConfig
        Uses ``words_per_cycle``.

    Members
    -------
    i : In(BlocksSignature)
        Blocks.
    o : Out(WordsSignature)
        Their words.
    """

    def __init__(self, config: LinkConfig):
        self.config = config
        blocks = BlocksSignature(config.words_per_cycle)
        super().__init__({"i": In(blocks), "o": Out(WordsSignature(config))})

    def elaborate(self, platform):
        m = Module()
        words, control = self.o.words.data, self.o.words.control
        m.d.sync += self.o.valid.eq(self.i.valid)
        for k, block in enumerate(self.i.blocks):
            self.decode(m, block, words.word_select(k, 64), control.word_select(k, 8))
        return m

    def decode(self, m: Module, block: data.View, word: Value, control: Value) -> None:
        """Make ``word`` that of ``block``, a cycle later."""
        payload = block.payload
        codes = [payload[8 + 7 * n :][:7] for n in range(8)]
        characters = [translate(m, code, inverse(CODES), 8) for code in codes]
        ordered = {
            n: translate(m, payload[32 + n :][:4], inverse(ORDERED_CODES), 8) for n in (0, 4)
        }

        found, marks = Signal(64), Signal(8)
        m.d.comb += [found.eq(C(ERROR, 8).replicate(8)), marks.eq(0xFF)]
        with m.If(block.header == DATA):
            m.d.comb += [found.eq(payload), marks.eq(0)]
        for kind, kinds in FORMATS:
            is_so, byte = [payload[:8] == kind, block.header == CONTROL], []
            for n, c in enumerate(kinds):
                bits, fits = payload[place(kinds, n)], C(1, 1)
                match c:
                    case "D":
                        value = bits
                    case "C":
                        value, fits = characters[n]
                    case "O":
                        value, fits = ordered[n]
                    case "S":
                        value = C(START, 8)
                    case "T":
                        value = C(TERMINATE, 8)
                    case "W":
                        value, fits = C(ORDERED_SET, 8), bits == CONTROL_WORD_CODE
                    case _:
                        value = Cat(C(0, 4), bits)
                is_so.append(fits)
                byte.append(value)
            with m.If(reduce(and_, is_so)):
                m.d.comb += found.eq(Cat(byte))
                m.d.comb += marks.eq(Cat(c not in "DH" for c in kinds))
        m.d.sync += [word.eq(found), control.eq(marks)]
