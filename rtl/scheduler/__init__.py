"""Who sends to whom, slot by slot."""

from amaranth import Cat, Const, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from models.config import SwitchConfig
from rtl.packet import length_shape
from rtl.scheduler.input import Input
from rtl.scheduler.islip import Islip
from rtl.scheduler.output import Output
from rtl.scheduler.transpose import Transpose
from rtl.scheduler.wavefront import Wavefront
from rtl.vector import Vector

__all__ = ["POLICIES", "Scheduler"]

POLICIES = {"islip": Islip, "wavefront": Wavefront}


class Scheduler(wiring.Component):
    """Match inputs and outputs, packet by packet.

    ``iterations`` matchings are under way, one pipeline stage each; index 0 of the stages is the
    youngest. Every queue shows in the earliest slots in which its input and output are free; a
    claimed packet holds both for as many slots in a row as it has flits. See
    docs/microarchitecture.md, "Slots and matchings".

    Latency: 1 cycle from a queue that shows to ``match`` and ``select``; 0 cycles to ``claim`` and
    ``reserve``. Throughput: one matching per cycle.

    Members
    -------
    singles : In(queues).array(ports, iterations)
        Bit ``q`` of element ``[n][j]``: queue ``q`` of input ``n`` shows more than ``j`` packets of
        one flit.
    longs, partial : In(queues).array(ports)
        The head of the queue is a packet of several flits; it is still arriving. A queue with
        ``long`` shows no singles. In the cycle after its claim it shows nothing.
    length : In(Vector(length_shape, queues)).array(ports)
        Flits of the packet at the head; 1 if singles show.
    complete : In({valid, flits}).array(ports)
        The last flit of the packet that was arriving is in; its queue holds so many flits, those
        to be popped in this cycle included.
    room : In(range(egress_depth + 1)).array(ports, classes)
        Flits that the egress can take.
    claim : Out({valid, queue}).array(ports, iterations)
        Per input: the queue loses its head packet.
    reserve : Out({valid, traffic_class, length}).array(ports, iterations)
        Per output: the egress keeps room for so many flits.
    match : Out({valid, queue}).array(ports)
        Per input: the queue that is popped in this cycle. Registered.
    select : Out({valid, input, traffic_class, first}).array(ports)
        Per output: the input that it listens to, same slot as ``match``. Registered.
    """

    def __init__(self, config: SwitchConfig):
        self.config = config
        self.inputs = [Input(config) for _ in range(config.ports)]
        self.outputs = [Output(config) for _ in range(config.ports)]
        ports, queues, stages = config.ports, config.queues, config.iterations
        of_input = self.inputs[0].signature.members
        of_output = self.outputs[0].signature.members
        super().__init__(
            {
                "singles": In(queues).array(ports, stages),
                "longs": In(queues).array(ports),
                "partial": In(queues).array(ports),
                "length": In(Vector(length_shape(config), queues)).array(ports),
                "complete": In(of_input["complete"].shape).array(ports),
                "room": In(range(config.egress_depth + 1)).array(ports, config.classes),
                "claim": Out(of_input["claim"].shape).array(ports, stages),
                "reserve": Out(of_output["reserve"].shape).array(ports, stages),
                "match": Out(of_input["match"].shape).array(ports),
                "select": Out(of_output["select"].shape).array(ports),
            }
        )

    def elaborate(self, platform):
        m = Module()
        inputs, outputs = self.inputs, self.outputs
        ports, classes = self.config.ports, self.config.classes
        stages = range(self.config.iterations)
        m.submodules.matching = matching = POLICIES[self.config.scheduler](self.config)

        def transpose(name, rows, columns, width=1):
            """Columns of the matrix that has ``rows``."""
            m.submodules[name] = matrix = Transpose(ports, columns, width=width)
            m.d.comb += [i.eq(row) for i, row in zip(matrix.i, rows, strict=True)]
            return matrix.o

        for n, port in enumerate(inputs):
            m.submodules[f"input_{n}"] = port
            m.d.comb += [
                port.longs.eq(self.longs[n]),
                port.partial.eq(self.partial[n]),
                port.length.eq(self.length[n]),
                port.complete.eq(self.complete[n]),
                self.match[n].eq(port.match),
            ]
        for n, port in enumerate(outputs):
            m.submodules[f"output_{n}"] = port
            m.d.comb += self.select[n].eq(port.select)
            m.d.comb += [port.room[c].eq(self.room[n][c]) for c in range(classes)]
        for c in range(classes):
            rows = [port.head[c].as_value() for port in inputs]
            heads = transpose(f"heads_{c}", rows, ports, len(rows[0]) // ports)
            for n, port in enumerate(outputs):
                m.d.comb += port.head[c].eq(heads[n])

        # What all ports of one side tell those of the other, per stage.
        told = self.config.iterations
        class_width = len(outputs[0].traffic_class[0])
        picks = [Cat(port.traffic_class) for port in outputs]
        claims = [Cat(claim.valid for claim in port.claim) for port in inputs]
        reserves = [Cat(reserve.valid for reserve in port.reserve) for port in outputs]
        free = transpose("free", [port.free for port in outputs], told)
        traffic_class = transpose("traffic_class", picks, told, class_width)
        long_grant = transpose("long_grant", [port.long_grant for port in outputs], told)
        claimed = transpose("claimed", reserves, told)
        claiming = transpose("claiming", claims, told)
        keeps = transpose("keeps", [port.keeps for port in inputs], told)
        extended = transpose("extended", [port.extended for port in inputs], told)

        cancel = Const(0, ports)  # outputs that long packets of older stages need
        for k in reversed(stages):
            for n, port in enumerate(inputs):
                m.d.comb += [
                    port.singles[k].eq(self.singles[n][k]),
                    port.free[k].eq(free[k]),
                    port.accept[k].eq(matching.accept[n][k]),
                    port.traffic_class[k].eq(traffic_class[k]),
                    port.long_grant[k].eq(long_grant[k]),
                    port.cancel[k].eq(cancel),
                    self.claim[n][k].eq(port.claim[k]),
                ]
            for c in range(classes):
                rows = [port.request[k][c] for port in inputs]
                visible = transpose(f"visible_{k}_{c}", rows, ports)
                m.d.comb += [outputs[n].visible[k][c].eq(visible[n]) for n in range(ports)]
            for n, port in enumerate(outputs):
                m.d.comb += [
                    port.keeps[k].eq(keeps[k]),
                    port.extended[k].eq(extended[k]),
                    port.claiming[k].eq(claiming[k]),
                    matching.request[n][k].eq(port.request[k]),
                    matching.traffic_class[n][k].eq(port.traffic_class[k]),
                    matching.length[n][k].eq(port.length[k]),
                    matching.limit[n][k].eq(port.limit[k]),
                    port.grant[k].eq(matching.grant[n][k]),
                    port.granted_length[k].eq(matching.granted_length[n][k]),
                    self.reserve[n][k].eq(port.reserve[k]),
                ]
            m.d.comb += [
                matching.claiming[k].eq(claiming[k]),
                matching.claimed[k].eq(claimed[k]),
            ]
            needed = Signal(ports, name=f"needed_{k}")
            m.d.comb += needed.eq(cancel | long_grant[k])
            cancel = needed
        return m
