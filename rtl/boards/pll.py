"""The clock of an ECP5 board: its oscillator, and a PLL that makes what the switch runs at."""

from dataclasses import dataclass

from amaranth import ClockSignal, Elaboratable, Instance, Module, Signal, Value
from amaranth.lib.cdc import ResetSynchronizer

__all__ = ["Dividers", "Ecp5Pll"]

# MHz. Source: Lattice FPGA-DS-02012, ECP5 and ECP5-5G Family Data Sheet, sysCLOCK PLL timing.
DETECTOR = (10, 400)
OSCILLATOR = (400, 800)
OUTPUT = (3.125, 400)
LARGEST = 128  # of the three dividers


@dataclass(frozen=True)
class Dividers:
    """How a PLL comes from one clock to another: ``i_mhz / i * feedback``, oscillator times ``o``.

    Attributes
    ----------
    i, feedback, o : int
        Dividers of the input, of the feedback from the output, and of the oscillator.
    mhz : float
        What comes out.
    """

    i: int
    feedback: int
    o: int
    mhz: float

    @classmethod
    def between(cls, i_mhz: float, o_mhz: float) -> "Dividers":
        """Those that make ``o_mhz`` of ``i_mhz``.

        Raises
        ------
        ValueError
            If there are none; the message names the nearest clock that there is.
        """
        least, most = OUTPUT
        if not least <= o_mhz <= most:
            bound = least if o_mhz < least else most
            raise ValueError(
                f"the PLL of an ECP5 makes {least:g} to {most:g} MHz, and {o_mhz:g} MHz is "
                f"{abs(o_mhz - bound):g} MHz beyond that"
            )
        choices = []
        for i in range(1, LARGEST + 1):
            if DETECTOR[0] <= i_mhz / i <= DETECTOR[1]:
                feedback = min(LARGEST, max(1, round(o_mhz * i / i_mhz)))
                mhz = i_mhz / i * feedback
                slow, fast = OSCILLATOR
                o = [o for o in range(1, LARGEST + 1) if slow <= mhz * o <= fast]
                if o:
                    choices.append(cls(i, feedback, o[len(o) // 2], mhz))
        best = min(choices, key=lambda choice: (round(abs(choice.mhz - o_mhz), 6), choice.i))
        if abs(best.mhz - o_mhz) > 1e-6 * o_mhz:
            raise ValueError(
                f"the PLL cannot make {o_mhz:g} MHz of {i_mhz:g} MHz: the nearest is "
                f"{best.mhz:.3f} MHz, {abs(best.mhz - o_mhz):.3f} MHz off"
            )
        return best


class Ecp5Pll(Elaboratable):
    """Drive clock domain ``sync`` from the clock at a pin; in reset until the PLL has locked.

    Source: Lattice FPGA-TN-02200, ECP5 and ECP5-5G sysCLOCK PLL/DLL Design and Usage Guide.

    Parameters
    ----------
    clock : Value
        The clock, as its pin brings it.
    i_mhz, o_mhz : float
        Its frequency, and that of ``sync``.
    """

    def __init__(self, clock: Value, i_mhz: float, o_mhz: float):
        self.clock, self.i_mhz, self.o_mhz = clock, i_mhz, o_mhz
        self.dividers = Dividers.between(i_mhz, o_mhz)

    def elaborate(self, platform):
        m = Module()
        locked = Signal()
        m.submodules.pll = Instance(
            "EHXPLLL",
            a_FREQUENCY_PIN_CLKI=f"{self.i_mhz:g}",
            a_FREQUENCY_PIN_CLKOP=f"{self.o_mhz:g}",
            a_ICP_CURRENT="12",
            a_LPF_RESISTOR="8",
            p_CLKI_DIV=self.dividers.i,
            p_CLKFB_DIV=self.dividers.feedback,
            p_CLKOP_DIV=self.dividers.o,
            p_CLKOP_CPHASE=self.dividers.o - 1,
            p_FEEDBK_PATH="CLKOP",
            i_CLKI=self.clock,
            i_CLKFB=ClockSignal("sync"),
            i_RST=0,
            i_STDBY=0,
            o_CLKOP=ClockSignal("sync"),
            o_LOCK=locked,
        )
        m.submodules.reset = ResetSynchronizer(~locked, domain="sync")
        return m
