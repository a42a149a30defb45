"""The numbers of a configuration as plain integers, in the form compiled model loops take."""

from collections import namedtuple

from models.config import SwitchConfig

__all__ = ["Parameters", "parameters"]

Parameters = namedtuple(
    "Parameters",
    "ports classes queues words flit_bytes iterations ingress_flits egress_depth accept_flits "
    "reserve limit shared_flits short_flits mark_flits min_packet_bytes max_packet_bytes "
    "max_packet_flits start_scale endpoints stall_cycles weighted wavefront class_weights",
)


def parameters(config: SwitchConfig) -> Parameters:
    """All fields are int, ``class_weights`` is a tuple of int.

    ``weighted`` and ``wavefront`` are 1 where that policy is chosen.
    """
    chosen = {
        "weighted": int(config.class_policy == "weighted"),
        "wavefront": int(config.scheduler == "wavefront"),
    }
    values = {n: chosen.get(n, getattr(config, n, None)) for n in Parameters._fields}
    return Parameters(**values)
