"""The chip: a switch, and a link at each of its ports."""

from functools import reduce
from operator import and_, or_

from amaranth import Cat, Module, Mux, Signal, ValueLike
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from models.chip_config import TIMEOUT_BITS, ChipConfig
from models.link.config import DownPolicy, ReceiverState, SenderState
from models.link.wire import COUNT_BITS, COUNTED
from models.serdes.config import LANE_EVENTS, PCS_EVENTS
from rtl.classifier import BrokenSignature, DropSignature, ProgramSignature
from rtl.event_counters import EventCounters
from rtl.isolator import Isolator
from rtl.link.channel_map import ChannelMap
from rtl.link.frame import WordsLayout, WordsSignature
from rtl.link.link import CreditControlSignature, Link, LinkEventsSignature
from rtl.output_watchdog import OutputWatchdog
from rtl.packet import HeaderLayout
from rtl.serdes.lane_test import LaneTest, LaneTestSignature
from rtl.serdes.multilane_pcs import MultilanePcs, PcsStatusSignature
from rtl.switch import Switch

__all__ = ["Chip", "CounterSignature", "MapSignature"]


class CounterSignature(wiring.Signature):
    """In the cycle after, ``count`` tells how often ``event`` of the link ``link`` has happened.

    Events are those of ``ChipConfig.counted``; of another, or another link, it is 0.
    """

    def __init__(self, ports: int, events: int):
        super().__init__(
            {
                "link": Out(range(ports)),
                "event": Out(range(events)),
                "count": In(COUNT_BITS),
            }
        )


class MapSignature(wiring.Signature):
    """At the link ``link``: packets for ``address`` leave the partner by its ``port``."""

    def __init__(self, ports: int):
        super().__init__(
            {
                "valid": Out(1),
                "ready": In(1),
                "link": Out(range(ports)),
                "address": Out(16),
                "port": Out(range(ports)),
            }
        )


class Chip(wiring.Component):
    """Bring packets from any link to any link: lossless on lines that make errors.

    Latency: that of the links and of the switch, which see each other in the same cycle.
    Throughput: all of the line each way at each port.
    Credits of a link stand for room in the queues of the ingress behind it: channel
    ``output * classes + class`` is its queue of that number, if there are 32 or fewer, else channel
    ``class`` is for all outputs. Which channel a packet takes is known from its class, and from a
    map of the partner's outputs. A class leaves an egress only while the partner has room
    for it in whatever output: its packets stand in one line, and none may wait at the head of it.
    What waits for longer than ``dead_output_timeout`` is dead: a class for which the partner has no
    room, or all classes of an output that takes no flit. Its packets are discarded, so that their
    room is free for others.
    Broken copies, which the link delivers in cut-through, go through the switch and leave poisoned.
    Source: docs/chip.md.

    Parameters
    ----------
    config : ChipConfig
        The configuration.

    Members
    -------
    tx, rx : Out, In(ArrayLayout(lane_bits, lanes)).array(ports)
    tx_ready : In(1).array(ports)
    rx_valid, signal_ok : In(1).array(ports, lanes)
        As of :class:`rtl.serdes.multilane_pcs.MultilanePcs`. If the configuration has no lanes,
        they are not there, nor are ``pcs`` and ``lane_test``.
    pcs : Out(PcsStatusSignature).array(ports)
        What each PCS tells of itself.
    lane_test : In(LaneTestSignature).array(ports)
        Tests of the lines of each port, loopbacks, and swapped wires: see
        :class:`rtl.serdes.lane_test.LaneTest`. While it is not in ``NORMAL``, the link of the port
        is down, or in ``NEAR`` its own partner.
    from_pcs : In(WordsSignature).array(ports)
    to_pcs : Out(stream.Signature(WordsLayout)).array(ports)
    pcs_up : In(1).array(ports)
        As of :class:`rtl.link.link.Link`, only if the configuration has no lanes.
    link_enable, policy, reconfigure, credit : In(...).array(ports)
        As of :class:`rtl.link.link.Link`, where ``link_enable`` is ``enable``. It enables the PCS,
        too.
    enable, drain, inject, program
        As of :class:`rtl.switch.Switch`.
    reset : In(ports)
        As there; the link goes on: what comes is acknowledged and discarded, a packet that is cut
        on its way out ends poisoned. Hold it until ``idle``.
    dead_output_timeout : In(TIMEOUT_BITS).array(ports)
        In cycles; with 0 an output never dies. See :class:`rtl.output_watchdog.OutputWatchdog`.
    revive : In(ports)
        The output is no longer dead.
    map : In(MapSignature)
        Replace an entry of the map of a link. Not ready while the maps are swept after reset;
        ready for ever if channels do not depend on outputs, and then of no effect.
    counter : In(CounterSignature)
        Read one of the counters of the ports, of which each has all.
    drop, broken, accepted, delivered, errored, discarded, parity : Out
        As of :class:`rtl.switch.Switch`; a packet that is discarded in reset, before the switch, is
        not told of.
    dead : Out(classes).array(ports)
        Classes of the output that are dead: their packets are ``discarded``. If all are, a packet
        on its way out is cut, and ends poisoned.
    idle : Out(ports)
        As there, and each packet that came from the link has been told of to it.
    ingress_occupancy, egress_occupancy : Out(range(flits + 1)).array(ports)
        Flits held.
    drained, stalled, sender_state, receiver_state, events : Out(...).array(ports)
        As of :class:`rtl.link.link.Link`.
    """

    def __init__(self, config: ChipConfig):
        self.config = config
        switch, link, ports = config.switch, config.link, config.switch.ports
        if lanes := config.lanes:
            line = data.ArrayLayout(lanes.lane_bits, lanes.lanes)
            pins = {
                "tx": Out(line).array(ports),
                "tx_ready": In(1).array(ports),
                "rx": In(line).array(ports),
                "rx_valid": In(1).array(ports, lanes.lanes),
                "signal_ok": In(1).array(ports, lanes.lanes),
                "pcs": Out(PcsStatusSignature(lanes)).array(ports),
                "lane_test": In(LaneTestSignature(lanes)).array(ports),
            }
        else:
            pins = {
                "from_pcs": In(WordsSignature(link)).array(ports),
                "to_pcs": Out(stream.Signature(WordsLayout(link))).array(ports),
                "pcs_up": In(1).array(ports),
            }
        super().__init__(
            {
                **pins,
                "link_enable": In(1).array(ports),
                "policy": In(DownPolicy).array(ports),
                "reconfigure": In(1).array(ports),
                "credit": In(CreditControlSignature(link.channels)).array(ports),
                "enable": In(ports),
                "drain": In(ports),
                "reset": In(ports),
                "inject": In(ports),
                "dead_output_timeout": In(TIMEOUT_BITS).array(ports),
                "revive": In(ports),
                "program": In(ProgramSignature(ports)),
                "map": In(MapSignature(ports)),
                "counter": In(CounterSignature(ports, len(config.counted))),
                "drop": Out(DropSignature()).array(ports),
                "broken": Out(BrokenSignature()).array(ports),
                "accepted": Out(ports),
                "delivered": Out(ports),
                "errored": Out(ports),
                "discarded": Out(ports),
                "parity": Out(ports),
                "dead": Out(switch.classes).array(ports),
                "idle": Out(ports),
                "ingress_occupancy": Out(range(switch.ingress_flits + 1)).array(ports),
                "egress_occupancy": Out(range(switch.egress_flits + 1)).array(ports),
                "drained": Out(1).array(ports),
                "stalled": Out(link.channels).array(ports),
                "sender_state": Out(SenderState).array(ports),
                "receiver_state": Out(ReceiverState).array(ports),
                "events": Out(LinkEventsSignature(link)).array(ports),
            }
        )

    def elaborate(self, platform):
        m = Module()
        config = self.config
        m.submodules.switch = switch = Switch(config.switch)
        connect(m, flipped(self.program), switch.program)
        for name in ("enable", "drain", "reset", "inject"):
            m.d.comb += getattr(switch, name).eq(getattr(self, name))
        for name in ("accepted", "delivered", "errored", "discarded", "parity"):
            m.d.comb += getattr(self, name).eq(getattr(switch, name))

        ready, counts, asked = [], [], Signal(range(config.switch.ports))
        for n in range(config.switch.ports):
            m.submodules[f"link_{n}"] = link = Link(config.link)
            m.submodules[f"isolator_{n}"] = isolator = Isolator(config.switch)
            m.submodules[f"output_watchdog_{n}"] = watchdog = OutputWatchdog(config.switch)
            self.join_pins(m, n, link)
            connect(m, flipped(self.credit[n]), link.credit)
            counters = EventCounters(list(config.counted.values()))
            m.submodules[f"counters_{n}"] = counters
            connect(m, link.events, flipped(self.events[n]))
            for place, event in enumerate(self.counted(n)):
                m.d.comb += counters.events[place].eq(event)
            m.d.comb += counters.address.eq(self.counter.event)
            counts.append(Mux(asked == n, counters.count, 0))
            connect(m, link.o, isolator.from_link)
            connect(m, isolator.to_switch, switch.i[n])
            connect(m, switch.o[n], isolator.from_switch)
            connect(m, isolator.to_link, link.i)
            connect(m, switch.drop[n], flipped(self.drop[n]))
            connect(m, switch.broken[n], flipped(self.broken[n]))
            m.d.comb += [
                link.enable.eq(self.link_enable[n]),
                link.policy.eq(self.policy[n]),
                link.reconfigure.eq(self.reconfigure[n]),
                isolator.reset.eq(self.reset[n]),
                isolator.flush.eq(watchdog.dead.all()),
                isolator.accepted.eq(switch.accepted[n]),
                isolator.dropped.eq(switch.drop[n].valid),
                link.accepted.eq(isolator.stored),
                link.dropped.eq(isolator.refused),
                link.released.valid.eq(switch.released[n].valid),
                watchdog.timeout.eq(self.dead_output_timeout[n]),
                watchdog.waiting.eq(switch.waiting[n]),
                watchdog.permit.eq(switch.permit[n]),
                watchdog.offered.eq(link.i.valid),
                watchdog.taken.eq(link.i.ready),
                watchdog.revive.eq(self.revive[n]),
                switch.flush[n].eq(watchdog.dead),
                self.dead[n].eq(watchdog.dead),
                self.idle[n].eq(switch.idle[n] & isolator.idle),
                self.ingress_occupancy[n].eq(switch.ingress_occupancy[n]),
                self.egress_occupancy[n].eq(switch.egress_occupancy[n]),
                self.drained[n].eq(link.drained),
                self.stalled[n].eq(link.stalled),
                self.sender_state[n].eq(link.sender_state),
                self.receiver_state[n].eq(link.receiver_state),
            ]
            class_bits = (config.switch.classes - 1).bit_length()
            header = data.View(HeaderLayout(), link.i.payload.data[: HeaderLayout().size])
            released, channel = switch.released[n], Signal.like(link.channel)
            if config.per_output:
                m.submodules[f"map_{n}"] = map_ = ChannelMap(config.switch)
                write = map_.write
                ready.append(write.ready)
                m.d.comb += [
                    write.valid.eq(self.map.valid & (self.map.link == n)),
                    write.address.eq(self.map.address),
                    write.port.eq(self.map.port),
                    map_.destination.eq(header.destination),
                    channel.eq(Cat(header.traffic_class[:class_bits], map_.port)),
                    link.released.channel.eq(
                        Cat(released.traffic_class[:class_bits], released.output)
                    ),
                ]
            else:
                m.d.comb += [
                    channel.eq(header.traffic_class[:class_bits]),
                    link.released.channel.eq(released.traffic_class[:class_bits]),
                ]
            # A class begins to leave only if there is room for it at all outputs: a packet that
            # waited for one would hold up those behind it.
            parts = range(config.link.channels // config.switch.classes)
            permits = [link.permit.word_select(p, config.switch.classes) for p in parts]
            m.d.comb += [
                link.channel.eq(Mux(link.i.valid, channel, 0)),
                switch.permit[n].eq(reduce(and_, permits)),
                link.waiting.eq(Cat(switch.waiting[n] for _ in parts)),
            ]
        m.d.sync += asked.eq(self.counter.link)
        m.d.comb += [
            self.counter.count.eq(reduce(or_, counts)),
            self.map.ready.eq(ready[0] if ready else 1),
        ]
        return m

    def join_pins(self, m: Module, n: int, link: Link) -> None:
        """What is between a link and the pins of its port."""
        lanes = self.config.lanes
        if not lanes:
            connect(m, flipped(self.from_pcs[n]), link.from_pcs)
            connect(m, link.to_pcs, flipped(self.to_pcs[n]))
            m.d.comb += link.pcs_up.eq(self.pcs_up[n])
            return
        m.submodules[f"pcs_{n}"] = pcs = MultilanePcs(lanes, self.config.link)
        m.submodules[f"lane_test_{n}"] = test = LaneTest(lanes)
        connect(m, pcs.o, link.from_pcs)
        connect(m, link.to_pcs, pcs.i)
        m.d.comb += [
            link.pcs_up.eq(pcs.up),
            pcs.enable.eq(self.link_enable[n]),
            test.pcs.tx.eq(pcs.tx),
            pcs.tx_ready.eq(test.pcs.tx_ready),
            pcs.rx.eq(test.pcs.rx),
            Cat(*pcs.rx_valid).eq(Cat(*test.pcs.rx_valid)),
            Cat(*pcs.signal_ok).eq(Cat(*test.pcs.signal_ok)),
            self.tx[n].eq(test.line.tx),
            test.line.tx_ready.eq(self.tx_ready[n]),
            test.line.rx.eq(self.rx[n]),
            Cat(*test.line.rx_valid).eq(Cat(*self.rx_valid[n])),
            Cat(*test.line.signal_ok).eq(Cat(*self.signal_ok[n])),
        ]
        for signature, mine, its in (
            (PcsStatusSignature(lanes), self.pcs[n], pcs),
            (LaneTestSignature(lanes).flip(), self.lane_test[n], test),
        ):
            pairs = zip(signature.flatten(mine), signature.flatten(its), strict=True)
            for (_, member, outside), (_, _, inside) in pairs:
                if member.flow == Out:
                    m.d.comb += outside.eq(inside)
                else:
                    m.d.comb += inside.eq(outside)

    def counted(self, n: int) -> list[ValueLike]:
        """What a port counts, in the order of ``ChipConfig.counted``."""
        found = [getattr(self.events[n], name) for name in COUNTED]
        if self.config.lanes:
            pcs = self.pcs[n]
            came = pcs.corrected_valid
            found += [getattr(pcs, name) for name in PCS_EVENTS]
            count = self.config.lanes.interleave
            found += [Mux(came, count, 0), Mux(came, pcs.bad, 0)]
            for lane in range(self.config.lanes.lanes):
                found += [getattr(pcs, name)[lane] for name in LANE_EVENTS]
            found.append(Mux(came, pcs.corrected, 0))
        return found
