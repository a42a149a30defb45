# amaranth: UnusedElaboratable=no
from itertools import pairwise

import pytest

from models.config import NODE, TINY
from models.link.config import EndKind, link_of
from models.link.credit_frame import CreditFrameReceiverModel, CreditFrameSenderModel
from models.link.wire import OWN_CHANNEL
from rtl.link.credit_frame import CreditFrameReceiver, CreditFrameSender
from sim.verilator import run_bench

LINKS = {
    "tiny": link_of(TINY),
    "node": link_of(NODE),
    # Of three flits, the last not full.
    "three": link_of(TINY).with_(name="TINY-21", min_packet_bytes=21),
}


@pytest.mark.parametrize("config", LINKS.values(), ids=LINKS)
def test_what_is_told_comes_out_between_the_packets(config):
    sender, receiver = CreditFrameSenderModel(config), CreditFrameReceiverModel(config)
    told, packets = [], []
    updates = [(3, 0xABCDE), (4, 7), (31, (1 << 20) - 1)]
    for cycle in range(60):
        i = sender.inputs
        # Packets of two flits without a gap; so each update has a packet between.
        i.i_valid[0], i.i_payload_last[0], i.channel[0] = 1, len(packets) % 2, 9
        i.i_payload_data[0, 0] = 100 << 32
        i.consumed_valid[0] = cycle > 5 and bool(updates)
        if updates:
            i.consumed_payload_channel[0], i.consumed_payload_consumed[0] = updates[0]
        i.o_ready[0] = 1
        o = sender.step()
        if o.consumed_ready[0] and i.consumed_valid[0]:
            updates.pop(0)
        if o.i_ready[0]:
            packets.append(cycle)
        j = receiver.inputs
        for name in ("valid", "payload_data", "payload_keep", "payload_last", "payload_user"):
            getattr(j, f"i_{name}")[:] = getattr(o, f"o_{name}")
        j.i_payload_channel[:], j.o_ready[0] = o.o_channel, 1
        out = receiver.step()
        assert out.o_valid[0] == (o.o_valid[0] and o.o_channel[0] != OWN_CHANNEL)
        if out.end_valid[0]:
            told.append(tuple(int(x[0]) for x in (out.end_kind, out.end_channel, out.end_value)))
    assert [t[1:] for t in told if t[0] == EndKind.TOLD] == [(3, 0xABCDE), (4, 7), (31, 0xFFFFF)]
    others = {t for t in told if t[0] != EndKind.TOLD}
    assert others == {(EndKind.PACKET, 9, 100)}
    kinds = [t[0] for t in told]
    assert (EndKind.TOLD, EndKind.TOLD) not in pairwise(kinds)


@pytest.mark.verilator
@pytest.mark.parametrize("config", LINKS.values(), ids=LINKS)
@pytest.mark.parametrize("side", [CreditFrameSender, CreditFrameReceiver])
def test_rtl_matches_model(config, side):
    end = side.__name__.removeprefix("CreditFrame").lower()
    run_bench(
        f"link_credit_frame_{end}",
        side(config),
        config,
        cycles=3000,
        module="verif.bench.link_credit_frame",
        testcase=f"{end}_matches_model",
    )
