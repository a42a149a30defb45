"""One run of traffic through the switch: what is sent, and what came of it."""

from dataclasses import KW_ONLY, asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.config import SwitchConfig
from models.exchange import Exchange
from models.ideal import Ideal, flit_delay, ideal
from models.rig import Rig
from models.traffic import Packets, generate, line_of, packets

__all__ = ["Run", "Trial", "measure"]

ALONE = 1 << 14  # cycles that it runs in one call, where there is no RTL
SOLITARY = 64  # cycles between two packets that have the switch for themselves


@dataclass(frozen=True)
class Trial:
    """What is to be run.

    Parameters
    ----------
    config : SwitchConfig
        The switch.
    cycles : int
        Packets are generated in so many, less those that a reset takes; below full load, what is
        inside is given time to come out.
    speedup : float or None
        Lines take 1 / ``speedup`` flits per cycle, whatever the configuration says; 1 is unshaped.
    pattern : str
        As in ``models.traffic.generate``; or ``solitary``, one packet from every input to every
        output, alone in the switch; or ``flow``, everything from port 0 to port 1.
    load, mix, burst, class_shares, seed
        As in ``models.traffic.generate``.
    policy : str or None
        Not None: a scheduler of ``models.policy`` in cell mode, see ``sim.cell_run``, and of the
        configuration only ``ports``, ``iterations`` and ``speedup`` count; that is 1 if None.
    outstanding : int or None
        Not None: requests and responses, see ``models.exchange``; each port keeps so many requests
        unanswered, and ``load`` means nothing.
    service, response
        As in ``models.exchange.Exchange``, where ``mix`` is that of the requests.
    shares : bool
        Senders keep within their share of each queue (``config.limit``) and meanwhile send what is
        for another; else they send in order, and wait when the switch has no room.
    """

    config: SwitchConfig
    _: KW_ONLY
    cycles: int = 20_000
    speedup: float | None = None
    pattern: str = "uniform"
    load: float = 1.0
    mix: str | int = "single"
    burst: float | None = None
    class_shares: tuple[float, ...] = (1.0,)
    seed: int = 1
    policy: str | None = None
    outstanding: int | None = None
    service: int = 0
    response: str | int = "single"
    shares: bool = False

    def dump(self) -> dict[str, Any]:
        """Plain data, for ``parse``."""
        return asdict(self)

    @classmethod
    def parse(cls, values: dict[str, Any]) -> "Trial":
        """Inverse of ``dump``, through JSON too."""
        config = SwitchConfig(**values["config"])
        return cls(**values | {"config": config, "class_shares": tuple(values["class_shares"])})

    @property
    def line_config(self) -> SwitchConfig:
        """The configuration with the line of this trial."""
        return self.config if self.speedup is None else self.config.with_(speedup=self.speedup)

    @property
    def rate(self) -> float:
        """Flits that a line moves per cycle."""
        if self.policy:
            return 1 / (self.line_config.speedup or 1)
        return self.line_config.line_flits_per_cycle

    @property
    def drain(self) -> int:
        """Cycles that what is inside has to come out, after the last was generated."""
        if self.outstanding is not None:  # all of it may be waiting for one line
            flits = 2 * self.config.max_packet_flits * self.outstanding * self.config.ports
            return self.service + 2 * round(flits / self.rate) + 2000
        full = self.load == 1.0 and self.pattern != "solitary"
        return 0 if full else self.cycles // 20 + 2000

    def exchange(self) -> Exchange | None:
        """What generates the packets on the way; None if ``arrivals`` are known before."""
        if self.outstanding is None:
            return None
        return Exchange(
            self.line_config,
            outstanding=self.outstanding,
            service=self.service,
            cycles=self.cycles,
            pattern=self.pattern,
            mix=self.mix,
            response=self.response,
            burst=self.burst,
            class_shares=self.class_shares,
            seed=self.seed,
        )

    def arrivals(self) -> Packets:
        """The packets that are sent, whatever the switch does."""
        ports = self.config.ports
        if self.pattern == "solitary":
            pair = np.arange(ports**2)
            source, destination = pair // ports, pair % ports
            cycle = self.config.queues + pair * SOLITARY  # its counts are swept first
        elif self.pattern == "flow":
            source, destination, cycle = 0, 1, np.zeros(self.cycles, np.int64)
        else:
            # A queue of each input per cycle is swept after reset, and until then nothing is taken:
            # what gathers would last long at a high load.
            start = min(self.config.queues + 1, self.cycles // 2)
            table = generate(
                self.line_config,
                cycles=self.cycles - start,
                load=self.load,
                pattern=self.pattern,
                mix=self.mix,
                burst=self.burst,
                class_shares=self.class_shares,
                seed=self.seed,
            )
            table.rows["cycle"] += start
            return table
        flits = {"single": 1, "eight": 8}[str(self.mix)]
        return packets(
            self.config,
            cycle=cycle,
            source=source,
            destination=destination,
            traffic_class=0,
            length=flits * self.config.flit_bytes,
        )


class Run:
    """A trial under way in the model.

    Attributes
    ----------
    packets : Packets
        What is sent; of an exchange, when it has ended, what was sent.
    latency : int
        Cycles through an idle switch.
    """

    def __init__(self, trial: Trial, trace: int = 0):
        self.trial = trial
        self.latency = trial.config.latency
        self.exchange = trial.exchange()
        self.packets = self.exchange.packets if self.exchange else trial.arrivals()
        self.line = line_of(trial.line_config)
        self.chunk = trace or ALONE
        limit = trial.config.limit if trial.shares else 0
        self.rig = Rig(
            trial.config,
            self.packets,
            exchange=self.exchange,
            line=self.line,
            limit=limit,
            payload=trace > 0,
            trace=trace,
        )
        self.limit = trial.cycles + trial.drain

    @cached_property
    def best(self) -> Ideal:
        """What the ideal switch makes of the same arrivals."""
        return ideal(self.trial.config, self.packets, line=self.line)

    @property
    def done(self) -> bool:
        """The time is over, or all is delivered."""
        cycle = self.rig.cycle
        if cycle < self.trial.cycles:
            return False
        exchange, sent = self.exchange, self.packets.cycle.size
        return cycle >= self.limit or (exchange.done if exchange else self.rig.delivered == sent)

    def advance(self) -> int:
        """Run for up to a chunk; return how many cycles."""
        ran = self.rig.run(min(self.chunk, self.limit - self.rig.cycle))
        if self.exchange and self.done:
            self.packets = self.exchange.sent()
        return ran

    @property
    def cycle(self) -> int:
        """The next cycle."""
        return self.rig.cycle

    @property
    def delivered(self) -> int:
        """Packets delivered so far."""
        return self.rig.delivered

    def delays(self) -> NDArray[np.float64]:
        """Mean delay of the flits of each packet beyond the zero-load latency, in flit times of the
        line; without meaning where it is not delivered.
        """
        config, table = self.trial.config, self.packets
        cycles = flit_delay(config, table, table.departed, table.completed, line=self.line)
        return (cycles - self.latency) * self.trial.rate

    def ideal_delays(self) -> NDArray[np.float64]:
        """The same in the ideal switch, which has no latency."""
        config, best = self.trial.config, self.best
        cycles = flit_delay(config, self.packets, best.departed, best.completed, line=self.line)
        return cycles * self.trial.rate

    def faults(self) -> dict[str, int]:
        """Packets that did not come out as they should, by what became of them; to be called at the
        end.
        """
        totals = self.rig.sinks.totals()
        drained = self.delivered == self.packets.cycle.size
        wrong = {name: totals[name] for name in ("errored", "corrupted", "reordered", "duplicated")}
        wrong |= {"lost": self.rig.sinks.lost(drained=drained)}
        return wrong | dict(
            zip(("dropped", "broken", "parity"), self.rig.events.tolist(), strict=True)
        )

    def result(self) -> dict[str, Any]:
        """What came of it; delays in flit times of the line, rates as parts of the line rate.

        - ``delay``, ``ideal``: mean delay of a flit, here beyond the zero-load latency, and in the
          ideal switch; ``excess`` and ``ratio`` compare them
        - ``carried``, ``ideal_carried``: flits out, of what all lines can carry
        - ``latency``: least and most cycles from head in to head out
        - ``offered``, ``delivered``: packets; ``cycles``: that were run

        The first tenth of the cycles is left out of delays and rates. A delay means nothing if the
        switch does not keep up: it grows with the length of the run.
        """
        trial, table = self.trial, self.packets
        config, rate = trial.config, trial.rate
        warmup = trial.cycles // 10
        seen = (table.completed >= 0) & (table.cycle >= warmup)
        latency = (table.departed - table.injected)[table.completed >= 0]
        found: dict[str, Any] = {
            "offered": table.cycle.size,
            "delivered": self.delivered,
            "cycles": self.cycle,
            "latency": [int(latency.min()), int(latency.max())] if latency.size else [],
        }
        if seen.any():
            for name, delays in (("delay", self.delays()), ("ideal", self.ideal_delays())):
                found[name] = float(np.average(delays[seen], weights=table.flits[seen]))
            found["excess"] = found["delay"] - found["ideal"]
            found["ratio"] = found["delay"] / max(found["ideal"], 1e-9)
        time = (trial.cycles - warmup) * config.ports * rate
        for name, completed in (
            ("carried", table.completed),
            ("ideal_carried", self.best.completed),
        ):
            window = (completed >= warmup) & (completed < trial.cycles)
            found[name] = float(table.flits[window].sum() / time)
        return found


def measure(trial: Trial) -> dict[str, Any]:
    """Run ``trial`` in the model alone; what came of it, as ``Run.result`` says."""
    run = Run(trial)
    while not run.done:
        run.advance()
    return run.result()
