"""A switch with a self-test at all of its ports: what goes onto a board."""

from amaranth import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect

from models.config import SwitchConfig
from models.packet import Wrong
from rtl.selftest import SelfTest
from rtl.switch import Switch

__all__ = ["TestedSwitch"]


class TestedSwitch(wiring.Component):
    """:class:`rtl.switch.Switch` and :class:`rtl.selftest.SelfTest`, wires only.

    Parameters
    ----------
    config : SwitchConfig
        The configuration.
    shaped, pauses : bool
        As in :class:`rtl.selftest.SelfTest`.

    Members
    -------
    enable, clear : In(1)
        As in :class:`rtl.selftest.SelfTest`.
    inject : In(1)
        Flip a bit of each flit that the switch stores: the test must notice.
    sent, received : Out(32).array(ports)
        Packets into and out of the switch.
    port_linked, linked, error, reason, port
        As in :class:`rtl.selftest.SelfTest`.
    """

    __test__ = False  # for pytest, which takes the name for one of its own

    def __init__(self, config: SwitchConfig, *, shaped: bool = True, pauses: bool = False):
        self.config, self.shaped, self.pauses = config, shaped, pauses
        super().__init__(
            {
                "enable": In(1),
                "clear": In(1),
                "inject": In(1),
                "sent": Out(32).array(config.ports),
                "received": Out(32).array(config.ports),
                "port_linked": Out(config.ports),
                "linked": Out(1),
                "error": Out(1),
                "reason": Out(range(len(Wrong))),
                "port": Out(range(config.ports)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        config = self.config
        m.submodules.switch = switch = Switch(config)
        m.submodules.selftest = selftest = SelfTest(config, shaped=self.shaped, pauses=self.pauses)
        m.d.comb += [
            switch.enable.eq(~0),
            switch.inject.eq(self.inject.replicate(config.ports)),
            selftest.enable.eq(self.enable),
            selftest.clear.eq(self.clear),
        ]
        for name in ("port_linked", "linked", "error", "reason", "port"):
            m.d.comb += getattr(self, name).eq(getattr(selftest, name))
        for n in range(config.ports):
            connect(m, selftest.o[n], switch.i[n])
            connect(m, switch.o[n], selftest.i[n])
            m.d.comb += [
                self.sent[n].eq(selftest.sent[n]),
                self.received[n].eq(selftest.received[n]),
            ]
        return m
