"""How a port of several lanes comes up, stays up, and comes up again."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import enum, wiring
from amaranth.lib.wiring import In, Out

from models.serdes.config import BAD_CODEWORDS, LanesConfig

__all__ = ["Training", "TrainingState"]


class TrainingState(enum.Enum, shape=3):
    """How far a port is; each needs all that those before it need."""

    OFF = 0
    SIGNAL = 1  # waits for a signal on all lanes
    LOCK = 2  # waits for locks on all lanes
    ALIGN = 3  # waits for lanes that are aligned, and for a good codeword
    READY = 4


class Training(wiring.Component):
    """Tell when a port is ready, and have its receivers begin again when that is of use.

    A port goes up and down through its states as its lanes do, so nothing has to be undone. With a
    code it is ready with the first good codeword behind an alignment. Receivers begin again with
    three bad codewords in a row, and after ``search_cycles`` in which all lanes had a signal and no
    more came of it; so whatever a search has ended in, the next begins from nothing. Codewords that
    take turns on the line count as one, which is bad if any of them is.
    Latency: 1 cycle.
    Source: IEEE 802.3-2018, figure 119-13, for three in a row; of two that take turns it wants
    three of the same.

    Parameters
    ----------
    config : LanesConfig
        Lanes, and whether there is a code.

    Members
    -------
    enable : In(1)
        The port is to be up.
    signal_ok, locked : In(1).array(lanes)
        Of each lane: it has a signal, a lock.
    aligned : In(1)
        Lanes are aligned. What codewords are means nothing without.
    codeword, bad : In(1)
        Event: a codeword leaves the decoder; it had too many errors.
    state : Out(TrainingState)
        How far the port is.
    ready : Out(1)
        It is ready: words that come are meant.
    search : Out(1)
        Event: receivers begin again.
    lost : Out(1)
        Event: it was ready, and is not, though it is to be.
    expired : Out(1)
        Event: a search took too long.
    condemned : Out(1)
        Event: three codewords in a row were bad.
    """

    def __init__(self, config: LanesConfig):
        self.config = config
        # Named for the proof: bad codewords in a row, and whether a good one has come; cycles that
        # a search may still take, whether there is one, and whether the next begins.
        self.run, self.proven = Signal(range(BAD_CODEWORDS)), Signal()
        self.left = Signal(range(config.search_cycles), init=config.search_cycles - 1)
        self.searches, self.again = Signal(), Signal()
        super().__init__(
            {
                "enable": In(1),
                "signal_ok": In(1).array(config.lanes),
                "locked": In(1).array(config.lanes),
                "aligned": In(1),
                "codeword": In(1),
                "bad": In(1),
                "state": Out(TrainingState),
                "ready": Out(1),
                "search": Out(1),
                "lost": Out(1),
                "expired": Out(1),
                "condemned": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        config, run, proven, left = self.config, self.run, self.proven, self.left
        searches, again = self.searches, self.again
        good, bad, condemned, expired = Signal(), Signal(), Signal(), Signal()
        signal, locked = Cat(*self.signal_ok).all(), Cat(*self.locked).all() & ~self.search
        reached = Signal(TrainingState)
        m.d.comb += [
            good.eq(self.aligned & self.codeword & ~self.bad),
            bad.eq(self.aligned & self.codeword & self.bad),
        ]
        proves = (proven & self.aligned) | good if config.fec != "none" else self.aligned
        with m.If(~self.enable):
            m.d.comb += reached.eq(TrainingState.OFF)
        with m.Elif(~signal):
            m.d.comb += reached.eq(TrainingState.SIGNAL)
        with m.Elif(~locked):
            m.d.comb += reached.eq(TrainingState.LOCK)
        with m.Elif(proves):
            m.d.comb += reached.eq(TrainingState.READY)
        with m.Else():
            m.d.comb += reached.eq(TrainingState.ALIGN)

        m.d.comb += [
            searches.eq((reached == TrainingState.LOCK) | (reached == TrainingState.ALIGN)),
            condemned.eq(self.enable & signal & bad & (run == BAD_CODEWORDS - 1)),
            expired.eq(searches & (left == 0)),
            again.eq(condemned | expired),
        ]
        m.d.sync += [
            self.search.eq(again),
            self.condemned.eq(condemned),
            self.expired.eq(expired),
            self.state.eq(Mux(again, TrainingState.LOCK, reached)),
            self.lost.eq(self.ready & self.enable & (again | (reached != TrainingState.READY))),
            left.eq(Mux(searches & ~again, left - 1, config.search_cycles - 1)),
            proven.eq(((proven & self.aligned) | good) & ~again),
        ]
        with m.If(~self.aligned | good | again):
            m.d.sync += run.eq(0)
        with m.Elif(bad & (run != BAD_CODEWORDS - 1)):
            m.d.sync += run.eq(run + 1)
        m.d.comb += self.ready.eq(self.state == TrainingState.READY)
        return m
