"""The numbers of a configuration, in the form compiled model loops take."""

from collections import namedtuple
from typing import Any

import numpy as np

from models.config import SwitchConfig

__all__ = ["Parameters", "parameters"]

Parameters = namedtuple(
    "Parameters",
    "ports classes class_bits queues words flit_bytes iterations ingress_flits egress_depth "
    "accept_flits reserve limit shared_flits short_flits mark_flits min_packet_bytes "
    "max_packet_bytes max_packet_flits start_scale endpoints stall_cycles stride weighted "
    "wavefront "
    "class_weights",
)


def parameters(config: SwitchConfig) -> Parameters:
    """All fields are int, but ``class_weights``, which is an array.

    A tuple would be a type of its own for every number of classes, and all functions that take
    these parameters would be compiled again. ``class_bits`` are those of a class in the number of a
    queue, for a shift where a division would take long. ``weighted`` and ``wavefront`` are 1 where
    that policy is chosen.
    """
    chosen: dict[str, Any] = {
        "class_bits": config.classes.bit_length() - 1,
        "weighted": int(config.class_policy == "weighted"),
        "wavefront": int(config.scheduler == "wavefront"),
        "class_weights": np.array(config.class_weights, dtype=np.int64),
    }
    values = {n: chosen.get(n, getattr(config, n, None)) for n in Parameters._fields}
    return Parameters(**values)
