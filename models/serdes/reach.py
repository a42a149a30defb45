"""How far copper reaches: from a cable's length to the error rate of a lane, by formula.

A line is a transmitter, boards and packages at both ends, a cable, noise, and a receiver that is
as good as an equaliser with decision feedback can be, less a margin. What it leaves out, and how
far off it is: ``docs/serdes.md``.

Sources, by what they gave:

- Signal to noise behind the best equaliser (MMSE-DFE): Salz, "Optimum mean-square decision feedback
  equalization", Bell System Technical Journal 52(8), 1973; without its bias: Cioffi, Dudevoir,
  Eyuboglu and Forney, "MMSE decision-feedback equalizers and coding", IEEE Transactions on
  Communications 43(10), 1995.
- Bit errors of Gray-coded PAM: Cho and Yoon, "On the general BER expression of one- and
  two-dimensional amplitude modulations", IEEE Transactions on Communications 50(7), 2002.
- Amplitude, noise, signal to noise of the transmitter, jitter and level mismatch: the reference
  receivers of COM, the channel operating margin of IEEE 802.3 (annexes 93A and 178A), as
  configurations of 802.3by, 802.3ck (COM 3.70) and a draft of 802.3dj give them in public.
- Loss of cable: 7.14 dB/m at 53 GHz for 26 AWG, from "The 1.2-meter challenge: understanding your
  passive copper options at 224G", Astera Labs, 2026; its 10.23 dB/m for 30 AWG is a check.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import expm1, inf, isfinite, log10, pi, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import erfc

from models.serdes.config import LanesConfig
from models.serdes.theory import frames_hit

__all__ = [
    "LONGEST",
    "STANDARDS",
    "CopperLine",
    "cable_db",
    "highest_ber",
    "lane_gbps",
    "line_of",
]

# Gauges of wire, by definition of AWG (ASTM B258): a step down is a diameter larger by 92^(1/39).
GAUGES = range(20, 37)
REFERENCE_AWG, REFERENCE_GHZ, REFERENCE_DB = 26, 53.125, 7.14  # Astera Labs, see above
# Dielectric: pi * f * delay * tan(delta) nepers. Delay of a passive cable: at most 4.5 ns/m in
# NVIDIA's product specification of MCP4Y10. tan(delta) of foamed polyethylene: from memory.
DIELECTRIC_DB = 20 * log10(np.e) * pi * 4.5 * 2.5e-4  # per metre and GHz
SKIN_DB = (REFERENCE_DB - DIELECTRIC_DB * REFERENCE_GHZ) / sqrt(REFERENCE_GHZ)  # per sqrt(GHz)
# Boards lose as in the baseline of 802.3ck for 100GAUI-1 (li_3ck_02b_0319, slide 7), in proportion.
BOARD_SKIN, BOARD_DIELECTRIC = 1.8, 0.2513
POINTS = 1000  # of a band; ten times as many change an SNR by less than 0.002 dB
LONGEST = 1000.0  # metres that a search goes to


def cable_db(awg: int, ghz: Any) -> Any:
    """Loss in dB/m of a pair of that gauge at ``ghz``: a1 sqrt(f) + a2 f.

    The skin has a1, in proportion to the circumference of the wire; the dielectric a2, the same for
    all gauges.
    """
    thinner = 92 ** ((awg - REFERENCE_AWG) / 39)
    return SKIN_DB * thinner * np.sqrt(ghz) + DIELECTRIC_DB * ghz


def package_db(mm: float, a1: float, a2: float, ghz: float) -> float:
    """Loss of ``mm`` of the package of COM (93A-9 to 93A-14), a1 and a2 as given there, per mm."""
    return 20 * log10(np.e) * mm * (a1 * sqrt(ghz) + a2 * ghz)


@dataclass(frozen=True, kw_only=True)
class CopperLine:
    """A lane over copper, from one die to the other; wrong values raise ``ValueError``.

    Parameters
    ----------
    name : str
        How results and messages call it.
    gbaud : float
        Symbols in a nanosecond; the Nyquist frequency is half of it, in GHz.
    signalling : str
        ``nrz``, a bit in a symbol, or ``pam4``, two.
    metres : float
        Length of the cable.
    awg : int
        Gauge of its wires, 20 (thick) to 36 (thin).
    ends_db, ends_ghz : float
        Loss of all that is no cable, at both ends together and at that frequency: packages, boards,
        connectors. At others it is as that of boards.
    volts : float
        Largest amplitude of the transmitter, differential: half of peak to peak.
    noise : float
        Noise of the receiver at its input, V^2/GHz, one-sided.
    sndr_db : float
        Signal to noise and distortion of the transmitter.
    crosstalk_db : float
        Power of all crosstalk at the Nyquist frequency, over that of the signal as it is sent, in
        dB; below that it falls with the square of the frequency.
    jitter_ui : float
        Random jitter, root mean square, in symbols.
    mismatch : float
        Smallest distance of levels over the mean one (R_LM), 1 for none.
    equalizer : str
        ``dfe``: the best that linear filters and decision feedback can be. ``none``: what comes is
        sliced; no echoes are counted, so that it is better than any real one.
    margin_db : float
        What a real receiver is worse. 3 dB is what COM asks for.
    """

    name: str = "custom"
    gbaud: float
    signalling: str = "pam4"
    metres: float = 1.0
    awg: int = 26
    ends_db: float
    ends_ghz: float
    volts: float = 0.413
    noise: float = 8.2e-9
    sndr_db: float = 33.0
    # 1.96 mV in all of 5 m of 24 AWG, 26 GBd of 0.6 V (diminico_01a_0512, 802.3bj), made relative.
    crosstalk_db: float = -43.0
    jitter_ui: float = 0.01
    mismatch: float = 0.95
    equalizer: str = "dfe"
    margin_db: float = 3.0

    def __post_init__(self) -> None:
        def check(good: bool, name: str, rule: str) -> None:
            if not good:
                raise ValueError(f"{name} must be {rule}, not {getattr(self, name)!r}")

        check(self.signalling in ("nrz", "pam4"), "signalling", "nrz or pam4")
        check(self.equalizer in ("dfe", "none"), "equalizer", "dfe or none")
        check(
            self.awg in GAUGES, "awg", f"a whole number, {GAUGES[0]} (thick) to {GAUGES[-1]} (thin)"
        )
        for name in ("gbaud", "ends_ghz", "volts", "noise"):
            check(0 < getattr(self, name) < inf, name, "positive")
        for name in ("metres", "ends_db", "jitter_ui", "margin_db"):
            check(0 <= getattr(self, name) < inf, name, "0 or more")
        for name in ("sndr_db", "crosstalk_db"):
            check(isfinite(getattr(self, name)), name, "a number of dB")
        check(0 < self.mismatch <= 1, "mismatch", "above 0, at most 1")

    def with_(self, **changes: Any) -> "CopperLine":
        """A copy with some values changed."""
        return replace(self, **changes)

    @property
    def nyquist_ghz(self) -> float:
        """Half of the symbol rate."""
        return self.gbaud / 2

    @property
    def gbps(self) -> float:
        """Bits on the line in a nanosecond."""
        return self.gbaud * (2 if self.signalling == "pam4" else 1)

    @property
    def power(self) -> float:
        """Mean square of the levels, V^2."""
        return self.volts**2 * (5 / 9 if self.signalling == "pam4" else 1)

    def loss_db(self, ghz: Any) -> Any:
        """Loss from die to die at ``ghz``."""
        boards = BOARD_SKIN * np.sqrt(ghz) + BOARD_DIELECTRIC * ghz
        at = BOARD_SKIN * sqrt(self.ends_ghz) + BOARD_DIELECTRIC * self.ends_ghz
        return self.metres * cable_db(self.awg, ghz) + self.ends_db * boards / at

    @property
    def band(self) -> NDArray[np.floating]:
        """Frequencies in GHz, to the Nyquist frequency."""
        return (np.arange(POINTS) + 0.5) / POINTS * self.nyquist_ghz

    def spectrum(self) -> NDArray[np.floating]:
        """Signal to noise at each frequency of the band.

        The pulses are rectangular. Noise: the receiver's, the transmitter's with the same loss as
        the signal, and crosstalk.
        """
        f = self.band
        sent = self.power / self.nyquist_ghz * np.sinc(f / self.gbaud) ** 2
        came = sent * 10 ** (-self.loss_db(f) / 10)
        crosstalk = sent * 10 ** (self.crosstalk_db / 10) * (f / self.nyquist_ghz) ** 2
        return came / (self.noise + came * 10 ** (-self.sndr_db / 10) + crosstalk)

    @property
    def salz(self) -> float:
        """Signal to noise that the best equaliser leaves, as a ratio, without bias.

        ``exp(mean of ln(1 + SNR(f))) - 1``. So many bits as ``log2(1 + salz) / 2`` in a symbol are
        the capacity of the band (Shannon) for signals with this spectrum.
        """
        return float(expm1(np.log1p(self.spectrum()).mean()))

    @property
    def sliced(self) -> float:
        """Signal to noise without an equaliser, as a ratio.

        What comes of a symbol at its own time is the mean of the response over the band; what comes
        of it at other times, by Parseval's theorem, the rest of its mean square. The phase is taken
        to be linear.
        """
        f = self.band
        response = 10 ** (-self.loss_db(f) / 20)
        main, all_of_it = response.mean(), (response**2).mean()
        between = all_of_it - main**2
        crosstalk = 10 ** (self.crosstalk_db / 10) * ((f / self.nyquist_ghz) ** 2).mean()
        noise = self.noise * self.nyquist_ghz / self.power + crosstalk
        return float(main**2 / (between + all_of_it * 10 ** (-self.sndr_db / 10) + noise))

    @property
    def snr(self) -> float:
        """Signal to noise at the slicer, as a ratio: with jitter, less the margin.

        Jitter is noise of its variance times pi^2 / 3: the mean square of the slope of a signal
        that fills the Nyquist band evenly.
        """
        ratio = self.salz if self.equalizer == "dfe" else self.sliced
        jitter = pi**2 / 3 * self.jitter_ui**2
        return ratio / (1 + ratio * jitter) * 10 ** (-self.margin_db / 10)

    @property
    def ber(self) -> float:
        """Part of the bits that are wrong, before any correction; 0.5 if nothing comes."""
        if self.signalling == "nrz":
            return beyond(self.mismatch * sqrt(self.snr))
        # Levels are at 1 and 3; a bit of two is wrong beyond one threshold or between two.
        half = self.mismatch * sqrt(self.snr / 5)
        return (3 * beyond(half) + 2 * beyond(3 * half) - beyond(5 * half)) / 4

    def reach(self, ber: float) -> float | None:
        """Longest cable in metres with at most ``ber``; None if even no cable is too long.

        1000 if it is longer than that.
        """
        if not 0 < ber <= 0.5:
            raise ValueError(f"ber must be above 0 and at most 0.5, not {ber!r}")
        return last(lambda metres: self.with_(metres=metres).ber <= ber, 0.0, LONGEST)


def beyond(x: float) -> float:
    """Probability that noise is more than ``x`` times its root mean square."""
    return float(erfc(x / sqrt(2))) / 2


def last(good: Callable[[float], bool], low: float, high: float) -> float | None:
    """The largest value to ``high`` that is good, if all below it are; None if ``low`` is not."""
    if not good(low):
        return None
    if good(high):
        return high
    while low < (middle := (low + high) / 2) < high:
        low, high = (middle, high) if good(middle) else (low, middle)
    return low


def highest_ber(lanes: LanesConfig, words: int, hit: float) -> float | None:
    """Largest error rate before the code with which at most ``hit`` of all frames are hit.

    Frames have ``words`` words of 64 bits; None if it is below 1e-40.
    """
    if not 0 < hit < 1:
        raise ValueError(f"hit must be above 0 and below 1, not {hit!r}")
    exponent = last(lambda e: frames_hit(lanes, words, 10**e) <= hit, -40.0, log10(0.5))
    return None if exponent is None else 10**exponent


# Lines for which there are public figures, slowest first. What is no cable loses what the standard
# allows for the whole channel, less the cable that it is made for; so at that length the loss is
# the standard's. The standards count from the package's pins, but for 802.3dj: packages of COM
# come on top, 30 mm (by 802.3bj, from memory) and 31 mm (by COM 3.70).
STANDARDS = (
    # 25 dB without a code (10GBASE-KR, 802.3ap, by Intel's transceiver guide), for the 7 m of
    # passive SFP+ cables. It has no COM: figures of 802.3by.
    CopperLine(
        name="SFP+",
        gbaud=10.3125,
        signalling="nrz",
        metres=7,
        awg=24,
        ends_db=25 - 7 * cable_db(24, 5.15625),
        ends_ghz=5.15625,
        volts=0.4,
        noise=5.2e-8,
        sndr_db=27,
        mismatch=1,
    ),
    # 35 dB at 12.9 GHz and 5 m of twinax (802.3bj, its closing report of November 2012).
    CopperLine(
        name="802.3bj",
        gbaud=25.78125,
        signalling="nrz",
        metres=5,
        awg=24,
        ends_db=35
        - 5 * cable_db(24, 12.890625)
        + 2 * package_db(30, 1.734e-3, 1.455e-4, 12.890625),
        ends_ghz=12.890625,
        volts=0.4,
        noise=5.2e-8,
        sndr_db=27,
        mismatch=1,
    ),
    # 28 dB at 26.56 GHz and 2 m (802.3ck).
    CopperLine(
        name="802.3ck",
        gbaud=53.125,
        metres=2,
        ends_db=28 - 2 * cable_db(26, 26.5625) + 2 * package_db(31, 9.909e-4, 2.772e-4, 26.5625),
        ends_ghz=26.5625,
    ),
    # 40 dB at 53.125 GHz from die to die and 1 m (802.3dj).
    CopperLine(
        name="802.3dj",
        gbaud=106.25,
        metres=1,
        ends_db=40 - cable_db(26, 53.125),
        ends_ghz=53.125,
        noise=6.0e-9,
    ),
)
MOST_NRZ_GBPS = 30  # lanes of IEEE 802.3 have two levels to 25 Gbit/s, and four from 50 on
# Parts for a standard of IEEE go a little beyond it: those for 26.5625 GBd to the 29 GBd of the
# OIF's 56G interfaces (Intel, "Normative channel specification: COM").
BEYOND_STANDARD = 29 / 26.5625


def lane_gbps(lanes: LanesConfig, mhz: float) -> float:
    """Gbit/s on each lane of a PCS with that clock."""
    return lanes.lane_bits * mhz / 1e3


def line_of(gbps: float, signalling: str | None = None, **changes: Any) -> CopperLine:
    """A line of ``gbps``, with parts for the slowest standard that go so far, or for the fastest.

    ``signalling`` follows from the rate if it is None: ``nrz`` to 30 Gbit/s, ``pam4`` above. As
    boards for faster standards are better, a lane just too fast for one may reach farther.
    """
    if not 0 < gbps < inf:
        raise ValueError(f"gbps must be a positive rate, not {gbps!r}")
    signalling = signalling or ("nrz" if gbps <= MOST_NRZ_GBPS else "pam4")
    gbaud = gbps / 2 if signalling == "pam4" else gbps
    fit = (line for line in STANDARDS if line.gbaud * BEYOND_STANDARD >= gbaud)
    parts = next(fit, STANDARDS[-1])
    mismatch = 0.95 if signalling == "pam4" else 1.0
    own = {"gbaud": gbaud, "signalling": signalling, "mismatch": mismatch}
    return parts.with_(**(own | changes))
