"""Cyclic redundancy checks of any number of bits in one cycle.

A register's lowest bit is its highest power, the next to leave on a line that sends the lowest bit
first. Polynomials are written as usual, without their highest power.
"""

from amaranth import Cat

from models.link.wire import CHECK_BITS, CHECK_POLYNOMIAL

__all__ = ["after_zeros", "header_check", "remainder", "word_check"]


def after_zeros(register: int, zeros: int, polynomial: int, width: int) -> int:
    """The register after so many bits that are zero."""
    feedback = int(f"{polynomial:0{width}b}"[::-1], 2)
    for _ in range(zeros):
        register = register >> 1 ^ (feedback if register & 1 else 0)
    return register


def remainder(value, polynomial: int, width: int):
    """The register after the bits of ``value``, lowest first, if it was zero.

    Zeros before the first one change nothing, so a shorter message is one with zeros before it; a
    register that was not zero goes into the first ``width`` bits by XOR.
    """
    effect, masks = 1, [0] * width  # bits of the value that each bit of the register is the sum of
    for k in reversed(range(len(value))):
        effect = after_zeros(effect, 1, polynomial, width)
        for n in range(width):
            masks[n] |= (effect >> n & 1) << k
    return Cat((value & mask).xor() for mask in masks)


def header_check(preamble, header):
    """The check of a preamble (see ``PREAMBLE_FIELDS``) and a header, 64 bits each."""
    sfd, numbers = preamble[56:64], preamble[8:40]
    message = Cat(~sfd, header, numbers)  # inverted: the register is preset to ones
    return remainder(message, CHECK_POLYNOMIAL, CHECK_BITS)


def word_check(body):
    """The check of a control word, D7, of its D1 to D6, 48 bits."""
    message = Cat(~body[:CHECK_BITS], body[CHECK_BITS:])  # the register is preset to ones
    return remainder(message, CHECK_POLYNOMIAL, CHECK_BITS)
