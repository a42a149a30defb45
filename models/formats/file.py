"""A workload file that is being read, and how to complain about it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from models.collective import LARGEST, Workload, WorkloadError

__all__ = ["File", "Format"]


@dataclass(frozen=True)
class File:
    """Path and text of a file. Lines are counted from 1."""

    path: Path
    text: str

    def lines(self) -> list[tuple[int, str]]:
        """Number and text of each line that is not blank."""
        return [
            (number, line) for number, line in enumerate(self.text.splitlines(), 1) if line.strip()
        ]

    def line(self, number: int) -> str:
        """Text of a line, shortened; nothing behind the end."""
        lines = self.text.splitlines()
        return lines[number - 1].strip()[:60] if number <= len(lines) else ""

    def error(self, line: int, expected: str, found: object) -> WorkloadError:
        """That ``line`` holds ``found``, not what was expected."""
        shown = repr(found) if found not in ("", None) else "nothing"
        return WorkloadError(f"{self.path}:{line}: expected {expected}, not {shown}")

    def integer(self, line: int, what: str, value: str, low: int = 0, high: int = LARGEST) -> int:
        """The integer in ``value``, called ``what`` in a complaint."""
        digits = value.removeprefix("-")
        if not (digits.isascii() and digits.isdigit()) or not low <= int(value) <= high:
            raise self.error(line, f"{what} (an integer from {low} to {high})", value)
        return int(value)


class Format(Protocol):
    """What a module in this folder offers."""

    KIND: str  # in a few words, for people

    def recognises(self, file: File) -> bool:
        """The file is meant to be of this format."""
        ...

    def read(self, file: File) -> Workload:
        """The workload in the file; raises WorkloadError if it is malformed."""
        ...
