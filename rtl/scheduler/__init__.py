"""Who sends to whom, slot by slot."""

from amaranth import Cat, Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from models.config import SINGLES, SwitchConfig
from rtl.backlog import TakenLayout
from rtl.scheduler.input import Input
from rtl.scheduler.islip import Islip
from rtl.scheduler.output import Output
from rtl.scheduler.transpose import Transpose
from rtl.scheduler.wavefront import Wavefront

__all__ = ["POLICIES", "Scheduler"]

POLICIES = {"islip": Islip, "wavefront": Wavefront}


class Scheduler(wiring.Component):
    """Match inputs and outputs; a claim takes one flit of a queue, or all that waits.

    ``iterations`` matchings are under way, two cycles each; index 0 of the stages is the youngest.
    See docs/microarchitecture.md, "Scheduling".

    Latency: 3 cycles from a queue of one flit that shows to ``match`` and ``select``,
    ``2 * iterations + 1`` for more; 2 cycles to ``claim``. Throughput: one matching per cycle.

    Members
    -------
    waits : In(queues).array(ports, SINGLES)
    many : In(queues).array(ports)
        Per input: :class:`rtl.backlog.Backlog`.
    taken : In(TakenLayout).array(ports)
        Per input: what the connection has that ``claim`` tells.
    complete, lost : In(ports)
        Per input: the packet that was still arriving has come in; a slot found no flit.
    accepts : In(classes).array(ports)
        Per output: the egress has room for a connection of the class.
    claim : Out(queues).array(ports, iterations)
        Per input: the queue that was claimed in the last cycle, one-hot, or zero. Registered.
    claim_queue : Out(range(queues)).array(ports, iterations)
        Per input: its number, or zero. Registered.
    connects : Out(ports)
        Per input: the claim of stage 0 is a connection. Registered.
    match : Out({valid, queue}).array(ports)
        Per input: the queue that is popped in this cycle. Registered.
    select : Out({valid, input, traffic_class}).array(ports)
        Per output: the input that it listens to, same slot as ``match``. Registered.
    active : Out(ports)
        Per output: it listens now, will in a slot under way, or has a connection.
    """

    def __init__(self, config: SwitchConfig):
        self.config = config
        self.inputs = [Input(config) for _ in range(config.ports)]
        self.outputs = [Output(config) for _ in range(config.ports)]
        ports, queues, stages = config.ports, config.queues, config.iterations
        super().__init__(
            {
                "waits": In(queues).array(ports, SINGLES),
                "many": In(queues).array(ports),
                "taken": In(TakenLayout(config)).array(ports),
                "complete": In(ports),
                "lost": In(ports),
                "accepts": In(config.classes).array(ports),
                "claim": Out(queues).array(ports, stages),
                "claim_queue": Out(range(queues)).array(ports, stages),
                "connects": Out(ports),
                "match": Out(self.inputs[0].queue_layout).array(ports),
                "select": Out(self.outputs[0].select_layout).array(ports),
                "active": Out(ports),
            }
        )

    def elaborate(self, platform):
        m = Module()
        inputs, outputs = self.inputs, self.outputs
        ports, classes = self.config.ports, self.config.classes
        m.submodules.matching = matching = POLICIES[self.config.scheduler](self.config)
        m.d.comb += matching.barred.eq(self.connects)

        def transpose(name, rows):
            """Columns of the square matrix that has ``rows``."""
            m.submodules[name] = matrix = Transpose(ports, ports)
            m.d.comb += [i.eq(row) for i, row in zip(matrix.i, rows, strict=True)]
            return matrix.o

        keeps, books, holds = (
            Cat(getattr(port, name) for port in inputs) for name in ("keeps", "books", "holds")
        )
        for n, (port, output) in enumerate(zip(inputs, outputs, strict=True)):
            m.submodules[f"input_{n}"], m.submodules[f"output_{n}"] = port, output
            m.d.comb += [
                port.many.eq(self.many[n]),
                port.taken.eq(self.taken[n]),
                port.complete.eq(self.complete[n]),
                port.lost.eq(self.lost[n]),
                self.connects[n].eq(port.connects),
                self.match[n].eq(port.match),
                output.keeps.eq(keeps),
                output.holds.eq(holds),
                output.books.eq(books),
                self.select[n].eq(output.select),
                self.active[n].eq(output.active),
            ]

        free = [
            Cat(output.free[k] for output in outputs) for k in range(self.config.iterations - 1)
        ]
        for n, port in enumerate(inputs):
            m.d.comb += [port.waits[j].eq(self.waits[n][j]) for j in range(SINGLES)]
            m.d.comb += [port.free[k].eq(slots) for k, slots in enumerate(free)]
        for c in range(classes):
            several = transpose(f"many_{c}", [many[c::classes] for many in self.many])
            for n, output in enumerate(outputs):
                m.d.comb += [
                    output.many[c].eq(several[n]),
                    output.grant[c].eq(matching.grant[n][0][c]),
                    matching.many[n][c].eq(several[n]),
                ]
        for k in range(self.config.iterations):
            claims = transpose(f"claims_{k}", [port.accept[k] for port in inputs])
            for n, (port, output) in enumerate(zip(inputs, outputs, strict=True)):
                m.d.comb += [
                    self.claim[n][k].eq(port.claim[k]),
                    self.claim_queue[n][k].eq(port.claim_queue[k]),
                    output.claim[k].eq(claims[n]),
                    matching.chosen[n][k].eq(output.chosen[k]),
                    matching.claim[n][k].eq(claims[n]),
                ]
            for c in range(classes):
                shown = transpose(f"shown_{k}_{c}", [port.show[k][c] for port in inputs])
                grants = transpose(f"grants_{k}_{c}", [grant[k][c] for grant in matching.grant])
                for n, (port, output) in enumerate(zip(inputs, outputs, strict=True)):
                    wanted = shown[n] & self.accepts[n][c].replicate(ports)
                    m.d.comb += [
                        port.grant[k][c].eq(grants[n]),
                        output.show[k][c].eq(wanted),
                        matching.request[n][k][c].eq(wanted),
                    ]
        return m
