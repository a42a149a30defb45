"""cocotb bench of rtl.checker: lockstep with the golden model, packets right and wrong.

Golden generators make the packets. They come in rounds: all sequence numbers are cleared, packets
arrive, one thing may be wrong with them, and the checker must say which.
"""

import os
from collections import Counter

import cocotb
import numpy as np

from models.checker import CheckerModel
from models.config import SwitchConfig
from models.generator import GeneratorModel
from models.packet import Wrong
from rtl.checker import Checker
from verif.bench.classifier import words
from verif.damage import DAMAGES, Chance, Flit, Packet
from verif.lockstep import Lockstep, bench_config

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "52"))
PACKETS = 24  # of a round, before the damage


def integer(words) -> int:
    """An array of 64-bit words as one number, the inverse of :func:`words`."""
    return int.from_bytes(words.tobytes(), "little")


class Sources:
    """The generators of all ports."""

    def __init__(self, config: SwitchConfig, port: int, rng: np.random.Generator):
        self.config, self.port, self.rng = config, port, rng
        self.models = [GeneratorModel(config, port=n, shaped=False) for n in range(config.ports)]

    def clear(self) -> None:
        """End the packets under way, unseen; all sequence numbers from zero."""
        for model in self.models:
            model.inputs.enable[0] = model.inputs.o_ready[0] = model.inputs.clear[0] = 1
            for n in range(self.config.max_packet_flits + 2 + self.config.queues):
                model.inputs.flow[0] = n % self.config.queues
                model.step()
            model.inputs.clear[0] = 0

    def packet(self, model: GeneratorModel) -> Packet:
        """The next packet of ``model``, wherever it goes."""
        flits = []
        while not flits or not flits[-1].last:
            o = model.step()
            if o.o_valid[0]:
                flits.append(
                    Flit(
                        integer(o.o_payload_data),
                        integer(o.o_payload_keep),
                        int(o.o_payload_last[0]),
                    )
                )
        return flits

    def next(self) -> Packet:
        """A packet to the port of the checker, from a random source."""
        while True:
            packet = self.packet(self.models[self.rng.integers(self.config.ports)])
            if packet[0].data & 0xFFFF == self.port:
                return packet


def soil(data, keep: int, rng: np.random.Generator) -> None:
    """Change the bytes behind the last that counts."""
    data.view(np.uint8)[keep.bit_length() :] ^= rng.integers(256, dtype=np.uint8)


def confused(flit: Flit, config: SwitchConfig, rng: np.random.Generator) -> Flit:
    """Perhaps with a wrong bit, another ``keep``, another end, an error flag."""
    chances = rng.random(4) < (0.1, 0.1, 0.05, 0.05)
    keep = sum(int(bit) << n for n, bit in enumerate(rng.integers(2, size=config.flit_bytes)))
    return Flit(
        data=flit.data ^ int(chances[0]) << int(rng.integers(64)),
        keep=keep if chances[1] else flit.keep,
        last=flit.last ^ int(chances[2]),
        user=int(chances[3]),
    )


@cocotb.test()
@cocotb.parametrize(load=[0.4, 1.0])
async def matches_model(dut, load: float) -> None:
    config = bench_config()
    port, pauses = config.ports - 1, os.environ["CHECKER_PAUSES"] == "1"
    rng = np.random.default_rng(cocotb.RANDOM_SEED)
    # Shorter packets than the configuration has, or a round would take too long.
    longest = min(config.max_packet_bytes, config.min_packet_bytes + 8 * config.flit_bytes)
    sources = Sources(config.with_(max_packet_bytes=longest), port, rng)
    model = CheckerModel(config, port=port, pauses=pauses)
    bench = Lockstep(dut, Checker(config, port=port, pauses=pauses), model)
    outputs = model.outputs
    await bench.reset()
    i, seen, linked = model.inputs, Counter(), 0

    async def send(flits: list[Flit]) -> None:
        for flit in flits:
            i.i_payload_data[0] = words(flit.data, config.words)
            soil(i.i_payload_data[0], flit.keep, rng)
            i.i_payload_keep[0] = words(flit.keep, i.i_payload_keep.shape[1])
            i.i_payload_last[0], i.i_payload_user[0] = flit.last, flit.user
            while True:
                i.i_valid[0] = i.i_valid[0] or rng.random() < load
                taken = (await bench.step()).i_ready[0] and i.i_valid[0]
                i.i_valid[0] = i.i_valid[0] and not taken
                if taken:
                    break

    async def clear() -> None:
        i.clear[0] = 1
        for flow in range(config.queues):
            i.flow[0] = flow
            await bench.step()
        i.clear[0] = 0

    kinds = list(DAMAGES)
    for n in range(ROUNDS):
        sources.clear()
        await clear()
        count = PACKETS if n % 2 else 4 * config.queues
        queue, expected = [sources.next() for _ in range(count)], None
        kind = kinds[n // 2 % len(kinds)]
        if n % 2 and kind(Chance(config, queue, rng)):
            expected = DAMAGES[kind]
        for packet in queue:
            await send(packet)
        if expected is Wrong.ORDER:  # seen at the next longer packet of the flow
            for packet in (sources.next() for _ in range(PACKETS * config.queues)):
                if outputs.error[0]:
                    break
                await send(packet)
        for _ in range(4):
            await bench.step()
        linked += int(outputs.linked[0])
        if expected is None:
            assert not outputs.error[0] and outputs.received[0] == len(queue)
        else:
            assert outputs.error[0], f"{kind.__name__} was not seen"
            assert Wrong(outputs.reason[0]) is expected, f"{kind.__name__}"
            seen[kind.__name__] += 1

    for _ in range(ROUNDS):  # several things wrong, cleared in the middle of it
        packet = sources.next()
        i.clear[0], i.flow[0] = rng.random() < 0.3, rng.integers(config.queues)
        await send([confused(flit, config, rng) for flit in packet])
    possible = {kind.__name__ for kind in DAMAGES}
    if config.words > 1:  # a byte 8 with nothing behind it in its flit
        possible.discard("change_number")
    assert set(seen) >= possible, seen
    assert linked
