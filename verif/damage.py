"""What can go wrong with packets between a generator and a checker, done on purpose.

Each kind of damage changes a queue of packets that are on their way to one port, and names what the
checker must say of it.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from models.config import SwitchConfig
from models.packet import HEADER_BYTES, Header, Wrong

__all__ = ["DAMAGES", "Chance", "Flit", "Packet", "flow_of", "header_of", "size_of"]


@dataclass(frozen=True)
class Flit:
    """What a stream moves in one cycle; ``data`` and ``keep`` are plain integers."""

    data: int
    keep: int
    last: int
    user: int = 0


Packet = list[Flit]


def size_of(packet: Packet) -> int:
    """Bytes that count."""
    return sum(flit.keep.bit_count() for flit in packet)


def header_of(packet: Packet) -> Header:
    """The header."""
    return Header.unpack(packet[0].data & (1 << 64) - 1)


def flow_of(packet: Packet) -> tuple[int, int]:
    """Source and class."""
    header = header_of(packet)
    return header.source, header.traffic_class


class Chance:
    """Random choices about one queue."""

    def __init__(self, config: SwitchConfig, queue: list[Packet], rng: np.random.Generator):
        self.config, self.queue, self.rng = config, queue, rng

    def packet(self, fits: Callable[[Packet], bool]) -> int | None:
        """Place of a packet that ``fits``, or None."""
        places = [n for n, packet in enumerate(self.queue) if fits(packet)]
        return int(self.rng.choice(places)) if places else None

    def flip(self, n: int, first: int, end: int) -> None:
        """Change a bit of packet ``n``, from bit ``first`` on, below bit ``end``."""
        bit = int(self.rng.integers(first, end))
        f, bit = divmod(bit, 8 * self.config.flit_bytes)
        flit = self.queue[n][f]
        self.set(n, f, replace(flit, data=flit.data ^ 1 << bit))

    def set(self, n: int, f: int, flit: Flit) -> None:
        self.queue[n] = [*self.queue[n][:f], flit, *self.queue[n][f + 1 :]]


def change_payload(chance: Chance) -> bool:
    n = chance.packet(lambda packet: size_of(packet) > HEADER_BYTES + 1)
    if n is not None:
        chance.flip(n, 8 * (HEADER_BYTES + 1), 8 * size_of(chance.queue[n]))
    return n is not None


def change_number(chance: Chance) -> bool:
    """Only where no word of the same flit follows from it: that would read as wrong payload."""
    alone = chance.config.words == 1
    n = chance.packet(
        lambda packet: size_of(packet) > HEADER_BYTES and (alone or size_of(packet) <= 16)
    )
    if n is not None:
        chance.flip(n, 8 * HEADER_BYTES, 8 * (HEADER_BYTES + 1))
    return n is not None


def change_destination(chance: Chance) -> bool:
    chance.flip(int(chance.rng.integers(len(chance.queue))), 0, 16)
    return True


def change_operation(chance: Chance) -> bool:
    chance.flip(int(chance.rng.integers(len(chance.queue))), 52, 64)  # or the partition
    return True


def mark(chance: Chance) -> bool:
    n = int(chance.rng.integers(len(chance.queue)))
    chance.set(n, len(chance.queue[n]) - 1, replace(chance.queue[n][-1], user=1))
    return True


def thin_out(chance: Chance) -> bool:
    """A byte in the middle does not count, or the last of a flit that is not the last."""
    n = chance.packet(lambda packet: packet[0].keep.bit_count() > 1)
    if n is None:
        return False
    packet = chance.queue[n]
    f = int(chance.rng.integers(len(packet) - (packet[-1].keep == 1)))
    kept = packet[f].keep.bit_count()
    byte = int(chance.rng.integers(kept - packet[f].last))
    chance.set(n, f, replace(packet[f], keep=packet[f].keep & ~(1 << byte)))
    return True


def cut(chance: Chance) -> bool:
    n = chance.packet(lambda packet: len(packet) > 1)
    if n is not None:
        *rest, end, _ = chance.queue[n]
        chance.queue[n] = [*rest, replace(end, last=1)]
    return n is not None


def prolong(chance: Chance) -> bool:
    n, full = int(chance.rng.integers(len(chance.queue))), (1 << chance.config.flit_bytes) - 1
    *rest, end = chance.queue[n]
    chance.queue[n] = [*rest, replace(end, keep=full, last=0), Flit(end.data, 1, 1)]
    return True


def shorten(chance: Chance) -> bool:
    """The last byte does not count; not that of a header, which would be wrong itself."""
    n = chance.packet(lambda packet: packet[-1].keep > 1 and size_of(packet) > HEADER_BYTES)
    if n is not None:
        end = chance.queue[n][-1]
        chance.set(n, len(chance.queue[n]) - 1, replace(end, keep=end.keep >> 1))
    return n is not None


def swap_flits(chance: Chance) -> bool:
    n = chance.packet(lambda packet: len(packet) > 3)
    if n is not None:
        a, b, c, *rest = chance.queue[n]
        chance.queue[n] = [a, c, b, *rest]
    return n is not None


def lose(chance: Chance) -> bool:
    del chance.queue[int(chance.rng.integers(len(chance.queue)))]
    return True


def repeat(chance: Chance) -> bool:
    n = int(chance.rng.integers(len(chance.queue)))
    chance.queue.insert(n, chance.queue[n])
    return True


def swap(chance: Chance) -> bool:
    """A packet comes before the one that it follows in its flow."""
    for n, packet in enumerate(chance.queue):
        for k in range(n + 1, len(chance.queue)):
            other = chance.queue[k]
            if flow_of(other) == flow_of(packet):
                if max(size_of(packet), size_of(other)) > HEADER_BYTES:
                    chance.queue[n], chance.queue[k] = other, packet
                    return True
                break
    return False


# What is done, and what the checker says. It returns False if no packet of the queue allows it.
DAMAGES: dict[Callable[[Chance], bool], Wrong] = {
    mark: Wrong.MARKED,
    thin_out: Wrong.KEEP,
    change_destination: Wrong.PORT,
    change_operation: Wrong.HEADER,
    cut: Wrong.LENGTH,
    prolong: Wrong.LENGTH,
    shorten: Wrong.LENGTH,
    change_payload: Wrong.PAYLOAD,
    swap_flits: Wrong.PAYLOAD,
    change_number: Wrong.ORDER,
    lose: Wrong.ORDER,
    repeat: Wrong.ORDER,
    swap: Wrong.ORDER,
}
