"""What rtl.serdes.training must do with all inputs, at any time."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.hdl import Assert
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from models.serdes.config import BAD_CODEWORDS, LanesConfig
from rtl.serdes.training import Training, TrainingState

__all__ = ["TrainingProof"]


class TrainingProof(wiring.Component):
    """Ready only with all that it takes, and soon if it is there; a search never goes on for ever.

    Members are the inputs of :class:`Training`; they are free variables.

    Parameters
    ----------
    config : LanesConfig
        As for the component; with a code.
    """

    def __init__(self, config: LanesConfig):
        self.dut = Training(config)
        self.config = config
        inputs = {name: m for name, m in self.dut.signature.members.items() if m.flow is In}
        super().__init__(inputs)

    def elaborate(self, platform):
        m = Module()
        m.submodules.dut = dut = self.dut
        for name in self.signature.members:
            port, mine = getattr(dut, name), getattr(self, name)
            lanes = isinstance(mine, tuple | list)
            pairs = zip(port, mine, strict=True) if lanes else [(port, mine)]
            m.d.comb += [a.eq(b) for a, b in pairs]

        there, good, bad = Signal(), Signal(), Signal()
        m.d.comb += [
            there.eq(
                self.enable & Cat(*self.signal_ok).all() & Cat(*self.locked).all() & self.aligned
            ),
            good.eq(self.aligned & self.codeword & ~self.bad),
            bad.eq(self.aligned & self.codeword & self.bad),
        ]
        # A good codeword has come since lanes were aligned and receivers began.
        proven, was_there, searched, enabled = Signal(), Signal(), Signal(), Signal()
        begins = Signal()  # a search, in this cycle
        m.d.comb += begins.eq(dut.again)
        m.d.sync += [
            proven.eq((good | (proven & self.aligned)) & ~begins),
            was_there.eq(there),
            searched.eq(begins),
            enabled.eq(self.enable),
        ]
        m.d.comb += [
            Assert(proven == dut.proven),
            Assert(~dut.ready | (was_there & proven & ~searched)),
            Assert(dut.search == searched),
            Assert(dut.state.as_value() <= TrainingState.READY.value),
        ]
        # It is ready a cycle later if all is there, and has been in the cycle before.
        due = Signal()
        m.d.sync += due.eq(there & (proven | good) & ~dut.search & ~begins)
        m.d.comb += Assert(dut.ready == due)
        # Searches last no longer than they may.
        waited = Signal(range(self.config.search_cycles + 1))
        in_search = (dut.state == TrainingState.LOCK) | (dut.state == TrainingState.ALIGN)
        m.d.sync += waited.eq(Mux(dut.searches & ~begins, waited + 1, 0))
        m.d.comb += [
            Assert(waited < self.config.search_cycles),
            Assert(waited + dut.left == self.config.search_cycles - 1),
            Assert(~in_search | enabled),
        ]
        # Bad codewords in a row.
        row = Signal(range(BAD_CODEWORDS))
        with m.If(~self.aligned | good | begins):
            m.d.sync += row.eq(0)
        with m.Elif(bad & (row != BAD_CODEWORDS - 1)):
            m.d.sync += row.eq(row + 1)
        m.d.comb += Assert(row == dut.run)
        return m
