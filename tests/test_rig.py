import numpy as np
import pytest

from models.config import NODE, TINY
from models.rig import Rig
from models.traffic import generate


def run(payload: bool, inject: int = 0, mix: str = "short") -> Rig:
    table = generate(NODE, cycles=1500, load=0.9, mix=mix, class_shares=(0.5, 0.5), seed=3)
    rig = Rig(NODE, table, payload=payload)
    rig.model.inputs.inject[0, 0] = inject
    rig.run(4000)
    return rig


@pytest.mark.parametrize("mix", ["single", "short"])
def test_without_payload_every_packet_goes_in_the_same_cycles(mix):
    whole, bare = run(True, mix=mix), run(False, mix=mix)
    for name in ("injected", "departed", "completed"):
        assert np.array_equal(getattr(whole.packets, name), getattr(bare.packets, name))
    assert np.all(bare.packets.completed >= 0)
    assert whole.sinks.totals() == bare.sinks.totals()
    assert whole.model.outputs.o_payload_data[0, :, 2:].any()  # there was more to carry,
    assert not bare.model.outputs.o_payload_data[0, :, 2:].any()  # and it was left out


def test_without_payload_a_flipped_bit_is_seen():
    whole, bare = run(True, inject=1), run(False, inject=1)
    assert bare.events[2] > 0
    assert np.array_equal(whole.events, bare.events)
    assert whole.sinks.totals() == bare.sinks.totals()


def test_flits_of_one_word_are_carried_whole():
    table = generate(TINY, cycles=200, load=0.5, seed=1)
    rig = Rig(TINY, table, payload=False)
    rig.run(1000)
    assert rig.delivered == table.cycle.size
