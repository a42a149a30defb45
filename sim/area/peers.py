"""Other open switches, as they were measured by us on the same part and in the same way."""

from dataclasses import dataclass

__all__ = ["ARBITER", "CONDITIONS", "PEERS", "Peer", "delivered_gbps"]

FLIT_BITS = 64
CONDITIONS = (
    "ECP5-85F, speed grade 6, 64-bit streams, yosys and nextpnr, pin-limited harness, 200 MHz "
    "asked for, one seed; throughput with every input always full, uniform destinations"
)


def delivered_gbps(ports: int, flits_per_cycle: float, mhz: float) -> float:
    """Gbit/s that all outputs together deliver, each ``flits_per_cycle`` flits of 64 bits."""
    return ports * flits_per_cycle * mhz * FLIT_BITS / 1e3


@dataclass(frozen=True)
class Peer:
    """One switch at one size.

    Parameters
    ----------
    luts, flip_flops : int
        Look-up tables of four inputs, and flip-flops.
    mhz : float
        Highest clock.
    latency : int or None
        Cycles of an idle switch.
    eight, one : float or None
        Flits per cycle and port with packets of 8 flits and of 1 flit.
    queues : str
        Where packets can wait.
    """

    name: str
    ports: int
    luts: int
    flip_flops: int
    mhz: float
    latency: int | None = None
    eight: float | None = None
    one: float | None = None
    queues: str = "none"


PEERS = (
    Peer("verilog-axis switch", 4, 1536, 592, 166, 3, 0.60, 0.33),
    Peer("verilog-axis switch", 8, 5208, 1264, 110, 3, 0.57, 0.32),
    Peer("taxi switch", 4, 1096, 60, 170, 2, 0.60, 0.33),
    Peer("taxi switch", 8, 3750, 200, 115, 2, 0.57, 0.32),
    Peer("PULP stream crossbar", 4, 1234, 556, 116, 1, 0.58, 0.66),
    Peer("PULP stream crossbar", 8, 4494, 1152, 101, 1, 0.55),
    Peer("FlooNoC router", 4, 2510, 1140, 86, 2, 0.66, 0.66, "short FIFOs"),
    Peer("FlooNoC router", 8, 5597, 2400, 59, 2, 0.62, 0.62, "short FIFOs"),
)
ARBITER = (
    Peer("an open iSLIP arbiter, 1 iteration", 8, 890, 112, 74),
    Peer("an open iSLIP arbiter, 1 iteration", 16, 3960, 480, 45),
)
