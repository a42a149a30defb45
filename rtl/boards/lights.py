"""The lights of a board."""

from typing import Any

from amaranth import Module
from amaranth.lib import io

from rtl.boards.prototype import Prototype

__all__ = ["show"]


def show(m: Module, platform: Any, prototype: Prototype) -> None:
    """LED 0 blinks: the clock runs. LED 1: all flows are in order. LED 2: an error was seen."""
    for n, light in enumerate((prototype.alive, prototype.linked, prototype.error)):
        m.submodules[f"light_{n}"] = led = io.Buffer("o", platform.request("led", n, dir="-"))
        m.d.comb += led.o.eq(light)
