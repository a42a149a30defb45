"""cocotb bench of rtl.link.control_words: lockstep with the golden model."""

import os
from collections import Counter

import cocotb
import numpy as np

from models.link.control_words import ControlWordsModel
from models.link.framer import check_of
from models.link.wire import CREDIT_BITS, MAX_CHANNELS, SEQUENCE_BITS, Control
from rtl.link.control_words import ControlWords
from verif.lockstep import Lockstep

CYCLES = int(os.environ.get("BENCH_CYCLES", "4000"))
SENDERS = ("send_init", "send_init_echo", "send_nack", "send_ack", "send_credit")
EVENTS = ("init_valid", "init_echo_valid", "nack_valid", "ack_valid", "credit_valid", "unknown")
WIDTHS = {
    "sequence_high": 8,
    "sequence_middle": 8,
    "padding": 4,
    "sequence_low": 4,
    "value": 16,
    "rest": 8,
}


BODY = ("type", "sequence_high", "sequence_middle", "padding", "sequence_low", "value")


def check(kind: int, high: int, middle: int, padding: int, low: int, value: int) -> int:
    """D7 of a word."""
    return check_of(bytes([kind, high, middle, low << 4 | padding, value & 0xFF, value >> 8]))


@cocotb.test()
@cocotb.parametrize(load=[0.1, 0.7], ready=[0.3, 1.0])
async def matches_model(dut, load: float, ready: float) -> None:
    rng = np.random.default_rng(cocotb.RANDOM_SEED)
    model = ControlWordsModel()
    bench = Lockstep(dut, ControlWords(), model)
    await bench.reset()

    i, seen = model.inputs, Counter()
    for _ in range(CYCLES):
        for name in SENDERS:
            getattr(i, f"{name}_valid")[0] = rng.random() < load
        for name in ("send_init", "send_init_echo", "send_nack", "send_ack"):
            getattr(i, f"{name}_payload_sequence")[0] = rng.integers(0, 1 << SEQUENCE_BITS)
        i.send_init_payload_value[0], i.send_init_echo_payload_value[0] = rng.integers(0, 65536, 2)
        i.send_credit_payload_entry_freed[0] = rng.integers(0, 1 << CREDIT_BITS, 2)
        i.send_credit_payload_entry_channel[0] = rng.integers(0, MAX_CHANNELS, 2)
        kind = rng.integers(0, 256) if rng.random() < 0.3 else rng.choice(list(Control))
        if kind == Control.CF_UPDATE:
            kind += rng.integers(0, 16)
        i.i_payload_type[0] = kind
        for field, width in WIDTHS.items():
            # Fields that have to be zero are, most of the time.
            zero = rng.random() < (0.8 if field in ("padding", "rest", "value") else 0)
            getattr(i, f"i_payload_{field}")[0] = 0 if zero else rng.integers(0, 1 << width)
        if rng.random() < 0.8:  # with the right check
            fields = [int(getattr(i, f"i_payload_{name}")[0]) for name in BODY]
            i.i_payload_rest[0] = check(*fields)
        i.i_valid[0], i.o_ready[0] = rng.random() < 0.8, rng.random() < ready
        outputs = await bench.step()
        for name in (*EVENTS, *(f"{name}_ready" for name in SENDERS)):
            seen[name] += int(getattr(outputs, name)[0])
    assert len(+seen) == len(EVENTS) + len(SENDERS), seen
