"""The switch with flat ports, named as designers of AXI4-Stream systems expect them."""

from amaranth import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from models.config import SwitchConfig
from models.packet import Broken, Drop
from rtl.counters import Counters
from rtl.switch import Switch

__all__ = ["AxisSwitch"]


class AxisSwitch(wiring.Component):
    """:class:`rtl.switch.Switch` and counters: its latency, throughput and backpressure.

    Parameters
    ----------
    config : SwitchConfig
        The configuration.

    Members
    -------
    s<n>_axis_tdata, _tkeep, _tvalid, _tready, _tlast, _tuser
        Packets into port ``n``. ``tuser`` has 2 bits: bit 0 error, bit 1 unused.
    m<n>_axis_tdata, _tkeep, _tvalid, _tready, _tlast, _tuser
        Packets out of port ``n``. ``tuser`` bit 0: error, bit 1: congestion mark.
    s<n>_released_valid, _output, _traffic_class : Out
        Room for a flit that the sender at port ``n`` may use again.
    s<n>_drop_valid, _reason, _header : Out
        A packet from port ``n`` was not accepted, and why (``models.packet.Drop``).
    s<n>_occupancy, m<n>_occupancy : Out
        Flits stored in the ingress, and in the queues of the egress.
    s<n>_accepted, s<n>_dropped_<reason>, s<n>_errored_<reason> : Out(32)
        Packets of the ingress, by reason of ``models.packet.Drop`` and ``Broken``.
    m<n>_delivered, m<n>_errored, m<n>_discarded, m<n>_parity : Out(32)
        Packets of the egress.
    enable, drain, port_reset, inject : In(ports)
        One bit per port, see :class:`rtl.switch.Switch`; ``port_reset`` is its ``reset``.
    program_valid, program_partition, program_address, program_mask : In
        Replace an entry of the forwarding or partition table; keep them until ``program_ready``.
    program_ready : Out
        The entry is taken in this cycle. Low while the tables are swept after reset.
    idle : Out(ports)
        The port holds no packet.
    """

    def __init__(self, config: SwitchConfig):
        self.config = config
        ports, stream = config.ports, {"tdata": 8 * config.flit_bytes, "tkeep": config.flit_bytes}
        stream |= {"tvalid": 1, "tlast": 1, "tuser": 2}
        members = dict.fromkeys(("enable", "drain", "port_reset", "inject"), In(ports))
        members |= {"program_valid": In(1), "program_ready": Out(1), "program_partition": In(1)}
        members |= {"program_address": In(16), "program_mask": In(ports), "idle": Out(ports)}
        released = {
            "valid": 1,
            "output": range(ports),
            "traffic_class": range(config.classes),
        }
        for n in range(ports):
            members |= {f"s{n}_axis_{name}": In(shape) for name, shape in stream.items()}
            members |= {f"m{n}_axis_{name}": Out(shape) for name, shape in stream.items()}
            members |= {f"s{n}_axis_tready": Out(1), f"m{n}_axis_tready": In(1)}
            members |= {f"s{n}_released_{name}": Out(shape) for name, shape in released.items()}
            members |= {
                f"s{n}_drop_valid": Out(1),
                f"s{n}_drop_reason": Out(range(len(Drop))),
                f"s{n}_drop_header": Out(64),
                f"s{n}_occupancy": Out(range(config.ingress_flits + 1)),
                f"m{n}_occupancy": Out(range(config.egress_flits + 1)),
                f"s{n}_accepted": Out(32),
            }
            members |= {f"s{n}_dropped_{reason.name.lower()}": Out(32) for reason in Drop}
            members |= {f"s{n}_errored_{reason.name.lower()}": Out(32) for reason in Broken}
            for name in ("delivered", "errored", "discarded", "parity"):
                members[f"m{n}_{name}"] = Out(32)
        super().__init__(members)

    def elaborate(self, platform):
        m = Module()
        m.submodules.switch = switch = Switch(self.config)
        m.d.comb += [
            switch.enable.eq(self.enable),
            switch.drain.eq(self.drain),
            switch.reset.eq(self.port_reset),
            switch.inject.eq(self.inject),
            switch.program.valid.eq(self.program_valid),
            switch.program.partition.eq(self.program_partition),
            switch.program.address.eq(self.program_address),
            switch.program.mask.eq(self.program_mask),
            self.program_ready.eq(switch.program.ready),
            self.idle.eq(switch.idle),
        ]
        for n in range(self.config.ports):
            m.submodules[f"counters_{n}"] = counters = Counters()
            counts = counters.counts
            m.d.comb += [
                counters.accepted.eq(switch.accepted[n]),
                counters.drop.valid.eq(switch.drop[n].valid),
                counters.drop.reason.eq(switch.drop[n].reason),
                counters.broken.valid.eq(switch.broken[n].valid),
                counters.broken.reason.eq(switch.broken[n].reason),
                counters.delivered.eq(switch.delivered[n]),
                counters.errored.eq(switch.errored[n]),
                counters.discarded.eq(switch.discarded[n]),
                counters.parity.eq(switch.parity[n]),
                counters.clear.eq(self.port_reset[n]),
            ]
            of_input = {
                "axis_tready": switch.i[n].ready,
                "released_valid": switch.released[n].valid,
                "released_output": switch.released[n].output,
                "released_traffic_class": switch.released[n].traffic_class,
                "drop_valid": switch.drop[n].valid,
                "drop_reason": switch.drop[n].reason,
                "drop_header": switch.drop[n].header,
                "occupancy": switch.ingress_occupancy[n],
                "accepted": counts.accepted,
            }
            of_input |= {
                f"dropped_{reason.name.lower()}": counts.dropped[reason] for reason in Drop
            }
            of_input |= {
                f"errored_{reason.name.lower()}": counts.broken[reason] for reason in Broken
            }
            of_output = {
                "axis_tvalid": switch.o[n].valid,
                "occupancy": switch.egress_occupancy[n],
                "delivered": counts.delivered,
                "errored": counts.errored,
                "discarded": counts.discarded,
                "parity": counts.parity,
            }
            for name in ("data", "keep", "last", "user"):
                of_output[f"axis_t{name}"] = switch.o[n].payload[name]
                m.d.comb += switch.i[n].payload[name].eq(getattr(self, f"s{n}_axis_t{name}"))
            m.d.comb += [
                switch.i[n].valid.eq(getattr(self, f"s{n}_axis_tvalid")),
                switch.o[n].ready.eq(getattr(self, f"m{n}_axis_tready")),
            ]
            for name, value in of_input.items():
                m.d.comb += getattr(self, f"s{n}_{name}").eq(value)
            for name, value in of_output.items():
                m.d.comb += getattr(self, f"m{n}_{name}").eq(value)
        return m
