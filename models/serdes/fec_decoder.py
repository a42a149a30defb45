"""Golden model of rtl.serdes.fec_decoder: the codeword next to what came, or none.

The RTL runs Berlekamp's and Massey's algorithm and looks at each symbol in turn. Here the key
equation is solved by Euclid's algorithm (Sugiyama and others, "A method for solving key equation
for decoding Goppa codes", Information and Control 27(1), 1975), and what comes out counts only if
it is a codeword.
"""

from collections import namedtuple

from models.compiled import compiled, inner
from models.record import allocate
from models.serdes.config import FecConfig
from models.serdes.field import LOGARITHM, ORDER, POWER, product, quotient

__all__ = [
    "FecDecoderInputs",
    "FecDecoderModel",
    "FecDecoderOutputs",
    "Scratch",
    "decode",
    "fec_decoder_clock",
    "fec_decoder_outputs",
    "scratch",
]

FecDecoderInputs = namedtuple("FecDecoderInputs", "i_valid i_payload_symbols i_payload_first late")
FecDecoderOutputs = namedtuple(
    "FecDecoderOutputs",
    "o_valid o_payload_symbols o_payload_first o_payload_bad o_payload_corrected wrong",
)
# `come` symbols of the codeword in `slot` are there. If the one before it `ended` in the last cycle
# it is `wrong` or not, and is told whether it is late. Codewords that wait lie in the slots from
# `oldest` on, `waiting` of them; each has the cycle in which its first group is on `o`.
FecDecoderState = namedtuple(
    "FecDecoderState",
    "now come slot ended wrong oldest waiting free_at words leaves_at bad corrected",
)
# Polynomials, the coefficient of x^0 first.
Scratch = namedtuple("Scratch", "syndromes rest before locator last")


def scratch(config: FecConfig) -> Scratch:
    """Room for :func:`decode`."""
    places = 2 * config.correctable + 1
    return allocate(Scratch, dict.fromkeys(Scratch._fields, (places,)))


@inner
def evaluate(polynomial, exponent):
    """``polynomial`` at x^``exponent``, which is 0 or more and below the order."""
    found, logarithm = 0, 0
    for k in range(polynomial.size):
        if polynomial[k]:
            found ^= POWER[LOGARITHM[polynomial[k]] + logarithm]
        logarithm = (logarithm + exponent) % ORDER
    return found


@inner
def odd_terms(polynomial, exponent):
    """The derivative of ``polynomial`` at x^``exponent``, times that."""
    found = 0
    for k in range(1, polynomial.size, 2):
        if polynomial[k]:
            found ^= POWER[LOGARITHM[polynomial[k]] + k * exponent % ORDER]
    return found


@inner
def degree(polynomial):
    """Of the highest coefficient that is not zero; -1 if there is none."""
    for k in range(polynomial.size - 1, -1, -1):
        if polynomial[k]:
            return k
    return -1


@inner
def find_syndromes(word, syndromes):
    """The word at each root of the generator; 1 if all are zero."""
    zero = True
    for root in range(syndromes.size - 1):
        found = 0
        for p in range(word.size):
            found = word[p] ^ (POWER[LOGARITHM[found] + root] if found else 0)
        syndromes[root] = found
        zero = zero and found == 0
    return zero


@inner
def swap(a, b):
    """Exchange two polynomials."""
    for k in range(a.size):
        a[k], b[k] = b[k], a[k]


@inner
def solve_key_equation(room, correctable):
    """Locator and evaluator (``rest``) from the syndromes: remainders of x^2t and these."""
    for k in range(room.rest.size):
        room.rest[k], room.before[k] = room.syndromes[k], 0
        room.locator[k] = room.last[k] = 0
    room.before[2 * correctable] = 1
    room.locator[0] = 1
    while degree(room.rest) >= correctable:
        # before -= rest * quotient, and so the locators; then the two change places.
        top = degree(room.rest)
        while degree(room.before) >= top:
            shift = degree(room.before) - top
            factor = quotient(room.before[top + shift], room.rest[top])
            for k in range(top + 1):
                room.before[k + shift] ^= product(room.rest[k], factor)
            for k in range(room.last.size - shift):
                room.last[k + shift] ^= product(room.locator[k], factor)
        swap(room.rest, room.before)
        swap(room.locator, room.last)


@inner
def add_errors(word, room):
    """Add to each symbol of the word its error, if the locator has a root there; how many do."""
    roots = 0
    for p in range(word.size):
        power = word.size - 1 - p
        place = (ORDER - power) % ORDER
        if evaluate(room.locator, place) == 0:
            roots += 1
            # The derivative itself is the odd terms over the place: its power comes in once more.
            slope = odd_terms(room.locator, place)
            if slope:
                error = quotient(evaluate(room.rest, place), slope)
                word[p] ^= error
    return roots


@compiled
def decode(word, correctable, room):
    """Correct a word in place; how many symbols were wrong, or -1: too many, it is as it came."""
    if find_syndromes(word, room.syndromes):
        return 0
    solve_key_equation(room, correctable)
    errors = degree(room.locator)
    if errors > correctable or room.locator[0] == 0:
        return -1
    roots = add_errors(word, room)
    if roots == errors and find_syndromes(word, room.syndromes):
        return errors
    add_errors(word, room)
    return -1


@compiled
def fec_decoder_outputs(s, outputs, n):
    """What leaves in this cycle."""
    outputs.wrong[n] = s.ended[n] and s.wrong[n]
    leaving = s.oldest[n]
    group = s.now[n] - s.leaves_at[n, leaving]
    outputs.o_valid[n] = s.waiting[n] > 0 and group >= 0
    if outputs.o_valid[n]:
        wide = outputs.o_payload_symbols.shape[1]
        for k in range(wide):
            outputs.o_payload_symbols[n, k] = s.words[n, leaving, group * wide + k]
        outputs.o_payload_first[n] = group == 0
        outputs.o_payload_bad[n] = s.bad[n, leaving]
        outputs.o_payload_corrected[n] = s.corrected[n, leaving]


@compiled
def fec_decoder_clock(correctable, clean_cycles, solve_cycles, room, s, inputs, outputs, n):
    """The clock edge."""
    now, slots, length = s.now[n], s.words.shape[1], s.words.shape[2]
    wide = inputs.i_payload_symbols.shape[1]
    if outputs.o_valid[n] and now - s.leaves_at[n, s.oldest[n]] == length // wide - 1:
        s.oldest[n] = (s.oldest[n] + 1) % slots
        s.waiting[n] -= 1
    if s.ended[n]:
        slot = (s.slot[n] - 1) % slots
        known = now - 1 + (solve_cycles if s.wrong[n] or inputs.late[n] else clean_cycles)
        s.leaves_at[n, slot] = max(known, s.free_at[n])
        s.free_at[n] = s.leaves_at[n, slot] + length // wide
        s.waiting[n] += 1
        s.ended[n] = 0
    if inputs.i_valid[n]:
        slot = s.slot[n]
        if inputs.i_payload_first[n]:
            s.come[n] = 0
        for k in range(wide):
            s.words[n, slot, s.come[n] + k] = inputs.i_payload_symbols[n, k]
        s.come[n] += wide
        if s.come[n] == length:
            found = decode(s.words[n, slot], correctable, room)
            s.bad[n, slot], s.corrected[n, slot] = found < 0, max(0, found)
            s.ended[n], s.wrong[n] = 1, found != 0
            s.slot[n], s.come[n] = (slot + 1) % slots, 0
    s.now[n] += 1


@compiled
def fec_decoder_step(correctable, clean_cycles, solve_cycles, room, s, inputs, outputs):
    """Outputs of this cycle, then the clock edge, of all instances."""
    for n in range(s.now.size):
        fec_decoder_outputs(s, outputs, n)
        fec_decoder_clock(correctable, clean_cycles, solve_cycles, room, s, inputs, outputs, n)


class FecDecoderModel:
    """``instances`` decoders."""

    def __init__(self, config: FecConfig, instances: int = 1):
        self.config, self.instances = config, instances
        self.room = scratch(config)
        self.inputs, self.outputs = (
            allocate(
                kind,
                dict.fromkeys(kind._fields, (instances,))
                | {kind._fields[1]: (instances, config.symbols_per_cycle)},
            )
            for kind in (FecDecoderInputs, FecDecoderOutputs)
        )
        self.reset()

    def reset(self) -> None:
        """The state after reset."""
        config, instances = self.config, self.instances
        shapes: dict[str, tuple[int, ...]] = dict.fromkeys(FecDecoderState._fields, (instances,))
        slots = config.solve_cycles // config.groups + 4  # more than can wait
        shapes |= dict.fromkeys(("leaves_at", "bad", "corrected"), (instances, slots))
        shapes["words"] = (instances, slots, config.symbols)
        self.state = allocate(FecDecoderState, shapes)

    def step(self) -> FecDecoderOutputs:
        """Outputs of this cycle, then the clock edge."""
        config = self.config
        numbers = config.correctable, config.clean_cycles, config.solve_cycles
        fec_decoder_step(*numbers, self.room, self.state, self.inputs, self.outputs)
        return self.outputs
