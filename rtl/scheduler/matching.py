"""What the scheduler and its matching policies say to each other."""

from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from models.config import SwitchConfig

__all__ = ["Matching"]


class Matching(wiring.Component):
    """Grant inputs on behalf of outputs in every stage; the policies are subclasses.

    Latency: 1 cycle from ``request`` to ``grant`` (registered); what was granted may be claimed in
    the cycle in which it shows, and ``claim`` tells in the next. Throughput: one set of grants per
    stage and cycle. Index 0 of the stages is the youngest.

    Members
    -------
    request : In(ports).array(ports, iterations, classes)
        Per output and class: inputs that show a queue.
    many : In(ports).array(ports, classes)
        Per output and class: inputs whose queue is claimed as a whole.
    chosen : In(classes).array(ports, iterations)
        Per output: the class that it has picked, one-hot, or zero: then it grants nothing.
    claim : In(ports).array(ports, iterations)
        Per output: the input that has claimed in the last cycle, one-hot, or zero.
    barred : In(ports)
        Inputs that have claimed a connection in the last cycle: what stage 0 finds for one of them
        is not granted.
    grant : Out(ports).array(ports, iterations, classes)
        Per output and class: the input that is granted, one-hot, or zero; zero but for the class
        that was chosen.
    """

    def __init__(self, config: SwitchConfig):
        self.config = config
        ports, stages = config.ports, config.iterations
        super().__init__(
            {
                "request": In(ports).array(ports, stages, config.classes),
                "many": In(ports).array(ports, config.classes),
                "chosen": In(config.classes).array(ports, stages),
                "claim": In(ports).array(ports, stages),
                "barred": In(ports),
                "grant": Out(ports).array(ports, stages, config.classes),
            }
        )
