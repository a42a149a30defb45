"""A measured number beside its target."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from rich import box
from rich.table import Table

__all__ = ["Check", "table"]


@dataclass(frozen=True)
class Check:
    """One line of a benchmark.

    Parameters
    ----------
    what : str
        What was measured.
    value : float
        The result, the median of repeated runs.
    relation : str
        How ``value`` must stand to ``target``: ``<=``, ``>=``, ``==``; empty if it is only shown.
    note : str
        What else belongs to it.
    """

    what: str
    value: float
    relation: str = ""
    target: float = 0.0
    note: str = ""

    @property
    def met(self) -> bool:
        """The target is reached, or there is none; a number that is not one never is."""
        relations = {
            "": True,
            "<=": self.value <= self.target,
            ">=": self.value >= self.target,
            "==": self.value == self.target,
        }
        return relations[self.relation]

    def record(self) -> dict[str, Any]:
        """This check as plain data."""
        target = f"{self.relation} {number(self.target)}" if self.relation else None
        return {
            "what": self.what,
            "value": self.value,
            "target": target,
            "met": self.met if self.relation else None,
            "note": self.note,
        }


def number(value: float) -> str:
    """``value`` in at most six digits or so."""
    if value == round(value) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.4g}"


def table(title: str, checks: Iterable[Check]) -> Table:
    """The checks as people read them."""
    shown = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD)
    for column in ("", "measured", "target", "", "with"):
        shown.add_column(column, justify="right" if column in ("measured", "target") else "left")
    for check in checks:
        target = f"{check.relation} {number(check.target)}" if check.relation else ""
        verdict = ("met" if check.met else "[bold red]NOT MET[/]") if check.relation else ""
        shown.add_row(check.what, number(check.value), target, verdict, check.note)
    return shown
