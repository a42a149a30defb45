"""Two chips as one component, each with a crossing at each port, and all clocks of their own."""

from typing import Any

from amaranth import Cat, Module, Value
from amaranth.hdl import DomainRenamer
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from models.chip_config import ChipConfig
from rtl.chip import Chip
from rtl.serdes.lane_crossing import LaneCrossing

__all__ = ["ChipPair"]

LINES = ("tx_ready", "rx", "rx_valid", "signal_ok")


class ChipPair(wiring.Component):
    """Two chips that nothing joins; their lines are pins.

    The domain of chip 0 is ``core_0``. Its port 1 sends in ``tx_0_1``, and hears its lane 0 in
    ``rx_0_1_0``. Others are called alike.

    Members
    -------
    i : In(width).array(2)
        All inputs of a chip (core), as :mod:`verif.lockstep` lays them out; those of its lines mean
        nothing.
    o : Out(width).array(2)
        All outputs of a chip, likewise.
    told : Out(StructLayout).array(2)
        Core, of the crossings: an event that is never to be (``wrong``); of each port, a word is
        taken for the lines (``taken``); of each port and lane, one has come (``came``).
    line_tx, line_rx : Out, In(ArrayLayout(lane_bits, lanes)).array(2, ports)
    line_ok : In(1).array(2, ports, lanes)
        As of :class:`rtl.serdes.lane_crossing.LaneCrossing`.
    """

    def __init__(self, config: ChipConfig):
        lanes: Any = config.lanes
        ports = config.switch.ports
        self.config, self.lanes = config, lanes
        self.chips = [Chip(config), Chip(config)]
        line = data.ArrayLayout(lanes.lane_bits, lanes.lanes)
        told = data.StructLayout({"wrong": 1, "taken": ports, "came": ports * lanes.lanes})
        super().__init__(
            {
                "i": In(sum(map(len, self.of(0, In)))).array(2),
                "o": Out(sum(map(len, self.of(0, Out)))).array(2),
                "told": Out(told).array(2),
                "line_tx": Out(line).array(2, ports),
                "line_rx": In(line).array(2, ports),
                "line_ok": In(1).array(2, ports, lanes.lanes),
            }
        )

    def of(self, n: int, flow: wiring.Flow) -> list[Value]:
        """Inputs or outputs of a chip, in the order of the vector."""
        chip = self.chips[n]
        return [
            Value.cast(value)
            for _, member, value in chip.signature.flatten(chip)
            if member.flow is flow
        ]

    def elaborate(self, platform):
        m = Module()
        for n, chip in enumerate(self.chips):
            self.join(m, n, chip)
        return m

    def join(self, m: Module, n: int, chip: Any) -> None:
        """A chip, and the crossings at its ports."""
        pair: Any = self  # members are made at run time
        m.submodules[f"chip_{n}"] = DomainRenamer(f"core_{n}")(chip)
        m.d.comb += pair.o[n].eq(Cat(self.of(n, Out)))
        offset = 0
        for path, member, value in chip.signature.flatten(chip):
            if member.flow is In:
                width = len(Value.cast(value))
                if path[0] not in LINES:
                    m.d.comb += Value.cast(value).eq(pair.i[n][offset : offset + width])
                offset += width
        never, came = [], []
        for port in range(self.config.switch.ports):
            crossing: Any = LaneCrossing(self.lanes)
            names = {"sync": f"core_{n}", "tx": f"tx_{n}_{port}"}
            for lane in range(self.lanes.lanes):
                names[f"rx_{lane}"] = f"rx_{n}_{port}_{lane}"
            m.submodules[f"crossing_{n}_{port}"] = DomainRenamer(names)(crossing)
            m.d.comb += [
                crossing.tx.eq(chip.tx[port]),
                chip.tx_ready[port].eq(crossing.tx_ready),
                chip.rx[port].eq(crossing.rx),
                Cat(*chip.rx_valid[port]).eq(Cat(*crossing.rx_valid)),
                Cat(*chip.signal_ok[port]).eq(Cat(*crossing.signal_ok)),
                pair.line_tx[n][port].eq(crossing.line_tx),
                crossing.line_rx.eq(pair.line_rx[n][port]),
                Cat(*crossing.line_ok).eq(Cat(*pair.line_ok[n][port])),
                pair.told[n].taken[port].eq(crossing.tx_ready),
            ]
            never += [crossing.underflow, *crossing.overflow]
            came += crossing.rx_valid
        m.d.comb += [pair.told[n].came.eq(Cat(*came)), pair.told[n].wrong.eq(Cat(*never).any())]
