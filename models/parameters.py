"""The numbers of a configuration as plain integers, in the form compiled model loops take."""

from collections import namedtuple

from models.config import SwitchConfig

__all__ = ["Parameters", "parameters"]

Parameters = namedtuple(
    "Parameters",
    "ports classes queues words flit_bytes iterations ingress_flits egress_depth reserve limit "
    "shared_flits mark_flits min_packet_bytes max_packet_bytes max_packet_flits start_scale "
    "endpoints stall_cycles weighted wavefront",
)


def parameters(config: SwitchConfig) -> Parameters:
    """All fields are int; ``weighted`` and ``wavefront`` are 1 where that policy is chosen."""
    chosen = {"weighted": config.class_policy == "weighted"}
    chosen["wavefront"] = config.scheduler == "wavefront"
    return Parameters(
        **{
            name: int(chosen[name]) if name in chosen else int(getattr(config, name))
            for name in Parameters._fields
        }
    )
