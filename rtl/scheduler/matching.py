"""What the scheduler and its matching policies say to each other."""

from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from models.config import SwitchConfig
from rtl.packet import length_shape
from rtl.vector import Vector

__all__ = ["Matching"]


class Matching(wiring.Component):
    """Match inputs and outputs in every stage; the policies are subclasses.

    Latency: 0 cycles from ``request`` to ``grant`` and ``accept``. Throughput: one matching per
    stage and cycle. Index 0 of the stages is the youngest.

    Members
    -------
    request : In(ports).array(ports, iterations)
        Per output: inputs with a visible packet of the class that the output has picked.
    traffic_class : In(range(classes)).array(ports, iterations)
        Per output: that class.
    length : In(Vector(length_shape, ports)).array(ports, iterations)
        Per output: flits of the packet of each requesting input.
    limit : In(range(egress_depth + 1)).array(ports, iterations)
        Per output: flits of the longest packet that fits.
    claimed : In(ports).array(iterations)
        Outputs whose match is a claim, that is, not cancelled. Depends on ``grant``.
    claiming : In(ports).array(iterations)
        Inputs whose match is a claim. Depends on ``accept``.
    grant : Out(ports).array(ports, iterations)
        Per output: the input that it is matched to, one-hot, or zero.
    granted_length : Out(length_shape).array(ports, iterations)
        Per output: flits of the packet of that input; meaningless without a match.
    accept : Out(ports).array(ports, iterations)
        Per input: the output that it is matched to, one-hot, or zero.
    """

    def __init__(self, config: SwitchConfig):
        self.config = config
        ports, stages = config.ports, config.iterations
        super().__init__(
            {
                "request": In(ports).array(ports, stages),
                "traffic_class": In(range(config.classes)).array(ports, stages),
                "length": In(Vector(length_shape(config), ports)).array(ports, stages),
                "limit": In(range(config.egress_depth + 1)).array(ports, stages),
                "claimed": In(ports).array(stages),
                "claiming": In(ports).array(stages),
                "grant": Out(ports).array(ports, stages),
                "granted_length": Out(length_shape(config)).array(ports, stages),
                "accept": Out(ports).array(ports, stages),
            }
        )
